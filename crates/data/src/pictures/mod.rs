//! People's own pictures: a folder of them, or a table that names them, becomes a data set.
//!
//! [`survey`] finds out which pictures there are and what they are called; [`decode`] turns the bytes of one into
//! pixels, or says what is wrong with them; a [`Preparation`] brings all to one size and number of channels, and is
//! kept with a run, so that predictions see the same; [`load`] does all of it once and keeps the result in a file;
//! a [`Description`] says what a folder holds.

#[allow(
    clippy::indexing_slicing,
    reason = "loops over entries whose numbers it has counted itself"
)]
mod build;
mod cache;
mod colour;
mod decode;
mod describe;
#[allow(clippy::indexing_slicing, reason = "loops over pixels in memory")]
mod digit;
mod error;
mod facts;
#[allow(clippy::indexing_slicing, reason = "loops over pixels in memory")]
mod fit;
mod format;
mod jpeg;
mod layout;
mod listed;
mod load;
mod mapping;
mod natural_order;
mod part;
mod picture;
mod preparation;
#[allow(clippy::indexing_slicing, reason = "loops over pixels in memory")]
mod resample;
mod settings;
mod size;
mod skipped;
mod source;
#[allow(clippy::indexing_slicing, reason = "labels were checked against the number of classes")]
mod splits;
mod table;
mod walk;
mod webp;
mod whole_file;

pub use build::PictureProgress;
pub use colour::Colour;
pub use decode::{DEFAULT_MOST_PIXELS, Decoding, decode, read, read_all};
pub use describe::{ClassCount, Description, SizeSpread, Suspicion};
pub use digit::prepare as prepare_digit;
pub use error::{DamagedPicture, DecodeError, PicturesError};
pub use fit::Fit;
pub use format::PictureFormat;
pub use layout::{Arrangement, Survey, named, survey, survey_to_score};
pub use listed::{Listed, listed, listed_by_lines};
pub use load::{Described, Loaded, PicturePaths, load, load_described, load_with_groups, name_in};
pub use part::Part;
pub use picture::Picture;
pub use preparation::Preparation;
pub use settings::{Channels, PictureSettings};
pub use size::PictureSize;
pub use skipped::Skipped;
pub use source::PictureFile;
pub use walk::PictureWalk;
