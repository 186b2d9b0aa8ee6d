//! Folders of pictures become data sets: prepared once, kept in a file, split and sealed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backburn_data::pictures::{
    Channels, Described, Fit, Loaded, Part, PictureProgress, PictureSettings, PictureSize,
    PicturesError, Suspicion, load, load_described, load_with_groups,
};
use backburn_data::{ImageSet, SplitSize, TestLog};
use image::{GrayImage, Luma, Rgb, RgbImage};

/// A folder of pictures, and one for what is prepared of them.
struct Place {
    folder: tempfile::TempDir,
    cache: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// A picture of `height` × `width` whose pixels tell of `tone`.
    fn colour(&self, name: &str, height: u32, width: u32, tone: u8) {
        let pixel = |x: u32, y: u32| Rgb([tone, (x * 3) as u8, (y * 5) as u8]);
        RgbImage::from_fn(width, height, pixel).save(self.path(name)).unwrap();
    }

    fn grey(&self, name: &str, height: u32, width: u32, tone: u8) {
        let pixel = |x: u32, y: u32| Luma([tone.wrapping_add((x * 3 + y * 5) as u8)]);
        GrayImage::from_fn(width, height, pixel).save(self.path(name)).unwrap();
    }

    /// `each` grey pictures of 6 × 5 in the classes `a`, `b`, ….
    fn classes(&self, classes: u8, each: u8) {
        for class in 0..classes {
            for picture in 0..each {
                let name = format!("{}/{picture}.png", char::from(b'a' + class));
                self.grey(&name, 6, 5, class * 50 + picture);
            }
        }
    }

    fn load(&self, settings: &PictureSettings) -> Result<Loaded, PicturesError> {
        load(self.folder.path(), settings, self.cache.path(), &mut |_| {})
    }

    /// Describes and loads, and says how many pictures were decoded for it.
    fn described(&self) -> (Described, usize) {
        let (mut decoded, mut before) = (0, 0);
        let mut told = |now: PictureProgress| {
            // Each pass tells of ever more.
            decoded += if now.done > before { now.done - before } else { now.done };
            before = now.done;
        };
        let described =
            load_described(self.folder.path(), &DEFAULT(), self.cache.path(), &mut told);
        (described.unwrap(), decoded)
    }

    /// Loads, and says how many pictures were decoded for it.
    fn counted(&self, settings: &PictureSettings) -> (Loaded, usize) {
        let mut done = 0;
        let loaded =
            load(self.folder.path(), settings, self.cache.path(), &mut |now| done = now.done);
        (loaded.unwrap(), done)
    }

