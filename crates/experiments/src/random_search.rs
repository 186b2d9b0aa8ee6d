//! Learning rate and weight decay drawn at random in log space, judged by validation images: 003 §6.5.

use backburn_studies::search::range::Decades;
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;
use rand::{Rng, RngExt};

use super::few_images::{Schedule, SmallMlp, percent};
use super::images::Images;
use super::lab::Lab;

pub(super) const IMAGES: usize = 500;
pub(super) const LAYERS: usize = 6;
/// Share of the images that is held out for validation.
pub(super) const VALIDATION: f64 = 0.2;
/// 50 looks, which the source calls epochs. It takes the last for the result, three updates before its end.
pub(super) const SCHEDULE: Schedule = Schedule::new(197, 4);
pub(super) const TRIALS: usize = 100;
/// Exponents of ten.
pub(super) const LEARNING_RATES: Decades = Decades { low: -6.0, high: -2.0 };
pub(super) const WEIGHT_DECAYS: Decades = Decades { low: -8.0, high: -4.0 };
/// Trials whose range the next round searches.
pub(super) const KEPT: usize = 5;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) learning_rate: f64,
    pub(super) weight_decay: f64,
}

/// A point that was tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) point: Point,
    /// Seeds of its initial weights and batches.
    pub(super) seeds: Seeds,
    /// Validation accuracy at the last look.
    pub(super) accuracy: f64,
}

/// Trials of a round.
pub(super) fn trials(lab: &Lab) -> usize {
    lab.unless_smoke(TRIALS, 20)
}

/// The first images, shuffled and cut in two.
pub(super) struct Split {
    pub(super) train: Images,
    pub(super) valid: Images,
}

/// The rounds of a random search, best trials first.
pub(super) type Search = Vec<Vec<Trial>>;

pub(super) fn split(lab: &Lab, seeds: Seeds) -> Split {
    let all = lab.first(IMAGES);
    let mut rng = seeds.split();
    let mut shuffled: Vec<(u64, usize)> =
        (0..all.set.len()).map(|image| (rng.next_u64(), image)).collect();
    shuffled.sort_unstable();
    let order: Vec<usize> = shuffled.into_iter().map(|(_, image)| image).collect();
    let (valid, train) = order.split_at((VALIDATION * order.len() as f64) as usize);
    Split { train: all.others(all.set.select(train)), valid: all.others(all.set.select(valid)) }
}

/// All rounds of a random search; each round searches the range of the best trials before it.
pub(super) fn search(lab: &Lab, seed: u64, rounds: usize) -> Result<Search, Failure> {
    let seeds = Seeds::new(seed);
    let split = split(lab, seeds);
    let (mut learning_rates, mut weight_decays) = (LEARNING_RATES, WEIGHT_DECAYS);
    let mut all = Vec::new();
    for round in 1..=rounds {
        let mut rng = seeds.search(round);
        let mut draw = || Point {
            weight_decay: weight_decays.at(rng.random()),
            learning_rate: learning_rates.at(rng.random()),
        };
        let points: Vec<Point> = (0..trials(lab)).map(|_| draw()).collect();
        let trials = try_all(lab, &split, &points, |number| seeds.trial(round, number))?;
        lab.say(&format!(
            "seed {seed}, round {round}: best validation accuracy {}",
            percent(trials[0].accuracy)
        ));
        let kept = &trials[..KEPT];
        learning_rates = Decades::of(kept.iter().map(|trial| trial.point.learning_rate));
        weight_decays = Decades::of(kept.iter().map(|trial| trial.point.weight_decay));
        all.push(trials);
    }
    Ok(all)
}

/// Tries all points, and returns the trials with the best first.
pub(super) fn try_all(
    lab: &Lab,
    split: &Split,
    points: &[Point],
    seeds: impl Fn(usize) -> Seeds,
) -> Result<Vec<Trial>, Failure> {
    let mut trials = Vec::new();
    for (number, &point) in points.iter().enumerate() {
        let seeds = seeds(number);
        let network =
            network(point).train(lab, &split.train, SCHEDULE.of(lab), seeds, |_| Ok(()))?;
        let accuracy = network.scores(&split.valid)?.accuracy;
        trials.push(Trial { point, seeds, accuracy });
    }
    // Equals stay in the order in which they were tried.
    trials.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    Ok(trials)
}

pub(super) fn network(point: Point) -> SmallMlp {
    let Point { learning_rate, weight_decay } = point;
    SmallMlp { learning_rate, weight_decay, ..SmallMlp::new(LAYERS) }
}
