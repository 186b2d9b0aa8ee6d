//! Pictures in every format, decoded as Pillow decodes them, and what is said of those that are cut or claim too much.
//! The files and Pillow's pixels come from `tests/pytorch/pictures.py`.

use std::fs;
use std::path::{Path, PathBuf};

use backburn_data::pictures::{
    Colour, DecodeError, Decoding, Fit, Picture, Preparation, decode, read,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    pictures: Vec<Entry>,
    fitted: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    file: String,
    #[serde(default)]
    nearness: String,
    fit: Option<Fit>,
    height: usize,
    width: usize,
    channels: usize,
    offset: usize,
}

impl Entry {
    fn picture(&self, pixels: &[u8]) -> Picture {
        let length = self.height * self.width * self.channels;
        let bytes = pixels[self.offset..][..length].to_vec();
        Picture::new(self.height, self.width, self.channels, bytes)
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(file(name)).unwrap()
}

fn expected() -> (Expected, Vec<u8>) {
    (serde_json::from_slice(&bytes("expected.json")).unwrap(), bytes("pixels.bin"))
}

fn decoded(name: &str) -> Picture {
    read(&file(name), &Decoding::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Mean and greatest difference in levels.
fn differences(a: &Picture, b: &Picture) -> (f64, u8) {
    let each = || a.bytes.iter().zip(&b.bytes).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = each().map(u64::from).sum();
    (sum as f64 / a.bytes.len() as f64, each().max().unwrap())
}

/// Measured: WebP no level; JPEG with all colours 2 levels, 0.02 on the mean; with halved colours 3 levels, 0.40 on the
/// mean. (The decoder reads the last column of halved colours from the padding of its block where 8 × 8 blocks are not
/// full, as in 24 × 24, which Pillow does not: up to 30 levels there.)
#[test]
fn pictures_decode_to_the_pixels_of_pillow() {
    let (expected, pixels) = expected();
    assert!(expected.pictures.len() > 60);
    let mut wrong = Vec::new();
    for entry in &expected.pictures {
        let pillow = entry.picture(&pixels);
        let ours = decoded(&entry.file);
        // A palette is one of colours to us, also where all of them are grey.
        let (ours, pillow) = (ours.to_rgb(), pillow.to_rgb());
        if (ours.height, ours.width, ours.channels)
            != (pillow.height, pillow.width, pillow.channels)
        {
            wrong.push(format!(
                "{}: {} x {} x {}",
                entry.file, ours.height, ours.width, ours.channels
            ));
            continue;
        }
        let (mean, most) = differences(&ours, &pillow);
        let (mean_bound, most_bound) = if entry.nearness == "near" { (0.5, 4) } else { (0.0, 0) };
        println!("{}: {mean:.3} {most}", entry.file);
        if mean > mean_bound || most > most_bound {
            wrong.push(format!("{}: differs by {mean:.3} on the mean, {most} at most", entry.file));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fitted_pictures_are_those_of_pillow_to_the_last_bit() {
    let (expected, pixels) = expected();
    assert!(expected.fitted.len() > 30);
    for entry in &expected.fitted {
        let &Entry { height, width, channels, .. } = entry;
        let fit = entry.fit.unwrap();
        let preparation = Preparation { height, width, fit, channels, background: Colour::WHITE };
        let planes = preparation.prepare(&decoded(&entry.file));
        let pillow = entry.picture(&pixels);
        for channel in 0..channels {
            let plane = &planes[channel * height * width..][..height * width];
            let of_pillow = pillow.bytes.iter().skip(channel).step_by(channels);
            assert!(plane.iter().eq(of_pillow), "{} {fit} {height}x{width}", entry.file);
        }
    }
}

#[test]
fn all_orientations_are_the_upright_picture() {
    for kind in ["png", "webp", "jpg"] {
        let upright = decoded(&format!("turned-1.{kind}"));
        for orientation in 2..=8 {
            let turned = decoded(&format!("turned-{orientation}.{kind}"));
            assert_eq!((turned.height, turned.width), (48, 32));
            let (mean, most) = differences(&turned, &upright);
            let bound = if kind == "jpg" { (0.5, 4) } else { (0.0, 0) };
            assert!(mean <= bound.0 && most <= bound.1, "{orientation}.{kind}: {mean} {most}");
        }
    }
}

#[test]
fn transparency_is_seen_on_the_background() {
    let over = |name: &str, background: &str| {
        let background = background.parse().unwrap();
        read(&file(name), &Decoding { background, ..Decoding::default() }).unwrap()
    };
    let name = "rgba.png";
    assert_ne!(over(name, "black"), over(name, "white"));
    assert_eq!(over("rgb.png", "black"), over("rgb.png", "white"));
    assert_eq!(over("grey-alpha.png", "black").channels, 1);
    let red = over("grey-alpha.png", "#ff0000");
    assert!(red.channels == 3 && !red.is_grey());
}

#[test]
fn content_counts_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("photograph.png");
    fs::copy(file("grey.jpg"), &named).unwrap();
    assert!(read(&named, &Decoding::default()).is_ok());
    fs::write(&named, "no picture at all").unwrap();
    let error = read(&named, &Decoding::default()).unwrap_err();
    assert_eq!(error, DecodeError::NotAPicture { found: "text".to_owned() });
    fs::write(&named, "").unwrap();
    let error = read(&named, &Decoding::default()).unwrap_err().to_string();
    assert!(error.contains("expected a PNG") && error.contains("an empty file"), "{error}");
}

/// Every file, without its last bytes; and what follows the end does not matter.
#[test]
fn a_picture_that_was_cut_is_found_wherever_it_was_cut() {
    for entry in expected().0.pictures {
        let whole = bytes(&entry.file);
        for share in [0.1, 0.3, 0.5, 0.9, 0.99] {
            let length = (whole.len() as f64 * share) as usize;
            let cut = decode(&whole[..length], &Decoding::default()).unwrap_err();
            let allowed = matches!(cut, DecodeError::CutShort { .. }) || length < 20;
            assert!(allowed, "{} at {length} of {}: {cut}", entry.file, whole.len());
        }
        let cut = decode(&whole[..whole.len() - 1], &Decoding::default());
        assert!(matches!(cut, Err(DecodeError::CutShort { .. })), "{}", entry.file);
        let longer = [&whole[..], b"whatever follows"].concat();
        let picture = decode(&longer, &Decoding::default()).unwrap();
        assert_eq!(picture, decoded(&entry.file), "{}", entry.file);
    }
}

#[test]
fn a_thumbnail_within_a_cut_jpeg_does_not_make_it_whole() {
    let whole = bytes("progressive-32x48.jpg");
    let thumbnail = bytes("grey.jpg");
    let mut segment = vec![0xff, 0xd8, 0xff, 0xe2];
    segment.extend((thumbnail.len() as u16 + 2).to_be_bytes());
    segment.extend(&thumbnail);
    let with_thumbnail = [&segment, &whole[2..]].concat();
    assert_eq!(
        decode(&with_thumbnail, &Decoding::default()).unwrap(),
        decoded("progressive-32x48.jpg")
    );
    let cut = &with_thumbnail[..with_thumbnail.len() * 9 / 10];
    assert!(cut.len() > segment.len() + 100);
    let error = decode(cut, &Decoding::default()).unwrap_err();
    assert!(matches!(error, DecodeError::CutShort { .. }), "{error}");
}

#[test]
fn a_picture_above_the_limit_is_refused_and_one_at_it_is_not() {
    for entry in expected().0.pictures {
        let pixels = (entry.height * entry.width) as u64;
        let at = |most_pixels| Decoding { most_pixels, ..Decoding::default() };
        let bytes = bytes(&entry.file);
        assert!(decode(&bytes, &at(pixels)).is_ok(), "{}", entry.file);
        let error = decode(&bytes, &at(pixels - 1)).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{}: {error}", entry.file);
    }
}

/// The greatest memory that this process has had, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn headers_that_claim_gigantic_pictures_take_no_memory() {
    let side = 60_000_u32;
    let mut png = bytes("rgb.png");
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let mut jpeg = bytes("grey.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    let mut gif = bytes("palette.gif");
    gif[6..10].copy_from_slice(&[0x60, 0xea, 0x60, 0xea]);
    // An RLE bitmap does not have to be as long as its pixels.
    let mut bmp = bytes("grey.bmp");
    bmp[18..22].copy_from_slice(&side.to_le_bytes());
    bmp[22..26].copy_from_slice(&side.to_le_bytes());
    bmp[30..34].copy_from_slice(&1_u32.to_le_bytes());
    bmp[34..38].copy_from_slice(&10_u32.to_le_bytes());
    let mut webp = bytes("lossless.webp");
    webp[21..25].copy_from_slice(&(0x3fff_u32 | 0x3fff << 14).to_le_bytes());
    let mut lossy = bytes("lossy.webp");
    let start = lossy.windows(3).position(|three| three == [0x9d, 0x01, 0x2a]).unwrap();
    lossy[start + 3..start + 7].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
    for (name, bytes) in
        [("png", png), ("jpeg", jpeg), ("gif", gif), ("bmp", bmp), ("webp", webp), ("lossy", lossy)]
    {
        let before = peak();
        let error = decode(&bytes, &Decoding::default()).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{name}: {error}");
        assert!(peak() - before < 64 << 20, "{name}: {} bytes", peak() - before);
    }
}

#[cfg(target_os = "linux")]
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// Bytes changed at random: an error or a picture, but never a panic.
#[test]
fn damaged_bytes_are_an_error_or_a_picture() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let rounds = 40;
    let decoding = Decoding { most_pixels: 1 << 20, ..Decoding::default() };
    for entry in expected().0.pictures {
        let whole = bytes(&entry.file);
        for _ in 0..rounds {
            let mut damaged = whole.clone();
            for _ in 0..1 + random(8) {
                let head = if random(2) == 0 { 64 } else { usize::MAX };
                let at = random(damaged.len().min(head));
                let kind = random(8);
                damaged[at] = if kind < 4 { [0, 255, 127, 128][kind] } else { random(256) as u8 };
            }
            let _ = decode(&damaged, &decoding);
        }
    }
}
