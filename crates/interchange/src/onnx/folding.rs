//! Batch normalization as part of the layer before it: `γ (W x + b − μ) / σ + β` is `W' x + b'` with `W' = W γ / σ`
//! and `b' = (b − μ) γ / σ + β`, where `σ² = variance + ε`.

use std::collections::BTreeMap;

use backburn_models::Description;
use backburn_models::description::{Layer, LayerKind};

use crate::trained_network::TrainedNetwork;

/// Which layers take a batch normalization in: by the number of the convolution or linear layer, that of the
/// normalization. It must be the only one that takes the layer's output.
pub(super) fn pairs(description: &Description) -> BTreeMap<usize, usize> {
    let pair = |(number, norm): (usize, &Layer)| {
        let [input] = *norm.inputs.as_slice() else { return None };
        let before = description.layer_of(input)?;
        let has_weights = matches!(before.kind, LayerKind::Conv2d(_) | LayerKind::Linear { .. });
        let alone = description.uses(input) == 1 && description.output() != input;
        let folds = matches!(norm.kind, LayerKind::BatchNorm { .. }) && has_weights && alone;
        input.layer().filter(|_| folds).map(|before| (before, number))
    };
    description.layers().iter().enumerate().filter_map(pair).collect()
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
