//! Which commit a program is built from. Used by the build script, and by a test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is made of, relative to the repository: a change anywhere else does not make it
/// another program, and its commit is told as it is.
const SOURCES: [&str; 6] = [
    "crates",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
    "rust-toolchain.toml",
    "datasets/manifest.toml",
];

/// The commit of the repository at `root`, with `-modified` behind it if the sources are not those of
/// the commit, files that git does not know included. `None` without git, or where `root` is no
/// repository of its own: a copy of the sources inside another project is not at that one's commit.
pub(crate) fn commit(root: &Path) -> Option<String> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let commit = git(root, &["rev-parse", "HEAD"])?;
    let status = ["status", "--porcelain", "--untracked-files=all", "--"];
    let is_clean = git(root, &[&status[..], &SOURCES].concat()).is_some_and(|it| it.is_empty());
    Some(if is_clean { commit } else { format!("{commit}-modified") })
}

/// The files and folders that [`commit`] depends on: sources, and what git changes with every commit and
/// checkout. In a worktree these lie outside of it.
pub(crate) fn depends_on(root: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = SOURCES.iter().map(|path| root.join(path)).collect();
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    let of_git = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned).into_iter().chain(branch);
    for name in of_git {
        paths.extend(git(root, &["rev-parse", "--git-path", &name]).map(|path| root.join(path)));
    }
    paths.retain(|path| path.exists());
    paths
}

/// Output of a git command, if there is git and a repository.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
