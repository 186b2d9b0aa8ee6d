//! Too little memory for a training: refused before its first step, or ended in words.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use crate::place::*;

impl Place {
    /// Runs the program with so many megabytes of addresses.
    fn run_within(&self, megabytes: u64, arguments: &str) -> Run {
        let program = env!("CARGO_BIN_EXE_backburn");
        let script = format!("ulimit -v {}; exec {program} {arguments}", megabytes * 1000);
        let mut command = std::process::Command::new("sh");
        finish(command.args(["-c", &script]).current_dir(self.path(".")))
    }

    /// Megabytes of addresses that the program starts with: its own size, which the compiler's settings decide, and
    /// little more.
    fn least_megabytes(&self) -> u64 {
        let starts = |megabytes: &u64| self.run_within(*megabytes, "--version").code == Some(DONE);
        (10..1000).step_by(10).find(starts).expect("the program starts")
    }
}

/// The paragraph that begins with `error: `, or `warning: `.
fn paragraph<'a>(run: &'a Run, kind: &str) -> &'a str {
    let mut found = run.stderr.lines().filter(|line| line.starts_with(kind));
    let paragraph = found.next().unwrap_or_else(|| panic!("no {kind}in {}", run.stderr));
    assert_eq!(found.next(), None, "{}", run.stderr);
    paragraph
}

/// The number of bytes before a unit that follows `before`.
fn bytes(text: &str, before: &str) -> f64 {
    let mut words = text.split_once(before).unwrap().1.split_whitespace();
    let number: f64 = words.next().unwrap().parse().unwrap();
    match words.next().unwrap() {
        "MB" => number * 1e6,
        "GB" => number * 1e9,
        unit => panic!("{unit} in {text}"),
    }
}

#[test]
fn a_training_that_cannot_fit_is_refused_before_its_first_step() {
    let place = Place::new();
    let arguments = "train digits --model resnet18 --batch-size 1024 --train-size 2048 --epochs 1 \
        --threads 2 --out run";
    let refused = place.run_within(1500, arguments);
    refused.refuse(
        ERROR,
        &[
            "`resnet18` with batches of 1024 images needs about",
            "`ulimit -v`) is 1.5 GB",
            "`--batch-size 512 --accumulate 2`",
            "smaller `--model`",
        ],
    );
    // Some 5 MB an image.
    let need = bytes(paragraph(&refused, "error: "), "needs about ");
    assert!((4e9..8e9).contains(&need), "{need}");
    place.expect_empty();
}

#[test]
fn a_run_that_is_refused_memory_ends_in_words_and_is_resumed_where_there_is_more() {
    let place = Place::new();
    let training = "train digits --model mlp --hidden 256 --batch-size 4096 --train-size 8192 \
        --valid-size 64 --epochs 2 --learning-rate 0.001 --schedule constant --threads 1";
    place.run(&format!("{training} --out whole")).expect(DONE, &[]);
    // Looks for limits that let the run begin and not end, or end without a report: how the allocator cuts its
    // addresses up differs between machines.
    let (mut failed, mut without_report) = (None, None);
    let least = place.least_megabytes();
    for megabytes in (least..least + 340).step_by(10) {
        let out = format!("run-{megabytes}");
        let run = place.run_within(megabytes, &format!("{training} --out {out}"));
        if run.code == Some(DONE) {
            break;
        }
        run.expect(ERROR, &[]);
        paragraph(&run, "error: ");
        for word in ["backtrace", "memory allocation of", "abort"] {
            assert!(!run.stderr.contains(word), "{megabytes} MB: {}", run.stderr);
        }
        if !run.stderr.contains("error: out of memory") || !place.path(&out).exists() {
            continue;
        }
        match place.json(&format!("{out}/manifest.json"))["status"].as_str() {
            // It says `running`, as that of a killed run, where not even this little was granted any more.
            Some("failed" | "running") => failed = Some((out, run)),
            Some("finished") => without_report = Some((out, run)),
            other => panic!("{megabytes} MB: {other:?}"),
        }
    }
    place.expect_no_temporary_files();
    let (out, run) = failed.expect("some limit lets a run begin and not end");
    let error = paragraph(&run, "error: ");
    for part in ["the system refused", "`mlp` with batches of 4096 images", "--resume run-"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    place.run(&format!("train --resume {out}")).expect(DONE, &[]);
    place.expect_same(&out, "whole");
    // Some machines have no such limit.
    if let Some((out, run)) = without_report {
        let error = paragraph(&run, "error: ");
        assert!(error.contains(&format!("`cargo xtask report {out}`")), "{error}");
        assert!(!error.contains("--resume"), "{error}");
        place.expect_same(&out, "whole");
        place.run(&format!("report {out}")).expect(DONE, &[]);
        assert!(place.path(&out).join("report.html").exists());
    }
}

#[test]
fn threads_that_do_not_fit_are_refused_with_the_cure() {
    let place = Place::new();
    // Each has a stack of 2 MiB.
    let refused = place.run_within(
        place.least_megabytes() + 40,
        "train digits --model mlp --threads 64 --out run",
    );
    refused.refuse(ERROR, &["cannot start 64 threads", "`--threads`", "`ulimit -v`"]);
    place.expect_empty();
}

#[test]
fn where_nothing_is_trained_a_lack_of_memory_is_told_too() {
    let place = Place::new();
    let run = place
        .run_within(place.least_megabytes(), "data preview digits --augment flip --out p.html");
    run.expect(ERROR, &["error: "]);
    paragraph(&run, "error: ");
}

#[test]
fn the_estimate_is_near_what_a_training_takes() {
    let place = Place::new();
    let least = place.least_megabytes();
    let models = [("mlp", 4000), ("cnn", 400), ("lenet-bn", 4000), ("resnet20", 200)];
    for (number, (model, batch)) in models.into_iter().enumerate() {
        let training = format!(
            "train digits --model {model} --batch-size {batch} --train-size {batch} --valid-size \
             64 --epochs 1 --schedule constant --threads 2 --out run-{number}"
        );
        // The least limit that is enough for the trial with a few images.
        let mut limits = (least..least + 340).step_by(20);
        let estimate = limits.find_map(|megabytes| {
            let run = place.run_within(
                megabytes,
                &training.replace("--out run", &format!("--out within-{megabytes}")),
            );
            let told = run.stderr.contains("needs about");
            told.then(|| bytes(&run.stderr, "needs about "))
        });
        let estimate = estimate.expect("less is enough for a trial");
        let child = start(place.command(training.split(' ')));
        let peak = peak_of(child.process.id());
        child.finish().expect(DONE, &[]);
        let ratio = peak / estimate;
        assert!((0.5..1.5).contains(&ratio), "{model}: {ratio} of {estimate} bytes");
    }
}

/// The most memory that a process has had when it ends.
fn peak_of(process: u32) -> f64 {
    let started = Instant::now();
    let mut peak = 0.0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        // A process that has ended has none.
        let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else {
            return peak;
        };
        peak = line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() * 1024.0;
        assert!(started.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
}
