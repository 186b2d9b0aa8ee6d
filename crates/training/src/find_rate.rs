//! The learning-rate range test: a short training whose rate rises step by step.
//!
//! Smith, [Cyclical Learning Rates for Training Neural Networks](https://arxiv.org/abs/1506.01186),
//! WACV 2017, section 3.3; with an exponential rise, smoothing and an early end as in fastai's
//! `lr_find`.

use serde::Serialize;

use crate::meter::{EpochInProgress, Meter};
use crate::optimize::gradients::Accumulated;
use crate::setup::Setup;
use crate::state::State;
use crate::watch::{Event, Watch};

/// The smoothed loss averages over about this share of the steps, one in so many.
const AVERAGED_SHARE: f64 = 20.0;

/// The test ends where the smoothed loss is more than this many times its lowest value.
const RISE: f64 = 4.0;

/// At the beginning the rate is too small to change anything: one step in so many shows where the
/// loss starts, and no slope but noise.
const START_SHARE: usize = 10;

/// A slope is taken over one step in so many to either side; over fewer it is mostly noise.
const SLOPE_SHARE: usize = 20;

/// What the loss must fall by to have fallen, as a share of where it started.
const LEAST_FALL: f64 = 0.05;

/// What the loss must fall by, in standard deviations of what noise makes it fall by: the lowest of a hundred
/// values that only scatter lies two and a half below their mean.
const LEAST_DEVIATIONS: f64 = 4.0;

/// The rates to try: from the first to the last, each greater than the one before by the same
/// factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RateRange {
    /// First learning rate, positive.
    pub from: f64,
    /// Last learning rate, greater than the first.
    pub to: f64,
    /// Optimizer steps, each with a rate of its own; at least [`RateRange::LEAST_STEPS`].
    pub steps: usize,
}

impl RateRange {
    /// Least number of steps; with fewer there is nothing to smooth.
    pub const LEAST_STEPS: usize = 20;

    /// # Errors
    ///
    /// If a value is outside its range: its flag, the range and what was found.
    pub fn check(&self) -> Result<(), String> {
        let Self { from, to, steps } = *self;
        if !(from > 0.0 && from.is_finite()) {
            return Err(format!("`--from`: expected a positive number, found {from}"));
        }
        if !(to > from && to.is_finite()) {
            return Err(format!("`--to`: expected more than `--from` ({from:e}), found {to:e}"));
        }
        if steps < Self::LEAST_STEPS {
            let least = Self::LEAST_STEPS;
            return Err(format!("`--steps`: expected at least {least}, found {steps}"));
        }
        Ok(())
    }

    /// The learning rate of `step`, counted from 0: `from · (to / from)^(step / (steps − 1))`.
    pub fn rate(&self, step: usize) -> f64 {
        let share = step as f64 / (self.steps - 1) as f64;
        (self.from.ln() * (1.0 - share) + self.to.ln() * share).exp()
    }

    /// What each step keeps of the running mean of the losses: `1 − 20 / steps`, so that the curve
    /// lags by a twentieth of the range for any number of steps. 100 steps have 0.8, 1000 have
    /// fastai's 0.98, which on 100 steps would lag by half of them.
    pub fn smoothing(&self) -> f64 {
        (1.0 - AVERAGED_SHARE / self.steps as f64).max(0.0)
    }
}

/// The loss by learning rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateCurve {
    /// Why it goes no further.
    pub end: RateCurveEnd,
    /// Learning rate of each step, per step.
    pub rates: Vec<f64>,
    /// What was minimized in each step, the mean over its images in nats, before the step was taken: what the
    /// rates of the steps before led to.
    pub losses: Vec<f64>,
    /// The exponential moving average of the losses, corrected for its start at zero.
    pub smoothed: Vec<f64>,
    /// What each step keeps of the average, in `[0, 1)`; see [`RateRange::smoothing`].
    pub smoothing: f64,
}

