//! Optimizer steps follow the textbook's formulas.

mod common;

use backburn_kernels::cpu;
use backburn_kernels::{OptimizerStep, Rule};
use common::{error, generator, numbers};

/// What five steps in single precision may be off, relative to the largest number.
const TOLERANCE: f64 = 2e-6;
const STEPS: i32 = 5;

/// Large, so that a wrong place of it shows, and gradients close to zero have a direction that their
/// rounding does not decide.
const EPSILON: f64 = 1e-3;

const BETAS: [f64; 2] = [0.9, 0.999];

/// A rule by name, as it is at step `t`, counted from 1.
fn rule(name: &str, t: i32) -> Rule {
    match name {
        "sgd" => Rule::Sgd,
        "momentum" => Rule::Momentum { momentum: 0.9 },
        "nesterov" => Rule::Nesterov { momentum: 0.9 },
        "adagrad" => Rule::RootMeanSquare { decay: 1.0, gain: 1.0, epsilon: EPSILON as f32 },
        "rmsprop" => Rule::RootMeanSquare { decay: 0.99, gain: 0.01, epsilon: EPSILON as f32 },
        "adam" => Rule::Adam {
            betas: BETAS.map(|beta| beta as f32),
            gains: BETAS.map(|beta| (1.0 - beta) as f32),
            corrections: BETAS.map(|beta| (1.0 - beta.powi(t)) as f32),
            epsilon: EPSILON as f32,
        },
        _ => unreachable!("{name} is not in the list"),
    }
}

const RULES: [&str; 6] = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"];

/// Weights and running averages of one weight, in double precision.
#[derive(Clone, Copy, Default)]
struct Weight {
    w: f64,
    first: f64,
    second: f64,
}

/// The direction for gradient `g`, as the papers have it.
fn direction(name: &str, weight: &mut Weight, g: f64, t: i32) -> f64 {
    let Weight { first: m, second: v, .. } = weight;
    match name {
        "sgd" => g,
        "momentum" => {
            *m = 0.9 * *m + g;
            *m
        }
        "nesterov" => {
            *m = 0.9 * *m + g;
            g + 0.9 * *m
        }
        "adagrad" => {
            *m += g * g;
            g / (m.sqrt() + EPSILON)
        }
        "rmsprop" => {
            *m = 0.99 * *m + 0.01 * g * g;
            g / (m.sqrt() + EPSILON)
        }
        "adam" => {
            *m = BETAS[0] * *m + (1.0 - BETAS[0]) * g;
            *v = BETAS[1] * *v + (1.0 - BETAS[1]) * g * g;
            let mean = *m / (1.0 - BETAS[0].powi(t));
            let square = *v / (1.0 - BETAS[1].powi(t));
            mean / (square.sqrt() + EPSILON)
        }
        _ => unreachable!("{name} is not in the list"),
    }
}

/// What is added to gradients and taken from weights.
#[derive(Clone, Copy, Debug, Default)]
struct Decay {
    coupled: f64,
    decoupled: f64,
    l1: f64,
}

const DECAYS: [Decay; 4] = [
    Decay { coupled: 0.0, decoupled: 0.0, l1: 0.0 },
    Decay { coupled: 0.1, decoupled: 0.0, l1: 0.0 },
    Decay { coupled: 0.0, decoupled: 0.1, l1: 0.0 },
    Decay { coupled: 0.05, decoupled: 0.02, l1: 0.03 },
];

#[test]
fn five_steps_follow_the_formulas() {
    let mut most = 0.0_f64;
    for name in RULES {
        for decay in DECAYS {
            // One number, less than a vector, and one more than a task.
            for length in [1, 15, 32_769] {
                let error = error_of_five_steps(name, decay, length);
                assert!(error <= TOLERANCE, "{name}, {decay:?}, {length} weights: {error:.1e}");
                most = most.max(error);
            }
        }
    }
    println!("relative error at most {most:.1e}");
}

fn error_of_five_steps(name: &str, decay: Decay, length: usize) -> f64 {
    let rng = &mut generator(length as u64);
    let learning_rate = 0.01;
    let mut weights = numbers(rng, length);
    // No sign, so that L1 leaves it alone.
    weights[length / 2] = 0.0;
    let (mut first, mut second) = (vec![0.0; length], vec![0.0; length]);
    let mut expected: Vec<Weight> =
        weights.iter().map(|&w| Weight { w: f64::from(w), ..Weight::default() }).collect();
    for t in 1..=STEPS {
        let gradient = numbers(rng, length);
        let step = OptimizerStep {
            rule: rule(name, t),
            learning_rate: learning_rate as f32,
            coupled_decay: decay.coupled as f32,
            l1: decay.l1 as f32,
            shrink: (1.0 - learning_rate * decay.decoupled) as f32,
        };
        cpu::optimizer_step(step, &mut weights, &gradient, &mut first, &mut second);
        for (weight, &g) in expected.iter_mut().zip(&gradient) {
            let w = weight.w;
            let sign = if w == 0.0 { 0.0 } else { w.signum() };
            let g = f64::from(g) + decay.coupled * w + decay.l1 * sign;
            let direction = direction(name, weight, g, t);
            weight.w = w * (1.0 - learning_rate * decay.decoupled) - learning_rate * direction;
        }
    }
    let of = |part: fn(&Weight) -> f64| expected.iter().map(part).collect::<Vec<f64>>();
    let of_weights = error(&weights, &of(|weight| weight.w));
    let of_averages = error(&first, &of(|weight| weight.first));
    of_weights.max(of_averages).max(error(&second, &of(|weight| weight.second)))
}

#[test]
fn a_rule_without_averages_takes_none() {
    let step = OptimizerStep {
        rule: Rule::Sgd,
        learning_rate: 0.5,
        coupled_decay: 0.0,
        l1: 0.0,
        shrink: 1.0,
    };
    let mut weights = [1.0, -2.0];
    cpu::optimizer_step(step, &mut weights, &[2.0, 2.0], &mut [], &mut []);
    assert_eq!(weights, [0.0, -3.0]);
}

#[cfg(feature = "flex")]
mod tensors {
    use backburn_kernels::{Moved, fuses_optimizer_steps, optimizer_step};
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;

    #[test]
    fn tensors_move_as_slices_do_and_others_who_hold_them_notice_nothing() {
        let rng = &mut generator(9);
        let device = Device::flex();
        let tensor = |values: &[f32]| -> Tensor<1> {
            Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &device)
        };
        let step = OptimizerStep {
            rule: rule("adam", 1),
            learning_rate: 0.01,
            coupled_decay: 0.1,
            l1: 0.0,
            shrink: 1.0,
        };
        let [mut weights, gradient, mut first] = [(); 3].map(|()| numbers(rng, 1_000));
        let mut second = vec![0.5; 1_000];
        let held = tensor(&weights);
        assert!(fuses_optimizer_steps(&held));
        // The gradient is the second half of a larger tensor, as that of a part of a layer may be.
        let larger = Tensor::cat(vec![tensor(&[9.0; 1_000]), tensor(&gradient)], 0);
        let before =
            Moved { weights: held.clone(), first: tensor(&first), second: tensor(&second) };
        let moved = optimizer_step(step, before, larger.narrow(0, 1_000, 1_000));
        assert_eq!(common::values(held), weights);
        cpu::optimizer_step(step, &mut weights, &gradient, &mut first, &mut second);
        assert_eq!(common::values(moved.weights), weights);
        assert_eq!(common::values(moved.first), first);
        assert_eq!(common::values(moved.second), second);
    }
}
