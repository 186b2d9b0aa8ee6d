//! Finds the files of a data set: in the folders named, and failing those by a download.

use std::path::{Path, PathBuf};

use crate::{
    data_set::DataSet,
    entry::Entry,
    error::DataError,
    fetch,
    fetch_progress::FetchProgress,
    image_set::ImageSet,
    inspect::{FileRecord, Inspected, inspect, is_same},
    publication::{Publication, PublishedFile},
    source::Source,
    test_split::TestSplit,
};

/// A folder that holds files of a publication.
pub(crate) struct Folder<'a> {
    pub(crate) publication: &'a Publication,
    pub(crate) path: PathBuf,
    /// All files of the publication, in its order.
    pub(crate) files: Vec<FoundFile<'a>>,
}

/// A published file, and where it is.
pub(crate) struct FoundFile<'a> {
    pub(crate) published: &'a PublishedFile,
    /// `None` if it is missing.
    pub(crate) path: Option<PathBuf>,
    /// Files by its other names, which are not read.
    pub(crate) others: Vec<PathBuf>,
}

impl<'a> Folder<'a> {
    fn survey(publication: &'a Publication, path: PathBuf) -> Self {
        let find = |published: &'a PublishedFile| {
            let paths = published.names().into_iter().map(|name| path.join(name));
            let (mut files, rest): (Vec<PathBuf>, Vec<PathBuf>) =
                paths.filter(|path| path.exists()).partition(|path| path.is_file());
            // What is no file will be refused, unless there is one beside it, by another name.
            let others = files.split_off(files.len().min(1));
            FoundFile { published, path: files.into_iter().chain(rest).next(), others }
        };
        let files = publication.files.iter().map(find).collect();
        Self { publication, path, files }
    }

    /// The files that are there whose names begin so, in the publication's order.
    pub(crate) fn files_of(&self, prefix: &str) -> impl Iterator<Item = &FoundFile<'a>> {
        let of_prefix = move |file: &&FoundFile<'a>| file.published.name.starts_with(prefix);
        self.files.iter().filter(of_prefix).filter(|file| file.path.is_some())
    }

    fn has_none(&self) -> bool {
        self.files.iter().all(|file| file.path.is_none() || file.published.optional)
    }

    /// The names of the files that are needed and not there.
    pub(crate) fn missing(&self) -> Vec<&str> {
        let missing = |file: &&FoundFile<'_>| file.path.is_none() && !file.published.optional;
        self.files.iter().filter(missing).map(|file| file.published.name.as_str()).collect()
    }
}

impl FoundFile<'_> {
    /// Reads it, see [`inspect`].
    pub(crate) fn inspect(&self, publication: &Publication) -> Result<Inspected, DataError> {
        let path = self.path.as_deref().unwrap_or(Path::new(&self.published.name));
        inspect(publication, self.published, path)
    }

    /// What the user should be told about the file, which holds what was `inspected`.
    pub(crate) fn notes(&self, publication: &Publication, inspected: &Inspected) -> Vec<String> {
        let unequal = |other: &&PathBuf| !is_same(publication, self.published, other, inspected);
        let read = self.path.as_deref().unwrap_or(Path::new("")).display();
        let unread = self.others.iter().filter(unequal).map(|other| {
            format!(
                "{}: not read, as {read} comes before it, and not the same; give the one that is \
                 not meant another name",
                other.display()
            )
        });
        inspected.note.iter().cloned().chain(unread).collect()
    }
}

