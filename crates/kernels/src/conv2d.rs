//! Two-dimensional convolution.

#[cfg(feature = "cube")]
mod on_cards;

use burn::tensor::{Tensor, module};

use crate::activate::activate;
use crate::conv_options::ConvOptions;
use crate::cpu::Activation;
#[cfg(feature = "flex")]
use crate::device::is_ours;

/// `activation(weight ∗ x + bias)`, where ∗ is cross-correlation, as in PyTorch's `Conv2d`.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, inputs]`
/// - `weight`: `[outputs, inputs, kernel height, kernel width]`
/// - `bias`: `[outputs]`
/// - returns: `[batch, height, width, outputs]`
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    activation: Activation,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        return ours::conv2d(x, weight, bias, options, activation);
    }
    #[cfg(feature = "cube")]
    if crate::device::is_on_card(&x) {
        return on_cards::conv2d(x, weight, bias, options, activation);
    }
    activate(elsewhere(x, weight, bias, options), activation)
}

/// The convolution on other backends.
fn elsewhere(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
) -> Tensor<4> {
    #[cfg(feature = "ndarray")]
    if crate::device::multiplies_windows(&x) {
        let y = crate::window_product::window_product(x, weight, options);
        return match bias {
            Some(bias) => y + bias.unsqueeze(),
            None => y,
        };
    }
    let channels_first = x.permute([0, 3, 1, 2]);
    let options = burn::tensor::ops::ConvOptions::new(options.stride, options.padding, [1, 1], 1);
    module::conv2d(channels_first, weight, bias, options).permute([0, 2, 3, 1])
}

/// Convolutions and linear layers on Flex, for tensors of any rank.
#[cfg(feature = "flex")]
pub(crate) mod ours {
    use burn::backend::autodiff::checkpoint::base::Checkpointer;
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::{Shape, Tensor};

    use crate::activate::ours::Activate;
    use crate::conv_options::ConvOptions;
    use crate::cpu::{
        self, Activation, ConvShape, Finish, WeightLayout, bias_gradient, input_gradient,
        weight_gradient,
    };
    use crate::flex::{in_order, into_values, optional, tensor, values};
    use crate::packed_weights::ours::kept;

    /// What is convolved, and how weights and output are laid out.
    #[derive(Clone, Debug)]
    pub(crate) struct Convolution {
        pub(crate) shape: ConvShape,
        pub(crate) layout: WeightLayout,
        pub(crate) output: Shape,
        pub(crate) activation: Activation,
    }

    #[backend_extension(Flex, Autodiff)]
    pub(crate) trait Convolve: Backend {
        /// A convolution, without bias if `bias` is empty: an operation cannot have optional
        /// tensors.
        fn backburn_convolve(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            convolution: Convolution,
        ) -> FloatTensor<Self>;
    }

    pub(super) fn conv2d(
        x: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions,
        activation: Activation,
    ) -> Tensor<4> {
        let convolution = Convolution::of(&x, &weight, options, activation);
        convolve(x, weight, bias, convolution)
    }

    impl Convolution {
        pub(crate) fn of(
            x: &Tensor<4>,
            weight: &Tensor<4>,
            options: ConvOptions,
            activation: Activation,
        ) -> Self {
            let [batch, height, width, inputs] = x.dims();
            let [outputs, of_weight, kernel_height, kernel_width] = weight.dims();
            assert_eq!(inputs, of_weight, "channels of the images, input channels of the weights");
            let shape = ConvShape {
                batch,
                input: [height, width],
                inputs,
                outputs,
                kernel: [kernel_height, kernel_width],
                stride: options.stride,
                padding: options.padding,
            };
            let layout = WeightLayout::convolution(inputs, shape.taps());
            let [height, width] = shape.output();
            let output = Shape::from([batch, height, width, outputs]);
            Self { shape, layout, output, activation }
        }
    }

