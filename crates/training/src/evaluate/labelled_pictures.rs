//! A run's network on labelled pictures of its classes.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_data::pictures::{DamagedPicture, PictureFile, Survey, name_in, named, read_all};
use backburn_data::{DataError, ImageSet, TestLog, TestSplit};
use backburn_records::number::counted;

use super::Predictions;
use crate::failure::Failure;
use crate::predict::Predictor;
use crate::prepare::PrepareError;
use crate::run_folder::error::RunError;
use crate::session_error::SessionError;

/// Damaged pictures that are named.
const MOST_NAMED: usize = 20;

/// Answers to the pictures of a survey, those of one part after the other: its name, or else `name`, and the answers. As
/// many pictures are in memory at a time as [`Predictor::at_a_time`] says. `most_pixels`: those of a picture that is read.
/// `log`: it hears of the access before anything is scored.
///
/// # Errors
///
/// If the run knows a class of them by no such name, a picture cannot be read, or the access cannot be recorded.
pub(super) fn answers(
    predictor: &Predictor,
    survey: &Survey,
    name: &str,
    most_pixels: u64,
    log: &mut impl TestLog<Error = RunError>,
) -> Result<Vec<(String, Predictions)>, Failure> {
    let labels = labels(predictor, survey)?;
    let label = |file: &PictureFile| labels.get(usize::from(file.label)).copied();
    let decoding = predictor.decoding(most_pixels);
    let (mut sets, mut damaged) = (Vec::new(), Vec::new());
    for of_part in survey.files.chunk_by(|one, next| one.part == next.part) {
        let mut all: Option<Predictions> = None;
        for chunk in of_part.chunks(predictor.at_a_time()) {
            let paths: Vec<PathBuf> =
                chunk.iter().map(|file| survey.folder.join(&file.path)).collect();
            let images = read_all(&paths, &decoding, |picture| predictor.prepare(picture));
            let mut pixels = Vec::new();
            for (path, image) in paths.into_iter().zip(images) {
                match image {
                    Ok(image) => pixels.extend(image),
                    Err(error) => damaged.push(DamagedPicture { path, reason: error.to_string() }),
                }
            }
            // All that are damaged are named, and nothing is worth computing any more.
            if !damaged.is_empty() {
                continue;
            }
            let labels = chunk.iter().filter_map(label).collect();
            let classes = predictor.class_names().len();
            let set = ImageSet::new(predictor.shape(), classes, pixels, labels);
            let set = set.map_err(|error| failure(DataError::from(error).into()))?;
            let images = TestSplit::seal(set).open(log, name, "selected");
            let images = images.map_err(SessionError::from)?;
            let answers = predictor.score(images.for_final_scores()).map_err(failure)?;
            match &mut all {
                Some(all) => all.append(answers),
                None => all = Some(answers),
            }
        }
        let part = of_part.first().and_then(|file| file.part);
        let name = part.map_or_else(|| name.to_owned(), |part| part.to_string());
        sets.extend(all.map(|all| (name, all)));
    }
    if damaged.is_empty() { Ok(sets) } else { Err(cannot_be_read(&damaged, survey)) }
}

/// The run's label of each class of the survey.
fn labels(predictor: &Predictor, survey: &Survey) -> Result<Vec<u16>, Failure> {
    let known = predictor.class_names();
    let place = |name: &String| known.iter().position(|known| known == name);
    let unknown: Vec<_> = survey.class_names.iter().filter(|name| place(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Failure::Error(format!(
            "{}: expected classes of the run, {}, found {}; name them as the run does, or leave \
             them out",
            survey.folder.display(),
            named(known),
            named(&unknown)
        )));
    }
    let label = |name: &String| place(name).and_then(|place| u16::try_from(place).ok());
    Ok(survey.class_names.iter().filter_map(label).collect())
}

fn cannot_be_read(damaged: &[DamagedPicture], survey: &Survey) -> Failure {
    let line =
        |it: &DamagedPicture| format!("\n  {}: {}", name_in(&survey.folder, &it.path), it.reason);
    let more = damaged.len().saturating_sub(MOST_NAMED);
    Failure::Error(format!(
        "{} of {} in {} cannot be read; put sound copies in their place or remove them:{}{}",
        damaged.len(),
        counted(survey.files.len(), "picture"),
        survey.folder.display(),
        damaged.iter().take(MOST_NAMED).map(line).collect::<String>(),
        if more > 0 { format!("\n  and {more} more") } else { String::new() }
    ))
}

fn failure(error: PrepareError) -> Failure {
    SessionError::from(error).into()
}
