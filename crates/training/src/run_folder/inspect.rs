//! What the files of a run folder must say, each by itself and beside the others. Whoever finds a
//! contradiction says what it is; [`verify`](crate::run_folder::verify) says of which file, and what to do.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_models::{Role, weights};
use backburn_records::number::{counted, either};
use backburn_records::{
    EpochRecord, EvaluationRecord, MANIFEST_FILE, Manifest, Memorized, RollbackRecord, Status,
    Summary,
};

use crate::prepare::TRAIN_SAMPLE;
use crate::recipe::Recipe;
use crate::run_folder::checkpoint::{Checkpoint, CheckpointError};
use crate::run_folder::losses::{GIVEN_UP_HEAD, LOSSES_HEAD, given_up_row, loss_row};
use crate::run_folder::names::{CONFIG, EPOCH_END, LATEST, METRICS, PREVIOUS};
use crate::weighing::Weighing;

/// Scores that two files have of the same thing may differ by that share, because a run may have been
/// scored on another backend than it was trained on.
const TOLERANCE: f64 = 1e-3;

/// A file of checkpoints, and where it may stand beside the metrics of a run that was killed. Metrics are
/// appended to first, then the newest takes the place of the one before, then the epoch's end is written.
pub(crate) struct CheckpointFile {
    pub(crate) file: &'static str,
    /// Epochs by which it may be behind.
    most_behind: usize,
    /// Epochs by which it may be ahead of metrics that were cut back on resume, because the newest was
    /// damaged. They are trained again then, in another time.
    most_ahead: usize,
}

pub(crate) const CHECKPOINTS: [CheckpointFile; 3] = [
    CheckpointFile { file: LATEST, most_behind: 1, most_ahead: 0 },
    CheckpointFile { file: PREVIOUS, most_behind: 2, most_ahead: 0 },
    // Ends that are no better than guessing do not take its place.
    CheckpointFile { file: EPOCH_END, most_behind: usize::MAX, most_ahead: 1 },
];

/// How an epoch is cut into batches and averaged, as far as manifest and recipe tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EpochCut<'a> {
    weighing: Option<Weighing>,
    recipe: Option<&'a Recipe>,
    /// Images of the training split.
    images: Option<usize>,
}

impl<'a> EpochCut<'a> {
    pub(crate) fn of(manifest: Option<&Manifest>, recipe: Option<&'a Recipe>) -> Self {
        let version = manifest.map(|manifest| manifest.backburn_version.as_str());
        let images = manifest.and_then(|manifest| manifest.train_images);
        Self { weighing: version.map(Weighing::of_version), recipe, images }
    }

    /// Batches of an epoch; `None` if nobody knows.
    fn batches(&self) -> Option<usize> {
        let (recipe, images) = (self.recipe?, self.images?);
        Some(recipe.last_batch.batches(images, recipe.batch_size))
    }

    /// What an epoch's objectives average to, in the meaning of the version that began the run; `None` if nobody
    /// knows.
    fn mean(&self, objectives: &[f64]) -> Option<f64> {
        let objectives = objectives.iter().copied();
        if self.weighing? == Weighing::Batches {
            return Some(Weighing::Batches.mean(objectives.map(|objective| (objective, 1))));
        }
        let (recipe, images) = (self.recipe?, self.images?);
        let size = |number| recipe.last_batch.batch_images(images, recipe.batch_size, number);
        Some(Weighing::Images.mean(objectives.zip((0..).map(size))))
    }
}

