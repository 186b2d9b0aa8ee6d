//! When one looks, and what must be seen then.

use serde::Serialize;

use super::super::paired_t::PairedT;
use super::super::student::critical;
use super::calibration::{Constants, levels};
use super::table::{self, FIRST_LOOK};

/// The most seeds that a plan reaches.
pub const LAST_LOOK: usize = 200;

/// The most arms that are told apart from a base.
pub const MOST_ARMS: usize = 100;

/// Why there is no such plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The looks cannot be used.
    #[error(
        "looks at {0:?} seeds: expected rising numbers from {FIRST_LOOK} to {LAST_LOOK}, such as 4, 6, 8, 10"
    )]
    Looks(Vec<usize>),
    /// So many arms.
    #[error("{0} arms beside the base: expected 1 to {MOST_ARMS}")]
    Arms(usize),
}

/// What is known of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolved {
    /// It differs from the base.
    Different,
    /// Its difference from the base is smaller than this, in either direction.
    NoDifferenceOf(f64),
    /// Neither.
    Open,
}

/// What is known of an arm, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ArmState {
    /// What is known.
    pub resolved: Resolved,
    /// Seeds at the look that resolved it, or at the last one that was taken; 0 before the first.
    pub look: usize,
    /// The level of the paired t-test that counted at this look, in `[0, 0.05]`: p at most this is different. 0 before the
    /// first look.
    pub level: f64,
}

/// When one looks, and what must be seen then.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    looks: Vec<Look>,
    arms: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Look {
    seeds: usize,
    /// What tells an arm apart, by the number of arms that are still open, from one.
    different: Vec<Boundary>,
    /// What settles that there is no difference.
    settled: Boundary,
}

/// How far out the t statistic must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Boundary {
    /// As a level of the test, both directions together.
    level: f64,
    /// As a number of standard errors.
    distance: f64,
}

impl Boundary {
    fn new(level: f64, seeds: usize) -> Self {
        Self { level, distance: critical(level, seeds as f64 - 1.0) }
    }

    /// Whether so many standard errors are far enough. Equal differences lie infinitely many away, and are as rare as
    /// equal signs.
    fn is_crossed(self, test: &PairedT, distance: f64) -> bool {
        match distance.is_infinite() {
            true => distance > 0.0 && test.chance_of(distance) <= self.level,
            false => distance >= self.distance,
        }
    }

    /// Whether the difference is not 0.
    fn is_different(self, test: &PairedT) -> bool {
        self.is_crossed(test, test.t.abs())
    }

    /// Whether the difference is both above `−detect` and below it.
    fn is_within(self, test: &PairedT, detect: f64) -> bool {
        self.is_crossed(test, test.distance_from(-detect))
            && self.is_crossed(test, -test.distance_from(detect))
    }
}

impl Plan {
    /// Plans looks after so many seeds, which rise from [`FIRST_LOOK`](super::FIRST_LOOK) at least to [`LAST_LOOK`] at most, at so many
    /// arms beside the base. For other looks than
    /// [`default_looks`](super::default_looks) it simulates for a second or two.
    ///
    /// # Errors
    ///
    /// If there are no looks, or they do not rise, begin too early or end too late; if there are no arms or more than
    /// [`MOST_ARMS`].
    pub fn new(looks: &[usize], arms: usize) -> Result<Self, PlanError> {
        let is_in_range = looks.iter().all(|look| (FIRST_LOOK..=LAST_LOOK).contains(look));
        if looks.is_empty() || !is_in_range || !looks.is_sorted_by(|a, b| a < b) {
            return Err(PlanError::Looks(looks.to_vec()));
        }
        if !(1..=MOST_ARMS).contains(&arms) {
            return Err(PlanError::Arms(arms));
        }
        let Constants { different, settled } = constants(looks, arms);
        let different: Vec<Vec<f64>> =
            different.into_iter().map(|constant| levels(looks, constant).collect()).collect();
        let look = |(place, (seeds, settled)): (usize, (&usize, f64))| Look {
            seeds: *seeds,
            different: different
                .iter()
                .filter_map(|levels| Some(Boundary::new(*levels.get(place)?, *seeds)))
                .collect(),
            settled: Boundary::new(settled, *seeds),
        };
        let settled = levels(looks, settled);
        Ok(Self { looks: looks.iter().zip(settled).enumerate().map(look).collect(), arms })
    }

