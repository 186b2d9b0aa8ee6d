//! `bench.json`: everything that was measured, with the unit in every name.

use serde::Serialize;

use super::figure::Figure;
use super::layers::Layer;

/// The whole file.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRecord {
    pub backburn_version: &'static str,
    pub burn_version: &'static str,
    pub git_commit: Option<&'static str>,
    /// RFC 3339, in UTC.
    pub started: String,
    pub ended: String,
    pub backend: &'static str,
    /// What the backend computes on.
    pub device: String,
    /// Where the system tells its model, that; else what it is called by the compiler.
    pub processor: String,
    /// The widest that the processor has, of those that matter here.
    pub instruction_set: Option<&'static str>,
    pub threads: usize,
    /// Least length of a repetition.
    pub seconds_per_repetition: f64,
    /// Threads that other programs kept busy, looked at between measurements; absent where the system
    /// does not tell.
    pub busy_threads_of_others: Option<Figure>,
    /// `PyTorch` and its version, if it was compared with.
    pub pytorch: Option<String>,
    pub networks: Vec<NetworkRecord>,
    pub matrix_product: MatrixProductRecord,
    pub layers: Vec<LayerRecord>,
    pub loader: Vec<LoaderRecord>,
}

/// A network with a batch size.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkRecord {
    pub model: String,
    /// Channels, height and width.
    pub image: [usize; 3],
    pub batch_size: usize,
    pub training_images_per_second: Figure,
    pub evaluation_images_per_second: Figure,
    /// From the network's construction to the end of the first training step, in a new process.
    pub first_step_seconds: Figure,
    /// Of a process that trains, without what a GPU has of its own; absent where the system does not
    /// tell.
    pub peak_memory_bytes: Option<u64>,
    /// For the smallest batch size, if there is more than one thread.
    pub one_thread: Option<OneThreadRecord>,
    pub pytorch: Option<PyTorchRecord>,
}

/// What more threads bring to training.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OneThreadRecord {
    pub training_images_per_second: Figure,
    /// Speed with all threads over that with one, turn by turn.
    pub gain: Figure,
}

/// PyTorch in eager mode. Ratios are ours over PyTorch's in the faster memory format.
#[derive(Clone, Debug, Serialize)]
pub struct PyTorchRecord {
    pub formats: Vec<FormatRecord>,
    pub training: ComparisonRecord,
    pub evaluation: ComparisonRecord,
    /// Ours over PyTorch's in the format that trains faster: below 1, ours is earlier.
    pub first_step_ratio: Figure,
    /// Likewise: below 1, ours needs less.
    pub peak_memory_ratio: Option<f64>,
}

/// PyTorch in one memory format.
#[derive(Clone, Debug, Serialize)]
pub struct FormatRecord {
    pub memory_format: &'static str,
    pub training_images_per_second: Figure,
    pub evaluation_images_per_second: Figure,
    pub first_step_seconds: Figure,
    pub peak_memory_bytes: Option<u64>,
}

/// Ours against PyTorch's.
#[derive(Clone, Debug, Serialize)]
pub struct ComparisonRecord {
    /// The one with the higher median.
    pub faster_memory_format: &'static str,
    /// PyTorch's in this format.
    pub images_per_second: Figure,
    /// Ours over PyTorch's, turn by turn: above 1, ours is faster.
    pub ratio: Figure,
}

/// Square matrices.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MatrixProductRecord {
    /// Rows and columns.
    pub size: usize,
    pub gflop_per_second: Figure,
    /// If there is more than one thread.
    pub one_thread_gflop_per_second: Option<Figure>,
    /// Speed with all threads over that with one, turn by turn.
    pub gain: Option<Figure>,
}

/// A convolution.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LayerRecord {
    /// The network that it is from.
    pub model: &'static str,
    #[serde(flatten)]
    pub layer: Layer,
    pub batch_size: usize,
    pub forward_gflop_per_second: Figure,
    /// Of the matrix product's rate just before, in `[0, 1]`.
    pub forward_share: Figure,
    pub backward_gflop_per_second: Figure,
    /// Likewise.
    pub backward_share: Figure,
}

/// The loader alone.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LoaderRecord {
    /// As `--augment` takes it.
    pub augment: &'static str,
    pub images_per_second: Figure,
}
