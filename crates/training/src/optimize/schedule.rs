//! How the learning rate changes over a training.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::optimize::warm_up::WarmUp;

/// The text forms of the schedules.
const FORMS: &str = "constant, step=EPOCHS:FACTOR, cosine=warmup:EPOCHS|SHARE,floor:SHARE, \
                     one-cycle=warmup:EPOCHS|SHARE,start:SHARE,end:SHARE or \
                     plateau=factor:FACTOR,patience:EPOCHS,min-delta:NATS,floor:SHARE, of which \
                     everything after the name may be left out";

/// What is as good as no learning rate, as a share of the peak.
const NEXT_TO_NOTHING: f64 = 0.01;

/// A training of no more steps than this is a short one: a step is a fifth of it and more.
const FEW_STEPS: usize = 5;

/// A learning-rate schedule, relative to the recipe's learning rate ("peak").
///
/// In text, as on the command line: `constant`, `step=10:0.1`, `cosine=warmup:2,floor:0.01`,
/// `one-cycle=warmup:0.3,start:0.04,end:4e-6`, `plateau=factor:0.1,patience:3,min-delta:1e-4,floor:0`,
/// each setting optional and in any order; a warm-up as in [`WarmUp`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Always the peak.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `epochs` epochs.
    Step {
        /// Epochs between two changes, at least 1.
        epochs: usize,
        /// Factor in `(0, 1]`.
        factor: f64,
    },
    /// Linear warm-up to the peak, then half a cosine down to `floor`, which the last step is trained
    /// at: a floor of 0 makes that step one that changes nothing.
    ///
    /// After the warm-up this is PyTorch's `CosineAnnealingLR` with `T_max` one less than there are
    /// steps, as in `OneCycleLR`; with as many as there are steps PyTorch ends just above the floor.
    ///
    /// Loshchilov & Hutter, [SGDR](https://arxiv.org/abs/1608.03983), ICLR 2017, without restarts.
    Cosine {
        /// A share in `[0, 0.99]`, or fewer epochs than there are.
        #[serde(default)]
        warmup: WarmUp,
        /// Last learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default)]
        floor: f64,
    },
    /// Half a cosine up from `start` to the peak, then half a cosine down to `end`, which the last step
    /// is trained at.
    ///
    /// Smith & Topin, [Super-Convergence](https://arxiv.org/abs/1708.07120), 2019, in the form of
    /// PyTorch's `OneCycleLR` (momentum stays constant).
    OneCycle {
        /// What is spent on going up: a share in `[0.01, 0.99]`, or fewer epochs than there are.
        #[serde(default = "one_cycle_warmup")]
        warmup: WarmUp,
        /// First learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default = "one_cycle_start")]
        start: f64,
        /// Last learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default = "one_cycle_end")]
        end: f64,
    },
    /// Multiplied by `factor` when the validation loss has not improved for more than `patience`
    /// epochs; see [`Plateau`](crate::optimize::plateau::Plateau). Needs a validation split.
    Plateau {
        /// Factor in `[0, 1)`.
        #[serde(default = "plateau_factor")]
        factor: f64,
        /// Epochs without improvement that are put up with.
        #[serde(default = "plateau_patience")]
        patience: usize,
        /// Smallest decrease of the validation loss, in nats, that is more than no improvement; at
        /// least 0. Absolute: not a share of the loss, as is PyTorch's default.
        #[serde(default = "plateau_min_delta")]
        min_delta: f64,
        /// Lowest learning rate as a share of the peak, in `[0, 1)`.
        #[serde(default)]
        floor: f64,
    },
}

fn one_cycle_warmup() -> WarmUp {
    WarmUp::Share(0.3)
}

fn one_cycle_start() -> f64 {
    1.0 / 25.0
}

fn one_cycle_end() -> f64 {
    1.0 / 250_000.0
}

fn plateau_factor() -> f64 {
    0.1
}

fn plateau_patience() -> usize {
    3
}

fn plateau_min_delta() -> f64 {
    1e-4
}

impl Schedule {
    /// The schedules' names, as in recipes and on the command line.
    pub const NAMES: [&str; 5] = ["constant", "step", "cosine", "one-cycle", "plateau"];

