//! What this machine and this program have to train with: what `backburn doctor` tells, and what belongs into a report of a
//! mistake.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use backburn_data::Source;
use backburn_data::whereabouts::Whereabouts;
use backburn_kernels::cpu::{available_instruction_sets, cpu_features, instruction_set};
use backburn_training::backend::{Backend, processor};
use backburn_training::failure::Failure;
use backburn_training::image_source::{cache, cache_if_set};
use backburn_training::memory::limits::{limits, megabytes};
use backburn_training::tuning::usual_folder;
use backburn_training::version::{BURN_VERSION, VERSION, commit};
use serde::Serialize;

use super::disk_space::DiskSpace;

/// Where runs go if nothing else is said.
const RUNS: &str = "runs";

/// What [`Doctor::examine`] found. What is missing is told, and is no error.
#[derive(Clone, Debug, Serialize)]
pub struct Doctor {
    /// Version of Backburn.
    pub backburn_version: &'static str,
    /// Version of Burn.
    pub burn_version: &'static str,
    /// The commit that the program was built from, if it knows.
    pub commit: Option<&'static str>,
    /// Operating system and kind of CPU that the program was built for, such as `linux x86_64`.
    pub system: String,
    /// Name of the processor.
    pub processor: String,
    /// Features of the CPU that kernels are chosen by.
    pub cpu_features: Vec<CpuFeature>,
    /// Instruction sets that the kernels of flex could use here, narrowest first.
    pub available_instruction_sets: Vec<&'static str>,
    /// The one that they use.
    pub instruction_set: &'static str,
    /// Threads that compute if no other number is asked for.
    pub threads: usize,
    /// What bounds the memory of the process; empty where the system does not tell.
    pub memory: Vec<Memory>,
    /// Every backend there is.
    pub backends: Vec<BackendState>,
    /// Every data set of the catalog.
    pub data: Vec<DataState>,
    /// The folders that are written to.
    pub disk: Vec<Disk>,
    /// Every environment variable that is read, in the order that they were named in.
    pub environment: Vec<VariableState>,
}

/// A feature of the CPU.
#[derive(Clone, Debug, Serialize)]
pub struct CpuFeature {
    /// Its name, as Rust has it.
    pub name: &'static str,
    /// Whether this CPU has it.
    pub present: bool,
}

/// A bound of the process's memory.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// What bounds it.
    pub name: String,
    /// Bytes that the process could have if all else gave way.
    pub most_bytes: u64,
    /// Bytes that it could have now.
    pub free_bytes: u64,
}

/// A backend, and whether it can be used.
#[derive(Clone, Debug, Serialize)]
pub struct BackendState {
    /// Name on the command line.
    pub name: &'static str,
    /// Whether the program was built with it.
    pub compiled: bool,
    /// The hardware that it computes on; absent if it cannot.
    pub device: Option<String>,
    /// The hardware's driver, where Burn tells.
    pub driver: Option<String>,
    /// Why it cannot be used, if it was built.
    pub error: Option<String>,
}

/// A data set, and where it is.
#[derive(Clone, Debug, Serialize)]
pub struct DataState {
    /// Name on the command line.
    pub name: &'static str,
    /// Where its files are.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
}

/// A folder that is written to, and the disk space for it.
#[derive(Clone, Debug, Serialize)]
pub struct Disk {
    /// What goes there.
    pub holds: &'static str,
    /// The folder, made when it is needed.
    pub folder: PathBuf,
    /// Bytes that can still be written; absent where the system does not tell.
    pub free_bytes: Option<u64>,
    /// Bytes of the whole file system.
    pub total_bytes: Option<u64>,
}

/// An environment variable.
#[derive(Clone, Debug, Serialize)]
pub struct VariableState {
    /// Its name.
    pub name: &'static str,
    /// Its value, without what may be a password; absent if it is not set.
    pub value: Option<String>,
}

