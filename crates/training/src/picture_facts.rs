//! What a folder of pictures holds, in words, and the command to start with.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_data::pictures::{DamagedPicture, Description, Part, SizeSpread, Suspicion};
use backburn_records::number::{bare_percent, count, counted};
use backburn_records::shell::quoted;

use crate::near_copies::CopiesFound;
use crate::picture_names;
use crate::recipe::{Recipe, built_in};

/// Classes that are listed.
pub const MOST_CLASSES: usize = 12;
/// Damaged pictures that are named.
const MOST_NAMED: usize = 20;

/// Images that a first training should see, all epochs together.
const SEEN: usize = 100_000;
/// From this imbalance on, weights are proposed.
const UNEVEN: f64 = 2.0;

/// What the pictures are, in lines for a terminal.
pub fn text(found: &Description) -> String {
    let number = |value: usize| count(value as u64);
    let mut lines = vec![format!(
        "{} of {}",
        counted(found.pictures, "picture"),
        counted(found.classes.len(), "class")
    )];
    if !found.parts.is_empty() {
        let parts = found.parts.iter().map(|(part, images)| format!("{part} {}", number(*images)));
        lines.push(format!("splits: {}", parts.collect::<Vec<_>>().join(", ")));
    }
    let formats =
        found.formats.iter().map(|(format, images)| format!("{format} {}", number(*images)));
    lines.push(format!("formats: {}", formats.collect::<Vec<_>>().join(", ")));
    if let Some(sizes) = found.sizes {
        lines.push(sizes_in_words(sizes));
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
        lines.push(format!("  and {} more", counted(more, "class")));
    }
    lines.extend(faults("cut short", &found.cut_short));
    lines.extend(faults("damaged, or no picture", &found.damaged));
    if found.skipped.total() > 0 {
        lines.push(format!("not taken for pictures: {}", found.skipped));
    }
    lines.extend(found.suspicions.iter().map(|suspicion| format!("note: {}", words(suspicion))));
    lines.join("\n")
}

/// Of height and width each: the smallest picture and the largest may hide a long and narrow one.
fn sizes_in_words(sizes: SizeSpread) -> String {
    let SizeSpread { median, heights, widths, most_frequent, of_most_frequent, .. } = sizes;
    let range = |(least, greatest): (usize, usize)| match least == greatest {
        true => least.to_string(),
        false => format!("{least} to {greatest}"),
    };
    let size = |(height, width): (usize, usize)| format!("{height}×{width}");
    format!(
        "sizes: height {}, width {} (height×width: median {}, {} of {})",
        range(heights),
        range(widths),
        size(median),
        count(of_most_frequent as u64),
        size(most_frequent)
    )
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
            let classes = one_or_many(names.len(), "class has", "classes have");
            format!("{classes} fewer than 10 pictures: {}{more}", shown.join(", "))
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
            let pictures = one_or_many(*pictures, "picture is", "pictures are");
            format!("{pictures} four times as long as wide; cropping keeps little, `--fit pad` all")
        }
        Suspicion::OtherFormat(pictures) => {
            let names = match pictures {
                1 => "the name of 1 picture ends like that of another format; it is".to_owned(),
                several => format!(
                    "the names of {several} pictures end like those of another format; they are"
                ),
            };
            format!("{names} read by content")
        }
        _ => "something looks unusual".into(),
    }
}

fn one_or_many(number: usize, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", count(number as u64))
}

/// How many pictures the recipe for pictures would train on and validate with, near copies aside.
fn split_by(recipe: &Recipe, found: &Description) -> (usize, usize) {
    let of_part = |part| found.parts.get(&part).copied();
    let readable = found.pictures.saturating_sub(found.damaged.len() + found.cut_short.len());
    let learnt = of_part(Part::Train).unwrap_or(readable);
    let drawn = recipe.pictures.test_size.of(learnt);
    let learnt = learnt - of_part(Part::Test).map_or(drawn, |_| 0).min(learnt);
    let drawn = recipe.valid_size.of(learnt).min(learnt);
    of_part(Part::Valid).map_or((learnt - drawn, drawn), |valid| (learnt, valid))
}

/// The command to start with.
///
/// # Errors
///
/// Why a training would not begin, or would leave a class untested, with the cure.
pub fn start(path: &Path, found: &Description, copies: CopiesFound) -> Result<String, String> {
    let recipe = built_in(picture_names::RECIPE).map_err(|error| error.to_string())?;
    let smallest = found.classes.iter().min_by_key(|class| class.pictures);
    if let Some(class) = smallest.filter(|class| class.pictures < 2) {
        let has = match class.pictures {
            0 => "no picture",
            _ => "one picture, which would be learnt from and not tested",
        };
        return Err(format!("class `{}` has {has}; put more in, or remove the class", class.name));
    }
    let (trained, valid) = split_by(&recipe, found);
    if valid == 0 {
        return Err(format!(
            "{} are too few to keep some for validation; put more in, or train without by \
             `--valid-size 0`",
            one_or_many(found.pictures, "picture", "pictures")
        ));
    }
    let epochs = (SEEN as f64 / trained.max(1) as f64).round().clamp(10.0, 100.0);
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
    // Groups that are not cut may leave fewer than are counted here.
    if trained < 2 * recipe.batch_size {
        command += &format!(" --batch-size {}", fitting_batch(trained));
    }
    Ok(command)
}

/// A batch size, a power of two, of which so few training images fill two batches or more.
pub(crate) fn fitting_batch(images: usize) -> usize {
    let half = (images / 2).max(1);
    let power = 1 << half.ilog2();
    // A batch of one image has no statistics.
    power.max(2).min(images.max(1))
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
        let start = |path: &str, found: &Description, copies| {
            start(Path::new(path), found, copies).unwrap()
        };
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

    #[test]
    fn few_pictures_get_a_batch_that_they_fill_or_a_word_of_what_is_missing() {
        let of = |counts: &[usize]| {
            let class = |&pictures: &usize| ClassCount { name: format!("of-{pictures}"), pictures };
            let classes = counts.iter().map(class).collect();
            let pictures = counts.iter().sum();
            let found = Description { classes, pictures, ..description() };
            start(Path::new("x/y"), &found, CopiesFound::default())
        };
        // 40 less 8 for the test and 3 for validation: 29.
        assert!(of(&[20, 20]).unwrap().ends_with(" --batch-size 8"));
        assert!(of(&[2, 2]).unwrap_err().contains("4 pictures are too few"));
        assert!(of(&[30, 1]).unwrap_err().contains("class `of-1` has one picture, which"));
        assert_eq!([1, 2, 3, 8, 24, 29, 64].map(fitting_batch), [1, 2, 2, 4, 8, 8, 32]);
    }

    #[test]
    fn height_and_width_have_a_range_each_and_one_picture_is_one() {
        let sizes = SizeSpread {
            smallest: (25, 34),
            median: (40, 50),
            largest: (83, 85),
            heights: (17, 300),
            widths: (17, 85),
            most_frequent: (40, 50),
            of_most_frequent: 5,
        };
        let suspicions = vec![Suspicion::Narrow(1), Suspicion::OtherFormat(1)];
        let text = text(&Description { sizes: Some(sizes), suspicions, ..description() });
        for part in [
            "sizes: height 17 to 300, width 17 to 85 (height×width: median 40×50, 5 of 40×50)\n",
            "note: 1 picture is four times",
            "note: the name of 1 picture ends like that of another format; it is read",
        ] {
            assert!(text.contains(part), "no `{part}` in {text}");
        }
    }
}
