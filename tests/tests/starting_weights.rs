//! Runs that begin with weights that exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use backburn_data::SplitSize;
use backburn_models::{MlpConfig, ModelConfig, weights};
use backburn_studies::trial::{Found, Trial};
use backburn_training::extend::EndedRun;
use backburn_training::init_from::InitFrom;
use backburn_training::optimize::parameter_group::ParameterGroup;
use backburn_training::optimize::schedule::Schedule;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::run_options::RunOptions;
use backburn_training::session;
use backburn_training::watch::{Notes, Silent};
use tempfile::TempDir;

type ByName = BTreeMap<String, Vec<f32>>;

fn recipe(init_from: Option<&Path>) -> Recipe {
    let mut recipe = built_in("digits").unwrap();
    let hidden = vec![8];
    recipe.model = ModelConfig::Mlp(MlpConfig { hidden, dropout: 0.0, batch_norm: true });
    recipe.schedule = Schedule::Constant;
    (recipe.train_size, recipe.valid_size) = (Some(SplitSize::Count(40)), SplitSize::Count(10));
    (recipe.batch_size, recipe.epochs, recipe.learning_rate) = (20, 1, 0.01);
    recipe.init_from = init_from.map(InitFrom::file);
    recipe
}

/// Trains into a folder, and gives the notes.
fn train(recipe: &Recipe, out: &Path) -> Result<Vec<String>, String> {
    let (options, mut notes) = (RunOptions::new(1, Vec::new()), Notes::default());
    let run = session::start(recipe, Some(out), "test", &options, &mut notes);
    run.map(|_| notes.0).map_err(|error| error.to_string())
}

fn tensors(file: &Path) -> ByName {
    let (tensors, _) = weights::from_bytes(&fs::read(file).unwrap()).unwrap();
    tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect()
}

fn model(run: &Path) -> PathBuf {
    run.join("model.safetensors")
}

/// A run to begin with, in a folder.
fn first(place: &TempDir) -> PathBuf {
    let run = place.path().join("first");
    train(&Recipe { seed: 5, ..recipe(None) }, &run).unwrap();
    run
}

#[test]
fn a_run_begins_with_the_weights_of_another_and_its_config_repeats_it() {
    let place = TempDir::new().unwrap();
    let first = first(&place);
    let out = |name: &str| place.path().join(name);
    let mut frozen = recipe(Some(&first));
    frozen.groups = vec![ParameterGroup::of("hidden").frozen()];
    let notes = train(&frozen, &out("second")).unwrap();
    let said = notes.iter().find(|note| note.contains("8 of 8 tensors"));
    assert!(said.is_some_and(|note| note.contains("first/model.safetensors")), "{notes:?}");
    let (before, after) = (tensors(&model(&first)), tensors(&model(&out("second"))));
    assert_eq!(after["hidden.0.weight"], before["hidden.0.weight"]);
    assert_ne!(after["head.weight"], before["head.weight"]);

    let config = fs::read_to_string(out("second").join("config.toml")).unwrap();
    let again = Recipe::parse(&config, "config.toml").unwrap();
    let init_from = again.init_from.clone().unwrap();
    assert!(init_from.file.is_absolute() && init_from.sha256.is_some());
    train(&again, &out("again")).unwrap();
    assert_eq!(tensors(&model(&out("again"))), after);
    // The same bytes elsewhere are the same weights.
    let moved = InitFrom { file: out("moved.safetensors"), ..init_from.clone() };
    fs::copy(&init_from.file, &moved.file).unwrap();
    train(&Recipe { init_from: Some(moved), ..again.clone() }, &out("moved")).unwrap();
    assert_eq!(tensors(&model(&out("moved"))), after);
    // Others are not.
    fs::copy(model(&out("second")), &init_from.file).unwrap();
    let error = train(&again, &out("other")).unwrap_err();
    assert!(error.contains("expected the weights that the recipe was made for"), "{error}");
    assert!(!out("other").exists());
}

