//! A network's layers as a table for people: what each gives, holds and costs.

use backburn_models::Description;
use backburn_models::description::{Convolution2d, Layer, LayerKind};
use backburn_records::number::{ABSENT, count, decimals};
use backburn_records::text_table::table;

/// The table of a network's layers, and its sums.
///
/// Parameters are trained values, without running statistics. Multiply-adds are those of convolutions and linear
/// layers for one image.
pub fn layer_table(description: &Description) -> String {
    let head = ["layer", "what", "gives", "parameters", "multiply-adds"].map(str::to_owned);
    let [channels, height, width] = description.image();
    let images = [
        "images".to_owned(),
        String::new(),
        format!("{channels}×{height}×{width}"),
        String::new(),
        String::new(),
    ];
    let rows = description.layers().iter().map(|layer| row(description, layer));
    let rows: Vec<[String; 5]> = [head, images].into_iter().chain(rows).collect();
    let bytes = description.activation_bytes();
    format!(
        "{}{} parameters\n{} multiply-adds and {} MB of layers' outputs for an image\n",
        table(&rows),
        count(description.parameters()),
        count(description.multiply_adds()),
        decimals(bytes as f64 / 1e6, 2),
    )
}

fn row(description: &Description, layer: &Layer) -> [String; 5] {
    let input = layer.inputs.first().map(|&input| description.shape(input));
    let costs = input.and_then(|input| layer.multiply_adds(input));
    let number = |value: Option<u64>| value.map_or(ABSENT.to_owned(), count);
    let parameters = Some(layer.parameters()).filter(|parameters| *parameters > 0);
    [
        layer.name.clone(),
        words(&layer.kind),
        layer.shape.to_string(),
        number(parameters),
        number(costs),
    ]
}

/// A kind of layer in words.
fn words(kind: &LayerKind) -> String {
    match kind {
        LayerKind::Conv2d(conv) => convolution(conv),
        LayerKind::Linear { .. } => "linear".to_owned(),
        LayerKind::BatchNorm { .. } => "batch normalization".to_owned(),
        LayerKind::Relu => "ReLU".to_owned(),
        LayerKind::Silu => "SiLU".to_owned(),
        LayerKind::MaxPool { kernel, stride, .. } => {
            format!("maximum of {kernel}×{kernel}, stride {stride}")
        }
        LayerKind::GlobalAveragePool => "mean of each channel".to_owned(),
        LayerKind::Flatten => "in a row".to_owned(),
        LayerKind::Add => "sum".to_owned(),
        LayerKind::Subsample { stride } => format!("one of {stride}×{stride} pixels"),
        LayerKind::PadChannels { channels } => format!("{channels} channels of zeros"),
        LayerKind::Dropout { rate } => format!("dropout {rate}"),
        LayerKind::SpatialDropout { rate } => format!("spatial dropout {rate}"),
        LayerKind::StochasticDepth { rate } => format!("stochastic depth {}", decimals(*rate, 3)),
    }
}

fn convolution(conv: &Convolution2d) -> String {
    let [height, width] = conv.kernel;
    let mut text = format!("{height}×{width} convolution");
    for (what, value, usual) in [("stride", conv.stride, 1), ("dilation", conv.dilation, 1)] {
        match value {
            [down, right] if down != right => text += &format!(", {what} {down}×{right}"),
            [both, _] if both != usual => text += &format!(", {what} {both}"),
            _ => {}
        }
    }
    if conv.groups != 1 {
        text += &format!(", {} groups", conv.groups);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use backburn_models::architecture;
    use burn::tensor::Device;

    #[test]
    fn the_table_of_a_network_has_its_layers_and_sums() {
        let config = (architecture("lenet-bn").unwrap().config)();
        let network = config.init([1, 28, 28], 10, &Device::flex()).unwrap();
        let table = layer_table(&Description::of(&network, [1, 28, 28]).unwrap());
        let lines: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["layer", "what", "gives", "parameters", "multiply-adds"]);
        assert_eq!(lines[2], ["conv1", "5×5", "convolution", "6×24×24", "156", "86,400"]);
        assert_eq!(lines[4], ["relu", "ReLU", "6×24×24", "—", "—"]);
        assert!(table.contains("\n41,850 parameters\n279,040 multiply-adds and "), "{table}");
    }
}