    /// The schedule of that name with its usual settings.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "constant" => Self::Constant,
            "step" => Self::Step { epochs: 30, factor: 0.1 },
            "cosine" => Self::Cosine { warmup: WarmUp::NONE, floor: 0.0 },
            "one-cycle" => Self::OneCycle {
                warmup: one_cycle_warmup(),
                start: one_cycle_start(),
                end: one_cycle_end(),
            },
            "plateau" => Self::Plateau {
                factor: plateau_factor(),
                patience: plateau_patience(),
                min_delta: plateau_min_delta(),
                floor: 0.0,
            },
            _ => return None,
        })
    }

    /// Learning rate of an optimizer step as a share of the peak, as far as it follows from the
    /// step alone: what the validation loss does to it is
    /// [`Plateau::share`](crate::optimize::plateau::Plateau::share).
    ///
    /// `step`: counted from 0. `steps_per_epoch` and `total_steps`: at least 1.
    pub fn share(&self, step: usize, steps_per_epoch: usize, total_steps: usize) -> f64 {
        match *self {
            Self::Constant | Self::Plateau { .. } => 1.0,
            Self::Step { epochs, factor } => {
                factor.powf(((step / steps_per_epoch) / epochs.max(1)) as f64)
            }
            Self::Cosine { warmup, floor } => {
                let warm = warmup.steps(steps_per_epoch, total_steps).round() as usize;
                if step < warm {
                    (step + 1) as f64 / warm as f64
                } else {
                    half_cosine(1.0, floor, progress(step, warm, total_steps))
                }
            }
            Self::OneCycle { warmup, start, end } => {
                // PyTorch places the peak at this (possibly fractional) step.
                let peak = warmup.steps(steps_per_epoch, total_steps) - 1.0;
                let step = step as f64;
                let last = (total_steps - 1) as f64;
                if step <= peak {
                    half_cosine(start, 1.0, step / peak.max(1e-9))
                } else {
                    half_cosine(1.0, end, (step - peak) / (last - peak).max(1e-9))
                }
            }
        }
    }

    /// # Errors
    ///
    /// If a setting is outside its range: its name, the range and what was found.
    pub fn check(&self) -> Result<(), String> {
        let inside = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("schedule setting `{name}`: expected {low} to {high}, found {value}"))
            }
        };
        let in_warmup = |reason: String| format!("schedule setting `warmup`: {reason}");
        match *self {
            Self::Constant => Ok(()),
            Self::Step { epochs: 0, .. } => {
                Err("schedule setting `epochs`: expected at least 1, found 0".into())
            }
            Self::Step { factor, .. } => inside("factor", factor, f64::MIN_POSITIVE, 1.0),
            Self::Cosine { warmup, floor } => {
                warmup.check(0.0).map_err(in_warmup)?;
                inside("floor", floor, 0.0, 1.0)
            }
            Self::OneCycle { warmup, start, end } => {
                warmup.check(0.01).map_err(in_warmup)?;
                inside("start", start, 0.0, 1.0)?;
                inside("end", end, 0.0, 1.0)
            }
            Self::Plateau { factor, min_delta, floor, .. } => {
                for (name, value) in [("factor", factor), ("floor", floor)] {
                    if !(0.0..1.0).contains(&value) {
                        return Err(format!(
                            "schedule setting `{name}`: expected a value in [0, 1), found {value}"
                        ));
                    }
                }
                if !(min_delta >= 0.0 && min_delta.is_finite()) {
                    return Err(format!(
                        "schedule setting `min_delta`: expected at least 0, found {min_delta}"
                    ));
                }
                Ok(())
            }
        }
    }

    /// Checks that its warm-up leaves an epoch of so many.
    ///
    /// # Errors
    ///
    /// If the warm-up takes them all.
    pub fn check_epochs(&self, epochs: usize) -> Result<(), String> {
        match self.warmup() {
            Some(WarmUp::Epochs(warm)) if warm >= epochs => Err(format!(
                "schedule setting `warmup`: expected fewer epochs than the {epochs} of the run, \
                 found {warm}; set a greater `--epochs` or a shorter warm-up, such as `--schedule \
                 {}=warmup:10%`",
                self.name()
            )),
            _ => Ok(()),
        }
    }

    /// Checks that a run of that length, each at least 1, is trained at all.
    ///
    /// # Errors
    ///
    /// If no step has as much as a hundredth of the peak.
    pub fn check_steps(&self, epochs: usize, steps_per_epoch: usize) -> Result<(), String> {
        let steps = epochs * steps_per_epoch;
        let trains = |step| self.share(step, steps_per_epoch, steps) >= NEXT_TO_NOTHING;
        // Ends where the rate has risen, which takes few steps even of many.
        if (0..steps).any(trains) {
            return Ok(());
        }
        Err(format!(
            "the schedule `{self}` trains every step of this run, {steps} in all, at less than {} \
             % of `learning_rate`; set a greater `--epochs` or a smaller `--batch-size`, or \
             `--schedule constant`",
            100.0 * NEXT_TO_NOTHING
        ))
    }

    /// What of it does nothing in a run of that length, each at least 1; `None` if all of it acts.
    pub fn idle(&self, epochs: usize, steps_per_epoch: usize) -> Option<String> {
        let steps = epochs * steps_per_epoch;
        let constant = |why: &str| {
            Some(format!(
                "the schedule `{self}` does the same as `constant` in a run of {epochs} epochs: \
                 {why}"
            ))
        };
        match *self {
            Self::Constant => None,
            Self::Step { factor: 1.0, .. } | Self::Cosine { warmup: WarmUp::NONE, floor: 1.0 } => {
                constant("it never changes the learning rate")
            }
            Self::OneCycle { start: 1.0, end: 1.0, .. } => {
                constant("it never changes the learning rate")
            }
            Self::Step { epochs: period, .. } if period >= epochs => constant(&format!(
                "it first changes the learning rate after {period}; set fewer, as in `--schedule \
                 step=EPOCHS`"
            )),
            // The first epoch is the best so far, and one more than `patience` must not be better.
            Self::Plateau { patience, .. } if patience.saturating_add(2) >= epochs => {
                constant(&format!(
                    "it first changes the learning rate after {}; set a smaller patience, as in \
                     `--schedule plateau=patience:EPOCHS`",
                    patience.saturating_add(2)
                ))
            }
            Self::Step { .. } | Self::Plateau { .. } => None,
            Self::Cosine { .. } | Self::OneCycle { .. } => {
                let last = self.share(steps - 1, steps_per_epoch, steps);
                if steps <= FEW_STEPS && last < NEXT_TO_NOTHING {
                    return Some(format!(
                        "the schedule `{self}` trains the last of the {steps} steps of this run at \
                         {last} times `learning_rate`, which is next to nothing; set a greater \
                         `--epochs` or a smaller `--batch-size`, or `--schedule constant`"
                    ));
                }
                (self.warmup() != Some(WarmUp::NONE)
                    && self.begins_at_the_peak(steps_per_epoch, steps))
                .then(|| {
                    format!(
                        "the warm-up of the schedule `{self}` is too short for this run of \
                             {steps} steps, which begins at the peak"
                    )
                })
            }
        }
    }

    /// Whether no step lies below the peak before it is reached, for a schedule that warms up.
    fn begins_at_the_peak(&self, steps_per_epoch: usize, steps: usize) -> bool {
        let warm = |warmup: WarmUp| warmup.steps(steps_per_epoch, steps);
        match *self {
            Self::Cosine { warmup, .. } => warm(warmup).round() <= 1.0,
            Self::OneCycle { warmup, .. } => warm(warmup) < 1.0,
            Self::Constant | Self::Step { .. } | Self::Plateau { .. } => true,
        }
    }

    fn warmup(&self) -> Option<WarmUp> {
        match *self {
            Self::Cosine { warmup, .. } | Self::OneCycle { warmup, .. } => Some(warmup),
            Self::Constant | Self::Step { .. } | Self::Plateau { .. } => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step { .. } => "step",
            Self::Cosine { .. } => "cosine",
            Self::OneCycle { .. } => "one-cycle",
            Self::Plateau { .. } => "plateau",
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {FORMS}; found `{text}`");
        let number = |value: &str| value.parse::<f64>().map_err(|_| wrong());
        let count = |value: &str| value.parse::<usize>().map_err(|_| wrong());
        let (name, settings) = match text.split_once('=') {
            Some((name, settings)) => (name, Some(settings)),
            None => (text, None),
        };
        let mut schedule = Self::named(name)
            .ok_or_else(|| format!("unknown schedule `{name}`; expected {FORMS}"))?;
        for setting in settings.into_iter().flat_map(|settings| settings.split(',')) {
            if let Self::Step { epochs, factor } = &mut schedule {
                let (period, by) = setting.split_once(':').unzip();
                *epochs = count(period.unwrap_or(setting))?;
                *factor = by.map_or(Ok(*factor), number)?;
                continue;
            }
            let (name, value) = setting.split_once(':').ok_or_else(wrong)?;
            match (name, &mut schedule) {
                ("warmup", Self::Cosine { warmup, .. } | Self::OneCycle { warmup, .. }) => {
                    let parsed = value.parse();
                    *warmup =
                        parsed.map_err(|reason| format!("schedule setting `warmup`: {reason}"))?;
                }
                ("floor", Self::Cosine { floor, .. } | Self::Plateau { floor, .. }) => {
                    *floor = number(value)?;
                }
                ("start", Self::OneCycle { start, .. }) => *start = number(value)?,
                ("end", Self::OneCycle { end, .. }) => *end = number(value)?,
                ("factor", Self::Plateau { factor, .. }) => *factor = number(value)?,
                ("patience", Self::Plateau { patience, .. }) => *patience = count(value)?,
                ("min-delta", Self::Plateau { min_delta, .. }) => *min_delta = number(value)?,
                _ => return Err(wrong()),
            }
        }
        schedule.check()?;
        Ok(schedule)
    }
}

