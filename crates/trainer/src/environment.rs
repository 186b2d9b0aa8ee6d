//! Environment variables: every one that the program, its tests or what it is built on reads.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::ffi::{OsStr, OsString};
use std::path::Path;

use backburn_kernels::cpu::{INSTRUCTION_SETS, instruction_set};
use backburn_training::failure::{Failure, usage};

use crate::output::say;

/// An environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Name of the variable.
    pub name: &'static str,
    /// What it may be set to.
    pub values: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Whether tests alone read it, so that help has no row of it.
    pub only_in_tests: bool,
}

const fn row(name: &'static str, values: &'static str, summary: &'static str) -> Variable {
    Variable { name, values, summary, only_in_tests: false }
}

/// One that tests alone read.
const fn test_row(name: &'static str, values: &'static str, summary: &'static str) -> Variable {
    Variable { name, values, summary, only_in_tests: true }
}

/// The job of Slurm that a process is.
pub(crate) const SLURM_JOB: &str = "SLURM_JOB_ID";

/// All of them. An empty value of one of ours is none.
pub const CATALOG: &[Variable] = &[
    row("BACKBURN_DATA", "FOLDER", "data folder to look at without --data-dir, before ./datasets"),
    row(
        "BACKBURN_CACHE",
        "FOLDER",
        "where prepared pictures and kernels of graphics cards are kept",
    ),
    row("BACKBURN_SIMD", "portable|avx2|avx512", "widest vectors that flex may use on the CPU"),
    row(
        "BACKBURN_CONVOLUTIONS",
        "plain",
        "convolutions as plain sums of products on flex, to compare",
    ),
    // What we are built on reads these.
    row(SLURM_JOB, "ID", "set by Slurm: the job that study trial --requeue queues again"),
    row("NO_COLOR", "1", "no colours in help and progress"),
    row("CLICOLOR", "0", "the same"),
    row("CLICOLOR_FORCE", "1", "colours even where nobody watches"),
    row("TERM", "dumb", "no colours"),
    row("COLUMNS", "N", "width of help where there is no terminal, at most 100"),
    row("HTTPS_PROXY", "URL", "proxy of downloads; also ALL_PROXY, HTTP_PROXY, NO_PROXY=HOSTS"),
    row("RAYON_NUM_THREADS", "N", "without effect wherever there is --threads"),
    row("MIMALLOC_PURGE_DELAY", "MS", "when unused memory goes back to the system; 5000 if unset"),
    row(
        "CUBECL_AUTOTUNE_LEVEL",
        "LEVEL",
        "what --tune is on graphics cards, where it is not given",
    ),
    row("XDG_CACHE_HOME", "FOLDER", "where kernels are kept without BACKBURN_CACHE; else ~/.cache"),
    row("CUDA_PATH", "FOLDER", "CUDA's toolkit; /usr/local/cuda or /opt/cuda if unset"),
    row("TMPDIR", "FOLDER", "where bench keeps what its processes say"),
    // Those of the tools.
    row("CARGO", "PROGRAM", "the cargo that cargo xtask starts; help names it if set"),
    row("BACKBURN_COMMIT", "HASH", "at build time, where git knows none: the commit in manifests"),
    row("BACKBURN_DIST", "1", "at build time, by cargo xtask dist: keeps its folder to itself"),
    test_row("BACKBURN_KILL_SEED", "N", "seed of the moments at which runs are killed"),
    test_row("BACKBURN_EPOCHS", "N", "epochs of the long run"),
    test_row("BACKBURN_TORCHVISION", "FOLDER", "what tests/pytorch/torchvision_weights.py wrote"),
    test_row("BACKBURN_FEW_CASES", "1", "fewer cases, for emulated CPUs"),
];

/// Those that people set.
pub(crate) fn for_people() -> impl Iterator<Item = &'static Variable> {
    CATALOG.iter().filter(|row| !row.only_in_tests)
}

/// How many threads rayon is asked for, where no flag says so; `None` if that is no number from 1 on.
pub(crate) fn rayon_threads() -> Option<usize> {
    let threads = std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok()?;
    (threads > 0).then_some(threads)
}

/// What the names of all our own begin with.
const PREFIX: &str = "BACKBURN_";

