//! `backburn verify`: whether a run folder is complete, undamaged, and agrees with itself.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_models::{Role, weights};
use backburn_report::{
    EpochRecord, EvaluationRecord, FileRecord, Manifest, Status, Summary, read_bounded,
};
use clap::Args;
use serde::de::DeserializeOwned;

use crate::checkpoint::{self, Checkpoint, CheckpointError, Position};
use crate::cli::{Failure, print_line};
use crate::recipe::Recipe;
use crate::run::{LOSSES, METRICS, RESULTS, RunFolder, loss_row, sha256};
use crate::run_lock::RunLock;

/// Scores that two files have of the same thing may differ by that share, because a run may have been
/// scored on another backend than it was trained on.
const TOLERANCE: f64 = 1e-3;

/// What is wrong with a file that is not there.
const MISSING: &str = "the file is missing";

/// What `report` draws from the records.
const REPORT: [&str; 3] = ["report.html", "figures/loss.svg", "figures/loss.png"];

/// `verify RUN`
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// Folder of a run, finished or not.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

/// Prints a line for each file, and fails if one is missing, damaged or contradicts another. Reads
/// nothing but the folder.
///
/// # Errors
///
/// What is wrong with each file, with the cure.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    if !args.run.is_dir() {
        return Err(Failure::Error(format!(
            "there is no folder {}; name a run folder, as `cargo xtask train` makes it under `runs/`",
            args.run.display()
        )));
    }
    // Before any file is read: what a process writes meanwhile need not fit together.
    let is_busy = RunLock::is_held(&args.run);
    let inspection = Inspection::of(&args.run, is_busy);
    print_line(inspection.table().trim_end());
    if inspection.faults.is_empty() {
        return Ok(());
    }
    // A process may also have begun since.
    if is_busy || RunLock::is_held(&args.run) {
        return Err(Failure::Error(format!(
            "a process is at work on {}, so that its files change while they are read; verify it when that has ended",
            args.run.display()
        )));
    }
    let faults: Vec<String> = inspection.faults.iter().map(Fault::to_string).collect();
    let number = match faults.len() {
        1 => "one thing is".to_owned(),
        several => format!("{several} things are"),
    };
    Err(Failure::Error(format!(
        "{number} wrong with {}:\n{}",
        args.run.display(),
        faults.join("\n")
    )))
}

/// What is wrong with a file.
#[derive(Debug)]
struct Fault {
    file: String,
    reason: String,
    cure: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}; {}", self.file, self.reason, self.cure)
    }
}

