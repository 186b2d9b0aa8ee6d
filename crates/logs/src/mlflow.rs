//! A run as MLflow's file store has it, which `mlflow migrate-filestore` takes into a database.
//!
//! ```text
//! DIR/<experiment>/meta.yaml                   one experiment for each data set
//! DIR/<experiment>/<run>/meta.yaml             who, when, how it ended
//!                       /metrics/epoch/<name>  `milliseconds value epoch`, a line an epoch, of metrics.jsonl
//!                       /metrics/final/<name>  one line, of summary.json
//!                       /params/<name>         a setting of config.toml
//!                       /tags/<name>           name, command, commit, versions
//!                       /artifacts/            report, recipe and scores
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

use backburn_records::seed_group::arm;
use backburn_records::whole_file::{folder_of, sync_folder, write_whole};
use backburn_records::{
    CONFIG_FILE, MANIFEST_FILE, Manifest, RunRecord, SUMMARY_FILE, Status, sha256,
};
use backburn_training::picture_names::short_name;
use serde_json::Value;

use crate::error::LogError;
use crate::scalars::{of_epoch, of_summary};
use crate::settings::flat;

/// Files of a run that are copied to its artifacts, as far as they are there.
const ARTIFACTS: [&str; 3] = ["report.html", CONFIG_FILE, SUMMARY_FILE];

/// The user that runs belong to: a run folder does not say who trained.
const USER: &str = "backburn";

/// Adds a run to the file store `out`, which is made if it is not there. A run that is in it already is written anew.
/// Gives the run's folder in it.
///
/// # Errors
///
/// If `out` is something else, or cannot be written to, or the run's manifest does not say when it began.
pub fn write_mlflow(run: &RunRecord, out: &Path) -> Result<PathBuf, LogError> {
    check_store(out)?;
    let started = milliseconds(run, &run.manifest.started)?;
    let ended = run.manifest.ended.as_ref().map(|text| milliseconds(run, text)).transpose()?;
    let name = short_name(&run.manifest.dataset.name);
    let experiment = Experiment { id: experiment_id(&name), name };
    let folder = out.join(&experiment.id);
    fs::create_dir_all(&folder).map_err(LogError::make(&folder))?;
    let meta = folder.join("meta.yaml");
    if !meta.exists() {
        // One that a kill has cut would be an error of the whole store.
        let text = experiment.meta(&folder, started);
        write_whole(&meta, text.as_bytes()).map_err(LogError::write(&meta))?;
    }
    let (id, place) = (run_id(run), folder.join(run_id(run)));
    // Beside the store, where nobody takes it for a part of it before it is whole.
    let beside = folder_of(out);
    let temporary = tempfile::tempdir_in(beside).map_err(LogError::write(beside))?;
    let whole = temporary.path().join(&id);
    let files = Files { run, started, ended };
    files.write(&whole, &run_meta(run, &experiment.id, &id, &place, [Some(started), ended]))?;
    if place.exists() {
        fs::remove_dir_all(&place).map_err(LogError::write(&place))?;
    }
    fs::rename(&whole, &place)
        .and_then(|()| sync_folder(&folder))
        .map_err(LogError::write(&place))?;
    Ok(place)
}

/// Checks that a folder is a file store, or nothing yet.
fn check_store(out: &Path) -> Result<(), LogError> {
    if !out.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(out).map_err(LogError::read(out))? {
        let entry = entry.map_err(LogError::read(out))?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if !path.join("meta.yaml").exists() && ![".trash", "models"].contains(&&*name) {
            let (path, expected) = (out.to_owned(), "a new folder, or a file store of MLflow");
            return Err(LogError::Taken { path, expected, found: name });
        }
    }
    Ok(())
}

/// Runs on the same data.
struct Experiment {
    id: String,
    name: String,
}

impl Experiment {
    fn meta(&self, folder: &Path, now: i64) -> String {
        let Self { id, name } = self;
        yaml(&[
            ("artifact_location", quoted(&uri(folder))),
            ("creation_time", now.to_string()),
            ("experiment_id", quoted(id)),
            ("last_update_time", now.to_string()),
            ("lifecycle_stage", quoted("active")),
            ("name", quoted(name)),
        ])
    }
}

/// What a run's folder is made of.
struct Files<'a> {
    run: &'a RunRecord,
    /// Milliseconds since 1970.
    started: i64,
    ended: Option<i64>,
}

