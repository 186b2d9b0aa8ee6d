//! What a run ends with: the selected weights, scored on every split, and what there is to say of their
//! answers.

use std::sync::Arc;

use backburn_data::normalization::FittedNormalization;
use backburn_data::{ImageSet, TestImages};
use backburn_models::{Network, parameters, weights};
use backburn_records::{
    EvaluationRecord, Explanation, Manifest, Mistake, PlainScores, ReliabilityBin, Summary,
    TemperatureRecord, TopKRecord, TtaRecord,
};
use backburn_regularization::Keep;
use burn::tensor::Device;

use crate::evaluate::memorized::learnt_by_heart;
use crate::evaluate::temperature::fit_temperature;
use crate::evaluate::test_time_augmentation::ViewedPredictions;
use crate::evaluate::{
    CalibrationBin, Predictions, TOP_K, ValidationPredictions, memorized, predict,
    predict_validation,
};
use crate::explain::explain;
use crate::prepare::{PrepareError, Prepared};
use crate::run_folder::error::RunError;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::WEIGHTS;
use crate::run_folder::pages::Pages;
use crate::run_folder::test_log::ManifestLog;
use crate::seeds::Seeds;
use crate::session_error::SessionError;
use crate::setup::Setup;
use crate::state::State;
use crate::views::Views;
use crate::watch::{Event, Watch, note};

/// Wrong answers that a report shows.
const SHOWN_MISTAKES: usize = 24;

/// Scores the selected weights on every split, the test split once, and writes the results.
///
/// # Errors
///
/// If the loss on the training images is not finite, or a result cannot be written.
pub(crate) fn score(
    setup: &Setup<'_>,
    folder: &RunFolder,
    manifest: &mut Manifest,
    state: &State,
    pages: Pages,
    watch: &mut dyn Watch,
) -> Result<Summary, SessionError> {
    let Setup { recipe, prepared, .. } = setup;
    let last_epoch = state.epochs.len();
    let best_epoch = state.best.as_ref().map_or(last_epoch, |best| best.epoch);
    if let (Keep::LastUnder(threshold), None) = (recipe.keep, &state.best) {
        note(
            watch,
            &format!(
                "note: no epoch's validation loss was under {threshold}, so the last weights are \
                 kept"
            ),
        );
    }
    let selected = best_epoch.checked_sub(1).and_then(|place| state.epochs.get(place));
    let network = state.selected();
    let device = state.device().clone().without_autodiff();
    let answer = |images: &Arc<ImageSet>| {
        predict(&network, images, &prepared.normalization, &device).map_err(PrepareError::from)
    };
    let sample = prepared.train_sample(Seeds::of(recipe)).map_err(PrepareError::from)?;
    let answers = answer(&sample)?;
    let train = answers.scores();
    // Weights can be finite and yet too large for a finite loss.
    if !train.loss.is_finite() {
        let learning_rate = selected.map_or(f64::NAN, |epoch| epoch.learning_rate);
        return Err(SessionError::NoFiniteScore { epoch: best_epoch, learning_rate });
    }
    save_model(folder, &network, &prepared.normalization)?;
    let memorized = match &prepared.wrong_labels {
        // The sample is all training images.
        Some(wrong) if Arc::ptr_eq(&sample, &prepared.train) => {
            Some(learnt_by_heart(wrong, &answers))
        }
        _ => memorized(&network, prepared, &device).map_err(PrepareError::from)?,
    };
    let valid = match recipe.tta {
        None => {
            predict_validation(&network, prepared, &device).map(|it| it.map(Answers::of_one_look))
        }
        Some(views) => {
            let viewed = views.predict_validation(&network, prepared, &device);
            viewed.map(|it| it.map(Answers::of_views))
        }
    };
    let valid = valid.map_err(PrepareError::from)?;
    let valid_scores = valid.as_ref().map(|answers| answers.scored.scores());
    let weights = format!("epoch {best_epoch}");
    let status = manifest.status;
    let mut log = ManifestLog { folder, manifest, status, pages, watch: &mut *watch };
    let test = prepared.data.test.open(&mut log, "final score", &weights)?;
    let images = test.for_final_scores();
    let answers = match recipe.tta {
        None => Answers::of_one_look(answer(images)?),
        Some(views) => {
            let viewed = views.predict(&network, images, &prepared.normalization, &device);
            Answers::of_views(viewed.map_err(PrepareError::from)?)
        }
    };
    let predictions = &answers.scored;
    let scores = predictions.scores();

    let train_seconds: f64 = state.epochs.iter().map(|epoch| epoch.seconds).sum();
    let trained = (setup.images_per_epoch() * last_epoch) as f64;
    let summary = Summary {
        best_epoch,
        last_epoch,
        train_loss: train.loss,
        train_accuracy: train.accuracy,
        valid_loss: valid_scores.map(|scores| scores.loss),
        valid_accuracy: valid_scores.map(|scores| scores.accuracy),
        test_loss: scores.loss,
        test_accuracy: scores.accuracy,
        generalization_gap: train.accuracy - scores.accuracy,
        test_ece: predictions.calibration_error(),
        train_seconds,
        images_per_second: trained / train_seconds.max(1e-9),
        parameters: parameters::count(&network) as u64,
        memorized,
        tta: recipe.tta.map(|views| views.to_string()),
    };
    folder.write_summary(&summary)?;
    let mistakes = predictions.worst_mistakes(SHOWN_MISTAKES);
    let explanations = explained(&network, &test, predictions, &mistakes, prepared, &device)?;
    let mistakes = mistakes.into_iter().zip(explanations).collect();
    let mut evaluation =
        evaluation(prepared, &test, predictions, valid.as_ref().map(|it| &it.scored), mistakes);
    evaluation.tta = recipe.tta.zip(answers.plain.as_ref()).map(|(views, plain)| {
        let plain_valid = valid.as_ref().and_then(|answers| answers.plain.as_ref());
        tta_record(views, plain, plain_valid)
    });
    folder.write_evaluation(&evaluation)?;
    watch.event(Event::Scored { summary: &summary, evaluation: &evaluation });
    Ok(summary)
}

