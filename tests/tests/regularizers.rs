//! Five steps with each regularizer of weights or gradients equal PyTorch's, and each acts on a real
//! network as it says.
//!
//! Reference: `tests/pytorch/regularizers.py`, in double precision.

use std::collections::BTreeMap;

use backburn_models::{
    Classifier, CnnConfig, MlpConfig, ModelConfig, NamedTensor, Network, Role, parameters,
};
use backburn_regularization::{L1, Lookahead, MaxNorm, Sam, WeightDecay};
use backburn_tests::{
    CLASSES, assert_close, formula, images, logits_and_loss, training_device, without_dropout,
};
use backburn_training::optimize::averaging::Averaging;
use backburn_training::optimize::gradients::NamedGradients;
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use backburn_training::recipe::{Recipe, built_in};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;

const IMAGE: [usize; 3] = [1, 2, 3];
const BATCH: usize = 3;
const LEARNING_RATE: f64 = 0.5;
const STEPS_PER_EPOCH: usize = 2;

/// Five steps in single precision.
const RELATIVE: f64 = 1e-5;
const ABSOLUTE: f64 = 1e-6;

#[derive(Deserialize)]
struct Reference {
    setting: String,
    strength: f64,
    steps: usize,
    parameters: BTreeMap<String, Vec<f64>>,
}

#[test]
fn five_steps_lead_where_pytorch_leads() {
    let reference: Vec<Reference> =
        serde_json::from_str(include_str!("../reference/regularizers.json")).unwrap();
    let settings: Vec<&str> = reference.iter().map(|case| case.setting.as_str()).collect();
    assert_eq!(settings, ["sam", "l1", "max_norm", "ema", "lookahead", "swa"]);
    for case in &reference {
        compare(case);
    }
}

fn compare(case: &Reference) {
    let only = |setting: &str| (case.setting == setting).then_some(case.strength);
    let sam = only("sam").map(|rho| Sam { rho });
    let l1 = L1 { strength: only("l1").unwrap_or(0.0), ..L1::default() };
    let mut optimizer = Optimizer::new(OptimizerConfig::Sgd, WeightDecay::default())
        .with_l1(l1)
        .with_max_norm(only("max_norm").map(|limit| MaxNorm { limit }));
    let mut network = small();
    let mut recipe = built_in("digits").unwrap();
    recipe.lookahead = only("lookahead").map(|alpha| Lookahead { steps: 2, alpha });
    recipe.ema = only("ema");
    recipe.swa = only("swa").map(|epoch| epoch as usize);
    let mut averaging = Averaging::new(&recipe, STEPS_PER_EPOCH, &network);
    for step in 0..case.steps {
        let here = gradients(&network, step);
        let gradients = match sam {
            Some(sam) => gradients(&here.perturb(&network, sam), step),
            None => here,
        };
        let moved = optimizer.step(network, gradients, LEARNING_RATE);
        network = averaging.follow(moved, optimizer.steps());
    }
    let kept = averaging.evaluation_copy(&network, optimizer.steps());
    for tensor in parameters::export(&kept) {
        let expected = &case.parameters[&tensor.name];
        assert_eq!(tensor.values.len(), expected.len());
        for (i, (&found, &expected)) in tensor.values.iter().zip(expected).enumerate() {
            let what = format!("{}: {} {i}", case.setting, tensor.name);
            assert_close(&what, f64::from(found), expected, RELATIVE, ABSOLUTE);
        }
    }
}

fn small() -> Network {
    let config = MlpConfig { hidden: vec![6], dropout: 0.0, batch_norm: false };
    formula::fill(ModelConfig::Mlp(config).init(IMAGE, CLASSES, &training_device()).unwrap())
}

fn gradients(network: &Network, step: usize) -> NamedGradients {
    let [channels, height, width] = IMAGE;
    let images = formula::values(&format!("images {step}"), BATCH * channels * height * width);
    let images = TensorData::new(images, [BATCH, channels, height, width]);
    let images = Tensor::from_data(images, &training_device());
    let (_, loss) = logits_and_loss(network, images, &formula::labels(BATCH, CLASSES));
    NamedGradients::gather(network, loss.backward())
}

