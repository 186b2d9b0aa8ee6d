//! What a few runs allow to say: mean, spread, whether a difference is more than chance, and how often chance
//! alone would say the same.

mod judged;
mod paired;
mod spread;
mod student;
mod verdict;

pub use judged::{Basis, Judged};
pub use paired::{PairedDifference, false_alarms};
pub use spread::{Spread, finite, standard_error};
pub use verdict::{Better, Verdict};
