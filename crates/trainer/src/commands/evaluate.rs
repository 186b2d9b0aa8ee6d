//! `backburn evaluate`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use backburn_data::ImageSet;
use backburn_data::loader::LoaderError;
use backburn_models::{Network, parameters, weights};
use backburn_records::number::{count, loss, percent};
use backburn_records::text_table::table;
use backburn_records::{Manifest, Memorized, Status};
use backburn_training::backend::Backend;
use backburn_training::evaluate::monte_carlo_dropout::DroppingNetwork;
use backburn_training::evaluate::temperature::fit_temperature;
use backburn_training::evaluate::test_time_augmentation::Views;
use backburn_training::evaluate::{Predictions, TOP_K, memorized, predict, predict_validation};
use backburn_training::failure::{Failure, usage};
use backburn_training::prepare::{PrepareError, Prepared};
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::checkpoint::Position;
use backburn_training::run_folder::error::RunError;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::run_folder::names::WEIGHTS;
use backburn_training::run_folder::restore::{Restored, restore_newest};
use backburn_training::run_folder::test_log::ManifestLog;
use backburn_training::seeds::Seeds;
use backburn_training::session_error::{SessionError, how_to_finish};
use backburn_training::state::State;
use backburn_training::{final_score, session};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::commands::robustness::evaluate_on;
use crate::output::{print_line, say};
use crate::pages::pages;
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// `evaluate RUN`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Folder of a finished run.
    pub run: PathBuf,
    /// The split to score on. Every access to the test split is recorded in the run's manifest.
    #[arg(long, value_enum, default_value_t = Split::Valid)]
    pub split: Split,
    /// Score on other test sets of the same classes instead: a folder or file of CIFAR-10-C, CIFAR-100-C or
    /// CIFAR-10.1. Needs no other data; counts as one access to the test split.
    #[arg(long, value_name = "PATH")]
    #[arg(conflicts_with_all = ["split", "temperature", "tta", "mc_dropout", "top_k", "data_dir"])]
    pub on: Option<PathBuf>,
    /// Also score with logits divided by the temperature that suits the validation split best.
    #[arg(long)]
    pub temperature: bool,
    /// Also score the mean over views of each image: flip, shift=PIXELS, or both with a comma.
    #[arg(long, value_name = "VIEWS", conflicts_with = "mc_dropout")]
    pub tta: Option<Views>,
    /// Also score the mean over that many passes with dropout, 2 to 1000.
    #[arg(long, value_name = "PASSES", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub mc_dropout: Option<u16>,
    /// Count an answer as right if the label is among the K most probable classes; 5 if not given.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub top_k: Option<u16>,
    /// Backend to compute on; the run's own if not given.
    #[arg(long)]
    pub backend: Option<String>,
    /// Folder with the data; the run's own if not given.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Threads to compute with; all cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub threads: Option<usize>,
    /// Print the scores as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A split that can be scored on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// Images kept from the published training split.
    Valid,
    /// The published test split.
    Test,
}

/// A class's name is cut to this many characters, so that a row fits a terminal.
const LONGEST_NAME: usize = 40;

/// A way to ask the network, with what came of it: a row of the table.
struct Variant {
    name: String,
    predictions: Predictions,
    /// What else there is to say of it.
    details: Value,
}

