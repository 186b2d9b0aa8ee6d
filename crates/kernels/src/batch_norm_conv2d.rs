//! Batch normalization in training with its activation, and the convolution that reads what they give.

use burn::tensor::Tensor;

use crate::batch_norm::{BatchNormParameters, Normalized, batch_norm_train};
use crate::conv_options::ConvOptions;
use crate::conv2d::conv2d;
use crate::cpu::Activation;

/// [`batch_norm_train`] and then [`conv2d`], as one operation where our kernels run: the map between them is not kept for
/// the gradients but made anew from `x`, which is kept anyway. That takes a pass over the map in place of its memory, and
/// changes no bit.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, inputs]`
/// - parameters: `[inputs]`
/// - `weight`: `[outputs, inputs, kernel height, kernel width]`
/// - `bias`: `[outputs]`
/// - returns: `[batch, height, width, outputs]`, and the statistics of `x`
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn batch_norm_train_conv2d(
    x: Tensor<4>,
    parameters: BatchNormParameters,
    activation: Activation,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
) -> Normalized<4> {
    #[cfg(feature = "flex")]
    if crate::device::is_ours(&x) {
        return ours::batch_norm_train_conv2d(x, parameters, activation, weight, bias, options);
    }
    let Normalized { output, statistics } = batch_norm_train(x, parameters, None, activation);
    let output = conv2d(output, weight, bias, options, Activation::Identity);
    Normalized { output, statistics }
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

    use crate::batch_norm::{BatchNormParameters, BatchStatistics, Normalized};
    use crate::conv_options::ConvOptions;
    use crate::conv2d::ours::{Convolution, convolve_and_finish};
    use crate::cpu::{
        self, Activation, Finish, FollowedBy, Moments, NormalizeForward, Statistics, bias_gradient,
        input_gradient, weight_gradient,
    };
    use crate::flex::{in_order, optional, tensor, values};

    /// The normalization before a convolution.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Before {
        epsilon: f32,
        activation: Activation,
    }

    #[backend_extension(Flex, Autodiff)]
    pub(super) trait NormalizeAndConvolve: Backend {
        /// Output, mean and variance. Without bias if `bias` is empty: an operation cannot have optional tensors.
        fn backburn_normalize_and_convolve(
            x: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            before: Before,
            convolution: Convolution,
        ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    }

    pub(super) fn batch_norm_train_conv2d(
        x: Tensor<4>,
        parameters: BatchNormParameters,
        activation: Activation,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions,
    ) -> Normalized<4> {
        let convolution = Convolution::of(&x, &weight, options, Activation::Identity);
        // An empty one would stand for none.
        if let Some(bias) = &bias {
            assert_eq!(bias.dims(), [convolution.shape.outputs], "a bias for each output channel");
        }
        let bias = bias.unwrap_or_else(|| Tensor::empty([0], &x.device()));
        let (output, mean, variance) = Dispatch::backburn_normalize_and_convolve(
            x.into_dispatch(),
            parameters.gamma.into_dispatch(),
            parameters.beta.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            Before { epsilon: parameters.epsilon as f32, activation },
            convolution,
        );
        let statistics = BatchStatistics {
            mean: Tensor::from_dispatch(mean),
            variance: Tensor::from_dispatch(variance),
        };
        Normalized { output: Tensor::from_dispatch(output), statistics }
    }

    /// What the convolution reads. All tensors are [`in_order`].
    fn normalized(
        x: &FlexTensor,
        moments: &Moments,
        gamma: &FlexTensor,
        beta: &FlexTensor,
        before: Before,
    ) -> Vec<f32> {
        let (gamma, beta) = (values(gamma), values(beta));
        cpu::normalize(values(x), moments, gamma, beta, before.epsilon, None, before.activation)
    }

    impl NormalizeAndConvolve for Flex {
        fn backburn_normalize_and_convolve(
            x: FlexTensor,
            gamma: FlexTensor,
            beta: FlexTensor,
            weight: FlexTensor,
            bias: FlexTensor,
            before: Before,
            convolution: Convolution,
        ) -> (FlexTensor, FlexTensor, FlexTensor) {
            let [x, gamma, beta, weight, bias] = [x, gamma, beta, weight, bias].map(in_order);
            let Convolution { shape, layout, output, activation } = convolution;
            let moments = cpu::moments(values(&x), shape.inputs);
            let between = normalized(&x, &moments, &gamma, &beta, before);
            let between = tensor(between, x.layout().shape().clone());
            let finish = Finish::of(optional(&bias), activation);
            let y = convolve_and_finish(&shape, &between, &weight, layout, finish);
            let [mean, variance] =
                [moments.mean, moments.variance].map(|it| tensor(it, [shape.inputs]));
            (tensor(y, output), mean, variance)
        }
    }

    #[derive(Clone, Debug)]
    struct State {
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        weight: FlexTensor,
        moments: Moments,
        before: Before,
        convolution: Convolution,
    }

    #[derive(Debug)]
    struct NormalizeAndConvolveBackward;

    impl Backward<Flex, 5> for NormalizeAndConvolveBackward {
        type State = State;

        fn backward(
            self,
            ops: Ops<State, 5>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let State { x, gamma, beta, weight, moments, before, convolution } = ops.state;
            let Convolution { shape, layout, .. } = convolution;
            let [node_x, node_gamma, node_beta, node_weight, node_bias] = ops.parents;
            let gradient = in_order(gradients.consume::<Flex>(&ops.node));
            if let Some(node) = node_bias {
                let bias = bias_gradient(values(&gradient), shape.outputs);
                gradients.register::<Flex>(node.id, tensor(bias, [shape.outputs]));
            }
            if let Some(node) = node_weight {
                let between = normalized(&x, &moments, &gamma, &beta, before);
                let of_weight = weight_gradient(&shape, &between, values(&gradient), layout);
                let of_weight = tensor(of_weight, weight.layout().shape().clone());
                gradients.register::<Flex>(node.id, of_weight);
            }
            if node_x.is_none() && node_gamma.is_none() && node_beta.is_none() {
                return;
            }
            let of_between = input_gradient(&shape, values(&gradient), values(&weight), layout);
            drop(gradient);
            let beta = values(&beta);
            let followed_by = match before.activation {
                Activation::Identity => FollowedBy::Nothing,
                Activation::Relu => FollowedBy::Relu { beta },
                Activation::Silu => FollowedBy::Silu { beta, residual: None },
            };
            let forward = NormalizeForward {
                x: values(&x),
                moments: &moments,
                statistics: Statistics::OfBatch,
                gamma: values(&gamma),
                epsilon: before.epsilon,
                followed_by,
            };
            let ours = cpu::normalize_gradient(forward, of_between, false);
            if let Some(node) = node_gamma {
                gradients.register::<Flex>(node.id, tensor(ours.gamma, [shape.inputs]));
            }
            if let Some(node) = node_beta {
                gradients.register::<Flex>(node.id, tensor(ours.beta, [shape.inputs]));
            }
            if let Some(node) = node_x {
                gradients.register::<Flex>(node.id, tensor(ours.x, x.layout().shape().clone()));
            }
        }
    }

    impl<C: CheckpointStrategy> NormalizeAndConvolve for Autodiff<Flex, C> {
        fn backburn_normalize_and_convolve(
            x: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            before: Before,
            convolution: Convolution,
        ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
            let nodes = [x.node(), gamma.node(), beta.node(), weight.node(), bias.node()];
            let [x, gamma, beta, weight] =
                [x, gamma, beta, weight].map(|it| in_order(it.into_primitive()));
            let (y, mean, variance) = Flex::backburn_normalize_and_convolve(
                x.clone(),
                gamma.clone(),
                beta.clone(),
                weight.clone(),
                bias.into_primitive(),
                before,
                convolution.clone(),
            );
            let moments =
                Moments { mean: values(&mean).to_vec(), variance: values(&variance).to_vec() };
            let kind = NormalizeAndConvolveBackward.prepare::<C>(nodes).compute_bound().stateful();
            let y = match kind {
                OpsKind::Tracked(prep) => {
                    let state = State { x, gamma, beta, weight, moments, before, convolution };
                    prep.finish(state, y)
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
}
