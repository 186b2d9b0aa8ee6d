//! Label regularizers: change the targets of a batch, and some also its images, on the host.
//!
//! [`CATALOG`] lists them, one row each; [`LabelRegularizers`] is their table in a recipe. To add
//! one: a file with a type that is a [`LabelRegularizer`], a row here, and a setting in the table.

use std::ops::RangeBounds;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::cutmix::CutMix;
use crate::disturb_label::DisturbLabel;
use crate::disturb_value::DisturbValue;
use crate::label_smoothing::{LabelSmoothing, SmoothingConvention};
use crate::labelled_batch::{LabelRegularizer, LabelledBatch};
use crate::mixup::Mixup;

/// What a label regularizer changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Distributions over the classes; they stay distributions.
    Labels,
    /// Distributions over the classes, and the images along with them.
    LabelsAndImages,
    /// Values to predict, in regression.
    Values,
}

/// What the catalog knows of one label regularizer.
#[derive(Debug)]
pub struct LabelRegularizerRow {
    /// Its name, also that of its generator.
    pub name: &'static str,
    /// A strength that is often used.
    pub usual: f64,
    /// What it changes.
    pub changes: Changes,
    /// Builds it with a strength.
    pub build: fn(f64) -> Box<dyn LabelRegularizer>,
}

/// Every label regularizer, one row each, in the order in which they are applied.
pub static CATALOG: &[LabelRegularizerRow] = &[
    LabelRegularizerRow {
        name: "disturb-label",
        usual: 10.0,
        changes: Changes::Labels,
        build: |alpha| Box::new(DisturbLabel { alpha }),
    },
    LabelRegularizerRow {
        name: "label-smoothing",
        usual: 0.1,
        changes: Changes::Labels,
        build: |strength| {
            Box::new(LabelSmoothing { strength, convention: SmoothingConvention::Uniform })
        },
    },
    LabelRegularizerRow {
        name: "mixup",
        usual: 0.2,
        changes: Changes::LabelsAndImages,
        build: |alpha| Box::new(Mixup { alpha }),
    },
    LabelRegularizerRow {
        name: "cutmix",
        usual: 1.0,
        changes: Changes::LabelsAndImages,
        build: |alpha| Box::new(CutMix { alpha }),
    },
    LabelRegularizerRow {
        name: "disturb-value",
        usual: 0.1,
        changes: Changes::Values,
        build: |share| Box::new(DisturbValue { share, noise: 1.0 }),
    },
];

/// The label regularizers of a training: the table `[labels]` of a recipe. The default changes
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelRegularizers {
    /// Percent of the labels that are redrawn, 0 to 100: [`DisturbLabel`].
    pub disturb_label: f64,
    /// Probability taken from the label.
    pub label_smoothing: LabelSmoothing,
    /// Both parameters of the Beta distribution of [`Mixup`], up to 1000; 0 is off.
    pub mixup: f64,
    /// Both parameters of the Beta distribution of [`CutMix`], up to 1000; 0 is off.
    pub cutmix: f64,
    /// Noise on the values to predict; only in regression, and there instead of all others.
    pub disturb_value: DisturbValue,
}

/// A strength outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{setting}`: expected {expected}, found {found}")]
pub struct StrengthError {
    /// The setting, as in a recipe.
    pub setting: &'static str,
    /// Its range.
    pub expected: &'static str,
    /// What it was.
    pub found: f64,
}

impl LabelRegularizers {
    /// Whether every batch stays as it is.
    pub fn is_off(&self) -> bool {
        self.disturb_label == 0.0
            && self.label_smoothing.is_off()
            && self.mixup == 0.0
            && self.cutmix == 0.0
            && self.disturb_value.is_off()
    }

