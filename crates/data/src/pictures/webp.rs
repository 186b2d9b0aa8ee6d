//! The chunks of a WebP file, and what the frames in them claim to measure.

/// What one stretch of a WebP file is.
pub(super) struct Chunk<'a> {
    /// Its four letters.
    pub(super) name: [u8; 4],
    /// Its content; `None` if the file ends before it does.
    pub(super) content: Option<&'a [u8]>,
}

/// The chunks that begin at `bytes`, until one is not whole.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let (name, after) = rest?.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let content = after.get(..length);
        // Chunks begin at even places.
        rest = content.and_then(|_| after.get(length + length % 2..));
        Some(Chunk { name: *name, content })
    })
}

/// The chunks of a file, which stand behind its 12 bytes of header.
pub(super) fn chunks_of_file(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    chunks(bytes.get(12..).unwrap_or_default())
}

/// Width and height of every frame whose coded data say so, which a decoder believes before it compares them with the
/// size of the whole.
pub(super) fn frames(bytes: &[u8]) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    for chunk in chunks_of_file(bytes) {
        let content = chunk.content.unwrap_or_default();
        match &chunk.name {
            // A frame of an animation: 16 bytes, then chunks of its own.
            b"ANMF" => {
                let inner = chunks(content.get(16..).unwrap_or_default());
                found.extend(inner.filter_map(|chunk| frame(&chunk)));
            }
            _ => found.extend(frame(&chunk)),
        }
    }
    found
}

/// What the head of coded data says, 14 bits a side.
fn frame(chunk: &Chunk<'_>) -> Option<(u64, u64)> {
    let content = chunk.content?;
    match &chunk.name {
        b"VP8 " => {
            let [a, b, c, d] = *content.get(6..)?.first_chunk::<4>()?;
            let side = |bytes| u64::from(u16::from_le_bytes(bytes) & 0x3fff);
            Some((side([a, b]), side([c, d])))
        }
        b"VP8L" => {
            let bits = u32::from_le_bytes(*content.get(1..)?.first_chunk::<4>()?);
            let side = |bits: u32| u64::from(bits & 0x3fff) + 1;
            Some((side(bits), side(bits >> 14)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_tell_their_size_wherever_they_stand() {
        let lossy = [&b"VP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a"[..], &[3, 0x40, 2, 0]].concat();
        let lossless = [&b"VP8L\x05\0\0\0\x2f"[..], &(6u32 | 4 << 14).to_le_bytes(), &[0]].concat();
        let inner = [&[0; 16][..], &lossless].concat();
        let animated = [&b"ANMF"[..], &(inner.len() as u32).to_le_bytes(), &inner].concat();
        let file = [&b"RIFF\0\0\0\0WEBP"[..], &lossy, &animated].concat();
        assert_eq!(frames(&file), [(3, 2), (7, 5)]);
        for length in 0..file.len() {
            assert!(frames(&file[..length]).len() <= 2);
        }
    }

    #[test]
    fn a_chunk_that_the_file_does_not_hold_is_seen() {
        let whole: Vec<_> =
            chunks(b"EXIF\x02\0\0\0ab").map(|chunk| chunk.content.is_some()).collect();
        let cut: Vec<_> =
            chunks(b"EXIF\x03\0\0\0ab").map(|chunk| chunk.content.is_some()).collect();
        assert_eq!((whole, cut), (vec![true], vec![false]));
    }
}
