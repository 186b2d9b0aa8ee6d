//! What manifests and pages say of the program that made them.

use std::sync::OnceLock;

/// The version of Backburn.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of Burn that training is pinned to.
pub const BURN_VERSION: &str = "0.22.1";

static COMMIT: OnceLock<Option<&'static str>> = OnceLock::new();

/// Tells the commit that the running program was built from, with `-modified` behind it if its sources
/// differed. Once, before anything is written; only the program knows, because a library is not built anew for
/// every commit.
pub fn set_commit(commit: Option<&'static str>) {
    let _ = COMMIT.set(commit);
}

/// The commit that the running program was built from, if it has told.
pub fn commit() -> Option<&'static str> {
    COMMIT.get().copied().flatten()
}
