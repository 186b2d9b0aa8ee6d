//! The program `backburn` as a library: recipes, training, evaluation, run folders.
//!
//! The only crate that knows all the others. Start at `train.rs`, the training loop.

pub mod allocator;
pub mod averaging;
pub mod backend;
mod bench;
pub mod bench_command;
pub mod checkpoint;
pub mod checkpoint_every;
pub mod cli;
pub mod compare_arms;
pub mod compare_regularizers;
pub mod data_command;
mod download_bar;
pub mod environment;
pub mod evaluate;
pub mod evaluate_command;
mod experiment_command;
mod experiments;
pub mod extend;
mod final_score;
pub mod find_rate;
pub mod find_rate_command;
pub mod gradients;
pub mod interrupt;
pub mod loss;
mod losses;
mod memory_limits;
mod memory_need;
pub mod meter;
pub mod named_weights;
pub mod on_divergence;
pub mod optimizer;
mod origin;
mod out_of_memory;
pub mod output;
pub mod plateau;
pub mod prepare;
pub mod preview_command;
pub mod progress;
pub mod recipe;
mod regularizer_flags;
pub mod replay_command;
pub mod report_command;
pub mod restore;
mod rollback;
pub mod run;
mod run_lock;
pub mod schedule;
pub mod seeds;
pub mod session;
mod table;
pub mod test_log;
pub mod train;
pub mod train_command;
mod train_flags;
pub mod verify_command;
mod verify_contents;
pub mod verify_kernels;
pub mod verify_kernels_command;
pub mod warm_up;
pub mod weighing;

/// The commit that this program was built from, with `-modified` behind it if its sources differed;
/// `None` if that is not known. See `build/commit.rs`.
pub const GIT_COMMIT: Option<&str> = option_env!("BACKBURN_COMMIT");

/// The version of Burn that this program is pinned to.
pub const BURN_VERSION: &str = "0.22.1";

/// Tests count too.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;
