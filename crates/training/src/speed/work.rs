//! What was done in a repetition.

use serde::{Deserialize, Serialize};

/// What was done in a repetition.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Work {
    /// Images or floating-point operations.
    pub amount: f64,
    /// Wall clock.
    pub seconds: f64,
}

impl Work {
    /// A second.
    pub fn rate(self) -> f64 {
        self.amount / self.seconds
    }
}
