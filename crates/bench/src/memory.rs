//! How much memory a process has needed.

use std::fs;

use backburn_training::memory::limits::bytes_of;

/// The most memory in bytes that this process has had at once, without what a GPU has of its own.
/// `None` where the system does not tell: only Linux does, in `/proc/self/status`.
pub(crate) fn peak() -> Option<u64> {
    peak_in(&fs::read_to_string("/proc/self/status").ok()?)
}

/// The line `VmHWM` (high-water mark of the resident set).
fn peak_in(status: &str) -> Option<u64> {
    bytes_of(status, "VmHWM")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes_and_absent_where_there_is_none() {
        let status = "Name:\tbackburn\nVmPeak:\t  999 kB\nVmHWM:\t    1234 kB\n";
        assert_eq!(peak_in(status), Some(1234 * 1024));
        assert_eq!(peak_in("Name:\tbackburn\n"), None);
    }
}
