//! What training asks of a network, be it one of ours or not.

use burn::module::Module;
use burn::tensor::Tensor;

/// What the feature map of a network's last convolution is handed through on its way to the logits, see
/// [`Classifier::forward_tapped`]: takes and gives `[batch, height, width, channels]`.
pub type Tap<'a> = &'a mut dyn FnMut(Tensor<4>) -> Tensor<4>;

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

    /// [`forward`](Self::forward), with a tap on the feature map of the last convolution: whoever explains an answer
    /// takes gradients with respect to it, and goes on with it.
    ///
    /// A network with a feature map, which is what convolution, normalization and activation leave, before any pooling
    /// behind them, calls `tap` with it exactly once and goes on with what that gives; its `forward` is this one with
    /// `&mut |maps| maps`. Without an implementation of its own a network has no feature map, and `tap` is not called.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - what `tap` takes and gives: `[batch, height, width, channels]`, also from a network whose own layout is another
    /// - returns logits: `[batch, classes]`
    fn forward_tapped(&self, images: Tensor<4>, tap: Tap<'_>) -> Tensor<2> {
        let _ = tap;
        self.forward(images)
    }
}
