//! Carries an ONNX graph out in double precision, by the operators' definitions and nothing faster.
//!
//! ONNX, [Operator Schemas](https://onnx.ai/onnx/operators/), version 17.

use std::collections::BTreeMap;

use crate::onnx_file::{Node, OnnxFile};

/// Numbers in rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// What the graph gives as `output` for `input`.
pub(crate) fn run(file: &OnnxFile, name: &str, input: Array, output: &str) -> Array {
    assert_eq!((file.input.0.as_str(), file.output.0.as_str()), (name, output));
    let mut values: BTreeMap<&str, Array> = BTreeMap::new();
    values.insert(name, input);
    for node in &file.nodes {
        let inputs: Vec<&Array> = node
            .inputs
            .iter()
            .map(|it| values.get(it.as_str()).unwrap_or_else(|| &file.tensors[it]))
            .collect();
        let result = apply(node, &inputs);
        assert_eq!(result.values.len(), result.shape.iter().product::<usize>(), "{}", node.name);
        values.insert(&node.output, result);
    }
    values.remove(output).unwrap()
}

fn apply(node: &Node, inputs: &[&Array]) -> Array {
    let x = inputs[0];
    match node.operator.as_str() {
        "Conv" => convolution(node, x, inputs[1], inputs.get(2).copied()),
        "Gemm" => gemm(node, x, inputs[1], inputs.get(2).copied()),
        "BatchNormalization" => {
            let epsilon = f64::from(node.floats["epsilon"]);
            let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|it| &inputs[it].values);
            each(x, |value, channel| {
                let deviation = (variance[channel] + epsilon).sqrt();
                (value - mean[channel]) / deviation * scale[channel] + shift[channel]
            })
        }
        "Relu" => each(x, |value, _| value.max(0.0)),
        "Sigmoid" => each(x, |value, _| 1.0 / (1.0 + (-value).exp())),
        "Cast" => {
            assert_eq!(node.integers["to"], [1]);
            x.clone()
        }
        "Add" => binary(x, inputs[1], |a, b| a + b),
        "Mul" => binary(x, inputs[1], |a, b| a * b),
        "Div" => binary(x, inputs[1], |a, b| a / b),
        "MaxPool" => max_pool(node, x),
        "GlobalAveragePool" => {
            let plane = x.shape[2] * x.shape[3];
            let values = x.values.chunks(plane).map(|it| it.iter().sum::<f64>() / plane as f64);
            Array { shape: vec![x.shape[0], x.shape[1], 1, 1], values: values.collect() }
        }
        "Flatten" => {
            assert_eq!(node.integers["axis"], [1]);
            let shape = vec![x.shape[0], x.shape[1..].iter().product()];
            Array { shape, values: x.values.clone() }
        }
        "Pad" => pad(x, inputs[1]),
        "Softmax" => {
            assert_eq!(node.integers["axis"], [1]);
            let rows = x.values.chunks(x.shape[1]);
            let values = rows.flat_map(|row| {
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = row.iter().map(|it| (it - largest).exp()).sum();
                row.iter().map(move |it| (it - largest).exp() / sum)
            });
            Array { shape: x.shape.clone(), values: values.collect() }
        }
        other => panic!("operator {other}"),
    }
}

/// Every number with its channel.
fn each(x: &Array, function: impl Fn(f64, usize) -> f64) -> Array {
    let plane: usize = x.shape[2..].iter().product();
    let channel = |place: usize| place / plane % x.shape[1];
    let values = x.values.iter().enumerate().map(|(place, it)| function(*it, channel(place)));
    Array { shape: x.shape.clone(), values: values.collect() }
}

/// Two arrays of one shape; or one with a number, or with a number for each channel.
fn binary(a: &Array, b: &Array, function: impl Fn(f64, f64) -> f64) -> Array {
    if a.shape == b.shape {
        let values = a.values.iter().zip(&b.values).map(|(a, b)| function(*a, *b)).collect();
        return Array { shape: a.shape.clone(), values };
    }
    if b.values.len() == 1 {
        return each(a, |value, _| function(value, b.values[0]));
    }
    assert_eq!(b.shape, [1, a.shape[1], 1, 1]);
    each(a, |value, channel| function(value, b.values[channel]))
}

