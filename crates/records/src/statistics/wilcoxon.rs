//! The signed-rank test: what others judge few runs by.

use super::spread::finite;

/// Wilcoxon's signed-rank test: of all ways to give signs to the ranks of the sizes of `by_seed`, the share whose sum
/// of ranks with a plus is as far from its middle as theirs, or farther, in either direction. Exact for any number;
/// equal sizes share the mean of their ranks, and differences of 0 are left out, as in the source.
///
/// The smallest share that n differences can reach is `2 / 2ⁿ`: five are never clear at 5 %. `None` of no difference,
/// and if one is not a number.
///
/// Wilcoxon, [Individual comparisons by ranking methods](https://doi.org/10.2307/3001968), 1945.
pub fn wilcoxon(by_seed: &[f64]) -> Option<f64> {
    if by_seed.is_empty() || finite(by_seed).len() < by_seed.len() {
        return None;
    }
    let mut differences: Vec<f64> = by_seed.iter().copied().filter(|one| *one != 0.0).collect();
    differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    // Twice the ranks, and so whole numbers where sizes share a rank: from the i-th to the j-th it is i + j.
    let (mut ranks, mut before) = (Vec::new(), 0);
    for same in differences.chunk_by(|a, b| a.abs() == b.abs()) {
        let rank = 2 * before + same.len() + 1;
        ranks.extend(same.iter().map(|difference| (rank, *difference > 0.0)));
        before += same.len();
    }
    let all: usize = ranks.iter().map(|(rank, _)| rank).sum();
    let plus: usize = ranks.iter().filter(|(_, is_plus)| *is_plus).map(|(rank, _)| rank).sum();
    let chances = chances_of_sums(ranks.iter().map(|(rank, _)| *rank), all);
    // From the middle, `all / 2`, twice as far as this.
    let far = (2 * plus).abs_diff(all);
    let is_as_far = |(sum, _): &(usize, &f64)| (2 * sum).abs_diff(all) >= far;
    let share: f64 = chances.iter().enumerate().filter(is_as_far).map(|(_, chance)| chance).sum();
    Some(share.min(1.0))
}

/// The chance of every sum from 0 to `all`, if each of `ranks` is in it or not by the toss of a coin.
fn chances_of_sums(ranks: impl Iterator<Item = usize>, all: usize) -> Vec<f64> {
    let mut chances = vec![0.0; all + 1];
    if let Some(none) = chances.first_mut() {
        *none = 1.0;
    }
    for rank in ranks {
        let without = chances.clone();
        let with = std::iter::repeat_n(&0.0, rank).chain(&without);
        for (chance, (without, with)) in chances.iter_mut().zip(without.iter().zip(with)) {
            *chance = (without + with) / 2.0;
        }
    }
    chances
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number, numbers};
    use super::*;

    #[test]
    fn shares_are_those_of_scipy() {
        for case in cases("wilcoxon") {
            let found = wilcoxon(&numbers(&case, "by_seed")).unwrap();
            close_to(found, number(&case, "p"), 1e-12);
        }
    }

    #[test]
    fn five_of_one_sign_are_not_clear() {
        assert_eq!(wilcoxon(&[1.0, 2.0, 3.0, 4.0, 5.0]), Some(0.0625));
        assert_eq!(wilcoxon(&[-1.0, -2.0, -3.0, -4.0, -5.0, 0.0]), Some(0.0625));
        assert_eq!(wilcoxon(&[1.0; 5]), Some(0.0625));
    }

    #[test]
    fn no_difference_is_no_evidence_and_what_is_no_number_says_nothing() {
        assert_eq!(wilcoxon(&[0.0; 4]), Some(1.0));
        assert_eq!(wilcoxon(&[]), None);
        assert_eq!(wilcoxon(&[0.1, f64::NAN]), None);
    }
}
