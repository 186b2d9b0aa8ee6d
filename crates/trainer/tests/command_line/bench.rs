//! The bench: what it measures, what it leaves, and how it gets on with those that measure for it.

use serde_json::Value;

use crate::place::*;

/// A bench of a second or two.
const BENCH: &str = "bench --models mlp --batch-sizes 2 --seconds 0.02 --threads 2";

/// Lines for a terminal of 80 columns, but for the name of the processor, which may be as long as it likes.
fn expect_narrow<'a>(lines: impl Iterator<Item = &'a str>) {
    let mut lines = lines.filter(|line| !line.contains(" on "));
    let wide = lines.find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
}

/// A figure that was measured.
fn expect_figure(figure: &Value) {
    expect_keys(figure, "median lowest highest repetitions");
    let number = |key: &str| figure[key].as_f64().unwrap();
    assert!(number("lowest") > 0.0, "{figure}");
    assert!(number("lowest") <= number("median"), "{figure}");
    assert!(number("median") <= number("highest"), "{figure}");
    assert!(number("repetitions") >= 3.0, "{figure}");
}

#[test]
fn a_bench_prints_tables_and_leaves_every_figure_with_its_unit() {
    let place = Place::new();
    let run = place.run(&format!("{BENCH} --out all.json"));
    run.expect(DONE, &["training, images/s", "mlp, batch 2", "matrix product", "all.json"]);
    expect_narrow(run.stdout.lines().chain(run.stderr.lines()));
    place.expect_no_temporary_files();
    assert_eq!(place.names("."), ["all.json"]);

    let record = place.json("all.json");
    expect_keys(
        &record,
        "backburn_version burn_version git_commit started ended backend device processor \
         instruction_set threads seconds_per_repetition busy_threads_of_others pytorch networks \
         matrix_product layers loader",
    );
    let network = &record["networks"][0];
    expect_keys(
        network,
        "model image batch_size training_images_per_second evaluation_images_per_second \
         first_step_seconds peak_memory_bytes one_thread threads_over_one card pytorch",
    );
    for key in ["training_images_per_second", "evaluation_images_per_second", "first_step_seconds"]
    {
        expect_figure(&network[key]);
    }
    expect_figure(&network["one_thread"]["gain"]);
    expect_figure(&network["threads_over_one"]);
    // A hundred gigabytes would be a mistake of the unit.
    #[cfg(target_os = "linux")]
    assert!((1e6..1e11).contains(&network["peak_memory_bytes"].as_f64().unwrap()), "{network}");
    assert_eq!(network["pytorch"], Value::Null);
    expect_figure(&record["matrix_product"]["gflop_per_second"]);
    assert_eq!(record["layers"].as_array().unwrap().len(), 0);
    for loader in record["loader"].as_array().unwrap() {
        expect_figure(&loader["images_per_second"]);
    }
}

#[test]
fn one_thread_has_nothing_to_scale_and_json_is_what_is_written() {
    let place = Place::new();
    let run = place.run(&format!("{} --json", BENCH.replace("--threads 2", "--threads 1")));
    run.expect(DONE, &[]);
    let printed: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(printed, place.json("bench.json"));
    assert_eq!(printed["networks"][0]["one_thread"], Value::Null);
    assert_eq!(printed["networks"][0]["threads_over_one"], Value::Null);
    assert_eq!(printed["matrix_product"]["gain"], Value::Null);
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is() {
    let place = Place::new();
    for (arguments, parts) in [
        ("--models mlp,vgg", &["unknown model `vgg`", "known: mlp, cnn"][..]),
        ("--batch-sizes 32,0", &["`--batch-sizes`", "found 0"]),
        ("--batch-sizes -1", &["--batch-sizes"]),
        ("--seconds 0", &["`--seconds`", "more than 0"]),
        ("--seconds nan", &["`--seconds`"]),
        ("--threads 0", &["`--threads`"]),
        ("--backend tpu", &["unknown backend `tpu`", "flex"]),
        ("--out .", &["`--out`", "bench.json"]),
        ("--out nowhere/bench.json", &["`--out`", "no folder nowhere"]),
        ("--against caffe", &["caffe", "pytorch"]),
        ("--python python3", &["--against"]),
        ("--pytorch-compile", &["--against"]),
    ] {
        place.run(&format!("bench {arguments}")).refuse(USAGE, parts);
    }
    let run = place.run("bench --against pytorch --python no-such-python");
    run.refuse(ERROR, &["no-such-python", "--python", "pip install torch numpy"]);
    place.expect_empty();
}

/// Programs that stand for a Python with PyTorch.
#[cfg(unix)]
mod against {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// Speaks the protocol: a hundred images a second, in the other format four hundred, and a
    /// gigabyte. Notes each question.
    const HONEST: &str = r#"
case "$*" in
  *--probe*) echo '{"name": "PyTorch 0.0"}'; exit ;;
  *channels_last*) amount=400 ;;
  *) amount=100 ;;