/// Scores a run's selected weights.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn evaluate(args: &EvaluateArgs) -> Result<(), Failure> {
    set_threads(args.threads)?;
    if let Some(path) = &args.on {
        return evaluate_on(&args.run, path, args.backend.as_deref(), args.json);
    }
    let mut watch = Terminal::new();
    let folder = RunFolder::open(&args.run).map_err(failure)?;
    // An access to the test split is written to the manifest, which another process must not change
    // meanwhile.
    let is_test = args.split == Split::Test;
    let _lock = is_test.then(|| folder.lock(&mut watch)).transpose().map_err(failure)?;
    let mut manifest = folder.manifest().map_err(failure)?;
    let mut status = manifest.status_in(folder.path());
    if status == Status::Killed {
        // It may have ended since the manifest was read.
        manifest = folder.manifest().map_err(failure)?;
        status = manifest.status_in(folder.path());
    }
    if is_test && status == Status::Running {
        // The lock is ours, so that nobody else is at work on it.
        status = Status::Killed;
    }
    let mut recipe = folder.recipe_as_written(&manifest).map_err(failure)?;
    if let Some(name) = &args.backend {
        recipe.place.backend = Backend::named(name).map_err(|e| Failure::Usage(e.to_string()))?;
    }
    if args.data_dir.is_some() {
        recipe.place.data_dir.clone_from(&args.data_dir);
    }
    let (open, prepared) = session::make_ready(&recipe, &mut watch)?;
    session::check_same_data(&prepared, &manifest)?;
    let Scored { network, weights, remark } = match status {
        Status::Finished | Status::StoppedEarly => {
            let network = prepared.network(&recipe, &open.device).map_err(PrepareError::from);
            let network = load(&folder, &manifest, network.map_err(SessionError::from)?)?;
            Scored { network, weights: "selected".to_owned(), remark: None }
        }
        status => best_so_far(&folder, &recipe, &prepared, &open.device, status)?,
    };
    let normalization = &prepared.normalization;
    let ask = |images: &Arc<ImageSet>| {
        predict(&network, images, normalization, &open.device).map_err(loader_failure)
    };

    // Whatever can be refused is refused before the test split is accessed.
    let k = top_k(args, prepared.classes())?;
    if let Some(views) = args.tta {
        views.check(prepared.train.shape()).map_err(|e| usage(format!("`--tta`: {e}")))?;
    }
    let dropping = args.mc_dropout.map(|_| dropping(&recipe, &network)).transpose()?;
    let temperature =
        args.temperature.then(|| temperature(&prepared, &network, &open.device)).transpose()?;

    let images = match args.split {
        Split::Valid => prepared.valid.clone().ok_or_else(|| {
            Failure::Error("the run kept no images for validation; use `--split test`".into())
        })?,
        Split::Test => {
            let mut log = ManifestLog {
                folder: &folder,
                manifest: &mut manifest,
                status,
                pages: pages(),
                watch: &mut watch,
            };
            let test = prepared.data.test.open(&mut log, "evaluate", &weights).map_err(failure)?;
            Arc::clone(test.for_final_scores())
        }
    };
    let looks = manifest.test_reads.len();
    let plain = ask(&images)?;
    let mut variants = Vec::new();
    if let Some(temperature) = temperature {
        if args.split == Split::Valid {
            say(
                "note: the temperature was fitted on these very images; `--split test` shows what \
                 it is worth",
            );
        }
        variants.push(Variant {
            name: format!("temperature T={temperature:.3}"),
            predictions: plain.scaled(temperature),
            details: json!({ "temperature": temperature }),
        });
    }
    if let Some(views) = args.tta {
        let predictions = views.predict(&network, &images, normalization, &open.device);
        variants.push(Variant {
            name: format!("tta {views}"),
            predictions: predictions.map_err(loader_failure)?,
            details: json!({ "views": views.count() }),
        });
    }
    if let (Some(dropping), Some(passes)) = (dropping, args.mc_dropout) {
        let (passes, seeds) = (usize::from(passes), Seeds::of(&recipe));
        let predictions = dropping.predict(&images, normalization, &open.device, passes, seeds);
        let predictions = predictions.map_err(loader_failure)?;
        variants.push(Variant {
            name: format!("mc-dropout {passes}"),
            predictions: predictions.mean,
            details: json!({
                "passes": passes,
                "predictive_entropy": predictions.predictive_entropy,
                "mutual_information": predictions.mutual_information,
            }),
        });
    }
    let memorized = memorized(&network, &prepared, &open.device).map_err(loader_failure)?;
    let split = if args.split == Split::Test { "test" } else { "valid" };
    if args.json {
        if let Some(remark) = remark {
            say(&format!("note: {remark}"));
        }
        let mut object = as_json(split, &plain, &variants, k, &prepared);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("test_looks".into(), looks.into());
            fields.insert("status".into(), status.name().into());
            fields.insert("weights".into(), weights.into());
            if let Some(memorized) = memorized {
                fields.insert("memorized".into(), json!(memorized));
            }
        }
        print_line(&object.to_string());
    } else {
        if let Some(remark) = remark {
            print_line(&format!("{remark}\n"));
        }
        print_line(as_text(split, plain, variants, k, &prepared).trim_end());
        if let Some(memorized) = memorized {
            print_line(&format!("\n{}", by_heart(&memorized)));
        }
        let times = if looks == 1 { "once".to_owned() } else { format!("{looks} times") };
        print_line(&format!("\nthe test split has been accessed {times}"));
    }
    Ok(())
}

