//! The licences of all that the program is made of, in one text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::file::cannot;
use super::packages::{Origin, Package, Packages};

/// How the names of files with licences and notices begin, in capitals.
const NAMES: [&str; 7] =
    ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE", "PATENTS"];

/// Endings of files that are something else by such a name.
const OTHERS: [&str; 9] = ["rs", "toml", "json", "yml", "yaml", "html", "py", "sh", "tmpl"];

/// How deep below a crate's folder licences of what it brings along are looked for.
const DEPTH: usize = 3;

/// The terms that stand for those of a crate without a text, by the name of its licence and our file of it; the first that a
/// crate may be used under.
const TERMS: [(&str, &str); 2] = [("Apache-2.0", "LICENSE-APACHE"), ("MIT", "LICENSE-MIT")];

/// A list of the crates with the numbers of their texts, and below each text once.
///
/// # Errors
///
/// If a crate's folder cannot be read, or a crate names neither a licence nor has a file with one.
pub(super) fn third_party(packages: &Packages) -> Result<String, String> {
    let mut texts = Texts::default();
    let (mut rows, mut ours) = (String::new(), String::new());
    for package in &packages.all {
        let found = licence_files(package)?;
        if package.origin == Origin::Ours {
            // Ours are under the licences beside this file; what others have made stands inside of them.
            for file in found {
                let name = file.strip_prefix(&packages.root).unwrap_or(&file).display().to_string();
                ours += &format!("{name}\n    text {}\n", texts.number(&file)?);
            }
            continue;
        }
        let numbers = found.iter().map(|file| texts.number(file));
        let numbers = numbers.collect::<Result<Vec<usize>, String>>()?;
        let text = match numbers.is_empty() {
            true => without_text(package, packages, &mut texts)?,
            false => {
                let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
                format!("text {}", numbers.join(", "))
            }
        };
        rows += &row(package, &text);
    }
    let head = format!(
        "What the program backburn {} is made of, beside its own sources: crates, by name, each with its licence and the \
         numbers of its texts, which follow below. The sources of each are on crates.io, by name and version. Where a \
         licence is a choice, the crate is used under those of them that are permissive.\n",
        packages.version
    );
    let ours = match ours.is_empty() {
        true => String::new(),
        false => format!("\n== Files inside of our own crates\n\n{ours}"),
    };
    Ok(format!("{head}\n== Crates\n\n{rows}{ours}\n== Texts\n{}", texts.all()))
}

fn row(package: &Package, text: &str) -> String {
    let licence = match package.licence.as_str() {
        "" => "by its text",
        licence => licence,
    };
    let repository = match package.repository.as_str() {
        "" => String::new(),
        address => format!("    {address}\n"),
    };
    format!("{} {}: {licence}\n{repository}    {text}\n", package.name, package.version)
}

/// What is said of a crate that brings no text: nothing else tells whose it is, and under which terms.
fn without_text(
    package: &Package,
    packages: &Packages,
    texts: &mut Texts,
) -> Result<String, String> {
    let Package { name, version, licence, .. } = package;
    if licence.is_empty() {
        return Err(format!(
            "{name} {version} names no licence and has no file with one in {}",
            package.folder.display()
        ));
    }
    let authors = match package.authors.is_empty() {
        true => format!("the authors of {name}"),
        false => package.authors.join(", "),
    };
    let terms = TERMS.iter().find(|(known, _)| licence.contains(known));
    let terms = match terms {
        Some((known, file)) => {
            format!(
                "; the terms of {known} are in text {}",
                texts.number(&packages.root.join(file))?
            )
        }
        None => String::new(),
    };
    Ok(format!("its package has no text of its licence{terms}; copyright of {authors}"))
}

/// Files with licences below a crate's folder, sorted.
fn licence_files(package: &Package) -> Result<Vec<PathBuf>, String> {
    let mut files: Vec<PathBuf> =
        package.licence_file.iter().filter(|it| it.is_file()).cloned().collect();
    search(&package.folder, DEPTH, &mut files)?;
    files.sort();
    files.dedup();
    Ok(files)
}

