//! The tree-structured Parzen estimator: places that were likely among the good trials and unlikely among the others.
//!
//! For each setting alone, with `l` the density of the places of the best trials and `g` that of the others, the
//! proposal is the one of some draws from `l` that has the greatest `l / g`. The first trials have nothing to go by.
//!
//! Bergstra, Bardenet, Bengio and Kégl, [Algorithms for hyper-parameter optimization](
//! https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization), 2011, section 4.

use tpe::{TpeOptimizerBuilder, categorical_range, histogram_estimator, parzen_estimator, range};

use crate::search::ask::{Ask, Sampler};
use crate::search::range::Range;
use crate::search::samplers::{random, sobol};

/// Trials before the estimator is asked.
const FIRST: usize = 10;

/// Share of the trials that count as good.
const GOOD: f64 = 0.1;

/// Draws from the density of the good ones, of which the best is proposed.
const CANDIDATES: usize = 24;

/// Proposals that had been tried before, after which the trial's point is drawn at random.
const ATTEMPTS: usize = 10;

pub(super) const SAMPLER: Sampler = Sampler {
    name: "tpe",
    summary: "after 10 trials of a Sobol sequence, points like the best ones so far (TPE)",
    places,
};

fn places(ask: &Ask<'_>) -> Option<Vec<f64>> {
    if ask.told.len() < FIRST {
        return sobol::places(ask);
    }
    // Where few values are left, the likely ones have all been tried.
    if ask.attempt >= ATTEMPTS {
        return Some(random::places(ask));
    }
    let mut rng = ask.seeds.search_trial(ask.round, ask.number);
    let settings = ask.space.varied().len();
    let mut places = Some(Vec::new());
    // Attempts that failed have drawn too.
    for _ in 0..=ask.attempt {
        places = (0..settings).map(|setting| likely(ask, setting, &mut rng)).collect();
    }
    places
}

/// A place of a setting.
fn likely(ask: &Ask<'_>, setting: usize, rng: &mut impl rand::Rng) -> Option<f64> {
    let varied = ask.space.varied().get(setting)?;
    // Choices are told by their number, numbers by their place in the range.
    let (estimator, domain, scale) = match &varied.range {
        Range::Choice(values) => {
            let domain = categorical_range(values.len()).ok()?;
            (histogram_estimator(), domain, values.len() as f64)
        }
        _ => (parzen_estimator(), range(0.0, 1.0).ok()?, 1.0),
    };
    let mut builder = TpeOptimizerBuilder::new();
    let mut optimizer = builder.gamma(GOOD).candidates(CANDIDATES).build(estimator, domain).ok()?;
    for told in ask.told {
        // The domain does not hold its upper end.
        let place = told.places.get(setting)?.clamp(0.0, 1.0 - f64::EPSILON);
        optimizer.tell(place * scale, 1.0 - told.accuracy).ok()?;
    }
    let Ok(found) = optimizer.ask(rng);
    // The middle of a choice's part, so that no rounding makes it the one before.
    Some(if scale > 1.0 { (found.floor() + 0.5) / scale } else { found })
}
