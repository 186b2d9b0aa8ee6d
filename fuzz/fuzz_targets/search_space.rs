//! Fuzzes what reads the settings that a search varies.
#![no_main]

use std::sync::LazyLock;

use backburn_hostile::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| target("search_space"));

fuzz_target!(|input: &[u8]| {
    TARGET.run(input);
});
