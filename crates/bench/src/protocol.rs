//! What the bench and the processes that measure say to each other: one JSON object a line.
//! `tests/pytorch/bench.py` speaks the same.

use serde::{Deserialize, Serialize};

use super::layers::Layer;

/// What a process says when it is ready.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Greeting {
    /// Name of the hardware, or of the program and its version.
    pub(crate) name: String,
    /// Seconds from the network's construction to the end of the first training step, if the
    /// process has a network.
    pub(crate) first_step_seconds: Option<f64>,
}

/// What it is asked. `seconds` is how long a repetition should last at least.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "measure", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Training steps; the answer is `Work` in images.
    Training { seconds: f64 },
    /// Forward passes of the evaluation copy; `Work` in images.
    Evaluation { seconds: f64 },
    /// [`PeakMemory`] so far.
    PeakMemory,
    /// [`Card`] so far.
    Card,
    /// `Work` in floating-point operations.
    MatrixProduct { seconds: f64 },
    /// A convolution; `Work` in floating-point operations.
    Forward { layer: Layer, seconds: f64 },
    /// Gradients of a convolution; `Work` in floating-point operations.
    Backward { layer: Layer, seconds: f64 },
    /// Epochs of the loader alone; `Work` in images.
    Loader { augment: String, seconds: f64 },
}

/// The most memory that the process has had.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct PeakMemory {
    /// `None` where the system does not tell.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// What a process takes of a graphics card.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Card {
    /// Kernels that a training step launches.
    pub(crate) launches_of_a_step: Option<u64>,
    /// Bytes that its allocator has set aside at most.
    pub(crate) reserved_bytes: Option<u64>,
}
