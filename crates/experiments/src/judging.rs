//! What may be said of a difference: between a source's numbers and ours, and between two networks.

use backburn_records::statistics::{Better, Judged};
use backburn_records::{Compared, number};
use backburn_training::evaluate::Predictions;

use super::lab::{Lab, Preset};

/// The row as it may stand beside the source's numbers, if both presets have the source's settings: only its
/// data set, `dataset`, is compared with them, and nothing of the preset that only tries an experiment out.
pub(crate) fn on_data_of_source(lab: &Lab, dataset: &str, row: Compared) -> Compared {
    match lab.preset {
        Preset::Smoke => row.not_compared("reduced preset"),
        _ if lab.data().name == dataset => row,
        _ => row.not_compared("another data set"),
    }
}

/// The row as [`on_data_of_source`] gives it, if only the paper preset has the source's settings.
pub(crate) fn as_in_source(lab: &Lab, dataset: &str, row: Compared) -> Compared {
    let row = if lab.is_paper() { row } else { row.not_compared("reduced preset") };
    on_data_of_source(lab, dataset, row)
}

/// Variance of a measured accuracy that the choice of so many images gives.
pub(crate) fn sampling_variance(accuracy: f64, images: usize) -> f64 {
    accuracy * (1.0 - accuracy) / images as f64
}

/// Two networks' answers to the same images.
pub(crate) type Pair<'a> = (&'a Predictions, &'a Predictions);

/// How much more often the second network of each pair, a pair a seed, is right, in words, and whether that is
/// more than chance: of one pair by its answers, of several by the seeds.
pub(crate) fn difference(pairs: &[Pair<'_>]) -> String {
    let judged = match pairs {
        [pair] => Judged::by_answers(only_one_right(*pair), pair.0.images(), Better::Higher),
        _ => {
            let difference = |(a, b): &Pair<'_>| b.scores().accuracy - a.scores().accuracy;
            let by_seed: Vec<f64> = pairs.iter().map(difference).collect();
            Judged::by_seeds(&by_seed, Better::Higher)
        }
    };
    let verdict = if judged.is_clear() { "more than chance" } else { "no more than chance" };
    format!("{}, {verdict}", number::points(judged.difference))
}

/// Images that only the first, and that only the second gets right.
fn only_one_right((a, b): Pair<'_>) -> [usize; 2] {
    let count = |one: &Predictions, other: &Predictions| {
        (0..one.images()).filter(|&i| one.is_right(i) && !other.is_right(i)).count()
    };
    [count(a, b), count(b, a)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of two classes: right or wrong, as `right` says.
    fn answers(right: &[bool]) -> Predictions {
        let row = |&right: &bool| if right { [1.0, 0.0] } else { [0.0, 1.0] };
        let logits: Vec<f32> = right.iter().flat_map(row).collect();
        Predictions::new(&logits, vec![0; right.len()], 2)
    }

    #[test]
    fn images_that_only_one_gets_right_are_counted_for_it() {
        let (a, b) = (answers(&[true, true, false, false]), answers(&[true, false, true, true]));
        assert_eq!(only_one_right((&a, &b)), [1, 2]);
    }

    #[test]
    fn a_difference_is_told_with_its_sign_and_a_verdict() {
        let (a, b) = (answers(&[false; 10]), answers(&[true; 10]));
        assert_eq!(difference(&[(&a, &b)]), "+100.00 points, more than chance");
        assert_eq!(difference(&[(&a, &a)]), "0.00 points, no more than chance");
        let some = answers(&[true, false, false, false, false, false, false, false, false, false]);
        assert_eq!(difference(&[(&a, &some), (&some, &a)]), "0.00 points, no more than chance");
    }
}
