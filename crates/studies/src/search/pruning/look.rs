//! What a rule of pruning looks at.

/// A run of a trial after an epoch, beside the runs of earlier trials with the same seed.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The epoch that has ended, counted from 1; before the last.
    pub epoch: usize,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// Highest validation accuracy of the run so far, in `[0, 1]`.
    pub score: f64,
    /// The same of the earlier runs that came as far, after the same epoch.
    pub others: &'a [f64],
}

/// A rule that stops a run whose trial will hardly be the best.
#[derive(Clone, Copy, Debug)]
pub struct Pruner {
    /// Name, on the command line and in `search.toml`.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Whether the run is stopped.
    pub stops: fn(&Look<'_>) -> bool,
}
