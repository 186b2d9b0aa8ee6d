//! A run's network on other test sets of its classes, published ones or pictures.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use backburn_data::pictures::{Part, PictureFile, Survey, survey, survey_to_score};
use backburn_data::robustness::{self, CORRUPTIONS, NamedTestSet, RobustnessError, TestSets};
use backburn_data::{ImageShape, TestLog};
use backburn_records::Status;
use backburn_records::number::{count, counted, loss, percent};
use backburn_records::statistics::Spread;
use backburn_records::text_table::table;
use serde_json::{Value, json};

use super::{Predictions, Scores, labelled_pictures};
use crate::backend::Backend;
use crate::failure::{Failure, usage};
use crate::picture_names;
use crate::predict::Predictor;
use crate::run_folder::error::RunError;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::pages::Pages;
use crate::run_folder::test_log::ManifestLog;
use crate::session_error::SessionError;
use crate::watch::{Watch, note};

/// Scores on one set.
#[derive(Clone, Debug, PartialEq)]
pub struct SetScore {
    /// Name of the set.
    pub name: String,
    /// Images of it.
    pub images: usize,
    /// Share of right answers, in `[0, 1]`.
    pub accuracy: f64,
    /// Negative log-likelihood in nats.
    pub loss: f64,
    /// Expected calibration error, in `[0, 1]`.
    pub ece: f64,
}

/// All sets count as one access: they are looked at together, and many of them show the same test images.
struct OneAccess<'a> {
    log: ManifestLog<'a>,
    look: Option<usize>,
    purpose: String,
}

impl TestLog for OneAccess<'_> {
    type Error = RunError;

    fn record(&mut self, _: &str, weights: &str) -> Result<usize, RunError> {
        if let Some(look) = self.look {
            return Ok(look);
        }
        let look = self.log.record(&self.purpose, weights)?;
        self.look = Some(look);
        Ok(look)
    }
}

/// Scores the selected weights of the run in the folder `run` on the test sets at `path`, a score for each: published ones,
/// or a folder or table of pictures, whose parts are scored each for itself. `most_pixels`: those of a picture that is read;
/// as many as the run's own if `None`. `backend`: by its name; the run's own if `None`. `pages` draw anew what counts the
/// accesses to the test split.
///
/// # Errors
///
/// If the run has not come to its end, or a file of it or of the sets cannot be used.
pub fn evaluate_on(
    run: &Path,
    path: &Path,
    most_pixels: Option<u64>,
    backend: Option<&str>,
    pages: Pages,
    watch: &mut dyn Watch,
) -> Result<Vec<SetScore>, Failure> {
    let backend = backend.map(Backend::named).transpose().map_err(usage)?;
    let folder = RunFolder::open(run).map_err(SessionError::from)?;
    // The access is written to the manifest, which another process must not change meanwhile.
    let _lock = folder.lock(&mut *watch).map_err(SessionError::from)?;
    let mut manifest = folder.manifest().map_err(SessionError::from)?;
    let status = match manifest.status {
        // The lock is ours, so that nobody else is at work on it.
        Status::Running => Status::Killed,
        status => status,
    };
    let predictor = Predictor::of(&folder, &manifest, status, backend)?;
    let classes = predictor.class_names().len();
    let other = other(path, predictor.shape(), classes)?;
    for text in other.notes().into_iter().chain(other.learnt_from(&predictor)) {
        note(watch, &format!("note: {text}"));
    }
    if let Some(views) = predictor.recipe().tta {
        note(
            watch,
            &format!("note: the run is scored by views of each image, {views}; these by one look"),
        );
    }
    let log = ManifestLog { folder: &folder, manifest: &mut manifest, status, pages, watch };
    let mut log = OneAccess { log, look: None, purpose: format!("evaluate on {}", path.display()) };
    let mut rows = Vec::new();
    match other {
        Other::Published(sets) => {
            for file in sets {
                for set in file.map_err(|error| Failure::Error(error.to_string()))? {
                    rows.push(score(&predictor, &set, &mut log)?);
                }
            }
        }
        Other::Pictures(survey) => {
            let name = short_name(path);
            let most_pixels = most_pixels.unwrap_or(predictor.recipe().pictures.most_pixels);
            let answers = labelled_pictures::answers;
            let sets = answers(&predictor, &survey, &name, most_pixels, &mut log)?;
            rows.extend(sets.into_iter().map(|(name, answers)| SetScore::of(name, &answers)));
        }
    }
    Ok(rows)
}

/// What is there to score on.
enum Other {
    Published(TestSets),
    Pictures(Survey),
}

impl Other {
    fn notes(&self) -> Vec<String> {
        match self {
            Self::Published(sets) => sets.notes().to_vec(),
            Self::Pictures(survey) if survey.skipped.total() > 0 => {
                vec![format!("not taken for pictures: {}", survey.skipped)]
            }
            Self::Pictures(_) => Vec::new(),
        }
    }

