//! Convolution on graphics cards: Burn's, but for both gradients where there are no matrix units. Burn's ways there are, for
//! the weights, a copy for each position of the kernel, or a convolution with windows as large as the map; for the inputs, a
//! matrix of all products that is added up in a second launch, or a convolution of copies in another order.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use crate::activate::activate;
use crate::conv_options::ConvOptions;
use crate::cpu::Activation;
use crate::cube::input_gradient::input_gradient;
use crate::cube::weight_gradient::weight_gradient;

/// From channels last to channels second.
const CHANNELS_SECOND: [usize; 4] = [0, 3, 1, 2];
/// From channels second to channels last.
const CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

fn of_burn(options: ConvOptions) -> burn::tensor::ops::ConvOptions<2> {
    burn::tensor::ops::ConvOptions::new(options.stride, options.padding, [1, 1], 1)
}

#[backend_extension(Cube, Fusion, Autodiff)]
pub(super) trait ConvolveOnCards: Backend {
    #[fusion(default)]
    fn backburn_convolve_on_cards(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions,
    ) -> FloatTensor<Self> {
        let x = Self::float_permute(x, &CHANNELS_SECOND);
        let y = Self::conv2d(x, weight, None, of_burn(options));
        Self::float_permute(y, &CHANNELS_LAST)
    }
}

#[backend_extension(Cube, Fusion)]
pub(super) trait GradientsOnCards: Backend {
    #[fusion(dtype = x, shape = x)]
    fn backburn_input_gradient_on_cards(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions,
    ) -> FloatTensor<Self>;

    #[fusion(dtype = weight, shape = weight)]
    fn backburn_weight_gradient_on_cards(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions,
    ) -> FloatTensor<Self>;
}

/// As [`conv2d`](crate::conv2d()). The bias comes with the activation, as a part of which it costs nothing, and its
/// gradient is one sum over rows; as a part of Burn's convolution it takes a copy of the map too.
pub(super) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    activation: Activation,
) -> Tensor<4> {
    let sums: Tensor<4> = Tensor::from_dispatch(Dispatch::backburn_convolve_on_cards(
        x.into_dispatch(),
        weight.into_dispatch(),
        options,
    ));
    let Some(bias) = bias else { return activate(sums, activation) };
    let [batch, height, width, channels] = sums.dims();
    let rows: Tensor<2> = sums.reshape([batch * height * width, channels]);
    activate(rows + bias.unsqueeze(), activation).reshape([batch, height, width, channels])
}

impl ConvolveOnCards for CubeBackend {}

impl GradientsOnCards for CubeBackend {
    fn backburn_input_gradient_on_cards(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions,
    ) -> FloatTensor<Self> {
        if !has_matrix_units(&x) {
            let [_, height, width, _] = x.shape().dims();
            let weight = Self::float_permute(weight, &CHANNELS_LAST);
            return input_gradient(gradient, weight, [height, width], options);
        }
        let x = Self::float_permute(x, &CHANNELS_SECOND);
        let gradient = Self::float_permute(gradient, &CHANNELS_SECOND);
        let of_x = Self::conv2d_x_backward(x, weight, gradient, of_burn(options));
        Self::float_permute(of_x, &CHANNELS_LAST)
    }

    fn backburn_weight_gradient_on_cards(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions,
    ) -> FloatTensor<Self> {
        if !has_matrix_units(&x) {
            let [.., height, width] = weight.shape().dims::<4>();
            return weight_gradient(x, gradient, [height, width], options);
        }
        let x = Self::float_permute(x, &CHANNELS_SECOND);
        let gradient = Self::float_permute(gradient, &CHANNELS_SECOND);
        Self::conv2d_weight_backward(x, weight, gradient, of_burn(options))
    }
}

/// Whether the card has matrix units that CubeCL knows, for which Burn has kernels.
fn has_matrix_units(x: &CubeTensor) -> bool {
    let units = &x.client.properties().features.matmul;
    !(units.cmma.is_empty() && units.cube_mma.is_empty() && units.mma.is_empty())
}

/// The weights with their input channels side by side in memory, as Burn's convolution and its inputs' gradient have them
/// both; copied once for the two.
fn inputs_last<B: Backend>(weight: FloatTensor<B>) -> FloatTensor<B> {
    let [outputs, inputs, height, width] = weight.shape().dims();
    let weight = B::float_permute(weight, &CHANNELS_LAST);
    // To fewer dimensions, which copies what does not lie in this order yet.
    let rows = B::float_reshape(weight, Shape::new([outputs, height * width * inputs]));
    let weight = B::float_reshape(rows, Shape::new([outputs, height, width, inputs]));
    B::float_permute(weight, &CHANNELS_SECOND)
}

#[derive(Clone, Debug)]
struct State<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    options: ConvOptions,
}

#[derive(Debug)]
struct ConvolveBackward;

impl<B: Backend + GradientsOnCards> Backward<B, 2> for ConvolveBackward {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<State<B>, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State { x, weight, options } = ops.state;
        let [node_x, node_weight] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        if let Some(node) = node_weight {
            let of_weight = B::backburn_weight_gradient_on_cards(
                x.clone(),
                gradient.clone(),
                weight.clone(),
                options,
            );
            gradients.register::<B>(node.id, of_weight);
        }
        if let Some(node) = node_x {
            let of_x = B::backburn_input_gradient_on_cards(x, gradient, weight, options);
            gradients.register::<B>(node.id, of_x);
        }
    }
}

impl<B, C> ConvolveOnCards for Autodiff<B, C>
where
    B: Backend + ConvolveOnCards + GradientsOnCards,
    C: CheckpointStrategy,
{
    fn backburn_convolve_on_cards(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), inputs_last::<B>(weight.into_primitive()));
        let y = B::backburn_convolve_on_cards(x.clone(), weight.clone(), options);
        match ConvolveBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(State { x, weight, options }, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
