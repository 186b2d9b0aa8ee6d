//! The weights' gradient of a convolution in two launches: sums of products over parts of the pixels, tile by tile, and
//! the parts added up.
//!
//! It is a product of two matrices: the gradient of the output, `pixels × outputs`, turned over, and the windows that each
//! pixel of the output sees, `pixels × (taps · inputs)`, which are read where they lie. On cards with matrix units Burn has
//! faster ways, by which it is taken there.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::{assert_countable, empty_beside, number};
use crate::conv_options::ConvOptions;

/// Units of a cube along each side of a tile.
const UNITS: u32 = 16;
/// Pixels that a cube holds at a time.
const PIXELS: u32 = 16;
/// Cubes that occupy a large card; tiles are divided into parts of the pixels until there are as many.
const ENOUGH_CUBES: u32 = 512;
/// Pixels of a part at least.
const LEAST_PIXELS: u32 = 256;

/// The gradient of `[outputs, inputs, kernel height, kernel width]`.
///
/// `x`: `[batch, height, width, inputs]`; `gradient`: `[batch, height, width, outputs]` of the output.
pub(crate) fn weight_gradient(
    x: CubeTensor,
    gradient: CubeTensor,
    kernel: [usize; 2],
    options: ConvOptions,
) -> CubeTensor {
    let (x, gradient) = (into_contiguous(x), into_contiguous(gradient));
    let [batch, height, width, inputs] = x.shape().dims().map(number);
    let [_, out_height, out_width, outputs] = gradient.shape().dims().map(number);
    let [kernel_height, kernel_width] = kernel.map(number);
    let [stride_y, stride_x] = options.stride.map(number);
    let [padding_y, padding_x] = options.padding.map(number);
    let pixels = batch * out_height * out_width;
    let columns = kernel_height * kernel_width * inputs;
    // Four by four numbers for each unit where there are many, two by two otherwise.
    let numbers = if outputs > 2 * UNITS && columns > 2 * UNITS { 4 } else { 2 };
    let side = UNITS * numbers;
    let (tiles_down, tiles_across) = (outputs.div_ceil(side), columns.div_ceil(side));
    let most_parts = pixels.div_ceil(LEAST_PIXELS).max(1);
    let parts = ENOUGH_CUBES.div_ceil(tiles_down * tiles_across).clamp(1, most_parts);
    let client = x.client.clone();
    let [to, kh, kw, from] =
        [outputs, kernel_height, kernel_width, inputs].map(|count| count as usize);
    let sums = empty_beside(&x, Shape::new([to, from, kh, kw]));
    assert_countable(&[&x, &gradient, &sums]);
    let partial = match parts {
        1 => sums.clone(),
        _ => empty_beside(&x, Shape::new([parts as usize, to * kh * kw * from])),
    };
    sum_products::launch(
        &client,
        CubeCount::Static(tiles_across, tiles_down, parts),
        CubeDim::new_2d(UNITS, UNITS),
        x.clone().into_tensor_arg(),
        gradient.into_tensor_arg(),
        partial.clone().into_tensor_arg(),
        pixels,
        outputs,
        columns,
        inputs,
        height,
        width,
        out_height,
        out_width,
        kernel_width,
        stride_y,
        stride_x,
        padding_y,
        padding_x,
        numbers,
    );
    if parts > 1 {
        let values = sums.meta.num_elements();
        let dim = CubeDim::new(&client, values);
        add_parts::launch(
            &client,
            calculate_cube_count_elemwise(&client, values, dim),
            dim,
            partial.into_tensor_arg(),
            sums.clone().into_tensor_arg(),
            parts,
        );
    }
    sums
}

/// `[parts, outputs, inputs, taps]`: what a cube's part of the pixels adds to its tile.
#[cube(launch)]
fn sum_products(
    x: &Tensor<f32>,
    gradient: &Tensor<f32>,
    sums: &mut Tensor<f32>,
    pixels: u32,
    outputs: u32,
    columns: u32,
    inputs: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    padding_y: u32,
    padding_x: u32,
    #[comptime] numbers: u32,
) {
    let side = comptime!(UNITS * numbers);
    let mut of_gradient = Shared::new_slice(comptime!((PIXELS * UNITS * numbers) as usize));
    let mut of_windows = Shared::new_slice(comptime!((PIXELS * UNITS * numbers) as usize));
    let first_output = CUBE_POS_Y * side;
    let first_column = CUBE_POS_X * side;
    let mut sum = Array::<f32>::new(comptime!((numbers * numbers) as usize));
    #[unroll]
    for number in 0..comptime!(numbers * numbers) {
        sum[number as usize] = 0.0f32;
    }
    let mut first_pixel = CUBE_POS_Z * PIXELS;
    while first_pixel < pixels {
        // Whoever multiplies the pixels before has done so.
        sync_cube();
        #[unroll]
        for turn in 0..numbers {
            let place = turn * comptime!(UNITS * UNITS) + UNIT_POS;
            let pixel = first_pixel + place / side;
            let output = first_output + place % side;
            let column = first_column + place % side;
            let mut from_gradient = 0.0f32;
            let mut from_window = 0.0f32;
            if pixel < pixels {
                if output < outputs {
                    from_gradient = gradient[(pixel * outputs + output) as usize];
                }
                if column < columns {
                    let tap = column / inputs;
                    let input = column % inputs;
                    let in_image = pixel % (out_height * out_width);
                    let image = pixel / (out_height * out_width);
                    // Beside the image on the upper or left side it would be less than nothing, which is a large number
                    // without a sign.
                    let y = (in_image / out_width) * stride_y + tap / kernel_width - padding_y;
                    let x_place =
                        (in_image % out_width) * stride_x + tap % kernel_width - padding_x;
                    if y < height && x_place < width {
                        from_window =
                            x[(((image * height + y) * width + x_place) * inputs + input) as usize];
                    }
                }
            }
            of_gradient[place as usize] = from_gradient;
            of_windows[place as usize] = from_window;
        }
        sync_cube();
        for pixel in 0..PIXELS {
            #[unroll]
            for down in 0..numbers {
                let factor = of_gradient[(pixel * side + UNIT_POS_Y + down * UNITS) as usize];
                #[unroll]
                for across in 0..numbers {
                    let other = of_windows[(pixel * side + UNIT_POS_X + across * UNITS) as usize];
                    sum[(down * numbers + across) as usize] += factor * other;
                }
            }
        }
        first_pixel += CUBE_COUNT_Z * PIXELS;
    }
    #[unroll]
    for down in 0..numbers {
        #[unroll]
        for across in 0..numbers {
            let output = first_output + UNIT_POS_Y + down * UNITS;
            let column = first_column + UNIT_POS_X + across * UNITS;
            if output < outputs && column < columns {
                // In the order of the weights, so that nobody need copy them into it.
                let of_output = (column % inputs) * (columns / inputs) + column / inputs;
                let place = (CUBE_POS_Z * outputs + output) * columns + of_output;
                sums[place as usize] = sum[(down * numbers + across) as usize];
            }
        }
    }
}

#[cube(launch)]
fn add_parts(partial: &Tensor<f32>, sums: &mut Tensor<f32>, parts: u32) {
    if ABSOLUTE_POS < sums.len() {
        let mut sum = 0.0f32;
        for part in 0..parts {
            sum += partial[part as usize * sums.len() + ABSOLUTE_POS];
        }
        sums[ABSOLUTE_POS] = sum;
    }
}
