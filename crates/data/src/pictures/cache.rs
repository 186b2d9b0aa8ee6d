//! The file of prepared pictures: decoded once, mapped ever after.
//!
//! | bytes | content |
//! | --- | --- |
//! | 0 to 7 | `BBPIXELS` |
//! | 8 to 11 | version of this layout, as all numbers with the lowest byte first |
//! | 12 to 27 | length of the pixels; length of the contents |
//! | 28 to 59 | SHA-256 of the contents |
//! | 60 to 91 | SHA-256 of bytes 0 to 59 |
//! | 4096 … | pixels, `[images, channels, height, width]` |
//! | behind them | the contents, in JSON: [`Contents`] |
//!
//! The contents stand last, as what they tell (damaged pictures, a checksum) is known last.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::checksum::hexadecimal;
use crate::image_set::SharedBytes;

use super::colour::Colour;
use super::error::PicturesError;
use super::fit::Fit;
use super::layout::Survey;
use super::mapping::Mapping;
use super::part::Part;
use super::preparation::Preparation;
use super::settings::{Channels, PictureSettings};
use super::size::PictureSize;
use super::skipped::Skipped;
use super::source::as_text;

const MAGIC: &[u8; 8] = b"BBPIXELS";
const VERSION: u32 = 1;
/// Bytes before the pixels: a page, so that they begin at one.
const PAGE: usize = 4096;
/// Bytes of the header that its own checksum is of.
const CHECKED: usize = 60;
/// Bytes that are hashed at once; a checksum of pixels is the SHA-256 of those of all blocks, so that threads share it.
const BLOCK: usize = 1 << 22;

/// The settings that decide on the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PreparedWith {
    size: Option<PictureSize>,
    fit: Fit,
    channels: Channels,
    background: Colour,
    most_pixels: u64,
    skip_damaged: bool,
}

impl From<&PictureSettings> for PreparedWith {
    fn from(settings: &PictureSettings) -> Self {
        let PictureSettings { size, fit, channels, background, most_pixels, skip_damaged, .. } =
            *settings;
        Self { size, fit, channels, background, most_pixels, skip_damaged }
    }
}

/// A picture's file, as it was when its pixels were prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    path: String,
    label: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
    bytes: u64,
    modified: i64,
}

/// Where the size of the prepared pictures comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SizeFrom {
    /// The settings.
    Settings,
    /// All pictures have it.
    Pictures,
    /// Neither of them.
    Default,
}

/// A picture without pixels in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    /// Its place among the sources.
    pub(super) index: usize,
    /// Why.
    pub(super) reason: String,
}

/// What the pixels are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) prepared_with: PreparedWith,
    pub(super) preparation: Preparation,
    pub(super) size_from: SizeFrom,
    pub(super) class_names: Vec<String>,
    pub(super) sources: Vec<Source>,
    pub(super) skipped: Skipped,
    pub(super) damaged: Vec<LeftOut>,
    /// SHA-256 of the SHA-256s of each 4 MiB of the pixels, in hexadecimal.
    pub(super) pixels_sha256: String,
}

/// Files as they are now, for comparison with [`Contents::sources`].
pub(super) fn sources(survey: &Survey) -> Vec<Source> {
    let source = |file: &super::source::PictureFile| Source {
        path: as_text(&file.path),
        label: file.label,
        part: file.part,
        bytes: file.bytes,
        modified: file.modified,
    };
    survey.files.iter().map(source).collect()
}

impl Contents {
    /// Whether the same settings and files would give the same pixels.
    fn are_of(&self, prepared_with: &PreparedWith, survey: &Survey) -> bool {
        self.prepared_with == *prepared_with
            && self.class_names == survey.class_names
            && self.sources == sources(survey)
    }

    /// Number of images whose pixels there are.
    pub(super) fn images(&self) -> usize {
        self.sources.len() - self.damaged.len()
    }
}

