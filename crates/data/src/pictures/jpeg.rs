//! The end of a JPEG file, which a decoder that forgives everything does not miss.

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// Whether the end-of-image marker is there: not that of a thumbnail, which lies within a segment.
///
/// Walks from marker to marker, over segments by their lengths and over coded data to the next marker. Whatever follows
/// the end does not count.
pub(super) fn ends(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, after)) = next_marker(rest) {
        if marker == END_OF_IMAGE {
            return true;
        }
        let length = after.first_chunk::<2>().map_or(0, |length| u16::from_be_bytes(*length));
        let Some(behind) = after.get(usize::from(length.max(2))..) else { break };
        rest = if marker == START_OF_SCAN { coded_data_end(behind) } else { behind };
    }
    false
}

/// The next marker that has a meaning of its own, and what follows it. Bytes before it are passed over, as decoders do.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = bytes;
    loop {
        let at = rest.iter().position(|&byte| byte == 0xff)?;
        rest = rest.get(at + 1..)?;
        match rest {
            // Fill bytes, stuffed zeros, restarts, a second start and TEM stand for themselves.
            [0xff | 0x00 | 0x01 | 0xd0..=0xd8, ..] => {}
            [marker, after @ ..] => return Some((*marker, after)),
            [] => return None,
        }
    }
}

/// What follows the coded data of a scan: it ends at a marker that is no restart.
fn coded_data_end(bytes: &[u8]) -> &[u8] {
    let is_data = |second: u8| matches!(second, 0x00 | 0xd0..=0xd7 | 0xff);
    let starts = |pair: &[u8]| matches!(pair, [0xff, second] if !is_data(*second));
    let end = bytes.windows(2).position(starts);
    end.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start, a segment that holds a whole thumbnail, a frame, a scan with a stuffed zero and a restart in it.
    fn with_thumbnail() -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        bytes.extend([0xff, 0xc0, 0, 11, 8, 0, 4, 0, 4, 3, 1, 0x11, 0]);
        bytes.extend([0xff, 0xff, 0xda, 0, 3, 0, 1, 2, 0xff, 0x00, 3, 0xff, 0xd0, 4]);
        bytes
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end_of_the_picture() {
        let mut bytes = with_thumbnail();
        assert!(!ends(&bytes));
        bytes.extend([0xff, 0xd9]);
        assert!(ends(&bytes));
        bytes.extend(b"whatever follows \xff\xc0");
        assert!(ends(&bytes));
    }

    #[test]
    fn any_bytes_come_to_an_end() {
        for bytes in [
            &b""[..],
            b"\xff",
            b"\xff\xd8",
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xda",
            b"\xff\xd8\xff\xda\0\0\xff",
        ] {
            assert!(!ends(bytes));
        }
    }
}
