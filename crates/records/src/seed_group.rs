//! Which runs are repetitions of one another: of one recipe, on the same data, with other seeds.

use std::path::Path;

use crate::manifest::Status;
use crate::run_record::RunRecord;
use crate::statistics::Spread;
use crate::summary::Summary;

/// Settings of a recipe that say what is drawn, and nothing else.
const SEEDS: [&str; 3] = ["seed", "data_seed", "replicate"];

/// Two or more finished runs that differ in their seeds alone.
#[derive(Clone, Debug)]
pub struct SeedGroup<'a> {
    /// What the runs' names or folders have in common.
    pub name: String,
    /// The runs, in the order given.
    pub runs: Vec<&'a RunRecord>,
}

/// Some runs, those of a group together.
#[derive(Clone, Debug)]
pub enum Grouped<'a> {
    /// A run without a like.
    Single(&'a RunRecord),
    /// Runs of one recipe.
    Group(SeedGroup<'a>),
}

/// What makes runs repetitions of one another, and what tells those apart.
#[derive(PartialEq)]
struct Identity<'a> {
    /// The recipe without its seeds.
    recipe: Vec<&'a str>,
    data: Vec<&'a str>,
    /// The run that this one trains further begins it, so that it is another training.
    extends: Option<(usize, &'a str)>,
}

/// Runs that were found to be alike, with the seeds of each.
struct Alike<'a> {
    /// `None` of a run of which that cannot be said.
    identity: Option<Identity<'a>>,
    seeds: Vec<Vec<&'a str>>,
    runs: Vec<&'a RunRecord>,
}

/// Puts runs of one recipe together, where the first of them stands. A run with the seeds of another one is no
/// repetition and stands alone, as does one that has not come to its end or has lost its recipe.
pub fn grouped(runs: &[RunRecord]) -> Vec<Grouped<'_>> {
    let mut found: Vec<Alike<'_>> = Vec::new();
    for run in runs {
        let (identity, seeds) = identity(run).unzip();
        let seeds = seeds.unwrap_or_default();
        let is_like = |other: &&mut Alike<'_>| {
            identity.is_some() && other.identity == identity && !other.seeds.contains(&seeds)
        };
        match found.iter_mut().find(is_like) {
            Some(alike) => {
                alike.seeds.push(seeds);
                alike.runs.push(run);
            }
            None => found.push(Alike { identity, seeds: vec![seeds], runs: vec![run] }),
        }
    }
    let mut groups = Vec::with_capacity(found.len());
    let mut names: Vec<String> = Vec::new();
    for Alike { runs, .. } in found {
        if let [run] = runs.as_slice() {
            groups.push(Grouped::Single(run));
            continue;
        }
        let common = common_name(&runs);
        let taken = names.iter().filter(|name| **name == common).count();
        let name = if taken == 0 { common.clone() } else { format!("{common} ({})", taken + 1) };
        names.push(common);
        groups.push(Grouped::Group(SeedGroup { name, runs }));
    }
    groups
}

/// What a run shares with its repetitions, and the lines with its seeds. `None` if nothing can be said.
fn identity(run: &RunRecord) -> Option<(Identity<'_>, Vec<&str>)> {
    if !matches!(run.manifest.status, Status::Finished | Status::StoppedEarly) {
        return None;
    }
    run.summary.as_ref()?;
    // The settings of a recipe itself stand before its first table.
    let mut is_top = true;
    let (mut recipe, mut seeds) = (Vec::new(), Vec::new());
    for line in run.config.as_deref()?.lines() {
        is_top &= !line.starts_with('[');
        let name = line.split('=').next().unwrap_or_default().trim();
        if is_top && SEEDS.contains(&name) { &mut seeds } else { &mut recipe }.push(line);
    }
    let data = run.manifest.dataset.files.iter().map(|file| file.sha256.as_str());
    let extends = run.manifest.extends.as_ref();
    let extends = extends.map(|extends| (extends.epochs, extends.schedule.as_str()));
    Some((Identity { recipe, data: data.collect(), extends }, seeds))
}

/// The arm, or trial, that a run belongs to whose folder is named for its seed: the name of the folder around it.
pub fn arm(run: &Path) -> Option<&str> {
    let is_seed = run.file_name()?.to_str()?.starts_with("seed-");
    is_seed.then(|| run.parent()?.file_name()?.to_str())?
}

/// The folder that the runs' folders are in if these are named for seeds, as those of a comparison; else what a run is
/// named for, without the time.
fn common_name(runs: &[&RunRecord]) -> String {
    let mut arms = runs.iter().map(|run| arm(&run.dir));
    let first = arms.next().flatten();
    if let Some(first) = first.filter(|first| arms.all(|other| other == Some(first))) {
        return first.to_owned();
    }
    let name = runs.first().map_or("", |run| run.manifest.name.as_str());
    let is_time = |part: &str, digits| {
        part.len() == digits && part.chars().all(|character| character.is_ascii_digit())
    };
    match name.splitn(3, '-').collect::<Vec<_>>().as_slice() {
        [date, time, rest] if is_time(date, 8) && is_time(time, 6) => (*rest).to_owned(),
        _ => name.to_owned(),
    }
}

