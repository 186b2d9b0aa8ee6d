//! Batch normalization of training on graphics cards, by our kernels: two launches forward and two backward, where Burn's own
//! operations take sixteen and more.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;

use crate::batch_norm::{BatchNormParameters, BatchStatistics, Normalized};
use crate::cpu::Activation;
use crate::cube::batch_norm::{Forward, backward, forward};

#[backend_extension(Cube, Fusion, Autodiff)]
pub(super) trait BatchNormOnCards: Backend {
    /// Output, mean and variance. Without `has_residual`, `residual` is any tensor and not looked at: an operation cannot
    /// have optional ones.
    #[fusion(meta = |x, gamma, _beta, _residual, _epsilon, _activation, _has_residual| {
        (x.clone(), gamma.clone(), gamma.clone())
    })]
    fn backburn_batch_norm_on_cards(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f32,
        activation: Activation,
        has_residual: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

#[backend_extension(Cube, Fusion)]
pub(super) trait BatchNormGradientOnCards: Backend {
    /// Gradients of `x`, `gamma`, `beta`, and of the residual.
    #[allow(clippy::too_many_arguments)]
    #[fusion(meta = |_gradient, x, gamma, beta, _mean, _variance, _residual, _output, _epsilon, _activation, _has_residual| {
        (x.clone(), gamma.clone(), beta.clone(), x.clone())
    })]
    fn backburn_batch_norm_gradient_on_cards(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        output: FloatTensor<Self>,
        epsilon: f32,
        activation: Activation,
        has_residual: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

pub(super) fn batch_norm_train<const D: usize>(
    x: Tensor<D>,
    parameters: BatchNormParameters,
    residual: Option<Tensor<D>>,
    activation: Activation,
) -> Normalized<D> {
    let BatchNormParameters { gamma, beta, epsilon } = parameters;
    let has_residual = residual.is_some();
    let residual = match residual {
        Some(residual) => residual.into_dispatch(),
        None => gamma.clone().detach().into_dispatch(),
    };
    let (output, mean, variance) = Dispatch::backburn_batch_norm_on_cards(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        residual,
        epsilon as f32,
        activation,
        has_residual,
    );
    let statistics = BatchStatistics {
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    };
    Normalized { output: Tensor::from_dispatch(output), statistics }
}

impl BatchNormOnCards for CubeBackend {
    fn backburn_batch_norm_on_cards(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f32,
        activation: Activation,
        has_residual: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        forward(x, gamma, beta, has_residual.then_some(residual), epsilon, activation)
    }
}

impl BatchNormGradientOnCards for CubeBackend {
    fn backburn_batch_norm_gradient_on_cards(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        output: FloatTensor<Self>,
        epsilon: f32,
        activation: Activation,
        has_residual: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let residual = has_residual.then_some(residual);
        let of_forward =
            Forward { x, gamma, beta, mean, variance, residual, output, epsilon, activation };
        backward(gradient, of_forward).into()
    }
}

#[derive(Clone, Debug)]
struct State<B: Backend> {
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    residual: FloatTensor<B>,
    output: FloatTensor<B>,
    epsilon: f32,
    activation: Activation,
    has_residual: bool,
}

#[derive(Debug)]
struct BatchNormBackward;

impl<B: Backend + BatchNormGradientOnCards> Backward<B, 4> for BatchNormBackward {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<State<B>, 4>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let (of_x, of_gamma, of_beta, of_residual) = B::backburn_batch_norm_gradient_on_cards(
            gradient,
            state.x,
            state.gamma,
            state.beta,
            state.mean,
            state.variance,
            state.residual,
            state.output,
            state.epsilon,
            state.activation,
            state.has_residual,
        );
        let [node_x, node_gamma, node_beta, node_residual] = ops.parents;
        let of_parents = [
            (node_x, of_x),
            (node_gamma, of_gamma),
            (node_beta, of_beta),
            (node_residual.filter(|_| state.has_residual), of_residual),
        ];
        for (node, gradient) in of_parents {
            if let Some(node) = node {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B, C> BatchNormOnCards for Autodiff<B, C>
where
    B: Backend + BatchNormOnCards + BatchNormGradientOnCards,
    C: CheckpointStrategy,
{
    fn backburn_batch_norm_on_cards(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f32,
        activation: Activation,
        has_residual: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [x.node(), gamma.node(), beta.node(), residual.node()];
        let [x, gamma, beta, residual] =
            [x, gamma, beta, residual].map(|tensor| tensor.into_primitive());
        let (output, mean, variance) = B::backburn_batch_norm_on_cards(
            x.clone(),
            gamma.clone(),
            beta.clone(),
            residual.clone(),
            epsilon,
            activation,
            has_residual,
        );
        let prepared = BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful();
        let y = match prepared {
            OpsKind::Tracked(prep) => {
                let (mean, variance) = (mean.clone(), variance.clone());
                let kept = output.clone();
                prep.finish(
                    State {
                        x,
                        gamma,
                        beta,
                        mean,
                        variance,
                        residual,
                        output: kept,
                        epsilon,
                        activation,
                        has_residual,
                    },
                    output,
                )
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (
            y,
            <Self as AutodiffBackend>::from_inner(mean),
            <Self as AutodiffBackend>::from_inner(variance),
        )
    }
}