impl fmt::Display for Schedule {
    /// Writes the schedule without the settings that are the usual ones.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |name: &str, value: f64, usual: f64| {
            (value != usual).then(|| format!("{name}:{value}"))
        };
        let warm = |warmup: WarmUp, usual| (warmup != usual).then(|| format!("warmup:{warmup}"));
        let settings = match *self {
            Self::Constant => Vec::new(),
            Self::Step { epochs, factor } => vec![Some(format!("{epochs}:{factor}"))],
            Self::Cosine { warmup, floor } => {
                vec![warm(warmup, WarmUp::NONE), set("floor", floor, 0.0)]
            }
            Self::OneCycle { warmup, start, end } => vec![
                warm(warmup, one_cycle_warmup()),
                set("start", start, one_cycle_start()),
                set("end", end, one_cycle_end()),
            ],
            Self::Plateau { factor, patience, min_delta, floor } => vec![
                set("factor", factor, plateau_factor()),
                (patience != plateau_patience()).then(|| format!("patience:{patience}")),
                set("min-delta", min_delta, plateau_min_delta()),
                set("floor", floor, 0.0),
            ],
        };
        let settings: Vec<String> = settings.into_iter().flatten().collect();
        formatter.write_str(self.name())?;
        match settings.is_empty() {
            true => Ok(()),
            false => write!(formatter, "={}", settings.join(",")),
        }
    }
}

