//! A first layer that whitens: its filters are the axes along which patches of the training images vary, each divided
//! by how much they do. Neighbouring pixels are nearly equal, so that without it most of what a network is shown first
//! is brightness.
//!
//! ```text
//! C = mean over all patches x of all images of  x xᵀ          (not centred)
//! C v = λ v     filter = v / √(λ + ε),  and again with the other sign
//! ```
//!
//! Page, [How to train your ResNet 8: Bag of tricks](https://myrtle.ai/learn/how-to-train-your-resnet-8-bag-of-tricks/),
//! 2019; in this form Jordan, [94% on CIFAR-10 in 3.29 Seconds on a Single GPU](https://arxiv.org/abs/2404.00498), 2024,
//! section 3.2.

use burn::module::Module;

use crate::parameters;
use crate::symmetric_eigen::{SymmetricEigen, symmetric_eigen};

/// Images that the filters are made of, at most.
pub const MOST_IMAGES: usize = 5_000;

/// ε, added to the variance along an axis: where images hardly vary, there is little but noise to be made larger.
const EPSILON: f64 = 5e-4;

/// Why a layer cannot begin with whitening filters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhiteningError {
    /// The layer has no filters that see patches of an image.
    #[error(
        "`initialization.first_layer`: whitening filters are those of a convolution, and \
         `{layer}`, which takes the images, is none; set it to `drawn`, or choose a model that \
         begins with one, such as `--model cnn`"
    )]
    NoConvolution {
        /// The layer's name.
        layer: String,
    },
    /// No patch of an image is as large as the kernel.
    #[error(
        "`initialization.first_layer`: expected images of at least {rows}×{columns} pixels, the \
         kernel of `{layer}`, found {height}×{width}; set it to `drawn`, or have larger images"
    )]
    ImageTooSmall {
        /// The layer's name.
        layer: String,
        /// The kernel's height.
        rows: usize,
        /// The kernel's width.
        columns: usize,
        /// The images' height.
        height: usize,
        /// The images' width.
        width: usize,
    },
}

/// Puts whitening filters in place of the first weights of the layer of a name, which takes the images.
///
/// The eigenvectors of the `d = channels × kernel height × kernel width` largest variances come first, in descending
/// order, then all of them with the other sign. Filters beyond these `2 d` stay as they are. A layer that has fewer
/// takes the eigenvectors of the largest variances, as many of either sign; if their number is odd, the last of them
/// has the positive one alone.
///
/// `image`: channels, height, width; `images`: each of these, as the network sees them, at least one.
///
/// # Errors
///
/// If the layer is no convolution over these channels, or its kernel larger than an image.
///
/// # Panics
///
/// If an image has another number of values than `image` says.
pub fn whiten<M: Module>(
    network: M,
    layer: &str,
    image: [usize; 3],
    images: impl IntoIterator<Item = Vec<f32>>,
) -> Result<M, WhiteningError> {
    let mut tensors = parameters::export(&network);
    let name = format!("{layer}.weight");
    let no_convolution = || WhiteningError::NoConvolution { layer: layer.to_owned() };
    let weight = tensors.iter_mut().find(|tensor| tensor.name == name);
    let weight = weight.ok_or_else(no_convolution)?;
    let [outputs, inputs, rows, columns] = weight.shape[..] else { return Err(no_convolution()) };
    let [channels, height, width] = image;
    if inputs != channels {
        return Err(no_convolution());
    }
    if rows > height || columns > width {
        let layer = layer.to_owned();
        return Err(WhiteningError::ImageTooSmall { layer, rows, columns, height, width });
    }
    let signed = in_order(filters(image, [rows, columns], images), outputs);
    for (weights, filter) in weight.values.chunks_exact_mut(inputs * rows * columns).zip(signed) {
        weights.copy_from_slice(&filter);
    }
    Ok(parameters::import(network, tensors).expect("a network takes its own tensors"))
}

/// The filters that a layer with so many begins with, of those for all axes.
fn in_order(filters: Vec<Vec<f32>>, outputs: usize) -> Vec<Vec<f32>> {
    let count = outputs.min(2 * filters.len());
    let negative = |filter: &Vec<f32>| filter.iter().map(|value| -value).collect();
    let negatives: Vec<Vec<f32>> = filters.iter().take(count / 2).map(negative).collect();
    filters.into_iter().take(count.div_ceil(2)).chain(negatives).collect()
}