/// Loads a published data set with `read` from the first place that has all of its files.
pub(crate) fn load(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
    read: impl Fn(&Folder<'_>) -> Result<DataSet, DataError>,
) -> Result<DataSet, DataError> {
    let publication =
        entry.publication().ok_or(DataError::BuiltIn { dataset: entry.name.to_owned() })?;
    load_published(publication, source, progress, read)
}

/// Reads the files of a split whose names begin so: what they hold, with what is told of each.
pub(crate) type ReadSplit = fn(
    &Entry,
    &Folder<'_>,
    &str,
    &mut Vec<FileRecord>,
    &mut Vec<String>,
) -> Result<ImageSet, DataError>;

/// Loads a published data set whose two splits, training and test, are told by how their files' names begin.
pub(crate) fn load_splits(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
    split: ReadSplit,
    [training, test]: [&str; 2],
) -> Result<DataSet, DataError> {
    load(entry, source, progress, |folder| {
        let (mut files, mut notes) = (Vec::new(), Vec::new());
        let train = split(entry, folder, training, &mut files, &mut notes)?;
        let test = split(entry, folder, test, &mut files, &mut notes)?;
        let test = TestSplit::seal(test);
        let (name, class_names) = (entry.name.to_owned(), entry.class_names());
        Ok(DataSet { notes, ..DataSet::read(name, class_names, train, test, files) })
    })
}

fn load_published<T>(
    publication: &Publication,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
    read: impl Fn(&Folder<'_>) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let mut tried = Vec::new();
    for (kind, root) in source.roots() {
        let tried_before = tried.len();
        for path in publication.folders_in(root) {
            let folder = Folder::survey(publication, path);
            if folder.has_none() {
                continue;
            }
            let missing = folder.missing();
            if !missing.is_empty() {
                let missing = missing.join(", ");
                tried.push(format!("{kind}{} (lacks {missing})", folder.path.display()));
                continue;
            }
            let owner = source.owner(publication, &folder.path);
            match read(&folder).map_err(|error| error.of(owner)) {
                // The folder was not named for this set alone, so another one may be meant.
                Err(error @ DataError::OtherFile { .. }) if source.data_dir.is_none() => {
                    tried.push(format!("{kind}{} ({error})", folder.path.display()));
                }
                result => return result,
            }
        }
        if tried.len() == tried_before {
            tried.push(nothing_in(publication, kind, root));
        }
    }
    if source.data_dir.is_none() && source.download {
        let path = publication.folders_in(&source.local).swap_remove(0);
        if let Some(own) = fetch::unpublished(publication, &path).first() {
            // Only who asks for a fetch by name gets other files than these.
            tried.push(format!(
                "the download (left, as {} is not the published file; add what is missing, or run \
                 `cargo xtask data fetch {} --data-dir {}`, which keeps such files as \
                 NAME.unverified)",
                own.display(),
                publication.name,
                source.local.display(),
            ));
            return Err(DataError::NotFound { dataset: publication.name.clone(), tried });
        }
        match fetch::fetch_published(publication, &source.local, None, progress) {
            Ok(_) => {
                let owner = source.owner(publication, &path);
                return read(&Folder::survey(publication, path)).map_err(|error| error.of(owner));
            }
            // Its cures are among those of the whole.
            Err(DataError::Download { reasons, .. }) => {
                tried.push(format!("the download ({})", reasons.join("; ")));
            }
            Err(error) => tried.push(format!("the download ({error})")),
        }
    }
    Err(DataError::NotFound { dataset: publication.name.clone(), tried })
}

/// The first folder that holds any file of the publication.
pub(crate) fn find<'a>(
    publication: &'a Publication,
    source: &Source,
) -> Result<Folder<'a>, DataError> {
    let roots = source.roots();
    let paths = roots.iter().flat_map(|(_, root)| publication.folders_in(root));
    let folders: Vec<Folder<'a>> = paths.map(|path| Folder::survey(publication, path)).collect();
    // A folder that holds all comes before one that holds some, as in loading.
    let complete = folders.iter().position(|folder| folder.missing().is_empty());
    let index = complete.or_else(|| folders.iter().position(|folder| !folder.has_none()));
    index.and_then(|index| folders.into_iter().nth(index)).ok_or_else(|| DataError::NotFound {
        dataset: publication.name.clone(),
        tried: roots.into_iter().map(|(kind, root)| nothing_in(publication, kind, root)).collect(),
    })
}

