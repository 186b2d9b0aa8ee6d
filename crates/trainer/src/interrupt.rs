//! Ctrl-C: the first asks training to save a checkpoint and stop, the second quits at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress::say;

/// Exit status after an interruption, by Unix convention 128 + SIGINT.
pub const EXIT_STATUS: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C (and, on Unix, SIGTERM and SIGHUP) from now on. Called when there is something to
/// save: until then, as in a download, Ctrl-C ends the program at once.
pub fn catch() {
    catch_and_say("\nstopping after this batch; Ctrl-C again quits at once, without saving");
}

/// As [`catch`], with other words for what happens now.
pub(crate) fn catch_and_say(notice: &'static str) {
    // Without a handler Ctrl-C ends the program at once, which is bearable: checkpoints are
    // written at every epoch.
    let _ = ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(EXIT_STATUS));
        }
        say(notice);
    });
}

/// Whether training should save and stop.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
