//! `backburn find-rate`: a range test of the learning rate, its curve, and what to take from it.

use backburn_models::parameters;
use backburn_records::Origin;
use backburn_report::figure::{Axis, Drawing, LineChart, Mark, Series};
use backburn_training::failure::{Failure, usage};
use backburn_training::find_rate::{
    self, NoSuggestion, RateCurve, RateCurveEnd, RateRange, Suggestions,
};
use backburn_training::memory::blame::blame;
use backburn_training::memory::need;
use backburn_training::origin::origin;
use backburn_training::prepare::PrepareError;
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::session::{self, make_ready};
use backburn_training::session_error::SessionError;
use backburn_training::setup::Setup;
use backburn_training::state::State;
use backburn_training::watch::{Event, Watch};
use clap::Args;
use serde::Serialize;

use crate::commands::train::TrainArgs;
use crate::interrupt::{self, Notices};
use crate::output::print_line;
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// What the flags do not say, for the end of help.
pub(crate) const NOTES: &str = "\
Begins with the recipe's initial weights, sees training images only, and ends where the loss has \
risen to four times its lowest value. The recipe's own learning rate, schedule, epochs and early \
stopping play no part. Leaves find-rate.json and the curve of the loss as SVG and PNG; the network \
is not kept.";

/// `find-rate [DATASET]`
#[derive(Args, Clone, Debug)]
pub struct FindRateArgs {
    #[command(flatten)]
    train: TrainArgs,
    /// First learning rate.
    #[arg(long, value_name = "X", default_value = "1e-7", help_heading = "Range")]
    #[arg(allow_negative_numbers = true)]
    from: f64,
    /// Last learning rate.
    #[arg(long, value_name = "X", default_value = "10", help_heading = "Range")]
    #[arg(allow_negative_numbers = true)]
    to: f64,
    /// Optimizer steps, each with a greater rate than the one before.
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Range")]
    #[arg(allow_negative_numbers = true)]
    steps: usize,
}

/// `find-rate.json`
#[derive(Debug, Serialize)]
struct Record<'a> {
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

/// Carries out a range test as the arguments say. `command`: the command line, program first.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn find_rate(args: &FindRateArgs, command: Vec<String>) -> Result<(), Failure> {
    interrupt::hear(Notices::MEASUREMENT, args.train.stop_on);
    if args.train.resume.is_some() || args.train.extend.is_some() {
        return Err(Failure::Usage(
            "`find-rate` begins with the recipe's initial weights and has nothing to resume or \
             extend; name the run's recipe with `--config RUN/config.toml`"
                .into(),
        ));
    }
    if args.train.seeds.is_some() {
        return Err(Failure::Usage(
            "`find-rate` trains one network; leave `--seeds` out, or give `--seed S`".into(),
        ));
    }
    if args.train.folds.is_some() {
        return Err(Failure::Usage(
            "`find-rate` trains one network; leave `--folds` out, or name one with `--fold 1/5`"
                .into(),
        ));
    }
    if args.train.checkpoint_every.is_some() {
        return Err(Failure::Usage(
            "`find-rate` trains a few steps and writes no checkpoint; leave `--checkpoint-every` \
             out"
            .into(),
        ));
    }
    let range = RateRange { from: args.from, to: args.to, steps: args.steps };
    range.check().map_err(usage)?;
    let (recipe, name) = args.train.recipe()?;
    let threads = set_threads(args.train.threads)?;
    let Some((curve, mut origin)) = measure(args, &recipe, range, threads, command)? else {
        return Err(Failure::Interrupted);
    };
    let found = curve.suggest();
    // Only now, so that a test that was interrupted leaves no folder behind.
    let name = format!("find-rate-{name}-{}", recipe.model.name());
    let folder = match &args.train.out {
        Some(path) => RunFolder::create(path),
        None => RunFolder::create_named(&name),
    };
    let folder = folder.map_err(SessionError::from)?;
    origin.folder = folder.path().display().to_string();
    let record = Record {
        backburn_version: env!("CARGO_PKG_VERSION"),
        origin: &origin,
        seed: recipe.seed,
        recipe: &recipe,
        range,
        suggestions: found.ok(),
        recommended: found.ok().map(|found| found.recommended()),
        no_suggestion: found.err().map(|reason| reason.to_string()),
        curve: &curve,
    };
    write(&folder, &record)?;
    if args.train.json {
        print_line(&serde_json::to_string(&record).expect("a record is plain values"));
    } else {
        print_line(&summary(range, &curve, found));
        print_line(&format!("curve: {}", folder.path().join("curve.png").display()));
    }
    Ok(())
}

