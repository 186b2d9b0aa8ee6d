//! Batch normalization agrees with what Burn's basic operations make of its formula.

#![cfg(feature = "flex")]

mod common;

use backburn_kernels::cpu::{self, FollowedBy};
use backburn_kernels::{
    Activation, BatchNormParameters, BatchStatistics, batch_norm, batch_norm_train,
};
use burn::tensor::Tensor;
use common::{
    ACTIVATIONS, Errors, activate, cases, constant, error, generator, gradients, leaf, numbers, of,
    tensor, values,
};
use rand_chacha::ChaCha8Rng;

const EPSILON: f64 = 1e-5;
const CHANNELS: [usize; 8] = [1, 3, 6, 16, 17, 64, 100, 130];

/// What a normalization is made of; gradients are taken of all.
struct Leaves<const D: usize> {
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    residual: Option<Tensor<D>>,
}

impl<const D: usize> Leaves<D> {
    fn draw(rng: &mut ChaCha8Rng, shape: [usize; D], residual: Residual) -> Self {
        let channels = shape[D - 1];
        Self {
            x: leaf(rng, shape),
            gamma: leaf(rng, [channels]),
            beta: leaf(rng, [channels]),
            residual: (residual == Residual::Added).then(|| leaf(rng, shape)),
        }
    }

    fn parameters(&self) -> BatchNormParameters {
        BatchNormParameters { gamma: self.gamma.clone(), beta: self.beta.clone(), epsilon: EPSILON }
    }

