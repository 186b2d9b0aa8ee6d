//! Averages that follow the weights from step to step, as the recipe asks for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use backburn_models::NamedTensor;
use backburn_regularization::{Ema, Swa, WeightAverage};
use burn::module::Module;
use burn::tensor::Device;

use crate::optimize::named_weights::NamedWeights;
use crate::recipe::Recipe;

/// An average that recipes can ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Average {
    /// The setting that turns it on, and the prefix of its tensors in a checkpoint.
    pub(crate) name: &'static str,
    /// The rule by the recipe, and the number of the optimizer's steps in an epoch.
    rule: fn(&Recipe, u64) -> Option<Arc<dyn WeightAverage>>,
}

/// Every average, one row each, in the order in which they follow the weights. The last one that a recipe has
/// and that has begun is what is evaluated.
pub(crate) static CATALOG: &[Average] = &[
    Average { name: "lookahead", rule: |recipe, _| recipe.lookahead.map(shared) },
    Average { name: "ema", rule: |recipe, _| recipe.ema.map(|decay| shared(Ema { decay })) },
    Average {
        name: "swa",
        rule: |recipe, steps_per_epoch| {
            let first = recipe.swa? as u64;
            Some(shared(Swa { first, steps_per_epoch }))
        },
    },
];

fn shared(rule: impl WeightAverage + 'static) -> Arc<dyn WeightAverage> {
    Arc::new(rule)
}

/// What follows the weights; a checkpoint holds it.
#[derive(Clone, Debug, Default)]
pub struct Averaging {
    followers: Vec<Follower>,
}

#[derive(Clone, Debug)]
struct Follower {
    name: &'static str,
    rule: Arc<dyn WeightAverage>,
    average: NamedWeights,
}

impl Averaging {
    /// The recipe's averages, which start at the network's initial weights. `steps_per_epoch`: of the optimizer,
    /// at least 1.
    pub fn new<M: Module>(recipe: &Recipe, steps_per_epoch: usize, network: &M) -> Self {
        let network = network.valid();
        let follower = |row: &Average| {
            let rule = (row.rule)(recipe, steps_per_epoch as u64)?;
            let average = weights_for(&*rule, &network);
            Some(Follower { name: row.name, rule, average })
        };
        Self { followers: CATALOG.iter().filter_map(follower).collect() }
    }

    /// Averages of a network whose `frozen` parameters stay as they are: averaged, they would be rounded.
    #[must_use]
    pub fn without(mut self, frozen: &BTreeSet<String>) -> Self {
        for Follower { average, .. } in &mut self.followers {
            *average = std::mem::take(average).without(frozen);
        }
        self
    }

    /// Follows the optimizer's step number `step`, counted from 1, and gives the network to go on
    /// with.
    pub fn follow<M: Module>(&mut self, mut network: M, step: u64) -> M {
        for Follower { rule, average, .. } in &mut self.followers {
            if rule.is_due(step) {
                let weights = weights_for(&**rule, &network.valid());
                let moved = std::mem::take(average);
                *average = moved.combine(weights, |a, w| rule.average(a, w, step));
                if rule.replaces_weights() {
                    network = average.put_into(network);
                }
            }
        }
        network
    }

    /// The network to evaluate and keep after the optimizer's step number `step`: what the last of the averages
    /// that have begun says, if there is one, else `network`'s own weights.
    pub fn evaluation_copy<M: Module>(&self, network: &M, step: u64) -> M {
        let network = network.valid();
        let last = self.followers.iter().rfind(|it| it.rule.has_begun(step));
        let Some(Follower { rule, average, .. }) = last else { return network };
        let weights = weights_for(&**rule, &network);
        average.clone().combine(weights, |a, w| rule.evaluated(a, w, step)).put_into(network)
    }

    /// Every average by its name, for a checkpoint.
    pub fn export(&self) -> impl Iterator<Item = (&'static str, Vec<NamedTensor>)> {
        self.followers.iter().map(|it| (it.name, it.average.export()))
    }

    /// What [`Averaging::export`] gave; `average` has the tensors of a name.
    ///
    /// # Errors
    ///
    /// The name of a tensor that does not belong to this training.
    pub fn restore(
        &mut self,
        mut average: impl FnMut(&str) -> Vec<NamedTensor>,
        device: &Device,
    ) -> Result<(), String> {
        self.followers.iter_mut().try_for_each(|it| it.average.restore(average(it.name), device))
    }
}

/// What a rule follows, of an evaluation copy (`network.valid()`).
fn weights_for<M: Module>(rule: &dyn WeightAverage, network: &M) -> NamedWeights {
    if rule.includes_statistics() {
        NamedWeights::all(network)
    } else {
        NamedWeights::trained(network)
    }
}
