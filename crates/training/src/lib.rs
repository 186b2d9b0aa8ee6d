//! The engine: a recipe becomes a scored run folder.
//!
//! Knows no command line, no terminal, no signals and no exit status: what happens is told to a [`watch::Watch`],
//! and a [`stop::Stop`] ends it. Start at [`mod@train`], the training loop; [`session`] is a whole run.

pub mod backend;
pub mod class_weights;
pub mod data_progress;
pub mod device_batch;
pub mod device_images;
pub mod duration;
pub mod evaluate;
pub mod explain;
pub mod extend;
pub mod failure;
pub mod final_score;
pub mod find_rate;
pub mod flags_elsewhere;
pub mod held_out;
pub mod image_source;
pub mod init_from;
pub mod learner;
pub mod loss;
pub mod memory;
pub mod meter;
pub mod near_copies;
pub mod on_divergence;
pub mod optimize;
pub mod origin;
mod outlook;
pub mod outside_runs;
pub mod picture_facts;
pub mod picture_names;
pub mod place;
pub mod predict;
pub mod prepare;
pub mod rate_test;
pub mod recipe;
pub mod recipe_change;
pub mod recipe_file;
pub mod recipe_settings;
pub mod replay;
pub mod run_folder;
pub mod run_logs;
pub mod run_options;
pub mod seeds;
pub mod session;
pub mod session_error;
pub mod setup;
pub mod speed;
pub mod starting_weights;
pub mod state;
pub mod stop;
pub mod train;
mod training_split;
pub mod tuning;
pub mod verify_kernels;
pub mod version;
pub mod views;
pub mod watch;
pub mod weighing;
pub mod wrong_labels;

/// Tests count too.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: memory::allocator::Allocator = memory::allocator::Allocator;
