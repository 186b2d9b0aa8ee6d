//! Maximum over windows.

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Tensor, module};

#[cfg(feature = "flex")]
use crate::device::is_ours;

/// Maximum over 2×2 windows; an odd last row or column is dropped.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`
/// - returns: `[batch, height / 2, width / 2, channels]`
pub fn max_pool2x2(x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        return ours::max_pool(x);
    }
    let channels_first = x.permute([0, 3, 1, 2]);
    module::max_pool2d(channels_first, MaxPoolOptions::new([2, 2])).permute([0, 2, 3, 1])
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

    use crate::cpu::{self, PoolShape};
    use crate::flex::{in_order, tensor, values};

    #[backend_extension(Flex, Autodiff)]
    pub(super) trait MaxPool: Backend {
        fn backburn_max_pool(x: FloatTensor<Self>) -> FloatTensor<Self>;
    }

    pub(super) fn max_pool(x: Tensor<4>) -> Tensor<4> {
        Tensor::from_dispatch(Dispatch::backburn_max_pool(x.into_dispatch()))
    }

    fn shape(x: &FlexTensor) -> PoolShape {
        let [batch, height, width, channels] = x.layout().shape().dims();
        PoolShape { batch, height, width, channels }
    }

    impl MaxPool for Flex {
        fn backburn_max_pool(x: FlexTensor) -> FlexTensor {
            let x = in_order(x);
            let shape = shape(&x);
            let y = cpu::max_pool(shape, values(&x));
            tensor(y, [shape.batch, shape.height / 2, shape.width / 2, shape.channels])
        }
    }

    #[derive(Debug)]
    struct MaxPoolBackward;

    impl Backward<Flex, 1> for MaxPoolBackward {
        /// Input and output.
        type State = (FlexTensor, FlexTensor);

        fn backward(
            self,
            ops: Ops<Self::State, 1>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let (x, y) = ops.state;
            unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
                let gradient = in_order(gradient);
                let (shape, gradient) = (shape(&x), values(&gradient));
                let dx = cpu::max_pool_gradient(shape, values(&x), values(&y), gradient);
                tensor(dx, x.layout().shape().clone())
            });
        }
    }

    impl<C: CheckpointStrategy> MaxPool for Autodiff<Flex, C> {
        fn backburn_max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
            let node = x.node();
            let x = in_order(x.into_primitive());
            let y = Flex::backburn_max_pool(x.clone());
            match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish((x, y.clone()), y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    }
}
