//! A zip archive as PyTorch reads it: records that are not compressed, each at a multiple of 64 bytes, so that it can
//! be mapped into memory.
//!
//! PKWARE, [APPNOTE.TXT](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), 6.3.10, section 4.3.

use flate2::Crc;

/// What the bytes of every record begin at a multiple of.
const ALIGNMENT: usize = 64;

/// What stands before a record, without its name.
const HEADER: usize = 30;

/// Version of the format that a reader must know: 2.0.
const VERSION: u16 = 20;

/// The first of January 1980, so that the same records give the same bytes.
const DATE: u16 = 1 << 5 | 1;

/// An archive that is being written.
#[derive(Debug, Default)]
pub(crate) struct ZipWriter {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    records: u16,
}

impl ZipWriter {
    /// Adds a record. Sizes and places are 32-bit numbers, and records 16-bit ones: who writes more must not.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        let (place, mut crc) = (self.bytes.len(), Crc::new());
        crc.update(content);
        // An extra field, which readers pass over, takes up the bytes before the record.
        let begins = place + HEADER + name.len() + 4;
        let filling = begins.next_multiple_of(ALIGNMENT) - begins;
        let common = |bytes: &mut Vec<u8>, extra: usize| {
            put(bytes, &[VERSION, 0, 0, 0, DATE]);
            bytes.extend_from_slice(&crc.sum().to_le_bytes());
            let size = (content.len() as u32).to_le_bytes();
            bytes.extend_from_slice(&size);
            bytes.extend_from_slice(&size);
            put(bytes, &[name.len() as u16, extra as u16]);
        };
        self.bytes.extend_from_slice(b"PK\x03\x04");
        common(&mut self.bytes, 4 + filling);
        self.bytes.extend_from_slice(name.as_bytes());
        put(&mut self.bytes, &[u16::from_le_bytes(*b"FB"), filling as u16]);
        self.bytes.resize(begins + filling, 0);
        self.bytes.extend_from_slice(content);

        self.directory.extend_from_slice(b"PK\x01\x02");
        put(&mut self.directory, &[VERSION]);
        common(&mut self.directory, 0);
        // Length of the comment, disk, and attributes, which are two numbers longer.
        put(&mut self.directory, &[0, 0, 0, 0, 0]);
        self.directory.extend_from_slice(&(place as u32).to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.records += 1;
    }

    /// The archive's bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let place = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&self.directory);
        self.bytes.extend_from_slice(b"PK\x05\x06");
        put(&mut self.bytes, &[0, 0, self.records, self.records]);
        self.bytes.extend_from_slice(&(self.directory.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&place.to_le_bytes());
        put(&mut self.bytes, &[0]);
        self.bytes
    }
}

fn put(bytes: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_begin_at_multiples_of_64_bytes_and_end_where_the_directory_says() {
        let mut zip = ZipWriter::default();
        zip.add("a", b"first content");
        zip.add("a longer name", b"second");
        let bytes = zip.finish();
        for content in [b"first content".as_slice(), b"second"] {
            let at = bytes.windows(content.len()).position(|it| it == content).unwrap();
            assert_eq!(at % ALIGNMENT, 0);
        }
        // Two rows of 46 bytes and a name each, before the 22 bytes of the end.
        let end = bytes.len() - 22;
        let directory = end - 2 * 46 - "a".len() - "a longer name".len();
        assert_eq!(bytes[directory..directory + 4], *b"PK\x01\x02");
        assert_eq!(bytes[end + 16..end + 20], (directory as u32).to_le_bytes());
        assert_eq!(bytes[end + 10..end + 12], [2, 0]);
    }
}
