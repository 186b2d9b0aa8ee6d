//! What a network predicts for every image of a set, and how good that is.

use backburn_records::{ClassRecord, Confusion};
use backburn_regularization::Validation;

use crate::views::MeanOf;

/// Answers that are looked at for the top-k accuracy if nothing was said, or all classes if there
/// are fewer.
pub const TOP_K: usize = 5;

/// The network's answer to every image of a set.
#[derive(Clone, Debug)]
pub struct Predictions {
    classes: usize,
    /// Log-probabilities `[images, classes]`, in the order of the set.
    log_probabilities: Vec<f64>,
    labels: Vec<u16>,
}

/// Means over a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Mean cross-entropy against clean labels, in nats.
    pub loss: f64,
    /// Share of right answers, in `[0, 1]`.
    pub accuracy: f64,
}

impl From<Scores> for Validation {
    fn from(Scores { loss, accuracy }: Scores) -> Self {
        Self { loss, accuracy }
    }
}

impl Predictions {
    /// `logits`: `[images, classes]`. Softmax is taken in double precision on the host.
    pub fn new(logits: &[f32], labels: Vec<u16>, classes: usize) -> Self {
        let logits = logits.iter().map(|&z| f64::from(z)).collect();
        Self { classes, log_probabilities: logits, labels }.normalized()
    }

