//! What follows a weighted sum, and its gradients.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::exp::exp;
use super::simd::{self, Simd, Task, load_some, store_some};

/// What follows a weighted sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// `max(0, x)`
    Relu,
    /// `x · σ(x)` with `σ(x) = 1 / (1 + e⁻ˣ)`; also called Swish.
    ///
    /// Elfwing et al., [Sigmoid-Weighted Linear Units](https://arxiv.org/abs/1702.03118), Neural Networks 107, 2018;
    /// Ramachandran et al., [Searching for Activation Functions](https://arxiv.org/abs/1710.05941), 2017.
    Silu,
}

/// Numbers of a task: enough to be worth starting, few enough for a fair share.
pub(crate) const NUMBERS_OF_A_TASK: usize = 32 * 1024;

/// Below −87, SiLU and its slope are less than 2·10⁻³⁶, above 87 the slope is 1. What lies beyond is taken as if it lay
/// here, so that even of infinities the limits result, and nothing is divided by infinity on the way.
const SILU_END: f32 = 87.0;

impl Activation {
    /// The activation of each lane. NaN stays NaN.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(self, simd: S, x: S::Vector) -> S::Vector {
        match self {
            Self::Identity => x,
            Self::Relu => simd.max(simd.splat(0.0), x),
            Self::Silu => silu(simd, x),
        }
    }

    /// The activation of a single number, with the bits of [`Self::apply`].
    #[inline(always)]
    pub(crate) fn apply_to_one<S: Simd>(self, simd: S, x: f32) -> f32 {
        simd::first(simd, self.apply(simd, simd.splat(x)))
    }
}

/// `x / (1 + e⁻ˣ)`, to within three units in the last place for `x ≥ −87`.
#[inline(always)]
fn silu<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let x = simd.max(simd.splat(-SILU_END), x);
    let power = exp(simd, simd.sub(simd.splat(0.0), x));
    simd.div(x, simd.add(simd.splat(1.0), power))
}

/// The derivative of SiLU, `σ(x) · (1 + x · (1 − σ(x)))`.
#[inline(always)]
pub(crate) fn silu_slope<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let one = simd.splat(1.0);
    let x = simd.max(simd.splat(-SILU_END), simd.min(simd.splat(SILU_END), x));
    let power = exp(simd, simd.sub(simd.splat(0.0), x));
    let sigmoid = simd.div(one, simd.add(one, power));
    // As a product, 1 − σ keeps its digits where σ is close to 1.
    let rest = simd.mul(power, sigmoid);
    simd.mul(sigmoid, simd.mul_add(x, rest, one))
}

/// `activation(x)`, number by number.
pub fn activate(activation: Activation, x: &[f32]) -> Vec<f32> {
    struct Apply<'a>(Activation, &'a [f32], &'a mut [f32]);
    impl Task for Apply<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let Self(activation, x, y) = self;
            let whole = x.len() / S::LANES * S::LANES;
            let rest = x.len() - whole;
            // SAFETY: both have as many numbers.
            unsafe {
                let (x, y) = (x.as_ptr(), y.as_mut_ptr());
                for at in (0..whole).step_by(S::LANES) {
                    let value = activation.apply(simd, simd.load(x.add(at)));
                    simd.store(y.add(at), value);
                }
                let value = activation.apply(simd, load_some(simd, x.add(whole), rest));
                store_some(simd, y.add(whole), value, rest);
            }
        }
    }
    let mut y = Buffer::new(x.len());
    let to = y.writer();
    x.par_chunks(NUMBERS_OF_A_TASK).enumerate().for_each(|(number, x)| {
        // SAFETY: this part of the output is written here alone, and not read.
        let y = unsafe { to.slice(number * NUMBERS_OF_A_TASK, x.len()) };
        simd::run(Apply(activation, x, y));
    });
    // SAFETY: the parts cover all of `x`, and each wrote as much.
    unsafe { y.assume_written() }
}

/// The gradient of [`activate`] with respect to `x`, in the memory of `gradient`, which is that of the output.
///
/// # Panics
///
/// If the two differ in length.
pub fn activation_gradient(activation: Activation, gradient: Vec<f32>, x: &[f32]) -> Vec<f32> {
    match activation {
        Activation::Identity => gradient,
        // The output is positive where `x` is.
        Activation::Relu => relu_gradient(gradient, x),
        Activation::Silu => silu_gradient(gradient, x),
    }
}

/// `gradient` where `output` is positive, else zero: the gradient of ReLU, in the same memory.
///
/// # Panics
///
/// If the two differ in length.
pub fn relu_gradient(mut gradient: Vec<f32>, output: &[f32]) -> Vec<f32> {
    struct Mask<'a>(&'a mut [f32], &'a [f32]);
    impl Task for Mask<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, _simd: S) {
            for (gradient, &output) in self.0.iter_mut().zip(self.1) {
                *gradient = if output > 0.0 { *gradient } else { 0.0 };
            }
        }
    }
    assert_eq!(gradient.len(), output.len());
    gradient
        .par_chunks_mut(NUMBERS_OF_A_TASK)
        .zip(output.par_chunks(NUMBERS_OF_A_TASK))
        .for_each(|(gradient, output)| simd::run(Mask(gradient, output)));
    gradient
}

/// The gradient of SiLU, which its input decides, in the memory of `gradient`.
fn silu_gradient(mut gradient: Vec<f32>, x: &[f32]) -> Vec<f32> {
    struct Slopes<'a>(&'a mut [f32], &'a [f32]);
    impl Task for Slopes<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let Self(gradient, x) = self;
            let whole = x.len() / S::LANES * S::LANES;
            let rest = x.len() - whole;
            // SAFETY: both have as many numbers.
            unsafe {
                let (x, gradient) = (x.as_ptr(), gradient.as_mut_ptr());
                for at in (0..whole).step_by(S::LANES) {
                    let slope = silu_slope(simd, simd.load(x.add(at)));
                    let of_x = simd.mul(simd.load(gradient.add(at)), slope);
                    simd.store(gradient.add(at), of_x);
                }
                let slope = silu_slope(simd, load_some(simd, x.add(whole), rest));
                let of_x = simd.mul(load_some(simd, gradient.add(whole), rest), slope);
                store_some(simd, gradient.add(whole), of_x, rest);
            }
        }
    }
    assert_eq!(gradient.len(), x.len());
    gradient
        .par_chunks_mut(NUMBERS_OF_A_TASK)
        .zip(x.par_chunks(NUMBERS_OF_A_TASK))
        .for_each(|(gradient, x)| simd::run(Slopes(gradient, x)));
    gradient
}
