//! How strict each look must be, found by simulating studies without any effect.

use statrs::distribution::{ContinuousCDF, Normal};

use super::super::draws::Draws;
use super::super::student::{LEVEL, critical};

/// Δ of Wang and Tsiatis: 0 gives O'Brien and Fleming's levels, 0.5 Pocock's, which are the same at every look.
///
/// With looks up to 30 seeds, an arm that is off by one standard deviation is told apart after 12.5 seeds on average
/// (Δ of 0: 16.7; 0.25: 13.9; 0.5: 11.9), one that is off by half of it in 65 of 100 studies (74; 71; 58):
/// `tests/pytorch/small_samples.py shapes`.
const SHAPE: f64 = 0.4;

/// So many studies are simulated: of a chance of 5 %, they know it within 0.07 points (two standard errors).
const STUDIES: usize = 400_000;

/// Seed of what is drawn.
const SEED: u64 = 1977;

/// Studies that would not be stopped at this level of the t-test at any look decide nothing: it is twice the greatest
/// level of any boundary.
const LARGEST: f64 = 0.2;

/// In which direction a t statistic must be far out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sides {
    /// Above, as a one-sided test.
    Above,
    /// Either.
    Both,
}

/// The levels of the paired t-test at each look, both directions together, that belong to a constant: `2 (1 − Φ(C ·
/// (n / n_last)^(Δ − ½)))` with n seeds.
pub(super) fn levels(looks: &[usize], constant: f64) -> impl Iterator<Item = f64> {
    let last = looks.last().map_or(1.0, |last| *last as f64);
    let distance = move |look: &usize| constant * (*look as f64 / last).powf(SHAPE - 0.5);
    looks.iter().map(move |look| 2.0 * Normal::standard().sf(distance(look)))
}

/// What the levels of all looks are computed from.
#[derive(Debug, PartialEq)]
pub(super) struct Constants {
    /// Of what tells an arm apart, by the number of arms that are open, from one.
    pub(super) different: Vec<f64>,
    /// Of what settles that there is no difference.
    pub(super) settled: f64,
}

impl Constants {
    /// Those of a single look, which is a t-test.
    pub(super) fn of_one_look(arms: usize) -> Self {
        let constant = |level: f64| -Normal::standard().inverse_cdf(level / 2.0);
        let different = (1..=arms).map(|open| constant(LEVEL / open as f64)).collect();
        Self { different, settled: constant(2.0 * LEVEL) }
    }

    /// Those that hold in simulated studies, for looks that rise and begin with 2 or more.
    pub(super) fn simulated(looks: &[usize], arms: usize) -> Self {
        let calibration = Calibration::drawn(looks, STUDIES, SEED);
        let constant = |open: usize| calibration.constant(LEVEL / open as f64, Sides::Both);
        Self {
            different: (1..=arms).map(constant).collect(),
            settled: calibration.constant(LEVEL, Sides::Above),
        }
    }
}

/// Studies without any effect, as their t statistics at every look.
pub(super) struct Calibration<'a> {
    looks: &'a [usize],
    /// The t statistics of the studies that may be stopped, those of one after the other.
    statistics: Vec<f64>,
    studies: usize,
}

impl<'a> Calibration<'a> {
    /// Simulates so many studies by a seed of their own.
    pub(super) fn drawn(looks: &'a [usize], studies: usize, seed: u64) -> Self {
        let distances: Vec<f64> =
            looks.iter().map(|look| critical(LARGEST, *look as f64 - 1.0)).collect();
        let mut draws = Draws::of(seed);
        let (mut statistics, mut study) = (Vec::new(), Vec::with_capacity(looks.len()));
        for _ in 0..studies {
            study.clear();
            let (mut sum, mut squares, mut seeds) = (0.0, 0.0, 0);
            for look in looks {
                for _ in seeds..*look {
                    let difference = draws.normal();
                    sum += difference;
                    squares += difference * difference;
                }
                seeds = *look;
                let n = seeds as f64;
                // Mean over its standard error: S/n and √((Q − S²/n) / (n − 1) / n).
                study.push(sum * ((n - 1.0) / (n * squares - sum * sum)).sqrt());
            }
            let is_far = |(t, distance): (&f64, &f64)| t.abs() >= *distance;
            if study.iter().zip(&distances).any(is_far) {
                statistics.extend_from_slice(&study);
            }
        }
        Self { looks, statistics, studies }
    }

    /// The constant for which this share of the studies is stopped by chance, up to 0.05.
    pub(super) fn constant(&self, chance: f64, sides: Sides) -> f64 {
        // From a level of 0.13, above that of any test, to one of 1e-23.
        let (mut low, mut high) = (1.5, 10.0);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            if self.stopped(middle, sides) > chance { low = middle } else { high = middle }
        }
        high
    }

    /// The share of studies that are stopped at some look.
    pub(super) fn stopped(&self, constant: f64, sides: Sides) -> f64 {
        let distances: Vec<f64> = levels(self.looks, constant)
            .zip(self.looks)
            .map(|(level, look)| critical(level, *look as f64 - 1.0))
            .collect();
        let is_stopped = |study: &&[f64]| {
            study.iter().zip(&distances).any(|(t, distance)| match sides {
                Sides::Above => t >= distance,
                Sides::Both => t.abs() >= *distance,
            })
        };
        let stopped = self.statistics.chunks_exact(self.looks.len().max(1)).filter(is_stopped);
        stopped.count() as f64 / self.studies as f64
    }
}
