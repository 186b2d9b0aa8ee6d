//! Muon: momentum whose step for a weight matrix is orthogonal.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_kernels::{matrix_product, product_with_transposed};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Coefficients of the quintic polynomial `p(σ) = a σ + b σ³ + c σ⁵` that an iteration takes each singular
/// value through. They are chosen for a steep beginning, so that small values grow fast; large ones do not
/// settle at 1 but keep moving between 0.68 and 1.14.
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// Keeps the division of a gradient by its norm finite.
const EPSILON: f64 = 1e-7;

/// The shortest weights that are stretched to a sphere; those that are zero stay zero.
const SHORTEST: f64 = 1e-12;

/// Greatest number of iterations; PyTorch's too.
const MOST_ITERATIONS: usize = 99;

/// Muon: momentum, of which the step of a weight matrix is made orthogonal.
///
/// ```text
/// v ← μ v + g
/// u = g + μ v                                     Nesterov's look-ahead
/// O ≈ U Vᵀ, where u = U Σ Vᵀ                      by a Newton–Schulz iteration
/// w ← w − η s O
/// ```
///
/// A weight is the matrix `[outputs, inputs · kernel positions]`, and `U Vᵀ` the matrix nearest to `u` whose
/// singular values are all 1: no direction is favoured because the gradient is large in it. The iteration starts from `X = u / (‖u‖ + 10⁻⁷)`, in Frobenius' norm, and takes it to
/// `a X + (b X Xᵀ + c (X Xᵀ)²) X`. After five iterations, singular values of more than 0.002 ‖u‖ have become
/// 0.68 to 1.2; smaller ones are multiplied by up to 485, and zero stays zero.
///
/// What is no matrix (biases, scale and shift of batch normalization) is moved along `u` itself, by Nesterov's
/// momentum with the same μ, at `others_rate` times the rate. To move it, or a head, by another rule, put it
/// into a group of its own.
///
/// Jordan et al., [Muon](https://kellerjordan.github.io/posts/muon/), 2024. PyTorch's `torch.optim.Muon` does
/// the same with 16-bit floats, for matrices alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MuonConfig {
    /// μ, in `[0, 1)`.
    pub momentum: f64,
    /// Iterations that make a step orthogonal, 1 to 99.
    pub iterations: usize,
    /// The factor s of a step.
    pub scale: StepScale,
    /// Whether the length of a weight matrix is kept.
    pub weights: WeightLength,
    /// Learning rate of what is no matrix, as a multiple of that of matrices; positive.
    pub others_rate: f64,
}

/// The factor s of a matrix's step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepScale {
    /// 1.
    One,
    /// √max(1, outputs / inputs), where inputs are those of all kernel positions: outputs of a matrix that has
    /// more of them than inputs move as far as those of a square one.
    #[default]
    Shape,
}

/// Whether the length of a weight matrix is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightLength {
    /// It is what steps and decay make of it.
    #[default]
    Free,
    /// `w ← w √outputs / ‖w‖` before each step and its decay. For layers before a batch normalization, to which
    /// the length of their weights is all the same. Weights of zero stay zero.
    Sphere,
}

impl Default for MuonConfig {
    fn default() -> Self {
        let (scale, weights) = (StepScale::default(), WeightLength::default());
        Self { momentum: 0.95, iterations: 5, scale, weights, others_rate: 1.0 }
    }
}

impl MuonConfig {
    /// # Errors
    ///
    /// If a setting is outside its range: its name, the range and what was found.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wrong = |name: &str, expected: &str, found: String| {
            Err(format!("optimizer setting `{name}`: expected {expected}, found {found}"))
        };
        if !(0.0..1.0).contains(&self.momentum) {
            return wrong("momentum", "a value in [0, 1)", self.momentum.to_string());
        }
        if !(1..=MOST_ITERATIONS).contains(&self.iterations) {
            let expected = format!("1 to {MOST_ITERATIONS}");
            return wrong("iterations", &expected, self.iterations.to_string());
        }
        if !(self.others_rate > 0.0 && self.others_rate.is_finite()) {
            return wrong("others_rate", "a positive number", self.others_rate.to_string());
        }
        Ok(())
    }

    /// The step of a matrix by the rate 1: what Nesterov's direction `u`, `[values]`, is made into.
    pub(crate) fn step(&self, u: Tensor<1>, shape: MatrixShape) -> Tensor<1> {
        let step = shape.flat(orthogonal(shape.matrix(u), self.iterations));
        match self.scale {
            StepScale::One => step,
            StepScale::Shape => step.mul_scalar(shape.outputs_per_input().max(1.0).sqrt()),
        }
    }

    /// The weights that a step starts from, `[values]`.
    pub(crate) fn before_step(&self, weights: Tensor<1>, shape: MatrixShape) -> Tensor<1> {
        match self.weights {
            WeightLength::Free => weights,
            WeightLength::Sphere => {
                let weights = shape.matrix(weights);
                let norm = norm(weights.clone()).clamp_min(SHORTEST);
                let radius = (shape.outputs() as f64).sqrt();
                shape.flat(weights * norm.recip().mul_scalar(radius))
            }
        }
    }
}

