//! Fuzzes what reads an event file that `--resume` takes up again.
#![no_main]

use std::sync::LazyLock;

use backburn_hostile::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| target("event_file"));

fuzz_target!(|input: &[u8]| {
    TARGET.run(input);
});
