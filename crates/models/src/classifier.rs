//! What training asks of a network, be it one of ours or not.

use burn::module::Module;
use burn::tensor::Tensor;

/// A network that puts out one logit a class.
///
/// Everything else that training does to it, it does by the network's parameters, which
/// [`Module`] walks and [`parameters::Path`](crate::parameters::Path) names.
pub trait Classifier: Module {
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - returns logits: `[batch, classes]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}
