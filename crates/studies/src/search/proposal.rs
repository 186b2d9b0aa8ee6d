//! The files of a search beside its run folders: what is searched, what each trial tries, where one was stopped.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use backburn_records::read_bounded;
use backburn_records::whole_file::write_whole;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::MOST_BYTES;
use backburn_training::recipe_change::RecipeChange;
use backburn_training::run_folder::names::CONFIG;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::search::history::Cut;
use crate::search::plan::Search;

/// What is searched, in the folder of the search.
pub const SEARCH_FILE: &str = "search.toml";
/// What a trial tries, in its folder.
pub const TRIAL_FILE: &str = "trial.toml";
/// Where a trial was stopped early, in its folder.
pub const PRUNED_FILE: &str = "pruned.toml";

/// `trial.toml`: written before the trial's first run begins, so that another process trains the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposal {
    /// Number of the trial, counted from 1.
    trial: usize,
    /// What it changes of the recipe in `search.toml`.
    values: RecipeChange,
}

/// Writes what is searched, or checks that the folder's search is this one. With one round, another number of trials
/// is the same search: it has more of them, or fewer.
///
/// # Errors
///
/// If the folder holds a run or another search, naming what differs, or it cannot be written to.
pub fn claim(search: &Search) -> Result<(), Failure> {
    let folder = &search.folder;
    if folder.join(CONFIG).exists() {
        return Err(usage(format!(
            "{} is the folder of a run; name another folder with `--out`",
            folder.display()
        )));
    }
    let path = folder.join(SEARCH_FILE);
    let Some(found) = read::<Table>(&path)? else {
        return write(&path, search);
    };
    let asked = Table::try_from(search).map_err(|error| cannot(&path, "write", &error))?;
    let may_differ = |name: &str| name == "trials" && search.rounds == 1;
    let mut different = Vec::new();
    compare("", &found, &asked, &mut different);
    different.retain(|name| !may_differ(name));
    if different.is_empty() {
        // Of the newest number of trials.
        return if found == asked { Ok(()) } else { write(&path, search) };
    }
    Err(usage(format!(
        "{} holds another search: {}; name another folder with `--out`",
        folder.display(),
        different
            .iter()
            .map(|name| {
                let value = |table| lookup(table, name).unwrap_or_else(|| "not set".into());
                format!("`{name}` is {} there, {} here", value(&found), value(&asked))
            })
            .collect::<Vec<_>>()
            .join(", ")
    )))
}

/// Adds the names of settings that differ.
fn compare(path: &str, a: &Table, b: &Table, different: &mut Vec<String>) {
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let inside = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (a.get(name), b.get(name)) {
            (Some(Value::Table(a)), Some(Value::Table(b))) => compare(&inside, a, b, different),
            (a, b) if a == b => {}
            _ => different.push(inside),
        }
    }
}

fn lookup(table: &Table, path: &str) -> Option<String> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    match (table.get(path), rest) {
        (Some(value), _) => Some(value.to_string()),
        (None, Some(rest)) => lookup(table.get(first)?.as_table()?, rest),
        (None, None) => None,
    }
}

/// What a trial tries, if its folder says so.
///
/// # Errors
///
/// If the file cannot be read, or is of another trial or other settings.
pub fn read_point(search: &Search, number: usize) -> Result<Option<RecipeChange>, Failure> {
    let path = search.trial_folder(number).join(TRIAL_FILE);
    let Some(Proposal { trial, values }) = read(&path)? else { return Ok(None) };
    let is_varied = |setting: &String| values.sets(setting);
    let settings: Vec<String> =
        search.vary.varied().iter().map(|varied| varied.setting.clone()).collect();
    if trial != number
        || values.values().count() != settings.len()
        || !settings.iter().all(is_varied)
    {
        return Err(Failure::Error(format!(
            "{}: expected trial {number} with values for {}, found trial {trial} with `{}`; restore \
             the file from a copy, or move the folder elsewhere, and the trial is made anew",
            path.display(),
            settings.join(", "),
            values.words().join(" ")
        )));
    }
    Ok(Some(values))
}

/// Writes what a trial tries.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn write_point(search: &Search, number: usize, values: &RecipeChange) -> Result<(), Failure> {
    let proposal = Proposal { trial: number, values: values.clone() };
    write(&search.trial_folder(number).join(TRIAL_FILE), &proposal)
}

/// `pruned.toml`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pruned {
    seed: u64,
    epoch: usize,
    valid_accuracy: f64,
    rule: String,
}