/// A folder as far as it has been looked at.
struct Inspection<'a> {
    path: &'a Path,
    status: Option<Status>,
    head: String,
    /// Each file with what there is to say of it.
    rows: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl<'a> Inspection<'a> {
    fn of(path: &'a Path, is_busy: bool) -> Self {
        let (head, rows, faults) = (String::new(), Vec::new(), Vec::new());
        let mut it = Self { path, status: None, head, rows, faults };
        let manifest: Option<Manifest> = it.json("manifest.json", |manifest: &Manifest| {
            Ok(match manifest.test_reads.len() {
                1 => "1 look at the test split".to_owned(),
                looks => format!("{looks} looks at the test split"),
            })
        });
        it.status = manifest.as_ref().map(|manifest| manifest.status);
        if RunFolder::open(path).is_ok_and(|folder| folder.has_only_its_recipe()) {
            // It was killed before anything else was written.
            let cure = it.resume();
            it.faults.iter_mut().for_each(|fault| fault.cure.clone_from(&cure));
        }
        let recipe = it.recipe();
        let metrics = it.metrics(recipe.as_ref());
        let epochs = metrics.epochs();
        it.losses(&metrics);
        if it.has_ended() {
            it.results(&metrics);
        }
        if let (Some(manifest), true) = (&manifest, it.has_ended()) {
            it.checksums(manifest);
            if !manifest.test_reads.iter().any(|read| read.purpose == "final score") {
                let reason = "the final score's look at the test split is not recorded";
                it.fault("manifest.json", reason, it.repeat());
            }
        }
        it.checkpoints(recipe.as_ref(), &metrics);
        if it.has_ended() {
            for file in REPORT.into_iter().filter(|file| !path.join(file).exists()) {
                let cure = format!("draw it with `cargo xtask report {}`", path.display());
                it.fault(file, "the file is missing", cure);
            }
        }
        let state = it.status.map_or("of unknown state", Status::name);
        let busy = if is_busy { "; a process is at work on it now" } else { "" };
        let number = epochs.len();
        it.head = format!("{}: {state}, {number} epochs{busy}", path.display());
        it
    }

    /// Whether it came to an end of which there are results.
    fn has_ended(&self) -> bool {
        matches!(self.status, Some(Status::Finished | Status::StoppedEarly))
    }

    fn table(&self) -> String {
        let lines = self.rows.iter().map(|(file, state)| format!("{file:<32} {state}\n"));
        format!("{}\n{}", self.head, lines.collect::<String>())
    }

    fn repeat(&self) -> String {
        let config = self.path.join("config.toml");
        format!(
            "restore it from a copy, or repeat the run with `cargo xtask train --config {}`",
            config.display()
        )
    }

    /// The cure of what is no result but can be made again.
    fn resume(&self) -> String {
        if self.can_be_resumed() {
            format!("`cargo xtask train --resume {}` sets it right", self.path.display())
        } else {
            self.repeat()
        }
    }

    fn good(&mut self, file: &str, state: &str) {
        self.rows.push((file.to_owned(), format!("ok  {state}").trim_end().to_owned()));
    }

    fn is_faulty(&self, file: &str) -> bool {
        self.faults.iter().any(|fault| fault.file == file)
    }

    /// Whether there is more to train, for which checkpoints are needed.
    fn can_be_resumed(&self) -> bool {
        !self.has_ended() && self.status != Some(Status::Diverged)
    }

    fn fault(&mut self, file: &str, reason: &str, cure: String) {
        // A parser's message may have several lines; each fault is one.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let state = if reason == MISSING { "missing" } else { "wrong" };
        self.rows.retain(|(name, _)| name != file);
        self.rows.push((file.to_owned(), state.to_owned()));
        self.faults.push(Fault { file: file.to_owned(), reason, cure });
    }

    /// The content of a file that must be there; what is wrong is noted.
    fn bytes(&mut self, file: &str, cure: impl FnOnce(&Self) -> String) -> Option<Vec<u8>> {
        match read_bounded(&self.path.join(file), u64::MAX) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let reason = match error.kind() {
                    std::io::ErrorKind::NotFound => MISSING.to_owned(),
                    _ => format!("cannot be read: {error}"),
                };
                let cure = cure(self);
                self.fault(file, &reason, cure);
                None
            }
        }
    }

    /// A file of JSON that must be there, if `check` has nothing against it.
    fn json<T: DeserializeOwned>(
        &mut self,
        file: &str,
        check: impl FnOnce(&T) -> Result<String, String>,
    ) -> Option<T> {
        let bytes = self.bytes(file, Self::repeat)?;
        let read = serde_json::from_slice(&bytes).map_err(|error| error.to_string());
        let checked = read.and_then(|value| Ok((check(&value)?, value)));
        match checked {
            Ok((state, value)) => {
                self.good(file, &state);
                Some(value)
            }
            Err(reason) => {
                self.fault(file, &reason, self.repeat());
                None
            }
        }
    }

    fn recipe(&mut self) -> Option<Recipe> {
        let file = "config.toml";
        let copy =
            |_: &Self| "restore it from a copy; nothing else has the whole recipe".to_owned();
        let bytes = self.bytes(file, copy)?;
        let text = String::from_utf8_lossy(&bytes);
        let read = Recipe::parse(&text, file).and_then(|recipe| recipe.check().map(|()| recipe));
        match read {
            Ok(recipe) => {
                self.good(file, &format!("{} on {}", recipe.model.name(), recipe.dataset));
                Some(recipe)
            }
            Err(error) => {
                self.fault(file, &error.to_string(), copy(self));
                None
            }
        }
    }

    fn metrics(&mut self, recipe: Option<&Recipe>) -> Metrics {
        let path = self.path.join(METRICS);
        if !self.has_ended() && !path.exists() {
            // Before its first epoch is over a run has none.
            return Metrics::None;
        }
        let Some(bytes) = self.bytes(METRICS, Self::resume) else { return Metrics::None };
        let text = String::from_utf8_lossy(&bytes);
        let validates = recipe.is_none_or(Recipe::validates);
        // A run that diverges may have had losses on validation before that were not finite.
        let finite = self.status != Some(Status::Diverged);
        let mut epochs = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let read = serde_json::from_str::<EpochRecord>(line).map_err(|error| error.to_string());
            match read.and_then(|row| check_row(row, number, validates, finite)) {
                Ok(row) => epochs.push(row),
                Err(reason) => {
                    self.fault(METRICS, &format!("line {number}: {reason}"), self.resume());
                    return Metrics::Damaged(epochs);
                }
            }
        }
        self.good(METRICS, &format!("{} epochs", epochs.len()));
        Metrics::Whole(epochs)
    }

    fn losses(&mut self, metrics: &Metrics) {
        let has_ended = self.has_ended();
        if metrics.epochs().is_empty() && !has_ended {
            return;
        }
        let Some(bytes) = self.bytes(LOSSES, Self::copy_of_losses) else { return };
        match check_losses(&String::from_utf8_lossy(&bytes), metrics, has_ended) {
            Ok(batches) => self.good(LOSSES, &format!("{batches} batches")),
            Err(reason) => self.fault(LOSSES, &reason, self.copy_of_losses()),
        }
    }

    /// What was minimized on the batches of an epoch is nowhere else, once that is over.
    fn copy_of_losses(&self) -> String {
        if self.can_be_resumed() {
            "restore it from a copy; `--resume` goes on without the batches that are lost"
                .to_owned()
        } else {
            self.repeat()
        }
    }

    /// What a run has once it has ended.
    fn results(&mut self, metrics: &Metrics) {
        let summary: Option<Summary> = self.json("summary.json", |summary| {
            check_summary(summary, metrics).map(|()| format!("epoch {}", summary.best_epoch))
        });
        let path = self.path.join("evaluation.json");
        self.json("evaluation.json", |evaluation: &EvaluationRecord| {
            evaluation.check(&path).map_err(|error| error.to_string())?;
            summary.as_ref().map_or(Ok(()), |summary| check_evaluation(evaluation, summary))?;
            Ok(format!("{} images", evaluation.image_count()))
        });
        self.json("normalization.json", |_: &serde_json::Value| Ok(String::new()));
        let file = "model.safetensors";
        if let Some(bytes) = self.bytes(file, Self::repeat) {
            match check_model(&bytes, summary.as_ref()) {
                Ok(parameters) => self.good(file, &format!("{parameters} parameters")),
                Err(reason) => self.fault(file, &reason, self.repeat()),
            }
        }
    }

    /// That the results are those that were written.
    fn checksums(&mut self, manifest: &Manifest) {
        if manifest.files.is_empty() {
            self.rows.push((
                "manifest.json".to_owned(),
                "has no checksums of results: the run is of an earlier version".to_owned(),
            ));
        }
        for FileRecord { name, bytes, sha256: expected } in &manifest.files {
            // A name from a file that may be damaged leads nowhere else.
            if !RESULTS.contains(&name.as_str()) {
                let reason = format!("`files` has `{name}`, which is no result of a run");
                self.fault("manifest.json", &reason, self.repeat());
                continue;
            }
            let is_known = self.is_faulty(name);
            let content = read_bounded(&self.path.join(name), u64::MAX);
            let Ok(content) = content else { continue };
            let (length, found) = (content.len() as u64, sha256(&content));
            if !is_known && (length, found.as_str()) != (*bytes, expected) {
                let reason = format!(
                    "expected {bytes} bytes with SHA-256 {expected}, as manifest.json has it, found {length} with {found}"
                );
                self.fault(name, &reason, self.repeat());
            }
        }
    }

    fn checkpoints(&mut self, recipe: Option<&Recipe>, metrics: &Metrics) {
        let path = self.path;
        let is_there = |file: &str| path.join(file).exists();
        let is_needed = self.can_be_resumed();
        if is_needed && !is_there(checkpoint::FILE) && !is_there(checkpoint::PREVIOUS) {
            // One that is killed while it saves for the first time has a row already.
            if metrics.epochs().len() > 1 {
                let cure = format!(
                    "restore it from a copy; `cargo xtask train --resume {}` begins anew",
                    path.display()
                );
                self.fault(checkpoint::FILE, MISSING, cure);
            }
            return;
        }
        let mut whole = Vec::new();
        let (mut is_of_other_recipe, mut has_epochs) = (false, false);
        for row in &CHECKPOINTS {
            let file = row.file;
            // The newest is missed, the others need not be there.
            if !is_there(file) && (file != checkpoint::FILE || !is_needed) {
                continue;
            }
            let Some(bytes) = self.bytes(file, |_| String::new()) else { continue };
            // What is damaged itself is not what to judge a checkpoint by.
            let recipe = recipe.filter(|_| !self.is_faulty("config.toml"));
            let rows = match metrics {
                Metrics::Whole(rows) if !self.is_faulty(METRICS) => Some(rows.as_slice()),
                _ => None,
            };
            let position = match check_checkpoint(&bytes, recipe, rows, row, self.has_ended()) {
                Ok(position) => position,
                // The newest is what `--resume` goes by.
                Err(CheckpointFault::OtherMetrics(position)) if whole.is_empty() => {
                    let rows = metrics.epochs().len();
                    let reason = format!(
                        "its {rows} rows do not fit the {} epochs of {file}",
                        position.epochs
                    );
                    self.fault(METRICS, &reason, self.resume());
                    position
                }
                Err(fault) => {
                    is_of_other_recipe |= matches!(fault, CheckpointFault::OtherRecipe(_));
                    self.fault(file, &fault.to_string(), String::new());
                    continue;
                }
            };
            whole.push(file);
            has_epochs |= position.epochs > 0;
            self.good(file, &position.to_string());
        }
        // One that cannot be read has been faulted already.
        if is_needed && has_epochs && !is_there(METRICS) {
            self.fault(METRICS, MISSING, self.resume());
        }
        let cure = match self.status {
            Some(status) if !is_needed => format!("a run that is {status} needs none; delete it"),
            _ if is_of_other_recipe => format!("set {} right", path.join("config.toml").display()),
            _ if whole.contains(&checkpoint::FILE) => self.resume(),
            _ if whole.contains(&checkpoint::PREVIOUS) => {
                let run = path.display();
                format!("`cargo xtask train --resume {run}` goes on from the one before it")
            }
            _ => self.repeat(),
        };
        let is_one = |file: &str| CHECKPOINTS.iter().any(|row| row.file == file);
        for fault in self.faults.iter_mut().filter(|fault| is_one(&fault.file)) {
            fault.cure.clone_from(&cure);
        }
    }
}

