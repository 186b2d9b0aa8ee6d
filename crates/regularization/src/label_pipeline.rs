//! Label regularizers one after the other, as their rows in the catalog say.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::catalog::{CATALOG, OnLabels, Technique};
use crate::labelled_batch::{BatchImages, LabelledBatch};
use crate::labels::LabelRegularizers;
use crate::strength::StrengthError;

impl LabelRegularizers {
    /// Whether every batch stays as it is.
    pub fn is_off(&self) -> bool {
        self.on().next().is_none()
    }

    /// Techniques that are on, in the order in which they are applied.
    pub fn on(self) -> impl Iterator<Item = (&'static Technique, OnLabels)> {
        on_labels().filter(move |(_, labels)| !(labels.setting)(&mut { self }).is_off())
    }

    /// Gives the technique of that flag the strength that a text says; see
    /// [`LabelRegularizer::set`](crate::LabelRegularizer::set).
    ///
    /// # Errors
    ///
    /// If no technique on labels has such a flag, or the text is none of its own.
    pub fn set(&mut self, flag: &str, text: &str) -> Result<(), String> {
        let known = on_labels().find(|(technique, _)| technique.flag == flag);
        let (_, labels) = known.ok_or_else(|| {
            let known: Vec<_> = on_labels().map(|(technique, _)| technique.flag).collect();
            format!("unknown label regularizer `{flag}`; known: {}", known.join(", "))
        })?;
        (labels.setting)(self).set(text)
    }

    /// Checks every strength, for targets over `classes` classes.
    ///
    /// # Errors
    ///
    /// The first that is outside its range, by name.
    pub fn check(self, classes: usize) -> Result<(), StrengthError> {
        let mut settings = self;
        on_labels().try_for_each(|(_, labels)| (labels.setting)(&mut settings).check(classes))
    }

