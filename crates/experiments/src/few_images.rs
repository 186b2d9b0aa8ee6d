//! Small networks on few images, as 003 §6.3 to §6.5 trains them: SGD on batches drawn with replacement,
//! and a look at the network after the first update and every so many after it.

use backburn_models::{
    BiasInitialization, Initialization, MlpConfig, ModelConfig, WeightInitialization,
};
use backburn_records::statistics::{Basis, Better, Judged};
use backburn_records::{Compared, Reference};
use backburn_regularization::WeightDecay;
use backburn_training::failure::Failure;
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::seeds::Seeds;
use serde::Serialize;

use super::images::Images;
use super::judging::on_data_of_source;
use super::lab::Lab;
use super::trainee::{Trainee, Training};

const BATCH_SIZE: usize = 100;
/// Learning rate where it is not what is searched for.
pub(super) const LEARNING_RATE: f64 = 0.01;
/// Units of every hidden layer.
const UNITS: usize = 100;

/// An MLP of hidden layers of 100 units with ReLU, and how it is trained with SGD.
#[derive(Clone, Copy, Debug)]
pub(super) struct SmallMlp {
    /// Hidden layers.
    pub(super) layers: usize,
    /// Dropout rate after each hidden layer.
    pub(super) dropout: f64,
    /// Whether batch normalization stands before each ReLU.
    pub(super) batch_norm: bool,
    /// Initial weights; biases are zero.
    pub(super) weights: WeightInitialization,
    pub(super) learning_rate: f64,
    /// λ of the penalty ½λ‖W‖², on weights only.
    pub(super) weight_decay: f64,
}

impl SmallMlp {
    /// A network with He's initial weights that nothing guards.
    pub(super) fn new(layers: usize) -> Self {
        Self {
            layers,
            dropout: 0.0,
            batch_norm: false,
            weights: WeightInitialization::HeNormal,
            learning_rate: LEARNING_RATE,
            weight_decay: 0.0,
        }
    }

    /// How it is made and trained.
    pub(super) fn training(&self) -> Training {
        Training {
            model: ModelConfig::Mlp(MlpConfig {
                hidden: vec![UNITS; self.layers],
                dropout: self.dropout,
                batch_norm: self.batch_norm,
            }),
            initialization: Initialization::new(self.weights, BiasInitialization::Zeros),
            optimizer: OptimizerConfig::Sgd,
            learning_rate: self.learning_rate,
            weight_decay: WeightDecay { strength: self.weight_decay, ..WeightDecay::default() },
        }
    }

    /// Trains on `images`, and calls `look` whenever the schedule says so. Networks that are trained with the
    /// same seeds see the same batches and, where their layers are alike, start from the same weights.
    pub(super) fn train(
        &self,
        lab: &Lab,
        images: &Images,
        schedule: Schedule,
        seeds: Seeds,
        mut look: impl FnMut(&Trainee) -> Result<(), Failure>,
    ) -> Result<Trainee, Failure> {
        let mut trainee = Trainee::new(&self.training(), images, seeds, &lab.device)?;
        let batches = images.batches(schedule.batch_size, schedule.updates, seeds, &lab.device)?;
        for (done, batch) in (1..).zip(batches) {
            lab.go_on()?;
            trainee.step(&batch);
            if schedule.looks_after(done) {
                look(&trainee)?;
            }
        }
        Ok(trainee)
    }
}

/// How long to train, and when to look. The sources count their "epochs" by the looks.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Schedule {
    /// Images of each step, drawn with replacement.
    batch_size: usize,
    /// Steps in all.
    pub(super) updates: usize,
    /// Updates from one look to the next; the first is after the first update.
    #[serde(rename = "updates_between_looks")]
    interval: usize,
}

impl Schedule {
    /// A schedule of so many updates on batches of 100 images.
    pub(super) const fn new(updates: usize, interval: usize) -> Self {
        Self { batch_size: BATCH_SIZE, updates, interval }
    }

    /// The same, but in the preset that only tries an experiment out the first two looks at most.
    pub(super) fn of(self, lab: &Lab) -> Self {
        let updates = lab.unless_smoke(self.updates, self.updates.min(1 + self.interval));
        Self { updates, ..self }
    }

    fn looks_after(self, updates: usize) -> bool {
        updates % self.interval == 1 % self.interval
    }

    /// The updates after which there is a look.
    pub(super) fn looks(self) -> Vec<f64> {
        (1..=self.updates).filter(|done| self.looks_after(*done)).map(|done| done as f64).collect()
    }
}

/// A row with PyTorch's number, which was measured on MNIST.
pub(super) fn beside(row: Compared, reference: Reference, lab: &Lab) -> Compared {
    on_data_of_source(lab, DATASET, row.reference(reference))
}

/// The data set of the source.
pub(super) const DATASET: &str = "mnist";

/// How a score changes between two arms that were trained with the same seeds, a value a seed. `sampling`: standard
/// error of a single difference that the choice of the images alone gives, which is all that a single seed knows
/// about noise.
pub(super) fn change(from: &[f64], to: &[f64], sampling: f64, better: Better) -> Judged {
    let by_seed: Vec<f64> = from.iter().zip(to).map(|(from, to)| to - from).collect();
    match by_seed[..] {
        // By the quantile of many images, which `Judged::by_images` rounds to 2.
        [difference] => Judged::by_margin(difference, 1.96 * sampling, better, Basis::Images),
        _ => Judged::by_seeds(&by_seed, better),
    }
}

/// A share in percent with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looks_are_those_of_the_sources() {
        let looks = Schedule::new(191, 10).looks();
        assert_eq!((looks.len(), looks[0], looks[1], looks[19]), (20, 1.0, 11.0, 191.0));
        let looks = Schedule::new(601, 3).looks();
        assert_eq!((looks.len(), looks[200]), (201, 601.0));
        assert_eq!(Schedule::new(3, 1).looks(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn of_one_seed_the_choice_of_images_decides_and_of_several_their_interval() {
        let word = |from: &[f64], to: &[f64], sampling| {
            change(from, to, sampling, Better::Higher).word(["rises", "falls", "stays"]).to_owned()
        };
        // Differences 0.1, 0.2, 0.3: mean 0.2, standard error 0.1/√3, 4.303 of which are more than that.
        assert_eq!(word(&[0.0; 3], &[0.1, 0.2, 0.3], 0.0), "stays");
        assert_eq!(word(&[0.0; 3], &[0.19, 0.2, 0.21], 9.0), "rises");
        assert_eq!(word(&[0.19, 0.2, 0.21], &[0.0; 3], 9.0), "falls");
        assert_eq!(word(&[0.5], &[0.6], 0.052), "stays");
        assert_eq!(word(&[0.5], &[0.6], 0.0505), "rises", "1.96 of 0.0505 are less than 0.1");
        assert_eq!(word(&[0.5], &[f64::NAN], 0.04), "stays");
    }
}
