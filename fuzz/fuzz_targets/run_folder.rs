//! Fuzzes what reads manifest.json, metrics.jsonl, summary.json and evaluation.json of a run.
#![no_main]

use std::sync::LazyLock;

use backburn_hostile::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| target("run_folder"));

fuzz_target!(|input: &[u8]| {
    TARGET.run(input);
});
