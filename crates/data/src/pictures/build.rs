//! Decodes and prepares the pictures of a survey, in parallel, into a file.

use std::path::Path;

use rayon::prelude::*;

use super::cache::{Contents, LeftOut, PreparedWith, SizeFrom, Writing, sources};
use super::decode::{Decoding, read};
use super::error::{DamagedPicture, DecodeError, PicturesError};
use super::facts::{Facts, Looked, look};
use super::fit::Fit;
use super::layout::Survey;
use super::picture::Picture;
use super::preparation::Preparation;
use super::settings::{Channels, PictureSettings};
use super::size::PictureSize;
use super::source::PictureFile;

/// How far preparing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureProgress {
    /// Pictures that have been prepared, or found to be damaged.
    pub done: usize,
    /// All pictures.
    pub of: usize,
}

/// The size of pictures that differ in theirs, if none is asked for; and the longest side that is kept unasked.
const DEFAULT_SIZE: PictureSize = PictureSize::square(64);

/// Pixels in bytes that are held before they are written.
const HELD_BYTES: usize = 1 << 24;

/// What is done to each picture, and what of it follows from the first picture only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    preparation: Preparation,
    size_from: SizeFrom,
    /// Whether one channel was chosen because no picture had colours so far.
    grey_so_far: bool,
}

/// What became of one picture that could be read.
enum Outcome {
    /// `[channels, height, width]`.
    Pixels(Vec<u8>),
    /// The plan does not hold for it, but this one.
    Contradicts(Plan),
}

/// Pictures that are prepared, in a file without its name.
pub(super) struct Built {
    contents: Contents,
    writing: Writing,
}

impl Built {
    /// Whether some pictures could not be read and were left out.
    pub(super) fn has_damaged(&self) -> bool {
        !self.contents.damaged.is_empty()
    }

    /// The same, as what other settings give that decide on the same pixels, which are kept in the file `path`.
    pub(super) fn kept_as(mut self, path: &Path, settings: &PictureSettings) -> Self {
        self.contents.prepared_with = PreparedWith::from(settings);
        self.writing = self.writing.named(path);
        self
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn finish(self) -> Result<(), PicturesError> {
        self.writing.finish(self.contents)
    }
}

/// Decodes and prepares all pictures into the file `path`, which is still to be finished. `looked` is told what was
/// seen of each picture, by its place in the survey; of some twice, when all begins anew.
///
/// Size and channels, where they are not set, are taken from the first picture; when a later one contradicts them, all
/// begins anew, which happens twice at most. So each picture is usually decoded once, and memory is taken for some at
/// a time.
///
/// # Errors
///
/// If pictures are damaged and not to be skipped (then all are named), or the file cannot be written.
pub(super) fn build(
    path: &Path,
    survey: &Survey,
    settings: &PictureSettings,
    progress: &mut dyn FnMut(PictureProgress),
    looked: &mut dyn FnMut(usize, Looked),
) -> Result<Built, PicturesError> {
    let mut plan = first_plan(survey, settings);
    loop {
        match attempt(path, survey, settings, plan, progress, looked)? {
            Attempt::Done(damaged, writing) => {
                let contents = contents(survey, settings, plan, damaged);
                return Ok(Built { contents, writing });
            }
            Attempt::Contradicted(other) => plan = other,
        }
    }
}

fn contents(
    survey: &Survey,
    settings: &PictureSettings,
    plan: Plan,
    damaged: Vec<LeftOut>,
) -> Contents {
    Contents {
        prepared_with: PreparedWith::from(settings),
        preparation: plan.preparation,
        size_from: plan.size_from,
        class_names: survey.class_names.clone(),
        sources: sources(survey),
        skipped: survey.skipped.clone(),
        damaged,
        pixels_sha256: String::new(), // Known when all is written.
    }
}

enum Attempt {
    Done(Vec<LeftOut>, Writing),
    Contradicted(Plan),
}

fn attempt(
    path: &Path,
    survey: &Survey,
    settings: &PictureSettings,
    plan: Plan,
    progress: &mut dyn FnMut(PictureProgress),
    looked: &mut dyn FnMut(usize, Looked),
) -> Result<Attempt, PicturesError> {
    let decoding = settings.decoding();
    let mut writing = Writing::begin(path.to_owned())?;
    let mut damaged = Vec::new();
    let at_once = (HELD_BYTES / plan.preparation.shape().pixels()).clamp(16, 1024);
    for (turn, files) in survey.files.chunks(at_once).enumerate() {
        let outcomes: Vec<Result<(Facts, Outcome), DecodeError>> =
            files.par_iter().map(|file| outcome(survey, file, &decoding, &plan)).collect();
        for (place, outcome) in outcomes.into_iter().enumerate() {
            let index = turn * at_once + place;
            let (facts, outcome) = match outcome {
                Ok(sound) => sound,
                Err(error) => {
                    damaged.push(LeftOut { index, reason: error.to_string() });
                    looked(index, Err(error));
                    continue;
                }
            };
            looked(index, Ok(facts));
            match outcome {
                Outcome::Contradicts(other) => return Ok(Attempt::Contradicted(other)),
                // After damage that ends all, the rest is only looked at.
                Outcome::Pixels(_) if !settings.skip_damaged && !damaged.is_empty() => {}
                Outcome::Pixels(pixels) => writing.push(&pixels)?,
            }
        }
        progress(PictureProgress { done: turn * at_once + files.len(), of: survey.files.len() });
    }
    // Without a single sound picture there is nothing to go on with.
    if !damaged.is_empty() && (!settings.skip_damaged || damaged.len() == survey.files.len()) {
        let pictures = damaged_pictures(survey, &damaged);
        return Err(PicturesError::Damaged { pictures, of: survey.files.len() });
    }
    Ok(Attempt::Done(damaged, writing))
}

/// The pictures that were left out, with their paths.
pub(super) fn damaged_pictures(survey: &Survey, left_out: &[LeftOut]) -> Vec<DamagedPicture> {
    let picture = |LeftOut { index, reason }: &LeftOut| {
        let file = survey.files.get(*index).map(|file| survey.folder.join(&file.path));
        DamagedPicture { path: file.unwrap_or_default(), reason: reason.clone() }
    };
    left_out.iter().map(picture).collect()
}

fn outcome(
    survey: &Survey,
    file: &PictureFile,
    decoding: &Decoding,
    plan: &Plan,
) -> Result<(Facts, Outcome), DecodeError> {
    let (picture, facts) = look(&survey.folder.join(&file.path), decoding)?;
    let outcome = match plan.for_picture(&picture) {
        plan_of_it if plan_of_it != *plan => Outcome::Contradicts(plan_of_it),
        plan => Outcome::Pixels(plan.preparation.prepare(&picture)),
    };
    Ok((facts, outcome))
}

impl Plan {
    /// The same plan if it holds for the picture, else one that holds for it and all before.
    fn for_picture(mut self, picture: &Picture) -> Self {
        let Preparation { height, width, .. } = self.preparation;
        if self.size_from == SizeFrom::Pictures
            && (picture.height, picture.width) != (height, width)
        {
            self = self.with_default_size();
        }
        if self.grey_so_far && !stays_grey(picture, &self.preparation) {
            self.grey_so_far = false;
            self.preparation.channels = 3;
        }
        self
    }

