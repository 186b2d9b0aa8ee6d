//! Averages of the weights, which follow a network from step to step.

use std::fmt::Debug;

use burn::tensor::Tensor;

/// A rule by which an average follows the weights. It starts at the initial ones and depends on nothing else but
/// the number of steps, so that the average is all that a checkpoint has to hold.
///
/// In the tensors, all of them of one shape, stand the values of a single parameter; steps are counted from 1.
pub trait WeightAverage: Debug + Send + Sync {
    /// Whether the running statistics of batch normalization are averaged with the weights that they belong to.
    fn includes_statistics(&self) -> bool;

    /// Whether the average moves after this step.
    fn is_due(&self, step: u64) -> bool;

    /// The average moved by the weights as they are after `step` steps.
    ///
    /// # Shapes
    ///
    /// - `average`, `weights`, returns: `[values]`
    fn average(&self, average: Tensor<1>, weights: Tensor<1>, step: u64) -> Tensor<1>;

    /// Whether training goes on from the average whenever that has moved.
    fn replaces_weights(&self) -> bool {
        false
    }

    /// Whether there is an average after `step` steps. Until there is, what comes before it is evaluated: the average
    /// above it in the list, or the weights themselves.
    fn has_begun(&self, _step: u64) -> bool {
        true
    }

    /// What is validated and kept after `step` steps.
    ///
    /// # Shapes
    ///
    /// - `average`, `weights`, returns: `[values]`
    fn evaluated(&self, average: Tensor<1>, _weights: Tensor<1>, _step: u64) -> Tensor<1> {
        average
    }
}
