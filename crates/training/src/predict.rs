//! The selected weights of a run at work on other images.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use backburn_data::entry::OtherPictures;
use backburn_data::normalization::FittedNormalization;
use backburn_data::pictures::{Decoding, Picture, PictureSettings, Preparation, prepare_digit};
use backburn_data::{ImageSet, ImageShape};
use backburn_models::{Network, parameters, weights};
use backburn_records::evaluation::FEW_TO_CALIBRATE;
use backburn_records::number::counted;
use backburn_records::{EvaluationRecord, Explanation, Manifest, Status};
use burn::tensor::Device;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::evaluate::{Predictions, predict};
use crate::explain::explain;
use crate::prepare::PrepareError;
use crate::recipe::Recipe;
use crate::run_folder::error::RunError;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::{EVALUATION, NORMALIZATION, WEIGHTS};
use crate::session_error::SessionError;

/// Most pictures that are answered together.
const MOST_AT_A_TIME: usize = 500;
/// Most numbers of theirs, so that many large images of a run need no more memory than small ones.
const MOST_VALUES: usize = 64 << 20;

/// What a picture was answered, most probable first: class and probability; or why it could not be read.
pub type Answer = Result<Vec<(usize, f64)>, String>;

/// A run's network, with all that stands between pixels and calibrated probabilities.
#[derive(Debug)]
pub struct Predictor {
    network: Network,
    normalization: FittedNormalization,
    class_names: Vec<String>,
    temperature: Option<f64>,
    calibrated_on: Option<usize>,
    shape: ImageShape,
    /// Whether pictures are made digits as MNIST's are.
    asks_for_digits: bool,
    recipe: Recipe,
    device: Device,
}

impl Predictor {
    /// Reads the weights that a run ended with. `backend`: what computes; the run's own if not given. Needs no data.
    ///
    /// # Errors
    ///
    /// If the run has not come to its end, a file of it is not what was written, or the backend cannot be used.
    pub fn open(run: &Path, backend: Option<Backend>) -> Result<Self, SessionError> {
        let folder = RunFolder::open(run)?;
        let (manifest, status) = folder.manifest_with_status()?;
        Self::of(&folder, &manifest, status, backend)
    }