fn search(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| cannot("read", folder, &error))?;
        let kind = entry.file_type().map_err(|error| cannot("read", folder, &error))?;
        let path = entry.path();
        if kind.is_dir() && depth > 0 && entry.file_name() != "target" {
            search(&path, depth - 1, files)?;
        } else if kind.is_file() && is_licence(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_licence(path: &Path) -> bool {
    let upper =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().to_uppercase();
    let (name, ending) = (upper(path.file_name()), upper(path.extension()).to_lowercase());
    // Fonts have theirs by their own name.
    let is_named = NAMES.iter().any(|start| name.starts_with(start)) || name.contains("-LICENSE");
    is_named && !OTHERS.contains(&ending.as_str())
}

/// Texts, each once, by their first use.
#[derive(Default)]
struct Texts {
    numbers: BTreeMap<String, usize>,
}

impl Texts {
    /// The number of a file's text, which is compared without line ends and spaces at them.
    fn number(&mut self, file: &Path) -> Result<usize, String> {
        let bytes = fs::read(file).map_err(|error| cannot("read", file, &error))?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let next = self.numbers.len() + 1;
        Ok(*self.numbers.entry(lines.join("\n").trim_matches('\n').to_owned()).or_insert(next))
    }

    fn all(&self) -> String {
        let mut sorted: Vec<(usize, &str)> =
            self.numbers.iter().map(|(text, &number)| (number, text.as_str())).collect();
        sorted.sort_unstable();
        let line = "-".repeat(78);
        sorted.iter().map(|(number, text)| format!("\n{line}\n{number}\n\n{text}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, folder: &Path, origin: Origin) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MIT".to_owned(),
            authors: vec!["A. Author".to_owned()],
            repository: String::new(),
            folder: folder.join(name),
            licence_file: None,
            origin,
        }
    }

    fn packages(root: &Path) -> Packages {
        for (path, text) in [
            ("a/LICENSE-MIT", "terms\r\nof MIT \r\n"),
            ("a/src/license.rs", "code"),
            ("a/c_src/lib/LICENSE", "terms of C"),
            ("b/License.txt", "terms\nof MIT\n"),
            ("bare/src/lib.rs", ""),
            ("LICENSE-MIT", "our terms of MIT"),
            ("ours/assets/Font-LICENSE.txt", "terms of a font"),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let registry = ["a", "b", "bare"].map(|name| package(name, root, Origin::Registry));
        Packages {
            root: root.to_owned(),
            target: root.join("target"),
            sysroot: root.join("rust"),
            cargo_home: None,
            host: "host".to_owned(),
            version: "1.2.3".to_owned(),
            all: registry.into_iter().chain([package("ours", root, Origin::Ours)]).collect(),
        }
    }

    #[test]
    fn every_crate_has_the_numbers_of_its_texts_and_every_text_stands_once() {
        let folder = tempfile::tempdir().unwrap();
        let text = third_party(&packages(folder.path())).unwrap();
        assert_eq!(text, third_party(&packages(folder.path())).unwrap());
        for part in [
            "a 1.0.0: MIT\n    text 1, 2\n",
            "b 1.0.0: MIT\n    text 1\n",
            "bare 1.0.0: MIT\n    its package has no text of its licence; the terms of MIT are in \
             text 3; copyright of A. Author\n",
            "ours/assets/Font-LICENSE.txt\n    text 4\n",
            "\n1\n\nterms\nof MIT\n",
            "\n2\n\nterms of C\n",
        ] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
        assert_eq!(text.matches("\nof MIT").count(), 1);
        assert!(!text.contains("code"));
    }

    #[test]
    fn a_crate_without_any_licence_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut packages = packages(folder.path());
        packages.all.iter_mut().for_each(|it| it.licence.clear());
        let message = third_party(&packages).unwrap_err();
        assert!(message.starts_with("bare 1.0.0 names no licence"), "{message}");
    }
}
