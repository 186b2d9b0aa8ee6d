//! Early stopping: end training once validation no longer improves.
//!
//! Which weights are kept is another question: see `keep.rs`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::monitor::{Monitor, Validation};
use crate::prechelt::{generalization_loss, progress_quotient, successive_rises};

/// The text forms of the rules.
const FORMS: &str = "patience=EPOCHS[,min-delta=CHANGE][,monitor=accuracy], gl=PERCENT, \
    pq=QUOTIENT[,strip=EPOCHS] or up=STRIPS[,strip=EPOCHS], each with [,warmup=EPOCHS]";

/// When to stop. All rules are asked after every epoch.
///
/// `warmup` counts the epochs at the start in which training never stops and waiting is not
/// counted; the lowest validation loss is followed in them all the same. Prechelt's criteria divide
/// training into strips of `strip` epochs, counted from the first one.
///
/// In text, as on the command line: `patience=5,min-delta=0.001`, `gl=5`, `pq=0.75,strip=5`,
/// `up=3,strip=5`, each with `,warmup=3` if wanted.
///
/// Prechelt, [Early Stopping - But When?](https://doi.org/10.1007/978-3-642-35289-8_5), 1998, for
/// the criteria, the idea and its price. There validation is measured at the ends of strips alone,
/// to save time; here it is measured after every epoch, so that the lowest error is that of all
/// epochs. Patience with a least change is the convention of today's toolkits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum EarlyStoppingConfig {
    /// Stops after `patience` epochs without improvement. An epoch improves if its validation error, the loss or
    /// the share of wrong answers, is below that of the last epoch that did by more than `min_delta`.
    Patience {
        /// Epochs without improvement, at least 1.
        patience: usize,
        /// Smallest decrease that does not yet count as an improvement: of the loss in nats, of the wrong
        /// answers as a share; at least 0.
        #[serde(default)]
        min_delta: f64,
        /// The score that is followed.
        #[serde(default, skip_serializing_if = "Monitor::is_loss")]
        monitor: Monitor,
        /// Epochs before it may stop.
        #[serde(default)]
        warmup: usize,
    },
    /// Prechelt's `GL_α`: once the validation loss is more than `alpha` percent above the lowest,
    /// `100 · (E_va(t) / E_opt(t) − 1) > α`.
    GeneralizationLoss {
        /// α in percent, at least 0; 1 to 5 in the paper.
        alpha: f64,
        /// Epochs before it may stop.
        #[serde(default)]
        warmup: usize,
    },
    /// Prechelt's `PQ_α`: at the end of a strip whose generalization loss is more than `alpha`
    /// times its training progress, `GL(t) / P_k(t) > α` with
    /// `P_k(t) = 1000 · (Σ E_tr / (k · min E_tr) − 1)` over the strip.
    ///
    /// `E_tr` is an epoch's mean of what was minimized, not the clean training error of the paper.
    /// Dropout, augmentation and softened labels lift it by something that training cannot take
    /// away, so that the same fall is a smaller part of it: `P_k` comes out smaller, and the same
    /// `alpha` stops earlier. The other way round, the plain cross-entropy of images that are all
    /// right keeps falling by a steady share, so that `P_k` stays large and the paper's `alpha` may
    /// never be exceeded. An objective that is not positive makes `P_k` meaningless.
    ProgressQuotient {
        /// α, at least 0; 0.5 to 3 in the paper.
        alpha: f64,
        /// k, epochs in a strip; at least 2, as the progress within one epoch is always 0.
        #[serde(default = "five")]
        strip: usize,
        /// Epochs before it may stop.
        #[serde(default)]
        warmup: usize,
    },
    /// Prechelt's `UP_s`: when the validation loss has risen in `strips` successive strips, by
    /// however little, `E_va(t) > E_va(t − k)` at their ends. Strips that end within the warm-up
    /// are not counted.
    Up {
        /// s, at least 1; 2 to 8 in the paper.
        strips: usize,
        /// k, epochs in a strip, at least 1.
        #[serde(default = "five")]
        strip: usize,
        /// Epochs before it may stop.
        #[serde(default)]
        warmup: usize,
    },
}

