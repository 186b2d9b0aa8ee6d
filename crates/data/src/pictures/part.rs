//! The parts of a data set, as people name them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a picture is for, where its folder or table says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose by: when to stop, which weights to keep.
    Valid,
    /// For the final score.
    Test,
}

impl Part {
    /// All of them, in the order of the images in a file of prepared pictures.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// The names that are read, the one that is written first.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train"],
            Self::Valid => &["valid", "val", "validation"],
            Self::Test => &["test"],
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().first().copied().unwrap_or_default())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().to_lowercase();
        let part = Self::ALL.into_iter().find(|part| part.names().contains(&name.as_str()));
        part.ok_or_else(|| format!("`{text}` is no part of a data set; write train, valid or test"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_reads_as_it_is_written_and_by_its_other_names() {
        for part in Part::ALL {
            for name in part.names() {
                assert_eq!(name.parse(), Ok(part));
                assert_eq!(name.to_uppercase().parse(), Ok(part));
            }
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert!("tests".parse::<Part>().is_err());
    }
}
