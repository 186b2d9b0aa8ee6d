//! `backburn data describe`: what a folder of pictures holds, and how to begin with it.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_data::pictures::{
    self, Colour, DEFAULT_MOST_PIXELS, DamagedPicture, Described, Description, Fit, Loaded,
    PictureSettings, Preparation, SizeSpread, Survey, Suspicion,
};
use backburn_records::number::{bare_percent, count};
use backburn_records::origin::Origin;
use backburn_records::shell::quoted;
use backburn_report::figure::{ContactRow, ContactSheet, GridImage};
use backburn_report::write_png;
use backburn_training::failure::Failure;
use backburn_training::image_source::describe_pictures;
use backburn_training::version;
use clap::Args;

use crate::commands::near_copies::{CopiesFound, ImageNames, NearCopiesOf, near_copies};
use crate::data_bar::DataBar;
use crate::output::print_line;

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

/// Classes that the sheet and the list have room for.
const MOST_CLASSES: usize = 12;
/// Pictures of each class on the sheet.
const OF_A_CLASS: usize = 6;
/// Side of a picture on the sheet.
const SIDE: usize = 64;
/// Damaged pictures that are named.
const MOST_NAMED: usize = 20;

/// Images that a first training should see, all epochs together.
const SEEN: usize = 100_000;
/// Share of the pictures that is trained on: what the test and then validation leave.
const TRAINED: f64 = 0.8 * 0.9;
/// From this imbalance on, weights are proposed.
const UNEVEN: f64 = 2.0;

/// Says what the pictures are, and draws some. `command`: the command line, for the figure.
///
/// # Errors
///
/// If there is no data set of pictures, or the sheet cannot be written. Damaged pictures are no error.
pub(crate) fn describe(args: &DescribeArgs, command: Vec<String>) -> Result<(), Failure> {
    let failure = |error: pictures::PicturesError| Failure::Error(error.to_string());
    let settings = PictureSettings { most_pixels: args.most_pixels, ..PictureSettings::default() };
    let mut bar = DataBar::default();
    let described = describe_pictures(&args.path, &settings, &mut |it| bar.show(it));
    let Described { survey, description: found, loaded } = described.map_err(failure)?;
    print_line(text(&found).trim_end());
    let Loaded { data, pictures, .. } = loaded.map_err(failure)?;
    let named = |paths: &[PathBuf]| -> Vec<String> {
        let from_folder = |path: &PathBuf| {
            path.strip_prefix(&survey.folder).unwrap_or(path).display().to_string()
        };
        paths.iter().map(from_folder).collect()
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
    print_line(&format!("contact sheet: {}", args.out.display()));
    print_line(&format!("\nto start with:\n  {}", start(&args.path, &found, copies)));
    Ok(())
}

fn text(found: &Description) -> String {
    let number = |value: usize| count(value as u64);
    let mut lines = vec![format!(
        "{} pictures of {} classes",
        number(found.pictures),
        number(found.classes.len())
    )];
    if !found.parts.is_empty() {
        let parts = found.parts.iter().map(|(part, images)| format!("{part} {}", number(*images)));
        lines.push(format!("splits: {}", parts.collect::<Vec<_>>().join(", ")));
    }
    let formats =
        found.formats.iter().map(|(format, images)| format!("{format} {}", number(*images)));
    lines.push(format!("formats: {}", formats.collect::<Vec<_>>().join(", ")));
    if let Some(SizeSpread { smallest, median, largest, most_frequent, of_most_frequent }) =
        found.sizes
    {
        let size = |(height, width): (usize, usize)| format!("{height}×{width}");
        lines.push(format!(
            "sizes (height×width): {} to {}, median {}; {} of {}",
            size(smallest),
            size(largest),
            size(median),
            number(of_most_frequent),
            size(most_frequent)
        ));
    }
    lines.push(format!("colour: {} coloured, {} grey", number(found.coloured), number(found.grey)));
    lines.push(format!(
        "imbalance: the largest class has {:.1} times the pictures of the smallest",
        found.imbalance
    ));
    let width =
        found.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).min(40);
    for class in found.classes.iter().take(MOST_CLASSES) {
        let share = class.pictures as f64 / found.pictures.max(1) as f64;
        let name: String = class.name.chars().take(40).collect();
        lines.push(format!(
            "  {name:<width$} {:>8}  {:>5} %",
            number(class.pictures),
            bare_percent(share)
        ));
    }
    if let Some(more @ 1..) = found.classes.len().checked_sub(MOST_CLASSES) {
        lines.push(format!("  and {} classes more", number(more)));
    }
    lines.extend(faults("cut short", &found.cut_short));
    lines.extend(faults("damaged, or no picture", &found.damaged));
    if found.skipped.total() > 0 {
        lines.push(format!("not taken for pictures: {}", found.skipped));
    }
    lines.extend(found.suspicions.iter().map(|suspicion| format!("note: {}", words(suspicion))));
    lines.join("\n")
}

