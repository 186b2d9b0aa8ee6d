//! Targets and labels of a batch in words, as they are uploaded to graphics cards.

#![cfg_attr(not(feature = "cube"), allow(dead_code))]

/// What follows the word for the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// The value of most classes, two other classes, and theirs.
    Few,
    /// All values.
    All,
}

impl Form {
    /// Words for each image.
    pub(crate) fn words(self, classes: usize) -> usize {
        match self {
            Self::Few => 5,
            Self::All => 1 + classes,
        }
    }

    /// Labels and rows in the shortest form that gives them back bit for bit.
    pub(crate) fn pack(targets: &[f32], classes: usize, labels: &[u16]) -> (Self, Vec<u32>) {
        let rows = || labels.iter().zip(targets.chunks_exact(classes));
        // With fewer, all values are as short.
        if classes > 4 {
            let record = |(&label, row): (&u16, &[f32])| {
                let (of_most, [first, second]) = few(row)?;
                let values = [row[first], row[second]].map(f32::to_bits);
                let others = u32::try_from(second << 16 | first).ok()?;
                Some([label.into(), of_most.to_bits(), others, values[0], values[1]])
            };
            if let Some(records) = rows().map(record).collect::<Option<Vec<_>>>() {
                return (Self::Few, records.concat());
            }
        }
        let word = |(&label, row): (&u16, &[f32])| {
            [u32::from(label)].into_iter().chain(row.iter().map(|value| value.to_bits())).collect()
        };
        (Self::All, rows().map(word).collect::<Vec<Vec<_>>>().concat())
    }
}

/// The value of most classes, and the two that have others, or may have; `None` if there are more. `row` has five values or
/// more, so that three of the first five are that of most.
fn few(row: &[f32]) -> Option<(f32, [usize; 2])> {
    let is_same = |a: &f32, b: &f32| a.to_bits() == b.to_bits();
    let (first, _) = row.split_at(5);
    let of_most =
        *first.iter().find(|value| first.iter().filter(|it| is_same(it, value)).count() > 2)?;
    let mut others = row.iter().enumerate().filter(|(_, value)| !is_same(value, &of_most));
    let mut class = || others.next().map(|(class, _)| class);
    let found = (class(), class(), class());
    match found {
        (first, second, None) => {
            Some((of_most, [first.unwrap_or(0), second.or(first).unwrap_or(0)]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a card makes of the words.
    fn unpack((form, words): &(Form, Vec<u32>), classes: usize) -> (Vec<f32>, Vec<u16>) {
        let mut found = (Vec::new(), Vec::new());
        for record in words.chunks_exact(form.words(classes)) {
            found.1.push(record[0] as u16);
            found.0.extend((0..classes).map(|class| {
                let (first, second) = match form {
                    Form::All => return f32::from_bits(record[1 + class]),
                    Form::Few => (record[2] & 0xffff, record[2] >> 16),
                };
                let word = match class as u32 {
                    class if class == second => 4,
                    class if class == first => 3,
                    _ => 1,
                };
                f32::from_bits(record[word])
            }));
        }
        found
    }

    #[test]
    fn rows_come_back_bit_for_bit_in_five_words_if_two_stand_out() {
        let row = |others: &[(usize, f32)], of_most: f32, classes: usize| {
            let mut row = vec![of_most; classes];
            others.iter().for_each(|&(class, value)| row[class] = value);
            row
        };
        let none: &[(usize, f32)] = &[];
        for (classes, others, expected) in [
            (10, &[(3, 1.0)][..], Form::Few),
            (10, &[(0, 0.9)], Form::Few),
            (10, &[(9, 0.7), (0, 0.3)], Form::Few),
            (5, &[(0, 0.7), (1, 0.3)], Form::Few),
            (10, none, Form::Few),
            (1000, &[(999, 1.0), (998, -0.0)], Form::Few),
            (10, &[(1, 0.5), (2, 0.25), (3, 0.25)], Form::All),
            (5, &[(0, 0.5), (2, 0.25), (4, 0.25)], Form::All),
            (4, &[(1, 1.0)], Form::All),
            (1, &[(0, 2.5)], Form::All),
            (6, &[(0, f32::NAN), (5, f32::INFINITY)], Form::Few),
        ] {
            for of_most in [0.0, 0.01] {
                let targets = [row(others, of_most, classes), row(none, 0.5, classes)].concat();
                let labels = [u16::MAX, 0];
                let packed = Form::pack(&targets, classes, &labels);
                assert_eq!(packed.0, expected, "{classes} classes, {others:?}");
                assert_eq!(packed.1.len(), 2 * expected.words(classes));
                let (found, found_labels) = unpack(&packed, classes);
                assert!(
                    found.iter().map(|it| it.to_bits()).eq(targets.iter().map(|it| it.to_bits()))
                );
                assert_eq!(found_labels, labels);
            }
        }
    }
}
