//! Which batches are logged: at most a thousand of a training, evenly, and the same ones in a run that was resumed.

/// Points of a curve over all batches, at most. Viewers show about as many.
pub(crate) const MOST_POINTS: u64 = 1000;

/// Chooses every `stride`-th step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thinning {
    stride: u64,
}

impl Thinning {
    /// Of a training of so many steps in all. Early stopping leaves fewer points.
    pub(crate) fn of(steps: u64) -> Self {
        Self { stride: steps.div_ceil(MOST_POINTS).max(1) }
    }

    /// Whether this step, counted from 1, is logged.
    pub(crate) fn keeps(self, step: u64) -> bool {
        step.is_multiple_of(self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_at_most_a_thousand_points_and_nearly_as_many_as_may_be() {
        for steps in [0, 1, 7, 999, 1000, 1001, 1999, 2000, 2001, 46_900, 10_000_000] {
            let thinning = Thinning::of(steps);
            let points = (1..=steps).filter(|step| thinning.keeps(*step)).count() as u64;
            assert!(
                points <= MOST_POINTS && points >= steps.min(MOST_POINTS) / 2,
                "{steps}: {points}"
            );
        }
    }
}
