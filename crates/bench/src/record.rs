//! `bench.json`: everything that was measured, with the unit in every name.

use serde::Serialize;

use super::figure::Figure;
use super::layers::Layer;

/// The whole file.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRecord {
    pub(crate) backburn_version: &'static str,
    pub(crate) burn_version: &'static str,
    pub(crate) git_commit: Option<&'static str>,
    /// RFC 3339, in UTC.
    pub(crate) started: String,
    pub(crate) ended: String,
    pub(crate) backend: &'static str,
    /// What the backend computes on.
    pub(crate) device: String,
    /// Model of the processor where the system tells it; else the compiler's name for its
    /// architecture.
    pub(crate) processor: String,
    /// The widest that the processor has, of those that matter here.
    pub(crate) instruction_set: Option<&'static str>,
    pub(crate) threads: usize,
    /// Least length of a repetition.
    pub(crate) seconds_per_repetition: f64,
    /// Threads that other programs kept busy, looked at between measurements; absent where the system
    /// does not tell.
    pub(crate) busy_threads_of_others: Option<Figure>,
    /// `PyTorch` and its version, if it was compared with.
    pub(crate) pytorch: Option<String>,
    pub(crate) networks: Vec<NetworkRecord>,
    pub(crate) matrix_product: MatrixProductRecord,
    pub(crate) layers: Vec<LayerRecord>,
    pub(crate) loader: Vec<LoaderRecord>,
}

/// A network with a batch size.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NetworkRecord {
    pub(crate) model: String,
    /// Channels, height and width.
    pub(crate) image: [usize; 3],
    pub(crate) batch_size: usize,
    pub(crate) training_images_per_second: Figure,
    pub(crate) evaluation_images_per_second: Figure,
    /// Seconds from the network's construction to the end of the first training step, in a new
    /// process.
    pub(crate) first_step_seconds: Figure,
    /// Peak memory of a process that trains, without what a GPU has of its own; absent where the
    /// system does not tell.
    pub(crate) peak_memory_bytes: Option<u64>,
    /// Speed with one thread, for the smallest batch size, if there is more than one thread.
    pub(crate) one_thread: Option<OneThreadRecord>,
    /// Products that the machine gives all threads, over those that it gives one, looked at between the turns; if the
    /// network computes on the processor with more than one thread.
    pub(crate) threads_over_one: Option<Figure>,
    /// What it takes of a graphics card, if it computes on one.
    pub(crate) card: Option<CardRecord>,
    pub(crate) pytorch: Option<PyTorchRecord>,
}

/// What a network takes of a graphics card. What is absent the card or its driver does not tell.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CardRecord {
    /// As `first_step_seconds`, of the first process, when nothing was kept from an earlier one.
    pub(crate) first_start_seconds: f64,
    /// The same of the later ones.
    pub(crate) later_start_seconds: Option<Figure>,
    /// Kernels that a training step launches.
    pub(crate) launches_of_a_step: Option<u64>,
    /// Bytes that the allocator has set aside at most.
    pub(crate) reserved_bytes: Option<u64>,
    /// For how much of the time of training a kernel was at work, in `[0, 1]`.
    pub(crate) busy_share: Option<f64>,
}

/// What more threads bring to training.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct OneThreadRecord {
    pub(crate) training_images_per_second: Figure,
    /// Speed with all threads over that with one, turn by turn.
    pub(crate) gain: Figure,
}

/// PyTorch. Ratios are ours over PyTorch's in eager mode and the faster memory format, where not said otherwise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PyTorchRecord {
    pub(crate) ways: Vec<WayRecord>,
    pub(crate) training: ComparisonRecord,
    pub(crate) evaluation: ComparisonRecord,
    /// Ours over PyTorch's in the format that trains faster: below 1, ours is earlier.
    pub(crate) first_step_ratio: Figure,
    /// Ours over PyTorch's in the format that trains faster: below 1, ours needs less.
    pub(crate) peak_memory_ratio: Option<f64>,
}

/// PyTorch in one of the ways in which it computes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct WayRecord {
    pub(crate) way: &'static str,
    pub(crate) training_images_per_second: Figure,
    /// Ours over PyTorch's in this way, turn by turn.
    pub(crate) training_ratio: Figure,
    pub(crate) evaluation_images_per_second: Figure,
    /// The same of evaluation.
    pub(crate) evaluation_ratio: Figure,
    pub(crate) first_step_seconds: Figure,
    pub(crate) peak_memory_bytes: Option<u64>,
    /// What it takes of a graphics card, if it computes on one.
    pub(crate) card: Option<CardRecord>,
}

/// Ours against PyTorch's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ComparisonRecord {
    /// The one with the higher median.
    pub(crate) faster_memory_format: &'static str,
    /// PyTorch's in this format.
    pub(crate) images_per_second: Figure,
    /// Ours over PyTorch's, turn by turn: above 1, ours is faster.
    pub(crate) ratio: Figure,
}

/// Square matrices.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct MatrixProductRecord {
    /// Rows and columns.
    pub(crate) size: usize,
    pub(crate) gflop_per_second: Figure,
    /// Rate with one thread, if there is more than one.
    pub(crate) one_thread_gflop_per_second: Option<Figure>,
    /// Speed with all threads over that with one, turn by turn.
    pub(crate) gain: Option<Figure>,
}

/// A convolution.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LayerRecord {
    /// The network that it is from.
    pub(crate) model: &'static str,
    #[serde(flatten)]
    pub(crate) layer: Layer,
    pub(crate) batch_size: usize,
    pub(crate) forward_gflop_per_second: Figure,
    /// Share of the matrix product's rate just before, in `[0, 1]`.
    pub(crate) forward_share: Figure,
    pub(crate) backward_gflop_per_second: Figure,
    /// Share of the matrix product's rate just before, in `[0, 1]`.
    pub(crate) backward_share: Figure,
}

/// The loader alone.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LoaderRecord {
    /// Augmentation, as `--augment` takes it.
    pub(crate) augment: &'static str,
    pub(crate) images_per_second: Figure,
}
