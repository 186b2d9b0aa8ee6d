//! `backburn predict`: a run's network looks at pictures.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::io;
use std::path::{Path, PathBuf};

use backburn_data::pictures::{self, DEFAULT_MOST_PIXELS, Listed, listed, listed_by_lines};
use backburn_records::number::{count, counted, either};
use backburn_report::{PredictionRows, RowFormat};
use backburn_training::backend::Backend;
use backburn_training::failure::{Failure, usage};
use backburn_training::predict::{Answer, Predictor};
use clap::Args;
use rayon::prelude::*;

use crate::commands::explained::Explained;
use crate::help;
use crate::output::{self, print_data, say};
use crate::threads::set_threads;

/// `predict RUN PATH…`
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Folder of a finished run.
    run: PathBuf,
    /// Pictures, folders of them with all folders below, or - for a list on stdin, a path a line.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Most probable classes that are named; 3 if not given.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    top_k: Option<usize>,
    /// Most pixels of a picture that is read; a larger one is an error of its row.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MOST_PIXELS)]
    most_pixels: u64,
    /// Also draw what in each picture speaks for the answer: a PNG for each, by the picture's name, in this new or
    /// empty folder.
    #[arg(long, value_name = "DIR")]
    explain: Option<PathBuf>,
    /// What computes; the run's own backend if not given.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
    /// Threads to compute with; all cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,
    /// Print a line of JSON for each picture.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a table of comma-separated values.
    #[arg(long)]
    csv: bool,
}

/// Classes that are named if nothing was said.
const TOP_K: usize = 3;

/// Stands for stdin among the paths.
const STDIN: &str = "-";

/// Answers every picture, in the order in which they are named. `command`: the command line, program first.
///
/// # Errors
///
/// If the run cannot be used; at the end, if a picture could not be read.
pub fn predict(args: &PredictArgs, command: Vec<String>) -> Result<(), Failure> {
    set_threads(args.threads)?;
    let backend = args.backend.as_deref().map(Backend::named).transpose().map_err(usage)?;
    let predictor = Predictor::open(&args.run, backend)?;
    let classes = predictor.class_names().len();
    let top_k = args.top_k.unwrap_or(TOP_K.min(classes));
    if !(1..=classes).contains(&top_k) {
        return Err(Failure::Usage(format!(
            "`--top-k`: expected 1 to {classes}, the number of classes, found {top_k}"
        )));
    }
    let format = match (args.json, args.csv) {
        (true, _) => RowFormat::Json,
        (_, true) => RowFormat::Csv,
        _ => RowFormat::Table,
    };
    predictor.notes().iter().for_each(|text| say(&format!("note: {text}")));
    let explained = |folder| Explained::new(folder, &predictor, &args.run, command);
    let mut explained = args.explain.as_deref().map(explained).transpose()?;
    let (class_names, explained_too) = (predictor.class_names(), explained.is_some());
    let printer = PredictionRows { class_names, top_k, format, explained: explained_too };
    printer.head().iter().for_each(|head| print_data(head));
    let decoding = predictor.decoding(args.most_pixels);
    let size = predictor.at_a_time();
    let (mut all, mut bad) = (0, 0);
    let mut paths = args.paths.iter().flat_map(|path| named(path));
    loop {
        let is_own = |it: &Listed| explained.as_ref().is_some_and(|own| own.holds(it));
        let chunk: Vec<Listed> = paths.by_ref().filter(|it| !is_own(it)).take(size).collect();
        if chunk.is_empty() {
            break;
        }
        let read = |listed: &Listed| match listed {
            Listed::Picture { path, .. } => {
                let picture = pictures::read(path, &decoding).map_err(|error| error.to_string())?;
                Ok(predictor.prepare(&picture))
            }
            Listed::Fault(_, reason) => Err(reason.clone()),
        };
        let prepared: Vec<Result<Vec<u8>, String>> = chunk.par_iter().map(read).collect();
        let rows = predictor.answers(&prepared, top_k);
        let rows = rows.map_err(|error| Failure::Error(error.to_string()))?;
        let mut panels = match &mut explained {
            Some(explained) => {
                let answer = |row: &Answer| row.as_ref().ok()?.first().copied();
                let answers: Vec<_> = rows.iter().filter_map(answer).collect();
                explained.draw(&chunk, &prepared, answers)?.into_iter()
            }
            None => Vec::new().into_iter(),
        };
        all += rows.len();
        bad += rows.iter().filter(|row| row.is_err()).count();
        let mut line = |(listed, row): (&Listed, &Answer)| {
            let panel = panels.next().flatten().map(|it| it.display().to_string());
            let classes = row.as_deref().map_err(String::as_str);
            printer.row(&listed.path().to_string_lossy(), classes, panel.as_deref())
        };
        let lines: Vec<String> = chunk.iter().zip(&rows).map(&mut line).collect();
        print_data(&lines.join("\n"));
        if !output::is_open() {
            break;
        }
    }
    if bad > 0 {
        return Err(Failure::Error(format!(
            "{} of {} could not be read; {} why",
            count(bad as u64),
            counted(all, "picture"),
            either(bad, "its row says", "their rows say")
        )));
    }
    if all == 0 {
        let paths: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::Error(format!(
            "no picture was named: none is in {}; expected files, folders with png, jpg, jpeg, \
             jfif, webp, bmp or gif files, or a list on stdin",
            paths.join(", ")
        )));
    }
    Ok(())
}

/// The pictures that an argument names, one after the other.
fn named(argument: &Path) -> Box<dyn Iterator<Item = Listed>> {
    match argument == Path::new(STDIN) {
        true => Box::new(listed_by_lines(io::stdin().lock(), STDIN)),
        false => listed(argument.to_owned()),
    }
}
