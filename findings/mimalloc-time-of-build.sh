#!/usr/bin/env bash
# mimalloc 0.1.52 (libmimalloc-sys 0.1.49, crates.io) with rustc 1.95: a Rust program with this allocator is another one each
# time that it is built. The same sources, lock file, compiler and flags give other bytes, in a release build, stripped.
#
# A release build of Rust gives the same bytes again, wherever its target folder is; that is what checksums of releases and
# caches of artifacts rest on. The C sources that the crate compiles print date and time of compiling in a message which is
# shown only where MIMALLOC_VERBOSE is set, so that both are in every program.
#
# Seen: the same program built twice into folders of their own, without the allocator: same bytes. With it some hundred bytes
# differ, and each holds the time of its build. With SOURCE_DATE_EPOCH=0, which C compilers take for the time: same bytes again.
#
# Needs cargo and a C compiler; builds in a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "program"
version = "0.1.0"
edition = "2021"
[features]
allocator = ["dep:mimalloc", "dep:libmimalloc-sys"]
[dependencies]
mimalloc = { version = "=0.1.52", optional = true }
libmimalloc-sys = { version = "=0.1.49", optional = true }
[profile.release]
strip = true
TOML
cat >src/main.rs <<'RUST'
#[cfg(feature = "allocator")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    println!("{}", vec![1; std::env::args().count()].len());
}
RUST
build() { # TARGET FLAGS...
    cargo build --quiet --release --target-dir "$folder/$1" "${@:2}"
    sleep 1.1
}
twice() { # NAME FLAGS...
    build "$1-first" "${@:2}"
    build "$1-second" "${@:2}"
    { cmp -l "$folder/$1-first/release/program" "$folder/$1-second/release/program" || true; } | wc -l
}
without=$(twice without)
with=$(twice with --features allocator)
dated=$(SOURCE_DATE_EPOCH=0 twice dated --features allocator)
echo "bytes that differ: $without without the allocator, $with with it, $dated with it and SOURCE_DATE_EPOCH"
[ "$without" = 0 ] && [ "$dated" = 0 ]
[ "$with" -ge 1 ]
time_of_build() {
    strings "$folder/with-$1/release/program" | grep --extended-regexp '^[0-2][0-9]:[0-5][0-9]:[0-5][0-9]$'
}
echo "times in the programs: $(time_of_build first) and $(time_of_build second)"
[ "$(time_of_build first)" != "$(time_of_build second)" ]
