//! What a few runs allow to say: mean, spread, paired differences, and how often chance alone would
//! say the same.

mod paired;
mod spread;
mod student;
mod verdict;

pub use paired::{PairedDifference, false_alarms};
pub use spread::{Spread, finite};
pub use student::interval;
pub use verdict::{Better, Verdict};