/// How the values of a weight lie in memory as a matrix, and what its sides count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MatrixShape {
    rows: usize,
    columns: usize,
    /// What counts outputs; the other side counts inputs.
    outputs: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Rows,
    Columns,
}

impl MatrixShape {
    /// The matrix of a weight of this shape, whose dimension `units` counts outputs: 0, or 1 of two, as Burn keeps
    /// linear layers. `None` of fewer than two dimensions.
    pub(crate) fn of(shape: &[usize], units: usize) -> Option<Self> {
        let (&rows, others) = shape.split_first()?;
        if others.is_empty() {
            return None;
        }
        let outputs = if units == 0 { Side::Rows } else { Side::Columns };
        Some(Self { rows, columns: others.iter().product(), outputs })
    }

    fn outputs(self) -> usize {
        match self.outputs {
            Side::Rows => self.rows,
            Side::Columns => self.columns,
        }
    }

    fn outputs_per_input(self) -> f64 {
        let (rows, columns) = (self.rows as f64, self.columns as f64);
        match self.outputs {
            Side::Rows => rows / columns,
            Side::Columns => columns / rows,
        }
    }

    fn matrix(self, values: Tensor<1>) -> Tensor<2> {
        values.reshape([self.rows, self.columns])
    }

    fn flat(self, matrix: Tensor<2>) -> Tensor<1> {
        matrix.reshape([self.rows * self.columns])
    }
}

/// `U Vᵀ` of `u = U Σ Vᵀ`, nearly: singular values that are not small have become about 1. The iteration goes by
/// products with the smaller side; of a transposed matrix it gives the transposed result.
fn orthogonal(u: Tensor<2>, iterations: usize) -> Tensor<2> {
    let [rows, columns] = u.dims();
    if rows > columns {
        return orthogonal(u.transpose(), iterations).transpose();
    }
    let [a, b, c] = QUINTIC;
    let mut x = u.clone() / (norm(u) + EPSILON);
    for _ in 0..iterations {
        let gram = product_with_transposed(x.clone(), x.clone());
        let square = matrix_product(gram.clone(), gram.clone());
        let factor = gram.mul_scalar(b) + square.mul_scalar(c);
        x = x.clone().mul_scalar(a) + matrix_product(factor, x);
    }
    x
}

/// `[1, 1]`, Frobenius' norm. Summed row by row: the sum of a whole large tensor has no fixed order on Flex.
fn norm(matrix: Tensor<2>) -> Tensor<2> {
    matrix.square().sum_dim(1).sum_dim(0).sqrt()
}

#[cfg(test)]
mod tests {
    use backburn_kernels::fuses_optimizer_steps;
    use burn::tensor::{DType, Device, TensorData};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// What five iterations make of singular values of 0.002 to 1 times the norm: the least and the greatest value of
    /// the fivefold polynomial there, and some rounding.
    const BAND: [f64; 2] = [0.681, 1.203];

    fn random(rows: usize, columns: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..rows * columns).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn tensor(values: &[f64], [rows, columns]: [usize; 2], dtype: DType) -> Tensor<2> {
        let data = TensorData::new(values.to_vec(), [rows, columns]);
        Tensor::from_data(data, (&Device::flex(), dtype))
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor.into_data().iter::<f64>().collect()
    }

