//! A table of pictures: a CSV file with the columns `path`, `label` and, if wanted, `split`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::error::PicturesError;
use super::part::Part;

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// As it is written: relative to the folder of the table, or absolute.
    pub(super) path: PathBuf,
    /// Name of the class.
    pub(super) label: String,
    /// `None` if the table has no such column. An empty field stands for `train`.
    pub(super) part: Option<Part>,
}

/// Reads a table. Columns are found by name, in any order; others are left alone.
///
/// # Errors
///
/// If the file cannot be read, is no table of that kind, has an empty field, or names a picture twice.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, PicturesError> {
    let wrong = |error| of_csv(path, error);
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(wrong)?;
    let columns = Columns::find(path, reader.headers().map_err(wrong)?)?;
    let mut rows = Vec::new();
    let mut seen = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = columns.row(path, line, &record)?;
        if let Some(before) = seen.insert(row.path.clone(), line) {
            let expected = "each picture once".to_owned();
            let found = format!("{} again, which line {before} names", row.path.display());
            return Err(PicturesError::Table { path: path.to_owned(), line, expected, found });
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Where the columns stand.
struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
}

impl Columns {
    fn find(path: &Path, header: &StringRecord) -> Result<Self, PicturesError> {
        let position = |name| header.iter().position(|field| field.eq_ignore_ascii_case(name));
        let found = position("path").zip(position("label"));
        let (of_path, label) = found.ok_or_else(|| PicturesError::Table {
            path: path.to_owned(),
            line: 1,
            expected: "the names of columns, separated by commas: path,label or path,label,split"
                .to_owned(),
            found: format!("`{}`", header.iter().collect::<Vec<_>>().join(",")),
        })?;
        Ok(Self { path: of_path, label, split: position("split") })
    }

    fn row(&self, path: &Path, line: u64, record: &StringRecord) -> Result<Row, PicturesError> {
        let wrong = |expected: &str, found: String| PicturesError::Table {
            path: path.to_owned(),
            line,
            expected: expected.to_owned(),
            found,
        };
        let field = |column: usize, name: &str| match record.get(column).unwrap_or_default() {
            "" => Err(wrong("a field in each column", format!("an empty {name}"))),
            text => Ok(text),
        };
        let part = match self.split.map(|column| record.get(column).unwrap_or_default()) {
            None => None,
            Some("") => Some(Part::Train),
            Some(text) => {
                let part = text.parse();
                Some(part.map_err(|_| wrong("train, valid or test as split", format!("`{text}`")))?)
            }
        };
        let label = field(self.label, "label")?.to_owned();
        Ok(Row { path: field(self.path, "path")?.into(), label, part })
    }
}

fn of_csv(path: &Path, error: csv::Error) -> PicturesError {
    let line = error.position().map_or(1, csv::Position::line);
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => PicturesError::Read { path: path.to_owned(), source },
        _ => PicturesError::Table {
            path: path.to_owned(),
            line,
            expected: "a table in UTF-8 whose rows have as many fields as its header".to_owned(),
            found: text,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn table(text: &[u8]) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        fs::write(&path, text).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_found_by_name_and_fields_may_be_quoted() {
        let text = "\u{feff}label , Path,note\r\n\"cat, small\", a/1.png,x\r\n\
                    dog,\"b \"\"2\"\".png\",\r\n";
        let rows = table(text.as_bytes()).unwrap();
        let row = |path: &str, label: &str| Row {
            path: path.into(),
            label: label.to_owned(),
            part: None,
        };
        assert_eq!(rows, [row("a/1.png", "cat, small"), row("b \"2\".png", "dog")]);
    }

    #[test]
    fn the_split_is_read_by_its_names_and_nothing_means_train() {
        let rows = table(b"path,label,split\na,x,TEST\nb,x,val\nc,x,\nd,x,validation\n").unwrap();
        let parts: Vec<_> = rows.into_iter().map(|row| row.part.unwrap()).collect();
        assert_eq!(parts, [Part::Test, Part::Valid, Part::Train, Part::Valid]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, parts) in [
            (&b"path;label\na;x\n"[..], &["line 1", "path,label", "`path;label`"][..]),
            (b"", &["line 1", "path,label"]),
            (b"path,label\na,x\nb,\n", &["line 3", "an empty label"]),
            (b"path,label\n,x\n", &["line 2", "an empty path"]),
            (b"path,label\na,x\nb\n", &["line 3"]),
            (b"path,label\na,x\nb,y\na,x\n", &["line 4", "a again, which line 2 names"]),
            (b"path,label,split\na,x,dev\n", &["line 2", "`dev`"]),
            (b"path,label\n\xff,x\n", &["line 2", "UTF-8"]),
        ] {
            let error = table(text).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{error}");
            }
        }
        assert!(
            read(Path::new("no such.csv"))
                .unwrap_err()
                .to_string()
                .contains("cannot read no such.csv")
        );
    }
}
