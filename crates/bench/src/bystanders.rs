//! Whether other programs use the cores too: then figures are low, and ratios say more about who
//! waits how than about who computes faster.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::figure::Figure;

/// More threads than this, on average, are worth a word: some are always about.
const FEW: f64 = 0.5;

/// Looks at the machine, and the time between two of them.
const LOOKS: usize = 50;
const BETWEEN: Duration = Duration::from_millis(10);

/// Threads of other programs that compute now, on average over half a second, while none of ours does.
/// `None` where the system does not tell: only Linux does, in `/proc/loadavg`.
pub(crate) fn count() -> Option<f64> {
    let mut sum = 0.0;
    for _ in 0..LOOKS {
        // This thread is one of those that run.
        sum += running(&fs::read_to_string("/proc/loadavg").ok()?)?.saturating_sub(1) as f64;
        sleep(BETWEEN);
    }
    Some(sum / LOOKS as f64)
}

/// Threads that run or could: the first half of the fourth field.
fn running(loadavg: &str) -> Option<u64> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.0.parse().ok()
}

/// What to say of counts that were taken throughout a bench, if it is worth a word.
pub(crate) fn warning(threads: Figure) -> Option<String> {
    let Figure { median, lowest, highest, .. } = threads;
    (median > FEW).then(|| {
        format!(
            "Other programs kept {median:.1} threads busy ({lowest:.1} to {highest:.1}): figures \
             are\n\
             low, ratios not to be trusted. Repeat it on free cores."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_threads_are_read_off_the_load() {
        assert_eq!(running("0.94 1.80 1.95 3/93 16596\n"), Some(3));
        assert_eq!(running("nothing"), None);
    }

    #[test]
    fn a_machine_of_ones_own_is_worth_no_word() {
        assert_eq!(warning(Figure::of(&[0.0, 0.1, 3.0])), None);
        assert!(warning(Figure::of(&[0.0, 2.04, 3.0])).unwrap().contains("2.0 threads"));
    }
}
