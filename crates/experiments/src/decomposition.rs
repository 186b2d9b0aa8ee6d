//! Error as bias² and variance over training sets, and how far both hang on the sets that were drawn.
//!
//! For one image, the residual of a network is its answer (a vector of class probabilities) minus the
//! label (one-hot). The mean squared length of the residuals is the error; the squared length of the mean
//! residual is bias², of which the networks' number K leaves variance / K too much. Less that, what is left is the
//! mean product of the residuals of *different* networks, so that both terms follow from all products.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Share of drawn values within an interval.
pub(super) const CONFIDENCE: f64 = 0.95;

/// Mean products of the residuals of networks that were trained on different sets.
#[derive(Clone, Debug)]
pub(super) struct Residuals {
    /// `[networks, networks]`, mean over images.
    products: Vec<Vec<f64>>,
}

/// Parts of an error. `error = bias + variance`; what labels are wrong or uncertain counts as bias.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Terms {
    /// Bias², less what the finite number of networks adds to it. May be below 0 by chance.
    pub(super) bias: f64,
    /// Around the networks' mean, with `K − 1`.
    pub(super) variance: f64,
    /// Mean over networks.
    pub(super) error: f64,
}

impl Terms {
    /// How far these are from `other`.
    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            bias: self.bias - other.bias,
            variance: self.variance - other.variance,
            error: self.error - other.error,
        }
    }

    /// The mean of several.
    pub(super) fn mean(all: &[Self]) -> Self {
        let mean = |term: fn(&Self) -> f64| all.iter().map(term).sum::<f64>() / all.len() as f64;
        Self {
            bias: mean(|terms| terms.bias),
            variance: mean(|terms| terms.variance),
            error: mean(|terms| terms.error),
        }
    }
}

impl Residuals {
    /// Residuals of the squared error of the class probabilities, summed over classes as in Brier's score.
    /// `probabilities`: `[images, classes]` of each network.
    pub(super) fn squared(probabilities: &[Vec<f64>], labels: &[usize]) -> Self {
        Self::scaled(probabilities, labels, 1.0)
    }

    /// Residuals of the 0-1 loss, which is half the squared error of an answer that gives its class probability 1:
    /// with that the decomposition is Kohavi and Wolpert's, with their correction for the number of networks.
    ///
    /// Kohavi and Wolpert, Bias Plus Variance Decomposition for Zero-One Loss Functions, ICML 1996.
    pub(super) fn zero_one(probabilities: &[Vec<f64>], labels: &[usize]) -> Self {
        let classes = probabilities[0].len() / labels.len();
        let sure = |probabilities: &Vec<f64>| -> Vec<f64> {
            probabilities.chunks_exact(classes).flat_map(one_hot_answer).collect()
        };
        Self::scaled(&probabilities.iter().map(sure).collect::<Vec<_>>(), labels, 0.5)
    }

    fn scaled(answers: &[Vec<f64>], labels: &[usize], scale: f64) -> Self {
        let classes = answers[0].len() / labels.len();
        let residual = |answers: &Vec<f64>| {
            let mut residual = answers.clone();
            for (image, label) in labels.iter().enumerate() {
                residual[image * classes + label] -= 1.0;
            }
            residual
        };
        let residuals: Vec<Vec<f64>> = answers.iter().map(residual).collect();
        let product = |a: &Vec<f64>, b: &Vec<f64>| {
            scale * a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / labels.len() as f64
        };
        let row = |a: &Vec<f64>| residuals.iter().map(|b| product(a, b)).collect();
        Self { products: residuals.iter().map(row).collect() }
    }

    /// Number of networks.
    pub(super) fn networks(&self) -> usize {
        self.products.len()
    }

    /// The terms of all networks.
    pub(super) fn terms(&self) -> Terms {
        self.terms_of(&vec![1; self.networks()])
    }

    /// The terms if each network counts so many times. Pairs of a network with itself say nothing of
    /// bias, also where it was drawn twice.
    pub(super) fn terms_of(&self, counts: &[usize]) -> Terms {
        let (mut own, mut others, mut pairs) = (0.0, 0.0, 0.0);
        for (a, row) in self.products.iter().enumerate() {
            own += counts[a] as f64 * row[a];
            for (b, product) in row.iter().enumerate().filter(|(b, _)| *b != a) {
                let times = (counts[a] * counts[b]) as f64;
                others += times * product;
                pairs += times;
            }
        }
        let error = own / counts.iter().sum::<usize>() as f64;
        let bias = others / pairs;
        Terms { bias, variance: error - bias, error }
    }
}

fn one_hot_answer(probabilities: &[f64]) -> Vec<f64> {
    let mut best = 0;
    for (class, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = class;
        }
    }
    (0..probabilities.len()).map(|class| if class == best { 1.0 } else { 0.0 }).collect()
}

