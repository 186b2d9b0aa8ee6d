//! Trains a network of one's own, with a regularizer of one's own, on images of one's own, and prints nothing
//! until it is done: `cargo run --release --package backburn-training --example own_model --features flex`.

use std::error::Error;

use backburn_data::{DataSet, ImageSet, ImageShape, TestSplit};
use backburn_models::Classifier;
use backburn_models::description::{DescribeError, Describer, Value};
use backburn_regularization::{LabelRegularizer, LabelledBatch};
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::train::{no_save, train};
use backburn_training::watch::{Event, Watch};
use backburn_training::{backend::Backend, prepare::Prepared, setup::Setup, state::State};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::relu};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The network: two layers.
#[derive(Module, Debug)]
struct TwoLayers {
    hidden: Linear,
    head: Linear,
}

impl Classifier for TwoLayers {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.forward(relu(self.hidden.forward(images.flatten(1, 3))))
    }

    // For exports and tables of layers; training does without.
    fn describe(&self, it: &mut Describer, images: Value) -> Result<Value, DescribeError> {
        let x = it.flatten(images)?;
        let x = it.linear("hidden", &self.hidden, x)?;
        let x = it.relu(x)?;
        it.linear("head", &self.head, x)
    }
}

/// The regularizer: noise on every pixel, drawn anew for every batch.
#[derive(Debug)]
struct PixelNoise(f32);

impl LabelRegularizer for PixelNoise {
    fn apply(&self, batch: &mut LabelledBatch, rng: &mut ChaCha8Rng) {
        let pixels = batch.images.values_mut().iter_mut();
        pixels.for_each(|pixel| *pixel += rng.random_range(-self.0..self.0));
    }
}

/// The images: a bright bar across or down, in class 0 or 1, at each of eight places.
fn bars(count: usize) -> Result<ImageSet, Box<dyn Error>> {
    let pixel = |image: usize, row: usize, column: usize| {
        let line = if image.is_multiple_of(2) { row } else { column };
        if line == image / 2 % 8 { 200 } else { (image * 31 + row * 17 + column * 7) % 90 }
    };
    let pixels = (0..count * 64).map(|at| pixel(at / 64, at / 8 % 8, at % 8) as u8).collect();
    let labels = (0..count).map(|image| (image % 2) as u16).collect();
    Ok(ImageSet::new(ImageShape { channels: 1, height: 8, width: 8 }, 2, pixels, labels)?)
}

/// The watch: collects what was minimized on each batch.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Watch for Losses {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Batches { so_far, new, .. } = event {
            self.0.extend_from_slice(&so_far.objectives[so_far.objectives.len() - new..]);
        }
    }
}

/// Trains, and gives the loss on each batch and the accuracy on validation images.
///
/// # Errors
///
/// If the program was built without the backend `flex`.
pub(crate) fn run() -> Result<(Vec<f64>, f64), Box<dyn Error>> {
    let mut recipe = Recipe { epochs: 5, batch_size: 20, ..built_in("small")? };
    (recipe.train_size, recipe.valid_size) = (None, "20%".parse()?);
    let data = DataSet::new("bars", ["across", "down"], bars(500)?, TestSplit::seal(bars(100)?));
    let prepared = Prepared::of(data, &recipe)?;
    let device = Backend::Flex.open()?.device;
    let layer = |inputs, outputs, on: &Device| LinearConfig::new(inputs, outputs).init(on);
    let trained = device.clone().autodiff();
    let network = TwoLayers { hidden: layer(64, 32, &trained), head: layer(32, 2, &trained) };
    let setup = Setup::new(&recipe, &prepared, 2)?.with_regularizer("noise", PixelNoise(0.5))?;
    let mut state = State::with_network(&recipe, &prepared, network, &device)?;
    let mut losses = Losses::default();
    train(&setup, &mut state, &mut losses, &mut no_save)?;
    let accuracy = state.epochs.last().and_then(|epoch| epoch.valid_accuracy).unwrap_or(0.0);
    Ok((losses.0, accuracy))
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    let (losses, accuracy) = run()?;
    let (first, last) = (losses.first(), losses.last());
    println!("loss {first:?} to {last:?}, validation accuracy {:.1} %", 100.0 * accuracy);
    Ok(())
}
