//! Batch normalization of rows of channels, with a residual and an activation, and its gradients.

use rayon::prelude::*;

use super::activation::{Activation, silu_slope};
use super::buffer::{Buffer, Writer};
use super::simd::{self, Simd, Task};

/// Numbers whose statistics are taken at once: they stay in the first-level cache. A constant, so
/// that sums do not depend on the number of threads.
const NUMBERS_OF_A_PART: usize = 16 * 1024;

/// Rows of few channels are taken several at a time, as one row of at least this many numbers.
const LEAST_WIDTH: usize = 64;

/// Numbers that are taken as one row: rows of all channels, so many that whole vectors fit.
fn width(channels: usize) -> usize {
    let lanes = simd::lanes();
    // Lanes are a power of two, so this is their least common multiple.
    let whole = channels * (lanes >> channels.trailing_zeros().min(lanes.trailing_zeros()));
    whole * LEAST_WIDTH.div_ceil(whole)
}

/// Numbers of a part: whole rows.
fn numbers_of_a_part(width: usize) -> usize {
    (NUMBERS_OF_A_PART / width).max(1) * width
}

/// `values`, again and again, `width` numbers in all.
fn tile(values: &[f32], width: usize) -> Vec<f32> {
    values.iter().copied().cycle().take(width).collect()
}

/// The sum of what [`tile`] laid side by side.
fn fold(tiled: &[f32], channels: usize) -> Vec<f32> {
    let mut sums = tiled[..channels].to_vec();
    for more in tiled[channels..].chunks_exact(channels) {
        for (sum, &value) in sums.iter_mut().zip(more) {
            *sum += value;
        }
    }
    sums
}

/// Mean and variance of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `[channels]`
    pub mean: Vec<f32>,
    /// `[channels]`, over all rows ("biased").
    pub variance: Vec<f32>,
}

/// Mean and variance of each channel over all rows of `x`, `[rows, channels]`.
///
/// Two passes over parts that fit the cache, joined as in Chan et al., [Algorithms for Computing the
/// Sample Variance](https://doi.org/10.1080/00031305.1983.10483115), 1983, so that a large mean
/// takes no digits from the variance.
pub fn moments(x: &[f32], channels: usize) -> Moments {
    let width = width(channels);
    let parts: Vec<Part> = x
        .par_chunks(numbers_of_a_part(width))
        .map(|numbers| simd::run(PartMoments { numbers, channels, width }))
        .collect();
    let mut count = 0.0;
    let mut mean = vec![0.0_f64; channels];
    let mut squares = vec![0.0_f64; channels];
    for part in &parts {
        let all = count + part.rows;
        for c in 0..channels {
            let difference = part.mean[c] - mean[c];
            mean[c] += difference * part.rows / all;
            squares[c] += part.squares[c] + difference * difference * count * part.rows / all;
        }
        count = all;
    }
    Moments {
        mean: mean.iter().map(|&mean| mean as f32).collect(),
        variance: squares.iter().map(|&squares| (squares / count) as f32).collect(),
    }
}

struct Part {
    rows: f64,
    mean: Vec<f64>,
    /// Sum of squared distances from `mean`.
    squares: Vec<f64>,
}

struct PartMoments<'a> {
    numbers: &'a [f32],
    channels: usize,
    width: usize,
}

impl Task for PartMoments<'_> {
    type Output = Part;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Part {
        let Self { numbers, channels, width } = self;
        let count = (numbers.len() / channels) as f32;
        let mut sums = vec![0.0; width];
        for row in numbers.chunks(width) {
            let whole = row.len() / S::LANES * S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                // SAFETY: `at` and the vector after it lie inside the row, and rows are `width` long.
                unsafe {
                    let x = simd.load(row.as_ptr().add(at));
                    let sum = sums.as_mut_ptr().add(at);
                    simd.store(sum, simd.add(simd.load(sum), x));
                }
            }
            for at in whole..row.len() {
                sums[at] += row[at];
            }
        }
        let mut mean = fold(&sums, channels);
        for mean in &mut mean {
            *mean /= count;
        }
        let means = tile(&mean, width);
        let mut distances = vec![0.0; width];
        sums.fill(0.0);
        for row in numbers.chunks(width) {
            let whole = row.len() / S::LANES * S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                // SAFETY: as above.
                unsafe {
                    let x = simd.load(row.as_ptr().add(at));
                    let distance = simd.sub(x, simd.load(means.as_ptr().add(at)));
                    let all = distances.as_mut_ptr().add(at);
                    simd.store(all, simd.add(simd.load(all), distance));
                    let sum = sums.as_mut_ptr().add(at);
                    simd.store(sum, simd.mul_add(distance, distance, simd.load(sum)));
                }
            }
            for at in whole..row.len() {
                let distance = row[at] - means[at];
                distances[at] += distance;
                sums[at] += distance * distance;
            }
        }
        // What rounding took from the mean shows in the distances from it.
        let rows = f64::from(count);
        let distances = fold(&distances, channels);
        let sums = fold(&sums, channels);
        let squares = sums.iter().zip(&distances).map(|(&sum, &distance)| {
            f64::from(sum) - f64::from(distance) * f64::from(distance) / rows
        });
        let means = mean.iter().zip(&distances);
        Part {
            rows,
            squares: squares.collect(),
            mean: means.map(|(&m, &d)| f64::from(m) + f64::from(d) / rows).collect(),
        }
    }
}

