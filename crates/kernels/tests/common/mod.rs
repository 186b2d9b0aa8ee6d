//! What the tests of the kernels share: random numbers, tensors of them, and how far results are
//! apart.

// Every test binary uses a part of it.
#![allow(dead_code)]

use std::fmt::Debug;

use burn::tensor::activation::{relu, silu};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use backburn_kernels::Activation;

/// How far results may be from their reference: [`error`] of single precision.
pub(crate) const TOLERANCE: f64 = 1e-4;

pub(crate) const ACTIVATIONS: [Activation; 3] =
    [Activation::Identity, Activation::Relu, Activation::Silu];

/// `all`, or a few where `$BACKBURN_FEW_CASES` is set, because an emulated CPU is slow.
pub(crate) fn cases(all: usize) -> usize {
    if std::env::var_os("BACKBURN_FEW_CASES").is_some() { all.div_ceil(4) } else { all }
}

pub(crate) fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Where gradients are computed.
pub(crate) fn device() -> Device {
    Device::flex().autodiff()
}

pub(crate) fn pick<T: Copy>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

/// `count` numbers in `[-1, 1)`.
pub(crate) fn numbers(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// `count` multiples of 1/64 in `[-1, 1]`. Sums of up to 4,096 products of two of them need no
/// rounding, so that the order of summation does not matter.
pub(crate) fn sixty_fourths(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-64..=64) as f32 / 64.0).collect()
}

/// `count` multiples of 1/8 in `[-1, 1]`. Sums of up to 262,144 products of two of them need no rounding.
pub(crate) fn eighths(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-8..=8) as f32 / 8.0).collect()
}

/// Random numbers in `[-1, 1)` in a tensor that gradients are taken of.
pub(crate) fn leaf<const D: usize>(rng: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<D> {
    constant(rng, shape).require_grad()
}

/// Random numbers in `[-1, 1)` in a tensor.
pub(crate) fn constant<const D: usize>(rng: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<D> {
    tensor(numbers(rng, shape.iter().product()), shape)
}

pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &device())
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("tensors here are 32-bit floats")
}

/// The gradients of the sum of `y` times `coefficients`.
pub(crate) fn gradients<const D: usize>(y: Tensor<D>, coefficients: &Tensor<D>) -> Gradients {
    (y * coefficients.clone()).sum().backward()
}

/// The gradient of a leaf.
pub(crate) fn of<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Vec<f32> {
    values(leaf.grad(gradients).expect("the leaf takes part"))
}

/// `activation(y)`; ReLU's gradient flows where the activation's output `ours` is positive. Numbers at
/// its kink are rounded to either side of it, and the gradient must follow the output.
pub(crate) fn activate<const D: usize>(
    y: Tensor<D>,
    activation: Activation,
    ours: &Tensor<D>,
) -> Activated<D> {
    match activation {
        Activation::Identity => Activated { output: values(y.clone()), for_gradients: y },
        Activation::Relu => {
            let passes = ours.clone().detach().greater_elem(0.0).float();
            Activated { output: values(relu(y.clone())), for_gradients: y * passes }
        }
        Activation::Silu => {
            let y = silu(y);
            Activated { output: values(y.clone()), for_gradients: y }
        }
    }
}

pub(crate) struct Activated<const D: usize> {
    pub(crate) output: Vec<f32>,
    pub(crate) for_gradients: Tensor<D>,
}

/// The largest difference, relative to the largest expected magnitude.
///
/// # Panics
///
/// If the lengths differ or a number is not finite.
pub(crate) fn error<F: Copy + Into<f64>>(found: &[f32], expected: &[F]) -> f64 {
    largest_difference(found, expected) / largest(expected).max(f64::MIN_POSITIVE)
}

fn largest<F: Copy + Into<f64>>(values: &[F]) -> f64 {
    values.iter().map(|&x| x.into().abs()).fold(0.0, f64::max)
}

fn largest_difference<F: Copy + Into<f64>>(found: &[f32], expected: &[F]) -> f64 {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().all(|x| x.is_finite()), "not finite");
    let difference = |(&x, &y): (&f32, &F)| (f64::from(x) - y.into()).abs();
    found.iter().zip(expected).map(difference).fold(0.0, f64::max)
}

/// The largest error of each result; `--nocapture` shows them.
#[derive(Default)]
pub(crate) struct Errors(Vec<(&'static str, f64)>);

impl Errors {
    /// # Panics
    ///
    /// If the [`error`] is larger than [`TOLERANCE`]; `case` is named.
    pub(crate) fn check<F: Copy + Into<f64>>(
        &mut self,
        result: &'static str,
        case: &dyn Debug,
        found: &[f32],
        expected: &[F],
    ) {
        self.note(result, case, error(found, expected));
    }

    /// Checks like [`Self::check`], for sums of numbers of either sign, which chance may bring
    /// close to zero: differences are relative to `magnitude`, what such a sum usually is.
    ///
    /// # Panics
    ///
    /// If the error is larger than [`TOLERANCE`]; `case` is named.
    pub(crate) fn check_sum<F: Copy + Into<f64>>(
        &mut self,
        result: &'static str,
        case: &dyn Debug,
        found: &[f32],
        expected: &[F],
        magnitude: f64,
    ) {
        self.note(result, case, largest_difference(found, expected) / magnitude);
    }

    fn note(&mut self, result: &'static str, case: &dyn Debug, error: f64) {
        assert!(error <= TOLERANCE, "{result} of {case:?}: relative error {error:.1e}");
        match self.0.iter_mut().find(|(known, _)| *known == result) {
            Some((_, most)) => *most = most.max(error),
            None => self.0.push((result, error)),
        }
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        for (result, most) in &self.0 {
            println!("{result}: relative error at most {most:.1e}");
        }
    }
}
