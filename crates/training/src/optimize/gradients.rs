//! Gradients by parameter name: gathered after a backward pass, accumulated, clipped.

use std::collections::BTreeMap;

use backburn_models::parameters::Path;
use backburn_regularization::Sam;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};

use crate::optimize::named_weights::NamedWeights;
use crate::weighing::Weighing;

/// The gradient of each trained parameter as a row of numbers, by the parameter's name.
#[derive(Clone, Debug, Default)]
pub struct NamedGradients {
    by_name: BTreeMap<String, Tensor<1>>,
}

impl NamedGradients {
    /// Takes the gradients of `network` out of a backward pass.
    pub fn gather<M: Module>(network: &M, mut gradients: Gradients) -> Self {
        struct Gather<'a> {
            path: Path,
            gradients: &'a mut Gradients,
            by_name: BTreeMap<String, Tensor<1>>,
        }
        impl ModuleVisitor for Gather<'_> {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.path.enter(name, container);
            }
            fn exit_module(&mut self, _name: &str, _container: &str) {
                self.path.exit();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = param.val().grad_remove(self.gradients) {
                    self.by_name.insert(self.path.name(), gradient.reshape([-1]));
                }
            }
        }
        let mut visitor =
            Gather { path: Path::default(), gradients: &mut gradients, by_name: BTreeMap::new() };
        network.visit(&mut visitor);
        Self { by_name: visitor.by_name }
    }

    /// Adds the gradients of another batch.
    pub fn add(&mut self, other: Self) {
        for (name, gradient) in other.by_name {
            let sum = match self.by_name.remove(&name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.by_name.insert(name, sum);
        }
    }

    /// Multiplies all gradients.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        self.map(|gradient| gradient.mul_scalar(factor))
    }

    /// Scales all gradients down together so that their common norm is at most `limit`.
    ///
    /// Pascanu et al.,
    /// [On the difficulty of training recurrent neural networks](https://arxiv.org/abs/1211.5063),
    /// ICML 2013; as PyTorch's `clip_grad_norm_`. The norm stays on the device.
    #[must_use]
    pub fn clip_norm(self, limit: f64) -> Self {
        let Some(norm) = self.norm() else { return self };
        let factor = (norm + 1e-6).recip().mul_scalar(limit).clamp_max(1.0);
        self.map(|gradient| gradient * factor.clone())
    }

    /// The network moved to where sharpness-aware minimization takes its gradient. Its running
    /// statistics are its own, so that they can change without those of `network`.
    pub fn perturb<M: Module>(self, network: &M, sam: Sam) -> M {
        let neighbour = network.valid().train();
        let Some(norm) = self.norm() else { return neighbour };
        let moves = self.map(|gradient| sam.perturbation(gradient, &norm));
        let weights = NamedWeights::trained(&network.valid());
        weights.shift(moves.by_name).put_into(neighbour)
    }

    /// `[1]`, the Euclidean norm of all gradients together, on the device; `None` without any.
    fn norm(&self) -> Option<Tensor<1>> {
        let squares = self.by_name.values().cloned().map(sum_of_squares);
        Some(squares.reduce(|sum, square| sum + square)?.sqrt())
    }

    fn map(self, change: impl Fn(Tensor<1>) -> Tensor<1>) -> Self {
        Self { by_name: self.by_name.into_iter().map(|(n, g)| (n, change(g))).collect() }
    }

    /// Takes the gradient of a parameter out.
    pub fn take(&mut self, name: &str) -> Option<Tensor<1>> {
        self.by_name.remove(name)
    }

    /// All gradients as numbers, by name. Reads back from the device.
    pub fn into_values(self) -> BTreeMap<String, Vec<f64>> {
        let values = |gradient: Tensor<1>| gradient.into_data().iter::<f64>().collect();
        self.by_name.into_iter().map(|(name, gradient)| (name, values(gradient))).collect()
    }

    /// Gradients from numbers, by name, as floats of the kind `dtype`.
    pub fn from_values(values: &BTreeMap<String, Vec<f64>>, device: &Device, dtype: DType) -> Self {
        let tensor = |values: &Vec<f64>| {
            let data = TensorData::new(values.clone(), [values.len()]);
            Tensor::from_data(data, (device, dtype))
        };
        Self { by_name: values.iter().map(|(name, row)| (name.clone(), tensor(row))).collect() }
    }

    /// Euclidean norm of each gradient, by name. Reads back from the device.
    pub fn norms(&self) -> BTreeMap<String, f64> {
        let norm = |gradient: &Tensor<1>| {
            let square: f32 = sum_of_squares(gradient.clone()).into_scalar();
            f64::from(square).sqrt()
        };
        self.by_name.iter().map(|(name, gradient)| (name.clone(), norm(gradient))).collect()
    }
}