esac
echo '{"name": "PyTorch 0.0", "first_step_seconds": 0.5}'
while read -r line; do
  echo "$amount $line" >> asked
  case "$line" in
    *peak_memory*) echo '{"peak_memory_bytes": 1000000000}' ;;
    *) echo "{\"amount\": $amount, \"seconds\": 1}" ;;
  esac
done
"#;

    /// A place with an executable of these lines.
    fn with_python(script: &str) -> Place {
        let place = Place::new();
        fs::write(place.path("script"), format!("#!/bin/sh\n{script}")).unwrap();
        // By another process: what another test starts just now may have inherited a file that is written to here, and
        // such a file cannot be executed.
        let mut copy = Command::new("sh");
        copy.args(["-c", "cp script python && chmod 755 python"]).current_dir(place.path("."));
        assert!(copy.status().unwrap().success());
        place
    }

    fn against(place: &Place) -> Run {
        let bench = BENCH.replace("mlp", "lenet-bn");
        place.run(&format!("{bench} --against pytorch --python ./python"))
    }

    #[test]
    fn ratios_are_of_turns_against_the_faster_format() {
        let place = with_python(HONEST);
        let run = against(&place);
        run.expect(DONE, &["against PyTorch 0.0", "channels_last", "ours/PyTorch's"]);
        expect_narrow(run.stdout.lines());
        let record = place.json("bench.json");
        assert_eq!(record["pytorch"], "PyTorch 0.0");
        let network = &record["networks"][0];
        let pytorch = &network["pytorch"];
        for side in ["training", "evaluation"] {
            assert_eq!(pytorch[side]["faster_memory_format"], "channels_last");
            assert_eq!(pytorch[side]["images_per_second"]["median"], 400.0);
            expect_figure(&pytorch[side]["ratio"]);
            let ours = network[format!("{side}_images_per_second")]["median"].as_f64().unwrap();
            let ratio = pytorch[side]["ratio"]["median"].as_f64().unwrap();
            assert!((ratio * 400.0 / ours - 1.0).abs() < 1e-9, "{network}");
        }
        assert_eq!(pytorch["ways"].as_array().unwrap().len(), 2);
        #[cfg(target_os = "linux")]
        assert!(pytorch["peak_memory_ratio"].as_f64().unwrap() < 1.0, "{pytorch}");

        // Both warm up, and then the order turns round from one turn to the next.
        let asked = place.text("asked");
        let training = asked.lines().filter(|line| line.contains("training"));
        let formats: Vec<&str> = training.map(|line| &line[..3]).collect();
        assert_eq!(formats[..8], ["100", "400", "100", "400", "400", "100", "100", "400"]);
        assert_eq!(formats.len(), 12);
    }

    #[test]
    fn what_pytorch_compiles_is_a_way_of_its_own() {
        let place = with_python(HONEST);
        let run =
            place.run(&format!("{BENCH} --against pytorch --pytorch-compile --python ./python"));
        run.expect(DONE, &["against its other ways", "compiled"]);
        expect_narrow(run.stdout.lines());
        let pytorch = place.json("bench.json")["networks"][0]["pytorch"].clone();
        assert_eq!(pytorch["training"]["faster_memory_format"], "contiguous");
        assert_eq!(pytorch["ways"][1]["way"], "compiled");
        expect_figure(&pytorch["ways"][1]["training_ratio"]);
    }

    #[test]
    fn a_script_that_fails_is_heard() {
        let error = "echo 'Traceback' >&2; echo 'error: no torch; pip install torch' >&2; exit 1";
        against(&with_python(error)).refuse(ERROR, &["no torch; pip install torch"]);
        let crash = HONEST.replace("while", "echo 'Bus error' >&2; exit 7\nwhile");
        against(&with_python(&crash)).expect(ERROR, &["lenet-bn, batch 2 in PyTorch", "Bus error"]);
        let garbage = HONEST.replace("seconds\\\"", "sekunden\\\"");
        assert_ne!(garbage, HONEST);
        against(&with_python(&garbage)).expect(ERROR, &["expected one JSON object", "sekunden"]);
        let silent = HONEST.replace(", \"first_step_seconds\": 0.5", "");
        assert_ne!(silent, HONEST);
        against(&with_python(&silent)).expect(ERROR, &["did not time its first step"]);
    }

    #[test]
    fn ctrl_c_ends_those_that_measure_too() {
        let hang = "echo $$ > pid.new; mv pid.new pid; exec sleep 3600\nwhile";
        let place = with_python(&HONEST.replace("while", hang));
        let child = place.start(&format!("{BENCH} --against pytorch --python ./python"));
        child.wait_for("the script", || place.path("pid").exists());
        child.signal("INT");
        let run = child.finish();
        assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
        assert!(!place.path("bench.json").exists());
        place.expect_no_temporary_files();
        let alive = format!("kill -0 {}", place.text("pid").trim());
        let alive = Command::new("sh").args(["-c", &alive]).output().unwrap();
        assert!(!alive.status.success(), "the script is still there");
    }
}
