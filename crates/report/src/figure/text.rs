//! How much room text takes, so that figures can be laid out before they are drawn.
//!
//! Widths are those of DejaVu Sans, which PNG files are drawn with. It is a wide face: where a
//! browser takes another, text is rather narrower than reserved.

/// Font of all figures, with faces of nearly the same widths for where it is missing.
pub const FONT_FAMILY: &str = "'DejaVu Sans', Verdana, sans-serif";
/// Size of a figure's title.
pub const TITLE: f64 = 17.0;
/// Size of axis labels.
pub const LABEL: f64 = 15.0;
/// Size of tick labels, legends and captions.
pub const SMALL: f64 = 14.0;
/// Size of the smallest text, the numbers in a crowded heat map.
pub const TINY: f64 = 13.0;

/// Advance widths of U+0020 to U+007E in 1/2048 of the font size.
const ADVANCE: [u16; 95] = [
    651, 821, 942, 1716, 1303, 1946, 1597, 563, 799, 799, 1024, 1716, 651, 739, 651, 690, 1303,
    1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 690, 690, 1716, 1716, 1716, 1087, 2048,
    1401, 1405, 1430, 1577, 1294, 1178, 1587, 1540, 604, 604, 1343, 1141, 1767, 1532, 1612, 1235,
    1612, 1423, 1300, 1251, 1499, 1401, 2025, 1403, 1251, 1403, 799, 690, 799, 1716, 1024, 1024,
    1255, 1300, 1126, 1300, 1260, 721, 1300, 1298, 569, 569, 1186, 569, 1995, 1298, 1253, 1300,
    1300, 842, 1067, 803, 1298, 1212, 1675, 1212, 1212, 1075, 1303, 690, 1303, 1716,
];

/// Width of one line of text in pixels. Exact for ASCII; other characters count as wide ones.
pub fn width(text: &str, size: f64) -> f64 {
    let units: f64 = text.chars().map(advance).sum();
    units / 2048.0 * size
}

fn advance(character: char) -> f64 {
    match u32::from(character) {
        code @ 0x20..=0x7e => f64::from(ADVANCE[code as usize - 0x20]),
        // Combining marks stand on the letter before them.
        0x300..=0x36f => 0.0,
        // Wide scripts and pictures fill the square.
        0x1100.. if !matches!(character, '\u{2000}'..='\u{2bff}') => 2048.0,
        _ => 1720.0,
    }
}

/// `text`, shortened with an ellipsis where it is wider than `room` pixels.
pub fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        short.push(character);
        if width(&short, size) + width("…", size) > room {
            short.pop();
            break;
        }
    }
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// `text` in lines that are no wider than `room` pixels, broken after commas; what has none for longer is a line of its own.
pub fn broken_after_commas(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split_inclusive(',') {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(part, size) <= room => line.push_str(part),
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_broken_after_commas() {
        let list = ["rotate=15:reflect"; 9].join(",");
        let lines = broken_after_commas(&list, TINY, 400.0);
        assert!(
            lines.len() > 2 && lines.iter().all(|line| width(line, TINY) <= 400.0),
            "{lines:?}"
        );
        assert_eq!(lines.concat(), list);
        assert_eq!(broken_after_commas("flip", TINY, 1.0), ["flip"]);
        assert!(broken_after_commas("", TINY, 100.0).is_empty());
    }

    #[test]
    fn shortened_text_fits_and_says_that_it_was_shortened() {
        let short = fit("a rather long name of a run", SMALL, 100.0);
        assert!(short.starts_with("a rather") && short.ends_with('…'), "{short}");
        assert!(width(&short, SMALL) <= 100.0);
        assert_eq!(fit("short", SMALL, 100.0), "short");
        assert_eq!(fit("anything", SMALL, 0.0), "…");
    }
}