/// Checks that the manifest says what the other files say too. `rollbacks`: of the newest checkpoint.
pub(crate) fn check_manifest(
    manifest: &Manifest,
    recipe: Option<&Recipe>,
    rollbacks: Option<&[RollbackRecord]>,
) -> Result<(), String> {
    if let Some(recipe) = recipe {
        let number = |number: Option<u64>| number.map_or("none".to_owned(), |it| it.to_string());
        let noise = manifest.label_noise.as_ref().map(|noise| noise.setting.clone());
        let noise_of_recipe = recipe.label_noise.map(|noise| noise.to_string());
        let none = || "none".to_owned();
        let pairs = [
            ("seed", manifest.seed.to_string(), recipe.seed.to_string()),
            ("data_seed", number(manifest.data_seed), number(recipe.data_seed)),
            ("replicate", manifest.replicate.to_string(), recipe.replicate.to_string()),
            ("label_noise", noise.unwrap_or_else(none), noise_of_recipe.unwrap_or_else(none)),
            ("model", manifest.model.clone(), recipe.model.name().to_owned()),
            ("dataset.name", manifest.dataset.name.clone(), recipe.dataset.clone()),
        ];
        for (name, found, expected) in pairs {
            if found != expected {
                return Err(format!("`{name}` is {found}, but {CONFIG} has {expected}"));
            }
        }
    }
    let version = &manifest.backburn_version;
    if manifest.train_images.is_none() && Weighing::of_version(version) == Weighing::Images {
        return Err(format!("`train_images` is missing, which version {version} writes"));
    }
    let status = manifest.status;
    if !matches!(status, Status::Finished | Status::StoppedEarly) && !manifest.files.is_empty() {
        return Err(format!("a run that is {status} has no results, but `files` names some"));
    }
    let (Some(expected), found) = (rollbacks, manifest.rollbacks.as_slice()) else { return Ok(()) };
    // A run that was killed may have written one of the two.
    let is_between = matches!(status, Status::Running | Status::Failed | Status::Interrupted)
        && expected.len().abs_diff(found.len()) == 1
        && expected.iter().zip(found).all(|(expected, found)| expected == found);
    if expected != found && !is_between {
        let (found, expected) = (found.len(), expected.len());
        return Err(format!("its `rollbacks`, {found}, are not those of {}, {expected}", LATEST));
    }
    Ok(())
}

/// A line of `metrics.jsonl`. `validates`: whether it must have finite scores on the validation split.
pub(crate) fn check_row(
    row: EpochRecord,
    number: usize,
    validates: bool,
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
    let validation = validation.into_iter().filter(|_| validates);
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

/// What may stand in `losses.csv` behind the epochs that `metrics.jsonl` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    /// Nothing, in a run that has come to its end.
    Nothing,
    /// Part of an epoch that was interrupted.
    PartOfAnEpoch,
    /// Part of an epoch, or a whole one, of which the last batch is the one that diverged.
    Divergence,
    /// Epochs of a run that was killed or failed, perhaps while it went back several of them.
    Epochs,
}

impl Behind {
    fn of(status: Option<Status>) -> Self {
        match status {
            Some(Status::Finished | Status::StoppedEarly) => Self::Nothing,
            Some(Status::Interrupted) => Self::PartOfAnEpoch,
            Some(Status::Diverged) => Self::Divergence,
            Some(Status::Running | Status::Failed | Status::Killed) | None => Self::Epochs,
        }
    }

    /// Greatest number of epochs, whole or not.
    fn most(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::PartOfAnEpoch | Self::Divergence => 1,
            Self::Epochs => usize::MAX,
        }
    }

    /// Whether the last value of all may be one that is not finite.
    fn may_diverge(self) -> bool {
        matches!(self, Self::Divergence | Self::Epochs)
    }
}