    fn cached(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

struct Log;

impl TestLog for Log {
    type Error = String;

    fn record(&mut self, _: &str, _: &str) -> Result<usize, String> {
        Ok(1)
    }
}

fn test_images(loaded: &Loaded) -> ImageSet {
    let images = loaded.data.test.open(&mut Log, "a test", "none").unwrap();
    ImageSet::clone(images.for_final_scores())
}

/// What decides whether two loads are the same to a training.
fn summary(loaded: &Loaded) -> impl PartialEq + std::fmt::Debug + use<> {
    let names: Vec<_> =
        loaded.data.files.iter().map(|file| (file.name.clone(), file.sha256.clone())).collect();
    (
        names,
        loaded.pictures.clone(),
        loaded.preparation,
        loaded.data.class_names.clone(),
        loaded.damaged.clone(),
    )
}

const DEFAULT: fn() -> PictureSettings = PictureSettings::default;

#[test]
fn small_grey_pictures_of_one_size_keep_it_and_their_bytes() {
    let place = Place::new();
    place.classes(3, 10);
    let loaded = place.load(&DEFAULT()).unwrap();
    let shape = loaded.data.train.shape();
    assert_eq!((shape.channels, shape.height, shape.width), (1, 6, 5));
    assert_eq!((loaded.data.train.len(), loaded.data.test.len()), (24, 6));
    assert_eq!(loaded.data.train.class_counts(), [8; 3]);
    assert_eq!(test_images(&loaded).class_counts(), [2; 3]);
    assert!(loaded.data.valid.is_none());
    for (image, path) in loaded.data.train.images().zip(&loaded.pictures.train) {
        assert_eq!(image, image::open(path).unwrap().to_luma8().as_raw().as_slice());
    }
    for (image, path) in test_images(&loaded).images().zip(&loaded.pictures.test) {
        assert_eq!(image, image::open(path).unwrap().to_luma8().as_raw().as_slice());
    }
    assert_eq!(loaded.data.name, format!("folder:{}", place.folder.path().display()));
    let names: Vec<&str> = loaded.data.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["train (24 pictures)", "test (6 pictures)"]);
    assert_eq!(loaded.data.files[0].sha256, loaded.data.train.sha256());
    assert_eq!(loaded.data.files[1].bytes, test_images(&loaded).bytes() as u64);
    let notes = loaded.data.notes.join("\n");
    assert!(notes.contains("size 6x5, as all pictures measure 6 x 5"), "{notes}");
    assert!(notes.contains("6 of 30 were drawn"), "{notes}");
}

#[test]
fn one_picture_of_another_size_or_with_colour_makes_all_of_them_64_and_coloured() {
    let place = Place::new();
    place.classes(2, 4);
    place.colour("b/last.png", 7, 5, 200);
    let loaded = place.load(&DEFAULT()).unwrap();
    let shape = loaded.data.train.shape();
    assert_eq!((shape.channels, shape.height, shape.width), (3, 64, 64));
    let advice = loaded.data.advice.join("\n");
    assert!(advice.contains("size 64, as pictures differ in size"), "{advice}");
    let grey = place.load(&PictureSettings { channels: Channels::Grey, ..DEFAULT() }).unwrap();
    assert_eq!(grey.data.train.shape().channels, 1);
    let size = Some(PictureSize { height: 3, width: 9 });
    let set = place.load(&PictureSettings { size, fit: Fit::Pad, ..DEFAULT() }).unwrap();
    assert_eq!(
        (set.preparation.height, set.preparation.width, set.preparation.fit),
        (3, 9, Fit::Pad)
    );
}

#[test]
fn colours_that_are_all_grey_are_grey() {
    let place = Place::new();
    for name in ["a/1.png", "a/2.png", "b/1.png", "b/2.png"] {
        let pixel = |x: u32, y: u32| Rgb([(x * 9 + y) as u8; 3]);
        RgbImage::from_fn(80, 70, pixel).save(place.path(name)).unwrap();
    }
    assert_eq!(place.load(&DEFAULT()).unwrap().preparation.channels, 1);
    // A coloured background shows where pictures are padded.
    let background = "#ff0000".parse().unwrap();
    let padded = PictureSettings { background, fit: Fit::Pad, ..DEFAULT() };
    assert_eq!(place.load(&padded).unwrap().preparation.channels, 3);
}

#[test]
fn own_parts_are_taken_as_they_are() {
    let place = Place::new();
    for (part, count) in [("train", 5), ("val", 2), ("test", 3)] {
        for picture in 0..count {
            place.grey(&format!("{part}/cat/{picture}.png"), 4, 4, picture);
            place.grey(&format!("{part}/dog/{picture}.bmp"), 4, 4, 100 + picture);
        }
    }
    let loaded = place.load(&DEFAULT()).unwrap();
    let valid = loaded.data.valid.as_ref().unwrap();
    assert_eq!((loaded.data.train.len(), valid.len(), loaded.data.test.len()), (10, 4, 6));
    assert_eq!(valid.labels(), [0, 0, 1, 1]);
    assert!(
        loaded.pictures.valid.iter().all(|path| path.starts_with(place.folder.path().join("val")))
    );
    assert!(
        loaded.pictures.test.iter().all(|path| path.starts_with(place.folder.path().join("test")))
    );
    assert_eq!(loaded.data.files.len(), 3);
    let notes = loaded.data.notes.join("\n");
    assert!(!notes.contains("drawn"), "{notes}");
    let copies = "6 of the 6 test images are equal to a training image, 0 with another label";
    assert!(notes.contains(copies), "{notes}");
}

#[test]
fn a_validation_part_without_a_test_part_is_not_drawn_from() {
    let place = Place::new();
    for picture in 0..10 {
        for (part, class) in [("train", "cat"), ("train", "dog"), ("valid", "dog")] {
            place.grey(&format!("{part}/{class}/{picture}.png"), 4, 4, picture);
        }
    }
    let loaded = place.load(&DEFAULT()).unwrap();
    assert_eq!((loaded.data.train.len(), loaded.data.test.len()), (16, 4));
    assert_eq!(loaded.data.valid.unwrap().class_counts(), [0, 10]);
}

#[test]
fn a_class_with_one_picture_is_learnt_from() {
    let place = Place::new();
    place.classes(3, 5);
    place.grey("single/only.png", 6, 5, 250);
    let loaded =
        place.load(&PictureSettings { test_size: SplitSize::Share(0.5), ..DEFAULT() }).unwrap();
    assert_eq!(loaded.data.train.class_counts()[3], 1);
    assert!(loaded.data.notes.iter().any(|note| note.contains("classes with one picture")));
}

#[test]
fn three_hundred_classes_are_told_apart() {
    let place = Place::new();
    for class in 0..300 {
        for picture in 0..2_u8 {
            place.grey(&format!("{class}/{picture}.png"), 3, 3, (class % 250) as u8 + picture);
        }
    }
    let loaded =
        place.load(&PictureSettings { test_size: SplitSize::Count(100), ..DEFAULT() }).unwrap();
    assert_eq!((loaded.data.train.classes(), loaded.data.class_names[299].as_str()), (300, "299"));
    assert_eq!((loaded.data.train.len(), loaded.data.test.len()), (500, 100));
    assert!(loaded.data.train.class_counts().iter().all(|&count| count >= 1));
}

#[test]
fn the_seed_and_the_size_of_the_test_split_prepare_nothing_anew() {
    let place = Place::new();
    place.classes(2, 10);
    let (first, done) = place.counted(&DEFAULT());
    assert_eq!(done, 20);
    let (other, done) = place.counted(&PictureSettings { split_seed: 2, ..DEFAULT() });
    assert_eq!(done, 0);
    assert_ne!(first.pictures.test, other.pictures.test);
    let (_, done) = place.counted(&PictureSettings { test_size: SplitSize::Count(6), ..DEFAULT() });
    assert_eq!((done, place.cached().len()), (0, 1));
}

#[test]
fn what_was_prepared_is_used_again_until_a_file_changes() {
    let place = Place::new();
    place.classes(2, 10);
    let (first, _) = place.counted(&DEFAULT());
    let (again, done) = place.counted(&DEFAULT());
    assert_eq!(done, 0);
    assert_eq!(summary(&first), summary(&again));

    // A file of the same length and another time.
    place.grey("b/3.png", 6, 5, 77);
    let later = SystemTime::now() + Duration::from_secs(5);
    File::options().write(true).open(place.path("b/3.png")).unwrap().set_modified(later).unwrap();
    let (changed, done) = place.counted(&DEFAULT());
    assert_eq!((done, place.cached().len()), (20, 1));
    assert_ne!(summary(&first), summary(&changed));
    // Those that were loaded before still have their own pixels.
    assert_eq!(first.data.train.sha256(), first.data.files[0].sha256);
    assert_eq!(test_images(&first).sha256(), first.data.files[1].sha256);

    fs::rename(place.path("a/9.png"), place.path("b/90.png")).unwrap();
    assert_eq!(place.counted(&DEFAULT()).1, 20);
    fs::remove_file(place.path("b/90.png")).unwrap();
    assert_eq!(place.counted(&DEFAULT()).1, 19);
    assert_eq!(place.counted(&DEFAULT()).1, 0);
    // Other settings have a file of their own, and the old one stays right.
    assert_eq!(place.counted(&PictureSettings { channels: Channels::Rgb, ..DEFAULT() }).1, 19);
    assert_eq!(place.counted(&DEFAULT()).1, 0);
    assert_eq!(place.cached().len(), 2);
}

#[test]
fn a_damaged_file_of_prepared_pictures_is_made_anew_with_a_note() {
    let place = Place::new();
    place.classes(2, 10);
    let (first, _) = place.counted(&DEFAULT());
    let cached = place.cached().remove(0);
    let whole = fs::read(&cached).unwrap();
    assert!(cached.extension().is_some_and(|extension| extension == "pictures"));
    let pixel = 4096 + 17;
    for at in [3, 9, 15, 40, 70, pixel, whole.len() - 5] {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        fs::write(&cached, damaged).unwrap();
        let (loaded, done) = place.counted(&DEFAULT());
        assert_eq!(done, 20, "byte {at}");
        assert_eq!(summary(&first), summary(&loaded));
        let notes = loaded.data.notes.join("\n");
        assert!(
            notes.contains("prepared anew") && notes.contains(cached.to_str().unwrap()),
            "{notes}"
        );
    }
    for length in [0, 50, 4096, 4200, whole.len() - 1] {
        fs::write(&cached, &whole[..length]).unwrap();
        assert_eq!(place.counted(&DEFAULT()).1, 20, "{length} bytes");
    }
    assert_eq!(fs::read(&cached).unwrap(), whole);
}

#[test]
fn two_at_once_both_get_the_pictures() {
    let place = Place::new();
    place.classes(4, 50);
    let expected = {
        let elsewhere = tempfile::tempdir().unwrap();
        summary(&load(place.folder.path(), &DEFAULT(), elsewhere.path(), &mut |_| {}).unwrap())
    };
    std::thread::scope(|scope| {
        let loads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| summary(&place.load(&DEFAULT()).unwrap()))).collect();
        for load in loads {
            assert_eq!(load.join().unwrap(), expected);
        }
    });
    assert_eq!(place.cached().len(), 1);
}

