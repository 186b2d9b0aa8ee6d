//! The sign-flip test: whether a mean of differences is more than chance, whatever their distribution.

use serde::Serialize;

use super::draws::Draws;

/// As many differences are tried with every combination of signs: a million of them.
const ENUMERATED: usize = 20;

/// So many combinations are drawn for more differences.
const DRAWN: usize = 100_000;

/// Seed of what is drawn.
const SEED: u64 = 1935;

/// Sums that differ by less than this share of all that is summed are the same but for rounding.
const ROUNDING: f64 = 1e-10;

/// How many of all ways to flip the signs of differences by seed give a mean as far from 0 as theirs, or farther.
///
/// Without any effect, a difference and its negative are equally likely if the arms can be swapped: that is all it
/// takes for granted. Up to 20 differences all `2ⁿ` ways are counted; of more, 100,000 are drawn by a fixed seed, and
/// `p = (hits + 1) / (draws + 1)`.
///
/// Fisher, "The Design of Experiments", 1935, §21; the drawn p: Phipson and Smyth, [Permutation p-values should never
/// be zero](https://doi.org/10.2202/1544-6115.1585), 2010.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignFlip {
    /// Share of the ways that are as far out, in `(0, 1]`.
    pub p: f64,
    /// The smallest p that so many differences can reach: `2 / 2ⁿ` counted, `1 / (draws + 1)` drawn. Where it is above
    /// the level, no differences would ever be called clear.
    pub smallest: f64,
    /// Whether all ways were counted.
    pub exact: bool,
}

impl SignFlip {
    /// Flips the signs of `by_seed`. `None` of fewer than two differences, and if one is not a number.
    pub fn of(by_seed: &[f64]) -> Option<Self> {
        if by_seed.len() < 2 || by_seed.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        let all: f64 = by_seed.iter().map(|difference| difference.abs()).sum();
        let far = by_seed.iter().sum::<f64>().abs() - ROUNDING * all;
        Some(match by_seed.len() <= ENUMERATED {
            true => Self::counted(by_seed, far),
            false => Self::drawn(by_seed, far),
        })
    }

    /// All combinations of signs. Half of them are enough, with the first sign kept: the others are their negatives.
    fn counted(by_seed: &[f64], far: f64) -> Self {
        // One difference is flipped at a time, so that every combination comes once (a Gray code). What rounding adds
        // up to over half a million steps stays below what counts as the same.
        let mut signed = by_seed.to_vec();
        let ways = 1_u32 << (by_seed.len() - 1);
        let mut sum: f64 = signed.iter().sum();
        let mut hits = u32::from(sum.abs() >= far);
        for way in 1..ways {
            if let Some(flipped) = signed.get_mut(way.trailing_zeros() as usize + 1) {
                sum -= 2.0 * *flipped;
                *flipped = -*flipped;
            }
            hits += u32::from(sum.abs() >= far);
        }
        let share = |hits: u32| f64::from(hits) / f64::from(ways);
        Self { p: share(hits), smallest: share(1), exact: true }
    }

    /// Combinations that are drawn.
    fn drawn(by_seed: &[f64], far: f64) -> Self {
        let mut draws = Draws::of(SEED);
        let mut is_hit = |_: &usize| {
            let mut sum = 0.0;
            for some in by_seed.chunks(64) {
                let mut bits = draws.bits();
                for difference in some {
                    sum += if bits & 1 == 0 { *difference } else { -difference };
                    bits >>= 1;
                }
            }
            sum.abs() >= far
        };
        let hits = (0..DRAWN).filter(|draw| is_hit(draw)).count();
        let share = |hits: usize| (hits + 1) as f64 / (DRAWN + 1) as f64;
        Self { p: share(hits), smallest: share(0), exact: false }
    }
}

#[cfg(test)]
mod tests {
    use super::super::paired_t::PairedT;
    use super::super::reference::{cases, close_to, number, numbers};
    use super::*;

    #[test]
    fn counted_shares_are_those_of_scipy() {
        for case in cases("sign_flip") {
            let found = SignFlip::of(&numbers(&case, "by_seed")).unwrap();
            assert!(found.exact);
            close_to(found.p, number(&case, "p"), 1e-15);
        }
    }

    #[test]
    fn of_one_sign_the_share_is_the_smallest_there_is() {
        for n in [2, 3, 5, 10, 20] {
            let by_seed: Vec<f64> = (0..n).map(|seed| 0.1 + 0.01 * f64::from(seed)).collect();
            let found = SignFlip::of(&by_seed).unwrap();
            assert_eq!(
                found,
                SignFlip { p: found.smallest, smallest: 0.5_f64.powi(n - 1), exact: true }
            );
        }
    }

    #[test]
    fn ties_but_for_rounding_count() {
        // Sums of ±0.1, ±0.2, ±0.3 are 0 twice, ±0.2, ±0.4, ±0.6 twice each but for their last digits.
        let found = SignFlip::of(&[0.1, 0.2, -0.3]).unwrap();
        assert_eq!(found.p, 1.0);
        let found = SignFlip::of(&[0.1, -0.2, 0.3]).unwrap();
        assert_eq!(found.p, 0.75);
        assert_eq!(SignFlip::of(&[0.0; 6]).unwrap().p, 1.0);
    }

    #[test]
    fn drawn_shares_are_near_the_t_tests_and_the_same_again() {
        let by_seed: Vec<f64> = (0..40).map(|seed| f64::from(seed * 17 % 40) - 16.0).collect();
        let found = SignFlip::of(&by_seed).unwrap();
        assert!(!found.exact && found.smallest == 1.0 / 100_001.0);
        let p = PairedT::of(&by_seed).unwrap().p;
        assert!((found.p - p).abs() < 0.01, "{found:?}, t-test {p}");
        assert_eq!(SignFlip::of(&by_seed), Some(found));
    }

    #[test]
    fn too_little_and_what_is_no_number_say_nothing() {
        for by_seed in [vec![], vec![0.3], vec![0.3, f64::NAN], vec![f64::INFINITY, 0.0]] {
            assert_eq!(SignFlip::of(&by_seed), None, "{by_seed:?}");
        }
    }
}
