//! `report.html`: one run on one page that needs no network and no program to run.

use backburn_records::evaluation::{EvaluationRecord, FEW_TO_CALIBRATE};
use backburn_records::number::{self, count, counted, duration, loss, percent, points};
use backburn_records::origin::Origin;
use backburn_records::shell::quoted;
use backburn_records::tta::{TtaRecord, by_views};
use backburn_records::{Manifest, RunRecord, Status, Summary};

use crate::figure::svg::escape;
use crate::html::Content::{Numbers, Words};
use crate::html::{document, facts, figure, section, table};
use crate::run_figures::{RunFigure, curve_figures, diagnosis_figures};

/// The page of a run, as HTML.
pub fn run_page(run: &RunRecord) -> String {
    let manifest = &run.manifest;
    let mut body = head(run);
    if let Some(summary) = &run.summary {
        body += &section("Summary", &summary_tables(summary, manifest.test_reads.len()));
    }
    let curves = curve_figures(run);
    if !curves.is_empty() {
        body += &section("Learning curves", &gallery(&curves));
    }
    if let Some(evaluation) = &run.evaluation {
        let answers =
            scores(evaluation, manifest) + &gallery(&diagnosis_figures(run)) + &classes(evaluation);
        body += &section("Answers on the test split", &answers);
    }
    body += &section("Provenance", &provenance(manifest));
    if let Some(config) = &run.config {
        let repeats = match &manifest.extends {
            None => "it repeats the run",
            Some(_) => "it trains all epochs anew, without the run that this one extends",
        };
        let note = format!(
            "<p>The file <code>config.toml</code>; <code>cargo xtask train --config</code> of \
             {repeats}.</p>\n"
        );
        body += &section("Recipe", &format!("{note}<pre>{}</pre>\n", escape(config)));
    }
    document(&format!("{} — Backburn", manifest.name), &body, &Origin::of_run(run))
}

/// What came out of a run, in a sentence or two that follow from its records.
pub fn sentence(run: &RunRecord) -> String {
    let model = &run.manifest.model;
    let Some(summary) = &run.summary else { return unfinished(run) };
    let mut text = if summary.test_accuracy.is_finite() {
        format!("{model} reached {} test accuracy", percent(summary.test_accuracy))
    } else {
        format!("{model} has no test accuracy")
    };
    if let Some((wrong, all)) = run.test_mistakes().filter(|(_, all)| *all > 0) {
        let noun = if wrong == 1 { "mistake" } else { "mistakes" };
        text += &format!(" ({} {noun} in {})", count(wrong), count(all));
    }
    text += &format!(" with the weights of epoch {} of {}", summary.best_epoch, summary.last_epoch);
    if summary.tta.is_some() {
        text += " and test-time augmentation";
    }
    let gap = summary.generalization_gap;
    if gap.is_finite() {
        text += match &summary.tta {
            None => "; training accuracy is ",
            Some(_) => "; training accuracy, without it, is ",
        };
        text += &match number::bare_points(gap.abs()).as_str() {
            "0.00" => "the same".into(),
            size => {
                let size = size.trim_start_matches('+');
                format!("{size} points {}", if gap > 0.0 { "higher" } else { "lower" })
            }
        };
    }
    text.push('.');
    text += match run.manifest.status {
        Status::Running | Status::Finished => "",
        Status::StoppedEarly => " Early stopping ended the run.",
        Status::Interrupted => " The run was interrupted.",
        Status::Diverged => " The run diverged: its loss was no longer finite.",
        Status::Failed => " The run ended with an error.",
        Status::Killed => " The run was killed before it could say how it ended.",
    };
    text
}

fn unfinished(run: &RunRecord) -> String {
    let model = &run.manifest.model;
    let epochs = match run.epochs.len() {
        0 => "before its first epoch was over".into(),
        many => format!("after {}", number::epochs(many)),
    };
    let mut text = match run.manifest.status {
        Status::Running => format!("{model} is in training; these are its records {epochs}"),
        Status::Finished | Status::StoppedEarly => format!("{model} ended {epochs}"),
        Status::Interrupted => format!("{model} was interrupted {epochs}"),
        Status::Diverged => format!("{model} diverged {epochs}: its loss was no longer finite"),
        Status::Failed => format!("{model} failed {epochs}"),
        Status::Killed => {
            format!("{model} ended without a word {epochs}: it was killed, or its memory ran out")
        }
    };
    let measured = run.best_epoch().and_then(|best| run.epochs.iter().find(|e| e.epoch == best));
    if let Some(best) = measured.filter(|epoch| epoch.valid_accuracy.is_some()) {
        let accuracy = percent(best.valid_accuracy);
        text += &format!("; its best validation loss was in epoch {}, at {accuracy} ", best.epoch);
        text += "validation accuracy";
    }
    text + ". It has no test score."
}

