//! Linear layers agree with Burn's own.

#![cfg(feature = "flex")]

mod common;

use backburn_kernels::linear;
use burn::tensor::module;
use common::{
    ACTIVATIONS, Errors, activate, cases, constant, generator, gradients, leaf, of, pick, values,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const UNITS: [usize; 12] = [1, 2, 3, 10, 15, 16, 17, 31, 33, 48, 100, 129];

#[test]
fn random_sizes_agree_with_burn() {
    let rng = &mut generator(1);
    let mut errors = Errors::default();
    for case in 0..cases(80) {
        let sizes = [rng.random_range(1..=40), pick(rng, &UNITS), pick(rng, &UNITS)];
        compare_with_burn(rng, sizes, case % 2 == 0, &mut errors);
    }
}

#[test]
fn a_large_layer_agrees_with_burn() {
    let mut errors = Errors::default();
    compare_with_burn(&mut generator(2), [64, 784, 500], false, &mut errors);
    compare_with_burn(&mut generator(3), [600, 70, 65], false, &mut errors);
}

/// `sizes`: rows, inputs, outputs. `transposed`: in memory, columns lie side by side.
fn compare_with_burn(
    rng: &mut ChaCha8Rng,
    sizes: [usize; 3],
    transposed: bool,
    errors: &mut Errors,
) {
    let [rows, inputs, outputs] = sizes;
    let in_memory = |[a, b]: [usize; 2]| if transposed { [b, a] } else { [a, b] };
    let axes = in_memory([0, 1]).map(|axis| axis as isize);
    let x = leaf(rng, in_memory([rows, inputs]));
    let weight = leaf(rng, in_memory([inputs, outputs]));
    let bias = leaf(rng, [outputs]);
    for activation in ACTIVATIONS {
        let case = (sizes, transposed, activation);
        let arguments = || (x.clone().permute(axes), weight.clone().permute(axes), bias.clone());
        let (of_x, of_weight, of_bias) = arguments();
        let ours = linear(of_x, of_weight, of_bias, activation);
        let (of_x, of_weight, of_bias) = arguments();
        let alone = linear(
            of_x.without_autodiff(),
            of_weight.without_autodiff(),
            of_bias.without_autodiff(),
            activation,
        );
        assert!(values(alone) == values(ours.clone()), "other bits without gradients: {case:?}");
        let (of_x, of_weight, of_bias) = arguments();
        let burns = module::linear(of_x, of_weight, Some(of_bias));
        let burns = activate(burns, activation, &ours);
        errors.check("output", &case, &values(ours.clone()), &burns.output);

        let coefficients = constant(rng, ours.dims());
        let ours = gradients(ours, &coefficients);
        let burns = gradients(burns.for_gradients, &coefficients);
        errors.check("gradient of the rows", &case, &of(&x, &ours), &of(&x, &burns));
        errors.check("gradient of the weights", &case, &of(&weight, &ours), &of(&weight, &burns));
        errors.check("gradient of the bias", &case, &of(&bias, &ours), &of(&bias, &burns));
    }
}
