//! Whether a path lies in the folder of a run, whose files stay as training left them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::manifest::MANIFEST_FILE;
use crate::run_record::CONFIG_FILE;

/// The innermost folder of a run that `path` lies in, without links, by what is there now; the path itself need not be
/// there.
pub fn enclosing_run(path: &Path) -> Option<PathBuf> {
    let real = without_links(path);
    let is_run =
        |folder: &&Path| [MANIFEST_FILE, CONFIG_FILE].iter().all(|it| folder.join(it).is_file());
    real.ancestors().find(is_run).map(Path::to_owned)
}

/// An absolute path without links to folders, as far as these are there.
pub fn without_links(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = path.ancestors().filter(|folder| folder.is_dir()).find_map(|folder| {
        Some(fs::canonicalize(folder).ok()?.join(path.strip_prefix(folder).ok()?))
    });
    real.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_run_or_in_a_folder_of_it_has_that_run() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("run");
        fs::create_dir_all(run.join("figures")).unwrap();
        assert_eq!(enclosing_run(&run.join("figures/loss.png")), None);
        for file in [MANIFEST_FILE, CONFIG_FILE] {
            fs::write(run.join(file), "").unwrap();
        }
        let real = fs::canonicalize(&run).unwrap();
        for path in ["model.safetensors", "figures/loss.png", "new/folder/x", "."] {
            assert_eq!(enclosing_run(&run.join(path)), Some(real.clone()), "{path}");
        }
        assert_eq!(enclosing_run(&place.path().join("page.html")), None);
        assert_eq!(enclosing_run(&run.join("../page.html")), None);
    }
}