/// What has become of the wrong labels.
fn by_heart(memorized: &Memorized) -> String {
    let Memorized { wrong_labels, learnt_by_heart, clean_accuracy } = *memorized;
    format!(
        "{} of the {} wrong training labels are learnt by heart; accuracy on the other training \
         images {}",
        percent(learnt_by_heart),
        count(wrong_labels as u64),
        percent(clean_accuracy)
    )
}

/// The weights that are scored.
struct Scored {
    network: Network,
    /// Which ones, for the record of accesses to the test split.
    weights: String,
    /// Remark that they are not those that the run ended with.
    remark: Option<String>,
}

/// The weights that a run which has not come to its end would keep, as its newest checkpoint has them.
fn best_so_far(
    folder: &RunFolder,
    recipe: &Recipe,
    prepared: &Prepared,
    device: &Device,
    status: Status,
) -> Result<Scored, Failure> {
    let run = folder.path().display();
    let fresh =
        || -> Result<State, SessionError> { Ok(State::to_restore(recipe, prepared, device)?) };
    let Some(Restored { state, instead_of }) = restore_newest(folder, fresh)? else {
        return Err(Failure::Error(format!(
            "{run} is {status} and has no checkpoint, so there are no weights to score; {}",
            how_to_finish(folder.path(), status)
        )));
    };
    if let Some(fault) = instead_of {
        say(&format!("warning: {fault}; the one before it is scored"));
    }
    let position = Position::of(&state);
    let (weights, which) = match &state.best {
        Some(best) => (
            format!("epoch {}, so far", best.epoch),
            format!("epoch {}, the best so far", best.epoch),
        ),
        None => (format!("{position}, so far"), format!("its newest checkpoint ({position})")),
    };
    let remark = format!(
        "unfinished: {run} is {status}, after {} of {} epochs; the weights scored are those of \
         {which}",
        position.epochs, recipe.epochs
    );
    Ok(Scored { network: state.selected(), weights, remark: Some(remark) })
}

fn top_k(args: &EvaluateArgs, classes: usize) -> Result<usize, Failure> {
    let k = args.top_k.map_or(TOP_K.min(classes), usize::from);
    if (1..=classes).contains(&k) {
        return Ok(k);
    }
    Err(Failure::Usage(format!(
        "`--top-k`: expected 1 to {classes}, the number of classes, found {k}"
    )))
}

/// The network with its dropout switched on.
fn dropping(recipe: &Recipe, network: &Network) -> Result<DroppingNetwork, Failure> {
    let mut model = recipe.model.clone();
    let dropout = *model.dropout_mut();
    let spatial = model.spatial_dropout_mut().copied().unwrap_or(0.0);
    if dropout == 0.0 && spatial == 0.0 {
        return Err(Failure::Usage(format!(
            "`--mc-dropout`: MC dropout needs dropout; the run's model, {}, has it at rate 0; name \
             a run that was trained with `--dropout`",
            model.name()
        )));
    }
    Ok(DroppingNetwork::new(network))
}

fn temperature(prepared: &Prepared, network: &Network, device: &Device) -> Result<f64, Failure> {
    let answers = predict_validation(network, prepared, device).map_err(loader_failure)?;
    let Some(valid) = answers else {
        return Err(Failure::Error(
            "`--temperature` is fitted on the validation split, and the run kept no images for \
             it; name a run that was trained with a `--valid-size`"
                .into(),
        ));
    };
    fit_temperature(&valid).map_err(|error| {
        Failure::Error(format!(
            "`--temperature`: {error}; leave it out, or name a run with another `--valid-size`"
        ))
    })
}

