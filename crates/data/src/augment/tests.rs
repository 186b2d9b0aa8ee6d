//! Contracts that every augmentation keeps. The catalog is walked, so that a new row is tested without
//! a line here, but for its strength 0.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::*;

/// Two channels, higher than wide, every pixel different.
pub(super) fn numbered_image() -> Image {
    let shape = ImageShape { channels: 2, height: 6, width: 5 };
    let mut image = Image::new(shape);
    image.load(&(0..60).map(|i| 10 + i).collect::<Vec<u8>>());
    image
}

/// Large enough for all defaults, wider than high, smooth with a few edges, dark and bright parts.
pub(super) fn photograph(channels: usize) -> Image {
    let shape = ImageShape { channels, height: 20, width: 26 };
    let mut image = Image::with_neutral(shape, vec![120; channels]);
    let pixels: Vec<u8> = (0..shape.pixels())
        .map(|i| {
            let (channel, row, column) = (i / 520, i % 520 / 26, i % 26);
            let edge = if row + column > 24 { 60 } else { 0 };
            (20 + 30 * channel + 5 * row + 2 * column + edge) as u8
        })
        .collect();
    image.load(&pixels);
    image
}

pub(super) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub(super) fn draw(seed: u64) -> Draw {
    Draw { rng: rng(seed), lasting: rng(seed + 1_000_000), epoch: 1 }
}

/// The spec of each augmentation at strength 0; nothing for those that have no strength.
const OFF: &[(&str, &str)] = &[
    ("crop", "crop=0"),
    ("flip", ""),
    ("alternating-flip", ""),
    ("rotate", "rotate=0"),
    ("translate", "translate=0:reflect"),
    ("scale", "scale=1:1"),
    ("shear", "shear=0"),
    ("elastic", "elastic=0:4"),
    ("brightness", "brightness=0"),
    ("contrast", "contrast=0"),
    ("saturation", "saturation=0"),
    ("colour", "colour=0"),
    ("cutout", "cutout=0"),
    ("erase", "erase=0"),
    ("randaugment", "randaugment=0:9"),
    ("trivialaugment", ""),
];

fn off(row: &AugmentRow) -> Option<&'static str> {
    let found = OFF.iter().find(|(name, _)| *name == row.name);
    let (_, spec) = found.unwrap_or_else(|| panic!("no strength 0 is known of {}", row.name));
    (!spec.is_empty()).then_some(*spec)
}

fn looks(spec: &str, mut image: Image, seed: u64) -> Vec<u8> {
    parse(spec).unwrap().apply(&mut image, &mut draw(seed));
    image.pixels().to_vec()
}

/// The photographs that the augmentation takes; those that it refuses, it refuses by name.
fn fitting(row: &AugmentRow) -> Vec<Image> {
    let mut images = vec![photograph(1), photograph(2), photograph(3)];
    images.retain(|image| match parse(row.name).unwrap().check(image.shape()) {
        Ok(()) => true,
        Err(error) => {
            assert!(error.to_string().contains(row.name), "{error}");
            false
        }
    });
    assert!(images.iter().any(|image| image.shape().channels == 3), "{}", row.name);
    images
}

#[test]
fn every_augmentation_keeps_the_shape_and_repeats_itself() {
    for row in CATALOG {
        for image in fitting(row) {
            let mut seen = std::collections::HashSet::new();
            for seed in 0..50 {
                let first = looks(row.name, image.clone(), seed);
                assert_eq!(first, looks(row.name, image.clone(), seed), "{}", row.name);
                assert_eq!(first.len(), image.shape().pixels(), "{}", row.name);
                seen.insert(first);
            }
            let flips = row.name.contains("flip");
            assert!(seen.len() >= if flips { 2 } else { 10 }, "{}: {}", row.name, seen.len());
        }
    }
}

#[test]
fn what_a_buffer_held_before_does_not_matter() {
    for row in CATALOG {
        let pipeline = parse(row.name).unwrap();
        for image in fitting(row) {
            let mut used = image.clone();
            for seed in 0..20 {
                used.load(image.clone().pixels());
                pipeline.apply(&mut used, &mut draw(seed));
                assert_eq!(used.pixels(), looks(row.name, image.clone(), seed), "{}", row.name);
            }
            // Left with a change of geometry that nobody looked at.
            parse("rotate").unwrap().apply(&mut used, &mut draw(1));
            used.load(image.clone().pixels());
            assert_eq!(used.pixels(), image.clone().pixels());
        }
    }
}