impl Files<'_> {
    /// Writes everything into the new folder `to`.
    fn write(&self, to: &Path, meta: &str) -> Result<(), LogError> {
        for folder in ["metrics", "params", "tags", "artifacts"].map(|name| to.join(name)) {
            fs::create_dir_all(&folder).map_err(LogError::make(&folder))?;
        }
        for (name, lines) in self.metrics() {
            write(&to.join("metrics").join(name), &lines)?;
        }
        for (name, value) in params(self.run) {
            write(&to.join("params").join(name), &value)?;
        }
        for (name, value) in tags(self.run) {
            write(&to.join("tags").join(name), &value)?;
        }
        for name in ARTIFACTS {
            let from = self.run.dir.join(name);
            if from.exists() {
                let bytes = fs::read(&from).map_err(LogError::read(&from))?;
                let to = to.join("artifacts").join(name);
                fs::write(&to, bytes).map_err(LogError::write(&to))?;
            }
        }
        write(&to.join("meta.yaml"), meta)
    }

    /// The lines of each metric: time, value, epoch.
    fn metrics(&self) -> BTreeMap<&'static str, String> {
        let mut metrics: BTreeMap<&str, String> = BTreeMap::new();
        let mut add = |tag, time: i64, value: f64, epoch: usize| {
            let _ = writeln!(metrics.entry(tag).or_default(), "{time} {value} {epoch}");
        };
        let mut seconds = 0.0;
        for epoch in &self.run.epochs {
            seconds += if epoch.seconds.is_finite() { epoch.seconds } else { 0.0 };
            for (tag, value) in of_epoch(epoch) {
                add(tag, self.started + (1000.0 * seconds) as i64, value, epoch.epoch);
            }
        }
        if let Some(summary) = &self.run.summary {
            let time = self.ended.unwrap_or(self.started + (1000.0 * seconds) as i64);
            for (tag, value) in of_summary(summary) {
                add(tag, time, value, summary.last_epoch);
            }
        }
        metrics
    }
}

/// The settings, as text.
fn params(run: &RunRecord) -> BTreeMap<String, String> {
    let config = run.config.as_deref().unwrap_or_default();
    // A recipe that cannot be read is told of by whoever repeats the run.
    let settings: serde_json::Map<String, Value> = toml::from_str(config).unwrap_or_default();
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    flat(&settings).into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn tags(run: &RunRecord) -> BTreeMap<&'static str, String> {
    let manifest = &run.manifest;
    let mut tags = BTreeMap::from([
        ("mlflow.runName", run_name(run)),
        ("mlflow.user", USER.to_owned()),
        ("mlflow.source.name", manifest.command.join(" ")),
        ("mlflow.source.type", "LOCAL".to_owned()),
        ("backburn.version", manifest.backburn_version.clone()),
        ("backburn.burn_version", manifest.burn_version.clone()),
        ("backburn.backend", manifest.machine().0.to_owned()),
        ("backburn.device", manifest.machine().1.to_owned()),
        ("backburn.model", manifest.model.clone()),
        ("backburn.status", manifest.status.to_string()),
        ("backburn.run_folder", real_folder(run).display().to_string()),
    ]);
    if let Some(commit) = &manifest.git_commit {
        tags.insert("mlflow.source.git.commit", commit.clone());
    }
    tags
}

/// `times`: start and end in milliseconds since 1970.
fn run_meta(
    run: &RunRecord,
    experiment: &str,
    id: &str,
    place: &Path,
    times: [Option<i64>; 2],
) -> String {
    let [started, ended] =
        times.map(|time| time.map_or("null".to_owned(), |time| time.to_string()));
    yaml(&[
        ("artifact_uri", quoted(&uri(&place.join("artifacts")))),
        ("end_time", ended),
        ("entry_point_name", quoted("")),
        // Quoted, since one of digits alone would be read as a number.
        ("experiment_id", quoted(experiment)),
        ("lifecycle_stage", quoted("active")),
        ("run_id", quoted(id)),
        ("run_name", quoted(&run_name(run))),
        ("run_uuid", quoted(id)),
        ("source_name", quoted("")),
        ("source_type", "4".to_owned()),
        ("source_version", quoted("")),
        ("start_time", started),
        ("status", status(run.manifest.status).to_string()),
        ("tags", "[]".to_owned()),
        ("user_id", quoted(USER)),
    ])
}

/// `RunStatus` of MLflow's `service.proto`.
fn status(status: Status) -> u8 {
    match status {
        Status::Running => 1,
        Status::Finished | Status::StoppedEarly => 3,
        Status::Diverged | Status::Failed => 4,
        Status::Interrupted | Status::Killed => 5,
    }
}