/// The catalog as a section of help.
pub(crate) fn help() -> String {
    let rows: Vec<(String, &str)> =
        for_people().map(|row| (format!("{}={}", row.name, row.values), row.summary)).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows.iter().map(|(name, summary)| format!("  {name:<width$} {summary}\n"));
    format!("Environment:\n{}", lines.collect::<String>())
}

/// What a command does with the folder that `BACKBURN_DATA` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// A folder that is not there is a mistake.
    Read,
    /// A folder that is not there may be made.
    Managed,
}

/// Says what in the environment does not do what it seems to.
///
/// # Errors
///
/// If one of our variables has a value that it cannot have.
pub(crate) fn check(data: Data) -> Result<(), Failure> {
    for note in notes(std::env::vars_os(), instruction_set(), data).map_err(usage)? {
        say(&format!("note: {note}"));
    }
    Ok(())
}

/// What convolutions are asked to be.
const PLAIN: &str = "plain";

/// What there is to be said of `variables` on a CPU that uses `vectors`.
fn notes(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    vectors: &str,
    data: Data,
) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let note = match name {
            _ if value.is_empty() => None,
            "BACKBURN_SIMD" => vectors_note(&value, vectors)?,
            "BACKBURN_CONVOLUTIONS" if value != PLAIN => {
                return Err(format!(
                    "BACKBURN_CONVOLUTIONS: expected {PLAIN}, found `{}`; set none for the fastest",
                    value.display()
                ));
            }
            "BACKBURN_DATA" if data == Data::Read => folder_note(Path::new(&value)),
            _ if CATALOG.iter().any(|row| row.name == name) => None,
            _ => Some(format!("{name} is no variable of this program; known: {}", known())),
        };
        notes.extend(note);
    }
    Ok(notes)
}

/// The names of our own.
fn known() -> String {
    let ours = for_people().map(|row| row.name).filter(|name| name.starts_with(PREFIX));
    ours.collect::<Vec<_>>().join(", ")
}

/// The kernels pass over a limit that they do not know, and use what there is below one that the CPU lacks.
fn vectors_note(limit: &OsStr, used: &str) -> Result<Option<String>, String> {
    let place = |name: &OsStr| INSTRUCTION_SETS.iter().position(|known| name == *known);
    let shown = limit.display();
    match (place(limit), place(used.as_ref())) {
        (None, _) => Err(format!(
            "BACKBURN_SIMD: expected {}, found `{shown}`; set one of them, or none for the widest \
             of this CPU",
            INSTRUCTION_SETS.join(", ")
        )),
        (limit, used_place) if limit > used_place => {
            Ok(Some(format!("BACKBURN_SIMD={shown} is more than this CPU has; {used} is used")))
        }
        _ => Ok(None),
    }
}

