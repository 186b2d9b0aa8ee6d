//! Tensors by name in files that others wrote.

use std::collections::BTreeSet;

use backburn_models::state_dict::read as read_state_dict;

use crate::Seed;

/// What is read has values for its shape, each name once, and no more values than the file has bytes.
pub(crate) fn read(input: &[u8]) -> bool {
    let Ok(state) = read_state_dict(input) else { return false };
    let (mut values, mut names) = (0, BTreeSet::new());
    for tensor in &state.tensors {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len(), "{}", tensor.name);
        assert!(names.insert(&tensor.name), "{} twice", tensor.name);
        values += tensor.values.len();
    }
    assert!(values <= input.len(), "{values} values from {} bytes", input.len());
    true
}

/// Archives have checksums, which what is behind them is not reached with: most seeds are of the old format.
pub(crate) fn seeds() -> Vec<Seed> {
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../fixtures/state-dicts/", $name))
        };
    }
    vec![
        Seed::valid("archive", *file!("bfloat16.pt")),
        Seed::valid("archive-double", *file!("double.pt")),
        Seed::valid("legacy", *file!("legacy.pt")),
        Seed::valid("legacy-checkpoint", *file!("checkpoint-legacy.pt")),
        Seed::valid("legacy-protocol-5", *file!("protocol-5-legacy.pt")),
        Seed::valid("legacy-strided", *file!("strided-legacy.pt")),
        Seed::valid("safetensors", *file!("half.safetensors")),
        Seed::refused("legacy-two", *file!("refused-two.pt")),
        Seed::refused("module", *file!("refused-module.pt")),
    ]
}