/// The rows of the metrics as far as they are in order.
enum Metrics {
    /// There is no file.
    None,
    /// From some line on it is no longer what was written.
    Damaged(Vec<EpochRecord>),
    Whole(Vec<EpochRecord>),
}

impl Metrics {
    fn epochs(&self) -> &[EpochRecord] {
        match self {
            Self::None => &[],
            Self::Damaged(epochs) | Self::Whole(epochs) => epochs,
        }
    }
}

/// A file of checkpoints, and where it may stand beside the metrics of a run that was killed. Metrics are
/// appended to first, then the epoch's end is written, then the newest takes the place of the one before.
struct CheckpointFile {
    file: &'static str,
    /// Epochs by which it may be behind.
    most_behind: usize,
    /// Epochs by which it may be ahead of metrics that were cut back to the newest on resume.
    most_ahead: usize,
}

const CHECKPOINTS: [CheckpointFile; 3] = [
    CheckpointFile { file: checkpoint::FILE, most_behind: 1, most_ahead: 0 },
    CheckpointFile { file: checkpoint::PREVIOUS, most_behind: 2, most_ahead: 0 },
    CheckpointFile { file: checkpoint::EPOCH_END, most_behind: 1, most_ahead: 1 },
];

fn check_row(
    row: EpochRecord,
    number: usize,
    validates: bool,
    finite: bool,
) -> Result<EpochRecord, String> {
    if row.epoch != number {
        return Err(format!("expected epoch {number}, found {}", row.epoch));
    }
    let always = [
        ("train_objective", Some(row.train_objective)),
        ("train_accuracy", Some(row.train_accuracy)),
        ("learning_rate", Some(row.learning_rate)),
        ("seconds", Some(row.seconds)),
        ("images_per_second", Some(row.images_per_second)),
    ];
    let validation = [("valid_loss", row.valid_loss), ("valid_accuracy", row.valid_accuracy)];
    let validation = validation.into_iter().filter(|_| validates && finite);
    for (name, value) in always.into_iter().chain(validation) {
        if !value.is_some_and(f64::is_finite) {
            return Err(format!("`{name}`: expected a finite number"));
        }
    }
    let shares =
        [("train_accuracy", Some(row.train_accuracy)), ("valid_accuracy", row.valid_accuracy)];
    for (name, value) in shares {
        if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
            return Err(format!("`{name}`: expected a share in [0, 1], found {value}"));
        }
    }
    Ok(row)
}