fn gemm(node: &Node, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    assert_eq!(node.integers["transB"], [1]);
    let (inputs, outputs) = (weight.shape[1], weight.shape[0]);
    assert_eq!(x.shape[1], inputs);
    let mut values = Vec::new();
    for row in x.values.chunks(inputs) {
        for (output, weights) in weight.values.chunks(inputs).enumerate() {
            let product: f64 = row.iter().zip(weights).map(|(a, b)| a * b).sum();
            values.push(product + bias.map_or(0.0, |it| it.values[output]));
        }
    }
    Array { shape: vec![x.shape[0], outputs], values }
}

/// Places of a window: which row or column of the image each of its own meets, for each place.
fn window(node: &Node, axis: usize, pixels: usize) -> Vec<Vec<Option<usize>>> {
    let get = |name: &str, place: usize, usual: usize| {
        node.integers.get(name).map_or(usual, |values| values[place])
    };
    let kernel = node.integers["kernel_shape"][axis];
    let (stride, dilation) = (get("strides", axis, 1), get("dilations", axis, 1));
    let (before, after) = (get("pads", axis, 0), get("pads", axis + 2, 0));
    let places = (pixels + before + after - dilation * (kernel - 1) - 1) / stride + 1;
    let pixel = |place: usize, own: usize| {
        (place * stride + own * dilation).checked_sub(before).filter(|it| *it < pixels)
    };
    (0..places).map(|place| (0..kernel).map(|own| pixel(place, own)).collect()).collect()
}

fn convolution(node: &Node, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    assert_eq!(node.integers["group"], [1]);
    let &[batch, inputs, height, width] = x.shape.as_slice() else { panic!("{:?}", x.shape) };
    let &[outputs, own_inputs, ..] = weight.shape.as_slice() else { panic!("no weights") };
    assert_eq!(inputs, own_inputs);
    assert_eq!(weight.shape[2..], node.integers["kernel_shape"]);
    let (rows, columns) = (window(node, 0, height), window(node, 1, width));
    let mut values = Vec::new();
    for image in x.values.chunks(inputs * height * width) {
        for (output, weights) in weight.values.chunks(weight.values.len() / outputs).enumerate() {
            let mut sums =
                vec![bias.map_or(0.0, |it| it.values[output]); rows.len() * columns.len()];
            let kernel = weights.len() / inputs;
            for (plane, weights) in image.chunks(height * width).zip(weights.chunks(kernel)) {
                for (place, weight) in weights.iter().enumerate() {
                    let (down, right) = (place / columns[0].len(), place % columns[0].len());
                    for (row, sums) in rows.iter().zip(sums.chunks_mut(columns.len())) {
                        let Some(y) = row[down] else { continue };
                        for (column, sum) in columns.iter().zip(sums) {
                            *sum += column[right].map_or(0.0, |x| weight * plane[y * width + x]);
                        }
                    }
                }
            }
            values.extend(sums);
        }
    }
    Array { shape: vec![batch, outputs, rows.len(), columns.len()], values }
}

fn max_pool(node: &Node, x: &Array) -> Array {
    let &[batch, channels, height, width] = x.shape.as_slice() else { panic!("{:?}", x.shape) };
    let (rows, columns) = (window(node, 0, height), window(node, 1, width));
    let mut values = Vec::new();
    for plane in x.values.chunks(height * width) {
        for row in &rows {
            for column in &columns {
                let pixels = row
                    .iter()
                    .flatten()
                    .flat_map(|y| column.iter().flatten().map(move |x| plane[y * width + x]));
                values.push(pixels.fold(f64::NEG_INFINITY, f64::max));
            }
        }
    }
    Array { shape: vec![batch, channels, rows.len(), columns.len()], values }
}

/// Channels of zeros at the end.
fn pad(x: &Array, pads: &Array) -> Array {
    let more = pads.values[5] as usize;
    let others = pads.values.iter().enumerate().filter(|(place, _)| *place != 5);
    assert!(pads.values.len() == 8 && others.clone().all(|(_, it)| *it == 0.0), "{pads:?}");
    let &[batch, channels, height, width] = x.shape.as_slice() else { panic!("{:?}", x.shape) };
    let mut values = Vec::new();
    for image in x.values.chunks(channels * height * width) {
        values.extend_from_slice(image);
        values.resize(values.len() + more * height * width, 0.0);
    }
    Array { shape: vec![batch, channels + more, height, width], values }
}
