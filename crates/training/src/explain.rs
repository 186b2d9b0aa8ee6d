//! What in an image speaks for a class, by a network's own gradients.
//!
//! Of a network with a feature map ([`Classifier::forward_tapped`]) it is LayerCAM, a map over the last feature map `A`:
//!
//! `M[i, j] = Σ_k relu(∂y_c / ∂A[i, j, k]) · A[i, j, k]`
//!
//! with the logit `y_c` of the class, and nothing below 0 (Jiang et al., [LayerCAM: Exploring Hierarchical Class
//! Activation Maps for Localization](https://doi.org/10.1109/TIP.2021.3089943), IEEE Transactions on Image Processing
//! 2021, equations 6 and 7). Grad-CAM ([Selvaraju et al.](https://arxiv.org/abs/1610.02391), ICCV 2017) weighs every
//! channel by the mean of its gradient, which is no simpler, and loses the places where a network has linear layers
//! behind its feature map, as `cnn` and `lenet-bn` do: what one place counts for the class is averaged with all others.
//!
//! Of a network without a feature map it is the gradient times the input, `M[i, j] = Σ_k ∂y_c / ∂x[k, i, j] · x[k, i, j]`
//! (Shrikumar et al., [Not Just a Black Box](https://arxiv.org/abs/1605.01713), 2016), again without what is below 0. The
//! input is what the network is given, so that its 0 is the mean of the training images.
//!
//! Such maps show where a network looks, not whether it is right to; what they show must depend on the weights (Adebayo
//! et al., [Sanity Checks for Saliency Maps](https://arxiv.org/abs/1810.03292), NeurIPS 2018), which tests here hold.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use backburn_data::ImageSet;
use backburn_data::augment::Pipeline;
use backburn_data::loader::{Loader, LoaderConfig, LoaderError};
use backburn_data::normalization::FittedNormalization;
use backburn_models::Classifier;
use backburn_records::{Explanation, ExplanationMethod};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

/// Images that are explained together: few, since gradients keep what a network computes on its way.
const BATCH_SIZE: usize = 50;

/// Maps of what speaks for a class, one each image, as the gradients give them.
#[derive(Clone, Debug)]
pub struct ClassMaps {
    /// How they were made.
    pub method: ExplanationMethod,
    /// Rows and columns of a map.
    pub size: [usize; 2],
    /// `[images, rows, columns]`, at least 0.
    pub values: Vec<f32>,
}

/// Explains for every image why it could be of the class of the same place in `classes`, with an evaluation copy
/// (`network.valid()`) of a network. `device`: where the network lives.
///
/// # Errors
///
/// If the set is empty or does not have the channels that the normalization was fitted on.
///
/// # Panics
///
/// If there is not one class for each image, below the number of logits.
pub fn explain<N: Classifier>(
    network: &N,
    images: &Arc<ImageSet>,
    classes: &[usize],
    normalization: &FittedNormalization,
    device: &Device,
) -> Result<Vec<Explanation>, LoaderError> {
    assert_eq!(classes.len(), images.len(), "a class for each image");
    let batch_size = BATCH_SIZE.min(images.len().max(1));
    let config = LoaderConfig::new(batch_size);
    let loader = Loader::new(Arc::clone(images), normalization, Pipeline::default(), config)?;
    let device = device.clone().autodiff();
    let mut explained = Vec::with_capacity(images.len());
    for (batch, classes) in loader.in_order().zip(classes.chunks(batch_size)) {
        let shape = batch.dims();
        let values = TensorData::new(batch.images.into_values(), shape);
        let input = Tensor::<4>::from_data(values, &device);
        let ClassMaps { method, size, values } = class_maps(network, input, classes);
        let maps = values.chunks(size.iter().product::<usize>().max(1));
        let maps = maps.zip(classes);
        explained.extend(maps.map(|(map, &class)| Explanation::scaled(method, class, size, map)));
    }
    Ok(explained)
}

