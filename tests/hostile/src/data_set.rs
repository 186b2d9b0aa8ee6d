//! Files of data sets, and the archives they come in.

use std::fs;
use std::io::Write;
use std::path::Path;

use backburn_data::ImageShape;
use backburn_data::content::Content;
use backburn_data::fetch::fetch_published;
use backburn_data::inspect::inspect_content;
use backburn_data::npy;
use backburn_data::publication::{Archive, Format, Publication, PublishedFile};
use flate2::{Compression, write::GzEncoder};

use crate::Seed;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

fn published(name: &str, format: Format, bytes: u64) -> PublishedFile {
    PublishedFile { name: name.into(), format, bytes, sha256: None, gzip: None, optional: false }
}

fn publication(files: Vec<PublishedFile>) -> Publication {
    Publication {
        name: "hostile".into(),
        title: String::new(),
        homepage: String::new(),
        licence: String::new(),
        citation: String::new(),
        classes: 10,
        folders: vec!["hostile".into()],
        mirrors: Vec::new(),
        by_hand: None,
        archive: Some(Archive { name: "all.tar.gz".into(), bytes_at_most: 1 << 20, sha256: None }),
        files,
    }
}

fn read(input: &[u8], format: Format, bytes: u64) -> Option<Content> {
    let publication = publication(vec![published("file", format, bytes)]);
    let inspected = inspect_content(&publication, &publication.files[0], Path::new("file"), input);
    match inspected {
        Ok(inspected) => {
            assert_eq!(inspected.record.bytes, input.len() as u64);
            Some(inspected.content)
        }
        Err(error) => {
            assert!(error.to_string().contains("data fetch hostile"), "no cure: {error}");
            None
        }
    }
}

/// An IDX file of images or of labels, gzipped or not. Gzipping must make no difference.
pub(crate) fn idx(input: &[u8]) -> bool {
    let mut is_valid = false;
    for format in [Format::IdxImages, Format::IdxLabels] {
        let content = read(input, format, 0);
        match &content {
            Some(Content::Pixels { images, pixels }) => {
                assert_eq!(pixels.len(), images * 28 * 28);
            }
            Some(Content::Labels(labels)) => assert!(labels.iter().all(|&label| label < 10)),
            Some(_) => panic!("neither images nor labels"),
            None => {}
        }
        is_valid |= content.is_some();
        if !input.starts_with(&GZIP_MAGIC) && !input.is_empty() {
            assert_eq!(read(&gzip(input), format, 0), content, "gzipped is read otherwise");
        }
    }
    is_valid
}

pub(crate) fn idx_seeds() -> Vec<Seed> {
    let image = |count: u32| {
        let mut file = [0x0803_u32, count, 28, 28].map(u32::to_be_bytes).concat();
        file.extend((0..count * 784).map(|i| (i % 251) as u8));
        file
    };
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 3][..], &[5, 0, 9]].concat();
    let bomb = [[0x0803_u32, 1 << 16, 28, 28].map(u32::to_be_bytes).concat(), vec![0; 1 << 20]];
    vec![
        Seed::valid("image", image(1)),
        Seed::valid("images.gz", gzip(&image(2))),
        Seed::valid("labels", labels.clone()),
        Seed::valid("labels.gz", gzip(&labels)),
        Seed::refused("claims-all", [0x0803, u32::MAX, 28, 28].map(u32::to_be_bytes).concat()),
        Seed::refused("bomb.gz", gzip(&bomb.concat())),
        Seed::refused("no-images", [0x0803, 0, 28, 28].map(u32::to_be_bytes).concat()),
    ]
}

/// A batch of CIFAR-10; its length is that of the whole records in it.
pub(crate) fn cifar_batch(input: &[u8]) -> bool {
    const RECORD: usize = 3073;
    let whole = (input.len() / RECORD * RECORD) as u64;
    match read(input, Format::CifarBatch, whole) {
        Some(Content::Labeled { pixels, labels }) => {
            assert_eq!(labels.len() * RECORD, input.len());
            assert_eq!(pixels.len() + labels.len(), input.len());
            assert!(labels.iter().all(|&label| label < 10));
            true
        }
        Some(_) => panic!("no labelled images"),
        None => false,
    }
}