    /// The same images with every row turned by `change` into new logits.
    pub(super) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let logits = self.log_probabilities.iter().map(|&value| change(value)).collect();
        Self { log_probabilities: logits, ..self.clone() }.normalized()
    }

    /// Log-softmax of every row.
    fn normalized(mut self) -> Self {
        for row in self.log_probabilities.chunks_exact_mut(self.classes) {
            let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter_mut().for_each(|z| *z -= greatest);
            let log_sum = row.iter().map(|z| z.exp()).sum::<f64>().ln();
            row.iter_mut().for_each(|z| *z -= log_sum);
        }
        self
    }

    /// Adds the answers to other images behind these.
    ///
    /// # Panics
    ///
    /// If they are of another number of classes.
    pub(super) fn append(&mut self, others: Self) {
        assert_eq!(self.classes, others.classes);
        self.log_probabilities.extend(others.log_probabilities);
        self.labels.extend(others.labels);
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// Loss and accuracy.
    pub fn scores(&self) -> Scores {
        let right = (0..self.images()).filter(|&i| self.is_right(i)).count();
        let accuracy = right as f64 / self.images().max(1) as f64;
        Scores { loss: self.mean(|i| self.loss(i)), accuracy }
    }

    /// Cross-entropy of image `i`, in nats.
    pub fn loss(&self, i: usize) -> f64 {
        -self.row(i)[self.label(i)]
    }

    /// The most probable class of image `i` (the first, if several are) and its probability.
    pub fn answer(&self, i: usize) -> (usize, f64) {
        let row = self.row(i);
        let mut best = 0;
        for class in 1..self.classes {
            if row[class] > row[best] {
                best = class;
            }
        }
        (best, row[best].exp())
    }

    /// The `k` most probable classes of image `i` with their probabilities, the most probable first; of equally
    /// probable ones the first first.
    pub fn top_k(&self, i: usize, k: usize) -> Vec<(usize, f64)> {
        let mut classes: Vec<(usize, f64)> = self.row(i).iter().copied().enumerate().collect();
        let order = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if k < classes.len() {
            classes.select_nth_unstable_by(k, order);
            classes.truncate(k);
        }
        classes.sort_by(order);
        classes.into_iter().map(|(class, log_probability)| (class, log_probability.exp())).collect()
    }

    /// Whether the answer to image `i` is its label.
    pub fn is_right(&self, i: usize) -> bool {
        self.answer(i).0 == self.label(i)
    }

    /// Share of images whose label is among the `k` most probable classes, in `[0, 1]`. Of equally
    /// probable classes the first counts as more probable, so that `k = 1` gives the accuracy.
    pub fn top_k_accuracy(&self, k: usize) -> f64 {
        let found = (0..self.images()).filter(|&i| {
            let (row, label) = (self.row(i), self.label(i));
            let before = |&class: &usize| match class < label {
                true => row[class] >= row[label],
                false => row[class] > row[label],
            };
            (0..self.classes).filter(before).count() < k
        });
        found.count() as f64 / self.images().max(1) as f64
    }

    /// Brier score `mean over images of Σ_c (p_c − [c is the label])²`: summed over all classes as
    /// Brier did, so that it lies in `[0, 2]`; some libraries halve it for two classes.
    ///
    /// Brier, [Verification of Forecasts Expressed in Terms of Probability](
    /// https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2), 1950.
    pub fn brier_score(&self) -> f64 {
        self.mean(|i| {
            let of_class = |(class, log_probability): (usize, &f64)| {
                let truth = if class == self.label(i) { 1.0 } else { 0.0 };
                (log_probability.exp() - truth).powi(2)
            };
            self.row(i).iter().enumerate().map(of_class).sum()
        })
    }

    /// Mean entropy `−Σ_c p_c ln p_c` of the answers, in nats, from 0 to the logarithm of the number
    /// of classes.
    pub fn entropy(&self) -> f64 {
        self.mean(|i| self.row(i).iter().map(|log_p| -log_p.exp() * log_p).sum())
    }

    /// Images by label and answer.
    pub fn confusion(&self) -> Confusion {
        let pairs = (0..self.images()).map(|i| (self.label(i), self.answer(i).0));
        Confusion::count(self.classes, pairs)
    }

    /// Accuracy (recall), precision and F1 of each class, in label order.
    pub fn per_class(&self) -> Vec<ClassRecord> {
        #[derive(Clone, Default)]
        struct Counts {
            images: u64,
            answers: u64,
            right: u64,
        }
        let mut counts = vec![Counts::default(); self.classes];
        for i in 0..self.images() {
            let (label, answer) = (self.label(i), self.answer(i).0);
            counts[label].images += 1;
            counts[answer].answers += 1;
            counts[label].right += u64::from(label == answer);
        }
        let of_class = |Counts { images, answers, right }| {
            // A share of nothing is not a number.
            let share = |part: f64, whole: u64| (whole > 0).then(|| part / whole as f64);
            ClassRecord {
                images,
                accuracy: share(right as f64, images),
                precision: share(right as f64, answers),
                f1: share(2.0 * right as f64, images + answers),
            }
        };
        counts.into_iter().map(of_class).collect()
    }

    /// Mean of the accuracies of the classes that have images, so that each counts the same however many it has; in
    /// `[0, 1]`, 0 of no image.
    ///
    /// Brodersen et al., [The Balanced Accuracy and Its Posterior Distribution](
    /// https://doi.org/10.1109/ICPR.2010.764), ICPR 2010.
    pub fn balanced_accuracy(&self) -> f64 {
        let accuracies: Vec<f64> =
            self.per_class().into_iter().filter_map(|class| class.accuracy).collect();
        accuracies.iter().sum::<f64>() / accuracies.len().max(1) as f64
    }

    /// The wrongly answered images with the greatest loss, worst first.
    pub fn worst_mistakes(&self, count: usize) -> Vec<usize> {
        let mut wrong: Vec<usize> = (0..self.images()).filter(|&i| !self.is_right(i)).collect();
        wrong.sort_by(|&a, &b| self.loss(b).total_cmp(&self.loss(a)).then(a.cmp(&b)));
        wrong.truncate(count);
        wrong
    }

    /// The probabilities `[images, classes]`, in the order of the set.
    pub fn probabilities(&self) -> Vec<f64> {
        self.log_probabilities.iter().map(|value| value.exp()).collect()
    }

    /// The label of each image.
    pub fn labels(&self) -> Vec<usize> {
        (0..self.images()).map(|i| self.label(i)).collect()
    }

    /// The places of so many images whose most probable class is least probable, in ascending order; of equally sure
    /// ones the first.
    pub(super) fn least_confident(&self, count: usize) -> Vec<usize> {
        let confidence = |i: usize| self.row(i)[self.answer(i).0];
        let confidences: Vec<f64> = (0..self.images()).map(confidence).collect();
        let mut places: Vec<usize> = (0..self.images()).collect();
        places.sort_by(|&a, &b| confidences[a].total_cmp(&confidences[b]).then(a.cmp(&b)));
        places.truncate(count);
        places.sort_unstable();
        places
    }

    /// The answers to the images at `places`, in that order.
    pub(super) fn select(&self, places: &[usize]) -> Self {
        let rows = places.iter().flat_map(|&i| self.row(i).iter().copied());
        let labels = places.iter().map(|&i| self.labels[i]);
        Self { classes: self.classes, log_probabilities: rows.collect(), labels: labels.collect() }
    }

    /// Puts `others`, answers to the images at `places` in that order, in place of these.
    pub(super) fn replace(&mut self, places: &[usize], others: &Self) {
        for (other, &i) in places.iter().enumerate() {
            let row = &mut self.log_probabilities[i * self.classes..(i + 1) * self.classes];
            row.copy_from_slice(others.row(other));
        }
    }

    /// Log-probabilities of image `i`.
    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.log_probabilities[i * self.classes..(i + 1) * self.classes]
    }

    pub(super) fn label(&self, i: usize) -> usize {
        usize::from(self.labels[i])
    }

    /// Mean of a value over the images; 0 if there is none.
    pub(super) fn mean(&self, value: impl Fn(usize) -> f64) -> f64 {
        (0..self.images()).map(value).sum::<f64>() / self.images().max(1) as f64
    }
}

