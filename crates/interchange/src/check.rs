//! Whether a network computes what it says of itself: its description, carried out layer by layer with Burn's own
//! operations, against its forward pass.

use backburn_models::Classifier;
use backburn_models::description::{Layer, LayerKind};
use burn::tensor::activation::{relu, silu};
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData, s};

use crate::error::ExportError;
use crate::trained_network::TrainedNetwork;

/// How far logits may be apart, relative to the largest one. Rounding is below a tenth of that in 50 layers.
const TOLERANCE: f64 = 1e-3;

/// Images that are looked at.
const IMAGES: usize = 2;

/// Images of random bytes, the same ones at each call: `[count, values]`, and a byte after the other.
pub(crate) fn noise(count: usize, values: usize) -> Vec<u8> {
    let mut state = 0_u64;
    let byte = || {
        // Knuth's linear congruential generator; its highest bits are the best.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(byte).take(count * values).collect()
}

/// Bytes as the network takes them, `[images, channels, height, width]`.
pub(crate) fn normalized(network: &TrainedNetwork, pixels: &[u8]) -> Vec<f32> {
    let [channels, height, width] = network.description().image();
    let tables = network.normalization().tables();
    let planes = pixels.chunks(height * width).zip((0..channels).cycle());
    planes
        .flat_map(|(plane, channel)| {
            let table = tables.get(channel);
            plane.iter().map(move |&pixel| {
                table.and_then(|table| table.get(usize::from(pixel))).copied().unwrap_or(0.0)
            })
        })
        .collect()
}

/// The logits that `network` itself gives for images, `[images, classes]`.
pub(crate) fn logits<N: Classifier>(
    network: &N,
    images: &[f32],
    image: [usize; 3],
    device: &Device,
) -> Vec<f32> {
    let [channels, height, width] = image;
    let count = images.len().checked_div(channels * height * width).unwrap_or(0);
    let shape = [count, channels, height, width];
    let images = Tensor::<4>::from_data(TensorData::new(images.to_vec(), shape), device);
    floats(network.forward(images))
}

/// Compares a network with its description on two images of noise.
///
/// # Errors
///
/// If their logits are apart, or are not as many as the classes of two images.
pub(crate) fn check<N: Classifier>(
    network: &N,
    described: &TrainedNetwork,
    device: &Device,
) -> Result<(), ExportError> {
    let image = described.description().image();
    let [channels, height, width] = image;
    let images = normalized(described, &noise(IMAGES, image.iter().product()));
    let own = logits(network, &images, image, device);
    let shape = [IMAGES, channels, height, width];
    let images = Tensor::<4>::from_data(TensorData::new(images, shape), device);
    let by_layers = floats(run(described, images, device));
    let apart = distance(&own, &by_layers, IMAGES * described.description().classes());
    if apart <= TOLERANCE { Ok(()) } else { Err(ExportError::Differs { apart }) }
}

/// How far logits are apart, as a share of the largest one; infinite if they are not `count` each, or only one of a pair is
/// finite. A network that diverged gives no finite numbers, and neither does its description then.
fn distance(own: &[f32], described: &[f32], count: usize) -> f64 {
    if own.len() != count || described.len() != count {
        return f64::INFINITY;
    }
    let [own, described] = [own, described].map(|it| it.iter().map(|&logit| f64::from(logit)));
    let finite = own.clone().filter(|logit| logit.is_finite());
    let largest = finite.map(f64::abs).fold(f64::MIN_POSITIVE, f64::max);
    let apart = own.zip(described).map(|(a, b)| match (a.is_finite(), b.is_finite()) {
        (true, true) => (a - b).abs() / largest,
        (false, false) => 0.0,
        _ => f64::INFINITY,
    });
    apart.fold(0.0, f64::max)
}

/// A value of the description.
#[derive(Clone)]
enum Data {
    Map(Tensor<4>),
    Row(Tensor<2>),
}

/// The description carried out on `images`, `[batch, channels, height, width]`: logits `[batch, classes]`.
fn run(network: &TrainedNetwork, images: Tensor<4>, device: &Device) -> Tensor<2> {
    let description = network.description();
    let images = Data::Map(images);
    let mut values: Vec<Data> = Vec::new();
    for layer in description.layers() {
        let inputs: Vec<Data> = layer
            .inputs
            .iter()
            .map(|input| input.layer().and_then(|it| values.get(it)).unwrap_or(&images).clone())
            .collect();
        let weights = Weights { network, layer, device };
        values.push(apply(layer, &inputs, &weights));
    }
    let output = description.output().layer().and_then(|it| values.get(it));
    match output {
        Some(Data::Row(logits)) => logits.clone(),
        Some(Data::Map(map)) => map.clone().flatten(1, 3),
        None => Tensor::zeros([0, description.classes()], device),
    }
}

/// The tensors of a layer.
struct Weights<'a> {
    network: &'a TrainedNetwork,
    layer: &'a Layer,
    device: &'a Device,
}

