//! What a few runs allow to say: mean, spread, whether a difference is more than chance, and how often chance
//! alone would say the same; how many runs it takes, and when there are enough.

mod bootstrap;
mod correlation;
mod draws;
mod effect_size;
mod holm;
mod judged;
mod noncentral_t;
mod paired;
mod paired_t;
pub mod power;
#[cfg(test)]
mod reference;
pub mod sequential;
mod sign_flip;
mod spread;
mod student;
mod unpaired_t;
mod verdict;
mod wilcoxon;

pub use bootstrap::bootstrap_interval;
pub use correlation::correlation;
pub use effect_size::effect_size;
pub use holm::holm;
pub use judged::{Basis, Judged};
pub use paired::{PairedDifference, false_alarms};
pub use paired_t::PairedT;
pub use sign_flip::SignFlip;
pub use spread::{Spread, finite, standard_error};
pub use unpaired_t::UnpairedT;
pub use verdict::{Better, Verdict};
pub use wilcoxon::wilcoxon;