    /// What is known of each arm once `look` seeds are run, from `by_arm`, its differences from the base by seed, in
    /// the order of the seeds. All looks up to then are gone through again, so that the answer depends on the
    /// differences alone: one that was resolved stays so. Of an arm with fewer differences than a look needs, or with
    /// one that is not a number by then, nothing more is known. `detect`: in the unit of the differences; 0 if none is
    /// too small to matter.
    ///
    /// # Panics
    ///
    /// If there are other than the plan's number of arms: its levels would not hold.
    pub fn state(&self, look: usize, by_arm: &[impl AsRef<[f64]>], detect: f64) -> Vec<ArmState> {
        assert_eq!(by_arm.len(), self.arms, "arms of the plan");
        let unknown = ArmState { resolved: Resolved::Open, look: 0, level: 0.0 };
        let mut states = vec![unknown; by_arm.len()];
        for look in self.looks.iter().take_while(|it| it.seeds <= look) {
            look.take(&mut states, by_arm, detect);
        }
        states
    }

    /// The next look after so many seeds; `None` after the last.
    pub fn next_look(&self, seeds: usize) -> Option<usize> {
        self.looks.iter().map(|look| look.seeds).find(|look| *look > seeds)
    }

    /// At each look the number of seeds and the level of the paired t-test, if `open` arms are not yet told apart, from
    /// 1 to all.
    pub fn levels(&self, open: usize) -> Vec<(usize, f64)> {
        let level = |look: &Look| Some((look.seeds, look.boundary(open)?.level));
        self.looks.iter().filter_map(level).collect()
    }

    /// What a page must say of p values and intervals if one looked up to `look` seeds; empty if that was once.
    pub fn caveat(&self, look: usize) -> String {
        let taken = self.levels(self.arms).into_iter().take_while(|(seeds, _)| *seeds <= look);
        let (seeds, levels): (Vec<_>, Vec<_>) =
            taken.map(|(seeds, level)| (seeds.to_string(), shown(level))).unzip();
        if seeds.len() < 2 {
            return String::new();
        }
        format!(
            "After {} seeds it was looked whether to go on. An arm counted as different where the p of its paired \
             t-test was at most {}{}, which keeps false alarms over all looks and arms at 5 % or below. Other p values \
             and intervals are as if the number of seeds had been fixed beforehand: after stopping early they are \
             optimistic, and a difference by which its arm was told apart is on average larger than the true one.",
            listed(&seeds),
            listed(&levels),
            if self.arms > 1 { ", or more once other arms were told apart" } else { "" },
        )
    }
}

impl Look {
    /// What tells an arm apart while so many are not.
    fn boundary(&self, open: usize) -> Option<Boundary> {
        self.different.get(open.checked_sub(1)?).copied()
    }

    /// Looks at every arm that is open.
    fn take(&self, states: &mut [ArmState], by_arm: &[impl AsRef<[f64]>], detect: f64) {
        let test = |differences: &[f64]| PairedT::of(differences.get(..self.seeds)?);
        let tests: Vec<Option<PairedT>> = by_arm.iter().map(|arm| test(arm.as_ref())).collect();
        // Holm's procedure: whoever is told apart makes it easier for the others, until nobody is.
        loop {
            let is_told = |state: &&ArmState| state.resolved == Resolved::Different;
            let told = states.iter().filter(is_told).count();
            let Some(boundary) = self.boundary(states.len() - told) else { return };
            let mut is_news = false;
            for (state, test) in states.iter_mut().zip(&tests) {
                let (Resolved::Open, Some(test)) = (state.resolved, test) else { continue };
                (state.look, state.level) = (self.seeds, boundary.level);
                if boundary.is_different(test) {
                    (state.resolved, is_news) = (Resolved::Different, true);
                }
            }
            if !is_news {
                break;
            }
        }
        for (state, test) in states.iter_mut().zip(&tests) {
            let (Resolved::Open, Some(test)) = (state.resolved, test) else { continue };
            if self.settled.is_within(test, detect) {
                state.resolved = Resolved::NoDifferenceOf(detect);
            }
        }
    }
}

/// What the levels of these looks with so many arms are computed from.
fn constants(looks: &[usize], arms: usize) -> Constants {
    // With one look it is the t-test.
    if looks.len() == 1 {
        return Constants::of_one_look(arms);
    }
    table::constants(looks, arms).unwrap_or_else(|| Constants::simulated(looks, arms))
}

/// A level with two digits that are not 0: `0.0043`.
fn shown(level: f64) -> String {
    let places = (1.0 - level.log10().floor()).clamp(2.0, 9.0) as usize;
    format!("{level:.places$}")
}