/// `activation((x − mean) / √(variance + ε) · γ + β + residual)`
///
/// # Shapes
///
/// - `x`, `residual`: `[rows, channels]`; returns the same
/// - `gamma`, `beta`: `[channels]`
pub fn normalize(
    x: &[f32],
    moments: &Moments,
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
    residual: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    let width = width(gamma.len());
    let [scale, shift] = scale_and_shift(moments, gamma, beta, epsilon).map(|it| tile(&it, width));
    let (scale, shift) = (&scale[..], &shift[..]);
    let mut y = Buffer::new(x.len());
    let to = y.writer();
    assert!(residual.is_none_or(|residual| residual.len() == x.len()));
    let part = numbers_of_a_part(width);
    x.par_chunks(part).enumerate().for_each(|(number, x)| {
        let residual = residual.map(|residual| &residual[number * part..][..x.len()]);
        // SAFETY: this part of the output is written here alone, and not read.
        let y = unsafe { to.slice(number * part, x.len()) };
        simd::run(Affine { x, y, scale, shift, residual, activation });
    });
    // SAFETY: the parts cover all of `x`, and each wrote as much.
    unsafe { y.assume_written() }
}

/// The factor and the shift of each channel by which [`normalize`] takes `x` to what the residual is added to.
fn scale_and_shift(moments: &Moments, gamma: &[f32], beta: &[f32], epsilon: f32) -> [Vec<f32>; 2] {
    let scale: Vec<f32> = moments
        .variance
        .iter()
        .zip(gamma)
        .map(|(variance, gamma)| gamma / (variance + epsilon).sqrt())
        .collect();
    let shift = (0..gamma.len()).map(|c| beta[c] - moments.mean[c] * scale[c]).collect();
    [scale, shift]
}

struct Affine<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    /// Factors, as many as a row is wide.
    scale: &'a [f32],
    shift: &'a [f32],
    residual: Option<&'a [f32]>,
    activation: Activation,
}

impl Task for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // Loops of their own, in none of which it is asked for each vector which activation there is.
        match self.activation {
            Activation::Identity => self.rows(simd, Activation::Identity),
            Activation::Relu => self.rows(simd, Activation::Relu),
            Activation::Silu => self.rows(simd, Activation::Silu),
        }
    }
}

impl Affine<'_> {
    /// `activation`: that of `self`, as a constant.
    #[inline(always)]
    fn rows<S: Simd>(self, simd: S, activation: Activation) {
        let Self { x, y, scale, shift, residual, .. } = self;
        let width = scale.len();
        for (row, (x, y)) in x.chunks(width).zip(y.chunks_mut(width)).enumerate() {
            let residual = residual.map(|residual| &residual[row * width..][..x.len()]);
            let whole = x.len() / S::LANES * S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                // SAFETY: `at` and the vector after it lie inside the row, and rows are `width` long.
                unsafe {
                    let scale = simd.load(scale.as_ptr().add(at));
                    let shift = simd.load(shift.as_ptr().add(at));
                    let mut value = simd.mul_add(simd.load(x.as_ptr().add(at)), scale, shift);
                    if let Some(residual) = residual {
                        value = simd.add(value, simd.load(residual.as_ptr().add(at)));
                    }
                    simd.store(y.as_mut_ptr().add(at), activation.apply(simd, value));
                }
            }
            for at in whole..x.len() {
                let value = x[at] * scale[at] + shift[at] + residual.map_or(0.0, |r| r[at]);
                y[at] = activation.apply_to_one(simd, value);
            }
        }
    }
}

/// Whose moments a normalization uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistics {
    /// Moments of `x` itself, through which the gradient flows too.
    OfBatch,
    /// Other moments, which are constants.
    Given,
}

