//! Settings as text: recipes, the forms that flags take, and the losses that a resumed run reads.

use std::fmt::{Debug, Display};
use std::fs;
use std::str::FromStr;

use backburn_data::augment::{Draw, Image, Pipeline};
use backburn_data::normalization::Normalization;
use backburn_data::{ImageSet, ImageShape, LabelNoise, SplitSize};
use backburn_regularization::{
    DisturbValue, EarlyStopping, EarlyStoppingConfig, Keep, LabelSmoothing, Lookahead, Validation,
};
use backburn_studies::search::space::{self, Space};
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::optimize::schedule::Schedule;
use backburn_training::recipe::{self, Recipe};
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::views::Views;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::Seed;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 7, width: 5 };

/// A recipe is refused or means the same when it is written and read again.
pub(crate) fn recipe(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let recipe = match Recipe::parse(text, "file.toml") {
        Ok(recipe) => recipe,
        Err(error) => {
            assert!(error.to_string().starts_with("file.toml: "), "{error}");
            return false;
        }
    };
    if recipe.check().is_err() {
        return false;
    }
    let written = recipe.to_toml();
    let again = Recipe::parse(&written, "again").expect("what was written can be read");
    assert_eq!(again.to_toml(), written);
    assert_eq!(again.check(), Ok(()));
    assert_eq!(again.determinants(), recipe.determinants());
    for step in [0, 1, 1000, usize::MAX >> 1] {
        let share = recipe.schedule.share(step, 10, recipe.epochs.saturating_mul(10));
        assert!(share.is_finite() || step > 1000, "share {share} in step {step}");
    }
    apply(&recipe.augment);
    true
}

pub(crate) fn recipe_seeds() -> Vec<Seed> {
    let recipe = |name| recipe::built_in(name).expect("a built-in recipe");
    let built_in = |name| recipe(name).to_toml();
    let digits = built_in("digits");
    let muon = Recipe { optimizer: OptimizerConfig::Muon(Default::default()), ..recipe("digits") };
    vec![
        Seed::valid("digits.toml", digits.clone()),
        Seed::valid("cifar10.toml", built_in("cifar10")),
        Seed::valid("early-stopping.toml", built_in("early-stopping")),
        Seed::valid("noisy.toml", format!("label_noise = \"20:pairs\"\nreplicate = 2\n{digits}")),
        Seed::valid("muon.toml", muon.to_toml()),
        Seed::valid(
            "groups.toml",
            format!("{digits}\n[[groups]]\nrole = \"norm\"\nweight_decay = {{ strength = 0.1 }}\n"),
        ),
        Seed::refused("unknown-setting", format!("speed = 3\n{digits}")),
        Seed::refused("deep", "a = ".to_owned() + &"[".repeat(4000)),
    ]
}

/// What a search varies, in a file or as flags, a line each: refused, or every place in a range has a value of the
/// range, and what is written means the same.
pub(crate) fn search_space(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let varied = space::read(text).or_else(|_| text.lines().map(space::varied).collect());
    let Ok(space) = varied.and_then(Space::new) else { return false };
    for varied in space.varied() {
        for place in [0.0, 0.1, 0.5, 1.0] {
            let value = varied.range.value(place);
            assert!(varied.range.place(&value).is_some(), "{value} lies outside {}", varied.range);
        }
        assert!(varied.range.grid(3).len() <= varied.range.count().unwrap_or(3).max(3));
    }
    let places = vec![0.3; space.varied().len()];
    let point = space.change(&places);
    assert_eq!(space.change(&space.places(&point).expect("a point of the space")), point);
    let _ = (space.points(), space.spanned_by(&[&point]));
    let recipe = recipe::built_in("small").expect("a built-in recipe");
    space.check(&recipe).is_ok()
}

pub(crate) fn search_space_seeds() -> Vec<Seed> {
    vec![
        Seed::valid(
            "file",
            "[vary]\nlearning-rate = { log = [1e-4, 0.1] }\nbatch-size = { integer = [16, 64] }\n\
             optimizer = { choice = [\"sgd\", \"adam\"] }\n",
        ),
        Seed::valid("flags", "dropout=0:0.8\nlearning-rate=log:1e-4:0.1\noptimizer=sgd|adam"),
        Seed::valid("whole", "batch-size=log-int:1:1024\nepochs=int:1:9"),
        Seed::refused("empty-range", "dropout=0.8:0"),
        Seed::refused("log-of-nothing", "[vary]\ndropout = { log = [0, 1] }\n"),
        Seed::refused("unknown", "drop-out=0:0.8"),
    ]
}