fn nothing_in(publication: &Publication, kind: &str, root: &Path) -> String {
    let reason = match root.is_dir() {
        true => format!(
            "holds none of its files, such as {}, neither directly nor in {}/",
            publication.files.first().map_or_else(String::new, |file| file.names().join(" or ")),
            publication.folders.join("/ or ")
        ),
        false if root.exists() => "not a folder".to_owned(),
        false => "no such folder".to_owned(),
    };
    format!("{kind}{} ({reason})", root.display())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use super::*;
    use crate::{
        checksum::sha256,
        fetch::tests::{Server, whole},
        publication::Format,
    };

    /// A source of that folder alone, without download.
    pub(crate) fn only(folder: &Path) -> Source {
        let data_dir = Some(folder.to_owned());
        Source { data_dir, environment: None, local: "no such folder".into(), download: false }
    }

    /// A publication of two text files, `fruit.txt` and, optional, `nuts.txt`.
    pub(crate) fn groceries() -> Publication {
        let file = |name: &str, content: &str, optional| PublishedFile {
            name: name.to_owned(),
            format: Format::Text,
            bytes: content.len() as u64,
            sha256: Some(sha256(content.as_bytes())),
            gzip: None,
            optional,
        };
        Publication {
            name: "groceries".to_owned(),
            title: String::new(),
            homepage: String::new(),
            licence: String::new(),
            citation: String::new(),
            classes: 10,
            folders: vec!["groceries".to_owned(), "Groceries/raw".to_owned()],
            mirrors: Vec::new(),
            by_hand: None,
            archive: None,
            files: vec![
                file("fruit.txt", FRUIT, false),
                file("pulse.txt", PULSE, false),
                file("nuts.txt", NUTS, true),
            ],
        }
    }

    pub(crate) const FRUIT: &str = "apples and pears";
    pub(crate) const PULSE: &str = "beans";
    pub(crate) const NUTS: &str = "hazel";

    pub(crate) fn write_groceries(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for (name, content) in [("fruit.txt", FRUIT), ("pulse.txt", PULSE)] {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    /// Where the files are read, all of them in order.
    fn locate(source: &Source) -> Result<PathBuf, DataError> {
        load_published(&groceries(), source, &mut |_| {}, |folder| {
            for file in folder.files_of("") {
                file.inspect(folder.publication)?;
            }
            Ok(folder.path.clone())
        })
    }

    fn two_places(first: &Path, second: &Path) -> Source {
        let environment = Some(first.to_owned());
        Source { data_dir: None, environment, local: second.to_owned(), download: false }
    }

    #[test]
    fn the_environment_comes_before_the_local_folder() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_groceries(&second.path().join("groceries"));
        let source = two_places(first.path(), second.path());
        assert_eq!(locate(&source).unwrap(), second.path().join("groceries"));
        write_groceries(&first.path().join("Groceries/raw"));
        assert_eq!(locate(&source).unwrap(), first.path().join("Groceries/raw"));
    }

    #[test]
    fn with_a_data_dir_nothing_else_is_looked_at() {
        let (empty, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_groceries(&full.path().join("groceries"));
        let mut source = two_places(full.path(), full.path());
        source.data_dir = Some(empty.path().to_owned());
        source.download = true;
        let error = locate(&source).unwrap_err().to_string();
        assert!(error.contains("--data-dir"), "{error}");
        assert!(!error.contains(full.path().to_str().unwrap()), "{error}");
        assert!(!error.contains("the download"), "{error}");
    }

    #[test]
    fn what_no_folder_holds_is_downloaded_into_the_local_one() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = Server::start(whole);
        let publication = Publication { mirrors: vec![server.address], ..groceries() };
        let source = Source { download: true, ..two_places(first.path(), second.path()) };
        let mut calls = 0;
        let path =
            load_published(&publication, &source, &mut |_| calls += 1, |f| Ok(f.path.clone()));
        assert_eq!(path.unwrap(), second.path().join("groceries"));
        assert!(calls > 0);
        assert_eq!(locate(&source).unwrap(), second.path().join("groceries"));
    }

    #[test]
    fn a_download_by_itself_leaves_files_that_are_not_the_published_ones() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = Server::start(whole);
        let publication = Publication { mirrors: vec![server.address], ..groceries() };
        let source = Source { download: true, ..two_places(first.path(), second.path()) };
        let own = second.path().join("groceries/fruit.txt");
        fs::create_dir(second.path().join("groceries")).unwrap();
        fs::write(&own, "plums of my own").unwrap();
        let load = || load_published(&publication, &source, &mut |_| {}, |f| Ok(f.path.clone()));
        let error = load().unwrap_err().to_string();
        for part in
            ["lacks pulse.txt", "fruit.txt is not the published file", "add what is missing"]
        {
            assert!(error.contains(part), "{error}");
        }
        let fetch = format!("data fetch groceries --data-dir {}`", second.path().display());
        assert!(error.contains(&fetch), "{error}");
        assert_eq!(fs::read_to_string(&own).unwrap(), "plums of my own");
        // What is the published file is no reason to leave it.
        fs::write(&own, FRUIT).unwrap();
        assert_eq!(load().unwrap(), second.path().join("groceries"));
    }

    #[test]
    fn failure_tells_all_that_was_tried_and_the_cures() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(second.path().join("fruit.txt"), FRUIT).unwrap();
        let mut source = two_places(first.path(), second.path());
        source.download = true;
        let error = locate(&source).unwrap_err().to_string();
        assert!(error.contains(&format!("$BACKBURN_DATA {}", first.path().display())), "{error}");
        assert!(error.contains("lacks pulse.txt"), "{error}");
        assert!(error.contains("the download"), "{error}");
        assert!(error.contains("cargo xtask data fetch groceries --from DIR"), "{error}");
        assert!(error.contains("cargo xtask train digits"), "{error}");
    }

    #[test]
    fn a_published_file_under_another_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_groceries(folder.path());
        fs::write(folder.path().join("pulse.txt"), FRUIT).unwrap();
        let error = locate(&only(folder.path())).unwrap_err().to_string();
        assert!(error.contains("expected groceries's pulse.txt"), "{error}");
        assert!(error.contains("found groceries's fruit.txt"), "{error}");
    }
}
