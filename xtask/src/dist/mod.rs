//! `cargo xtask dist [--out DIR]`: what a release consists of, made on the machine that it is made for.
//!
//! The program for flex, stripped; an archive of it with licences, completions and man pages; a wheel, with which `pip`
//! installs the same; and their checksums. The same sources, toolchain and folders give the same bytes.

mod archive;
mod elf;
mod file;
mod licences;
mod packages;
mod program;
mod wheel;
mod zip;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sha2::{Digest, Sha256};

use crate::say;
use file::{File, cannot};
use packages::Packages;

/// Most bytes of the program.
const MOST_BYTES: usize = 40_000_000;

/// Makes a release.
pub(crate) fn dist(arguments: &[OsString]) -> ExitCode {
    let out = match out(arguments) {
        Ok(out) => out,
        Err(message) => {
            say(&format!("error: {message}"));
            return ExitCode::from(2);
        }
    };
    match make(out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// The value of `--out`, if it is there.
fn out(arguments: &[OsString]) -> Result<Option<PathBuf>, String> {
    match arguments {
        [] => Ok(None),
        [flag, folder] if flag == "--out" => Ok(Some(folder.into())),
        [other, ..] => Err(format!(
            "`cargo xtask dist`: expected nothing or `--out DIR`, found `{}`",
            other.display()
        )),
    }
}

/// Builds, packs and writes everything into `out`, or `packages` in the target folder.
fn make(out: Option<PathBuf>) -> Result<(), String> {
    let packages = Packages::read()?;
    let out = out.unwrap_or_else(|| packages.target.join("packages"));
    fs::create_dir_all(&out).map_err(|error| cannot("make", &out, &error))?;

    let built = program::build(&packages)?;
    let program = read(&built)?;
    if program.len() > MOST_BYTES {
        return Err(format!(
            "{} has {} bytes, expected {MOST_BYTES} at most; look for what has been added with \
             `cargo tree -e normal`",
            built.display(),
            program.len()
        ));
    }
    program::check_paths(&program, &packages)?;
    let (version, host) = (&packages.version, &packages.host);
    let documents = documents(&packages)?;
    let pages = program::pages(&built, &packages.target.join("dist-man"))?;

    let name = format!("backburn-{version}-{host}");
    let program_file = File::executable(program::file_name(), program.clone());
    let whole: Vec<File> = [vec![program_file.clone()], documents.clone(), pages.clone()].concat();
    let mut results =
        vec![program_file, File::plain(format!("{name}.tar.gz"), archive::tar_gz(&name, &whole)?)];
    match elf::needs(&program) {
        Ok(needs) => {
            let tag = needs.platform_tag();
            let wheel = wheel::Wheel { version, tag: &tag, program: &program };
            let bytes = wheel.bytes(&documents, &pages)?;
            results.push(File::plain(wheel.file_name(), bytes));
        }
        Err(reason) => say(&format!("note: no wheel, which is for Linux only: {reason}")),
    }
    results.push(File::plain("SHA256SUMS", sums(&results).into_bytes()));
    for file in &results {
        let path = out.join(&file.name);
        file.write(&path)?;
        say(&format!("{:>11} bytes  {}", file.content.len(), path.display()));
    }
    Ok(())
}

/// What a user reads: about the program, its licences, those of others.
fn documents(packages: &Packages) -> Result<Vec<File>, String> {
    let names = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];
    let ours = names.iter().map(|name| Ok(File::plain(*name, read(&packages.root.join(name))?)));
    let mut files = ours.collect::<Result<Vec<File>, String>>()?;
    let third_party = licences::third_party(packages)?;
    files.push(File::plain("THIRD-PARTY.txt", third_party.into_bytes()));
    Ok(files)
}

/// Lines as `sha256sum` writes and checks them.
fn sums(files: &[File]) -> String {
    files.iter().map(|file| format!("{}  {}\n", hex(&file.content), file.name)).collect()
}

/// The SHA-256 of some bytes, in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| cannot("read", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_only_thing_that_can_be_said() {
        let out = |arguments: &[&str]| {
            super::out(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
        };
        assert_eq!(out(&[]), Ok(None));
        assert_eq!(out(&["--out", "there"]), Ok(Some("there".into())));
        assert!(out(&["--backend", "wgpu"]).unwrap_err().contains("found `--backend`"));
        assert!(out(&["--out"]).is_err() && out(&["--out", "a", "b"]).is_err());
    }

    #[test]
    fn checksums_are_those_that_sha256sum_checks() {
        let files = [File::plain("a", b"abc".to_vec()), File::plain("b c", Vec::new())];
        let expected = "\
ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b c
";
        assert_eq!(sums(&files), expected);
    }
}