impl SeedGroup<'_> {
    /// Mean and standard deviation of a score over the runs; NaN if one has not measured it.
    pub fn spread(&self, score: impl Fn(&Summary) -> Option<f64>) -> Spread {
        let summaries = self.runs.iter().filter_map(|run| run.summary.as_ref());
        let scores = summaries.map(|summary| score(summary).unwrap_or(f64::NAN));
        Spread::of(&scores.collect::<Vec<_>>())
    }

    /// The last epoch that all of them have reached.
    pub fn last_common_epoch(&self) -> usize {
        let last = |run: &&RunRecord| run.epochs.last().map_or(0, |epoch| epoch.epoch);
        self.runs.iter().map(last).min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ExtensionRecord;
    use crate::sample;

    fn names(runs: &[RunRecord]) -> Vec<(String, usize)> {
        let name = |grouped: &Grouped<'_>| match grouped {
            Grouped::Single(run) => (run.manifest.name.clone(), 1),
            Grouped::Group(group) => (group.name.clone(), group.runs.len()),
        };
        grouped(runs).iter().map(name).collect()
    }

    #[test]
    fn runs_that_differ_in_seeds_alone_are_a_group_where_the_first_stands() {
        let mut runs = sample::repetitions("digits", 3);
        let mut other = sample::run();
        other.manifest.name = "other".into();
        other.config = other.config.map(|config| format!("epochs = 3\n{config}"));
        runs.insert(1, other);
        assert_eq!(names(&runs), [("digits".into(), 3), ("other".into(), 1)]);
    }

    #[test]
    fn a_seed_of_the_data_and_a_replicate_are_seeds_too_and_one_inside_a_table_is_not() {
        let with = |top: &str, table: &str| {
            let mut run = sample::run();
            run.config = Some(format!("{top}epochs = 3\n[model]\nname = \"mlp\"\n{table}"));
            run
        };
        let runs = [
            with("seed = 1\n", ""),
            with("seed = 1\ndata_seed = 3\n", ""),
            with("seed = 1\nreplicate = 2\n", ""),
        ];
        assert_eq!(names(&runs), [("digits".into(), 3)]);
        let runs = [with("seed = 1\n", "seed = 1\n"), with("seed = 2\n", "seed = 2\n")];
        assert_eq!(names(&runs).len(), 2);
    }

    #[test]
    fn a_run_twice_is_no_repetition() {
        let run = sample::repetitions("digits", 1).remove(0);
        assert_eq!(names(&[run.clone(), run]).len(), 2);
        // Twice the same two seeds are two groups, told apart by a number.
        let twice = [sample::repetitions("digits", 2), sample::repetitions("digits", 2)].concat();
        assert_eq!(names(&twice), [("digits".into(), 2), ("digits (2)".into(), 2)]);
    }

    #[test]
    fn what_has_not_ended_has_lost_its_recipe_or_saw_other_data_stands_alone() {
        let change: [fn(&mut RunRecord); 5] = [
            |run| run.manifest.status = Status::Interrupted,
            |run| run.summary = None,
            |run| run.config = None,
            |run| run.manifest.dataset.files[0].sha256 = "0".repeat(64),
            |run| {
                let (run_folder, schedule) = ("runs/a".to_owned(), "constant".to_owned());
                let extends = ExtensionRecord { run: run_folder, epochs: 3, schedule };
                run.manifest.extends = Some(extends);
            },
        ];
        for change in change {
            let mut runs = sample::repetitions("digits", 3);
            change(&mut runs[2]);
            assert_eq!(names(&runs).len(), 2);
        }
    }

    #[test]
    fn runs_of_a_comparison_are_named_for_their_arm() {
        let mut runs = sample::repetitions("run", 3);
        for (seed, run) in (1..).zip(&mut runs) {
            run.dir = format!("runs/ablate/dropout/seed-{seed}").into();
        }
        assert_eq!(names(&runs), [("dropout".into(), 3)]);
    }

    #[test]
    fn scores_have_mean_and_spread_and_epochs_an_end_that_all_reach() {
        let mut runs = sample::repetitions("digits", 3);
        runs[1].epochs.truncate(6);
        for (run, accuracy) in runs.iter_mut().zip([0.8, 0.9, 0.7]) {
            run.summary.as_mut().unwrap().test_accuracy = accuracy;
        }
        let all = grouped(&runs);
        let [Grouped::Group(group)] = all.as_slice() else { panic!("{all:?}") };
        let spread = group.spread(|summary| Some(summary.test_accuracy));
        assert!((spread.mean - 0.8).abs() < 1e-12, "{spread:?}");
        assert!((spread.standard_deviation - 0.1).abs() < 1e-12);
        assert!(group.spread(|_| None).mean.is_nan());
        assert_eq!(group.last_common_epoch(), 6);
    }
}
