//! Whose a file is that cannot be used, and so what may be advised about it.

use std::path::Path;

use serde::Serialize;

use crate::{publication::Publication, source::Source};

/// Whose a file is that cannot be used.
///
/// No place proves that a file came from a download, as anybody may have changed it since. So nobody is
/// ever told to delete one: where a fetch would put its files, the advice is to fetch again, which
/// keeps what is in its way; everywhere else the file is taken for the user's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The file lies where the program puts what it downloads by itself.
    Program,
    /// The file lies in a folder that the user has named or filled.
    #[default]
    User,
    /// The file lies where `data fetch --from` was told to take it from.
    From,
    /// The file came from a mirror just now, and is not kept.
    Mirror,
}

impl Owner {
    /// What else can be done than to set the file right.
    pub fn alternative(self, dataset: &str) -> String {
        match self {
            Self::Program => format!(
                "run `cargo xtask data fetch {dataset}`, which fetches the published files and \
                 keeps what is in their way as NAME.unverified"
            ),
            Self::User => format!(
                "name another folder with `--data-dir`; `cargo xtask data fetch {dataset} \
                 --data-dir DIR` fetches the published files into one"
            ),
            Self::From => format!(
                "name another place with `--from`, or none, to download: `cargo xtask data fetch \
                 {dataset}`"
            ),
            Self::Mirror => "take another mirror".to_owned(),
        }
    }
}

impl Source {
    /// Whose the files of a publication are that lie in `folder`.
    pub(crate) fn owner(&self, publication: &Publication, folder: &Path) -> Owner {
        let downloads = publication.folders_in(&self.local);
        // With `$BACKBURN_DATA`, `data fetch` puts its files there.
        match self.environment.is_none() && downloads.first().is_some_and(|own| own == folder) {
            true => Owner::Program,
            false => Owner::User,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::tests::groceries;

    #[test]
    fn only_the_folder_of_downloads_is_the_programs() {
        let usual =
            Source { data_dir: None, environment: None, local: "datasets".into(), download: true };
        let owner = |source: &Source, folder: &str| source.owner(&groceries(), Path::new(folder));
        assert_eq!(owner(&usual, "datasets/groceries"), Owner::Program);
        for folder in ["datasets", "datasets/Groceries/raw", "data/groceries", "data"] {
            assert_eq!(owner(&usual, folder), Owner::User, "{folder}");
        }
        let elsewhere = Source { environment: Some("shared".into()), ..usual };
        assert_eq!(owner(&elsewhere, "datasets/groceries"), Owner::User);
        assert_eq!(owner(&elsewhere, "shared/groceries"), Owner::User);
    }

    #[test]
    fn nobody_is_told_to_delete_anything() {
        for owner in [Owner::Program, Owner::User, Owner::From, Owner::Mirror] {
            let advice = owner.alternative("groceries");
            for word in ["delete", "remove", "overwrite", "replace"] {
                assert!(!advice.contains(word), "{advice}");
            }
        }
        assert!(Owner::User.alternative("groceries").contains("--data-dir"));
        assert!(Owner::Program.alternative("groceries").contains("NAME.unverified"));
    }
}
