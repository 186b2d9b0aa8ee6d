//! A convolution with its batch normalization, in an evaluation.

use burn::tensor::Tensor;

use crate::batch_norm::{BatchNormParameters, BatchStatistics, batch_norm};
use crate::conv_options::ConvOptions;
use crate::conv2d::conv2d;
use crate::cpu::Activation;

/// [`conv2d`] and then [`batch_norm`] with given statistics, as one operation where our kernels run and no gradients are
/// recorded: a normalization is a scale and a shift of each channel of the sum, `γ / √(variance + ε)` and `β + (bias − mean) ·
/// scale`, for which no feature map need be read again.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, inputs]`
/// - `weight`: `[outputs, inputs, kernel height, kernel width]`
/// - `bias`, parameters, statistics: `[outputs]`
/// - `residual` and what is returned: `[batch, height, width, outputs]`
///
/// # Panics
///
/// If the shapes do not fit each other.
#[allow(clippy::too_many_arguments)]
pub fn conv2d_batch_norm(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    parameters: BatchNormParameters,
    statistics: BatchStatistics,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let [outputs, ..] = weight.dims();
    let vectors = [
        ("bias", bias.as_ref()),
        ("scale", Some(&parameters.gamma)),
        ("shift", Some(&parameters.beta)),
        ("mean", Some(&statistics.mean)),
        ("variance", Some(&statistics.variance)),
    ];
    for (name, vector) in vectors {
        if let Some(vector) = vector {
            assert_eq!(vector.dims(), [outputs], "a {name} for each output channel");
        }
    }
    #[cfg(feature = "flex")]
    if crate::device::is_ours(&x) && !x.device().is_autodiff() {
        let convolution = crate::conv2d::ours::Convolution::of(&x, &weight, options, activation);
        check_residual(residual.as_ref(), convolution.output.dims());
        return ours::conv2d_batch_norm(
            x,
            weight,
            bias,
            convolution,
            parameters,
            statistics,
            residual,
        );
    }
    let y = conv2d(x, weight, bias, options, Activation::Identity);
    check_residual(residual.as_ref(), y.dims());
    batch_norm(y, parameters, statistics, residual, activation)
}

fn check_residual(residual: Option<&Tensor<4>>, output: [usize; 4]) {
    if let Some(residual) = residual {
        assert_eq!(residual.dims(), output, "a residual of the output's shape");
    }
}

#[cfg(feature = "flex")]
mod ours {
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;

    use super::{BatchNormParameters, BatchStatistics};
    use crate::conv2d::ours::{Convolution, convolve_and_finish};
    use crate::cpu::Finish;
    use crate::flex::{in_order, into_values, optional, tensor};

    #[backend_extension(Flex)]
    pub(super) trait ConvolveAndNormalize: Backend {
        /// Without bias or residual where they are empty: an operation cannot have optional tensors.
        #[allow(clippy::too_many_arguments)]
        fn backburn_convolve_and_normalize(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: FloatTensor<Self>,
            mean: FloatTensor<Self>,
            variance: FloatTensor<Self>,
            residual: FloatTensor<Self>,
            epsilon: f64,
            convolution: Convolution,
        ) -> FloatTensor<Self>;
    }

    pub(super) fn conv2d_batch_norm(
        x: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        convolution: Convolution,
        parameters: BatchNormParameters,
        statistics: BatchStatistics,
        residual: Option<Tensor<4>>,
    ) -> Tensor<4> {
        let device = x.device();
        Tensor::from_dispatch(Dispatch::backburn_convolve_and_normalize(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.unwrap_or_else(|| Tensor::empty([0], &device)).into_dispatch(),
            parameters.gamma.into_dispatch(),
            parameters.beta.into_dispatch(),
            statistics.mean.into_dispatch(),
            statistics.variance.into_dispatch(),
            residual.unwrap_or_else(|| Tensor::empty([0; 4], &device)).into_dispatch(),
            parameters.epsilon,
            convolution,
        ))
    }

    impl ConvolveAndNormalize for Flex {
        fn backburn_convolve_and_normalize(
            x: FlexTensor,
            weight: FlexTensor,
            bias: FlexTensor,
            gamma: FlexTensor,
            beta: FlexTensor,
            mean: FlexTensor,
            variance: FlexTensor,
            residual: FlexTensor,
            epsilon: f64,
            convolution: Convolution,
        ) -> FlexTensor {
            let Convolution { shape, layout, output, activation } = convolution;
            let (x, weight, residual) = (in_order(x), in_order(weight), in_order(residual));
            let [bias, gamma, beta, mean, variance] =
                [bias, gamma, beta, mean, variance].map(|it| into_values(in_order(it)));
            let (mut scale, mut shift) = (gamma, beta);
            for (channel, (scale, shift)) in scale.iter_mut().zip(&mut shift).enumerate() {
                let deviation = (f64::from(variance[channel]) + epsilon).sqrt();
                let of_sum = f64::from(*scale) / deviation;
                let moved =
                    f64::from(bias.get(channel).copied().unwrap_or(0.0)) - f64::from(mean[channel]);
                *shift = (f64::from(*shift) + moved * of_sum) as f32;
                *scale = of_sum as f32;
            }
            let finish = Finish {
                scale: Some(&scale),
                shift: Some(&shift),
                residual: optional(&residual),
                activation,
            };
            tensor(convolve_and_finish(&shape, &x, &weight, layout, finish), output)
        }
    }
}