/// A CNN with batch normalization and the gradients of a batch.
fn cnn() -> (Network, NamedGradients) {
    let config = CnnConfig {
        widths: vec![4, 8],
        convolutions: 1,
        dense: 8,
        batch_norm: true,
        ..CnnConfig::default()
    };
    let device = training_device();
    let config = without_dropout(ModelConfig::Cnn(config));
    let network = formula::fill(config.init([2, 9, 8], CLASSES, &device).unwrap());
    let labels = formula::labels(16, CLASSES);
    let (_, loss) = logits_and_loss(&network, images(16, [2, 9, 8], &device), &labels);
    let gradients = NamedGradients::gather(&network, loss.backward());
    (network, gradients)
}

#[test]
fn no_unit_of_any_layer_is_longer_than_the_max_norm_after_a_step() {
    let (network, gradients) = cnn();
    let limit = 0.75;
    let mut optimizer = Optimizer::new(OptimizerConfig::Sgd, WeightDecay::default())
        .with_max_norm(Some(MaxNorm { limit }));
    let clipped = parameters::export(&optimizer.step(network.clone(), gradients, 0.1).valid());
    let (mut on_the_limit, mut units) = (0, 0);
    for (tensor, before) in clipped.iter().zip(parameters::export(&network.valid())) {
        if tensor.role != Role::Weight {
            continue;
        }
        // PyTorch's layout: the first dimension counts units, for linear layers too.
        let inputs: usize = tensor.shape[1..].iter().product();
        for (unit, before) in tensor.values.chunks(inputs).zip(before.values.chunks(inputs)) {
            let norm =
                |unit: &[f32]| unit.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
            assert!(norm(unit) < limit * (1.0 + 1e-5), "{}: {}", tensor.name, norm(unit));
            units += 1;
            on_the_limit += usize::from(norm(before) > 1.5 && norm(unit) > limit * (1.0 - 1e-5));
        }
    }
    assert!(units == 4 + 8 + 8 + CLASSES && on_the_limit > 4, "{on_the_limit} of {units}");
}

#[test]
fn the_second_pass_of_sam_leaves_running_statistics_alone() {
    let (network, gradients) = cnn();
    let statistics = |network: &Network| -> Vec<_> {
        let tensors = parameters::export(&network.valid()).into_iter();
        tensors.filter(|tensor| !tensor.role.is_trained()).collect()
    };
    let before = statistics(&network);
    let neighbour = gradients.perturb(&network, Sam { rho: 0.5 });
    let device = training_device();
    neighbour.forward(images(16, [2, 9, 8], &device));
    assert!(before == statistics(&network));
    assert!(before != statistics(&neighbour), "the pass was not one of training");
}

#[test]
fn stochastic_weight_averaging_takes_running_statistics_in() {
    let (mut network, _) = cnn();
    let recipe = Recipe { swa: Some(2), ..built_in("digits").unwrap() };
    let mut averaging = Averaging::new(&recipe, 1, &network);
    let mut epochs: Vec<Vec<NamedTensor>> = Vec::new();
    for step in 1..=4 {
        // What a pass moves are the statistics.
        network.forward(images(16, [2, 9, 8], &training_device()));
        network = averaging.follow(network, step);
        epochs.push(parameters::export(&network.valid()));
        let kept = parameters::export(&averaging.evaluation_copy(&network, step));
        if step <= 2 {
            assert!(kept == *epochs.last().unwrap(), "of one epoch, and before it");
        }
        let averaged = &epochs[1.min(epochs.len() - 1)..];
        for (number, tensor) in kept.iter().enumerate() {
            for (i, &found) in tensor.values.iter().enumerate() {
                let values = averaged.iter().map(|epoch| f64::from(epoch[number].values[i]));
                let mean = values.sum::<f64>() / averaged.len() as f64;
                let what = format!("step {step}: {} {i}", tensor.name);
                assert_close(&what, f64::from(found), mean, RELATIVE, ABSOLUTE);
            }
        }
    }
    let statistics = |epoch: &[NamedTensor]| -> Vec<_> {
        epoch.iter().filter(|tensor| !tensor.role.is_trained()).cloned().collect()
    };
    assert!(statistics(&epochs[2]) != statistics(&epochs[3]), "no pass of training");
}
