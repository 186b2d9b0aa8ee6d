//! A trial that begins with the epochs of another is the one that was trained from its own beginning.

use std::fs;
use std::path::Path;

use backburn_data::SplitSize;
use backburn_models::{MlpConfig, ModelConfig};
use backburn_regularization::{EarlyStoppingConfig, Keep};
use backburn_studies::trial::{Found, Trial, TrialEnd, read};
use backburn_training::extend::begins_with;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::run_options::RunOptions;
use backburn_training::watch::Notes;
use tempfile::TempDir;

/// Stops after its second epoch.
fn stopped() -> Recipe {
    let rule = "patience=1,min-delta=100".parse::<EarlyStoppingConfig>().unwrap();
    Recipe {
        // Dropout draws from what all trainings of a process share, and these tests run beside each other.
        model: ModelConfig::Mlp(MlpConfig { hidden: vec![8], dropout: 0.0, batch_norm: false }),
        train_size: Some(SplitSize::Count(64)),
        valid_size: SplitSize::Count(32),
        epochs: 5,
        schedule: "step=1:0.5".parse().unwrap(),
        keep: Keep::Best,
        early_stopping: Some(rule),
        ..built_in("digits").unwrap()
    }
}

fn to_the_end() -> Recipe {
    Recipe { keep: Keep::LastUnder(9.0), early_stopping: None, ..stopped() }
}

fn trial(place: &TempDir, name: &str, recipe: Recipe) -> Trial {
    Trial { path: place.path().join(name), recipe }
}

fn options() -> RunOptions {
    RunOptions::new(1, Vec::new())
}

fn bytes(trial: &Trial, file: &str) -> Vec<u8> {
    fs::read(trial.path.join(file)).unwrap()
}

fn epochs(path: &Path) -> usize {
    read(path).unwrap().epochs.len()
}

#[test]
fn a_trial_that_goes_on_from_its_beginning_is_one_that_was_trained_whole() {
    let place = TempDir::new().unwrap();
    let mut notes = Notes::default();
    let beginning = trial(&place, "beginning", stopped());
    beginning.carry_out(Found::Nothing, &options(), &mut notes).unwrap();
    assert_eq!(epochs(&beginning.path), 2);
    let whole = trial(&place, "whole", to_the_end());
    whole.carry_out(Found::Nothing, &options(), &mut notes).unwrap();

    let longer = trial(&place, "longer", to_the_end());
    let end = longer.go_on_from(&beginning.path, &options(), &mut notes).unwrap();
    assert!(matches!(end, TrialEnd::Scored(summary) if summary.last_epoch == 5));
    for file in ["losses.csv", "model.safetensors", "config.toml"] {
        assert_eq!(bytes(&longer, file), bytes(&whole, file), "{file}");
    }
    let manifest = read(&longer.path).unwrap().manifest;
    assert_eq!(manifest.extends.unwrap().epochs, 2);
    assert!(matches!(longer.find().unwrap(), Found::Whole(_)));
    assert!(!notes.0.iter().any(|note| note.contains("first epoch")), "{:?}", notes.0);
}

#[test]
fn a_trial_is_trained_whole_and_says_so_if_its_beginning_cannot_be_trained_on() {
    let place = TempDir::new().unwrap();
    let mut notes = Notes::default();
    let beginning = trial(&place, "beginning", stopped());
    beginning.carry_out(Found::Nothing, &options(), &mut notes).unwrap();
    fs::remove_dir_all(beginning.path.join("checkpoints")).unwrap();
    let longer = trial(&place, "longer", to_the_end());
    longer.go_on_from(&beginning.path, &options(), &mut notes).unwrap();
    assert_eq!(epochs(&longer.path), 5);
    assert_eq!(read(&longer.path).unwrap().manifest.extends, None);
    let said = |note: &String| {
        note.contains("longer is trained from its first epoch on: ")
            && note.contains("beginning has")
    };
    assert!(notes.0.iter().any(said), "{:?}", notes.0);
}

#[test]
fn a_training_begins_with_another_if_no_step_of_it_differs() {
    let (short, long) = (stopped(), to_the_end());
    assert!(begins_with(&long, &short));
    assert!(begins_with(&Recipe { epochs: 9, ..long.clone() }, &short));
    assert!(!begins_with(&Recipe { epochs: 4, ..long.clone() }, &short), "fewer epochs");
    assert!(!begins_with(&Recipe { seed: 7, ..long.clone() }, &short), "another seed");
    let rate = Recipe { learning_rate: 0.5, ..long.clone() };
    assert!(!begins_with(&rate, &short), "another learning rate");
    let cosine = |recipe: &Recipe| Recipe { schedule: "cosine".parse().unwrap(), ..recipe.clone() };
    assert!(!begins_with(&cosine(&long), &cosine(&short)), "a rate that knows the last epoch");
}
