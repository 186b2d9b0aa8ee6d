//! `backburn data describe`: what a folder of pictures holds, and how to begin with it.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_data::pictures::{
    self, Colour, DEFAULT_MOST_PIXELS, Described, Fit, Loaded, PictureSettings, Preparation, Survey,
};
use backburn_records::number::counted;
use backburn_records::origin::Origin;
use backburn_report::figure::{ContactRow, ContactSheet, GridImage};
use backburn_report::write_png;
use backburn_training::failure::Failure;
use backburn_training::image_source::describe_pictures;
use backburn_training::near_copies::ImageNames;
use backburn_training::outside_runs::check_outside_runs;
use backburn_training::picture_facts::{MOST_CLASSES, start, text};
use backburn_training::version;
use clap::Args;

use crate::commands::near_copies::{NearCopiesOf, near_copies};
use crate::data_bar::DataBar;
use crate::output::{print_data, print_line};

/// `data describe PATH`
#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// A folder with a folder of pictures for each class, one with train, valid and test folders of such, or a table
    /// `path,label[,split]` in CSV.
    path: PathBuf,
    /// Most pixels of a picture that is read; a larger one counts as damaged.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MOST_PIXELS)]
    most_pixels: u64,
    /// Contact sheet to write: some pictures of each class; one that is there is replaced.
    #[arg(long, value_name = "FILE", default_value = "contact-sheet.png")]
    out: PathBuf,
    /// Which pictures to search for near copies, as a training would see them.
    #[arg(long, value_enum, default_value_t = NearCopiesOf::All)]
    near_copies: NearCopiesOf,
    /// Page to write with the most similar pairs as pictures, and a JSON file beside it.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// Pictures of each class on the sheet.
const OF_A_CLASS: usize = 6;
/// Side of a picture on the sheet.
const SIDE: usize = 64;

/// Says what the pictures are, and draws some. `command`: the command line, for the figure.
///
/// # Errors
///
/// If there is no data set of pictures, or the sheet cannot be written. Damaged pictures are no error.
pub(crate) fn describe(args: &DescribeArgs, command: Vec<String>) -> Result<(), Failure> {
    check_outside_runs("--out", &args.out)?;
    args.page.iter().try_for_each(|page| check_outside_runs("--page", page))?;
    let failure = |error: pictures::PicturesError| Failure::Error(error.to_string());
    let settings = PictureSettings { most_pixels: args.most_pixels, ..PictureSettings::default() };
    let mut bar = DataBar::default();
    let described = describe_pictures(&args.path, &settings, &mut |it| bar.show(it));
    let Described { survey, description: found, loaded } = described.map_err(failure)?;
    print_line(text(&found).trim_end());
    let Loaded { data, pictures, .. } = loaded.map_err(failure)?;
    let named = |paths: &[PathBuf]| -> Vec<String> {
        paths.iter().map(|path| pictures::name_in(&survey.folder, path)).collect()
    };
    let names = ImageNames { test: named(&pictures.test), training: named(&pictures.train) };
    let copies =
        near_copies(&data, &names, args.near_copies, args.page.as_deref(), command.clone())?;
    let sheet = sheet(&survey, &settings);
    let origin = Origin {
        folder: args.out.display().to_string(),
        commits: version::commit().map(str::to_owned).into_iter().collect(),
        versions: vec![format!("backburn {}", version::VERSION)],
        command,
        ..Origin::default()
    };
    write_png(&sheet.draw(), &args.out, &origin)
        .map_err(|error| Failure::Error(error.to_string()))?;
    print_data(&format!("contact sheet: {}", args.out.display()));
    print_line(&match start(&args.path, &found, copies) {
        Ok(command) => format!("\nto start with:\n  {command}"),
        Err(reason) => format!("\nbefore a training: {reason}"),
    });
    Ok(())
}

/// The first pictures that can be read of the first classes, all at one size.
fn sheet(survey: &Survey, settings: &PictureSettings) -> ContactSheet {
    let decoding = settings.decoding();
    let preparation = Preparation {
        height: SIDE,
        width: SIDE,
        fit: Fit::Pad,
        channels: 3,
        background: Colour::WHITE,
    };
    let shape = [3, SIDE, SIDE];
    let row = |(class, name): (usize, &String)| {
        let of_class = survey.files.iter().filter(|file| usize::from(file.label) == class);
        let read = of_class
            .filter_map(|file| pictures::read(&survey.folder.join(&file.path), &decoding).ok());
        let image = |picture| GridImage {
            shape,
            pixels: preparation.prepare(&picture),
            caption: Vec::new(),
        };
        ContactRow { label: name.clone(), images: read.take(OF_A_CLASS).map(image).collect() }
    };
    let classes = survey.class_names.len();
    let shown = classes.min(MOST_CLASSES);
    ContactSheet {
        title: format!(
            "{} of {}",
            counted(survey.files.len(), "picture"),
            counted(classes, "class")
        ),
        note: format!("the first pictures of {}, padded to a square", counted(shown, "class")),
        columns: (1..=OF_A_CLASS).map(|number| number.to_string()).collect(),
        rows: survey.class_names.iter().enumerate().take(shown).map(row).collect(),
    }
}
