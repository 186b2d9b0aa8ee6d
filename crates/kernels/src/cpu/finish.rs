//! What becomes of a convolution's sum before it is stored.

use super::activation::Activation;
use super::simd::{Simd, load_some};

/// `activation(scale · sum + shift + residual)`, of which everything may be missing.
///
/// Batch normalization with given statistics is a scale and a shift of each channel, so that an evaluation needs no pass of
/// its own for it, nor for the sum with a residual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finish<'a> {
    /// `[outputs]`
    pub scale: Option<&'a [f32]>,
    /// `[outputs]`; a bias, where there is no scale.
    pub shift: Option<&'a [f32]>,
    /// The output's shape.
    pub residual: Option<&'a [f32]>,
    /// What follows.
    pub activation: Activation,
}

impl<'a> Finish<'a> {
    /// A bias, if there is one, and an activation.
    pub fn of(bias: Option<&'a [f32]>, activation: Activation) -> Self {
        Self { scale: None, shift: bias, residual: None, activation }
    }

    /// # Panics
    ///
    /// If something is not there for each output channel, or the residual not for each number.
    pub(crate) fn check(&self, outputs: usize, numbers: usize) {
        assert!(self.scale.is_none_or(|scale| scale.len() == outputs));
        assert!(self.shift.is_none_or(|shift| shift.len() == outputs));
        assert!(self.residual.is_none_or(|residual| residual.len() == numbers));
    }

    /// The shifts of `count` channels from `first` on, and zeros.
    #[inline(always)]
    pub(crate) fn shifts<S: Simd>(&self, simd: S, first: usize, count: usize) -> S::Vector {
        of_channels(simd, self.shift, 0.0, first, count)
    }

    /// The scales of `count` channels from `first` on, and ones if there are none.
    #[inline(always)]
    pub(crate) fn scales<S: Simd>(&self, simd: S, first: usize, count: usize) -> S::Vector {
        of_channels(simd, self.scale, 1.0, first, count)
    }

    /// What follows once a sum is scaled and shifted, of `count` numbers from `place` of the output on.
    #[inline(always)]
    pub(crate) fn end<S: Simd>(
        &self,
        simd: S,
        value: S::Vector,
        place: usize,
        count: usize,
    ) -> S::Vector {
        let mut value = value;
        if let Some(residual) = self.residual {
            let residual = &residual[place..place + count];
            // SAFETY: as many numbers as are read.
            value = simd.add(value, unsafe { load_some(simd, residual.as_ptr(), count) });
        }
        self.activation.apply(simd, value)
    }
}

#[inline(always)]
fn of_channels<S: Simd>(
    simd: S,
    values: Option<&[f32]>,
    missing: f32,
    first: usize,
    count: usize,
) -> S::Vector {
    let Some(values) = values else { return simd.splat(missing) };
    let values = &values[first..first + count];
    // SAFETY: as many numbers as are read.
    unsafe { load_some(simd, values.as_ptr(), count) }
}
