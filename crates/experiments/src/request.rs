//! What is asked of an experiment, and carrying it out.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use backburn_data::{DataSet, Source};
use backburn_records::Provenance;
use backburn_report::{ExperimentRecord, Findings};
use backburn_training::backend::Backend;
use backburn_training::data_progress::DataProgress;
use backburn_training::failure::{Failure, usage};
use backburn_training::origin::dataset_record;
use backburn_training::place::Place;
use backburn_training::run_folder::folder::now;
use backburn_training::run_options::RunOptions;
use backburn_training::version;
use backburn_training::watch::{Event, Watch};

use crate::Experiment;
use crate::lab::{Lab, Options, Preset};

/// More seeds than anybody has the time for; asking for more is taken for a mistake.
const MOST_SEEDS: u64 = 1000;

/// What all experiments can be told.
#[derive(Clone, Debug)]
pub struct Request {
    /// How much is done.
    pub preset: Preset,
    /// Data set, by its name; the source's if `None`.
    pub dataset: Option<String>,
    /// Repetitions with different seeds.
    pub seeds: u64,
    /// The first seed.
    pub first_seed: u64,
    /// Rounds of a search.
    pub rounds: Option<usize>,
    /// What computes, by its name; what is preferred if `None`.
    pub backend: Option<String>,
    /// Folder with the data; nothing else is looked at.
    pub data_dir: Option<PathBuf>,
}

impl Request {
    /// `runs/<name>`, with the preset and the data set behind it where they are not the usual ones.
    pub fn default_folder(&self, row: &Experiment) -> PathBuf {
        let mut name = row.name.to_owned();
        if self.preset != Preset::Quick {
            name += &format!("-{}", self.preset.name());
        }
        let usual = row.datasets.first().copied();
        if let Some(dataset) = self.dataset.as_deref().filter(|name| Some(*name) != usual) {
            name += &format!("-{dataset}");
        }
        Path::new("runs").join(name)
    }

    /// Carries out an experiment, and writes what it found into the folder `out`. `watch` makes what hears of it: one for
    /// the data and one for the trainings, which may have the same to note.
    ///
    /// # Errors
    ///
    /// If it cannot be carried out so, something in it fails, or it is asked to stop.
    pub fn carry_out(
        &self,
        row: &Experiment,
        options: RunOptions,
        out: &Path,
        watch: &dyn Fn() -> Box<dyn Watch>,
    ) -> Result<ExperimentRecord, Failure> {
        let lab = self.lab(row, options, out, watch)?;
        let tell = |event: Event<'_>| lab.watch.borrow_mut().event(event);
        tell(Event::CanBeStopped);
        let (started, clock) = (now(), Instant::now());
        let findings = row.carry_out(&lab).inspect_err(|failure| {
            if matches!(failure, Failure::Interrupted) {
                tell(Event::Note("interrupted: no report was written, and runs are kept"));
            }
        })?;
        let record = record(row, &lab, findings, started, clock.elapsed().as_secs_f64());
        backburn_report::write_experiment(&record, out)
            .map_err(|error| Failure::Error(error.to_string()))?;
        Ok(record)
    }

    fn lab(
        &self,
        row: &Experiment,
        run_options: RunOptions,
        out: &Path,
        watch: &dyn Fn() -> Box<dyn Watch>,
    ) -> Result<Lab, Failure> {
        let (first, count) = (self.first_seed, self.seeds);
        if !(1..=MOST_SEEDS).contains(&count) {
            return Err(usage(format!("`--seeds`: expected 1 to {MOST_SEEDS}, found {count}")));
        }
        let end = first.checked_add(count).ok_or_else(|| {
            usage("`--seed`: expected a number that leaves `--seeds` more behind it")
        })?;
        if self.rounds == Some(0) {
            return Err(usage("`--rounds`: expected at least 1, found 0"));
        }
        let backend = self.backend.as_deref().map_or(Ok(Backend::preferred()), Backend::named);
        let backend = backend.map_err(usage)?;
        let dataset = self.dataset(row)?;
        let place = Place { backend, data_dir: self.data_dir.clone() };
        let lab = Lab::new(self.preset, place, None, out.to_owned(), run_options);
        let lab = lab.map_err(|error| Failure::Error(error.to_string()))?;
        Ok(Lab {
            seeds: (first..end).collect(),
            options: Options { rounds: self.rounds },
            data: dataset.map(|name| self.load(name, &mut *watch())).transpose()?,
            watch: RefCell::new(watch()),
            ..lab
        })
    }

    /// The data set to use; none if the experiment needs none.
    fn dataset<'a>(&'a self, row: &Experiment) -> Result<Option<&'a str>, Failure> {
        match self.dataset.as_deref() {
            None => Ok(row.datasets.first().copied()),
            Some(name) if row.datasets.contains(&name) => Ok(Some(name)),
            Some(name) => {
                backburn_data::entry(name).map_err(usage)?;
                let known = match row.datasets {
                    [] => "no data set at all".to_owned(),
                    names => names.join(", "),
                };
                Err(usage(format!("`--dataset`: {} can use {known}, found {name}", row.name)))
            }
        }
    }

    fn load(&self, name: &str, watch: &mut dyn Watch) -> Result<DataSet, Failure> {
        let source = Source::from_environment(self.data_dir.clone());
        let data = backburn_data::load_with_progress(name, &source, &mut |progress| {
            watch.event(Event::Data(DataProgress::Download(progress)));
        })
        .map_err(|error| Failure::Error(error.to_string()))?;
        for note in &data.notes {
            watch.event(Event::Note(&format!("note: {note}")));
        }
        Ok(data)
    }
}

fn record(
    row: &Experiment,
    lab: &Lab,
    findings: Findings,
    started: String,
    seconds: f64,
) -> ExperimentRecord {
    ExperimentRecord {
        name: row.name.into(),
        title: row.title.into(),
        source: row.source.into(),
        question: row.question.into(),
        provenance: Provenance {
            preset: lab.preset.name().into(),
            command: lab.run_options.command.clone(),
            backburn_version: version::VERSION.into(),
            burn_version: version::BURN_VERSION.into(),
            git_commit: version::commit().map(str::to_owned),
            backend: lab.place.backend.name().into(),
            device: lab.hardware.clone(),
            threads: lab.run_options.threads,
            seeds: lab.seeds.clone(),
            started,
            seconds,
            dataset: lab.data.as_ref().map(dataset_record),
            test_reads: lab.test_reads.borrow().clone(),
        },
        findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;

    #[test]
    fn a_folder_is_named_for_what_is_not_usual() {
        let usual = Request {
            preset: Preset::Quick,
            dataset: None,
            seeds: 1,
            first_seed: 1,
            rounds: None,
            backend: None,
            data_dir: None,
        };
        let folder = |request: Request| {
            let row = experiment("batch-norm").unwrap();
            request.default_folder(row).display().to_string()
        };
        assert_eq!(folder(usual.clone()), "runs/batch-norm");
        let named = |name: &str| Request { dataset: Some(name.into()), ..usual.clone() };
        assert_eq!(folder(named("mnist")), "runs/batch-norm");
        let paper = Request { preset: Preset::Paper, ..named("digits") };
        assert_eq!(folder(paper), "runs/batch-norm-paper-digits");
    }
}
