//! Images a second that the loader delivers, shuffled, augmented and normalized, by number of threads.
//!
//! The images are noise: no augmentation here is faster or slower for what an image shows.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use backburn_data::augment::{self, Draw};
use backburn_data::loader::{Loader, LoaderConfig};
use backburn_data::normalization::Normalization;
use backburn_data::pictures::{PictureSettings, load};
use backburn_data::{ImageSet, ImageShape, SplitSize};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use image::RgbImage;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const CIFAR: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };
const MNIST: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

/// Name, shape of the images, spec.
const CASES: [(&str, ImageShape, &str); 6] = [
    ("cifar/none", CIFAR, "none"),
    ("cifar/crop,flip", CIFAR, "crop=4:reflect,flip"),
    ("cifar/crop,flip,cutout,colour", CIFAR, "crop=4:reflect,flip,cutout=8,colour=0.2"),
    ("cifar/randaugment", CIFAR, "randaugment=2:9"),
    ("mnist/rotate,translate,scale,shear", MNIST, "rotate=15,translate=2,scale=0.9:1.1,shear=10"),
    ("mnist/elastic,rotate", MNIST, "elastic=34:4,rotate=15"),
];

/// Number of images, enough that starting the threads does not count.
const IMAGES: usize = 8192;

fn loader(shape: ImageShape, spec: &str, threads: usize) -> Loader {
    let mut pixels = vec![0; IMAGES * shape.pixels()];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut pixels);
    let set = Arc::new(ImageSet::new(shape, 10, pixels, vec![0; IMAGES]).expect("lengths fit"));
    loader_of(set, spec, threads)
}

fn loader_of(set: Arc<ImageSet>, spec: &str, threads: usize) -> Loader {
    let normalization = Normalization::PerChannel.fit(&set).expect("there are images");
    let augment = augment::parse(spec).expect("a spec of our own");
    let config = LoaderConfig { threads, ..LoaderConfig::new(64) };
    Loader::new(set, &normalization, augment, config).expect("64 images make a batch")
}

/// Generators of an image, as in training: one key, a stream for each image.
fn draw(image: usize) -> Draw {
    let stream = |epoch: u64| {
        let mut rng = ChaCha8Rng::from_seed([7; 32]);
        rng.set_stream(epoch << 32 | image as u64);
        rng
    };
    Draw { rng: stream(1), lasting: stream(0), epoch: 1 }
}

fn run(group: &mut BenchmarkGroup<'_, WallTime>, threads: usize, loader: &Loader) {
    group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
        bencher.iter(|| {
            let mut order = ChaCha8Rng::seed_from_u64(1);
            loader.epoch(&mut order, draw).for_each(|batch| drop(black_box(batch)));
        });
    });
}

fn throughput(criterion: &mut Criterion) {
    for (name, shape, spec) in CASES {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(IMAGES as u64));
        group.sample_size(10);
        for threads in [1, 2] {
            let loader = loader(shape, spec, threads);
            run(&mut group, threads, &loader);
        }
        group.finish();
    }
}

/// The same noise as people's own pictures, from the file that they were prepared into.
fn mapped(spec: &str, threads: usize, folder: &Path) -> Loader {
    let settings = PictureSettings { test_size: SplitSize::Count(1), ..PictureSettings::default() };
    let data = load(&folder.join("pictures"), &settings, &folder.join("prepared"), &mut |_| {});
    let set = Arc::new(data.expect("they were written here").data.train);
    loader_of(set, spec, threads)
}

fn write_pictures(folder: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for place in 0..IMAGES {
        let class = folder.join("pictures").join((place % 10).to_string());
        fs::create_dir_all(&class).expect("a temporary folder");
        let mut pixels = vec![0; CIFAR.pixels()];
        rng.fill_bytes(&mut pixels);
        let picture = RgbImage::from_vec(32, 32, pixels).expect("32 by 32 pixels");
        picture.save(class.join(format!("{place}.png"))).expect("a temporary folder");
    }
}

/// The rows of CIFAR's shape again, with pixels in a mapped file.
fn throughput_of_pictures(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_pictures(folder.path());
    for (name, shape, spec) in CASES.into_iter().filter(|case| case.1 == CIFAR) {
        let name = name.replace("cifar", "pictures");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(IMAGES as u64 - 1));
        group.sample_size(10);
        for threads in [1, 2] {
            assert_eq!(shape, CIFAR);
            let loader = mapped(spec, threads, folder.path());
            run(&mut group, threads, &loader);
        }
        group.finish();
    }
}

criterion_group!(benches, throughput, throughput_of_pictures);
criterion_main!(benches);