#[test]
fn strength_zero_changes_no_byte_and_draws_nothing() {
    for (row, spec) in CATALOG.iter().filter_map(|row| Some((row, off(row)?))) {
        for image in fitting(row) {
            let (mut changed, mut draw) = (image.clone(), draw(1));
            let pipeline = parse(spec).unwrap();
            pipeline.check(image.shape()).unwrap();
            pipeline.apply(&mut changed, &mut draw);
            assert_eq!(changed.pixels(), image.clone().pixels(), "{spec}");
            assert_eq!(draw.rng.next_u64(), rng(1).next_u64(), "{spec}");
            // Without the pipeline, which leaves such a step out, the pixels stay as well.
            pipeline.steps[0].apply(&mut changed, &mut draw);
            assert_eq!(changed.pixels(), image.clone().pixels(), "{spec}");
        }
    }
}

#[test]
fn a_step_of_strength_zero_does_not_change_what_the_others_do() {
    let others = ["rotate=20", "crop=2", "shear=5", "colour", "flip", "erase=1"];
    let alone = looks(&others.join(","), photograph(3), 7);
    for spec in CATALOG.iter().filter_map(off) {
        for place in 0..=others.len() {
            let mut steps = others.to_vec();
            steps.insert(place, spec);
            assert_eq!(looks(&steps.join(","), photograph(3), 7), alone, "{steps:?}");
        }
    }
}

#[test]
fn every_row_is_described_and_gives_its_spec_back() {
    for row in CATALOG {
        assert!(!row.summary.is_empty(), "{}", row.name);
        let pipeline = parse(row.name).unwrap();
        assert_eq!(pipeline.steps[0].name(), row.name);
        let full = match row.default {
            "" => row.name.to_owned(),
            default => format!("{}={default}", row.name),
        };
        assert_eq!(pipeline.to_string(), full);
        assert_eq!(parse(&full).unwrap(), pipeline);
        // `options` for example names itself.
        assert!(row.options.is_empty() || row.options.contains(&format!("`{}=", row.name)));
    }
}

#[test]
fn every_option_is_given_back() {
    for spec in [
        "crop=2",
        "crop=4:reflect",
        "rotate=7.5:reflect",
        "rotate=180",
        "translate=0.25",
        "translate=3:reflect",
        "scale=0.1:10",
        "scale=1:1.5:reflect",
        "shear=80:reflect",
        "elastic=8.5:0.5",
        "elastic=34:4:reflect",
        "brightness=1",
        "contrast=0.05",
        "saturation=0.3",
        "colour=0.4",
        "cutout=16:black",
        "cutout=3:mean",
        "erase=0.25",
        "randaugment=14:30",
        "rotate=5,translate=1,elastic=10:3,flip,alternating-flip",
    ] {
        assert_eq!(parse(spec).unwrap().to_string(), spec);
    }
    for (spec, short) in [("rotate=9:zero", "rotate=9"), ("cutout=4:neutral", "cutout=4")] {
        assert_eq!(parse(spec).unwrap().to_string(), short);
    }
}

#[test]
fn values_outside_their_range_are_refused_with_the_range() {
    for (spec, range) in [
        ("rotate=-1", "from 0 to 180"),
        ("rotate=180.1", "from 0 to 180"),
        ("rotate=nan", "from 0 to 180"),
        ("translate=-1", "at least 0"),
        ("translate=inf", "at least 0"),
        ("scale=0:1", "from 0.1 to 10"),
        ("scale=1.1:0.9", "SMALLEST:LARGEST"),
        ("scale=1", "SMALLEST:LARGEST"),
        ("shear=90", "from 0 to 80"),
        ("elastic=34", "SIGMA from 0.5 to 100"),
        ("elastic=34:0", "SIGMA from 0.5 to 100"),
        ("elastic=-1:4", "ALPHA from 0 to 1000"),
        ("brightness=1.1", "from 0 to 1"),
        ("contrast=-0.1", "from 0 to 1"),
        ("saturation=x", "from 0 to 1"),
        ("colour=2", "from 0 to 1"),
        ("cutout=-8", "PIXELS"),
        ("cutout=8:white", "PIXELS:black"),
        ("erase=1.5", "from 0 to 1"),
        ("erase=nan", "from 0 to 1"),
        ("randaugment=2", "MAGNITUDE from 0 to 30"),
        ("randaugment=2:31", "MAGNITUDE from 0 to 30"),
        ("randaugment=15:9", "OPERATIONS from 0 to 14"),
        ("alternating-flip=1", "no options"),
        ("rotate=", "from 0 to 180"),
    ] {
        let message = parse(spec).unwrap_err().to_string();
        assert!(message.contains(&format!("`{spec}`")) && message.contains(range), "{message}");
    }
}