/// Checks that there is a row for each batch of each epoch, in order, and that they average to the epoch's own; of
/// an epoch that did not end, for those that were trained, with all that `newest`, the newest checkpoint, knows of.
/// Gives the number of rows. Without `epochs` it is judged by itself.
pub(crate) fn check_losses(
    text: &str,
    epochs: Option<&[EpochRecord]>,
    cut: &EpochCut<'_>,
    status: Option<Status>,
    newest: Option<&Checkpoint>,
) -> Result<usize, String> {
    let behind = Behind::of(status);
    let most_behind = if epochs.is_some() { behind.most() } else { usize::MAX };
    let epochs = epochs.unwrap_or_default();
    // A run that was killed may have a last line that is not whole.
    let whole_lines = text.rfind('\n').map_or(0, |end| end + 1);
    let is_whole = behind == Behind::Nothing;
    let text = if is_whole { text } else { text.get(..whole_lines).unwrap_or_default() };
    let mut lines = (1..).zip(text.lines()).peekable();
    check_head(lines.next(), LOSSES_HEAD)?;
    let mut number_of_rows = 0;
    let mut objectives: Vec<Vec<f64>> = vec![Vec::new(); epochs.len()];
    while let Some((number, line)) = lines.next() {
        number_of_rows += 1;
        let is_last = lines.peek().is_none();
        let may_diverge = |epoch| is_last && epoch > epochs.len() && behind.may_diverge();
        let row = loss_row(line);
        let row = row.filter(|row| row.2.is_finite() || may_diverge(row.0));
        let Some((epoch, batch, objective)) = row else {
            return Err(format!(
                "line {number}: expected epoch, batch and a finite number, found `{line}`"
            ));
        };
        if epoch == objectives.len() + 1 && epoch - epochs.len() <= most_behind {
            objectives.push(Vec::new());
        }
        match epoch.checked_sub(1).and_then(|place| objectives.get_mut(place)) {
            Some(before) if before.len() + 1 == batch => before.push(objective),
            _ => {
                return Err(format!(
                    "line {number}: batch {batch} of epoch {epoch} is out of order"
                ));
            }
        }
    }
    let most = objectives.iter().map(Vec::len).max().unwrap_or(0);
    let batches = cut.batches().unwrap_or(most);
    let last = objectives.len();
    for (epoch, objectives) in (1..).zip(&objectives) {
        let found = objectives.len();
        if found == 0 {
            return Err(format!("epoch {epoch}: its batches are missing"));
        }
        let may_be_part = epoch == last && epoch > epochs.len() && found < batches;
        if found != batches && !may_be_part {
            let expected = counted(batches, "batch");
            return Err(format!("epoch {epoch}: expected {expected}, found {found}"));
        }
    }
    for (epoch, objectives) in epochs.iter().zip(&objectives) {
        let mean = cut.mean(objectives);
        if let Some(mean) = mean.filter(|mean| !agree(*mean, epoch.train_objective)) {
            return Err(format!(
                "epoch {}: the mean is {mean}, but {METRICS} has {}",
                epoch.epoch, epoch.train_objective
            ));
        }
    }
    let Some(newest) = newest else { return Ok(number_of_rows) };
    let (known, place) = (newest.objectives(), newest.position().epochs);
    let found = objectives.get(place).map_or(&[][..], Vec::as_slice);
    if known.iter().zip(found).any(|(known, found)| known != found) {
        return Err(format!("epoch {}: its batches are not those of {}", place + 1, LATEST));
    }
    // Versions before 0.2 wrote none of an epoch that had not ended.
    if found.len() < known.len() && cut.weighing == Some(Weighing::Images) {
        return Err(format!(
            "epoch {}: expected the {} that {} has, found {}",
            place + 1,
            counted(known.len(), "batch"),
            LATEST,
            found.len()
        ));
    }
    Ok(number_of_rows)
}

fn check_head(line: Option<(usize, &str)>, expected: &str) -> Result<(), String> {
    let found = line.map_or("", |(_, line)| line);
    if found == expected {
        return Ok(());
    }
    Err(format!("line 1: expected `{expected}`, found `{found}`"))
}

/// Checks that there is a row for each batch that each rollback gave up, in order; gives the number of rows. A run
/// that was killed in the midst of another rollback may have those of that too.
pub(crate) fn check_given_up(
    text: &str,
    rollbacks: &[RollbackRecord],
    status: Option<Status>,
) -> Result<usize, String> {
    let mut lines = (1..).zip(text.lines());
    check_head(lines.next(), GIVEN_UP_HEAD)?;
    let mut rows: Vec<(usize, (usize, usize, f64))> = Vec::new();
    for (number, line) in lines {
        let row = given_up_row(line).ok_or_else(|| {
            format!("line {number}: expected rollback, epoch, batch and a number, found `{line}`")
        })?;
        let is_next = match rows.last() {
            None => row.1.1 == 1,
            Some((rollback, (epoch, batch, objective))) => {
                let (next, (next_epoch, next_batch, _)) = row;
                let continues = next == *rollback
                    && objective.is_finite()
                    && ((next_epoch, next_batch) == (*epoch, batch + 1)
                        || (next_epoch, next_batch) == (epoch + 1, 1));
                continues || next > *rollback && next_batch == 1
            }
        };
        if !is_next {
            return Err(format!("line {number}: `{line}` is out of order"));
        }
        rows.push(row);
    }
    for (number, record) in (1..).zip(rollbacks) {
        // Versions before 0.2 wrote none.
        let Some(back_to) = record.back_to else { continue };
        let mut of_it = rows.iter().filter(|(rollback, _)| *rollback == number).map(|(_, row)| row);
        let first = of_it.next();
        let last = of_it.next_back().or(first);
        let begins = first.is_some_and(|(epoch, ..)| *epoch == back_to + 1);
        let ends =
            last.is_some_and(|(epoch, batch, _)| (*epoch, *batch) == (record.epoch, record.batch));
        if !begins || !ends {
            return Err(format!(
                "rollback {number}: expected the batches from epoch {} to epoch {}, batch {}",
                back_to + 1,
                record.epoch,
                record.batch
            ));
        }
    }
    let more = rows.last().map_or(0, |(rollback, _)| rollback.saturating_sub(rollbacks.len()));
    if more > usize::from(Behind::of(status) == Behind::Epochs) {
        let rollbacks = counted(rollbacks.len(), "rollback");
        return Err(format!("it has batches of more than {rollbacks}"));
    }
    Ok(rows.len())
}

