//! `backburn data`: list, fetch and verify data sets, describe pictures, look at augmented images.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_data::{DataError, DataSet, Owner, Source};
use backburn_records::number::count;
use backburn_training::failure::Failure;
use backburn_training::near_copies::ImageNames;
use backburn_training::outside_runs::check_outside_runs;
use clap::{Args, Subcommand};

use crate::commands::describe::{DescribeArgs, describe};
use crate::commands::near_copies::{NearCopiesOf, near_copies};
use crate::commands::preview::{PreviewArgs, preview};
use crate::data_bar::DataBar;
use crate::environment;
use crate::help;
use crate::output::{print_data, print_line, say};
use crate::threads::set_threads;

/// `data list | fetch | verify | describe | preview`
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    verb: DataVerb,
}

#[derive(Debug, Subcommand)]
enum DataVerb {
    /// Shows every data set and where it was found.
    List {
        /// Look in this folder only.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Downloads a data set, or copies it from a folder, and checks it.
    Fetch {
        /// Data set with files, by its name in the catalog.
        #[arg(help = help::published_data_sets())]
        name: String,
        /// Folder or address to take the files from.
        #[arg(long, value_name = "DIR|URL")]
        from: Option<String>,
        /// Folder to put them in; $BACKBURN_DATA or ./datasets if not given.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Checks the files of a data set: sizes, checksums, formats, labels, images that occur twice, or nearly.
    Verify {
        /// Data set, by its name in the catalog.
        #[arg(help = help::data_sets())]
        name: String,
        /// Look in this folder only.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Which images to search for near copies.
        #[arg(long, value_enum, default_value_t = NearCopiesOf::Test)]
        near_copies: NearCopiesOf,
        /// Page to write with the most similar pairs as pictures, and a JSON file beside it.
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
    },
    /// Tells what a folder of pictures of your own holds, and the command to start with.
    Describe(DescribeArgs),
    /// Draws training images as they look in the first epochs, augmented.
    Preview(PreviewArgs),
}

/// Does what `data` was asked to. `command`: the command line, program first.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn data(args: &DataArgs, command: Vec<String>) -> Result<(), Failure> {
    // A pool that cannot be made is told, where rayon by itself would panic.
    set_threads(environment::rayon_threads())?;
    match &args.verb {
        DataVerb::List { data_dir } => list(data_dir.as_deref()),
        DataVerb::Fetch { name, from, data_dir } => {
            fetch(name, from.as_deref(), data_dir.as_deref())
        }
        DataVerb::Describe(args) => describe(args, command),
        DataVerb::Verify { name, data_dir, near_copies: of, page } => {
            check_page(page.as_deref(), *of)?;
            let set = verify(name, data_dir.as_deref())?;
            near_copies(&set, &ImageNames::default(), *of, page.as_deref(), command).map(drop)
        }
        DataVerb::Preview(args) => preview(args, command),
    }
}

/// The usual places, without downloading.
fn source(data_dir: Option<&Path>) -> Source {
    Source { download: false, ..Source::from_environment(data_dir.map(Path::to_owned)) }
}

fn list(data_dir: Option<&Path>) -> Result<(), Failure> {
    let source = source(data_dir);
    for entry in backburn_data::CATALOG {
        let place = backburn_data::place(entry, &source);
        let shape = entry.shape;
        print_line(&format!(
            "{:<15} {:>7} + {:>7}  {}×{}×{}  {place}",
            entry.name,
            count(entry.train as u64),
            count(entry.test as u64),
            shape.height,
            shape.width,
            shape.channels
        ));
        print_line(&format!("  {}", entry.summary));
    }
    print_line("training images + test images; `cargo xtask data fetch NAME` brings a set here");
    Ok(())
}

fn fetch(name: &str, from: Option<&str>, data_dir: Option<&Path>) -> Result<(), Failure> {
    let entry = entry(name)?;
    let source = Source::from_environment(data_dir.map(Path::to_owned));
    let folder = source.data_dir.or(source.environment).unwrap_or(source.local);
    let mut bar = DataBar::default();
    let fetched =
        backburn_data::fetch(entry, &folder, from, &mut |progress| bar.download(progress))
            .map_err(failure)?;
    for note in fetched.notes {
        say(&format!("note: {note}"));
    }
    for file in fetched.files {
        print_data(&file.display().to_string());
    }
    Ok(())
}

/// Known before minutes have passed.
fn check_page(page: Option<&Path>, of: NearCopiesOf) -> Result<(), Failure> {
    let Some(page) = page else { return Ok(()) };
    if of == NearCopiesOf::None {
        let reason = "`--page` shows near copies; leave out `--near-copies none`, or `--page`";
        return Err(Failure::Usage(reason.to_owned()));
    }
    if page.extension().is_some_and(|ending| ending == "json") {
        let path = page.display();
        return Err(Failure::Usage(format!(
            "`--page`: expected a name that does not end in .json, as the record beside the page \
             does, found {path}; name it .html"
        )));
    }
    check_outside_runs("--page", page)
}

/// Checks the files and compares images pixel by pixel; the data set, if its files can be used.
fn verify(name: &str, data_dir: Option<&Path>) -> Result<DataSet, Failure> {
    let entry = entry(name)?;
    let files = backburn_data::verify(entry, &source(data_dir)).map_err(failure)?;
    if entry.built_in {
        print_line(&format!("{name} is drawn by the program and has no files"));
    }
    files.iter().for_each(|file| print_line(&file.to_string()));
    let bad = files.iter().filter(|file| !file.is_usable()).count();
    if bad > 0 {
        let owner = files.first().map_or_else(Owner::default, |file| file.owner);
        return Err(Failure::Error(format!(
            "{bad} of {} files of {name} cannot be used; set them right, or {}",
            files.len(),
            owner.alternative(name)
        )));
    }
    let set = backburn_data::load(name, &source(data_dir)).map_err(failure)?;
    print_line(&set.test.duplicates(&set.train).to_string());
    Ok(set)
}

fn entry(name: &str) -> Result<&'static backburn_data::Entry, Failure> {
    backburn_data::entry(name).map_err(|error| Failure::Usage(error.to_string()))
}

// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
fn failure(error: DataError) -> Failure {
    Failure::Error(error.to_string())
}
