//! Class weights: what an image of each class counts in the loss, for classes of unequal size.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use backburn_regularization::{LabelSmoothing, Targets};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Weights of the classes in the loss.
///
/// In a configuration file: `class_weights = "balanced"`, or a table of all classes, `class_weights = { cat = 1.0,
/// dog = 2.5 }`.
///
/// With weights `w` the loss of a batch is `Σ_n Σ_c w_c t_nc (−ln p_nc) / Σ_n Σ_c w_c y_nc`, where `t` are the targets
/// after smoothing and mixing, and `y` the same before smoothing: labels, or their mixtures. Without mixing that is
/// PyTorch's `CrossEntropyLoss(weight=w, label_smoothing=ε)`, whose smoothed part weighs every class by its own weight
/// and whose mean divides by the weights of the labels. With mixing PyTorch, which then takes probabilities, divides
/// by the number of images instead; here the denominator stays the weight of the batch, so that mixing does not change
/// the size of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// `N / (K n_c)`, so that all classes together weigh the same: N images, K classes that have any, n_c of this
    /// class. What scikit-learn calls `balanced`. A class without images weighs nothing.
    Balanced,
    /// A weight for each class by its name, at least 0.
    Given(BTreeMap<String, f64>),
}

/// The name of [`ClassWeights::Balanced`].
const BALANCED: &str = "balanced";

/// Longest file of weights that is read.
const MOST_BYTES: u64 = 16 << 20;

impl ClassWeights {
    /// Reads a table of weights, in TOML: a line `class = weight` for each class.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, String> {
        let wrong = |found: String| {
            format!(
                "{}: expected a line `class = weight` for each class, as in `cat = 1.5` or \
                 \"T-shirt/top\" = 0.5, found {found}",
                path.display()
            )
        };
        let size = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if size > MOST_BYTES {
            return Err(wrong(format!("{size} bytes")));
        }
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        Ok(Self::Given(table))
    }

    /// Checks the weights by themselves.
    ///
    /// # Errors
    ///
    /// If one is negative or not finite, or all are 0.
    pub fn check(&self) -> Result<(), String> {
        let Self::Given(table) = self else { return Ok(()) };
        for (class, weight) in table {
            if !(*weight >= 0.0 && weight.is_finite()) {
                return Err(format!(
                    "`class_weights`: expected weights of at least 0, found {weight} for `{class}`"
                ));
            }
        }
        if table.values().all(|weight| *weight == 0.0) {
            return Err("`class_weights`: expected a weight above 0, found none".into());
        }
        Ok(())
    }

    /// The weight of each class, in label order. `counts`: its training images.
    ///
    /// # Errors
    ///
    /// If weights are given and not for all the classes that there are, and no others; or if no training image
    /// would count.
    pub fn of(&self, counts: &[usize], names: &[String]) -> Result<Vec<f64>, String> {
        let weights: Vec<f64> = match self {
            Self::Balanced => {
                let images: usize = counts.iter().sum();
                let classes = counts.iter().filter(|count| **count > 0).count();
                let weight = |&count: &usize| images as f64 / (classes * count).max(1) as f64;
                counts.iter().map(|count| if *count == 0 { 0.0 } else { weight(count) }).collect()
            }
            Self::Given(table) => {
                let unknown: Vec<&str> = table
                    .keys()
                    .filter(|class| !names.contains(class))
                    .map(String::as_str)
                    .collect();
                let missing: Vec<&str> = names
                    .iter()
                    .filter(|name| !table.contains_key(*name))
                    .map(String::as_str)
                    .collect();
                if let ([_, ..], _) | (_, [_, ..]) = (&unknown[..], &missing[..]) {
                    return Err(format!(
                        "`class_weights`: expected a weight for each class of the data; missing: \
                         {}; not among them: {}",
                        listed(&missing),
                        listed(&unknown)
                    ));
                }
                names.iter().filter_map(|name| table.get(name).copied()).collect()
            }
        };
        let mut counted = weights.iter().zip(counts);
        if !counted.any(|(weight, count)| *weight > 0.0 && *count > 0) {
            return Err(
                "`class_weights`: expected a class with images and a weight above 0, found none"
                    .into(),
            );
        }
        Ok(weights)
    }
}