/// Prechelt's strips.
fn five() -> usize {
    5
}

/// What early stopping says after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Train on.
    Continue,
    /// The criterion is met: stop.
    Stop,
}

/// Follows training epoch by epoch and says when to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    config: EarlyStoppingConfig,
    /// `E_tr` of each epoch.
    #[serde(deserialize_with = "null_as_nan")]
    train: Vec<f64>,
    /// `E_va` of each epoch: the validation loss, or whatever else the rule follows.
    #[serde(deserialize_with = "null_as_nan")]
    valid: Vec<f64>,
    stopped: bool,
}

impl EarlyStopping {
    /// The state before the first epoch.
    pub fn new(config: EarlyStoppingConfig) -> Self {
        Self { config, train: Vec::new(), valid: Vec::new(), stopped: false }
    }

    /// Takes what the next epoch has come to: the mean of what was minimized, and the validation scores.
    ///
    /// A number that is not finite stands for one that could not be measured. It meets none of
    /// Prechelt's criteria; patience counts the epoch as one without improvement.
    pub fn observe(&mut self, train_objective: f64, validation: Validation) -> Verdict {
        let known = |value: f64| if value.is_finite() { value } else { f64::NAN };
        self.train.push(known(train_objective));
        self.valid.push(known(self.config.monitor().error(validation)));
        self.stopped = self.valid.len() > self.config.warmup() && self.is_met();
        if self.stopped { Verdict::Stop } else { Verdict::Continue }
    }

    /// Whether the last verdict was to stop.
    pub fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// The criterion, after the epoch that was observed last.
    fn is_met(&self) -> bool {
        use EarlyStoppingConfig::{GeneralizationLoss, Patience, ProgressQuotient, Up};
        let Self { train, valid, .. } = self;
        let ends_strip = |strip: usize| valid.len().is_multiple_of(strip);
        match self.config {
            Patience { patience, min_delta, warmup, .. } => {
                waited(valid, min_delta, warmup) >= patience
            }
            GeneralizationLoss { alpha, .. } => generalization_loss(valid) > alpha,
            ProgressQuotient { alpha, strip, .. } => {
                ends_strip(strip) && progress_quotient(train, valid, strip) > alpha
            }
            Up { strips, strip, warmup } => {
                ends_strip(strip) && successive_rises(valid, strip, warmup) >= strips
            }
        }
    }
}

/// Epochs since the last improvement by more than `min_delta`, without those of the warm-up.
fn waited(valid: &[f64], min_delta: f64, warmup: usize) -> usize {
    let (mut best, mut waited) = (f64::INFINITY, 0);
    for (epoch, &loss) in (1..).zip(valid) {
        // A loss that is not a number compares false and so never counts as better.
        if loss < best - min_delta {
            (best, waited) = (loss, 0);
        } else if epoch > warmup {
            waited += 1;
        }
    }
    waited
}

/// The first epoch after `epoch` that ends a strip.
fn end_of_strip_after(epoch: usize, strip: usize) -> usize {
    let strip = strip.max(1);
    (epoch / strip).saturating_add(1).saturating_mul(strip)
}

impl EarlyStoppingConfig {
    /// Epochs before it may stop.
    pub fn warmup(self) -> usize {
        match self {
            Self::Patience { warmup, .. }
            | Self::GeneralizationLoss { warmup, .. }
            | Self::ProgressQuotient { warmup, .. }
            | Self::Up { warmup, .. } => warmup,
        }
    }

    /// The validation score that it follows.
    pub fn monitor(self) -> Monitor {
        match self {
            Self::Patience { monitor, .. } => monitor,
            Self::GeneralizationLoss { .. } | Self::ProgressQuotient { .. } | Self::Up { .. } => {
                Monitor::Loss
            }
        }
    }

