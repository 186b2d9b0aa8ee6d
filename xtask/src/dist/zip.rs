//! A compressed zip archive: files in the order that they are given in, all of one date.
//!
//! PKWARE, [APPNOTE.TXT](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), 6.3.10, section 4.3.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

use super::file::File;

/// Version of the format that a reader must know: 2.0, the first that compresses so.
const VERSION: u16 = 20;

/// The system whose permissions a file has: Unix.
const UNIX: u16 = 3 << 8;

/// A name is in UTF-8.
const UTF_8: u16 = 1 << 11;

/// Compressed by Deflate.
const DEFLATE: u16 = 8;

/// The first of January 1980.
const DATE: u16 = 1 << 5 | 1;

/// The archive's bytes.
///
/// # Errors
///
/// If a file or the whole is too large for the format without its 64-bit extension.
pub(super) fn zip(files: &[File]) -> Result<Vec<u8>, String> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.name.as_bytes();
        let packed = deflated(&file.content)?;
        let mut crc = Crc::new();
        crc.update(&file.content);
        let mut common = Vec::new();
        put(&mut common, &[VERSION, UTF_8, DEFLATE, 0, DATE]);
        let sizes = [crc.sum(), short(packed.len())?, short(file.content.len())?];
        sizes.iter().for_each(|number| common.extend_from_slice(&number.to_le_bytes()));
        put(&mut common, &[count(name.len())?, 0]);

        directory.extend_from_slice(b"PK\x01\x02");
        put(&mut directory, &[UNIX | VERSION]);
        directory.extend_from_slice(&common);
        // Length of the comment, disk, internal attributes.
        put(&mut directory, &[0, 0, 0]);
        // A regular file, and its permissions.
        let attributes = (0o100_000 | file.kind.mode()) << 16;
        directory.extend_from_slice(&attributes.to_le_bytes());
        directory.extend_from_slice(&short(bytes.len())?.to_le_bytes());
        directory.extend_from_slice(name);

        bytes.extend_from_slice(b"PK\x03\x04");
        bytes.extend_from_slice(&common);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&packed);
    }
    let (place, entries) = (short(bytes.len())?, count(files.len())?);
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06");
    put(&mut bytes, &[0, 0, entries, entries]);
    bytes.extend_from_slice(&short(directory.len())?.to_le_bytes());
    bytes.extend_from_slice(&place.to_le_bytes());
    put(&mut bytes, &[0]);
    Ok(bytes)
}

fn deflated(content: &[u8]) -> Result<Vec<u8>, String> {
    let mut writer = DeflateEncoder::new(Vec::new(), Compression::best());
    let packed = writer.write_all(content).and_then(|()| writer.finish());
    packed.map_err(|error| format!("cannot compress a file: {error}"))
}

fn put(bytes: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
}

fn short(bytes: usize) -> Result<u32, String> {
    u32::try_from(bytes).map_err(|_| format!("{bytes} bytes are too many for a zip archive"))
}

fn count(number: usize) -> Result<u16, String> {
    u16::try_from(number).map_err(|_| format!("{number} is too much for a zip archive"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_directory_tells_where_files_are_and_how_large() {
        let files =
            [File::executable("a", vec![b'x'; 1000]), File::plain("folder/b", b"text".to_vec())];
        let bytes = zip(&files).unwrap();
        assert_eq!(bytes, zip(&files).unwrap());
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let end = bytes.len() - 22;
        assert_eq!((&bytes[end..end + 4], bytes[end + 10]), (&b"PK\x05\x06"[..], 2));
        let mut row = number(end + 16);
        assert_eq!(row + number(end + 12), end);
        for file in &files {
            assert_eq!(&bytes[row..row + 4], b"PK\x01\x02");
            let [packed, size, attributes, place] = [20, 24, 38, 42].map(|at| number(row + at));
            assert_eq!(
                (size, attributes >> 16 & 0o777),
                (file.content.len(), file.kind.mode() as usize)
            );
            let name = file.name.len();
            assert_eq!(&bytes[row + 46..row + 46 + name], file.name.as_bytes());
            assert_eq!(&bytes[place..place + 4], b"PK\x03\x04");
            assert_eq!(number(place + 14), number(row + 16));
            let from = place + 30 + name;
            let mut content = Vec::new();
            let mut reader = flate2::read::DeflateDecoder::new(&bytes[from..from + packed]);
            reader.read_to_end(&mut content).unwrap();
            assert_eq!(content, file.content);
            row += 46 + name;
        }
        assert_eq!(row, end);
    }
}