/// The first few names, or `none`.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        _ if shown.is_empty() => "none".to_owned(),
        _ => shown.join(", "),
    }
}

/// Weighs the targets of a batch, so that their mean cross-entropy over the images is the weighted mean that
/// [`ClassWeights`] tells of. `smoothing`: what the targets were smoothed by before they were mixed.
pub(crate) fn weigh(targets: &mut Targets, weights: &[f64], smoothing: LabelSmoothing) {
    let (keep, floor) = smoothing.line(targets.classes());
    let of_all: f64 = weights.iter().sum();
    let dot = |row: &[f32]| -> f64 {
        row.iter().zip(weights).map(|(target, weight)| f64::from(*target) * weight).sum()
    };
    // Smoothing made `keep · y + floor` of every y; both are linear, so that mixing does not matter.
    let of_batch: f64 = targets.rows().map(|row| (dot(row) - floor * of_all) / keep).sum();
    // A batch that weighs nothing is no reason for a step.
    let scale = if of_batch > 0.0 { targets.len() as f64 / of_batch } else { 0.0 };
    for row in targets.rows_mut() {
        for (target, weight) in row.iter_mut().zip(weights) {
            *target = (f64::from(*target) * weight * scale) as f32;
        }
    }
}

impl FromStr for ClassWeights {
    type Err = String;