fn head(run: &RunRecord) -> String {
    let manifest = &run.manifest;
    let byline = format!(
        "{} on {}, seed {}, started {}",
        manifest.model,
        manifest.dataset.name,
        manifest.seeds(),
        manifest.started
    );
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"byline\"><span class=\"status\">{}</span> {}</p>\n\
         <p class=\"lead\">{}</p>\n</header>\n",
        escape(&manifest.name),
        manifest.status,
        escape(&byline),
        escape(&sentence(run))
    )
}

/// `looks`: how often the test split was accessed.
fn summary_tables(summary: &Summary, looks: usize) -> String {
    let row = |split: &str, accuracy: Option<f64>, cross_entropy: Option<f64>| {
        [split.to_owned(), percent(accuracy), loss(cross_entropy)]
    };
    let splits = [
        row("training", Some(summary.train_accuracy), Some(summary.train_loss)),
        row("validation", summary.valid_accuracy, summary.valid_loss),
        row("test", Some(summary.test_accuracy), Some(summary.test_loss)),
    ];
    let splits = table(
        &[("split", Words), ("accuracy", Numbers), ("loss (nats)", Numbers)],
        splits.iter().map(<[String; 3]>::as_slice),
    );
    let mut rest = vec![
        ("generalization gap", points(summary.generalization_gap)),
        ("expected calibration error, test", percent(summary.test_ece)),
        ("selected epoch", format!("{} of {}", summary.best_epoch, summary.last_epoch)),
        ("training time", duration(summary.train_seconds)),
        ("images per second", number::rate(summary.images_per_second)),
        ("parameters", count(summary.parameters)),
    ];
    let labels = match &summary.memorized {
        None => "on clean images and labels".to_owned(),
        Some(it) => {
            rest.insert(1, ("wrong labels learnt by heart", percent(it.learnt_by_heart)));
            rest.insert(2, ("accuracy on the other training images", percent(it.clean_accuracy)));
            format!(
                "on clean images; of the labels, {} for training {} wrong, and training accuracy \
                 and loss go by them",
                count(it.wrong_labels as u64),
                number::either(it.wrong_labels, "is", "are")
            )
        }
    };
    let views = by_views([summary.tta.as_deref()]).map_or_else(String::new, |it| it + " ");
    format!(
        "<p>All scores are of the selected weights, {labels}. {}{}</p>\n\
         <div class=\"columns\">\n{splits}{}</div>\n",
        escape(&views),
        looks_in_words(looks),
        facts(&rest)
    )
}

/// How often the test split was accessed, and what follows from more than once.
pub(crate) fn looks_in_words(looks: usize) -> String {
    match looks {
        0 => "The test split has not been accessed.".into(),
        1 => "The test split was accessed once.".into(),
        many => format!(
            "<strong>The test split was accessed {} times</strong>: what was chosen among these \
             accesses scores too well.",
            count(many as u64)
        ),
    }
}

