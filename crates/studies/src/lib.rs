//! Many runs that belong together.
//!
//! A [`study::Study`] is data: arms and seeds. Its trials are a pure function of it and of their index, so that
//! any process can tell which are there, which are not, and train one. [`arms`] trains them one after the other;
//! [`carry_out`] is a whole study, from its file to its comparison; [`folds`] cross-validates, and [`label_errors`] asks
//! the folds which labels are likely wrong; [`search`] looks for settings.

pub mod arm_list;
pub mod arm_words;
pub mod arms;
pub mod carry_out;
pub mod engine;
pub mod folds;
pub mod jobs;
pub mod label_errors;
pub mod looks;
pub mod regularizer_study;
pub mod search;
pub mod seeds;
pub mod status;
pub mod study;
pub mod study_file;
pub mod submit;
pub mod trial;