    /// A convolution, and what becomes of its sums.
    pub(crate) fn convolve_and_finish(
        shape: &ConvShape,
        x: &FlexTensor,
        weight: &FlexTensor,
        layout: WeightLayout,
        finish: Finish<'_>,
    ) -> Vec<f32> {
        match kept(shape, weight, layout) {
            Some(packed) => cpu::convolve_packed(shape, values(x), &packed, finish),
            None => cpu::convolve(shape, values(x), values(weight), layout, finish),
        }
    }

    pub(crate) fn convolve<const D: usize>(
        x: Tensor<D>,
        weight: Tensor<D>,
        bias: Option<Tensor<1>>,
        convolution: Convolution,
    ) -> Tensor<D> {
        // An empty one would stand for none.
        if let Some(bias) = &bias {
            assert_eq!(bias.dims(), [convolution.shape.outputs], "a bias for each output channel");
        }
        let bias = bias.unwrap_or_else(|| Tensor::empty([0], &x.device()));
        Tensor::from_dispatch(Dispatch::backburn_convolve(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            convolution,
        ))
    }

    impl Convolve for Flex {
        fn backburn_convolve(
            x: FlexTensor,
            weight: FlexTensor,
            bias: FlexTensor,
            convolution: Convolution,
        ) -> FlexTensor {
            let Convolution { shape, layout, output, activation } = convolution;
            let (x, weight, bias) = (in_order(x), in_order(weight), in_order(bias));
            let finish = Finish::of(optional(&bias), activation);
            let y = convolve_and_finish(&shape, &x, &weight, layout, finish);
            tensor(y, output)
        }
    }

    #[derive(Clone, Debug)]
    struct State {
        x: FlexTensor,
        weight: FlexTensor,
        /// The output, where the activation's gradient needs it.
        y: Option<FlexTensor>,
        shape: ConvShape,
        layout: WeightLayout,
    }

    #[derive(Debug)]
    struct ConvolveBackward;

    impl Backward<Flex, 3> for ConvolveBackward {
        type State = State;

        fn backward(
            self,
            ops: Ops<State, 3>,
            gradients: &mut Gradients,
            _checkpointer: &mut Checkpointer,
        ) {
            let State { x, weight, y, shape, layout } = ops.state;
            let [node_x, node_weight, node_bias] = ops.parents;
            let mut gradient = in_order(gradients.consume::<Flex>(&ops.node));
            if let Some(y) = y {
                let masked = cpu::relu_gradient(into_values(gradient), values(&y));
                gradient = tensor(masked, y.layout().shape().clone());
            }
            if let Some(node) = node_bias {
                let bias = bias_gradient(values(&gradient), shape.outputs);
                gradients.register::<Flex>(node.id, tensor(bias, [shape.outputs]));
            }
            if let Some(node) = node_weight {
                let weights = weight_gradient(&shape, values(&x), values(&gradient), layout);
                let weights = tensor(weights, weight.layout().shape().clone());
                gradients.register::<Flex>(node.id, weights);
            }
            if let Some(node) = node_x {
                let dx = input_gradient(&shape, values(&gradient), values(&weight), layout);
                gradients.register::<Flex>(node.id, tensor(dx, x.layout().shape().clone()));
            }
        }
    }

    impl<C: CheckpointStrategy> Convolve for Autodiff<Flex, C> {
        fn backburn_convolve(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            convolution: Convolution,
        ) -> FloatTensor<Self> {
            if convolution.activation == Activation::Silu {
                // Its gradient takes the sum before it, which is lost once it is part of the convolution.
                let sum_alone = Convolution { activation: Activation::Identity, ..convolution };
                let sum = Self::backburn_convolve(x, weight, bias, sum_alone);
                return Self::backburn_activate(sum, Activation::Silu);
            }
            let nodes = [x.node(), weight.node(), bias.node()];
            let x = in_order(x.into_primitive());
            let weight = in_order(weight.into_primitive());
            let bias = bias.into_primitive();
            let Convolution { shape, layout, activation, .. } = convolution.clone();
            let y = Flex::backburn_convolve(x.clone(), weight.clone(), bias, convolution);
            match ConvolveBackward.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => {
                    let of_activation = (activation == Activation::Relu).then(|| y.clone());
                    prep.finish(State { x, weight, y: of_activation, shape, layout }, y)
                }
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    }
}