/// How good the answers and their probabilities are; nothing for a record of an older version.
fn scores(evaluation: &EvaluationRecord, manifest: &Manifest) -> String {
    let EvaluationRecord {
        nll, brier, ece, mce, balanced_accuracy, top_k, temperature, tta, ..
    } = evaluation;
    let row = |name: String, nll: Option<f64>, brier: Option<f64>, ece: Option<f64>| {
        [name, loss(nll), loss(brier), percent(ece)]
    };
    if nll.is_none() {
        return String::new();
    }
    let mut rows = vec![row("as trained".into(), *nll, *brier, *ece)];
    let mut note =
        "NLL is the negative log-likelihood (cross-entropy) in nats, the Brier score is \
                    summed over the classes (0 to 2), ECE is the expected calibration error."
            .to_owned();
    if let Some(scaled) = temperature {
        let name = format!("with temperature {}", loss(scaled.temperature));
        rows.push(row(name, Some(scaled.nll), Some(scaled.brier), Some(scaled.ece)));
        note += " The temperature, by which the logits are divided, was fitted on the validation \
                 split; it changes no answer.";
        if let Some(images) = manifest.valid_images.filter(|it| *it < FEW_TO_CALIBRATE) {
            let images = counted(images, "image");
            note += &format!(" It rests on {images} only, and is a rough one.");
        }
    }
    let mut rest = Vec::new();
    if let Some(TtaRecord { views, count: of_image, evaluations, plain }) = tta {
        let images = evaluation.image_count();
        let [nll, brier, ece] = [plain.nll, plain.brier, plain.ece].map(Some);
        rows.push(row("asked once".into(), nll, brier, ece));
        note += &format!(
            " The answers are the mean over {} views of each image, {}: the network was asked {} \
             times about {} images. Asked once about each, it answers as the last row says.",
            count(*of_image as u64),
            escape(views),
            count(*evaluations),
            count(images)
        );
        rest.push(("accuracy, asked once".into(), percent(plain.accuracy)));
    }
    let head = [("probabilities", Words), ("NLL", Numbers), ("Brier", Numbers), ("ECE", Numbers)];
    let rows = table(&head, rows.iter().map(<[String; 4]>::as_slice));
    // That the label is among all classes says nothing.
    if let Some(top) = top_k.filter(|top| top.k < evaluation.class_names.len()) {
        rest.push((format!("top-{} accuracy", top.k), percent(top.accuracy)));
    }
    if let Some(balanced) = balanced_accuracy {
        rest.push(("balanced accuracy, the mean over the classes".into(), percent(*balanced)));
    }
    rest.push(("maximum calibration error, of any bin".into(), percent(*mce)));
    let rest: Vec<(&str, String)> =
        rest.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    format!("<p>{note}</p>\n<div class=\"columns\">\n{rows}{}</div>\n", facts(&rest))
}

/// How well each class is recognized; nothing for a record of an older version.
fn classes(evaluation: &EvaluationRecord) -> String {
    if evaluation.per_class.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 5]> = evaluation
        .class_names
        .iter()
        .zip(&evaluation.per_class)
        .map(|(name, class)| {
            let shares = [class.accuracy, class.precision, class.f1].map(percent);
            let [accuracy, precision, f1] = shares;
            [name.clone(), count(class.images), accuracy, precision, f1]
        })
        .collect();
    let head = [
        ("class", Words),
        ("images", Numbers),
        ("accuracy (recall)", Numbers),
        ("precision", Numbers),
        ("F1", Numbers),
    ];
    table(&head, rows.iter().map(<[String; 5]>::as_slice))
}

fn gallery(figures: &[RunFigure]) -> String {
    let figures: String = figures.iter().map(|f| figure(&f.drawing, f.caption)).collect();
    format!("<div class=\"figures\">\n{figures}</div>\n")
}

fn provenance(manifest: &Manifest) -> String {
    let reads: Vec<String> = manifest
        .test_reads
        .iter()
        .map(|read| format!("{}: {}, weights of {}", read.at, read.purpose, read.weights))
        .collect();
    let reads = match reads.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        many => format!("{} times:\n{}", many.len(), many.join("\n")),
    };
    let or_absent = |text: &Option<String>| text.clone().unwrap_or(number::ABSENT.into());
    let resumed = manifest.resumed.iter().map(|resumed| {
        format!(
            "{}: backburn {}, Burn {}, git commit {}, {} on {}, {}",
            resumed.at,
            resumed.backburn_version,
            resumed.burn_version,
            or_absent(&resumed.git_commit),
            resumed.backend,
            resumed.device,
            number::threads(resumed.threads),
        )
    });
    let resumed = match manifest.resumed.as_slice() {
        [] => "never".to_owned(),
        _ => resumed.collect::<Vec<_>>().join("\n"),
    };
    let extends = manifest.extends.as_ref().map(|it| {
        let epochs = number::epochs(it.epochs);
        ("extends", format!("{}, which had {epochs}; {}", it.run, it.schedule))
    });
    let mut rows = vec![
        ("command", manifest.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
        ("backburn", manifest.backburn_version.clone()),
        ("Burn", manifest.burn_version.clone()),
        ("git commit", or_absent(&manifest.git_commit)),
        ("backend", manifest.backend.clone()),
        ("device", manifest.device.clone()),
        ("threads", manifest.threads.to_string()),
        ("seed", manifest.seeds()),
        ("started", manifest.started.clone()),
        ("resumed", resumed),
        ("ended", or_absent(&manifest.ended)),
        ("reads of the test split", reads),
        ("data set", manifest.dataset.name.clone()),
    ];
    rows.extend(manifest.label_noise_in_words().map(|noise| ("label noise", noise)));
    rows.extend(extends);
    if !manifest.dataset.notes.is_empty() {
        rows.push(("notes on the data", manifest.dataset.notes.join("\n")));
    }
    let files = manifest.dataset.files.iter();
    let files: Vec<[String; 3]> =
        files.map(|file| [file.name.clone(), count(file.bytes), file.sha256.clone()]).collect();
    let mut html = facts(&rows);
    if !files.is_empty() {
        let rows = files.iter().map(<[String; 3]>::as_slice);
        html += &table(&[("data file", Words), ("bytes", Numbers), ("SHA-256", Words)], rows);
    }
    html
}

