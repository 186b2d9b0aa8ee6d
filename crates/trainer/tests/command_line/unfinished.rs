//! Runs that did not come to their end: what can be had of them all the same, and how that is marked.

use serde_json::Value;

use crate::divergence::LINEAR;
use crate::place::*;

fn scores(place: &Place, arguments: &str) -> Value {
    let run = place.run(&format!("evaluate {arguments} --json"));
    run.expect(DONE, &[]);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Epoch and validation loss of the lowest one.
fn best(place: &Place, run: &str) -> (u64, f64) {
    let rows = place.rows(run).into_iter();
    let scores =
        rows.map(|row| (row["epoch"].as_u64().unwrap(), row["valid_loss"].as_f64().unwrap()));
    scores.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_scored_with_its_best_weights_so_far_and_marked() {
    let place = Place::with_mnist();
    place.interrupt("INT", "run").expect(INTERRUPTED, &[]);
    let run = place.run("evaluate run");
    let (epoch, loss) = best(&place, "run");
    let epochs = place.rows("run").len();
    run.expect(DONE, &[&format!("unfinished: run is interrupted, after {epochs} of 40 epochs")]);
    assert!(run.stdout.starts_with("unfinished: "), "{}", run.stdout);
    let found = scores(&place, "run");
    assert_eq!(found["status"], "interrupted");
    assert_eq!(found["weights"], format!("epoch {epoch}, so far"));
    assert!((found["loss"].as_f64().unwrap() - loss).abs() < 1e-6, "{found}");
    // An access to the test split is recorded with the weights that it was for.
    scores(&place, "run --split test");
    let manifest = place.json("run/manifest.json");
    assert_eq!(manifest["test_reads"][0]["weights"], format!("epoch {epoch}, so far"));
    place.run("report run").expect(DONE, &["was interrupted after", "no test score"]);
    assert!(place.text("run/report.html").contains("was interrupted"));
    // Nothing of this stands in the way of going on.
    place.run("train --resume run").expect(DONE, &["test accuracy"]);
    let found = scores(&place, "run");
    assert_eq!(
        (found["status"].as_str(), found["weights"].as_str()),
        (Some("finished"), Some("selected"))
    );
}

#[test]
fn a_diverged_run_is_scored_with_the_weights_before_it_diverged() {
    let place = Place::with_mnist();
    let run = place.run(&format!("{LINEAR} --learning-rate 0.3 --out run"));
    run.expect(ERROR, &["training diverged", "epoch 4"]);
    let found = scores(&place, "run");
    assert_eq!(found["status"], "diverged");
    assert_eq!(found["weights"], "end of epoch 3, step 36, so far");
    let third = place.rows("run")[2]["valid_accuracy"].as_f64();
    assert_eq!(found["accuracy"].as_f64(), third);
    let text = place.run("evaluate run");
    text.expect(
        DONE,
        &["unfinished: run is diverged, after 3 of 8 epochs", "its newest checkpoint"],
    );
}

#[cfg(unix)]
#[test]
fn every_verb_tells_that_a_run_ended_without_a_word() {
    let place = Place::with_mnist();
    let child = place.halt(&format!("train {LONG} --out run"), "run", || {
        place.path("run/checkpoints/latest.safetensors").exists()
    });
    let under_way = place.run("report run");
    under_way.expect(DONE, &["is in training"]);
    assert_eq!(scores(&place, "run")["status"], "running");
    child.signal("KILL");
    assert_eq!(child.finish().code, None);

    assert_eq!(place.json("run/manifest.json")["status"], "running");
    place.run("report run").expect(DONE, &["ended without a word", "killed"]);
    let page = || place.text("run/report.html");
    assert!(page().contains("ended without a word") && !page().contains("is in training"));
    place.run("evaluate run --split test").expect(DONE, &["unfinished: run is killed"]);
    assert!(page().contains("ended without a word") && !page().contains("is in training"));
    place.run("evaluate run").expect(DONE, &["unfinished: run is killed"]);
    assert_eq!(scores(&place, "run")["status"], "killed");
    // After one epoch or more.
    place.run("replay run").expect(DONE, &["run: ", ", killed"]);
    place.run("verify run").expect(DONE, &["no process is at work on it: it was killed"]);
    place.run("train --extend run --epochs 50").refuse(ERROR, &["run is killed", "--resume run"]);
    place.interrupt("INT", "other").expect(INTERRUPTED, &[]);
    place.run("report run other").expect(DONE, &["killed", "interrupted"]);
    let resumed = place.run("train --resume run");
    resumed.expect(DONE, &["note: run ended without a word", "test accuracy"]);
    place.run("report run").expect(DONE, &["test accuracy"]);
}
