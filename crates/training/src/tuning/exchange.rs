//! CubeCL's settings, and its entries out of files and into them.
//!
//! CubeCL keeps choices and compiled kernels in a database, and where that cannot be opened in a map of the process. No
//! build of this workspace has the database (`patches/turso`), so that the map is filled from our files before the first
//! kernel is chosen, and written to them every other second and at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use backburn_records::TuningRecord;
use cubecl::config::autotune::{AutotuneLevel, BenchConfig};
use cubecl::config::cache::CacheConfig;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use cubecl::records::RecordLevel;
use cubecl_environment::bytes::Bytes;
use cubecl_environment::persistence::{self, MemoryStorage, Origin};
use sha2::{Digest, Sha256};

use crate::tuning::kept_file::{self, ENDING, Entries};
use crate::tuning::level::TuningLevel;
use crate::tuning::settings;

/// Between two looks at whether something was chosen.
const INTERVAL: Duration = Duration::from_secs(2);
/// What the namespaces of choices begin with, of kernels and of the device's measured speed. Others are compiled kernels.
const CHOICES: [&str; 2] = ["autotune/", "throughput/"];

/// The card that was opened first. A process that opens a second one, of another backend, asks no file of that one, and adds
/// what it chooses there to the first one's, where only the same backend finds it again.
static CURRENT: OnceLock<Exchange> = OnceLock::new();

pub(super) fn current() -> Option<&'static Exchange> {
    CURRENT.get()
}

/// Sets CubeCL's settings, before it is asked for anything.
pub(crate) fn configure() {
    let mut config = CubeClRuntimeConfig::default().override_from_env();
    if let Some(level) = settings::chosen_level() {
        (config.autotune.level, config.autotune.bench) = settings_of(level);
    }
    config.compilation.cache = true;
    config.environment.records.level = RecordLevel::Off;
    // CubeCL makes the folder of its database before it finds that there is none. One that is there is left as it is.
    let folder = settings::folder().map_or_else(std::env::temp_dir, Path::to_owned);
    config.environment.path = CacheConfig::Directory(folder);
    // Whoever set them before, as a program around this library may, has chosen.
    let _ = CubeClRuntimeConfig::try_set(config);
}

fn settings_of(level: TuningLevel) -> (AutotuneLevel, BenchConfig) {
    let usual = BenchConfig::default();
    match level {
        TuningLevel::Minimal => {
            let once =
                BenchConfig { min_samples: 1, max_samples: 1, short_circuit_samples: 1, ..usual };
            (AutotuneLevel::Minimal, once)
        }
        TuningLevel::Balanced => (AutotuneLevel::Balanced, usual),
        TuningLevel::Full => {
            (AutotuneLevel::Full, BenchConfig { min_samples: 5, max_samples: 20, ..usual })
        }
    }
}

/// Fills CubeCL's map with what the files of a card hold, and has it written back as it grows. `card`: backend, name of
/// the hardware, and driver; before the first kernel is chosen.
pub(crate) fn exchange_with(card: &str) {
    if current().is_some() {
        return;
    }
    let folder = settings::folder();
    let begun = CURRENT.set(Exchange::begin(card, folder));
    if begun.is_ok() && folder.is_some() {
        // Without the thread, what was chosen is written at the end only.
        let _ = thread::Builder::new().name("kept kernels".into()).spawn(|| {
            loop {
                thread::sleep(INTERVAL);
                current().iter().for_each(|exchange| exchange.save());
            }
        });
    }
}

