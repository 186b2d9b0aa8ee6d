//! Monte Carlo dropout: the mean of what a network predicts with dropout switched on, and how much its
//! answers then differ.

use std::sync::Arc;

use backburn_data::ImageSet;
use backburn_data::loader::LoaderError;
use backburn_data::normalization::FittedNormalization;
use backburn_models::{Classifier, Network};
use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::tensor::Device;

use super::predict::pass;
use super::predictions::{MeanPredictions, Predictions};
use crate::seeds::Seeds;

/// Layers that keep drawing; all others, batch normalization among them, are as in evaluation.
const DROPOUT_LAYERS: [&str; 2] = ["Struct:Dropout", "Struct:SpatialDropout"];

/// A network that drops activations as in training, and is in all else an evaluation copy.
#[derive(Clone, Debug)]
pub struct DroppingNetwork(Network);

/// What several passes with dropout say together.
#[derive(Clone, Debug)]
pub struct MonteCarloPredictions {
    /// The mean of the probabilities.
    pub mean: Predictions,
    /// Entropy of that mean, in nats, mean over the images: how unsure the network is in all.
    pub predictive_entropy: f64,
    /// Predictive entropy minus the mean entropy of the single passes, in nats, at least 0, mean over
    /// the images: how far the passes disagree, which more training data of the kind would lessen
    /// (the acquisition function BALD of Houlsby et al.,
    /// [Bayesian Active Learning](https://arxiv.org/abs/1112.5745), 2011).
    pub mutual_information: f64,
}

impl DroppingNetwork {
    /// Switches dropout on in a copy of `network`.
    pub fn new(network: &Network) -> Self {
        struct SwitchOn {
            containers: Vec<String>,
        }
        impl ModuleMapper for SwitchOn {
            fn enter_module(&mut self, _name: &str, container: &str) {
                self.containers.push(container.to_owned());
            }
            fn exit_module(&mut self, _name: &str, _container: &str) {
                self.containers.pop();
            }
            fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
                let layer = self.containers.last().map(String::as_str);
                match layer.is_some_and(|layer| DROPOUT_LAYERS.contains(&layer)) {
                    true => flag.with_value(true),
                    false => flag,
                }
            }
        }
        let mut switch = SwitchOn { containers: Vec::new() };
        // Dropout only acts on a device with gradients. Frozen there, all flags are off and no
        // parameter asks for a gradient, so that no graph is built.
        Self(network.clone().train().freeze().map(&mut switch))
    }

    /// Puts every image through the network `passes` times and takes the mean of the probabilities.
    /// What is dropped follows from the run's seed, the pass and the batch.
    ///
    /// Gal and Ghahramani, [Dropout as a Bayesian
    /// Approximation](https://arxiv.org/abs/1506.02142), ICML 2016.
    ///
    /// # Errors
    ///
    /// If the set is empty or does not have the channels that the normalization was fitted on.
    ///
    /// # Panics
    ///
    /// If `passes` is 0.
    pub fn predict(
        &self,
        images: &Arc<ImageSet>,
        normalization: &FittedNormalization,
        device: &Device,
        passes: usize,
        seeds: Seeds,
    ) -> Result<MonteCarloPredictions, LoaderError> {
        let mut mean = MeanPredictions::default();
        let mut entropy = 0.0;
        for number in 0..passes {
            let pass = self.pass(images, normalization, device, number, seeds)?;
            entropy += pass.entropy() / passes as f64;
            mean.add(pass);
        }
        let mean = mean.finish();
        let predictive_entropy = mean.entropy();
        let difference = predictive_entropy - entropy;
        // Rounding can take a difference of equals below 0; what is not a number stays so.
        let mutual_information = if difference < 0.0 { 0.0 } else { difference };
        Ok(MonteCarloPredictions { mean, predictive_entropy, mutual_information })
    }

    fn pass(
        &self,
        images: &Arc<ImageSet>,
        normalization: &FittedNormalization,
        device: &Device,
        number: usize,
        seeds: Seeds,
    ) -> Result<Predictions, LoaderError> {
        let device = device.clone().autodiff();
        pass(images, normalization, &device, |batch, images| {
            device.seed(seeds.monte_carlo_dropout(number, batch));
            // In one piece, since each forward pass draws anew.
            self.0.forward(images)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use backburn_models::parameters;
    use burn::tensor::Device;

    use super::super::predict::predict;
    use super::super::sample::{images, network, normalization};
    use super::*;

    /// A network with batch normalization whose running statistics are not those it begins with.
    fn trained_lenet(rate: f64) -> Network {
        let network = network("lenet-bn", |config| *config.dropout_mut() = rate);
        let mut tensors = parameters::export(&network);
        for (i, value) in tensors.iter_mut().flat_map(|tensor| &mut tensor.values).enumerate() {
            // Variances stay positive.
            *value = value.abs() + 0.01 + (i * 31 % 7) as f32 * 0.02;
        }
        parameters::import(network, tensors).unwrap()
    }

    /// The device's generator belongs to the process: one test draws at a time.
    fn one_at_a_time() -> MutexGuard<'static, ()> {
        static DRAWING: Mutex<()> = Mutex::new(());
        DRAWING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passes(network: &Network) -> [Predictions; 2] {
        let _alone = one_at_a_time();
        let dropping = DroppingNetwork::new(network);
        let before = parameters::export(&dropping.0.valid());
        let passes = [0, 1].map(|number| {
            let (normalization, seeds) = (normalization(), Seeds::new(3));
            dropping.pass(&images(), &normalization, &Device::flex(), number, seeds).unwrap()
        });
        assert_eq!(
            parameters::export(&dropping.0.valid()),
            before,
            "weights or statistics changed"
        );
        assert_eq!(parameters::export(network), before, "the original changed");
        passes
    }

    fn rows(predictions: &Predictions) -> Vec<&[f64]> {
        (0..predictions.images()).map(|i| predictions.row(i)).collect()
    }

    #[test]
    fn at_rate_zero_a_pass_is_plain_evaluation_and_statistics_stay() {
        let network = trained_lenet(0.0);
        let plain = predict(&network, &images(), &normalization(), &Device::flex()).unwrap();
        // An evaluation takes a convolution and its normalization in one step, which rounds otherwise.
        let expected = rows(&plain).concat();
        let allowed = 1e-5 * expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        for pass in passes(&network) {
            for (found, expected) in rows(&pass).concat().iter().zip(&expected) {
                assert!((found - expected).abs() < allowed, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn passes_differ_and_batch_normalization_keeps_its_statistics() {
        let network = trained_lenet(0.5);
        let plain = predict(&network, &images(), &normalization(), &Device::flex()).unwrap();
        let [first, second] = passes(&network);
        assert_ne!(rows(&first), rows(&second));
        assert_ne!(rows(&first), rows(&plain));
    }

    #[test]
    fn passes_that_agree_share_no_information_and_others_do() {
        let _alone = one_at_a_time();
        let monte_carlo = |rate| {
            let dropping = DroppingNetwork::new(&trained_lenet(rate));
            let (images, normalization, device) = (images(), normalization(), Device::flex());
            dropping.predict(&images, &normalization, &device, 5, Seeds::new(3)).unwrap()
        };
        let agreed = monte_carlo(0.0);
        assert!(agreed.mutual_information < 1e-12, "{}", agreed.mutual_information);
        assert!((agreed.predictive_entropy - agreed.mean.entropy()).abs() < 1e-12);
        let differing = monte_carlo(0.5);
        let (information, entropy) = (differing.mutual_information, differing.predictive_entropy);
        assert!(0.0 < information && information < entropy, "{information} of {entropy}");
    }
}
