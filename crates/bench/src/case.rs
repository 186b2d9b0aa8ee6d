//! A network to be measured.

/// A network to be trained.
#[derive(Clone, Debug)]
pub struct Case {
    /// Architecture.
    pub model: String,
    /// Images in a batch.
    pub batch_size: usize,
}

impl Case {
    /// Name in messages and tables.
    pub fn name(&self) -> String {
        format!("{}, batch {}", self.model, self.batch_size)
    }
}