/// Between CubeCL's map and the files of a card.
#[derive(Debug)]
pub(super) struct Exchange {
    files: Option<Files>,
    /// Choices that were read from the file.
    kept: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Files {
    choices: PathBuf,
    /// CubeCL knows compiled kernels by the program as well.
    kernels: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of the map when it was last written.
    bytes: u64,
    /// Why it could not be.
    problem: Option<String>,
}

impl Exchange {
    fn begin(card: &str, folder: Option<&Path>) -> Self {
        let files = folder.map(|folder| Files::of(card, folder));
        let mut kept = 0;
        if let Some(files) = &files {
            let choices = kept_file::read(&files.choices);
            kept = choices.values().map(|entries| entries.len()).sum();
            fill(choices);
            fill(kept_file::read(&files.kernels));
        }
        let state = State { bytes: bytes(), problem: None };
        Self { files, kept, state: Mutex::new(state) }
    }

    /// Writes the map if it has grown.
    fn save(&self) {
        let Some(files) = &self.files else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = bytes();
        if now == state.bytes {
            return;
        }
        let (choices, kernels) = (entries_of(is_choice), entries_of(|it| !is_choice(it)));
        let mut problem = None;
        for (path, entries) in [(&files.choices, choices), (&files.kernels, kernels)] {
            if !entries.is_empty()
                && let Err(error) = kept_file::add(path, &entries)
            {
                problem = Some(format!("cannot write {}: {error}", path.display()));
            }
        }
        // What could not be written is tried again at the next look.
        let bytes = if problem.is_none() { now } else { state.bytes };
        *state = State { bytes, problem };
    }

    pub(super) fn finish(&self) -> Option<String> {
        self.save();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = state.problem.as_ref()?;
        Some(format!(
            "{problem}; the next process will choose its kernels anew; BACKBURN_CACHE names another folder"
        ))
    }

    pub(super) fn record(&self) -> TuningRecord {
        let choices = entries_of(is_choice);
        let all: usize = choices.values().map(|entries| entries.len()).sum();
        TuningRecord {
            level: level_in_words(),
            kept: self.kept,
            tuned: all.saturating_sub(self.kept),
            sha256: kept_file::digest(&choices),
        }
    }
}

impl Files {
    fn of(card: &str, folder: &Path) -> Self {
        let name = |what: &str, of: &str| {
            let hash = Sha256::digest(format!("{card}\n{}\n{of}", level_in_words()));
            let start: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            folder.join(format!("{what}-{start}.{ENDING}"))
        };
        Self { choices: name("choices", ""), kernels: name("kernels", &program()) }
    }
}

/// CubeCL's own word, which the environment may have set.
fn level_in_words() -> String {
    match CubeClRuntimeConfig::get().autotune.level {
        AutotuneLevel::Minimal => "minimal",
        AutotuneLevel::Balanced => "balanced",
        AutotuneLevel::Extensive => "extensive",
        AutotuneLevel::Full => "full",
    }
    .into()
}

/// What tells a program from another build of it.
fn program() -> String {
    let about = std::env::current_exe().and_then(|path| path.metadata());
    let of = |about: std::fs::Metadata| Ok((about.len(), about.modified()?));
    format!("{:?}", about.and_then(of).ok())
}

/// Bytes of the map.
fn bytes() -> u64 {
    MemoryStorage::namespaces().iter().map(|namespace| namespace.bytes).sum()
}

fn fill(entries: Entries) {
    for (namespace, entries) in entries {
        let mut entries = entries
            .into_iter()
            .map(|(key, value)| (Bytes::from_bytes_vec(key), Bytes::from_bytes_vec(value)));
        persistence::open(&namespace).insert_many(&mut entries, Origin::Local);
    }
}

fn is_choice(namespace: &str) -> bool {
    CHOICES.iter().any(|start| namespace.starts_with(start))
}

/// What the map holds in the namespaces that `wanted` says.
fn entries_of(wanted: impl Fn(&str) -> bool) -> Entries {
    let mut entries = Entries::new();
    for summary in MemoryStorage::namespaces() {
        if wanted(&summary.namespace) {
            let of: &mut BTreeMap<_, _> = entries.entry(summary.namespace.clone()).or_default();
            persistence::open(&summary.namespace).scan(&mut |key, value| {
                of.insert(key.to_vec(), value.to_vec());
            });
        }
    }
    entries
}
