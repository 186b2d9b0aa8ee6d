//! Brings published files into a data folder, from mirrors or from a folder at hand.
//!
//! A file appears under its name only whole and with its published checksum, or with the published
//! format and size where no checksum is on record. Until then it is `NAME.partial`, from which a
//! download that broke off is resumed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::{
    checksum::hexadecimal,
    download::{self, Transfer},
    entry::Entry,
    error::DataError,
    fetch_progress::FetchProgress,
    inspect::{Recognition, inspect, inspect_content, read_bounded},
    owner::Owner,
    publication::{Archive, Publication, PublishedFile},
};

/// What a fetch has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where the files are.
    pub files: Vec<PathBuf>,
    /// What the user should be told: which files were in the way, and where they are now; that nothing was to be done.
    pub notes: Vec<String>,
}

/// Brings the files of a data set into its folder below `destination_root`.
///
/// `from` is a folder, an archive file or an address; without it the publishers' mirrors are tried
/// in order. Files that are there already and are the published ones are left alone. A file there
/// that is not the published one is renamed to `NAME.unverified`, or to `NAME.unverified-2` and so on.
///
/// # Errors
///
/// If the set is built in, `from` lacks a file or has another one, no mirror delivers, or the
/// destination cannot be written.
pub fn fetch(
    entry: &Entry,
    destination_root: &Path,
    from: Option<&str>,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<Fetched, DataError> {
    let publication =
        entry.publication().ok_or(DataError::BuiltIn { dataset: entry.name.to_owned() })?;
    fetch_published(publication, destination_root, from, progress)
}

/// Fetches like [`fetch`], for a data set that need not be in the catalog.
///
/// # Errors
///
/// See [`fetch`].
pub fn fetch_published(
    publication: &Publication,
    destination_root: &Path,
    from: Option<&str>,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<Fetched, DataError> {
    let folder = publication.folders_in(destination_root).swap_remove(0);
    let new_folders: Vec<&Path> =
        [folder.as_path(), destination_root].into_iter().filter(|path| !path.exists()).collect();
    fs::create_dir_all(&folder).map_err(write_error(&folder))?;
    let notes = Vec::new();
    let mut job = Job { publication, folder: &folder, progress, notes };
    let result = job.run(from);
    if result.is_err() {
        for folder in new_folders {
            // Succeeds only if the folder is empty; a partial download stays.
            let _ = fs::remove_dir(folder);
        }
    }
    result
}

fn is_address(from: &str) -> bool {
    from.starts_with("http://") || from.starts_with("https://")
}

/// The fetching of one publication into one folder.
struct Job<'a> {
    publication: &'a Publication,
    folder: &'a Path,
    progress: &'a mut dyn FnMut(FetchProgress<'_>),
    /// What was set aside, what was taken without a checksum, and what was not read.
    notes: Vec<String>,
}