/// Why a range test came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateCurveEnd {
    /// All rates were tried.
    LastRate,
    /// The smoothed loss was more than four times its lowest value.
    Rose,
    /// The loss of the next step was not finite.
    NotFinite,
}

/// What a curve says about the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Suggestions {
    /// Where the smoothed loss falls most steeply against the logarithm of the rate, measured
    /// over a tenth of the steps.
    pub steepest: f64,
    /// Where the smoothed loss is lowest. Too much for a training: a little further it rises.
    pub lowest: f64,
    /// A tenth of [`Self::lowest`].
    pub tenth_of_lowest: f64,
}

impl Suggestions {
    /// The rate to train with, as the peak of a schedule: a tenth of the lowest point's.
    ///
    /// The steepest point is as usual a choice, but can follow the noise of the batches. From the
    /// smallest to the greatest of five seeds it moved by a factor of 390 in `find-rate digits`,
    /// where this one moved by 11; of 1.5 and 2 in `find-rate mnist --model mlp --optimizer adam`,
    /// and of 155 and 5 with `--optimizer sgd`.
    pub fn recommended(&self) -> f64 {
        self.tenth_of_lowest
    }
}

/// Why a curve says nothing about the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuggestion {
    /// The loss is flat, or rises only.
    #[error(
        "the loss never fell by more than noise; try a wider range of rates with `--from` and \
         `--to`, or more `--steps`"
    )]
    NeverFell,
    /// The lowest point of the loss is its last.
    #[error("the loss was still falling at the last rate; set a greater `--to`")]
    StillFalling,
    /// The lowest point of the loss is at its beginning.
    #[error("the loss was lowest at one of the first rates; set a smaller `--from`")]
    LowestAtStart,
}

impl RateCurve {
    /// The curve of these losses, a step each, up to where it ends.
    pub fn new(range: RateRange, losses: &[f64]) -> Self {
        let keep = range.smoothing();
        let mut curve = Self {
            end: RateCurveEnd::LastRate,
            rates: Vec::new(),
            losses: Vec::new(),
            smoothed: Vec::new(),
            smoothing: keep,
        };
        let (mut average, mut lowest) = (0.0, f64::INFINITY);
        for (step, &loss) in losses.iter().enumerate() {
            if !loss.is_finite() {
                curve.end = RateCurveEnd::NotFinite;
                break;
            }
            average = keep * average + (1.0 - keep) * loss;
            let smoothed = average / (1.0 - keep.powf((step + 1) as f64));
            curve.rates.push(range.rate(step));
            curve.losses.push(loss);
            curve.smoothed.push(smoothed);
            lowest = smoothed.min(lowest);
            // Four times the lowest, and still a rise if that should be negative.
            if smoothed > lowest + (RISE - 1.0) * lowest.abs() {
                curve.end = RateCurveEnd::Rose;
                break;
            }
        }
        curve
    }

    /// Steps at the beginning that show where the loss starts; at least 1.
    fn start(&self) -> usize {
        (self.rates.len() / START_SHARE).max(1)
    }

    /// The step with the lowest smoothed loss after the start, counted from 0; none if there is
    /// no such step. At the start the average is still of few losses, and low by chance.
    pub fn lowest(&self) -> Option<usize> {
        (self.start()..self.smoothed.len())
            .min_by(|&a, &b| self.smoothed[a].total_cmp(&self.smoothed[b]))
    }

