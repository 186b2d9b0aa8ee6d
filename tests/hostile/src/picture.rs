//! A file of people's own that should be a picture.

use backburn_data::pictures::{Colour, Decoding, Fit, Preparation, decode, prepare_digit};

use crate::Seed;

/// Few, so that the bound on memory says something: a header may claim any number.
const MOST_PIXELS: u64 = 1 << 14;

/// What is taken for a picture has as many pixels as it says and no more than are allowed, is the same the next time,
/// and can be brought to any size.
pub(crate) fn decoded(input: &[u8]) -> bool {
    let decoding = Decoding { most_pixels: MOST_PIXELS, background: Colour::WHITE };
    let Ok(picture) = decode(input, &decoding) else { return false };
    let pixels = picture.height * picture.width;
    assert!(pixels > 0 && pixels as u64 <= MOST_PIXELS, "{pixels}");
    assert_eq!(picture.bytes.len(), pixels * picture.channels);
    assert_eq!(decode(input, &decoding).as_ref(), Ok(&picture));
    for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
        let background = Colour::WHITE;
        let preparation = Preparation { height: 7, width: 5, fit, channels: 3, background };
        assert_eq!(preparation.prepare(&picture).len(), 3 * 7 * 5);
    }
    prepare_digit(&picture);
    true
}

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../crates/data/tests/pictures/", $name))
    };
}

pub(crate) fn seeds() -> Vec<Seed> {
    let cut = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    vec![
        Seed::valid("palette.png", file!("palette-4-bits.png")),
        Seed::valid("grey-16-bits.png", file!("grey-16-bits.png")),
        Seed::valid("turned.png", file!("turned-6.png")),
        Seed::valid("grey.jpg", file!("grey.jpg")),
        Seed::valid("progressive.jpg", file!("progressive-grey.jpg")),
        Seed::valid("lossy.webp", file!("lossy.webp")),
        Seed::valid("lossless.webp", file!("lossless.webp")),
        Seed::valid("palette.gif", file!("palette.gif")),
        Seed::valid("palette.bmp", file!("palette.bmp")),
        Seed::refused("cut.png", cut(file!("grey-16-bits.png"))),
        Seed::refused("cut.jpg", cut(file!("grey.jpg"))),
        Seed::refused("text", *b"no picture"),
    ]
}
