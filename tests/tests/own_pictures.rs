//! Pictures in folders are the same images as in a data set's own files, and give the same network.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use backburn_data::pictures::{Loaded, PictureSettings, load, load_with_groups};
use backburn_data::{
    DataSet, ImageSet, ImageShape, NearCopies, Source, SplitSize, TestLog, TestSplit, near_copies,
};
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

/// Noise of 20 × 20 pixels, `each` of each class, and of every third image a copy that is mirrored and of less contrast.
fn noise_with_copies(classes: usize, each: usize) -> ImageSet {
    let (side, mut state) = (20, 1_u32);
    let mut level = || {
        // Numerical Recipes' generator; the highest bits are the best.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for number in 0..classes * each {
        let image: Vec<u8> = (0..side * side).map(|_| level()).collect();
        let copies = usize::from(number % 3 == 0);
        labels.extend(vec![(number % classes) as u16; 1 + copies]);
        let mirrored = image.chunks_exact(side).flat_map(|row| row.iter().rev());
        let copy = mirrored.map(|value| value / 2 + 60).take(copies * side * side);
        pixels.extend(image.iter().copied().chain(copy));
    }
    let shape = ImageShape { channels: 1, height: side, width: side };
    ImageSet::new(shape, classes, pixels, labels).unwrap()
}

#[test]
fn near_copies_are_on_one_side_of_every_split_that_is_drawn_from_pictures() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let set = noise_with_copies(4, 60);
    let names = ["a", "b", "c", "d"].map(String::from);
    write_pictures(&set, &(0..set.len()).collect::<Vec<_>>(), &names, folder.path());
    let prepared = |grouped: bool, change: fn(&mut Recipe)| {
        let settings = PictureSettings { group_near_copies: grouped, ..PictureSettings::default() };
        let groups =
            |images: &ImageSet| Ok(near_copies::groups(images, 0.95, &|_| ()).expect("few images"));
        let loaded = load_with_groups(folder.path(), &settings, cache.path(), &groups, &mut |_| {});
        let mut recipe = built_in("pictures").unwrap();
        recipe.dataset = picture_names::named(folder.path()).unwrap();
        recipe.pictures = settings;
        change(&mut recipe);
        Prepared::of(loaded.unwrap().data, &recipe).unwrap()
    };
    let copies = |images: &ImageSet, others: &ImageSet| {
        NearCopies::between(images, others, 0.95, &|_| ()).unwrap().copies.len()
    };
    let across = |prepared: &Prepared| {
        let test = prepared.data.test.open(&mut Log, "a test", "none").unwrap();
        let (test, train) = (test.for_final_scores(), &prepared.train);
        let valid = prepared.valid.as_ref().unwrap();
        let splits = [(valid, train), (test, train), (test, valid)];
        splits.map(|(a, b)| copies(a, b) + copies(b, a)).iter().sum::<usize>()
    };
    let changes: [fn(&mut Recipe); 3] = [
        |recipe| recipe.valid_size = SplitSize::Share(0.2),
        |recipe| recipe.fold = "1/4".parse().ok(),
        |recipe| recipe.fold = "4/4".parse().ok(),
    ];
    for change in changes {
        assert_eq!(across(&prepared(true, change)), 0);
        // Without grouping there would be some, and what is drawn has no groups.
        let plain = prepared(false, change);
        assert!(across(&plain) > 10 && plain.data.groups.is_none());
        let valid = |prepared: &Prepared| prepared.valid.as_ref().unwrap().len();
        assert!(valid(&prepared(true, change)).abs_diff(valid(&plain)) <= 4);
    }
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
