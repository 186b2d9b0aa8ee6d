//! Fuzzes what reads losses.csv of a run that is resumed.
#![no_main]

use std::sync::LazyLock;

use backburn_hostile::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| target("losses"));

fuzz_target!(|input: &[u8]| {
    TARGET.run(input);
});