/// Everything there is to say, as one object.
fn as_json(
    split: &str,
    plain: &Predictions,
    variants: &[Variant],
    k: usize,
    prepared: &Prepared,
) -> Value {
    let mut object = json!({
        "split": split,
        "images": plain.images(),
        "class_names": prepared.data.class_names,
        "per_class": plain.per_class(),
        "confusion": plain.confusion(),
        "reliability": final_score::reliability(plain),
    });
    let variant = |variant: &Variant| {
        let mut row = json!({ "name": variant.name });
        extend(&mut row, scores_as_json(&variant.predictions, k));
        extend(&mut row, variant.details.clone());
        row
    };
    extend(&mut object, scores_as_json(plain, k));
    extend(&mut object, json!({ "variants": variants.iter().map(variant).collect::<Vec<_>>() }));
    object
}

fn scores_as_json(predictions: &Predictions, k: usize) -> Value {
    let scores = predictions.scores();
    json!({
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "top_k": { "k": k, "accuracy": predictions.top_k_accuracy(k) },
        "brier": predictions.brier_score(),
        "ece": predictions.calibration_error(),
        "mce": predictions.maximum_calibration_error(),
        "balanced_accuracy": predictions.balanced_accuracy(),
    })
}

/// Adds the entries of one object to another.
fn extend(object: &mut Value, entries: Value) {
    if let (Value::Object(object), Value::Object(entries)) = (object, entries) {
        object.extend::<Map<String, Value>>(entries);
    }
}

/// A table of the variants, and one of the classes by plain answers.
fn as_text(
    split: &str,
    plain: Predictions,
    variants: Vec<Variant>,
    k: usize,
    prepared: &Prepared,
) -> String {
    let split = if split == "test" { "test" } else { "validation" };
    let mut text =
        format!("scores on {} images of the {split} split\n\n", count(plain.images() as u64));

    let classes = plain.per_class();
    let plain = Variant { name: "plain".into(), predictions: plain, details: Value::Null };
    let variants: Vec<Variant> = [plain].into_iter().chain(variants).collect();
    let head = ["", "accuracy", &format!("top-{k}"), "NLL", "Brier", "ECE"].map(String::from);
    let row = |variant: &Variant| {
        let (predictions, scores) = (&variant.predictions, variant.predictions.scores());
        [
            variant.name.clone(),
            percent(scores.accuracy),
            percent(predictions.top_k_accuracy(k)),
            loss(scores.loss),
            loss(predictions.brier_score()),
            percent(predictions.calibration_error()),
        ]
    };
    let rows: Vec<_> = [head].into_iter().chain(variants.iter().map(row)).collect();
    text += &table(&rows);
    for variant in &variants {
        let detail = |name: &str| variant.details.get(name)?.as_f64();
        if let (Some(entropy), Some(information)) =
            (detail("predictive_entropy"), detail("mutual_information"))
        {
            text += &format!(
                "\n{}: mean predictive entropy {} nats,\nmean mutual information {} nats\n",
                variant.name,
                loss(entropy),
                loss(information)
            );
        }
    }

    let head = ["class", "images", "accuracy", "precision", "F1"].map(String::from);
    let names = prepared.data.class_names.iter().map(|name| name.chars().take(LONGEST_NAME));
    let rows = names.zip(classes).map(|(name, class)| {
        [
            name.collect(),
            count(class.images),
            percent(class.accuracy),
            percent(class.precision),
            percent(class.f1),
        ]
    });
    text + "\n" + &table(&[head].into_iter().chain(rows).collect::<Vec<_>>())
}

fn load(folder: &RunFolder, manifest: &Manifest, network: Network) -> Result<Network, Failure> {
    let damaged = |reason: String| {
        let path = folder.path().join(WEIGHTS);
        failure(RunError::Damaged { path, reason })
    };
    let bytes = folder.read_as_written(WEIGHTS, manifest).map_err(failure)?;
    let (tensors, _) = weights::from_bytes(&bytes).map_err(|e| damaged(e.to_string()))?;
    parameters::import(network, tensors).map_err(|e| damaged(e.to_string()))
}

fn failure(error: RunError) -> Failure {
    SessionError::from(error).into()
}

fn loader_failure(error: LoaderError) -> Failure {
    SessionError::from(PrepareError::from(error)).into()
}
