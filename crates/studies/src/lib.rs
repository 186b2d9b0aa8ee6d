//! Many runs that belong together.
//!
//! A [`study::Study`] is data: arms and seeds. Its trials are a pure function of it and of their index, so that
//! any process can tell which are there, which are not, and train one. [`arms`] trains them one after the other and
//! compares; [`folds`] cross-validates.

pub mod arm_list;
pub mod arms;
pub mod folds;
pub mod study;
pub mod trial;