/// Checks that the scores agree with each other and with the epochs.
pub(crate) fn check_summary(summary: &Summary, epochs: &[EpochRecord]) -> Result<(), String> {
    if summary.last_epoch != epochs.len() {
        let rows = counted(epochs.len(), "row");
        return Err(format!("`last_epoch` is {}, but {METRICS} has {rows}", summary.last_epoch));
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
    // While training, validation takes one look: scores by views are others, but there if those are.
    let by_views = |found: Option<f64>, of_one_look: Option<f64>| match summary.tta {
        Some(_) => of_one_look.map(|of_one_look| found.unwrap_or(of_one_look)),
        None => of_one_look,
    };
    let valid_loss = by_views(summary.valid_loss, best.valid_loss);
    let valid_accuracy = by_views(summary.valid_accuracy, best.valid_accuracy);
    let pairs = [
        ("valid_loss", summary.valid_loss, valid_loss),
        ("valid_accuracy", summary.valid_accuracy, valid_accuracy),
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

/// Checks that the scores are of the views that the recipe asks for.
pub(crate) fn check_views(summary: &Summary, recipe: &Recipe) -> Result<(), String> {
    let expected = recipe.tta.map(|views| views.to_string());
    if summary.tta == expected {
        return Ok(());
    }
    let [found, expected] =
        [&summary.tta, &expected].map(|views| views.as_deref().unwrap_or("none"));
    Err(format!("`tta` is {found}, but {CONFIG} has {expected}"))
}

/// Checks that what has become of the wrong labels is told if there are any, and agrees with the training accuracy
/// where that was measured on all training images.
pub(crate) fn check_memorized(summary: &Summary, manifest: &Manifest) -> Result<(), String> {
    let (memorized, noise) = match (&summary.memorized, &manifest.label_noise) {
        (None, None) => return Ok(()),
        (Some(memorized), Some(noise)) => (memorized, noise),
        (Some(_), None) => {
            return Err(format!("`memorized` is there, but {MANIFEST_FILE} has no label noise"));
        }
        (None, Some(_)) => return Err("`memorized` is missing, and there is label noise".into()),
    };
    let Memorized { wrong_labels, learnt_by_heart, clean_accuracy } = *memorized;
    if wrong_labels != noise.wrong {
        let expected = noise.wrong;
        return Err(format!(
            "`memorized.wrong_labels` is {wrong_labels}, but {MANIFEST_FILE} has {expected}"
        ));
    }
    let images = manifest.train_images;
    let others = images.map(|images| images.saturating_sub(wrong_labels));
    let shares = [
        ("learnt_by_heart", learnt_by_heart, Some(wrong_labels)),
        ("clean_accuracy", clean_accuracy, others),
    ];
    for (name, share, of) in shares {
        let is_share = (0.0..=1.0).contains(&share) || share.is_nan() && of == Some(0);
        if !is_share {
            return Err(format!("`memorized.{name}`: expected a share in [0, 1], found {share}"));
        }
    }
    let (Some(images), Some(others)) = (images.filter(|it| *it <= TRAIN_SAMPLE), others) else {
        return Ok(());
    };
    let parts = [(learnt_by_heart, wrong_labels), (clean_accuracy, others)].into_iter();
    let right: f64 = parts.filter(|(_, of)| *of > 0).map(|(share, of)| share * of as f64).sum();
    let (found, expected) = (summary.train_accuracy, right / images.max(1) as f64);
    if agree(found, expected) {
        return Ok(());
    }
    Err(format!("`train_accuracy` is {found}, but `memorized` makes it {expected}"))
}

/// Checks that the answers to the test images come to the scores.
pub(crate) fn check_evaluation(
    evaluation: &EvaluationRecord,
    summary: &Summary,
) -> Result<(), String> {
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
    let views = evaluation.tta.as_ref().map(|tta| tta.views.as_str());
    if views != summary.tta.as_deref() {
        let [found, expected] =
            [views, summary.tta.as_deref()].map(|views| views.unwrap_or("none"));
        return Err(format!("`tta.views` is {found}, but summary.json has {expected}"));
    }
    Ok(())
}

/// Checks that the weights are finite, and as many as the summary says; gives their number.
pub(crate) fn check_model(bytes: &[u8], summary: Option<&Summary>) -> Result<u64, String> {
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
pub(crate) enum CheckpointFault {
    /// The checkpoint is whole, but `config.toml` is of another training.
    #[error("{0}")]
    OtherRecipe(CheckpointError),
    /// The checkpoint is whole, but its epochs are not those of the metrics.
    #[error(
        "its {} {} of {METRICS}",
        counted(*.0, "epoch"),
        either(*.0, "is not the one", "are not those")
    )]
    OtherMetrics(usize),
    /// The checkpoint is whole, but lacks what training needs to be resumed.
    #[error("{0}")]
    Incomplete(CheckpointError),
}

impl From<CheckpointError> for CheckpointFault {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::OtherRecipe(_) => Self::OtherRecipe(error),
            error => Self::Incomplete(error),
        }
    }
}

