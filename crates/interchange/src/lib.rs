//! Trained networks for other programs: ONNX, PyTorch's files, safetensors, each with a model card.
//!
//! A network describes itself ([`backburn_models::Description`]); a [`TrainedNetwork`] is that with its weights and
//! what stands between pixels and probabilities. All formats are written from it, and [`export()`] writes them for a run.
//! The same run gives the same bytes.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod card;
mod check;
mod error;
pub mod export;
mod format;
mod layer_table;
mod mistakes_csv;
mod model_table;
pub mod onnx;
pub mod safetensors_file;
pub mod torch_code;
pub mod torch_file;
mod trained_network;
mod without_folders;
mod zip;

pub use error::ExportError;
pub use export::{ExportOptions, export};
pub use format::{FORMATS, Format, FormatRow};
pub use layer_table::layer_table;
pub use model_table::{ShownModel, list_models, show_model};
pub use trained_network::TrainedNetwork;
