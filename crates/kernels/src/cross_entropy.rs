//! Cross-entropy between logits and target distributions.

use burn::tensor::Tensor;
use burn::tensor::loss::cross_entropy_with_logits;

/// `−Σ targets · log softmax(logits)` over the classes, mean over the batch, in nats.
///
/// # Shapes
///
/// - `logits`: `[batch, classes]`
/// - `targets`: `[batch, classes]`, without gradients
/// - returns: `[1]`
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if crate::device::is_on_card(&logits) {
        return on_cards::cross_entropy(logits, targets);
    }
    cross_entropy_with_logits(logits, targets)
}

#[cfg(feature = "cube")]
mod on_cards {
    use burn::backend::autodiff::checkpoint::base::Checkpointer;
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
    use burn::backend::fusion::custom::TensorSpec;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, backend_extension};
    use burn::tensor::{Shape, Tensor};
    use burn_cubecl::CubeBackend;

    use crate::cube::cross_entropy::{backward, forward};

    #[backend_extension(Cube, Fusion, Autodiff)]
    pub(super) trait CrossEntropyOnCards: Backend {
        /// The loss, and sums by row that its gradient takes.
        #[fusion(meta = |logits, _targets| {
            let of = |shape: Shape| TensorSpec::new(shape, logits.dtype);
            (of(Shape::new([1])), of(Shape::new([logits.shape.as_slice()[0], 3])))
        })]
        fn backburn_cross_entropy_on_cards(
            logits: FloatTensor<Self>,
            targets: FloatTensor<Self>,
        ) -> (FloatTensor<Self>, FloatTensor<Self>);
    }

    #[backend_extension(Cube, Fusion)]
    pub(super) trait CrossEntropyGradientOnCards: Backend {
        #[fusion(dtype = logits, shape = logits)]
        fn backburn_cross_entropy_gradient_on_cards(
            gradient: FloatTensor<Self>,
            logits: FloatTensor<Self>,
            targets: FloatTensor<Self>,
            sums: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
    }

    pub(super) fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
        let (loss, _) = Dispatch::backburn_cross_entropy_on_cards(logits, targets);
        Tensor::from_dispatch(loss)
    }

    impl CrossEntropyOnCards for CubeBackend {
        fn backburn_cross_entropy_on_cards(
            logits: FloatTensor<Self>,
            targets: FloatTensor<Self>,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            forward(logits, targets)
        }
    }

    impl CrossEntropyGradientOnCards for CubeBackend {
        fn backburn_cross_entropy_gradient_on_cards(
            gradient: FloatTensor<Self>,
            logits: FloatTensor<Self>,
            targets: FloatTensor<Self>,
            sums: FloatTensor<Self>,
        ) -> FloatTensor<Self> {
            backward(gradient, logits, targets, sums)
        }
    }

    #[derive(Debug)]
    struct CrossEntropyBackward;

    impl<B: Backend + CrossEntropyGradientOnCards> Backward<B, 1> for CrossEntropyBackward {
        /// Logits, targets, and sums by row.
        type State = [FloatTensor<B>; 3];

        fn backward(
            self,
            ops: Ops<Self::State, 1>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let [logits, targets, sums] = ops.state;
            unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                B::backburn_cross_entropy_gradient_on_cards(gradient, logits, targets, sums)
            });
        }
    }

    impl<B, C> CrossEntropyOnCards for Autodiff<B, C>
    where
        B: Backend + CrossEntropyOnCards + CrossEntropyGradientOnCards,
        C: CheckpointStrategy,
    {
        fn backburn_cross_entropy_on_cards(
            logits: FloatTensor<Self>,
            targets: FloatTensor<Self>,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            let node = logits.node();
            let (logits, targets) = (logits.into_primitive(), targets.into_primitive());
            let (loss, sums) = B::backburn_cross_entropy_on_cards(logits.clone(), targets.clone());
            let loss = match CrossEntropyBackward.prepare::<C>([node]).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish([logits, targets, sums.clone()], loss),
                OpsKind::UnTracked(prep) => prep.finish(loss),
            };
            (loss, <Self as AutodiffBackend>::from_inner(sums))
        }
    }
}
