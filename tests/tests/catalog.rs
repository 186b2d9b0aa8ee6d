//! Contracts that every member of a catalog keeps: models, data sets, augmentations. The lists are
//! walked, so that a new row is tested without a line here.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use backburn_data::augment::{self, Pipeline};
use backburn_data::loader::{Batch, Loader, LoaderConfig};
use backburn_data::normalization::Normalization;
use backburn_data::{DataError, DataSet, Entry, ImageSet, ImageShape, Source, TestLog, verify};
use backburn_models::{Architecture, Classifier, Initialization, Network, parameters, weights};
use backburn_regularization::WeightDecay;
use backburn_tests::{
    CLASSES, IMAGES, formula, images, logits_and_loss, training_device, values, without_dropout,
};
use backburn_training::optimize::gradients::NamedGradients;
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use backburn_training::seeds::Seeds;
use burn::module::Module;
use burn::tensor::Device;

// Models.

fn network(row: &Architecture, image: [usize; 3], seed: u64) -> Network {
    let network = (row.config)().init(image, CLASSES, &training_device()).unwrap();
    Initialization::default().apply(network, |name| Seeds::new(seed).weights(name))
}

/// `name` and image, for messages.
fn subject(row: &Architecture, [channels, height, width]: [usize; 3]) -> String {
    format!("{} on {channels}x{height}x{width}", row.name)
}

#[test]
fn every_model_gives_finite_logits_and_every_parameter_a_gradient() {
    for (row, image) in models_and_images() {
        let what = subject(row, image);
        let network = network(row, image, 1);
        let (logits, loss) =
            logits_and_loss(&network, images(2, image, &training_device()), &[3, 8]);
        assert_eq!(logits.dims(), [2, CLASSES], "{what}");
        assert!(values(logits).iter().all(|logit| logit.is_finite()), "{what}");

        let norms = NamedGradients::gather(&network, loss.backward()).norms();
        for tensor in parameters::export(&network) {
            let norm = norms.get(&tensor.name);
            if tensor.role.is_trained() {
                let norm =
                    norm.unwrap_or_else(|| panic!("{what}: {} has no gradient", tensor.name));
                assert!(norm.is_finite() && *norm > 0.0, "{what}: {} has {norm}", tensor.name);
            } else {
                assert_eq!(norm, None, "{what}: {} is not trained", tensor.name);
            }
        }
    }
}

#[test]
fn every_model_with_convolutions_hands_its_last_feature_map_through_once() {
    for (row, image) in models_and_images() {
        let what = subject(row, image);
        let network = network(row, image, 1).valid();
        let mut shapes = Vec::new();
        let logits = network.forward_tapped(images(2, image, &Device::flex()), &mut |maps| {
            shapes.push(maps.dims());
            maps
        });
        let plain = network.forward(images(2, image, &Device::flex()));
        assert_eq!(values(logits), values(plain), "{what}");
        if row.name == "mlp" {
            assert!(shapes.is_empty(), "{what}");
            continue;
        }
        let [[batch, height, width, channels]] = shapes.try_into().unwrap();
        assert_eq!(batch, 2, "{what}");
        // Wherever a batch normalization stands behind the last convolution, its smallest map is that one.
        let mut config = (row.config)();
        if let Some(batch_norm) = config.batch_norm_mut() {
            *batch_norm = true;
        }
        assert_eq!(config.normalized_values(image), Some(height * width), "{what}");
        assert!(channels >= 16, "{what}");
        // The logits depend on what goes on: without a feature map they are those of any image.
        let emptied = |number: usize| {
            network.forward_tapped(images(number, image, &Device::flex()), &mut |maps| {
                maps.zeros_like()
            })
        };
        let [one, other] = [emptied(1), emptied(2)].map(values);
        assert_eq!(one[..CLASSES], other[CLASSES..], "{what}");
    }
}

#[test]
fn every_model_gives_the_same_logits_after_saving_and_loading() {
    for (row, image) in models_and_images() {
        let trained = network(row, image, 1);
        // In training mode, so that the running statistics are no longer the initial ones.
        trained.forward(images(2, image, &training_device()));
        let trained = trained.valid();
        let bytes = weights::to_bytes(&parameters::export(&trained), [].into()).unwrap();
        let (tensors, _) = weights::from_bytes(&bytes).unwrap();
        let loaded = parameters::import(network(row, image, 2).valid(), tensors).unwrap();

        let logits = |network: &Network| values(network.forward(images(3, image, &Device::flex())));
        assert_eq!(logits(&loaded), logits(&trained), "{}", subject(row, image));
    }
}

