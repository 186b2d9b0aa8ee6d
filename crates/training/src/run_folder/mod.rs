//! What a run leaves behind, and how it is gone back to.

pub mod checkpoint;
pub mod checkpoint_every;
pub mod edited;
pub mod error;
pub mod folder;
pub mod inspect;
pub mod lock;
pub mod losses;
pub mod names;
pub mod pages;
pub mod restore;
pub mod rollback;
pub mod test_log;
pub mod verify;
