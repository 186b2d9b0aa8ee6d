use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::*;
use crate::{CATALOG, ModelConfig, ResNetConfig, Stem, architecture};

fn describe(config: &ModelConfig, image: [usize; 3], classes: usize) -> Description {
    Description::of(&config.init(image, classes, &Device::flex()).unwrap(), image).unwrap()
}

#[test]
fn every_network_describes_all_its_parameters_and_its_logits() {
    for row in CATALOG {
        for change in [false, true] {
            let mut config = (row.config)();
            if change {
                config.batch_norm_mut().into_iter().for_each(|it| *it = !*it);
                config.stem_mut().into_iter().for_each(|it| *it = Stem::Imagenet);
                config.spatial_dropout_mut().into_iter().for_each(|it| *it = 0.1);
                config.stochastic_depth_mut().into_iter().for_each(|it| *it = 0.2);
            }
            let image = [3, 17, 18];
            let network = config.init(image, 7, &Device::flex()).unwrap();
            let description = Description::of(&network, image).unwrap();
            let parameters = parameters::count(&network) as u64;
            assert_eq!(description.parameters(), parameters, "{}", row.name);
            assert_eq!(description.classes(), 7, "{}", row.name);
            let names: BTreeSet<&str> =
                description.layers().iter().map(|layer| layer.name.as_str()).collect();
            assert_eq!(names.len(), description.layers().len(), "{}: a name twice", row.name);
            assert!(!names.contains(""), "{}: a layer without a name", row.name);
        }
    }
}

#[test]
fn multiply_adds_are_those_that_torchvision_states() {
    // In billions, in the documentation of its weights, for images of 224×224 and 1000 classes.
    for (name, published) in [("resnet18", 1.814), ("resnet34", 3.664), ("resnet50", 4.089)] {
        let config = ResNetConfig { stem: Stem::Imagenet, ..ResNetConfig::default() };
        let config = match name {
            "resnet18" => ModelConfig::Resnet18(config),
            "resnet34" => ModelConfig::Resnet34(config),
            _ => ModelConfig::Resnet50(config),
        };
        let billions = describe(&config, [3, 224, 224], 1000).multiply_adds() as f64 / 1e9;
        assert!((billions - published).abs() < 0.0006, "{name}: {billions}");
    }
}

#[test]
fn shapes_and_costs_are_those_counted_by_hand() {
    let lenet = describe(&(architecture("lenet-bn").unwrap().config)(), [1, 28, 28], 10);
    let shapes: Vec<String> = lenet.layers().iter().map(|it| it.shape.to_string()).collect();
    let expected = [
        "6×24×24",
        "6×24×24",
        "6×24×24",
        "6×12×12",
        "16×8×8",
        "16×8×8",
        "16×8×8",
        "16×4×4",
        "256",
        "120",
        "120",
        "120",
        "64",
        "64",
        "10",
    ];
    assert_eq!(shapes, expected);
    let convolutions = 24 * 24 * 6 * 25 + 8 * 8 * 16 * 6 * 25;
    assert_eq!(lenet.multiply_adds(), convolutions + 256 * 120 + 120 * 64 + 64 * 10);
    let values = 3 * 6 * 24 * 24 + 6 * 12 * 12 + 3 * 16 * 8 * 8 + 16 * 4 * 4;
    let values = values + 256 + 3 * 120 + 2 * 64 + 10;
    assert_eq!(lenet.activation_bytes(), 4 * values);
}

#[test]
fn a_convolution_with_stride_dilation_and_groups_has_the_shape_and_cost_of_its_definition() {
    let conv = Convolution2d {
        inputs: 4,
        outputs: 6,
        kernel: [3, 2],
        stride: [2, 1],
        padding: [1, 0],
        dilation: [2, 3],
        groups: 2,
        bias: false,
    };
    // Rows: (9 + 2 − 5) / 2 + 1; columns: 7 − 4 + 1.
    assert_eq!(conv.output([9, 7]), Some([4, 4]));
    assert_eq!(conv.multiply_adds([9, 7]), 6 * 4 * 4 * (4 / 2 * 3 * 2));
    assert_eq!(conv.output([9, 3]), None);
}

/// A layer of one's own.
#[derive(Module, Debug)]
struct Gate {
    scale: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Gated {
    gate: Gate,
    head: Linear,
}

#[derive(Module, Debug)]
struct Plain {
    head: Linear,
}

/// What is described, and how.
#[derive(Module, Debug)]
struct Told {
    gate: Option<Gate>,
    head: Linear,
    #[module(skip)]
    name: String,
}

impl Classifier for Gated {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x: Tensor<2> = images.flatten(1, 3);
        self.head.forward(x * self.gate.scale.val().unsqueeze())
    }
}

impl Classifier for Plain {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.forward(images.flatten(1, 3))
    }
}

impl Classifier for Told {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.forward(images.flatten(1, 3))
    }

    fn describe(&self, describer: &mut Describer, images: Value) -> Result<Value, DescribeError> {
        let x = describer.flatten(images)?;
        if self.name == "attention" {
            return describer.unknown("attention", "SelfAttention");
        }
        describer.linear(self.name.as_str(), &self.head, x)
    }
}

fn head() -> Linear {
    LinearConfig::new(8, 3).init(&Device::flex())
}

fn gate() -> Gate {
    Gate { scale: Param::from_tensor(Tensor::ones([8], &Device::flex())) }
}

fn refusal<N: Classifier>(network: &N) -> String {
    Description::of(network, [2, 2, 2]).unwrap_err().to_string()
}

#[test]
fn a_network_of_ones_own_that_says_nothing_is_refused_by_what_is_not_known_of_it() {
    let message = refusal(&Gated { gate: gate(), head: head() });
    assert!(message.contains("layer `gate`: `Gate`") && message.contains("conv2d"), "{message}");
    let message = refusal(&Plain { head: head() });
    assert!(message.contains("`Plain`") && message.contains("describe"), "{message}");
}

#[test]
fn a_description_that_is_not_the_networks_is_refused_by_name() {
    let told = |gate, name: &str| Told { gate, head: head(), name: name.to_owned() };
    let described = Description::of(&told(None, "head"), [2, 2, 2]).unwrap();
    assert_eq!((described.parameters(), described.classes()), (8 * 3 + 3, 3));
    for (network, parts) in [
        (told(None, "attention"), ["`attention`", "`SelfAttention`"]),
        (told(None, "tail"), ["`head.weight`", "does not speak of"]),
        (told(Some(gate()), "head"), ["`gate.scale`", "`Gate`"]),
    ] {
        let message = refusal(&network);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let message = Description::of(&told(None, "head"), [3, 2, 2]).unwrap_err().to_string();
    assert!(message.contains("layer `head`") && message.contains("12 for 8"), "{message}");
}
