//! Sharpness-aware minimization: descend by the gradient of the worst place nearby.

use burn::tensor::Tensor;

/// Takes the gradient not at `w` but at `w + ρ g / ‖g‖₂`, where `g` is the gradient at `w` and the
/// norm is that of all gradients together: two passes for each batch, and minima in wide valleys.
///
/// Both passes see the same images, targets and dropped units. The second leaves the running
/// statistics of batch normalization alone. When the gradients of several batches are accumulated,
/// each has its own perturbation (the paper's m-sharpness, section 4.1).
///
/// Foret et al.,
/// [Sharpness-Aware Minimization](https://arxiv.org/abs/2010.01412), ICLR 2021, equation 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sam {
    /// ρ, positive: how far away the gradient is taken; 0.05 is the paper's choice.
    pub rho: f64,
}

/// Keeps a gradient of zeros from being divided by zero, as the authors' code does.
const TINY: f64 = 1e-12;

impl Sam {
    /// What to add to the weights with this gradient.
    ///
    /// # Shapes
    ///
    /// - `gradient`, returns: `[values]`
    /// - `norm`: `[1]`, that of all gradients together
    pub fn perturbation(&self, gradient: Tensor<1>, norm: &Tensor<1>) -> Tensor<1> {
        gradient * norm.clone().add_scalar(TINY).recip().mul_scalar(self.rho)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn on_a_quadratic_the_gradient_is_that_of_the_closed_form() {
        // L(w) = ½ (a w₁² + b w₂²), g = (a w₁, b w₂), and the SAM gradient is that at w + ρ g / ‖g‖.
        let (a, b, rho) = (3.0_f32, 1.0, 0.5);
        let tensor = |values: [f32; 2]| Tensor::<1>::from_floats(values, &Device::flex());
        let norm = Tensor::<1>::from_floats([5.0], &Device::flex());
        let w = [1.0, 4.0];
        let g = tensor([a * w[0], b * w[1]]);
        let there = tensor(w) + Sam { rho: f64::from(rho) }.perturbation(g, &norm);
        let there: Vec<f32> = there.into_data().try_to_vec().unwrap();
        assert!((there[0] - (1.0 + rho * 3.0 / 5.0)).abs() < 1e-6);
        assert!((there[1] - (4.0 + rho * 4.0 / 5.0)).abs() < 1e-6);
    }

    #[test]
    fn a_gradient_of_zeros_perturbs_nothing() {
        let zeros = Tensor::<1>::zeros([3], &Device::flex());
        let norm = Tensor::<1>::zeros([1], &Device::flex());
        let moved: Vec<f32> =
            Sam { rho: 0.05 }.perturbation(zeros, &norm).into_data().try_to_vec().unwrap();
        assert_eq!(moved, [0.0; 3]);
    }
}
