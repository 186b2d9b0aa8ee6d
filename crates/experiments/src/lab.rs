//! What an experiment works with: what was asked for on the command line, the device, the data.

use std::cell::RefCell;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backburn_data::loader::{Loader, LoaderConfig};
use backburn_data::normalization::{FittedNormalization, Normalization};
use backburn_data::{DataSet, ImageSet, TestImages, TestLog};
use backburn_report::TestRead;
use burn::tensor::Device;

use super::trainee::{DeviceBatch, Trainee};
use backburn_training::backend::Backend;
use backburn_training::failure::Failure;
use backburn_training::evaluate::{Predictions, Scores};
use backburn_trainer::interrupt;
use backburn_trainer::terminal::say;
use backburn_training::run_folder::folder::now;
use backburn_training::seeds::Seeds;

/// How much of an experiment is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    /// The same phenomenon within minutes on two cores.
    #[default]
    Quick,
    /// The source's own model, data, batch, optimizer, rates and length.
    Paper,
}

impl Preset {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Paper => "paper",
        }
    }
}

/// What single experiments can be told beside the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Rounds of a search, at least 1.
    pub(crate) rounds: Option<usize>,
}

/// What was asked for, and what there is to do it with.
pub(crate) struct Lab {
    pub(crate) preset: Preset,
    /// Of the repetitions; at least one.
    pub(crate) seeds: Vec<u64>,
    pub(crate) options: Options,
    pub(crate) backend: Backend,
    /// Without gradients.
    pub(crate) device: Device,
    /// Name of the hardware.
    pub(crate) hardware: String,
    /// Threads that compute.
    pub(crate) threads: usize,
    /// The whole command line, program first.
    pub(crate) command: Vec<String>,
    /// The experiment's folder.
    pub(crate) out: PathBuf,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
    /// Absent if the experiment needs none.
    pub(crate) data: Option<DataSet>,
    /// Every look at test images so far.
    pub(crate) test_reads: RefCell<Vec<TestRead>>,
}

/// Images to train on, as a network sees them.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    /// The images and their labels.
    pub(crate) set: Arc<ImageSet>,
    /// From bytes to the network's input.
    pub(crate) normalization: FittedNormalization,
}

impl Images {
    /// Channels, height and width of an image.
    pub(crate) fn shape(&self) -> [usize; 3] {
        let shape = self.set.shape();
        [shape.channels, shape.height, shape.width]
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.set.classes()
    }

    /// Other images, seen the same way.
    pub(crate) fn others(&self, set: ImageSet) -> Self {
        Self { set: Arc::new(set), normalization: self.normalization.clone() }
    }

    /// `count` batches of `size` images drawn with replacement, as source 003 does;
    /// the same for all that train with this seed.
    pub(crate) fn batches(
        &self,
        size: usize,
        count: usize,
        seeds: Seeds,
        device: &Device,
    ) -> Result<impl Iterator<Item = DeviceBatch> + use<>, Failure> {
        let loader = self.loader(size)?;
        // Nothing is augmented, so that nothing is drawn.
        let epoch = loader.epoch_with_replacement(count, &mut seeds.order(1), move |_, image| {
            seeds.augmentation(1)(image)
        });
        Ok(upload(epoch, self.classes(), device))
    }

    /// Every image once, in the order of this epoch, counted from 1.
    pub(crate) fn epoch(
        &self,
        size: usize,
        epoch: usize,
        seeds: Seeds,
        device: &Device,
    ) -> Result<impl Iterator<Item = DeviceBatch> + use<>, Failure> {
        let batches = self.loader(size)?.epoch(&mut seeds.order(epoch), seeds.augmentation(epoch));
        Ok(upload(batches, self.classes(), device))
    }

    fn loader(&self, size: usize) -> Result<Loader, Failure> {
        let (set, config) = (Arc::clone(&self.set), LoaderConfig::new(size));
        Loader::new(set, &self.normalization, Default::default(), config)
            .map_err(|error| Failure::Error(error.to_string()))
    }
}

fn upload(
    batches: backburn_data::loader::Epoch,
    classes: usize,
    device: &Device,
) -> impl Iterator<Item = DeviceBatch> + use<> {
    let device = device.clone().autodiff();
    batches.map(move |batch| DeviceBatch::new(batch, classes, &device))
}

impl Lab {
    /// Whether the source's own settings are asked for.
    pub(crate) fn is_paper(&self) -> bool {
        self.preset == Preset::Paper
    }

    /// The first seed.
    pub(crate) fn seed(&self) -> u64 {
        self.seeds[0]
    }

    /// The data set.
    ///
    /// # Panics
    ///
    /// If the experiment's row in the catalog has none.
    pub(crate) fn data(&self) -> &DataSet {
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

    /// The published test images, seen as `images` are, for scores after training. Every look is recorded.
    pub(crate) fn test(&self, images: &Images, purpose: &str, weights: &str) -> TestView {
        let Ok(test) = self.data().test.open(&mut Log(&self.test_reads), purpose, weights);
        TestView { images: test, normalization: images.normalization.clone() }
    }

    /// Test images for curves that are drawn while training goes on, as the sources draw them.
    pub(crate) fn diagnostic(&self, images: &Images, purpose: &str) -> Diagnostic {
        let purpose = format!("{purpose} (diagnostic: nothing is selected by it)");
        Diagnostic(self.test(images, &purpose, "all"))
    }

    /// Says how far the experiment is, on stderr.
    pub(crate) fn say(&self, text: &str) {
        say(text);
    }

    /// To be called between steps that take a while.
    ///
    /// # Errors
    ///
    /// If Ctrl-C was pressed.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if interrupt::is_requested() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// A folder for whole runs.
    pub(crate) fn runs_dir(&self) -> &Path {
        &self.out
    }
}

/// Looks that go into `result.json`.
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

/// Test images as a network sees them. Another type than [`Images`], so that nobody trains or selects on
/// them by mistake.
#[derive(Clone, Debug)]
pub(crate) struct TestView {
    pub(crate) images: TestImages,
    pub(crate) normalization: FittedNormalization,
}

impl TestView {
    /// Loss and accuracy.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn scores(&self, trainee: &Trainee) -> Result<Scores, Failure> {
        Ok(self.predictions(trainee)?.scores())
    }

    /// The answers.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn predictions(&self, trainee: &Trainee) -> Result<Predictions, Failure> {
        trainee.test_predictions(self)
    }
}

/// Test images that curves are drawn from. They give scores and nothing else, so that nobody trains on
/// them; what is selected is selected on [`Images`] of the training split.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic(TestView);

impl Diagnostic {
    /// Loss and accuracy.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn scores(&self, trainee: &Trainee) -> Result<Scores, Failure> {
        self.0.scores(trainee)
    }

    /// The answers.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn predictions(&self, trainee: &Trainee) -> Result<Predictions, Failure> {
        self.0.predictions(trainee)
    }

    /// Only the first `count` images.
    pub(crate) fn first(&self, count: usize) -> Self {
        Self(TestView { images: self.0.images.first(count), ..self.0.clone() })
    }
}
