//! Batch normalization, with a residual and an activation.

#[cfg(feature = "cube")]
mod on_cards;

use burn::tensor::{Tensor, module};

use crate::activate::activate;
use crate::cpu::Activation;
#[cfg(feature = "cube")]
use crate::device::is_on_card;
#[cfg(feature = "flex")]
use crate::device::is_ours;

/// What [`batch_norm_train`] gives.
#[derive(Clone, Debug)]
pub struct Normalized<const D: usize> {
    /// The shape of the input.
    pub output: Tensor<D>,
    /// Statistics of the batch, without gradient.
    pub statistics: BatchStatistics,
}

/// Mean and variance of each channel over images and pixels.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// `[channels]`
    pub mean: Tensor<1>,
    /// `[channels]`, the biased one.
    pub variance: Tensor<1>,
}

/// Scale and shift of a normalization, each `[channels]`, and what is added to the variance.
#[derive(Clone, Debug)]
pub struct BatchNormParameters {
    /// γ
    pub gamma: Tensor<1>,
    /// β
    pub beta: Tensor<1>,
    /// ε, positive.
    pub epsilon: f64,
}

/// `activation(γ · (x − mean) / √(variance + ε) + β + residual)` with the batch's own mean and
/// variance.
///
/// Ioffe & Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167), ICML 2015.
///
/// # Shapes
///
/// - `x`, `residual`: `[batch, …, channels]`; the output has the same
pub fn batch_norm_train<const D: usize>(
    x: Tensor<D>,
    parameters: BatchNormParameters,
    residual: Option<Tensor<D>>,
    activation: Activation,
) -> Normalized<D> {
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        return ours::batch_norm_train(x, parameters, residual, activation);
    }
    #[cfg(feature = "cube")]
    if is_on_card(&x) {
        return on_cards::batch_norm_train(x, parameters, residual, activation);
    }
    let BatchNormParameters { gamma, beta, epsilon } = parameters;
    let result = module::batch_norm_train(channels_second(x), gamma, beta, epsilon);
    let output = finish(channels_last(result.output), residual, activation);
    let statistics =
        BatchStatistics { mean: result.mean.detach(), variance: result.variance.detach() };
    Normalized { output, statistics }
}

/// `activation(γ · (x − mean) / √(variance + ε) + β + residual)` with given statistics.
///
/// # Shapes
///
/// - `x`, `residual`: `[batch, …, channels]`; returns the same
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    parameters: BatchNormParameters,
    statistics: BatchStatistics,
    residual: Option<Tensor<D>>,
    activation: Activation,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        return ours::batch_norm(x, parameters, statistics, residual, activation);
    }
    let BatchNormParameters { gamma, beta, epsilon } = parameters;
    let BatchStatistics { mean, variance } = statistics;
    let y = module::batch_norm(channels_second(x), gamma, beta, mean, variance, epsilon);
    finish(channels_last(y), residual, activation)
}

fn finish<const D: usize>(
    y: Tensor<D>,
    residual: Option<Tensor<D>>,
    activation: Activation,
) -> Tensor<D> {
    let y = match residual {
        Some(residual) => y + residual,
        None => y,
    };
    activate(y, activation)
}

/// `[batch, …, channels]` to `[batch, channels, …]`.
fn channels_second<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let mut axes = std::array::from_fn::<isize, D, _>(|axis| axis as isize);
    axes[1..].rotate_right(1);
    x.permute(axes)
}

/// `[batch, channels, …]` to `[batch, …, channels]`.
fn channels_last<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let mut axes = std::array::from_fn::<isize, D, _>(|axis| axis as isize);
    axes[1..].rotate_left(1);
    x.permute(axes)
}

#[cfg(feature = "flex")]
mod ours {
    use burn::backend::autodiff::checkpoint::base::Checkpointer;
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;

    use super::{BatchNormParameters, BatchStatistics, Normalized};
    use crate::cpu::{self, Activation, FollowedBy, Moments, NormalizeForward, Statistics};
    use crate::flex::{in_order, into_values, optional, tensor, values};

    #[backend_extension(Flex, Autodiff)]
    pub(super) trait BatchNormTrain: Backend {
        /// Output, mean and variance. Without residual if `residual` is empty: an operation cannot
        /// have optional tensors.
        fn backburn_batch_norm_train(
            x: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: FloatTensor<Self>,
            residual: FloatTensor<Self>,
            epsilon: f32,
            activation: Activation,
        ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    }