    /// The singular values of a matrix, the greatest first, by Jacobi's rotations of its columns.
    fn singular_values(matrix: &[f64], [rows, columns]: [usize; 2]) -> Vec<f64> {
        let mut all: Vec<Vec<f64>> = (0..columns)
            .map(|column| (0..rows).map(|row| matrix[row * columns + column]).collect())
            .collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for _ in 0..40 {
            for (p, q) in (0..columns).flat_map(|q| (0..q).map(move |p| (p, q))) {
                let (pp, qq, pq) =
                    (dot(&all[p], &all[p]), dot(&all[q], &all[q]), dot(&all[p], &all[q]));
                if pq == 0.0 {
                    continue;
                }
                let angle = 0.5 * (2.0 * pq).atan2(pp - qq);
                let (sin, cos) = angle.sin_cos();
                let [of_p, of_q] = all.get_disjoint_mut([p, q]).unwrap();
                for (a, b) in of_p.iter_mut().zip(of_q) {
                    (*a, *b) = (cos * *a + sin * *b, cos * *b - sin * *a);
                }
            }
        }
        let mut lengths: Vec<f64> = all.iter().map(|column| dot(column, column).sqrt()).collect();
        lengths.sort_by(|a, b| b.total_cmp(a));
        lengths
    }

    fn orthogonal_values(matrix: &[f64], shape: [usize; 2], dtype: DType) -> Vec<f64> {
        values(orthogonal(tensor(matrix, shape, dtype), 5))
    }

    #[test]
    fn the_singular_values_of_a_step_are_about_one_whatever_those_of_the_gradient() {
        for (seed, shape) in
            [[6, 9], [9, 6], [5, 64], [64, 5], [1, 7], [7, 1]].into_iter().enumerate()
        {
            let [rows, columns] = shape;
            let mut matrix = random(rows, columns, seed as u64);
            // Rows of very different lengths, so that singular values are too.
            for (row, values) in matrix.chunks_mut(columns).enumerate() {
                values.iter_mut().for_each(|value| *value *= 0.7_f64.powi(row.min(8) as i32));
            }
            let before = singular_values(&matrix, shape);
            let least = rows.min(columns) - 1;
            let norm = before.iter().map(|value| value * value).sum::<f64>().sqrt();
            assert!(before[least] > 0.002 * norm, "{shape:?}: {before:?}");
            let after = singular_values(&orthogonal_values(&matrix, shape, DType::F32), shape);
            let is_inside = |value: &f64| (BAND[0]..=BAND[1]).contains(value);
            assert!(after[..=least].iter().all(is_inside), "{shape:?}: {after:?}");
            assert!(after[least + 1..].iter().all(|value| *value < 1e-5), "{shape:?}: {after:?}");
        }
    }

    #[test]
    fn directions_without_a_gradient_get_no_step() {
        // Rank 3 in 8 × 12 and 12 × 8.
        let (left, right) = (random(8, 3, 1), random(3, 12, 2));
        let at = |row: usize, column: usize| -> f64 {
            (0..3).map(|inner| left[row * 3 + inner] * right[inner * 12 + column]).sum()
        };
        let wide = (0..8).flat_map(|row| (0..12).map(move |column| (row, column)));
        let wide: Vec<f64> = wide.map(|(row, column)| at(row, column)).collect();
        let tall = (0..12).flat_map(|column| (0..8).map(move |row| (row, column)));
        let tall: Vec<f64> = tall.map(|(row, column)| at(row, column)).collect();
        for (matrix, shape) in [(wide, [8, 12]), (tall, [12, 8])] {
            let step = orthogonal_values(&matrix, shape, DType::F32);
            let found = singular_values(&step, shape);
            let is_inside = |value: &f64| (BAND[0]..=BAND[1]).contains(value);
            assert!(found[..3].iter().all(is_inside), "{found:?}");
            // Rounding of 6e-8, times 3.4445⁵ at most.
            assert!(found[3..].iter().all(|value| *value < 1e-4), "{found:?}");
        }
        let zero = orthogonal_values(&[0.0; 12], [3, 4], DType::F32);
        assert_eq!(zero, [0.0; 12]);
    }

