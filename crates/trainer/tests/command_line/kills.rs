//! Runs that are killed at random moments end like those that were not.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use backburn_models::CATALOG;
use backburn_training::optimize::optimizer::OptimizerConfig;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::place::*;

const KILLS: usize = 30;
const INTERRUPTIONS: usize = 7;

/// Eight steps, each with a checkpoint.
const RUN: &str =
    "mnist --data-dir data --checkpoint-every 1 --learning-rate 0.003 --augment crop=2 --threads 1";

/// Models that train in a moment, with what makes them so small.
const SMALL: [&str; 5] =
    ["mlp --hidden 16", "cnn --widths 4,4", "lenet-bn", "cifarnet --widths 4,4,4", "resnet20"];

/// What the next run in line trains: first every model of the catalog, then the small ones with one
/// optimizer after the other. Those that are large take three steps with an optimizer that remembers
/// nothing, or their checkpoints would take longer than the rest together.
fn flags(number: usize) -> String {
    let optimizers = OptimizerConfig::NAMES;
    let optimizer = optimizers[number % optimizers.len()];
    match CATALOG.get(number).map(|row| row.name) {
        Some(model @ ("resnet18" | "resnet34" | "resnet50")) => {
            format!(
                "{RUN} --model {model} --optimizer sgd --epochs 1 --train-size 3 --batch-size 1 \
                 --valid-size 0"
            )
        }
        Some(model @ ("resnet32" | "resnet44" | "resnet56")) => format!(
            "{RUN} --model {model} --optimizer {optimizer} --epochs 2 --train-size 8 --batch-size \
             2 --valid-size 4"
        ),
        named => {
            let small = || SMALL[number % SMALL.len()];
            let model = named.and_then(|name| SMALL.into_iter().find(|it| it.starts_with(name)));
            let model = model.unwrap_or_else(small);
            format!(
                "{RUN} --model {model} --optimizer {optimizer} --epochs 2 --train-size 16 \
                 --batch-size 4 --valid-size 8"
            )
        }
    }
}

#[test]
fn the_runs_that_are_killed_cover_every_model_and_every_optimizer() {
    let all: Vec<String> = (0..KILLS).map(flags).collect();
    let models = CATALOG.iter().map(|row| format!("--model {} ", row.name));
    let optimizers = OptimizerConfig::NAMES.iter().map(|name| format!("--optimizer {name} "));
    for part in models.chain(optimizers) {
        assert!(all.iter().any(|flags| flags.contains(&part)), "{part}");
    }
}

/// The seed of the moments: of the clock, or `$BACKBURN_KILL_SEED` to see the same ones again.
fn seed() -> u64 {
    let given = std::env::var("BACKBURN_KILL_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("BACKBURN_KILL_SEED is a number"));
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap().as_nanos() as u64
    });
    println!("moments of BACKBURN_KILL_SEED={seed}");
    seed
}

/// How a run stood when it was stopped, for the count.
fn state(place: &Place) -> &'static str {
    let exists = |file: &str| place.path("run").join(file).exists();
    match () {
        () if !exists("config.toml") => "before its recipe was written",
        () if !exists("checkpoints/latest.safetensors") => "before its first checkpoint",
        () if exists("report.html") => "after its report",
        () if exists("model.safetensors") => "while it was scored",
        () => "while it trained",
    }
}

/// Stops a run at a random moment with a signal, and resumes it.
fn stop_and_resume(number: usize, signal: &str, seed: u64) -> &'static str {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number as u64);
    let (place, flags) = (Place::with_mnist(), flags(number));
    let (started, began) = (Instant::now(), SystemTime::now());
    place.run(&format!("train {flags} --out whole")).expect(DONE, &[]);
    // Three of four while it trains, which for runs as small as these takes less than the report.
    let whole = started.elapsed();
    let trained =
        std::fs::metadata(place.path("whole/model.safetensors")).unwrap().modified().unwrap();
    let mut span = match number % 4 {
        3 => whole,
        // The clock of the files need not be that of the system.
        _ => trained.duration_since(began).map_or(whole, |span| span.min(whole)),
    };
    let state = loop {
        let child = start(place.command(format!("train {flags} --out run").split(' ')));
        std::thread::sleep(span.mul_f64(rng.random::<f64>()));
        child.signal(signal);
        let run = child.finish();
        match run.code {
            // A signal ended it, or it heard it.
            None | Some(INTERRUPTED) => break state(&place),
            Some(DONE) => {}
            other => panic!("{flags}: {other:?}: {}", run.stderr),
        }
        // It was faster than the one before.
        std::fs::remove_dir_all(place.path("run")).unwrap();
        span = span.mul_f64(0.8).max(Duration::from_millis(5));
    };
    let begun = place.path("run/config.toml").exists();
    if begun {
        expect_sound(&place, &format!("{flags}: {state}"));
    }
    let again =
        if begun { "train --resume run".into() } else { format!("train {flags} --out run") };
    let run = place.run(&again);
    let has_ended = run.code == Some(ERROR) && run.stderr.contains("is finished");
    assert!(run.code == Some(DONE) || has_ended, "{flags}: {state}: {}", run.stderr);
    assert!(!run.stderr.contains("warning"), "{flags}: {state}: {}", run.stderr);
    place.expect_same("run", "whole");
    if has_ended {
        place.run("report run").expect(DONE, &[]);
    }
    place.run("verify run").expect(DONE, &["model.safetensors"]);
    state
}

/// A run that was killed lacks nothing but what its next command makes.
fn expect_sound(place: &Place, context: &str) {
    let run = place.run("verify run");
    let curable =
        |fault: &str| fault.contains("` sets it right") || fault.contains("; draw it with `");
    let is_sound = match run.code {
        Some(DONE) => true,
        Some(ERROR) if run.stderr.contains("wrong with run:") => {
            run.stderr.lines().skip(1).all(curable)
        }
        _ => false,
    };
    assert!(is_sound, "{context}: {}{}", run.stdout, run.stderr);
}

/// Two at a time, as many as there are cores on a small machine.
fn stop_many(runs: std::ops::Range<usize>, signal: &str) {
    let (seed, next) = (seed(), Mutex::new(runs.clone()));
    let states = Mutex::new(std::collections::BTreeMap::<&str, usize>::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(number) = next.lock().unwrap().next() else { break };
                    let state = stop_and_resume(number, signal, seed);
                    *states.lock().unwrap().entry(state).or_default() += 1;
                }
            });
        }
    });
    let states = states.into_inner().unwrap();
    println!("{} equal after SIG{signal}; stopped {states:?}", runs.len());
}

#[test]
fn runs_killed_at_random_moments_end_like_those_that_were_not() {
    stop_many(0..KILLS, "KILL");
}

#[test]
fn runs_interrupted_at_random_moments_end_like_those_that_were_not() {
    // Small ones, one optimizer after the other.
    stop_many(CATALOG.len()..CATALOG.len() + INTERRUPTIONS, "INT");
}