    #[backend_extension(Flex, Autodiff)]
    pub(super) trait BatchNorm: Backend {
        /// The output as in training, with given moments.
        #[allow(clippy::too_many_arguments)]
        fn backburn_batch_norm(
            x: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: FloatTensor<Self>,
            mean: FloatTensor<Self>,
            variance: FloatTensor<Self>,
            residual: FloatTensor<Self>,
            epsilon: f32,
            activation: Activation,
        ) -> FloatTensor<Self>;
    }

    pub(super) fn batch_norm_train<const D: usize>(
        x: Tensor<D>,
        parameters: BatchNormParameters,
        residual: Option<Tensor<D>>,
        activation: Activation,
    ) -> Normalized<D> {
        let residual = residual.unwrap_or_else(|| Tensor::empty([0; D], &x.device()));
        let (output, mean, variance) = Dispatch::backburn_batch_norm_train(
            x.into_dispatch(),
            parameters.gamma.into_dispatch(),
            parameters.beta.into_dispatch(),
            residual.into_dispatch(),
            parameters.epsilon as f32,
            activation,
        );
        let statistics = BatchStatistics {
            mean: Tensor::from_dispatch(mean),
            variance: Tensor::from_dispatch(variance),
        };
        Normalized { output: Tensor::from_dispatch(output), statistics }
    }

    pub(super) fn batch_norm<const D: usize>(
        x: Tensor<D>,
        parameters: BatchNormParameters,
        statistics: BatchStatistics,
        residual: Option<Tensor<D>>,
        activation: Activation,
    ) -> Tensor<D> {
        let residual = residual.unwrap_or_else(|| Tensor::empty([0; D], &x.device()));
        Tensor::from_dispatch(Dispatch::backburn_batch_norm(
            x.into_dispatch(),
            parameters.gamma.into_dispatch(),
            parameters.beta.into_dispatch(),
            statistics.mean.into_dispatch(),
            statistics.variance.into_dispatch(),
            residual.into_dispatch(),
            parameters.epsilon as f32,
            activation,
        ))
    }

    fn normalize(
        x: &FlexTensor,
        moments: &Moments,
        gamma: FlexTensor,
        beta: FlexTensor,
        residual: FlexTensor,
        epsilon: f32,
        activation: Activation,
    ) -> FlexTensor {
        let (gamma, beta, residual) = (in_order(gamma), in_order(beta), in_order(residual));
        let residual = optional(&residual);
        let (gamma, beta) = (values(&gamma), values(&beta));
        let y = cpu::normalize(values(x), moments, gamma, beta, epsilon, residual, activation);
        tensor(y, x.layout().shape().clone())
    }

    impl BatchNorm for Flex {
        fn backburn_batch_norm(
            x: FlexTensor,
            gamma: FlexTensor,
            beta: FlexTensor,
            mean: FlexTensor,
            variance: FlexTensor,
            residual: FlexTensor,
            epsilon: f32,
            activation: Activation,
        ) -> FlexTensor {
            let moments = Moments { mean: into_values(mean), variance: into_values(variance) };
            normalize(&in_order(x), &moments, gamma, beta, residual, epsilon, activation)
        }
    }

    impl BatchNormTrain for Flex {
        fn backburn_batch_norm_train(
            x: FlexTensor,
            gamma: FlexTensor,
            beta: FlexTensor,
            residual: FlexTensor,
            epsilon: f32,
            activation: Activation,
        ) -> (FlexTensor, FlexTensor, FlexTensor) {
            let x = in_order(x);
            let [channels] = gamma.layout().shape().dims();
            let moments = cpu::moments(values(&x), channels);
            let y = normalize(&x, &moments, gamma, beta, residual, epsilon, activation);
            (y, tensor(moments.mean, [channels]), tensor(moments.variance, [channels]))
        }
    }

    #[derive(Clone, Debug)]
    struct State {
        x: FlexTensor,
        gamma: FlexTensor,
        moments: Moments,
        statistics: Statistics,
        epsilon: f32,
        kept: Kept,
    }

    /// What the activation's gradient takes.
    #[derive(Clone, Debug)]
    enum Kept {
        Nothing,
        /// Behind ReLU of a sum.
        Output(FlexTensor),
        /// For ReLU of what the normalization gave.
        Beta(FlexTensor),
        /// Of what the activation was given, what is not kept anyway; the residual is empty if there was none.
        BetaAndResidual(FlexTensor, FlexTensor),
    }

