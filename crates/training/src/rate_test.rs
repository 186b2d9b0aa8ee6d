//! A range test of the learning rate from its recipe to its record.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_models::parameters;
use backburn_records::{Origin, number};
use serde::Serialize;

use crate::find_rate::{self, RateCurve, RateRange, Suggestions};
use crate::memory::blame::blame;
use crate::memory::need;
use crate::origin::origin;
use crate::prepare::PrepareError;
use crate::recipe::Recipe;
use crate::run_folder::folder::RunFolder;
use crate::run_options::RunOptions;
use crate::session::{self, make_ready};
use crate::session_error::SessionError;
use crate::setup::Setup;
use crate::state::State;
use crate::version;
use crate::watch::{Event, Watch, detail};

/// Name of the record in its folder.
pub const RECORD: &str = "find-rate.json";

/// A range test that came to its end.
#[derive(Clone, Debug)]
pub struct RateTest {
    /// What was trained.
    pub recipe: Recipe,
    /// The rates that were asked for.
    pub range: RateRange,
    /// The losses.
    pub curve: RateCurve,
    /// Where they come from; it lies in no folder yet.
    pub origin: Origin,
}

/// `find-rate.json`
#[derive(Debug, Serialize)]
pub struct RateRecord<'a> {
    backburn_version: &'static str,
    origin: &'a Origin,
    seed: u64,
    recipe: &'a Recipe,
    range: RateRange,
    suggestions: Option<Suggestions>,
    /// Suggested value of `--learning-rate`.
    recommended: Option<f64>,
    /// Why there is no suggestion.
    no_suggestion: Option<String>,
    #[serde(flatten)]
    curve: &'a RateCurve,
}

impl RateTest {
    /// Trains by `recipe` with the rates of `range`; `None` if it is asked to stop. `out`: the folder that the record
    /// is to go to, which is looked at before anything takes time, and not written to.
    ///
    /// # Errors
    ///
    /// If the folder holds something, or the data or the device cannot be used.
    pub fn carry_out(
        recipe: &Recipe,
        range: RateRange,
        out: Option<&Path>,
        options: &RunOptions,
        watch: &mut dyn Watch,
    ) -> Result<Option<Self>, SessionError> {
        out.map_or(Ok(()), RunFolder::check_free)?;
        let (open, prepared) = make_ready(recipe, watch)?;
        prepared
            .check_batches(recipe)
            .map_err(|error| SessionError::from(PrepareError::from(error)))?;
        let _blamed = blame(recipe, None, &options.command);
        need::check(recipe, &prepared, &open.device, options.threads, watch)?;
        if options.verify_kernels {
            session::verify_kernels(recipe, &prepared, &open, watch)?;
        }
        let mut state = State::new(recipe, &prepared, &open.device)?;
        watch.event(Event::CanBeStopped);
        let images = number::counted(prepared.train.len(), "training image");
        detail(watch, &format!("{}: {images}", recipe.dataset));
        let model = recipe.model.introduced(parameters::count(state.network()));
        detail(watch, &format!("{model}, seed {}", recipe.seed));
        let RateRange { from, to, steps } = range;
        let noun = number::either(steps, "step", "steps");
        detail(watch, &format!("{steps} {noun} with learning rates from {from:e} to {to:e}"));
        let setup = Setup {
            stop: options.stop.clone(),
            ..Setup::new(recipe, &prepared, options.threads)
                .map_err(PrepareError::from)?
                .on_device(&open.device)
        };
        let curve = find_rate::measure(&setup, &mut state, range, watch);
        watch.event(Event::Ended);
        let machine = Some((recipe.place.backend, open.name.as_str()));
        let command = options.command.clone();
        let origin = origin(String::new(), recipe.seed, machine, &prepared.data, command);
        Ok(curve.map(|curve| Self { recipe: recipe.clone(), range, curve, origin }))
    }

    /// What is written down.
    pub fn record(&self) -> RateRecord<'_> {
        let found = self.curve.suggest();
        RateRecord {
            backburn_version: version::VERSION,
            origin: &self.origin,
            seed: self.recipe.seed,
            recipe: &self.recipe,
            range: self.range,
            suggestions: found.ok(),
            recommended: found.ok().map(|found| found.recommended()),
            no_suggestion: found.err().map(|reason| reason.to_string()),
            curve: &self.curve,
        }
    }
}
