//! Finds out how a folder of pictures is laid out: which pictures there are, and of which class and part each is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::image_set::MOST_CLASSES;

use super::error::PicturesError;
use super::natural_order;
use super::part::Part;
use super::skipped::Skipped;
use super::source::PictureFile;
use super::table;
use super::walk::{list, pictures_below};

/// How classes and parts are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// A folder for each class.
    Classes,
    /// Folders `train`, `valid` and `test`, with folders for the classes in each.
    Parts,
    /// A table of paths and labels.
    Table,
}

/// Which pictures there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// What paths of pictures are relative to.
    pub folder: PathBuf,
    /// How classes and parts are told.
    pub arrangement: Arrangement,
    /// Names of the classes in natural order (2 before 10); what is not UTF-8 is replaced.
    pub class_names: Vec<String>,
    /// All pictures: part by part (train, valid, test), class by class, in natural order of their paths.
    pub files: Vec<PictureFile>,
    /// What was left out.
    pub skipped: Skipped,
}

/// Finds the pictures of a folder or table. Their content is not looked at.
///
/// - A folder with a folder for each class: all pictures in it and in folders below it are of the class.
/// - A folder with `train` and perhaps `valid` (or `val`, `validation`) and `test`, in each a folder for each class.
/// - A CSV file with columns `path`, `label` and perhaps `split`; paths are relative to the folder of the file.
///
/// In folders a picture is what ends in png, jpg, jpeg, jfif, webp, bmp or gif; all else is counted. Links to folders
/// are followed.
///
/// # Errors
///
/// If something cannot be read, there are fewer than 2 classes or more than 65,535, a class has no picture to learn
/// from, names of classes differ by case only, parts have other classes than `train`, or a link leads back.
pub fn survey(path: &Path) -> Result<Survey, PicturesError> {
    survey_for(path, Purpose::Training)
}

/// Finds the pictures of a folder or table like [`survey`], to score a network by that knows its classes: one class will do,
/// parts may lack `train` and have classes of their own, and a class may have no picture.
///
/// # Errors
///
/// If something cannot be read, there is no class or no picture, names of classes differ by case only, or a link leads back.
pub fn survey_to_score(path: &Path) -> Result<Survey, PicturesError> {
    let survey = survey_for(path, Purpose::Scoring)?;
    if survey.files.is_empty() {
        let cure = "put pictures there (png, jpg, jpeg, jfif, webp, bmp, gif)".to_owned();
        return Err(layout(path, "pictures", "none".to_owned(), cure));
    }
    Ok(survey)
}

/// What pictures are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Training,
    Scoring,
}

fn survey_for(path: &Path, purpose: Purpose) -> Result<Survey, PicturesError> {
    let metadata = path.metadata();
    let metadata =
        metadata.map_err(|source| PicturesError::Read { path: path.to_owned(), source })?;
    if !metadata.is_dir() {
        return of_table(path, purpose);
    }
    let mut skipped = Skipped::default();
    let top = list(path, &mut skipped)?;
    for file in &top.files {
        skipped.without_class += usize::from(skipped.takes(Path::new(file)));
    }
    match parts(path, &top.folders, purpose)? {
        None => of_classes(path, &top.folders, purpose, skipped),
        Some(parts) => of_parts(path, &parts, purpose, skipped),
    }
}

/// The folders of the parts, if the folders are those.
fn parts(
    path: &Path,
    folders: &[OsString],
    purpose: Purpose,
) -> Result<Option<BTreeMap<Part, OsString>>, PicturesError> {
    let part = |name: &OsStr| name.to_str().and_then(|name| name.parse::<Part>().ok());
    let (of_part, others): (Vec<&OsString>, Vec<&OsString>) =
        folders.iter().partition(|name| part(name).is_some());
    let mut parts = BTreeMap::new();
    for name in &of_part {
        let twice = part(name).and_then(|part| parts.insert(part, (*name).clone()));
        if let Some(other) = twice.filter(|_| others.is_empty()) {
            let found = format!("both `{}` and `{}`", other.display(), name.display());
            let cure = "put their pictures into one of them".to_owned();
            return Err(layout(path, "one folder for each part", found, cure));
        }
    }
    // `train` may be a class among cars and planes; `train` and `test` together are parts.
    if parts.len() < 2 && (!others.is_empty() || parts.is_empty()) {
        return Ok(None);
    }
    if !others.is_empty() && parts.contains_key(&Part::Train) {
        let found = format!("{} and also {}", named(&of_part), named(&others));
        let cure = "move the latter elsewhere, or, if all are classes, name their pictures in a \
         table (path,label)";
        return Err(layout(
            path,
            "folders of parts alone, or of classes alone",
            found,
            cure.to_owned(),
        ));
    }
    if !others.is_empty() {
        return Ok(None);
    }
    if purpose == Purpose::Training && !parts.contains_key(&Part::Train) {
        let cure = "put the pictures to learn from into a folder `train`, with a folder for each \
         class in it";
        return Err(layout(
            path,
            "a folder `train`",
            format!("only {}", named(&of_part)),
            cure.to_owned(),
        ));
    }
    Ok(Some(parts))
}

