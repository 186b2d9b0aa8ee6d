//! `backburn experiment NAME` and `backburn compare-optimizers`.

use std::path::{Path, PathBuf};

use backburn_experiments::lab::Preset;
use backburn_experiments::request::Request;
use backburn_experiments::{CATALOG, Experiment, experiment};
use backburn_records::number::{self, clock};
use backburn_report::ExperimentRecord;
use backburn_report::experiments_markdown::SOURCES;
use backburn_training::failure::{Failure, usage};
use backburn_training::outside_runs::check_outside_runs;
use backburn_training::run_options::RunOptions;
use clap::{Args, ValueEnum};

use crate::help;
use crate::interrupt::{self, Notices};
use crate::output::{print_data, print_line, say};
use crate::pages::pages;
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// The one experiment that has rounds.
const SEARCH: &str = "hyperparameter-search";

/// `experiment NAME`
#[derive(Args, Clone, Debug)]
pub(crate) struct ExperimentArgs {
    /// Name of the experiment, one of those of `--list`, or `all` for every one of them, and a page that links them.
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// List the experiments, and carry out none.
    #[arg(long)]
    list: bool,
    /// With `all`: also write a page in Markdown, with figures in a folder beside it.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    rest: ExperimentFlags,
}

/// What all experiments can be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExperimentFlags {
    /// How much: quick, within minutes on two cores, or paper, the source's own settings.
    #[arg(long, value_enum, default_value_t = PresetName::Quick)]
    preset: PresetName,
    /// Data set; the source's if not given.
    #[arg(long)]
    dataset: Option<String>,
    /// Repetitions with different seeds.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "S", default_value_t = 1, allow_negative_numbers = true)]
    seed: u64,
    /// Rounds of `hyperparameter-search`; each searches where the one before found its best.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    rounds: Option<usize>,
    /// What computes, by its name.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
    /// Folder with the data; nothing else is looked at.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Folder for the result; one under runs/, named for experiment, preset and data set, if not given.
    /// Whole runs that it holds already are resumed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Threads to compute with; all cores if not given. Results do not depend on it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,
}

/// A preset by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PresetName {
    /// The same phenomenon within minutes on two cores.
    Quick,
    /// The source's own model, data, batch, optimizer, rates and length.
    Paper,
    /// A few images and steps, for tests.
    #[value(hide = true)]
    Smoke,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Quick => Self::Quick,
            PresetName::Paper => Self::Paper,
            PresetName::Smoke => Self::Smoke,
        }
    }
}

/// Width of a terminal that nobody has made wider.
const COLUMNS: usize = 80;

/// Carries out an experiment, or all, or lists them. `command`: the whole command line.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub(crate) fn run(args: &ExperimentArgs, command: &[String]) -> Result<(), Failure> {
    if args.list {
        print_line(list().trim_end());
        return Ok(());
    }
    interrupt::hear(Notices::EXPERIMENT, None);
    let name = args.name.as_deref().unwrap_or_default();
    if name == "all" {
        return run_all(&args.rest, args.markdown.as_deref(), command);
    }
    if args.markdown.is_some() {
        return Err(usage("`--markdown`: expected with `all` only"));
    }
    run_one(experiment(name)?, &args.rest, command)
}

/// Carries out `compare-optimizers`.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn compare_optimizers(
    flags: &ExperimentFlags,
    command: &[String],
) -> Result<(), Failure> {
    interrupt::hear(Notices::EXPERIMENT, None);
    run_one(experiment("compare-optimizers")?, flags, command)
}

fn list() -> String {
    let entry = |row: &Experiment| format!("{}\n  {} ({})\n", row.name, row.title, row.source);
    let entries: String = CATALOG.iter().map(entry).collect();
    format!("{entries}\n{}", wrapped(SOURCES, COLUMNS))
}

