//! Records the commit that the program is built from, for the manifests of its runs.

use std::path::Path;

#[path = "build/commit.rs"]
mod commit;

fn main() {
    let root = Path::new("../..");
    println!("cargo::rerun-if-changed=build.rs");
    // The commit is only true as long as the sources are those of the commit.
    for path in commit::depends_on(root) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    if let Some(commit) = commit::commit(root) {
        println!("cargo::rustc-env=BACKBURN_COMMIT={commit}");
    }
}
