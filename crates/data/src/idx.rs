//! Reads IDX files of unsigned bytes, the format of MNIST and Fashion-MNIST, gzipped or not.
//!
//! Big-endian: the magic number `0x0000_0800 + dimensions`, the size of each dimension as 32 bits,
//! then the bytes, the last dimension running fastest.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::{
    checksum::hexadecimal,
    content::{Content, Mismatch, check_labels},
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
    Ok(Idx { dimensions, data, sha256 })
}

/// Reads a file of images of 28 by 28 pixels; also gives the SHA-256 of its uncompressed content.
pub(crate) fn images(file: &[u8]) -> Result<(Content, String), Mismatch> {
    let idx = read(file, 3)?;
    match idx.dimensions[..] {
        [images, height, width] if (height, width) == (SHAPE.height, SHAPE.width) && images > 0 => {
            Ok((Content::Pixels { images, pixels: idx.data }, idx.sha256))
        }
        _ => {
            let expected = format!("images of {} by {} pixels", SHAPE.height, SHAPE.width);
            Err(Mismatch::new(expected, format!("dimensions {:?}", idx.dimensions)))
        }
    }
}

/// Reads a file of labels, each a byte that names one of so many classes; also gives the SHA-256 of its
/// uncompressed content.
pub(crate) fn labels(file: &[u8], classes: usize) -> Result<(Content, String), Mismatch> {
    let idx = read(file, 1)?;
    let labels = idx.data.into_iter().map(u16::from).collect::<Vec<_>>();
    check_labels(&labels, classes)?;
    Ok((Content::Labels(labels), idx.sha256))
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Five times the images of MNIST, far less than memory.
const MOST_BYTES: usize = 1 << 28;

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
        assert!(refusal(&idx(&[400_000, 28, 28], &[1]), 3).contains("claims"));
        assert!(refusal(&idx(&[300_000, 28, 28], &[1]), 3).contains("1 bytes"));
    }
}
