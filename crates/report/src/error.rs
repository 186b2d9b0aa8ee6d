//! Why a report could not be made.

use std::io;
use std::path::PathBuf;

use backburn_records::RecordError;

/// Why what a report shows could not be read, or the report not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file of the report could not be written.
    #[error(
        "cannot write {}: {source}; check the free space and the rights of the folder",
        path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that files are to be written to has some already.
    #[error(
        "{}: expected a new or empty folder, so that nothing is written over; name another one, or \
         clear it",
        path.display()
    )]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A figure could not be turned into pixels.
    #[error(
        "cannot draw {figure} as PNG: {reason}; update Backburn, or open the SVG if there is one"
    )]
    Draw {
        /// The figure's name.
        figure: String,
        /// What the renderer said.
        reason: String,
    },
}