    /// # Errors
    ///
    /// If the curve does not fall and rise again, so that it says nothing.
    pub fn suggest(&self) -> Result<Suggestions, NoSuggestion> {
        let lowest = self.lowest().ok_or(NoSuggestion::NeverFell)?;
        let start = self.start();
        let start_loss = self.losses[..start].iter().sum::<f64>() / start as f64;
        let fall = start_loss - self.smoothed[lowest];
        // Of the smoothed loss, and of the mean that it is compared with.
        let variance = (1.0 - self.smoothing) / (1.0 + self.smoothing) + 1.0 / start as f64;
        let noise = LEAST_DEVIATIONS * self.deviation() * variance.sqrt();
        if fall <= noise.max(LEAST_FALL * start_loss.abs()) {
            return Err(NoSuggestion::NeverFell);
        }
        if lowest + 1 == self.rates.len() && self.end == RateCurveEnd::LastRate {
            return Err(NoSuggestion::StillFalling);
        }
        let tenth_of_lowest = self.rates[lowest] / 10.0;
        let reach = (self.rates.len() / SLOPE_SHARE).max(1);
        let fall = |step: usize| self.smoothed[step - reach] - self.smoothed[step + reach];
        // All steps are equally far apart on the logarithmic axis.
        let steepest =
            (start..=lowest - reach.min(lowest)).max_by(|&a, &b| fall(a).total_cmp(&fall(b)));
        match steepest {
            Some(step) if tenth_of_lowest > self.rates[0] => Ok(Suggestions {
                steepest: self.rates[step],
                lowest: self.rates[lowest],
                tenth_of_lowest,
            }),
            _ => Err(NoSuggestion::LowestAtStart),
        }
    }

    /// The result as a person reads it. `range`: the rates that were asked for.
    pub fn summary(&self, range: RateRange) -> String {
        let end = match self.end {
            RateCurveEnd::LastRate => "to the last",
            RateCurveEnd::Rose => "until the loss was four times its lowest",
            RateCurveEnd::NotFinite => "until the loss was not finite",
        };
        let tried = format!("tried {} of {} rates, {end}", self.rates.len(), range.steps);
        match self.suggest() {
            Ok(found) => format!(
                "{tried}\n\
                 the loss falls most steeply at {:.1e} and is lowest at {:.1e}\n\
                 recommended: --learning-rate {:.1e}\n\
                 (a tenth of the lowest's, which noise moves less than the steepest's)",
                found.steepest,
                found.lowest,
                found.recommended(),
            ),
            Err(reason) => format!("{tried}\nno suggestion can be made: {reason}"),
        }
    }

    /// Standard deviation of a loss, from the median difference between neighbours: neither the
    /// slow fall of the loss nor the few steps of its rise count much.
    fn deviation(&self) -> f64 {
        let pairs = self.losses.windows(2);
        let mut differences: Vec<f64> = pairs.map(|pair| (pair[1] - pair[0]).abs()).collect();
        differences.sort_by(f64::total_cmp);
        let median = differences.get(differences.len() / 2).copied().unwrap_or(0.0);
        // Half of a normal distribution's values lie within 0.6745 standard deviations, and a
        // difference scatters by √2 more than a value.
        median / (0.6745 * 2.0_f64.sqrt())
    }
}

