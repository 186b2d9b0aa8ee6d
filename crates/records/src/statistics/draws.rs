//! Random numbers of statistics: always of a fixed seed, so that the same runs are always judged the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A generator.
pub(super) struct Draws {
    rng: ChaCha8Rng,
    /// The second of two normal numbers that are drawn together.
    spare: Option<f64>,
}

impl Draws {
    /// The generator of a seed.
    pub(super) fn of(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), spare: None }
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A whole number below `end`, which is far below 2³²: what one is drawn more often than another is too little
    /// to see.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// A number in `(−1, 1)`, of 2⁵³ that lie evenly.
    fn sided(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) * 2.0_f64.powi(-52) - 1.0
    }

    /// A normally distributed number with mean 0 and variance 1: of a point that is drawn evenly in the unit circle,
    /// both coordinates, scaled.
    ///
    /// Marsaglia and Bray, [A convenient method for generating normal variables](https://doi.org/10.1137/1006063),
    /// 1964.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (self.sided(), self.sided());
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_the_moments_of_the_normal_distribution() {
        let mut draws = Draws::of(1);
        let drawn: Vec<f64> = (0..100_000).map(|_| draws.normal()).collect();
        let moment = |power| drawn.iter().map(|x| x.powi(power)).sum::<f64>() / 100_000.0;
        // Within four standard errors: √(1, 2, 15, 96 over 100,000).
        for (power, expected, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0_f64)]
        {
            let error = (variance / 100_000.0_f64).sqrt();
            assert!((moment(power) - expected).abs() < 4.0 * error, "{power}: {}", moment(power));
        }
        // Neighbours are drawn together, and have nothing in common.
        let products: f64 = drawn.chunks(2).map(|pair| pair.iter().product::<f64>()).sum();
        assert!(products.abs() < 4.0 * 50_000.0_f64.sqrt(), "{products}");
    }

    #[test]
    fn whole_numbers_are_drawn_evenly_and_the_same_again() {
        let mut counts = [0_usize; 7];
        let mut draws = Draws::of(2);
        (0..70_000).for_each(|_| counts[draws.below(7)] += 1);
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 400), "{counts:?}");
        let again = |seed| (0..5).map(|_| Draws::of(seed).bits()).collect::<Vec<_>>();
        assert_eq!(again(3), again(3));
        assert_ne!(again(3), again(4));
    }
}
