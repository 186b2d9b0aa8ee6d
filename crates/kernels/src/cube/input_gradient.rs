//! The inputs' gradient of a convolution in one launch: sums of products over the windows that a pixel was part of, tile by
//! tile.
//!
//! It is a product of two matrices: what the gradient of the output has where a pixel of the input was looked at, `pixels ×
//! (taps · outputs)`, which is read where it lies, and the weights, `(taps · outputs) × inputs`. With a stride, pixels are
//! looked at by some taps only, the same for all whose places leave the same rest; each such phase is a product of its own, so
//! that none multiplies by zeros between pixels. On cards with matrix units Burn has faster ways, by which it is taken there.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::{assert_countable, empty_beside, number};
use crate::conv_options::ConvOptions;

/// Units of a cube along each side of a tile.
const UNITS: u32 = 16;
/// Products of a sum that a cube holds at a time.
const DEPTH: u32 = 16;
/// Cubes that occupy a large card; tiles are small where large ones would be fewer.
const ENOUGH_CUBES: u32 = 512;
/// Cubes beside each other at most; each goes on with the tiles that are as many further.
const MOST_CUBES: u32 = 32_768;

/// The gradient of the input, `[batch, height, width, inputs]`.
///
/// `gradient`: `[batch, height, width, outputs]` of the output; `weight`: `[outputs, kernel height, kernel width, inputs]`;
/// `input`: height and width of the input.
pub(crate) fn input_gradient(
    gradient: CubeTensor,
    weight: CubeTensor,
    input: [usize; 2],
    options: ConvOptions,
) -> CubeTensor {
    let (gradient, weight) = (into_contiguous(gradient), into_contiguous(weight));
    let [height, width] = input.map(number);
    let [batch, out_height, out_width, outputs] = gradient.shape().dims().map(number);
    let [_, kernel_height, kernel_width, inputs] = weight.shape().dims().map(number);
    let [stride_y, stride_x] = options.stride.map(number);
    let [padding_y, padding_x] = options.padding.map(number);
    let phases = stride_y * stride_x;
    // The first phase has the most pixels.
    let pixels = batch * height.div_ceil(stride_y) * width.div_ceil(stride_x);
    let tiles = |side: u32| (pixels.div_ceil(side), inputs.div_ceil(side));
    // Four by four numbers for each unit where there are many, two by two otherwise.
    let (large_down, large_across) = tiles(4 * UNITS);
    let is_large = inputs > 2 * UNITS && large_down * large_across * phases >= ENOUGH_CUBES;
    let numbers = if is_large { 4 } else { 2 };
    let (tiles_down, tiles_across) = tiles(UNITS * numbers);
    let [images, inputs_wide] = [batch as usize, inputs as usize];
    let of_input = empty_beside(&gradient, Shape::new([images, input[0], input[1], inputs_wide]));
    assert_countable(&[&gradient, &weight, &of_input]);
    let client = gradient.client.clone();
    gradient_of_pixels::launch(
        &client,
        CubeCount::Static(tiles_down.clamp(1, MOST_CUBES), tiles_across, phases),
        CubeDim::new_2d(UNITS, UNITS),
        gradient.into_tensor_arg(),
        weight.into_tensor_arg(),
        of_input.clone().into_tensor_arg(),
        batch,
        outputs,
        inputs,
        height,
        width,
        out_height,
        out_width,
        kernel_height,
        kernel_width,
        stride_y,
        stride_x,
        padding_y,
        padding_x,
        numbers,
    );
    of_input
}