/// Trains from where `state` stands with the rates of `range`. Gives `None` if it is interrupted.
///
/// Everything is as in training, with two exceptions: the rate comes from `range` and not from the
/// recipe's schedule, and every step takes as many batches as the recipe accumulates, epoch after
/// epoch. Validation and test images are not looked at.
pub fn measure(
    setup: &Setup<'_>,
    state: &mut State,
    range: RateRange,
    watch: &mut dyn Watch,
) -> Option<RateCurve> {
    let recipe = setup.recipe;
    let mut batches = (1..).flat_map(|epoch| {
        let numbered = setup.batches(epoch).enumerate();
        numbered.map(move |(number, batch)| (epoch, number, batch))
    });
    watch.event(Event::EpochBegun { epoch: 1, epochs: 1, trained: 0, batches: range.steps });
    let mut meter = Meter::resume(0.0);
    let mut passed = EpochInProgress::default();
    let mut step = 0;
    loop {
        let mut gradients = Accumulated::new(setup.weighing);
        for (epoch, number, batch) in batches.by_ref().take(recipe.accumulate) {
            let (images, seed) = (batch.len(), setup.device_seed(epoch, number));
            passed.images += images as u64;
            let batch = setup.upload(batch, epoch, number, state.device());
            let pass = state.learner.gradients(&batch, recipe.loss, state.device(), seed);
            meter.push(&pass.objective, batch.right(pass.outputs));
            gradients.add(pass.gradients, images);
        }
        state.learner.step(gradients.take_mean(), range.rate(step));
        step += 1;
        let (is_last, stops) = (step == range.steps, setup.stop.is_requested());
        if is_last || stops || meter.is_due() {
            let first_new = passed.objectives.len();
            meter.read_into(&mut passed);
            if stops {
                return None;
            }
            let rates = (first_new..passed.objectives.len())
                .map(|batch| range.rate(batch / recipe.accumulate))
                .collect::<Vec<_>>();
            watch.event(Event::Batches {
                epoch: 1,
                trained: step,
                so_far: &passed,
                new: passed.objectives.len() - first_new,
                objective: setup.mean(0, &passed.objectives),
                learning_rates: &rates,
            });
            let steps = (0..).step_by(recipe.accumulate);
            let steps = steps.zip(passed.objectives.chunks(recipe.accumulate));
            let losses: Vec<f64> =
                steps.map(|(first, batches)| setup.mean(first, batches)).collect();
            let curve = RateCurve::new(range, &losses);
            if is_last || curve.end != RateCurveEnd::LastRate {
                return Some(curve);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: RateRange = RateRange { from: 1e-6, to: 10.0, steps: 1000 };

    /// The curve of a loss that is a function of the decimal logarithm of the rate.
    fn curve(range: RateRange, loss: impl Fn(f64) -> f64) -> RateCurve {
        let losses: Vec<f64> =
            (0..range.steps).map(|step| loss(range.rate(step).log10())).collect();
        RateCurve::new(range, &losses)
    }

    /// Falls from 2 to 1, most steeply at 10⁻³, and rises from 10⁻¹ on.
    fn usual(exponent: f64) -> f64 {
        1.5 - 0.5 * (3.0 * (exponent + 3.0)).tanh() + 50.0 * (exponent + 1.0).max(0.0)
    }

    /// Checks that a rate is within a factor of `10^tolerance`.
    fn assert_rate(found: f64, exponent: f64, tolerance: f64) {
        assert!((found.log10() - exponent).abs() < tolerance, "{found:e}");
    }

    #[test]
    fn rates_rise_by_the_same_factor_from_the_first_to_the_last() {
        let rates: Vec<f64> = (0..RANGE.steps).map(|step| RANGE.rate(step)).collect();
        assert!((rates[0] / 1e-6 - 1.0).abs() < 1e-12 && (rates[999] / 10.0 - 1.0).abs() < 1e-12);
        let factor = 1e7_f64.powf(1.0 / 999.0);
        assert!(rates.windows(2).all(|pair| (pair[1] / pair[0] / factor - 1.0).abs() < 1e-9));
    }

    #[test]
    fn the_steepest_and_the_lowest_point_are_found() {
        let curve = curve(RANGE, usual);
        assert_eq!(curve.end, RateCurveEnd::Rose);
        let found = curve.suggest().unwrap();
        // The average lags by up to a twentieth of the seven decades.
        assert_rate(found.steepest, -3.0 + 0.35 / 2.0, 0.35 / 2.0);
        assert_rate(found.lowest, -1.0, 0.1);
        assert!((found.tenth_of_lowest / found.lowest - 0.1).abs() < 1e-12);
    }

    #[test]
    fn without_smoothing_the_steepest_point_is_exact() {
        let range = RateRange { from: 1e-5, to: 1.0, steps: RateRange::LEAST_STEPS };
        assert_eq!(range.smoothing(), 0.0);
        let curve = curve(range, usual);
        assert_eq!(curve.losses, curve.smoothed);
        // Rates are a quarter of a decade apart.
        assert_rate(curve.suggest().unwrap().steepest, -3.0, 0.14);
    }

    #[test]
    fn a_curve_that_never_falls_gives_no_suggestion() {
        let noise = |exponent: f64| 2.3 + 0.2 * (1e4 * exponent).sin();
        let losses: [&dyn Fn(f64) -> f64; 3] =
            [&|_| 2.3, &noise, &|exponent| 2.3 + (exponent + 3.0).max(0.0)];
        for loss in losses {
            for steps in [20, 100, 1000] {
                let curve = curve(RateRange { steps, ..RANGE }, loss);
                assert_eq!(curve.suggest(), Err(NoSuggestion::NeverFell), "{steps} steps");
            }
        }
        for losses in [&[][..], &[f64::NAN], &[2.3], &[2.3, 100.0]] {
            let found = RateCurve::new(RANGE, losses).suggest();
            assert_eq!(found, Err(NoSuggestion::NeverFell), "{losses:?}");
        }
    }

    #[test]
    fn a_curve_without_its_rise_or_its_start_gives_no_suggestion() {
        let low = RateRange { to: 1e-3, ..RANGE };
        assert_eq!(curve(low, usual).suggest(), Err(NoSuggestion::StillFalling));
        let high = RateRange { from: 2e-2, to: 1e3, steps: 100 };
        let falls_at_once = |exponent: f64| usual(exponent) + 9.0 * (-exponent - 1.6).max(0.0);
        assert_eq!(curve(high, falls_at_once).suggest(), Err(NoSuggestion::LowestAtStart));
    }

    #[test]
    fn a_curve_ends_before_a_loss_that_is_not_finite_and_with_one_that_is_far_too_high() {
        for bad in [f64::NAN, f64::INFINITY] {
            let curve = RateCurve::new(RANGE, &[2.0, 1.0, bad, 1.0]);
            assert_eq!(
                (curve.end, curve.losses.as_slice()),
                (RateCurveEnd::NotFinite, &[2.0, 1.0][..])
            );
        }
        let range = RateRange { steps: 20, ..RANGE };
        let curve = RateCurve::new(range, &[2.0, 1.0, 4.0, 4.1, 1.0]);
        assert_eq!((curve.end, curve.rates.len()), (RateCurveEnd::Rose, 4));
        // Four times a negative loss is no rise.
        let curve = RateCurve::new(range, &[0.5, -1.0, -0.9, 2.1]);
        assert_eq!((curve.end, curve.rates.len()), (RateCurveEnd::Rose, 4));
    }

    #[test]
    fn a_summary_has_the_suggestion_or_why_there_is_none() {
        let range = RateRange { from: 1e-7, to: 10.0, steps: 100 };
        let loss = |step: usize| if step < 80 { 2.5 - 0.025 * step as f64 } else { 1e6 };
        let losses: Vec<f64> = (0..100).map(loss).collect();
        let text = RateCurve::new(range, &losses).summary(range);
        assert!(text.contains("tried 81 of 100 rates"), "{text}");
        assert!(text.contains("recommended: --learning-rate "), "{text}");
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        for losses in [&[2.3; 100][..], &[f64::NAN]] {
            let text = RateCurve::new(range, losses).summary(range);
            assert!(text.contains("no suggestion can be made: the loss never fell"), "{text}");
        }
    }

    #[test]
    fn the_average_is_corrected_for_its_start() {
        let curve = RateCurve::new(RateRange { steps: 100, ..RANGE }, &[3.0, 1.0]);
        assert!((curve.smoothed[0] - 3.0).abs() < 1e-12);
        assert!((curve.smoothed[1] - (0.8 * 3.0 + 1.0) / 1.8).abs() < 1e-12);
    }

    #[test]
    fn ranges_that_cannot_be_are_refused_by_flag() {
        let check = |from, to, steps| RateRange { from, to, steps }.check();
        assert_eq!(check(1e-7, 10.0, 100), Ok(()));
        for from in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(check(from, 10.0, 100).unwrap_err().contains("--from"));
        }
        for to in [1e-7, 1e-8, f64::NAN, f64::INFINITY] {
            assert!(check(1e-7, to, 100).unwrap_err().contains("--to"));
        }
        assert!(check(1e-7, 10.0, 19).unwrap_err().contains("--steps"));
    }
}
