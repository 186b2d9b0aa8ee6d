//! What cargo says of the workspace and of the crates that the program is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cargo;

/// The crate of the program.
pub(super) const PROGRAM: &str = "backburn-trainer";

/// The backend that a release is built for.
pub(super) const FEATURES: [&str; 3] = ["--no-default-features", "--features", "flex"];

/// A crate that the program is made of.
#[derive(Clone, Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// SPDX expression, empty if there is none.
    pub(super) licence: String,
    pub(super) authors: Vec<String>,
    pub(super) repository: String,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its licence's file, if it names one.
    pub(super) licence_file: Option<PathBuf>,
    pub(super) origin: Origin,
}

/// Whose a crate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Ours,
    Registry,
}

/// The workspace, as a release needs to know it.
#[derive(Clone, Debug)]
pub(super) struct Packages {
    /// The repository's folder.
    pub(super) root: PathBuf,
    /// Where cargo builds.
    pub(super) target: PathBuf,
    /// Where the compiler and the standard library are.
    pub(super) sysroot: PathBuf,
    /// Where cargo keeps what it has downloaded; `None` if all crates are elsewhere.
    pub(super) cargo_home: Option<PathBuf>,
    /// What is compiled for, such as `x86_64-unknown-linux-gnu`.
    pub(super) host: String,
    /// Version of the program.
    pub(super) version: String,
    /// All crates that the program is made of, by name and version.
    pub(super) all: Vec<Package>,
}

impl Packages {
    /// Asks cargo and the compiler.
    ///
    /// # Errors
    ///
    /// If they cannot be started, or `Cargo.lock` does not fit the manifests.
    pub(super) fn read() -> Result<Self, String> {
        let about = output(Command::new("rustc").arg("-vV"))?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or("rustc -vV names no host")?.to_owned();
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let mut command = cargo();
        command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host]);
        let text = output(command.current_dir(root()))?;
        let metadata: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        // What is linked into the program, or makes code for it: nothing that only tests and build scripts need.
        let mut command = cargo();
        command
            .args(["tree", "--locked", "--package", PROGRAM, "--edges", "normal"])
            .args(FEATURES);
        command.args(["--target", &host, "--prefix", "none", "--format", "{p}"]);
        let all = used(&metadata, &output(command.current_dir(root()))?)?;
        let program = all.iter().find(|package| package.name == PROGRAM);
        let path = |name: &str| metadata[name].as_str().map(PathBuf::from);
        let registry = all.iter().filter(|package| package.origin == Origin::Registry);
        Ok(Self {
            root: path("workspace_root").ok_or("cargo metadata has no workspace_root")?,
            target: path("target_directory").ok_or("cargo metadata has no target_directory")?,
            sysroot: sysroot.trim().into(),
            cargo_home: registry.map(|it| it.folder.as_path()).find_map(cargo_home),
            host,
            version: program.map(|it| it.version.clone()).ok_or("no program")?,
            all,
        })
    }
}

/// The repository's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// What stands before `registry/src` in a crate's folder.
fn cargo_home(folder: &Path) -> Option<PathBuf> {
    let registry = folder.ancestors().find(|path| path.ends_with("registry/src"))?;
    Some(registry.parent()?.parent()?.to_owned())
}

/// The crates that `cargo tree` lists, a line each, as `cargo metadata` describes them. The former knows what features leave
/// out; the latter names every crate that some feature would ask for.
fn used(metadata: &Value, tree: &str) -> Result<Vec<Package>, String> {
    let described: BTreeMap<(String, String), Package> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(package)
        .map(|package| ((package.name.clone(), package.version.clone()), package))
        .collect();
    // `serde v1.0.229 (proc-macro) (*)`
    let listed = tree.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let mut words = line.split(' ');
        let version = |word: &str| word.strip_prefix('v').map(str::to_owned);
        let found = words.next().map(str::to_owned).zip(words.next().and_then(version));
        found.ok_or_else(|| format!("cargo tree: expected `NAME vVERSION`, found `{line}`"))
    });
    let listed = listed.collect::<Result<BTreeSet<(String, String)>, String>>()?;
    let find = |(name, version): &(String, String)| {
        let package = described.get(&(name.clone(), version.clone())).cloned();
        package.ok_or_else(|| format!("cargo metadata does not describe {name} {version}"))
    };
    listed.iter().map(find).collect()
}

fn package(value: &Value) -> Option<Package> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let folder = Path::new(value["manifest_path"].as_str()?).parent()?.to_owned();
    let authors = value["authors"].as_array()?.iter();
    Some(Package {
        name: text("name"),
        version: text("version"),
        licence: text("license"),
        authors: authors.filter_map(|it| it.as_str().map(str::to_owned)).collect(),
        repository: text("repository"),
        licence_file: value["license_file"].as_str().map(|file| folder.join(file)),
        folder,
        origin: if value["source"].is_null() { Origin::Ours } else { Origin::Registry },
    })
}

/// What a program prints on stdout.
///
/// # Errors
///
/// If it cannot be started or fails; with what it has said.
pub(super) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot start {program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("{program} failed ({}): {said}", output.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_those_of_the_tree_each_once() {
        let package = |name: &str, version: &str| {
            serde_json::json!({
                "name": name, "version": version, "license": "MIT", "authors": [],
                "manifest_path": format!("/r/{name}/Cargo.toml"), "source": "registry",
            })
        };
        let packages = [
            package("b", "1.0.0"),
            package("a", "2.0.0"),
            package("a", "1.0.0"),
            package("c", "1.0.0"),
        ];
        let metadata = serde_json::json!({ "packages": packages });
        let tree = "b v1.0.0 (/r/b)\na v2.0.0 (proc-macro)\n\na v2.0.0 (proc-macro) (*)\n";
        let used = used(&metadata, tree).unwrap();
        let names: Vec<(&str, &str)> =
            used.iter().map(|it| (it.name.as_str(), it.version.as_str())).collect();
        assert_eq!(names, [("a", "2.0.0"), ("b", "1.0.0")]);
        assert!(super::used(&metadata, "d v1.0.0\n").unwrap_err().contains("d 1.0.0"));
        assert!(super::used(&metadata, "d 1.0.0\n").unwrap_err().contains("NAME vVERSION"));
    }

    #[test]
    fn the_home_of_cargo_is_around_its_registry() {
        let folder = Path::new("/home/me/.cargo/registry/src/index.crates.io-1949/toml-1.0.0");
        assert_eq!(cargo_home(folder).as_deref(), Some(Path::new("/home/me/.cargo")));
        assert_eq!(cargo_home(Path::new("/vendor/toml-1.0.0")), None);
    }
}
