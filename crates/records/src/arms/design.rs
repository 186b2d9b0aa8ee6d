//! How a comparison was set up: which data each seed saw, and who decided how many seeds there are.

use serde::{Deserialize, Serialize};

use super::measure::Measure;
use crate::statistics::power::LEVEL;
use crate::statistics::sequential::Plan;

/// Which training images and which validation split the runs of a seed share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeedData {
    /// Those that the seed drew. Differences between seeds are also differences between data.
    #[default]
    Drawn,
    /// The same for all seeds.
    Fixed,
}

impl SeedData {
    /// Which it is, and what the intervals then speak of.
    pub fn caution(self) -> &'static str {
        match self {
            Self::Drawn => {
                "Each seed drew its own training images and validation split, the same for all \
                 arms: the intervals speak of other draws from this training set, too."
            }
            Self::Fixed => {
                "All seeds share one choice of training images and one validation split: the \
                 intervals speak of these images alone; with others, the differences may be \
                 others."
            }
        }
    }
}

/// How the number of seeds came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum SeedCount {
    /// It was set before the first run.
    #[default]
    Fixed,
    /// Seeds were added until every difference was resolved, or there were as many as allowed.
    UntilResolved {
        /// Key of the [measure](super::MEASURES) that was looked at; not one of the test split.
        metric: &'static str,
        /// Numbers of seeds at which it was looked at.
        looks: Vec<usize>,
        /// What p must have been below at the last look, of one arm that is not yet told apart, in `(0, 1)`.
        level_of_the_last_look: f64,
        /// What a page must say of p values and intervals then.
        caveat: String,
    },
}

impl SeedCount {
    /// Seeds that were added by a plan that looked at a measure, up to so many seeds.
    pub fn until_resolved(plan: &Plan, metric: &'static Measure, seeds: usize) -> Self {
        let taken = plan.levels(1).into_iter().take_while(|(look, _)| *look <= seeds);
        let (looks, levels): (Vec<usize>, Vec<f64>) = taken.unzip();
        Self::UntilResolved {
            metric: metric.key,
            looks,
            level_of_the_last_look: levels.last().copied().unwrap_or(LEVEL),
            caveat: plan.caveat(seeds),
        }
    }

    /// What p must be below for a verdict. Where seeds were added until something was found, that is what the last look
    /// asked for: scores that were not looked at go along with those that were.
    pub fn level(&self) -> f64 {
        match self {
            Self::Fixed => LEVEL,
            Self::UntilResolved { level_of_the_last_look, .. } => *level_of_the_last_look,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_gives_the_looks_that_were_taken_and_the_level_of_the_last() {
        let plan = Plan::new(&[4, 6, 8, 10], 2).unwrap();
        let metric = Measure::that_decides("valid_accuracy").unwrap();
        let count = SeedCount::until_resolved(&plan, metric, 8);
        let SeedCount::UntilResolved { looks, caveat, .. } = &count else { panic!("{count:?}") };
        assert_eq!(looks, &[4, 6, 8]);
        assert_eq!(count.level(), plan.levels(1)[2].1);
        assert!(count.level() < LEVEL && caveat.contains('8'), "{count:?}");
        assert_eq!(SeedCount::Fixed.level(), LEVEL);
    }
}