/// The tiles of one phase, for one range of inputs.
#[cube(launch)]
fn gradient_of_pixels(
    gradient: &Tensor<f32>,
    weight: &Tensor<f32>,
    of_input: &mut Tensor<f32>,
    batch: u32,
    outputs: u32,
    inputs: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    padding_y: u32,
    padding_x: u32,
    #[comptime] numbers: u32,
) {
    let side = comptime!(UNITS * numbers);
    // One more than a side, so that units that write beside each other's depth write to other banks.
    let pitch = comptime!(UNITS * numbers + 1);
    let mut of_gradient = Shared::new_slice(comptime!((DEPTH * (UNITS * numbers + 1)) as usize));
    let mut of_weight = Shared::new_slice(comptime!((DEPTH * UNITS * numbers) as usize));
    let mut sum = Array::<f32>::new(comptime!((numbers * numbers) as usize));

    // Pixels of this phase, and the taps that look at them: every stride-th, from the first on.
    let phase_y = CUBE_POS_Z / stride_x;
    let phase_x = CUBE_POS_Z % stride_x;
    let rows = count_from(phase_y, height, stride_y);
    let columns = count_from(phase_x, width, stride_x);
    let pixels = batch * rows * columns;
    let first_tap_y = (phase_y + padding_y) % stride_y;
    let first_tap_x = (phase_x + padding_x) % stride_x;
    let taps_y = count_from(first_tap_y, kernel_height, stride_y);
    let taps_x = count_from(first_tap_x, kernel_width, stride_x);
    let depth = taps_y * taps_x * outputs;

    let first_input = CUBE_POS_Y * side;
    let mut first_pixel = CUBE_POS_X * side;
    while first_pixel < pixels {
        #[unroll]
        for number in 0..comptime!(numbers * numbers) {
            sum[number as usize] = 0.0f32;
        }
        let mut first = 0u32;
        while first < depth {
            // Whoever multiplies what is there has done so.
            sync_cube();
            #[unroll]
            for turn in 0..numbers {
                let place = turn * comptime!(UNITS * UNITS) + UNIT_POS;
                // Outputs lie beside each other in the gradient, inputs in the weights.
                let at = first + place % DEPTH;
                let pixel = first_pixel + place / DEPTH;
                let mut from_gradient = 0.0f32;
                if pixel < pixels && at < depth {
                    let tap = at / outputs;
                    let in_image = pixel % (rows * columns);
                    let row = phase_y + in_image / columns * stride_y;
                    let column = phase_x + in_image % columns * stride_x;
                    // Beside the map on the upper or left side it would be less than nothing, which is a large number without
                    // a sign; it divides by the stride without rest otherwise.
                    let down = row + padding_y - (first_tap_y + tap / taps_x * stride_y);
                    let right = column + padding_x - (first_tap_x + tap % taps_x * stride_x);
                    let y = down / stride_y;
                    let x = right / stride_x;
                    if down < out_height * stride_y && right < out_width * stride_x {
                        let line = pixel / (rows * columns) * out_height + y;
                        let output = at % outputs;
                        from_gradient =
                            gradient[((line * out_width + x) * outputs + output) as usize];
                    }
                }
                of_gradient[(place % DEPTH * pitch + place / DEPTH) as usize] = from_gradient;

                let at = first + place / side;
                let input = first_input + place % side;
                let mut from_weight = 0.0f32;
                if input < inputs && at < depth {
                    let tap = at / outputs;
                    let tap_y = first_tap_y + tap / taps_x * stride_y;
                    let tap_x = first_tap_x + tap % taps_x * stride_x;
                    let line = (at % outputs * kernel_height + tap_y) * kernel_width + tap_x;
                    from_weight = weight[(line * inputs + input) as usize];
                }
                of_weight[place as usize] = from_weight;
            }
            sync_cube();
            for at in 0..DEPTH {
                #[unroll]
                for down in 0..numbers {
                    let factor = of_gradient[(at * pitch + UNIT_POS_Y + down * UNITS) as usize];
                    #[unroll]
                    for across in 0..numbers {
                        let other = of_weight[(at * side + UNIT_POS_X + across * UNITS) as usize];
                        sum[(down * numbers + across) as usize] += factor * other;
                    }
                }
            }
            first += DEPTH;
        }
        #[unroll]
        for down in 0..numbers {
            let pixel = first_pixel + UNIT_POS_Y + down * UNITS;
            let in_image = pixel % (rows * columns);
            let row = phase_y + in_image / columns * stride_y;
            let column = phase_x + in_image % columns * stride_x;
            let line = pixel / (rows * columns) * height + row;
            #[unroll]
            for across in 0..numbers {
                let input = first_input + UNIT_POS_X + across * UNITS;
                if pixel < pixels && input < inputs {
                    of_input[((line * width + column) * inputs + input) as usize] =
                        sum[(down * numbers + across) as usize];
                }
            }
        }
        first_pixel += CUBE_COUNT_X * side;
    }
}

/// How many there are below `end`, from `first` on in steps of `step`.
#[cube]
fn count_from(first: u32, end: u32, step: u32) -> u32 {
    let mut count = 0u32;
    if first < end {
        count = (end - first + step - 1u32) / step;
    }
    count
}
