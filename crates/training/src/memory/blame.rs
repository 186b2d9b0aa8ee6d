//! The end of a process that is refused memory: one paragraph on stderr, the run's status `failed`, exit
//! status 1.
//!
//! Rust would abort with a backtrace that names none of the settings that the need for memory comes from,
//! and the run would be `running` for ever. All that is said here was put together before, and whatever
//! needs memory itself comes after it was said.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backburn_report::Status;

use crate::memory_limits::megabytes;
use crate::recipe::Recipe;
use crate::run::{RunFolder, now};

/// Exit status of an error.
const EXIT_STATUS: i32 = 1;

/// How long a thread waits for another one to end the process before it does so itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of what is said; advice that is longer is cut off.
const MOST_BYTES: usize = 4096;

/// What to do where nothing is trained.
const GENERAL: &str =
    "ask for less, close other programs, or allow it more (`ulimit -v`, the container's limit)";

/// What this process trains, if it does.
struct Training {
    /// What to do if there is too little memory for it.
    cure: String,
    /// Where it is written down, as soon as there is such a place.
    folder: Option<RunFolder>,
}

static TRAINING: Mutex<Option<Training>> = Mutex::new(None);

/// As long as it lives, a lack of memory is blamed on the training that it stands for; then on what was
/// blamed before.
pub(crate) struct Blamed(Option<Training>);

/// A training by `recipe` begins, in `folder` if it has one already.
pub(crate) fn blame(recipe: &Recipe, folder: Option<&RunFolder>) -> Blamed {
    let resume = folder.map_or_else(String::new, |folder| {
        format!(
            "; where there is more memory, `cargo xtask train --resume {}` resumes this run",
            folder.path().display()
        )
    });
    let cure = format!("{}: {}{resume}", subject(recipe), cure(recipe));
    let folder = folder.cloned();
    Blamed(in_turn().replace(Training { cure, folder }))
}

fn in_turn() -> MutexGuard<'static, Option<Training>> {
    TRAINING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Blamed {
    fn drop(&mut self) {
        *in_turn() = self.0.take();
    }
}

/// Model and batch size, which most of a training's memory goes by.
pub(crate) fn subject(recipe: &Recipe) -> String {
    format!("`{}` with batches of {} images", recipe.model.name(), recipe.batch_size)
}

/// What makes a training need less.
pub(crate) fn cure(recipe: &Recipe) -> String {
    let Recipe { batch_size, accumulate, .. } = recipe;
    // The largest batch that divides the step, so that steps can stay as they are.
    let parts = (2..=8).find(|parts| batch_size.is_multiple_of(*parts));
    let batch = parts.map_or_else(String::new, |parts| {
        format!(
            " (`--batch-size {} --accumulate {}` takes steps of as many images)",
            batch_size / parts,
            accumulate * parts
        )
    });
    format!("use a smaller `--batch-size`{batch}, a smaller `--model`, or more memory")
}

/// Ends the process because `bytes` more were refused. Several threads may come here at the same time;
/// one of them speaks.
pub(crate) fn end(bytes: usize) -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    thread_local! {
        static SPEAKS: Cell<bool> = const { Cell::new(false) };
    }
    if ENDING.swap(true, Ordering::SeqCst) {
        // Whoever speaks may be refused more while it writes the run's end down: that is left then.
        if !SPEAKS.get() {
            std::thread::sleep(PATIENCE);
        }
        exit();
    }
    SPEAKS.set(true);
    // Whoever holds the lock may be waiting for this thread.
    let training = TRAINING.try_lock();
    let training = training.as_ref().ok().and_then(|training| training.as_ref());
    let mut text = [0; MOST_BYTES];
    let length = paragraph(&mut text, bytes, training.map(|training| training.cure.as_str()));
    write_to_stderr(text.get(..length).unwrap_or_default());
    if let Some(folder) = training.and_then(|training| training.folder.as_ref()) {
        // That there is no memory for all is no reason to think that there is none for this little.
        write_down(folder);
    }
    exit();
}

/// Puts what is to be said into `text`, without asking for memory, and gives its length.
fn paragraph(text: &mut [u8], bytes: usize, cure: Option<&str>) -> usize {
    let all = text.len();
    if all == 0 {
        return 0;
    }
    // A line's end for a paragraph that had to be cut off.
    let Some((mut rest, _)) = text.split_at_mut_checked(all - 1) else { return 0 };
    let _ = write!(
        rest,
        "error: out of memory: the system refused {} more; {}",
        megabytes(bytes as u64),
        cure.unwrap_or(GENERAL)
    );
    let length = all - 1 - rest.len();
    if let Some(end) = text.get_mut(length) {
        *end = b'\n';
    }
    length + 1
}

/// Past Rust's own stderr, which another thread may have locked.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library has no other way to the bare file")]
fn write_to_stderr(text: &[u8]) {
    use std::mem::ManuallyDrop;
    use std::os::fd::FromRawFd;
    // SAFETY: stderr stays open as long as the process lives, and is not closed here.
    let stderr = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(2) });
    let _ = (&*stderr).write_all(text);
}

#[cfg(not(unix))]
fn write_to_stderr(text: &[u8]) {
    let _ = std::io::stderr().write_all(text);
}

/// Writes into the manifest that the run has failed, if it says that it is running.
fn write_down(folder: &RunFolder) {
    let Ok(mut manifest) = folder.manifest() else { return };
    if manifest.status == Status::Running {
        manifest.status = Status::Failed;
        manifest.ended = Some(now());
        // As with any error that a folder refuses to keep: the run is resumed all the same.
        let _ = folder.write_manifest(&manifest);
    }
}

/// Without what the program would do at its end, which might wait for a thread that waits here.
fn exit() -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(EXIT_STATUS);
    #[cfg(not(unix))]
    std::process::exit(EXIT_STATUS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::built_in;

    fn said(room: usize, bytes: usize, cure: Option<&str>) -> String {
        let mut text = vec![0; room];
        let length = paragraph(&mut text, bytes, cure);
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    #[test]
    fn what_is_said_is_one_paragraph_with_the_cure() {
        let expected = "error: out of memory: the system refused 102.8 MB more; eat less\n";
        assert_eq!(said(200, 102_760_448, Some("eat less")), expected);
        assert!(said(400, 5, None).contains("`ulimit -v`"));
    }

    #[test]
    fn what_is_too_long_is_cut_off_and_still_ends_its_line() {
        for room in 1..70 {
            let said = said(room, 102_760_448, Some("eat less"));
            assert!(said.len() <= room && said.ends_with('\n'), "{room}: {said:?}");
        }
        assert_eq!(said(0, 1, None), "");
    }

    #[test]
    fn the_cure_keeps_the_size_of_the_steps_where_it_can() {
        let cure_of = |batch_size, accumulate| {
            let mut recipe = built_in("cifar10").unwrap();
            (recipe.batch_size, recipe.accumulate) = (batch_size, accumulate);
            cure(&recipe)
        };
        assert!(
            cure_of(512, 1).contains("(`--batch-size 256 --accumulate 2`"),
            "{}",
            cure_of(512, 1)
        );
        assert!(cure_of(9, 2).contains("(`--batch-size 3 --accumulate 6`"));
        assert!(cure_of(1, 1).starts_with("use a smaller `--batch-size`, a smaller"));
    }
}
