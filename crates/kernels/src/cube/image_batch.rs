//! A batch of images from bytes that lie on the card: mirrored, moved, mixed and normalized in one launch.

use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::empty_beside;
use crate::looks::{Looks, PlacedImage};

/// What 0 is in the bits that hold rows.
const NO_ROWS: i32 = 1 << 14;
/// What 0 is in the bits that hold columns.
const NO_COLUMNS: i32 = 1 << 15;

/// What is the same for all images of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchOptions {
    /// Channels, height and width.
    pub(crate) shape: [usize; 3],
    reflected: bool,
    mixes: bool,
    /// Of a pixel's own value and of its partner's, outside of the box.
    shares: [f32; 2],
    /// First row and the one behind the last, and columns.
    pasted: [[u32; 2]; 2],
}

impl BatchOptions {
    pub(crate) fn new(shape: [usize; 3], looks: &Looks<'_>) -> Self {
        let (shares, pasted) = looks.mixed.as_ref().map_or(([1.0, 0.0], [[0; 2]; 2]), |mixed| {
            let range = |range: &std::ops::Range<usize>| [range.start as u32, range.end as u32];
            let shares = [mixed.share as f32, (1.0 - mixed.share) as f32];
            (shares, [range(&mixed.rows), range(&mixed.columns)])
        });
        let (reflected, mixes) = (looks.reflected, looks.mixed.is_some());
        Self { shape, reflected, mixes, shares, pasted }
    }

    /// Two words for each place: the image; from the lowest bit on one for the mirror, 15 for rows, 16 for columns. With a
    /// third, its partner's place in the batch, if images are mixed.
    pub(crate) fn words_of_an_image(self) -> usize {
        if self.mixes { 3 } else { 2 }
    }

    /// The two words of a place.
    ///
    /// # Panics
    ///
    /// If it moves the image by more than 16 thousand rows or 32 thousand columns.
    pub(crate) fn pack(place: PlacedImage) -> [u32; 2] {
        let PlacedImage { image, down, right, mirrored } = place;
        let (rows, columns) = (down + NO_ROWS, right + NO_COLUMNS);
        assert!(rows >> 15 == 0 && columns >> 16 == 0, "moved by {down} rows, {right} columns");
        [image as u32, (columns as u32) << 16 | (rows as u32) << 1 | u32::from(mirrored)]
    }
}

/// `words`: four bytes each, images of `options.shape` one after the other; `tables`: `[channels · 256]`; `places`: `[images ·
/// words_of_an_image]`. Gives `[images, height, width, channels]`.
pub(crate) fn image_batch(
    words: CubeTensor,
    tables: CubeTensor,
    places: CubeTensor,
    options: BatchOptions,
) -> CubeTensor {
    let [words, tables, places] = [words, tables, places].map(into_contiguous);
    let [channels, height, width] = options.shape;
    let images = places.meta.num_elements() / options.words_of_an_image();
    let shape = Shape::new([images, height, width, channels]);
    let (client, values) = (tables.client.clone(), shape.num_elements());
    let batch = empty_beside(&tables, shape);
    let dim = CubeDim::new(&client, values);
    let [[top, bottom], [left, right]] = options.pasted;
    place_images::launch(
        &client,
        calculate_cube_count_elemwise(&client, values, dim),
        dim,
        words.into_tensor_arg(),
        tables.into_tensor_arg(),
        places.into_tensor_arg(),
        batch.clone().into_tensor_arg(),
        channels as u32,
        height as u32,
        width as u32,
        options.shares[0],
        options.shares[1],
        top,
        bottom,
        left,
        right,
        options.reflected,
        options.mixes,
    );
    batch
}

#[cube(launch)]
fn place_images(
    words: &Tensor<u32>,
    tables: &Tensor<f32>,
    places: &Tensor<u32>,
    images: &mut Tensor<f32>,
    channels: u32,
    height: u32,
    width: u32,
    own_share: f32,
    other_share: f32,
    top: u32,
    bottom: u32,
    left: u32,
    right: u32,
    #[comptime] reflected: bool,
    #[comptime] mixes: bool,
) {
    if ABSOLUTE_POS < images.len() {
        let place = ABSOLUTE_POS as u32;
        let channel = place % channels;
        let column = place / channels % width;
        let row = place / (channels * width) % height;
        let number = place / (width * height * channels);
        if comptime!(mixes) {
            let own = shown(
                words, tables, places, number, channel, row, column, channels, height, width,
                reflected, 3u32,
            );
            let partner = places[(3u32 * number + 2u32) as usize];
            let other = shown(
                words, tables, places, partner, channel, row, column, channels, height, width,
                reflected, 3u32,
            );
            let mut value = own_share * own + other_share * other;
            if row >= top && row < bottom && column >= left && column < right {
                value = other;
            }
            if partner == number {
                value = own;
            }
            images[ABSOLUTE_POS] = value;
        } else {
            images[ABSOLUTE_POS] = shown(
                words, tables, places, number, channel, row, column, channels, height, width,
                reflected, 2u32,
            );
        }
    }
}

/// The value of a pixel of image `number` of the batch before it is mixed.
#[cube]
fn shown(
    words: &Tensor<u32>,
    tables: &Tensor<f32>,
    places: &Tensor<u32>,
    number: u32,
    channel: u32,
    row: u32,
    column: u32,
    channels: u32,
    height: u32,
    width: u32,
    #[comptime] reflected: bool,
    #[comptime] words_of_an_image: u32,
) -> f32 {
    let image = places[(words_of_an_image * number) as usize];
    let place = places[(words_of_an_image * number + 1u32) as usize];
    let mut side = column;
    if place & 1u32 == 1u32 {
        side = width - 1u32 - column;
    }
    let down = i32::cast_from((place >> 1u32) & 32767u32) - 16384i32;
    let along = i32::cast_from(place >> 16u32) - 32768i32;
    let from_row = inside(i32::cast_from(row) + down, i32::cast_from(height), reflected);
    let from_column = inside(i32::cast_from(side) + along, i32::cast_from(width), reflected);
    let mut byte = 0u32;
    if from_row >= 0i32 && from_column >= 0i32 {
        let line = (image * channels + channel) * height + u32::cast_from(from_row);
        let position = line * width + u32::cast_from(from_column);
        byte = (words[(position / 4u32) as usize] >> (8u32 * (position % 4u32))) & 255u32;
    }
    tables[(channel * 256u32 + byte) as usize]
}

/// Which of `length` pixels in a line shows at `at`, which is less than `length` beyond it; −1 for none.
#[cube]
fn inside(at: i32, length: i32, #[comptime] reflected: bool) -> i32 {
    let mut place = at;
    let last = length - 1i32;
    if comptime!(reflected) {
        if at < 0i32 {
            place = 0i32 - at;
        }
        if at > last {
            place = 2i32 * last - at;
        }
    } else {
        if at < 0i32 || at > last {
            place = 0i32 - 1i32;
        }
    }
    place
}
