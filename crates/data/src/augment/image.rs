//! An image on its way through a pipeline.

use std::ops::Range;

use super::border::Border;
use super::warp::{Warp, resample};
use crate::image_set::ImageShape;

/// One image on its way through a [`Pipeline`](super::Pipeline), reused for the next image to spare
/// allocations.
///
/// Changes of geometry are gathered and carried out together when the pixels are next looked at:
/// each resampling blurs, so that a rotation, a translation and a shear in a row should be one.
#[derive(Clone, Debug)]
pub struct Image {
    shape: ImageShape,
    pixels: Vec<u8>,
    /// Buffer of the same size, for augmentations that cannot work in place.
    spare: Vec<u8>,
    /// One value a channel: what the network will see as zero, as nearly as a byte can.
    neutral: Vec<u8>,
    /// Buffer for intermediate results; empty until something needs it.
    scratch: Vec<f32>,
    /// The change of geometry that has not been carried out yet.
    pending: Option<(Warp, Border)>,
}

impl Image {
    /// A black image, with black for its neutral colour.
    pub fn new(shape: ImageShape) -> Self {
        Self::with_neutral(shape, vec![0; shape.channels])
    }

    /// A black image of which normalization turns the colour `neutral` into zeros.
    ///
    /// # Panics
    ///
    /// If `neutral` has not one value for each channel.
    pub fn with_neutral(shape: ImageShape, neutral: Vec<u8>) -> Self {
        assert_eq!(neutral.len(), shape.channels, "values of a colour");
        let pixels = vec![0; shape.pixels()];
        let spare = pixels.clone();
        Self { shape, pixels, spare, neutral, scratch: Vec::new(), pending: None }
    }

    /// Overwrites the image with `pixels`: `[channel, row, column]`, as `ImageSet::image` gives.
    ///
    /// # Panics
    ///
    /// If `pixels` is not of the image's size.
    pub fn load(&mut self, pixels: &[u8]) {
        self.pixels.copy_from_slice(pixels);
        self.pending = None;
    }

    /// Channels, height and width.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// `[channel, row, column]`, 0 is black.
    pub fn pixels(&mut self) -> &[u8] {
        self.pixels_mut()
    }

    /// The pixels, to change them in place.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        self.settle();
        &mut self.pixels
    }

    /// The channels, `[row, column]` each, to change them in place.
    pub fn planes_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let plane = self.plane();
        self.pixels_mut().chunks_exact_mut(plane)
    }

    /// Lets `paint` change a rectangle, one of its rows at a time.
    ///
    /// # Panics
    ///
    /// If the rectangle reaches beyond the image.
    pub fn patch(
        &mut self,
        rows: Range<usize>,
        columns: Range<usize>,
        mut paint: impl FnMut(&mut [u8]),
    ) {
        let width = self.shape.width;
        for plane in self.planes_mut() {
            for row in rows.clone() {
                paint(&mut plane[row * width..][..width][columns.clone()]);
            }
        }
    }

    /// Covers a rectangle. `colour` is given the pixels of a channel and its neutral value.
    ///
    /// # Panics
    ///
    /// If the rectangle reaches beyond the image.
    pub fn cover(
        &mut self,
        rows: Range<usize>,
        columns: Range<usize>,
        colour: impl Fn(&[u8], u8) -> u8,
    ) {
        self.settle();
        let (plane, width) = (self.plane(), self.shape.width);
        for (plane, &neutral) in self.pixels.chunks_exact_mut(plane).zip(&self.neutral) {
            let value = colour(plane, neutral);
            for row in rows.clone() {
                plane[row * width..][..width][columns.clone()].fill(value);
            }
        }
    }

    /// Paints each channel anew: `paint` is given its old pixels and where to put all the new ones.
    pub fn repaint(&mut self, mut paint: impl FnMut(&[u8], &mut [u8])) {
        let plane = self.plane();
        self.repaint_all(|old, new| {
            for (old, new) in old.chunks_exact(plane).zip(new.chunks_exact_mut(plane)) {
                paint(old, new);
            }
        });
    }

    /// Paints all channels anew at once.
    pub(super) fn repaint_all(&mut self, paint: impl FnOnce(&[u8], &mut [u8])) {
        self.settle();
        paint(&self.pixels, &mut self.spare);
        std::mem::swap(&mut self.pixels, &mut self.spare);
    }

    /// Changes the geometry, together with other such changes before and after it. Each border
    /// has a resampling of its own.
    pub(super) fn warp(&mut self, warp: Warp, border: Border) {
        if self.pending.is_some_and(|(_, other)| other != border) {
            self.settle();
        }
        let before = self.pending.map_or(Warp::IDENTITY, |(warp, _)| warp);
        self.pending = Some((before.then(warp), border));
    }

    /// Paints the image anew: each pixel becomes what lies where `source` says, given row and column; it
    /// answers with y and x in units of [`UNITS`](super::warp::UNITS).
    pub(super) fn resample(&mut self, border: Border, source: impl Fn(usize, usize) -> (i32, i32)) {
        let shape = self.shape;
        self.repaint_all(|old, new| resample((old, new), shape, border, source));
    }

    /// Lends a buffer that lives as long as the image; what it holds is arbitrary.
    pub(super) fn with_scratch(&mut self, work: impl FnOnce(&mut Self, &mut Vec<f32>)) {
        let mut scratch = std::mem::take(&mut self.scratch);
        work(self, &mut scratch);
        self.scratch = scratch;
    }

    /// Carries out the pending change of geometry.
    fn settle(&mut self) {
        if let Some((warp, border)) = self.pending.take() {
            self.resample(border, warp.source_in(self.shape));
        }
    }

    /// Pixels of a channel; 1 for an image without any, so that it can be cut into none.
    fn plane(&self) -> usize {
        (self.shape.height * self.shape.width).max(1)
    }
}
