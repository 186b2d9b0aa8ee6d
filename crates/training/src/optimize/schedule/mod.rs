//! How the learning rate changes over a training.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::optimize::warm_up::WarmUp;

mod checks;
mod text;

/// A learning-rate schedule, relative to the recipe's learning rate ("peak").
///
/// In text, as on the command line: `constant`, `step=10:0.1`, `cosine=warmup:2,floor:0.01`,
/// `one-cycle=warmup:0.3,start:0.04,end:4e-6`, `triangular=warmup:0.2,start:0,end:0`,
/// `plateau=factor:0.1,patience:3,min-delta:1e-4,floor:0`, each setting optional and in any order; a
/// warm-up as in [`WarmUp`].
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
    /// In a straight line up from `start`, which the first step is trained at, to the peak, then in a
    /// straight line down to `end`, which the last step is trained at. A start or an end of 0 makes that
    /// step one that changes nothing; without a warm-up the first step has the peak.
    ///
    /// PyTorch's `OneCycleLR` with `anneal_strategy="linear"`, and without a warm-up its `LinearLR` with
    /// `total_iters` one less than there are steps. Where the rate of step t, from 0 on, is to be 1 − t / T
    /// of T steps, `end` is 1 / T.
    Triangular {
        /// What is spent on going up: a share in `[0, 0.99]`, or fewer epochs than there are.
        #[serde(default = "triangular_warmup")]
        warmup: WarmUp,
        /// First learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default)]
        start: f64,
        /// Last learning rate as a share of the peak, in `[0, 1]`.
        #[serde(default)]
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

fn triangular_warmup() -> WarmUp {
    WarmUp::Share(0.2)
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
    pub const NAMES: [&str; 6] =
        ["constant", "step", "cosine", "one-cycle", "triangular", "plateau"];

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
            "triangular" => Self::Triangular { warmup: triangular_warmup(), start: 0.0, end: 0.0 },
            "plateau" => Self::Plateau {
                factor: plateau_factor(),
                patience: plateau_patience(),
                min_delta: plateau_min_delta(),
                floor: 0.0,
            },
            _ => return None,
        })
    }

    /// Whether a step's rate depends on how many epochs the whole training has.
    pub fn depends_on_length(&self) -> bool {
        match self {
            Self::Constant | Self::Step { .. } | Self::Plateau { .. } => false,
            Self::Cosine { .. } | Self::OneCycle { .. } | Self::Triangular { .. } => true,
        }
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
            Self::Triangular { warmup, start, end } => {
                // Where one-cycle has it, but for warm-ups that leave no step before it.
                let peak = (warmup.steps(steps_per_epoch, total_steps) - 1.0).max(0.0);
                let step = step as f64;
                let last = (total_steps - 1) as f64;
                if step < peak {
                    line(start, 1.0, step / peak)
                } else {
                    line(1.0, end, (step - peak) / (last - peak).max(1e-9))
                }
            }
        }
    }

    fn warmup(&self) -> Option<WarmUp> {
        match *self {
            Self::Cosine { warmup, .. }
            | Self::OneCycle { warmup, .. }
            | Self::Triangular { warmup, .. } => Some(warmup),
            Self::Constant | Self::Step { .. } | Self::Plateau { .. } => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step { .. } => "step",
            Self::Cosine { .. } => "cosine",
            Self::OneCycle { .. } => "one-cycle",
            Self::Triangular { .. } => "triangular",
            Self::Plateau { .. } => "plateau",
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

/// A straight line from `from`, at 0, to `to`, from 1 on.
fn line(from: f64, to: f64, progress: f64) -> f64 {
    let progress = progress.min(1.0);
    from * (1.0 - progress) + to * progress
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
        for (share, expected) in
            shares("cosine=floor:0.1".parse().unwrap(), 10).into_iter().zip(expected)
        {
            assert!((share - expected).abs() < 1e-12, "{share} is not {expected}");
        }
    }

    #[test]
    fn triangular_equals_pytorchs_one_cycle_of_straight_lines() {
        // tests/pytorch/schedules.py: OneCycleLR(max_lr=1, total_steps=20, anneal_strategy="linear"), from 0.2 to
        // 0.07, with pct_start=0.3 and, so that the peak lies between two steps, 0.33.
        let expected = [
            (0, 0.2, 0.2),
            (1, 0.36, 0.342_857_142_857_142_9),
            (4, 0.84, 0.771_428_571_428_571_4),
            (5, 1.0, 0.914_285_714_285_714_3),
            (6, 0.933_571_428_571_428_6, 0.972_238_805_970_149_3),
            (12, 0.535, 0.555_820_895_522_388_1),
            (18, 0.136_428_571_428_571_4, 0.139_402_985_074_626_9),
            (19, 0.07, 0.07),
        ];
        let [even, between] = [0.3, 0.33].map(|warmup| {
            let warmup = WarmUp::Share(warmup);
            shares(Schedule::Triangular { warmup, start: 0.2, end: 0.07 }, 20)
        });
        for (step, share, between_steps) in expected {
            assert!((even[step] - share).abs() < 1e-12, "step {step}: {}", even[step]);
            let found = between[step];
            assert!((found - between_steps).abs() < 1e-12, "step {step}: {found}");
        }
    }

    #[test]
    fn triangular_without_warm_up_equals_pytorchs_straight_line() {
        // tests/pytorch/schedules.py: LinearLR(start_factor=1, end_factor=0.1, total_iters=9), learning rate 1.
        let schedule = Schedule::Triangular { warmup: WarmUp::NONE, start: 0.5, end: 0.1 };
        for (step, share) in shares(schedule, 10).into_iter().enumerate() {
            assert!((share - (1.0 - step as f64 / 10.0)).abs() < 1e-12, "step {step}: {share}");
        }
        // From nothing to nothing, in a run of any length.
        let usual = shares(Schedule::named("triangular").unwrap(), 50);
        assert_eq!((usual[0], usual[9], usual[49]), (0.0, 1.0, 0.0));
        assert_eq!(shares(Schedule::named("triangular").unwrap(), 1), [1.0]);
        assert_eq!(schedule.share(1_000, 5, 50), 0.1);
    }

    #[test]
    fn a_warm_up_of_epochs_ends_with_its_last_epoch() {
        let schedule = |text: &str| -> Schedule { text.parse().unwrap() };
        // Epochs of 5 steps: the peak is that of the tenth step.
        let cosine = shares(schedule("cosine=warmup:2"), 50);
        assert_eq!(cosine, shares(schedule("cosine=warmup:0.2"), 50));
        assert!(cosine[8] < 1.0 && cosine[9] == 1.0 && cosine[11] < 1.0, "{cosine:?}");
        let one_cycle = shares(schedule("one-cycle=warmup:2"), 50);
        assert!(one_cycle[8] < 1.0 && one_cycle[9] == 1.0 && one_cycle[10] < 1.0, "{one_cycle:?}");
        let triangular = shares(schedule("triangular=warmup:2"), 50);
        assert!(triangular[8] < 1.0 && triangular[9] == 1.0 && triangular[10] < 1.0);
    }

    #[test]
    fn one_step_is_enough_for_any_schedule() {
        for name in Schedule::NAMES {
            assert!(Schedule::named(name).unwrap().share(0, 1, 1).is_finite(), "{name}");
        }
    }
}
