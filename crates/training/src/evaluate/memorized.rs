//! How many wrong labels a network has learnt by heart.
//!
//! A label that was drawn by chance cannot be known from the image, so that a network which answers with it has
//! memorized that image: Zhang et al., [Understanding Deep Learning Requires Rethinking
//! Generalization](https://arxiv.org/abs/1611.03530), ICLR 2017; Arpit et al., [A Closer Look at Memorization in Deep
//! Networks](https://arxiv.org/abs/1706.05394), ICML 2017.

use backburn_data::loader::LoaderError;
use backburn_models::Classifier;
use backburn_records::Memorized;
use burn::tensor::Device;

use crate::evaluate::predict::predict;
use crate::evaluate::predictions::Predictions;
use crate::prepare::Prepared;
use crate::wrong_labels::WrongLabels;

/// What an evaluation copy (`network.valid()`) of a network has made of wrong labels, over all training images as
/// they are; `None` without label noise.
///
/// # Errors
///
/// As [`predict`](predict()).
pub fn memorized<N: Classifier>(
    network: &N,
    prepared: &Prepared,
    device: &Device,
) -> Result<Option<Memorized>, LoaderError> {
    let Some(wrong_labels) = &prepared.wrong_labels else { return Ok(None) };
    let answers = predict(network, &prepared.train, &prepared.normalization, device)?;
    Ok(Some(learnt_by_heart(wrong_labels, &answers)))
}

/// The same of `answers` to all training images, with the labels that were trained on.
pub(crate) fn learnt_by_heart(wrong_labels: &WrongLabels, answers: &Predictions) -> Memorized {
    let right = (0..answers.images()).filter(|&i| answers.is_right(i)).count();
    let wrong = &wrong_labels.places;
    let by_heart = wrong.iter().filter(|&&place| answers.is_right(place)).count();
    let others = answers.images() - wrong.len();
    // Of none there is no share: 0 by 0 is not a number.
    Memorized {
        wrong_labels: wrong.len(),
        learnt_by_heart: by_heart as f64 / wrong.len() as f64,
        clean_accuracy: (right - by_heart) as f64 / others as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_labels(places: &[usize]) -> WrongLabels {
        let (noise, places) = ("20".parse().unwrap(), places.to_vec());
        WrongLabels { noise, replaced: places.len() + 1, places }
    }

    /// What a network that gives these answers of three classes says of images with these labels.
    fn answers(answers: &[usize], labels: &[u16]) -> Predictions {
        let logits = |&answer: &usize| (0..3).map(move |class| f32::from(class == answer));
        let logits: Vec<f32> = answers.iter().flat_map(logits).collect();
        Predictions::new(&logits, labels.to_vec(), 3)
    }

    #[test]
    fn a_wrong_label_is_learnt_by_heart_if_it_is_the_answer() {
        // The labels of images 1 and 4 are wrong. Image 4 is answered with its own, and so are two of the others.
        let answers = answers(&[0, 1, 2, 0, 1, 2], &[0, 2, 2, 1, 1, 0]);
        let memorized = learnt_by_heart(&wrong_labels(&[1, 4]), &answers);
        assert_eq!(
            memorized,
            Memorized { wrong_labels: 2, learnt_by_heart: 0.5, clean_accuracy: 0.5 }
        );
    }

    #[test]
    fn of_no_image_there_is_no_share() {
        let answers = answers(&[0, 1], &[0, 1]);
        let none = learnt_by_heart(&wrong_labels(&[]), &answers);
        assert!(none.learnt_by_heart.is_nan());
        assert_eq!((none.wrong_labels, none.clean_accuracy), (0, 1.0));
        let all = learnt_by_heart(&wrong_labels(&[0, 1]), &answers);
        assert!(all.clean_accuracy.is_nan());
        assert_eq!((all.wrong_labels, all.learnt_by_heart), (2, 1.0));
    }
}
