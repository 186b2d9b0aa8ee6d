//! The program `backburn`: verbs, flags, terminal, signals, exit status.
//!
//! What it does is in the other crates; each verb is a file in [`commands`].

pub mod cli;
pub mod commands;
mod data_bar;
pub mod environment;
mod help;
pub mod interrupt;
mod out_of_memory;
pub mod output;
mod pages;
mod study_run;
pub mod terminal;
mod threads;
mod train_flags;
mod trial_table;
mod unknown_flag;

/// Tests count too.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: backburn_training::memory::allocator::Allocator =
    backburn_training::memory::allocator::Allocator;