    /// `balanced`, or the path of a file; see [`ClassWeights::read`].
    fn from_str(text: &str) -> Result<Self, String> {
        if text == BALANCED { Ok(Self::Balanced) } else { Self::read(Path::new(text)) }
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Balanced => serializer.serialize_str(BALANCED),
            Self::Given(table) => table.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Weights;
        impl<'de> Visitor<'de> for Weights {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"balanced\" or a table with a weight for each class")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ClassWeights, E> {
                match text {
                    BALANCED => Ok(ClassWeights::Balanced),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<ClassWeights, A::Error> {
                let table = BTreeMap::deserialize(MapAccessDeserializer::new(table))?;
                Ok(ClassWeights::Given(table))
            }
        }
        deserializer.deserialize_any(Weights)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;
    use crate::loss::Loss;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// A case of `tests/pytorch/class_weights.py`.
    #[derive(Deserialize)]
    struct Case {
        weights: Vec<f64>,
        logits: Vec<Vec<f32>>,
        labels: Vec<u16>,
        smoothing: f64,
        /// What an image keeps of its label; the rest is that of the image at the other end of the batch.
        share: f32,
        loss: f32,
        gradient: Option<Vec<Vec<f32>>>,
    }

    impl Case {
        fn targets(&self) -> Targets {
            let classes = self.weights.len();
            let mut targets = Targets::one_hot(&self.labels, classes);
            let backwards: Vec<u16> = self.labels.iter().rev().copied().collect();
            let others = Targets::one_hot(&backwards, classes);
            let smoothing =
                LabelSmoothing { strength: self.smoothing, ..LabelSmoothing::default() };
            let (keep, floor) = smoothing.line(classes);
            for (row, other) in targets.rows_mut().zip(others.rows()) {
                for (target, other) in row.iter_mut().zip(other) {
                    let mixed = self.share * *target + (1.0 - self.share) * other;
                    *target = (keep * f64::from(mixed) + floor) as f32;
                }
            }
            weigh(&mut targets, &self.weights, smoothing);
            targets
        }
    }

    /// Reference: `tests/pytorch/class_weights.py`, PyTorch's own loss but for the denominator of mixtures.
    #[test]
    fn loss_and_gradient_are_those_of_pytorch() {
        let text = include_str!("../../../tests/reference/class_weights.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        assert!(cases.iter().any(|case| case.share < 1.0 && case.smoothing > 0.0));
        let device = Device::flex().autodiff();
        for case in cases {
            let shape = [case.labels.len(), case.weights.len()];
            let tensor =
                |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), &device);
            let logits = tensor(case.logits.concat()).require_grad();
            let targets = tensor(case.targets().into_probabilities());
            let loss = Loss::CrossEntropy.forward(logits.clone(), targets);
            let value = loss.clone().into_scalar::<f32>();
            assert!((value - case.loss).abs() < 2e-6 * case.loss, "{value} for {}", case.loss);
            let Some(expected) = case.gradient else { continue };
            let gradient = logits.grad(&loss.backward()).unwrap().into_data();
            let gradient: Vec<f32> = gradient.try_to_vec().unwrap();
            for (found, expected) in gradient.iter().zip(expected.concat()) {
                assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn equal_weights_of_any_size_leave_plain_targets_as_they_are() {
        for weight in [1.0, 0.125, 4.0] {
            let mut targets = Targets::one_hot(&[2, 0, 1, 1], 3);
            weigh(&mut targets, &[weight; 3], LabelSmoothing::default());
            assert_eq!(targets, Targets::one_hot(&[2, 0, 1, 1], 3));
        }
    }

    #[test]
    fn a_batch_that_weighs_nothing_has_no_loss_and_no_gradient() {
        let mut targets = Targets::one_hot(&[1, 1], 2);
        weigh(&mut targets, &[1.0, 0.0], LabelSmoothing::default());
        assert_eq!(targets.into_probabilities(), [0.0; 4]);
    }

    #[test]
    fn balanced_weights_give_every_class_that_has_images_the_same_total() {
        let counts = [50, 1, 0, 9];
        let weights = ClassWeights::Balanced.of(&counts, &names(&["a", "b", "c", "d"])).unwrap();
        let totals: Vec<f64> = weights.iter().zip(counts).map(|(w, n)| w * n as f64).collect();
        assert_eq!(totals, [20.0, 20.0, 0.0, 20.0]);
    }

    #[test]
    fn given_weights_are_wanted_for_all_classes_and_no_others() {
        let given = |table: &str| ClassWeights::Given(toml::from_str(table).unwrap());
        let classes = names(&["cat", "dog"]);
        assert_eq!(given("dog = 2.5\ncat = 1").of(&[1, 1], &classes), Ok(vec![1.0, 2.5]));
        let error = given("cow = 1\ncat = 1").of(&[1, 1], &classes).unwrap_err();
        assert!(error.contains("missing: `dog`; not among them: `cow`"), "{error}");
        let idle = given("cat = 0\ndog = 1").of(&[5, 0], &classes).unwrap_err();
        assert!(idle.contains("with images and a weight above 0"), "{idle}");
        for wrong in ["cat = -1.0", "cat = nan", "cat = 0"] {
            assert!(given(wrong).check().is_err(), "{wrong}");
        }
    }

    #[test]
    fn weights_survive_toml_and_come_from_files() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct File {
            class_weights: ClassWeights,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.toml");
        fs::write(&path, "cat = 1.5\n\"T-shirt/top\" = 2\n").unwrap();
        let read: ClassWeights = path.to_str().unwrap().parse().unwrap();
        for class_weights in ["balanced".parse().unwrap(), read] {
            let file = File { class_weights };
            let text = toml::to_string(&file).unwrap();
            assert_eq!(toml::from_str::<File>(&text).unwrap(), file);
            let json = serde_json::to_value(&file).unwrap();
            assert_eq!(serde_json::from_value::<File>(json).unwrap(), file);
        }
        fs::write(&path, "cat: 1.5").unwrap();
        for wrong in [path.to_str().unwrap(), "no such file"] {
            let error = wrong.parse::<ClassWeights>().unwrap_err();
            assert!(error.starts_with(wrong) && error.contains("expected a line"), "{error}");
        }
        assert!(toml::from_str::<File>("class_weights = \"even\"").is_err());
    }
}
