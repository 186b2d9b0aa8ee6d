//! Schedules as text: on the command line, in arms of studies, in messages.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use super::{
    Schedule, one_cycle_end, one_cycle_start, one_cycle_warmup, plateau_factor, plateau_min_delta,
    plateau_patience, triangular_warmup,
};
use crate::optimize::warm_up::WarmUp;

/// The text forms of the schedules.
const FORMS: &str = "constant, step=EPOCHS:FACTOR, cosine=warmup:EPOCHS|SHARE,floor:SHARE, \
                     one-cycle=warmup:EPOCHS|SHARE,start:SHARE,end:SHARE, \
                     triangular=warmup:EPOCHS|SHARE,start:SHARE,end:SHARE or \
                     plateau=factor:FACTOR,patience:EPOCHS,min-delta:NATS,floor:SHARE, of which \
                     everything after the name may be left out";

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {FORMS}; found `{text}`");
        let number = |value: &str| value.parse::<f64>().map_err(|_| wrong());
        let count = |value: &str| value.parse::<usize>().map_err(|_| wrong());
        let (name, settings) = match text.split_once('=') {
            Some((name, settings)) => (name, Some(settings)),
            None => (text, None),
        };
        let mut schedule = Self::named(name)
            .ok_or_else(|| format!("unknown schedule `{name}`; expected {FORMS}"))?;
        for setting in settings.into_iter().flat_map(|settings| settings.split(',')) {
            if let Self::Step { epochs, factor } = &mut schedule {
                let (period, by) = setting.split_once(':').unzip();
                *epochs = count(period.unwrap_or(setting))?;
                *factor = by.map_or(Ok(*factor), number)?;
                continue;
            }
            let (name, value) = setting.split_once(':').ok_or_else(wrong)?;
            match (name, &mut schedule) {
                (
                    "warmup",
                    Self::Cosine { warmup, .. }
                    | Self::OneCycle { warmup, .. }
                    | Self::Triangular { warmup, .. },
                ) => {
                    let parsed = value.parse();
                    *warmup =
                        parsed.map_err(|reason| format!("schedule setting `warmup`: {reason}"))?;
                }
                ("floor", Self::Cosine { floor, .. } | Self::Plateau { floor, .. }) => {
                    *floor = number(value)?;
                }
                ("start", Self::OneCycle { start, .. } | Self::Triangular { start, .. }) => {
                    *start = number(value)?;
                }
                ("end", Self::OneCycle { end, .. } | Self::Triangular { end, .. }) => {
                    *end = number(value)?;
                }
                ("factor", Self::Plateau { factor, .. }) => *factor = number(value)?,
                ("patience", Self::Plateau { patience, .. }) => *patience = count(value)?,
                ("min-delta", Self::Plateau { min_delta, .. }) => *min_delta = number(value)?,
                _ => return Err(wrong()),
            }
        }
        schedule.check()?;
        Ok(schedule)
    }
}