    /// Checks every strength, for targets over `classes` classes.
    ///
    /// # Errors
    ///
    /// The first that is outside its range, by name.
    pub fn check(&self, classes: usize) -> Result<(), StrengthError> {
        let Self { disturb_label, label_smoothing, mixup, cutmix, disturb_value } = *self;
        within("labels.disturb_label", disturb_label, 0.0..=100.0, "0 to 100 percent")?;
        if !label_smoothing.is_off() {
            let LabelSmoothing { strength, convention } = label_smoothing;
            let expected = match convention {
                SmoothingConvention::Uniform => "at least 0 and below 1",
                SmoothingConvention::Others => {
                    "at least 0 and, with `others`, below (classes − 1) / classes, where all \
                     classes become equally likely"
                }
            };
            let range = 0.0..convention.limit(classes);
            within("labels.label_smoothing", strength, range, expected)?;
        }
        let beta = "0 for off, or a parameter of the Beta distribution, up to 1000";
        within("labels.mixup", mixup, 0.0..=GREATEST_BETA, beta)?;
        within("labels.cutmix", cutmix, 0.0..=GREATEST_BETA, beta)?;
        let DisturbValue { share, noise } = disturb_value;
        within("labels.disturb_value.share", share, 0.0..=1.0, "a share from 0 to 1")?;
        let expected = "a standard deviation of at least 0";
        within("labels.disturb_value.noise", noise, 0.0..f64::INFINITY, expected)
    }

    /// Applies those that are on to a training batch: DisturbLabel, then label smoothing, then
    /// mixup or CutMix. With both of these on, each batch gets one of them, with equal probability,
    /// as in [timm](https://github.com/huggingface/pytorch-image-models/blob/main/timm/data/mixup.py).
    ///
    /// `rng` gives the generator of a name: each regularizer has its own, called as in [`CATALOG`],
    /// so that turning one on leaves the draws of the others as they are; the choice between mixup
    /// and CutMix draws from `mixup-or-cutmix`.
    ///
    /// # Panics
    ///
    /// If images or targets do not have the batch's shape; possibly if [`Self::check`] would fail.
    pub fn apply(
        &self,
        batch: &mut LabelledBatch,
        mut rng: impl FnMut(&'static str) -> ChaCha8Rng,
    ) {
        let pixels: usize = batch.shape.iter().product();
        assert_eq!(batch.images.len(), pixels, "pixels of the batch");
        assert_eq!(batch.targets.len(), batch.shape[0], "targets of the batch");
        if self.disturb_label > 0.0 {
            let disturb_label = DisturbLabel { alpha: self.disturb_label };
            disturb_label.apply(batch, &mut rng("disturb-label"));
        }
        if !self.label_smoothing.is_off() {
            self.label_smoothing.apply(batch, &mut rng("label-smoothing"));
        }
        let mixes = self.mixup > 0.0;
        let cuts = self.cutmix > 0.0;
        if cuts && (!mixes || rng("mixup-or-cutmix").random_bool(0.5)) {
            CutMix { alpha: self.cutmix }.apply(batch, &mut rng("cutmix"));
        } else if mixes {
            Mixup { alpha: self.mixup }.apply(batch, &mut rng("mixup"));
        }
        if !self.disturb_value.is_off() {
            self.disturb_value.apply(batch, &mut rng("disturb-value"));
        }
    }
}

/// Fails if `found` lies outside `range`, in which nothing is that is not a number.
fn within(
    setting: &'static str,
    found: f64,
    range: impl RangeBounds<f64>,
    expected: &'static str,
) -> Result<(), StrengthError> {
    if range.contains(&found) { Ok(()) } else { Err(StrengthError { setting, expected, found }) }
}

/// Far beyond what anybody uses (at 1000 all shares lie near ½), and far below the parameters at
/// which the Beta sampler overflows.
const GREATEST_BETA: f64 = 1000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_batch::tests::{numbered_batch, rng};