/// `4, 6 and 8`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::draws::Draws;
    use super::super::super::student::LEVEL;
    use super::super::table::default_looks;
    use super::*;

    const LOOKS: [usize; 7] = [4, 6, 8, 10, 15, 20, 30];

    /// Differences of arms from a base that they share, each the base's noise and its own; `effects` in standard
    /// deviations of a difference.
    fn study(draws: &mut Draws, effects: &[f64]) -> Vec<Vec<f64>> {
        let mut by_arm = vec![Vec::new(); effects.len()];
        for _ in 0..LOOKS[LOOKS.len() - 1] {
            let base = draws.normal();
            for (arm, effect) in by_arm.iter_mut().zip(effects) {
                arm.push((draws.normal() - base) / 2.0_f64.sqrt() + effect);
            }
        }
        by_arm
    }

    /// The share of `studies` of which `what` is so after the last look.
    fn share(
        studies: usize,
        effects: &[f64],
        detect: f64,
        what: impl Fn(&[ArmState]) -> bool,
    ) -> f64 {
        let plan = Plan::new(&LOOKS, effects.len()).unwrap();
        let mut draws = Draws::of(20);
        let mut is_so = || what(&plan.state(usize::MAX, &study(&mut draws, effects), detect));
        (0..studies).filter(|_| is_so()).count() as f64 / studies as f64
    }

    fn is_different(state: &ArmState) -> bool {
        state.resolved == Resolved::Different
    }

    #[test]
    fn one_arm_without_effect_is_called_different_in_five_of_a_hundred_studies() {
        // A standard error of 0.15 points.
        let found = share(20_000, &[0.0], 0.0, |states| is_different(&states[0]));
        assert!((found - 0.05).abs() < 0.005, "{found}");
    }

    #[test]
    fn of_several_arms_without_effect_any_is_called_different_in_five_of_a_hundred_studies_at_most()
    {
        let any = |states: &[ArmState]| states.iter().any(is_different);
        let found = share(8_000, &[0.0; 5], 0.0, any);
        assert!((0.03..0.055).contains(&found), "{found}");
    }

    #[test]
    fn arms_with_an_effect_make_no_others_different() {
        // Three are told apart, and leave their share of the 5 % to the others.
        let effects = [3.0, 0.0, 3.0, 0.0, 3.0];
        let any = |states: &[ArmState]| is_different(&states[1]) || is_different(&states[3]);
        let found = share(8_000, &effects, 0.0, any);
        assert!((0.03..0.055).contains(&found), "{found}");
    }

    #[test]
    fn boundaries_for_a_known_spread_give_three_times_as_many() {
        // Pocock's constant for seven looks, by the normal distribution.
        let boundary = 2.485;
        let mut draws = Draws::of(21);
        let mut is_stopped = || {
            let by_seed = study(&mut draws, &[0.0]).remove(0);
            LOOKS.iter().any(|look| PairedT::of(&by_seed[..*look]).unwrap().t.abs() >= boundary)
        };
        let found = (0..4_000).filter(|_| is_stopped()).count() as f64 / 4_000.0;
        assert!((found - 0.164).abs() < 0.03, "{found}");
    }

    #[test]
    fn a_level_of_five_percent_at_each_look_gives_nearly_four_times_as_many() {
        let mut draws = Draws::of(22);
        let mut is_stopped = || {
            let by_seed = study(&mut draws, &[0.0]).remove(0);
            LOOKS.iter().any(|look| PairedT::of(&by_seed[..*look]).unwrap().p <= LEVEL)
        };
        let found = (0..4_000).filter(|_| is_stopped()).count() as f64 / 4_000.0;
        assert!((found - 0.186).abs() < 0.03, "{found}");
    }

    #[test]
    fn a_difference_as_large_as_one_cares_about_is_settled_away_in_five_of_a_hundred_studies_at_most()
     {
        let is_settled =
            |states: &[ArmState]| matches!(states[0].resolved, Resolved::NoDifferenceOf(_));
        // With a wide limit the test asks for the upper end alone.
        let found = share(8_000, &[1.5], 1.5, is_settled);
        assert!(found < 0.055, "{found}");
        let found = share(2_000, &[0.0], 1.0, is_settled);
        assert!(found > 0.9, "{found}");
    }

    #[test]
    fn a_large_effect_ends_early_and_what_was_resolved_stays_so() {
        let plan = Plan::new(&LOOKS, 2).unwrap();
        let large = [2.0, 2.2, 1.9, 2.1, -9.0, 0.0];
        let none = [0.1, -0.1, 0.1, -0.1, 0.1, -0.1];
        let [first, second] = [large, none].map(Vec::from);
        let states = plan.state(4, &[&first[..4], &second[..4]], 1.0);
        assert_eq!((states[0].resolved, states[0].look), (Resolved::Different, 4));
        let later = plan.state(6, &[first, second], 1.0);
        assert_eq!(later[0], states[0]);
        assert_eq!(later[1].resolved, Resolved::NoDifferenceOf(1.0));
    }

    #[test]
    fn arms_need_not_have_as_many_seeds() {
        let plan = Plan::new(&LOOKS, 3).unwrap();
        let large = [2.0, 2.2, 1.9, 2.1];
        let some = [0.5, -0.5, 0.1, 0.0, 0.6, -0.4, 0.3, 0.2];
        let mut with_nan = some;
        with_nan[4] = f64::NAN;
        let states = plan.state(10, &[&large[..], &some, &with_nan], 0.1);
        let looks: Vec<usize> = states.iter().map(|state| state.look).collect();
        assert_eq!(looks, [4, 8, 4], "{states:?}");
        assert_eq!(states[1].resolved, Resolved::Open);
        let none = plan.state(3, &[&large[..], &some, &with_nan], 0.1);
        assert!(none.iter().all(|state| state.look == 0 && state.level == 0.0), "{none:?}");
    }

    #[test]
    fn one_that_is_told_apart_makes_it_easier_for_the_others() {
        let levels = |open| Plan::new(&LOOKS, 3).unwrap().levels(open);
        let at_four = |open: usize| levels(open)[0].1;
        assert!(at_four(1) > 1.5 * at_four(2) && at_four(2) > at_four(3));
        // By itself the second has a p between the levels for two arms and for one.
        let second = [1.0, 1.25, 0.72, 1.02];
        let p = PairedT::of(&second).unwrap().p;
        assert!(p > at_four(2) && p < at_four(1), "{p}");
        let plan = Plan::new(&LOOKS, 2).unwrap();
        let state = |first: [f64; 4]| plan.state(4, &[first, second], 0.0)[1].resolved;
        assert_eq!(state([0.1, -0.2, 0.3, 0.0]), Resolved::Open);
        assert_eq!(state([2.0, 2.02, 1.98, 2.01]), Resolved::Different);
    }

    #[test]
    fn equal_differences_are_no_surer_than_their_number() {
        let plan = Plan::new(&LOOKS, 1).unwrap();
        let look = |difference: f64| plan.state(30, &[[difference; 30]], 0.5)[0];
        let levels = plan.levels(1);
        let is_rare = |(n, level): &&(usize, f64)| 0.5_f64.powf(*n as f64 - 1.0) <= *level;
        let (rare, _) = levels.iter().find(is_rare).unwrap();
        assert_eq!((look(0.7).resolved, look(0.7).look), (Resolved::Different, *rare));
        assert!(*rare > 4, "{levels:?}");
        assert_eq!(look(0.0).resolved, Resolved::NoDifferenceOf(0.5));
        assert!(look(0.0).look > 4, "{:?}", look(0.0));
    }

    #[test]
    fn levels_rise_with_the_looks_and_one_look_is_the_t_test() {
        let levels = Plan::new(&LOOKS, 1).unwrap().levels(1);
        assert!(levels.is_sorted_by(|(_, a), (_, b)| a < b), "{levels:?}");
        assert!((levels[0].1 - 0.0043).abs() < 1e-4 && (levels[6].1 - 0.0197).abs() < 1e-4);
        let single = Plan::new(&[10], 4).unwrap();
        for open in 1..=4 {
            let [(10, level)] = single.levels(open)[..] else { panic!("{single:?}") };
            assert!((level - 0.05 / open as f64).abs() < 1e-9, "{level}");
        }
        assert!(single.levels(0).is_empty() && single.levels(5).is_empty());
    }

    #[test]
    fn looks_are_rising_numbers_and_arms_are_some() {
        for looks in [&[][..], &[2, 4], &[4, 4], &[6, 4], &[4, 201]] {
            let Err(error) = Plan::new(looks, 1) else { panic!("{looks:?}") };
            let text = error.to_string();
            assert!(text.contains("expected rising numbers from 3 to 200"), "{text}");
        }
        assert_eq!(Plan::new(&LOOKS, 0), Err(PlanError::Arms(0)));
        assert_eq!(Plan::new(&LOOKS, 101), Err(PlanError::Arms(101)));
    }

    #[test]
    fn the_default_looks_end_where_one_wants() {
        assert_eq!(default_looks(30), LOOKS);
        assert_eq!(default_looks(12), [4, 6, 8, 10, 12]);
        assert_eq!(default_looks(4), [4]);
        assert_eq!(default_looks(3), [3]);
        assert!(default_looks(2).is_empty());
        let plan = Plan::new(&LOOKS, 1).unwrap();
        let next = [0, 3, 4, 29, 30].map(|seeds| plan.next_look(seeds));
        assert_eq!(next, [Some(4), Some(4), Some(6), Some(30), None]);
    }

    #[test]
    fn the_caveat_names_the_looks_that_were_taken() {
        let text = Plan::new(&LOOKS, 1).unwrap().caveat(8);
        assert!(
            text.starts_with("After 4, 6 and 8 seeds it was looked whether to go on."),
            "{text}"
        );
        assert!(text.contains("at most 0.0043, 0.0061 and 0.0078, which"), "{text}");
        let text = Plan::new(&LOOKS, 5).unwrap().caveat(6);
        assert!(text.contains(", or more once other arms were told apart, which"), "{text}");
        assert_eq!(Plan::new(&LOOKS, 1).unwrap().caveat(5), "");
    }
}
