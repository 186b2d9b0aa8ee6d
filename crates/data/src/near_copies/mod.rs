//! Images that are nearly the same: other crops, sizes, brightness, contrast or mirror images of one picture.
//!
//! A test image whose near copy was trained on tests what was learned by heart. An exact comparison finds none in
//! CIFAR-10, yet a few hundred of its test images have one (Barz and Denzler,
//! [Do we train on test data?](https://arxiv.org/abs/1902.00423), 2020).
//!
//! # How similar two images are
//!
//! An image is pooled to means over cells, whose sides are a sixteenth of the image's, rounded to whole pixels (2 on 32
//! and on 28). A crop leaves out two cells of each side: the one from the centre leaves one at each edge, and with
//! shifts of a cell there are nine, of the image and of its mirror image together 18. All values of a crop, of all
//! channels together, are one vector, less its mean and divided by its length, so that brightness and contrast do not
//! count. The similarity of an image to another is the greatest product of one of its 18 crops with the *centre* crop of
//! the other: 1 for a copy, near 0 for unlike ones.
//!
//! The two directions differ a little, since the edges of the other are not looked at: of CIFAR-10's test images, 780
//! are at least 0.90 similar to a training image in this direction, 735 in the other. Of 0.97 and more, 111 and 112.
//!
//! Crops that vary by less than half a grey level are flat; an image whose centre crop is flat is similar to those with
//! the same pixels, and to no others.
//!
//! # How they are found
//!
//! Exactly: every crop with every image. A product of 64 coordinates (`basis.rs`) is never less than that of the crops
//! themselves and rules out nearly all; the others are computed in double precision. The outcome does not depend on the
//! number of threads, nor on the CPU's vectors. docs/performance.md has the figures.

mod basis;
mod crops;
mod error;
mod groups;
mod limits;
mod search;
mod sweep;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::image_set::ImageSet;
pub use crate::near_copies::error::NearCopiesError;
pub use crate::near_copies::groups::groups;
pub use crate::near_copies::limits::{MOST_PAIRS, MOST_WITHIN};
use crate::near_copies::limits::{check_between, check_within};
use crate::near_copies::search::{Candidate, Centres, blocks};

/// Similarities that reports count at, the highest first.
pub const THRESHOLDS: [f64; 3] = [0.99, 0.97, 0.95];

/// Is told now and then how many images are done, from any thread and not always in order.
pub type Progress<'a> = dyn Fn(usize) + Sync + 'a;

/// The images of a set that have a near copy, each with its best one.
#[derive(Clone, Debug, PartialEq)]
pub struct NearCopies {
    /// Least similarity of a near copy, in `(0, 1]`.
    pub threshold: f64,
    /// Images that were searched for, whether or not they have a near copy.
    pub images: usize,
    /// One for each image that has a near copy: the most similar pair first, of equally similar ones the first image.
    pub copies: Vec<NearCopy>,
}

/// An image with the one that it is most similar to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearCopy {
    /// Its place in its set.
    pub image: usize,
    /// The place of the other; of equally similar ones, the first.
    pub other: usize,
    /// How similar it is to the other, at most 1.
    pub similarity: f64,
    /// Whether it is like the other's mirror image.
    pub mirrored: bool,
    /// How many pixels further down it shows what the other shows, after mirroring; negative: further up.
    pub down: isize,
    /// How many pixels further to the right it shows what the other shows, after mirroring; negative: to the left.
    pub right: isize,
    /// Whether the two have different labels.
    pub other_label: bool,
}

/// How many images have a near copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CopyCount {
    /// Least similarity that counts.
    pub threshold: f64,
    /// Images with a near copy at least as similar.
    pub images: usize,
    /// Those whose most similar one has another label.
    pub other_label: usize,
    /// Those that are mirrored.
    pub mirrored: usize,
}

