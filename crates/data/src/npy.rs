//! Reads NumPy's `.npy` files: images of unsigned bytes, channels last, and labels of whole numbers.
//!
//! Magic bytes, version, the header's length as 16 or 32 bits, the header, then the elements, the last
//! dimension running fastest. The header is a dictionary as Python writes it, which is read as the one
//! form that it has and never evaluated
//! ([format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)).

use std::io::{self, Read};

use crate::{
    content::{Mismatch, label_mismatch},
    image_set::ImageShape,
};

/// Reads as many images as `count`, each `[height, width, channels]`, or `[height, width]` if they are
/// gray.
///
/// No more memory is taken than twice what the file really holds, whatever its header claims.
///
/// # Shapes
///
/// Returns `[count, channels, height, width]`.
///
/// # Errors
///
/// If this is no `.npy` file of unsigned bytes in C order, its shape is another, or it has fewer or more
/// bytes than its header says.
pub fn images(mut reader: impl Read, shape: ImageShape, count: usize) -> Result<Vec<u8>, Mismatch> {
    let ImageShape { channels, height, width } = shape;
    let header = Header::read(&mut reader)?;
    if header.element != UNSIGNED_BYTE {
        return Err(Mismatch::new("unsigned bytes (|u1) for pixels", header.element.to_string()));
    }
    let channels_last = [count, height, width, channels];
    let is_gray = channels == 1 && header.shape == [count, height, width];
    if header.shape != channels_last && !is_gray {
        let expected = format!("images of shape {channels_last:?}");
        return Err(Mismatch::new(expected, format!("shape {:?}", header.shape)));
    }
    let mut pixels = Vec::new();
    each_record(&mut reader, &header.shape, count, shape.pixels(), |_, image| {
        for channel in 0..channels {
            pixels.extend(image.iter().skip(channel).step_by(channels));
        }
        Ok(())
    })?;
    Ok(pixels)
}

/// Reads labels, whole numbers of 1, 2, 4 or 8 bytes, each of which names one of so many classes.
///
/// # Errors
///
/// If this is no `.npy` file of such numbers in one dimension, or a label names no class.
pub fn labels(mut reader: impl Read, classes: usize) -> Result<Vec<u16>, Mismatch> {
    let header = Header::read(&mut reader)?;
    let [count] = header.shape[..] else {
        let found = format!("shape {:?}", header.shape);
        return Err(Mismatch::new("labels in one dimension", found));
    };
    if count > MOST_LABELS {
        return Err(Mismatch::new(format!("at most {MOST_LABELS} labels"), count.to_string()));
    }
    let mut labels = Vec::new();
    let element = header.element;
    each_record(&mut reader, &header.shape, count, element.bytes, |index, bytes| {
        let value = element.value(bytes);
        let label = u16::try_from(value).ok().filter(|&label| usize::from(label) < classes);
        labels.push(label.ok_or_else(|| label_mismatch("label", value, index, 0..classes))?);
        Ok(())
    })?;
    Ok(labels)
}

/// Hundreds of times the labels of any test set.
const MOST_LABELS: usize = 1 << 24;

/// A whole number as it stands in the file, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    /// 1, 2, 4 or 8.
    bytes: usize,
    is_signed: bool,
}

const UNSIGNED_BYTE: Element = Element { bytes: 1, is_signed: false };

impl Element {
    /// What the header's `descr` means.
    fn of(descr: &str) -> Result<Self, Mismatch> {
        let (bytes, is_signed) = match descr {
            "|u1" | "<u1" => (1, false),
            "|i1" | "<i1" => (1, true),
            "<u2" => (2, false),
            "<i2" => (2, true),
            "<u4" => (4, false),
            "<i4" => (4, true),
            "<u8" => (8, false),
            "<i8" => (8, true),
            _ => {
                let found = match descr.chars().next() {
                    Some('>') => format!("big-endian elements ({descr})"),
                    _ if descr == "|O" => "Python objects (|O), which are not read".to_owned(),
                    _ => format!("elements of type {descr:?}"),
                };
                let expected = "whole numbers, single bytes or little-endian, such as |u1 or <i8";
                return Err(Mismatch::new(expected, found));
            }
        };
        Ok(Self { bytes, is_signed })
    }