/// Where the prepared pictures of a folder are kept: one file for a path and settings that decide on pixels, so that
/// newer pictures take the place of older ones.
pub(super) fn file_of(cache_folder: &Path, path: &Path, prepared_with: &PreparedWith) -> PathBuf {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut hasher = Sha256::new();
    hasher.update(real.as_os_str().as_encoded_bytes());
    hasher.update(format!("\0{prepared_with:?}"));
    let key = hexadecimal(&hasher.finalize());
    let name = real.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
    let name: String =
        name.chars().take(40).map(|letter| if plain(letter) { letter } else { '_' }).collect();
    cache_folder.join(format!("{name}-{}.pictures", key.get(..16).unwrap_or_default()))
}

/// What was found in place of a file of prepared pictures.
pub(super) enum Found {
    /// The pixels that are wanted.
    Prepared(Box<Contents>, SharedBytes),
    /// None, or those of other files or settings.
    Nothing,
    /// A file that is not as it was written.
    Damaged(String),
}

/// Opens a file of prepared pictures and checks it: the header and contents, and all pixels by their checksum.
pub(super) fn open(file: &Path, prepared_with: &PreparedWith, survey: &Survey) -> Found {
    let damaged = |reason: &str| Found::Damaged(reason.to_owned());
    let mut file = match File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return Found::Damaged(error.to_string()),
    };
    let (contents, pixels) = match read_contents(&mut file) {
        Ok(read) => read,
        Err(Unusable::OtherVersion) => return Found::Nothing,
        Err(Unusable::Damaged(reason)) => return Found::Damaged(reason),
    };
    if !contents.are_of(prepared_with, survey) {
        return Found::Nothing;
    }
    let images = contents.sources.len().checked_sub(contents.damaged.len());
    if images.map(|images| images * contents.preparation.shape().pixels()) != Some(pixels) {
        return damaged("it has more or fewer pixels than it should");
    }
    match Mapping::of(&file, PAGE..PAGE + pixels) {
        Err(error) => Found::Damaged(error.to_string()),
        Ok(mapping) if sha256_of_blocks(mapping.as_ref()) != contents.pixels_sha256 => {
            damaged("its pixels are not those that were written")
        }
        Ok(mapping) => Found::Prepared(Box::new(contents), Arc::new(mapping)),
    }
}