pub(crate) fn cifar_batch_seeds() -> Vec<Seed> {
    let record = |label: u8| {
        let mut record = vec![label];
        record.extend((0..3072_u32).map(|i| (i % 253) as u8));
        record
    };
    vec![
        Seed::valid("record", record(9)),
        Seed::refused("label", record(10)),
        Seed::refused("short", record(3).split_off(1)),
    ]
}

/// A file of CIFAR-100, read by its fine labels and by its coarse ones; either both are right or none.
pub(crate) fn cifar_100(input: &[u8]) -> bool {
    const RECORD: usize = 3074;
    let [fine, coarse] = [Format::Cifar100Fine, Format::Cifar100Coarse].map(|f| read(input, f, 0));
    let (fine, coarse) = match (fine, coarse) {
        (None, None) => return false,
        (Some(fine), Some(coarse)) => (fine, coarse),
        _ => panic!("right by one of its labels alone"),
    };
    for (content, classes, place) in [(fine, 100, 1), (coarse, 20, 0)] {
        let Content::Labeled { pixels, labels } = content else { panic!("no labelled images") };
        assert_eq!(labels.len() * RECORD, input.len());
        assert_eq!(pixels.len() + 2 * labels.len(), input.len());
        for (record, &label) in input.chunks(RECORD).zip(&labels) {
            assert!(label < classes && label == u16::from(record[place]));
        }
    }
    true
}

pub(crate) fn cifar_100_seeds() -> Vec<Seed> {
    let record = |coarse: u8, fine: u8| {
        let mut record = vec![coarse, fine];
        record.extend((0..3072_u32).map(|i| (i % 253) as u8));
        record
    };
    vec![
        Seed::valid("record", record(19, 99)),
        Seed::valid("two", [record(0, 7), record(3, 0)].concat()),
        Seed::refused("coarse", record(20, 3)),
        Seed::refused("fine", record(3, 100)),
        Seed::refused("short", record(3, 3).split_off(1)),
    ]
}

/// An array of labels, or of two images of 3 × 2 × 2.
pub(crate) fn npy(input: &[u8]) -> bool {
    let shape = ImageShape { channels: 3, height: 2, width: 2 };
    let labels = npy::labels(input, 10);
    let images = npy::images(input, shape, 2);
    if let Ok(labels) = &labels {
        assert!(labels.len() <= input.len() && labels.iter().all(|&label| label < 10));
    }
    if let Ok(pixels) = &images {
        assert_eq!(pixels.len(), 2 * shape.pixels());
        // Its first pixel's colors, wherever the header ends.
        let data = &input[input.len() - pixels.len()..];
        assert_eq!([pixels[0], pixels[4], pixels[8]], data[..3]);
    }
    labels.is_ok() || images.is_ok()
}

pub(crate) fn npy_seeds() -> Vec<Seed> {
    let array = |descr: &str, order: &str, shape: &str, data: &[u8]| {
        let header =
            format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    };
    let pixels: Vec<u8> = (0..24).map(|i| i * 7).collect();
    vec![
        Seed::valid("images", array("'|u1'", "False", "(2, 2, 2, 3)", &pixels)),
        Seed::valid("labels", array("'|u1'", "False", "(3,)", &[5, 0, 9])),
        Seed::valid("long", array("'<i8'", "False", "(1,)", &[4, 0, 0, 0, 0, 0, 0, 0])),
        Seed::refused("big-endian", array("'>i8'", "False", "(1,)", &[0, 0, 0, 0, 0, 0, 0, 4])),
        Seed::refused("fortran", array("'|u1'", "True", "(2, 2, 2, 3)", &pixels)),
        Seed::refused("objects", array("'|O'", "False", "(3,)", b"pickled")),
        Seed::refused("structured", array("[('a', '|u1')]", "False", "(3,)", &[5, 0, 9])),
        Seed::refused("claims-all", array("'<u8'", "False", "(18446744073709551615,)", &[1])),
        Seed::refused("claims-much", array("'<u8'", "False", "(16777216,)", &[1])),
    ]
}