/// Where a trial was stopped, if it was.
///
/// # Errors
///
/// If the file cannot be read.
pub fn read_cut(search: &Search, number: usize) -> Result<Option<Cut>, Failure> {
    let path = search.trial_folder(number).join(PRUNED_FILE);
    let cut =
        |Pruned { seed, epoch, valid_accuracy, .. }| Cut { seed, epoch, score: valid_accuracy };
    Ok(read(&path)?.map(cut))
}

/// Writes where a trial was stopped.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn write_cut(search: &Search, number: usize, cut: Cut) -> Result<(), Failure> {
    let Cut { seed, epoch, score } = cut;
    let rule = search.pruning.clone();
    let pruned = Pruned { seed, epoch, valid_accuracy: score, rule };
    write(&search.trial_folder(number).join(PRUNED_FILE), &pruned)
}

fn cannot(path: &Path, what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Error(format!("cannot {what} {}: {error}", path.display()))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    let bytes = match read_bounded(path, MOST_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(path, "read", &error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    toml::from_str(&text).map(Some).map_err(|error| {
        Failure::Error(format!(
            "{}: {}; restore the file from a copy, or name another folder with `--out`",
            path.display(),
            error.to_string().trim_end()
        ))
    })
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let text = toml::to_string(value).map_err(|error| cannot(path, "write", &error))?;
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder).and_then(|()| write_whole(path, text.as_bytes()));
    written.map_err(|error| cannot(path, "write", &error))
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;
    use crate::search::space::{Space, varied};

    fn search(folder: &Path) -> Search {
        let vary = ["dropout=0:0.8", "optimizer.beta2=0.9:0.999"].map(|word| varied(word).unwrap());
        Search {
            sampler: "random".into(),
            pruning: "median".into(),
            trials: 12,
            rounds: 1,
            seeds: 1,
            grid_points: 3,
            vary: Space::new(vary.into()).unwrap(),
            recipe: built_in("small").unwrap(),
            folder: folder.join("search"),
        }
    }

    fn message(result: Result<impl std::fmt::Debug, Failure>) -> String {
        match result {
            Err(Failure::Usage(message) | Failure::Error(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_folder_belongs_to_one_search_which_may_have_more_trials() {
        let folder = tempfile::tempdir().unwrap();
        let search = search(folder.path());
        claim(&search).unwrap();
        claim(&search).unwrap();
        let more = Search { trials: 20, ..search.clone() };
        claim(&more).unwrap();
        claim(&search).unwrap();
        let rounds = Search { rounds: 2, ..more.clone() };
        let found = message(claim(&rounds));
        assert!(found.contains("holds another search: `rounds` is 1 there, 2 here"), "{found}");
        let mut other = search.clone();
        other.recipe.epochs = 7;
        other.vary = Space::new(vec![varied("dropout=0:0.5").unwrap()]).unwrap();
        let found = message(claim(&other));
        for part in
            ["`recipe.epochs` is 30 there, 7 here", "`vary.optimizer.beta2` is", "not set here"]
        {
            assert!(found.contains(part), "{found}");
        }
        fs::write(search.folder.join(CONFIG), "").unwrap();
        assert!(message(claim(&search)).contains("is the folder of a run"));
    }

    #[test]
    fn points_and_cuts_are_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let search = search(folder.path());
        let values = search.point(7, &[]).unwrap().unwrap();
        assert_eq!(read_point(&search, 7).unwrap(), None);
        write_point(&search, 7, &values).unwrap();
        assert_eq!(read_point(&search, 7).unwrap(), Some(values));
        assert_eq!(read_cut(&search, 7).unwrap(), None);
        let cut = Cut { seed: 1, epoch: 4, score: 0.1 + 0.2 };
        write_cut(&search, 7, cut).unwrap();
        assert_eq!(read_cut(&search, 7).unwrap(), Some(cut));
    }

    #[test]
    fn a_damaged_or_exchanged_trial_is_named_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let search = search(folder.path());
        let values = search.point(7, &[]).unwrap().unwrap();
        write_point(&search, 7, &values).unwrap();
        let path = search.trial_folder(7).join(TRIAL_FILE);
        fs::create_dir(search.trial_folder(8)).unwrap();
        fs::copy(&path, search.trial_folder(8).join(TRIAL_FILE)).unwrap();
        let found = message(read_point(&search, 8));
        assert!(found.contains("trial-0008/trial.toml: expected trial 8"), "{found}");
        fs::write(&path, "trial = 7\n[values]\ndropout = 0.5\n").unwrap();
        assert!(message(read_point(&search, 7)).contains("found trial 7 with `--dropout 0.5`"));
        fs::write(&path, "trial = seven\n").unwrap();
        let found = message(read_point(&search, 7));
        assert!(found.contains("trial.toml") && found.contains("line 1"), "{found}");
    }
}
