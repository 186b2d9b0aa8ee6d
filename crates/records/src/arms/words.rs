//! A comparison in sentences: what its metric says of each arm, how that is come to, and how far it can be trusted.

use super::comparison::{ArmsComparison, ComparedArm};
use super::design::SeedCount;
use super::difference::Difference;
use super::measure::{MEASURES, Measure};
use super::verdict::{ArmVerdict, FEWEST_SEEDS};
use crate::number::{ABSENT, counted, p_value, short};
use crate::statistics::power::POWER;
use crate::tta::by_views;

impl ArmsComparison {
    /// Gives each arm its sentence.
    pub(super) fn say(&mut self) {
        let (metric, baseline) = (self.metric(), self.baseline().to_owned());
        for arm in self.arms.iter_mut().skip(1) {
            let difference = arm.difference(metric.key);
            arm.sentence =
                difference.map(|difference| sentence(arm, difference, metric, &baseline));
        }
    }

    /// What the arms come to, in a line or two: their names by verdict.
    pub fn conclusion(&self) -> String {
        let listed = |verdict| {
            let names = self.with_verdict(verdict);
            if names.is_empty() { ABSENT.to_owned() } else { names.join(", ") }
        };
        let mut text = format!(
            "By {} against {}, helps: {}; hurts: {}; no evidence: {}",
            self.metric().name,
            self.baseline(),
            listed(ArmVerdict::Helps),
            listed(ArmVerdict::Hurts),
            listed(ArmVerdict::NoEvidence)
        );
        let refused = [ArmVerdict::TooFewSeeds, ArmVerdict::NotANumber];
        let refused = refused.map(|verdict| self.with_verdict(verdict)).concat();
        if !refused.is_empty() {
            text += &format!("; no verdict: {}", refused.join(", "));
        }
        text + "."
    }

    /// How a verdict is come to, how far it can be trusted, and what it speaks of: a paragraph each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![self.rule()];
        notes.extend(self.seeds_say());
        notes.push(self.data.caution().to_owned());
        notes.extend(self.on_adding_seeds());
        notes.push(self.on_selection());
        notes
    }

    /// That scores were taken by views of each image, if they were.
    pub fn by_views(&self) -> Option<String> {
        let runs = self.measured().flat_map(|arm| &arm.arm.runs);
        by_views(runs.map(|run| run.summary.tta.as_deref()))
    }

    /// How a verdict is come to.
    pub fn rule(&self) -> String {
        let arms = self.tested();
        let over = match arms {
            0 | 1 => String::new(),
            arms => format!(" after Holm's correction over {arms} arms"),
        };
        format!(
            "Differences are taken seed by seed from {}. Helps or hurts: a paired t-test of {} \
             with p below {}{over}; else there is no evidence. Intervals are 95 % ones by \
             Student's t, each of its arm alone: of twenty, one is expected to leave out the \
             truth.",
            self.baseline(),
            self.metric().name,
            level(self.level),
        )
    }

    /// What the number of seeds allows.
    fn seeds_say(&self) -> Option<String> {
        if self.fewest_seeds()? < FEWEST_SEEDS {
            return Some(format!(
                "No verdict on fewer than {FEWEST_SEEDS} seeds: the spread between seeds is as \
                 large as most effects. The numbers are shown all the same."
            ));
        }
        Some(format!(
            "Seen from: a true difference of this size, up or down, would be found in {:.0} of \
             100 such comparisons; a smaller one may be there.",
            100.0 * POWER
        ))
    }

    /// How far the number of seeds lets the sign-flip test come; `None` if there is none.
    pub fn on_sign_flip(&self) -> Option<String> {
        let smallest = |arm: &ComparedArm| arm.difference(self.metric)?.smallest_p_sign_flip;
        let smallest = self.compared().filter_map(smallest).reduce(f64::max)?;
        let seeds = self.fewest_seeds()?;
        Some(format!(
            "The sign-flip test takes no distribution for granted. With {} its p cannot be below {}.",
            counted(seeds, "seed"),
            p_value(smallest)
        ))
    }

    /// What it means that seeds were added step by step.
    fn on_adding_seeds(&self) -> Option<String> {
        let SeedCount::UntilResolved { metric, caveat, .. } = &self.seed_count else { return None };
        let metric = MEASURES.iter().find(|measure| measure.key == *metric);
        let metric = metric.map_or(ABSENT, |measure| measure.name);
        let text = format!(
            "Seeds were added until the differences in {metric} were resolved, so that p must be \
             below what the last look asked for, {}. {caveat}",
            level(self.level)
        );
        Some(text.trim_end().to_owned())
    }

    /// What the score of the best arm is worth.
    fn on_selection(&self) -> String {
        let split = "What a run selects, it selects on validation images alone.";
        let arms = self.measured().count();
        if arms < 3 {
            return split.to_owned();
        }
        format!(
            "{split} The best of {arms} arms is so by luck, too: its own score in this comparison \
             is optimistic. Who picks an arm by its validation accuracy, and scores it with other \
             seeds, has a fair one."
        )
    }

    /// How many arms the correction is over.
    fn tested(&self) -> usize {
        self.compared()
            .filter(|arm| arm.difference(self.metric).is_some_and(|d| d.p.is_some()))
            .count()
    }

    /// The fewest seeds that an arm is compared by.
    fn fewest_seeds(&self) -> Option<usize> {
        self.compared().filter_map(|arm| Some(arm.difference(self.metric)?.by_seed.len())).min()
    }

    /// The seeds in words: `1 to 3`.
    pub fn seeds_named(&self) -> String {
        let in_a_row = self
            .seeds
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.checked_add(1) == Some(*b)));
        match self.seeds.as_slice() {
            [first, _, .., last] if in_a_row => format!("{first} to {last}"),
            [] => ABSENT.into(),
            some => some.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        }
    }
}