/// Answers to the images of a split.
struct Answers<P> {
    /// Those that are scored.
    scored: P,
    /// Those of the network asked once about each image, if the others are means over views.
    plain: Option<P>,
}

impl<P> Answers<P> {
    fn of_one_look(scored: P) -> Self {
        Self { scored, plain: None }
    }

    fn of_views(viewed: ViewedPredictions<P>) -> Self {
        Self { scored: viewed.mean, plain: Some(viewed.plain) }
    }
}

/// By which views answers were come by, and what they are without: `plain` of the test images, `plain_valid` of those
/// of validation, which a temperature is fitted on.
fn tta_record(
    views: Views,
    plain: &Predictions,
    plain_valid: Option<&ValidationPredictions>,
) -> TtaRecord {
    TtaRecord {
        views: views.to_string(),
        count: views.count(),
        evaluations: views.evaluations(plain.images()) as u64,
        plain: PlainScores {
            accuracy: plain.scores().accuracy,
            nll: plain.scores().loss,
            brier: plain.brier_score(),
            ece: plain.calibration_error(),
            temperature: plain_valid.and_then(|valid| fit_temperature(valid).ok()),
        },
    }
}

/// What in each of the images that are shown spoke for its answer.
fn explained(
    network: &Network,
    test: &TestImages,
    predictions: &Predictions,
    shown: &[usize],
    prepared: &Prepared,
    device: &Device,
) -> Result<Vec<Explanation>, PrepareError> {
    if shown.is_empty() {
        return Ok(Vec::new());
    }
    let images = Arc::new(test.for_final_scores().select(shown));
    let answers: Vec<usize> = shown.iter().map(|&place| predictions.answer(place).0).collect();
    Ok(explain(network, &images, &answers, &prepared.normalization, device)?)
}

/// Writes the weights, and what a pixel must be scaled by before they see it.
fn save_model(
    folder: &RunFolder,
    network: &Network,
    normalization: &FittedNormalization,
) -> Result<(), RunError> {
    // The entry that PyTorch's own writer leaves.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let bytes =
        weights::to_bytes(&parameters::export(network), metadata).expect("shapes and values agree");
    folder.write(WEIGHTS, &bytes)?;
    folder.write_normalization(normalization)
}

/// What there is to say of the answers to test images. `valid`: the answers to the validation split,
/// which a temperature is fitted on; `mistakes`: the wrong answers that are shown, and what spoke for them.
fn evaluation(
    prepared: &Prepared,
    test: &TestImages,
    predictions: &Predictions,
    valid: Option<&ValidationPredictions>,
    mistakes: Vec<(usize, Explanation)>,
) -> EvaluationRecord {
    let images = test.for_final_scores();
    let shape = images.shape();
    let mistake = |(i, explanation): (usize, Explanation)| {
        let (prediction, confidence) = predictions.answer(i);
        Mistake {
            index: i,
            label: usize::from(images.label(i)),
            prediction,
            confidence,
            loss: predictions.loss(i),
            shape: [shape.channels, shape.height, shape.width],
            pixels: images.image(i).to_vec(),
            explanation: Some(explanation),
            path: test.name(i).map(str::to_owned),
        }
    };
    // Where no temperature is the best, there is none to report.
    let temperature = valid.and_then(|valid| fit_temperature(valid).ok()).map(|temperature| {
        let scaled = predictions.scaled(temperature);
        TemperatureRecord {
            temperature,
            nll: scaled.scores().loss,
            brier: scaled.brier_score(),
            ece: scaled.calibration_error(),
        }
    });
    let k = TOP_K.min(predictions.classes());
    EvaluationRecord {
        class_names: prepared.data.class_names.clone(),
        confusion: predictions.confusion(),
        reliability: reliability(predictions),
        mistakes: mistakes.into_iter().map(mistake).collect(),
        nll: Some(predictions.scores().loss),
        brier: Some(predictions.brier_score()),
        ece: Some(predictions.calibration_error()),
        balanced_accuracy: Some(predictions.balanced_accuracy()),
        mce: Some(predictions.maximum_calibration_error()),
        top_k: Some(TopKRecord { k, accuracy: predictions.top_k_accuracy(k) }),
        per_class: predictions.per_class(),
        temperature,
        tta: None,
    }
}

/// The bins of a reliability diagram, as they are written down.
pub fn reliability(predictions: &Predictions) -> Vec<ReliabilityBin> {
    let bin = |bin: CalibrationBin| ReliabilityBin {
        count: bin.count,
        confidence: bin.confidence,
        accuracy: bin.accuracy,
    };
    predictions.reliability().into_iter().map(bin).collect()
}