fn of_classes(
    path: &Path,
    folders: &[OsString],
    purpose: Purpose,
    mut skipped: Skipped,
) -> Result<Survey, PicturesError> {
    let class_names = class_names(path, folders, purpose, &skipped)?;
    let mut files = Vec::new();
    for (label, class) in folders.iter().enumerate() {
        files.extend(of_class(path, Path::new(class), label, None, &mut skipped)?);
    }
    check_classes(path, purpose, &class_names, &files)?;
    let (folder, arrangement) = (path.to_owned(), Arrangement::Classes);
    Ok(Survey { folder, arrangement, class_names, files, skipped })
}

fn of_parts(
    path: &Path,
    parts: &BTreeMap<Part, OsString>,
    purpose: Purpose,
    mut skipped: Skipped,
) -> Result<Survey, PicturesError> {
    let mut classes: Vec<OsString> = Vec::new();
    let mut names = Vec::new();
    let mut files = Vec::new();
    for (&part, folder) in parts {
        let inside = path.join(folder);
        let listing = list(&inside, &mut skipped)?;
        for file in &listing.files {
            skipped.without_class += usize::from(skipped.takes(Path::new(file)));
        }
        match (purpose, part) {
            (Purpose::Training, Part::Train) => {
                names = class_names(&inside, &listing.folders, purpose, &skipped)?;
                classes = listing.folders;
            }
            (Purpose::Training, _) => check_same_classes(&inside, &listing.folders, &classes)?,
            (Purpose::Scoring, _) => {
                let all = listing.folders.into_iter();
                let new: Vec<OsString> = all.filter(|name| !classes.contains(name)).collect();
                classes.extend(new);
                names = class_names(&inside, &classes, purpose, &skipped)?;
            }
        }
        for (label, class) in classes.iter().enumerate() {
            let class = Path::new(folder).join(class);
            if path.join(&class).is_dir() {
                files.extend(of_class(path, &class, label, Some(part), &mut skipped)?);
            }
        }
    }
    check_classes(path, purpose, &names, &files)?;
    let (folder, arrangement) = (path.to_owned(), Arrangement::Parts);
    Ok(Survey { folder, arrangement, class_names: names, files, skipped })
}

fn of_table(path: &Path, purpose: Purpose) -> Result<Survey, PicturesError> {
    let is_table = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if !is_table {
        let found = "a file of another kind".to_owned();
        let cure = "name the folder that holds the folders of the classes".to_owned();
        return Err(layout(path, "a folder, or a table that ends in .csv", found, cure));
    }
    let rows = table::read(path)?;
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let mut labels: Vec<OsString> = labels.into_iter().map(OsString::from).collect();
    labels.sort_by(|a, b| natural_order::compare(a.as_encoded_bytes(), b.as_encoded_bytes()));
    let class_names = class_names(path, &labels, purpose, &Skipped::default())?;
    let numbers: HashMap<&str, u16> =
        class_names.iter().map(String::as_str).zip(0..=u16::MAX).collect();
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).to_owned();
    let find = |row: &table::Row| {
        let label = numbers.get(row.label.as_str()).copied().unwrap_or_default();
        PictureFile::find(&folder, row.path.clone(), label, row.part)
    };
    let mut files: Vec<PictureFile> = rows.par_iter().map(find).collect();
    files.sort_by(|a, b| {
        let order = (a.part, a.label).cmp(&(b.part, b.label));
        order.then_with(|| natural_order::compare_paths(&a.path, &b.path))
    });
    check_classes(path, purpose, &class_names, &files)?;
    let (arrangement, skipped) = (Arrangement::Table, Skipped::default());
    Ok(Survey { folder, arrangement, class_names, files, skipped })
}

