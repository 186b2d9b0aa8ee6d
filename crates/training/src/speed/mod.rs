//! How fast a network trains, on noise.

pub mod noise;
pub mod stopwatch;
pub mod training;
pub mod work;
