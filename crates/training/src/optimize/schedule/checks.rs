//! What is wrong with a schedule's settings, and which of them have no time to act.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_records::number;

use super::Schedule;
use crate::optimize::warm_up::WarmUp;

/// What is as good as no learning rate, as a share of the peak.
const NEXT_TO_NOTHING: f64 = 0.01;

/// A training of no more steps than this is a short one: a step is a fifth of it and more.
const FEW_STEPS: usize = 5;

impl Schedule {
    /// # Errors
    ///
    /// If a setting is outside its range: its name, the range and what was found.
    pub fn check(&self) -> Result<(), String> {
        let inside = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("schedule setting `{name}`: expected {low} to {high}, found {value}"))
            }
        };
        let in_warmup = |reason: String| format!("schedule setting `warmup`: {reason}");
        match *self {
            Self::Constant => Ok(()),
            Self::Step { epochs: 0, .. } => {
                Err("schedule setting `epochs`: expected at least 1, found 0".into())
            }
            Self::Step { factor, .. } => inside("factor", factor, f64::MIN_POSITIVE, 1.0),
            Self::Cosine { warmup, floor } => {
                warmup.check(0.0).map_err(in_warmup)?;
                inside("floor", floor, 0.0, 1.0)
            }
            Self::OneCycle { warmup, start, end } => {
                warmup.check(0.01).map_err(in_warmup)?;
                inside("start", start, 0.0, 1.0)?;
                inside("end", end, 0.0, 1.0)
            }
            Self::Triangular { warmup, start, end } => {
                warmup.check(0.0).map_err(in_warmup)?;
                inside("start", start, 0.0, 1.0)?;
                inside("end", end, 0.0, 1.0)
            }
            Self::Plateau { factor, min_delta, floor, .. } => {
                for (name, value) in [("factor", factor), ("floor", floor)] {
                    if !(0.0..1.0).contains(&value) {
                        return Err(format!(
                            "schedule setting `{name}`: expected a value in [0, 1), found {value}"
                        ));
                    }
                }
                if !(min_delta >= 0.0 && min_delta.is_finite()) {
                    return Err(format!(
                        "schedule setting `min_delta`: expected at least 0, found {min_delta}"
                    ));
                }
                Ok(())
            }
        }
    }

    /// Checks that its warm-up leaves an epoch of so many.
    ///
    /// # Errors
    ///
    /// If the warm-up takes them all.
    pub fn check_epochs(&self, epochs: usize) -> Result<(), String> {
        match self.warmup() {
            Some(WarmUp::Epochs(warm)) if warm >= epochs => Err(format!(
                "schedule setting `warmup`: expected fewer epochs than the {epochs} of the run, \
                 found {warm}; set a greater `--epochs` or a shorter warm-up, such as `--schedule \
                 {}=warmup:10%`",
                self.name()
            )),
            _ => Ok(()),
        }
    }

    /// Checks that a run of that length, each at least 1, is trained at all.
    ///
    /// # Errors
    ///
    /// If no step has as much as a hundredth of the peak.
    pub fn check_steps(&self, epochs: usize, steps_per_epoch: usize) -> Result<(), String> {
        let steps = epochs * steps_per_epoch;
        let trains = |step| self.share(step, steps_per_epoch, steps) >= NEXT_TO_NOTHING;
        // Ends where the rate has risen, which takes few steps even of many.
        if (0..steps).any(trains) {
            return Ok(());
        }
        Err(format!(
            "the schedule `{self}` trains every step of this run, {steps} in all, at less than {} \
             % of `learning_rate`; set a greater `--epochs` or a smaller `--batch-size`, or \
             `--schedule constant`",
            100.0 * NEXT_TO_NOTHING
        ))
    }

    /// What of it does nothing in a run of that length, each at least 1; `None` if all of it acts.
    pub fn idle(&self, epochs: usize, steps_per_epoch: usize) -> Option<String> {
        let steps = epochs * steps_per_epoch;
        let constant = |why: &str| {
            let epochs = number::epochs(epochs);
            Some(format!(
                "the schedule `{self}` does the same as `constant` in a run of {epochs}: {why}"
            ))
        };
        match *self {
            Self::Constant => None,
            Self::Step { factor: 1.0, .. }
            | Self::Cosine { warmup: WarmUp::NONE, floor: 1.0 }
            | Self::OneCycle { start: 1.0, end: 1.0, .. }
            | Self::Triangular { start: 1.0, end: 1.0, .. }
            | Self::Triangular { warmup: WarmUp::NONE, end: 1.0, .. } => {
                constant("it never changes the learning rate")
            }
            Self::Step { epochs: period, .. } if period >= epochs => constant(&format!(
                "it first changes the learning rate after {period}; set fewer, as in `--schedule \
                 step=EPOCHS`"
            )),
            // The first epoch is the best so far, and one more than `patience` must not be better.
            Self::Plateau { patience, .. } if patience.saturating_add(2) >= epochs => {
                constant(&format!(
                    "it first changes the learning rate after {}; set a smaller patience, as in \
                     `--schedule plateau=patience:EPOCHS`",
                    patience.saturating_add(2)
                ))
            }
            Self::Step { .. } | Self::Plateau { .. } => None,
            Self::Cosine { .. } | Self::OneCycle { .. } | Self::Triangular { .. } => {
                let last = self.share(steps - 1, steps_per_epoch, steps);
                if steps <= FEW_STEPS && last < NEXT_TO_NOTHING {
                    return Some(format!(
                        "the schedule `{self}` trains the last of the {steps} steps of this run at \
                         {last} times `learning_rate`, which is next to nothing; set a greater \
                         `--epochs` or a smaller `--batch-size`, or `--schedule constant`"
                    ));
                }
                (self.warmup() != Some(WarmUp::NONE)
                    && self.begins_at_the_peak(steps_per_epoch, steps))
                .then(|| {
                    format!(
                        "the warm-up of the schedule `{self}` is too short for this run of \
                             {steps} steps, which begins at the peak"
                    )
                })
            }
        }
    }

    /// Whether no step lies below the peak before it is reached, for a schedule that warms up.
    fn begins_at_the_peak(&self, steps_per_epoch: usize, steps: usize) -> bool {
        let warm = |warmup: WarmUp| warmup.steps(steps_per_epoch, steps);
        match *self {
            Self::Cosine { warmup, .. } => warm(warmup).round() <= 1.0,
            Self::OneCycle { warmup, .. } => warm(warmup) < 1.0,
            Self::Triangular { warmup, .. } => warm(warmup) <= 1.0,
            Self::Constant | Self::Step { .. } | Self::Plateau { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Schedule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_name_gives_a_schedule_that_passes_its_own_check() {
        for name in Schedule::NAMES {
            let schedule = Schedule::named(name).unwrap();
            assert_eq!((schedule.name(), schedule.check()), (name, Ok(())));
        }
        assert_eq!(Schedule::named("polynomial"), None);
    }

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        let error =
            Schedule::Cosine { warmup: WarmUp::Share(1.5), floor: 0.0 }.check().unwrap_err();
        assert!(error.contains("warmup") && error.contains("1.5"), "{error}");
        assert!(Schedule::Step { epochs: 0, factor: 0.5 }.check().is_err());
        assert!(Schedule::Cosine { warmup: WarmUp::Share(f64::NAN), floor: 0.0 }.check().is_err());
        let triangular =
            |start, end| Schedule::Triangular { warmup: WarmUp::NONE, start, end }.check();
        assert_eq!(triangular(0.0, 1.0), Ok(()));
        assert!(triangular(-0.1, 0.0).unwrap_err().contains("`start`"));
        assert!(triangular(0.0, f64::NAN).unwrap_err().contains("`end`"));
        let plateau = |factor, min_delta, floor| {
            Schedule::Plateau { factor, patience: 0, min_delta, floor }.check()
        };
        assert_eq!(plateau(0.0, 0.0, 0.0), Ok(()));
        assert!(plateau(1.0, 0.0, 0.0).unwrap_err().contains("`factor`"));
        assert!(plateau(0.5, -1e-9, 0.0).unwrap_err().contains("`min_delta`"));
        assert!(plateau(0.5, f64::NAN, 0.0).unwrap_err().contains("`min_delta`"));
        assert!(plateau(0.5, 0.0, 1.0).unwrap_err().contains("`floor`"));
    }

    #[test]
    fn a_warm_up_that_leaves_no_epoch_is_refused() {
        for text in ["cosine=warmup:3", "one-cycle=warmup:4", "triangular=warmup:3"] {
            let message = parsed(text).check_epochs(3).unwrap_err();
            assert!(message.contains("fewer epochs than the 3 of the run, found"), "{message}");
        }
        assert_eq!(parsed("cosine=warmup:2").check_epochs(3), Ok(()));
        assert_eq!(parsed("cosine=warmup:0.9").check_epochs(1), Ok(()));
    }

    #[test]
    fn a_schedule_that_trains_no_step_is_refused() {
        for text in ["one-cycle", "one-cycle=start:0,end:0", "one-cycle=warmup:0.99"] {
            let message = parsed(text).check_steps(1, 1).unwrap_err();
            for part in [
                "every step of this run, 1 in all, at less than 1 %",
                "--epochs",
                "--schedule constant",
            ] {
                assert!(message.contains(part), "{message}");
            }
            assert_eq!(parsed(text).check_steps(2, 1), Ok(()), "{text}");
        }
        for name in Schedule::NAMES.into_iter().filter(|name| *name != "one-cycle") {
            assert_eq!(parsed(name).check_steps(1, 1), Ok(()), "{name}");
        }
        assert_eq!(parsed("one-cycle=end:0.01").check_steps(1, 1), Ok(()));
        assert_eq!(parsed("one-cycle").check_steps(usize::MAX >> 32, 1), Ok(()));
    }

    /// What is said of a schedule in a run of so many epochs of so many steps.
    fn said(schedule: &str, epochs: usize, steps_per_epoch: usize) -> String {
        parsed(schedule).idle(epochs, steps_per_epoch).unwrap_or_default()
    }

    #[test]
    fn a_step_that_never_comes_is_told() {
        let note = said("step", 30, 100);
        assert!(note.contains("`step=30:0.1` does the same as `constant`"), "{note}");
        assert!(note.contains("run of 30 epochs") && note.contains("step=EPOCHS"), "{note}");
        assert_eq!(said("step", 31, 1), "");
        assert!(said("step=1:1", 9, 9).contains("never changes"));
        assert_eq!(said("step=1", 2, 1), "");
        assert_eq!(said("constant", 1, 1), "");
    }

    #[test]
    fn a_plateau_whose_patience_outlasts_the_run_is_told() {
        for epochs in 1..12 {
            let schedule = parsed("plateau=patience:3");
            // Nothing is better than the first epoch.
            let mut plateau = crate::optimize::plateau::Plateau::default();
            let mut shares = Vec::new();
            for _ in 0..epochs {
                shares.push(plateau.share());
                plateau.observe(&schedule, 1.0);
            }
            let acts = shares.iter().any(|&share| share < 1.0);
            let note = said("plateau=patience:3", epochs, 10);
            assert_eq!(note.is_empty(), acts, "{epochs} epochs: {note}");
        }
        assert!(said("plateau", 5, 9).contains("first changes the learning rate after 5;"));
        let endless =
            Schedule::Plateau { factor: 0.1, patience: usize::MAX, min_delta: 0.0, floor: 0.0 };
        assert!(endless.idle(usize::MAX, 1).is_some());
    }

    #[test]
    fn few_steps_of_which_the_last_trains_nothing_are_told() {
        for schedule in ["cosine", "one-cycle", "triangular"] {
            for steps in 2..=FEW_STEPS {
                let note = said(schedule, 1, steps);
                assert!(note.contains(&format!("the last of the {steps} steps")), "{note}");
                assert!(note.contains("--batch-size") && note.contains("constant"), "{note}");
            }
            assert_eq!(said(schedule, FEW_STEPS + 1, 1), "");
        }
        assert_eq!(said("cosine=floor:0.01", 2, 1), "");
        // A single step is the first one, at the peak.
        assert_eq!(said("cosine", 1, 1), "");
        assert!(said("cosine=floor:1", 9, 9).contains("never changes"));
        for never in ["one-cycle=start:1,end:1", "triangular=start:1,end:1"] {
            assert!(said(never, 9, 9).contains("never changes"), "{never}");
        }
        assert!(said("triangular=warmup:0,end:1", 9, 9).contains("never changes"));
    }

    #[test]
    fn a_warm_up_without_a_step_is_told() {
        let note = said("cosine=warmup:0.001", 3, 100);
        assert!(note.contains("`cosine=warmup:0.001` is too short for this run of 300"), "{note}");
        // The peak is that of the warm-up's last step, here the first of all.
        assert!(said("cosine=warmup:1", 10, 1).contains("too short"));
        assert_eq!(said("cosine=warmup:2", 10, 1), "");
        assert!(said("one-cycle=warmup:0.01", 9, 10).contains("too short"));
        assert_eq!(said("one-cycle=warmup:0.02", 9, 10), "");
        assert_eq!(said("cosine", 9, 10), "");
        assert!(said("triangular=warmup:0.01", 9, 10).contains("too short"));
        assert!(said("triangular=warmup:1", 10, 1).contains("too short"));
        assert_eq!(said("triangular=warmup:2", 10, 1), "");
        assert_eq!(said("triangular=warmup:0", 9, 10), "");
    }
}
