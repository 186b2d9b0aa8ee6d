//! A compressed tar archive: files in one folder, sorted by name, all of one date and one owner.
//!
//! POSIX.1-1988's interchange format, `ustar`, which every tar reads.

use std::io::Write;

use flate2::{Compression, GzBuilder};

use super::file::{File, TIME};

/// Bytes of a block, which headers and contents fill up to.
const BLOCK: usize = 512;

/// The archive's bytes, with all `files` in the folder `root`.
///
/// # Errors
///
/// If a name or a file is too long for the format.
pub(super) fn tar_gz(root: &str, files: &[File]) -> Result<Vec<u8>, String> {
    // Without a name and a date in its header.
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    let packed = writer.write_all(&tar(root, files)?).and_then(|()| writer.finish());
    packed.map_err(|error| format!("cannot compress the archive: {error}"))
}

fn tar(root: &str, files: &[File]) -> Result<Vec<u8>, String> {
    let mut sorted: Vec<&File> = files.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut bytes = Vec::new();
    for file in sorted {
        bytes.extend_from_slice(&header(&format!("{root}/{}", file.name), file)?);
        bytes.extend_from_slice(&file.content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    // Two empty blocks are the end.
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    Ok(bytes)
}

fn header(name: &str, file: &File) -> Result<[u8; BLOCK], String> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, most: usize, text: &str| match text.len() <= most {
        true => {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
            Ok(())
        }
        false => Err(format!("{name}: too long for a tar archive")),
    };
    put(0, 100, name)?;
    put(100, 8, &format!("{:07o}\0", file.kind.mode()))?;
    put(108, 8, "0000000\0")?;
    put(116, 8, "0000000\0")?;
    put(124, 12, &format!("{:011o}\0", file.content.len()))?;
    put(136, 12, &format!("{TIME:011o}\0"))?;
    // Counts as spaces in the sum.
    put(148, 8, "        ")?;
    put(156, 1, "0")?;
    put(257, 8, "ustar\x0000")?;
    put(265, 32, "root")?;
    put(297, 32, "root")?;
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn files() -> Vec<File> {
        vec![File::plain("b/text", vec![b'x'; 600]), File::executable("a", b"program".to_vec())]
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap().trim_end_matches('\0')
    }

    #[test]
    fn files_are_sorted_and_have_their_size_mode_and_sum() {
        let bytes = tar("top", &files()).unwrap();
        assert_eq!(bytes.len(), BLOCK * (2 + 3 + 2));
        let headers = [&bytes[..BLOCK], &bytes[2 * BLOCK..3 * BLOCK]];
        assert_eq!(headers.map(|it| text(&it[..100])), ["top/a", "top/b/text"]);
        assert_eq!(headers.map(|it| text(&it[100..108])), ["0000755", "0000644"]);
        assert_eq!(headers.map(|it| text(&it[124..136])), ["00000000007", "00000001130"]);
        for header in headers {
            let others = header[..148].iter().chain(&header[156..]);
            let sum: u32 = others.map(|&byte| u32::from(byte)).sum::<u32>() + 8 * 32;
            assert_eq!(text(&header[148..154]), format!("{sum:06o}"));
        }
        assert_eq!(&bytes[BLOCK..BLOCK + 7], b"program");
    }

    #[test]
    fn the_same_files_in_any_order_give_the_same_bytes() {
        let mut turned = files();
        turned.reverse();
        let bytes = tar_gz("top", &files()).unwrap();
        assert_eq!(bytes, tar_gz("top", &turned).unwrap());
        // No date in the header of gzip.
        assert_eq!(bytes[4..8], [0; 4]);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, tar("top", &files()).unwrap());
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        let file = File::plain("x".repeat(97), Vec::new());
        assert!(tar("top", &[file]).unwrap_err().contains("too long"));
    }
}