fn faults(what: &str, pictures: &[DamagedPicture]) -> Vec<String> {
    if pictures.is_empty() {
        return Vec::new();
    }
    let head = format!("{what}: {}", count(pictures.len() as u64));
    let named = pictures.iter().take(MOST_NAMED);
    let named = named.map(|picture| format!("  {}: {}", picture.path.display(), picture.reason));
    let more = pictures.len().checked_sub(MOST_NAMED).filter(|more| *more > 0);
    let more = more.map(|more| format!("  and {} more", count(more as u64)));
    [head].into_iter().chain(named).chain(more).collect()
}

fn words(suspicion: &Suspicion) -> String {
    match suspicion {
        Suspicion::SmallClasses(names) => {
            let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
            let more = if names.len() > shown.len() { ", …" } else { "" };
            format!(
                "{} classes have fewer than 10 pictures: {}{more}",
                names.len(),
                shown.join(", ")
            )
        }
        Suspicion::Imbalance(ratio) => {
            format!(
                "classes differ {ratio:.0}-fold in size; look at each class's accuracy, not only \
                 at the whole"
            )
        }
        Suspicion::SizesDiffer => {
            "sizes differ widely; a small picture brought to the size of a large one is blurred"
                .into()
        }
        Suspicion::Narrow(pictures) => {
            format!(
                "{pictures} pictures are four times as long as wide; cropping keeps little, \
                 `--fit pad` all"
            )
        }
        Suspicion::OtherFormat(pictures) => {
            format!(
                "the names of {pictures} pictures end like those of another format; they are read \
                 by their content"
            )
        }
        _ => "something looks unusual".into(),
    }
}

/// The command to start with.
fn start(path: &Path, found: &Description, copies: CopiesFound) -> String {
    let trained = found
        .parts
        .get(&pictures::Part::Train)
        .map_or(TRAINED * found.pictures as f64, |&n| n as f64);
    let epochs = (SEEN as f64 / trained.max(1.0)).round().clamp(10.0, 100.0);
    let path = path.display().to_string();
    // A bare name would be taken for that of a data set.
    let path = if path.contains(['/', '\\']) { path } else { format!("./{path}") };
    let mut command = format!("cargo xtask train {} --epochs {epochs}", quoted(&path));
    if found.imbalance >= UNEVEN {
        command += " --class-weights balanced";
    }
    // Groups matter where a split is drawn; one that folders or a table name stays as it is.
    let is_drawn = |part| !found.parts.contains_key(&part);
    if copies.test > 0 && is_drawn(pictures::Part::Test)
        || copies.training > 0 && is_drawn(pictures::Part::Valid)
    {
        command += " --group-near-copies";
    }
    if !(found.damaged.is_empty() && found.cut_short.is_empty()) {
        command += " --skip-damaged";
    }
    command
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
            "{} pictures of {} classes",
            count(survey.files.len() as u64),
            count(classes as u64)
        ),
        notes: vec![format!("the first pictures of {shown} classes, padded to a square")],
        columns: (1..=OF_A_CLASS).map(|number| number.to_string()).collect(),
        rows: survey.class_names.iter().enumerate().take(shown).map(row).collect(),
    }
}
