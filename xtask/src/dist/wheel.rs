//! A wheel: an archive from which `pip install` takes a program, without Python code.
//!
//! [Binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/) 1.0,
//! [core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/) 2.4.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::file::File;
use super::zip::zip;

/// What a wheel is made of, beside documents and pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wheel<'a> {
    /// Version of Backburn.
    pub(super) version: &'a str,
    /// The platforms that the program runs on, such as `manylinux_2_34_x86_64`.
    pub(super) tag: &'a str,
    /// The program.
    pub(super) program: &'a [u8],
}

/// Where pages of the archive go below an installation's folder.
const PAGES: [(&str, &str); 4] = [
    ("man/", "share/man/man1/"),
    ("completions/backburn.bash", "share/bash-completion/completions/backburn"),
    ("completions/_backburn", "share/zsh/site-functions/_backburn"),
    ("completions/backburn.fish", "share/fish/vendor_completions.d/backburn.fish"),
];

impl Wheel<'_> {
    /// The wheel's name, which tells where it can be installed: for any Python 3, as it holds none.
    pub(super) fn file_name(&self) -> String {
        format!("backburn-{}-py3-none-{}.whl", self.version, self.tag)
    }

    /// The wheel's bytes, with `documents` about the program and `pages` that belong to it.
    ///
    /// # Errors
    ///
    /// If it would be too large.
    pub(super) fn bytes(&self, documents: &[File], pages: &[File]) -> Result<Vec<u8>, String> {
        zip(&self.files(documents, pages))
    }

    /// In the order of a wheel: what is about the wheel comes last, and its record at the very end.
    fn files(&self, documents: &[File], pages: &[File]) -> Vec<File> {
        let (data, info) = (
            format!("backburn-{}.data", self.version),
            format!("backburn-{}.dist-info", self.version),
        );
        let script = format!("{data}/scripts/backburn");
        let mut files = vec![File::executable(script, self.program.to_vec())];
        files.extend(pages.iter().filter_map(|page| {
            let (from, to) = PAGES.iter().find(|(from, _)| page.name.starts_with(from))?;
            let rest = page.name.strip_prefix(from)?;
            Some(page.renamed(format!("{data}/data/{to}{rest}")))
        }));
        let licences: Vec<&File> = documents.iter().filter(|file| is_licence(file)).collect();
        let names: Vec<&str> = licences.iter().map(|file| file.name.as_str()).collect();
        let readme = documents.iter().find(|file| file.name == "README.md");
        let readme = readme.map_or(&[][..], |file| &file.content);
        files.push(File::plain(format!("{info}/METADATA"), self.metadata(&names, readme)));
        files.push(File::plain(format!("{info}/WHEEL"), self.about()));
        let licences = licences.iter().map(|it| it.renamed(format!("{info}/licenses/{}", it.name)));
        files.extend(licences);
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let record = format!("{info}/RECORD");
        files.push(File::plain(record.clone(), self::record(&files, &record)));
        files
    }

    fn metadata(&self, licences: &[&str], readme: &[u8]) -> Vec<u8> {
        let licences: String = licences.iter().map(|it| format!("License-File: {it}\n")).collect();
        let head = format!(
            "Metadata-Version: 2.4\nName: backburn\nVersion: {}\nSummary: Trains image classifiers \
             that generalize, and shows what keeps them from memorizing\nLicense-Expression: MIT OR \
             Apache-2.0\n{licences}Requires-Python: >=3\nDescription-Content-Type: text/markdown\n\n",
            self.version
        );
        [head.as_bytes(), readme].concat()
    }

    fn about(&self) -> Vec<u8> {
        format!(
            "Wheel-Version: 1.0\nGenerator: backburn ({})\nRoot-Is-Purelib: false\nTag: py3-none-{}\n",
            self.version, self.tag
        )
        .into_bytes()
    }
}

fn is_licence(file: &File) -> bool {
    file.name.starts_with("LICENSE") || file.name.starts_with("THIRD-PARTY")
}

/// A line for each file: name, checksum, size; the record itself has no checksum.
fn record(files: &[File], own_name: &str) -> Vec<u8> {
    let line = |file: &File| {
        let sum = URL_SAFE_NO_PAD.encode(Sha256::digest(&file.content));
        format!("{},sha256={sum},{}\n", file.name, file.content.len())
    };
    let lines: String = files.iter().map(line).collect();
    (lines + own_name + ",,\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEEL: Wheel<'_> =
        Wheel { version: "1.2.3", tag: "manylinux_2_34_x86_64", program: b"abc" };

    fn documents() -> Vec<File> {
        let names = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "THIRD-PARTY.txt"];
        names.map(|name| File::plain(name, name.as_bytes().to_vec())).into()
    }

    fn pages() -> Vec<File> {
        let names = ["man/backburn-train.1", "completions/_backburn", "completions/backburn.elv"];
        names.map(|name| File::plain(name, b"page".to_vec())).into()
    }

    #[test]
    fn files_stand_where_pip_looks_for_them_and_the_record_is_last() {
        let files = WHEEL.files(&documents(), &pages());
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let expected = [
            "backburn-1.2.3.data/data/share/man/man1/backburn-train.1",
            "backburn-1.2.3.data/data/share/zsh/site-functions/_backburn",
            "backburn-1.2.3.data/scripts/backburn",
            "backburn-1.2.3.dist-info/METADATA",
            "backburn-1.2.3.dist-info/WHEEL",
            "backburn-1.2.3.dist-info/licenses/LICENSE-MIT",
            "backburn-1.2.3.dist-info/licenses/THIRD-PARTY.txt",
            "backburn-1.2.3.dist-info/RECORD",
        ];
        assert_eq!(names, expected);
        assert_eq!(files[2].kind.mode(), 0o755);
        assert_eq!(WHEEL.file_name(), "backburn-1.2.3-py3-none-manylinux_2_34_x86_64.whl");
    }

    #[test]
    fn the_record_has_the_checksum_of_every_file_but_itself() {
        let files = WHEEL.files(&documents(), &pages());
        let (record, others) = files.split_last().unwrap();
        let lines: Vec<&str> = std::str::from_utf8(&record.content).unwrap().lines().collect();
        assert_eq!(lines.len(), files.len());
        // SHA-256 of `abc`, of FIPS 180-2, in the alphabet of addresses.
        let program = "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3";
        assert_eq!(lines[2], format!("backburn-1.2.3.data/scripts/backburn,{program}"));
        assert!(others.iter().zip(&lines).all(|(file, line)| line.starts_with(&file.name)));
        assert_eq!(lines[others.len()], "backburn-1.2.3.dist-info/RECORD,,");
    }

    #[test]
    fn the_metadata_name_licences_and_end_with_the_readme() {
        let text = String::from_utf8(WHEEL.metadata(&["LICENSE-MIT"], b"# Backburn\n")).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        assert_eq!(body, "# Backburn\n");
        for line in ["Name: backburn", "Version: 1.2.3", "License-File: LICENSE-MIT"] {
            assert!(head.lines().any(|it| it == line), "{head}");
        }
        assert!(head.lines().all(|line| line.contains(": ")), "{head}");
        let about = String::from_utf8(WHEEL.about()).unwrap();
        assert!(about.contains("\nTag: py3-none-manylinux_2_34_x86_64\n"), "{about}");
    }
}
