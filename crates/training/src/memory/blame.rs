//! What a lack of memory is blamed on: the training that this process is at, and what would make it need less.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use backburn_records::command_name::as_typed;
use backburn_records::number::either;

use crate::backend::Backend;
use crate::recipe::Recipe;
use crate::run_folder::folder::RunFolder;

/// What this process trains, if it does.
#[derive(Debug)]
pub struct Training {
    /// What to do if there is too little memory for it.
    pub cure: String,
    /// Where it is written down, as soon as there is such a place.
    pub folder: Option<RunFolder>,
}

static TRAINING: Mutex<Option<Training>> = Mutex::new(None);

/// A training that a lack of memory is blamed on as long as this lives; then what was blamed before is blamed
/// again.
#[derive(Debug)]
#[must_use = "the blame ends when this is dropped"]
pub struct Blamed(Option<Training>);

/// A training by `recipe` begins, in `folder` if it has one already. `command`: what began it; a run of several, as a study
/// has, stays as the others are.
pub fn blame(recipe: &Recipe, folder: Option<&RunFolder>, command: &[String]) -> Blamed {
    let resume = folder.map_or_else(String::new, |folder| {
        // xtask builds the backend that the command line names.
        let backend = match recipe.place.backend {
            Backend::Flex => String::new(),
            other => format!(" --backend {other}"),
        };
        let resume = format!("`cargo xtask train --resume {}{backend}", folder.path().display());
        let smaller = smaller_batch(recipe).filter(|_| is_of_one_run(command));
        let smaller = smaller.map_or_else(String::new, |batch| {
            format!("; as long as it has no checkpoint, {resume} {batch}` begins it anew with less")
        });
        format!("{smaller}; where there is more memory, {resume}` resumes this run")
    });
    let cure = format!("{}: {}{resume}", subject(recipe), cure(recipe));
    let cure = as_typed(&cure).into_owned();
    let folder = folder.cloned();
    Blamed(in_turn().replace(Training { cure, folder }))
}

/// Whether a command line trains one run.
fn is_of_one_run(command: &[String]) -> bool {
    let is_of_many = |word: &String| word.starts_with("--seeds") || word.starts_with("--folds");
    command.iter().any(|word| word == "train") && !command.iter().any(is_of_many)
}

/// The run in `folder` has ended well, and only its report is missing.
pub(crate) fn blame_report(folder: &RunFolder) -> Blamed {
    let run = folder.path().display();
    let cure = format!(
        "the run is finished, and only its report is missing: where there is more memory, `cargo xtask report {run}` \
         writes it"
    );
    let cure = as_typed(&cure).into_owned();
    Blamed(in_turn().replace(Training { cure, folder: None }))
}

/// Gives `tell` what is trained now, if that is known at once: whoever asks may stand in the way of the thread that
/// changes it, so that nobody waits here.
pub fn with_blamed<T>(tell: impl FnOnce(Option<&Training>) -> T) -> T {
    let training = TRAINING.try_lock();
    tell(training.as_ref().ok().and_then(|training| training.as_ref()))
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
pub fn subject(recipe: &Recipe) -> String {
    let (model, size) = (recipe.model.name(), recipe.batch_size);
    format!("`{model}` with batches of {size} {}", either(size, "image", "images"))
}

/// What makes a training need less.
pub fn cure(recipe: &Recipe) -> String {
    let batch = smaller_batch(recipe)
        .map_or_else(String::new, |flags| format!(" (`{flags}` takes steps of as many images)"));
    format!("use a smaller `--batch-size`{batch}, a smaller `--model`, or more memory")
}

/// Flags for a smaller batch with which steps stay as they are: the largest that divides the batch.
fn smaller_batch(recipe: &Recipe) -> Option<String> {
    let Recipe { batch_size, accumulate, .. } = recipe;
    let parts = (2..=8).find(|parts| batch_size.is_multiple_of(*parts))?;
    Some(format!("--batch-size {} --accumulate {}", batch_size / parts, accumulate * parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::built_in;

    #[test]
    fn a_run_of_several_is_not_to_be_changed_by_itself() {
        let is_of_one =
            |line: &str| is_of_one_run(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(is_of_one("backburn train mnist --epochs 3"));
        assert!(is_of_one("cargo xtask train --resume run"));
        for several in ["train mnist --seeds 3", "train mnist --folds=5", "compare-regularizers"] {
            assert!(!is_of_one(&format!("backburn {several}")), "{several}");
        }
    }

    #[test]
    fn the_cure_keeps_the_size_of_the_steps_where_it_can() {
        let cure_of = |batch_size, accumulate| {
            let mut recipe = built_in("cifar10-plain").unwrap();
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