/// How often each of `number` things comes up when as many are drawn with replacement; at least two
/// different ones do.
///
/// Efron, [Bootstrap Methods](https://doi.org/10.1214/aos/1176344552), 1979.
pub(super) fn redraw(number: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    loop {
        let mut counts = vec![0; number];
        for _ in 0..number {
            // The greatest multiple of `number` is so near 2³² that none is preferred noticeably.
            counts[((u64::from(rng.next_u32()) * number as u64) >> 32) as usize] += 1;
        }
        if counts.iter().filter(|count| **count > 0).count() > 1 {
            return counts;
        }
    }
}

/// The ends between which [`CONFIDENCE`] of the drawn values lie, as much being left out below as above.
pub(super) fn interval(mut drawn: Vec<f64>) -> (f64, f64) {
    drawn.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (drawn.len() - 1) as f64;
        let (below, above) = (drawn[place.floor() as usize], drawn[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    let outside = (1.0 - CONFIDENCE) / 2.0;
    (at(outside), at(1.0 - outside))
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    /// One image of class 0 and three networks.
    fn three() -> Vec<Vec<f64>> {
        vec![vec![0.9, 0.1], vec![0.6, 0.4], vec![0.3, 0.7]]
    }

    #[test]
    fn squared_error_is_corrected_bias_and_variance() {
        let terms = Residuals::squared(&three(), &[0]).terms();
        // Errors 2·0.1², 2·0.4², 2·0.7².
        close(terms.error, 2.0 * (0.01 + 0.16 + 0.49) / 3.0);
        // Deviations 0.3, 0, 0.3 in both classes, divided by 2.
        close(terms.variance, 2.0 * (0.09 + 0.09) / 2.0);
        // The mean answer is 0.6; a third of the variance is taken off.
        close(terms.bias, 2.0 * 0.16 - 0.18 / 3.0);
    }

    #[test]
    fn zero_one_loss_is_that_of_kohavi_and_wolpert() {
        // Two images of classes 0 and 1. On the first, two of three are right; on the second all are.
        let answers: Vec<Vec<f64>> =
            three().into_iter().map(|first| [first, vec![0.2, 0.8]].concat()).collect();
        let terms = Residuals::zero_one(&answers, &[0, 1]).terms();
        close(terms.error, (1.0 / 3.0 + 0.0) / 2.0);
        // ½ (1 − Σ P²) with P = ⅔, ⅓, times K / (K − 1).
        close(terms.variance, (0.5 * (1.0 - 5.0 / 9.0) * 1.5) / 2.0);
        // ½ Σ ((Y − P)² − P (1 − P) / (K − 1)), their equation for samples.
        let p: [f64; 2] = [2.0 / 3.0, 1.0 / 3.0];
        let class = |y: f64, p: f64| (y - p).powi(2) - p * (1.0 - p) / 2.0;
        close(terms.bias, 0.5 * (class(1.0, p[0]) + class(0.0, p[1])) / 2.0);
    }

    #[test]
    fn networks_that_agree_have_no_variance_and_the_right_answer_no_error() {
        let same = vec![vec![0.3, 0.7]; 4];
        let terms = Residuals::squared(&same, &[1]).terms();
        close(terms.variance, 0.0);
        close(terms.bias, 2.0 * 0.09);
        let right = Residuals::zero_one(&same, &[1]).terms();
        assert_eq!(right, Terms::default());
    }

    #[test]
    fn a_network_drawn_twice_is_no_pair_with_itself() {
        let answers = three();
        let residuals = Residuals::squared(&answers, &[0]);
        // The first twice, the second once: one pair of different networks.
        let terms = residuals.terms_of(&[2, 1, 0]);
        close(terms.error, 2.0 * (0.01 + 0.01 + 0.16) / 3.0);
        close(terms.bias, 2.0 * 0.1 * 0.4);
        close(terms.variance, terms.error - terms.bias);
    }

    #[test]
    fn draws_have_the_number_of_things_and_prefer_none() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut sums = [0; 4];
        for _ in 0..10_000 {
            let counts = redraw(4, &mut rng);
            assert_eq!(counts.iter().sum::<usize>(), 4);
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        assert!(sums.iter().all(|sum| (9_700..10_300).contains(sum)), "{sums:?}");
    }

    #[test]
    fn an_interval_leaves_as_much_out_on_either_side() {
        let (low, high) = interval((0..=1000).rev().map(f64::from).collect());
        close(low, 25.0);
        close(high, 975.0);
    }

    #[test]
    fn the_interval_of_a_mean_is_near_that_of_theory() {
        // The error alone is a mean of the networks' own errors: 0 and 2, ten each, have a standard error of
        // 1 / √20 without Bessel's correction.
        let answers: Vec<Vec<f64>> =
            (0..20).map(|k| if k % 2 == 0 { vec![1.0, 0.0] } else { vec![0.0, 1.0] }).collect();
        let residuals = Residuals::squared(&answers, &[0]);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let draw = |_| residuals.terms_of(&redraw(20, &mut rng)).error;
        let (low, high) = interval((0..4000).map(draw).collect());
        let reach = 1.96 / 20.0_f64.sqrt();
        assert!((low - (1.0 - reach)).abs() < 0.08 && (high - (1.0 + reach)).abs() < 0.08);
    }
}