#[test]
fn every_model_names_its_tensors_as_its_pytorch_twin_does() {
    // tests/pytorch/twins.py
    type Shapes = BTreeMap<String, Vec<usize>>;
    let twins: BTreeMap<String, BTreeMap<String, Shapes>> =
        serde_json::from_str(include_str!("../reference/parameters.json")).unwrap();
    for (row, image) in models_and_images() {
        let [channels, height, width] = image;
        let twin = twins.get(row.name).unwrap_or_else(|| panic!("{} has no twin", row.name));
        let expected = &twin[&format!("{channels}x{height}x{width}")];
        let network = (row.config)().init(image, CLASSES, &Device::flex()).unwrap();
        let found: Shapes =
            parameters::export(&network).into_iter().map(|t| (t.name, t.shape)).collect();
        assert_eq!(&found, expected, "{}", subject(row, image));
    }
}

/// Small images, so that the deep networks take seconds only.
#[test]
fn every_model_learns_32_images_by_heart() {
    const COUNT: usize = 32;
    const MOST_STEPS: usize = 60;
    let device = training_device();
    let images = images(COUNT, [3, 16, 16], &device);
    let labels = formula::labels(COUNT, CLASSES);
    for row in backburn_models::CATALOG {
        let network = without_dropout((row.config)()).init([3, 16, 16], CLASSES, &device).unwrap();
        let mut network =
            Initialization::default().apply(network, |name| Seeds::new(1).weights(name));
        let adam = OptimizerConfig::named("adam").unwrap();
        let mut optimizer = Optimizer::new(adam, WeightDecay::default());
        let learned = (0..MOST_STEPS).any(|_| {
            let (logits, loss) = logits_and_loss(&network, images.clone(), &labels);
            let gradients = NamedGradients::gather(&network, loss.backward());
            network = optimizer.step(network.clone(), gradients, 1e-3);
            count_right(&values(logits), &labels) == COUNT && loss.into_scalar::<f32>() < 0.2
        });
        assert!(learned, "{} has not learned 32 images in {MOST_STEPS} steps", row.name);
    }
}

fn models_and_images() -> impl Iterator<Item = (&'static Architecture, [usize; 3])> {
    backburn_models::CATALOG.iter().flat_map(|row| IMAGES.map(|image| (row, image)))
}

