//! The model card: what whoever is given a network must know of it, in Markdown.
//!
//! Mitchell et al., [Model Cards for Model Reporting](https://arxiv.org/abs/1810.03993), FAT* 2019.

use std::fmt::Write;
use std::path::Path;

use backburn_records::number::{self, count, loss, percent};
use backburn_records::{DatasetRecord, EvaluationRecord, Manifest, RunRecord, Summary};
use backburn_training::prepare::TRAIN_SAMPLE;
use backburn_training::version::VERSION;

use crate::format::Format;
use crate::onnx::Ends;
use crate::trained_network::TrainedNetwork;
use crate::without_folders;

/// What every card begins with.
pub(crate) const FIRST_WORDS: &str = "# Model card: ";

/// Classes that are named.
const MOST_CLASSES: usize = 100;

/// The card of an exported network. `ends`: what goes into the file and comes out; `file`: what it was exported to.
pub(crate) fn card(
    run: &RunRecord,
    network: &TrainedNetwork,
    format: Format,
    ends: Ends,
    file: &str,
) -> String {
    let manifest = &run.manifest;
    let [channels, height, width] = network.description().image();
    let mut text = format!(
        "{FIRST_WORDS}{}\n\n`{file}` ({}), exported by Backburn {VERSION}: `{}` for images of \
         {channels}×{height}×{width}, {} parameters, {} classes.\n",
        manifest.name,
        format.row().name,
        manifest.model,
        count(network.description().parameters()),
        network.class_names().len(),
    );
    text += &usage(network, ends);
    text += &data(manifest);
    text += &scores(run.summary.as_ref(), run.evaluation.as_ref(), manifest);
    text += &limits(network, manifest);
    text += &training(run);
    text
}

/// What the data are called: own pictures by their folder alone, since nobody else has the folders around it.
pub(crate) fn data_name(dataset: &DatasetRecord) -> String {
    match backburn_data::entry(&dataset.name) {
        Ok(entry) => entry.name.to_owned(),
        Err(_) => {
            let name = Path::new(&dataset.name).file_name();
            name.map_or_else(|| dataset.name.clone(), |name| name.to_string_lossy().into_owned())
        }
    }
}

fn usage(network: &TrainedNetwork, ends: Ends) -> String {
    let normalization = network.normalization();
    let mut text = String::from("\n## Use\n\n");
    let scaled = format!(
        "bytes × scale + shift for each channel, scale {:?}, shift {:?}",
        normalization.scale, normalization.shift
    );
    let (input, inside) = match ends {
        Ends::Network => (scaled, ""),
        Ends::Pixels => {
            (format!("bytes as they are; inside the file: {scaled}"), ", inside the file")
        }
    };
    let _ = writeln!(text, "- Input: {input}.");
    let _ = match network.temperature() {
        Some(temperature) => writeln!(
            text,
            "- Probabilities: softmax of the logits divided by {temperature:.4}, which was \
             fitted on the validation split{inside}."
        ),
        None => writeln!(
            text,
            "- Probabilities: softmax of the logits{inside}; they are not calibrated."
        ),
    };
    let names: Vec<&str> =
        network.class_names().iter().take(MOST_CLASSES).map(String::as_str).collect();
    let more = network.class_names().len() - names.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let _ = writeln!(text, "- Classes, in the order of the outputs: {}{more}.", names.join(", "));
    text
}

fn data(manifest: &Manifest) -> String {
    let dataset = &manifest.dataset;
    let mut text = String::from("\n## Data\n\n");
    let _ = writeln!(text, "- Trained on: {}", data_name(dataset));
    if let Some(images) = manifest.train_images {
        let _ = writeln!(text, "- Training images: {}", count(images as u64));
    }
    if let Some(noise) = manifest.label_noise_in_words() {
        let _ = writeln!(text, "- Label noise: {noise}");
    }
    let entry = backburn_data::entry(&dataset.name);
    match entry.map(backburn_data::Entry::publication) {
        Ok(Some(publication)) => {
            let _ = writeln!(text, "- Title: {}", publication.title);
            let _ = writeln!(text, "- Where: {}", publication.homepage);
            let _ = writeln!(text, "- Licence of the data: {}", publication.licence);
            let _ = writeln!(text, "- Cite: {}", publication.citation);
        }
        Ok(None) => text += "- Licence of the data: none needed; the program draws them.\n",
        Err(_) => {
            text += "- Licence of the data: not known to Backburn; fill it in before you pass \
                     the network on.\n";
        }
    }
    for file in &dataset.files {
        let name = without_folders::word(&file.name);
        let _ = writeln!(text, "- File: `{name}`, SHA-256 `{}`", file.sha256);
    }
    for note in &dataset.notes {
        let _ = writeln!(text, "- Note: {}", without_folders::sentence(note));
    }
    if !dataset.left_out.is_empty() {
        let files = number::counted(dataset.left_out.len(), "file");
        let _ = writeln!(text, "- Left out as unreadable: {files}");
    }
    text
}

