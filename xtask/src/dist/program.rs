//! The program: how it is built, what must not be in it, and what it writes about itself.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::file::{File, TIME, cannot};
use super::packages::{FEATURES, PROGRAM, Packages, output};
use crate::cargo;

/// The profile of `Cargo.toml`, and the folder that it is built in.
const PROFILE: &str = "dist";

/// Shells, with the name that the file of their completions has.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "backburn.bash"),
    ("elvish", "backburn.elv"),
    ("fish", "backburn.fish"),
    ("powershell", "_backburn.ps1"),
    ("zsh", "_backburn"),
];

/// Name of the program's file.
pub(super) fn file_name() -> String {
    format!("backburn{}", std::env::consts::EXE_SUFFIX)
}

/// Builds the program, and gives its path.
pub(super) fn build(packages: &Packages) -> Result<PathBuf, String> {
    let mut command = cargo();
    command.args(["build", "--locked", "--profile", PROFILE, "--package", PROGRAM]);
    command.args(["--bin", "backburn"]).args(FEATURES).current_dir(&packages.root);
    // Flags between the separators that cargo has for those with spaces; they take the place of all others.
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(packages).join(&OsString::from("\x1f")));
    command.env("CARGO_TARGET_DIR", &packages.target).env("BACKBURN_DIST", "1");
    // What compilers of C take for the time of compiling, or mimalloc would hold the real one.
    command.env("SOURCE_DATE_EPOCH", TIME.to_string());
    let status = command.status().map_err(|error| format!("cannot start cargo: {error}"))?;
    match status.success() {
        true => Ok(packages.target.join(PROFILE).join(file_name())),
        false => Err("the program cannot be built; see above".to_owned()),
    }
}

/// Folders of this machine, with what stands for them in the program. Of several that fit, the compiler takes the last.
fn folders(packages: &Packages) -> Vec<(&Path, &'static str)> {
    let mut folders = vec![(packages.sysroot.as_path(), "/rust"), (&packages.root, "/backburn")];
    folders.extend(packages.cargo_home.as_deref().map(|home| (home, "/cargo")));
    folders.push((&packages.target, "/target"));
    folders
}

fn flags(packages: &Packages) -> Vec<OsString> {
    let flag = |(folder, name): (&Path, &str)| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(folder);
        flag.push("=");
        flag.push(name);
        flag
    };
    folders(packages).into_iter().map(flag).collect()
}

/// Checks that the program tells nothing of the machine that it was built on.
///
/// # Errors
///
/// If a folder of the machine is in it, with the words around the first.
pub(super) fn check_paths(program: &[u8], packages: &Packages) -> Result<(), String> {
    let mut known: Vec<PathBuf> =
        folders(packages).into_iter().map(|(folder, _)| telling(folder)).collect();
    // Shorter ones would be found by chance.
    known.extend(
        std::env::home_dir().map(|home| home.join("")).filter(|it| it.as_os_str().len() > 4),
    );
    let found =
        known.iter().find_map(|folder| around(program, folder.as_os_str().as_encoded_bytes()));
    found.map_or(Ok(()), |text| Err(format!("the program holds a path of this machine: {text}")))
}

/// Folders of every system, which are named in programs whatever they are built with.
const OF_EVERY_SYSTEM: [&str; 3] = ["/", "/usr", "/usr/local"];

/// The folder by which a path inside it is told from others: of a compiler that a distribution has put into a folder of
/// every system, that of its sources and libraries.
fn telling(folder: &Path) -> PathBuf {
    let is_everywhere = OF_EVERY_SYSTEM.iter().any(|it| Path::new(it) == folder);
    if is_everywhere { folder.join("lib/rustlib") } else { folder.to_owned() }
}

/// What stands around the first place of `wanted`, if it is anywhere.
fn around(bytes: &[u8], wanted: &[u8]) -> Option<String> {
    let at = bytes.windows(wanted.len()).position(|window| window == wanted)?;
    let part = bytes.get(at.saturating_sub(20)..(at + 120).min(bytes.len()))?;
    Some(String::from_utf8_lossy(part).into_owned())
}

/// Completions and pages of the manual, which the program at `path` writes itself; the latter by way of a folder that is
/// only for that.
pub(super) fn pages(path: &Path, folder: &Path) -> Result<Vec<File>, String> {
    let mut pages = Vec::new();
    for (shell, name) in SHELLS {
        // As it is when it is installed: cargo's traces are what help goes by.
        let text = output(Command::new(path).args(["completions", shell]).env_remove("CARGO"))?;
        pages.push(File::plain(format!("completions/{name}"), text.into_bytes()));
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| cannot("clear", folder, &error))?;
    }
    output(Command::new(path).arg("man").arg(folder).env_remove("CARGO"))?;
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
    let mut manual = Vec::new();
    for entry in entries {
        let page = entry.map_err(|error| cannot("read", folder, &error))?.path();
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read(&page).map_err(|error| cannot("read", &page, &error))?;
        manual.push(File::plain(format!("man/{name}"), text));
    }
    manual.sort_by(|a, b| a.name.cmp(&b.name));
    pages.extend(manual);
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages() -> Packages {
        Packages {
            root: "/home/me/backburn".into(),
            target: "/home/me/backburn/target".into(),
            sysroot: "/opt/rust".into(),
            cargo_home: Some("/opt/cargo".into()),
            host: "x86_64-unknown-linux-gnu".to_owned(),
            version: "1.2.3".to_owned(),
            all: Vec::new(),
        }
    }

    #[test]
    fn the_target_folder_is_named_after_the_repository_that_it_is_in() {
        let expected = [
            "--remap-path-prefix=/opt/rust=/rust",
            "--remap-path-prefix=/home/me/backburn=/backburn",
            "--remap-path-prefix=/opt/cargo=/cargo",
            "--remap-path-prefix=/home/me/backburn/target=/target",
        ];
        assert_eq!(flags(&packages()), expected);
    }

    #[test]
    fn a_path_of_the_machine_is_found_and_shown() {
        assert_eq!(check_paths(b"at /backburn/crates, /cargo/registry", &packages()), Ok(()));
        for path in ["/home/me/backburn/a.rs", "/opt/cargo/registry/a.rs", "/opt/rust/lib"] {
            let program = format!("\0at {path}\0");
            let message = check_paths(program.as_bytes(), &packages()).unwrap_err();
            assert!(message.contains(path), "{message}");
        }
    }

    #[test]
    fn a_compiler_of_the_distribution_makes_no_system_folder_a_path_of_the_machine() {
        let packages = Packages { sysroot: "/usr".into(), ..packages() };
        assert_eq!(check_paths(b"reads /usr/share/zoneinfo", &packages), Ok(()));
        let sources = b"at /usr/lib/rustlib/src/rust/library/core";
        assert!(check_paths(sources, &packages).unwrap_err().contains("/usr/lib/rustlib"));
    }
}
