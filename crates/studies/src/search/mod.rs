//! A search for settings: what is varied, which points are tried, which trials are stopped early, what won.
//!
//! A [`plan::Search`] is data. What a trial tries is a function of it, of the trial's number and of the trials before
//! it: [`samplers`] draw from streams named by (seed, round, number), so that a process that is started again goes on
//! with the points that the first one would have tried, and no point is tried twice. Every trial keeps what it tries in
//! its folder, and the rest is whole runs; [`driver`] trains what is missing.
//!
//! Only validation scores are compared. A run opens the test split at its own end and writes that down, as every run
//! does; nothing here reads that score but [`outcome`], of the trial that was chosen before.

pub mod ask;
pub mod driver;
pub mod history;
pub mod outcome;
pub mod plan;
pub mod proposal;
pub mod pruning;
pub mod range;
pub mod samplers;
pub mod space;
