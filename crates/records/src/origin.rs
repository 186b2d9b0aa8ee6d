//! Where figures and tables come from: written into every figure's file and at the foot of every page, so
//! that one that was copied elsewhere can still be traced.

use std::fmt;

use serde::Serialize;

use crate::checksum::FileRecord;
use crate::experiment::Provenance;
use crate::manifest::DatasetRecord;
use crate::run_record::RunRecord;
use crate::shell::quoted;

/// The folder, seeds, program and data that numbers come from. Several runs may share it, so that what
/// differs between them is a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Origin {
    /// Folder of the run, comparison or experiment.
    pub folder: String,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Commits of the source tree; empty if none is known.
    pub commits: Vec<String>,
    /// Versions of this program and of Burn.
    pub versions: Vec<String>,
    /// Backends with the devices' names.
    pub backends: Vec<String>,
    /// What was read.
    pub data: Vec<DatasetRecord>,
    /// The command line, program first; empty where several runs have one each.
    pub command: Vec<String>,
}

impl Origin {
    /// Origin of one run.
    pub fn of_run(run: &RunRecord) -> Self {
        let command = run.manifest.command.clone();
        Self { command, ..Self::of_runs(std::slice::from_ref(run), run.dir.display().to_string()) }
    }

    /// Origin of several runs, with the folder that they are in or their folders.
    pub fn of_runs<'a>(runs: impl IntoIterator<Item = &'a RunRecord>, folder: String) -> Self {
        let mut origin = Self { folder, ..Self::default() };
        for RunRecord { manifest, .. } in runs {
            add(&mut origin.seeds, manifest.seed);
            origin.add_program(
                manifest.git_commit.as_ref(),
                [&manifest.backburn_version, &manifest.burn_version],
                [&manifest.backend, &manifest.device],
            );
            for resumed in &manifest.resumed {
                origin.add_program(
                    resumed.git_commit.as_ref(),
                    [&resumed.backburn_version, &resumed.burn_version],
                    [&resumed.backend, &resumed.device],
                );
            }
            add(&mut origin.data, manifest.dataset.clone());
        }
        origin
    }

    fn add_program(
        &mut self,
        commit: Option<&String>,
        [backburn, burn]: [&String; 2],
        [backend, device]: [&String; 2],
    ) {
        if let Some(commit) = commit {
            add(&mut self.commits, commit.clone());
        }
        add(&mut self.versions, format!("backburn {backburn}, Burn {burn}"));
        add(&mut self.backends, format!("{backend} on {device}"));
    }

    /// Origin of an experiment whose results are in `folder`.
    pub fn of_experiment(provenance: &Provenance, folder: String) -> Self {
        let mut origin = Self {
            folder,
            seeds: provenance.seeds.clone(),
            data: provenance.dataset.iter().cloned().collect(),
            command: provenance.command.clone(),
            ..Self::default()
        };
        origin.add_program(
            provenance.git_commit.as_ref(),
            [&provenance.backburn_version, &provenance.burn_version],
            [&provenance.backend, &provenance.device],
        );
        origin
    }

    /// Adds another one; the folders in a list, no command.
    pub fn add(&mut self, other: Self) {
        if !self.folder.is_empty() {
            self.folder += ", ";
        }
        self.folder += &other.folder;
        other.seeds.into_iter().for_each(|seed| add(&mut self.seeds, seed));
        other.commits.into_iter().for_each(|commit| add(&mut self.commits, commit));
        other.versions.into_iter().for_each(|version| add(&mut self.versions, version));
        other.backends.into_iter().for_each(|backend| add(&mut self.backends, backend));
        other.data.into_iter().for_each(|data| add(&mut self.data, data));
    }

    /// Names and values, in the order in which they are shown.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let list = |items: &[String]| match items {
            [] => "not known".to_owned(),
            items => items.join(", "),
        };
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let data: Vec<String> = self.data.iter().map(described).collect();
        let mut rows = vec![
            ("folder", self.folder.clone()),
            ("seed", if seeds.is_empty() { "none".into() } else { seeds.join(", ") }),
            ("commit", list(&self.commits)),
            ("program", list(&self.versions)),
            ("backend", list(&self.backends)),
            ("data", if data.is_empty() { "none".into() } else { data.join("; ") }),
        ];
        if !self.command.is_empty() {
            let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
            rows.push(("command", words.join(" ")));
        }
        rows
    }
}

/// Adds what is not there yet.
fn add<T: PartialEq>(items: &mut Vec<T>, item: T) {
    if !items.contains(&item) {
        items.push(item);
    }
}

/// `mnist (train-images… SHA-256 440f…, …)`
fn described(data: &DatasetRecord) -> String {
    let file = |file: &FileRecord| format!("{} SHA-256 {}", file.name, file.sha256);
    let files: Vec<String> = data.files.iter().map(file).collect();
    format!("{} ({})", data.name, files.join(", "))
}

/// A line for each row, for files.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows().iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_run_is_traced_to_folder_seed_commit_and_data() {
        let text = Origin::of_run(&sample::run()).to_string();
        for part in [
            "folder: runs/20260102-030405-digits\n",
            "seed: 7\n",
            "commit: 0123456789abcdef0123456789abcdef01234567\n",
            "SHA-256 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "command: backburn train mnist --model lenet-bn\n",
        ] {
            assert!(text.contains(part), "no `{part}` in:\n{text}");
        }
    }

    #[test]
    fn what_runs_share_is_there_once_and_what_differs_is_listed() {
        let mut runs = vec![sample::run(), sample::run()];
        runs[1].manifest.seed = 8;
        runs[1].manifest.git_commit = Some("fedcba-modified".into());
        let origin = Origin::of_runs(&runs, "comparison".into());
        assert_eq!(origin.seeds, [7, 8]);
        assert_eq!((origin.commits.len(), origin.data.len(), origin.backends.len()), (2, 1, 1));
        runs[1].manifest.resumed[0].git_commit = Some("cdef".into());
        runs[1].manifest.resumed[0].backend = "wgpu".into();
        let origin = Origin::of_run(&runs[1]);
        assert_eq!(origin.commits, ["fedcba-modified", "cdef"]);
        assert_eq!(
            origin.backends,
            ["flex on Example CPU, 2 cores", "wgpu on Example CPU, 2 cores"]
        );
        runs[0].manifest.git_commit = None;
        runs[0].manifest.resumed.clear();
        let origin = Origin::of_runs(&runs[..1], "comparison".into());
        assert!(origin.to_string().contains("commit: not known\n"));
    }
}
