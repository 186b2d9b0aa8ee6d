//! What a folder of pictures holds, before anything is trained on it.

use std::collections::BTreeMap;

use super::error::{DamagedPicture, DecodeError};
use super::facts::{Facts, Looked};
use super::format::PictureFormat;
use super::layout::{Arrangement, Survey};
use super::part::Part;
use super::skipped::Skipped;
use super::source::PictureFile;

/// Pictures of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCount {
    /// The class's name.
    pub name: String,
    /// Its pictures, in all parts, damaged ones too.
    pub pictures: usize,
}

/// How the sizes of pictures spread. A size is `(height, width)` in pixels, upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeSpread {
    /// That of the fewest pixels.
    pub smallest: (usize, usize),
    /// That in the middle, by the number of pixels.
    pub median: (usize, usize),
    /// That of the most pixels.
    pub largest: (usize, usize),
    /// The least and the greatest height.
    pub heights: (usize, usize),
    /// The least and the greatest width.
    pub widths: (usize, usize),
    /// That of the most pictures; of several, the smallest.
    pub most_frequent: (usize, usize),
    /// How many pictures have it.
    pub of_most_frequent: usize,
}

/// Something that a person should look at before training.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Suspicion {
    /// Classes with fewer than 10 pictures, by name.
    SmallClasses(Vec<String>),
    /// The largest class has at least 10 times as many pictures as the smallest.
    Imbalance(f64),
    /// The largest picture has at least 16 times as many pixels as the smallest.
    SizesDiffer,
    /// The longer side of some pictures is at least four times their shorter one; how many.
    Narrow(usize),
    /// Pictures whose name ends like that of another format; how many.
    OtherFormat(usize),
}

/// What a folder of pictures holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// How classes and parts are told.
    pub arrangement: Arrangement,
    /// Number of pictures, damaged ones too.
    pub pictures: usize,
    /// The classes, in label order.
    pub classes: Vec<ClassCount>,
    /// Pictures of the largest class for each of the smallest.
    pub imbalance: f64,
    /// Pictures of each part that folders or table name; none if they name no parts.
    pub parts: BTreeMap<Part, usize>,
    /// How sizes spread; `None` if no picture could be read.
    pub sizes: Option<SizeSpread>,
    /// Pictures of each format, by their content.
    pub formats: BTreeMap<PictureFormat, usize>,
    /// Pictures without any colour.
    pub grey: usize,
    /// Pictures with colours.
    pub coloured: usize,
    /// Pictures whose end is missing.
    pub cut_short: Vec<DamagedPicture>,
    /// Pictures that cannot be read for other reasons.
    pub damaged: Vec<DamagedPicture>,
    /// What was not taken for a picture.
    pub skipped: Skipped,
    /// What a person should look at.
    pub suspicions: Vec<Suspicion>,
}

/// Fewer pictures in a class than this are few.
const FEW: usize = 10;
/// Times that make classes of different size suspicious.
const UNEVEN: f64 = 10.0;
/// Times that make numbers of pixels suspicious.
const WIDE: usize = 16;
/// Times that make a picture a narrow one.
const NARROW: usize = 4;

impl Description {
    /// Says what a survey has found. `looked`: what is told of each of its pictures, in their order.
    pub(super) fn of(survey: &Survey, looked: Vec<Looked>) -> Self {
        let mut classes: Vec<ClassCount> = survey
            .class_names
            .iter()
            .map(|name| ClassCount { name: name.clone(), pictures: 0 })
            .collect();
        let mut parts = BTreeMap::new();
        for PictureFile { label, part, .. } in &survey.files {
            classes.get_mut(usize::from(*label)).into_iter().for_each(|class| class.pictures += 1);
            part.iter().for_each(|&part| *parts.entry(part).or_default() += 1);
        }
        let (mut cut_short, mut damaged) = (Vec::new(), Vec::new());
        let mut readable = Vec::new();
        for (file, facts) in survey.files.iter().zip(looked) {
            let wrong = |error: DecodeError| DamagedPicture {
                path: survey.folder.join(&file.path),
                reason: error.to_string(),
            };
            match facts {
                Ok(facts) => readable.push(facts),
                Err(error @ DecodeError::CutShort { .. }) => cut_short.push(wrong(error)),
                Err(error) => damaged.push(wrong(error)),
            }
        }
        let mut formats = BTreeMap::new();
        readable.iter().for_each(|facts| *formats.entry(facts.format).or_default() += 1);
        let counts = || classes.iter().map(|class| class.pictures);
        let imbalance =
            counts().max().unwrap_or(0) as f64 / counts().min().unwrap_or(0).max(1) as f64;
        let grey = readable.iter().filter(|facts| facts.grey).count();
        let sizes = spread(&readable);
        Self {
            arrangement: survey.arrangement,
            pictures: survey.files.len(),
            suspicions: suspicions(&classes, imbalance, sizes.as_ref(), &readable),
            classes,
            imbalance,
            parts,
            sizes,
            formats,
            grey,
            coloured: readable.len() - grey,
            cut_short,
            damaged,
            skipped: survey.skipped.clone(),
        }
    }
}

fn spread(readable: &[Facts]) -> Option<SizeSpread> {
    let pixels = |size: &(usize, usize)| (size.0 * size.1, size.0);
    let mut sizes: Vec<(usize, usize)> = readable.iter().map(|facts| facts.size).collect();
    sizes.sort_by_key(pixels);
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    sizes.iter().for_each(|&size| *counts.entry(pixels(&size)).or_default() += 1);
    let (&(pixels, height), &of_most_frequent) =
        counts.iter().rev().max_by_key(|(_, count)| **count)?;
    let range = |of: fn(&(usize, usize)) -> usize| {
        let (least, greatest) = (sizes.iter().map(of).min(), sizes.iter().map(of).max());
        Some((least?, greatest?))
    };
    Some(SizeSpread {
        smallest: *sizes.first()?,
        median: *sizes.get((sizes.len() - 1) / 2)?,
        largest: *sizes.last()?,
        heights: range(|size| size.0)?,
        widths: range(|size| size.1)?,
        most_frequent: (height, pixels / height),
        of_most_frequent,
    })
}

fn suspicions(
    classes: &[ClassCount],
    imbalance: f64,
    sizes: Option<&SizeSpread>,
    readable: &[Facts],
) -> Vec<Suspicion> {
    let few = classes.iter().filter(|class| class.pictures < FEW);
    let few: Vec<String> = few.map(|class| class.name.clone()).collect();
    let pixels = |size: (usize, usize)| size.0 * size.1;
    let differ = sizes.is_some_and(|sizes| pixels(sizes.largest) >= WIDE * pixels(sizes.smallest));
    let narrow = |facts: &&Facts| {
        let (height, width) = facts.size;
        height.max(width) >= NARROW * height.min(width)
    };
    let narrow = readable.iter().filter(narrow).count();
    let misnamed = readable.iter().filter(|facts| facts.misnamed).count();
    let all = [
        (!few.is_empty()).then_some(Suspicion::SmallClasses(few)),
        (imbalance >= UNEVEN).then_some(Suspicion::Imbalance(imbalance)),
        differ.then_some(Suspicion::SizesDiffer),
        (narrow > 0).then_some(Suspicion::Narrow(narrow)),
        (misnamed > 0).then_some(Suspicion::OtherFormat(misnamed)),
    ];
    all.into_iter().flatten().collect()
}
