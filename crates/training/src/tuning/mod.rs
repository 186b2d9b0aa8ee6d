//! Which kernels a graphics card computes with. CubeCL times candidates when a shape is first met, which takes the better
//! part of a minute; what it chose, and kernels that it compiled, are kept for the next process.
//!
//! | what | file |
//! | --- | --- |
//! | how much is tried | `level.rs` |
//! | what the program sets before a card is opened | `settings.rs` |
//! | a file of entries that several processes add to | `kept_file.rs` |
//! | CubeCL's settings, and its entries out of files and into them | `exchange.rs` |
//!
//! A file is known by backend, card, driver and [`TuningLevel`]; that of compiled kernels also by the program. Whatever
//! stands in the way, such as a folder that cannot be written to, costs the time that it would have saved, and
//! [`finish`] says so.

#[cfg(feature = "cube")]
mod exchange;
mod kept_file;
mod level;
mod settings;

use backburn_records::TuningRecord;

#[cfg(feature = "cube")]
pub(crate) use exchange::{configure, exchange_with};
pub use level::{TuningLevel, UnknownLevel};
pub use settings::{chosen_level, keep_in, set_level, usual_folder};

/// Writes what was chosen since it was last written, and gives a sentence for the user if that cannot be.
pub fn finish() -> Option<String> {
    #[cfg(feature = "cube")]
    if let Some(exchange) = exchange::current() {
        return exchange.finish();
    }
    None
}

/// What the open card computes with so far; `None` if none is open.
pub fn record() -> Option<TuningRecord> {
    #[cfg(feature = "cube")]
    if let Some(exchange) = exchange::current() {
        return Some(exchange.record());
    }
    None
}
