//! What depends on the shapes of a layer alone, kept from one step to the next.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// More layers than any network here has; with more shapes than that everything is made anew.
const MOST: usize = 256;

/// Values by the shape that they were made for.
pub(crate) struct Kept<S, T> {
    by_shape: OnceLock<Mutex<HashMap<S, Arc<T>>>>,
}

impl<S: Eq + Hash, T> Kept<S, T> {
    pub(crate) const fn new() -> Self {
        Self { by_shape: OnceLock::new() }
    }

    /// The value for `shape`, made with `make` if it is asked for the first time.
    pub(crate) fn get(&self, shape: S, make: impl FnOnce() -> T) -> Arc<T> {
        let by_shape = self.by_shape.get_or_init(Mutex::default);
        // Values are whole as soon as they are in the map, also if a thread failed meanwhile.
        let mut by_shape = by_shape.lock().unwrap_or_else(PoisonError::into_inner);
        if by_shape.len() >= MOST {
            by_shape.clear();
        }
        Arc::clone(by_shape.entry(shape).or_insert_with(|| Arc::new(make())))
    }
}