/// What [`normalize`] leaves to its gradient.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// `[rows, channels]`
    pub x: &'a [f32],
    /// Moments, as in [`normalize`].
    pub moments: &'a Moments,
    /// Whose they are.
    pub statistics: Statistics,
    /// `[channels]`
    pub gamma: &'a [f32],
    /// ε, as in [`normalize`].
    pub epsilon: f32,
    /// What came after it.
    pub followed_by: FollowedBy<'a>,
}

/// The activation after a normalization, with what its gradient takes.
#[derive(Clone, Copy, Debug)]
pub enum FollowedBy<'a> {
    /// None.
    Nothing,
    /// ReLU of what the normalization gave, whose gradient flows where that is positive. It is computed anew from `x`,
    /// which is read anyway, so that no other map need be read or kept for it.
    Relu {
        /// β, `[channels]`
        beta: &'a [f32],
    },
    /// ReLU of the sum with a residual, whose gradient flows where the output is positive.
    ReluOfSum {
        /// `[rows, channels]`
        output: &'a [f32],
    },
    /// SiLU, whose gradient takes what came in. That is computed anew from `x` too.
    Silu {
        /// β, `[channels]`
        beta: &'a [f32],
        /// What was added, `[rows, channels]`.
        residual: Option<&'a [f32]>,
    },
}

/// Gradients of [`normalize`].
#[derive(Clone, Debug)]
pub struct NormalizeGradients {
    /// `[rows, channels]`
    pub x: Vec<f32>,
    /// `[rows, channels]`, if asked for.
    pub residual: Option<Vec<f32>>,
    /// `[channels]`
    pub gamma: Vec<f32>,
    /// `[channels]`
    pub beta: Vec<f32>,
}

/// The gradients of [`normalize`] with respect to everything.
///
/// Ioffe & Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167), section 3. With
/// x̂ = (x − mean) / √(variance + ε) and g the gradient before the activation, summed over n rows:
///
/// - β: Σg, γ: Σg·x̂, residual: g
/// - x: γ / √(variance + ε) · (g − Σg/n − x̂ · Σ(g·x̂)/n), without the sums if the moments are given
///
/// `gradient`: `[rows, channels]`; its memory is used for the result.
pub fn normalize_gradient(
    forward: Forward<'_>,
    mut gradient: Vec<f32>,
    residual: bool,
) -> NormalizeGradients {
    let Forward { x, moments, statistics, gamma, epsilon, followed_by } = forward;
    let channels = gamma.len();
    let width = width(channels);
    let part = numbers_of_a_part(width);
    let mean = tile(&moments.mean, width);
    assert_eq!(gradient.len(), x.len());
    let factors = match followed_by {
        FollowedBy::Relu { beta } | FollowedBy::Silu { beta, .. } => {
            scale_and_shift(moments, gamma, beta, epsilon)
        }
        FollowedBy::Nothing | FollowedBy::ReluOfSum { .. } => [Vec::new(), Vec::new()],
    };
    let [scale, shift] = factors.map(|it| tile(&it, width));
    let of_activation = match followed_by {
        FollowedBy::Nothing => Slope::One,
        FollowedBy::Relu { .. } => Slope::OfRelu { scale: &scale, shift: &shift },
        FollowedBy::ReluOfSum { output } => Slope::OfReluOfSum { output },
        FollowedBy::Silu { residual, .. } => {
            Slope::OfSilu { scale: &scale, shift: &shift, residual }
        }
    };
    let sums: Vec<(Vec<f32>, Vec<f32>)> = gradient
        .par_chunks_mut(part)
        .enumerate()
        .map(|(number, gradient)| {
            let first = number * part;
            simd::run(PartSums {
                x: &x[first..first + gradient.len()],
                mean: &mean,
                channels,
                slope: of_activation.of_rows(first, gradient.len()),
                keeps: of_activation.is_kept(residual),
                gradient,
            })
        })
        .collect();
    let mut beta = vec![0.0_f64; channels];
    let mut products = vec![0.0_f64; channels];
    for (of_gradient, of_product) in &sums {
        for c in 0..channels {
            beta[c] += f64::from(of_gradient[c]);
            products[c] += f64::from(of_product[c]);
        }
    }
    let rows = (x.len() / channels) as f64;
    let mut scale = vec![0.0; channels];
    let mut slope = vec![0.0; channels];
    let mut shift = vec![0.0; channels];
    let mut of_gamma = vec![0.0; channels];
    for c in 0..channels {
        let inverse = 1.0 / (f64::from(moments.variance[c]) + f64::from(epsilon)).sqrt();
        let factor = f64::from(gamma[c]) * inverse;
        // dx = factor · (g − Σg/n − (x − mean) · inverse² · Σg(x − mean)/n)
        let of_distance = factor * inverse * inverse * products[c] / rows;
        of_gamma[c] = (products[c] * inverse) as f32;
        scale[c] = factor as f32;
        if statistics == Statistics::Given {
            continue;
        }
        slope[c] = -of_distance as f32;
        shift[c] = (of_distance * f64::from(moments.mean[c]) - factor * beta[c] / rows) as f32;
    }
    let factors = Factors {
        scale: &tile(&scale, width),
        slope: &tile(&slope, width),
        shift: &tile(&shift, width),
    };
    let of_activation = if of_activation.is_kept(residual) { Slope::One } else { of_activation };
    // The result takes the gradient's memory, unless that is to be the residual's gradient.
    let mut separate = Buffer::new(if residual { x.len() } else { 0 });
    let from = Writer::new(&mut gradient);
    let to = if residual { separate.writer() } else { from };
    x.par_chunks(part).enumerate().for_each(|(number, x)| {
        simd::run(Combine { from, to, first: number * part, x, of_activation, factors });
    });
    let (of_x, of_residual) = if residual {
        // SAFETY: the parts cover all of `x`, and each wrote as much.
        (unsafe { separate.assume_written() }, Some(gradient))
    } else {
        (gradient, None)
    };
    NormalizeGradients {
        x: of_x,
        residual: of_residual,
        gamma: of_gamma,
        beta: beta.iter().map(|&beta| beta as f32).collect(),
    }
}

