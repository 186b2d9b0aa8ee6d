//! The records of a run folder, which reports are made of.

use std::fs;
use std::path::Path;

use backburn_records::{EVALUATION_FILE, MANIFEST_FILE, METRICS_FILE, RunRecord, SUMMARY_FILE};
use backburn_report::run_figures::{curve_figures, diagnosis_figures};
use backburn_report::{comparison_page, comparison_table, run_page, sentence};

use crate::Seed;

/// One record in an otherwise valid run folder. The first line of the input names the file, the rest
/// is its content. What is read must also be drawn.
pub(crate) fn read_and_draw(input: &[u8]) -> bool {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let name = std::str::from_utf8(&input[..end]).unwrap_or_default();
    let known = valid().iter().any(|(file, _)| *file == name);
    let name = if known { name } else { METRICS_FILE };
    let content = input.get(end + 1..).unwrap_or_default();

    let folder = tempfile::tempdir().expect("a temporary folder");
    for (file, text) in valid() {
        let bytes = if file == name { content } else { text.as_bytes() };
        fs::write(folder.path().join(file), bytes).expect("disk space for a small file");
    }
    match RunRecord::read(folder.path()) {
        Ok(run) => {
            draw(&run);
            true
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(name), "the file is not named: {message}");
            assert!(message.contains("; "), "no cure: {message}");
            false
        }
    }
}

fn draw(run: &RunRecord) {
    use backburn_report::figure::Theme;
    for figure in curve_figures(run).into_iter().chain(diagnosis_figures(run)) {
        assert!(figure.drawing.to_svg(Theme::Paper).ends_with("</svg>\n"), "{}", figure.name);
    }
    assert!(run_page(run).contains("</html>"));
    let _ = (run.best_epoch(), run.test_mistakes(), sentence(run));
    let twice = [run.clone(), RunRecord { dir: Path::new("other").into(), ..run.clone() }];
    assert!(comparison_page(&twice, &|_| None).contains("</html>"));
    assert!(!comparison_table(&twice, 100).is_empty());
}

fn valid() -> [(&'static str, &'static str); 4] {
    [
        (MANIFEST_FILE, MANIFEST),
        (METRICS_FILE, METRICS),
        (SUMMARY_FILE, SUMMARY),
        (EVALUATION_FILE, EVALUATION),
    ]
}

pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = valid()
        .into_iter()
        .map(|(name, text)| Seed::valid(name, format!("{name}\n{text}")))
        .collect();
    let nulls = METRICS.replace("2.25", "null").replace("0.5,", "null,");
    seeds.push(Seed::valid("not-finite", format!("{METRICS_FILE}\n{nulls}")));
    let noise = r#""seed": 7, "data_seed": 3, "replicate": 2, "train_images": 900, "label_noise":
        { "setting": "20:pairs", "replaced": 180, "wrong": 180, "sha256": "00" }"#;
    let noisy = MANIFEST.replace("\"seed\": 7", noise);
    seeds.push(Seed::valid("label-noise", format!("{MANIFEST_FILE}\n{noisy}")));
    let memorized = r#""parameters": 7850, "memorized":
        { "wrong_labels": 180, "learnt_by_heart": 0.5, "clean_accuracy": null }"#;
    let memorized = SUMMARY.replace("\"parameters\": 7850", memorized);
    seeds.push(Seed::valid("memorized", format!("{SUMMARY_FILE}\n{memorized}")));
    seeds.push(Seed::refused("cut", format!("{SUMMARY_FILE}\n{}", &SUMMARY[..90])));
    seeds.push(Seed::refused("deep", format!("{MANIFEST_FILE}\n{}", "[".repeat(4000))));
    seeds
}

const MANIFEST: &str = r#"{
  "name": "run", "model": "mlp", "command": ["backburn", "train", "digits"],
  "backburn_version": "0.1.0", "burn_version": "0.22.1", "git_commit": null,
  "backend": "flex", "device": "CPU", "threads": 2,
  "dataset": {
    "name": "digits",
    "files": [{ "name": "train", "bytes": 9, "sha256": "00" }],
    "notes": ["a note"]
  },
  "seed": 7, "started": "2026-01-02T03:04:05Z", "ended": "2026-01-02T03:04:06Z",
  "status": "finished",
  "test_reads": [{ "at": "2026-01-02T03:04:06Z", "purpose": "final score", "weights": "epoch 2" }]
}
"#;

const METRICS: &str = r#"{"epoch":1,"train_objective":2.25,"train_accuracy":0.5,"valid_loss":1.75,"valid_accuracy":0.5,"learning_rate":0.1,"seconds":0.25,"images_per_second":400.0}
{"epoch":2,"train_objective":1.5,"train_accuracy":0.75,"valid_loss":1.25,"valid_accuracy":0.625,"learning_rate":0.01,"seconds":0.25,"images_per_second":400.0}
"#;

const SUMMARY: &str = r#"{
  "best_epoch": 2, "last_epoch": 2, "train_loss": 1.25, "train_accuracy": 0.75,
  "valid_loss": 1.25, "valid_accuracy": 0.625, "test_loss": 1.5, "test_accuracy": 0.5,
  "generalization_gap": 0.25, "test_ece": 0.125, "train_seconds": 0.5,
  "images_per_second": 400.0, "parameters": 7850
}
"#;

const EVALUATION: &str = r#"{
  "class_names": ["cat", "dog"],
  "confusion": [[3, 1], [2, 4]],
  "reliability": [
    { "count": 4, "confidence": 0.25, "accuracy": 0.5 },
    { "count": 6, "confidence": 0.75, "accuracy": 0.625 }
  ],
  "mistakes": [
    { "index": 3, "label": 0, "prediction": 1, "confidence": 0.75, "loss": 2.5, "shape": [1, 2, 2], "pixels": "AH//gA==" }
  ],
  "nll": 1.5, "brier": 0.5, "ece": 0.125, "mce": 0.25,
  "top_k": { "k": 5, "accuracy": 1.0 },
  "per_class": [
    { "images": 4, "accuracy": 0.75, "precision": 0.6, "f1": 0.6667 },
    { "images": 6, "accuracy": 0.6667, "precision": 0.8, "f1": null }
  ],
  "temperature": { "temperature": 1.5, "nll": 1.25, "brier": 0.5, "ece": 0.0625 }
}
"#;