#[cfg(test)]
mod tests {
    use backburn_records::{LabelNoiseRecord, Memorized, sample};

    use super::*;

    #[test]
    fn the_sentence_follows_from_the_records() {
        let mut run = sample::run();
        assert_eq!(
            sentence(&run),
            "lenet-bn reached 99.41 % test accuracy (59 mistakes in 10,000) with the weights of \
             epoch 9 of 10; training accuracy is 0.31 points higher."
        );
        run.evaluation = None;
        run.summary.as_mut().unwrap().generalization_gap = -0.002;
        run.manifest.status = Status::StoppedEarly;
        assert_eq!(
            sentence(&run),
            "lenet-bn reached 99.41 % test accuracy with the weights of epoch 9 of 10; training \
             accuracy is 0.20 points lower. Early stopping ended the run."
        );
        run.summary.as_mut().unwrap().generalization_gap = 0.000_01;
        assert!(sentence(&run).contains("training accuracy is the same"));
        run.summary.as_mut().unwrap().test_accuracy = f64::NAN;
        assert!(sentence(&run).starts_with("lenet-bn has no test accuracy"));
    }

    #[test]
    fn a_run_without_a_summary_says_how_far_it_came() {
        let mut run = sample::run();
        run.summary = None;
        run.manifest.status = Status::Interrupted;
        assert_eq!(
            sentence(&run),
            "lenet-bn was interrupted after 10 epochs; its best validation loss was in epoch 9, at \
             98.98 % validation accuracy. It has no test score."
        );
        run.epochs.clear();
        run.manifest.status = Status::Diverged;
        assert!(sentence(&run).contains("before its first epoch was over"));
    }

