//! Maximum over windows.

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Tensor, module};

#[cfg(feature = "flex")]
use crate::device::is_ours;

/// How the windows of a maximum lie on the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Height and width of a window in pixels; at least 1.
    pub kernel: usize,
    /// Pixels from one window to the next, down and right; at least 1.
    pub stride: usize,
    /// Pixels around the image on which a window may lie, at most half a window. They are never the maximum.
    pub padding: usize,
}

impl PoolOptions {
    /// 2×2 windows, side by side.
    pub const HALVE: Self = Self { kernel: 2, stride: 2, padding: 0 };

    /// Windows on a side of so many pixels.
    pub fn windows(self, side: usize) -> usize {
        let room = (side + 2 * self.padding).checked_sub(self.kernel);
        room.map_or(0, |room| room / self.stride + 1)
    }
}

/// Maximum over 2×2 windows; an odd last row or column is dropped.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`
/// - returns: `[batch, height / 2, width / 2, channels]`
pub fn max_pool2x2(x: Tensor<4>) -> Tensor<4> {
    max_pool(x, PoolOptions::HALVE)
}

/// Maximum over windows. The first of several equal pixels takes the gradient.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`
/// - returns: `[batch, windows(height), windows(width), channels]` with [`PoolOptions::windows`]
///
/// # Panics
///
/// If the padding is more than half a window, so that a window could lie beside the image.
pub fn max_pool(x: Tensor<4>, options: PoolOptions) -> Tensor<4> {
    let PoolOptions { kernel, stride, padding } = options;
    assert!(kernel > 0 && stride > 0 && 2 * padding <= kernel, "{options:?}");
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        return ours::max_pool(x, options);
    }
    let channels_first = x.permute([0, 3, 1, 2]);
    let options =
        MaxPoolOptions::new([kernel; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
    module::max_pool2d(channels_first, options).permute([0, 2, 3, 1])
}

#[cfg(feature = "flex")]
mod ours {
    use burn::backend::autodiff::checkpoint::base::Checkpointer;
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;

    use super::PoolOptions;
    use crate::cpu::{self, PoolShape, PoolWindows};
    use crate::flex::{in_order, tensor, values};

    #[backend_extension(Flex, Autodiff)]
    pub(super) trait MaxPool: Backend {
        fn backburn_max_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self>;
    }

    pub(super) fn max_pool(x: Tensor<4>, options: PoolOptions) -> Tensor<4> {
        Tensor::from_dispatch(Dispatch::backburn_max_pool(x.into_dispatch(), options))
    }

    fn shape(x: &FlexTensor) -> PoolShape {
        let [batch, height, width, channels] = x.layout().shape().dims();
        PoolShape { batch, height, width, channels }
    }

    fn windows(shape: PoolShape, options: PoolOptions) -> PoolWindows {
        let PoolOptions { kernel, stride, padding } = options;
        let count = [shape.height, shape.width].map(|side| options.windows(side));
        PoolWindows { kernel, stride, padding, count }
    }

    impl MaxPool for Flex {
        fn backburn_max_pool(x: FlexTensor, options: PoolOptions) -> FlexTensor {
            let x = in_order(x);
            let shape = shape(&x);
            let windows = windows(shape, options);
            let y = match options {
                PoolOptions::HALVE => cpu::max_pool(shape, values(&x)),
                _ => cpu::max_pool_windows(shape, windows, values(&x)),
            };
            let [height, width] = windows.count;
            tensor(y, [shape.batch, height, width, shape.channels])
        }
    }

    #[derive(Debug)]
    struct MaxPoolBackward;

    impl Backward<Flex, 1> for MaxPoolBackward {
        /// Input, output and windows.
        type State = (FlexTensor, FlexTensor, PoolOptions);

        fn backward(
            self,
            ops: Ops<Self::State, 1>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let (x, y, options) = ops.state;
            unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
                let gradient = in_order(gradient);
                let (shape, gradient) = (shape(&x), values(&gradient));
                let (from, to) = (values(&x), values(&y));
                let dx = match options {
                    PoolOptions::HALVE => cpu::max_pool_gradient(shape, from, to, gradient),
                    _ => {
                        let windows = windows(shape, options);
                        cpu::max_pool_windows_gradient(shape, windows, from, to, gradient)
                    }
                };
                tensor(dx, x.layout().shape().clone())
            });
        }
    }

    impl<C: CheckpointStrategy> MaxPool for Autodiff<Flex, C> {
        fn backburn_max_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
            let node = x.node();
            let x = in_order(x.into_primitive());
            let y = Flex::backburn_max_pool(x.clone(), options);
            match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish((x, y.clone(), options), y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    }
}
