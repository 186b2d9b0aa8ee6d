//! `backburn predict`: a run's network looks at pictures.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use backburn_data::pictures::{self, DEFAULT_MOST_PIXELS, PictureWalk};
use backburn_records::number::{count, percent};
use backburn_training::backend::Backend;
use backburn_training::evaluate::Predictions;
use backburn_training::failure::{Failure, usage};
use backburn_training::predict::Predictor;
use clap::Args;
use rayon::prelude::*;
use serde_json::json;

use crate::help;
use crate::output::{self, print_line, say};
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

/// Pictures that are read and answered together: enough for the processor, few enough for any memory.
const CHUNK: usize = 500;

/// Most pixels of a chunk, so that many large images of a run need no more memory than small ones.
const CHUNK_VALUES: usize = 64 << 20;

/// A class's name is cut to this many characters in the table.
const LONGEST_NAME: usize = 40;

/// Stands for stdin among the paths.
const STDIN: &str = "-";

/// How rows are printed.
#[derive(Clone, Copy)]
enum Format {
    Table,
    Json,
    Csv,
}

/// What a picture was answered, most probable first: class and probability; or why it could not be read.
type Row = Result<Vec<(usize, f64)>, String>;

/// Answers every picture, in the order in which they are named.
///
/// # Errors
///
/// If the run cannot be used; at the end, if a picture could not be read.
pub fn predict(args: &PredictArgs) -> Result<(), Failure> {
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
        (true, _) => Format::Json,
        (_, true) => Format::Csv,
        _ => Format::Table,
    };
    if predictor.temperature().is_none() {
        say(
            "note: the run kept no images for validation, so that probabilities are not calibrated",
        );
    }
    let printer = Printer { names: predictor.class_names(), top_k, format };
    printer.head();
    let decoding = predictor.decoding(args.most_pixels);
    let size = CHUNK.min(CHUNK_VALUES / predictor.shape().pixels().max(1)).max(1);
    let (mut all, mut bad) = (0_u64, 0_u64);
    let mut paths = args.paths.iter().flat_map(|path| listed(path));
    loop {
        let chunk: Vec<Listed> = paths.by_ref().take(size).collect();
        if chunk.is_empty() {
            break;
        }
        let read = |listed: &Listed| match listed {
            Listed::Picture(path) => {
                let picture = pictures::read(path, &decoding).map_err(|error| error.to_string())?;
                Ok(predictor.prepare(&picture))
            }
            Listed::Fault(_, reason) => Err(reason.clone()),
        };
        let prepared: Vec<Result<Vec<u8>, String>> = chunk.par_iter().map(read).collect();
        let rows = answer(&predictor, prepared, top_k)?;
        all += rows.len() as u64;
        bad += rows.iter().filter(|row| row.is_err()).count() as u64;
        let lines: Vec<String> =
            chunk.iter().zip(&rows).map(|(listed, row)| printer.row(listed.path(), row)).collect();
        print_line(&lines.join("\n"));
        if !output::is_open() {
            break;
        }
    }
    if bad > 0 {
        return Err(Failure::Error(format!(
            "{} of {} pictures could not be read; their rows say why",
            count(bad),
            count(all)
        )));
    }
    if all == 0 {
        return Err(Failure::Error(
            "no picture was named: expected files, folders with png, jpg, jpeg, jfif, webp, bmp \
             or gif files, or a list on stdin"
                .into(),
        ));
    }
    Ok(())
}

/// A picture that was named, or a place that cannot be looked into.
enum Listed {
    Picture(PathBuf),
    Fault(PathBuf, String),
}

impl Listed {
    fn path(&self) -> &Path {
        let (Self::Picture(path) | Self::Fault(path, _)) = self;
        path
    }
}

/// The pictures that an argument names, one after the other.
fn listed(argument: &Path) -> Box<dyn Iterator<Item = Listed> + '_> {
    if argument == Path::new(STDIN) {
        let lines = io::stdin()
            .lock()
            .lines()
            .filter(|line| !matches!(line, Ok(line) if line.trim().is_empty()));
        return Box::new(lines.flat_map(|line| match line {
            Ok(line) => listed_path(PathBuf::from(line.trim_end_matches('\r'))),
            Err(error) => {
                let reason = format!("the list cannot be read: {error}");
                Box::new([Listed::Fault(STDIN.into(), reason)].into_iter())
            }
        }));
    }
    listed_path(argument.to_owned())
}

