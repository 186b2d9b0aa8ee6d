//! Pictures in folders are the same images as in a data set's own files, and give the same network.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use backburn_data::pictures::{Loaded, PictureSettings, load};
use backburn_data::{DataSet, ImageSet, Source, SplitSize, TestLog, TestSplit};
use backburn_models::{NamedTensor, parameters};
use backburn_training::picture_names;
use backburn_training::prepare::Prepared;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::setup::Setup;
use backburn_training::state::State;
use backburn_training::train::{no_save, train};
use backburn_training::watch::Silent;
use burn::tensor::Device;

/// The device's generator belongs to the process: one training at a time.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TRAINING: Mutex<()> = Mutex::new(());
    TRAINING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places of the first `each` images of every class, class by class.
fn first_of_every_class(set: &ImageSet, each: usize) -> Vec<usize> {
    let of_class = |class: usize| {
        let places = (0..set.len()).filter(move |&place| usize::from(set.label(place)) == class);
        places.take(each)
    };
    (0..set.classes()).flat_map(of_class).collect()
}

/// Writes images as PNG files, named for their places in the set, in a folder for each class.
fn write_pictures(set: &ImageSet, places: &[usize], names: &[String], folder: &Path) {
    let shape = set.shape();
    let (width, height) = (shape.width as u32, shape.height as u32);
    for &place in places {
        let class = folder.join(&names[usize::from(set.label(place))]);
        fs::create_dir_all(&class).unwrap();
        let planes = set.image(place).chunks_exact(shape.height * shape.width);
        let planes: Vec<&[u8]> = planes.collect();
        let at = |x: u32, y: u32| (y * width + x) as usize;
        let path = class.join(format!("{place}.png"));
        if let [grey] = planes[..] {
            let picture =
                image::GrayImage::from_fn(width, height, |x, y| image::Luma([grey[at(x, y)]]));
            picture.save(path).unwrap();
        } else {
            let pixel = |x, y| image::Rgb([0, 1, 2].map(|channel| planes[channel][at(x, y)]));
            image::RgbImage::from_fn(width, height, pixel).save(path).unwrap();
        }
    }
}

struct Log;

impl TestLog for Log {
    type Error = String;

    fn record(&mut self, _: &str, _: &str) -> Result<usize, String> {
        Ok(1)
    }
}

/// The set again, of the same images in the same order, taken from its own files.
fn from_its_files(set: &ImageSet, loaded: &Loaded) -> DataSet {
    let place = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let select = |paths: &[PathBuf]| set.select(&paths.iter().map(place).collect::<Vec<usize>>());
    let test = TestSplit::seal(select(&loaded.pictures.test));
    DataSet::new(
        "the set's own files",
        loaded.data.class_names.clone(),
        select(&loaded.pictures.train),
        test,
    )
}

fn trained(data: DataSet, recipe: &Recipe) -> Vec<NamedTensor> {
    let prepared = Prepared::of(data, recipe).unwrap();
    let mut state = State::new(recipe, &prepared, &Device::flex()).unwrap();
    let setup = Setup::new(recipe, &prepared, 2).unwrap();
    train(&setup, &mut state, &mut Silent, &mut no_save).unwrap();
    parameters::export(&state.evaluation_copy())
}

/// Checks that `each` images of every class of the set are the same from a folder, and are learned the same.
fn expect_the_same(set: &DataSet, each: usize) {
    let _alone = one_at_a_time();
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let places = first_of_every_class(&set.train, each);
    write_pictures(&set.train, &places, &set.class_names, folder.path());
    let settings = PictureSettings::default();
    let loaded = load(folder.path(), &settings, cache.path(), &mut |_| {}).unwrap();
    let own = from_its_files(&set.train, &loaded);

    assert_eq!(loaded.data.class_names, set.class_names);
    assert_eq!(loaded.data.train.len() + loaded.data.test.len(), places.len());
    assert_eq!(loaded.data.train, own.train);
    let images = |data: &DataSet| {
        ImageSet::clone(data.test.open(&mut Log, "a test", "none").unwrap().for_final_scores())
    };
    assert_eq!(images(&loaded.data), images(&own));

    let mut recipe = built_in("pictures").unwrap();
    recipe.dataset = picture_names::named(folder.path()).unwrap();
    (recipe.epochs, recipe.valid_size) = (2, SplitSize::Share(0.1));
    recipe.model = built_in("digits").unwrap().model;
    assert_eq!(trained(loaded.data, &recipe), trained(own, &recipe));
}

#[test]
fn pictures_in_folders_are_the_images_that_they_were_written_from_and_give_the_same_weights() {
    let nowhere =
        Source { data_dir: None, environment: None, local: "none".into(), download: false };
    expect_the_same(&backburn_data::load("digits", &nowhere).unwrap(), 30);
}

/// The published files, where they are at hand.
#[test]
fn six_hundred_pictures_of_cifar10_are_its_records() {
    let Some(root) = std::env::var_os("BACKBURN_DATA") else { return };
    let source = Source {
        data_dir: Some(root.into()),
        environment: None,
        local: "none".into(),
        download: false,
    };
    expect_the_same(&backburn_data::load("cifar10", &source).unwrap(), 60);
}