/// A name that is this run's whenever it is exported from where it lies. It begins with a letter.
///
/// The arms of a study have runs of one name, by one command, that may begin in the same second: recipe and folder tell
/// them apart.
fn run_id(run: &RunRecord) -> String {
    let Manifest { name, started, seed, command, .. } = &run.manifest;
    let (config, folder) = (&run.config, real_folder(run));
    let digits = sha256(
        format!("{name}\n{started}\n{seed}\n{command:?}\n{config:?}\n{folder:?}").as_bytes(),
    );
    format!("b{}", digits.get(..31).unwrap_or(&digits))
}

/// The run's own name, behind that of the arm that it belongs to.
fn run_name(run: &RunRecord) -> String {
    let name = &run.manifest.name;
    arm(&real_folder(run)).map_or_else(|| name.clone(), |arm| format!("{arm}/{name}"))
}

/// The run's folder, however it was named.
fn real_folder(run: &RunRecord) -> PathBuf {
    fs::canonicalize(&run.dir).unwrap_or_else(|_| absolute(&run.dir))
}

/// Eighteen digits, as MLflow makes them, that are the same for the same name.
fn experiment_id(name: &str) -> String {
    let digits = sha256(name.as_bytes());
    let number = digits.get(..15).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    const FIRST: u64 = 100_000_000_000_000_000;
    (FIRST + number.unwrap_or_default() % (9 * FIRST)).to_string()
}

fn yaml(rows: &[(&str, String)]) -> String {
    rows.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// A string of YAML: JSON's are such too.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A path as `file://…`.
fn uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in absolute(path).to_string_lossy().replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' | b':' => {
                uri.push(byte.into());
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn write(path: &Path, text: &str) -> Result<(), LogError> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(LogError::make(folder))?;
    fs::write(path, text).map_err(LogError::write(path))
}

/// Milliseconds since 1970 of a time of the manifest, which is RFC 3339 in UTC.
fn milliseconds(run: &RunRecord, text: &str) -> Result<i64, LogError> {
    parse_utc(text).ok_or_else(|| {
        let (path, found) = (run.dir.join(MANIFEST_FILE), text.to_owned());
        LogError::Time { path, found }
    })
}

fn parse_utc(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers::<i64, 3>(date, '-')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers::<i64, 3>(clock, ':')?;
    let is_real = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !is_real {
        return None;
    }
    let thousandths = format!("{fraction:0<3}");
    let thousandths: i64 = thousandths.get(..3)?.parse().ok()?;
    // A year begins in March, so that a leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // Days from 1 March of the year 0 to 1 January 1970.
    let days = days - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + thousandths)
}