fn count_right(logits: &[f32], labels: &[u16]) -> usize {
    let answers = logits.chunks_exact(CLASSES).map(|row| {
        (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("there are classes")
    });
    answers.zip(labels).filter(|(answer, label)| *answer == usize::from(**label)).count()
}

// Data sets.

/// An image that looks different mirrored, turned or transposed, so that swapped axes are noticed:
/// its place in the training split, its label, and its [`sketch`]. Fashion-MNIST is missing: its
/// files were not at hand.
const KNOWN_IMAGES: &[(&str, usize, u16, &str)] = &[
    ("mnist", 7, 3, "       |  .++. |    +. |  .##  |    +  | +++.  |       "),
    ("cifar10", 0, 6, CIFAR10_FROG),
    ("digits", 7, 5, "   ... |  ...  |  .++  |  . +  |    +  |  +.+  |   .   "),
];
const CIFAR10_FROG: &str =
    " ....+++|......+.|+...+..+|+.+###++|++##+#++|++++++.+|++++++++|++++++..";

/// The set, if it is built in or `$BACKBURN_DATA` holds it.
fn load(entry: &Entry) -> Option<DataSet> {
    let data_dir = std::env::var_os("BACKBURN_DATA").map(PathBuf::from);
    if !entry.built_in {
        let source = Source { download: false, ..Source::from_environment(data_dir.clone()) };
        if data_dir.is_none() || matches!(verify(entry, &source), Err(DataError::NotFound { .. })) {
            return None;
        }
    }
    let source = Source { download: false, ..Source::from_environment(data_dir) };
    Some(backburn_data::load(entry.name, &source).unwrap())
}

/// These tests keep their accesses to themselves.
struct NoLog;

impl TestLog for NoLog {
    type Error = Infallible;

    fn record(&mut self, _: &str, _: &str) -> Result<usize, Infallible> {
        Ok(1)
    }
}

#[test]
fn every_data_set_has_its_images_its_labels_and_its_right_way_up() {
    for entry in backburn_data::CATALOG {
        let Some(set) = load(entry) else { continue };
        let Ok(test) = set.test.open(&mut NoLog, "test of the catalog", "none");
        let test = test.for_final_scores();
        for (images, count) in [(&set.train, entry.train), (&**test, entry.test)] {
            assert_eq!((images.len(), images.shape()), (count, entry.shape), "{}", entry.name);
            assert_eq!(images.class_counts().len(), entry.classes(), "{}", entry.name);
            assert!(images.class_counts().iter().all(|&n| n > 0), "{}", entry.name);
        }
        let known = KNOWN_IMAGES.iter().find(|(name, ..)| *name == entry.name);
        let Some(&(_, index, label, picture)) = known else {
            assert!(!entry.built_in, "{} has no known image", entry.name);
            continue;
        };
        assert_eq!(set.train.label(index), label, "{}", entry.name);
        assert_eq!(sketch(&set.train, index), picture, "{}", entry.name);
    }
}

/// The first channel in blocks of 4×4 pixels, row by row; a block is shown by its mean brightness in
/// quarters of white.
fn sketch(images: &ImageSet, index: usize) -> String {
    let ImageShape { height, width, .. } = images.shape();
    let pixels = images.image(index);
    let block = |row: usize, column: usize| {
        let at = |i: usize| pixels[(4 * row + i / 4) * width + 4 * column + i % 4];
        let sum: usize = (0..16).map(|i| usize::from(at(i))).sum();
        [' ', '.', '+', '#'][sum / (4 * 256)]
    };
    let row = |row| (0..width / 4).map(|column| block(row, column)).collect();
    (0..height / 4).map(row).collect::<Vec<String>>().join("|")
}

// Augmentations.

/// A batch of 16 images with the pipeline's changes, made by `threads` threads.
fn augmented(set: &Arc<ImageSet>, pipeline: &Pipeline, epoch: usize, threads: usize) -> Batch {
    let normalization = Normalization::Unit.fit(set).unwrap();
    let config = LoaderConfig { threads, ..LoaderConfig::new(16) };
    let loader = Loader::new(Arc::clone(set), &normalization, pipeline.clone(), config).unwrap();
    let mut order = Seeds::new(1).order(1);
    loader.epoch(&mut order, Seeds::new(1).augmentation(epoch)).next().unwrap()
}

/// 16 images whose pixels lie between 51 and 204: 0.2 to 0.8 after scaling.
fn dim_images([channels, height, width]: [usize; 3]) -> Arc<ImageSet> {
    let shape = ImageShape { channels, height, width };
    let pixels = formula::values("pixels", 16 * shape.pixels());
    let pixels = pixels.into_iter().map(|value| (127.5 + 76.0 * value) as u8).collect();
    Arc::new(ImageSet::new(shape, CLASSES, pixels, formula::labels(16, CLASSES)).unwrap())
}

#[test]
fn every_augmentation_keeps_shape_and_range_and_repeats_itself() {
    for row in augment::CATALOG {
        let pipeline = augment::parse(row.name).unwrap();
        for image in IMAGES {
            let what = format!("{} of {image:?}", row.name);
            let set = dim_images(image);
            if let Err(error) = pipeline.check(set.shape()) {
                assert!(error.to_string().contains(row.name), "{what}: {error}");
                continue;
            }
            let batch = augmented(&set, &pipeline, 1, 1);
            assert_eq!(batch.shape, set.shape(), "{what}");
            assert_eq!(batch.images.values().len(), 16 * set.shape().pixels(), "{what}");
            assert!(
                batch.images.values().iter().all(|value| (0.0..=1.0).contains(value)),
                "{what}"
            );
            for threads in [0, 1, 3] {
                assert_eq!(augmented(&set, &pipeline, 1, threads), batch, "{what}");
            }
            assert_ne!(augmented(&set, &pipeline, 2, 1).images, batch.images, "{what}");
            let plain = augmented(&set, &Pipeline::default(), 1, 1);
            assert_eq!(plain.labels, batch.labels, "{what}");
            assert_ne!(plain.images, batch.images, "{what} changes nothing");
        }
    }
}
