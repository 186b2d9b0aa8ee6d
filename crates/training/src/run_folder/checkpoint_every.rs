//! `--checkpoint-every`: how often a checkpoint is written inside epochs.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How often a checkpoint is written, besides every epoch's end. No bit of the result depends on it.
///
/// In text, as on the command line and in the manifest: `500` or `500steps`, `30s`, `5min`, `2h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CheckpointEvery {
    /// After so many steps of the optimizer, counted from the beginning of the training.
    Steps(u64),
    /// When so much time has gone by since the last one.
    Time(Duration),
}

/// Units of time, with their seconds, the longest name first.
const UNITS: [(&str, f64); 3] = [("min", 60.0), ("s", 1.0), ("h", 3600.0)];

impl FromStr for CheckpointEvery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("expected steps or a time, such as 500, 500steps, 30s or 5min, found `{text}`")
        };
        for (unit, seconds) in UNITS {
            // The `s` of `steps` is none of a time.
            let Some(number) = text.strip_suffix(unit).filter(|number| !number.ends_with("step"))
            else {
                continue;
            };
            let number: f64 = number.trim().parse().map_err(|_| wrong())?;
            let time = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
            return if time.is_zero() { Err(wrong()) } else { Ok(Self::Time(time)) };
        }
        let number = text.strip_suffix("steps").unwrap_or(text).trim();
        match number.parse() {
            Ok(steps) if steps > 0 => Ok(Self::Steps(steps)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for CheckpointEvery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(formatter, "{steps}steps"),
            Self::Time(time) => write!(formatter, "{}s", time.as_secs_f64()),
        }
    }
}

/// Says when the next checkpoint is due.
#[derive(Debug)]
pub(crate) struct CheckpointClock {
    every: Option<CheckpointEvery>,
    written: Instant,
}

impl CheckpointClock {
    /// A clock that starts now.
    pub(crate) fn new(every: Option<CheckpointEvery>) -> Self {
        Self { every, written: Instant::now() }
    }

    /// Whether one is due after step number `step` of the training.
    pub(crate) fn is_due(&self, step: u64) -> bool {
        match self.every {
            None => false,
            Some(CheckpointEvery::Steps(steps)) => step.is_multiple_of(steps),
            Some(CheckpointEvery::Time(time)) => self.written.elapsed() >= time,
        }
    }

    /// One has been written.
    pub(crate) fn restart(&mut self) {
        self.written = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_times_are_read_and_written() {
        let time = |seconds| CheckpointEvery::Time(Duration::from_secs_f64(seconds));
        for (text, every) in [
            ("500", CheckpointEvery::Steps(500)),
            ("1steps", CheckpointEvery::Steps(1)),
            ("30s", time(30.0)),
            ("0.5s", time(0.5)),
            ("5min", time(300.0)),
            ("2h", time(7200.0)),
        ] {
            assert_eq!(text.parse(), Ok(every), "{text}");
            assert_eq!(every.to_string().parse(), Ok(every), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_examples() {
        for text in
            ["", "0", "0s", "-1", "-1s", "1.5", "s", "steps", "soon", "nans", "infs", "1e30h"]
        {
            let message = text.parse::<CheckpointEvery>().unwrap_err();
            assert!(message.contains("500steps") && message.contains(text), "{message}");
        }
    }

    #[test]
    fn steps_are_counted_from_the_beginning_of_the_training() {
        let clock = CheckpointClock::new(Some(CheckpointEvery::Steps(3)));
        let due: Vec<u64> = (1..10).filter(|&step| clock.is_due(step)).collect();
        assert_eq!(due, [3, 6, 9]);
        assert!(!CheckpointClock::new(None).is_due(3));
    }
}
