//! What stays the same during a training.

use backburn_data::loader::{Batch, Epoch, Loader, LoaderError, Sampling};
use backburn_regularization::{LabelRegularizer, StrengthError};
use burn::tensor::Device;

use crate::class_weights::weigh;
use crate::device_batch::DeviceBatch;
use crate::device_images::DeviceImages;
use crate::prepare::Prepared;
use crate::recipe::Recipe;
use crate::run_folder::checkpoint_every::CheckpointEvery;
use crate::seeds::Seeds;
use crate::stop::Stop;
use crate::watch::RunSetup;
use crate::weighing::Weighing;

/// What is trained by, on what, and when it stops.
#[derive(Debug)]
pub struct Setup<'a> {
    /// What to do.
    pub recipe: &'a Recipe,
    /// What to do it with.
    pub prepared: &'a Prepared,
    /// Delivers training batches.
    pub loader: Loader,
    /// How its images get to the device.
    pub images: DeviceImages,
    /// Ends the training when it is asked to.
    pub stop: Stop,
    /// How often to write a checkpoint inside epochs; `None` for never.
    pub checkpoint_every: Option<CheckpointEvery>,
    /// How means over batches are taken.
    pub weighing: Weighing,
    /// Regularizers that no recipe knows, by the names of the streams that they draw from; applied after the
    /// recipe's.
    pub regularizers: Vec<(String, Box<dyn LabelRegularizer>)>,
}

impl<'a> Setup<'a> {
    /// A training that nobody stops and that is saved at the ends of epochs only. Its images are uploaded as values; see
    /// [`on_device`](Self::on_device).
    ///
    /// # Errors
    ///
    /// If no batches can be made of the training images.
    pub fn new(
        recipe: &'a Recipe,
        prepared: &'a Prepared,
        threads: usize,
    ) -> Result<Self, LoaderError> {
        Ok(Self {
            recipe,
            prepared,
            loader: prepared.train_loader(recipe, threads)?,
            images: DeviceImages::default(),
            stop: Stop::new(),
            checkpoint_every: None,
            weighing: Weighing::Images,
            regularizers: Vec::new(),
        })
    }

    /// The setup of a training on `device`, which a graphics card may hold all images for.
    #[must_use]
    pub fn on_device(mut self, device: &Device) -> Self {
        // A regularizer that no recipe knows may ask for values.
        if self.regularizers.is_empty() {
            self.images = DeviceImages::of(&self.loader, device);
        }
        self.loader = self.loader.delivering(self.images.delivery());
        self
    }

    /// Adds a regularizer that no recipe knows. What it draws depends on `name`, the recipe's seed, the epoch and
    /// the batch alone.
    ///
    /// # Errors
    ///
    /// If its strength is outside its range.
    pub fn with_regularizer(
        mut self,
        name: &str,
        regularizer: impl LabelRegularizer + 'static,
    ) -> Result<Self, StrengthError> {
        regularizer.check(self.loader.set().classes())?;
        if !regularizer.is_off() {
            // A stream of its own, whatever the recipe's regularizers are called.
            self.regularizers.push((format!("own/{name}"), Box::new(regularizer)));
            self.images = DeviceImages::default();
            self.loader = self.loader.delivering(self.images.delivery());
        }
        Ok(self)
    }
}

impl Setup<'_> {
    /// Batches of an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.loader.batches_per_epoch()
    }

    /// The training batches of `epoch`, counted from 1.
    pub fn batches(&self, epoch: usize) -> Epoch {
        let seeds = Seeds::of(self.recipe);
        let order = &mut seeds.order(epoch);
        match self.recipe.sampling {
            Sampling::Shuffled => self.loader.epoch(order, seeds.augmentation(epoch)),
            Sampling::Balanced => {
                self.loader.epoch_balanced(order, seeds.augmentation_of_draws(epoch))
            }
        }
    }

    /// Uploads batch number `number` (from 0) of `epoch` (from 1) after the recipe's label regularizers and class
    /// weights.
    pub fn upload(
        &self,
        batch: Batch,
        epoch: usize,
        number: usize,
        device: &Device,
    ) -> DeviceBatch {
        let seeds = Seeds::of(self.recipe);
        let classes = self.loader.set().classes();
        DeviceBatch::upload_changed(batch, classes, &self.images, device, |batch| {
            self.recipe.labels.apply(batch, |name| seeds.labels(name, epoch, number));
            for (name, regularizer) in &self.regularizers {
                regularizer.apply(batch, &mut seeds.labels(name, epoch, number));
            }
            if let Some(weights) = &self.prepared.class_weights {
                weigh(&mut batch.targets, weights, self.recipe.labels.label_smoothing);
            }
        })
    }

    /// What the device draws from on batch number `number` (from 0) of `epoch` (from 1): one seed a batch, so
    /// that a resumed run draws what an uninterrupted one would have drawn.
    pub fn device_seed(&self, epoch: usize, number: usize) -> u64 {
        let place = (epoch - 1) * self.batches_per_epoch() + number;
        Seeds::of(self.recipe).device(place as u64)
    }

    /// Whether the optimizer takes a step after batch number `number`, from 0, of an epoch.
    pub fn ends_step(&self, number: usize) -> bool {
        (number + 1).is_multiple_of(self.recipe.accumulate) || self.is_last(number)
    }

    /// Whether batch number `number`, from 0, is an epoch's last.
    pub(crate) fn is_last(&self, number: usize) -> bool {
        number + 1 == self.batches_per_epoch()
    }

    /// The step, counted from 0, that `batch` (counted from 0) of `epoch` (counted from 1) belongs to.
    pub fn step(&self, epoch: usize, batch: usize) -> usize {
        let steps_per_epoch = self.batches_per_epoch().div_ceil(self.recipe.accumulate);
        (epoch - 1) * steps_per_epoch + batch / self.recipe.accumulate
    }

    /// Mean over consecutive batches of what was minimized on each, of which the first is number `first`, from
    /// 0; epochs follow one another.
    pub(crate) fn mean(&self, first: usize, objectives: &[f64]) -> f64 {
        let batches = self.batches_per_epoch();
        let images = (first..).map(|number| self.loader.batch_images(number % batches));
        self.weighing.mean(objectives.iter().copied().zip(images))
    }

    /// Training images of an epoch, without those of a dropped last batch.
    pub(crate) fn images_per_epoch(&self) -> usize {
        let (images, batch_size) = (self.loader.set().len(), self.recipe.batch_size);
        self.recipe.last_batch.epoch_images(images, batch_size)
    }
}

impl RunSetup for Setup<'_> {
    fn recipe(&self) -> &Recipe {
        self.recipe
    }

    fn batches_per_epoch(&self) -> usize {
        Setup::batches_per_epoch(self)
    }

    fn looks(&self, epoch: usize, count: usize) -> ([usize; 3], Vec<Vec<u8>>) {
        let set = self.loader.set();
        let (shape, seeds) = (set.shape(), Seeds::of(self.recipe));
        let draw = seeds.augmentation(epoch);
        let looks = (0..count.min(set.len())).map(|index| self.loader.look(index, draw(index)));
        ([shape.channels, shape.height, shape.width], looks.collect())
    }
}
