//! What is made of how far a backend's numbers are from the reference's.

use std::collections::BTreeMap;
use std::fmt;

/// How much further than the reference, where it is disturbed, a gradient may jump. One that is off in every
/// step is refused all the same: a wrong kernel is wrong on all images.
const JUMP: f64 = 3.0;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// The loss in training.
    Loss,
    /// The gradient of the parameter of that name.
    Gradient(String),
    /// What the optimizer's step changes the parameter of that name by.
    Step(String),
    /// The running mean or variance of that name.
    RunningStatistic(String),
    /// The loss of the weights that the last step leads to, in evaluation.
    EvaluationLoss,
    /// Batches that a graphics card makes of bytes, by how they were augmented and regularized.
    Batch(String),
    /// A gradient of a single convolution, by what it is of.
    Convolution(String),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss => write!(f, "loss"),
            Self::Gradient(name) => write!(f, "gradient of `{name}`"),
            Self::Step(name) => write!(f, "optimizer's step of `{name}`"),
            Self::RunningStatistic(name) => write!(f, "`{name}`"),
            Self::EvaluationLoss => write!(f, "loss in evaluation"),
            Self::Batch(changes) => write!(f, "batch changed by {changes}"),
            Self::Convolution(shape) => write!(f, "gradient of the {shape}"),
        }
    }
}

/// How far a quantity is from the reference.
#[derive(Clone, Debug)]
pub struct Deviation {
    /// What was compared.
    pub quantity: Quantity,
    /// Step, or batch or convolution, counted from 1.
    pub step: usize,
    /// The relative error; infinite where a tensor is missing.
    pub found: f64,
    /// The greatest that is accepted.
    pub allowed: f64,
}

impl Deviation {
    /// Whether the error is within its tolerance; NaN never is.
    pub(super) fn is_accepted(&self) -> bool {
        self.found <= self.allowed
    }

    /// The error in units of what is allowed.
    fn size(&self) -> f64 {
        if self.found.is_nan() { f64::INFINITY } else { self.found / self.allowed }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quantity, step, found, allowed } = self;
        write!(f, "relative error {found:.1e} of the {quantity}")?;
        if !matches!(quantity, Quantity::Batch(_) | Quantity::Convolution(_)) {
            write!(f, " in step {step}")?;
        }
        write!(f, ", allowed {allowed:.0e}")
    }
}

/// `‖found − expected‖ / max(‖expected‖, least)` in the Euclidean norm; infinite if there are more or
/// fewer values than expected.
pub(super) fn distance(found: &[f64], expected: &[f64], least: f64) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    match norm(&difference) {
        0.0 => 0.0,
        difference => difference / norm(expected).max(least),
    }
}

/// The Euclidean norm.
pub(super) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The one furthest outside its tolerance, or nearest to it.
pub(super) fn worst(deviations: impl IntoIterator<Item = Deviation>) -> Option<Deviation> {
    deviations.into_iter().max_by(|a, b| a.size().total_cmp(&b.size()))
}

/// What is made of the deviations of several steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    /// Least deviation of each quantity over all steps.
    best: BTreeMap<Quantity, Deviation>,
    /// Greatest deviation of each step that was accepted.
    accepted: Vec<Deviation>,
    kinks: usize,
}

impl Judge {
    /// Takes in the deviations of a step. `jumps`: how far the gradient of each parameter jumps when the
    /// reference is disturbed.
    ///
    /// # Errors
    ///
    /// The one furthest outside its tolerance, if no kink explains it.
    pub(super) fn hear(
        &mut self,
        deviations: Vec<Deviation>,
        jumps: impl FnOnce() -> BTreeMap<String, f64>,
    ) -> Result<(), Deviation> {
        let (accepted, others): (Vec<_>, Vec<_>) =
            deviations.iter().cloned().partition(Deviation::is_accepted);
        self.accepted.extend(worst(accepted));
        if !others.is_empty() {
            let jumps = jumps();
            let unexplained = others.into_iter().map(|deviation| {
                let jump = match &deviation.quantity {
                    Quantity::Gradient(name) => jumps.get(name).copied().unwrap_or(0.0),
                    _ => 0.0,
                };
                Deviation { allowed: deviation.allowed + JUMP * jump, ..deviation }
            });
            if let Some(worst) = worst(unexplained.filter(|deviation| !deviation.is_accepted())) {
                return Err(worst);
            }
            self.kinks += 1;
        }
        for deviation in deviations {
            let best = self.best.entry(deviation.quantity.clone()).or_insert(deviation.clone());
            if deviation.size() < best.size() {
                *best = deviation;
            }
        }
        Ok(())
    }

    /// Whether every quantity was within its tolerance at least once.
    pub(super) fn is_content(&self) -> bool {
        self.best.values().all(Deviation::is_accepted)
    }

    /// The greatest deviation that was accepted, and the number of steps at kinks.
    ///
    /// # Errors
    ///
    /// A quantity that was outside its tolerance in every step.
    pub(super) fn conclude(self) -> Result<(Deviation, usize), Deviation> {
        let worst_best = worst(self.best.into_values()).expect("a step was heard");
        if !worst_best.is_accepted() {
            return Err(worst_best);
        }
        Ok((worst(self.accepted).unwrap_or(worst_best), self.kinks))
    }
}

#[cfg(test)]
mod tests {
    use super::super::TENSOR_TOLERANCE;
    use super::*;

    /// The relative error of one gradient in some step.
    fn deviation(step: usize, found: f64) -> Deviation {
        let quantity = Quantity::Gradient("head.bias".into());
        Deviation { quantity, step, found, allowed: TENSOR_TOLERANCE }
    }

    #[test]
    fn a_jump_is_accepted_where_the_reference_jumps_too_and_not_in_every_step() {
        let jump = |size: f64| move || BTreeMap::from([("head.bias".to_owned(), size)]);
        let mut judge = Judge::default();
        judge.hear(vec![deviation(1, 1e-2)], jump(1e-2)).unwrap();
        assert!(!judge.is_content());
        assert!(judge.clone().conclude().is_err(), "it was never within its tolerance");
        judge
            .hear(vec![deviation(2, 1e-5)], || unreachable!("nothing is to be explained"))
            .unwrap();
        assert!(judge.is_content());
        let (worst, kinks) = judge.clone().conclude().unwrap();
        assert_eq!((worst.found, kinks), (1e-5, 1));
        let error = judge.hear(vec![deviation(3, 1e-2)], jump(1e-5)).unwrap_err().to_string();
        assert!(error.contains("1.0e-2 of the gradient of `head.bias` in step 3"), "{error}");
    }
}
