//! What the program sets before a card is opened.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::tuning::level::TuningLevel;

static LEVEL: OnceLock<TuningLevel> = OnceLock::new();
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Sets how much is tried before a kernel is chosen; before a card is opened, and only the first call counts.
pub fn set_level(level: TuningLevel) {
    let _ = LEVEL.set(level);
}

/// Sets where choices and kernels are kept, before a card is opened; only the first call counts. Without one nothing is
/// kept.
pub fn keep_in(folder: PathBuf) {
    let _ = FOLDER.set(folder);
}

/// Where to keep them if nobody says otherwise: in `kernels` of `cache`, else of the user's cache, where the system has one.
/// `None` also for programs without a backend that chooses kernels.
pub fn usual_folder(cache: Option<&Path>) -> Option<PathBuf> {
    #[cfg(feature = "cube")]
    {
        use etcetera::BaseStrategy;
        let of_user = || Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("backburn"));
        Some(cache.map(Path::to_owned).or_else(of_user)?.join("kernels"))
    }
    #[cfg(not(feature = "cube"))]
    {
        let _ = cache;
        None
    }
}

/// What was set, for processes that this one starts.
pub fn chosen_level() -> Option<TuningLevel> {
    LEVEL.get().copied()
}

#[cfg(feature = "cube")]
pub(super) fn folder() -> Option<&'static Path> {
    FOLDER.get().map(PathBuf::as_path)
}
