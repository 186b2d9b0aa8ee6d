//! What a folder of pictures holds, in words, and the command to start with.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_data::pictures::{DamagedPicture, Description, Part, SizeSpread, Suspicion};
use backburn_records::number::{bare_percent, count};
use backburn_records::shell::quoted;

use crate::near_copies::CopiesFound;

/// Classes that are listed.
pub const MOST_CLASSES: usize = 12;
/// Damaged pictures that are named.
const MOST_NAMED: usize = 20;

/// Images that a first training should see, all epochs together.
const SEEN: usize = 100_000;
/// Share of the pictures that is trained on: what the test and then validation leave.
const TRAINED: f64 = 0.8 * 0.9;
/// From this imbalance on, weights are proposed.
const UNEVEN: f64 = 2.0;

/// What the pictures are, in lines for a terminal.
pub fn text(found: &Description) -> String {
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
pub fn start(path: &Path, found: &Description, copies: CopiesFound) -> String {
    let trained = found
        .parts
        .get(&Part::Train)
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
    if copies.test > 0 && is_drawn(Part::Test)
        || copies.training > 0 && is_drawn(Part::Valid)
    {
        command += " --group-near-copies";
    }
    if !(found.damaged.is_empty() && found.cut_short.is_empty()) {
        command += " --skip-damaged";
    }
    command
}
