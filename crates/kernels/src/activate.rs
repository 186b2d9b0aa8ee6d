//! An activation as an operation of its own.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, silu};

use crate::cpu::Activation;
#[cfg(feature = "flex")]
use crate::device::is_ours;

/// `activation(x)`, number by number.
///
/// Behind a weighted sum or a normalization, [`conv2d`](crate::conv2d()), [`linear`](crate::linear()) and
/// [`batch_norm`](crate::batch_norm()) take it along.
pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    if activation == Activation::Identity {
        return x;
    }
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        return ours::activate(x, activation);
    }
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Silu => silu(x),
    }
}

#[cfg(feature = "flex")]
pub(crate) mod ours {
    use burn::backend::autodiff::checkpoint::base::Checkpointer;
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;

    use crate::cpu::{self, Activation};
    use crate::flex::{in_order, into_values, tensor, values};

    #[backend_extension(Flex, Autodiff)]
    pub(crate) trait Activate: Backend {
        fn backburn_activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;
    }

    pub(super) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
        Tensor::from_dispatch(Dispatch::backburn_activate(x.into_dispatch(), activation))
    }

    impl Activate for Flex {
        fn backburn_activate(x: FlexTensor, activation: Activation) -> FlexTensor {
            let x = in_order(x);
            tensor(cpu::activate(activation, values(&x)), x.layout().shape().clone())
        }
    }

    #[derive(Debug)]
    struct ActivateBackward;

    impl Backward<Flex, 1> for ActivateBackward {
        /// The input, and what was done to it.
        type State = (FlexTensor, Activation);

        fn backward(
            self,
            ops: Ops<Self::State, 1>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let (x, activation) = ops.state;
            unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
                let gradient = into_values(in_order(gradient));
                let of_x = cpu::activation_gradient(activation, gradient, values(&x));
                tensor(of_x, x.layout().shape().clone())
            });
        }
    }

    impl<C: CheckpointStrategy> Activate for Autodiff<Flex, C> {
        fn backburn_activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
            let node = x.node();
            let x = in_order(x.into_primitive());
            let y = Flex::backburn_activate(x.clone(), activation);
            match ActivateBackward.prepare::<C>([node]).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish((x, activation), y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    }
}
