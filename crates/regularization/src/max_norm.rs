//! Max-norm: keep the weights into each unit inside a ball.

use burn::tensor::Tensor;

/// Scales the weights into a unit down to the norm `limit` after a step that left them longer.
///
/// The constraint of dropout's authors: it lets large learning rates explore without weights
/// blowing up. It acts on the weights of every linear and convolution layer, per unit or output
/// channel, and on no bias.
///
/// Srivastava et al., [Dropout](https://jmlr.org/papers/v15/srivastava14a.html), JMLR 2014,
/// section 5.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxNorm {
    /// Greatest Euclidean norm of the weights into a unit, positive.
    pub limit: f64,
}

impl MaxNorm {
    /// # Shapes
    ///
    /// - `weights`: any; a unit is an index of the dimension `units`
    /// - returns: the same shape
    pub fn clip<const D: usize>(&self, weights: Tensor<D>, units: usize) -> Tensor<D> {
        let mut squares = weights.clone().square();
        for dimension in (0..D).filter(|&dimension| dimension != units) {
            squares = squares.sum_dim(dimension);
        }
        // Exactly 1 where the limit is kept, so that those weights stay as they are.
        let scale = squares.sqrt().clamp_min(self.limit).recip().mul_scalar(self.limit);
        let kept = scale.clone().greater_equal_elem(1.0 - 1e-6);
        weights * scale.mask_fill(kept, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn only_units_beyond_the_limit_are_scaled_onto_it() {
        // Two inputs, three units: their norms are 5, 0.5 and 0.
        let weights = [[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]];
        let weights = Tensor::<2>::from_floats(weights, &Device::flex());
        let clipped = values(MaxNorm { limit: 2.0 }.clip(weights, 1));
        let expected = [1.2, 0.3, 0.0, 1.6, 0.4, 0.0];
        assert!(clipped.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{clipped:?}");
        assert_eq!((clipped[1], clipped[4]), (0.3, 0.4));
    }

    #[test]
    fn a_unit_of_a_convolution_is_its_output_channel() {
        // Two output channels of 1 × 1 × 2 weights: norms 10 and 1.
        let weights = Tensor::<1>::from_floats([6.0, 8.0, 0.6, 0.8], &Device::flex());
        let clipped = values(MaxNorm { limit: 5.0 }.clip(weights.reshape([2, 1, 1, 2]), 0));
        let expected = [3.0, 4.0, 0.6, 0.8];
        assert!(clipped.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{clipped:?}");
    }

    #[test]
    fn clipping_twice_changes_nothing_more() {
        let weights = Tensor::<2>::from_floats([[3.0, -1.0], [0.1, 7.0]], &Device::flex());
        let once = MaxNorm { limit: 1.5 }.clip(weights, 1);
        assert_eq!(values(MaxNorm { limit: 1.5 }.clip(once.clone(), 1)), values(once));
    }
}
