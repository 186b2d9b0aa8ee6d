//! Fuzzes what reads tensors by name from files of PyTorch and safetensors.
#![no_main]

use std::sync::LazyLock;

use backburn_hostile::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| target("state_dict"));

fuzz_target!(|input: &[u8]| {
    TARGET.run(input);
});
