//! What an augmentation draws from.

use rand_chacha::ChaCha8Rng;

/// The randomness of one image in one epoch. It decides, with the image, all that a
/// [`Pipeline`](super::Pipeline) does.
#[derive(Clone, Debug)]
pub struct Draw {
    /// Generator, another for every image and every epoch.
    pub rng: ChaCha8Rng,
    /// Generator, another for every image, but the same in every epoch: for what must not change
    /// between them.
    pub lasting: ChaCha8Rng,
    /// The epoch, counted from 1.
    pub epoch: usize,
}
