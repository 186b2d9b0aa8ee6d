//! An optimizer's step as one operation.

use burn::tensor::Tensor;

use crate::cpu::OptimizerStep;

/// What a step leaves: the weights and up to two running averages.
#[derive(Clone, Debug)]
pub struct Moved {
    /// `[values]`
    pub weights: Tensor<1>,
    /// `[values]`, or empty if the rule keeps none.
    pub first: Tensor<1>,
    /// `[values]`, or empty if the rule keeps none.
    pub second: Tensor<1>,
}

/// Whether [`optimizer_step`] can move `weights`.
pub fn fuses_optimizer_steps(weights: &Tensor<1>) -> bool {
    #[cfg(feature = "cube")]
    if crate::device::is_on_card(weights) {
        return true;
    }
    crate::device::is_ours(weights)
}

/// Takes `step` in one pass over memory; on the CPU in place, where nobody else holds the tensors.
///
/// # Shapes
///
/// - `before`: as [`Moved`]; averages start with zeros
/// - `gradient`: `[values]`
///
/// # Panics
///
/// If not [`fuses_optimizer_steps`].
#[cfg_attr(not(any(feature = "flex", feature = "cube")), allow(clippy::needless_pass_by_value))]
pub fn optimizer_step(step: OptimizerStep, before: Moved, gradient: Tensor<1>) -> Moved {
    assert!(fuses_optimizer_steps(&before.weights), "there is no such kernel for this device");
    #[cfg(any(feature = "flex", feature = "cube"))]
    return ours::optimizer_step(step, before, gradient);
    #[cfg(not(any(feature = "flex", feature = "cube")))]
    unreachable!("nothing is ours without Flex or a card, so {step:?} of {gradient} was refused")
}

#[cfg(any(feature = "flex", feature = "cube"))]
mod ours {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, backend_extension};
    use burn::tensor::Tensor;

    use super::Moved;
    use crate::cpu::OptimizerStep;

    #[backend_extension(
        Flex: cfg(feature = "flex"),
        Cube: cfg(feature = "cube"),
        Fusion: cfg(feature = "cube")
    )]
    pub(super) trait Step: Backend {
        #[fusion(meta = |weights, _gradient, first, second, _step| {
            (weights.clone(), first.clone(), second.clone())
        })]
        fn backburn_optimizer_step(
            weights: FloatTensor<Self>,
            gradient: FloatTensor<Self>,
            first: FloatTensor<Self>,
            second: FloatTensor<Self>,
            step: OptimizerStep,
        ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    }

    pub(super) fn optimizer_step(step: OptimizerStep, before: Moved, gradient: Tensor<1>) -> Moved {
        let (weights, first, second) = Dispatch::backburn_optimizer_step(
            before.weights.into_dispatch(),
            gradient.into_dispatch(),
            before.first.into_dispatch(),
            before.second.into_dispatch(),
            step,
        );
        Moved {
            weights: Tensor::from_dispatch(weights),
            first: Tensor::from_dispatch(first),
            second: Tensor::from_dispatch(second),
        }
    }

    #[cfg(feature = "flex")]
    mod on_flex {
        use burn::backend::Flex;
        use burn::backend::flex::FlexTensor;

        use super::Step;
        use crate::cpu::{self, OptimizerStep};
        use crate::flex::{in_order, into_values, tensor, values};

        impl Step for Flex {
            fn backburn_optimizer_step(
                weights: FlexTensor,
                gradient: FlexTensor,
                first: FlexTensor,
                second: FlexTensor,
                step: OptimizerStep,
            ) -> (FlexTensor, FlexTensor, FlexTensor) {
                let gradient = in_order(gradient);
                let [mut weights, mut first, mut second] =
                    [weights, first, second].map(into_values);
                cpu::optimizer_step(step, &mut weights, values(&gradient), &mut first, &mut second);
                let rows = |values: Vec<f32>| {
                    let length = values.len();
                    tensor(values, [length])
                };
                (rows(weights), rows(first), rows(second))
            }
        }
    }

    #[cfg(feature = "cube")]
    mod on_cards {
        use burn_cubecl::CubeBackend;
        use burn_cubecl::tensor::CubeTensor;

        use super::Step;
        use crate::cpu::OptimizerStep;
        use crate::cube::optimizer_step::optimizer_step;

        impl Step for CubeBackend {
            fn backburn_optimizer_step(
                weights: CubeTensor,
                gradient: CubeTensor,
                first: CubeTensor,
                second: CubeTensor,
                step: OptimizerStep,
            ) -> (CubeTensor, CubeTensor, CubeTensor) {
                optimizer_step(weights, gradient, first, second, step)
            }
        }
    }
}
