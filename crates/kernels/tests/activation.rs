//! Activations by themselves agree with their definitions in double precision.

#![cfg(feature = "flex")]

mod common;

use backburn_kernels::{Activation, activate};
use burn::tensor::Tensor;
use common::{ACTIVATIONS, cases, constant, generator, gradients, leaf, of, tensor, values};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

fn definition(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

/// Numbers of either sign, as many between 2⁻²⁰ and 2⁻¹⁹ as between 2⁵ and 2⁶.
fn of_all_sizes(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    let number = |_| {
        let size = rng.random_range(-20.0_f32..6.4).exp2();
        if rng.random() { size } else { -size }
    };
    (0..count).map(number).collect()
}

/// Outputs for `x`, and the slopes there by the gradient of their sum.
fn outputs_and_slopes(activation: Activation, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let x = tensor(x.to_vec(), [x.len()]).require_grad();
    let y = activate(x.clone(), activation);
    let gradients = y.clone().sum().backward();
    (values(y), of(&x, &gradients))
}

#[test]
fn outputs_are_those_of_the_definition_to_a_few_units_in_the_last_place() {
    // More than a task takes, and no whole number of vectors.
    let x = of_all_sizes(&mut generator(1), cases(200_003));
    for activation in ACTIVATIONS {
        let (y, _) = outputs_and_slopes(activation, &x);
        let mut most: f64 = 0.0;
        for (&x, &y) in x.iter().zip(&y) {
            let expected = definition(activation, f64::from(x));
            let unit = f64::from(f32::EPSILON) * expected.abs();
            let error = (f64::from(y) - expected).abs();
            assert!(error <= 4.0 * unit, "{activation:?} of {x}: {y} for {expected}");
            most = most.max(error / unit.max(f64::MIN_POSITIVE));
        }
        println!("{activation:?}: relative error at most {most:.2} · 2⁻²³");
    }
}

#[test]
fn gradients_are_the_slopes_of_the_definition() {
    let rng = &mut generator(2);
    let count = cases(200_003);
    let x = of_all_sizes(rng, count);
    let coefficients: Tensor<1> = constant(rng, [count]);
    for activation in ACTIVATIONS {
        let leaf = tensor(x.clone(), [count]).require_grad();
        let gradients = gradients(activate(leaf.clone(), activation), &coefficients);
        let found = of(&leaf, &gradients);
        let mut most: f64 = 0.0;
        for ((&x, &found), coefficient) in x.iter().zip(&found).zip(values(coefficients.clone())) {
            let x = f64::from(x);
            // Not across the kink of ReLU.
            let step = 1e-5_f64.min(x.abs() / 2.0);
            let rise = definition(activation, x + step) - definition(activation, x - step);
            let expected = f64::from(coefficient) * rise / (2.0 * step);
            let error = (f64::from(found) - expected).abs();
            assert!(error < 1e-6, "{activation:?} at {x}: {found} for {expected}");
            most = most.max(error);
        }
        println!("gradient of {activation:?}: error at most {most:.1e}");
    }
}

#[test]
fn at_the_ends_of_the_range_silu_and_its_slope_are_at_their_limits() {
    let infinity = f32::INFINITY;
    for (x, expected, slope) in [
        (infinity, infinity, 1.0),
        (f32::MAX, f32::MAX, 1.0),
        (100.0, 100.0, 1.0),
        (0.0, 0.0, 0.5),
        (-0.0, 0.0, 0.5),
        (1e-40, 5e-41, 0.5),
        (-1e-40, -5e-41, 0.5),
        (-100.0, 0.0, 0.0),
        (f32::MIN, 0.0, 0.0),
        (-infinity, 0.0, 0.0),
    ] {
        // Whole vectors and what is left.
        let (y, slopes) = outputs_and_slopes(Activation::Silu, &[x; 21]);
        // A unit of the smallest numbers, but where the exact value is taken as that at −87.
        let allowed = if x < -87.0 { 2e-36 } else { 2e-45 };
        let near = |a: f32, b: f32| a == b || (a - b).abs() <= allowed;
        assert!(y.iter().all(|&y| near(y, expected)), "of {x}: {y:?}");
        assert!(slopes.iter().all(|&found| near(found, slope)), "at {x}: {slopes:?}");
    }
    let (y, slopes) = outputs_and_slopes(Activation::Silu, &[f32::NAN; 21]);
    assert!(y.iter().chain(&slopes).all(|it| it.is_nan()), "{y:?}, {slopes:?}");
}

#[test]
fn numbers_in_another_order_of_memory_are_the_same_numbers() {
    let rng = &mut generator(3);
    let x = leaf(rng, [5, 7, 3]);
    let coefficients = constant(rng, [3, 5, 7]);
    for activation in ACTIVATIONS {
        let ours = activate(x.clone().permute([2, 0, 1]), activation);
        let expected = activate(x.clone(), activation).permute([2, 0, 1]);
        assert_eq!(values(ours.clone()), values(expected.clone()));
        let (ours, expected) = (gradients(ours, &coefficients), gradients(expected, &coefficients));
        assert_eq!(of(&x, &ours), of(&x, &expected));
    }
}
