//! Muon with its settings leads where its formula leads in PyTorch, by layers of every shape, and for any number of
//! threads to the same bits.
//!
//! Reference: `tests/pytorch/muon.py`, in double precision, with `torch.optim.Muon` beside it.

use std::collections::BTreeMap;

use backburn_models::{NamedTensor, parameters};
use backburn_regularization::WeightDecay;
use backburn_tests::{assert_close, formula, training_device};
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use serde::Deserialize;

/// Five steps in single precision, of numbers around 1.
const RELATIVE: f64 = 1e-6;
const ABSOLUTE: f64 = 2e-6;

/// The share of the way that PyTorch's own, with eight bits of a number, may be off.
const BFLOAT16: f64 = 0.03;

/// Convolutions and linear layers of fewer and of more outputs than inputs, and what is no matrix.
#[derive(Module, Debug)]
struct Layers {
    wide: Conv2d,
    tall: Conv2d,
    wide_linear: Linear,
    tall_linear: Linear,
    norm: BatchNorm,
}

impl Layers {
    fn new() -> Self {
        let device = &training_device();
        Self {
            wide: Conv2dConfig::new([3, 4], [3, 3]).init(device),
            tall: Conv2dConfig::new([2, 12], [2, 2]).init(device),
            wide_linear: LinearConfig::new(9, 5).init(device),
            tall_linear: LinearConfig::new(4, 10).init(device),
            norm: BatchNormConfig::new(3).init(device),
        }
    }
}

#[derive(Deserialize)]
struct Reference {
    optimizer: OptimizerConfig,
    learning_rate: f64,
    weight_decay: WeightDecay,
    steps: usize,
    parameters: BTreeMap<String, Vec<f64>>,
    /// Those that `torch.optim.Muon` takes, after its own steps.
    of_pytorch: BTreeMap<String, Vec<f64>>,
}

fn reference() -> Vec<Reference> {
    serde_json::from_str(include_str!("../reference/muon.json")).unwrap()
}

/// Layers whose products are cut into parts for several threads.
#[derive(Module, Debug)]
struct LargeLayers {
    linear: Linear,
    convolution: Conv2d,
}

impl LargeLayers {
    fn new() -> Self {
        let device = &training_device();
        let convolution = Conv2dConfig::new([48, 96], [3, 3]).init(device);
        Self { linear: LinearConfig::new(300, 260).init(device), convolution }
    }
}

/// Those that are trained, by PyTorch's names and in its layout.
fn trained<M: Module>(layers: &M) -> Vec<NamedTensor> {
    let all = parameters::export(&layers.valid()).into_iter();
    all.filter(|tensor| tensor.role.is_trained()).collect()
}

/// The layers before and after the steps of a case.
fn train<M: Module>(layers: M, case: &Reference) -> (Vec<NamedTensor>, Vec<NamedTensor>) {
    let mut optimizer = Optimizer::new(case.optimizer, case.weight_decay);
    let mut layers = formula::fill(layers);
    let before = trained(&layers);
    for step in 0..case.steps {
        // The last step is taken by momentum alone.
        let factor = if step + 1 < case.steps { 1.0 } else { 0.0 };
        let gradients = formula::gradients(&layers, step).scale(factor);
        layers = optimizer.step(layers, gradients, case.learning_rate);
    }
    (before, trained(&layers))
}

#[test]
fn its_steps_lead_where_its_formula_leads_in_double_precision() {
    for case in reference() {
        let (_, after) = train(Layers::new(), &case);
        assert_eq!(after.len(), case.parameters.len());
        let mut furthest = 0.0_f64;
        for tensor in after {
            let expected = &case.parameters[&tensor.name];
            assert_eq!(tensor.values.len(), expected.len(), "{}", tensor.name);
            for (i, (&found, &expected)) in tensor.values.iter().zip(expected).enumerate() {
                let what = format!("{:?}: {} {i}", case.optimizer, tensor.name);
                assert_close(&what, f64::from(found), expected, RELATIVE, ABSOLUTE);
                furthest = furthest.max((f64::from(found) - expected).abs());
            }
        }
        println!("{:?}: within {furthest:.1e}", case.optimizer);
    }
}

#[test]
fn its_steps_are_those_of_pytorchs_own_to_its_sixteen_bits() {
    let mut compared = 0;
    for case in reference() {
        let (before, after) = train(Layers::new(), &case);
        for (before, after) in before.iter().zip(&after) {
            let Some(of_pytorch) = case.of_pytorch.get(&after.name) else { continue };
            let norm = |differences: &mut dyn Iterator<Item = f64>| -> f64 {
                differences.map(|difference| difference * difference).sum::<f64>().sqrt()
            };
            let found = || after.values.iter().map(|value| f64::from(*value));
            let start = before.values.iter().map(|value| f64::from(*value));
            let way = norm(&mut found().zip(start).map(|(after, before)| after - before));
            let off = norm(&mut found().zip(of_pytorch).map(|(ours, theirs)| ours - theirs));
            assert!(off < BFLOAT16 * way, "{}: {off} of {way}", after.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 2, "linear layers");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let case = &reference()[0];
    let train_with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(LargeLayers::new(), case).1)
    };
    let expected = train_with(1);
    for threads in [2, 3, 8] {
        assert!(train_with(threads) == expected, "{threads} threads give other bits than one");
    }
}
