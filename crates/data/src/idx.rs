//! Reads IDX files of unsigned bytes, the format of MNIST and of sets made after it, gzipped or not.
//!
//! Big-endian: the magic number `0x0000_0800 + dimensions`, the size of each dimension as 32 bits,
//! then the bytes, the last dimension running fastest.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::{
    checksum::hexadecimal,
    content::{Content, Mismatch, Parsed, check_labels},
    image_set::ImageShape,
};

/// What each image measures.
pub(crate) const SHAPE: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

/// An IDX file in memory.
#[derive(Debug)]
struct Idx {
    /// Size of each dimension, slowest first.
    dimensions: Vec<usize>,
    /// The values; as many as the dimensions multiply to.
    data: Vec<u8>,
    /// Size of the file in bytes, uncompressed.
    bytes: u64,
    /// SHA-256 of the file, uncompressed.
    sha256: String,
}

/// Reads a whole file, whose first bytes tell whether it is gzipped.
///
/// No more memory is taken than the file really fills, whatever its header claims.
fn read(file: &[u8], dimensions: u8) -> Result<Idx, Mismatch> {
    if file.is_empty() {
        return Err(Mismatch::new("an IDX file", "an empty file"));
    }
    let mut content: Box<dyn Read + '_> = match file.starts_with(&GZIP_MAGIC) {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };

    let mut header = Vec::new();
    let header_bytes = 4 + 4 * usize::from(dimensions);
    read_up_to(&mut content, header_bytes, &mut header)?;
    let magic = 0x0800 + u32::from(dimensions);
    let mut words = header
        .chunks_exact(4)
        .map(|word| word.iter().fold(0_u32, |value, &byte| value << 8 | u32::from(byte)));
    match words.next() {
        Some(found) if found != magic => {
            let expected = format!("IDX with magic number {magic} ({dimensions} dimensions)");
            return Err(Mismatch::new(expected, format!("magic number {found}")));
        }
        _ if header.len() < header_bytes => {
            let expected = format!("an IDX header of {header_bytes} bytes");
            return Err(Mismatch::new(expected, format!("{} bytes in all", header.len())));
        }
        _ => {}
    }

    let dimensions: Vec<usize> = words.map(|word| word as usize).collect();
    let expected = dimensions
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size))
        .filter(|&bytes| bytes <= MOST_BYTES)
        .ok_or_else(|| {
            let expected = format!("at most {MOST_BYTES} bytes of data");
            Mismatch::new(expected, format!("a header that claims dimensions {dimensions:?}"))
        })?;
    let mut data = Vec::new();
    read_up_to(&mut content, expected + 1, &mut data)?;
    if data.len() != expected {
        let found = match data.len() > expected {
            true => "more".to_owned(),
            false => format!("{} bytes", data.len()),
        };
        let expected = format!("{expected} bytes of data after the header, for {dimensions:?}");
        return Err(Mismatch::new(expected, found));
    }

    let sha256 = hexadecimal(&Sha256::new().chain_update(&header).chain_update(&data).finalize());
    let bytes = (header.len() + data.len()) as u64;
    Ok(Idx { dimensions, data, bytes, sha256 })
}

/// Reads a file of images of 28 by 28 pixels.
pub(crate) fn images(file: &[u8]) -> Result<Parsed, Mismatch> {
    let Idx { dimensions, data: pixels, bytes, sha256 } = read(file, 3)?;
    match dimensions[..] {
        [images, height, width] if (height, width) == (SHAPE.height, SHAPE.width) && images > 0 => {
            Ok(Parsed { content: Content::Pixels { images, pixels }, bytes, sha256 })
        }
        _ => {
            let expected = format!("images of {} by {} pixels", SHAPE.height, SHAPE.width);
            Err(Mismatch::new(expected, format!("dimensions {dimensions:?}")))
        }
    }
}

/// Reads a file of images whose columns stand where others have rows, and turns them upright.
pub(crate) fn transposed_images(file: &[u8]) -> Result<Parsed, Mismatch> {
    let mut parsed = images(file)?;
    if let Content::Pixels { pixels, .. } = &mut parsed.content {
        for image in pixels.chunks_exact_mut(SHAPE.pixels()) {
            for row in 0..SHAPE.height {
                for column in 0..row {
                    image.swap(row * SHAPE.width + column, column * SHAPE.width + row);
                }
            }
        }
    }
    Ok(parsed)
}