/// The mean of the probabilities, or of the logits, of several passes over the same images, as they come.
#[derive(Clone, Debug, Default)]
pub(super) struct MeanPredictions {
    of: MeanOf,
    /// Logarithms of the sums, or sums of the logarithms, and the number of their terms.
    sum: Option<(Predictions, usize)>,
}

impl MeanPredictions {
    /// A mean of no pass yet.
    pub(super) fn of(of: MeanOf) -> Self {
        Self { of, sum: None }
    }

    /// Adds a pass. Probabilities are added by their logarithms, so that the smallest of them do not
    /// become 0, whose logarithm is not finite. Logits are log-probabilities up to a constant in each row, which the
    /// softmax takes out again.
    pub(super) fn add(&mut self, pass: Predictions) {
        let Some((sum, count)) = &mut self.sum else {
            self.sum = Some((pass, 1));
            return;
        };
        for (a, b) in sum.log_probabilities.iter_mut().zip(pass.log_probabilities) {
            *a = match self.of {
                MeanOf::Probabilities => a.max(b) + (-(*a - b).abs()).exp().ln_1p(),
                MeanOf::Logits => *a + b,
            };
        }
        *count += 1;
    }

    /// # Panics
    ///
    /// If nothing was added.
    pub(super) fn finish(self) -> Predictions {
        let (mut sum, count) = self.sum.expect("there is a first pass");
        if self.of == MeanOf::Logits {
            return sum.map(|total| total / count as f64);
        }
        let log_count = (count as f64).ln();
        sum.log_probabilities.iter_mut().for_each(|value| *value -= log_count);
        sum
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    // Printed by `tests/pytorch/scores.py`.
    const NLL: f64 = 1.011_451_091_839_794;
    const BRIER: f64 = 0.566_021_508_888_321_5;
    const ENTROPY: f64 = 0.775_700_505_052_707_8;

    /// Three images, two classes: right and sure, wrong and sure, right by a little.
    pub(in crate::evaluate) fn sample() -> Predictions {
        Predictions::new(&[2.0, 0.0, 3.0, 0.0, 0.0, 0.1], vec![0, 1, 1], 2)
    }

    /// Six images, four classes; `tests/pytorch/scores.py` computes their scores.
    pub(in crate::evaluate) fn six_images() -> Predictions {
        let logits = [
            [2.0, 1.0, 0.5, -1.0],
            [0.0, 3.0, 1.5, 0.25],
            [1.0, 2.5, 2.0, -0.5],
            [-1.0, 0.5, 0.25, 4.0],
            [1.5, 0.0, -2.0, 1.25],
            [0.5, 0.75, 3.5, 0.0],
        ];
        Predictions::new(logits.as_flattened(), vec![0, 1, 2, 3, 3, 0], 4)
    }

    pub(in crate::evaluate) fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    pub(in crate::evaluate) fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "expected {expected}, found {found}");
    }

    #[test]
    fn loss_and_accuracy_follow_their_definitions() {
        let scores = sample().scores();
        let expected = [sigmoid(2.0), sigmoid(-3.0), sigmoid(f64::from(0.1f32))];
        assert_close(scores.loss, -expected.iter().map(|p| p.ln()).sum::<f64>() / 3.0);
        assert_eq!(scores.accuracy, 2.0 / 3.0);
    }

    #[test]
    fn scores_equal_those_of_pytorch() {
        let predictions = six_images();
        assert_close(predictions.scores().loss, NLL);
        assert_close(predictions.brier_score(), BRIER);
        assert_close(predictions.entropy(), ENTROPY);
        assert_close(predictions.scores().accuracy, 3.0 / 6.0);
        assert_close(predictions.top_k_accuracy(2), 5.0 / 6.0);
    }

    #[test]
    fn the_brier_score_is_summed_over_the_classes() {
        let squares = [sigmoid(-2.0), sigmoid(3.0), sigmoid(-f64::from(0.1f32))].map(|p| p * p);
        assert_close(sample().brier_score(), 2.0 * squares.iter().sum::<f64>() / 3.0);
        let worst = Predictions::new(&[1e3, 0.0], vec![1], 2);
        assert_close(worst.brier_score(), 2.0);
    }

    #[test]
    fn the_first_of_equally_probable_classes_counts_as_more_probable() {
        let row = [1.0, 2.0, 2.0, 2.0, 0.0];
        let top = |label, k| Predictions::new(&row, vec![label], 5).top_k_accuracy(k);
        let ranks = [4, 1, 2, 3, 5];
        for (label, rank) in (0..).zip(ranks) {
            assert_eq!((top(label, rank - 1), top(label, rank)), (0.0, 1.0), "class {label}");
        }
        assert_eq!(Predictions::new(&row, vec![1], 5).answer(0).0, 1);
    }

    #[test]
    fn confusion_counts_labels_in_rows_and_answers_in_columns() {
        assert_eq!(sample().confusion(), Confusion::Matrix(vec![vec![1, 0], vec![1, 1]]));
    }

    #[test]
    fn the_most_probable_classes_come_first_and_ties_in_label_order() {
        let predictions = Predictions::new(&[0.0, 2.0, 1.0, 2.0, -1.0], vec![0], 5);
        for k in 0..=5 {
            let classes: Vec<usize> = predictions.top_k(0, k).iter().map(|top| top.0).collect();
            assert_eq!(classes, [1, 3, 2, 0, 4][..k]);
        }
        let sum: f64 = predictions.top_k(0, 5).iter().map(|top| top.1).sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }

    #[test]
    fn every_class_with_images_counts_the_same_in_the_balanced_accuracy() {
        // Labels 0 1 2 3 3 0, answers 0 1 1 3 0 2.
        assert_eq!(six_images().balanced_accuracy(), (0.5 + 1.0 + 0.0 + 0.5) / 4.0);
    }

    #[test]
    fn recall_precision_and_f1_equal_those_counted_by_hand() {
        // Labels 0 1 2 3 3 0, answers 0 1 1 3 0 2.
        let found: Vec<_> = six_images()
            .per_class()
            .into_iter()
            .map(|class| (class.images, class.accuracy, class.precision, class.f1))
            .collect();
        let expected = [
            (2, Some(0.5), Some(0.5), Some(0.5)),
            (1, Some(1.0), Some(0.5), Some(2.0 / 3.0)),
            (1, Some(0.0), Some(0.0), Some(0.0)),
            (2, Some(0.5), Some(1.0), Some(2.0 / 3.0)),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_class_without_images_and_answers_has_no_shares() {
        let classes = Predictions::new(&[2.0, 0.0, -1.0], vec![1], 3).per_class();
        let share = |class: usize| (classes[class].accuracy, classes[class].precision);
        assert_eq!(share(0), (None, Some(0.0)));
        assert_eq!(share(1), (Some(0.0), None));
        assert_eq!((share(2), classes[2].f1), ((None, None), None));
    }

    #[test]
    fn logits_of_any_size_give_finite_probabilities() {
        let predictions = Predictions::new(&[1e30, -1e30, -1e30, 1e30], vec![0, 1], 2);
        assert_eq!(predictions.scores(), Scores { loss: 0.0, accuracy: 1.0 });
        assert_eq!((predictions.brier_score(), predictions.entropy()), (0.0, 0.0));
    }

    #[test]
    fn the_worst_mistake_comes_first_and_right_answers_not_at_all() {
        let predictions = Predictions::new(&[1.0, 0.0, 5.0, 0.0, 0.0, 9.0], vec![1, 1, 1], 2);
        assert_eq!(predictions.worst_mistakes(5), [1, 0]);
    }

    #[test]
    fn the_least_confident_answers_come_by_their_places_and_ties_by_the_first() {
        // Confidences 0.88, 0.95, 0.52: as far apart as the logits.
        let places = |count| sample().least_confident(count);
        assert_eq!(places(0), [0; 0]);
        assert_eq!((places(1), places(2), places(3)), (vec![2], vec![0, 2], vec![0, 1, 2]));
        let equal = Predictions::new(&[0.0, 3.0, 3.0, 0.0, 0.0, 3.0, 0.0, 1.0], vec![0; 4], 2);
        assert_eq!(
            (equal.least_confident(2), equal.least_confident(3)),
            (vec![0, 3], vec![0, 1, 3])
        );
    }

    #[test]
    fn answers_that_are_taken_out_can_be_put_back() {
        let all = six_images();
        let some = all.select(&[4, 1]);
        assert_eq!((some.images(), some.row(0), some.row(1)), (2, all.row(4), all.row(1)));
        assert_eq!(some.labels(), [3, 1]);
        let mut swapped = all.clone();
        swapped.replace(&[1, 4], &some);
        assert_eq!((swapped.row(1), swapped.row(4)), (all.row(4), all.row(1)));
        assert!([0, 2, 3, 5].iter().all(|&i| swapped.row(i) == all.row(i)));
        assert_eq!(swapped.labels(), all.labels());
    }

    #[test]
    fn the_mean_of_logits_is_a_distribution_again() {
        let mut mean = MeanPredictions::of(MeanOf::Logits);
        mean.add(Predictions::new(&[1.0, 0.0, 3.0], vec![2], 3));
        // Another constant in all logits says nothing.
        mean.add(Predictions::new(&[104.0, 102.0, 101.0], vec![2], 3));
        let expected = Predictions::new(&[2.5, 1.0, 2.0], vec![2], 3);
        let found = mean.finish();
        for (found, expected) in found.row(0).iter().zip(expected.row(0)) {
            assert_close(*found, *expected);
        }
    }

    #[test]
    fn the_mean_of_passes_is_that_of_their_probabilities() {
        let mut mean = MeanPredictions::default();
        for logits in [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]] {
            mean.add(Predictions::new(&logits, vec![0], 2));
        }
        let expected = (sigmoid(2.0) + sigmoid(-1.0) + 0.5) / 3.0;
        assert_close(mean.finish().row(0)[0].exp(), expected);
    }

    #[test]
    fn the_mean_of_one_pass_is_that_pass_and_stays_finite_where_exponentials_do_not() {
        let mut mean = MeanPredictions::default();
        mean.add(six_images());
        assert_eq!(mean.finish().log_probabilities, six_images().log_probabilities);
        let mut mean = MeanPredictions::default();
        mean.add(Predictions::new(&[1e5, 0.0], vec![1], 2));
        mean.add(Predictions::new(&[1e5, 0.0], vec![1], 2));
        assert_eq!(mean.finish().loss(0), 1e5);
    }
}
