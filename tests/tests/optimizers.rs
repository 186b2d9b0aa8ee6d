//! Five steps of every optimizer equal PyTorch's.
//!
//! Reference: `tests/pytorch/optimizers.py`, in double precision.

use std::collections::BTreeMap;

use backburn_models::{Classifier, MlpConfig, ModelConfig, Network, parameters};
use backburn_regularization::WeightDecay;
use backburn_tests::{assert_close, formula, training_device};
use backburn_training::optimize::gradients::NamedGradients;
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;

const IMAGE: [usize; 3] = [1, 2, 3];
const CLASSES: usize = 4;
const BATCH: usize = 3;

/// Five steps in single precision.
const RELATIVE: f64 = 1e-6;
const ABSOLUTE: f64 = 1e-7;
/// The first gradients, of three images, have rank 3 in four dimensions. What rounding leaves of the fourth, some 1e-7,
/// becomes up to 485 times as much of a step of Muon's, times its rate of 0.02.
const ABSOLUTE_OF_MUON: f64 = 1e-6;

#[derive(Deserialize)]
struct Reference {
    optimizer: String,
    learning_rate: f64,
    weight_decay: WeightDecay,
    clip_norm: Option<f64>,
    steps: usize,
    parameters: BTreeMap<String, Vec<f64>>,
}

fn reference() -> Vec<Reference> {
    serde_json::from_str(include_str!("../reference/optimizers.json")).unwrap()
}

#[test]
fn every_optimizer_has_a_reference() {
    let reference = reference();
    for name in OptimizerConfig::NAMES {
        assert!(reference.iter().any(|case| case.optimizer == name), "{name} has no reference");
    }
}

#[test]
fn five_steps_lead_where_pytorch_leads() {
    for case in reference() {
        compare(&case);
    }
}

fn compare(case: &Reference) {
    let Reference { optimizer: name, weight_decay, clip_norm, .. } = case;
    let config = OptimizerConfig::named(name).expect("the reference names known optimizers");
    let mut optimizer = Optimizer::new(config, *weight_decay);
    let mut network = linear();
    for step in 0..case.steps {
        let gradients = gradients(&network, step);
        let gradients = match *clip_norm {
            Some(limit) => gradients.clip_norm(limit),
            None => gradients,
        };
        network = optimizer.step(network, gradients, case.learning_rate);
    }

    let tensors = parameters::export(&network);
    assert_eq!(tensors.len(), case.parameters.len());
    let mut furthest = 0.0_f64;
    for tensor in tensors {
        for (i, (&found, &expected)) in
            tensor.values.iter().zip(&case.parameters[&tensor.name]).enumerate()
        {
            let what = format!(
                "{name}, decay {} of {:?}, clip {clip_norm:?}: {} {i}",
                weight_decay.strength, weight_decay.parameters, tensor.name
            );
            let absolute = if name == "muon" { ABSOLUTE_OF_MUON } else { ABSOLUTE };
            assert_close(&what, f64::from(found), expected, RELATIVE, absolute);
            furthest = furthest.max((f64::from(found) - expected).abs());
        }
    }
    println!("{name}: within {furthest:.1e}");
}

/// A linear classifier.
fn linear() -> Network {
    let config = MlpConfig { hidden: Vec::new(), dropout: 0.0, batch_norm: false };
    formula::fill(ModelConfig::Mlp(config).init(IMAGE, CLASSES, &training_device()).unwrap())
}

/// Gradients of the sum of logits times coefficients, which depend on the step only.
fn gradients(network: &Network, step: usize) -> NamedGradients {
    let device = training_device();
    let [channels, height, width] = IMAGE;
    let images = formula::values(&format!("images {step}"), BATCH * channels * height * width);
    let images = TensorData::new(images, [BATCH, channels, height, width]);
    let coefficients = formula::values(&format!("coefficients {step}"), BATCH * CLASSES);
    let coefficients = TensorData::new(coefficients, [BATCH, CLASSES]);
    let logits = network.forward(Tensor::from_data(images, &device));
    let objective = (logits * Tensor::from_data(coefficients, &device)).sum();
    NamedGradients::gather(network, objective.backward())
}
