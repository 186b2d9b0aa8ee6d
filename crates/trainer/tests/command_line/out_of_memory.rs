//! Too little memory for a training: refused before its first step, or ended in words.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::place::*;

impl Place {
    /// Runs the program with so many megabytes of addresses.
    fn run_within(&self, megabytes: u64, arguments: &str) -> Run {
        let program = env!("CARGO_BIN_EXE_backburn");
        let script = format!("ulimit -v {}; exec {program} {arguments}", megabytes * 1000);
        let mut command = std::process::Command::new("sh");
        finish(command.args(["-c", &script]).env("CARGO", "cargo").current_dir(self.path(".")))
    }

    /// Megabytes of addresses that the program starts with: its own size, which the compiler's settings decide, and
    /// less than one more.
    fn least_megabytes(&self) -> u64 {
        let starts = |megabytes| self.run_within(megabytes, "--version").code == Some(DONE);
        least(0, MOST, 1, starts)
    }
}

/// More megabytes than anything here takes.
const MOST: u64 = 8192;

/// The least number, to `step`, that is enough; `below` is not, and `most` is.
fn least(mut below: u64, most: u64, step: u64, is_enough: impl Fn(u64) -> bool) -> u64 {
    assert!(is_enough(most), "{most} is not enough");
    let mut enough = most;
    while enough - below > step {
        let middle = u64::midpoint(below, enough);
        if is_enough(middle) { enough = middle } else { below = middle }
    }
    enough
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
    // Some 4 MB an image.
    let need = bytes(paragraph(&refused, "error: "), "needs about ");
    assert!((3e9..7e9).contains(&need), "{need}");
    place.expect_empty();
}

/// How a run within a limit has ended.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum End {
    /// Without a step.
    NotBegun,
    /// In its training.
    Failed,
    /// With its scores and without a report.
    WithoutReport,
    Done,
}

/// Checks what is said of a run within a limit, and gives how it has ended.
fn end_of(place: &Place, megabytes: u64, run: &Run) -> End {
    if run.code == Some(DONE) {
        return End::Done;
    }
    run.expect(ERROR, &[]);
    paragraph(run, "error: ");
    for word in ["backtrace", "memory allocation of", "abort"] {
        assert!(!run.stderr.contains(word), "{megabytes} MB: {}", run.stderr);
    }
    let manifest = format!("run-{megabytes}/manifest.json");
    if !run.stderr.contains("error: out of memory") || !place.path(&manifest).exists() {
        return End::NotBegun;
    }
    match place.json(&manifest)["status"].as_str() {
        // It says `running`, as that of a killed run, where not even this little was granted any more.
        Some("failed" | "running") => End::Failed,
        Some("finished") => End::WithoutReport,
        other => panic!("{megabytes} MB: {other:?}"),
    }
}

#[test]
fn a_run_that_is_refused_memory_ends_in_words_and_is_resumed_where_there_is_more() {
    let place = Place::new();
    // One step, for which memory is needed that is a multiple of all that is needed before and after it. The estimate that
    // a run may begin by is of less, to be on the safe side: so there are limits that let it begin and not end, however
    // the allocator cuts its addresses up, which differs between machines.
    let training = "train digits --model mlp --hidden 512,512 --batch-size 8192 --train-size 8192 \
        --valid-size 64 --epochs 1 --learning-rate 0.001 --schedule constant --threads 1";
    place.run(&format!("{training} --out whole")).expect(DONE, &[]);
    let ends = RefCell::new(BTreeMap::new());
    let end = |megabytes: u64| {
        let known = ends.borrow().get(&megabytes).map(|(end, _)| *end);
        known.unwrap_or_else(|| {
            let run = place.run_within(megabytes, &format!("{training} --out run-{megabytes}"));
            let end = end_of(&place, megabytes, &run);
            ends.borrow_mut().insert(megabytes, (end, run));
            end
        })
    };
    // The last limits that are tried are just enough to begin, and just not enough to end.
    let begins =
        least(place.least_megabytes(), MOST, 4, |megabytes| end(megabytes) > End::NotBegun);
    least(begins - 1, MOST, 4, |megabytes| end(megabytes) == End::Done);
    let ends = ends.into_inner();
    let find = |wanted| {
        let (megabytes, (_, run)) = ends.iter().find(|(_, (end, _))| *end == wanted)?;
        Some((format!("run-{megabytes}"), run))
    };
    let (out, run) = find(End::Failed).expect("some limit lets a run begin and not end");
    let error = paragraph(run, "error: ");
    for part in ["the system refused", "`mlp` with batches of 8192 images", "--resume run-"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    place.run(&format!("train --resume {out}")).expect(DONE, &[]);
    place.expect_same(&out, "whole");
    place.expect_no_temporary_files_in(&out);
    // Some machines have no such limit.
    if let Some((out, run)) = find(End::WithoutReport) {
        let error = paragraph(run, "error: ");
        assert!(error.contains(&format!("`cargo xtask report {out}`")), "{error}");
        assert!(!error.contains("--resume"), "{error}");
        place.expect_same(&out, "whole");
        place.run(&format!("report {out}")).expect(DONE, &[]);
        assert!(place.path(&out).join("report.html").exists());
        place.expect_no_temporary_files_in(&out);
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
        let mut limits = (least..least + 1000).step_by(20);
        let estimate = limits.find_map(|megabytes| {
            let run = place.run_within(
                megabytes,
                &training.replace("--out run", &format!("--out within-{megabytes}")),
            );
            let told = run.stderr.contains("needs about");
            told.then(|| bytes(&run.stderr, "needs about "))
        });
        let estimate = estimate.expect("less is enough for a trial");
        let out = place.path(&format!("run-{number}"));
        let peak = in_time(|| {
            let child = place.start(&training);
            let peak = peak_of(child.id(), || out.join("model.safetensors").exists());
            child.finish().expect(DONE, &[]);
            if peak.is_none() {
                std::fs::remove_dir_all(&out).unwrap();
            }
            peak
        });
        let ratio = peak / estimate;
        assert!((0.5..1.5).contains(&ratio), "{model}: {ratio} of {estimate} bytes");
    }
}

/// The most memory that a process has had; `None` if nobody has looked between the end of its training and its own, where
/// there is all of it but for what the report takes.
fn peak_of(process: u32, is_trained: impl Fn() -> bool) -> Option<f64> {
    let mut peak = None;
    loop {
        let is_trained = is_trained();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        // A process that has ended has none.
        let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else {
            return peak;
        };
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        peak = is_trained.then_some(kilobytes * 1024.0);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