    fn with_default_size(mut self) -> Self {
        self.size_from = SizeFrom::Default;
        self.preparation.height = DEFAULT_SIZE.height;
        self.preparation.width = DEFAULT_SIZE.width;
        self
    }
}

/// Whether a picture has no colour, and the background gives it none.
fn stays_grey(picture: &Picture, preparation: &Preparation) -> bool {
    picture.is_grey() && (preparation.fit != Fit::Pad || preparation.background.is_grey())
}

/// What the settings and the first picture that can be read ask for.
fn first_plan(survey: &Survey, settings: &PictureSettings) -> Plan {
    let decoding = settings.decoding();
    let preparation = Preparation {
        height: settings.size.map_or(0, |size| size.height),
        width: settings.size.map_or(0, |size| size.width),
        fit: settings.fit,
        channels: if settings.channels == Channels::Rgb { 3 } else { 1 },
        background: settings.background,
    };
    let plan = Plan {
        preparation,
        size_from: SizeFrom::Settings,
        grey_so_far: settings.channels == Channels::Auto,
    };
    if settings.size.is_some() && settings.channels != Channels::Auto {
        return plan;
    }
    let read = |file: &PictureFile| -> Result<Picture, DecodeError> {
        read(&survey.folder.join(&file.path), &decoding)
    };
    let Some(first) = survey.files.iter().find_map(|file| read(file).ok()) else {
        return plan.with_default_size();
    };
    let small = first.height <= DEFAULT_SIZE.height && first.width <= DEFAULT_SIZE.width;
    let plan = match settings.size {
        Some(_) => plan,
        None if small => {
            let (height, width) = (first.height, first.width);
            let preparation = Preparation { height, width, ..preparation };
            Plan { preparation, size_from: SizeFrom::Pictures, ..plan }
        }
        None => plan.with_default_size(),
    };
    plan.for_picture(&first)
}