/// The maps of a batch, for the class of each image. The network is taken as in evaluation: batch normalization by its
/// running statistics, no dropout; none of its values changes.
///
/// # Shapes
///
/// - `images`: `[batch, channels, height, width]`, normalized
/// - `classes`: `[batch]`
///
/// # Panics
///
/// If there is not one class for each image, below the number of logits.
pub fn class_maps<N: Classifier>(network: &N, images: Tensor<4>, classes: &[usize]) -> ClassMaps {
    // On a device with gradients, but frozen: no parameter asks for one, and nothing acts as in training.
    let network = network.valid().train().freeze();
    let images = images.autodiff();
    let [_, _, height, width] = images.dims();
    let (method, maps) = match layer_cam(&network, images.clone(), classes) {
        Some(maps) => (ExplanationMethod::LayerCam, maps),
        None => {
            let maps = gradient_times_input(&network, images, classes);
            (ExplanationMethod::GradientTimesInput, maps)
        }
    };
    let size = match method {
        ExplanationMethod::LayerCam => {
            let [_, height, width, _] = maps.dims();
            [height, width]
        }
        ExplanationMethod::GradientTimesInput => [height, width],
    };
    ClassMaps { method, size, values: floats(maps) }
}

#[expect(clippy::expect_used, reason = "a tensor of floats has floats")]
fn floats(maps: Tensor<4>) -> Vec<f32> {
    maps.into_data().try_into_vec_as().expect("maps are floats")
}

/// `[batch, height, width, 1]`; `None` of a network without a feature map.
fn layer_cam<N: Classifier>(
    network: &N,
    images: Tensor<4>,
    classes: &[usize],
) -> Option<Tensor<4>> {
    let mut tapped = None;
    let logits = network.forward_tapped(images, &mut |maps: Tensor<4>| {
        // The graph begins here: nothing before it needs a gradient.
        let maps = maps.detach().require_grad();
        tapped = Some(maps.clone());
        maps
    });
    let maps = tapped?;
    let gradient = gradient(&logits, classes, &maps);
    Some(relu((relu(gradient) * maps.without_autodiff()).sum_dim(3)))
}

/// `[batch, 1, height, width]`
fn gradient_times_input<N: Classifier>(
    network: &N,
    images: Tensor<4>,
    classes: &[usize],
) -> Tensor<4> {
    let images = images.detach().require_grad();
    let gradient = gradient(&network.forward(images.clone()), classes, &images);
    relu((gradient * images.without_autodiff()).sum_dim(1))
}

/// The gradient of each image's logit of its class with respect to `of`: images do not act on each other, so that the
/// gradient of the sum has all of them. 0 where the logits do not depend on it.
fn gradient(logits: &Tensor<2>, classes: &[usize], of: &Tensor<4>) -> Tensor<4> {
    let [batch, logits_each] = logits.dims();
    assert_eq!(classes.len(), batch, "a class for each image");
    let chosen = classes.iter().flat_map(|&class| {
        assert!(class < logits_each, "class {class} of {logits_each}");
        (0..logits_each).map(move |logit| if logit == class { 1.0_f32 } else { 0.0 })
    });
    let chosen = TensorData::new(chosen.collect::<Vec<f32>>(), [batch, logits_each]);
    let chosen = Tensor::<2>::from_data(chosen, &logits.device());
    let sum = (logits.clone() * chosen).sum();
    let gradient = if sum.is_tracked() { of.grad(&sum.backward()) } else { None };
    gradient.unwrap_or_else(|| of.clone().without_autodiff().zeros_like())
}

#[cfg(test)]
mod tests {
    use backburn_data::{DataSet, ImageShape, TestSplit};
    use backburn_models::{
        CnnConfig, Initialization, MlpConfig, ModelConfig, Network, architecture, parameters,
    };
    use backburn_regularization::WeightDecay;

    use super::*;
    use crate::prepare::Prepared;
    use crate::recipe::{Recipe, built_in};
    use crate::seeds::Seeds;
    use crate::setup::Setup;
    use crate::state::State;
    use crate::train::{no_save, train};
    use crate::watch::Silent;

    const CLASSES: usize = 3;

    fn drawn(config: &ModelConfig, image: [usize; 3], seed: u64) -> Network {
        let network = config.init(image, CLASSES, &Device::flex()).unwrap();
        let seeds = Seeds::new(seed);
        Initialization::default().apply(network, |parameter| seeds.weights(parameter))
    }

    fn inputs([channels, height, width]: [usize; 3]) -> Tensor<4> {
        let values: Vec<f32> = (0..2 * channels * height * width)
            .map(|place| (place * 7919 % 251) as f32 / 125.0 - 1.0)
            .collect();
        let shape = [2, channels, height, width];
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        floats(tensor)
    }

    /// A tensor of the same shape with one value more or less.
    fn moved(tensor: &Tensor<4>, place: usize, by: f32) -> Tensor<4> {
        let mut moved = values(tensor.clone());
        moved[place] += by;
        Tensor::from_data(TensorData::new(moved, tensor.dims()), &Device::flex())
    }

