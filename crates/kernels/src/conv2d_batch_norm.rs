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
    #[cfg(feature = "flex")]
    if crate::device::is_ours(&x) && !x.device().is_autodiff() {
        let plan = crate::conv2d::ours::Plan::of(&x, &weight, options, activation);
        return ours::conv2d_batch_norm(x, weight, bias, plan, parameters, statistics, residual);
    }
    let y = conv2d(x, weight, bias, options, Activation::Identity);
    batch_norm(y, parameters, statistics, residual, activation)
}

#[cfg(feature = "flex")]
mod ours {
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;

    use super::{BatchNormParameters, BatchStatistics};
    use crate::conv2d::ours::{Plan, convolve_and_finish};
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
            plan: Plan,
        ) -> FloatTensor<Self>;
    }

    pub(super) fn conv2d_batch_norm(
        x: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        plan: Plan,
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
            plan,
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
            plan: Plan,
        ) -> FlexTensor {
            let Plan { shape, layout, output, activation } = plan;
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

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    /// Batch, side, inputs, outputs, kernel, stride: of a filtered layer and of some that are not.
    const CASES: [[usize; 6]; 4] =
        [[3, 9, 48, 40, 3, 1], [2, 7, 3, 20, 3, 1], [2, 8, 16, 24, 3, 2], [1, 6, 20, 33, 1, 2]];

    #[test]
    fn it_is_a_convolution_and_a_normalization() {
        let device = Device::flex();
        for [batch, side, inputs, outputs, kernel, stride] in CASES {
            let normal = Distribution::Normal(0.0, 1.0);
            let x = Tensor::<4>::random([batch, side, side, inputs], normal, &device);
            let weight = Tensor::<4>::random([outputs, inputs, kernel, kernel], normal, &device);
            let vector = || Tensor::<1>::random([outputs], normal, &device);
            let options = ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2] };
            let parameters = BatchNormParameters { gamma: vector(), beta: vector(), epsilon: 1e-5 };
            let variance = Tensor::random([outputs], Distribution::Uniform(0.1, 9.0), &device);
            let statistics = BatchStatistics { mean: vector(), variance };
            for (with, activation) in [
                (false, Activation::Identity),
                (true, Activation::Relu),
                (false, Activation::Silu),
                (true, Activation::Silu),
            ] {
                let bias = with.then(vector);
                let y =
                    conv2d(x.clone(), weight.clone(), bias.clone(), options, Activation::Identity);
                let residual = with.then(|| Tensor::random(y.dims(), normal, &device));
                let (p, s) = (parameters.clone(), statistics.clone());
                let expected = batch_norm(y, p, s, residual.clone(), activation);
                let (p, s) = (parameters.clone(), statistics.clone());
                let found = conv2d_batch_norm(
                    x.clone(),
                    weight.clone(),
                    bias,
                    options,
                    p,
                    s,
                    residual,
                    activation,
                );
                let largest: f32 = expected.clone().abs().max().into_scalar();
                let off: f32 = (found - expected).abs().max().into_scalar();
                assert!(off < 1e-5 * largest, "{off} of {largest}");
            }
        }
    }
}
