//! Where randomness comes from: named streams of one run seed.
//!
//! Each purpose has its own key, and each use its own stream of that key, addressed by epoch and
//! index. Nothing depends on how much another purpose drew, on the backend or on the number of
//! threads. Dropout, spatial dropout and stochastic depth draw on the device, one after the other,
//! from a generator that is reseeded from here before each batch.
//!
//! Studies hold a part of it still: with `data_seed` several seeds train on the same images and labels, and
//! with `replicate` the same network on the same data is trained in another order.

use backburn_data::augment::Draw;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::recipe::Recipe;

/// What randomness is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Which images are for training and which for validation.
    Split,
    /// Which training images get another label, and which.
    LabelNoise,
    /// Initial weights.
    Weights,
    /// Order of the images in an epoch.
    Order,
    /// Augmentation of an image in an epoch.
    Augmentation,
    /// What label regularizers draw for a batch.
    Labels,
    /// The device's own generator: dropout and what else draws inside the network.
    Device,
    /// The device's own generator in evaluation with dropout.
    MonteCarloDropout,
    /// Seeds of several networks that one seed stands for.
    Member,
    /// Which measurements are drawn again to see how far a result depends on them.
    Bootstrap,
    /// What a search tries.
    Search,
    /// Seeds of the networks that a search trains.
    Trial,
    /// Which image is shown as an example.
    Example,
    /// Data that an experiment draws for itself.
    Data,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::LabelNoise => "label-noise",
            Self::Weights => "weights",
            Self::Order => "order",
            Self::Augmentation => "augmentation",
            Self::Labels => "labels",
            Self::Device => "device",
            Self::MonteCarloDropout => "monte-carlo-dropout",
            Self::Member => "member",
            Self::Bootstrap => "bootstrap",
            Self::Search => "search",
            Self::Trial => "trial",
            Self::Example => "example",
            Self::Data => "data",
        }
    }

    /// What its streams change with.
    fn follows(self) -> Follows {
        match self {
            Self::Split | Self::LabelNoise => Follows::DataSeed,
            Self::Order
            | Self::Augmentation
            | Self::Labels
            | Self::Device
            | Self::MonteCarloDropout => Follows::SeedAndReplicate,
            Self::Weights
            | Self::Member
            | Self::Bootstrap
            | Self::Search
            | Self::Trial
            | Self::Example
            | Self::Data => Follows::Seed,
        }
    }
}

/// What the streams of a purpose change with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    Seed,
    DataSeed,
    SeedAndReplicate,
}

/// The streams of a run.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    seed: u64,
    /// In place of `seed` where images and labels are chosen.
    data_seed: u64,
    /// 0 for the run that has no other beside it.
    replicate: u64,
}