    impl Kept {
        /// All but `activation` are [`in_order`].
        fn of(
            activation: Activation,
            beta: FlexTensor,
            residual: FlexTensor,
            output: &FlexTensor,
        ) -> Self {
            match activation {
                Activation::Identity => Self::Nothing,
                Activation::Relu if optional(&residual).is_none() => Self::Beta(beta),
                Activation::Relu => Self::Output(output.clone()),
                Activation::Silu => Self::BetaAndResidual(beta, residual),
            }
        }

        fn followed_by(&self) -> FollowedBy<'_> {
            match self {
                Self::Nothing => FollowedBy::Nothing,
                Self::Beta(beta) => FollowedBy::Relu { beta: values(beta) },
                Self::Output(output) => FollowedBy::ReluOfSum { output: values(output) },
                Self::BetaAndResidual(beta, residual) => {
                    FollowedBy::Silu { beta: values(beta), residual: optional(residual) }
                }
            }
        }
    }

    #[derive(Debug)]
    struct BatchNormBackward;

    impl Backward<Flex, 4> for BatchNormBackward {
        type State = State;

        fn backward(
            self,
            ops: Ops<State, 4>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let State { x, gamma, moments, statistics, epsilon, kept } = ops.state;
            let [node_x, node_gamma, node_beta, node_residual] = ops.parents;
            let gradient = in_order(gradients.consume::<Flex>(&ops.node));
            let forward = NormalizeForward {
                x: values(&x),
                moments: &moments,
                statistics,
                gamma: values(&gamma),
                epsilon,
                followed_by: kept.followed_by(),
            };
            let gradient = into_values(gradient);
            let ours = cpu::normalize_gradient(forward, gradient, node_residual.is_some());
            let shape = x.layout().shape().clone();
            let channels = [moments.mean.len()];
            if let Some((node, residual)) = node_residual.zip(ours.residual) {
                gradients.register::<Flex>(node.id, tensor(residual, shape.clone()));
            }
            if let Some(node) = node_gamma {
                gradients.register::<Flex>(node.id, tensor(ours.gamma, channels));
            }
            if let Some(node) = node_beta {
                gradients.register::<Flex>(node.id, tensor(ours.beta, channels));
            }
            if let Some(node) = node_x {
                gradients.register::<Flex>(node.id, tensor(ours.x, shape));
            }
        }
    }

    impl<C: CheckpointStrategy> BatchNormTrain for Autodiff<Flex, C> {
        fn backburn_batch_norm_train(
            x: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: FloatTensor<Self>,
            residual: FloatTensor<Self>,
            epsilon: f32,
            activation: Activation,
        ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
            let nodes = [x.node(), gamma.node(), beta.node(), residual.node()];
            let x = in_order(x.into_primitive());
            let [gamma, beta, residual] =
                [gamma, beta, residual].map(|it| in_order(it.into_primitive()));
            let (y, mean, variance) = Flex::backburn_batch_norm_train(
                x.clone(),
                gamma.clone(),
                beta.clone(),
                residual.clone(),
                epsilon,
                activation,
            );
            let moments =
                Moments { mean: values(&mean).to_vec(), variance: values(&variance).to_vec() };
            let y = match BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => {
                    let kept = Kept::of(activation, beta, residual, &y);
                    let statistics = Statistics::OfBatch;
                    prep.finish(State { x, gamma, moments, statistics, epsilon, kept }, y)
                }
                OpsKind::UnTracked(prep) => prep.finish(y),
            };
            (
                y,
                <Self as AutodiffBackend>::from_inner(mean),
                <Self as AutodiffBackend>::from_inner(variance),
            )
        }
    }

    impl<C: CheckpointStrategy> BatchNorm for Autodiff<Flex, C> {
        fn backburn_batch_norm(
            x: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: FloatTensor<Self>,
            mean: FloatTensor<Self>,
            variance: FloatTensor<Self>,
            residual: FloatTensor<Self>,
            epsilon: f32,
            activation: Activation,
        ) -> FloatTensor<Self> {
            let nodes = [x.node(), gamma.node(), beta.node(), residual.node()];
            let x = in_order(x.into_primitive());
            let [gamma, beta, residual] =
                [gamma, beta, residual].map(|it| in_order(it.into_primitive()));
            let moments = Moments {
                mean: into_values(mean.into_primitive()),
                variance: into_values(variance.into_primitive()),
            };
            let y = normalize(
                &x,
                &moments,
                gamma.clone(),
                beta.clone(),
                residual.clone(),
                epsilon,
                activation,
            );
            match BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => {
                    let kept = Kept::of(activation, beta, residual, &y);
                    let statistics = Statistics::Given;
                    prep.finish(State { x, gamma, moments, statistics, epsilon, kept }, y)
                }
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    }
}