/// How far `step` is between the first step after `start` and the last step, in `[0, 1]`.
fn progress(step: usize, start: usize, total: usize) -> f64 {
    let span = total.saturating_sub(start + 1).max(1) as f64;
    ((step.saturating_sub(start)) as f64 / span).min(1.0)
}

/// Half a cosine from `from`, at 0, to `to`, at 1.
fn half_cosine(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * progress).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(schedule: Schedule, total: usize) -> Vec<f64> {
        (0..total).map(|step| schedule.share(step, 5, total)).collect()
    }

    #[test]
    fn constant_stays_at_the_peak() {
        assert_eq!(shares(Schedule::Constant, 3), [1.0; 3]);
    }

    #[test]
    fn step_changes_between_epochs_only() {
        let shares = shares(Schedule::Step { epochs: 2, factor: 0.1 }, 25);
        assert!(shares[..10].iter().all(|&s| s == 1.0));
        assert!(shares[10..20].iter().all(|&s| (s - 0.1).abs() < 1e-12));
        assert!(shares[20..].iter().all(|&s| (s - 0.01).abs() < 1e-12));
    }

    #[test]
    fn cosine_warms_up_to_the_peak_and_ends_at_its_floor() {
        let shares = shares(Schedule::Cosine { warmup: WarmUp::Share(0.2), floor: 0.1 }, 50);
        assert!((shares[0] - 0.1).abs() < 1e-12 && (shares[9] - 1.0).abs() < 1e-12);
        assert!((shares[10] - 1.0).abs() < 1e-12);
        assert!((shares[49] - 0.1).abs() < 1e-12);
        assert!(shares[10..].windows(2).all(|pair| pair[1] <= pair[0]));
    }

    #[test]
    fn one_cycle_equals_pytorch() {
        // tests/pytorch/schedules.py: OneCycleLR(max_lr=1, total_steps=20).
        let expected = [
            (0, 0.04),
            (1, 0.131_671_842_700_025_3),
            (4, 0.908_328_157_299_974_7),
            (5, 1.0),
            (6, 0.987_464_006_235_087_3),
            (12, 0.500_002),
            (18, 0.012_539_993_764_912_554),
            (19, 4e-06),
        ];
        let shares = shares(Schedule::named("one-cycle").unwrap(), 20);
        for (step, share) in expected {
            assert!((shares[step] - share).abs() < 1e-9, "step {step}: {}", shares[step]);
        }
    }

    #[test]
    fn every_name_gives_a_schedule_that_passes_its_own_check() {
        for name in Schedule::NAMES {
            let schedule = Schedule::named(name).unwrap();
            assert_eq!((schedule.name(), schedule.check()), (name, Ok(())));
        }
        assert_eq!(Schedule::named("polynomial"), None);
    }

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        let error =
            Schedule::Cosine { warmup: WarmUp::Share(1.5), floor: 0.0 }.check().unwrap_err();
        assert!(error.contains("warmup") && error.contains("1.5"), "{error}");
        assert!(Schedule::Step { epochs: 0, factor: 0.5 }.check().is_err());
        assert!(Schedule::Cosine { warmup: WarmUp::Share(f64::NAN), floor: 0.0 }.check().is_err());
        let plateau = |factor, min_delta, floor| {
            Schedule::Plateau { factor, patience: 0, min_delta, floor }.check()
        };
        assert_eq!(plateau(0.0, 0.0, 0.0), Ok(()));
        assert!(plateau(1.0, 0.0, 0.0).unwrap_err().contains("`factor`"));
        assert!(plateau(0.5, -1e-9, 0.0).unwrap_err().contains("`min_delta`"));
        assert!(plateau(0.5, f64::NAN, 0.0).unwrap_err().contains("`min_delta`"));
        assert!(plateau(0.5, 0.0, 1.0).unwrap_err().contains("`floor`"));
    }

    fn parsed(text: &str) -> Schedule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn its_text_is_read_back_and_usual_settings_are_left_out() {
        for (text, schedule, shown) in [
            ("constant", Schedule::Constant, "constant"),
            ("step", Schedule::Step { epochs: 30, factor: 0.1 }, "step=30:0.1"),
            ("step=10", Schedule::Step { epochs: 10, factor: 0.1 }, "step=10:0.1"),
            ("step=10:0.5", Schedule::Step { epochs: 10, factor: 0.5 }, "step=10:0.5"),
            (
                "cosine=floor:1e-5,warmup:2",
                Schedule::Cosine { warmup: WarmUp::Epochs(2), floor: 1e-5 },
                "cosine=warmup:2,floor:0.00001",
            ),
            (
                "cosine=warmup:10%",
                Schedule::Cosine { warmup: WarmUp::Share(0.1), floor: 0.0 },
                "cosine=warmup:0.1",
            ),
            (
                "one-cycle=warmup:0.3,start:0.04,end:4e-6",
                Schedule::named("one-cycle").unwrap(),
                "one-cycle",
            ),
            (
                "one-cycle=end:0,warmup:3",
                Schedule::OneCycle { warmup: WarmUp::Epochs(3), start: 0.04, end: 0.0 },
                "one-cycle=warmup:3,end:0",
            ),
            (
                "plateau=factor:0.1,patience:3,min-delta:1e-4,floor:0",
                Schedule::named("plateau").unwrap(),
                "plateau",
            ),
            (
                "plateau=patience:1,floor:0.5,factor:0.2,min-delta:0",
                Schedule::Plateau { factor: 0.2, patience: 1, min_delta: 0.0, floor: 0.5 },
                "plateau=factor:0.2,patience:1,min-delta:0,floor:0.5",
            ),
        ] {
            assert_eq!(parsed(text), schedule, "{text}");
            assert_eq!(schedule.to_string(), shown);
            assert_eq!(parsed(shown), schedule);
        }
        for name in Schedule::NAMES {
            assert_eq!(parsed(name), Schedule::named(name).unwrap());
        }
    }

    #[test]
    fn a_text_that_is_no_schedule_is_refused_with_the_forms() {
        for text in [
            "",
            "poly",
            "constant=1",
            "step=",
            "step=x",
            "step=10:",
            "step=10:0.1:2",
            "cosine=",
            "cosine=0.1",
            "cosine=start:0.1",
            "cosine=floor:x",
            "one-cycle=floor:0.1",
            "plateau=patience:1.5",
            "plateau=min_delta:0.1",
        ] {
            let message = text.parse::<Schedule>().unwrap_err();
            assert!(message.contains(FORMS), "{message}");
        }
        for (text, expected) in [
            ("step=0", "`epochs`: expected at least 1, found 0"),
            ("step=3:2", "`factor`: expected"),
            ("cosine=warmup:1.5", "`warmup`: expected epochs, such as 2, or a share"),
            ("cosine=warmup:x", "found `x`"),
            ("one-cycle=warmup:0", "`warmup`: expected a share from 0.01 to 0.99, or epochs"),
            ("cosine=floor:2", "`floor`: expected 0 to 1, found 2"),
            ("cosine=floor:nan", "`floor`: expected 0 to 1, found NaN"),
        ] {
            let message = text.parse::<Schedule>().unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn recipes_of_earlier_versions_mean_the_same_and_are_written_as_they_were() {
        for (json, schedule) in [
            (r#"{"name":"cosine","warmup":0.0,"floor":0.0}"#, "cosine"),
            (r#"{"name":"cosine","warmup":0.1,"floor":0.01}"#, "cosine=warmup:0.1,floor:0.01"),
            (r#"{"name":"one-cycle","warmup":0.3,"start":0.04,"end":4e-6}"#, "one-cycle"),
            (r#"{"name":"cosine","warmup":"2 epochs","floor":0.0}"#, "cosine=warmup:2"),
        ] {
            let read: Schedule = serde_json::from_str(json).unwrap();
            assert_eq!(read, parsed(schedule));
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
            let toml = toml::to_string(&read).unwrap();
            assert_eq!(toml::from_str::<Schedule>(&toml).unwrap(), read);
        }
        let whole: Schedule = toml::from_str("name = \"cosine\"\nwarmup = 0").unwrap();
        assert_eq!(whole, parsed("cosine"));
    }

    #[test]
    fn a_warm_up_of_epochs_ends_with_its_last_epoch() {
        // Epochs of 5 steps: the peak is that of the tenth step.
        let cosine = shares(parsed("cosine=warmup:2"), 50);
        assert_eq!(cosine, shares(parsed("cosine=warmup:0.2"), 50));
        assert!(cosine[8] < 1.0 && cosine[9] == 1.0 && cosine[11] < 1.0, "{cosine:?}");
        let one_cycle = shares(parsed("one-cycle=warmup:2"), 50);
        assert!(one_cycle[8] < 1.0 && one_cycle[9] == 1.0 && one_cycle[10] < 1.0, "{one_cycle:?}");
    }

    #[test]
    fn a_warm_up_that_leaves_no_epoch_is_refused() {
        for text in ["cosine=warmup:3", "one-cycle=warmup:4"] {
            let message = parsed(text).check_epochs(3).unwrap_err();
            assert!(message.contains("fewer epochs than the 3 of the run, found"), "{message}");
        }
        assert_eq!(parsed("cosine=warmup:2").check_epochs(3), Ok(()));
        assert_eq!(parsed("cosine=warmup:0.9").check_epochs(1), Ok(()));
    }

    #[test]
    fn a_cosine_without_warm_up_equals_pytorch_with_one_step_less() {
        // tests/pytorch/schedules.py: CosineAnnealingLR(T_max=9, eta_min=0.1), learning rate 1.
        let expected = [
            1.0,
            0.972_861_679_353_658_7,
            0.894_719_999_403_54,
            0.774_999_999_999_999_9,
            0.628_141_679_950_118_7,
            0.471_858_320_049_881_4,
            0.325_000_000_000_000_1,
            0.205_280_000_596_459_96,
            0.127_138_320_646_341_26,
            0.1,
        ];
        for (share, expected) in shares(parsed("cosine=floor:0.1"), 10).into_iter().zip(expected) {
            assert!((share - expected).abs() < 1e-12, "{share} is not {expected}");
        }
    }

    #[test]
    fn a_schedule_that_trains_no_step_is_refused() {
        for text in ["one-cycle", "one-cycle=start:0,end:0", "one-cycle=warmup:0.99"] {
            let message = parsed(text).check_steps(1, 1).unwrap_err();
            for part in [
                "every step of this run, 1 in all, at less than 1 %",
                "--epochs",
                "--schedule constant",
            ] {
                assert!(message.contains(part), "{message}");
            }
            assert_eq!(parsed(text).check_steps(2, 1), Ok(()), "{text}");
        }
        for name in Schedule::NAMES.into_iter().filter(|name| *name != "one-cycle") {
            assert_eq!(parsed(name).check_steps(1, 1), Ok(()), "{name}");
        }
        assert_eq!(parsed("one-cycle=end:0.01").check_steps(1, 1), Ok(()));
        assert_eq!(parsed("one-cycle").check_steps(usize::MAX >> 32, 1), Ok(()));
    }

    /// What is said of a schedule in a run of so many epochs of so many steps.
    fn said(schedule: &str, epochs: usize, steps_per_epoch: usize) -> String {
        parsed(schedule).idle(epochs, steps_per_epoch).unwrap_or_default()
    }

    #[test]
    fn a_step_that_never_comes_is_told() {
        let note = said("step", 30, 100);
        assert!(note.contains("`step=30:0.1` does the same as `constant`"), "{note}");
        assert!(note.contains("run of 30 epochs") && note.contains("step=EPOCHS"), "{note}");
        assert_eq!(said("step", 31, 1), "");
        assert!(said("step=1:1", 9, 9).contains("never changes"));
        assert_eq!(said("step=1", 2, 1), "");
        assert_eq!(said("constant", 1, 1), "");
    }

    #[test]
    fn a_plateau_whose_patience_outlasts_the_run_is_told() {
        for epochs in 1..12 {
            let schedule = parsed("plateau=patience:3");
            // Nothing is better than the first epoch.
            let mut plateau = crate::optimize::plateau::Plateau::default();
            let mut shares = Vec::new();
            for _ in 0..epochs {
                shares.push(plateau.share());
                plateau.observe(&schedule, 1.0);
            }
            let acts = shares.iter().any(|&share| share < 1.0);
            let note = said("plateau=patience:3", epochs, 10);
            assert_eq!(note.is_empty(), acts, "{epochs} epochs: {note}");
        }
        assert!(said("plateau", 5, 9).contains("first changes the learning rate after 5;"));
        let endless =
            Schedule::Plateau { factor: 0.1, patience: usize::MAX, min_delta: 0.0, floor: 0.0 };
        assert!(endless.idle(usize::MAX, 1).is_some());
    }

    #[test]
    fn few_steps_of_which_the_last_trains_nothing_are_told() {
        for schedule in ["cosine", "one-cycle"] {
            for steps in 2..=FEW_STEPS {
                let note = said(schedule, 1, steps);
                assert!(note.contains(&format!("the last of the {steps} steps")), "{note}");
                assert!(note.contains("--batch-size") && note.contains("constant"), "{note}");
            }
            assert_eq!(said(schedule, FEW_STEPS + 1, 1), "");
        }
        assert_eq!(said("cosine=floor:0.01", 2, 1), "");
        // A single step is the first one, at the peak.
        assert_eq!(said("cosine", 1, 1), "");
        assert!(said("cosine=floor:1", 9, 9).contains("never changes"));
        assert!(said("one-cycle=start:1,end:1", 9, 9).contains("never changes"));
    }

    #[test]
    fn a_warm_up_without_a_step_is_told() {
        let note = said("cosine=warmup:0.001", 3, 100);
        assert!(note.contains("`cosine=warmup:0.001` is too short for this run of 300"), "{note}");
        // The peak is that of the warm-up's last step, here the first of all.
        assert!(said("cosine=warmup:1", 10, 1).contains("too short"));
        assert_eq!(said("cosine=warmup:2", 10, 1), "");
        assert!(said("one-cycle=warmup:0.01", 9, 10).contains("too short"));
        assert_eq!(said("one-cycle=warmup:0.02", 9, 10), "");
        assert_eq!(said("cosine", 9, 10), "");
    }

    #[test]
    fn one_step_is_enough_for_any_schedule() {
        for name in Schedule::NAMES {
            assert!(Schedule::named(name).unwrap().share(0, 1, 1).is_finite(), "{name}");
        }
    }
}