fn run_one(
    row: &'static Experiment,
    flags: &ExperimentFlags,
    command: &[String],
) -> Result<(), Failure> {
    if flags.rounds.is_some() && row.name != SEARCH {
        return Err(usage(format!("`--rounds`: expected with {SEARCH} only, found {}", row.name)));
    }
    let threads = set_threads(flags.threads)?;
    let out = flags.out.clone().unwrap_or_else(|| flags.request().default_folder(row));
    check_outside_runs("--out", &out)?;
    let record = carry_out(row, flags, threads, &out, command)?;
    print_line(&wrapped(&record.findings.sentence, COLUMNS));
    if let (agree, compared @ 1..) = record.findings.agreeing() {
        let (compared, agrees) =
            (number::counted(compared, "number"), number::either(agree, "agrees", "agree"));
        print_line(&format!("{agree} of {compared} {agrees} with the source's or PyTorch's"));
    }
    print_data(&format!("page: {}", out.join("report.html").display()));
    Ok(())
}

/// Words in lines of at most so many columns, but for words that are longer.
fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn run_all(
    flags: &ExperimentFlags,
    markdown: Option<&Path>,
    command: &[String],
) -> Result<(), Failure> {
    if flags.dataset.is_some() {
        return Err(usage(
            "`--dataset`: expected one experiment; `all` uses each one's own data set",
        ));
    }
    markdown.iter().try_for_each(|page| check_outside_runs("--markdown", page))?;
    let threads = set_threads(flags.threads)?;
    let folder = flags.out.clone().unwrap_or_else(|| "runs/experiments".into());
    check_outside_runs("--out", &folder)?;
    let mut records = Vec::new();
    for (number, row) in (1..).zip(CATALOG) {
        say(&format!("{number}/{} {}", CATALOG.len(), row.name));
        let out = folder.join(row.name);
        let record = carry_out(row, flags, threads, &out, command)?;
        say(&format!("{}: {}", row.name, clock(record.provenance.seconds)));
        records.push((format!("{}/report.html", row.name), record));
    }
    let index = folder.join("index.html");
    let written = backburn_report::write_experiments_index(&records, &index);
    written.map_err(|error| Failure::Error(error.to_string()))?;
    if let Some(path) = markdown {
        let records: Vec<ExperimentRecord> =
            records.into_iter().map(|(_, record)| record).collect();
        backburn_report::write_experiments_markdown(&records, path)
            .map_err(|error| Failure::Error(error.to_string()))?;
    }
    print_data(&format!("page: {}", index.display()));
    Ok(())
}

fn carry_out(
    row: &'static Experiment,
    flags: &ExperimentFlags,
    threads: usize,
    out: &Path,
    command: &[String],
) -> Result<ExperimentRecord, Failure> {
    let options = RunOptions {
        stop: interrupt::stop(),
        pages: pages(),
        ..RunOptions::new(threads, command.to_vec())
    };
    flags.request().carry_out(row, options, out, &|| Box::new(Terminal::new()))
}

impl ExperimentFlags {
    fn request(&self) -> Request {
        Request {
            preset: self.preset.into(),
            dataset: self.dataset.clone(),
            seeds: self.seeds,
            first_seed: self.seed,
            rounds: self.rounds,
            backend: self.backend.clone(),
            data_dir: self.data_dir.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("to be or not", 5), "to be\nor\nnot");
        assert_eq!(wrapped("immeasurable ü", 5), "immeasurable\nü");
        assert_eq!(wrapped("", 5), "");
    }

    #[test]
    fn every_experiment_has_a_name_of_its_own_and_uses_data_sets_that_exist() {
        for (place, row) in CATALOG.iter().enumerate() {
            assert!(CATALOG[..place].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(row.datasets.iter().all(|name| backburn_data::entry(name).is_ok()));
            assert!(experiment(row.name).is_ok());
        }
        assert!(experiment(SEARCH).is_ok());
        assert!(matches!(experiment("nothing"), Err(Failure::Usage(_))));
    }
}