/// That there is a row for each batch of each epoch, and that they average to the epoch's own.
fn check_losses(text: &str, metrics: &Metrics, has_ended: bool) -> Result<usize, String> {
    let epochs = metrics.epochs();
    let more_epochs = match metrics {
        // Of these nobody knows how many there were.
        Metrics::None | Metrics::Damaged(_) => usize::MAX,
        Metrics::Whole(_) if has_ended => 0,
        // What came after the last checkpoint is cut off on resume.
        Metrics::Whole(_) => 1,
    };
    // A run that was killed may have a last line that is not whole.
    let whole_lines = text.rfind('\n').map_or(0, |end| end + 1);
    let text = if has_ended { text } else { text.get(..whole_lines).unwrap_or_default() };
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    if head != "epoch,batch,objective" {
        return Err(format!("line 1: expected `epoch,batch,objective`, found `{head}`"));
    }
    let mut objectives: Vec<Vec<f64>> = vec![Vec::new(); epochs.len()];
    for (number, line) in (2..).zip(lines) {
        let row = loss_row(line).filter(|(_, _, objective)| objective.is_finite());
        let Some((epoch, batch, objective)) = row else {
            return Err(format!(
                "line {number}: expected epoch, batch and a finite number, found `{line}`"
            ));
        };
        match epoch.checked_sub(1).and_then(|place| objectives.get_mut(place)) {
            Some(before) if before.len() + 1 == batch => before.push(objective),
            None if epoch > epochs.len() && epoch - epochs.len() <= more_epochs => {}
            _ => {
                return Err(format!(
                    "line {number}: batch {batch} of epoch {epoch} is out of order"
                ));
            }
        }
    }
    let batches = objectives.first().map_or(0, Vec::len);
    for (epoch, objectives) in epochs.iter().zip(&objectives) {
        let number = epoch.epoch;
        if objectives.len() != batches {
            return Err(format!(
                "epoch {number}: expected {batches} batches, found {}",
                objectives.len()
            ));
        }
        let mean = objectives.iter().sum::<f64>() / objectives.len().max(1) as f64;
        if !agree(mean, epoch.train_objective) {
            return Err(format!(
                "epoch {number}: the mean is {mean}, but {METRICS} has {}",
                epoch.train_objective
            ));
        }
    }
    Ok(batches * epochs.len())
}

