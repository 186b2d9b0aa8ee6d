//! A request to stop a training, or to save it, from outside: a signal handler, a button, another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A token that whoever trains looks at after every optimizer step. Its clones share one request.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    stop: AtomicBool,
    save: AtomicBool,
}

impl Stop {
    /// A token that nobody has asked anything of.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks training to save a checkpoint and to stop. Says whether that was asked for before.
    pub fn request(&self) -> bool {
        self.0.stop.swap(true, Ordering::SeqCst)
    }

    /// Asks training to save a checkpoint at its next step and to train on. Says whether that was asked for
    /// since the last checkpoint.
    pub fn request_save(&self) -> bool {
        self.0.save.swap(true, Ordering::SeqCst)
    }

    /// Whether training should save and stop.
    pub fn is_requested(&self) -> bool {
        self.0.stop.load(Ordering::SeqCst)
    }

    /// Whether training should save a checkpoint, and go on.
    pub fn is_save_requested(&self) -> bool {
        self.0.save.load(Ordering::SeqCst)
    }

    /// Tells that a checkpoint is about to be written: who asked for one until now gets this one.
    pub(crate) fn answer_save(&self) {
        self.0.save.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_a_request_and_others_do_not() {
        let (stop, other) = (Stop::new(), Stop::new());
        let clone = stop.clone();
        assert!(!clone.request() && clone.request());
        assert!(stop.is_requested() && !stop.is_save_requested() && !other.is_requested());
    }

    #[test]
    fn a_checkpoint_answers_the_requests_before_it() {
        let stop = Stop::new();
        assert!(!stop.request_save() && stop.request_save() && stop.is_save_requested());
        stop.answer_save();
        assert!(!stop.is_save_requested() && !stop.request_save());
    }
}
