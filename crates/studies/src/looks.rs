//! Looking at a study while it goes on: how many seeds it will need, and whether it has seen enough.
//!
//! What is looked at is the score on validation images: whoever went on until the test score is as wished would report a
//! test score that was chosen.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_records::arms::{Arm, Measure};
use backburn_records::number::decimals;
use backburn_records::statistics::power::Forecast;
use backburn_records::statistics::sequential::{ArmState, Plan, Resolved};

/// The measure that is looked at.
pub const LOOKED_AT: &str = "valid_accuracy";

/// The chance to see a difference that is there, with as many seeds as are forecast.
const POWER: f64 = 0.8;

/// Seeds after which it is forecast how many are needed.
pub const FORECAST_SEEDS: usize = 5;

/// The differences from the first arm by seed, in the unit of the measure, of every arm but the first; none of an arm
/// that is left out.
pub fn differences(arms: &[Arm], measure: &Measure) -> Vec<Vec<f64>> {
    let Some((first, others)) = arms.split_first() else { return Vec::new() };
    let of_first = measure.values(&first.runs);
    let by_seed = |arm: &Arm| {
        let pairs = arm.runs.iter().zip(measure.values(&arm.runs)).filter_map(|(run, score)| {
            let place = first.runs.iter().position(|other| other.seed == run.seed)?;
            Some(score - of_first.get(place)?)
        });
        pairs.collect()
    };
    others.iter().map(by_seed).collect()
}

/// A line an arm: how many seeds would resolve a difference of `detect`, in the measure's unit.
pub fn forecasts(arms: &[Arm], measure: &Measure, detect: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for (arm, by_seed) in arms.iter().skip(1).zip(differences(arms, measure)) {
        if arm.absent.is_some() {
            continue;
        }
        let needed = match Forecast::of(&by_seed, detect, POWER) {
            Some(Forecast { seeds, low, high }) => {
                format!(
                    "{seeds} seeds ({low} to {high}) would show a difference of {}",
                    point(detect)
                )
            }
            None => format!(
                "the seeds so far do not tell how many would show a difference of {}",
                point(detect)
            ),
        };
        lines.push(format!("{}: {needed} {} in 4 of 5 studies", arm.name, measure.head));
    }
    lines
}

/// What is known of the arms after `seeds` seeds: whether that is enough, and a line about those that are not resolved.
pub fn look(
    plan: &Plan,
    arms: &[Arm],
    measure: &Measure,
    seeds: usize,
    detect: f64,
) -> (bool, String) {
    let states = plan.state(seeds, &differences(arms, measure), detect);
    let named = arms.iter().skip(1).zip(&states).filter(|(arm, _)| arm.absent.is_none());
    let open: Vec<&str> = named
        .clone()
        .filter(|(_, state)| state.resolved == Resolved::Open)
        .map(|(arm, _)| arm.name.as_str())
        .collect();
    let told: Vec<String> = named.filter_map(|(arm, state)| told(arm, *state)).collect();
    let mut line = format!("after {seeds} seeds, on validation: ");
    line += &if told.is_empty() { "nothing resolved".to_owned() } else { told.join(", ") };
    if !open.is_empty() {
        line += &format!("; open: {}", open.join(", "));
    }
    (open.is_empty(), line)
}

fn told(arm: &Arm, state: ArmState) -> Option<String> {
    match state.resolved {
        Resolved::Different => Some(format!("{} differs", arm.name)),
        Resolved::NoDifferenceOf(detect) => {
            Some(format!("{} differs by less than {}", arm.name, point(detect)))
        }
        Resolved::Open => None,
    }
}

/// A difference as people write it.
fn point(difference: f64) -> String {
    let text = decimals(difference, 3);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    fn arms() -> Vec<Arm> {
        sample::arms().arms.into_iter().map(|arm| arm.arm).collect()
    }

    fn test_accuracy() -> &'static Measure {
        Measure::that_decides("test_accuracy").unwrap()
    }

    #[test]
    fn differences_are_those_of_the_same_seeds() {
        let mut arms = arms();
        arms[1].runs.reverse();
        let found = differences(&arms, test_accuracy());
        assert_eq!(found.len(), arms.len() - 1);
        let expected = [0.9, 1.1, 1.0];
        for (found, expected) in found[0].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        assert!(found[2].is_empty(), "an arm that is left out has none");
    }

    #[test]
    fn every_arm_with_runs_has_a_forecast() {
        let lines = forecasts(&arms(), test_accuracy(), 0.5);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("dropout: ") && lines[0].contains("a difference of 0.5"));
    }

    #[test]
    fn it_is_enough_when_no_arm_is_open() {
        let (arms, plan) = (arms(), Plan::new(&[3], 3).unwrap());
        let (enough, line) = look(&plan, &arms, test_accuracy(), 3, 0.01);
        assert!(
            !enough && line.contains("dropout differs") && line.ends_with("open: decay"),
            "{line}"
        );
        let without: Vec<Arm> = arms.into_iter().filter(|arm| arm.name != "decay").collect();
        let plan = Plan::new(&[3], 2).unwrap();
        assert!(look(&plan, &without, test_accuracy(), 3, 0.5).0);
    }
}