fn check_summary(summary: &Summary, metrics: &Metrics) -> Result<(), String> {
    // Rows that are damaged are not what to judge it by.
    let Metrics::Whole(epochs) = metrics else { return Ok(()) };
    if summary.last_epoch != epochs.len() {
        let rows = epochs.len();
        return Err(format!(
            "`last_epoch` is {}, but {METRICS} has {rows} rows",
            summary.last_epoch
        ));
    }
    let Some(best) = summary.best_epoch.checked_sub(1).and_then(|place| epochs.get(place)) else {
        return Err(format!(
            "`best_epoch`: expected 1 to {}, found {}",
            epochs.len(),
            summary.best_epoch
        ));
    };
    let gap = summary.train_accuracy - summary.test_accuracy;
    let seconds: f64 = epochs.iter().map(|epoch| epoch.seconds).sum();
    let pairs = [
        ("valid_loss", summary.valid_loss, best.valid_loss),
        ("valid_accuracy", summary.valid_accuracy, best.valid_accuracy),
        ("generalization_gap", Some(summary.generalization_gap), Some(gap)),
        ("train_seconds", Some(summary.train_seconds), Some(seconds)),
    ];
    for (name, found, expected) in pairs {
        let agrees = match (found, expected) {
            (Some(found), Some(expected)) => agree(found, expected),
            (None, None) => true,
            _ => false,
        };
        if !agrees {
            return Err(format!(
                "`{name}` is {found:?}, but the other numbers make it {expected:?}"
            ));
        }
    }
    let finite =
        [summary.train_loss, summary.test_loss, summary.test_ece, summary.images_per_second];
    if !finite.iter().all(|value| value.is_finite()) {
        return Err("expected finite scores".to_owned());
    }
    Ok(())
}

