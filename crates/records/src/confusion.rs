//! How often each class was answered for each: a confusion matrix, or the list of its entries for many classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Classes up to which all counts are kept, those of nothing too. 1,000 classes would be a million counts, and most of
/// them 0.
pub const MOST_IN_A_MATRIX: usize = 100;

/// Images by true class and answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Confusion {
    /// Counts by true class (row) and answer (column), of up to [`MOST_IN_A_MATRIX`] classes.
    Matrix(Vec<Vec<u64>>),
    /// Of more classes, the counts that are not 0.
    List {
        /// Number of classes.
        classes: usize,
        /// True class, answer and number of images, in this order.
        counts: Vec<[u64; 3]>,
    },
}

impl Confusion {
    /// Counts pairs of true class and answer, each below `classes`; others are left out.
    pub fn count(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        if classes <= MOST_IN_A_MATRIX {
            let mut rows = vec![vec![0; classes]; classes];
            for (label, answer) in pairs {
                if let Some(count) = rows.get_mut(label).and_then(|row| row.get_mut(answer)) {
                    *count += 1;
                }
            }
            return Self::Matrix(rows);
        }
        let mut counts = BTreeMap::new();
        for pair in pairs.into_iter().filter(|(label, answer)| *label.max(answer) < classes) {
            *counts.entry(pair).or_insert(0) += 1;
        }
        let counts = counts.into_iter();
        let counts = counts.map(|((label, answer), count)| [label as u64, answer as u64, count]);
        Self::List { classes, counts: counts.collect() }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        match self {
            Self::Matrix(rows) => rows.len(),
            Self::List { classes, .. } => *classes,
        }
    }

    /// True class, answer and number of images wherever there are any.
    pub fn entries(&self) -> Box<dyn Iterator<Item = (usize, usize, u64)> + '_> {
        match self {
            Self::Matrix(rows) => Box::new(rows.iter().enumerate().flat_map(|(label, row)| {
                let counted = row.iter().enumerate().filter(|(_, count)| **count > 0);
                counted.map(move |(answer, count)| (label, answer, *count))
            })),
            Self::List { counts, .. } => Box::new(
                counts
                    .iter()
                    .map(|&[label, answer, count]| (label as usize, answer as usize, count)),
            ),
        }
    }

    /// All images.
    pub fn images(&self) -> u64 {
        self.entries().map(|(_, _, count)| count).sum()
    }

    /// Images with a right answer.
    pub fn right(&self) -> u64 {
        self.entries().filter(|(label, answer, _)| label == answer).map(|(_, _, count)| count).sum()
    }

    /// The classes that most wrong answers are of or are for, at most so many, in label order.
    pub fn most_confused(&self, most: usize) -> Vec<usize> {
        let mut wrong: BTreeMap<usize, u64> = (0..self.classes()).map(|class| (class, 0)).collect();
        for (label, answer, count) in self.entries().filter(|(label, answer, _)| label != answer) {
            *wrong.entry(label).or_default() += count;
            *wrong.entry(answer).or_default() += count;
        }
        let mut classes: Vec<(usize, u64)> = wrong.into_iter().collect();
        classes.sort_by_key(|&(class, count)| (std::cmp::Reverse(count), class));
        let mut classes: Vec<usize> =
            classes.into_iter().take(most).map(|(class, _)| class).collect();
        classes.sort_unstable();
        classes
    }

    /// Counts between these classes by row and column; answers outside them are left out.
    pub fn among(&self, classes: &[usize]) -> Vec<Vec<u64>> {
        let places: BTreeMap<usize, usize> = classes.iter().copied().zip(0..).collect();
        let mut rows = vec![vec![0; classes.len()]; classes.len()];
        for (label, answer, count) in self.entries() {
            let (Some(row), Some(column)) = (places.get(&label), places.get(&answer)) else {
                continue;
            };
            if let Some(place) = rows.get_mut(*row).and_then(|row| row.get_mut(*column)) {
                *place += count;
            }
        }
        rows
    }

    /// Checks that it counts answers among so many classes.
    ///
    /// # Errors
    ///
    /// What was expected, and what was found.
    pub fn check(&self, classes: usize) -> Result<(), (String, String)> {
        if self.classes() != classes {
            let found = self.classes().to_string();
            return Err((format!("{classes} rows of `confusion`"), found));
        }
        match self {
            Self::Matrix(rows) => {
                let mut rows = rows.iter().enumerate();
                if let Some((row, counts)) = rows.find(|(_, counts)| counts.len() != classes) {
                    let expected = format!("{classes} counts in row {row} of `confusion`");
                    return Err((expected, counts.len().to_string()));
                }
            }
            Self::List { counts, .. } => {
                let beyond = |[label, answer, _]: &&[u64; 3]| *label.max(answer) >= classes as u64;
                if let Some([label, answer, _]) = counts.iter().find(beyond) {
                    let found = label.max(answer).to_string();
                    return Err((format!("classes below {classes} in `confusion`"), found));
                }
            }
        }
        let mut counts = self.entries().map(|(_, _, count)| count);
        match counts.try_fold(0_u64, |sum, count| sum.checked_add(count)) {
            Some(_) => Ok(()),
            None => Err(("counts of images in `confusion`".into(), "more than can be".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels and answers over so many classes, some right and some wrong.
    fn pairs(classes: usize) -> Vec<(usize, usize)> {
        (0..5 * classes)
            .map(|n| (n % classes, if n % 3 == 0 { n * 7 % classes } else { n % classes }))
            .collect()
    }

    #[test]
    fn a_list_counts_as_a_matrix_does() {
        let few = Confusion::count(40, pairs(40));
        assert!(matches!(few, Confusion::Matrix(_)));
        let list = Confusion::List {
            classes: 40,
            counts: few.entries().map(|(a, b, n)| [a as u64, b as u64, n]).collect(),
        };
        assert_eq!((list.images(), list.right()), (200, few.right()));
        assert_eq!(list.most_confused(5), few.most_confused(5));
        let all: Vec<usize> = (0..40).collect();
        assert_eq!(Confusion::Matrix(list.among(&all)), few);
        for confusion in [few, list] {
            assert_eq!(confusion.check(40), Ok(()));
            let json = serde_json::to_string(&confusion).unwrap();
            assert_eq!(serde_json::from_str::<Confusion>(&json).unwrap(), confusion);
        }
    }

    #[test]
    fn as_many_classes_as_can_be_take_no_more_than_their_images() {
        let confusion = Confusion::count(65_535, pairs(65_535).into_iter().take(1000));
        assert!(serde_json::to_vec_pretty(&confusion).unwrap().len() < 100_000);
        assert_eq!(confusion.images(), 1000);
        assert_eq!(confusion.most_confused(3).len(), 3);
    }

    #[test]
    fn what_is_no_confusion_of_these_classes_is_told() {
        let list = |counts| Confusion::List { classes: 200, counts };
        assert_eq!(list(vec![[199, 0, 1]]).check(200), Ok(()));
        assert_eq!(list(vec![[0, 200, 1]]).check(200).unwrap_err().1, "200");
        assert!(list(vec![[0, 1, u64::MAX], [1, 1, 1]]).check(200).is_err());
        assert!(list(vec![]).check(100).is_err());
        let ragged = Confusion::Matrix(vec![vec![1, 2], vec![3]]);
        assert!(ragged.check(2).unwrap_err().0.contains("2 counts in row 1"));
    }
}
