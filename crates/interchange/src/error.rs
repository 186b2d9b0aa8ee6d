//! Why something cannot be exported, with what would do.

use std::io;
use std::path::PathBuf;

use backburn_logs::LogError;
use backburn_models::DescribeError;
use backburn_records::RecordError;
use backburn_training::failure::Failure;
use backburn_training::session_error::SessionError;

/// Why something cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The run cannot be used.
    #[error(transparent)]
    Run(#[from] Box<SessionError>),
    /// A file of the run cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A store of other runs cannot be written to.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The network cannot be described.
    #[error("the network cannot be exported: {0}")]
    Describe(#[from] DescribeError),
    /// Neither an architecture nor a run.
    #[error("{reason}; or name the folder of a run")]
    Model {
        /// Says what was asked for and what there is.
        reason: String,
    },
    /// There is no format of this name.
    #[error("unknown format `{name}`; known: {known}")]
    Format {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// An option that means nothing for the format.
    #[error("`{option}` is for the format onnx, found {format}")]
    Option {
        /// The option.
        option: &'static str,
        /// The format that was asked for.
        format: &'static str,
    },
    /// What stands around the network does not fit it.
    #[error("expected {expected} {what}, as the network has, found {found}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The network does not compute what it describes.
    #[error(
        "the network does not compute what its description says: on the same images, logits differ \
         by {apart:.1e} of the largest one; set `Classifier::describe` right"
    )]
    Differs {
        /// The greatest difference, relative to the largest logit.
        apart: f64,
    },
    /// The format cannot hold so much.
    #[error("{format} holds at most {most} bytes, the weights are {bytes}; export as {instead}")]
    TooLarge {
        /// The format.
        format: &'static str,
        /// Bytes of the weights.
        bytes: usize,
        /// Most bytes.
        most: usize,
        /// Formats that can.
        instead: &'static str,
    },
    /// A layer's name that Python knows as something else, or does not take for a name.
    #[error(
        "layer `{name}`: no field of a PyTorch module can be called `{part}`; give it another name, \
         or export as onnx or safetensors"
    )]
    PythonName {
        /// The layer's name.
        name: String,
        /// The part of it.
        part: String,
    },
    /// A path that is not a file's.
    #[error("{}: expected the path of a file to write, such as model.onnx; name one with `--out`", path.display())]
    NoFile {
        /// What was given.
        path: PathBuf,
    },
    /// A path among a run's own files.
    #[error("{} is inside the folder of a run, whose own files stay as they are; name a path in its export/, or elsewhere, with `--out`", path.display())]
    InsideRun {
        /// The path.
        path: PathBuf,
    },
    /// Weights that the Python code beside them would take the place of.
    #[error("{} would be both the weights and the Python code that builds the network; give the weights another ending, such as .pt, with `--out`", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// A file that somebody else wrote.
    #[error("{} is there and was not written by an export; name another file with `--out`", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; see to disk space and permissions, or name another file with `--out`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A run without the record that is asked for.
    #[error("{}: the file is missing; restore it from a copy, or repeat the run", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
}

impl From<SessionError> for ExportError {
    fn from(error: SessionError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Run(error) => Failure::from(*error),
            ExportError::Format { .. }
            | ExportError::Model { .. }
            | ExportError::Option { .. }
            | ExportError::NoFile { .. }
            | ExportError::InsideRun { .. }
            | ExportError::SameFile { .. }
            | ExportError::Foreign { .. } => Failure::Usage(error.to_string()),
            error => Failure::Error(error.to_string()),
        }
    }
}