/// The file that the archive should hold, and its SHA-256.
const CONTENT: &[u8] = b"apples and pears";
const SHA256: &str = "5f5612caca875ffc5028fa15c98a95a1925d3b4f39a9d8ce004fd0032d1ea0a5";

/// A tar archive, gzipped here if it is not yet, is unpacked into a data folder. Whatever it says,
/// nothing appears outside, and inside only the published file with its published content.
pub(crate) fn archive(input: &[u8]) -> bool {
    let root = tempfile::tempdir().expect("a temporary folder");
    let from = root.path().join("all.tar.gz");
    let compressed = match input.starts_with(&GZIP_MAGIC) {
        true => input.to_vec(),
        false => gzip(input),
    };
    fs::write(&from, compressed).expect("disk space for a small file");
    let mut file = published("fruit.txt", Format::Text, CONTENT.len() as u64);
    file.sha256 = Some(SHA256.into());
    let publication = publication(vec![file]);
    let data = root.path().join("data");
    let result = fetch_published(&publication, &data, from.to_str(), &mut |_| {});

    let fruit = data.join("hostile/fruit.txt");
    match &result {
        Ok(fetched) => {
            assert_eq!(fetched.files.as_slice(), std::slice::from_ref(&fruit));
            assert_eq!(fs::read(&fruit).expect("it was just written"), CONTENT);
            assert_eq!(names(&data.join("hostile")), ["fruit.txt"]);
            assert_eq!(names(&data), ["hostile"]);
            assert_eq!(names(root.path()), ["all.tar.gz", "data"]);
        }
        Err(error) => {
            assert!(error.to_string().contains("; "), "no cure: {error}");
            assert_eq!(names(root.path()), ["all.tar.gz"], "left behind after {error}");
        }
    }
    for place in ESCAPES {
        assert!(!Path::new(place).exists(), "{place} came from an archive");
    }
    result.is_ok()
}

/// Where the archives among the seeds try to write.
const ESCAPES: [&str; 2] = ["/tmp/backburn-escaped-fruit.txt", "/tmp/fruit.txt"];

pub(crate) fn archive_seeds() -> Vec<Seed> {
    let file = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        // Past the checks of the crate, which writes no such names itself.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
        [&header.as_bytes()[..], content, &padding].concat()
    };
    let special = |path: &str, kind: tar::EntryType, to: &str| {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_link_name(to).expect("a short name");
        header.set_size(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let long_name = |length: usize| {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..13].copy_from_slice(b"././@LongLink");
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(length as u64);
        header.set_cksum();
        [&header.as_bytes()[..], &vec![b'a'; length]].concat()
    };
    let end = vec![0; 1024];
    let good = file("hostile/fruit.txt", CONTENT);
    let linked = special("fruit.txt", tar::EntryType::Symlink, "/tmp/backburn-escaped-fruit.txt");
    let hard = special("fruit.txt", tar::EntryType::Link, "/etc/passwd");
    vec![
        Seed::valid("good", [&good[..], &end].concat()),
        Seed::valid("good.tar.gz", gzip(&[&good[..], &end].concat())),
        // The file has its own name wherever the archive would have it.
        Seed::valid("parent", [&file("../../fruit.txt", CONTENT)[..], &end].concat()),
        Seed::valid("absolute", [&file("/tmp/fruit.txt", CONTENT)[..], &end].concat()),
        Seed::refused(
            "escape",
            [&file("../../../../tmp/backburn-escaped-fruit.txt", CONTENT)[..], &end].concat(),
        ),
        Seed::valid("symlink-first", [&linked[..], &good, &end].concat()),
        Seed::refused("symlink", [&linked[..], &end].concat()),
        Seed::refused("hard-link", [&hard[..], &end].concat()),
        Seed::valid("long-name", [&long_name(1024)[..], &good, &end].concat()),
        Seed::refused(
            "wrong-content",
            [&file("fruit.txt", b"apples and bears")[..], &end].concat(),
        ),
        Seed::refused("not-gzip", vec![0x1f, 0x8b, 8, 0]),
    ]
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder of ours");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("a folder of ours").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}