impl Weights<'_> {
    fn get<const D: usize>(&self, last: &str, shape: [usize; D]) -> Tensor<D> {
        let values = self.network.values(&format!("{}.{last}", self.layer.name)).to_vec();
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }
}

/// What a layer makes of its inputs. The description has checked that they have the shapes that it takes.
fn apply(layer: &Layer, inputs: &[Data], weights: &Weights<'_>) -> Data {
    match (layer.kind, inputs) {
        (LayerKind::Conv2d(conv), [Data::Map(x)]) => {
            let [height, width] = conv.kernel;
            let shape = [conv.outputs, conv.inputs / conv.groups.max(1), height, width];
            let bias = conv.bias.then(|| weights.get("bias", [conv.outputs]));
            let options = ConvOptions::new(conv.stride, conv.padding, conv.dilation, conv.groups);
            Data::Map(conv2d(x.clone(), weights.get("weight", shape), bias, options))
        }
        (LayerKind::Linear { inputs, outputs, bias }, [Data::Row(x)]) => {
            let product = x.clone().matmul(weights.get("weight", [outputs, inputs]).transpose());
            match bias {
                true => Data::Row(product + weights.get("bias", [1, outputs])),
                false => Data::Row(product),
            }
        }
        (LayerKind::BatchNorm { features, epsilon, .. }, [Data::Map(x)]) => {
            let of = |last| weights.get(last, [1, features, 1, 1]);
            let deviation = (of("running_var") + epsilon).sqrt();
            let normalized = (x.clone() - of("running_mean")) / deviation;
            Data::Map(normalized * of("weight") + of("bias"))
        }
        (LayerKind::BatchNorm { features, epsilon, .. }, [Data::Row(x)]) => {
            let of = |last| weights.get(last, [1, features]);
            let deviation = (of("running_var") + epsilon).sqrt();
            let normalized = (x.clone() - of("running_mean")) / deviation;
            Data::Row(normalized * of("weight") + of("bias"))
        }
        (LayerKind::Relu, [Data::Map(x)]) => Data::Map(relu(x.clone())),
        (LayerKind::Relu, [Data::Row(x)]) => Data::Row(relu(x.clone())),
        (LayerKind::Silu, [Data::Map(x)]) => Data::Map(silu(x.clone())),
        (LayerKind::Silu, [Data::Row(x)]) => Data::Row(silu(x.clone())),
        (LayerKind::MaxPool { kernel, stride, padding }, [Data::Map(x)]) => {
            let options = burn::tensor::ops::MaxPoolOptions::new([kernel; 2]);
            let options = options.with_stride([stride; 2]).with_padding([padding; 2]);
            Data::Map(max_pool2d(x.clone(), options))
        }
        (LayerKind::GlobalAveragePool, [Data::Map(x)]) => {
            let [batch, channels, height, width] = x.dims();
            let rows = x.clone().reshape([batch, channels, height * width]);
            Data::Row(rows.mean_dim(2).reshape([batch, channels]))
        }
        (LayerKind::Flatten, [Data::Map(x)]) => Data::Row(x.clone().flatten(1, 3)),
        (LayerKind::Add, [Data::Map(a), Data::Map(b)]) => Data::Map(a.clone() + b.clone()),
        (LayerKind::Add, [Data::Row(a), Data::Row(b)]) => Data::Row(a.clone() + b.clone()),
        (LayerKind::Subsample { stride }, [Data::Map(x)]) => {
            let step = stride as isize;
            Data::Map(x.clone().slice(s![.., .., ..;step, ..;step]))
        }
        (LayerKind::PadChannels { channels }, [Data::Map(x)]) => {
            let [batch, _, height, width] = x.dims();
            let zeros = Tensor::zeros([batch, channels, height, width], weights.device);
            Data::Map(Tensor::cat(vec![x.clone(), zeros], 1))
        }
        // What acts in training only; and what a description does not hold.
        (_, [x, ..]) => x.clone(),
        (_, []) => Data::Row(Tensor::zeros([0, 0], weights.device)),
    }
}

