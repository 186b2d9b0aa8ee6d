//! Every network of the catalog in every format: what is written computes what the network computes.
//!
//! ONNX files are read and carried out by a reader and an interpreter of the tests, in double precision, which share
//! nothing with what writes them.

mod interpreter;
mod networks;
mod onnx_file;

use std::collections::BTreeSet;

use backburn_interchange::onnx::{self, BatchNorms, Ends, OnnxOptions};
use backburn_interchange::{TrainedNetwork, safetensors_file, torch_code, torch_file};
use backburn_models::parameters::NamedTensor;
use backburn_models::{Classifier, state_dict};

use interpreter::{Array, run};
use networks::{Case, case, case_with_silu, cases, plain_cases};
use onnx_file::OnnxFile;

/// How far logits may be apart, relative to the largest one.
const TOLERANCE: f64 = 1e-4;

fn assert_near(what: &str, found: &[f64], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().map(|it| f64::from(it.abs())).fold(0.0, f64::max);
    assert!(largest > 1e-3, "{what}: nothing to compare");
    for (found, &expected) in found.iter().zip(expected) {
        let apart = (found - f64::from(expected)).abs() / largest;
        assert!(apart < TOLERANCE, "{what}: {found} for {expected}, {apart:e} apart");
    }
}

fn onnx_of(network: &TrainedNetwork, ends: Ends, batch_norms: BatchNorms) -> Vec<u8> {
    onnx::to_bytes(network, OnnxOptions { ends, batch_norms }).unwrap()
}

fn floats<N: Classifier>(case: &Case<N>, images: usize) -> Array {
    let [channels, height, width] = case.image;
    let values = case.images(images).iter().map(|&it| f64::from(it)).collect();
    Array { shape: vec![images, channels, height, width], values }
}

#[test]
fn onnx_gives_the_logits_of_every_network_for_one_image_and_for_seven() {
    for case in cases() {
        let file = OnnxFile::read(&onnx_of(&case.trained(), Ends::Network, BatchNorms::Kept));
        assert_eq!((file.ir_version, file.opset), (8, 17), "{}", case.name);
        for images in [1, 7] {
            let logits = run(&file, "images", floats(&case, images), "logits");
            assert_eq!(logits.shape, [images, case.classes], "{}", case.name);
            let what = format!("{} with {images} images", case.name);
            assert_near(&what, &logits.values, &case.logits(images));
        }
    }
}

#[test]
fn folded_batch_normalization_leaves_none_and_changes_no_logits() {
    for case in cases() {
        let file = OnnxFile::read(&onnx_of(&case.trained(), Ends::Network, BatchNorms::Folded));
        let operators: BTreeSet<&str> = file.nodes.iter().map(|it| it.operator.as_str()).collect();
        assert!(!operators.contains("BatchNormalization"), "{}", case.name);
        let logits = run(&file, "images", floats(&case, 2), "logits");
        assert_near(&case.name, &logits.values, &case.logits(2));
    }
}

#[test]
fn a_normalization_behind_maxima_stays_where_a_scale_is_negative() {
    let mut case = case("cifarnet");
    case.replace("groups.1.norm1.weight", |scales| scales[2] = -0.5);
    let file = OnnxFile::read(&onnx_of(&case.trained(), Ends::Network, BatchNorms::Folded));
    let kept = file.nodes.iter().filter(|it| it.operator == "BatchNormalization");
    assert_eq!(kept.map(|it| it.name.as_str()).collect::<Vec<_>>(), ["groups.1.norm1"]);
    let logits = run(&file, "images", floats(&case, 2), "logits");
    assert_near(&case.name, &logits.values, &case.logits(2));
}

#[test]
fn graphs_are_clean_and_named_as_in_pytorch() {
    for case in cases() {
        assert_clean(&case);
    }
    assert_clean(&case_with_silu());
}

