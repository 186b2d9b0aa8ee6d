//! What is told while files are fetched.

/// How far the fetching of one file is.
#[derive(Clone, Copy, Debug)]
pub struct FetchProgress<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The address or folder it comes from.
    pub origin: &'a str,
    /// Bytes that are here, resumed ones included.
    pub done: u64,
    /// Bytes there will be, if known.
    pub total: Option<u64>,
}
