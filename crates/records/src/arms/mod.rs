//! Arms of a comparison: the same training with one thing changed, several seeds each.
//!
//! The first arm is what the others are compared with, seed by seed. [`MEASURES`] are the scores that are compared; one
//! of them, the metric, decides. [`Difference`] has what is said of a score of an arm, [`ArmVerdict`] what it comes to;
//! `words.rs` puts both into sentences.

mod arm;
mod comparison;
mod cost;
mod design;
mod difference;
mod measure;
mod verdict;
mod words;

pub use arm::{Arm, ArmRun};
pub use comparison::{ArmsComparison, ComparedArm, ComparisonOf, Score};
pub use cost::Cost;
pub use design::{SeedCount, SeedData};
pub use difference::Difference;
pub use measure::{MEASURES, Measure, TEST_ACCURACY};
pub use verdict::{ArmVerdict, FEWEST_SEEDS};
