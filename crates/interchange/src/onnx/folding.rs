//! Batch normalization as part of the layer before it: `γ (W x + b − μ) / σ + β` is `W' x + b'` with `W' = W γ / σ`
//! and `b' = (b − μ) γ / σ + β`, where `σ² = variance + ε`.

use std::collections::BTreeMap;

use backburn_models::Description;
use backburn_models::description::{Layer, LayerKind};

use crate::trained_network::TrainedNetwork;

/// Which layers take a batch normalization in: by the number of the convolution or linear layer, that of the
/// normalization. It must be the only one that takes the layer's output, or that of the maxima over it: no channel's
/// scale is negative then, so that the maximum of what is scaled is the maximum, scaled.
pub(super) fn pairs(network: &TrainedNetwork) -> BTreeMap<usize, usize> {
    let description = network.description();
    let pair = |(number, norm): (usize, &Layer)| {
        if !matches!(norm.kind, LayerKind::BatchNorm { .. }) {
            return None;
        }
        let (mut before, mut layer) = sole_source(description, norm)?;
        if matches!(layer.kind, LayerKind::MaxPool { .. }) {
            let rises = |scale: &f32| *scale >= 0.0;
            if !network.values(&format!("{}.weight", norm.name)).iter().all(rises) {
                return None;
            }
            (before, layer) = sole_source(description, layer)?;
        }
        let has_weights = matches!(layer.kind, LayerKind::Conv2d(_) | LayerKind::Linear { .. });
        has_weights.then_some((before, number))
    };
    description.layers().iter().enumerate().filter_map(pair).collect()
}

/// The layer whose output is this one's only input, and is used by no other.
fn sole_source<'a>(description: &'a Description, layer: &Layer) -> Option<(usize, &'a Layer)> {
    let [input] = *layer.inputs.as_slice() else { return None };
    let alone = description.uses(input) == 1 && description.output() != input;
    alone.then_some((input.layer()?, description.layer_of(input)?))
}

/// Weight and bias of a layer with the normalization `norm` in them. Computed in double precision.
pub(super) fn folded(
    network: &TrainedNetwork,
    layer: &Layer,
    norm: &Layer,
) -> (Vec<f32>, Vec<f32>) {
    let epsilon = match norm.kind {
        LayerKind::BatchNorm { epsilon, .. } => epsilon,
        _ => 0.0,
    };
    let values = |layer: &Layer, last: &str| network.values(&format!("{}.{last}", layer.name));
    let scales = values(norm, "weight").iter().zip(values(norm, "running_var"));
    let scales: Vec<f64> = scales
        .map(|(&scale, &variance)| f64::from(scale) / (f64::from(variance) + epsilon).sqrt())
        .collect();
    let weight = values(layer, "weight");
    let of_output = weight.len().checked_div(scales.len()).unwrap_or(0).max(1);
    let rows = weight.chunks(of_output).zip(&scales);
    let weight = rows
        .flat_map(|(row, scale)| row.iter().map(move |&value| (f64::from(value) * scale) as f32))
        .collect();
    let biases = values(layer, "bias").iter().copied().chain(std::iter::repeat(0.0));
    let statistics = values(norm, "running_mean").iter().zip(values(norm, "bias"));
    let bias = scales
        .iter()
        .zip(statistics)
        .zip(biases)
        .map(|((scale, (&mean, &shift)), bias)| {
            ((f64::from(bias) - f64::from(mean)) * scale + f64::from(shift)) as f32
        })
        .collect();
    (weight, bias)
}