/// The derivative of what follows a normalization.
#[derive(Clone, Copy)]
enum Slope<'a> {
    /// Nothing follows.
    One,
    OfRelu {
        /// Factors of the normalization, as many as a row is wide.
        scale: &'a [f32],
        shift: &'a [f32],
    },
    OfReluOfSum {
        output: &'a [f32],
    },
    OfSilu {
        /// Factors of the normalization, as many as a row is wide.
        scale: &'a [f32],
        shift: &'a [f32],
        residual: Option<&'a [f32]>,
    },
}

impl Slope<'_> {
    /// Whether the gradient times this is written where the gradient was, for the second pass: because it is asked for,
    /// as the residual's gradient, or costs more to compute than to read.
    fn is_kept(self, is_asked_for: bool) -> bool {
        match self {
            Self::One => false,
            Self::OfRelu { .. } => is_asked_for,
            Self::OfReluOfSum { .. } | Self::OfSilu { .. } => true,
        }
    }

    /// That of `count` numbers from `first` on, where a row begins.
    #[inline(always)]
    fn of_rows(self, first: usize, count: usize) -> Self {
        match self {
            Self::One => Self::One,
            Self::OfRelu { .. } => self,
            Self::OfReluOfSum { output } => {
                Self::OfReluOfSum { output: &output[first..first + count] }
            }
            Self::OfSilu { scale, shift, residual } => {
                let residual = residual.map(|residual| &residual[first..first + count]);
                Self::OfSilu { scale, shift, residual }
            }
        }
    }

    /// `gradient` of what follows, as that of the normalization, which was given `x` at `at` of its row.
    ///
    /// # Safety
    ///
    /// A vector lies inside the row from `at` on.
    #[inline(always)]
    unsafe fn times<S: Simd>(
        self,
        simd: S,
        at: usize,
        x: S::Vector,
        gradient: S::Vector,
    ) -> S::Vector {
        // SAFETY: all slices are as long as the row, or as a whole one.
        unsafe {
            match self {
                Self::One => gradient,
                Self::OfRelu { scale, shift } => {
                    let scale = simd.load(scale.as_ptr().add(at));
                    let shift = simd.load(shift.as_ptr().add(at));
                    simd.where_positive(simd.mul_add(x, scale, shift), gradient)
                }
                Self::OfReluOfSum { output } => {
                    simd.where_positive(simd.load(output.as_ptr().add(at)), gradient)
                }
                Self::OfSilu { scale, shift, residual } => {
                    let scale = simd.load(scale.as_ptr().add(at));
                    let shift = simd.load(shift.as_ptr().add(at));
                    let mut given = simd.mul_add(x, scale, shift);
                    if let Some(residual) = residual {
                        given = simd.add(given, simd.load(residual.as_ptr().add(at)));
                    }
                    simd.mul(gradient, silu_slope(simd, given))
                }
            }
        }
    }

    /// The same of a single number.
    #[inline(always)]
    fn times_one<S: Simd>(self, simd: S, at: usize, x: f32, gradient: f32) -> f32 {
        match self {
            Self::One => gradient,
            Self::OfRelu { scale, shift } if x * scale[at] + shift[at] > 0.0 => gradient,
            Self::OfReluOfSum { output } if output[at] > 0.0 => gradient,
            Self::OfRelu { .. } | Self::OfReluOfSum { .. } => 0.0,
            Self::OfSilu { scale, shift, residual } => {
                let given = x * scale[at] + shift[at] + residual.map_or(0.0, |r| r[at]);
                gradient * simd::first(simd, silu_slope(simd, simd.splat(given)))
            }
        }
    }
}