fn numbers<T: std::str::FromStr, const N: usize>(text: &str, between: char) -> Option<[T; N]> {
    let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<T> =
        text.split(between).filter(digits).filter_map(|it| it.parse().ok()).collect();
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use backburn_records::sample;

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The sample with its folder, and where it was exported to.
    fn exported(folder: &Path) -> (RunRecord, PathBuf) {
        let run = folder.join("a run");
        fs::create_dir(&run).unwrap();
        sample::write(&run);
        let run = RunRecord::read(&run).unwrap();
        let place = write_mlflow(&run, &folder.join("mlruns")).unwrap();
        (run, place)
    }

    #[test]
    fn every_epoch_is_a_line_of_three_columns() {
        let folder = tempfile::tempdir().unwrap();
        let (run, place) = exported(folder.path());
        let lines = text(&place.join("metrics/epoch/valid_loss"));
        let found: Vec<(f64, usize)> = lines
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                let [time, value, epoch] = fields[..] else { panic!("{line}") };
                assert!(time.parse::<i64>().unwrap() >= parse_utc(&run.manifest.started).unwrap());
                (value.parse().unwrap(), epoch.parse().unwrap())
            })
            .collect();
        let expected: Vec<_> =
            run.epochs.iter().map(|it| (it.valid_loss.unwrap(), it.epoch)).collect();
        assert_eq!(found, expected);
        let summary = run.summary.unwrap();
        let line = text(&place.join("metrics/final/test_accuracy"));
        let expected = format!(" {} {}\n", summary.test_accuracy, summary.last_epoch);
        assert!(line.ends_with(&expected), "{line}");
    }

    #[test]
    fn what_mlflow_needs_is_there_and_a_run_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (mut run, place) = exported(folder.path());
        let meta = text(&place.join("meta.yaml"));
        let id = place.file_name().unwrap().to_str().unwrap();
        assert!(id.starts_with('b') && id.len() == 32);
        let started = parse_utc(&run.manifest.started).unwrap();
        for line in [
            &format!("run_id: \"{id}\"\n"),
            &format!("start_time: {started}\n"),
            "status: 3\n",
            "user_id: \"backburn\"\n",
        ] {
            assert!(meta.contains(line), "no {line} in {meta}");
        }
        assert!(meta.contains(&format!("artifact_uri: \"{}/artifacts\"", uri(&place))), "{meta}");
        let experiment = place.parent().unwrap();
        let id = experiment.file_name().unwrap().to_str().unwrap();
        assert!(id.len() == 18 && text(&experiment.join("meta.yaml")).contains(id));
        assert_eq!(text(&place.join("tags/mlflow.runName")), run.manifest.name);
        assert_eq!(text(&place.join("artifacts/config.toml")), run.config.clone().unwrap());

        run.manifest.status = Status::Diverged;
        run.epochs[0].train_objective = f64::NAN;
        run.epochs.truncate(1);
        assert_eq!(write_mlflow(&run, &folder.path().join("mlruns")).unwrap(), place);
        assert!(text(&place.join("meta.yaml")).contains("status: 4\n"));
        let lines = text(&place.join("metrics/epoch/train_objective"));
        assert!(lines.ends_with(" NaN 1\n") && lines.lines().count() == 1, "{lines}");
        assert_eq!(fs::read_dir(experiment).unwrap().count(), 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn arms_of_a_study_that_began_in_the_same_second_are_two_runs() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let places = ["none", "dropout"].map(|arm| {
            let run = folder.path().join("study").join(arm).join("seed-1");
            fs::create_dir_all(&run).unwrap();
            sample::write(&run);
            let mut run = RunRecord::read(&run).unwrap();
            run.manifest.name = "seed-1".to_owned();
            let place = write_mlflow(&run, &store).unwrap();
            assert_eq!(text(&place.join("tags/mlflow.runName")), format!("{arm}/seed-1"));
            let meta = text(&place.join("meta.yaml"));
            assert!(meta.contains(&format!("run_name: \"{arm}/seed-1\"\n")), "{meta}");
            // By another way to the same folder it is the same run.
            run.dir = run.dir.join("../seed-1");
            assert_eq!(write_mlflow(&run, &store).unwrap(), place);
            place
        });
        assert_ne!(places[0], places[1]);
        // The recipe alone is enough.
        let mut run = sample::run();
        let id = run_id(&run);
        run.config = Some("seed = 1\n".to_owned());
        assert_ne!(run_id(&run), id);
    }

    #[test]
    fn a_file_in_the_stores_place_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (run, _) = exported(folder.path());
        let file = folder.path().join("notes");
        fs::write(&file, "mine").unwrap();
        let refused = write_mlflow(&run, &file).unwrap_err().to_string();
        assert!(refused.contains("notes: expected a folder"), "{refused}");
        assert_eq!(text(&file), "mine");
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (run, _) = exported(folder.path());
        let refused = write_mlflow(&run, &run.dir).unwrap_err().to_string();
        assert!(
            refused.contains("a file store of MLflow") && refused.contains("--out"),
            "{refused}"
        );
    }

    #[test]
    fn settings_are_parameters_by_their_dotted_names() {
        let mut run = sample::run();
        run.config = Some("seed = 7\n[optimizer]\nname = \"adam\"\nbeta2 = 0.99\n".to_owned());
        let params: Vec<_> = params(&run).into_iter().collect();
        let expected = [("optimizer.beta2", "0.99"), ("optimizer.name", "adam"), ("seed", "7")];
        assert_eq!(params, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn times_are_milliseconds_since_1970() {
        assert_eq!(parse_utc("1970-01-01T00:00:00Z"), Some(0));
        // `date -u -d 2024-02-29T23:59:59Z +%s`, and the day after; 2000 was a leap year, 2100 is none.
        assert_eq!(parse_utc("2024-02-29T23:59:59.25Z"), Some(1_709_251_199_250));
        assert_eq!(parse_utc("2024-03-01T00:00:00Z"), Some(1_709_251_200_000));
        assert_eq!(parse_utc("2000-12-31T00:00:00.123456789Z"), Some(978_220_800_123));
        assert_eq!(parse_utc("2100-03-01T00:00:00Z"), Some(4_107_542_400_000));
        for wrong in
            ["", "2024-02-29", "2024-02-29T23:59:59+01:00", "2024-13-01T00:00:00Z", "a-b-cTd:e:fZ"]
        {
            assert_eq!(parse_utc(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_path_becomes_an_address() {
        assert_eq!(uri(Path::new("/a b/ü#")), "file:///a%20b/%C3%BC%23");
    }
}
