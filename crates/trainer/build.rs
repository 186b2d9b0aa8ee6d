//! Records the commit that the program is built from, for the manifests of its runs.

use std::path::Path;
use std::process::Command;

fn main() {
    let root = Path::new("../..");
    // The commit is only true as long as the sources are those of the commit.
    for path in ["crates", "Cargo.lock", ".git/HEAD", ".git/logs/HEAD"] {
        if root.join(path).exists() {
            println!("cargo::rerun-if-changed=../../{path}");
        }
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        let clean =
            git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| s.is_empty());
        let suffix = if clean { "" } else { "-modified" };
        println!("cargo::rustc-env=BACKBURN_COMMIT={commit}{suffix}");
    }
}

/// Output of a git command, if there is git and a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