    fn value(self, little_endian: &[u8]) -> i128 {
        let value = little_endian.iter().rev().fold(0_u64, |v, &byte| v << 8 | u64::from(byte));
        let unused_bits = 64 - 8 * self.bytes;
        match self.is_signed {
            true => i128::from((value << unused_bits).cast_signed() >> unused_bits),
            false => i128::from(value),
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.is_signed { "signed" } else { "unsigned" };
        write!(f, "{sign} numbers of {} bytes", self.bytes)
    }
}

/// What stands before the elements.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    element: Element,
    /// Size of each dimension, slowest first.
    shape: Vec<usize>,
}

const MAGIC: &[u8] = b"\x93NUMPY";

/// What NumPy itself reads at most.
const MOST_HEADER_BYTES: usize = 10_000;

impl Header {
    fn read(reader: &mut impl Read) -> Result<Self, Mismatch> {
        let magic = read_bytes(reader, MAGIC.len(), "the six magic bytes of .npy")?;
        if magic != MAGIC {
            let found = match magic.starts_with(b"PK") {
                true => "a zip archive, such as .npz is",
                false => "other bytes",
            };
            return Err(Mismatch::new("the six magic bytes of .npy", found));
        }
        let version = read_bytes(reader, 2, "the version of the format")?;
        let length_bytes = match version[..] {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            _ => {
                let version = version.iter().map(u8::to_string).collect::<Vec<_>>().join(".");
                return Err(Mismatch::new("version 1.0, 2.0 or 3.0 of the format", version));
            }
        };
        let length = read_bytes(reader, length_bytes, "the length of the header")?;
        let length = length.iter().rev().fold(0_usize, |v, &byte| v << 8 | usize::from(byte));
        if length > MOST_HEADER_BYTES {
            let expected = format!("a header of at most {MOST_HEADER_BYTES} bytes");
            return Err(Mismatch::new(expected, format!("one of {length} bytes")));
        }
        let text = read_bytes(reader, length, "the header")?;
        let text = String::from_utf8_lossy(&text);
        let malformed = || {
            let expected = "a header such as {'descr': '|u1', 'fortran_order': False, \
                            'shape': (50000, 32, 32, 3), }";
            Mismatch::new(expected, format!("{:?}", text.chars().take(100).collect::<String>()))
        };
        let fields = Fields::parse(&text).ok_or_else(malformed)?;
        if fields.is_fortran_order {
            let found = "Fortran order, in which the first one does";
            return Err(Mismatch::new("C order, in which the last dimension runs fastest", found));
        }
        Ok(Self { element: Element::of(fields.descr)?, shape: fields.shape })
    }
}

/// The entries of a header.
#[derive(Debug, PartialEq, Eq)]
struct Fields<'a> {
    descr: &'a str,
    is_fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Fields<'a> {
    /// A dictionary of exactly these three entries, in any order.
    fn parse(text: &'a str) -> Option<Self> {
        let (mut descr, mut is_fortran_order, mut shape) = (None, None, None);
        let mut cursor = Cursor { rest: text };
        cursor.take("{")?;
        while cursor.take("}").is_none() {
            let key = cursor.text()?;
            cursor.take(":")?;
            match key {
                "descr" if descr.is_none() => descr = Some(cursor.text()?),
                "fortran_order" if is_fortran_order.is_none() => {
                    is_fortran_order = Some(cursor.truth()?);
                }
                "shape" if shape.is_none() => shape = Some(cursor.sizes()?),
                _ => return None,
            }
            if cursor.take(",").is_none() {
                cursor.take("}")?;
                break;
            }
        }
        let fields = Self { descr: descr?, is_fortran_order: is_fortran_order?, shape: shape? };
        cursor.rest.trim_start().is_empty().then_some(fields)
    }
}

/// The part of a header that is not read yet.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Goes past the token if it comes next, and past what is blank before it.
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    /// A text in quotation marks, without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let quote = if self.take("'").is_some() { '\'' } else { self.take("\"").map(|()| '"')? };
        let (text, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        (!text.contains('\\')).then_some(text)
    }

    fn truth(&mut self) -> Option<bool> {
        match self.take("True") {
            Some(()) => Some(true),
            None => self.take("False").map(|()| false),
        }
    }

    /// A tuple of sizes. That of a single one ends with a comma, else it would be no tuple.
    fn sizes(&mut self) -> Option<Vec<usize>> {
        let mut sizes = Vec::new();
        self.take("(")?;
        while self.take(")").is_none() {
            sizes.push(self.size()?);
            if self.take(",").is_none() {
                self.take(")")?;
                return (sizes.len() > 1).then_some(sizes);
            }
        }
        Some(sizes)
    }

    fn size(&mut self) -> Option<usize> {
        let rest = self.rest.trim_start();
        let end = rest.find(|character: char| !character.is_ascii_digit())?;
        let (digits, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        digits.parse().ok()
    }
}