impl Doctor {
    /// Looks at the machine, opens every backend that was built, and looks for data where `source` says. Downloads
    /// nothing, and writes nothing.
    pub fn examine(
        source: &Source,
        variables: impl IntoIterator<Item = (&'static str, Option<OsString>)>,
    ) -> Self {
        let feature = |(name, present)| CpuFeature { name, present };
        let data = backburn_data::CATALOG.iter().map(|entry| DataState {
            name: entry.name,
            whereabouts: Whereabouts::of(entry, source),
        });
        let variable = |(name, value): (_, Option<OsString>)| {
            let value = value.map(|value| without_password(&value.to_string_lossy()));
            VariableState { name, value }
        };
        let downloads = source.data_dir.as_deref().unwrap_or(&source.local);
        Self {
            backburn_version: VERSION,
            burn_version: BURN_VERSION,
            commit: commit(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor: processor(),
            cpu_features: cpu_features().into_iter().map(feature).collect(),
            available_instruction_sets: available_instruction_sets(),
            instruction_set: instruction_set(),
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: memory(),
            backends: Backend::ALL.map(BackendState::of).to_vec(),
            data: data.collect(),
            disk: [
                ("runs", PathBuf::from(RUNS)),
                ("downloads", downloads.to_owned()),
                ("prepared pictures", cache()),
            ]
            .into_iter()
            .chain(usual_folder(cache_if_set().as_deref()).map(|folder| ("chosen kernels", folder)))
            .map(|(holds, folder)| Disk::of(holds, &folder))
            .collect(),
            environment: variables.into_iter().map(variable).collect(),
        }
    }

    /// As one JSON object, without a line end.
    ///
    /// # Errors
    ///
    /// If a path is not in UTF-8.
    pub fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map_err(|error| Failure::Error(error.to_string()))
    }

    /// In lines for a terminal, without a line end.
    pub fn text(&self) -> String {
        let commit = self.commit.map_or(String::new(), |commit| format!(", commit {commit}"));
        let mut lines = vec![
            format!("backburn {} with Burn {}{commit}", self.backburn_version, self.burn_version),
            format!("{}, {}", self.system, self.processor),
            String::new(),
        ];
        let with = |present| {
            let features = self.cpu_features.iter().filter(|it| it.present == present);
            joined(features.map(|it| it.name))
        };
        lines.extend([
            wrapped_row("CPU has", &with(true)),
            wrapped_row("CPU lacks", &with(false)),
            row("kernels of flex", self.instruction_set),
            row("they could use", &joined(self.available_instruction_sets.iter().copied())),
            row("threads", &self.threads.to_string()),
        ]);
        let memory = |it: &Memory| {
            let (free, most) = (megabytes(it.free_bytes), megabytes(it.most_bytes));
            row("memory", &format!("{free} free of {most}: {}", it.name))
        };
        lines.extend(self.memory.iter().map(memory));
        lines.extend(["".to_owned(), "Backends".to_owned()]);
        lines.extend(self.backends.iter().filter(|it| it.compiled).map(BackendState::line));
        let others = self.backends.iter().filter(|it| !it.compiled).map(|it| it.name);
        lines.push(row("not built in", &joined(others)));
        lines.extend(["".to_owned(), "Data".to_owned()]);
        lines.extend(self.data.iter().map(DataState::line));
        lines.extend(["".to_owned(), "Disk space".to_owned()]);
        lines.extend(self.disk.iter().map(Disk::line));
        lines.extend(["".to_owned(), "Environment".to_owned()]);
        let set = self.environment.iter().filter_map(|it| Some((it.name, it.value.as_deref()?)));
        lines.extend(set.map(|(name, value)| row(name, value)));
        let unset = self.environment.iter().filter(|it| it.value.is_none()).map(|it| it.name);
        lines.push(wrapped_row("not set", &joined(unset)));
        lines.join("\n")
    }
}

impl BackendState {
    fn of(backend: Backend) -> Self {
        let (name, compiled) = (backend.name(), backend.is_compiled());
        let (device, driver, error) = match backend.open() {
            Ok(open) => (Some(open.name), open.driver, None),
            Err(error) => (None, None, Some(error.to_string()).filter(|_| compiled)),
        };
        Self { name, compiled, device, driver, error }
    }

    fn line(&self) -> String {
        let driver = self.driver.as_ref().map_or(String::new(), |it| format!(", driver {it}"));
        match (&self.device, &self.error) {
            (Some(device), _) => row(self.name, &format!("{device}{driver}")),
            (None, error) => row(self.name, error.as_deref().unwrap_or("cannot be used")),
        }
    }
}

impl DataState {
    fn line(&self) -> String {
        row(self.name, &self.whereabouts.to_string())
    }
}

impl Disk {
    fn of(holds: &'static str, folder: &Path) -> Self {
        let space = DiskSpace::of(folder);
        Self {
            holds,
            folder: folder.to_owned(),
            free_bytes: space.as_ref().map(|space| space.free),
            total_bytes: space.as_ref().map(|space| space.total),
        }
    }