    fn batch() -> LabelledBatch {
        numbered_batch(8, [3, 6, 4])
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn named(seed: u64) -> impl FnMut(&'static str) -> ChaCha8Rng {
        move |name| rng(seed + name.bytes().map(u64::from).sum::<u64>() * 1000)
    }

    #[test]
    fn targets_stay_distributions() {
        for row in CATALOG.iter().filter(|row| row.changes != Changes::Values) {
            for strength in [0.01, 0.5, row.usual] {
                for seed in 0..50 {
                    let mut batch = batch();
                    (row.build)(strength).apply(&mut batch, &mut rng(seed));
                    for target in batch.targets.rows() {
                        let sum: f64 = target.iter().copied().map(f64::from).sum();
                        assert!((sum - 1.0).abs() < 1e-6, "{}: {target:?}", row.name);
                        assert!(target.iter().all(|&p| p >= 0.0), "{}: {target:?}", row.name);
                    }
                }
            }
        }
    }

    #[test]
    fn strength_zero_changes_nothing_bit_for_bit() {
        for row in CATALOG {
            let mut batch = batch();
            // Lost by an addition of 0.
            batch.images[1] = -0.0;
            let mut same = batch.clone();
            (row.build)(0.0).apply(&mut same, &mut rng(1));
            assert_eq!(bits(&same.images), bits(&batch.images), "{}", row.name);
            let targets = |batch: LabelledBatch| bits(&batch.targets.into_probabilities());
            assert_eq!(targets(same), targets(batch), "{}", row.name);
        }
    }

    #[test]
    fn the_same_generator_gives_the_same_result_and_images_change_only_where_they_are_mixed() {
        for row in CATALOG {
            let mut changed = false;
            for seed in 0..50 {
                let (mut first, mut second) = (batch(), batch());
                (row.build)(row.usual).apply(&mut first, &mut rng(seed));
                (row.build)(row.usual).apply(&mut second, &mut rng(seed));
                assert_eq!(first, second, "{}", row.name);
                assert_eq!(first.shape, batch().shape, "{}", row.name);
                if row.changes == Changes::LabelsAndImages {
                    changed |= first.images != batch().images;
                } else {
                    assert_eq!(first.images, batch().images, "{}", row.name);
                    changed |= first.targets != batch().targets;
                }
            }
            assert!(changed, "{} never changed anything", row.name);
        }
    }

    #[test]
    fn every_setting_of_the_table_is_the_regularizer_of_its_name() {
        type Set = fn(&mut LabelRegularizers, f64);
        let settings: [(&str, Set); 5] = [
            ("disturb-label", |table, alpha| table.disturb_label = alpha),
            ("label-smoothing", |table, strength| table.label_smoothing.strength = strength),
            ("mixup", |table, alpha| table.mixup = alpha),
            ("cutmix", |table, alpha| table.cutmix = alpha),
            ("disturb-value", |table, share| {
                table.disturb_value = DisturbValue { share, noise: 1.0 };
            }),
        ];
        assert_eq!(CATALOG.len(), settings.len());
        for (row, (name, set)) in CATALOG.iter().zip(settings) {
            assert_eq!(row.name, name);
            let mut table = LabelRegularizers::default();
            set(&mut table, row.usual);
            assert_eq!(table.check(10), Ok(()), "{name}");
            assert!(!table.is_off(), "{name}");
            for seed in 0..10 {
                let (mut by_table, mut by_row) = (batch(), batch());
                table.apply(&mut by_table, named(seed));
                (row.build)(row.usual).apply(&mut by_row, &mut named(seed)(row.name));
                assert_eq!(by_table, by_row, "{name}");
            }
        }
    }

    #[test]
    fn the_default_changes_nothing_and_asks_for_no_generator() {
        let mut same = batch();
        LabelRegularizers::default().apply(&mut same, |name| panic!("asked for `{name}`"));
        assert_eq!(same, batch());
        assert!(LabelRegularizers::default().is_off());
    }

    #[test]
    fn labels_are_disturbed_before_they_are_smoothed_and_smoothed_before_they_are_mixed() {
        let smoothing = LabelSmoothing { strength: 0.1, ..LabelSmoothing::default() };
        let table = LabelRegularizers {
            disturb_label: 80.0,
            label_smoothing: smoothing,
            mixup: 1.0,
            ..LabelRegularizers::default()
        };
        let (mut by_table, mut by_hand) = (batch(), batch());
        table.apply(&mut by_table, named(5));
        DisturbLabel { alpha: 80.0 }.apply(&mut by_hand, &mut named(5)("disturb-label"));
        smoothing.apply(&mut by_hand, &mut named(5)("label-smoothing"));
        Mixup { alpha: 1.0 }.apply(&mut by_hand, &mut named(5)("mixup"));
        assert_eq!(by_table, by_hand);
    }

    #[test]
    fn turning_one_on_leaves_the_draws_of_another_as_they_are() {
        let mixup = LabelRegularizers { mixup: 1.0, ..LabelRegularizers::default() };
        let both = LabelRegularizers { disturb_label: 50.0, ..mixup };
        let (mut alone, mut together) = (batch(), batch());
        mixup.apply(&mut alone, named(3));
        both.apply(&mut together, named(3));
        assert_eq!(alone.images, together.images);
        assert_ne!(alone.targets, together.targets);
    }

    #[test]
    fn with_mixup_and_cutmix_each_batch_gets_one_of_them_with_equal_probability() {
        let mixup = LabelRegularizers { mixup: 1.0, ..LabelRegularizers::default() };
        let cutmix = LabelRegularizers { cutmix: 1.0, ..LabelRegularizers::default() };
        let both = LabelRegularizers { cutmix: 1.0, ..mixup };
        let applied = |table: LabelRegularizers, seed| {
            let mut batch = batch();
            table.apply(&mut batch, named(seed));
            batch
        };
        let mixed = (0..1000)
            .filter(|&seed| {
                let result = applied(both, seed);
                let is_mixup = result == applied(mixup, seed);
                assert!(is_mixup || result == applied(cutmix, seed), "seed {seed}: neither");
                is_mixup
            })
            .count();
        // Five standard deviations of a fair coin: 5 · √(1000 / 4).
        assert!(mixed.abs_diff(500) < 79, "{mixed} of 1000");
    }

    #[test]
    fn strengths_outside_their_range_are_refused_by_name() {
        type Spoil = fn(&mut LabelRegularizers);
        let cases: [(Spoil, &str); 11] = [
            (
                |t| t.disturb_label = 100.1,
                "`labels.disturb_label`: expected 0 to 100 percent, found 100.1",
            ),
            (|t| t.disturb_label = f64::NAN, "labels.disturb_label"),
            (|t| t.label_smoothing.strength = 1.0, "labels.label_smoothing"),
            (|t| t.label_smoothing.strength = -0.1, "labels.label_smoothing"),
            (|t| t.label_smoothing = "0.9:others".parse().unwrap(), "(classes − 1) / classes"),
            (|t| t.mixup = -1.0, "`labels.mixup`: expected 0 for off"),
            (|t| t.mixup = f64::INFINITY, "labels.mixup"),
            (|t| t.cutmix = 1000.5, "labels.cutmix"),
            (|t| t.disturb_value.share = 1.5, "labels.disturb_value.share"),
            (|t| t.disturb_value.noise = -0.5, "labels.disturb_value.noise"),
            (|t| t.disturb_value.noise = f64::INFINITY, "labels.disturb_value.noise"),
        ];
        for (spoil, expected) in cases {
            let mut table = LabelRegularizers::default();
            spoil(&mut table);
            let message = table.check(10).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn the_ends_of_every_range_are_allowed() {
        let table = LabelRegularizers {
            disturb_label: 100.0,
            label_smoothing: "0.899:others".parse().unwrap(),
            mixup: 1000.0,
            cutmix: 1e-9,
            disturb_value: DisturbValue { share: 1.0, noise: 0.0 },
        };
        assert_eq!(table.check(10), Ok(()));
        assert_eq!(LabelRegularizers::default().check(10), Ok(()));
        let others = LabelSmoothing { strength: 0.0, convention: SmoothingConvention::Others };
        let one_class = LabelRegularizers { label_smoothing: others, ..Default::default() };
        assert_eq!(one_class.check(1), Ok(()));
    }

    #[test]
    fn the_table_survives_toml_and_may_name_only_what_is_on() {
        let table = LabelRegularizers {
            disturb_label: 30.0,
            label_smoothing: "0.2:others".parse().unwrap(),
            mixup: 0.2,
            cutmix: 1.0,
            disturb_value: DisturbValue { share: 0.1, noise: 0.5 },
        };
        let text = toml::to_string(&table).unwrap();
        assert_eq!(toml::from_str::<LabelRegularizers>(&text).unwrap(), table, "{text}");
        let short: LabelRegularizers =
            toml::from_str("label_smoothing = { strength = 0.1 }").unwrap();
        let smoothing = LabelSmoothing { strength: 0.1, ..LabelSmoothing::default() };
        assert_eq!(short, LabelRegularizers { label_smoothing: smoothing, ..Default::default() });
        assert!(toml::from_str::<LabelRegularizers>("mix_up = 0.2").is_err());
    }
}
