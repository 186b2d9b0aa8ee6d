//! Fuzzes what reads NumPy's arrays of labels and of images.
#![no_main]

use std::sync::LazyLock;

use backburn_hostile::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| target("npy"));

fuzz_target!(|input: &[u8]| {
    TARGET.run(input);
});