    /// How the logit of an image's class changes with each value of `at`, by differences; `None` where it changes in
    /// one way upwards and in another downwards, at the kinks of ReLUs and maxima.
    fn differences(
        at: &Tensor<4>,
        classes: [usize; 2],
        logits: impl Fn(Tensor<4>) -> Tensor<2>,
    ) -> Vec<Option<f32>> {
        const STEP: f32 = 2e-3;
        let all = values(at.clone()).len();
        let of_image = all / 2;
        (0..all)
            .map(|place| {
                let image = place / of_image;
                let logit = |by: f32| {
                    let logits: Vec<f32> =
                        logits(moved(at, place, by)).into_data().try_to_vec().unwrap();
                    logits[image * CLASSES + classes[image]]
                };
                let (up, here, down) = (logit(STEP), logit(0.0), logit(-STEP));
                let slopes = [(up - here) / STEP, (here - down) / STEP];
                let is_smooth = (slopes[0] - slopes[1]).abs() < 3e-4;
                is_smooth.then_some((slopes[0] + slopes[1]) / 2.0)
            })
            .collect()
    }

    /// Compares a map with what differences say, at the places where they say anything.
    fn assert_near(found: &[f32], expected: &[Option<f32>], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let known = expected.iter().flatten().count();
        assert!(6 * known >= expected.len(), "{what}: {known} places can be compared");
        let greatest = expected.iter().flatten().copied().fold(0.0, f32::max);
        assert!(greatest > 1e-3, "{what}: nothing to compare");
        for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
            let Some(expected) = expected else { continue };
            let difference = (found - expected).abs();
            assert!(
                difference < 1e-2 * greatest,
                "{what}, {place}: expected {expected}, found {found}"
            );
        }
    }

    #[test]
    fn layer_cam_is_what_differences_of_the_feature_map_make_it() {
        let cnn =
            CnnConfig { widths: vec![4, 3], convolutions: 1, dense: 6, ..CnnConfig::default() };
        let named = |name: &str| (architecture(name).unwrap().config)();
        for (config, image) in [
            (ModelConfig::Cnn(cnn), [3, 8, 12]),
            (named("lenet-bn"), [1, 20, 24]),
            (named("resnet20"), [3, 8, 4]),
        ] {
            let network = drawn(&config, image, 3);
            let (images, classes) = (inputs(image), [2, 1]);
            let mut map = None;
            network.forward_tapped(images.clone(), &mut |maps| {
                map = Some(maps.clone());
                maps
            });
            let map = map.unwrap();
            let [_, height, width, channels] = map.dims();
            let slopes = differences(&map, classes, |other| {
                network.forward_tapped(images.clone(), &mut |_| other.clone())
            });
            let activations = values(map);
            let term = |(slope, value): (&Option<f32>, &f32)| match *value {
                // Whatever the gradient is at the kink of a ReLU.
                0.0 => Some(0.0),
                value => slope.map(|slope| slope.max(0.0) * value),
            };
            let terms: Vec<Option<f32>> = slopes.iter().zip(&activations).map(term).collect();
            let expected: Vec<Option<f32>> =
                terms.chunks(channels).map(|terms| terms.iter().copied().sum()).collect();

            let before = parameters::export(&network);
            let found = class_maps(&network, images, &classes);
            assert_eq!(found.method, ExplanationMethod::LayerCam);
            assert_eq!(found.size, [height, width]);
            assert_near(&found.values, &expected, config.name());
            assert_eq!(parameters::export(&network), before, "explaining changed the network");
        }
    }

    #[test]
    fn without_a_feature_map_it_is_gradient_times_input_and_named_so() {
        let config = MlpConfig { hidden: vec![7], batch_norm: true, ..MlpConfig::default() };
        let (config, image) = (ModelConfig::Mlp(config), [3, 2, 3]);
        let network = drawn(&config, image, 4);
        let (images, classes) = (inputs(image), [0, 1]);
        let slopes = differences(&images, classes, |other| network.forward(other));
        let inputs = values(images.clone());
        let term = |image: usize, channel: usize, pixel: usize| {
            let place = (image * 3 + channel) * 6 + pixel;
            slopes[place].map(|slope| slope * inputs[place])
        };
        let sum = |at: usize| -> Option<f32> {
            (0..3).map(|channel| term(at / 6, channel, at % 6)).sum()
        };
        let expected: Vec<Option<f32>> =
            (0..12).map(|at| sum(at).map(|sum| sum.max(0.0))).collect();
        let found = class_maps(&network, images, &classes);
        assert_eq!(found.method, ExplanationMethod::GradientTimesInput);
        assert_eq!(found.size, [2, 3]);
        assert_near(&found.values, &expected, "mlp");
    }

    /// Stripes across or down in the upper left corner, by which the two classes are told apart, and such stripes that
    /// tell nothing in the lower right one, on noise.
    fn stripes(count: usize, shift: usize) -> ImageSet {
        let shape = ImageShape { channels: 1, height: 12, width: 12 };
        let pixel = |image: usize, row: usize, column: usize| {
            let stripe = |is_across: bool| {
                let line = if is_across { row } else { column };
                if line.is_multiple_of(2) { 220 } else { 20 }
            };
            let mixed = (image + shift).wrapping_mul(2_654_435_761) >> 7;
            match (row < 4 && column < 4, row > 7 && column > 7) {
                (true, _) => stripe(image.is_multiple_of(2)),
                (_, true) => stripe(mixed.is_multiple_of(2)),
                _ => ((mixed + row * 7919 + column * 104_729) * (row + 13) / 3 % 251) as u8,
            }
        };
        let pixels = (0..count * 144).map(|at| pixel(at / 144, at / 12 % 12, at % 12)).collect();
        let labels = (0..count).map(|image| (image % 2) as u16).collect();
        ImageSet::new(shape, 2, pixels, labels).unwrap()
    }

    /// Share of a map that lies in its upper left quarter, mean over images.
    fn in_the_corner(maps: &[Explanation]) -> f64 {
        let share = |map: &Explanation| {
            let value = |at: &usize| f64::from(map.values[*at]);
            let is_there =
                |at: &usize| at / map.width < map.height / 2 && at % map.width < map.width / 2;
            let all = 0..map.values.len();
            let there: f64 = all.clone().filter(is_there).map(|at| value(&at)).sum();
            there / all.map(|at| value(&at)).sum::<f64>().max(1.0)
        };
        maps.iter().map(share).sum::<f64>() / maps.len() as f64
    }

    /// Correlation of the values of all maps.
    fn correlation(maps: &[Explanation], others: &[Explanation]) -> f64 {
        let all = |maps: &[Explanation]| -> Vec<f64> {
            maps.iter().flat_map(|map| &map.values).map(|value| f64::from(*value)).collect()
        };
        backburn_records::statistics::correlation(&all(maps), &all(others))
    }

    #[test]
    fn a_trained_network_looks_where_the_classes_differ_and_one_with_random_weights_does_not() {
        let cnn = CnnConfig { widths: vec![8], convolutions: 1, dense: 16, ..CnnConfig::default() };
        let mlp = MlpConfig { hidden: vec![32], ..MlpConfig::default() };
        let digits = built_in("digits").unwrap();
        // Strong enough that weights for what tells nothing do not stay as they were drawn.
        let weight_decay = WeightDecay { strength: 3.0, ..digits.weight_decay };
        for model in [ModelConfig::Cnn(cnn), ModelConfig::Mlp(mlp)] {
            let recipe = Recipe {
                epochs: 12,
                batch_size: 20,
                model,
                weight_decay,
                augment: Pipeline::default(),
                ..digits.clone()
            };
            let test = TestSplit::seal(stripes(20, 90_000));
            let data = DataSet::new("stripes", ["across", "down"], stripes(600, 0), test);
            let prepared = Prepared::of(data, &recipe).unwrap();
            let setup = Setup::new(&recipe, &prepared, 1).unwrap();
            let mut state = State::new(&recipe, &prepared, &Device::flex()).unwrap();
            let explained = |state: &State| {
                let images = Arc::new(stripes(60, 50_000));
                let classes: Vec<usize> = (0..60).map(|image| image % 2).collect();
                let (network, normalization) = (state.selected(), &prepared.normalization);
                explain(&network, &images, &classes, normalization, &Device::flex()).unwrap()
            };
            let random = explained(&state);
            train(&setup, &mut state, &mut Silent, &mut no_save).unwrap();
            assert_eq!(state.epochs.last().unwrap().valid_accuracy, Some(1.0));
            let trained = explained(&state);
            let what = recipe.model.name();
            let shares = [in_the_corner(&trained), in_the_corner(&random)];
            assert!(shares[0] > 0.6 && shares[0] > shares[1] + 0.3, "{what}: {shares:?}");
            let alike = correlation(&trained, &random);
            assert!(alike < 0.3, "{what}: {alike}");
        }
    }
}
