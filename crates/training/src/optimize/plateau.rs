//! What the schedule `plateau` remembers: the learning rate falls when the validation loss does not.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use serde::{Deserialize, Serialize};

use crate::optimize::schedule::Schedule;

/// Follows the validation loss for [`Schedule::Plateau`], epoch by epoch.
///
/// An epoch is better if its loss is below the best one by more than `min_delta`. Once more than
/// `patience` epochs in a row were not, the share of the peak becomes
/// `max(floor, factor · share)`, and the waiting begins anew. A loss that is not a number is never
/// better. With any other schedule the share stays 1.
///
/// This is PyTorch's
/// [`ReduceLROnPlateau`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html)
/// with `mode="min"`, `threshold_mode="abs"`, `min_lr = floor · peak`, `cooldown=0` and `eps=0`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Lowest validation loss so far, in nats; none before the first finite one.
    best: Option<f64>,
    /// Epochs without improvement since the best one or the last reduction.
    waited: usize,
    /// Learning rate as a share of the peak, in `[0, 1]`.
    share: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { best: None, waited: 0, share: 1.0 }
    }
}

impl Plateau {
    /// Learning rate as a share of what the schedule says.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Takes the validation loss of an epoch, in nats.
    pub fn observe(&mut self, schedule: &Schedule, loss: f64) {
        let Schedule::Plateau { factor, patience, min_delta, floor } = *schedule else { return };
        if loss.is_finite() && self.best.is_none_or(|best| loss < best - min_delta) {
            self.best = Some(loss);
            self.waited = 0;
            return;
        }
        self.waited += 1;
        if self.waited > patience {
            self.share = floor.max(factor * self.share);
            self.waited = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plateau_equals_pytorch() {
        // tests/pytorch/plateau.py: ReduceLROnPlateau(mode="min", factor=0.5, patience=2,
        // threshold=0.125, threshold_mode="abs", min_lr=0.2), learning rate 1.
        let expected = [
            (1.0, 1.0),
            (0.75, 1.0),
            (0.625, 1.0),
            (0.6, 1.0),
            (0.55, 1.0),
            (0.5, 1.0),
            (0.7, 0.5),
            (f64::NAN, 0.5),
            (0.6, 0.5),
            (0.2, 0.5),
            (0.3, 0.5),
            (0.3, 0.5),
            (0.3, 0.25),
            (0.3, 0.25),
            (0.3, 0.25),
            (0.3, 0.2),
            (0.3, 0.2),
            (0.3, 0.2),
            (0.3, 0.2),
            (0.05, 0.2),
            (0.06, 0.2),
        ];
        let schedule = Schedule::Plateau { factor: 0.5, patience: 2, min_delta: 0.125, floor: 0.2 };
        let mut plateau = Plateau::default();
        for (epoch, (loss, share)) in (1..).zip(expected) {
            plateau.observe(&schedule, loss);
            assert_eq!(plateau.share(), share, "after epoch {epoch}");
        }
    }

    #[test]
    fn with_another_schedule_the_share_stays_one() {
        let mut plateau = Plateau::default();
        for loss in [1.0, 2.0, f64::NAN, 3.0] {
            plateau.observe(&Schedule::Constant, loss);
        }
        assert_eq!(plateau, Plateau::default());
    }

    #[test]
    fn its_state_survives_a_round_trip_through_json() {
        let schedule = Schedule::Plateau { factor: 0.3, patience: 0, min_delta: 0.0, floor: 0.0 };
        let mut plateau = Plateau::default();
        for loss in [0.123_456_789_012_345_6, 0.2, 0.3] {
            plateau.observe(&schedule, loss);
            let json = serde_json::to_string(&plateau).unwrap();
            assert_eq!(serde_json::from_str::<Plateau>(&json).unwrap(), plateau);
        }
    }
}