#[test]
fn what_does_not_fit_the_images_is_refused_with_the_limit() {
    for (spec, limit) in [
        ("crop=20", "less than 20"),
        ("translate=20", "less than 20"),
        ("cutout=21", "at most 20"),
        ("saturation=0.1", "3 channels, found 1"),
    ] {
        let message = parse(spec).unwrap().check(photograph(1).shape()).unwrap_err().to_string();
        assert!(message.contains(&format!("`{spec}`")) && message.contains(limit), "{message}");
    }
    for spec in ["crop=19", "translate=19.9", "cutout=20", "colour"] {
        assert_eq!(parse(spec).unwrap().check(photograph(1).shape()), Ok(()), "{spec}");
    }
}

#[test]
fn crops_and_flips_of_earlier_runs_can_be_repeated() {
    // Pinned, pixels and draws, from before augmentations had a `Draw`.
    for (spec, pinned) in [
        ("crop=2", "faee85c306c33c16"),
        ("crop=4:reflect", "4c8fe838bf774cc4"),
        ("flip", "675e3cc9b72dda8c"),
        ("crop=3:reflect,flip", "45e85d839ad14e94"),
        ("flip,crop=1", "0bf3ff143ed0652e"),
    ] {
        let mut hash = Sha256::new();
        for seed in 0..50 {
            let (mut image, mut draw) = (numbered_image(), draw(seed));
            parse(spec).unwrap().apply(&mut image, &mut draw);
            hash.update(image.pixels());
            hash.update(draw.rng.next_u64().to_le_bytes());
        }
        let found: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
        assert_eq!(found, pinned, "{spec}");
    }
}

#[test]
fn steps_are_applied_from_left_to_right_with_one_generator() {
    let (mut whole, mut parts) = (numbered_image(), numbered_image());
    parse("crop=2, flip").unwrap().apply(&mut whole, &mut draw(3));
    let mut one = draw(3);
    parse("crop=2").unwrap().apply(&mut parts, &mut one);
    parse("flip").unwrap().apply(&mut parts, &mut one);
    assert_eq!(whole.pixels(), parts.pixels());
}

#[test]
fn changes_of_geometry_in_a_row_blur_once() {
    // A checkerboard loses contrast with every resampling.
    let contrast = |specs: &[&str]| {
        let shape = ImageShape { channels: 1, height: 40, width: 40 };
        let mut image = Image::new(shape);
        let board: Vec<u8> =
            (0..1600).map(|i| (i / 40 / 2 + i % 40 / 2) % 2 * 255).map(|v| v as u8).collect();
        image.load(&board);
        let mut draw = draw(5);
        for spec in specs {
            parse(spec).unwrap().apply(&mut image, &mut draw);
            image.pixels();
        }
        let middle = image.pixels()[12 * 40..28 * 40].iter();
        middle.map(|&pixel| f64::from(pixel.abs_diff(128))).sum::<f64>()
    };
    let once = contrast(&["rotate=20,translate=2,shear=5"]);
    let thrice = contrast(&["rotate=20", "translate=2", "shear=5"]);
    assert!(thrice < 0.9 * once, "{thrice}, {once}");
}

#[test]
fn a_pipeline_survives_a_configuration_file() {
    #[derive(Serialize, Deserialize)]
    struct Config {
        augment: Pipeline,
    }
    let config: Config = toml::from_str("augment = \"crop=4:reflect,flip\"").unwrap();
    assert_eq!(toml::to_string(&config).unwrap(), "augment = \"crop=4:reflect,flip\"\n");
    assert!(toml::from_str::<Config>("augment = \"crup\"").is_err());
}

#[test]
fn nothing_is_written_as_none_and_draws_nothing() {
    for spec in ["", " ", "none"] {
        let pipeline = parse(spec).unwrap();
        assert!(pipeline.is_empty());
        assert_eq!(pipeline.to_string(), "none");
        let mut untouched = draw(1);
        pipeline.apply(&mut numbered_image(), &mut untouched);
        assert_eq!(untouched.rng.next_u64(), rng(1).next_u64());
    }
}

#[test]
fn errors_name_what_is_wrong_and_what_would_be_right() {
    let message = |spec: &str| parse(spec).unwrap_err().to_string();
    assert!(
        message("flop")
            .starts_with("unknown augmentation `flop` (did you mean `flip`?); known: crop, flip, ")
    );
    assert!(message("flip,,crop").starts_with("unknown augmentation ``; known: crop, flip, "));
    assert_eq!(message("flip=1"), "augmentation `flip=1`: expected no options, just `flip`");
    assert!(message("crop=x").contains("crop=4:reflect"));
}