fn check_evaluation(evaluation: &EvaluationRecord, summary: &Summary) -> Result<(), String> {
    let (images, mistakes) = (evaluation.image_count(), evaluation.mistake_count());
    let accuracy = images.saturating_sub(mistakes) as f64 / images.max(1) as f64;
    let pairs = [
        ("accuracy", Some(accuracy), summary.test_accuracy),
        ("nll", evaluation.nll, summary.test_loss),
        ("ece", evaluation.ece, summary.test_ece),
    ];
    for (name, found, expected) in pairs {
        if let Some(found) = found.filter(|found| !agree(*found, expected)) {
            return Err(format!("{name} is {found}, but summary.json has {expected}"));
        }
    }
    Ok(())
}

fn check_model(bytes: &[u8], summary: Option<&Summary>) -> Result<u64, String> {
    let (tensors, _) = weights::from_bytes(bytes).map_err(|error| error.to_string())?;
    if let Some(tensor) = tensors.iter().find(|it| !it.values.iter().all(|value| value.is_finite()))
    {
        return Err(format!("`{}` has values that are not finite", tensor.name));
    }
    let trained = tensors.iter().filter(|tensor| Role::is_trained(tensor.role));
    let parameters: u64 = trained.map(|tensor| tensor.values.len() as u64).sum();
    match summary {
        Some(summary) if summary.parameters != parameters => {
            Err(format!("has {parameters} parameters, but summary.json {}", summary.parameters))
        }
        _ => Ok(parameters),
    }
}

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
enum CheckpointFault {
    /// It is whole, but `config.toml` is of another training.
    #[error("{0}")]
    OtherRecipe(CheckpointError),
    /// It is whole, but its epochs are not those of the metrics.
    #[error("its {} epochs are not those of {METRICS}", .0.epochs)]
    OtherMetrics(Position),
    #[error("{0}")]
    Damaged(CheckpointError),
}

impl From<CheckpointError> for CheckpointFault {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::OtherRecipe(_) => Self::OtherRecipe(error),
            error => Self::Damaged(error),
        }
    }
}

/// `rows`: of the metrics; without them it is judged by itself.
fn check_checkpoint(
    bytes: &[u8],
    recipe: Option<&Recipe>,
    rows: Option<&[EpochRecord]>,
    place: &CheckpointFile,
    has_ended: bool,
) -> Result<Position, CheckpointFault> {
    let checkpoint = Checkpoint::read(bytes)?;
    if let Some(recipe) = recipe {
        checkpoint.check_recipe(&recipe.determinants())?;
    }
    let (position, known) = (checkpoint.position(), checkpoint.epochs());
    let Some(rows) = rows else { return Ok(position) };
    let text = |epoch: &EpochRecord| serde_json::to_string(epoch).unwrap_or_default();
    let same = known.iter().zip(rows).all(|(known, row)| text(known) == text(row));
    let is_ahead = known.len() > rows.len() + place.most_ahead;
    let is_behind = !has_ended && known.len() + place.most_behind < rows.len();
    if !same || is_ahead || is_behind {
        return Err(CheckpointFault::OtherMetrics(position));
    }
    Ok(position)
}

/// Whether two numbers that were reckoned in different ways are the same.
fn agree(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= TOLERANCE * found.abs().max(expected.abs()).max(1e-3)
}