    #[test]
    fn a_diagonal_matrix_goes_through_the_polynomial_value_by_value() {
        // Singular values 0.6 and 0.8 of the norm, before the second iteration those after the first.
        let p = |x: f64| QUINTIC[0] * x + QUINTIC[1] * x.powi(3) + QUINTIC[2] * x.powi(5);
        let matrix = tensor(&[3.0, 0.0, 0.0, 0.0, -4.0, 0.0], [2, 3], DType::F64);
        let found = values(orthogonal(matrix, 2));
        let expected = [p(p(0.6)), 0.0, 0.0, 0.0, -p(p(0.8)), 0.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    #[test]
    fn our_products_give_the_step_of_burns_in_double_precision() {
        for (seed, shape) in [[4, 30], [33, 17]].into_iter().enumerate() {
            let matrix = random(shape[0], shape[1], 20 + seed as u64);
            let [single, double] =
                [DType::F32, DType::F64].map(|dtype| orthogonal_values(&matrix, shape, dtype));
            for (single, double) in single.iter().zip(&double) {
                assert!((single - double).abs() < 3e-5, "{shape:?}: {single} is not {double}");
            }
        }
        // Else the two would be the same.
        let narrow = Tensor::<1>::zeros([1], (&Device::flex(), DType::F32));
        let wide = Tensor::<1>::zeros([1], (&Device::flex(), DType::F64));
        assert!(fuses_optimizer_steps(&narrow) && !fuses_optimizer_steps(&wide));
    }

    #[test]
    fn a_weight_is_the_matrix_of_its_outputs_wherever_they_stand() {
        let convolution = MatrixShape::of(&[32, 3, 2, 2], 0).unwrap();
        assert_eq!((convolution.rows, convolution.columns), (32, 12));
        assert_eq!((convolution.outputs(), convolution.outputs_per_input()), (32, 32.0 / 12.0));
        let linear = MatrixShape::of(&[6, 24], 1).unwrap();
        assert_eq!((linear.outputs(), linear.outputs_per_input()), (24, 4.0));
        assert_eq!(MatrixShape::of(&[32], 0), None);

        let u = || Tensor::<1>::from_floats([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], &Device::flex());
        let one = MuonConfig { scale: StepScale::One, ..MuonConfig::default() };
        let step = |config: MuonConfig, shape: &[usize], units| {
            let shape = MatrixShape::of(shape, units).unwrap();
            values(config.step(u(), shape))
        };
        // Two outputs of three inputs; three outputs of two, as convolutions and as Burn's linear layers keep them.
        for (shape, units, factor) in
            [([2, 3], 0, 1.0), ([2, 3], 1, 1.5_f64.sqrt()), ([3, 2], 0, 1.5_f64.sqrt())]
        {
            let plain = step(one, &shape, units);
            let scaled = step(MuonConfig::default(), &shape, units);
            for (plain, scaled) in plain.iter().zip(scaled) {
                assert!((plain * factor - scaled).abs() < 1e-6, "{shape:?} {units}");
            }
        }
    }

    #[test]
    fn weights_on_a_sphere_have_the_norm_of_as_many_ones_as_outputs() {
        let sphere = MuonConfig { weights: WeightLength::Sphere, ..MuonConfig::default() };
        let shape = MatrixShape::of(&[2, 4], 1).unwrap();
        let weights = [3.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let weights = || Tensor::<1>::from_floats(weights, &Device::flex());
        let found = values(sphere.before_step(weights(), shape));
        for (found, expected) in found.iter().zip([1.2, 0.0, 0.0, 1.6, 0.0, 0.0, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        let zero = sphere.before_step(Tensor::zeros([8], &Device::flex()), shape);
        assert_eq!(values(zero), [0.0; 8]);
        let free = MuonConfig::default().before_step(weights(), shape);
        assert_eq!(values(free), values(weights()));
    }

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        let usual = MuonConfig::default();
        assert_eq!(usual.check(), Ok(()));
        let cases = [
            (
                MuonConfig { momentum: 1.0, ..usual },
                "`momentum`: expected a value in [0, 1), found 1",
            ),
            (MuonConfig { iterations: 0, ..usual }, "`iterations`: expected 1 to 99, found 0"),
            (MuonConfig { iterations: 100, ..usual }, "`iterations`: expected 1 to 99, found 100"),
            (MuonConfig { others_rate: 0.0, ..usual }, "`others_rate`: expected a positive"),
            (MuonConfig { others_rate: f64::NAN, ..usual }, "`others_rate`: expected a positive"),
        ];
        for (config, expected) in cases {
            let message = config.check().unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
