//! Dropout.

use burn::tensor::{Distribution, Tensor};

#[cfg(feature = "flex")]
use crate::device::is_ours;

/// Sets each number to zero with probability `rate` and divides the others by `1 − rate`. Draws from
/// the device's generator.
///
/// Srivastava et al., [Dropout](https://jmlr.org/papers/v15/srivastava14a.html), JMLR 2014, with the
/// scaling in training ("inverted").
///
/// `rate`: in `[0, 1)`.
pub fn dropout<const D: usize>(x: Tensor<D>, rate: f64) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        return ours::dropout(x, rate);
    }
    let mask = Tensor::random(x.dims(), Distribution::Bernoulli(1.0 - rate), &x.device());
    x * mask.div_scalar(1.0 - rate)
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
    use burn::tensor::{Distribution, Int, Tensor};

    use crate::cpu::{self, DropoutMask};
    use crate::flex::{in_order, tensor, values};

    #[backend_extension(Flex, Autodiff)]
    pub(super) trait Dropout: Backend {
        fn backburn_dropout(x: FloatTensor<Self>, mask: DropoutMask) -> FloatTensor<Self>;
    }

    pub(super) fn dropout<const D: usize>(x: Tensor<D>, rate: f64) -> Tensor<D> {
        // Two numbers of the device's generator name the stream that the mask is drawn from.
        let device = x.device().without_autodiff();
        let range = Distribution::Uniform(0.0, f64::from(1 << 24));
        let key = Tensor::<1, Int>::random([2], range, &device).into_data();
        let key: Vec<u32> = key.iter::<u32>().collect();
        let mask = DropoutMask { rate, key: [key[0], key[1]] };
        Tensor::from_dispatch(Dispatch::backburn_dropout(x.into_dispatch(), mask))
    }

    fn masked(x: FlexTensor, mask: DropoutMask) -> FlexTensor {
        let x = in_order(x);
        tensor(cpu::dropout(mask, values(&x)), x.layout().shape().clone())
    }

    impl Dropout for Flex {
        fn backburn_dropout(x: FlexTensor, mask: DropoutMask) -> FlexTensor {
            masked(x, mask)
        }
    }

    #[derive(Debug)]
    struct DropoutBackward;

    impl Backward<Flex, 1> for DropoutBackward {
        type State = DropoutMask;

        fn backward(
            self,
            ops: Ops<DropoutMask, 1>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let mask = ops.state;
            unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| masked(gradient, mask));
        }
    }

    impl<C: CheckpointStrategy> Dropout for Autodiff<Flex, C> {
        fn backburn_dropout(x: FloatTensor<Self>, mask: DropoutMask) -> FloatTensor<Self> {
            let node = x.node();
            let y = masked(x.into_primitive(), mask);
            match DropoutBackward.prepare::<C>([node]).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(mask, y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    }
}
