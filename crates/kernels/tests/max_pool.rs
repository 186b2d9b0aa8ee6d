//! Pooling agrees with Burn's own, and where several pixels are the greatest, the first one counts.

#![cfg(feature = "flex")]

mod common;

use backburn_kernels::{PoolOptions, max_pool, max_pool2x2};
use burn::tensor::module;
use burn::tensor::ops::MaxPoolOptions;
use common::{constant, generator, gradients, leaf, of, tensor, values};
use rand::RngExt;

#[test]
fn images_of_any_size_agree_with_burn() {
    let rng = &mut generator(1);
    for [height, width] in [[2, 2], [2, 3], [3, 2], [5, 7], [8, 6], [9, 9]] {
        for channels in [1, 3, 6, 16, 17, 33] {
            let x = leaf(rng, [3, channels, height, width]);
            let ours = max_pool2x2(x.clone().permute([0, 2, 3, 1]));
            let burns = module::max_pool2d(x.clone(), MaxPoolOptions::new([2, 2]));
            let burns = burns.permute([0, 2, 3, 1]);
            let case = format!("{channels} channels of {height}×{width} pixels");
            assert_eq!(values(ours.clone()), values(burns.clone()), "{case}");
            let coefficients = constant(rng, ours.dims());
            let (ours, burns) = (gradients(ours, &coefficients), gradients(burns, &coefficients));
            assert_eq!(of(&x, &ours), of(&x, &burns), "{case}");
        }
    }
}

#[test]
fn overlapping_windows_and_those_over_the_edge_agree_with_burn() {
    let rng = &mut generator(3);
    for (kernel, stride, padding) in [(3, 2, 1), (3, 1, 1), (3, 3, 0), (2, 1, 1), (5, 2, 2)] {
        for [height, width] in [[1, 1], [2, 5], [7, 6], [8, 9], [13, 4]] {
            let options = PoolOptions { kernel, stride, padding };
            if options.windows(height) * options.windows(width) == 0 {
                continue;
            }
            for channels in [1, 5, 16, 33] {
                let x = leaf(rng, [2, channels, height, width]);
                let ours = max_pool(x.clone().permute([0, 2, 3, 1]), options);
                let burns = MaxPoolOptions::new([kernel; 2]).with_stride([stride; 2]);
                let burns = module::max_pool2d(x.clone(), burns.with_padding([padding; 2]));
                let burns = burns.permute([0, 2, 3, 1]);
                let case = format!("{options:?}, {channels} channels of {height}×{width} pixels");
                assert_eq!(values(ours.clone()), values(burns.clone()), "{case}");
                let coefficients = constant(rng, ours.dims());
                let ours = of(&x, &gradients(ours, &coefficients));
                let burns = of(&x, &gradients(burns, &coefficients));
                // Windows that overlap are summed in another order.
                let apart = ours.iter().zip(&burns).map(|(a, b)| (a - b).abs());
                assert!(apart.fold(0.0, f32::max) < 1e-5, "{case}");
            }
        }
    }
}

#[test]
fn of_equal_pixels_of_overlapping_windows_the_first_of_each_takes_the_gradient() {
    let x = tensor(vec![1.0; 9], [1, 3, 3, 1]).require_grad();
    let options = PoolOptions { kernel: 3, stride: 2, padding: 1 };
    let coefficients = tensor(vec![10.0, 20.0, 30.0, 40.0], [1, 2, 2, 1]);
    let gradients = gradients(max_pool(x.clone(), options), &coefficients);
    // The first pixels of the four windows: the corner, above the middle, left of it, the middle.
    let expected: [f32; 9] = [10.0, 20.0, 0.0, 30.0, 40.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(of(&x, &gradients), expected);
    let below_zero = tensor(vec![-5.0; 4], [1, 2, 2, 1]);
    assert_eq!(values(max_pool(below_zero, options)), [-5.0]);
}

#[test]
fn of_equal_pixels_the_first_takes_the_gradient() {
    let x = vec![
        1.0, 1.0, 0.0, 2.0, //
        1.0, 1.0, 2.0, 2.0, //
        5.0, 6.0, -1.0, -1.0, //
        6.0, 6.0, -2.0, -1.0,
    ];
    let expected: [f32; 16] = [
        10.0, 0.0, 0.0, 20.0, //
        0.0, 0.0, 0.0, 0.0, //
        0.0, 30.0, 40.0, 0.0, //
        0.0, 0.0, 0.0, 0.0,
    ];
    let x = tensor(x, [1, 4, 4, 1]).require_grad();
    let coefficients = tensor(vec![10.0, 20.0, 30.0, 40.0], [1, 2, 2, 1]);
    let gradients = gradients(max_pool2x2(x.clone()), &coefficients);
    assert_eq!(of(&x, &gradients), expected);
}

#[test]
fn no_gradient_is_lost_or_made_where_pixels_are_equal() {
    let rng = &mut generator(2);
    // Three values in windows of four: every window has two that are equal. Sums of whole numbers
    // need no rounding.
    let whole = |rng: &mut _, count| -> Vec<f32> {
        let rng: &mut rand_chacha::ChaCha8Rng = rng;
        (0..count).map(|_| rng.random_range(-1..=1) as f32).collect()
    };
    let x = tensor(whole(rng, 2 * 7 * 9 * 5), [2, 7, 9, 5]).require_grad();
    let coefficients = tensor(whole(rng, 2 * 3 * 4 * 5), [2, 3, 4, 5]);
    let gradients = gradients(max_pool2x2(x.clone()), &coefficients);
    let sum = |values: Vec<f32>| values.iter().sum::<f32>();
    assert_eq!(sum(of(&x, &gradients)), sum(values(coefficients)));
}

#[test]
fn a_number_that_is_none_stays_visible() {
    for place in 0..4 {
        let mut x = vec![1.0, 2.0, 3.0, 4.0];
        x[place] = f32::NAN;
        let y = values(max_pool2x2(tensor(x, [1, 2, 2, 1])));
        assert!(y[0].is_nan(), "NaN at {place} became {}", y[0]);
    }
}