fn floats(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use backburn_data::normalization::FittedNormalization;
    use backburn_models::{DescribeError, Describer, description::Value};
    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};

    use super::*;

    /// What stands between two layers.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Between {
        Nothing,
        Relu,
        Silu,
    }

    /// Two layers, with something between them, and what the description says of that.
    #[derive(Module, Debug)]
    struct TwoLayers {
        hidden: Linear,
        head: Linear,
        #[module(skip)]
        between: Between,
        #[module(skip)]
        described: Between,
    }

    impl Classifier for TwoLayers {
        fn forward(&self, images: Tensor<4>) -> Tensor<2> {
            let x = self.hidden.forward(images.flatten(1, 3));
            self.head.forward(match self.between {
                Between::Nothing => x,
                Between::Relu => relu(x),
                Between::Silu => silu(x),
            })
        }

        fn describe(&self, it: &mut Describer, images: Value) -> Result<Value, DescribeError> {
            let x = it.flatten(images)?;
            let x = it.linear("hidden", &self.hidden, x)?;
            let x = match self.described {
                Between::Nothing => x,
                Between::Relu => it.relu(x)?,
                Between::Silu => it.silu(x)?,
            };
            it.linear("head", &self.head, x)
        }
    }

    #[test]
    fn a_description_that_forgets_a_layer_or_takes_one_for_another_is_found_out() {
        let device = Device::flex();
        device.seed(1);
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&device);
        for (between, described) in [
            (Between::Relu, Between::Relu),
            (Between::Relu, Between::Nothing),
            (Between::Silu, Between::Silu),
            (Between::Silu, Between::Relu),
        ] {
            let (hidden, head) = (layer(12, 9), layer(9, 3));
            let network = TwoLayers { hidden, head, between, described };
            let classes = ["a", "b", "c"].map(String::from).to_vec();
            let normalization = FittedNormalization { scale: vec![0.01; 3], shift: vec![-1.0; 3] };
            let image = [3, 2, 2];
            let trained = TrainedNetwork::new(&network, image, classes, normalization).unwrap();
            let outcome = check(&network, &trained, &device);
            let refused = matches!(outcome, Err(ExportError::Differs { apart }) if apart > 0.01);
            assert_eq!(refused, between != described, "{described:?}: {outcome:?}");
        }
    }

    #[test]
    fn logits_that_are_missing_or_no_numbers_are_no_agreement() {
        let own = [1.0, -4.0, 2.0];
        assert_eq!(distance(&own, &[1.0, -4.0, 1.0], 3), 0.25);
        assert_eq!(distance(&own, &own, 3), 0.0);
        for other in [[1.0, f32::NAN, 2.0], [1.0, f32::NEG_INFINITY, 2.0]] {
            assert_eq!(distance(&own, &other, 3), f64::INFINITY);
            assert_eq!(distance(&other, &own, 3), f64::INFINITY);
            assert_eq!(distance(&other, &other, 3), 0.0);
        }
        // One that is not finite hides no difference of the others.
        assert_eq!(distance(&[f32::INFINITY, 2.0], &[f32::INFINITY, 1.0], 2), 0.5);
        assert_eq!(distance(&own, &own[..2], 3), f64::INFINITY);
        assert_eq!(distance(&[], &[], 3), f64::INFINITY);
    }

    #[test]
    fn noise_is_the_same_each_time_and_has_all_bytes() {
        let bytes = noise(10, 1000);
        assert_eq!(bytes, noise(10, 1000));
        let distinct: std::collections::BTreeSet<u8> = bytes.iter().copied().collect();
        assert_eq!(distinct.len(), 256);
    }
}