#[test]
fn what_is_begun_is_resumed_and_extended_without_the_file() {
    let place = TempDir::new().unwrap();
    let first = first(&place);
    let out = |name: &str| place.path().join(name);
    let long = Recipe { epochs: 2, ..recipe(Some(&first)) };
    train(&long, &out("whole")).unwrap();
    train(&recipe(Some(&first)), &out("half")).unwrap();
    fs::remove_dir_all(&first).unwrap();

    let ended = EndedRun::open(&out("half")).unwrap();
    let more = Recipe { epochs: 2, ..ended.recipe().clone() };
    let options = RunOptions::new(1, Vec::new());
    ended.extend(&more, Some(&out("extended")), &options, &mut Silent).unwrap();
    assert_eq!(tensors(&model(&out("extended"))), tensors(&model(&out("whole"))));

    // A run that was killed behind its first epoch, whose folder has moved.
    let killed = out("killed");
    fs::create_dir_all(killed.join("checkpoints")).unwrap();
    for file in ["metrics.jsonl", "losses.csv", "checkpoints/latest.safetensors"] {
        fs::copy(out("half").join(file), killed.join(file)).unwrap();
    }
    let manifest = fs::read_to_string(out("half").join("manifest.json")).unwrap();
    let manifest = manifest.replace("\"finished\"", "\"interrupted\"");
    fs::write(killed.join("manifest.json"), manifest).unwrap();
    let mut config = ended.recipe().clone();
    config.init_from.as_mut().unwrap().file = "/nowhere/model.safetensors".into();
    fs::write(killed.join("config.toml"), config.to_toml()).unwrap();
    session::resume(&killed, |_| Ok(()), &options, &mut Silent).unwrap();
    assert_eq!(tensors(&model(&killed)), tensors(&model(&out("half"))));
}

#[test]
fn what_cannot_be_begun_with_leaves_no_folder_behind() {
    let place = TempDir::new().unwrap();
    let first = first(&place);
    let out = place.path().join("out");
    let refused = |recipe: &Recipe, parts: &[&str]| {
        let error = train(recipe, &out).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!out.exists(), "{error}");
    };
    refused(&recipe(Some(&place.path().join("none.pt"))), &["cannot read", "none.pt"]);
    refused(&recipe(Some(place.path())), &["config.toml", "the folder of a run?"]);
    let text = place.path().join("text.pt");
    fs::write(&text, "<html>").unwrap();
    refused(&recipe(Some(&text)), &["text.pt: expected a safetensors file", "web page"]);
    let mut wider = recipe(Some(&first));
    wider.model = ModelConfig::Mlp(MlpConfig { hidden: vec![9], dropout: 0.0, batch_norm: true });
    refused(&wider, &["1 of the 8 tensors of `mlp`", "`hidden.0.weight` [8, 784] instead of"]);
    let other = Recipe { model: built_in("digits").unwrap().model, ..recipe(Some(&first)) };
    refused(&other, &["`lenet-bn`", "missing: ", "left over: `hidden.0.bias`"]);
    let mut bytes = fs::read(model(&first)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(model(&first), bytes).unwrap();
    refused(&recipe(Some(&first)), &["model.safetensors", "as manifest.json has it"]);
}

#[test]
fn a_study_finds_its_run_again_though_its_recipe_names_no_checksum() {
    let place = TempDir::new().unwrap();
    let first = first(&place);
    let trial = Trial { path: place.path().join("trial"), recipe: recipe(Some(&first)) };
    train(&trial.recipe, &trial.path).unwrap();
    assert!(matches!(trial.find(), Ok(Found::Whole(_))));
    // Other weights are another recipe.
    let other = place.path().join("other");
    train(&recipe(None), &other).unwrap();
    let trial = Trial { recipe: recipe(Some(&other)), ..trial };
    assert!(trial.find().is_err());
}