    fn line(&self) -> String {
        let space = match (self.free_bytes, self.total_bytes) {
            (Some(free), Some(total)) => {
                format!("{} free of {}", megabytes(free), megabytes(total))
            }
            _ => "unknown".to_owned(),
        };
        row(self.holds, &format!("{space} for {}", self.folder.display()))
    }
}

fn memory() -> Vec<Memory> {
    let bound = |it: backburn_training::memory::limits::Limit| Memory {
        name: it.name,
        most_bytes: it.most,
        free_bytes: it.free,
    };
    limits().into_iter().map(bound).collect()
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<18} {value}")
}

/// A row whose value goes on in further lines, of 80 columns, under itself.
fn wrapped_row(name: &str, value: &str) -> String {
    let indent = row("", "").chars().count();
    let mut lines = vec![row(name, "").trim_end().to_owned()];
    for word in value.split(' ') {
        let length = lines.last().map_or(0, |line| line.chars().count());
        if length > indent && length + 1 + word.chars().count() > 80 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let used = line.chars().count();
            *line += &" ".repeat(indent.saturating_sub(used).max(1));
            *line += word;
        }
    }
    lines.join("\n")
}

/// With commas, or `none`.
fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// An address, with or without a scheme, without the name and password that may stand in it, since what is told here is
/// made to be passed on.
fn without_password(value: &str) -> String {
    if value.starts_with(['/', '.']) {
        // A path.
        return value.to_owned();
    }
    let (scheme, rest) = match value.find("://") {
        Some(end) => value.split_at(end + "://".len()),
        None => ("", value),
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}…@{host}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn examined() -> Doctor {
        let nowhere = Source {
            data_dir: Some("no such folder".into()),
            environment: None,
            local: "no such folder".into(),
            download: true,
        };
        let proxy = Some("http://me:secret@proxy:3128".into());
        Doctor::examine(&nowhere, [("HTTPS_PROXY", proxy), ("NO_COLOR", None)])
    }

    #[test]
    fn every_backend_and_every_data_set_is_told_of() {
        let (doctor, text) = (examined(), examined().text());
        for backend in Backend::ALL {
            assert!(text.contains(backend.name()), "{text}");
        }
        assert!(doctor.backends.iter().any(|it| it.name == "flex" && it.device.is_some()));
        for state in &doctor.backends {
            assert_eq!(state.device.is_none() && state.compiled, state.error.is_some());
        }
        for entry in backburn_data::CATALOG {
            let built_in = entry.built_in;
            let expected = if built_in { Whereabouts::BuiltIn } else { Whereabouts::Absent };
            assert!(text.contains(&row(entry.name, &expected.to_string())), "{text}");
        }
        assert!(text.contains(&row("kernels of flex", doctor.instruction_set)), "{text}");
    }

    #[test]
    fn json_has_a_name_and_a_state_for_each() {
        let json: Value = serde_json::to_value(examined()).unwrap();
        assert_eq!(json["backburn_version"], VERSION);
        let data = json["data"].as_array().unwrap();
        let state = |name: &str| &data.iter().find(|it| it["name"] == name).unwrap()["state"];
        assert_eq!(data.len(), backburn_data::CATALOG.len());
        assert_eq!([state("digits"), state("mnist")], ["built-in", "absent"]);
        assert_eq!(json["environment"][1]["value"], Value::Null);
        assert_eq!(json["disk"][0]["folder"], "runs");
    }

    #[test]
    fn passwords_of_proxies_are_left_out() {
        let text = examined().text();
        assert!(text.contains("http://…@proxy:3128") && !text.contains("secret"), "{text}");
        assert_eq!(without_password("https://proxy"), "https://proxy");
        for (value, told) in [
            ("a@b", "…@b"),
            ("me:secret@proxy:3128", "…@proxy:3128"),
            ("me:sec@ret@proxy:3128", "…@proxy:3128"),
            ("socks5://me:sec/ret@proxy", "socks5://…@proxy"),
            ("proxy:3128", "proxy:3128"),
            ("/data/a@b", "/data/a@b"),
        ] {
            assert_eq!(without_password(value), told);
        }
    }
}