/// Reads a file of labels, each a byte that names one of so many classes, which are counted from `first`.
/// The labels given count from 0.
pub(crate) fn labels(file: &[u8], first: u16, classes: usize) -> Result<Parsed, Mismatch> {
    let Idx { data, bytes, sha256, .. } = read(file, 1)?;
    let mut labels = data.into_iter().map(u16::from).collect::<Vec<_>>();
    let start = usize::from(first);
    check_labels("label", &labels, start..start + classes)?;
    for label in &mut labels {
        *label -= first;
    }
    Ok(Parsed { content: Content::Labels(labels), bytes, sha256 })
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Twice the largest file of a data set, EMNIST's 697,932 images.
const MOST_BYTES: usize = 1 << 30;

/// Reads `bytes` bytes, or fewer where the content ends.
fn read_up_to(content: &mut impl Read, bytes: usize, into: &mut Vec<u8>) -> Result<(), Mismatch> {
    let read = content.take(bytes as u64).read_to_end(into);
    read.map(drop).map_err(|error| {
        let found = match error.kind() {
            io::ErrorKind::UnexpectedEof => "one that ends early".to_owned(),
            _ => format!("damage in it ({error})"),
        };
        Mismatch::new("a whole gzip stream", found)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// An IDX file of those dimensions.
    pub(crate) fn idx(dimensions: &[u32], data: &[u8]) -> Vec<u8> {
        let mut file = (0x0800 + dimensions.len() as u32).to_be_bytes().to_vec();
        for size in dimensions {
            file.extend_from_slice(&size.to_be_bytes());
        }
        file.extend_from_slice(data);
        file
    }

    pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    pub(crate) fn gunzip(file: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        MultiGzDecoder::new(file).read_to_end(&mut content).unwrap();
        content
    }

    fn refusal(file: &[u8], dimensions: u8) -> String {
        read(file, dimensions).unwrap_err().to_string()
    }

    #[test]
    fn a_gzipped_file_reads_like_the_plain_one() {
        let plain = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let from_plain = read(&plain, 3).unwrap();
        let from_gzip = read(&gzip(&plain), 3).unwrap();
        assert_eq!(from_plain.dimensions, [2, 1, 3]);
        assert_eq!(from_plain.data, [1, 2, 3, 4, 5, 6]);
        assert_eq!(from_gzip.data, from_plain.data);
        assert_eq!(from_gzip.sha256, from_plain.sha256);
        assert_eq!(from_plain.sha256, crate::checksum::sha256(&plain));
    }

    #[test]
    fn labels_offered_as_images_are_told_by_the_magic_number() {
        let error = refusal(&idx(&[2], &[0, 1]), 3);
        assert!(error.contains("2051") && error.contains("2049"), "{error}");
    }

    #[test]
    fn an_empty_file_and_a_cut_header_are_refused() {
        assert!(refusal(&[], 1).contains("empty file"));
        assert!(refusal(&gzip(&[]), 1).contains("0 bytes in all"));
        assert!(refusal(&idx(&[2, 2, 2], &[])[..11], 3).contains("11 bytes in all"));
    }

    #[test]
    fn a_truncated_gzip_stream_is_refused() {
        let whole = gzip(&idx(&[6], &[1, 2, 3, 4, 5, 6]));
        for length in 2..whole.len() {
            let error = refusal(&whole[..length], 1);
            assert!(error.contains("ends early"), "{length}: {error}");
        }
    }

    #[test]
    fn a_flipped_bit_in_a_gzip_stream_is_refused() {
        let mut file = gzip(&idx(&[200], &[7; 200]));
        let checksum = file.len() - 8;
        file[checksum] ^= 1;
        assert!(refusal(&file, 1).contains("damage"));
    }

    #[test]
    fn too_few_and_too_many_bytes_are_refused() {
        assert!(refusal(&idx(&[3], &[1, 2]), 1).contains("2 bytes"));
        assert!(refusal(&idx(&[3], &[1, 2, 3, 4]), 1).contains("more"));
        assert!(refusal(&gzip(&idx(&[3], &[1, 2, 3, 4])), 1).contains("more"));
        let mut trailing = gzip(&idx(&[3], &[1, 2, 3]));
        trailing.extend_from_slice(b"and something else");
        assert!(refusal(&trailing, 1).contains("gzip stream"));
    }

    #[test]
    fn a_header_that_claims_four_billion_images_takes_no_memory() {
        let error = refusal(&idx(&[u32::MAX, 28, 28], &[1, 2, 3]), 3);
        assert!(error.contains("4294967295"), "{error}");
        assert!(refusal(&idx(&[u32::MAX; 3], &[1]), 3).contains("claims"));
        assert!(refusal(&idx(&[1_400_000, 28, 28], &[1]), 3).contains("claims"));
        assert!(refusal(&idx(&[1_300_000, 28, 28], &[1]), 3).contains("1 bytes"));
    }

    #[test]
    fn transposed_images_are_turned_upright() {
        let upright: Vec<u8> = (0..2 * 784).map(|i| (i * 31 % 253) as u8).collect();
        let stored: Vec<u8> = (0..2 * 784)
            .map(|i| {
                let (image, row, column) = (i / 784, i % 784 / 28, i % 28);
                upright[image * 784 + column * 28 + row]
            })
            .collect();
        let parsed = transposed_images(&idx(&[2, 28, 28], &stored)).unwrap();
        assert_eq!(parsed.content, Content::Pixels { images: 2, pixels: upright });
    }

    #[test]
    fn labels_may_count_from_one() {
        let read =
            |content: &[u8], first| labels(&idx(&[content.len() as u32], content), first, 26);
        assert_eq!(read(&[1, 26], 1).unwrap().content, Content::Labels(vec![0, 25]));
        let refusal = |content: &[u8], first| read(content, first).err().unwrap().to_string();
        assert_eq!(refusal(&[3, 0], 1), "expected labels from 1 to 26, found label 0 at image 1");
        assert_eq!(refusal(&[27], 1), "expected labels from 1 to 26, found label 27 at image 0");
        assert_eq!(refusal(&[26], 0), "expected labels from 0 to 25, found label 26 at image 0");
    }
}
