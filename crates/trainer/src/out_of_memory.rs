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
use std::time::Duration;
use std::{fmt, panic, thread};

use backburn_records::Status;
use backburn_training::backend::Backend;
use backburn_training::memory::allocator;
use backburn_training::memory::blame::with_blamed;
use backburn_training::memory::limits::megabytes;
use backburn_training::run_folder::folder::{RunFolder, now};

/// Exit status of an error.
const EXIT_STATUS: i32 = 1;

/// How long a thread waits for another one to end the process before it does so itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of what is said; advice that is longer is cut off.
const MOST_BYTES: usize = 4096;

/// What to do where nothing is trained.
const GENERAL: &str =
    "ask for less, close other programs, or allow it more (`ulimit -v`, the container's limit)";

/// Has the process end in words when it is refused memory, its own or a graphics card's.
pub(crate) fn catch() {
    allocator::end_with(end);
    if Backend::compiled().into_iter().any(|backend| !backend.computes_on_the_host()) {
        end_by_cards();
    }
}

/// What drivers, wgpu and CubeCL say where a card has no memory left; only then a panic says any of it.
const LACKS: [&str; 5] = [
    "out of memory",
    "out-of-memory",
    "out of device memory",
    "out_of_memory",
    "can't allocate buffer",
];

/// Burn has no other answer to a card without memory than a panic where a number is asked for, which is on the main thread.
/// On threads of its own CubeCL catches what a candidate for a kernel asks too much.
fn end_by_cards() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let said = info.payload_as_str().unwrap_or_default().to_lowercase();
        let is_asked_for = thread::current().name() == Some("main");
        if is_asked_for && LACKS.iter().any(|lack| said.contains(lack)) {
            say_and_end(&Refused::ByCard);
        }
        usual(info);
    }));
}

/// Who refused memory.
enum Refused {
    BySystem { bytes: usize },
    ByCard,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BySystem { bytes } => {
                write!(f, "the system refused {} more", megabytes(*bytes as u64))
            }
            Self::ByCard => f.write_str("the graphics card has none left"),
        }
    }
}

fn end(bytes: usize) -> ! {
    say_and_end(&Refused::BySystem { bytes })
}

/// Ends the process because memory was refused. Several threads may come here at the same time; one of them speaks.
fn say_and_end(refused: &Refused) -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    thread_local! {
        static SPEAKS: Cell<bool> = const { Cell::new(false) };
    }
    if ENDING.swap(true, Ordering::SeqCst) {
        // Whoever speaks may be refused more while it writes the run's end down: that is left then.
        if !SPEAKS.get() {
            thread::sleep(PATIENCE);
        }
        exit();
    }
    SPEAKS.set(true);
    with_blamed(|training| {
        let mut text = [0; MOST_BYTES];
        let length = paragraph(&mut text, refused, training.map(|training| training.cure.as_str()));
        write_to_stderr(text.get(..length).unwrap_or_default());
        if let Some(folder) = training.and_then(|training| training.folder.as_ref()) {
            // That there is no memory for all is no reason to think that there is none for this little.
            write_down(folder);
        }
    });
    exit();
}

/// Puts what is to be said into `text`, without asking for memory, and gives its length.
fn paragraph(text: &mut [u8], refused: &Refused, cure: Option<&str>) -> usize {
    let all = text.len();
    if all == 0 {
        return 0;
    }
    // A line's end for a paragraph that had to be cut off.
    let Some((mut rest, _)) = text.split_at_mut_checked(all - 1) else { return 0 };
    let _ = write!(rest, "error: out of memory: {refused}; {}", cure.unwrap_or(GENERAL));
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

/// Ends the process without what the program would do at its end, which might wait for a thread that waits here.
fn exit() -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(EXIT_STATUS);
    #[cfg(not(unix))]
    std::process::exit(EXIT_STATUS);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(room: usize, bytes: usize, cure: Option<&str>) -> String {
        said_of(room, &Refused::BySystem { bytes }, cure)
    }

    fn said_of(room: usize, refused: &Refused, cure: Option<&str>) -> String {
        let mut text = vec![0; room];
        let length = paragraph(&mut text, refused, cure);
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    #[test]
    fn what_is_said_is_one_paragraph_with_the_cure() {
        let expected = "error: out of memory: the system refused 102.8 MB more; eat less\n";
        assert_eq!(said(200, 102_760_448, Some("eat less")), expected);
        assert!(said(400, 5, None).contains("`ulimit -v`"));
        let of_card = said_of(400, &Refused::ByCard, Some("use a smaller `--batch-size`"));
        assert_eq!(
            of_card,
            "error: out of memory: the graphics card has none left; use a smaller `--batch-size`\n"
        );
    }

    #[test]
    fn what_is_too_long_is_cut_off_and_still_ends_its_line() {
        for room in 1..70 {
            let said = said(room, 102_760_448, Some("eat less"));
            assert!(said.len() <= room && said.ends_with('\n'), "{room}: {said:?}");
        }
        assert_eq!(said(0, 1, None), "");
    }
}