/// The pictures of one class.
fn of_class(
    root: &Path,
    folder: &Path,
    label: usize,
    part: Option<Part>,
    skipped: &mut Skipped,
) -> Result<Vec<PictureFile>, PicturesError> {
    let label = u16::try_from(label).unwrap_or(u16::MAX); // There are no more classes than labels.
    let paths = pictures_below(root, folder, skipped)?;
    // Asking the system about many files is what a survey waits for.
    Ok(paths.into_par_iter().map(|path| PictureFile::find(root, path, label, part)).collect())
}

/// The names of classes as text, if they are enough and none is another's twin.
fn class_names(
    path: &Path,
    folders: &[OsString],
    purpose: Purpose,
    skipped: &Skipped,
) -> Result<Vec<String>, PicturesError> {
    let expected = "a folder for each of at least two classes, with its pictures in it";
    let cure =
        "sort the pictures into folders named for their classes, or write a table (path,label)";
    let beside = match skipped.without_class {
        0 => String::new(),
        1 => ", and 1 picture that is in none".to_owned(),
        several => format!(", and {several} pictures that are in none"),
    };
    match folders {
        [] => return Err(layout(path, expected, format!("no folder{beside}"), cure.to_owned())),
        [one] if purpose == Purpose::Training => {
            let found = format!("only `{}`{beside}", one.display());
            return Err(layout(path, expected, found, cure.to_owned()));
        }
        _ if folders.len() > MOST_CLASSES => {
            let cure = "put classes together".to_owned();
            let expected = "at most 65,535 classes";
            return Err(layout(path, expected, folders.len().to_string(), cure));
        }
        _ => {}
    }
    let names: Vec<String> =
        folders.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in &names {
        if let Some(twin) = seen.insert(name.to_lowercase(), name) {
            let found = format!("both `{twin}` and `{name}`");
            let cure = "rename one of them, or put their pictures into one".to_owned();
            return Err(layout(path, "classes whose names differ by more than case", found, cure));
        }
    }
    Ok(names)
}

fn check_same_classes(
    folder: &Path,
    found: &[OsString],
    classes: &[OsString],
) -> Result<(), PicturesError> {
    let other: Vec<&OsString> = found.iter().filter(|name| !classes.contains(name)).collect();
    if other.is_empty() {
        return Ok(());
    }
    let found = format!("{}, which train has not", named(&other));
    let cure = "rename or remove them, or put pictures of them into train".to_owned();
    Err(layout(folder, "no other classes than those of train", found, cure))
}

/// Whether every class has a picture to learn from.
fn check_classes(
    path: &Path,
    purpose: Purpose,
    class_names: &[String],
    files: &[PictureFile],
) -> Result<(), PicturesError> {
    let mut there = BTreeSet::new();
    let to_learn_from = |file: &&PictureFile| matches!(file.part, None | Some(Part::Train));
    there.extend(files.iter().filter(to_learn_from).map(|file| usize::from(file.label)));
    let empty: Vec<&String> = class_names
        .iter()
        .enumerate()
        .filter(|(label, _)| !there.contains(label))
        .map(|it| it.1)
        .collect();
    if empty.is_empty() || purpose == Purpose::Scoring {
        return Ok(());
    }
    let found = format!("none of {}", named(&empty));
    let cure =
        "put pictures of them there (png, jpg, jpeg, jfif, webp, bmp, gif), or remove the class"
            .to_owned();
    Err(layout(path, "pictures to learn from of every class", found, cure))
}

/// Most names that a message lists.
const MOST_NAMES: usize = 20;

/// Names for a message, quoted: a class may be called `only`. Of many the first twenty.
pub fn named<N: AsRef<OsStr>>(all: &[N]) -> String {
    let shown = all.iter().take(MOST_NAMES);
    let quoted = shown.map(|name| format!("`{}`", name.as_ref().to_string_lossy()));
    let mut text = quoted.collect::<Vec<_>>().join(", ");
    if all.len() > MOST_NAMES {
        text += &format!(" and {} more", all.len() - MOST_NAMES);
    }
    text
}

