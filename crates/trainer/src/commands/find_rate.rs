//! `backburn find-rate`: a range test of the learning rate, its curve, and what to take from it.

use backburn_report::figure::Drawing;
use backburn_report::rate_curve::rate_curve;
use backburn_training::failure::{Failure, usage};
use backburn_training::find_rate::{RateCurve, RateRange, Suggestions};
use backburn_training::rate_test::{RECORD, RateTest};
use backburn_training::run_options::RunOptions;
use backburn_training::session;
use backburn_training::session_error::SessionError;
use clap::Args;

use crate::commands::train::TrainArgs;
use crate::interrupt::{self, Notices};
use crate::output::{print_data, print_line};
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
    if args.train.checkpoint_every.is_some() || !args.train.log.is_empty() {
        return Err(Failure::Usage(
            "`find-rate` trains a few steps and writes neither checkpoint nor log; leave \
             `--checkpoint-every` and `--log` out"
                .into(),
        ));
    }
    let range = RateRange { from: args.from, to: args.to, steps: args.steps };
    range.check().map_err(usage)?;
    let (recipe, name) = args.train.recipe()?;
    let threads = set_threads(args.train.threads)?;
    let options = RunOptions {
        stop: interrupt::stop(),
        verify_kernels: args.train.verify_kernels,
        ..RunOptions::new(threads, command)
    };
    let out = args.train.out.as_deref();
    let mut watch = Terminal::new();
    let Some(mut test) = RateTest::carry_out(&recipe, range, out, &options, &mut watch)? else {
        return Err(Failure::Interrupted);
    };
    // Only now, so that a test that was interrupted leaves no folder behind.
    let name = format!("find-rate-{name}-{}", recipe.model.name());
    let folder = session::create_folder(out, &name).map_err(SessionError::from)?;
    test.origin.folder = folder.path().display().to_string();
    // The record last, which tells that all is there.
    backburn_report::write_figure(&draw(&test.curve), &folder.path().join("curve"), &test.origin)
        .map_err(|error| Failure::Error(error.to_string()))?;
    folder.write_json(RECORD, &test.record()).map_err(SessionError::from)?;
    if args.train.json {
        print_data(&serde_json::to_string(&test.record()).expect("a record is plain values"));
    } else {
        print_line(&test.curve.summary(range));
        print_data(&format!("curve: {}", folder.path().join("curve.png").display()));
    }
    Ok(())
}

/// The losses by learning rate, with the suggestions marked.
fn draw(curve: &RateCurve) -> Drawing {
    let marks = |found: Suggestions| {
        vec![("steepest fall", found.steepest), ("a tenth of the lowest's", found.tenth_of_lowest)]
    };
    rate_curve(&backburn_report::rate_curve::RateCurve {
        rates: &curve.rates,
        losses: &curve.losses,
        smoothed: &curve.smoothed,
        lowest: curve.lowest().unwrap_or(0),
        marks: curve.suggest().map(marks).unwrap_or_default(),
    })
}
