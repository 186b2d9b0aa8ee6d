//! How many kernels are launched on a graphics card.

/// Counts launches until it is dropped. One at a time.
#[derive(Debug)]
pub(super) struct Launches {
    #[cfg(feature = "cube")]
    count: std::sync::Arc<on_cards::Count>,
    #[cfg(feature = "cube")]
    _observation: on_cards::Observation,
}

impl Launches {
    /// Begins at zero; `None` if this program was built for no graphics card.
    pub(super) fn begin() -> Option<Self> {
        #[cfg(feature = "cube")]
        {
            let count = std::sync::Arc::new(on_cards::Count::default());
            let _observation = on_cards::Observation::of(&count);
            Some(Self { count, _observation })
        }
        #[cfg(not(feature = "cube"))]
        None
    }

    /// Launches since it began.
    pub(super) fn so_far(&self) -> u64 {
        #[cfg(feature = "cube")]
        {
            self.count.so_far()
        }
        #[cfg(not(feature = "cube"))]
        0
    }
}

#[cfg(feature = "cube")]
mod on_cards {
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use cubecl::logging::{LaunchObservation, LaunchObserver};

    #[derive(Debug, Default)]
    pub(super) struct Count(AtomicU64);

    impl Count {
        pub(super) fn so_far(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl LaunchObserver for Count {
        fn launched(&self, _kernel: &'static str) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) struct Observation(LaunchObservation);

    impl Observation {
        pub(super) fn of(count: &Arc<Count>) -> Self {
            Self(LaunchObservation::new(Arc::<Count>::clone(count)))
        }
    }

    impl fmt::Debug for Observation {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            let Self(LaunchObservation { .. }) = self;
            formatter.write_str("Observation")
        }
    }
}
