//! `TFRecord`: a file of records, each with checksums.
//!
//! ```text
//! length (8 bytes) | masked CRC-32C of these (4) | the record | masked CRC-32C of it (4)     little-endian
//! ```
//!
//! <https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details>

/// Adds a record to a file's bytes.
pub(crate) fn push_record(file: &mut Vec<u8>, record: &[u8]) {
    let length = (record.len() as u64).to_le_bytes();
    file.extend_from_slice(&length);
    file.extend_from_slice(&masked(crc32c(&length)).to_le_bytes());
    file.extend_from_slice(record);
    file.extend_from_slice(&masked(crc32c(record)).to_le_bytes());
}

/// The records of a file up to the first that is cut or damaged, as readers take them.
pub(crate) fn records(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = file.split_first_chunk::<8>()?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*checksum) != masked(crc32c(length)) {
            return None;
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (record, rest) = rest.split_at_checked(length)?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        file = rest;
        (u32::from_le_bytes(*checksum) == masked(crc32c(record))).then_some(record)
    })
    .fuse()
}

/// As it is stored, so that a checksum over bytes that hold one tells something too: `((c >> 15) | (c << 17)) +
/// 0xa282ead8`.
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), reflected polynomial `0x82f63b78`, a byte at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut checksum = u32::MAX;
    for byte in bytes {
        let place = (checksum as u8 ^ byte) as usize;
        checksum = checksum >> 8 ^ TABLE.get(place).copied().unwrap_or_default();
    }
    !checksum
}

/// The checksum of each byte alone.
static TABLE: [u32; 256] = table();

#[expect(clippy::indexing_slicing, reason = "at compile time")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut checksum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            checksum = checksum >> 1 ^ if checksum & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[byte] = checksum;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        // Appendix B.4: 32 bytes of zeros, of ones, and ascending. The last is the check value of the catalogues.
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_are_read_up_to_the_first_that_is_not_whole() {
        let mut file = Vec::new();
        for record in [&b"one"[..], b"", b"three"] {
            push_record(&mut file, record);
        }
        assert_eq!(records(&file).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        let starts = [0, 19, 35, file.len()];
        for cut in 0..file.len() {
            let whole = starts.iter().filter(|start| **start <= cut).count() - 1;
            assert_eq!(records(&file[..cut]).count(), whole, "{cut}");
            let mut damaged = file.clone();
            damaged[cut] ^= 4;
            assert_eq!(records(&damaged).count(), whole, "{cut}");
        }
    }
}
