//! How far data are from being there.

use backburn_data::FetchProgress;
use backburn_data::pictures::PictureProgress;

/// How far data are from being there.
#[derive(Clone, Copy, Debug)]
pub enum DataProgress<'a> {
    /// A file is being downloaded.
    Download(FetchProgress<'a>),
    /// Pictures are being prepared.
    Pictures(PictureProgress),
}
