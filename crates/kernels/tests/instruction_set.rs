//! The environment can limit the instruction set, so that narrower ones are tested too.

use std::process::Command;

use backburn_kernels::cpu::{INSTRUCTION_SETS, instruction_set};

fn width(name: &str) -> usize {
    INSTRUCTION_SETS.iter().position(|&known| known == name).expect("one of the list")
}

#[test]
fn nothing_wider_than_the_limit_is_in_use() {
    let limit = std::env::var("BACKBURN_SIMD").unwrap_or_else(|_| "avx512".into());
    let used = instruction_set();
    assert!(width(used) <= width(&limit), "{used} is in use in spite of BACKBURN_SIMD={limit}");
}

#[test]
fn every_limit_is_kept() {
    // It is read once per process, so each limit needs a process of its own.
    for limit in INSTRUCTION_SETS {
        let test = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "nothing_wider_than_the_limit_is_in_use"])
            .env("BACKBURN_SIMD", limit)
            .output()
            .unwrap();
        assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stdout));
        assert!(String::from_utf8_lossy(&test.stdout).contains("1 passed"));
    }
}