    #[test]
    fn a_page_shows_summary_provenance_recipe_and_all_figures() {
        let page = run_page(&sample::run());
        let parts = [
            "99.41 %",
            "+0.31 points",
            "0.18 %",
            "440fcabf",
            "0123456789abcdef",
            "lenet-bn",
            "backburn train mnist",
            "Loss by epoch",
            "Accuracy by epoch",
            "Learning rate by epoch",
            "Confusion matrix",
            "Reliability",
            "Worst mistakes",
            "with temperature 1.3204",
            "<td class=\"number\">0.0177</td>",
            "<td class=\"number\">0.0092</td>",
            "top-5 accuracy",
            "99.99 %",
            "maximum calibration error",
            "accuracy (recall)",
            "final score, weights of epoch 9",
            "hidden = [120, 84]",
            "finished",
        ];
        for part in parts {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn what_says_nothing_is_left_out_and_what_rests_on_little_says_so() {
        let mut run = sample::run();
        assert!(!run_page(&run).contains("It rests on"));
        run.manifest.valid_images = Some(40);
        let evaluation = run.evaluation.as_mut().unwrap();
        evaluation.top_k.as_mut().unwrap().k = evaluation.class_names.len();
        let page = run_page(&run);
        assert!(page.contains("It rests on 40 images only") && !page.contains("top-"), "{page}");
    }

    #[test]
    fn views_are_told_wherever_their_scores_stand_with_those_of_one_look() {
        let mut run = sample::run();
        assert!(!run_page(&run).contains("test-time") && !run_page(&run).contains("asked once"));
        run.summary.as_mut().unwrap().tta = Some(sample::views().views);
        run.evaluation.as_mut().unwrap().tta = Some(sample::views());
        let page = run_page(&run);
        for part in [
            "epoch 9 of 10 and test-time augmentation; training accuracy, without it, is 0.31 points",
            "Validation and test are scored by the mean over views of each image",
            "flip,diagonal=1,border=reflect,least-confident=0.25",
            "the mean over 6 views of each image",
            "asked 22,500 times about 10,000 images",
            ">asked once</th>",
            "accuracy, asked once",
            "99.27 %",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn label_noise_is_told_among_the_settings_and_the_scores() {
        let mut run = sample::run();
        assert!(!run_page(&run).contains("by heart"));
        let sha256 = "5a".repeat(32);
        let noise = LabelNoiseRecord { setting: "20".into(), replaced: 200, wrong: 181, sha256 };
        run.manifest.label_noise = Some(noise);
        (run.manifest.train_images, run.manifest.replicate) = (Some(1000), 3);
        let memorized =
            Memorized { wrong_labels: 181, learnt_by_heart: 0.1657, clean_accuracy: 0.987_79 };
        run.summary.as_mut().unwrap().memorized = Some(memorized);
        let page = run_page(&run);
        for part in [
            "20: 200 of 1,000 training labels replaced, 181 of them by a wrong one",
            "of the labels, 181 for training are wrong",
            "16.57 %",
            "98.78 %",
            "seed 7, replicate 3",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn a_page_of_an_older_record_has_its_figures_and_no_empty_table() {
        let mut run = sample::run();
        let evaluation = run.evaluation.as_mut().unwrap();
        (evaluation.nll, evaluation.temperature) = (None, None);
        evaluation.per_class.clear();
        let page = run_page(&run);
        assert!(page.contains("Confusion matrix"));
        assert!(!page.contains("Brier") && !page.contains("precision"));
    }

    #[test]
    fn a_page_asks_the_network_for_nothing() {
        let page = run_page(&sample::run());
        for link in ["http:", "https:", "//", "<script", "<link", "<iframe", "url(", "@import"] {
            // Base64 may hold two slashes in a row; nothing else may.
            let clean = page.split("base64,").enumerate().map(|(place, part)| {
                if place == 0 { part } else { part.split_once('"').map_or("", |rest| rest.1) }
            });
            assert!(!clean.into_iter().any(|part| part.contains(link)), "{link}");
        }
        assert!(page.contains("name=\"viewport\"") && page.contains("prefers-color-scheme"));
    }

    #[test]
    fn text_from_data_is_escaped_wherever_it_comes_from() {
        let evil = "<script>alert('x')</script>&\"".to_owned();
        let mut run = sample::run();
        run.config = Some(evil.clone());
        let manifest = &mut run.manifest;
        let (file, read) = (&mut manifest.dataset.files[0], &mut manifest.test_reads[0]);
        let resumed = &mut manifest.resumed[0];
        for field in [
            &mut manifest.name,
            &mut manifest.model,
            &mut manifest.backburn_version,
            &mut manifest.burn_version,
            &mut manifest.backend,
            &mut manifest.device,
            &mut manifest.started,
            &mut manifest.dataset.name,
            &mut file.name,
            &mut file.sha256,
            &mut manifest.dataset.notes[0],
            &mut read.at,
            &mut read.purpose,
            &mut read.weights,
            &mut manifest.command[0],
            &mut resumed.at,
            &mut resumed.backburn_version,
            &mut resumed.burn_version,
            &mut resumed.backend,
            &mut resumed.device,
        ] {
            field.clone_from(&evil);
        }
        manifest.git_commit = Some(evil.clone());
        manifest.resumed[0].git_commit = Some(evil.clone());
        manifest.ended = Some(evil.clone());
        run.evaluation.as_mut().unwrap().class_names = vec![evil; 10];
        assert!(!run_page(&run).contains("<script"));
    }

    #[test]
    fn a_run_that_has_just_begun_has_a_page() {
        let mut run = sample::run();
        run.epochs.clear();
        (run.summary, run.evaluation, run.config) = (None, None, None);
        run.manifest.test_reads.clear();
        run.manifest.status = Status::Running;
        let page = run_page(&run);
        assert!(page.contains("is in training") && !page.contains("<svg"));
    }
}
