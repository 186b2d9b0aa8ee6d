//! Whether a run folder is complete, undamaged, and agrees with itself.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_records::number::{counted, either};
use backburn_records::{
    AtWork, EpochRecord, EvaluationRecord, MANIFEST_FILE, Manifest, Status, Summary, number,
    read_bounded,
};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::recipe::Recipe;
use crate::run_folder::checkpoint::Checkpoint;
use crate::run_folder::error::MISSING;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::inspect::{
    CHECKPOINTS, CheckpointFault, EpochCut, Rollbacks, check_checkpoint, check_evaluation,
    check_given_up, check_losses, check_manifest, check_memorized, check_model, check_row,
    check_summary, check_views,
};
use crate::run_folder::names::{
    CONFIG, EVALUATION, GIVEN_UP, LATEST, LOSSES, METRICS, NORMALIZATION, PREVIOUS, RESULTS,
    SUMMARY, WEIGHTS, most_bytes,
};

/// The page that `report` draws from the records, with the recipe in it.
const REPORT_PAGE: &str = "report.html";

/// What `report` draws.
const REPORT: [&str; 3] = [REPORT_PAGE, "figures/loss.svg", "figures/loss.png"];

/// What is wrong with a file.
#[derive(Debug)]
pub struct Fault {
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
pub struct Inspection<'a> {
    path: &'a Path,
    status: Option<Status>,
    head: String,
    /// Each file with what there is to say of it.
    rows: Vec<(String, String)>,
    /// Results that have the checksum which the manifest has of them.
    as_written: Vec<String>,
    /// Whether a checkpoint is of another recipe than `config.toml` is now.
    has_other_recipe: bool,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl<'a> Inspection<'a> {
    /// Whether nothing is wrong. `at_work`: whether a process was at work on the folder before it was looked at.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with the cure; or that a process is at work, so that files change while they are read.
    pub fn check(&self, at_work: AtWork) -> Result<(), Failure> {
        let path = self.path.display();
        if self.faults.is_empty() {
            return Ok(());
        }
        // A process may also have begun since.
        if [at_work, AtWork::on(self.path)].contains(&AtWork::Yes) {
            return Err(Failure::Error(format!(
                "a process is at work on {path}, so that its files change while they are read; \
                 verify it when that has ended"
            )));
        }
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        let number = match faults.len() {
            1 => "one thing is".to_owned(),
            several => format!("{several} things are"),
        };
        Err(Failure::Error(format!("{number} wrong with {path}:\n{}", faults.join("\n"))))
    }

    /// Looks at everything in the folder `path`, on which a process is at work or not.
    pub fn of(path: &'a Path, at_work: AtWork) -> Self {
        let mut it = Self {
            path,
            status: None,
            head: String::new(),
            rows: Vec::new(),
            as_written: Vec::new(),
            has_other_recipe: false,
            faults: Vec::new(),
        };
        let manifest: Option<Manifest> = it.json(MANIFEST_FILE, |manifest: &Manifest| {
            Ok(match manifest.test_reads.len() {
                1 => "1 access to the test split".to_owned(),
                accesses => format!("{accesses} accesses to the test split"),
            })
        });
        it.status = manifest.as_ref().map(|manifest| manifest.status);
        if RunFolder::open(path).is_ok_and(|folder| folder.has_only_its_recipe()) {
            // It was killed before anything else was written.
            let cure = it.resume_sets_it_right();
            it.faults.iter_mut().for_each(|fault| fault.cure.clone_from(&cure));
        }
        let recipe = it.recipe();
        // First of all: what was changed is not what to judge others by.
        if let (Some(manifest), true) = (&manifest, it.has_ended()) {
            it.checksums(manifest);
            // A run that extends another one has the accesses of that one too. Where there are no others, time does not
            // tell: the clock may have been set back since the run began.
            let is_own = |at: &String| manifest.extends.is_none() || *at >= manifest.started;
            let mut reads = manifest.test_reads.iter();
            if !reads.any(|read| read.purpose == "final score" && is_own(&read.at)) {
                let reason = "the final score's access to the test split is not recorded";
                it.fault(MANIFEST_FILE, reason, it.repeat());
            }
        }
        let recipe = recipe.filter(|_| !it.is_faulty(CONFIG));
        let rows = it.metrics(recipe.as_ref());
        let newest = it.checkpoints(recipe.as_ref(), rows.as_deref(), manifest.as_ref());
        // Where config.toml was edited, that is to blame.
        let recipe = recipe.filter(|_| !it.has_other_recipe);
        if let Some(manifest) = &manifest {
            let rollbacks = newest.as_ref().map(Checkpoint::rollbacks);
            if let Err(reason) = check_manifest(manifest, recipe.as_ref(), rollbacks) {
                it.fault(MANIFEST_FILE, &reason, it.repeat());
            }
        }
        let rows = rows.filter(|_| !it.is_faulty(METRICS));
        let cut = EpochCut::of(manifest.as_ref(), recipe.as_ref());
        it.losses(rows.as_deref(), &cut, newest.as_ref());
        it.given_up(manifest.as_ref());
        if it.has_ended() {
            it.results(rows.as_deref(), manifest.as_ref(), recipe.as_ref());
            for file in REPORT.into_iter().filter(|file| !path.join(file).exists()) {
                let cure = format!("draw it with `cargo xtask report {}`", path.display());
                it.fault(file, MISSING, cure);
            }
        }
        let state = it.status.map_or("of unknown state", Status::name);
        let remark = match (it.status, at_work) {
            (_, AtWork::Yes) => "; a process is at work on it now",
            (Some(Status::Running), AtWork::No) => {
                "; no process is at work on it: it was killed, or its memory ran out"
            }
            _ => "",
        };
        let epochs =
            rows.map_or_else(String::new, |rows| format!(", {}", number::epochs(rows.len())));
        it.head = format!("{}: {state}{epochs}{remark}", path.display());
        it
    }

    /// Whether it came to an end of which there are results.
    fn has_ended(&self) -> bool {
        matches!(self.status, Some(Status::Finished | Status::StoppedEarly))
    }

    /// A line for the run and one for each file.
    pub fn table(&self) -> String {
        let lines = self.rows.iter().map(|(file, state)| format!("{file:<32} {state}\n"));
        format!("{}\n{}", self.head, lines.collect::<String>())
    }

    fn repeat(&self) -> String {
        if self.is_faulty(CONFIG) {
            return format!("restore it from a copy, or repeat the run once {CONFIG} is right");
        }
        let config = self.path.join(CONFIG);
        format!(
            "restore it from a copy, or repeat the run with `cargo xtask train --config {}`",
            config.display()
        )
    }

    /// The cure of the recipe, which a run cannot be repeated without.
    fn copy_of_recipe(&self) -> String {
        let report = self.path.join(REPORT_PAGE);
        if report.exists() {
            format!("restore it from a copy, or from the recipe that {} shows", report.display())
        } else {
            "restore it from a copy; nothing else has the whole recipe".to_owned()
        }
    }

    /// The cure of what is no result but can be made again.
    fn resume(&self) -> String {
        if self.can_be_resumed() { self.resume_sets_it_right() } else { self.repeat() }
    }

    fn resume_sets_it_right(&self) -> String {
        format!("`cargo xtask train --resume {}` sets it right", self.path.display())
    }

    fn good(&mut self, file: &str, state: &str) {
        if self.is_faulty(file) {
            return;
        }
        self.rows.push((file.to_owned(), format!("ok  {state}").trim_end().to_owned()));
    }

    fn is_faulty(&self, file: &str) -> bool {
        self.faults.iter().any(|fault| fault.file == file)
    }

    fn is_as_written(&self, file: &str) -> bool {
        self.as_written.iter().any(|name| name == file)
    }

    /// Whether there is more to train, for which checkpoints are needed.
    fn can_be_resumed(&self) -> bool {
        matches!(self.status, Some(Status::Running | Status::Interrupted | Status::Failed))
    }

    /// Notes the first thing that is wrong with a file; others may only follow from it.
    fn fault(&mut self, file: &str, reason: &str, cure: String) {
        if self.is_faulty(file) {
            return;
        }
        // A parser's message may have several lines; each fault is one.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let state = if reason == MISSING { "missing" } else { "wrong" };
        self.rows.retain(|(name, _)| name != file);
        self.rows.push((file.to_owned(), state.to_owned()));
        self.faults.push(Fault { file: file.to_owned(), reason, cure });
    }

    /// The content of a file that must be there; what is wrong is noted.
    fn bytes(&mut self, file: &str, cure: impl FnOnce(&Self) -> String) -> Option<Vec<u8>> {
        match read_bounded(&self.path.join(file), most_bytes(file)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let (reason, cure) = match error.kind() {
                    std::io::ErrorKind::NotFound => (MISSING.to_owned(), cure(self)),
                    _ => (
                        format!("cannot be read: {error}"),
                        "see to its permissions and the disk, and try again".to_owned(),
                    ),
                };
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
        let bytes = self.bytes(CONFIG, Self::copy_of_recipe)?;
        let text = String::from_utf8_lossy(&bytes);
        let read = Recipe::parse(&text, CONFIG).and_then(|recipe| recipe.check().map(|()| recipe));
        match read {
            Ok(recipe) => {
                self.good(CONFIG, &format!("{} on {}", recipe.model.name(), recipe.dataset));
                Some(recipe)
            }
            Err(error) => {
                self.fault(CONFIG, &error.to_string(), self.copy_of_recipe());
                None
            }
        }
    }

    /// The epochs; `None` if they are not there or not what was written.
    fn metrics(&mut self, recipe: Option<&Recipe>) -> Option<Vec<EpochRecord>> {
        let path = self.path.join(METRICS);
        if !self.has_ended() && !path.exists() {
            // Before its first epoch is over a run has none.
            return None;
        }
        let bytes = self.bytes(METRICS, Self::resume)?;
        let text = String::from_utf8_lossy(&bytes);
        // Without a recipe nobody knows. An epoch whose validation loss is not finite is not written down.
        let validates = recipe.is_some_and(Recipe::validates);
        let mut epochs = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let read = serde_json::from_str::<EpochRecord>(line).map_err(|error| error.to_string());
            match read.and_then(|row| check_row(row, number, validates)) {
                Ok(row) => epochs.push(row),
                Err(reason) => {
                    self.fault(METRICS, &format!("line {number}: {reason}"), self.resume());
                    return None;
                }
            }
        }
        self.good(METRICS, &number::epochs(epochs.len()));
        Some(epochs)
    }

    fn losses(
        &mut self,
        rows: Option<&[EpochRecord]>,
        cut: &EpochCut<'_>,
        newest: Option<&Checkpoint>,
    ) {
        let has_epochs = rows.is_some_and(|rows| !rows.is_empty()) || self.is_faulty(METRICS);
        if !has_epochs && !self.has_ended() && !self.path.join(LOSSES).exists() {
            return;
        }
        // Before its first epoch is over a run has batches of that alone.
        let is_first = newest.is_none_or(|newest| newest.position().epochs == 0);
        let no_rows: &[EpochRecord] = &[];
        let rows = rows.or((!has_epochs && is_first).then_some(no_rows));
        let Some(bytes) = self.bytes(LOSSES, Self::copy_of_losses) else { return };
        let text = String::from_utf8_lossy(&bytes);
        let status = self.status;
        let check = |cut: &EpochCut<'_>| check_losses(&text, rows, cut, status, newest);
        match check(cut) {
            Ok(batches) => self.good(LOSSES, &counted(batches, "batch")),
            // Where both are as they were written, and every epoch is whole, the number of images does not fit.
            Err(reason)
                if self.is_as_written(LOSSES)
                    && self.is_as_written(METRICS)
                    && check(&EpochCut::default()).is_ok() =>
            {
                let reason = format!("its `train_images` do not fit {LOSSES}: {reason}");
                self.fault(MANIFEST_FILE, &reason, self.repeat());
            }
            Err(reason) => self.fault(LOSSES, &reason, self.copy_of_losses()),
        }
    }

    /// Checks `diverged.csv`, which a run that went back has.
    fn given_up(&mut self, manifest: Option<&Manifest>) {
        let rollbacks = manifest.map_or(&[][..], |manifest| manifest.rollbacks.as_slice());
        let is_needed = rollbacks.iter().any(|rollback| rollback.back_to.is_some());
        if !is_needed && !self.path.join(GIVEN_UP).exists() {
            return;
        }
        let Some(bytes) = self.bytes(GIVEN_UP, Self::copy_of_losses) else { return };
        // Without a manifest nobody knows.
        let Some(manifest) = manifest else { return };
        let text = String::from_utf8_lossy(&bytes);
        match check_given_up(&text, &manifest.rollbacks, self.status) {
            Ok(batches) => self.good(GIVEN_UP, &counted(batches, "batch")),
            Err(reason) => self.fault(GIVEN_UP, &reason, self.copy_of_losses()),
        }
    }

    /// What was minimized on the batches of an epoch is nowhere else, once that is over.
    fn copy_of_losses(&self) -> String {
        if self.can_be_resumed() {
            "restore it from a copy; `--resume` trains on without the batches that are lost"
                .to_owned()
        } else {
            self.repeat()
        }
    }

    /// What a run has once it has ended.
    fn results(
        &mut self,
        rows: Option<&[EpochRecord]>,
        manifest: Option<&Manifest>,
        recipe: Option<&Recipe>,
    ) {
        let summary: Option<Summary> = self.json(SUMMARY, |summary| {
            rows.map_or(Ok(()), |rows| check_summary(summary, rows))?;
            recipe.map_or(Ok(()), |recipe| check_views(summary, recipe))?;
            Ok(format!("epoch {}", summary.best_epoch))
        });
        // As above, by what is wrong itself nothing else is judged.
        let summary = summary.filter(|_| !self.is_faulty(SUMMARY));
        if let (Some(summary), Some(manifest)) = (&summary, manifest)
            && !self.is_faulty(MANIFEST_FILE)
            && let Err(reason) = check_memorized(summary, manifest)
        {
            // Where the one is as it was written, the other has changed.
            let file = if self.is_as_written(SUMMARY) { MANIFEST_FILE } else { SUMMARY };
            self.fault(file, &reason, self.repeat());
        }
        let path = self.path.join(EVALUATION);
        self.json(EVALUATION, |evaluation: &EvaluationRecord| {
            evaluation.check(&path).map_err(|error| error.to_string())?;
            summary.as_ref().map_or(Ok(()), |summary| check_evaluation(evaluation, summary))?;
            Ok(counted(evaluation.image_count() as usize, "image"))
        });
        self.json(NORMALIZATION, |_: &serde_json::Value| Ok(String::new()));
        let file = WEIGHTS;
        if let Some(bytes) = self.bytes(file, Self::repeat) {
            match check_model(&bytes, summary.as_ref()) {
                Ok(parameters) => self.good(file, &format!("{parameters} parameters")),
                Err(reason) => self.fault(file, &reason, self.repeat()),
            }
        }
    }

    /// Checks that the results are those that were written.
    fn checksums(&mut self, manifest: &Manifest) {
        if manifest.files.is_empty() {
            self.rows.push((
                MANIFEST_FILE.to_owned(),
                "has no checksums of results: the run is of an earlier version".to_owned(),
            ));
        }
        for file in &manifest.files {
            let name = &file.name;
            // A name from a file that may be damaged leads nowhere else.
            if !RESULTS.contains(&name.as_str()) {
                let reason = format!("`files` has `{name}`, which is no result of a run");
                self.fault(MANIFEST_FILE, &reason, self.repeat());
                continue;
            }
            // One that is not there is missed further on.
            let content = read_bounded(&self.path.join(name), most_bytes(name));
            let Ok(content) = content else { continue };
            match file.check(&content) {
                Ok(()) => self.as_written.push(name.clone()),
                Err(changed) => {
                    let cure = if name == CONFIG { self.copy_of_recipe() } else { self.repeat() };
                    self.fault(name, &changed.to_string(), cure);
                }
            }
        }
    }

    /// The newest, if it is whole.
    fn checkpoints(
        &mut self,
        recipe: Option<&Recipe>,
        rows: Option<&[EpochRecord]>,
        manifest: Option<&Manifest>,
    ) -> Option<Checkpoint> {
        let path = self.path;
        let is_there = |file: &str| path.join(file).exists();
        let is_needed = self.can_be_resumed();
        if is_needed && !is_there(LATEST) && !is_there(PREVIOUS) {
            // One that is killed while it saves for the first time has a row already.
            if rows.unwrap_or_default().len() > 1 {
                let cure = format!(
                    "restore it from a copy; `cargo xtask train --resume {}` begins anew",
                    path.display()
                );
                self.fault(LATEST, MISSING, cure);
            }
            return None;
        }
        let (mut whole, mut newest, mut has_epochs) = (Vec::new(), None::<Checkpoint>, false);
        for row in &CHECKPOINTS {
            let file = row.file;
            // The newest is missed, the others need not be there.
            if !is_there(file) && (file != LATEST || !is_needed) {
                continue;
            }
            let Some(bytes) = self.bytes(file, |_| String::new()) else { continue };
            let rows = rows.filter(|_| !self.is_faulty(METRICS));
            let checkpoint = match Checkpoint::read(&bytes) {
                Ok(checkpoint) => checkpoint,
                Err(error) => {
                    self.fault(file, &error.to_string(), String::new());
                    continue;
                }
            };
            let rollbacks = Rollbacks {
                manifest: manifest.map_or(&[], |manifest| &manifest.rollbacks),
                newest: newest.as_ref().unwrap_or(&checkpoint).rollbacks(),
            };
            match check_checkpoint(&checkpoint, recipe, rows, row, rollbacks, self.has_ended()) {
                Ok(()) => {}
                // The newest is what `--resume` goes by.
                Err(CheckpointFault::OtherMetrics(epochs))
                    if whole.is_empty() && !self.is_as_written(METRICS) =>
                {
                    let number = rows.unwrap_or_default().len();
                    let do_not = either(number, "does", "do");
                    let (rows, epochs) = (counted(number, "row"), counted(epochs, "epoch"));
                    let reason = format!("its {rows} {do_not} not fit the {epochs} of {file}");
                    self.fault(METRICS, &reason, self.resume());
                }
                Err(fault) => {
                    self.has_other_recipe |= matches!(fault, CheckpointFault::OtherRecipe(_));
                    self.fault(file, &fault.to_string(), String::new());
                    continue;
                }
            }
            whole.push(file);
            has_epochs |= !checkpoint.epochs().is_empty();
            self.good(file, &checkpoint.position().to_string());
            if file == LATEST {
                newest = Some(checkpoint);
            }
        }
        // One that cannot be read has been faulted already.
        if is_needed && has_epochs && !is_there(METRICS) {
            self.fault(METRICS, MISSING, self.resume());
        }
        let cure = match self.status {
            _ if self.has_other_recipe => format!("set {} right", path.join(CONFIG).display()),
            Some(status) if !is_needed => format!("a run that is {status} needs none; delete it"),
            _ if whole.contains(&LATEST) => self.resume(),
            _ if whole.contains(&PREVIOUS) => {
                let run = path.display();
                format!("`cargo xtask train --resume {run}` resumes from the one before it")
            }
            _ => self.repeat(),
        };
        let is_one = |file: &str| CHECKPOINTS.iter().any(|row| row.file == file);
        let without_cure = |fault: &&mut Fault| is_one(&fault.file) && fault.cure.is_empty();
        for fault in self.faults.iter_mut().filter(without_cure) {
            fault.cure.clone_from(&cure);
        }
        newest
    }
}