impl Seeds {
    /// The streams of the run with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, data_seed: seed, replicate: 0 }
    }

    /// The streams of a run by this recipe: of its `seed`, but that `data_seed`, if it is set, chooses images and
    /// labels, and that another `replicate` than 0 has another order and other draws while training and asking
    /// with dropout. Without these two they are those of [`new`](Self::new).
    pub fn of(recipe: &Recipe) -> Self {
        let Recipe { seed, data_seed, replicate, .. } = *recipe;
        Self { seed, data_seed: data_seed.unwrap_or(seed), replicate }
    }

    /// The streams of one purpose.
    pub fn streams(self, purpose: Purpose) -> Streams {
        self.named(purpose, purpose.name())
    }

    /// The streams of one use of a purpose.
    fn part(self, purpose: Purpose, part: &str) -> Streams {
        self.named(purpose, &format!("{}/{part}", purpose.name()))
    }

    /// Which images are for training and which for validation.
    pub fn split(self) -> ChaCha8Rng {
        self.streams(Purpose::Split).at(0, 0)
    }

    /// Which training images get another label, and which.
    pub fn label_noise(self) -> ChaCha8Rng {
        self.streams(Purpose::LabelNoise).at(0, 0)
    }

    /// Initial values of the parameter of that name.
    pub fn weights(self, parameter: &str) -> ChaCha8Rng {
        self.part(Purpose::Weights, parameter).at(0, 0)
    }

    /// Order of the images in `epoch`, counted from 1.
    pub fn order(self, epoch: usize) -> ChaCha8Rng {
        self.streams(Purpose::Order).at(epoch, 0)
    }

    /// What a label regularizer of that name draws for `batch` (counted from 0) of `epoch`.
    pub fn labels(self, regularizer: &str, epoch: usize, batch: usize) -> ChaCha8Rng {
        self.part(Purpose::Labels, regularizer).at(epoch, batch)
    }

    /// What the augmentation of each image in `epoch`, counted from 1, draws from, by the image's place in
    /// the training split. Epoch 0 has what is the same in every epoch.
    pub fn augmentation(self, epoch: usize) -> impl Fn(usize) -> Draw + Send + Sync + 'static {
        let streams = self.streams(Purpose::Augmentation);
        move |image| Draw { rng: streams.at(epoch, image), lasting: streams.at(0, image), epoch }
    }

    /// As [`augmentation`](Self::augmentation) where an epoch draws images with replacement: from the number of
    /// the draw, counted from 0, and the image's place, so that an image that occurs twice does not look the
    /// same twice.
    pub fn augmentation_of_draws(
        self,
        epoch: usize,
    ) -> impl Fn(usize, usize) -> Draw + Send + Sync + 'static {
        let streams = self.streams(Purpose::Augmentation);
        move |draw, image| Draw {
            rng: streams.at(epoch, draw),
            lasting: streams.at(0, image),
            epoch,
        }
    }

    /// Seed of the device's generator for the training batch with this number, counted from 0
    /// over the whole run.
    pub fn device(self, batch: u64) -> u64 {
        let mut rng = self.streams(Purpose::Device).rng();
        rng.set_stream(batch);
        rng.next_u64()
    }

    /// Seed of the device's generator for a batch of a pass with dropout in evaluation, both counted
    /// from 0.
    pub fn monte_carlo_dropout(self, pass: usize, batch: usize) -> u64 {
        self.streams(Purpose::MonteCarloDropout).at(pass, batch).next_u64()
    }

    /// The streams of one of several networks, counted from 0: each has all streams of its own.
    pub fn member(self, number: usize) -> Self {
        Self::new(self.streams(Purpose::Member).at(0, number).next_u64())
    }

    /// Which measurements are drawn again.
    pub fn bootstrap(self) -> ChaCha8Rng {
        self.streams(Purpose::Bootstrap).at(0, 0)
    }

    /// What a search tries in `round`, counted from 1.
    pub fn search(self, round: usize) -> ChaCha8Rng {
        self.streams(Purpose::Search).at(round, 0)
    }

    /// What a search draws for the trial with this number in `round`; both are counted from 1. Number 0 of a round is
    /// [`search`](Self::search).
    pub fn search_trial(self, round: usize, number: usize) -> ChaCha8Rng {
        self.streams(Purpose::Search).at(round, number)
    }

    /// The streams of one of the networks that a search trains in `round`, counted from 1.
    pub fn trial(self, round: usize, number: usize) -> Self {
        Self::new(self.streams(Purpose::Trial).at(round, number).next_u64())
    }

    /// Place, from 0, of an image among `images` that is shown as an example.
    pub fn example(self, images: usize) -> usize {
        // Of so few images, the remainder favours none that anybody could notice.
        (self.streams(Purpose::Example).at(0, 0).next_u64() % images.max(1) as u64) as usize
    }

    /// Data of that name which an experiment draws for itself.
    pub fn data(self, name: &str) -> ChaCha8Rng {
        self.part(Purpose::Data, name).at(0, 0)
    }

    fn named(self, purpose: Purpose, name: &str) -> Streams {
        let (seed, replicate) = match purpose.follows() {
            Follows::Seed => (self.seed, 0),
            Follows::DataSeed => (self.data_seed, 0),
            Follows::SeedAndReplicate => (self.seed, self.replicate),
        };
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        if replicate != 0 {
            // No purpose is called so.
            hash.update(format!("replicate-{replicate}/"));
        }
        hash.update(name.as_bytes());
        Streams { key: hash.finalize().into() }
    }
}

/// Generators of one purpose.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    key: [u8; 32],
}

impl Streams {
    /// The generator of `index` in `epoch`; both below 2³².
    pub fn at(self, epoch: usize, index: usize) -> ChaCha8Rng {
        debug_assert!(epoch >> 32 == 0 && index >> 32 == 0, "{epoch} or {index} exceeds 32 bits");
        let mut rng = self.rng();
        rng.set_stream((epoch as u64) << 32 | index as u64);
        rng
    }

    fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(mut rng: ChaCha8Rng) -> u64 {
        rng.next_u64()
    }

    #[test]
    fn streams_differ_by_seed_purpose_epoch_and_index() {
        let seeds = Seeds::new(1);
        let draws = [
            first(seeds.streams(Purpose::Order).at(1, 0)),
            first(seeds.streams(Purpose::Order).at(2, 0)),
            first(seeds.streams(Purpose::Order).at(1, 1)),
            first(seeds.streams(Purpose::Augmentation).at(1, 0)),
            first(Seeds::new(2).streams(Purpose::Order).at(1, 0)),
            first(seeds.weights("hidden.0.weight")),
            first(seeds.weights("hidden.1.weight")),
            first(seeds.labels("mixup", 1, 0)),
            first(seeds.labels("cutmix", 1, 0)),
            first(seeds.labels("mixup", 1, 1)),
            seeds.device(0),
            seeds.device(1),
            seeds.monte_carlo_dropout(0, 0),
            seeds.monte_carlo_dropout(0, 1),
            seeds.monte_carlo_dropout(1, 0),
            first(seeds.bootstrap()),
            seeds.member(0).seed,
            seeds.member(1).seed,
            first(seeds.search(1)),
            first(seeds.search(2)),
            first(seeds.search_trial(1, 1)),
            first(seeds.search_trial(2, 1)),
            first(seeds.search_trial(1, 2)),
            first(seeds.trial(1, 0).order(1)),
            first(seeds.trial(1, 1).order(1)),
            first(seeds.trial(2, 0).order(1)),
            first(seeds.data("friedman")),
            first(seeds.data("normal")),
        ];
        for (i, a) in draws.iter().enumerate() {
            assert!(!draws[..i].contains(a), "draw {i} is not new");
        }
    }

