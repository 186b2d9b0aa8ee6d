//! How the learning rate changes over a training.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// A learning-rate schedule, relative to the recipe's learning rate ("peak").
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
        /// In `(0, 1]`.
        factor: f64,
    },
    /// Linear warm-up to the peak, then half a cosine down to `floor`.
    ///
    /// Loshchilov & Hutter, [SGDR](https://arxiv.org/abs/1608.03983), ICLR 2017, without restarts.
    Cosine {
        /// Share of the steps spent on warm-up, in `[0, 1)`.
        #[serde(default)]
        warmup: f64,
        /// Last learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default)]
        floor: f64,
    },
    /// Half a cosine up from `start` to the peak, then half a cosine down to `end`.
    ///
    /// Smith & Topin, [Super-Convergence](https://arxiv.org/abs/1708.07120), 2019, in the form of
    /// PyTorch's `OneCycleLR` (momentum stays constant).
    OneCycle {
        /// Share of the steps spent on going up, in `(0, 1)`.
        #[serde(default = "one_cycle_warmup")]
        warmup: f64,
        /// First learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default = "one_cycle_start")]
        start: f64,
        /// Last learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default = "one_cycle_end")]
        end: f64,
    },
    /// Multiplied by `factor` when the validation loss has not improved for more than `patience`
    /// epochs; see [`Plateau`](crate::plateau::Plateau). Needs a validation split.
    Plateau {
        /// In `[0, 1)`.
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

fn one_cycle_warmup() -> f64 {
    0.3
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
            "cosine" => Self::Cosine { warmup: 0.0, floor: 0.0 },
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

    /// Its name, as in [`Schedule::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step { .. } => "step",
            Self::Cosine { .. } => "cosine",
            Self::OneCycle { .. } => "one-cycle",
            Self::Plateau { .. } => "plateau",
        }
    }

    /// Learning rate of an optimizer step as a share of the peak, as far as it follows from the
    /// step alone: what the validation loss does to it is
    /// [`Plateau::share`](crate::plateau::Plateau::share).
    ///
    /// `step`: counted from 0. `steps_per_epoch` and `total_steps`: at least 1.
    pub fn share(&self, step: usize, steps_per_epoch: usize, total_steps: usize) -> f64 {
        match *self {
            Self::Constant | Self::Plateau { .. } => 1.0,
            Self::Step { epochs, factor } => {
                factor.powf(((step / steps_per_epoch) / epochs.max(1)) as f64)
            }
            Self::Cosine { warmup, floor } => {
                let warm = (warmup * total_steps as f64).round() as usize;
                if step < warm {
                    (step + 1) as f64 / warm as f64
                } else {
                    half_cosine(1.0, floor, progress(step, warm, total_steps))
                }
            }
            Self::OneCycle { warmup, start, end } => {
                // PyTorch places the peak at this (possibly fractional) step.
                let peak = warmup * total_steps as f64 - 1.0;
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
        match *self {
            Self::Constant => Ok(()),
            Self::Step { epochs: 0, .. } => {
                Err("schedule setting `epochs`: expected at least 1, found 0".into())
            }
            Self::Step { factor, .. } => inside("factor", factor, f64::MIN_POSITIVE, 1.0),
            Self::Cosine { warmup, floor } => {
                inside("warmup", warmup, 0.0, 0.99)?;
                inside("floor", floor, 0.0, 1.0)
            }
            Self::OneCycle { warmup, start, end } => {
                inside("warmup", warmup, 0.01, 0.99)?;
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
}

/// How far `step` is between the first step after `start` and the last step, in `[0, 1]`.
fn progress(step: usize, start: usize, total: usize) -> f64 {
    let span = total.saturating_sub(start + 1).max(1) as f64;
    ((step.saturating_sub(start)) as f64 / span).min(1.0)
}

/// From `from` at 0 to `to` at 1 along half a cosine.
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
        let shares = shares(Schedule::Cosine { warmup: 0.2, floor: 0.1 }, 50);
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
        let error = Schedule::Cosine { warmup: 1.5, floor: 0.0 }.check().unwrap_err();
        assert!(error.contains("warmup") && error.contains("1.5"), "{error}");
        assert!(Schedule::Step { epochs: 0, factor: 0.5 }.check().is_err());
        assert!(Schedule::Cosine { warmup: f64::NAN, floor: 0.0 }.check().is_err());
        let plateau = |factor, min_delta, floor| {
            Schedule::Plateau { factor, patience: 0, min_delta, floor }.check()
        };
        assert_eq!(plateau(0.0, 0.0, 0.0), Ok(()));
        assert!(plateau(1.0, 0.0, 0.0).unwrap_err().contains("`factor`"));
        assert!(plateau(0.5, -1e-9, 0.0).unwrap_err().contains("`min_delta`"));
        assert!(plateau(0.5, f64::NAN, 0.0).unwrap_err().contains("`min_delta`"));
        assert!(plateau(0.5, 0.0, 1.0).unwrap_err().contains("`floor`"));
    }

    #[test]
    fn one_step_is_enough_for_any_schedule() {
        for name in Schedule::NAMES {
            assert!(Schedule::named(name).unwrap().share(0, 1, 1).is_finite(), "{name}");
        }
    }
}