/// Sums of the gradient before the activation and of its product with `x − mean`.
struct PartSums<'a> {
    gradient: &'a mut [f32],
    x: &'a [f32],
    /// Means, as many as a row is wide.
    mean: &'a [f32],
    channels: usize,
    /// The activation's.
    slope: Slope<'a>,
    /// Whether the gradient before the activation is left in place of the one behind it.
    keeps: bool,
}

impl Task for PartSums<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self { gradient, x, mean, channels, slope, keeps } = self;
        let width = mean.len();
        let mut of_gradient = vec![0.0; width];
        let mut of_product = vec![0.0; width];
        for (row, (gradient, x)) in gradient.chunks_mut(width).zip(x.chunks(width)).enumerate() {
            let slope = slope.of_rows(row * width, x.len());
            let whole = x.len() / S::LANES * S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                // SAFETY: `at` and the vector after it lie inside the row, and rows are `width` long.
                unsafe {
                    let x = simd.load(x.as_ptr().add(at));
                    let g = slope.times(simd, at, x, simd.load(gradient.as_ptr().add(at)));
                    if keeps {
                        simd.store(gradient.as_mut_ptr().add(at), g);
                    }
                    let distance = simd.sub(x, simd.load(mean.as_ptr().add(at)));
                    let sum = of_gradient.as_mut_ptr().add(at);
                    simd.store(sum, simd.add(simd.load(sum), g));
                    let sum = of_product.as_mut_ptr().add(at);
                    simd.store(sum, simd.mul_add(g, distance, simd.load(sum)));
                }
            }
            for at in whole..x.len() {
                let g = slope.times_one(simd, at, x[at], gradient[at]);
                if keeps {
                    gradient[at] = g;
                }
                of_gradient[at] += g;
                of_product[at] += g * (x[at] - mean[at]);
            }
        }
        (fold(&of_gradient, channels), fold(&of_product, channels))
    }
}

/// How the gradient before the activation and `x` make that of `x`: factors, as many as a row is wide.
#[derive(Clone, Copy)]
struct Factors<'a> {
    scale: &'a [f32],
    slope: &'a [f32],
    shift: &'a [f32],
}

/// `scale · gradient + slope · x + shift`, channel by channel.
struct Combine<'a> {
    /// The gradient.
    from: Writer<'a>,
    /// The result; may be the same memory.
    to: Writer<'a>,
    /// Where this part begins in both.
    first: usize,
    x: &'a [f32],
    /// What the gradient still has to be multiplied with; of no rows of its own.
    of_activation: Slope<'a>,
    factors: Factors<'a>,
}

impl Task for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { from, to, first, x, of_activation, factors } = self;
        let Factors { scale, slope, shift } = factors;
        let width = scale.len();
        for (row, x) in x.chunks(width).enumerate() {
            let gradient = from.at(first + row * width, x.len());
            let to = to.at(first + row * width, x.len());
            let whole = x.len() / S::LANES * S::LANES;
            // SAFETY: `at` and the vector after it lie inside the row, rows are `width` long, and this
            // part is this task's alone.
            unsafe {
                for at in (0..whole).step_by(S::LANES) {
                    let shift = simd.load(shift.as_ptr().add(at));
                    let slope = simd.load(slope.as_ptr().add(at));
                    let scale = simd.load(scale.as_ptr().add(at));
                    let x = simd.load(x.as_ptr().add(at));
                    let g = of_activation.times(simd, at, x, simd.load(gradient.add(at)));
                    let value = simd.mul_add(g, scale, simd.mul_add(x, slope, shift));
                    simd.store(to.add(at), value);
                }
                for at in whole..x.len() {
                    let g = of_activation.times_one(simd, at, x[at], *gradient.add(at));
                    *to.add(at) = scale[at] * g + slope[at] * x[at] + shift[at];
                }
            }
        }
    }
}
