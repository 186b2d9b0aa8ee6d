//! What training asks of a network, be it one of ours or not.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::description::describer::Describer;
use crate::description::error::DescribeError;
use crate::description::layer::Value;
use crate::parameters;

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

    /// Says layer by layer what [`forward`](Self::forward) does, and gives the value that holds the logits. Needed by
    /// exports and tables of layers only; training does without.
    ///
    /// # Errors
    ///
    /// If a layer cannot be described. A network that does not implement this is refused with the name of a layer of
    /// its own kind or, if it has none, with its own.
    fn describe(&self, describer: &mut Describer, images: Value) -> Result<Value, DescribeError> {
        let _ = (describer, images);
        let known = ["Conv2d", "Linear", "BatchNorm"];
        let other =
            parameters::outlines(self).into_iter().find(|it| !known.contains(&it.layer.as_str()));
        Err(match other {
            Some(other) => {
                let name = other.name.rsplit_once('.').map_or(other.name.as_str(), |it| it.0);
                DescribeError::Unknown { name: name.to_owned(), kind: other.layer }
            }
            None => {
                let path = std::any::type_name::<Self>();
                let network = path.rsplit("::").next().unwrap_or(path).to_owned();
                DescribeError::Undescribed { network }
            }
        })
    }
}