    /// Reads the weights of a run as [`open`](Self::open) does, for whoever has read its manifest. `status`: how far it
    /// has come, which the manifest does not know of a run that was killed.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn of(
        folder: &RunFolder,
        manifest: &Manifest,
        status: Status,
        backend: Option<Backend>,
    ) -> Result<Self, SessionError> {
        if !matches!(status, Status::Finished | Status::StoppedEarly) {
            return Err(SessionError::Unfinished {
                run: folder.path().display().to_string(),
                status,
            });
        }
        let mut recipe = folder.recipe_as_written(manifest)?;
        recipe.place.backend = backend.unwrap_or(recipe.place.backend);
        let normalization: FittedNormalization = read_json(folder, NORMALIZATION, manifest)?;
        let evaluation: EvaluationRecord = read_json(folder, EVALUATION, manifest)?;
        let shape = shape(folder, &recipe, manifest)?;
        let device = recipe.place.backend.open()?.device;
        let network =
            network(folder, manifest, &recipe, shape, evaluation.class_names.len(), &device)?;
        if normalization.channels() != shape.channels {
            let reason = format!(
                "expected a scale and a shift for each of {} channels, found {}",
                shape.channels,
                normalization.channels()
            );
            return Err(damaged(folder, NORMALIZATION, reason).into());
        }
        // Whoever predicts looks once at each image, whatever the run's scores are of.
        let temperature = match &evaluation.tta {
            None => evaluation.temperature.map(|fitted| fitted.temperature),
            Some(tta) => tta.plain.temperature,
        };
        // Of a file without a checksum nobody knows what it holds.
        let temperature = temperature.filter(|value| *value > 0.0 && value.is_finite());
        let class_names = evaluation.class_names;
        let entry = backburn_data::entry(&recipe.dataset).ok();
        let asks_for_digits = entry.is_some_and(|entry| entry.pictures == OtherPictures::Digits);
        Ok(Self {
            network,
            normalization,
            class_names,
            temperature,
            calibrated_on: manifest.valid_images,
            shape,
            asks_for_digits,
            recipe,
            device,
        })
    }

    /// The network with the selected weights, without gradients.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How bytes become the network's input.
    pub fn normalization(&self) -> &FittedNormalization {
        &self.normalization
    }

    /// What the network computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What each image must measure.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The classes, in label order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The recipe that the run was trained by.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The temperature that was fitted on the run's validation split, which probabilities are calibrated with;
    /// `None` if it had none.
    pub fn temperature(&self) -> Option<f64> {
        self.temperature
    }

    /// What should be known of its probabilities, a sentence each: that they are not calibrated, or on few images; that
    /// the run's scores are of more than the one look that is taken here.
    pub fn notes(&self) -> Vec<String> {
        let few = self.calibrated_on.filter(|images| *images < FEW_TO_CALIBRATE);
        let calibration = match (self.temperature, few) {
            (None, _) => Some(
                "probabilities are not calibrated: the run kept no images for validation, or no \
                 temperature suits them best"
                    .to_owned(),
            ),
            (Some(_), Some(images)) => Some(format!(
                "probabilities are calibrated on {} only; take them for rough ones",
                counted(images, "validation image")
            )),
            (Some(_), None) => None,
        };
        let one_look = self.recipe.tta.map(|views| {
            format!(
                "the run is scored by views of each image, {views}; here the network looks once at \
                 each"
            )
        });
        calibration.into_iter().chain(one_look).collect()
    }

    /// Pictures that are read and answered together: enough for the processor, few enough for any memory.
    pub fn at_a_time(&self) -> usize {
        MOST_AT_A_TIME.min(MOST_VALUES / self.shape.pixels().max(1)).max(1)
    }

    /// How a picture's file is decoded. `most_pixels`: those of a picture that is read.
    pub fn decoding(&self, most_pixels: u64) -> Decoding {
        Decoding { most_pixels, background: self.recipe.pictures.background }
    }

    /// Makes a picture of any size an image of the run's kind, `[channels, height, width]`: as its own pictures were
    /// prepared; for a data set of the catalog, as that was made.
    pub fn prepare(&self, picture: &Picture) -> Vec<u8> {
        if self.asks_for_digits {
            return prepare_digit(picture).to_vec();
        }
        let ImageShape { channels, height, width } = self.shape;
        let PictureSettings { fit, background, .. } = self.recipe.pictures;
        Preparation { height, width, fit, channels, background }.prepare(picture)
    }

    /// Puts images of the run's kind through the network, whose labels are known. Probabilities are as it gives them,
    /// without the temperature.
    ///
    /// # Errors
    ///
    /// If there are no images, or they have other channels.
    pub fn score(&self, images: &Arc<ImageSet>) -> Result<Predictions, PrepareError> {
        Ok(predict(&self.network, images, &self.normalization, &self.device)?)
    }

    /// Puts images through the network. `pixels`: `[images, channels, height, width]`, at least one image.
    ///
    /// # Errors
    ///
    /// If the pixels are not those of whole images.
    pub fn predict(&self, pixels: Vec<u8>) -> Result<Predictions, PrepareError> {
        let predictions = self.score(&self.set(pixels)?)?;
        Ok(match self.temperature {
            Some(temperature) => predictions.scaled(temperature),
            None => predictions,
        })
    }

    /// Puts the pictures that could be read through the network. `prepared`: each as [`prepare`](Self::prepare) gives it,
    /// or why it could not be read.
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict).
    pub fn answers(
        &self,
        prepared: &[Result<Vec<u8>, String>],
        top_k: usize,
    ) -> Result<Vec<Answer>, PrepareError> {
        let pixels: Vec<u8> = prepared.iter().flatten().flatten().copied().collect();
        let predictions = match pixels.is_empty() {
            true => None,
            false => Some(self.predict(pixels)?),
        };
        let mut next = 0..;
        let answer = |picture: &Result<Vec<u8>, String>| {
            picture.as_ref().map_err(Clone::clone).map(|_| {
                let place = next.next().unwrap_or_default();
                predictions.as_ref().map_or_else(Vec::new, |all| all.top_k(place, top_k))
            })
        };
        Ok(prepared.iter().map(answer).collect())
    }

    /// What in each image speaks for the class of the same place in `classes`. `pixels`: as of
    /// [`predict`](Self::predict).
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict).
    ///
    /// # Panics
    ///
    /// If there is not one class for each image, among the run's.
    pub fn explain(
        &self,
        pixels: Vec<u8>,
        classes: &[usize],
    ) -> Result<Vec<Explanation>, PrepareError> {
        let images = self.set(pixels)?;
        Ok(explain(&self.network, &images, classes, &self.normalization, &self.device)?)
    }

    /// Images of which is not known what they show: only the answers count.
    fn set(&self, pixels: Vec<u8>) -> Result<Arc<ImageSet>, PrepareError> {
        let labels = vec![0; pixels.len() / self.shape.pixels().max(1)];
        let set = ImageSet::new(self.shape, self.class_names.len(), pixels, labels);
        Ok(Arc::new(set.map_err(backburn_data::DataError::from)?))
    }
}

/// What the run's images measured.
fn shape(
    folder: &RunFolder,
    recipe: &Recipe,
    manifest: &Manifest,
) -> Result<ImageShape, SessionError> {
    if let Some([channels, height, width]) = manifest.dataset.shape {
        return Ok(ImageShape { channels, height, width });
    }
    // Versions before 0.3 did not write it down; they knew the data sets of the catalog alone.
    let entry = backburn_data::entry(&recipe.dataset).map_err(|error| {
        damaged(folder, "manifest.json", format!("`dataset.shape` is missing, and {error}"))
    })?;
    Ok(entry.shape)
}

fn network(
    folder: &RunFolder,
    manifest: &Manifest,
    recipe: &Recipe,
    shape: ImageShape,
    classes: usize,
    device: &Device,
) -> Result<Network, SessionError> {
    let bytes = folder.read_as_written(WEIGHTS, manifest)?;
    let (tensors, _) =
        weights::from_bytes(&bytes).map_err(|error| damaged(folder, WEIGHTS, error.to_string()))?;
    let image = [shape.channels, shape.height, shape.width];
    let network = recipe.model.init(image, classes, device).map_err(PrepareError::from)?;
    let network = parameters::import(network, tensors);
    Ok(network.map_err(|error| damaged(folder, WEIGHTS, error.to_string()))?)
}

fn read_json<T: DeserializeOwned>(
    folder: &RunFolder,
    name: &str,
    manifest: &Manifest,
) -> Result<T, RunError> {
    let bytes = folder.read_as_written(name, manifest)?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(folder, name, error.to_string()))
}

fn damaged(folder: &RunFolder, name: &str, reason: String) -> RunError {
    RunError::Damaged { path: folder.path().join(name), reason }
}