/// Summed along a dimension: the sum of a whole large tensor has no fixed order on Flex.
fn sum_of_squares(gradient: Tensor<1>) -> Tensor<1> {
    gradient.square().sum_dim(0)
}

/// The gradients that a step of several batches is taken with: their mean over all images,
///
/// ```text
/// g = Σ nᵢ gᵢ / Σ nᵢ,   gᵢ the mean over the nᵢ images of batch i
/// ```
///
/// so that the step is that of one batch which holds them all.
#[derive(Debug)]
pub struct Accumulated {
    weighing: Weighing,
    sum: NamedGradients,
    /// Images of the first batch, in whose units the others count.
    unit: usize,
    batches: usize,
    weights: f64,
}

impl Accumulated {
    /// The sum of no batch yet.
    pub fn new(weighing: Weighing) -> Self {
        let sum = NamedGradients::default();
        Self { weighing, sum, unit: 0, batches: 0, weights: 0.0 }
    }

    /// Takes the mean gradients over a batch of `images` images.
    pub fn add(&mut self, gradients: NamedGradients, images: usize) {
        if self.batches == 0 {
            self.unit = images;
        }
        let weight = self.weighing.weight(images, self.unit);
        // Batches of one size are added as they are, without a rounding that they do not need.
        self.sum.add(if weight == 1.0 { gradients } else { gradients.scale(weight) });
        self.batches += 1;
        self.weights += weight;
    }

    /// The mean over what was taken; from here on it is of no batch again.
    pub fn take_mean(&mut self) -> NamedGradients {
        let Self { sum, batches, weights, .. } = std::mem::replace(self, Self::new(self.weighing));
        if batches > 1 { sum.scale(1.0 / weights) } else { sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradients(rows: &[(&str, &[f32])]) -> NamedGradients {
        let device = Device::flex();
        let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, &device);
        NamedGradients {
            by_name: rows.iter().map(|(name, values)| ((*name).into(), tensor(values))).collect(),
        }
    }

    fn values(mut gradients: NamedGradients, name: &str) -> Vec<f32> {
        gradients.take(name).unwrap().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn clipping_acts_on_the_norm_of_all_gradients_together() {
        let clipped = gradients(&[("a", &[3.0, 0.0]), ("b", &[4.0])]).clip_norm(1.0);
        assert!((values(clipped.clone(), "a")[0] - 0.6).abs() < 1e-5);
        assert!((values(clipped, "b")[0] - 0.8).abs() < 1e-5);
    }

    #[test]
    fn gradients_below_the_limit_stay_as_they_are() {
        let kept = gradients(&[("a", &[3.0, 0.0]), ("b", &[4.0])]).clip_norm(5.1);
        assert_eq!(values(kept.clone(), "a"), [3.0, 0.0]);
        assert_eq!(values(kept, "b"), [4.0]);
    }

    #[test]
    fn batches_add_up_and_average() {
        let mut sum = NamedGradients::default();
        sum.add(gradients(&[("a", &[1.0, 2.0])]));
        sum.add(gradients(&[("a", &[3.0, 6.0])]));
        assert_eq!(values(sum.scale(0.5), "a"), [2.0, 4.0]);
    }

    #[test]
    fn accumulated_batches_count_by_their_images() {
        // tests/pytorch/accumulation.py prints 2.4 and 3.75.
        let mean = |weighing, sizes: [usize; 3]| {
            let mut accumulated = Accumulated::new(weighing);
            for (value, images) in [1.0, 2.0, 6.0].into_iter().zip(sizes) {
                accumulated.add(gradients(&[("a", &[value, 2.0 * value])]), images);
            }
            values(accumulated.take_mean(), "a")
        };
        let close = |found: Vec<f32>, expected: f32| {
            assert!((found[0] - expected).abs() < 1e-6 && found[1] == 2.0 * found[0], "{found:?}");
        };
        close(mean(Weighing::Images, [2, 2, 1]), 2.4);
        close(mean(Weighing::Images, [1, 1, 2]), 3.75);
        close(mean(Weighing::Batches, [2, 2, 1]), 3.0);
        assert_eq!(mean(Weighing::Images, [7, 7, 7]), mean(Weighing::Batches, [7, 7, 7]));
        // A short batch that makes a step alone counts whole, and nothing is left from the step before.
        let mut accumulated = Accumulated::new(Weighing::Images);
        for images in [64, 1] {
            accumulated.add(gradients(&[("a", &[0.1])]), images);
            assert_eq!(values(accumulated.take_mean(), "a"), [0.1]);
        }
    }

    #[test]
    fn norms_are_euclidean() {
        assert_eq!(gradients(&[("a", &[3.0, 4.0])]).norms()["a"], 5.0);
    }
}
