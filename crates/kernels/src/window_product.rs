//! Convolution as one matrix product.

use burn::tensor::ops::PadMode;
use burn::tensor::{Tensor, s};

use crate::conv_options::ConvOptions;

/// `weight ∗ x`, as the product of all windows of `x`, one a row, with the weights.
///
/// NdArray's own convolution takes minutes for the gradients of a batch, because to it a weight's gradient is
/// a convolution with a kernel as large as the image; its matrix product is a fast one. The rows take as
/// much memory as the input times the size of the kernel.
///
/// # Shapes
///
/// As [`conv2d`](crate::conv2d).
///
/// Chellapilla et al., "High Performance Convolutional Neural Networks for Document Processing", 2006.
pub(crate) fn window_product(x: Tensor<4>, weight: Tensor<4>, options: ConvOptions) -> Tensor<4> {
    let [outputs, inputs, kernel_height, kernel_width] = weight.dims();
    let ([down, right], [above, left]) = (options.stride, options.padding);
    let x = x.pad([(0, 0), (above, above), (left, left), (0, 0)], PadMode::Constant(0.0));
    let [batch, height, width, channels] = x.dims();
    assert_eq!(channels, inputs, "channels of the images, input channels of the weights");
    let (rows, columns) = ((height - kernel_height) / down, (width - kernel_width) / right);

    // What each kernel position meets, side by side: the windows.
    let met = |(row, column): (usize, usize)| {
        let (last_row, last_column) = (row + rows * down, column + columns * right);
        x.clone().slice(s![.., row..=last_row; down, column..=last_column; right, ..])
    };
    let positions = (0..kernel_height).flat_map(|row| (0..kernel_width).map(move |c| (row, c)));
    let windows = Tensor::cat(positions.map(met).collect(), 3);

    let (rows, columns) = (rows + 1, columns + 1);
    let taps = kernel_height * kernel_width * inputs;
    let windows: Tensor<2> = windows.reshape([batch * rows * columns, taps]);
    let weight: Tensor<2> = weight.permute([2, 3, 1, 0]).reshape([taps, outputs]);
    windows.matmul(weight).reshape([batch, rows, columns, outputs])
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, Distribution, module};

    use super::*;

    /// Batch, height, width, inputs, outputs, kernel, stride, padding.
    type Case = (usize, [usize; 2], usize, usize, [usize; 2], [usize; 2], [usize; 2]);

    const CASES: [Case; 7] = [
        (2, [5, 7], 3, 4, [3, 3], [1, 1], [1, 1]),
        (3, [8, 8], 2, 5, [3, 3], [2, 2], [1, 1]),
        (1, [9, 6], 4, 3, [1, 1], [2, 2], [0, 0]),
        (2, [7, 7], 1, 6, [5, 5], [1, 1], [0, 0]),
        (1, [6, 11], 2, 2, [2, 3], [1, 3], [0, 2]),
        (2, [4, 4], 3, 1, [4, 4], [1, 1], [0, 0]),
        (1, [1, 1], 2, 2, [3, 3], [1, 1], [1, 1]),
    ];

    #[test]
    fn output_and_gradients_are_those_of_burns_convolution() {
        let device = Device::flex().autodiff();
        for (batch, [height, width], inputs, outputs, [down, right], stride, padding) in CASES {
            let normal = Distribution::Normal(0.0, 1.0);
            let x =
                Tensor::<4>::random([batch, height, width, inputs], normal, &device).require_grad();
            let weight =
                Tensor::<4>::random([outputs, inputs, down, right], normal, &device).require_grad();
            let options = ConvOptions { stride, padding };
            let ours = window_product(x.clone(), weight.clone(), options);
            let burns = module::conv2d(
                x.clone().permute([0, 3, 1, 2]),
                weight.clone(),
                None,
                burn::tensor::ops::ConvOptions::new(stride, padding, [1, 1], 1),
            )
            .permute([0, 2, 3, 1]);
            assert_eq!(ours.dims(), burns.dims());
            let by = Tensor::<4>::random(ours.dims(), normal, &device);
            let (ours_gradients, burns_gradients) = (
                (ours.clone() * by.clone()).sum().backward(),
                (burns.clone() * by).sum().backward(),
            );
            let pairs = [
                (ours.inner(), burns.inner()),
                (x.grad(&ours_gradients).unwrap(), x.grad(&burns_gradients).unwrap()),
                (weight.grad(&ours_gradients).unwrap(), weight.grad(&burns_gradients).unwrap()),
            ];
            for (ours, burns) in pairs {
                let most: f32 = (ours - burns).abs().max().into_scalar();
                assert!(most < 1e-4, "{most} off");
            }
        }
    }
}