/// A filter for each axis, `[channels, kernel height, kernel width]`, in descending order of the variance along it.
fn filters(
    image: [usize; 3],
    kernel: [usize; 2],
    images: impl IntoIterator<Item = Vec<f32>>,
) -> Vec<Vec<f32>> {
    let mut products = PatchProducts::new(image, kernel);
    for image in images {
        products.add(&image);
    }
    let SymmetricEigen { values, vectors } = symmetric_eigen(products.mean());
    let filter = |(variance, vector): (f64, Vec<f64>)| {
        // Rounding can take a variance of nothing below 0.
        let scale = 1.0 / (variance.max(0.0) + EPSILON).sqrt();
        vector.into_iter().map(|value| (value * scale) as f32).collect()
    };
    values.into_iter().zip(vectors).map(filter).collect()
}

/// Sums over all patches of images of the products of each two of a patch's values.
///
/// The products of two channels at a displacement are taken once, row by row, for all pairs of places in a patch that
/// lie so to each other: what the pairs differ in is which rows and columns they sum over.
struct PatchProducts {
    /// Channels, height, width.
    image: [usize; 3],
    /// Height, width.
    kernel: [usize; 2],
    images: usize,
    displaced: Vec<Displaced>,
    /// The image in double precision, in which products of 32-bit floats are exact.
    values: Vec<f64>,
}

/// The products of values of one channel with those of another one at a displacement.
struct Displaced {
    channels: [usize; 2],
    /// Rows from the first value to the second.
    down: isize,
    /// Columns from the first value to the second.
    right: isize,
    /// `[image height, kernel width]`: for a row of the first channel and a column of the kernel, the sum over the
    /// columns of the image that the kernel's column meets.
    sums: Vec<f64>,
}

impl PatchProducts {
    fn new(image: [usize; 3], kernel: [usize; 2]) -> Self {
        let [channels, height, _] = image;
        let reach = |side: usize| 1 - side as isize..side as isize;
        let mut displaced = Vec::new();
        for first in 0..channels {
            for second in first..channels {
                for down in reach(kernel[0]) {
                    for right in reach(kernel[1]) {
                        // Of a channel with itself, the other direction has the same products.
                        if first == second && (down, right) < (0, 0) {
                            continue;
                        }
                        let sums = vec![0.0; height * kernel[1]];
                        displaced.push(Displaced { channels: [first, second], down, right, sums });
                    }
                }
            }
        }
        Self { image, kernel, images: 0, displaced, values: Vec::new() }
    }

    /// Adds the patches of an image, `[channels, height, width]`.
    fn add(&mut self, image: &[f32]) {
        let [channels, height, width] = self.image;
        assert_eq!(image.len(), channels * height * width, "an image of another shape");
        self.values.clear();
        self.values.extend(image.iter().map(|&value| f64::from(value)));
        self.images += 1;
        let columns = width - self.kernel[1] + 1;
        for Displaced { channels: [first, second], down, right, sums } in &mut self.displaced {
            for row in places(*down, height) {
                let line = |channel: usize, row: usize| {
                    &self.values[(channel * height + row) * width..][..width]
                };
                let a = line(*first, row);
                let b = line(*second, row.wrapping_add_signed(*down));
                let product = |column: usize| a[column] * b[column.wrapping_add_signed(*right)];
                let mut in_kernel = places(*right, self.kernel[1]);
                let start = in_kernel.start;
                let mut sum =
                    dot(&a[start..][..columns], &b[start.wrapping_add_signed(*right)..][..columns]);
                while let Some(column) = in_kernel.next() {
                    sums[row * self.kernel[1] + column] += sum;
                    if !in_kernel.is_empty() {
                        sum += product(column + columns) - product(column);
                    }
                }
            }
        }
    }

    /// The mean over all patches: a symmetric matrix over channel, row and column of a patch.
    fn mean(&self) -> Vec<Vec<f64>> {
        let ([channels, height, width], [rows, columns]) = (self.image, self.kernel);
        let down_the_image = height - rows + 1;
        let patches = self.images * down_the_image * (width - columns + 1);
        let place =
            |channel: usize, row: usize, column: usize| (channel * rows + row) * columns + column;
        let size = channels * rows * columns;
        let mut mean = vec![vec![0.0; size]; size];
        for Displaced { channels: [first, second], down, right, sums } in &self.displaced {
            for row in places(*down, rows) {
                for column in places(*right, columns) {
                    let in_image = (row..row + down_the_image).map(|row| row * columns + column);
                    let sum: f64 = in_image.map(|at| sums[at]).sum();
                    let other = place(
                        *second,
                        row.wrapping_add_signed(*down),
                        column.wrapping_add_signed(*right),
                    );
                    let one = place(*first, row, column);
                    mean[one][other] = sum / patches.max(1) as f64;
                    mean[other][one] = mean[one][other];
                }
            }
        }
        mean
    }
}

/// The places on a side of so many from which a displacement does not lead beyond it.
fn places(displacement: isize, side: usize) -> std::ops::Range<usize> {
    let beyond = displacement.unsigned_abs();
    match displacement < 0 {
        true => beyond..side,
        false => 0..side.saturating_sub(beyond),
    }
}

