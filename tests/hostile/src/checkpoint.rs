//! Checkpoints of a training.

use std::sync::LazyLock;

use backburn_data::SplitSize;
use backburn_models::{MlpConfig, ModelConfig};
use backburn_regularization::{EarlyStoppingConfig, Lookahead};
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::prepare::Prepared;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::run_folder::checkpoint;
use backburn_training::state::State;
use burn::tensor::Device;
use sha2::{Digest, Sha256};

use crate::Seed;

/// A checkpoint is restored or refused. What is restored can be saved again, and a network selected of it.
pub(crate) fn restore(input: &[u8]) -> bool {
    // As it is, and with a checksum that fits: only then is anything behind it reached.
    let is_valid = restored(input);
    reseal(input).is_some_and(|sealed| restored(&sealed)) || is_valid
}

fn restored(input: &[u8]) -> bool {
    let mut state = fresh();
    if checkpoint::restore(&mut state, input).is_err() {
        return false;
    }
    checkpoint::to_bytes(&state).expect("what was restored can be saved");
    state.selected();
    true
}

/// A training that has not begun.
fn fresh() -> State {
    static PREPARED: LazyLock<(Recipe, Prepared)> = LazyLock::new(|| {
        let recipe = recipe();
        let prepared = Prepared::load(&recipe, &mut |_| {}).expect("digits are built in");
        (recipe, prepared)
    });
    let (recipe, prepared) = &*PREPARED;
    State::new(recipe, prepared, &Device::flex()).expect("a small network")
}

/// The smallest network that has everything a checkpoint can hold.
fn recipe() -> Recipe {
    let mut recipe = built_in("digits").expect("a built-in recipe");
    recipe.model = ModelConfig::Mlp(MlpConfig { hidden: vec![1], dropout: 0.0, batch_norm: true });
    recipe.batch_size = 10;
    recipe.train_size = Some(SplitSize::Count(10));
    recipe.valid_size = SplitSize::Count(10);
    recipe.optimizer = OptimizerConfig::Momentum { momentum: 0.5 };
    recipe.lookahead = Some(Lookahead { steps: 5, alpha: 0.5 });
    recipe.ema = Some(0.5);
    recipe.early_stopping = "patience=3".parse::<EarlyStoppingConfig>().ok();
    recipe
}

/// The input with the checksum of its own content, if it has a place for one.
fn reseal(input: &[u8]) -> Option<Vec<u8>> {
    const KEY: &[u8] = br#"\"sha256\":\""#;
    const LENGTH: usize = 64;
    let place = input.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let mut sealed = input.to_vec();
    sealed.get_mut(place..place + LENGTH)?.fill(b'0');
    let sum: String = Sha256::digest(&sealed).iter().map(|byte| format!("{byte:02x}")).collect();
    sealed[place..place + LENGTH].copy_from_slice(sum.as_bytes());
    Some(sealed)
}

pub(crate) fn seeds() -> Vec<Seed> {
    let whole = checkpoint::to_bytes(&fresh()).expect("a fresh state can be saved");
    vec![
        Seed::refused("cut", &whole[..whole.len() / 2]),
        Seed::valid("fresh", whole),
        Seed::refused("no-header", [&2_u64.to_le_bytes()[..], b"{}"].concat()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fuzzing would end at the checksum, in silence, otherwise.
    #[test]
    fn a_changed_checkpoint_with_a_new_checksum_is_taken() {
        let fresh = seeds().into_iter().find(|seed| seed.is_valid).unwrap().bytes;
        assert_eq!(reseal(&fresh).unwrap(), fresh);
        let mut changed = fresh;
        // The last byte is one of a tensor's values.
        *changed.last_mut().unwrap() ^= 1;
        assert!(!restored(&changed));
        assert!(restored(&reseal(&changed).unwrap()));
    }
}