fn assert_clean<N: Classifier>(case: &Case<N>) {
    let known: BTreeSet<&str> = [
        "Add",
        "BatchNormalization",
        "Conv",
        "Flatten",
        "Gemm",
        "GlobalAveragePool",
        "MaxPool",
        "Mul",
        "Pad",
        "Relu",
        "Sigmoid",
    ]
    .into();
    let network = case.trained();
    let file = OnnxFile::read(&onnx_of(&network, Ends::Network, BatchNorms::Kept));
    let mut names = BTreeSet::new();
    let mut made = BTreeSet::from(["images".to_owned()]);
    made.extend(file.tensors.keys().cloned());
    for node in &file.nodes {
        assert!(known.contains(node.operator.as_str()), "{}: {}", case.name, node.operator);
        assert!(names.insert(&node.name), "{}: two nodes {}", case.name, node.name);
        assert!(node.inputs.iter().all(|it| made.contains(it)), "{}: {node:?}", case.name);
        assert!(made.insert(node.output.clone()), "{}: {} twice", case.name, node.output);
    }
    let used: BTreeSet<&String> = file.nodes.iter().flat_map(|it| &it.inputs).collect();
    assert!(file.tensors.keys().all(|it| used.contains(it)), "{}: unused tensors", case.name);
    for tensor in network.tensors() {
        let found = &file.tensors[&tensor.name];
        assert_eq!(found.shape, tensor.shape, "{}", tensor.name);
        let same = found.values.iter().zip(&tensor.values).all(|(a, b)| *a == f64::from(*b));
        assert!(same, "{}: {}", case.name, tensor.name);
    }
    assert_eq!(file.input, ("images".to_owned(), 1, dimensions(&case.image)));
    assert_eq!(file.output, ("logits".to_owned(), 1, dimensions(&[case.classes])));
}

#[test]
fn silu_is_two_nodes_of_onnx_and_a_function_of_pytorch() {
    let case = case_with_silu();
    let network = case.trained();
    let file = OnnxFile::read(&onnx_of(&network, Ends::Network, BatchNorms::Kept));
    let operators: Vec<&str> = file.nodes.iter().map(|it| it.operator.as_str()).collect();
    let normalized = ["Conv", "MaxPool", "BatchNormalization", "Sigmoid", "Mul"];
    let dense = ["Flatten", "Gemm", "Sigmoid", "Mul", "Gemm"];
    assert_eq!(operators, [normalized, dense].concat());
    let products = file.nodes.iter().filter(|it| it.operator == "Mul");
    let names: Vec<&str> = products.map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["silu", "silu_2"]);
    let logits = run(&file, "images", floats(&case, 3), "logits");
    assert_near(&case.name, &logits.values, &case.logits(3));
    let source = torch_code::source(&network, "model.pt").unwrap();
    assert_eq!(source.matches("x = F.silu(x)\n").count(), 2, "{source}");
}

/// Any number of images by `sides`, as the reader writes it.
fn dimensions(sides: &[usize]) -> Vec<String> {
    ["batch".to_owned()].into_iter().chain(sides.iter().map(usize::to_string)).collect()
}

#[test]
fn with_its_preparation_a_network_goes_from_bytes_to_calibrated_probabilities() {
    for case in plain_cases() {
        for temperature in [None, Some(1.75)] {
            let network = case.trained().with_temperature(temperature);
            let file = OnnxFile::read(&onnx_of(&network, Ends::Pixels, BatchNorms::Folded));
            assert_eq!(file.input, ("pixels".to_owned(), 2, dimensions(&case.image)));
            let pixels = Array {
                values: case.pixels(3).iter().map(|&it| f64::from(it)).collect(),
                ..floats(&case, 3)
            };
            let found = run(&file, "pixels", pixels, "probabilities");
            let expected: Vec<f32> = case
                .logits(3)
                .chunks(case.classes)
                .flat_map(|row| softmax(row, temperature.unwrap_or(1.0)))
                .collect();
            assert_near(&case.name, &found.values, &expected);
        }
    }
}