    /// The first epoch, counted from 1, after which it may stop, if every loss is a number.
    pub fn earliest(self) -> usize {
        match self {
            // The first epoch improves on none.
            Self::Patience { patience, warmup, .. } => warmup.max(1).saturating_add(patience),
            Self::GeneralizationLoss { warmup, .. } => warmup.max(1).saturating_add(1),
            Self::ProgressQuotient { strip, warmup, .. } => end_of_strip_after(warmup, strip),
            Self::Up { strips, strip, warmup } => {
                // The first strip has none before it to rise from.
                let first = end_of_strip_after(warmup.max(strip), strip);
                first.saturating_add(strips.saturating_sub(1).saturating_mul(strip))
            }
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// The first that is outside its range.
    pub fn check(self) -> Result<(), String> {
        let at_least = |least: usize, what: &str, found: usize| match found {
            found if found >= least => Ok(()),
            _ => Err(format!("expected {what} of at least {least}, found {found}")),
        };
        let not_negative = |what: &str, found: f64| match found {
            found if found >= 0.0 && found.is_finite() => Ok(()),
            _ => Err(format!("expected {what} of at least 0, found {found}")),
        };
        match self {
            Self::Patience { patience, min_delta, monitor, .. } => {
                at_least(1, "a patience in epochs", patience)?;
                match monitor {
                    Monitor::Loss => not_negative("a min-delta in nats", min_delta),
                    Monitor::Accuracy => not_negative("a min-delta as a share", min_delta),
                }
            }
            Self::GeneralizationLoss { alpha, .. } => not_negative("gl in percent", alpha),
            Self::ProgressQuotient { alpha, strip, .. } => {
                not_negative("pq", alpha)?;
                at_least(2, "a strip in epochs", strip)
            }
            Self::Up { strips, strip, .. } => {
                at_least(1, "up in strips", strips)?;
                at_least(1, "a strip in epochs", strip)
            }
        }
    }
}

impl FromStr for EarlyStoppingConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {FORMS}; found `{text}`");
        let count = |value: &str| value.parse::<usize>().map_err(|_| wrong());
        let number = |value: &str| value.parse::<f64>().map_err(|_| wrong());
        let mut parts = text.split(',').map(|part| part.split_once('=').ok_or_else(wrong));
        let (rule, value) = parts.next().ok_or_else(wrong)??;
        let mut config = match rule {
            "patience" => Self::Patience {
                patience: count(value)?,
                min_delta: 0.0,
                monitor: Monitor::Loss,
                warmup: 0,
            },
            "gl" => Self::GeneralizationLoss { alpha: number(value)?, warmup: 0 },
            "pq" => Self::ProgressQuotient { alpha: number(value)?, strip: five(), warmup: 0 },
            "up" => Self::Up { strips: count(value)?, strip: five(), warmup: 0 },
            _ => return Err(wrong()),
        };
        for part in parts {
            let (name, value) = part?;
            match (name, &mut config) {
                (
                    "warmup",
                    Self::Patience { warmup, .. }
                    | Self::GeneralizationLoss { warmup, .. }
                    | Self::ProgressQuotient { warmup, .. }
                    | Self::Up { warmup, .. },
                ) => *warmup = count(value)?,
                ("min-delta", Self::Patience { min_delta, .. }) => *min_delta = number(value)?,
                ("monitor", Self::Patience { monitor, .. }) => {
                    *monitor = value.parse().map_err(|_| wrong())?;
                }
                ("strip", Self::ProgressQuotient { strip, .. } | Self::Up { strip, .. }) => {
                    *strip = count(value)?;
                }
                _ => return Err(wrong()),
            }
        }
        config.check()?;
        Ok(config)
    }
}