impl fmt::Display for Schedule {
    /// Writes the schedule without the settings that are the usual ones.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |name: &str, value: f64, usual: f64| {
            (value != usual).then(|| format!("{name}:{value}"))
        };
        let warm = |warmup: WarmUp, usual| (warmup != usual).then(|| format!("warmup:{warmup}"));
        let settings = match *self {
            Self::Constant => Vec::new(),
            Self::Step { epochs, factor } => vec![Some(format!("{epochs}:{factor}"))],
            Self::Cosine { warmup, floor } => {
                vec![warm(warmup, WarmUp::NONE), set("floor", floor, 0.0)]
            }
            Self::OneCycle { warmup, start, end } => vec![
                warm(warmup, one_cycle_warmup()),
                set("start", start, one_cycle_start()),
                set("end", end, one_cycle_end()),
            ],
            Self::Triangular { warmup, start, end } => vec![
                warm(warmup, triangular_warmup()),
                set("start", start, 0.0),
                set("end", end, 0.0),
            ],
            Self::Plateau { factor, patience, min_delta, floor } => vec![
                set("factor", factor, plateau_factor()),
                (patience != plateau_patience()).then(|| format!("patience:{patience}")),
                set("min-delta", min_delta, plateau_min_delta()),
                set("floor", floor, 0.0),
            ],
        };
        let settings: Vec<String> = settings.into_iter().flatten().collect();
        formatter.write_str(self.name())?;
        match settings.is_empty() {
            true => Ok(()),
            false => write!(formatter, "={}", settings.join(",")),
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
    fn its_text_is_read_back_and_usual_settings_are_left_out() {
        for (text, schedule, shown) in [
            ("constant", Schedule::Constant, "constant"),
            ("step", Schedule::Step { epochs: 30, factor: 0.1 }, "step=30:0.1"),
            ("step=10", Schedule::Step { epochs: 10, factor: 0.1 }, "step=10:0.1"),
            ("step=10:0.5", Schedule::Step { epochs: 10, factor: 0.5 }, "step=10:0.5"),
            (
                "cosine=floor:1e-5,warmup:2",
                Schedule::Cosine { warmup: WarmUp::Epochs(2), floor: 1e-5 },
                "cosine=warmup:2,floor:0.00001",
            ),
            (
                "cosine=warmup:10%",
                Schedule::Cosine { warmup: WarmUp::Share(0.1), floor: 0.0 },
                "cosine=warmup:0.1",
            ),
            (
                "one-cycle=warmup:0.3,start:0.04,end:4e-6",
                Schedule::named("one-cycle").unwrap(),
                "one-cycle",
            ),
            (
                "one-cycle=end:0,warmup:3",
                Schedule::OneCycle { warmup: WarmUp::Epochs(3), start: 0.04, end: 0.0 },
                "one-cycle=warmup:3,end:0",
            ),
            (
                "triangular=start:0,warmup:20%,end:0",
                Schedule::named("triangular").unwrap(),
                "triangular",
            ),
            (
                "triangular=end:0.07,warmup:0.23,start:0.2",
                Schedule::Triangular { warmup: WarmUp::Share(0.23), start: 0.2, end: 0.07 },
                "triangular=warmup:0.23,start:0.2,end:0.07",
            ),
            (
                "triangular=warmup:0",
                Schedule::Triangular { warmup: WarmUp::NONE, start: 0.0, end: 0.0 },
                "triangular=warmup:0",
            ),
            (
                "plateau=factor:0.1,patience:3,min-delta:1e-4,floor:0",
                Schedule::named("plateau").unwrap(),
                "plateau",
            ),
            (
                "plateau=patience:1,floor:0.5,factor:0.2,min-delta:0",
                Schedule::Plateau { factor: 0.2, patience: 1, min_delta: 0.0, floor: 0.5 },
                "plateau=factor:0.2,patience:1,min-delta:0,floor:0.5",
            ),
        ] {
            assert_eq!(parsed(text), schedule, "{text}");
            assert_eq!(schedule.to_string(), shown);
            assert_eq!(parsed(shown), schedule);
        }
        for name in Schedule::NAMES {
            assert_eq!(parsed(name), Schedule::named(name).unwrap());
        }
    }

    #[test]
    fn a_text_that_is_no_schedule_is_refused_with_the_forms() {
        for text in [
            "",
            "poly",
            "constant=1",
            "step=",
            "step=x",
            "step=10:",
            "step=10:0.1:2",
            "cosine=",
            "cosine=0.1",
            "cosine=start:0.1",
            "cosine=floor:x",
            "one-cycle=floor:0.1",
            "triangular=floor:0.1",
            "plateau=patience:1.5",
            "plateau=min_delta:0.1",
        ] {
            let message = text.parse::<Schedule>().unwrap_err();
            assert!(message.contains(FORMS), "{message}");
        }
        for (text, expected) in [
            ("step=0", "`epochs`: expected at least 1, found 0"),
            ("step=3:2", "`factor`: expected"),
            ("cosine=warmup:1.5", "`warmup`: expected epochs, such as 2, or a share"),
            ("cosine=warmup:x", "found `x`"),
            ("one-cycle=warmup:0", "`warmup`: expected a share from 0.01 to 0.99, or epochs"),
            ("triangular=start:1.5", "`start`: expected 0 to 1, found 1.5"),
            ("cosine=floor:2", "`floor`: expected 0 to 1, found 2"),
            ("cosine=floor:nan", "`floor`: expected 0 to 1, found NaN"),
        ] {
            let message = text.parse::<Schedule>().unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn recipes_of_earlier_versions_mean_the_same_and_are_written_as_they_were() {
        for (json, schedule) in [
            (r#"{"name":"cosine","warmup":0.0,"floor":0.0}"#, "cosine"),
            (r#"{"name":"cosine","warmup":0.1,"floor":0.01}"#, "cosine=warmup:0.1,floor:0.01"),
            (r#"{"name":"one-cycle","warmup":0.3,"start":0.04,"end":4e-6}"#, "one-cycle"),
            (r#"{"name":"cosine","warmup":"2 epochs","floor":0.0}"#, "cosine=warmup:2"),
        ] {
            let read: Schedule = serde_json::from_str(json).unwrap();
            assert_eq!(read, parsed(schedule));
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
            let toml = toml::to_string(&read).unwrap();
            assert_eq!(toml::from_str::<Schedule>(&toml).unwrap(), read);
        }
        let whole: Schedule = toml::from_str("name = \"cosine\"\nwarmup = 0").unwrap();
        assert_eq!(whole, parsed("cosine"));
        let usual: Schedule = toml::from_str("name = \"triangular\"").unwrap();
        assert_eq!(usual, parsed("triangular"));
    }
}
