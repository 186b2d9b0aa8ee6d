//! Fuzzes what reads files of CIFAR-100, by either of their labels.
#![no_main]

use std::sync::LazyLock;

use backburn_hostile::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| target("cifar_100"));

fuzz_target!(|input: &[u8]| {
    TARGET.run(input);
});
