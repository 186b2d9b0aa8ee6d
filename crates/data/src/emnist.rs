//! EMNIST: handwritten digits and letters in six splits, as IDX files of 28 × 28 gray images.
//!
//! The files hold every image transposed; it is turned upright when read, as MNIST's are.

use crate::{
    data_set::DataSet, entry::Entry, error::DataError, fetch_progress::FetchProgress, mnist,
    source::Source,
};

/// Digits, capital and small letters, in label order.
pub(crate) const CHARACTER_NAMES: &[&str] = &[
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G", "H", "I",
    "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "a", "b",
    "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u",
    "v", "w", "x", "y", "z",
];

/// The same with small letters that look like their capitals merged with these, in label order.
pub(crate) const MERGED_NAMES: &[&str] = &[
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G", "H", "I",
    "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "a", "b",
    "d", "e", "f", "g", "h", "n", "q", "r", "t",
];

/// Letters, capital and small together, in label order. The files count them from 1.
pub(crate) const LETTER_NAMES: &[&str] = &[
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y", "z",
];

/// Loads the split of the entry's name.
pub(crate) fn load(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<DataSet, DataError> {
    let of_split = |part: &str| format!("{}-{part}-", entry.name);
    mnist::load_splits(entry, source, progress, &of_split("train"), &of_split("test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_classes_are_those_of_characters_less_fifteen_small_letters() {
        let kept = |name: &&&str| !"cijklmopsuvwxyz".contains(**name);
        let expected: Vec<&&str> = CHARACTER_NAMES.iter().filter(kept).collect();
        assert_eq!(MERGED_NAMES.iter().collect::<Vec<_>>(), expected);
        assert_eq!((CHARACTER_NAMES.len(), MERGED_NAMES.len(), LETTER_NAMES.len()), (62, 47, 26));
    }
}