fn folder_note(folder: &Path) -> Option<String> {
    let reason = match folder {
        folder if folder.is_dir() => return None,
        folder if folder.exists() => "not a folder",
        _ => "no such folder",
    };
    Some(format!("nothing can be in BACKBURN_DATA={} ({reason})", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    fn said(name: &str, value: &str) -> Result<Vec<String>, String> {
        notes([(name.into(), value.into())], "avx2", Data::Read)
    }

    #[test]
    fn the_vectors_that_may_be_named_are_those_of_the_kernels() {
        let row = CATALOG.iter().find(|row| row.name == "BACKBURN_SIMD").unwrap();
        assert_eq!(row.values, INSTRUCTION_SETS.join("|"));
        assert!(INSTRUCTION_SETS.contains(&instruction_set()));
    }

    #[test]
    fn vectors_that_do_not_exist_are_refused_with_those_that_do() {
        for value in ["sse", "AVX2", "avx2 ", "0"] {
            let error = said("BACKBURN_SIMD", value).unwrap_err();
            assert!(error.contains(&format!("found `{value}`")), "{error}");
            assert!(error.contains("portable, avx2, avx512"), "{error}");
        }
        for value in ["", "portable", "avx2"] {
            assert_eq!(said("BACKBURN_SIMD", value), Ok(Vec::new()));
        }
    }

    #[test]
    fn convolutions_are_plain_or_as_fast_as_they_can_be() {
        let error = said("BACKBURN_CONVOLUTIONS", "fast").unwrap_err();
        assert!(error.contains("expected plain, found `fast`"), "{error}");
        for value in ["", "plain"] {
            assert_eq!(said("BACKBURN_CONVOLUTIONS", value), Ok(Vec::new()));
        }
    }

    #[test]
    fn vectors_that_the_cpu_lacks_are_noted() {
        let notes = said("BACKBURN_SIMD", "avx512").unwrap();
        assert_eq!(notes, ["BACKBURN_SIMD=avx512 is more than this CPU has; avx2 is used"]);
    }

    #[test]
    fn names_that_are_not_ours_are_noted_with_those_that_are() {
        let notes = said(&format!("{PREFIX}DATE"), "x").unwrap();
        assert!(notes[0].contains("DATE is no variable"), "{notes:?}");
        assert!(notes[0].contains("BACKBURN_DATA, BACKBURN_CACHE, BACKBURN_SIMD"), "{notes:?}");
        let held = ["BACKBURN_DATA", "BACKBURN_SIMD", "BACKBURN_CONVOLUTIONS"];
        for row in CATALOG.iter().filter(|row| !held.contains(&row.name)) {
            assert_eq!(said(row.name, "1"), Ok(Vec::new()));
        }
        assert_eq!(said("HOME", "1"), Ok(Vec::new()));
    }

    #[test]
    fn a_data_folder_that_is_none_is_noted_where_it_would_be_read() {
        for (value, reason) in
            [("no/such/folder", "no such folder"), ("Cargo.toml", "not a folder")]
        {
            let notes = said("BACKBURN_DATA", value).unwrap();
            assert!(notes[0].contains(value) && notes[0].contains(reason), "{notes:?}");
            let variable = [("BACKBURN_DATA".into(), value.into())];
            assert_eq!(super::notes(variable, "avx2", Data::Managed), Ok(Vec::new()));
        }
        for value in ["", ".", "src"] {
            assert_eq!(said("BACKBURN_DATA", value), Ok(Vec::new()));
        }
    }

    /// Everything under `folder` that people write, by its ending.
    fn sources(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_build = path.join("CACHEDIR.TAG").exists();
            if path.is_dir() && name != ".git" && name != "runs" && !is_build {
                sources(&path, files);
            } else if path.is_file() {
                let ending = path.extension().and_then(OsStr::to_str);
                let read = ["rs", "py", "sh", "toml", "md", "yml", "yaml"];
                let is_script = path.extension().is_none()
                    && path.components().any(|it| it.as_os_str() == ".ci");
                if ending.is_some_and(|it| read.contains(&it)) || is_script {
                    files.push(path);
                }
            }
        }
    }

    /// The words behind each `mark` in `text`, of letters that names of variables have.
    fn names_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
        let is_part = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
        text.split(mark).skip(1).filter_map(move |rest| {
            rest.split(|it| !is_part(it)).next().filter(|name| !name.is_empty())
        })
    }

    #[test]
    fn every_variable_that_is_read_anywhere_is_in_the_catalog() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let known: BTreeSet<&str> = CATALOG.iter().map(|row| row.name).collect();
        let mut seen = BTreeSet::new();
        for file in &files {
            // What lies about in a checkout may be in any encoding, or be gone by now.
            let bytes = fs::read(file).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let ours = names_after(&text, PREFIX).map(|rest| format!("{PREFIX}{rest}"));
            // In pieces, or this file would be found to read one.
            let marks = ["env::var(", "env::var_os(", "option_env!("].map(|it| format!("{it}\""));
            let read = marks.iter().flat_map(|mark| names_after(&text, mark)).map(str::to_owned);
            for name in ours.chain(read) {
                assert!(known.contains(name.as_str()), "{name} of {}", file.display());
                seen.insert(name);
            }
        }
        let unread: Vec<&str> = (known.iter().copied())
            .filter(|name| name.starts_with(PREFIX) && !seen.contains(*name))
            .collect();
        assert!(
            unread.is_empty() && seen.contains("CARGO"),
            "{unread:?} are read nowhere: {seen:?}"
        );
    }

    #[test]
    fn help_fits_its_width() {
        for line in help().lines() {
            assert!(line.len() <= 100, "{line}");
        }
    }
}