fn layout(path: &Path, expected: &str, found: String, cure: String) -> PicturesError {
    PicturesError::Layout { path: path.to_owned(), expected: expected.to_owned(), found, cure }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Makes files, whose content is their path.
    fn folder(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            match path.ends_with('/') {
                true => fs::create_dir_all(file).unwrap(),
                false => fs::write(file, path).unwrap(),
            }
        }
        folder
    }

    fn paths(survey: &Survey) -> Vec<String> {
        let path = |file: &PictureFile| file.path.to_string_lossy().replace('\\', "/");
        survey.files.iter().map(path).collect()
    }

    fn refusal(paths: &[&str], parts: &[&str]) {
        let folder = folder(paths);
        let error = survey(folder.path()).unwrap_err().to_string();
        for part in parts.iter().chain([&folder.path().to_str().unwrap()]) {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_folder_for_each_class_with_folders_below_it() {
        let folder = folder(&[
            "10/b.PNG",
            "10/sub/deep/a.jpg",
            "10/a10.gif",
            "10/a2.gif",
            "10/read.me",
            "2/x.webp",
            "2/.hidden.png",
            "2/.trash/y.png",
            "__MACOSX/2/x.webp",
            "notes.txt",
            "stray.png",
            ".git/config",
        ]);
        let survey = survey(folder.path()).unwrap();
        assert_eq!(survey.arrangement, Arrangement::Classes);
        assert_eq!(survey.class_names, ["2", "10"]);
        assert_eq!(
            paths(&survey),
            ["2/x.webp", "10/a2.gif", "10/a10.gif", "10/b.PNG", "10/sub/deep/a.jpg"]
        );
        let labels: Vec<u16> = survey.files.iter().map(|file| file.label).collect();
        assert_eq!(labels, [0, 1, 1, 1, 1]);
        assert_eq!((survey.files[0].part, survey.files[0].bytes), (None, 8));
        assert!(survey.files[0].modified > 0);
        let told = "1 .me, 1 .txt, 4 hidden, 1 picture beside the class folders";
        assert_eq!(survey.skipped.to_string(), told);
    }

    #[test]
    fn parts_with_the_classes_of_train() {
        let folder =
            folder(&["train/a/1.png", "train/b/1.png", "Val/b/1.png", "test/a/1.png", "test/b/"]);
        let survey = survey(folder.path()).unwrap();
        assert_eq!(survey.arrangement, Arrangement::Parts);
        assert_eq!(survey.class_names, ["a", "b"]);
        assert_eq!(
            paths(&survey),
            ["train/a/1.png", "train/b/1.png", "Val/b/1.png", "test/a/1.png"]
        );
        let parts: Vec<_> =
            survey.files.iter().map(|file| (file.part.unwrap(), file.label)).collect();
        assert_eq!(parts, [(Part::Train, 0), (Part::Train, 1), (Part::Valid, 1), (Part::Test, 0)]);
    }

    #[test]
    fn to_score_any_parts_and_classes_will_do() {
        let of = |paths: &[&str]| {
            let folder = folder(paths);
            survey_to_score(folder.path())
                .map(|survey| (survey.class_names.clone(), paths_of(&survey)))
        };
        let (classes, files) = of(&["test/cat/1.png", "test/ant/2.png"]).unwrap();
        assert_eq!(classes, ["ant", "cat"]);
        assert_eq!(files, ["0 test/ant/2.png", "1 test/cat/1.png"]);
        let (classes, files) = of(&["valid/cat/1.png", "test/ant/2.png", "test/bee/"]).unwrap();
        assert_eq!(classes, ["cat", "ant", "bee"]);
        assert_eq!(files, ["0 valid/cat/1.png", "1 test/ant/2.png"]);
        let (classes, files) = of(&["cat/1.png"]).unwrap();
        assert_eq!((classes, files), (vec!["cat".to_owned()], vec!["0 cat/1.png".to_owned()]));
        for paths in [&["cat/", "dog/"][..], &["1.png"]] {
            assert!(of(paths).is_err(), "{paths:?}");
        }
        let folder = folder(&["a.png"]);
        let table = folder.path().join("table.csv");
        fs::write(&table, "path,label,split\na.png,cat,test\n").unwrap();
        assert!(survey(&table).is_err());
        assert_eq!(survey_to_score(&table).unwrap().class_names, ["cat"]);
    }

    /// Labels and paths.
    fn paths_of(survey: &Survey) -> Vec<String> {
        let line = |file: &PictureFile| format!("{} {}", file.label, file.path.display());
        survey.files.iter().map(line).collect()
    }

    #[test]
    fn train_may_be_a_class_among_others() {
        let survey = survey(folder(&["train/1.png", "car/1.png", "plane/1.png"]).path()).unwrap();
        assert_eq!(survey.arrangement, Arrangement::Classes);
        assert_eq!(survey.class_names, ["car", "plane", "train"]);
    }

    #[test]
    fn folders_that_are_no_data_set_are_refused_with_what_was_found() {
        refusal(&[], &["at least two classes", "no folder"]);
        refusal(&["1.png", "2.png"], &["no folder, and 2 pictures"]);
        refusal(&["cats/1.png"], &["only `cats`", "table"]);
        refusal(&["cats/1.png", "dogs/", "mice/read.me"], &["none of `dogs`, `mice`", "png, jpg"]);
        refusal(&["cats/1.png", "Cats/2.png", "dogs/1.png"], &["both `Cats` and `cats`"]);
        refusal(&["test/a/1.png", "valid/a/1.png"], &["`train`", "only `test`, `valid`"]);
        refusal(
            &["train/a/1.png", "train/b/1.png", "test/c/1.png"],
            &["test", "`c`, which train has not"],
        );
        refusal(&["train/a/1.png", "train/b/", "test/b/1.png"], &["none of `b`"]);
        refusal(&["train/a/1.png", "val/a/1.png", "valid/a/1.png"], &["both `val` and `valid`"]);
        refusal(&["train/a/1.png", "test/a/1.png", "extra/1.png"], &["train", "also `extra`"]);
        refusal(&["train/a/1.png"], &["at least two classes", "only `a`"]);
    }

    #[test]
    fn three_hundred_classes_are_numbered_in_natural_order() {
        let names: Vec<String> = (0..300).map(|class| format!("class {class}/1.png")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let survey = survey(folder(&names).path()).unwrap();
        assert_eq!(survey.class_names[299], "class 299");
        assert_eq!(survey.files[299].label, 299);
    }

    #[test]
    fn a_table_names_pictures_and_classes() {
        let folder = folder(&["x/1.png", "2.dat"]);
        let table = folder.path().join("all.csv");
        fs::write(&table, "path,label,split\n2.dat,10,test\nx/1.png,9,train\ngone.png,10,\n")
            .unwrap();
        let survey = survey(&table).unwrap();
        assert_eq!(survey.arrangement, Arrangement::Table);
        assert_eq!(survey.class_names, ["9", "10"]);
        assert_eq!(paths(&survey), ["x/1.png", "gone.png", "2.dat"]);
        let bytes: Vec<u64> = survey.files.iter().map(|file| file.bytes).collect();
        assert_eq!(bytes, [7, 0, 5]);
        fs::write(&table, "path,label,split\n2.dat,a,test\nx/1.png,b,train\n").unwrap();
        assert!(super::survey(&table).unwrap_err().to_string().contains("none of `a`"));
        fs::write(&table, "path,label\n2.dat,cat\nx/1.png,Cat\n").unwrap();
        assert!(super::survey(&table).unwrap_err().to_string().contains("both `Cat` and `cat`"));
        let other = folder.path().join("2.dat");
        assert!(super::survey(&other).unwrap_err().to_string().contains(".csv"));
    }

    #[test]
    fn what_is_not_there_is_told() {
        let error = survey(Path::new("no such folder")).unwrap_err().to_string();
        assert!(error.contains("cannot read no such folder"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_those_that_lead_back_are_refused_by_name() {
        use std::os::unix::fs::symlink;
        let folder = folder(&["a/1.png", "b/1.png", "far/away/2.png"]);
        let elsewhere = tempfile::tempdir().unwrap();
        fs::rename(folder.path().join("far"), elsewhere.path().join("far")).unwrap();
        symlink(elsewhere.path().join("far"), folder.path().join("b/linked")).unwrap();
        symlink(elsewhere.path().join("far"), folder.path().join("c")).unwrap();
        symlink("nowhere", folder.path().join("c.png")).unwrap();
        let found = survey(folder.path()).unwrap();
        assert_eq!(paths(&found), ["a/1.png", "b/1.png", "b/linked/away/2.png", "c/away/2.png"]);
        for (link, target) in [("a/again", folder.path()), ("a/self", &folder.path().join("a"))] {
            let link = folder.path().join(link);
            symlink(target, &link).unwrap();
            let error = survey(folder.path()).unwrap_err();
            assert!(matches!(error, PicturesError::Loop { .. }), "{error}");
            assert!(error.to_string().contains("a/"), "{error}");
            fs::remove_file(link).unwrap();
        }
        symlink("..", elsewhere.path().join("far/away/up")).unwrap();
        assert!(matches!(survey(folder.path()), Err(PicturesError::Loop { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_no_text_are_read_all_the_same() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&["a/1.png"]);
        let odd = folder.path().join(OsStr::from_bytes(b"b\xff"));
        fs::create_dir(&odd).unwrap();
        fs::write(odd.join(OsStr::from_bytes(b"\xfe.png")), "four").unwrap();
        let survey = survey(folder.path()).unwrap();
        assert_eq!(survey.class_names, ["a", "b\u{fffd}"]);
        assert_eq!(survey.files[1].bytes, 4);
    }
}
