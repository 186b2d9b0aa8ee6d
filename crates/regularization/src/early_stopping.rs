//! Early stopping: end training once validation no longer improves, and go back to the best epoch.

use serde::{Deserialize, Serialize};

/// How long to wait for the validation loss to improve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStoppingConfig {
    /// Epochs without improvement after which training ends; at least 1.
    pub patience: usize,
    /// Smallest decrease of the validation loss, in nats, that counts as an improvement; at least 0.
    #[serde(default)]
    pub min_delta: f64,
}

/// What early stopping says after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The best epoch so far: keep its weights.
    Improved,
    /// Not better than the best, but patience is left.
    Waiting,
    /// Patience is used up: stop.
    Stop,
}

/// Follows the validation loss, epoch by epoch, and remembers the best.
///
/// An epoch is better if its loss is below the best one by more than `min_delta`. A loss that is
/// not a number never improves. Without patience the best epoch is followed all the same and
/// training is never stopped.
///
/// Prechelt, [Early Stopping - But When?](https://doi.org/10.1007/978-3-642-35289-8_5), 1998, for
/// the idea and its price; patience with a least change is the convention of today's toolkits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    patience: Option<usize>,
    min_delta: f64,
    best: Option<Best>,
    /// Epochs since the best one.
    waited: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Best {
    epoch: usize,
    loss: f64,
}

impl EarlyStopping {
    /// Stops after `config.patience` epochs without improvement.
    pub fn new(config: EarlyStoppingConfig) -> Self {
        Self { patience: Some(config.patience), min_delta: config.min_delta, best: None, waited: 0 }
    }

    /// Never stops, but still knows which epoch was best.
    pub fn never() -> Self {
        Self { patience: None, min_delta: 0.0, best: None, waited: 0 }
    }

    /// Takes the validation loss of `epoch` (counted from 1), in nats.
    pub fn observe(&mut self, epoch: usize, loss: f64) -> Verdict {
        // A loss that is not a number compares false and so never counts as better.
        let better = match self.best {
            None => loss.is_finite(),
            Some(best) => loss < best.loss - self.min_delta,
        };
        if better {
            self.best = Some(Best { epoch, loss });
            self.waited = 0;
            return Verdict::Improved;
        }
        self.waited += 1;
        if self.is_exhausted() { Verdict::Stop } else { Verdict::Waiting }
    }

    /// Whether patience is used up.
    pub fn is_exhausted(&self) -> bool {
        self.patience.is_some_and(|patience| self.waited >= patience)
    }

    /// The best epoch so far, counted from 1; none before the first finite loss.
    pub fn best_epoch(&self) -> Option<usize> {
        self.best.map(|best| best.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(config: EarlyStoppingConfig, losses: &[f64]) -> Vec<Verdict> {
        let mut stopping = EarlyStopping::new(config);
        losses.iter().enumerate().map(|(i, &loss)| stopping.observe(i + 1, loss)).collect()
    }

    #[test]
    fn it_stops_when_patience_is_used_up_and_names_the_best_epoch() {
        use Verdict::{Improved, Stop, Waiting};
        let config = EarlyStoppingConfig { patience: 2, min_delta: 0.0 };
        assert_eq!(
            verdicts(config, &[1.0, 0.8, 0.9, 0.7, 0.71, 0.70]),
            [Improved, Improved, Waiting, Improved, Waiting, Stop]
        );
    }

    #[test]
    fn a_change_of_exactly_min_delta_is_no_improvement() {
        let config = EarlyStoppingConfig { patience: 1, min_delta: 0.25 };
        assert_eq!(verdicts(config, &[1.0, 0.75]), [Verdict::Improved, Verdict::Stop]);
        assert_eq!(verdicts(config, &[1.0, 0.7499]), [Verdict::Improved, Verdict::Improved]);
    }

    #[test]
    fn small_steps_are_measured_from_the_best_and_not_from_the_last() {
        let config = EarlyStoppingConfig { patience: 3, min_delta: 0.1 };
        let verdicts = verdicts(config, &[1.0, 0.95, 0.92, 0.89]);
        assert_eq!(verdicts[3], Verdict::Improved);
    }

    #[test]
    fn a_loss_that_is_not_finite_never_improves() {
        let config = EarlyStoppingConfig { patience: 2, min_delta: 0.0 };
        let losses = [f64::INFINITY, f64::NAN];
        assert_eq!(verdicts(config, &losses), [Verdict::Waiting, Verdict::Stop]);
    }

    #[test]
    fn without_patience_it_never_stops_but_knows_the_best_epoch() {
        let mut stopping = EarlyStopping::never();
        for (epoch, loss) in [3.0, 1.0, 2.0, 2.0, 2.0].into_iter().enumerate() {
            assert_ne!(stopping.observe(epoch + 1, loss), Verdict::Stop);
        }
        assert_eq!(stopping.best_epoch(), Some(2));
    }

    #[test]
    fn its_state_survives_a_round_trip_through_json() {
        let mut stopping = EarlyStopping::new(EarlyStoppingConfig { patience: 2, min_delta: 1e-3 });
        stopping.observe(1, 0.123_456_789_012_345_6);
        stopping.observe(2, 0.2);
        let json = serde_json::to_string(&stopping).unwrap();
        assert_eq!(serde_json::from_str::<EarlyStopping>(&json).unwrap(), stopping);
    }
}
