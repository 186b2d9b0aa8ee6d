//! How many kernels are launched on a graphics card.

#[cfg(feature = "cube")]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[cfg(feature = "cube")]
use cubecl::logging::{LaunchObservation, LaunchObserver};

/// What `work` launches; 0 in a program that was built for no graphics card.
pub(super) fn launches_of(work: impl FnOnce()) -> u64 {
    #[cfg(feature = "cube")]
    {
        let count = Arc::new(Count::default());
        let observation = LaunchObservation::new(count.clone());
        work();
        drop(observation);
        count.0.load(Ordering::Relaxed)
    }
    #[cfg(not(feature = "cube"))]
    {
        work();
        0
    }
}

#[cfg(feature = "cube")]
#[derive(Debug, Default)]
struct Count(AtomicU64);

#[cfg(feature = "cube")]
impl LaunchObserver for Count {
    fn launched(&self, _kernel: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