impl NearCopies {
    /// Searches for each of `images` the most similar of `others`, and keeps it if it is at least `threshold` similar.
    ///
    /// # Errors
    ///
    /// If `threshold` is not in `(0, 1]`, the sets have images of different shapes, or there are more than
    /// [`MOST_PAIRS`] pairs.
    pub fn between(
        images: &ImageSet,
        others: &ImageSet,
        threshold: f64,
        progress: &Progress<'_>,
    ) -> Result<Self, NearCopiesError> {
        check_between(images, others, threshold)?;
        Ok(Self::search(images, others, |_, _| true, threshold, progress))
    }

    /// Searches for each image of a set the most similar of the others, and keeps it if it is at least `threshold`
    /// similar.
    ///
    /// # Errors
    ///
    /// If `threshold` is not in `(0, 1]`, or there are more than [`MOST_WITHIN`] images.
    pub fn within(
        set: &ImageSet,
        threshold: f64,
        progress: &Progress<'_>,
    ) -> Result<Self, NearCopiesError> {
        check_within(set, threshold)?;
        Ok(Self::search(set, set, |image, other| image != other, threshold, progress))
    }

    /// How many images have a near copy at `threshold`, which should not be lower than the one searched with.
    pub fn count(&self, threshold: f64) -> CopyCount {
        let reached = || self.copies.iter().filter(|copy| copy.similarity >= threshold);
        CopyCount {
            threshold,
            images: reached().count(),
            other_label: reached().filter(|copy| copy.other_label).count(),
            mirrored: reached().filter(|copy| copy.mirrored).count(),
        }
    }

    fn search(
        images: &ImageSet,
        others: &ImageSet,
        may: impl Fn(usize, usize) -> bool + Sync,
        threshold: f64,
        progress: &Progress<'_>,
    ) -> Self {
        let centres = Centres::of(others);
        let done = AtomicUsize::new(0);
        let blocks = blocks(images.len());
        let found = blocks.into_par_iter().map(|block| {
            let best = best_of(&centres, images, block.clone(), &may, threshold);
            progress(done.fetch_add(block.len(), Ordering::Relaxed) + block.len());
            best
        });
        let mut copies: Vec<NearCopy> = found.flatten_iter().collect();
        for copy in &mut copies {
            copy.other_label = images.label(copy.image) != others.label(copy.other);
        }
        copies.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.image.cmp(&b.image)));
        Self { threshold, images: images.len(), copies }
    }
}

/// The best one found so far for an image.
#[derive(Clone, Copy)]
struct Best {
    similarity: f64,
    other: usize,
    view: usize,
}

/// The best one for each image of a block that has any; whether labels differ is not known here.
fn best_of(
    centres: &Centres<'_>,
    images: &ImageSet,
    range: Range<usize>,
    may: &(impl Fn(usize, usize) -> bool + Sync),
    threshold: f64,
) -> Vec<NearCopy> {
    let flat = |index: usize| {
        let equal = centres.flat(images.image(index));
        let other = equal.iter().find(|&&other| may(index, other));
        other.map(|&other| Best { similarity: 1.0, other, view: 0 })
    };
    let mut best: Vec<Option<Best>> = range.clone().map(flat).collect();
    let block = centres.block(images, range.clone());
    centres.candidates(&block, threshold, |candidate: Candidate| {
        let Candidate { image, other, view, .. } = candidate;
        let best = &mut best[image];
        if may(range.start + image, other) {
            let similarity = centres.similarity(&block, candidate);
            let is_better = best.is_none_or(|best| {
                let order = similarity.total_cmp(&best.similarity);
                order.then((best.other, best.view).cmp(&(other, view))).is_gt()
            });
            if similarity >= threshold && is_better {
                *best = Some(Best { similarity, other, view });
            }
        }
        best.map_or(threshold, |best| best.similarity)
    });
    let grid = centres.grid();
    let copy = |(index, best): (usize, Option<Best>)| {
        let Best { similarity, other, view } = best?;
        let view = grid.views()[view];
        let [down, right] = grid.shift(view);
        let mirrored = view.mirrored;
        Some(NearCopy {
            image: index,
            other,
            similarity,
            mirrored,
            down,
            right,
            other_label: false,
        })
    };
    range.zip(best).filter_map(copy).collect()
}

#[cfg(test)]
mod tests;