impl Job<'_> {
    fn run(&mut self, from: Option<&str>) -> Result<Fetched, DataError> {
        let publication = self.publication;
        let files = publication.files.iter();
        let lacking: Vec<&PublishedFile> =
            files.filter(|file| self.verified(file).is_none()).collect();
        match from {
            Some(from) if lacking.is_empty() => {
                self.notes.push(format!("all files are there already; {from} was not read"));
            }
            Some(path) if !is_address(path) => self.copy_all(&lacking, Path::new(path))?,
            // What can be done without is not worth a download of its own.
            _ if lacking.iter().all(|file| file.optional) => {}
            Some(address) => self.download_all(&lacking, &[address.to_owned()])?,
            None => self.download_all(&lacking, &publication.mirrors)?,
        }
        let mut files = Vec::new();
        for file in &publication.files {
            if let Some(path) = self.verified(file) {
                self.set_others_aside(file, &path)?;
                files.push(path);
            }
        }
        Ok(Fetched { files, notes: std::mem::take(&mut self.notes) })
    }

    /// Where the published file is already, if it is.
    fn verified(&self, file: &PublishedFile) -> Option<PathBuf> {
        let mut paths = file.names().into_iter().map(|name| self.folder.join(name));
        paths.find(|path| is_verified(self.publication, file, path))
    }

    /// Renames what would be read in place of the verified file, but is not the published one.
    fn set_others_aside(&mut self, file: &PublishedFile, verified: &Path) -> Result<(), DataError> {
        for name in file.names() {
            let path = self.folder.join(&name);
            if path != verified && path.exists() && !is_verified(self.publication, file, &path) {
                self.set_aside(&path)?;
            }
        }
        Ok(())
    }

    /// Renames what is in the way, to a name that nothing has yet: it may be the only copy.
    fn set_aside(&mut self, path: &Path) -> Result<(), DataError> {
        let numbered = (2..).map(|number| with_suffix(path, &format!("unverified-{number}")));
        let mut names = std::iter::once(with_suffix(path, "unverified")).chain(numbered);
        let Some(aside) = names.find(|name| name.symlink_metadata().is_err()) else {
            return Ok(());
        };
        fs::rename(path, &aside).map_err(write_error(path))?;
        self.notes.push(format!(
            "{} was not the published file and is now {}",
            path.display(),
            aside.display()
        ));
        Ok(())
    }

    fn download_all(
        &mut self,
        lacking: &[&PublishedFile],
        mirrors: &[String],
    ) -> Result<(), DataError> {
        if mirrors.is_empty() {
            let (dataset, by_hand) = (&self.publication.name, &self.publication.by_hand);
            let archive = by_hand.as_ref().unwrap_or(&self.publication.homepage).clone();
            return Err(DataError::ByHand { dataset: dataset.clone(), archive });
        }
        if let Some(archive) = &self.publication.archive {
            return self.download_archive(archive, lacking, mirrors);
        }
        for file in lacking {
            let (name, bytes, sha256) = file.offered();
            let addresses = mirrors.iter().map(|mirror| join_address(mirror, &name)).collect();
            let target = self.folder.join(&name);
            let transfer = Transfer { file: &name, addresses, bytes_at_most: bytes };
            let partial = Partial::open(&target)?;
            self.transfer(&transfer, &partial, |job, partial| {
                job.check(file, sha256, partial, &target, &name)
                    .map_err(|error| error.of(Owner::Mirror))
            })?;
            if sha256.is_none() {
                self.notes.push(unrecorded_note(&target));
            }
            self.place(&partial, &target)?;
        }
        Ok(())
    }

    fn download_archive(
        &mut self,
        archive: &Archive,
        lacking: &[&PublishedFile],
        mirrors: &[String],
    ) -> Result<(), DataError> {
        let address = |mirror: &String| match mirror.ends_with(".gz") {
            true => mirror.clone(),
            false => join_address(mirror, &archive.name),
        };
        let addresses = mirrors.iter().map(address).collect();
        let bytes_at_most = archive.bytes_at_most;
        let transfer = Transfer { file: &archive.name, addresses, bytes_at_most };
        let partial = Partial::open(&self.folder.join(&archive.name))?;
        self.transfer(&transfer, &partial, |job, partial| {
            refuse_another(archive, &partial.file, &archive.name)
                .map_err(write_error(&partial.path))??;
            let mut file = &partial.file;
            file.seek(SeekFrom::Start(0)).map_err(write_error(&partial.path))?;
            let extracted = job.extract(file, &partial.path, lacking);
            extracted.map_err(|error| error.of(Owner::Mirror))
        })?;
        partial.discard();
        Ok(())
    }

    /// Downloads into `partial` until a mirror's file is accepted.
    fn transfer(
        &mut self,
        transfer: &Transfer<'_>,
        partial: &Partial,
        accept: impl Fn(&mut Self, &Partial) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut reasons = Vec::new();
        for address in &transfer.addresses {
            // What is left of an earlier try may be of another file; then all is fetched anew.
            for _ in 0..2 {
                let was_empty = partial.length() == 0;
                let received =
                    download::receive(address, transfer, &partial.file, &mut *self.progress);
                match received {
                    Err(download::Failure::Mirror(reason)) => {
                        reasons.push(format!("{address}: {reason}"));
                        break;
                    }
                    Err(download::Failure::Disk(source)) => {
                        return Err(write_error(&partial.path)(source));
                    }
                    Ok(()) => match accept(self, partial) {
                        Ok(()) => return Ok(()),
                        Err(error @ (DataError::Write { .. } | DataError::Busy { .. })) => {
                            return Err(error);
                        }
                        Err(error) => {
                            partial.empty()?;
                            if was_empty {
                                reasons.push(format!("{address}: {error}"));
                                break;
                            }
                        }
                    },
                }
            }
        }
        partial.discard_if_empty();
        Err(DataError::Download {
            dataset: self.publication.name.clone(),
            file: transfer.file.to_owned(),
            reasons,
        })
    }

    /// Copies from a folder that holds the files as a data folder may, or from an archive.
    fn copy_all(&mut self, lacking: &[&PublishedFile], from: &Path) -> Result<(), DataError> {
        let read_error = |path: &Path, source| DataError::Read {
            dataset: self.publication.name.clone(),
            path: path.to_owned(),
            owner: Owner::From,
            source,
        };
        let places = match from.metadata().map_err(|source| read_error(from, source))?.is_file() {
            true => Vec::new(),
            false => self.publication.folders_in(from),
        };
        let find = |names: &[String]| {
            let paths = places.iter().flat_map(|place| names.iter().map(|name| place.join(name)));
            paths.into_iter().find(|path| path.is_file())
        };
        let found: Vec<Option<PathBuf>> = lacking.iter().map(|file| find(&file.names())).collect();

        let missing =
            lacking.iter().zip(&found).find(|(file, path)| path.is_none() && !file.optional);
        if let Some((file, _)) = missing {
            let archive = match (&self.publication.archive, from.is_file()) {
                (Some(_), true) => Some(from.to_owned()),
                (Some(archive), false) => find(std::slice::from_ref(&archive.name)),
                (None, _) => None,
            };
            let Some(archive) = archive else {
                let archive = self.publication.archive.as_ref().map(|archive| archive.name.clone());
                let names: Vec<String> = file.names().into_iter().chain(archive).collect();
                let reason = format!("expected {} in it, found none", names.join(" or "));
                return Err(read_error(from, io::Error::new(io::ErrorKind::NotFound, reason)));
            };
            let reader = File::open(&archive).map_err(|source| read_error(&archive, source))?;
            if let Some(published) = &self.publication.archive {
                refuse_another(published, &reader, &archive.display().to_string())
                    .map_err(|source| read_error(&archive, source))??;
            }
            let extracted = self.extract(reader, &archive, lacking);
            return extracted.map_err(|error| error.of(Owner::From));
        }
        for (file, path) in lacking.iter().zip(found) {
            if let Some(path) = path {
                self.copy(file, &path)?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, file: &PublishedFile, from: &Path) -> Result<(), DataError> {
        let inspected =
            inspect(self.publication, file, from).map_err(|error| error.of(Owner::From))?;
        let sha256 = inspected.record.sha256;
        if inspected.recognition == Recognition::Another {
            let expected = match file.offered() {
                (_, _, Some(sum)) => format!("SHA-256 {sum}"),
                (_, bytes, None) => format!("{bytes} bytes"),
            };
            let origin = from.display().to_string();
            return Err(DataError::Checksum { origin, expected, found: sha256 });
        }
        // Its own name may mislead.
        let [plain, gzipped] = file.own_names();
        let name = if inspected.is_gzipped { gzipped } else { plain };
        let reader = File::open(from).map_err(|source| DataError::Read {
            dataset: self.publication.name.clone(),
            path: from.to_owned(),
            owner: Owner::From,
            source,
        })?;
        let target = self.folder.join(&name);
        if inspected.recognition == Recognition::Unrecorded {
            self.notes.push(unrecorded_note(&target));
        }
        let bytes = inspected.record.bytes;
        self.write_verified(file, reader, from, &target, bytes, Some(&sha256))
    }

    /// Takes the lacking files out of a gzipped tar archive, whatever folder they are in there.
    fn extract(
        &mut self,
        archive: impl Read,
        path: &Path,
        lacking: &[&PublishedFile],
    ) -> Result<(), DataError> {
        let damaged = |found: String| DataError::Format {
            dataset: self.publication.name.clone(),
            path: path.to_owned(),
            owner: Owner::default(),
            expected: "a gzipped tar archive of the published files".to_owned(),
            found,
        };
        let content = GzDecoder::new(BufReader::new(archive)).take(MOST_ARCHIVE_BYTES);
        let mut archive = tar::Archive::new(content);
        // An archive that failed before may have delivered some.
        let mut wanted: Vec<&PublishedFile> =
            lacking.iter().copied().filter(|file| self.verified(file).is_none()).collect();
        // Raw: the crate would gather long names in memory, however long. The files have short ones.
        let entries = archive.entries().map_err(|error| damaged(error.to_string()))?.raw(true);
        for entry in entries {
            let entry = entry.map_err(|error| damaged(error.to_string()))?;
            let name = entry.path().ok().and_then(|path| Some(path.file_name()?.to_owned()));
            let index = wanted.iter().position(|file| name.as_deref() == Some(file.name.as_ref()));
            let Some(index) = index.filter(|_| entry.header().entry_type().is_file()) else {
                continue;
            };
            let file = wanted.swap_remove(index);
            if entry.size() != file.bytes {
                return Err(damaged(format!("{} with {} bytes", file.name, entry.size())));
            }
            let target = self.folder.join(&file.name);
            let sha256 = file.sha256.as_deref();
            self.write_verified(file, entry, path, &target, file.bytes, sha256)?;
            if wanted.is_empty() {
                break;
            }
        }
        match wanted.iter().find(|file| !file.optional) {
            Some(file) => Err(damaged(format!("no {}", file.name))),
            None => Ok(()),
        }
    }

    /// Whether the `partial` that is to become `target` has that checksum, or if none is on record the
    /// format and size of the file. `origin`: what to call it in a message.
    fn check(
        &self,
        file: &PublishedFile,
        sha256: Option<&str>,
        partial: &Partial,
        target: &Path,
        origin: &str,
    ) -> Result<(), DataError> {
        let found = partial.sha256()?;
        let expected = match sha256 {
            Some(sha256) if found == sha256 => return Ok(()),
            Some(sha256) => format!("SHA-256 {sha256}"),
            None => {
                let content = read_bounded(self.publication, &partial.path)?;
                let inspected = inspect_content(self.publication, file, target, &content)?;
                if inspected.recognition != Recognition::Another {
                    return Ok(());
                }
                format!("{} bytes", file.bytes)
            }
        };
        Err(DataError::Checksum { origin: origin.to_owned(), expected, found })
    }

    /// Writes what should be `bytes` bytes of that checksum, and keeps them only if they are. If no
    /// checksum is on record, format and size must do.
    #[expect(clippy::indexing_slicing, reason = "what is read is at most the buffer")]
    fn write_verified(
        &mut self,
        file: &PublishedFile,
        mut reader: impl Read,
        from: &Path,
        target: &Path,
        bytes: u64,
        sha256: Option<&str>,
    ) -> Result<(), DataError> {
        let partial = Partial::open(target)?;
        partial.empty()?;
        let origin = from.display().to_string();
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        let read_error = |source| DataError::Read {
            dataset: self.publication.name.clone(),
            path: from.to_owned(),
            owner: Owner::From,
            source,
        };
        while done < bytes {
            let most = buffer.len().min(usize::try_from(bytes - done).unwrap_or(usize::MAX));
            let read = match reader.read(&mut buffer[..most]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    partial.discard();
                    return Err(read_error(source));
                }
            };
            (&partial.file).write_all(&buffer[..read]).map_err(write_error(&partial.path))?;
            done += read as u64;
            let (file, origin) = (name.as_ref(), origin.as_str());
            (self.progress)(FetchProgress { file, origin, done, total: Some(bytes) });
        }
        let origin = format!("{name} from {origin}");
        if let Err(error) = self.check(file, sha256, &partial, target, &origin) {
            partial.discard();
            return Err(error);
        }
        self.place(&partial, target)
    }

    /// Gives a verified file its name, in one step.
    fn place(&mut self, partial: &Partial, target: &Path) -> Result<(), DataError> {
        partial.file.sync_all().map_err(write_error(&partial.path))?;
        if target.exists() {
            self.set_aside(target)?;
        }
        fs::rename(&partial.path, target).map_err(write_error(target))?;
        // Makes the new name survive a power cut; not every system can do that.
        if let Ok(folder) = File::open(self.folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn is_verified(publication: &Publication, file: &PublishedFile, path: &Path) -> bool {
    let inspected = inspect(publication, file, path);
    inspected.is_ok_and(|inspected| inspected.recognition != Recognition::Another)
}

/// The files in `folder` that a fetch would set aside, because they are not the published ones.
pub(crate) fn unpublished(publication: &Publication, folder: &Path) -> Vec<PathBuf> {
    let of_file = |file: &PublishedFile| -> Vec<PathBuf> {
        let paths = file.names().into_iter().map(|name| folder.join(name));
        paths.filter(|path| path.exists() && !is_verified(publication, file, path)).collect()
    };
    publication.files.iter().flat_map(of_file).collect()
}

/// Bounds what a malicious archive can unpack to; CIFAR-10 has 184 MB.
const MOST_ARCHIVE_BYTES: u64 = 1 << 29;

/// A file that is being written, locked against other processes.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn open(target: &Path) -> Result<Self, DataError> {
        let path = with_suffix(target, "partial");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(write_error(&path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(DataError::Busy { path }),
            // A file system without locks is used without.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, file }),
        }
    }

    fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    fn sha256(&self) -> Result<String, DataError> {
        sha256_of(&self.file).map_err(write_error(&self.path))
    }

    fn empty(&self) -> Result<(), DataError> {
        let mut file = &self.file;
        let emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        emptied.map(drop).map_err(write_error(&self.path))
    }

    fn discard(&self) {
        // A leftover is harmless: the next fetch resumes or overwrites it.
        let _ = fs::remove_file(&self.path);
    }

    fn discard_if_empty(&self) {
        if self.length() == 0 {
            self.discard();
        }
    }
}

/// SHA-256 of a whole file, in hexadecimal. Whoever reads it next begins at its beginning.
#[expect(clippy::indexing_slicing, reason = "what is read is at most the buffer")]
fn sha256_of(mut file: &File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    file.rewind()?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    file.rewind()?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// An error within if a file has not the checksum of the archive, provided that it is on record.
fn refuse_another(
    archive: &Archive,
    file: &File,
    origin: &str,
) -> io::Result<Result<(), DataError>> {
    let Some(expected) = &archive.sha256 else { return Ok(Ok(())) };
    let found = sha256_of(file)?;
    if found == *expected {
        return Ok(Ok(()));
    }
    let expected = format!("SHA-256 {expected}");
    Ok(Err(DataError::Checksum { origin: origin.to_owned(), expected, found }))
}

fn unrecorded_note(path: &Path) -> String {
    format!("{}: taken for its format and size, as no checksum of it is on record", path.display())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn join_address(mirror: &str, name: &str) -> String {
    format!("{}/{name}", mirror.trim_end_matches('/'))
}

fn write_error(path: &Path) -> impl Fn(io::Error) -> DataError {
    let path = path.to_owned();
    move |source| DataError::Write { path: path.clone(), source }
}

#[cfg(test)]
pub(crate) mod tests;