    /// Applies those that are on to a training batch, in the order of [`CATALOG`]. Of those that mix
    /// images each batch gets one, all equally likely.
    ///
    /// `rng` gives the generator of a name: each regularizer has its own, called as its flag, so that
    /// turning one on leaves the draws of the others as they are; and so has the choice between them.
    ///
    /// # Panics
    ///
    /// If images or targets do not have the batch's shape; possibly if [`Self::check`] would fail.
    pub fn apply(self, batch: &mut LabelledBatch, mut rng: impl FnMut(&'static str) -> ChaCha8Rng) {
        let pixels: usize = batch.shape.iter().product();
        if let BatchImages::Values(values) = &batch.images {
            assert_eq!(values.len(), pixels, "pixels of the batch");
        }
        assert_eq!(batch.targets.len(), batch.shape[0], "targets of the batch");
        let mut settings = self;
        for (technique, labels) in self.of_a_batch(&mut rng) {
            (labels.setting)(&mut settings).apply(batch, &mut rng(technique.flag));
        }
    }

    /// Techniques that are on, but of those that exclude each other only the one that this batch
    /// gets.
    fn of_a_batch(
        self,
        mut rng: impl FnMut(&'static str) -> ChaCha8Rng,
    ) -> Vec<(&'static Technique, OnLabels)> {
        let mut steps = Vec::new();
        for step in self.on() {
            let Some(choice) = step.1.one_of else {
                steps.push(step);
                continue;
            };
            let rivals: Vec<_> =
                self.on().filter(|(_, labels)| labels.one_of == Some(choice)).collect();
            // The first of them stands for all.
            if rivals[0].0.flag == step.0.flag {
                steps.push(rivals[one_of(rivals.len(), || rng(choice))]);
            }
        }
        steps
    }
}

/// The techniques of the catalog that act on labels.
fn on_labels() -> impl Iterator<Item = (&'static Technique, OnLabels)> {
    CATALOG.iter().filter_map(|technique| Some((technique, technique.on_labels?)))
}

/// A number below `count`, all equally likely. Where there is nothing to choose nothing is drawn.
fn one_of(count: usize, rng: impl FnOnce() -> ChaCha8Rng) -> usize {
    if count < 2 {
        return 0;
    }
    let mut rng = rng();
    // Each number takes the place of those before it with its share among them.
    (1..count).fold(
        0,
        |chosen, number| {
            if rng.random_bool(1.0 / (number + 1) as f64) { number } else { chosen }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cutmix::CutMix;
    use crate::disturb_label::DisturbLabel;
    use crate::disturb_value::DisturbValue;
    use crate::label_smoothing::{LabelSmoothing, SmoothingConvention};
    use crate::labelled_batch::tests::{numbered_batch, rng};
    use crate::labelled_batch::{Changes, LabelRegularizer};
    use crate::mixup::Mixup;

    fn batch() -> LabelledBatch {
        numbered_batch(8, [3, 6, 4])
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn named(seed: u64) -> impl FnMut(&'static str) -> ChaCha8Rng {
        move |name| rng(seed + name.bytes().map(u64::from).sum::<u64>() * 1000)
    }

    /// The table with that technique alone, of this strength.
    fn only((technique, _): (&Technique, OnLabels), strength: &str) -> LabelRegularizers {
        let mut table = LabelRegularizers::default();
        let set = table.set(technique.flag, strength);
        set.unwrap_or_else(|error| panic!("{}: {error}", technique.flag));
        table
    }

    /// What the technique alone makes of a batch.
    fn applied(row: (&Technique, OnLabels), strength: &str, seed: u64) -> LabelledBatch {
        let mut batch = batch();
        let mut table = only(row, strength);
        (row.1.setting)(&mut table).apply(&mut batch, &mut rng(seed));
        batch
    }

    #[test]
    fn targets_stay_distributions() {
        for row in on_labels().filter(|(_, labels)| labels.changes != Changes::Values) {
            for strength in ["0.01", "0.5", row.0.usual] {
                for seed in 0..50 {
                    for target in applied(row, strength, seed).targets.rows() {
                        let sum: f64 = target.iter().copied().map(f64::from).sum();
                        assert!((sum - 1.0).abs() < 1e-6, "{}: {target:?}", row.0.flag);
                        assert!(target.iter().all(|&p| p >= 0.0), "{}: {target:?}", row.0.flag);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_off_changes_nothing_bit_for_bit() {
        for row in on_labels() {
            let mut batch = batch();
            // Lost by an addition of 0.
            let mut values = batch.images.values().to_vec();
            values[1] = -0.0;
            batch.images = values.into();
            let mut same = batch.clone();
            let mut table = only(row, row.0.off);
            assert!(table.is_off(), "{}", row.0.flag);
            (row.1.setting)(&mut table).apply(&mut same, &mut rng(1));
            assert_eq!(bits(same.images.values()), bits(batch.images.values()), "{}", row.0.flag);
            let targets = |batch: LabelledBatch| bits(&batch.targets.into_probabilities());
            assert_eq!(targets(same), targets(batch), "{}", row.0.flag);
        }
    }

    #[test]
    fn the_same_generator_gives_the_same_result_and_images_change_only_where_they_are_mixed() {
        for row in on_labels() {
            let name = row.0.flag;
            let mut changed = false;
            for seed in 0..50 {
                let result = applied(row, row.0.usual, seed);
                assert_eq!(result, applied(row, row.0.usual, seed), "{name}");
                assert_eq!(result.shape, batch().shape, "{name}");
                if row.1.changes == Changes::LabelsAndImages {
                    changed |= result.images != batch().images;
                } else {
                    assert_eq!(result.images, batch().images, "{name}");
                    changed |= result.targets != batch().targets;
                }
            }
            assert!(changed, "{name} never changed anything");
        }
    }

    #[test]
    fn every_technique_has_a_setting_of_its_name_and_draws_from_its_own_generator() {
        let off = toml::Table::try_from(LabelRegularizers::default()).unwrap();
        assert_eq!(on_labels().count(), off.len(), "a setting without a row");
        for row in on_labels() {
            let name = row.0.flag;
            let table = only(row, row.0.usual);
            let settings = toml::Table::try_from(table).unwrap();
            let changed: Vec<_> =
                settings.keys().filter(|&key| settings[key] != off[key]).collect();
            assert_eq!(changed, [&name.replace('-', "_")]);
            assert_eq!(table.check(10), Ok(()), "{name}");
            assert_eq!(table.on().map(|(on, _)| on.flag).collect::<Vec<_>>(), [name]);
            for seed in 0..10 {
                let (mut by_table, mut by_hand) = (batch(), batch());
                table.apply(&mut by_table, named(seed));
                let mut table = table;
                (row.1.setting)(&mut table).apply(&mut by_hand, &mut named(seed)(name));
                assert_eq!(by_table, by_hand, "{name}");
            }
        }
    }

    #[test]
    fn images_on_a_device_leave_the_same_targets_and_say_how_they_are_mixed() {
        for row in on_labels() {
            let there = || LabelledBatch { images: BatchImages::OnDevice(None), ..batch() };
            for seed in 0..20 {
                let (mut here, mut there) = (batch(), there());
                let table = only(row, row.0.usual);
                table.apply(&mut here, named(seed));
                table.apply(&mut there, named(seed));
                assert_eq!(there.targets, here.targets, "{}", row.0.flag);
                let BatchImages::OnDevice(mix) = there.images else { panic!("they were there") };
                let mut values = batch().images.values().to_vec();
                if let Some(mix) = mix {
                    mix.of_images(&mut values, here.shape);
                }
                assert_eq!(bits(&values), bits(here.images.values()), "{}", row.0.flag);
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
            disturb_label: DisturbLabel { alpha: 80.0 },
            label_smoothing: smoothing,
            mixup: Mixup { alpha: 1.0 },
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
        let mixup =
            LabelRegularizers { mixup: Mixup { alpha: 1.0 }, ..LabelRegularizers::default() };
        let both = LabelRegularizers { disturb_label: DisturbLabel { alpha: 50.0 }, ..mixup };
        let (mut alone, mut together) = (batch(), batch());
        mixup.apply(&mut alone, named(3));
        both.apply(&mut together, named(3));
        assert_eq!(alone.images, together.images);
        assert_ne!(alone.targets, together.targets);
    }

    #[test]
    fn with_mixup_and_cutmix_each_batch_gets_one_of_them_with_equal_probability() {
        let mixup =
            LabelRegularizers { mixup: Mixup { alpha: 1.0 }, ..LabelRegularizers::default() };
        let cutmix =
            LabelRegularizers { cutmix: CutMix { alpha: 1.0 }, ..LabelRegularizers::default() };
        let both = LabelRegularizers { cutmix: CutMix { alpha: 1.0 }, ..mixup };
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
    fn an_unknown_flag_or_text_is_refused_with_what_would_do() {
        let refused = |flag, text| LabelRegularizers::default().set(flag, text).unwrap_err();
        assert_eq!(refused("mixup", "much"), "expected a number, found `much`");
        assert!(refused("dropout", "0.5").contains("known: disturb-label, "));
    }

    #[test]
    fn of_three_that_exclude_each_other_each_gets_a_third_of_the_batches() {
        let mut counts = [0_usize; 3];
        (0..3000).for_each(|seed| counts[one_of(3, || rng(seed))] += 1);
        // Five standard deviations: 5 · √(3000 · 2/9).
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 130), "{counts:?}");
        assert_eq!(one_of(1, || panic!("nothing is to be chosen")), 0);
    }

    #[test]
    fn strengths_outside_their_range_are_refused_by_name() {
        type Spoil = fn(&mut LabelRegularizers);
        let cases: [(Spoil, &str); 11] = [
            (
                |t| t.disturb_label.alpha = 100.1,
                "`labels.disturb_label`: expected 0 to 100 percent, found 100.1",
            ),
            (|t| t.disturb_label.alpha = f64::NAN, "labels.disturb_label"),
            (|t| t.label_smoothing.strength = 1.0, "labels.label_smoothing"),
            (|t| t.label_smoothing.strength = -0.1, "labels.label_smoothing"),
            (|t| t.label_smoothing = "0.9:others".parse().unwrap(), "(classes − 1) / classes"),
            (|t| t.mixup.alpha = -1.0, "`labels.mixup`: expected 0 for off"),
            (|t| t.mixup.alpha = f64::INFINITY, "labels.mixup"),
            (|t| t.cutmix.alpha = 1000.5, "labels.cutmix"),
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
            disturb_label: DisturbLabel { alpha: 100.0 },
            label_smoothing: "0.899:others".parse().unwrap(),
            mixup: Mixup { alpha: 1000.0 },
            cutmix: CutMix { alpha: 1e-9 },
            disturb_value: DisturbValue { share: 1.0, noise: 0.0 },
        };
        assert_eq!(table.check(10), Ok(()));
        assert_eq!(LabelRegularizers::default().check(10), Ok(()));
        let others = LabelSmoothing { strength: 0.0, convention: SmoothingConvention::Others };
        let one_class = LabelRegularizers { label_smoothing: others, ..Default::default() };
        assert_eq!(one_class.check(1), Ok(()));
    }
}