fn listed_path(path: PathBuf) -> Box<dyn Iterator<Item = Listed>> {
    if !path.is_dir() {
        return Box::new([Listed::Picture(path)].into_iter());
    }
    match PictureWalk::below(&path) {
        Ok(walk) => Box::new(walk.map(|found| match found {
            Ok(path) => Listed::Picture(path),
            Err((path, error)) => Listed::Fault(path, error.to_string()),
        })),
        Err(error) => Box::new([Listed::Fault(path, error.to_string())].into_iter()),
    }
}

/// Puts the pictures that could be read through the network.
fn answer(
    predictor: &Predictor,
    prepared: Vec<Result<Vec<u8>, String>>,
    top_k: usize,
) -> Result<Vec<Row>, Failure> {
    let pixels: Vec<u8> = prepared.iter().flatten().flatten().copied().collect();
    let predictions = if pixels.is_empty() {
        None
    } else {
        Some(predictor.predict(pixels).map_err(|error| Failure::Error(error.to_string()))?)
    };
    let mut next = 0..;
    let row = |picture: Result<Vec<u8>, String>| {
        picture.map(|_| {
            let place = next.next().unwrap_or_default();
            predictions.as_ref().map_or_else(Vec::new, |all: &Predictions| all.top_k(place, top_k))
        })
    };
    Ok(prepared.into_iter().map(row).collect())
}

/// Prints a row for each picture.
struct Printer<'a> {
    names: &'a [String],
    top_k: usize,
    format: Format,
}

impl Printer<'_> {
    fn name(&self, class: usize) -> &str {
        self.names.get(class).map_or("?", String::as_str)
    }

    fn head(&self) {
        if let Format::Csv = self.format {
            let ranks = (1..=self.top_k)
                .flat_map(|rank| [format!("class_{rank}"), format!("probability_{rank}")]);
            let head = ["path".to_owned()].into_iter().chain(ranks).chain(["error".to_owned()]);
            print_line(&csv_line(head));
        }
    }

    fn row(&self, path: &Path, row: &Row) -> String {
        let path = path.to_string_lossy();
        match self.format {
            Format::Json => self.json(&path, row),
            Format::Csv => self.csv(&path, row),
            Format::Table => self.table(&path, row),
        }
    }

    fn json(&self, path: &str, row: &Row) -> String {
        match row {
            Ok(classes) => {
                let class = |&(class, probability): &(usize, f64)| {
                    let name = self.name(class);
                    json!({ "class": name, "index": class, "probability": probability })
                };
                let classes: Vec<_> = classes.iter().map(class).collect();
                json!({ "path": path, "predictions": classes }).to_string()
            }
            Err(reason) => json!({ "path": path, "error": reason }).to_string(),
        }
    }

    fn csv(&self, path: &str, row: &Row) -> String {
        let (classes, error) = match row {
            Ok(classes) => (classes.as_slice(), ""),
            Err(reason) => (&[][..], reason.as_str()),
        };
        let ranks = (0..self.top_k).flat_map(|rank| match classes.get(rank) {
            Some(&(class, probability)) => {
                [self.name(class).to_owned(), format!("{probability:.6}")]
            }
            None => [String::new(), String::new()],
        });
        let fields = [path.to_owned()].into_iter().chain(ranks).chain([error.to_owned()]);
        csv_line(fields)
    }

    /// The classes in columns, and the path behind them, which may be of any length.
    fn table(&self, path: &str, row: &Row) -> String {
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width = longest.min(LONGEST_NAME);
        match row {
            Ok(classes) => {
                let cell = |&(class, probability): &(usize, f64)| {
                    let name: String = self.name(class).chars().take(width).collect();
                    format!("{:>8} {name:<width$}  ", percent(probability))
                };
                classes.iter().map(cell).collect::<String>() + path
            }
            Err(reason) => format!("error: {path}: {reason}"),
        }
    }
}

/// A line of comma-separated values, without its end.
fn csv_line(fields: impl Iterator<Item = String>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes everything.
    let _ = writer.write_record(fields.collect::<Vec<String>>());
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()
}
