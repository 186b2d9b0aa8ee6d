//! For how much of the time a graphics card is busy, by what its driver's own program says.

use std::io::Read;
use std::process::{Command, Stdio};

/// Prints, ten times a second, for which percentage of the time just before a kernel was at work on the first card.
const PROGRAM: &str = "nvidia-smi";
const ARGUMENTS: [&str; 4] =
    ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0", "--loop-ms=100"];

/// The card's busy share, in `[0, 1]`, while `work` is done; `None` where there is no such program, and then nothing is done,
/// or it says nothing in that time.
///
/// # Errors
///
/// Those of `work`.
pub(crate) fn share<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Option<f64>, E> {
    let mut command = Command::new(PROGRAM);
    command.args(ARGUMENTS).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut watcher) = command.spawn() else { return Ok(None) };
    let result = work();
    let _ = watcher.kill();
    let mut said = String::new();
    if let Some(stdout) = &mut watcher.stdout {
        let _ = stdout.read_to_string(&mut said);
    }
    let _ = watcher.wait();
    result.map(|()| mean_share(&said))
}

/// The mean of the percentages in all lines but the first, which tells of the time before.
fn mean_share(said: &str) -> Option<f64> {
    let percentages = said.lines().skip(1).map_while(|line| line.trim().parse::<f64>().ok());
    let (sum, count) = percentages.fold((0.0, 0), |(sum, count), it| (sum + it, count + 1));
    (count > 0).then(|| sum / f64::from(count) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_the_mean_of_what_was_said_meanwhile() {
        assert_eq!(mean_share("3\n50\n100\n"), Some(0.75));
        // The last line may be cut off.
        assert_eq!(mean_share("3\n50\n100\n[N/A"), Some(0.75));
        for nothing in ["", "97\n", "97\n[N/A]\n", "no devices\nwere found\n"] {
            assert_eq!(mean_share(nothing), None, "{nothing}");
        }
    }
}
