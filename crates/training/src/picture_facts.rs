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
    let trained =
        found.parts.get(&Part::Train).map_or(TRAINED * found.pictures as f64, |&n| n as f64);
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
    if copies.test > 0 && is_drawn(Part::Test) || copies.training > 0 && is_drawn(Part::Valid) {
        command += " --group-near-copies";
    }
    if !(found.damaged.is_empty() && found.cut_short.is_empty()) {
        command += " --skip-damaged";
    }
    command
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use backburn_data::pictures::{Arrangement, ClassCount, PictureFormat, Skipped};

    use super::*;

    fn description() -> Description {
        let class = |number: usize| ClassCount { name: format!("class-{number}"), pictures: 100 };
        Description {
            arrangement: Arrangement::Classes,
            pictures: 1400,
            classes: (1..=14).map(class).collect(),
            imbalance: 1.0,
            parts: BTreeMap::new(),
            sizes: None,
            formats: BTreeMap::from([(PictureFormat::Png, 1400)]),
            grey: 0,
            coloured: 1400,
            cut_short: Vec::new(),
            damaged: Vec::new(),
            skipped: Skipped::default(),
            suspicions: vec![Suspicion::Narrow(3)],
        }
    }

    #[test]
    fn many_classes_and_damaged_pictures_are_cut_short() {
        let picture = |number: usize| DamagedPicture {
            path: format!("p/{number}.png").into(),
            reason: "no picture".into(),
        };
        let damaged: Vec<DamagedPicture> = (0..MOST_NAMED + 2).map(picture).collect();
        let text = text(&Description { damaged, ..description() });
        for part in [
            "1,400 pictures of 14 classes\n",
            "  class-12      100",
            "  and 2 classes more\n",
            "damaged, or no picture: 22\n",
            "  p/19.png: no picture\n  and 2 more\n",
            "note: 3 pictures are four times as long as wide",
        ] {
            assert!(text.contains(part), "no `{part}` in {text}");
        }
        assert!(!text.contains("class-13") && !text.contains("p/20.png"), "{text}");
    }

    #[test]
    fn the_command_to_start_with_has_what_the_pictures_need() {
        let start = |path: &str, found: &Description, copies| start(Path::new(path), found, copies);
        let none = CopiesFound::default();
        // 100,000 images are a hundred passes over 1,008 at most.
        assert_eq!(start("a b", &description(), none), "cargo xtask train './a b' --epochs 99");
        let uneven = Description { imbalance: 2.5, ..description() };
        assert!(start("x/y", &uneven, none).ends_with("x/y --epochs 99 --class-weights balanced"));
        let copies = CopiesFound { test: 1, training: 0 };
        assert!(start("x/y", &description(), copies).ends_with(" --group-near-copies"));
        let parts = BTreeMap::from([(Part::Train, 100_000), (Part::Test, 10)]);
        let parted = Description { parts, ..description() };
        assert!(start("x/y", &parted, copies).ends_with("x/y --epochs 10"));
        let copies = CopiesFound { test: 0, training: 1 };
        assert!(start("x/y", &parted, copies).ends_with(" --group-near-copies"));
        let damaged = vec![DamagedPicture { path: "p".into(), reason: "r".into() }];
        let damaged = Description { damaged, ..description() };
        assert!(start("x/y", &damaged, none).ends_with(" --skip-damaged"));
    }
}
