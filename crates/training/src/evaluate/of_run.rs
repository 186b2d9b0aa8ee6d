//! A run's weights, scored on one of its splits in as many ways as are asked for.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backburn_data::ImageSet;
use backburn_data::loader::LoaderError;
use backburn_models::Network;
use backburn_records::Status;
use burn::tensor::Device;
use serde_json::json;

use crate::backend::Backend;
use crate::evaluate::monte_carlo_dropout::DroppingNetwork;
use crate::evaluate::score_table::{ScoreTable, Variant};
use crate::evaluate::temperature::fit_temperature;
use crate::evaluate::test_time_augmentation::ViewedPredictions;
use crate::evaluate::which_weights::{Weights, weights_of};
use crate::evaluate::{TOP_K, memorized, predict, predict_validation};
use crate::failure::{Failure, usage};
use crate::prepare::{PrepareError, Prepared};
use crate::recipe::Recipe;
use crate::run_folder::error::RunError;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::pages::Pages;
use crate::run_folder::test_log::ManifestLog;
use crate::seeds::Seeds;
use crate::session;
use crate::session_error::SessionError;
use crate::views::Views;
use crate::watch::{Watch, note};

/// A split that can be scored on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoredSplit {
    /// Images kept from the published training split.
    Valid,
    /// The published test split.
    Test,
}

/// How a run is scored.
#[derive(Clone, Debug)]
pub struct HowToScore {
    /// On which images.
    pub split: ScoredSplit,
    /// Also with logits divided by the temperature that suits the validation split best.
    pub temperature: bool,
    /// Also the mean over these views of each image; those of the run's recipe, if it has some, if `None`.
    pub views: Option<Views>,
    /// Also the mean over so many passes with dropout.
    pub passes: Option<usize>,
    /// An answer counts as right if the label is among so many classes; [`TOP_K`] if `None`.
    pub top_k: Option<usize>,
    /// Backend to compute on, by its name; the run's own if `None`.
    pub backend: Option<String>,
    /// Folder with the data; the run's own if `None`.
    pub data_dir: Option<PathBuf>,
}

/// Scores the selected weights of the run in the folder `run`, or the best so far. An access to the test split is
/// recorded before it happens; `pages` draw anew what counts the accesses.
///
/// # Errors
///
/// If the run, its data or the device cannot be used, or something is asked for that does not go with the run.
pub fn evaluate(
    run: &Path,
    how: &HowToScore,
    pages: Pages,
    watch: &mut dyn Watch,
) -> Result<ScoreTable, Failure> {
    let folder = RunFolder::open(run).map_err(failure)?;
    // An access to the test split is written to the manifest, which another process must not change
    // meanwhile.
    let is_test = how.split == ScoredSplit::Test;
    let _lock = is_test.then(|| folder.lock(&mut *watch)).transpose().map_err(failure)?;
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
    if let Some(name) = &how.backend {
        recipe.place.backend = Backend::named(name).map_err(usage)?;
    }
    if how.data_dir.is_some() {
        recipe.place.data_dir.clone_from(&how.data_dir);
    }
    let (open, prepared) = session::make_ready(&recipe, &mut *watch)?;
    session::check_same_data(&prepared, &manifest)?;
    let Weights { network, name: weights, remark } =
        weights_of(&folder, &manifest, status, &recipe, &prepared, &open.device, &mut *watch)?;
    let normalization = &prepared.normalization;

    // Whatever can be refused is refused before the test split is accessed.
    let k = top_k(how, prepared.classes())?;
    let views = how.views.or(recipe.tta);
    if let Some(views) = views {
        views.check(prepared.train.shape()).map_err(|e| usage(format!("`--tta`: {e}")))?;
    }
    let dropping = how.passes.map(|_| dropping(&recipe, &network)).transpose()?;
    // A run that is scored by views is scored so again, and its temperature is one of such answers.
    let own_views = recipe.tta.and(views);
    let temperature = how
        .temperature
        .then(|| temperature(&prepared, &network, own_views, &open.device))
        .transpose()?;

    let images: Arc<ImageSet> = match how.split {
        ScoredSplit::Valid => prepared.valid.clone().ok_or_else(|| {
            Failure::Error("the run kept no images for validation; use `--split test`".into())
        })?,
        ScoredSplit::Test => {
            let manifest = &mut manifest;
            let mut log =
                ManifestLog { folder: &folder, manifest, status, pages, watch: &mut *watch };
            let test = prepared.data.test.open(&mut log, "evaluate", &weights).map_err(failure)?;
            Arc::clone(test.for_final_scores())
        }
    };
    let (plain, viewed) = match views {
        None => {
            let plain = predict(&network, &images, normalization, &open.device);
            (plain.map_err(loader_failure)?, None)
        }
        Some(views) => {
            let viewed = views.predict(&network, &images, normalization, &open.device);
            let ViewedPredictions { plain, mean } = viewed.map_err(loader_failure)?;
            (plain, Some((views, mean)))
        }
    };
    let scored = viewed.as_ref().filter(|_| own_views.is_some()).map_or(&plain, |(_, mean)| mean);
    let mut variants = Vec::new();
    if let Some(temperature) = temperature {
        if how.split == ScoredSplit::Valid {
            note(
                watch,
                "note: the temperature was fitted on these very images; `--split test` shows what \
                 it is worth",
            );
        }
        variants.push(Variant {
            name: format!("temperature T={temperature:.3}"),
            predictions: scored.scaled(temperature),
            details: json!({ "temperature": temperature }),
        });
    }
    if own_views.is_some() && how.views.is_none() {
        note(watch, "note: the recipe's views are taken; `--tta` takes others");
    }
    if let Some((views, predictions)) = viewed {
        variants.push(Variant {
            name: format!("tta {views}"),
            predictions,
            details: json!({
                "views": views.count(),
                "evaluations": views.evaluations(images.len()),
            }),
        });
    }
    if let (Some(dropping), Some(passes)) = (dropping, how.passes) {
        let seeds = Seeds::of(&recipe);
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
    Ok(ScoreTable {
        split: if is_test { "test" } else { "valid" },
        plain,
        variants,
        scored_by: own_views.map(|views| format!("tta {views}")),
        k,
        class_names: prepared.data.class_names,
        memorized,
        test_looks: manifest.test_reads.len(),
        status,
        weights,
        remark,
    })
}

fn top_k(how: &HowToScore, classes: usize) -> Result<usize, Failure> {
    let k = how.top_k.unwrap_or(TOP_K.min(classes));
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

/// The temperature that suits the validation split best, answered by `views` if there are some.
fn temperature(
    prepared: &Prepared,
    network: &Network,
    views: Option<Views>,
    device: &Device,
) -> Result<f64, Failure> {
    let answers = match views {
        None => predict_validation(network, prepared, device),
        Some(views) => {
            let viewed = views.predict_validation(network, prepared, device);
            viewed.map(|viewed| viewed.map(|viewed| viewed.mean))
        }
    };
    let Some(valid) = answers.map_err(loader_failure)? else {
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

fn failure(error: RunError) -> Failure {
    SessionError::from(error).into()
}

fn loader_failure(error: LoaderError) -> Failure {
    SessionError::from(PrepareError::from(error)).into()
}