enum Unusable {
    OtherVersion,
    Damaged(String),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// The contents, and the length of the pixels.
fn read_contents(file: &mut File) -> Result<(Contents, usize), Unusable> {
    let damaged = |reason: &str| Unusable::Damaged(reason.to_owned());
    let mut header = [0; CHECKED + 32];
    file.read_exact(&mut header)?;
    let (checked, sum) = header.split_at(CHECKED);
    if Sha256::digest(checked).as_slice() != sum || !checked.starts_with(MAGIC) {
        return Err(damaged("its header is not as it was written"));
    }
    let number = |at: usize, bytes: usize| {
        let bytes = checked.get(at..at + bytes).unwrap_or_default();
        bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    if number(8, 4) != u64::from(VERSION) {
        return Err(Unusable::OtherVersion);
    }
    let (pixels, length) = (number(12, 8), number(20, 8));
    if file.metadata()?.len() != PAGE as u64 + pixels + length {
        return Err(damaged("it is shorter or longer than it was written"));
    }
    file.seek(SeekFrom::Start(PAGE as u64 + pixels))?;
    let mut json = Vec::new();
    file.read_to_end(&mut json)?;
    if Some(Sha256::digest(&json).as_slice()) != checked.get(28..) {
        return Err(damaged("its contents are not those that were written"));
    }
    let contents =
        serde_json::from_slice(&json).map_err(|error| Unusable::Damaged(error.to_string()))?;
    let pixels =
        usize::try_from(pixels).map_err(|_| damaged("it is too large for this machine"))?;
    Ok((contents, pixels))
}

fn sha256_of_blocks(pixels: &[u8]) -> String {
    let sums: Vec<_> = pixels.par_chunks(BLOCK).map(Sha256::digest).collect();
    hexadecimal(&Sha256::digest(sums.concat()))
}

/// A file of prepared pictures that is being written, under a name of its own. If it is dropped, it is removed.
pub(super) struct Writing {
    file: NamedTempFile,
    /// The name that it will have.
    path: PathBuf,
    /// The checksums of the blocks that are full, and what the next one holds so far.
    sums: Vec<u8>,
    block: Sha256,
    filled: usize,
    written: u64,
}

impl Writing {
    /// Begins a file that will be called `path`. Its folder is made if it is not there; files that killed processes
    /// have left half written are removed from it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn begin(path: PathBuf) -> Result<Self, PicturesError> {
        let begin = || -> io::Result<NamedTempFile> {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let prefix = format!(".{}-", path.file_stem().unwrap_or_default().to_string_lossy());
            remove_leftovers(folder, &prefix)?;
            let mut file = tempfile::Builder::new();
            let mut file = file.prefix(&prefix).suffix(TEMPORARY).tempfile_in(folder)?;
            file.as_file_mut().write_all(&[0; PAGE])?;
            Ok(file)
        };
        let file = begin().map_err(|source| PicturesError::Write { path: path.clone(), source })?;
        Ok(Self { file, path, sums: Vec::new(), block: Sha256::new(), filled: 0, written: 0 })
    }

    /// The same file, which will be called `path` in the same folder.
    pub(super) fn named(self, path: &Path) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// Adds the pixels of one image.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn push(&mut self, pixels: &[u8]) -> Result<(), PicturesError> {
        // Past the wrapper, which would put the temporary name into the message.
        let result = self.file.as_file_mut().write_all(pixels);
        result.map_err(|source| PicturesError::Write { path: self.path.clone(), source })?;
        self.written += pixels.len() as u64;
        let mut rest = pixels;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.filled));
            self.block.update(now);
            self.filled += now.len();
            rest = later;
            if self.filled == BLOCK {
                self.finish_block();
            }
        }
        Ok(())
    }

    fn finish_block(&mut self) {
        self.sums.extend(self.block.finalize_reset());
        self.filled = 0;
    }

    /// Adds the contents and the header, makes sure that all is on the disk, and gives the file its name.
    ///
    /// # Errors
    ///
    /// What the system says; then there is no file, or the one that was there before.
    pub(super) fn finish(mut self, mut contents: Contents) -> Result<(), PicturesError> {
        if self.filled > 0 {
            self.finish_block();
        }
        contents.pixels_sha256 = hexadecimal(&Sha256::digest(&self.sums));
        let path = self.path.clone();
        self.complete(&contents).map_err(|source| PicturesError::Write { path, source })
    }

    fn complete(mut self, contents: &Contents) -> io::Result<()> {
        let json = serde_json::to_vec(contents)?;
        let mut header = Vec::with_capacity(CHECKED + 32);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend(self.written.to_le_bytes());
        header.extend((json.len() as u64).to_le_bytes());
        header.extend(Sha256::digest(&json));
        header.extend(Sha256::digest(&header));
        let file = self.file.as_file_mut();
        file.write_all(&json)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header)?;
        // Temporary files are private; prepared pictures are for everyone that the folder is for.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.sync_all()?;
        self.file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// What names of files end with that are being written.
const TEMPORARY: &str = ".tmp";
/// Files that nobody has written to for so long are leftovers.
const ABANDONED: Duration = Duration::from_hours(24);

/// Removes what killed processes have left of this file. Another process may be writing one right now: its file is
/// younger.
fn remove_leftovers(folder: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.map(|modified| SystemTime::now().duration_since(modified));
        let abandoned = age.is_ok_and(|age| age.is_ok_and(|age| age > ABANDONED));
        if name.starts_with(prefix) && name.ends_with(TEMPORARY) && abandoned {
            let _ = fs::remove_file(entry.path()); // Another process may have been faster.
        }
    }
    Ok(())
}
