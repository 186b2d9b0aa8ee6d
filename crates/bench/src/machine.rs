//! What there is to measure without a network: matrix products, layers, the loader.

use backburn_training::failure::Failure;

use super::figure::Figure;
use super::layers::{BATCH_SIZE, LAYERS};
use super::loader::AUGMENTATIONS;
use super::matrix_product::SIZE;
use super::plan::Plan;
use super::process::Process;
use super::protocol::Request;
use super::record::{LayerRecord, LoaderRecord, MatrixProductRecord};

/// A layer gets this part of a repetition's time, because there are many of them, and so does the
/// matrix product that each is held against.
const LAYER_SHARE: f64 = 0.2;

const GIGA: f64 = 1e9;

/// Matrix products with all threads and with one, in turns.
///
/// # Errors
///
/// If a process fails or Ctrl-C was pressed.
pub(crate) fn matrix_product(
    plan: &Plan,
    all: &mut Process,
) -> Result<MatrixProductRecord, Failure> {
    let request = Request::MatrixProduct { seconds: plan.seconds };
    let mut one = if plan.threads > 1 { Some(plan.start(None, 1, None)?.0) } else { None };
    let (mut with_all, mut with_one) = (Vec::new(), Vec::new());
    for _ in 0..plan.repetitions {
        with_all.push(all.work(&request)?.rate() / GIGA);
        if let Some(one) = &mut one {
            with_one.push(one.work(&request)?.rate() / GIGA);
        }
    }
    Ok(MatrixProductRecord {
        size: SIZE,
        gflop_per_second: Figure::of(&with_all),
        one_thread_gflop_per_second: one.is_some().then(|| Figure::of(&with_one)),
        gain: one.is_some().then(|| Figure::of_ratios(&with_all, &with_one)),
    })
}

/// Every convolution of those of `models` that are listed, each in turns with the matrix product.
///
/// # Errors
///
/// If the process fails or Ctrl-C was pressed.
pub(crate) fn layers(
    plan: &Plan,
    models: &[String],
    process: &mut Process,
) -> Result<Vec<LayerRecord>, Failure> {
    let seconds = plan.seconds * LAYER_SHARE;
    let wanted = LAYERS.into_iter().filter(|(model, _)| models.iter().any(|name| name == model));
    let all = wanted.flat_map(|(model, layers)| layers.iter().map(move |layer| (model, *layer)));
    let measure = |(model, layer)| {
        let (mut products, mut forwards, mut backwards) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.repetitions {
            let mut rate = |request| process.work(&request).map(|work| work.rate() / GIGA);
            products.push(rate(Request::MatrixProduct { seconds })?);
            forwards.push(rate(Request::Forward { layer, seconds })?);
            backwards.push(rate(Request::Backward { layer, seconds })?);
        }
        Ok(LayerRecord {
            model,
            layer,
            batch_size: BATCH_SIZE,
            forward_gflop_per_second: Figure::of(&forwards),
            forward_share: Figure::of_ratios(&forwards, &products),
            backward_gflop_per_second: Figure::of(&backwards),
            backward_share: Figure::of_ratios(&backwards, &products),
        })
    };
    all.map(measure).collect()
}

/// The loader, with each augmentation.
///
/// # Errors
///
/// If the process fails or Ctrl-C was pressed.
pub(crate) fn loader(plan: &Plan, process: &mut Process) -> Result<Vec<LoaderRecord>, Failure> {
    let measure = |augment: &'static str| {
        let request = Request::Loader { augment: augment.into(), seconds: plan.seconds };
        let rates = (0..plan.repetitions).map(|_| Ok(process.work(&request)?.rate()));
        let rates = rates.collect::<Result<Vec<f64>, Failure>>()?;
        Ok(LoaderRecord { augment, images_per_second: Figure::of(&rates) })
    };
    AUGMENTATIONS.into_iter().map(measure).collect()
}
