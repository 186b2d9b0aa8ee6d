//! Where data may come from.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Where data may come from.
///
/// A data folder holds one folder for each set (`mnist/`, `fashion-mnist/`, `cifar-10/`), or the
/// files of one set themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The only data folder to look at, if given; then nothing is downloaded.
    pub data_dir: Option<PathBuf>,
    /// The data folder to look at first, from `$BACKBURN_DATA`.
    pub environment: Option<PathBuf>,
    /// The data folder to look at next, and to download into.
    pub local: PathBuf,
    /// Whether a download may be tried at last.
    pub download: bool,
}

impl Source {
    /// Looks at `data_dir` only, if given; otherwise at `$BACKBURN_DATA`, then at `./datasets`, and
    /// then downloads into the latter.
    pub fn from_environment(data_dir: Option<PathBuf>) -> Self {
        let environment = env::var_os("BACKBURN_DATA").filter(|value| !value.is_empty());
        Self {
            data_dir,
            environment: environment.map(PathBuf::from),
            local: PathBuf::from("datasets"),
            download: true,
        }
    }

    /// The data folders to look at, best first, each with what to call it in a message.
    pub(crate) fn roots(&self) -> Vec<(&'static str, &Path)> {
        match &self.data_dir {
            Some(folder) => vec![("--data-dir ", folder)],
            None => {
                let environment = self.environment.as_deref();
                let named = environment.map(|folder| ("$BACKBURN_DATA ", folder));
                named.into_iter().chain([("", self.local.as_path())]).collect()
            }
        }
    }
}
