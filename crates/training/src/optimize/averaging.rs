//! What follows the weights from step to step: their moving average, and Lookahead's slow weights.

use backburn_models::NamedTensor;
use backburn_regularization::{Ema, Lookahead};
use burn::module::Module;
use burn::tensor::Device;

use crate::optimize::named_weights::NamedWeights;

/// Followers of the weights; a checkpoint holds them.
#[derive(Clone, Debug)]
pub struct Averaging {
    lookahead: Option<(Lookahead, NamedWeights)>,
    ema: Option<(Ema, NamedWeights)>,
}

impl Averaging {
    /// Both start at the network's initial weights.
    pub fn new<M: Module>(lookahead: Option<Lookahead>, ema: Option<Ema>, network: &M) -> Self {
        Self {
            lookahead: lookahead.map(|it| (it, NamedWeights::trained(&network.valid()))),
            ema: ema.map(|it| (it, NamedWeights::all(&network.valid()))),
        }
    }

    /// Follows the optimizer's step number `step`, counted from 1, and gives the network to go on
    /// with.
    pub fn follow<M: Module>(&mut self, mut network: M, step: u64) -> M {
        if let Some((lookahead, slow)) = &mut self.lookahead
            && lookahead.is_due(step)
        {
            let fast = NamedWeights::trained(&network.valid());
            let moved = std::mem::take(slow).combine(fast, |slow, fast| lookahead.look(slow, fast));
            network = moved.put_into(network);
            *slow = moved;
        }
        if let Some((ema, average)) = &mut self.ema {
            let weights = NamedWeights::all(&network.valid());
            *average = std::mem::take(average).combine(weights, |a, w| ema.average(a, w, step));
        }
        network
    }

    /// The network to evaluate and keep after the optimizer's step number `step`: the average, else the slow
    /// weights with the running statistics of `network`, else `network`'s own.
    ///
    /// Between two of Lookahead's looks, the slow weights are those that it would have if it looked now: the
    /// steps since the last look count too.
    pub fn evaluation_copy<M: Module>(&self, network: &M, step: u64) -> M {
        match (&self.ema, &self.lookahead) {
            (Some((_, average)), _) => average.put_into(network.valid()),
            (None, Some((lookahead, slow))) if lookahead.is_due(step) => {
                slow.put_into(network.valid())
            }
            (None, Some((lookahead, slow))) => {
                let fast = NamedWeights::trained(&network.valid());
                let moved = slow.clone().combine(fast, |slow, fast| lookahead.look(slow, fast));
                moved.put_into(network.valid())
            }
            (None, None) => network.valid(),
        }
    }

    /// Lookahead's slow weights and the average, for a checkpoint; empty where there are none.
    pub fn export(&self) -> [Vec<NamedTensor>; 2] {
        let slow = self.lookahead.as_ref().map(|(_, weights)| weights.export());
        let average = self.ema.as_ref().map(|(_, weights)| weights.export());
        [slow.unwrap_or_default(), average.unwrap_or_default()]
    }

    /// What [`Averaging::export`] gave.
    ///
    /// # Errors
    ///
    /// The name of a tensor that does not belong to this training.
    pub fn restore(
        &mut self,
        [slow, average]: [Vec<NamedTensor>; 2],
        device: &Device,
    ) -> Result<(), String> {
        restore(self.lookahead.as_mut().map(|(_, weights)| weights), slow, device)?;
        restore(self.ema.as_mut().map(|(_, weights)| weights), average, device)
    }
}

fn restore(
    weights: Option<&mut NamedWeights>,
    tensors: Vec<NamedTensor>,
    device: &Device,
) -> Result<(), String> {
    match weights {
        Some(weights) => weights.restore(tensors, device),
        None => tensors.into_iter().next().map_or(Ok(()), |tensor| Err(tensor.name)),
    }
}
