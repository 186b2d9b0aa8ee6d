//! Signals: Ctrl-C and its kin ask training to save a checkpoint and stop, SIGUSR1 to save one and train on.
//!
//! Only a second Ctrl-C quits at once. Everything else may come several times, from shell, kernel and a
//! cluster's scheduler, and asks for the same as the first. A signal that the program was started with as
//! ignored stays so, as SIGHUP under `nohup`. (Other systems than Linux do not tell; there a run under
//! `nohup` saves a checkpoint and stops.)
//!
//! Schedulers warn before their limit, with a signal of their user's choice, and may do so before data are
//! loaded: what only they send is heard from the start ([`hear`]) and remembered until there is something to
//! save. Ctrl-C, SIGTERM and SIGHUP end the program as usual until then ([`catch`]).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, OnceLock};

use backburn_training::stop::Stop;
use clap::ValueEnum;

use crate::output::say;

/// Exit status after an interruption, by Unix convention 128 + SIGINT.
pub const EXIT_STATUS: u8 = 130;

/// What signals do to a training, for help.
pub const SIGNALS: [(&str, &str); 4] = [
    ("Ctrl-C (SIGINT)", "save a checkpoint and stop, exit status 130; a second one quits at once"),
    ("SIGTERM, SIGHUP", "save a checkpoint and stop, however often they come"),
    ("SIGUSR2, SIGXCPU", "the same; remembered if they come before training has begun"),
    ("SIGUSR1", "save a checkpoint and train on, or stop with --stop-on USR1; remembered too"),
];

/// [`SIGNALS`] as a section of help.
pub(crate) fn help() -> String {
    let lines = SIGNALS.iter().map(|(name, summary)| format!("  {name:<16} {summary}\n"));
    format!("Signals:\n{}", lines.collect::<String>())
}

/// A signal that saves a checkpoint, made to stop the training as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StopOn {
    /// What a scheduler can be asked to send before its limit.
    #[value(name = "USR1", alias = "SIGUSR1")]
    Usr1,
}

/// What is said when a signal comes.
#[derive(Clone, Copy, Debug)]
pub struct Notices {
    /// What happens now if it asks to stop.
    stops: &'static str,
    /// What another Ctrl-C does.
    quits: &'static str,
    /// What happens now if it asks for a checkpoint only.
    saves: &'static str,
}

impl Notices {
    /// Notices of a run with a folder.
    pub const TRAINING: Self = Self {
        stops: "stopping at the next batch",
        quits: "quits at once, without saving",
        saves: "saving a checkpoint at the next step and training on",
    };
    /// Notices of an experiment, which may train runs with a folder.
    pub(crate) const EXPERIMENT: Self = Self {
        stops: "stopping",
        quits: "quits at once",
        saves: "going on, with a checkpoint of the run at its next step, if one is trained",
    };
    /// Notices of what has nothing to save before its end.
    pub(crate) const MEASUREMENT: Self = Self {
        stops: "stopping, nothing is written",
        quits: "quits at once",
        saves: "going on, there is nothing to save",
    };
}

/// What signals ask for.
static STOP: LazyLock<Stop> = LazyLock::new(Stop::new);

/// The first one's of all.
static NOTICES: OnceLock<Notices> = OnceLock::new();

/// Hears what schedulers send from now on: SIGUSR1, SIGUSR2 and SIGXCPU, which would end the program.
/// Called before anything that takes a while. Only the first call of all counts.
pub fn hear(notices: Notices, stop_on: Option<StopOn>) {
    // Without a handler a signal ends the program at once, which is bearable: checkpoints are
    // written at every epoch.
    NOTICES.get_or_init(|| notices);
    #[cfg(unix)]
    unix::hear(&unix::SCHEDULERS, stop_on);
    #[cfg(not(unix))]
    let _ = stop_on;
}

/// Catches Ctrl-C (and, on Unix, SIGTERM and SIGHUP) from now on. Called when there is something to
/// save: until then, as in a download, Ctrl-C ends the program at once.
pub fn catch() {
    hear(Notices::TRAINING, None);
    #[cfg(unix)]
    unix::hear(&unix::STOPS, None);
    #[cfg(not(unix))]
    let _ = ctrlc::set_handler(ctrl_c);
}

/// The token by which signals stop or save whatever it is handed to.
pub fn stop() -> Stop {
    STOP.clone()
}

fn notices() -> Notices {
    NOTICES.get().copied().unwrap_or(Notices::TRAINING)
}

/// The first Ctrl-C asks to stop, whatever came before it; the second does not wait.
fn ctrl_c() {
    static PRESSED: AtomicBool = AtomicBool::new(false);
    if PRESSED.swap(true, Ordering::SeqCst) {
        std::process::exit(i32::from(EXIT_STATUS));
    }
    STOP.request();
    let Notices { stops, quits, .. } = notices();
    say(&format!("\n{stops}; Ctrl-C again {quits}"));
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::OnceLock;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
    use signal_hook::iterator::{Handle, Signals};
    use signal_hook::low_level::signal_name;

    use super::{Notices, STOP, StopOn, ctrl_c, notices};
    use crate::output::say;

    /// What nobody sends who wants the program gone at once.
    pub(super) const SCHEDULERS: [i32; 3] = [SIGUSR1, SIGUSR2, SIGXCPU];

    /// What ends a program that has nothing to save.
    pub(super) const STOPS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

    /// Hears these signals too, but for those that the program was started to ignore.
    pub(super) fn hear(signals: &[i32], stop_on: Option<StopOn>) {
        static LISTENER: OnceLock<Option<Handle>> = OnceLock::new();
        let listener = LISTENER.get_or_init(|| listen(stop_on).ok());
        for &signal in signals.iter().filter(|&&signal| !ignores(signal)) {
            if let Some(listener) = listener {
                let _ = listener.add_signal(signal);
            }
        }
    }

    /// Answers signals, as soon as some are added, on a thread of its own.
    fn listen(stop_on: Option<StopOn>) -> io::Result<Handle> {
        let mut signals = Signals::new([0; 0])?;
        let handle = signals.handle();
        let answer = move || {
            for signal in signals.forever() {
                match signal {
                    SIGINT => ctrl_c(),
                    SIGUSR1 if stop_on != Some(StopOn::Usr1) => save(signal),
                    _ => stop(signal),
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(answer)?;
        Ok(handle)
    }

    fn save(signal: i32) {
        if !STOP.request_save() {
            say(&format!("\n{}: {}", name(signal), notices().saves));
        }
    }

    fn stop(signal: i32) {
        if !STOP.request() {
            let Notices { stops, quits, .. } = notices();
            say(&format!("\n{}: {stops}; Ctrl-C twice {quits}", name(signal)));
        }
    }

    fn name(signal: i32) -> &'static str {
        signal_name(signal).unwrap_or("signal")
    }

    /// Whether the process ignores a signal, as far as the system tells.
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

        #[test]
        fn help_tells_what_every_signal_does() {
            let help: String = super::super::SIGNALS.iter().map(|(name, _)| *name).collect();
            for signal in SCHEDULERS.into_iter().chain(STOPS) {
                assert!(help.contains(name(signal)), "{} is not in {help}", name(signal));
            }
        }
    }
}