#[test]
fn leftovers_of_killed_processes_are_removed_and_what_others_write_is_not() {
    let place = Place::new();
    place.classes(2, 5);
    place.load(&DEFAULT()).unwrap();
    let name = place.cached()[0].file_stem().unwrap().to_str().unwrap().to_owned();
    let (old, young) = (format!(".{name}-abc.tmp"), format!(".{name}-def.tmp"));
    for name in [&old, &young, &".other-abc.tmp".to_owned()] {
        fs::write(place.cache.path().join(name), "half").unwrap();
    }
    let past = SystemTime::now() - Duration::from_hours(48);
    for name in [&old, &".other-abc.tmp".to_owned()] {
        File::options()
            .write(true)
            .open(place.cache.path().join(name))
            .unwrap()
            .set_modified(past)
            .unwrap();
    }
    place.grey("a/new.png", 6, 5, 9);
    place.load(&DEFAULT()).unwrap();
    let mut left: Vec<String> = place
        .cached()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    left.sort();
    let mut expected = vec![young, ".other-abc.tmp".to_owned(), format!("{name}.pictures")];
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn all_damaged_pictures_are_named_at_once_and_may_be_left_out() {
    let place = Place::new();
    place.classes(2, 10);
    fs::write(place.path("a/3.png"), "a text").unwrap();
    let whole = fs::read(place.path("b/4.png")).unwrap();
    fs::write(place.path("b/4.png"), &whole[..whole.len() / 2]).unwrap();
    let error = place.load(&DEFAULT()).unwrap_err();
    let text = error.to_string();
    for part in ["2 of 20", "a/3.png", "found text", "b/4.png", "cut short", "--skip-damaged"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(matches!(&error, PicturesError::Damaged { pictures, .. } if pictures.len() == 2));
    assert!(place.cached().is_empty());

    let settings = PictureSettings { skip_damaged: true, ..DEFAULT() };
    for done in [20, 0] {
        let (loaded, counted) = place.counted(&settings);
        assert_eq!(counted, done);
        assert_eq!(loaded.data.train.len() + loaded.data.test.len(), 18);
        assert_eq!(loaded.damaged.len(), 2);
        let mut all = [loaded.pictures.train.clone(), loaded.pictures.test.clone()].concat();
        all.sort();
        assert!(!all.contains(&place.path("a/3.png")) && all.contains(&place.path("a/4.png")));
        for (image, path) in loaded.data.train.images().zip(&loaded.pictures.train) {
            assert_eq!(image, image::open(path).unwrap().to_luma8().as_raw().as_slice());
        }
    }
}

#[test]
fn a_class_that_is_damaged_as_a_whole_is_not_forgotten() {
    let place = Place::new();
    place.classes(2, 3);
    place.path("c/1.png");
    fs::write(place.path("c/1.png"), "a text").unwrap();
    let error = place.load(&PictureSettings { skip_damaged: true, ..DEFAULT() }).unwrap_err();
    assert!(error.to_string().contains("class `c` has no picture left"), "{error}");
}

#[test]
fn a_picture_above_the_limit_is_one_of_the_damaged() {
    let place = Place::new();
    place.classes(2, 3);
    place.grey("a/large.png", 40, 50, 1);
    let error = place.load(&PictureSettings { most_pixels: 1999, ..DEFAULT() }).unwrap_err();
    assert!(error.to_string().contains("50 x 40 pixels (width x height)"), "{error}");
    assert!(place.load(&PictureSettings { most_pixels: 2000, ..DEFAULT() }).is_ok());
}

#[cfg(unix)]
#[test]
fn files_that_may_not_be_read_or_are_gone_are_among_the_damaged() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    place.classes(2, 3);
    symlink("nowhere.png", place.path("a/gone.png")).unwrap();
    let locked = place.path("a/1.png");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let text = place.load(&DEFAULT()).unwrap_err().to_string();
    assert!(text.contains("a/gone.png: cannot be read"), "{text}");
    // The super-user may read everything.
    if File::open(&locked).is_err() {
        assert!(text.contains("a/1.png: cannot be read"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_cache_folder_that_cannot_be_written_is_told_with_its_cure() {
    let place = Place::new();
    place.classes(2, 3);
    let file = place.cache.path().join("a file");
    fs::write(&file, "").unwrap();
    let error = load(place.folder.path(), &DEFAULT(), &file, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("another cache folder"), "{error}");
    // A device that is always full.
    if Path::new("/dev/full").exists() {
        let full = PicturesError::Write {
            path: "x".into(),
            source: fs::write("/dev/full", "x").unwrap_err(),
        };
        assert!(full.to_string().contains("make room"), "{full}");
    }
}

#[test]
fn near_copies_stay_on_one_side_if_somebody_says_which_they_are() {
    let place = Place::new();
    place.classes(2, 20);
    let settings = PictureSettings { group_near_copies: true, ..DEFAULT() };
    assert!(place.load(&settings).unwrap_err().to_string().starts_with("`group_near_copies`: "));
    let pairs = |images: &ImageSet| Ok((0..images.len()).map(|image| image / 2).collect());
    let path = place.folder.path();
    let loaded =
        load_with_groups(path, &settings, place.cache.path(), &pairs, &mut |_| {}).unwrap();
    assert_eq!(loaded.data.test.len(), 8);
    let number = |path: &PathBuf| {
        let class = path.parent().unwrap().to_owned();
        (class, path.file_stem().unwrap().to_str().unwrap().parse::<usize>().unwrap() / 2)
    };
    for path in &loaded.pictures.test {
        assert!(loaded.pictures.train.iter().all(|other| number(other) != number(path)));
    }
}

#[test]
fn a_description_says_what_a_folder_holds() {
    let place = Place::new();
    place.classes(2, 3);
    for picture in 0..40 {
        place.colour(&format!("c/{picture}.png"), 20, 90, picture);
    }
    fs::write(place.path("c/notes.txt"), "notes").unwrap();
    fs::write(place.path("c/text.png"), "text").unwrap();
    let whole = fs::read(place.path("c/1.png")).unwrap();
    fs::write(place.path("c/half.png"), &whole[..whole.len() / 2]).unwrap();
    fs::copy(place.path("c/1.png"), place.path("c/really a png.jpg")).unwrap();
    let (described, decoded) = place.described();
    let found = described.description;
    assert_eq!(found.pictures, 49);
    let counts: Vec<usize> = found.classes.iter().map(|class| class.pictures).collect();
    assert_eq!(counts, [3, 3, 43]);
    assert!((found.imbalance - 43.0 / 3.0).abs() < 1e-9);
    let sizes = found.sizes.unwrap();
    assert_eq!((sizes.smallest, sizes.median, sizes.largest), ((6, 5), (20, 90), (20, 90)));
    assert_eq!((sizes.most_frequent, sizes.of_most_frequent), ((20, 90), 41));
    assert_eq!((found.grey, found.coloured), (6, 41));
    assert_eq!((found.cut_short.len(), found.damaged.len()), (1, 1));
    assert_eq!(found.skipped.to_string(), "1 .txt");
    let names = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(
        found.suspicions,
        [
            Suspicion::SmallClasses(names),
            Suspicion::Imbalance(43.0 / 3.0),
            Suspicion::SizesDiffer,
            Suspicion::Narrow(41),
            Suspicion::OtherFormat(1),
        ]
    );
    assert!(!found.parts.contains_key(&Part::Train));

    // Those that cannot be read are left out, and a training that skips them finds the others prepared.
    assert_eq!(decoded, 49);
    let loaded = described.loaded.unwrap();
    assert_eq!((loaded.damaged.len(), loaded.data.train.len() + loaded.data.test.len()), (2, 47));
    let skipping = PictureSettings { skip_damaged: true, ..DEFAULT() };
    let (again, decoded) = place.counted(&skipping);
    assert_eq!((again.data.train, decoded), (loaded.data.train, 0));
}

#[test]
fn what_is_described_is_decoded_once_and_prepared_for_a_training() {
    let place = Place::new();
    place.classes(2, 10);
    let (first, decoded) = place.described();
    assert_eq!(decoded, 20);
    let (trained, decoded) = place.counted(&DEFAULT());
    assert_eq!((&trained.data.train, decoded), (&first.loaded.unwrap().data.train, 0));
    let (second, decoded) = place.described();
    assert_eq!((second.description, decoded), (first.description, 20));
    assert_eq!(second.loaded.unwrap().data.train, trained.data.train);
    assert_eq!(fs::read_dir(place.cache.path()).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_loaded_is_described_all_the_same() {
    let place = Place::new();
    for name in ["a/1.png", "b/1.png"] {
        fs::write(place.path(name), "a text").unwrap();
    }
    let (described, _) = place.described();
    assert_eq!(described.description.damaged.len(), 2);
    let error = described.loaded.unwrap_err();
    assert!(matches!(error, PicturesError::Damaged { of: 2, .. }), "{error}");
    assert_eq!(fs::read_dir(place.cache.path()).unwrap().count(), 0);

    place.classes(2, 4);
    let file = place.cache.path().join("a file");
    fs::write(&file, "").unwrap();
    let described = load_described(place.folder.path(), &DEFAULT(), &file, &mut |_| {}).unwrap();
    assert_eq!((described.description.pictures, described.description.grey), (8, 8));
    assert!(matches!(described.loaded, Err(PicturesError::Write { .. })));
}
