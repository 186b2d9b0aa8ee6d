//! Ctrl-C: the first asks training to save a checkpoint and stop, the second quits at once.
//!
//! On Unix SIGTERM and SIGHUP, which a process gets when its terminal is closed, ask for the same, but
//! never quit at once: shell and kernel may both send one. If SIGHUP was ignored when the program was
//! started, as by `nohup`, it stays so and the run goes on. (Other systems than Linux do not tell; there
//! a run under `nohup` saves a checkpoint and stops.)

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress::say;

/// Exit status after an interruption, by Unix convention 128 + SIGINT.
pub const EXIT_STATUS: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C (and, on Unix, SIGTERM and SIGHUP) from now on. Called when there is something to
/// save: until then, as in a download, Ctrl-C ends the program at once.
pub fn catch() {
    catch_and_say("\nstopping at the next batch; Ctrl-C again quits at once, without saving");
}

/// As [`catch`], with other words for what happens now. Only the first call of all counts.
pub(crate) fn catch_and_say(notice: &'static str) {
    static CAUGHT: Once = Once::new();
    // Without a handler a signal ends the program at once, which is bearable: checkpoints are
    // written at every epoch.
    CAUGHT.call_once(|| {
        let stop = move || {
            if REQUESTED.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(EXIT_STATUS));
            }
            say(notice);
        };
        let _ = ctrlc::set_handler(stop);
        #[cfg(unix)]
        let _ = listen(notice);
    });
}

/// Whether training should save and stop.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Hears what else may ask a process to stop, on a thread of its own.
#[cfg(unix)]
fn listen(notice: &'static str) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGTERM};
    let mut signals = vec![SIGTERM];
    if !ignores(SIGHUP) {
        signals.push(SIGHUP);
    }
    let mut signals = signal_hook::iterator::Signals::new(signals)?;
    let wait = move || {
        for _ in signals.forever() {
            if !REQUESTED.swap(true, Ordering::SeqCst) {
                say(notice);
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

/// Whether the process ignores a signal, as far as the system tells.
#[cfg(unix)]
fn ignores(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_which_signals_are_ignored() {
        use signal_hook::consts::{SIGPIPE, SIGSEGV};
        // Rust's runtime ignores the first and catches the second.
        assert!(ignores(SIGPIPE));
        assert!(!ignores(SIGSEGV));
    }
}
