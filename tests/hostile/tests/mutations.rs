//! Every target, fed with its seeds, with what fuzzing has found before and with thousands of
//! mutations of both.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use backburn_hostile::mutation::mutated;
use backburn_hostile::{TARGETS, Target, target};
use flate2::{Compression, write::GzEncoder};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The archive's gzip stream is a thousandth as long, and what a tar reader does with such names is
/// to gather them in memory.
#[test]
fn a_name_of_64_megabytes_in_an_archive_takes_no_memory() {
    const LENGTH: usize = 64 << 20;
    let good = (target("archive").seeds)().into_iter().find(|seed| seed.name == "good").unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_path("././@LongLink").unwrap();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(LENGTH as u64);
    header.set_cksum();
    let mut archive = GzEncoder::new(Vec::new(), Compression::fast());
    archive.write_all(header.as_bytes()).unwrap();
    for _ in 0..64 {
        archive.write_all(&vec![b'a'; LENGTH / 64]).unwrap();
    }
    archive.write_all(&good.bytes).unwrap();
    let archive = archive.finish().unwrap();
    assert!(target("archive").most_bytes(archive.len()) < LENGTH / 16);
    assert!(target("archive").run(&archive));
}

/// The folder of the fuzz targets.
fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The committed inputs of a target, by name.
fn committed(target: &Target) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(fuzz().join("seeds").join(target.name)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// Feeds one input, and if that fails leaves it behind for `fuzz/seeds`.
fn feed(target: &Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| target.run(input))).unwrap_or_else(|panic| {
        let name = format!("backburn-hostile-{}-{}", target.name, std::process::id());
        let file = std::env::temp_dir().join(name);
        let _ = fs::write(&file, input);
        eprintln!("{}: the input is in {}", target.name, file.display());
        resume_unwind(panic)
    })
}

fn survives(name: &str, inputs: usize) {
    let target = target(name);
    let mut seeds = Vec::new();
    for seed in (target.seeds)() {
        assert_eq!(feed(target, &seed.bytes), seed.is_valid, "{name}: {}", seed.name);
        seeds.push(seed.bytes);
    }
    for (_, input) in committed(target) {
        feed(target, &input);
        seeds.push(input);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let valid = (0..inputs).filter(|_| feed(target, &mutated(&seeds, &mut rng))).count();
    // Mutations that are all refused at the door, or none of them, would show little.
    assert!(valid > inputs / 1000, "{name}: only {valid} of {inputs} were valid");
    assert!(valid < inputs * 999 / 1000, "{name}: {valid} of {inputs} were valid");
}

macro_rules! survive {
    ($($name:ident: $inputs:expr,)*) => {
        $(
            #[test]
            fn $name() {
                survives(stringify!($name), $inputs);
            }
        )*

        #[test]
        fn every_target_is_tested_here_and_fuzzed() {
            let tested = BTreeSet::from([$(stringify!($name)),*]);
            let listed: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(tested, listed);
            let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
            for name in listed {
                assert!(fuzz().join(format!("fuzz_targets/{name}.rs")).is_file(), "{name}");
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

survive! {
    idx: 5_000,
    cifar_batch: 5_000,
    cifar_100: 5_000,
    npy: 10_000,
    picture: 10_000,
    archive: 3_000,
    run_folder: 1_500,
    weights: 5_000,
    state_dict: 10_000,
    checkpoint: 1_000,
    recipe: 3_000,
    search_space: 3_000,
    text_forms: 10_000,
    losses: 3_000,
    event_file: 3_000,
    scalars: 3_000,
}