/// Reads `bytes` bytes. `what` they are, for messages.
fn read_bytes(reader: &mut impl Read, bytes: usize, what: &str) -> Result<Vec<u8>, Mismatch> {
    let mut content = Vec::new();
    let read = reader.take(bytes as u64).read_to_end(&mut content);
    match read.map_err(|error| unreadable(&error))? {
        read if read == bytes => Ok(content),
        read => Err(Mismatch::new(what, format!("the end of the file after {read} bytes of it"))),
    }
}

/// Gives `each` record of the data with its number, and sees to it that nothing is behind the last.
fn each_record(
    reader: &mut impl Read,
    shape: &[usize],
    records: usize,
    bytes: usize,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    let found = |found: String| {
        let expected = format!("{records} × {bytes} bytes of data for shape {shape:?}");
        Mismatch::new(expected, found)
    };
    let mut record = vec![0; bytes];
    for index in 0..records {
        reader.read_exact(&mut record).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                found(format!("the end of the file after {index} × {bytes} bytes"))
            }
            _ => unreadable(&error),
        })?;
        each(index, &record)?;
    }
    match read_bytes(reader, 1, "") {
        Ok(_) => Err(found("more".to_owned())),
        Err(_) => Ok(()),
    }
}

fn unreadable(error: &io::Error) -> Mismatch {
    Mismatch::new("a file that can be read to its end", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 3, height: 2, width: 2 };

    /// A file of version 1.0 with that header, padded as NumPy pads it.
    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let padding = 63 - (10 + header.len()) % 64;
        let header = format!("{header}{}\n", " ".repeat(padding));
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    fn array(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let entries = format!("'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, ");
        npy(&format!("{{{entries}}}"), data)
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, Mismatch>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn images_with_channels_last_are_read_with_channels_first() {
        let data: Vec<u8> = (0..24).collect();
        let file = array("|u1", "(2, 2, 2, 3)", &data);
        let pixels = images(&file[..], SHAPE, 2).unwrap();
        assert_eq!(pixels[..12], [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
        assert_eq!(pixels[12..16], [12, 15, 18, 21]);
    }

    #[test]
    fn gray_images_may_do_without_a_dimension_for_channels() {
        let gray = ImageShape { channels: 1, ..SHAPE };
        for shape in ["(1, 2, 2)", "(1, 2, 2, 1)"] {
            let file = array("|u1", shape, &[1, 2, 3, 4]);
            assert_eq!(images(&file[..], gray, 1).unwrap(), [1, 2, 3, 4]);
        }
        let color = ImageShape { channels: 3, height: 2, width: 2 };
        assert!(images(&array("|u1", "(1, 2, 2)", &[0; 12])[..], color, 1).is_err());
    }

    #[test]
    fn labels_of_every_whole_type_are_read() {
        for (descr, bytes) in [("|u1", 1), ("<u1", 1), ("|i1", 1), ("<i2", 2), ("<u2", 2)]
            .into_iter()
            .chain([("<i4", 4), ("<u4", 4), ("<i8", 8), ("<u8", 8)])
        {
            let number = |value: u64| value.to_le_bytes()[..bytes].to_vec();
            let file = array(descr, "(3,)", &[number(7), number(0), number(9)].concat());
            assert_eq!(labels(&file[..], 10).unwrap(), [7, 0, 9], "{descr}");
        }
        let file = array("<i4", "(1,)", &300_u32.to_le_bytes());
        assert_eq!(labels(&file[..], 1000).unwrap(), [300]);
    }

    #[test]
    fn labels_out_of_range_are_refused_with_their_place() {
        let of = |descr: &str, data: &[u8], shape: &str| {
            refusal(labels(&array(descr, shape, data)[..], 10))
        };
        let expected = "expected labels from 0 to 9, found label 10 at image 1";
        assert_eq!(of("|u1", &[3, 10], "(2,)"), expected);
        assert!(of("|i1", &[255], "(1,)").contains("label -1 at image 0"));
        assert!(of("<i8", &[255; 8], "(1,)").contains("label -1 at image 0"));
        assert!(of("<u8", &[255; 8], "(1,)").contains("label 18446744073709551615"));
        // Not 2 by forgetting what is above 16 bits.
        assert!(of("<i4", &[2, 0, 1, 0], "(1,)").contains("label 65538"));
    }

    #[test]
    fn fortran_order_big_endian_and_objects_are_refused_by_name() {
        let fortran = "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2, 2, 3), }";
        let error = refusal(images(&npy(fortran, &[0; 12])[..], SHAPE, 1));
        assert!(error.contains("C order") && error.contains("found Fortran order"), "{error}");
        let error = refusal(labels(&array(">i8", "(1,)", &[0; 8])[..], 10));
        assert!(error.contains("big-endian elements (>i8)"), "{error}");
        let error = refusal(labels(&array("|O", "(1,)", b"pickled")[..], 10));
        assert!(error.contains("Python objects (|O)"), "{error}");
        let error = refusal(labels(&array("<f4", "(1,)", &[0; 4])[..], 10));
        assert!(error.contains("elements of type \"<f4\""), "{error}");
        let error = refusal(images(&array("<i4", "(1, 2, 2, 3)", &[0; 48])[..], SHAPE, 1));
        assert!(error.contains("found signed numbers of 4 bytes"), "{error}");
    }

    #[test]
    fn another_number_or_size_of_images_is_refused() {
        let file = array("|u1", "(1, 2, 2, 3)", &[0; 12]);
        let error = refusal(images(&file[..], SHAPE, 2));
        assert_eq!(error, "expected images of shape [2, 2, 2, 3], found shape [1, 2, 2, 3]");
        let channels_first = array("|u1", "(1, 3, 2, 2)", &[0; 12]);
        assert!(images(&channels_first[..], SHAPE, 1).is_err());
        assert!(refusal(labels(&file[..], 10)).contains("labels in one dimension"));
    }

    #[test]
    fn a_file_cut_anywhere_or_with_more_behind_it_is_refused() {
        let file = array("|u1", "(2, 2, 2, 3)", &[7; 24]);
        for length in 0..file.len() {
            assert!(images(&file[..length], SHAPE, 2).is_err(), "{length} bytes");
        }
        let error = refusal(images(&file[..file.len() - 1], SHAPE, 2));
        assert!(error.contains("2 × 12 bytes") && error.contains("after 1 × 12"), "{error}");
        let longer = [&file[..], &[7]].concat();
        assert!(refusal(images(&longer[..], SHAPE, 2)).ends_with("found more"));
    }

    #[test]
    fn a_header_that_claims_all_memory_takes_none() {
        let file = array("|u1", "(18446744073709551615, 2, 2, 3)", &[0; 24]);
        assert!(refusal(images(&file[..], SHAPE, 2)).contains("18446744073709551615"));
        let file = array("|u1", "(18446744073709551616,)", &[0; 24]);
        assert!(refusal(labels(&file[..], 10)).contains("a header such as"));
        let file = array("|u1", "(18446744073709551615,)", &[0; 24]);
        assert!(refusal(labels(&file[..], 10)).contains("at most 16777216 labels"));
        let file = [MAGIC, &[2, 0], &u32::MAX.to_le_bytes()].concat();
        assert!(refusal(labels(&file[..], 10)).contains("at most 10000 bytes"));
    }

    #[test]
    fn headers_are_read_in_all_versions_and_any_order_of_their_entries() {
        let header = "{\"shape\":(2,),'fortran_order':False,'descr':'|u1'}";
        for version in [2, 3] {
            let length = (header.len() as u32).to_le_bytes();
            let file = [MAGIC, &[version, 0], &length, header.as_bytes(), &[4, 2]].concat();
            assert_eq!(labels(&file[..], 10).unwrap(), [4, 2]);
        }
        let file = [MAGIC, &[4, 0, 9, 9]].concat();
        assert!(refusal(labels(&file[..], 10)).ends_with("found 4.0"));
        let error = refusal(labels(&b"PK\x03\x04 and more"[..], 10));
        assert!(error.contains("a zip archive"), "{error}");
    }

    #[test]
    fn what_only_python_could_read_is_refused() {
        for header in [
            "",
            "{}",
            "{'descr': '|u1', 'fortran_order': False}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (2)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (1+1,)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}",
            "{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}",
            "{'descr': '|u1', 'fortran_order': not True, 'shape': (2,)}",
            "{'descr': '|' 'u1', 'fortran_order': False, 'shape': (2,)}",
            "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '\\x7cu1', 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'more': 1}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} or exit()",
            "dict(descr='|u1', fortran_order=False, shape=(2,))",
        ] {
            let error = refusal(labels(&npy(header, &[4, 2])[..], 10));
            assert!(error.contains("a header such as"), "{header}: {error}");
        }
    }
}
