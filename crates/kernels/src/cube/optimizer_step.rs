//! An optimizer's step in one launch.

use burn::backend::TensorMetadata;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::empty_beside;
use crate::cpu::{OptimizerStep, Rule};

const SGD: u32 = 0;
const MOMENTUM: u32 = 1;
const NESTEROV: u32 = 2;
const ROOT_MEAN_SQUARE: u32 = 3;
const ADAM: u32 = 4;

/// A rule's number, and its settings in the order that the kernel has them.
fn settings(rule: Rule) -> (u32, [f32; 7]) {
    match rule {
        Rule::Sgd => (SGD, [0.0; 7]),
        Rule::Momentum { momentum } => (MOMENTUM, [momentum, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        Rule::Nesterov { momentum } => (NESTEROV, [momentum, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        Rule::RootMeanSquare { decay, gain, epsilon } => {
            (ROOT_MEAN_SQUARE, [decay, gain, 0.0, 0.0, 0.0, 0.0, epsilon])
        }
        Rule::Adam { betas, gains, corrections: [mean, square], epsilon } => {
            let settings =
                [betas[0], gains[0], betas[1], gains[1], 1.0 / mean, 1.0 / square, epsilon];
            (ADAM, settings)
        }
    }
}

/// The weights and running averages after a step; averages that the rule lacks are as they were.
pub(crate) fn optimizer_step(
    weights: CubeTensor,
    gradient: CubeTensor,
    first: CubeTensor,
    second: CubeTensor,
    step: OptimizerStep,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let [weights, gradient] = [weights, gradient].map(into_contiguous);
    let (rule, [a, b, c, d, e, f, epsilon]) = settings(step.rule);
    let new = |is_moved: bool| is_moved.then(|| empty_beside(&weights, weights.shape()));
    // An argument cannot be left out; what stands in its place is neither read nor written.
    let (new_first, new_second) = (new(rule != SGD), new(rule == ADAM));
    let Some(new_weights) = new(true) else { unreachable!("weights are always moved") };
    let given = |average: &CubeTensor, new: Option<&CubeTensor>| match new {
        Some(_) => into_contiguous(average.clone()),
        None => weights.clone(),
    };
    let (from_first, from_second) =
        (given(&first, new_first.as_ref()), given(&second, new_second.as_ref()));
    let to = |new: Option<&CubeTensor>| new.unwrap_or(&new_weights).clone();
    let (client, values) = (weights.client.clone(), weights.meta.num_elements());
    let dim = CubeDim::new(&client, values);
    move_weights::launch(
        &client,
        calculate_cube_count_elemwise(&client, values, dim),
        dim,
        weights.clone().into_tensor_arg(),
        gradient.into_tensor_arg(),
        from_first.into_tensor_arg(),
        from_second.into_tensor_arg(),
        new_weights.clone().into_tensor_arg(),
        to(new_first.as_ref()).into_tensor_arg(),
        to(new_second.as_ref()).into_tensor_arg(),
        step.learning_rate,
        step.coupled_decay,
        step.l1,
        step.shrink,
        a,
        b,
        c,
        d,
        e,
        f,
        epsilon,
        rule,
    );
    (new_weights, new_first.unwrap_or(first), new_second.unwrap_or(second))
}

#[cube(launch)]
fn move_weights(
    weights: &Tensor<f32>,
    gradient: &Tensor<f32>,
    first: &Tensor<f32>,
    second: &Tensor<f32>,
    new_weights: &mut Tensor<f32>,
    new_first: &mut Tensor<f32>,
    new_second: &mut Tensor<f32>,
    learning_rate: f32,
    coupled_decay: f32,
    l1: f32,
    shrink: f32,
    a: f32,
    b: f32,
    c: f32,
    d: f32,
    e: f32,
    f: f32,
    epsilon: f32,
    #[comptime] rule: u32,
) {
    if ABSOLUTE_POS < weights.len() {
        let w = weights[ABSOLUTE_POS];
        let sign = select(w > 0.0, 1.0f32, select(w < 0.0, -1.0f32, 0.0f32));
        let g = gradient[ABSOLUTE_POS] + coupled_decay * w + l1 * sign;
        let mut direction = g;
        if rule == MOMENTUM {
            let average = a * first[ABSOLUTE_POS] + g;
            new_first[ABSOLUTE_POS] = average;
            direction = average;
        } else if rule == NESTEROV {
            let average = a * first[ABSOLUTE_POS] + g;
            new_first[ABSOLUTE_POS] = average;
            direction = g + a * average;
        } else if rule == ROOT_MEAN_SQUARE {
            let average = a * first[ABSOLUTE_POS] + b * (g * g);
            new_first[ABSOLUTE_POS] = average;
            direction = g / (average.sqrt() + epsilon);
        } else if rule == ADAM {
            let mean = a * first[ABSOLUTE_POS] + b * g;
            let square = c * second[ABSOLUTE_POS] + d * (g * g);
            new_first[ABSOLUTE_POS] = mean;
            new_second[ABSOLUTE_POS] = square;
            direction = (mean * e) / ((square * f).sqrt() + epsilon);
        }
        new_weights[ABSOLUTE_POS] = w * shrink - learning_rate * direction;
    }
}
