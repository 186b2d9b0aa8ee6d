//! What an experiment works with: what was asked for on the command line, the device, the data.

use std::cell::RefCell;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backburn_data::normalization::Normalization;
use backburn_data::{DataSet, ImageSet, TestLog};
use backburn_records::TestRead;
use backburn_training::backend::BackendError;
use backburn_training::failure::Failure;
use backburn_training::place::Place;
use backburn_training::run_folder::folder::now;
use backburn_training::run_options::RunOptions;
use backburn_training::watch::{Event, Silent, Watch};
use burn::tensor::Device;

use super::images::{Diagnostic, Images, TestView};

/// How much of an experiment is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// The same phenomenon within minutes on two cores.
    #[default]
    Quick,
    /// The source's own model, data, batch, optimizer, rates and length.
    Paper,
    /// A few images and steps, to see within seconds whether an experiment comes to its end. Its numbers mean
    /// nothing.
    Smoke,
}

impl Preset {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Paper => "paper",
            Self::Smoke => "smoke",
        }
    }
}

/// What single experiments can be told beside the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Rounds of a search, at least 1.
    pub rounds: Option<usize>,
}

/// What was asked for, and what there is to do it with.
pub struct Lab {
    /// How much is done.
    pub preset: Preset,
    /// One a repetition; at least one.
    pub seeds: Vec<u64>,
    /// What single experiments are told.
    pub options: Options,
    /// What computes, and where the data lie.
    pub place: Place,
    /// Device without gradients.
    pub device: Device,
    /// Name of the hardware.
    pub hardware: String,
    /// How whole runs are carried out.
    pub run_options: RunOptions,
    /// The experiment's folder.
    pub out: PathBuf,
    /// Absent if the experiment needs none.
    pub data: Option<DataSet>,
    /// Every access to test images so far.
    pub test_reads: RefCell<Vec<TestRead>>,
    /// Hears how far the experiment is.
    pub watch: RefCell<Box<dyn Watch>>,
}

impl Lab {
    /// A lab for one repetition with seed 1, in which nobody is told how far it is. `data`: what the experiment
    /// needs, if its row in the catalog names data sets; `out`: where whole runs go. What is to be different is
    /// set in the fields.
    ///
    /// # Errors
    ///
    /// If the backend was not built, or has no device.
    pub fn new(
        preset: Preset,
        place: Place,
        data: Option<DataSet>,
        out: PathBuf,
        run_options: RunOptions,
    ) -> Result<Self, BackendError> {
        let open = place.backend.open()?;
        Ok(Self {
            preset,
            seeds: vec![1],
            options: Options::default(),
            place,
            device: open.device,
            hardware: open.name,
            run_options,
            out,
            data,
            test_reads: RefCell::default(),
            watch: RefCell::new(Box::new(Silent)),
        })
    }

    /// `full`, but in the preset that only tries an experiment out `smoke`.
    pub(crate) fn unless_smoke<T>(&self, full: T, smoke: T) -> T {
        if self.preset == Preset::Smoke { smoke } else { full }
    }

    /// Whether the source's own settings are asked for.
    pub fn is_paper(&self) -> bool {
        self.preset == Preset::Paper
    }

    /// The first seed.
    pub fn seed(&self) -> u64 {
        self.seeds[0]
    }

    /// The data set.
    ///
    /// # Panics
    ///
    /// If the experiment's row in the catalog has none.
    pub fn data(&self) -> &DataSet {
        self.data.as_ref().expect("the catalog says that this experiment needs images")
    }

    /// The first `count` published training images, or all if there are fewer, with pixels from 0 to 1.
    pub(crate) fn first(&self, count: usize) -> Images {
        let all = &self.data().train;
        let chosen: Vec<usize> = (0..count.min(all.len())).collect();
        self.images(all.select(&chosen))
    }

    /// All published training images, with pixels from 0 to 1.
    pub(crate) fn all(&self) -> Images {
        self.first(usize::MAX)
    }

    /// Images with pixels from 0 to 1.
    pub(crate) fn images(&self, set: ImageSet) -> Images {
        let normalization = Normalization::Unit.fit(&set).expect("it fits any images");
        Images { set: Arc::new(set), normalization }
    }

    /// The published test images, seen as `images` are, for scores after training. Every access is recorded.
    pub(crate) fn test(&self, images: &Images, purpose: &str, weights: &str) -> TestView {
        let Ok(test) = self.data().test.open(&mut Log(&self.test_reads), purpose, weights);
        TestView { images: test, normalization: images.normalization.clone() }
    }

    /// Test images for curves that are drawn while training goes on, as the sources draw them.
    pub(crate) fn diagnostic(&self, images: &Images, purpose: &str) -> Diagnostic {
        let purpose = format!("{purpose} (diagnostic: nothing is selected by it)");
        Diagnostic(self.test(images, &purpose, "all"))
    }

    /// Tells how far the experiment is.
    pub(crate) fn say(&self, text: &str) {
        self.watch.borrow_mut().event(Event::Note(text));
    }

    /// Goes on unless it is asked to stop; to be called between steps that take a while.
    ///
    /// # Errors
    ///
    /// If it is asked to stop.
    pub fn go_on(&self) -> Result<(), Failure> {
        if self.run_options.stop.is_requested() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// A folder for whole runs.
    pub fn runs_dir(&self) -> &Path {
        &self.out
    }
}

/// Accesses that go into `result.json`.
struct Log<'a>(&'a RefCell<Vec<TestRead>>);

impl TestLog for Log<'_> {
    type Error = Infallible;

    fn record(&mut self, purpose: &str, weights: &str) -> Result<usize, Infallible> {
        let mut reads = self.0.borrow_mut();
        let (purpose, weights) = (purpose.to_owned(), weights.to_owned());
        reads.push(TestRead { at: now(), purpose, weights });
        Ok(reads.len())
    }
}
