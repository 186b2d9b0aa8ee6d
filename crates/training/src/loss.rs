//! What training minimizes.

use backburn_kernels::cross_entropy;
use burn::tensor::{Tensor, assert_shape};
use serde::{Deserialize, Serialize};

/// A loss between the network's outputs and target distributions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Classification: the outputs are logits.
    #[default]
    CrossEntropy,
    /// Regression of the class indicators: the outputs are their estimates, and the greatest is the
    /// answer.
    ///
    /// Hastie et al., [The Elements of Statistical Learning](https://hastie.su.domains/ElemStatLearn/),
    /// 2009, section 4.2. Scores take the outputs for logits all the same, so of a network trained
    /// this way only the accuracy means what it says, and nothing can be selected by validation loss.
    SquaredError,
}

impl Loss {
    /// The losses' names, as in recipes and on the command line.
    pub const NAMES: [&str; 2] = ["cross-entropy", "squared-error"];

    /// The loss of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "cross-entropy" => Some(Self::CrossEntropy),
            "squared-error" => Some(Self::SquaredError),
            _ => None,
        }
    }

    /// Mean over the batch: in nats, or squared error per output.
    ///
    /// # Shapes
    ///
    /// - `outputs`, `targets`: `[batch, classes]`
    /// - returns: `[1]`
    pub fn forward(self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let [batch, classes] = outputs.dims();
        assert_shape!(targets, [batch, classes]);
        match self {
            Self::CrossEntropy => cross_entropy(outputs, targets),
            Self::SquaredError => (outputs - targets).square().mean(),
        }
    }

    /// What is put out for every image by a network that does not look at it: nothing in favour of any class, or
    /// in a regression the class indicators' means, which are `shares`, those of the classes among the images.
    pub(crate) fn guess(self, shares: &[f32]) -> Vec<f32> {
        match self {
            Self::CrossEntropy => vec![0.0; shares.len()],
            Self::SquaredError => shares.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn squared_error_is_the_mean_over_images_and_outputs() {
        let tensor = |rows: [[f32; 2]; 2]| Tensor::<2>::from_floats(rows, &Device::flex());
        let loss = Loss::SquaredError
            .forward(tensor([[0.5, 0.0], [2.0, 1.0]]), tensor([[1.0, 0.0], [0.0, 1.0]]));
        assert_eq!(loss.into_scalar::<f32>(), (0.25 + 4.0) / 4.0);
    }

    #[test]
    fn guessing_costs_the_logarithm_of_the_classes_or_their_variance() {
        let device = Device::flex();
        // Three images of the first class, one of the second; smoothed labels cost the same entropy.
        for smoothing in [0.0, 0.25] {
            let row =
                |class: usize| [0, 1].map(|c| if c == class { 1.0 - smoothing } else { smoothing });
            let targets: [[f32; 2]; 4] = [0, 0, 0, 1].map(row);
            let cost = |loss: Loss| {
                let guess = loss.guess(&[0.75, 0.25]);
                let outputs = [[guess[0], guess[1]]; 4];
                let tensor = |rows: [[f32; 2]; 4]| Tensor::<2>::from_floats(rows, &device);
                loss.forward(tensor(outputs), tensor(targets)).into_scalar::<f32>()
            };
            assert!((cost(Loss::CrossEntropy) - 2_f32.ln()).abs() < 1e-6);
            if smoothing == 0.0 {
                assert!((cost(Loss::SquaredError) - 0.75 * 0.25).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn every_name_gives_a_loss() {
        assert!(Loss::NAMES.iter().all(|name| Loss::named(name).is_some()));
        assert_eq!(Loss::named("hinge"), None);
    }
}
