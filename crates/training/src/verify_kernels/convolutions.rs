//! Whether a device's convolutions have the gradients that double precision has, whatever their strides and borders.

use std::fmt;

use backburn_kernels::{Activation, ConvOptions, conv2d};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::judge::{Deviation, Quantity, distance, worst};
use crate::seeds::Seeds;

/// Greatest relative error of a gradient, in the Euclidean norm over the tensor.
const TOLERANCE: f64 = 1e-4;

/// What is convolved.
#[derive(Clone, Copy, Debug)]
struct Convolution {
    batch: usize,
    /// Height and width.
    image: [usize; 2],
    /// Inputs and outputs.
    channels: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

/// Sizes that are no multiples of a tile; pixels that no tap looks at; tiles of each size; more tiles than a launch has cubes.
const CONVOLUTIONS: [Convolution; 8] = [
    square(3, 7, [17, 33], 3, 1, 1),
    square(2, 9, [5, 20], 3, 2, 1),
    square(2, 8, [40, 18], 1, 2, 0),
    square(4, 5, [3, 4], 5, 1, 2),
    Convolution {
        batch: 2,
        image: [11, 6],
        channels: [6, 9],
        kernel: [2, 3],
        stride: [3, 1],
        padding: [1, 2],
    },
    square(1, 4, [130, 65], 3, 1, 0),
    square(32, 32, [33, 2], 3, 1, 1),
    square(1, 1100, [1, 2], 3, 1, 1),
];

const fn square(
    batch: usize,
    side: usize,
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Convolution {
    Convolution {
        batch,
        image: [side, side],
        channels,
        kernel: [kernel, kernel],
        stride: [stride, stride],
        padding: [padding, padding],
    }
}

impl fmt::Display for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, image, channels, kernel, stride, padding } = self;
        write!(
            f,
            "{batch} × {image:?} pixels, {channels:?} channels, kernel {kernel:?}, stride {stride:?}, padding {padding:?}"
        )
    }
}

/// The finding that gradients of convolutions are within their tolerance.
#[derive(Clone, Debug)]
pub struct ConvolutionsVerified {
    /// The gradient that is furthest from the reference's.
    pub gradient: Deviation,
}

impl fmt::Display for ConvolutionsVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deviation { quantity, found, allowed, .. } = &self.gradient;
        write!(
            f,
            "{} shapes, largest relative error {found:.1e} of the {quantity} (allowed {allowed:.0e})",
            CONVOLUTIONS.len()
        )
    }
}

/// Compares both gradients of convolutions on `device` with the definition's in double precision.
///
/// # Errors
///
/// The one furthest outside its tolerance.
pub(super) fn verify_convolutions(device: &Device) -> Result<ConvolutionsVerified, Deviation> {
    let mut deviations = Vec::new();
    for (step, convolution) in (1..).zip(CONVOLUTIONS) {
        let mut rng = Seeds::new(step as u64).data("verify-kernels convolutions");
        let Convolution { batch, image, channels: [inputs, outputs], kernel, .. } = convolution;
        let [height, width] = convolution.output();
        let x = random(&mut rng, [batch, image[0], image[1], inputs]);
        let weight = random(&mut rng, [outputs, inputs, kernel[0], kernel[1]]);
        let of_output = random(&mut rng, [batch, height, width, outputs]);
        let expected = convolution.gradients(&x, &weight, &of_output);
        let found = gradients_on(device, convolution, [x, weight, of_output]);
        for ((name, found), expected) in ["inputs", "weights"].iter().zip(found).zip(expected) {
            deviations.push(Deviation {
                quantity: Quantity::Convolution(format!("{name} of {convolution}")),
                step,
                found: distance(&found, &expected, 0.0),
                allowed: TOLERANCE,
            });
        }
    }
    let gradient = worst(deviations).expect("there are shapes");
    if gradient.is_accepted() { Ok(ConvolutionsVerified { gradient }) } else { Err(gradient) }
}

fn random(rng: &mut ChaCha8Rng, shape: [usize; 4]) -> TensorData {
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    TensorData::new(values, shape)
}

/// Gradients of inputs and weights, of the sum of the output times its gradient.
fn gradients_on(
    device: &Device,
    convolution: Convolution,
    [x, weight, of_output]: [TensorData; 3],
) -> [Vec<f64>; 2] {
    let leaf = |data| Tensor::<4>::from_data(data, device).require_grad();
    let (x, weight) = (leaf(x), leaf(weight));
    let options = ConvOptions { stride: convolution.stride, padding: convolution.padding };
    let y = conv2d(x.clone(), weight.clone(), None, options, Activation::Identity);
    let gradients = (y * Tensor::from_data(of_output, device)).sum().backward();
    [x, weight].map(|tensor| {
        let gradient = tensor.grad(&gradients).expect("it is asked for");
        gradient.into_data().iter::<f64>().collect()
    })
}

