//! Dropout drops the share it is told to, scales the rest, and passes gradients where it passed
//! numbers.

#![cfg(feature = "flex")]

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use backburn_kernels::dropout;
use common::{constant, device, generator, gradients, leaf, of, tensor, values};

/// Tests take turns, because the device's generator belongs to all threads.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn numbers_are_dropped_or_scaled() {
    let _turn = turn();
    let x = leaf(&mut generator(1), [40, 1_000]);
    for rate in [0.1, 0.25, 0.5, 0.9] {
        let y = values(dropout(x.clone(), rate));
        let scale = (1.0 / (1.0 - rate)) as f32;
        let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64;
        for (&x, &y) in values(x.clone()).iter().zip(&y) {
            assert!(y == 0.0 || y == x * scale, "{y} of {x} at rate {rate}");
        }
        // Five standard deviations of a binomial count.
        let n = 40_000.0;
        let allowed = 5.0 * (n * rate * (1.0 - rate)).sqrt();
        assert!((dropped - n * rate).abs() < allowed, "{dropped} dropped at rate {rate}");
    }
}

#[test]
fn gradients_pass_where_numbers_passed() {
    let _turn = turn();
    let rng = &mut generator(2);
    let ones = || tensor(vec![1.0; 3 * 5 * 7], [3, 7, 5]);
    // As they are, and transposed in memory.
    for axes in [[0, 1, 2], [0, 2, 1]] {
        let x = ones().permute(axes).require_grad();
        let coefficients = constant(rng, [3, 7, 5]).permute(axes);
        let y = dropout(x.clone(), 0.4);
        let expected = values(y.clone().detach() * coefficients.clone());
        assert_eq!(of(&x, &gradients(y, &coefficients)), expected);
    }
}

#[test]
fn rate_zero_changes_no_bit() {
    let _turn = turn();
    let x = leaf(&mut generator(3), [3, 5, 7, 9]);
    let y = dropout(x.clone(), 0.0);
    assert_eq!(values(y.clone()), values(x.clone()));
    assert!(of(&x, &y.sum().backward()).iter().all(|&gradient| gradient == 1.0));
}

#[test]
fn masks_follow_the_seed() {
    let _turn = turn();
    let mask = || values(dropout(tensor(vec![1.0; 500], [500]), 0.5));
    let of_seed = |seed| {
        device().seed(seed);
        mask()
    };
    assert_eq!(of_seed(7), of_seed(7));
    assert_ne!(of_seed(7), of_seed(8));
    assert_ne!(of_seed(7), mask());
}
