//! `backburn replay`: where each stopping criterion would have ended a run, read off its log.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::{RunRecord, number};
use backburn_training::failure::Failure;
use backburn_training::replay::{self, Criterion, NOTE, read, table, usual};
use clap::Args;
use serde_json::json;

use crate::output::{print_data, print_line};

/// `replay RUN…`
#[derive(Args, Clone, Debug, Default)]
pub struct ReplayArgs {
    /// Folders of runs with a validation split.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// A criterion, as for `train --early-stopping` or `--keep`; again for more. Those of the
    /// literature if none is given.
    #[arg(long = "criterion", value_name = "RULE")]
    pub criteria: Vec<Criterion>,
    /// Print a JSON object for each run.
    #[arg(long)]
    pub json: bool,
}

/// Prints what each criterion would have chosen in each run.
///
/// # Errors
///
/// If a folder is not a run's, or its log has no validation losses.
pub fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    let criteria = if args.criteria.is_empty() { usual() } else { args.criteria.clone() };
    let runs: Vec<RunRecord> = args.runs.iter().map(|run| read(run)).collect::<Result<_, _>>()?;
    for run in &runs {
        let choices = replay::replay(&criteria, run);
        let (path, epochs, status) = (run.dir.display(), run.epochs.len(), run.manifest.status);
        if args.json {
            let path = path.to_string();
            let run = json!({"run": path, "epochs": epochs, "status": status, "choices": choices});
            print_data(&run.to_string());
        } else {
            let epochs = number::epochs(epochs);
            print_line(&format!("{path}: {epochs}, {status}\n{}", table(&choices)));
        }
    }
    if !args.json {
        print_line(NOTE);
    }
    Ok(())
}