impl fmt::Display for EarlyStoppingConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Patience { patience, min_delta, monitor, .. } => {
                write!(formatter, "patience={patience}")?;
                if min_delta != 0.0 {
                    write!(formatter, ",min-delta={min_delta}")?;
                }
                if !monitor.is_loss() {
                    write!(formatter, ",monitor={monitor}")?;
                }
            }
            Self::GeneralizationLoss { alpha, .. } => write!(formatter, "gl={alpha}")?,
            Self::ProgressQuotient { alpha, strip, .. } => {
                write!(formatter, "pq={alpha},strip={strip}")?;
            }
            Self::Up { strips, strip, .. } => write!(formatter, "up={strips},strip={strip}")?,
        }
        match self.warmup() {
            0 => Ok(()),
            warmup => write!(formatter, ",warmup={warmup}"),
        }
    }
}

/// JSON writes a number that is not finite as `null`.
fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_loss(loss: f64) -> Validation {
        Validation { loss, accuracy: f64::NAN }
    }

    /// The epoch after which a rule stops, if the objective of every epoch is 1.
    fn stops_after(rule: &str, valid: &[f64]) -> Option<usize> {
        let train = vec![1.0; valid.len()];
        stops_after_with(rule, &train, valid)
    }

    fn stops_after_with(rule: &str, train: &[f64], valid: &[f64]) -> Option<usize> {
        let mut stopping = EarlyStopping::new(rule.parse().unwrap());
        let mut epochs = train.iter().zip(valid);
        let stop = epochs.position(|(&train, &valid)| {
            let verdict = stopping.observe(train, of_loss(valid));
            assert_eq!(stopping.has_stopped(), verdict == Verdict::Stop);
            verdict == Verdict::Stop
        });
        stop.map(|index| index + 1)
    }

    #[test]
    fn patience_waits_from_the_last_improvement() {
        let losses = [1.0, 0.8, 0.9, 0.7, 0.71, 0.70];
        assert_eq!(stops_after("patience=1", &losses), Some(3));
        assert_eq!(stops_after("patience=2", &losses), Some(6));
        assert_eq!(stops_after("patience=3", &losses), None);
    }

    #[test]
    fn a_change_of_exactly_min_delta_is_no_improvement() {
        assert_eq!(stops_after("patience=1,min-delta=0.25", &[1.0, 0.75]), Some(2));
        assert_eq!(stops_after("patience=1,min-delta=0.25", &[1.0, 0.7499]), None);
    }

    #[test]
    fn small_steps_are_measured_from_the_best_and_not_from_the_last() {
        let losses = [1.0, 0.95, 0.92, 0.89, 0.88, 0.87, 0.86];
        assert_eq!(stops_after("patience=3,min-delta=0.1", &losses), Some(7));
    }

    #[test]
    fn accuracy_can_be_waited_for_while_the_loss_rises() {
        let stops_after = |rule: &str, accuracies: &[f64]| {
            let mut stopping = EarlyStopping::new(rule.parse().unwrap());
            let mut epochs = (1..).zip(accuracies);
            let stops = epochs.find(|&(epoch, &accuracy)| {
                let validation = Validation { loss: f64::from(epoch), accuracy };
                stopping.observe(1.0, validation) == Verdict::Stop
            });
            stops.map(|(epoch, _)| epoch)
        };
        let rising = [0.5, 0.625, 0.75, 0.75, 0.8125];
        assert_eq!(stops_after("patience=1", &rising), Some(2));
        assert_eq!(stops_after("patience=1,monitor=loss", &rising), Some(2));
        assert_eq!(stops_after("patience=1,monitor=accuracy", &rising), Some(4));
        assert_eq!(stops_after("patience=2,monitor=accuracy", &rising), None);
        assert_eq!(stops_after("patience=1,min-delta=0.125,monitor=accuracy", &rising), Some(2));
    }

    #[test]
    fn generalization_loss_stops_above_alpha_and_not_at_it() {
        // GL is 0, 0, 25, 50: see `prechelt.rs`.
        let losses = [1.0, 0.5, 0.625, 0.75];
        assert_eq!(stops_after("gl=24.9", &losses), Some(3));
        assert_eq!(stops_after("gl=25", &losses), Some(4));
        assert_eq!(stops_after("gl=50", &losses), None);
    }

    #[test]
    fn the_progress_quotient_is_asked_at_the_end_of_a_strip() {
        let train = [4.0, 2.0, 2.0, 1.0, 1.25, 1.0];
        // GL is 0, 0, 50, 25, 50, 50. P_2 is 1000 · (6 / 4 − 1) = 500 after the first strip,
        // 1000 · (3 / 2 − 1) = 500 after the second, 1000 · (2.25 / 2 − 1) = 125 after the third:
        // the quotient is 0, 25 / 500 = 0.05 and 50 / 125 = 0.4.
        let valid = [1.0, 0.5, 0.75, 0.625, 0.75, 0.75];
        assert_eq!(stops_after_with("pq=0.04,strip=2", &train, &valid), Some(4));
        assert_eq!(stops_after_with("pq=0.05,strip=2", &train, &valid), Some(6));
        assert_eq!(stops_after_with("pq=0.4,strip=2", &train, &valid), None);
    }

    #[test]
    fn up_counts_strips_that_end_higher_than_the_one_before() {
        // Strips of two end with 0.5, 0.6, 0.55, 0.56, 0.7: up, down, up, up.
        let valid = [9.0, 0.5, 0.1, 0.6, 9.0, 0.55, 0.1, 0.56, 0.0, 0.7];
        assert_eq!(stops_after("up=1,strip=2", &valid), Some(4));
        assert_eq!(stops_after("up=2,strip=2", &valid), Some(10));
        assert_eq!(stops_after("up=3,strip=2", &valid), None);
    }

    #[test]
    fn nothing_stops_in_the_warm_up_nor_is_waiting_counted_in_it() {
        // The lowest is that of the first epoch, which is followed in the warm-up too.
        let rising = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2];
        assert_eq!(stops_after("patience=2", &rising), Some(3));
        assert_eq!(stops_after("patience=2,warmup=3", &rising), Some(5));
        assert_eq!(stops_after("gl=10", &rising), Some(2));
        assert_eq!(stops_after("gl=10,warmup=3", &rising), Some(4));
        // The objective stands still, so that any generalization loss is too much.
        assert_eq!(stops_after("pq=3,strip=2", &rising), Some(2));
        assert_eq!(stops_after("pq=3,strip=2,warmup=4", &rising), Some(6));
        assert_eq!(stops_after("up=2,strip=2", &rising), Some(6));
        assert_eq!(stops_after("up=2,strip=2,warmup=4", &rising), Some(8));
        assert_eq!(stops_after("patience=1,warmup=8", &rising), None);
    }

    #[test]
    fn the_earliest_epoch_is_that_of_losses_that_rise_from_the_first_on() {
        let rising: Vec<f64> = (1..40).map(f64::from).collect();
        for warmup in 0..8 {
            for rule in [
                "patience=1",
                "patience=4",
                "gl=0",
                "pq=0,strip=2",
                "pq=0,strip=3",
                "up=1,strip=1",
                "up=2,strip=3",
            ] {
                let rule = format!("{rule},warmup={warmup}");
                let earliest = rule.parse::<EarlyStoppingConfig>().unwrap().earliest();
                assert_eq!(stops_after(&rule, &rising), Some(earliest), "{rule}");
            }
        }
        let endless = EarlyStoppingConfig::Up { strips: usize::MAX, strip: 5, warmup: usize::MAX };
        assert_eq!(endless.earliest(), usize::MAX);
    }

    #[test]
    fn a_loss_that_is_not_finite_is_waited_for_and_meets_no_other_criterion() {
        let losses = [0.5, f64::NAN, f64::INFINITY, f64::NAN];
        assert_eq!(stops_after("patience=2", &losses), Some(3));
        assert_eq!(stops_after("patience=2", &[f64::NAN; 4]), Some(2));
        for rule in ["gl=0", "pq=0,strip=2", "up=1,strip=1"] {
            assert_eq!(stops_after(rule, &losses), None, "{rule}");
            assert_eq!(stops_after(rule, &[f64::NAN; 4]), None, "{rule}");
        }
        let unknown = [f64::NAN; 4];
        assert_eq!(stops_after_with("pq=0,strip=2", &unknown, &[1.0, 2.0, 3.0, 4.0]), None);
    }

    #[test]
    fn a_state_that_was_written_in_mid_series_goes_on_as_if_it_had_not_been() {
        let series = [
            (0.9, 0.7),
            (f64::INFINITY, f64::NAN),
            (0.123_456_789_012_345_6, 0.6),
            (0.1, 0.61),
            (0.1 / 3.0, 0.66),
            (0.03, 0.64),
            (0.03, 0.67),
            (0.02, 0.68),
        ];
        for rule in ["patience=3,warmup=2", "gl=11", "pq=0.05,strip=2", "up=2,strip=2"] {
            for cut in 0..series.len() {
                let mut whole = EarlyStopping::new(rule.parse().unwrap());
                for (train, valid) in &series[..cut] {
                    whole.observe(*train, of_loss(*valid));
                }
                let json = serde_json::to_string(&whole).unwrap();
                let mut read: EarlyStopping = serde_json::from_str(&json).unwrap();
                assert_eq!(read.has_stopped(), whole.has_stopped());
                let rest = |stopping: &mut EarlyStopping| -> Vec<Verdict> {
                    let observe = |(t, v): &(f64, f64)| stopping.observe(*t, of_loss(*v));
                    series[cut..].iter().map(observe).collect()
                };
                let verdicts = rest(&mut whole);
                assert_eq!(rest(&mut read), verdicts, "{rule}, cut after {cut}");
                assert!(verdicts.contains(&Verdict::Stop), "{rule}: nothing to compare");
            }
        }
    }

    #[test]
    fn its_text_is_read_back_and_defaults_are_left_out() {
        for (text, shown) in [
            ("patience=5,min-delta=0.001,warmup=3", "patience=5,min-delta=0.001,warmup=3"),
            ("patience=1,min-delta=0,warmup=0", "patience=1"),
            ("patience=2,monitor=loss", "patience=2"),
            (
                "patience=2,monitor=accuracy,min-delta=0.01",
                "patience=2,min-delta=0.01,monitor=accuracy",
            ),
            ("gl=5,warmup=2", "gl=5,warmup=2"),
            ("pq=0.75", "pq=0.75,strip=5"),
            ("up=3,warmup=1,strip=4", "up=3,strip=4,warmup=1"),
        ] {
            let config: EarlyStoppingConfig = text.parse().unwrap();
            assert_eq!(config.to_string(), shown);
            assert_eq!(shown.parse::<EarlyStoppingConfig>().unwrap(), config);
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<EarlyStoppingConfig>(&json).unwrap(), config);
        }
    }

    #[test]
    fn a_text_that_is_no_rule_is_refused_with_the_forms() {
        for text in [
            "",
            "5",
            "patience",
            "patience=x",
            "gl=5,strip=3",
            "up=2,min-delta=1",
            "xy=1",
            "gl=5,monitor=accuracy",
        ] {
            let message = text.parse::<EarlyStoppingConfig>().unwrap_err();
            assert!(message.contains(FORMS) && message.contains(&format!("`{text}`")), "{message}");
        }
    }

    #[test]
    fn values_outside_their_range_are_refused_by_name() {
        for (text, expected) in [
            ("patience=0", "a patience in epochs of at least 1, found 0"),
            ("patience=1,min-delta=-1", "a min-delta in nats of at least 0, found -1"),
            (
                "patience=1,min-delta=-1,monitor=accuracy",
                "a min-delta as a share of at least 0, found -1",
            ),
            ("gl=-1", "gl in percent of at least 0, found -1"),
            ("gl=nan", "gl in percent of at least 0, found NaN"),
            ("pq=inf", "pq of at least 0, found inf"),
            ("pq=1,strip=1", "a strip in epochs of at least 2, found 1"),
            ("up=0", "up in strips of at least 1, found 0"),
            ("up=1,strip=0", "a strip in epochs of at least 1, found 0"),
        ] {
            let message = text.parse::<EarlyStoppingConfig>().unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