    /// `γ · (x − mean) / √(variance + ε) + β + residual`; the moments are those of `x`, if none are
    /// given.
    fn by_formula(&self, given: Option<&BatchStatistics>) -> (Tensor<D>, BatchStatistics) {
        let shape = self.x.dims();
        let channels = shape[D - 1];
        let rows = shape.iter().product::<usize>() / channels;
        let row = |values: &Tensor<1>| values.clone().reshape([1, channels]);
        let x: Tensor<2> = self.x.clone().reshape([rows, channels]);
        let mean = given.map_or_else(|| x.clone().mean_dim(0), |given| row(&given.mean));
        let distance = x - mean.clone();
        let variance = given.map_or_else(
            || (distance.clone() * distance.clone()).mean_dim(0),
            |given| row(&given.variance),
        );
        let deviation = (variance.clone() + EPSILON).sqrt();
        let y = (distance / deviation * row(&self.gamma) + row(&self.beta)).reshape(shape);
        let y = match &self.residual {
            Some(residual) => y + residual.clone(),
            None => y,
        };
        let flat = |moments: Tensor<2>| moments.reshape([channels]);
        (y, BatchStatistics { mean: flat(mean), variance: flat(variance) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Residual {
    None,
    Added,
}

const RESIDUALS: [Residual; 2] = [Residual::None, Residual::Added];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moments {
    OfBatch,
    Given,
}

/// Images and rows; the last are more numbers than a part.
fn compare_all(moments: Moments, seed: u64) {
    let rng = &mut generator(seed);
    let mut errors = Errors::default();
    for channels in &CHANNELS[CHANNELS.len() - cases(CHANNELS.len())..] {
        for (residual, activation) in RESIDUALS.iter().flat_map(|r| ACTIVATIONS.map(|a| (*r, a))) {
            let what = (moments, residual, activation);
            compare(rng, [3, 5, 7, *channels], what, &mut errors);
            compare(rng, [37, *channels], what, &mut errors);
            compare(rng, [40_000 / channels, *channels], what, &mut errors);
        }
    }
}

#[test]
fn with_its_own_statistics_a_batch_agrees_with_the_formula() {
    compare_all(Moments::OfBatch, 1);
}

#[test]
fn with_given_statistics_a_batch_agrees_with_the_formula() {
    compare_all(Moments::Given, 2);
}

fn compare<const D: usize>(
    rng: &mut ChaCha8Rng,
    shape: [usize; D],
    (moments, residual, activation): (Moments, Residual, Activation),
    errors: &mut Errors,
) {
    let case = (shape, moments, residual, activation);
    let channels = shape[D - 1];
    let rows = (shape.iter().product::<usize>() / channels) as f64;
    let leaves = Leaves::draw(rng, shape, residual);
    let (ours, expected) = match moments {
        Moments::OfBatch => {
            let ours = batch_norm_train(
                leaves.x.clone(),
                leaves.parameters(),
                leaves.residual.clone(),
                activation,
            );
            let (y, statistics) = leaves.by_formula(None);
            let BatchStatistics { mean, variance } = ours.statistics;
            let (mean, expected) = (values(mean), values(statistics.mean));
            errors.check_sum("mean", &case, &mean, &expected, rows.powf(-0.5));
            errors.check("variance", &case, &values(variance), &values(statistics.variance));
            (ours.output, y)
        }
        Moments::Given => {
            let given = BatchStatistics {
                mean: constant(rng, [channels]),
                variance: constant(rng, [channels]).abs() + 0.1,
            };
            let ours = batch_norm(
                leaves.x.clone(),
                leaves.parameters(),
                given.clone(),
                leaves.residual.clone(),
                activation,
            );
            (ours, leaves.by_formula(Some(&given)).0)
        }
    };
    let expected = activate(expected, activation, &ours);
    errors.check("output", &case, &values(ours.clone()), &expected.output);

    let coefficients = constant(rng, shape);
    let ours = gradients(ours, &coefficients);
    let expected = gradients(expected.for_gradients, &coefficients);
    let Leaves { x, gamma, beta, residual } = &leaves;
    errors.check("gradient of x", &case, &of(x, &ours), &of(x, &expected));
    let (of_gamma, of_beta) = (of(gamma, &expected), of(beta, &expected));
    errors.check_sum("gradient of γ", &case, &of(gamma, &ours), &of_gamma, rows.sqrt());
    errors.check_sum("gradient of β", &case, &of(beta, &ours), &of_beta, rows.sqrt());
    if let Some(residual) = residual {
        let (found, expected) = (of(residual, &ours), of(residual, &expected));
        errors.check("gradient of the residual", &case, &found, &expected);
    }
}

#[test]
fn images_in_another_order_of_memory_are_the_same_images() {
    let rng = &mut generator(3);
    let channels_first = leaf(rng, [2, 6, 5, 7]);
    let last = channels_first.clone().permute([0, 2, 3, 1]);
    let in_order = tensor(values(last.clone()), [2, 5, 7, 6]);
    let [gamma, beta] = [(); 2].map(|()| leaf(rng, [6]));
    let parameters =
        || BatchNormParameters { gamma: gamma.clone(), beta: beta.clone(), epsilon: EPSILON };
    let normalized = |x, residual| {
        values(batch_norm_train(x, parameters(), Some(residual), Activation::Relu).output)
    };
    assert_eq!(normalized(last.clone(), last.clone()), normalized(in_order.clone(), in_order));
}

#[test]
fn a_large_mean_keeps_the_digits_of_what_varies() {
    let rng = &mut generator(4);
    for channels in CHANNELS {
        let shape = [3, 31, 29, channels];
        // Multiples of 2⁻¹³ around 1,000 are exact.
        let count = shape.iter().product();
        let x: Vec<f32> = numbers(rng, count)
            .iter()
            .map(|unit| 1000.0 + (unit * 8192.0).round() / 8192.0)
            .collect();
        let one = |value: f32| tensor(vec![value; channels], [channels]);
        let parameters = BatchNormParameters { gamma: one(1.0), beta: one(0.0), epsilon: EPSILON };
        let ours =
            batch_norm_train(tensor(x.clone(), shape), parameters, None, Activation::Identity);

        let rows = (count / channels) as f64;
        let mut mean = vec![0.0; channels];
        let mut variance = vec![0.0; channels];
        for (place, &x) in x.iter().enumerate() {
            mean[place % channels] += f64::from(x) / rows;
        }
        for (place, &x) in x.iter().enumerate() {
            variance[place % channels] += (f64::from(x) - mean[place % channels]).powi(2) / rows;
        }
        let y: Vec<f64> = x
            .iter()
            .enumerate()
            .map(|(place, &x)| {
                let c = place % channels;
                (f64::from(x) - mean[c]) / (variance[c] + EPSILON).sqrt()
            })
            .collect();
        // A few units in the last place of 1,000, which is 2⁻¹⁴ = 6e-5. The mean of squares less the
        // square of the mean would be off by as much as the variance itself.
        let case = format!("{channels} channels");
        let of_mean = error(&values(ours.statistics.mean), &mean);
        let of_variance = error(&values(ours.statistics.variance), &variance);
        let of_output = error(&values(ours.output), &y);
        println!("{case}: mean {of_mean:.1e}, variance {of_variance:.1e}, output {of_output:.1e}");
        assert!(of_mean < 5e-7, "{case}: mean {of_mean:.1e}");
        assert!(of_variance < 1e-5, "{case}: variance {of_variance:.1e}");
        assert!(of_output < 5e-4, "{case}: output {of_output:.1e}");
    }
}

#[test]
fn what_is_normalized_has_the_scale_and_shift_that_it_is_given() {
    let rng = &mut generator(5);
    let x: Tensor<2> = constant(rng, [500, 10]) * 7.0 + 3.0;
    let (gamma, beta) = (constant(rng, [10]), constant(rng, [10]));
    let parameters =
        BatchNormParameters { gamma: gamma.clone(), beta: beta.clone(), epsilon: EPSILON };
    let y = batch_norm_train(x, parameters, None, Activation::Identity).output;
    let mean = y.clone().mean_dim(0);
    let deviation = (y - mean.clone()).powf_scalar(2.0).mean_dim(0).sqrt();
    assert!(error(&values(mean), &values(beta)) < 1e-5);
    assert!(error(&values(deviation), &values(gamma.abs())) < 1e-5);
}

/// ReLU's gradient by what the normalization gave, computed anew, is that by the output, bit for bit.
#[test]
fn relu_passes_gradients_on_where_the_output_is_positive() {
    let rng = &mut generator(9);
    for channels in CHANNELS {
        let count = 37 * channels;
        let [x, gradient] = [(); 2].map(|()| numbers(rng, count));
        let [gamma, beta] = [(); 2].map(|()| numbers(rng, channels));
        let moments = cpu::moments(&x, channels);
        let y = cpu::normalize(&x, &moments, &gamma, &beta, 1e-5, None, Activation::Relu);
        let bits = |followed_by| {
            let forward = cpu::NormalizeForward {
                x: &x,
                moments: &moments,
                statistics: cpu::Statistics::OfBatch,
                gamma: &gamma,
                epsilon: 1e-5,
                followed_by,
            };
            let found = cpu::normalize_gradient(forward, gradient.clone(), false);
            [found.x, found.gamma, found.beta].concat().into_iter().map(f32::to_bits).collect()
        };
        let anew: Vec<u32> = bits(FollowedBy::Relu { beta: &beta });
        assert_eq!(anew, bits(FollowedBy::ReluOfSum { output: &y }), "{channels} channels");
    }
}