impl Convolution {
    /// Height and width of the output.
    fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let steps = self.image[axis] + 2 * self.padding[axis] - self.kernel[axis];
            steps / self.stride[axis] + 1
        })
    }

    /// The gradients by the definition: each product of the convolution gives one term to either.
    fn gradients(
        &self,
        x: &TensorData,
        weight: &TensorData,
        of_output: &TensorData,
    ) -> [Vec<f64>; 2] {
        let values = |data: &TensorData| data.iter::<f64>().collect::<Vec<_>>();
        let (x, weight, of_output) = (values(x), values(weight), values(of_output));
        let (mut of_x, mut of_weight) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
        let Self { image: [height, width], channels: [inputs, outputs], .. } = *self;
        let ([out_height, out_width], [kernel_height, kernel_width]) = (self.output(), self.kernel);
        // Where a tap looks on an axis; nowhere beside the image.
        let seen = |axis: usize, out: usize, tap: usize| {
            let place = (out * self.stride[axis] + tap).checked_sub(self.padding[axis])?;
            (place < self.image[axis]).then_some(place)
        };
        for (pixel, of_pixel) in of_output.chunks_exact(outputs).enumerate() {
            let (line, out_column) = (pixel / out_width, pixel % out_width);
            let (number, out_row) = (line / out_height, line % out_height);
            for tap in 0..kernel_height * kernel_width {
                let row = seen(0, out_row, tap / kernel_width);
                let column = seen(1, out_column, tap % kernel_width);
                let (Some(row), Some(column)) = (row, column) else { continue };
                let first = ((number * height + row) * width + column) * inputs;
                for (output, gradient) in of_pixel.iter().enumerate() {
                    for input in 0..inputs {
                        let place = (output * inputs + input) * kernel_height * kernel_width + tap;
                        of_x[first + input] += weight[place] * gradient;
                        of_weight[place] += x[first + input] * gradient;
                    }
                }
            }
        }
        [of_x, of_weight]
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn ours_agree_with_double_precision() {
        let found = verify_convolutions(&Device::flex().autodiff()).expect("they agree");
        assert!(found.gradient.found > 0.0, "something was computed in single precision");
    }

    /// The sum of the output times `of_output`, output by output.
    fn objective(of: &Convolution, [x, weight, of_output]: [&[f64]; 3]) -> f64 {
        let ([out_height, out_width], [inputs, outputs]) = (of.output(), of.channels);
        let mut sum = 0.0;
        for (place, factor) in of_output.iter().enumerate() {
            let (pixel, output) = (place / outputs, place % outputs);
            let (out_row, out_column) = (pixel / out_width % out_height, pixel % out_width);
            let number = pixel / out_width / out_height;
            for (tap_y, tap_x) in
                (0..of.kernel[0]).flat_map(|y| (0..of.kernel[1]).map(move |x| (y, x)))
            {
                let row = (out_row * of.stride[0] + tap_y) as isize - of.padding[0] as isize;
                let column = (out_column * of.stride[1] + tap_x) as isize - of.padding[1] as isize;
                let [height, width] = of.image.map(|side| side as isize);
                if !(0..height).contains(&row) || !(0..width).contains(&column) {
                    continue;
                }
                let at = ((number as isize * height + row) * width + column) as usize * inputs;
                for input in 0..inputs {
                    let tap = (output * inputs + input) * of.kernel[0] + tap_y;
                    sum += factor * x[at + input] * weight[tap * of.kernel[1] + tap_x];
                }
            }
        }
        sum
    }

    #[test]
    fn gradients_by_the_definition_are_differences_of_the_sum() {
        let convolution = Convolution {
            batch: 2,
            image: [5, 4],
            channels: [2, 3],
            kernel: [3, 2],
            stride: [2, 1],
            padding: [1, 0],
        };
        let mut rng = Seeds::new(1).data("differences");
        let [height, width] = convolution.output();
        let x = random(&mut rng, [2, 5, 4, 2]);
        let weight = random(&mut rng, [3, 2, 3, 2]);
        let of_output = random(&mut rng, [2, height, width, 3]);
        let found = convolution.gradients(&x, &weight, &of_output);
        let values = [&x, &weight, &of_output].map(|data| data.iter::<f64>().collect::<Vec<_>>());
        let before = objective(&convolution, [&values[0], &values[1], &values[2]]);
        for (which, gradient) in found.iter().enumerate() {
            for (place, expected) in gradient.iter().enumerate() {
                // The sum is linear in each value, so that any step will do.
                let mut moved = values.clone();
                moved[which][place] += 1.0;
                let after = objective(&convolution, [&moved[0], &moved[1], &moved[2]]);
                assert!((after - before - expected).abs() < 1e-12, "{which}, {place}");
            }
        }
    }
}