fn softmax(logits: &[f32], temperature: f64) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        logits.iter().map(|&logit| (f64::from(logit - largest) / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| (power / sum) as f32).collect()
}

#[test]
fn the_same_network_gives_the_same_bytes_in_every_format() {
    let bytes = || {
        let network = case("resnet20").trained().with_fact("b", "2").with_fact("a", "1");
        [
            onnx_of(&network, Ends::Pixels, BatchNorms::Folded),
            torch_file::to_bytes(&network).unwrap(),
            safetensors_file::to_bytes(&network),
            torch_code::source(&network, "model.pt").unwrap().into_bytes(),
        ]
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn files_of_pytorch_and_safetensors_are_read_back_bit_for_bit() {
    for case in plain_cases() {
        let network = case.trained();
        let mut expected = network.tensors().to_vec();
        expected.sort_by(|a, b| a.name.cmp(&b.name));
        for bytes in [torch_file::to_bytes(&network).unwrap(), safetensors_file::to_bytes(&network)]
        {
            let state = state_dict::read(&bytes).unwrap();
            assert!(state.counts.is_empty());
            let bits = |it: &NamedTensor| it.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(state.tensors.len(), expected.len(), "{}", case.name);
            for (found, expected) in state.tensors.iter().zip(&expected) {
                assert_eq!((&found.name, &found.shape), (&expected.name, &expected.shape));
                assert_eq!((found.role, bits(found)), (expected.role, bits(expected)));
            }
        }
    }
}

#[test]
fn metadata_are_sorted_and_say_classes_and_normalization() {
    let network = case("mlp").trained().with_temperature(Some(1.5)).with_fact("run", "a \"b\" é");
    let file = OnnxFile::read(&onnx_of(&network, Ends::Network, BatchNorms::Kept));
    let names: Vec<&str> = file.metadata.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["classes", "image", "normalization", "run", "temperature"]);
    let bytes = safetensors_file::to_bytes(&network);
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert_eq!(length % 8, 0);
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    for (name, value) in &file.metadata {
        assert_eq!(header["__metadata__"][name], value.as_str(), "{name}");
    }
    let (_, classes) = &file.metadata[0];
    let classes: Vec<String> = serde_json::from_str(classes).unwrap();
    assert_eq!(classes, network.class_names());
}

#[test]
fn python_builds_every_module_that_has_weights() {
    for case in cases() {
        let network = case.trained();
        let source = torch_code::source(&network, "net \"1\".pt").unwrap();
        assert!(source.contains(r#"torch.load("net \"1\".pt", weights_only=True)"#), "{source}");
        assert!(source.starts_with(torch_code::FIRST_WORDS));
        let layers = network.description().layers();
        let with_weights = layers.iter().filter(|layer| !layer.tensors().is_empty()).count();
        let built = ["nn.Conv2d(", "nn.Linear(", "nn.BatchNorm2d(", "nn.BatchNorm1d("];
        let built: usize = built.iter().map(|it| source.matches(it).count()).sum();
        assert_eq!(built, with_weights, "{}", case.name);
        let forward = source.split("def forward").nth(1).unwrap();
        assert_eq!(forward.matches(" = ").count(), layers.len(), "{}:\n{forward}", case.name);
        let mut known = BTreeSet::from(["images".to_owned()]);
        for line in forward.lines().skip(1) {
            let (made, used) = line.trim().split_once(" = ").unwrap_or(("", line));
            let words = used.split(|it: char| !it.is_alphanumeric() && it != '_');
            let variables = words.filter(|it| ["x", "y", "z", "images"].contains(it));
            let mut variables = variables.peekable();
            assert!(variables.peek().is_some() || line.is_empty(), "{}: {line}", case.name);
            assert!(variables.all(|it| known.contains(it)), "{}: {line}", case.name);
            known.insert(made.to_owned());
        }
        assert!(forward.trim_end().ends_with("return x"), "{}:\n{forward}", case.name);
    }
}
