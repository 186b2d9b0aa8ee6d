//! Images whose labels are likely wrong, by networks that have not trained on them: what `label-errors` finds.

use crate::number::{count, counted, either, percent};
use crate::origin::Origin;

/// Images by how little a network that has not trained on them believes their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelErrorsRecord {
    /// Name of the data set.
    pub dataset: String,
    /// Name of each class, in label order.
    pub class_names: Vec<String>,
    /// How many networks have answered, each for other images: the folds of a cross-validation, or the one of a run.
    pub networks: usize,
    /// All images, the likeliest error first.
    pub ranked: Vec<Suspect>,
    /// How many labels were made wrong on purpose, and how many of them were found; `None` without label noise.
    pub noise: Option<FoundByNoise>,
    /// Where this comes from.
    pub origin: Origin,
}

/// An image with its label, and what a network that has not trained on it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Its place among the images that the data set has for training and validation, counted from 0.
    pub index: usize,
    /// Its file, of people's own pictures; from their folder on.
    pub file: Option<String>,
    /// Which of the networks has answered, counted from 1.
    pub network: usize,
    /// The label that the image has, with label noise the noisy one.
    pub label: usize,
    /// The most probable class.
    pub predicted: usize,
    /// Probability of the label, in `[0, 1]`.
    pub self_confidence: f64,
    /// Probability of the most probable class, in `[0, 1]`.
    pub probability: f64,
    /// Whether label noise has made the label wrong; `None` without label noise.
    pub is_wrong: Option<bool>,
    /// The image, if it is among those that are shown.
    pub picture: Option<SuspectPicture>,
}

/// The pixels of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct SuspectPicture {
    /// Channels (1 or 3), height, width.
    pub shape: [usize; 3],
    /// One byte a value, in the order of `shape`.
    pub pixels: Vec<u8>,
}

/// How well a ranking finds the labels that were made wrong on purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundByNoise {
    /// The recipe's label noise, such as `2`.
    pub setting: String,
    /// Labels that are wrong.
    pub wrong: usize,
    /// Images at the head of the ranking that are looked at: as many as labels were replaced.
    pub looked_at: usize,
    /// How many of these have a wrong label.
    pub found: usize,
}

impl FoundByNoise {
    /// Share of wrong labels among the images that are looked at; not a number if there are none.
    pub fn precision(&self) -> f64 {
        self.found as f64 / self.looked_at as f64
    }

    /// Share of all wrong labels that is among the images that are looked at; not a number if there are none.
    pub fn recall(&self) -> f64 {
        self.found as f64 / self.wrong as f64
    }

    /// Both as a sentence. `images`: how many are ranked.
    pub fn sentence(&self, images: usize) -> String {
        let number = |value: usize| count(value as u64);
        let first = match self.looked_at {
            1 => "the first image of the ranking has".to_owned(),
            several => format!("the first {} images of the ranking have", number(several)),
        };
        format!(
            "label noise {}: {} of {} {} made wrong; {first} {} of them (precision {}, recall {})",
            self.setting,
            number(self.wrong),
            counted(images, "label"),
            either(self.wrong, "was", "were"),
            number(self.found),
            percent(self.precision()),
            percent(self.recall())
        )
    }
}

impl LabelErrorsRecord {
    /// Puts the likeliest error first: by the probability of the label, the least first.
    ///
    /// It is the self-confidence of Northcutt et al., [Confident Learning](https://arxiv.org/abs/1911.00068), Journal of
    /// Artificial Intelligence Research 2021. A probability that is not a number comes last; the same probability goes
    /// by the place in the data set.
    pub fn rank(suspects: &mut [Suspect]) {
        suspects.sort_by(|a, b| {
            let (x, y) = (a.self_confidence, b.self_confidence);
            // By `total_cmp` one with a sign would come first.
            let by_confidence = x.partial_cmp(&y).unwrap_or(x.is_nan().cmp(&y.is_nan()));
            by_confidence.then(a.index.cmp(&b.index))
        });
    }

    /// How many images have an answer that is not their label.
    pub fn disagreements(&self) -> usize {
        self.ranked.iter().filter(|it| it.predicted != it.label).count()
    }

    /// What was found, as a sentence.
    pub fn sentence(&self) -> String {
        let all = counted(self.ranked.len(), "image");
        let disagree = self.disagreements();
        let have = either(disagree, "has", "have");
        let disagree = count(disagree as u64);
        let who = match self.networks {
            1 => "a network that has not trained on them".to_owned(),
            many => format!(
                "{} networks, each asked for those that it has not trained on",
                count(many as u64)
            ),
        };
        format!("{disagree} of {all} {have} a label that is not the most probable class, by {who}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_least_believed_label_comes_first_and_ties_go_by_place() {
        let suspect = |index, self_confidence| Suspect {
            index,
            self_confidence,
            ..sample::label_errors().ranked[0].clone()
        };
        for nan in [f64::NAN, -f64::NAN] {
            let mut ranked = [suspect(3, 0.5), suspect(9, nan), suspect(2, 0.5), suspect(7, 0.001)];
            LabelErrorsRecord::rank(&mut ranked);
            assert_eq!(ranked.map(|it| it.index), [7, 2, 3, 9]);
        }
        let mut neither = [suspect(5, f64::NAN), suspect(4, -f64::NAN), suspect(1, f64::NAN)];
        LabelErrorsRecord::rank(&mut neither);
        assert_eq!(neither.map(|it| it.index), [1, 4, 5]);
    }

    #[test]
    fn sentences_count_disagreements_and_what_noise_was_found() {
        let mut record = sample::label_errors();
        assert_eq!(
            record.sentence(),
            "2 of 4 images have a label that is not the most probable class, by 2 networks, each \
             asked for those that it has not trained on"
        );
        record.networks = 1;
        assert!(record.sentence().ends_with("by a network that has not trained on them"));
        record.ranked.retain(|it| it.predicted != it.label);
        record.ranked.truncate(1);
        assert!(record.sentence().starts_with("1 of 1 image has a label that is not "));
        let noise = record.noise.unwrap();
        assert_eq!((noise.precision(), noise.recall()), (0.5, 1.0));
        assert_eq!(
            noise.sentence(4),
            "label noise 50: 1 of 4 labels was made wrong; the first 2 images of the ranking have 1 \
             of them (precision 50.00 %, recall 100.00 %)"
        );
        let noise = FoundByNoise { wrong: 3, looked_at: 1, ..noise };
        assert!(noise.sentence(4).starts_with(
            "label noise 50: 3 of 4 labels were made wrong; the first image of the ranking has 1 \
             of them (precision 100.00 %"
        ));
    }
}