/// The sum of the products, in an order that is the same on every machine and leaves room for vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{CnnConfig, LenetBnConfig, MlpConfig, ModelConfig, Network};

    /// Images without a pattern, of values in [-1, 1].
    fn images(count: usize, [channels, height, width]: [usize; 3]) -> Vec<Vec<f32>> {
        let size = channels * height * width;
        let value = |i: usize| (i * 37 + i * i * 11 + 5) % 101;
        let image = |n: usize| (n * size..(n + 1) * size).map(|i| value(i) as f32 / 50.0 - 1.0);
        (0..count).map(|n| image(n).collect()).collect()
    }

    /// The mean of products over patches that are cut out one by one.
    fn by_patches(
        images: &[Vec<f32>],
        [channels, height, width]: [usize; 3],
        [rows, columns]: [usize; 2],
    ) -> Vec<Vec<f64>> {
        let size = channels * rows * columns;
        let mut sums = vec![vec![0.0; size]; size];
        let mut patches = 0.0;
        for image in images {
            for top in 0..=height - rows {
                for left in 0..=width - columns {
                    let mut patch = Vec::new();
                    for channel in 0..channels {
                        for row in top..top + rows {
                            for column in left..left + columns {
                                let at = (channel * height + row) * width + column;
                                patch.push(f64::from(image[at]));
                            }
                        }
                    }
                    for (i, a) in patch.iter().enumerate() {
                        for (j, b) in patch.iter().enumerate() {
                            sums[i][j] += a * b;
                        }
                    }
                    patches += 1.0;
                }
            }
        }
        sums.into_iter().map(|row| row.into_iter().map(|sum| sum / patches).collect()).collect()
    }

    fn assert_close(found: &[Vec<f64>], expected: &[Vec<f64>], allowed: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < allowed, "{found} for {expected}");
        }
    }

    #[test]
    fn products_are_those_of_patches_that_are_cut_out_one_by_one() {
        for (shape, kernel) in [
            ([2, 4, 5], [2, 2]),
            ([3, 7, 20], [3, 3]),
            ([1, 3, 3], [3, 3]),
            ([2, 9, 6], [4, 2]),
            ([3, 5, 4], [1, 1]),
            ([1, 5, 11], [1, 3]),
        ] {
            let images = images(3, shape);
            let mut products = PatchProducts::new(shape, kernel);
            images.iter().for_each(|image| products.add(image));
            assert_close(&products.mean(), &by_patches(&images, shape, kernel), 1e-13);
        }
    }

    /// What the filters answer to all patches: mean products of each two.
    fn answers(filters: &[Vec<f32>], products: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let entry = |a: &[f32], b: &[f32]| {
            let terms = a.iter().zip(products).map(|(a, row)| {
                f64::from(*a) * row.iter().zip(b).map(|(c, b)| c * f64::from(*b)).sum::<f64>()
            });
            terms.sum::<f64>()
        };
        filters.iter().map(|a| filters.iter().map(|b| entry(a, b)).collect()).collect()
    }

    #[test]
    fn answers_of_whitening_filters_are_uncorrelated_and_of_variance_one() {
        let (shape, kernel) = ([3, 8, 9], [2, 2]);
        let images = images(20, shape);
        let filters = filters(shape, kernel, images.clone());
        let found = answers(&filters, &by_patches(&images, shape, kernel));
        for (i, row) in found.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                // Variances here are a hundred times ε and more.
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 0.01, "{i}, {j}: {value}");
            }
        }
    }

    #[test]
    fn images_that_do_not_vary_give_finite_filters_brightness_first() {
        let filters = filters([1, 6, 6], [2, 2], vec![vec![2.0; 36]; 3]);
        // Four equal pixels of 2: variance 16 along their mean, none along the three other axes.
        let mean = 0.5 / (16.0 + EPSILON).sqrt();
        assert!(filters[0].iter().all(|&value| (f64::from(value) - mean).abs() < 1e-7));
        let length = |filter: &[f32]| filter.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        for filter in &filters[1..] {
            assert!((length(filter) * EPSILON - 1.0).abs() < 1e-6, "{filter:?}");
        }
        let black = super::filters([1, 3, 3], [2, 2], vec![vec![0.0; 9]]);
        assert!(black.iter().flatten().all(|value| value.is_finite()));
    }

    fn weight(network: &Network, layer: &str) -> Vec<f32> {
        let name = format!("{layer}.weight");
        let tensors = parameters::export(network);
        tensors.into_iter().find(|tensor| tensor.name == name).unwrap().values
    }

    #[test]
    fn filters_fill_the_layer_with_both_signs_and_leave_the_rest_of_it() {
        let shape = [1, 28, 28];
        let images = images(4, shape);
        let all = filters(shape, [5, 5], images.clone());
        for outputs in [1, 2, 5, 50, 53] {
            let config = ModelConfig::LenetBn(LenetBnConfig {
                widths: [outputs, 16],
                ..LenetBnConfig::default()
            });
            let network = config.init(shape, 10, &Device::flex()).unwrap();
            // Something to be left as it is.
            let mut tensors = parameters::export(&network);
            tensors.iter_mut().for_each(|tensor| tensor.values.fill(7.0));
            let network: Network = parameters::import(network, tensors.clone()).unwrap();
            let whitened = whiten(network, config.first_layer(), shape, images.clone()).unwrap();
            let found = weight(&whitened, "conv1");
            let found: Vec<&[f32]> = found.chunks_exact(25).collect();
            let positive = outputs.min(50).div_ceil(2);
            for (number, filter) in found.iter().enumerate() {
                let expected: Vec<f32> = match number {
                    _ if number < positive => all[number].clone(),
                    _ if number < outputs.min(50) => {
                        all[number - positive].iter().map(|value| -value).collect()
                    }
                    _ => vec![7.0; 25],
                };
                assert_eq!(*filter, expected, "filter {number} of {outputs}");
            }
            let others = parameters::export(&whitened).into_iter().skip(1);
            assert!(others.eq(tensors.into_iter().skip(1)));
        }
    }

    #[test]
    fn layers_without_patches_and_images_without_room_are_refused_by_name() {
        let refused = |config: ModelConfig, layer: &str, shape: [usize; 3]| {
            let network = config.init(shape, 10, &Device::flex()).unwrap();
            whiten(network, layer, shape, images(1, shape)).unwrap_err().to_string()
        };
        let mlp = ModelConfig::Mlp(MlpConfig::default());
        let message = refused(mlp, "hidden.0", [1, 8, 8]);
        for part in ["initialization.first_layer", "`hidden.0`", "drawn", "--model cnn"] {
            assert!(message.contains(part), "{message}");
        }
        let cnn = ModelConfig::Cnn(CnnConfig { widths: vec![4], ..CnnConfig::default() });
        // A later layer does not see the images.
        assert!(refused(cnn.clone(), "blocks.0.convs.1", [3, 8, 8]).contains("convs.1"));
        let message = refused(cnn, "blocks.0.convs.0", [3, 2, 8]);
        assert!(message.contains("at least 3×3") && message.contains("found 2×8"), "{message}");
    }

    // Printed by `tests/pytorch/whitening.py`: covariance by unfold, axes by torch.linalg.eigh, of two of the images
    // above, of 2×4×5, in patches of 2×2.
    const FILTERS: [[f32; 8]; 8] = [
        [
            -0.478_196_8,
            -0.503_032_6,
            0.572_613_6,
            0.360_505_6,
            -0.257_718_2,
            -0.358_015_6,
            0.479_082_2,
            0.324_687_3,
        ],
        [
            0.034_196_5,
            0.495_026,
            -0.473_233_7,
            0.766_921_5,
            0.668_064_7,
            0.045_368_6,
            0.746_844_9,
            0.278_675_8,
        ],
        [
            0.818_180_4,
            -0.370_707_4,
            -0.630_771_2,
            0.265_656_9,
            -0.578_710_3,
            -0.563_315_5,
            -0.110_206_7,
            0.530_260_5,
        ],
        [
            0.475_913_7,
            -0.573_954_5,
            0.522_360_7,
            0.056_739_9,
            1.025_492_6,
            0.201_865_3,
            -0.550_668_1,
            0.676_561_8,
        ],
        [
            -0.146_611_3,
            0.787_138_5,
            0.137_317_8,
            -1.013_655_6,
            -0.107_766_7,
            -0.183_608_6,
            0.275_557_9,
            1.192_293_8,
        ],
        [
            1.194_844_6,
            -0.149_787_3,
            0.627_484_8,
            -0.507_333_5,
            -0.028_506_4,
            0.231_233_7,
            1.158_353_6,
            -0.492_457_6,
        ],
        [
            -0.126_801_5,
            -0.466_728_9,
            -0.323_315_7,
            0.216_515_9,
            -0.797_523_5,
            2.027_083_9,
            0.215_484,
            0.704_125_6,
        ],
        [
            0.766_791_7,
            1.604_894_4,
            1.518_521_6,
            1.355_779_8,
            -0.880_561_6,
            0.202_002_3,
            -0.809_913,
            0.151_214_3,
        ],
    ];

    #[test]
    fn filters_equal_those_of_pytorch() {
        let shape = [2, 4, 5];
        let found = filters(shape, [2, 2], images(2, shape));
        for (found, expected) in found.iter().zip(FILTERS) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
            }
        }
    }
}