/// The rollbacks of a run, as its manifest and its newest checkpoint have them; a process that was killed may have
/// written one to the checkpoint alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rollbacks<'a> {
    pub(crate) manifest: &'a [RollbackRecord],
    pub(crate) newest: &'a [RollbackRecord],
}

impl Rollbacks<'_> {
    /// Epochs that a checkpoint shares with the metrics although the run has gone back since; `None` if it has not.
    fn shared_epochs(&self, checkpoint: &Checkpoint) -> Option<usize> {
        let longest =
            if self.newest.len() > self.manifest.len() { self.newest } else { self.manifest };
        let later = longest.get(checkpoint.rollbacks().len()..).unwrap_or_default();
        later.iter().map(|it| it.back_to.unwrap_or(it.epoch.saturating_sub(1))).min()
    }
}

/// Checks that a checkpoint is of this recipe and these epochs. `rows`: of the metrics; without them it is judged
/// by itself.
pub(crate) fn check_checkpoint(
    checkpoint: &Checkpoint,
    recipe: Option<&Recipe>,
    rows: Option<&[EpochRecord]>,
    place: &CheckpointFile,
    rollbacks: Rollbacks<'_>,
    has_ended: bool,
) -> Result<(), CheckpointFault> {
    if let Some(recipe) = recipe {
        checkpoint.check_recipe(&recipe.determinants())?;
    }
    checkpoint.check_complete()?;
    let known = checkpoint.epochs();
    let Some(rows) = rows else { return Ok(()) };
    let text = |epoch: &EpochRecord| {
        let mut epoch = epoch.clone();
        if place.most_ahead > 0 {
            (epoch.seconds, epoch.images_per_second) = (0.0, 0.0);
        }
        serde_json::to_string(&epoch).unwrap_or_default()
    };
    let shared = rollbacks.shared_epochs(checkpoint);
    let mut pairs = known.iter().zip(rows).take(shared.unwrap_or(usize::MAX));
    let same = pairs.all(|(known, row)| text(known) == text(row));
    let is_ahead = shared.is_none() && known.len() > rows.len() + place.most_ahead;
    // The rows behind a checkpoint that has just gone back are still to be cut off.
    let has_gone_back = checkpoint.rollbacks().len() > rollbacks.manifest.len();
    let is_behind = !has_ended
        && shared.is_none()
        && !has_gone_back
        && known.len().saturating_add(place.most_behind) < rows.len();
    if !same || is_ahead || is_behind {
        return Err(CheckpointFault::OtherMetrics(known.len()));
    }
    Ok(())
}

/// Whether two numbers that were reckoned in different ways are the same.
fn agree(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= TOLERANCE * found.abs().max(expected.abs()).max(1e-3)
}