/// A level in as few digits as it needs, three decimals at most: `0.05`.
fn level(level: f64) -> String {
    short((1000.0 * level).round() / 1000.0)
}

fn sentence(
    arm: &ComparedArm,
    difference: &Difference,
    metric: &Measure,
    baseline: &str,
) -> String {
    let name = &arm.arm.name;
    let found = metric.signed_with_unit(difference.mean);
    let interval = match difference.interval {
        Some(_) => format!(", 95 % interval {}", metric.interval(difference.interval)),
        None => String::new(),
    };
    let seeds = difference.by_seed.len();
    match difference.verdict {
        verdict @ (ArmVerdict::Helps | ArmVerdict::Hurts) => format!(
            "{name} {}: {} {found} against {baseline}{interval}, p {}.",
            verdict.name(),
            metric.name,
            match p_value(difference.p_holm).strip_prefix('<') {
                Some(above) => format!("< {above}"),
                None => format!("= {}", p_value(difference.p_holm)),
            },
        ),
        ArmVerdict::NoEvidence => {
            let seen = difference.detectable.map_or(String::new(), |least| {
                format!("; a difference above {} would have been seen", metric.plain(least))
            });
            format!("{name}: no evidence ({} {found}{interval}){seen}.", metric.name)
        }
        ArmVerdict::TooFewSeeds => format!(
            "{name}: no verdict: fewer than {FEWEST_SEEDS} seeds ({} {found} over \
             {seeds}{interval}).",
            metric.name
        ),
        ArmVerdict::NotANumber => {
            format!("{name}: no verdict: {} of a run is not a number.", metric.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arm, ComparisonOf, SeedData};
    use super::*;
    use crate::sample;

    fn of(of: ComparisonOf) -> ArmsComparison {
        let arms: Vec<Arm> = sample::arms().arms.into_iter().map(|arm| arm.arm).collect();
        ArmsComparison::new(of, arms)
    }

    #[test]
    fn each_arm_has_its_verdict_in_a_sentence() {
        let comparison = sample::arms();
        let sentence = |arm: usize| comparison.arms[arm].sentence.clone();
        assert_eq!((sentence(0), sentence(3)), (None, None));
        assert_eq!(
            sentence(1).unwrap(),
            "dropout helps: test accuracy +1.00 points against none, 95 % interval +0.75 to \
             +1.25, p = 0.007."
        );
        let decay = sentence(2).unwrap();
        assert!(
            decay.starts_with(
                "decay: no evidence (test accuracy +0.07 points, 95 % interval \
                −0.56 to +0.69); a "
            ),
            "{decay}"
        );
        let (_, seen) = decay.split_once("a difference above ").unwrap();
        let (least, end) = seen.split_once(' ').unwrap();
        assert!(least.parse::<f64>().unwrap() > 0.5 && end == "would have been seen.", "{decay}");
        assert_eq!(
            comparison.conclusion(),
            "By test accuracy against none, helps: dropout; hurts: —; no evidence: decay."
        );
    }

    #[test]
    fn the_rule_names_test_level_and_correction() {
        let rule = sample::arms().rule();
        for part in [
            "seed by seed from none",
            "test accuracy with p below 0.05",
            "over 2 arms",
            "\
            95 %",
        ] {
            assert!(rule.contains(part), "no `{part}` in {rule}");
        }
    }

    #[test]
    fn notes_tell_which_data_the_intervals_speak_of() {
        let drawn = of(ComparisonOf::default()).notes().join(" ");
        assert!(drawn.contains("Each seed drew its own"), "{drawn}");
        let fixed = of(ComparisonOf { data: SeedData::Fixed, ..ComparisonOf::default() });
        assert!(fixed.notes().join(" ").contains("of these images alone"));
    }

    #[test]
    fn notes_warn_of_the_best_arm_of_many_and_of_few_seeds() {
        let notes = sample::many_arms(20).notes().join(" ");
        for part in ["The best of 20 arms", "optimistic", "in 80 of 100 such comparisons"] {
            assert!(notes.contains(part), "no `{part}` in {notes}");
        }
        let flip = sample::many_arms(20).on_sign_flip().unwrap();
        assert!(flip.contains("With 10 seeds its p cannot be below 0.002"), "{flip}");
        assert_eq!(sample::many_arms(1).on_sign_flip(), None);
        assert!(!sample::many_arms(2).notes().join(" ").contains("optimistic"));
        let mut arms: Vec<Arm> = sample::arms().arms.into_iter().map(|arm| arm.arm).collect();
        arms.iter_mut().for_each(|arm| arm.runs.truncate(2));
        let few = ArmsComparison::new(ComparisonOf::default(), arms);
        assert!(few.notes().join(" ").contains("No verdict on fewer than 3 seeds"));
        assert!(few.conclusion().ends_with("no verdict: dropout, decay."), "{}", few.conclusion());
    }

    #[test]
    fn seeds_that_were_added_until_something_was_found_are_judged_by_the_level_of_a_look() {
        let seed_count = SeedCount::UntilResolved {
            metric: "valid_accuracy",
            looks: vec![3, 6, 10],
            level_of_the_last_look: 0.005,
            caveat: "After 3, 6 and 10 seeds it was looked.".into(),
        };
        let comparison = of(ComparisonOf { seed_count, ..ComparisonOf::default() });
        // p of `dropout` is 0.0066.
        assert_eq!(comparison.arms[1].verdict("test_accuracy"), Some(ArmVerdict::NoEvidence));
        assert_eq!((comparison.level, comparison.false_alarms), (0.005, Some(0.05)));
        let notes = comparison.notes().join(" ");
        for part in ["p below 0.005", "in validation accuracy were resolved", "After 3, 6 and 10"] {
            assert!(notes.contains(part), "no `{part}` in {notes}");
        }
    }

    #[test]
    fn seeds_in_a_row_are_named_by_their_ends() {
        let named = |seeds: &[u64]| {
            of(ComparisonOf { seeds: seeds.into(), ..Default::default() }).seeds_named()
        };
        assert_eq!(named(&[1, 2, 3]), "1 to 3");
        assert_eq!(named(&[7, 8]), "7, 8");
        assert_eq!(named(&[1, 2, 5]), "1, 2, 5");
        assert_eq!((named(&[4]), named(&[])), ("4".into(), ABSENT.into()));
    }
}
