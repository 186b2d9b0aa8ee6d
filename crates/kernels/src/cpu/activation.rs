//! What follows a weighted sum.

use rayon::prelude::*;

use super::simd::{self, Simd, Task};

/// What follows a weighted sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// `max(0, x)`
    Relu,
}

/// Numbers of a task: enough to be worth starting, few enough for a fair share.
pub(crate) const NUMBERS_OF_A_TASK: usize = 32 * 1024;

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
