//! How fast a network trains, on noise.

mod launches;
pub mod noise;
pub mod stopwatch;
pub mod training;
pub mod work;
