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
    crate::device::is_ours(weights)
}

/// Takes `step` in one pass over memory, in place where nobody else holds the tensors.
///
/// # Shapes
///
/// - `before`: as [`Moved`]; averages start with zeros
/// - `gradient`: `[values]`
///
/// # Panics
///
/// If not [`fuses_optimizer_steps`].
#[cfg_attr(not(feature = "flex"), allow(clippy::needless_pass_by_value))]
pub fn optimizer_step(step: OptimizerStep, before: Moved, gradient: Tensor<1>) -> Moved {
    assert!(fuses_optimizer_steps(&before.weights), "there is no such kernel for this device");
    #[cfg(feature = "flex")]
    return ours::optimizer_step(step, before, gradient);
    #[cfg(not(feature = "flex"))]
    unreachable!("nothing is ours without Flex, so {step:?} of {gradient} was refused")
}

#[cfg(feature = "flex")]
mod ours {
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;

    use super::Moved;
    use crate::cpu::{self, OptimizerStep};
    use crate::flex::{in_order, into_values, tensor, values};

    #[backend_extension(Flex)]
    pub(super) trait Step: Backend {
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

    impl Step for Flex {
        fn backburn_optimizer_step(
            weights: FlexTensor,
            gradient: FlexTensor,
            first: FlexTensor,
            second: FlexTensor,
            step: OptimizerStep,
        ) -> (FlexTensor, FlexTensor, FlexTensor) {
            let gradient = in_order(gradient);
            let [mut weights, mut first, mut second] = [weights, first, second].map(into_values);
            cpu::optimizer_step(step, &mut weights, values(&gradient), &mut first, &mut second);
            let rows = |values: Vec<f32>| {
                let length = values.len();
                tensor(values, [length])
            };
            (rows(weights), rows(first), rows(second))
        }
    }
}
