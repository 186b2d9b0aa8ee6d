#!/usr/bin/env bash
# Cargo and rustc 1.95.0: `opt-level = 0` for one package makes another one slow, though the profile has that at level 3.
#
# A generic function that is marked `#[inline(never)]`, as the inner loops of the standard library's sorting are, is
# compiled once for each set of types, and a crate takes it from any crate below it that has compiled it already, at
# whatever level. Whoever spares the compiler a package that nothing waits for, such as one that reads the command line,
# can so slow down a package that everything waits for.
#
# Seen, sorting 2 million numbers by a function of the crate `hot`, which depends on `cold`, where another function sorts
# the same type of numbers and is never called: with `cold` at 0 instead of 3, `hot` takes 3 to 8 times as long, at 1, "s",
# 2 and 3 alike.
#
# Needs cargo and no package; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p cold/src hot/src src
for crate in cold hot; do
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n' "$crate" >"$crate/Cargo.toml"
    printf '/// Sorts.\npub fn sort(numbers: &mut Vec<u64>) {\n    numbers.sort_unstable();\n}\n' >"$crate/src/lib.rs"
done
printf '[dependencies]\ncold = { path = "../cold" }\n' >>hot/Cargo.toml
printf 'pub use cold;\n' >>hot/src/lib.rs
cat >src/main.rs <<'RUST'
use std::time::Instant;

fn main() {
    let mut state = 1_u64;
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let mut numbers: Vec<u64> = (0..2_000_000)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                state
            })
            .collect();
        let started = Instant::now();
        hot::sort(&mut numbers);
        least = least.min(started.elapsed().as_secs_f64());
    }
    println!("{least}");
}
RUST
seconds() { # LEVEL_OF_COLD LEVEL_OF_HOT
    cat >Cargo.toml <<TOML
[package]
name = "main"
version = "0.1.0"
edition = "2021"
[dependencies]
hot = { path = "hot" }
[profile.release.package]
cold = { opt-level = $1 }
hot = { opt-level = $2 }
TOML
    cargo run --quiet --offline --release --target-dir "$folder/target"
}
rustc --version
for level in 1 '"s"' 2 3; do
    ratio=$(python3 -c 'import sys; print(float(sys.argv[1]) / float(sys.argv[2]))' \
        "$(seconds 0 "$level")" "$(seconds 3 "$level")")
    printf 'hot at %s: %.1f times as long with cold at 0 as with cold at 3\n' "$level" "$ratio"
    python3 -c 'import sys; sys.exit(float(sys.argv[1]) < 2)' "$ratio"
done
