//! What may be said of a difference: between a source's numbers and ours, and between two networks.

use backburn_records::statistics::{Better, PairedDifference, Spread, Verdict};
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

/// Two networks' answers to the same images.
pub(crate) type Pair<'a> = (&'a Predictions, &'a Predictions);

/// How much more often the second network of each pair, a pair a seed, is right, in words, and whether that is
/// more than chance.
///
/// Of one pair by McNemar's test: of the images that only one of the two gets right, as many would go to either
/// by chance, give or take the root of their number; twice that is called more than chance. Of several seeds by
/// the 95 % interval of their paired differences.
///
/// McNemar, [Note on the sampling error of the difference between correlated proportions](
/// https://doi.org/10.1007/BF02295996), 1947.
pub(crate) fn difference(pairs: &[Pair<'_>]) -> String {
    let differences: Vec<f64> =
        pairs.iter().map(|(a, b)| b.scores().accuracy - a.scores().accuracy).collect();
    let is_clear = match pairs {
        [pair] => exceeds_chance(only_one_right(*pair)),
        _ => {
            let paired = PairedDifference::by_interval(differences.clone(), Better::Higher);
            paired.verdict != Verdict::NoClearEffect
        }
    };
    let verdict = if is_clear { "more than chance" } else { "no more than chance" };
    format!("{}, {verdict}", number::points(Spread::of(&differences).mean))
}

/// Images that only the first, and that only the second gets right.
fn only_one_right((a, b): Pair<'_>) -> [usize; 2] {
    let count = |one: &Predictions, other: &Predictions| {
        (0..one.images()).filter(|&i| one.is_right(i) && !other.is_right(i)).count()
    };
    [count(a, b), count(b, a)]
}

fn exceeds_chance([a, b]: [usize; 2]) -> bool {
    a.abs_diff(b) as f64 > 2.0 * ((a + b) as f64).sqrt()
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
    fn more_than_two_roots_are_more_than_chance() {
        assert!(!exceeds_chance([0, 0]));
        assert!(!exceeds_chance([4, 0]), "4 is 2·√4");
        assert!(exceeds_chance([5, 0]));
        assert!(!exceeds_chance([60, 40]), "20 is 2·√100");
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