/// The curve and where it comes from; `None` if interrupted.
fn measure(
    args: &FindRateArgs,
    recipe: &Recipe,
    range: RateRange,
    threads: usize,
    command: Vec<String>,
) -> Result<Option<(RateCurve, Origin)>, SessionError> {
    args.train.out.as_deref().map_or(Ok(()), RunFolder::check_free)?;
    let mut watch = Terminal::new();
    let (open, prepared) = make_ready(recipe, &mut watch)?;
    prepared
        .check_batches(recipe)
        .map_err(|error| SessionError::from(PrepareError::from(error)))?;
    let _blamed = blame(recipe, None);
    need::check(recipe, &prepared, &open.device, threads, &mut watch)?;
    if args.train.verify_kernels {
        session::verify_kernels(recipe, &prepared, &open, &mut watch)?;
    }
    let mut state = State::new(recipe, &prepared, &open.device)?;
    watch.event(Event::CanBeStopped);
    let mut detail = |text: String| watch.event(Event::Detail(&text));
    let (images, model) = (prepared.train.len(), recipe.model.name());
    detail(format!("{}: {images} training images", recipe.dataset));
    let parameters = parameters::count(state.network());
    detail(format!("{model} with {parameters} parameters, seed {}", recipe.seed));
    let RateRange { from, to, steps } = range;
    detail(format!("{steps} steps with learning rates from {from:e} to {to:e}"));
    let setup = Setup {
        stop: interrupt::stop(),
        ..Setup::new(recipe, &prepared, threads).map_err(PrepareError::from)?
    };
    let curve = find_rate::measure(&setup, &mut state, range, &mut watch);
    watch.event(Event::Ended);
    let machine = Some((recipe.place.backend, open.name.as_str()));
    let origin = origin(String::new(), recipe.seed, machine, &prepared.data, command);
    Ok(curve.map(|curve| (curve, origin)))
}

/// Writes figure and record into their folder, each file whole, the record last.
fn write(folder: &RunFolder, record: &Record<'_>) -> Result<(), Failure> {
    let drawing = draw(record.curve, record.suggestions);
    backburn_report::write_figure(&drawing, &folder.path().join("curve"), record.origin)
        .map_err(|error| Failure::Error(error.to_string()))?;
    folder.write_json("find-rate.json", record).map_err(SessionError::from)?;
    Ok(())
}

/// The result as a person reads it.
fn summary(
    range: RateRange,
    curve: &RateCurve,
    found: Result<Suggestions, NoSuggestion>,
) -> String {
    let end = match curve.end {
        RateCurveEnd::LastRate => "to the last",
        RateCurveEnd::Rose => "until the loss was four times its lowest",
        RateCurveEnd::NotFinite => "until the loss was not finite",
    };
    let tried = format!("tried {} of {} rates, {end}", curve.rates.len(), range.steps);
    match found {
        Ok(found) => format!(
            "{tried}\n\
             the loss falls most steeply at {:.1e} and is lowest at {:.1e}\n\
             recommended: --learning-rate {:.1e}\n\
             (a tenth of the lowest's, which noise moves less than the steepest's)",
            found.steepest,
            found.lowest,
            found.recommended(),
        ),
        Err(reason) => format!("{tried}\nno suggestion can be made: {reason}"),
    }
}

/// The losses by learning rate, with the suggestions marked.
fn draw(curve: &RateCurve, suggestions: Option<Suggestions>) -> Drawing {
    let ceiling = ceiling(curve);
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        let cut = values.iter().map(|loss| loss.min(ceiling));
        curve.rates.iter().copied().zip(cut).collect()
    };
    let series = Series::line("smoothed (faint: each step)", points(&curve.smoothed));
    let mut chart = LineChart::new(
        "Loss by learning rate",
        Axis::log("learning rate (per step, log scale)"),
        Axis::linear("training objective"),
    )
    .with(series.with_raw(points(&curve.losses)));
    if let Some(Suggestions { steepest, tenth_of_lowest, .. }) = suggestions {
        for (name, rate) in
            [("steepest fall", steepest), ("a tenth of the lowest's", tenth_of_lowest)]
        {
            let step = curve.rates.partition_point(|&other| other < rate);
            let y = curve.smoothed.get(step).copied();
            chart = chart.mark(Mark { x: rate, y, name: format!("{name}: {rate:.1e}") });
        }
    }
    chart.draw()
}

/// What the curve is cut off above, so that its last, steepest rise does not press down the rest.
fn ceiling(curve: &RateCurve) -> f64 {
    let lowest = curve.lowest().unwrap_or(0);
    let before = curve.smoothed.iter().take(lowest + 1);
    1.3 * before.copied().fold(f64::MIN_POSITIVE, f64::max)
}

#[cfg(test)]
mod tests {
    use backburn_report::figure::Theme;

    use super::*;

    const RANGE: RateRange = RateRange { from: 1e-7, to: 10.0, steps: 100 };

    #[test]
    fn suggestions_are_printed_and_marked() {
        let loss = |step: usize| if step < 80 { 2.5 - 0.025 * step as f64 } else { 1e6 };
        let losses: Vec<f64> = (0..100).map(loss).collect();
        let curve = RateCurve::new(RANGE, &losses);
        let found = curve.suggest().unwrap();
        let text = summary(RANGE, &curve, Ok(found));
        assert!(text.contains("tried 81 of 100 rates"), "{text}");
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        let svg = draw(&curve, Some(found)).to_svg(Theme::Paper);
        for part in ["learning rate (per step, log scale)", "training objective", "steepest fall:"]
        {
            assert!(svg.contains(part), "no `{part}`");
        }
        // The last loss does not set the scale.
        assert!(!svg.contains("10⁶") && !svg.contains("200,000"));
    }

    #[test]
    fn a_curve_of_no_use_is_drawn_and_said_to_be_so() {
        for losses in [&[2.3; 100][..], &[f64::NAN]] {
            let curve = RateCurve::new(RANGE, losses);
            let text = summary(RANGE, &curve, curve.suggest());
            assert!(text.contains("no suggestion can be made: the loss never fell"), "{text}");
            assert!(draw(&curve, None).to_svg(Theme::Paper).contains("Loss by learning rate"));
        }
    }
}
