//! The program as a person meets it: what it prints, what it leaves behind, how it exits.
//!
//! Every test runs the real binary in a folder of its own. Data are drawn by the program, or a few
//! images in MNIST's format that the test writes.

mod bench;
mod changed_runs;
mod checkpoints;
mod comparisons;
mod completions;
mod cross_validation;
mod divergence;
mod doctor;
mod endurance;
mod environment;
mod experiments;
mod explanations;
mod exports;
mod extend;
mod find_rate;
mod full_disk;
mod initialization;
mod integrity;
mod interrupts;
mod kills;
mod label_errors;
mod label_noise;
mod last_batch;
mod logs;
mod means;
mod older_runs;
mod out_of_memory;
mod output;
mod own_pictures;
mod place;
mod refusals;
mod regularizers;
mod runs;
mod schedules;
mod search;
mod stopping;
mod studies;
mod unfinished;
mod verify;
mod views;