    #[test]
    fn the_same_address_draws_the_same() {
        let draw = || first(Seeds::new(7).streams(Purpose::Augmentation).at(3, 41));
        assert_eq!(draw(), draw());
    }

    #[test]
    fn augmentation_has_a_part_that_epochs_share_and_one_that_they_do_not() {
        let draw = |epoch, image| Seeds::new(1).augmentation(epoch)(image);
        let both = |draw: Draw| (first(draw.lasting), first(draw.rng));
        let (lasting, rng) = both(draw(1, 5));
        assert_eq!(lasting, both(draw(2, 5)).0);
        assert_ne!(rng, both(draw(2, 5)).1);
        assert_ne!(lasting, both(draw(1, 6)).0);
        // The stream of runs from before augmentations had a lasting part.
        assert_eq!(rng, first(Seeds::new(1).streams(Purpose::Augmentation).at(1, 5)));
    }

    /// What a run with this recipe draws for each purpose, by what it draws for.
    fn draws(change: impl FnOnce(&mut Recipe)) -> [(&'static str, u64); 11] {
        let mut recipe = crate::recipe::built_in("digits").unwrap();
        recipe.seed = 1;
        change(&mut recipe);
        let seeds = Seeds::of(&recipe);
        [
            ("data", first(seeds.split())),
            ("data", first(seeds.streams(Purpose::Split).at(0, 1))),
            ("data", first(seeds.label_noise())),
            ("weights", first(seeds.weights("hidden.0.weight"))),
            ("training", first(seeds.order(1))),
            ("training", first(seeds.augmentation(1)(3).rng)),
            ("training", first(seeds.augmentation(1)(3).lasting)),
            ("training", first(seeds.augmentation_of_draws(1)(3, 5).rng)),
            ("training", first(seeds.labels("mixup", 1, 0))),
            ("training", seeds.device(7)),
            ("training", seeds.monte_carlo_dropout(0, 0)),
        ]
    }

    /// Checks that two runs differ in what they draw for `changed`, and in nothing else.
    fn assert_differ_in(changed: &[&str], a: &[(&str, u64)], b: &[(&str, u64)]) {
        for (place, (a, b)) in a.iter().zip(b).enumerate() {
            assert_eq!(a.1 != b.1, changed.contains(&a.0), "draw {place}, for {}", a.0);
        }
    }

    #[test]
    fn a_data_seed_draws_images_and_labels_alone() {
        let plain = draws(|_| {});
        assert_differ_in(&["data"], &plain, &draws(|r| r.data_seed = Some(2)));
        assert_differ_in(&[], &plain, &draws(|r| r.data_seed = Some(1)));
        // Two seeds with one data seed share what that draws.
        let other = draws(|r| (r.seed, r.data_seed) = (2, Some(1)));
        assert_differ_in(&["weights", "training"], &plain, &other);
    }

    #[test]
    fn a_replicate_has_another_order_and_other_draws_on_the_same_data_from_the_same_weights() {
        let replicates = [0, 1, 2, 12].map(|number| draws(|r| r.replicate = number));
        for (i, a) in replicates.iter().enumerate() {
            for b in &replicates[..i] {
                assert_differ_in(&["training"], a, b);
            }
        }
        let both = draws(|r| (r.replicate, r.data_seed) = (1, Some(2)));
        assert_differ_in(&["data"], &replicates[1], &both);
    }

    #[test]
    fn a_run_of_today_can_be_repeated_tomorrow() {
        // Pinned: another value here means that no earlier run can be repeated.
        assert_eq!(Seeds::new(1).device(0), 10_419_738_872_651_970_361);
        // Reference: `tests/pytorch/streams.py`, which has these from the seed and the names alone.
        let pinned = [
            10_541_448_293_153_218_410,
            10_663_058_983_526_319_033,
            5_932_669_950_836_580_533,
            3_783_779_421_198_743_914,
            18_326_829_730_497_479_926,
            3_758_872_531_309_591_993,
            13_404_354_616_881_665_614,
            // The third draw of the first epoch is the third image's where each occurs once.
            3_758_872_531_309_591_993,
            16_461_869_147_737_447_093,
            7_404_299_125_117_513_448,
            11_383_494_050_021_360_428,
        ];
        assert_eq!(draws(|_| {}).map(|(_, draw)| draw), pinned);
        assert_eq!(draws(|r| r.replicate = 2)[4].1, 15_071_163_840_659_575_868);
    }
}