    /// What is to be said if some are files that the run had to learn from. Pictures that it was once trained on and that
    /// lie elsewhere by now, or are copies, go by unnoticed.
    fn learnt_from(&self, run: &Predictor) -> Option<String> {
        let Self::Pictures(asked) = self else { return None };
        let own = survey(picture_names::folder(&run.recipe().dataset)?).ok()?;
        let real = |survey: &Survey, file: &PictureFile| {
            survey.folder.join(&file.path).canonicalize().ok()
        };
        let learnt = own.files.iter().filter(|file| file.part != Some(Part::Test));
        let learnt: HashSet<PathBuf> = learnt.filter_map(|file| real(&own, file)).collect();
        let is_learnt =
            |file: &&PictureFile| real(asked, file).is_some_and(|path| learnt.contains(&path));
        let seen = asked.files.iter().filter(is_learnt).count();
        (seen > 0).then(|| {
            format!(
                "{} of {} are the run's own, from which it took what it learnt: only on others is \
                 it seen how well it generalizes",
                count(seen as u64),
                counted(asked.files.len(), "picture")
            )
        })
    }
}

/// Looks for published test sets at `path`, and else for pictures.
fn other(path: &Path, shape: ImageShape, classes: usize) -> Result<Other, Failure> {
    match robustness::load(path, shape, classes) {
        Ok(sets) => Ok(Other::Published(sets)),
        Err(nothing @ RobustnessError::Nothing { .. }) => match survey_to_score(path) {
            Ok(survey) => Ok(Other::Pictures(survey)),
            Err(error) => Err(Failure::Error(format!(
                "{nothing}; or pictures in a folder for each class, but {error}"
            ))),
        },
        Err(error) => Err(Failure::Error(error.to_string())),
    }
}

/// The last part of a path.
fn short_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

impl SetScore {
    fn of(name: String, answers: &Predictions) -> Self {
        let Scores { loss, accuracy } = answers.scores();
        Self { name, images: answers.images(), accuracy, loss, ece: answers.calibration_error() }
    }
}

fn score(
    predictor: &Predictor,
    set: &NamedTestSet,
    log: &mut OneAccess<'_>,
) -> Result<SetScore, Failure> {
    let images = set.images.open(log, &set.name, "selected").map_err(SessionError::from)?;
    let predictions = predictor.score(images.for_final_scores()).map_err(SessionError::from)?;
    Ok(SetScore::of(set.name.clone(), &predictions))
}

/// The rows of the published benchmark among those of corruptions.
fn of_benchmark(rows: &[SetScore]) -> Vec<&SetScore> {
    let benchmark = &CORRUPTIONS.get(..robustness::BENCHMARK).unwrap_or_default();
    let is_of_it = |row: &&SetScore| {
        row.name.split_once(',').is_some_and(|(corruption, _)| benchmark.contains(&corruption))
    };
    rows.iter().filter(is_of_it).collect()
}

fn mean(rows: &[&SetScore], value: fn(&SetScore) -> f64) -> f64 {
    Spread::of(&rows.iter().map(|row| value(row)).collect::<Vec<_>>()).mean
}

/// The scores as one object.
pub fn as_json(rows: &[SetScore]) -> Value {
    let row = |row: &SetScore| {
        let SetScore { name, images, accuracy, loss, ece } = row;
        json!({ "set": name, "images": images, "accuracy": accuracy, "loss": loss, "ece": ece })
    };
    let benchmark = of_benchmark(rows);
    let mean_accuracy = (!benchmark.is_empty()).then(|| mean(&benchmark, |row| row.accuracy));
    json!({
        "sets": rows.iter().map(row).collect::<Vec<_>>(),
        "benchmark_sets": benchmark.len(),
        "benchmark_accuracy": mean_accuracy,
    })
}

/// The same for a terminal: a row for each set, and one for the benchmark's.
pub fn as_text(rows: &[SetScore]) -> String {
    let head = ["set", "images", "accuracy", "NLL", "ECE"].map(String::from);
    let cells = |name: String, images: String, all: &[&SetScore]| {
        let [accuracy, ece] =
            [mean(all, |row| row.accuracy), mean(all, |row| row.ece)].map(percent);
        [name, images, accuracy, loss(mean(all, |row| row.loss)), ece]
    };
    let mut lines = vec![head];
    for row in rows {
        lines.push(cells(row.name.clone(), count(row.images as u64), &[row]));
    }
    let benchmark = of_benchmark(rows);
    if !benchmark.is_empty() {
        let name = format!("mean of the benchmark's {}", benchmark.len());
        lines.push(cells(name, String::new(), &benchmark));
    }
    table(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &str, accuracy: f64) -> SetScore {
        SetScore { name: name.into(), images: 1000, accuracy, loss: 0.5, ece: 0.25 }
    }

    #[test]
    fn the_mean_is_over_the_sets_of_the_benchmark_alone() {
        let rows = [
            score("gaussian_noise, severity 1", 0.5),
            score("gaussian_noise, severity 2", 0.25),
            // Published beside the benchmark.
            score("speckle_noise, severity 1", 1.0),
            score("cifar10.1_v6", 1.0),
        ];
        let json = as_json(&rows);
        assert_eq!(json["sets"].as_array().map(Vec::len), Some(4));
        assert_eq!(
            (&json["benchmark_sets"], &json["benchmark_accuracy"]),
            (&json!(2), &json!(0.375))
        );
        let text = as_text(&rows);
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("mean of the benchmark's 2 "), "{text}");
        assert!(last.contains("37.50 %") && last.ends_with("25.00 %"), "{text}");
        let without = &rows[3..];
        assert!(as_json(without)["benchmark_accuracy"].is_null());
        assert!(!as_text(without).contains("mean of"));
    }
}