fn scores(
    summary: Option<&Summary>,
    evaluation: Option<&EvaluationRecord>,
    manifest: &Manifest,
) -> String {
    let Some(summary) = summary else { return String::new() };
    let mut text = String::from(
        "\n## Scores\n\n| on | images | accuracy | loss |\n| --- | --: | --: | --: |\n",
    );
    let mut row = |on: &str, images: Option<u64>, accuracy: Option<f64>, value: Option<f64>| {
        let images = images.map_or("not recorded".to_owned(), count);
        let _ = writeln!(text, "| {on} | {images} | {} | {} |", percent(accuracy), loss(value));
    };
    let tested = evaluation.map(EvaluationRecord::image_count);
    row("test split", tested, Some(summary.test_accuracy), Some(summary.test_loss));
    if summary.valid_accuracy.is_some() {
        let validated = manifest.valid_images.map(|images| images as u64);
        row("validation split", validated, summary.valid_accuracy, summary.valid_loss);
    }
    let trained = manifest.train_images.map(|images| images.min(TRAIN_SAMPLE) as u64);
    row("training images", trained, Some(summary.train_accuracy), Some(summary.train_loss));
    let _ = writeln!(
        text,
        "\nWeights of epoch {} of {}. Expected calibration error on the test split {}. The test \
         split was read {} in this run.",
        summary.best_epoch,
        summary.last_epoch,
        percent(summary.test_ece),
        number::how_often(manifest.test_reads.len()),
    );
    if let Some(tta) = evaluation.and_then(|evaluation| evaluation.tta.as_ref()) {
        let _ = writeln!(
            text,
            "Validation and test are scored by the mean over {} views of each image \
             (test-time augmentation, `{}`), training images by one look. Asked once about each \
             image, as whoever uses this file does, the network has test accuracy {} and loss {}.",
            count(tta.count as u64),
            tta.views,
            percent(tta.plain.accuracy),
            loss(tta.plain.nll)
        );
    }
    if let Some(evaluation) = evaluation {
        let classes = evaluation.per_class.iter().zip(&evaluation.class_names);
        let measured =
            classes.filter_map(|(class, name)| Some((class.accuracy?, class.images, name)));
        if let Some((accuracy, images, name)) = measured.min_by(|a, b| a.0.total_cmp(&b.0)) {
            let _ = writeln!(
                text,
                "The class with the most mistakes for its size is {name}: {} of {} {} answered \
                 rightly.",
                percent(accuracy),
                number::counted(images as usize, "test image"),
                number::either(images as usize, "is", "are")
            );
        }
    }
    text
}

fn limits(network: &TrainedNetwork, manifest: &Manifest) -> String {
    let classes = network.class_names().len();
    let mut text = format!(
        "\n## Limits\n\n\
         - One training with one seed ({}): no spread is known from this run alone.\n\
         - Scores hold for images like those of the test split. Pictures from elsewhere may be \
         answered far worse.\n\
         - Every picture is answered by one of the {classes} classes, also one that shows none of \
         them.\n\
         - Whether it treats groups of people alike, and how it takes images that were made to \
         mislead it, was not measured.\n",
        manifest.seeds()
    );
    if network.temperature().is_none() {
        text += "- Probabilities were not calibrated: there were no images for validation, or no \
                 temperature was the best.\n";
    }
    text
}

fn training(run: &RunRecord) -> String {
    let manifest = &run.manifest;
    let (backend, device, threads) = manifest.machine();
    let mut text = String::from("\n## Training\n\n");
    let commit = manifest.git_commit.as_ref().map_or(String::new(), |it| format!(", commit {it}"));
    let _ = writeln!(
        text,
        "- Program: Backburn {}{commit}, Burn {}",
        manifest.backburn_version, manifest.burn_version
    );
    let threads = number::threads(threads);
    let _ = writeln!(text, "- Machine: {backend} on {device}, {threads}");
    let whole = manifest.command.join(" ");
    let words: Vec<String> = manifest.command.iter().map(|it| without_folders::word(it)).collect();
    let command = words.join(" ");
    let recipe = run.config.as_ref().map(|config| without_folders::toml(config));
    let _ = writeln!(text, "- Command: `{command}`");
    let _ = writeln!(text, "- Started: {}; status: {}", manifest.started, manifest.status);
    if let Some(extends) = &manifest.extends {
        let _ = writeln!(text, "- Extends another run, of {}", number::epochs(extends.epochs));
    }
    if command != whole || recipe != run.config {
        text += "- Paths: of whole ones the last name alone, in command and recipe\n";
    }
    if let Some(recipe) = recipe {
        let _ = writeln!(text, "\nRecipe:\n\n```toml\n{}\n```", recipe.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    #[test]
    fn nobody_is_told_the_folders_of_whoever_trained() {
        let mut run = sample::run();
        run.manifest.command =
            ["backburn", "train", "/home/me/cats", "--out=/home/me/x"].map(String::from).into();
        run.config = Some("dataset = \"folder:/home/me/cats\"\nseed = 1\n".to_owned());
        run.manifest.dataset.name = "folder:/home/me/cats".to_owned();
        run.manifest.dataset.notes = vec!["/home/me/cats.pictures: cut short".to_owned()];
        let text = data(&run.manifest) + &training(&run);
        assert!(!text.contains("home") && !text.contains("/me"), "{text}");
        for part in [
            "Trained on: cats\n",
            "Note: cats.pictures: cut short\n",
            "`backburn train cats --out=x`",
            "Paths: of whole ones the last name alone",
            "dataset = \"folder:cats\"\nseed = 1\n",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(!training(&sample::run()).contains("Paths:"));
    }

    #[test]
    fn what_is_counted_is_named_in_the_singular_and_the_plural() {
        let mut manifest = sample::run().manifest;
        for (count, expected) in [(1, "as unreadable: 1 file\n"), (2, "as unreadable: 2 files\n")] {
            manifest.dataset.left_out = vec!["a.png: cut short".to_owned(); count];
            assert!(data(&manifest).contains(expected));
        }
    }
}
