//! Help that lists what there is.

use backburn_training::backend::Backend;

/// Help of `--backend`.
pub(crate) fn backends() -> String {
    format!("What computes: {}", Backend::ALL.map(Backend::name).join(", "))
}

/// Help of an argument that names a data set of any kind.
pub(crate) fn data_sets() -> String {
    format!("Data set: {}", names(|_| true))
}

/// Help of an argument that names a data set, or pictures of one's own.
pub(crate) fn data_sets_or_pictures() -> String {
    format!(
        "{}; or pictures of your own by their path: a folder with a folder for each class, one \
         with train, valid and test folders of such, or a table `path,label` in CSV",
        data_sets()
    )
}

/// Help of an argument that names a data set with files.
pub(crate) fn published_data_sets() -> String {
    format!("Data set: {}", names(|entry| !entry.built_in))
}

fn names(wanted: impl Fn(&backburn_data::Entry) -> bool) -> String {
    let rows = backburn_data::CATALOG.iter().filter(|entry| wanted(entry));
    let name = |entry: &backburn_data::Entry| {
        entry.name.to_owned() + if entry.built_in { " (needs no files)" } else { "" }
    };
    rows.map(name).collect::<Vec<_>>().join(", ")
}
