//! Target distributions: what the loss compares the network's probabilities with.

/// One distribution over the classes for each image of a batch. Label regularizers change these;
/// the labels themselves stay clean. In regression a row holds the values to predict.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    classes: usize,
    probabilities: Vec<f32>,
}

impl Targets {
    /// All probability on the label.
    ///
    /// # Panics
    ///
    /// If a label is not below `classes`.
    pub fn one_hot(labels: &[u16], classes: usize) -> Self {
        let mut probabilities = vec![0.0; labels.len() * classes];
        for (row, &label) in probabilities.chunks_exact_mut(classes).zip(labels) {
            row[usize::from(label)] = 1.0;
        }
        Self { classes, probabilities }
    }

    /// One value to predict for each image, in regression.
    pub fn values(values: Vec<f32>) -> Self {
        Self { classes: 1, probabilities: values }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of distributions.
    pub fn len(&self) -> usize {
        self.probabilities.len() / self.classes
    }

    /// Whether there is no distribution.
    pub fn is_empty(&self) -> bool {
        self.probabilities.is_empty()
    }

    /// The distributions, `[classes]` each.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes)
    }

    /// The distributions, to change them in place.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.probabilities.chunks_exact_mut(self.classes)
    }

    /// `[images, classes]`, row by row.
    pub fn probabilities_mut(&mut self) -> &mut [f32] {
        &mut self.probabilities
    }

    /// `[images, classes]`, row by row.
    pub fn into_probabilities(self) -> Vec<f32> {
        self.probabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_probability_lies_on_the_label() {
        let targets = Targets::one_hot(&[2, 0], 3);
        assert_eq!((targets.len(), targets.classes()), (2, 3));
        assert_eq!(targets.rows().nth(1), Some(&[1.0, 0.0, 0.0][..]));
        assert_eq!(targets.into_probabilities(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        let last = Targets::one_hot(&[999], 1000).into_probabilities();
        assert_eq!(last.iter().position(|&p| p == 1.0), Some(999));
    }
}
