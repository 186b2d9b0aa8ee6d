//! Where randomness comes from: named streams of one run seed.
//!
//! Each purpose has its own key, and each use its own stream of that key, addressed by epoch and
//! index. Nothing depends on how much another purpose drew, on the backend or on the number of
//! threads. Dropout, spatial dropout and stochastic depth draw on the device, one after the other,
//! from a generator that is reseeded from here before each batch.

use backburn_data::augment::Draw;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// What randomness is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Which images are for training and which for validation.
    Split,
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
}

/// The streams of a run.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    seed: u64,
}

impl Seeds {
    /// The streams of the run with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The streams of one purpose.
    pub fn streams(self, purpose: Purpose) -> Streams {
        self.named(purpose.name())
    }

    /// Which images are for training and which for validation.
    pub fn split(self) -> ChaCha8Rng {
        self.streams(Purpose::Split).at(0, 0)
    }

    /// Initial values of the parameter of that name.
    pub fn weights(self, parameter: &str) -> ChaCha8Rng {
        self.named(&format!("{}/{parameter}", Purpose::Weights.name())).at(0, 0)
    }

    /// Order of the images in `epoch`, counted from 1.
    pub fn order(self, epoch: usize) -> ChaCha8Rng {
        self.streams(Purpose::Order).at(epoch, 0)
    }

    /// What a label regularizer of that name draws for `batch` (counted from 0) of `epoch`.
    pub fn labels(self, regularizer: &str, epoch: usize, batch: usize) -> ChaCha8Rng {
        self.named(&format!("{}/{regularizer}", Purpose::Labels.name())).at(epoch, batch)
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
        self.named(&format!("{}/{name}", Purpose::Data.name())).at(0, 0)
    }

    fn named(self, name: &str) -> Streams {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
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

    #[test]
    fn a_run_of_today_can_be_repeated_tomorrow() {
        // Pinned: another value here means that no earlier run can be repeated.
        assert_eq!(Seeds::new(1).device(0), 10_419_738_872_651_970_361);
    }
}
