//! A request to stop a training, or to save it, from outside: a signal handler, a button, another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A token that whoever trains looks at after every optimizer step. Its clones share one request.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    own: Arc<Requests>,
    /// What is asked of this one is asked of ours too.
    outer: Option<Arc<Self>>,
}

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

    /// A token for one of several trainings: what is asked of this token is asked of that one too, but not the other
    /// way round.
    pub fn inner(&self) -> Self {
        Self { own: Arc::default(), outer: Some(Arc::new(self.clone())) }
    }

    /// Asks training to save a checkpoint and to stop. Says whether that was asked for before.
    pub fn request(&self) -> bool {
        self.own.stop.swap(true, Ordering::SeqCst)
    }

    /// Asks training to save a checkpoint at its next step and to train on. Says whether that was asked for
    /// since the last checkpoint.
    pub fn request_save(&self) -> bool {
        self.own.save.swap(true, Ordering::SeqCst)
    }

    /// Whether training should save and stop.
    pub fn is_requested(&self) -> bool {
        self.own.stop.load(Ordering::SeqCst)
            || self.outer.as_ref().is_some_and(|outer| outer.is_requested())
    }

    /// Whether training should save a checkpoint, and go on.
    pub fn is_save_requested(&self) -> bool {
        self.own.save.load(Ordering::SeqCst)
            || self.outer.as_ref().is_some_and(|outer| outer.is_save_requested())
    }

    /// Tells that a checkpoint is about to be written: who asked for one until now gets this one.
    pub(crate) fn answer_save(&self) {
        self.own.save.store(false, Ordering::SeqCst);
        if let Some(outer) = &self.outer {
            outer.answer_save();
        }
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
    fn what_is_asked_of_all_is_asked_of_each_and_not_the_other_way_round() {
        let all = Stop::new();
        let [one, other] = [all.inner(), all.inner()];
        one.request();
        assert!(one.is_requested() && !all.is_requested() && !other.is_requested());
        all.request_save();
        assert!(one.is_save_requested() && other.is_save_requested());
        one.answer_save();
        assert!(!all.is_save_requested() && !one.is_save_requested());
        all.request();
        assert!(other.is_requested() && other.inner().is_requested());
    }

    #[test]
    fn a_checkpoint_answers_the_requests_before_it() {
        let stop = Stop::new();
        assert!(!stop.request_save() && stop.request_save() && stop.is_save_requested());
        stop.answer_save();
        assert!(!stop.is_save_requested() && !stop.request_save());
    }
}