/// The text of a flag, read as each form that there is.
pub(crate) fn text_forms(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let mut is_valid = false;
    if let Ok(pipeline) = text.parse::<Pipeline>() {
        is_valid = true;
        assert_eq!(pipeline.to_string().parse::<Pipeline>().unwrap(), pipeline);
        apply(&pipeline);
    }
    if let Some(rule) = reads::<EarlyStoppingConfig>(text)
        && rule.check().is_ok()
    {
        is_valid = true;
        assert!(rule.earliest() > rule.warmup() || rule.earliest() == usize::MAX);
        let mut stopping = EarlyStopping::new(rule);
        for loss in [1.0, f64::NAN, 0.5, f64::INFINITY, 1.5, f64::MAX, f64::MIN, 0.0] {
            stopping.observe(loss, Validation { loss, accuracy: loss });
        }
    }
    if let Some(keep) = reads::<Keep>(text)
        && keep.check().is_ok()
    {
        is_valid = true;
        let perfect = Validation { loss: f64::MIN, accuracy: 1.0 };
        assert!(keep.replaces(perfect, None) || keep == Keep::Last);
    }
    if let Some(schedule) = reads::<Schedule>(text) {
        is_valid = true;
        for (epochs, steps) in [(1, 1), (3, 1), (2, 100)] {
            let _ = (schedule.check_epochs(epochs), schedule.check_steps(epochs, steps));
            let _ = schedule.idle(epochs, steps);
            assert!(schedule.share(epochs * steps - 1, steps, epochs * steps).is_finite());
        }
    }
    if let Some(size) = reads::<SplitSize>(text) {
        is_valid = true;
        let _ = size.of(usize::MAX);
        assert!(size.of(0) == 0 || matches!(size, SplitSize::Count(_)));
    }
    if let Some(views) = reads::<Views>(text) {
        is_valid = true;
        let _ = views.check(SHAPE);
        let (once, all) = (views.evaluations(9), views.count());
        assert!(once >= 9 && once <= all.saturating_mul(9) && all > 1);
    }
    if let Ok(normalization) = text.parse::<Normalization>() {
        is_valid = true;
        let pixels = vec![7; 2 * SHAPE.pixels()];
        let images = ImageSet::new(SHAPE, 2, pixels, vec![0, 1]).expect("they fit");
        let _ = normalization.fit(&images);
    }
    if let Some(noise) = reads::<LabelNoise>(text).filter(|noise| noise.is_in_range()) {
        is_valid = true;
        let pixels = vec![7; 9 * SHAPE.pixels()];
        let labels = (0..9).map(|place| place % 3).collect();
        let images = ImageSet::new(SHAPE, 3, pixels, labels).expect("they fit");
        let noisy = noise.apply(&images, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(noisy.wrong.iter().all(|place| noisy.replaced.contains(place)));
        assert!(noisy.replaced.len() <= images.len());
    }
    is_valid |= reads::<DisturbValue>(text).is_some();
    is_valid |= reads::<LabelSmoothing>(text).is_some();
    is_valid |= text.parse::<Lookahead>().is_ok();
    is_valid
}

/// What the text means, if it means anything; then what it is written as means the same.
fn reads<T: FromStr + Display + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let written = value.to_string();
    let Ok(again) = written.parse::<T>() else {
        panic!("{value:?} is written as `{written}`, which is refused")
    };
    assert_eq!(again.to_string(), written);
    Some(value)
}

/// What is taken for images of a shape must change them, whatever is drawn.
fn apply(pipeline: &Pipeline) {
    if pipeline.check(SHAPE).is_err() {
        return;
    }
    let pixels: Vec<u8> = (0..SHAPE.pixels()).map(|i| (i * 37 % 256) as u8).collect();
    let mut image = Image::with_neutral(SHAPE, vec![1, 2, 3]);
    for seed in 0..2 {
        image.load(&pixels);
        let rng = ChaCha8Rng::seed_from_u64(seed);
        pipeline.apply(&mut image, &mut Draw { lasting: rng.clone(), rng, epoch: 1 });
        assert_eq!(image.pixels().len(), pixels.len());
    }
}

pub(crate) fn text_form_seeds() -> Vec<Seed> {
    let mut seeds = vec![
        Seed::valid("patience", "patience=5,min-delta=0.001"),
        Seed::valid("last-under", "last-under=0.5"),
        Seed::valid("one-cycle", "one-cycle=warmup:30%,end:0"),
        Seed::valid("triangular", "triangular=warmup:2,start:0.2,end:0.07"),
        Seed::valid("step", "step=10:0.5"),
        Seed::valid("percent", "10%"),
        Seed::valid("count", "54_000"),
        Seed::valid("views", "flip,shift=2"),
        Seed::valid("some-views", "diagonal=1,border=reflect,least-confident=0.25,mean=logits"),
        Seed::valid("normalization", "per-channel"),
        Seed::valid("smoothing", "0.1"),
        Seed::valid("label-noise", "20:pairs"),
        Seed::refused("unknown", "sharper=1"),
    ];
    let row = |row: &'static backburn_data::augment::AugmentRow| {
        let default =
            if row.default.is_empty() { String::new() } else { format!("={}", row.default) };
        Seed::valid(row.name, format!("{}{default}", row.name))
    };
    seeds.extend(backburn_data::augment::CATALOG.iter().map(row));
    seeds
}

/// `losses.csv` is cut back to what a checkpoint has: two epochs of one batch each, and a batch of the third.
pub(crate) fn losses(input: &[u8]) -> bool {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(&root.path().join("run")).expect("a new folder");
    let path = folder.path().join("losses.csv");
    fs::write(&path, input).expect("disk space for a small file");
    let is_whole = folder.keep_losses(2, 1, &[0.5]).expect("a file that can be read and written");
    let kept = fs::read_to_string(&path).expect("it was just written");
    let mut lines = kept.lines();
    assert_eq!(lines.next(), Some("epoch,batch,objective"));
    assert_eq!(lines.next_back(), Some("3,1,0.5"));
    for line in lines {
        let epoch = line.split(',').next().and_then(|epoch| epoch.parse::<usize>().ok());
        assert!(epoch.is_some_and(|epoch| epoch <= 2), "kept {line}");
    }
    is_whole
}

pub(crate) fn losses_seeds() -> Vec<Seed> {
    vec![
        Seed::valid("three-epochs", "epoch,batch,objective\n1,1,2.5\n2,1,1.5\n3,1,0.5\n"),
        Seed::refused("cut", "epoch,batch,objective\n1,1,2.5\n2,1"),
        Seed::refused("not-text", vec![0xff, 0xfe, 0]),
    ]
}
