//! Batch normalization in two launches, and its gradients in two: sums by channel over parts of the rows, then everything
//! else, by cubes that each add up the parts of their channels again.
//!
//! A tensor `[batch, …, channels]` is `rows × channels` here. A cube has some channels side by side, which is how memory is
//! read, and several rows at a time. Sums are taken in an order that sizes alone decide.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::empty_beside;
use crate::cpu::Activation;

/// Units of a cube.
const UNITS: u32 = 256;
/// Channels of a cube at most: as many as memory is read at once for.
const MOST_CHANNELS: u32 = 32;
/// Parts that rows are divided into at most. Enough to occupy a large card; whoever adds them up reads few more numbers.
const MOST_PARTS: u32 = 256;
/// Rows that a unit goes over at least, if there are as many.
const LEAST_ROWS: u32 = 8;

const IDENTITY: u32 = 0;
const RELU: u32 = 1;
const SILU: u32 = 2;

fn code(activation: Activation) -> u32 {
    match activation {
        Activation::Identity => IDENTITY,
        Activation::Relu => RELU,
        Activation::Silu => SILU,
    }
}

/// How many cubes of which size go over a tensor.
struct Grid {
    rows: u32,
    channels: u32,
    parts: u32,
    dim: CubeDim,
}

impl Grid {
    fn of(x: &CubeTensor) -> Self {
        let shape = x.shape();
        let channels = shape.as_slice().last().copied().unwrap_or(1).max(1);
        let number = |count: usize| u32::try_from(count).expect("fewer than four billion numbers");
        let (rows, channels) = (number(shape.num_elements()) / number(channels), number(channels));
        let width = channels.next_power_of_two().min(MOST_CHANNELS);
        let height = UNITS / width;
        let parts = rows.div_ceil(height * LEAST_ROWS).clamp(1, MOST_PARTS);
        Self { rows, channels, parts, dim: CubeDim::new_2d(width, height) }
    }

    fn count(&self) -> CubeCount {
        CubeCount::Static(self.channels.div_ceil(self.dim.x), self.parts, 1)
    }

    /// Two sums by channel and part.
    fn partial_sums(&self) -> Shape {
        Shape::new([self.parts as usize, 2, self.channels as usize])
    }

    fn vector(&self) -> Shape {
        Shape::new([self.channels as usize])
    }
}

/// Mean and variance of each channel, and `activation(γ · (x − mean) / √(variance + ε) + β + residual)`: the output first.
pub(crate) fn forward(
    x: CubeTensor,
    gamma: CubeTensor,
    beta: CubeTensor,
    residual: Option<CubeTensor>,
    epsilon: f32,
    activation: Activation,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (x, gamma, beta) = (into_contiguous(x), into_contiguous(gamma), into_contiguous(beta));
    let residual = residual.map(into_contiguous);
    let grid = Grid::of(&x);
    let client = x.client.clone();
    let partial = empty_beside(&x, grid.partial_sums());
    sum_deviations::launch(
        &client,
        grid.count(),
        grid.dim,
        x.clone().into_tensor_arg(),
        partial.clone().into_tensor_arg(),
        grid.rows,
        grid.channels,
        UNITS,
    );
    let output = empty_beside(&x, x.shape());
    let [mean, variance] = [(); 2].map(|()| empty_beside(&x, grid.vector()));
    let has_residual = residual.is_some();
    // An argument cannot be left out; this one is not read then.
    let residual = residual.unwrap_or_else(|| gamma.clone());
    normalize::launch(
        &client,
        grid.count(),
        grid.dim,
        x.into_tensor_arg(),
        gamma.into_tensor_arg(),
        beta.into_tensor_arg(),
        residual.into_tensor_arg(),
        partial.into_tensor_arg(),
        output.clone().into_tensor_arg(),
        mean.clone().into_tensor_arg(),
        variance.clone().into_tensor_arg(),
        grid.rows,
        grid.channels,
        grid.parts,
        epsilon,
        UNITS,
        code(activation),
        has_residual,
    );
    (output, mean, variance)
}

/// What the gradients take of the forward pass.
pub(crate) struct Forward {
    pub(crate) x: CubeTensor,
    pub(crate) gamma: CubeTensor,
    pub(crate) beta: CubeTensor,
    pub(crate) mean: CubeTensor,
    pub(crate) variance: CubeTensor,
    /// For SiLU, whose slope is that of its argument.
    pub(crate) residual: Option<CubeTensor>,
    pub(crate) output: CubeTensor,
    pub(crate) epsilon: f32,
    pub(crate) activation: Activation,
}

/// Gradients of `x`, `γ`, `β`, and of what stands before the activation, which is that of the residual.
pub(crate) fn backward(gradient: CubeTensor, forward: Forward) -> [CubeTensor; 4] {
    let Forward { x, gamma, beta, mean, variance, residual, output, epsilon, activation } = forward;
    let [x, gamma, beta, mean, variance, output, gradient] =
        [x, gamma, beta, mean, variance, output, gradient].map(into_contiguous);
    let residual = residual.map(into_contiguous);
    let grid = Grid::of(&x);
    let client = x.client.clone();
    let inner = empty_beside(&x, x.shape());
    let partial = empty_beside(&x, grid.partial_sums());
    let has_residual = residual.is_some();
    // An argument cannot be left out; this one is not read then.
    let residual = residual.unwrap_or_else(|| gamma.clone());
    sum_gradients::launch(
        &client,
        grid.count(),
        grid.dim,
        gradient.into_tensor_arg(),
        x.clone().into_tensor_arg(),
        gamma.clone().into_tensor_arg(),
        beta.into_tensor_arg(),
        residual.into_tensor_arg(),
        output.into_tensor_arg(),
        mean.clone().into_tensor_arg(),
        variance.clone().into_tensor_arg(),
        inner.clone().into_tensor_arg(),
        partial.clone().into_tensor_arg(),
        grid.rows,
        grid.channels,
        epsilon,
        UNITS,
        code(activation),
        has_residual,
    );
    let of_x = empty_beside(&x, x.shape());
    let [of_gamma, of_beta] = [(); 2].map(|()| empty_beside(&x, grid.vector()));
    gradient_of_input::launch(
        &client,
        grid.count(),
        grid.dim,
        inner.clone().into_tensor_arg(),
        x.into_tensor_arg(),
        gamma.into_tensor_arg(),
        mean.into_tensor_arg(),
        variance.into_tensor_arg(),
        partial.into_tensor_arg(),
        of_x.clone().into_tensor_arg(),
        of_gamma.clone().into_tensor_arg(),
        of_beta.clone().into_tensor_arg(),
        grid.rows,
        grid.channels,
        grid.parts,
        epsilon,
        UNITS,
    );
    [of_x, of_gamma, of_beta, inner]
}

/// The sum of a value over the rows of a cube, for each of its channels. Every unit takes part.
#[cube]
fn over_rows(value: f32, memory: &mut Shared<[f32]>) -> f32 {
    let place = UNIT_POS_Y * CUBE_DIM_X + UNIT_POS_X;
    // Whoever reads an earlier sum has read it.
    sync_cube();
    memory[place as usize] = value;
    sync_cube();
    let mut half = CUBE_DIM_Y / 2;
    while half > 0 {
        if UNIT_POS_Y < half {
            let other = memory[(place + half * CUBE_DIM_X) as usize];
            memory[place as usize] += other;
        }
        sync_cube();
        half /= 2;
    }
    memory[UNIT_POS_X as usize]
}

/// What a part's sums of `which` are, added up over all parts.
#[cube]
fn over_parts(
    partial: &Tensor<f32>,
    which: u32,
    channel: u32,
    channels: u32,
    parts: u32,
    memory: &mut Shared<[f32]>,
) -> f32 {
    let mut sum = 0.0f32;
    if channel < channels {
        let mut part = UNIT_POS_Y;
        while part < parts {
            sum += partial[((part * 2 + which) * channels + channel) as usize];
            part += CUBE_DIM_Y;
        }
    }
    over_rows(sum, memory)
}

/// Sums of `x − shift` and of their squares, `[parts, 2, channels]`. The shift of a channel is its first value, which lies
/// among the others: sums of squares around it lose few digits.
#[cube(launch)]
fn sum_deviations(
    x: &Tensor<f32>,
    partial: &mut Tensor<f32>,
    rows: u32,
    channels: u32,
    #[comptime] units: u32,
) {
    let mut memory = Shared::new_slice(units as usize);
    let channel = CUBE_POS_X * CUBE_DIM_X + UNIT_POS_X;
    let mut sum = 0.0f32;
    let mut squares = 0.0f32;
    if channel < channels {
        let shift = x[channel as usize];
        let mut row = CUBE_POS_Y * CUBE_DIM_Y + UNIT_POS_Y;
        while row < rows {
            let deviation = x[(row * channels + channel) as usize] - shift;
            sum += deviation;
            squares += deviation * deviation;
            row += CUBE_COUNT_Y * CUBE_DIM_Y;
        }
    }
    let sum = over_rows(sum, &mut memory);
    let squares = over_rows(squares, &mut memory);
    if channel < channels && UNIT_POS_Y == 0 {
        partial[(CUBE_POS_Y * 2 * channels + channel) as usize] = sum;
        partial[((CUBE_POS_Y * 2 + 1) * channels + channel) as usize] = squares;
    }
}

/// `x / (1 + e⁻ˣ)`. What lies beyond ±87 is taken as if it lay there, as on the CPU: nobody need know infinity.
#[cube]
fn silu(x: f32) -> f32 {
    let x = select(x < -87.0f32, -87.0f32, x);
    x / (1.0 + (0.0 - x).exp())
}

/// The derivative of [`silu`], `σ(x) · (1 + x · (1 − σ(x)))`, where `1 − σ(x) = e⁻ˣ σ(x)`.
#[cube]
fn silu_slope(x: f32) -> f32 {
    let x = select(x < -87.0f32, -87.0f32, select(x > 87.0, 87.0f32, x));
    let power = (0.0 - x).exp();
    let sigmoid = 1.0 / (1.0 + power);
    sigmoid * (1.0 + x * (power * sigmoid))
}

#[cube(launch)]
fn normalize(
    x: &Tensor<f32>,
    gamma: &Tensor<f32>,
    beta: &Tensor<f32>,
    residual: &Tensor<f32>,
    partial: &Tensor<f32>,
    output: &mut Tensor<f32>,
    mean_of: &mut Tensor<f32>,
    variance_of: &mut Tensor<f32>,
    rows: u32,
    channels: u32,
    parts: u32,
    epsilon: f32,
    #[comptime] units: u32,
    #[comptime] activation: u32,
    #[comptime] has_residual: bool,
) {
    let mut memory = Shared::new_slice(units as usize);
    let channel = CUBE_POS_X * CUBE_DIM_X + UNIT_POS_X;
    let sum = over_parts(partial, 0, channel, channels, parts, &mut memory);
    let squares = over_parts(partial, 1, channel, channels, parts, &mut memory);
    if channel < channels {
        let count = f32::cast_from(rows);
        let distance = sum / count;
        let mean = x[channel as usize] + distance;
        let difference = squares / count - distance * distance;
        // Rounding may leave less than nothing. Not by `max`, which makes a number of what is none.
        let variance = select(difference < 0.0, 0.0f32, difference);
        if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
            mean_of[channel as usize] = mean;
            variance_of[channel as usize] = variance;
        }
        let scale = gamma[channel as usize] / (variance + epsilon).sqrt();
        let shift = beta[channel as usize];
        let mut row = CUBE_POS_Y * CUBE_DIM_Y + UNIT_POS_Y;
        while row < rows {
            let place = (row * channels + channel) as usize;
            let mut y = (x[place] - mean) * scale + shift;
            if has_residual {
                y += residual[place];
            }
            if activation == RELU {
                y = select(y <= 0.0, 0.0f32, y);
            } else if activation == SILU {
                y = silu(y);
            }
            output[place] = y;
            row += CUBE_COUNT_Y * CUBE_DIM_Y;
        }
    }
}

/// The gradient before the activation, and by part its sums and those of its products with the normalized values.
#[cube(launch)]
fn sum_gradients(
    gradient: &Tensor<f32>,
    x: &Tensor<f32>,
    gamma: &Tensor<f32>,
    beta: &Tensor<f32>,
    residual: &Tensor<f32>,
    output: &Tensor<f32>,
    mean_of: &Tensor<f32>,
    variance_of: &Tensor<f32>,
    inner: &mut Tensor<f32>,
    partial: &mut Tensor<f32>,
    rows: u32,
    channels: u32,
    epsilon: f32,
    #[comptime] units: u32,
    #[comptime] activation: u32,
    #[comptime] has_residual: bool,
) {
    let mut memory = Shared::new_slice(units as usize);
    let channel = CUBE_POS_X * CUBE_DIM_X + UNIT_POS_X;
    let mut sum = 0.0f32;
    let mut products = 0.0f32;
    if channel < channels {
        let mean = mean_of[channel as usize];
        let inverse = 1.0 / (variance_of[channel as usize] + epsilon).sqrt();
        let mut row = CUBE_POS_Y * CUBE_DIM_Y + UNIT_POS_Y;
        while row < rows {
            let place = (row * channels + channel) as usize;
            let normalized = (x[place] - mean) * inverse;
            let mut slope = 1.0f32;
            if activation == RELU {
                slope = select(output[place] > 0.0, 1.0, 0.0);
            } else if activation == SILU {
                let mut before = normalized * gamma[channel as usize] + beta[channel as usize];
                if has_residual {
                    before += residual[place];
                }
                slope = silu_slope(before);
            }
            let before = gradient[place] * slope;
            inner[place] = before;
            sum += before;
            products += before * normalized;
            row += CUBE_COUNT_Y * CUBE_DIM_Y;
        }
    }
    let sum = over_rows(sum, &mut memory);
    let products = over_rows(products, &mut memory);
    if channel < channels && UNIT_POS_Y == 0 {
        partial[(CUBE_POS_Y * 2 * channels + channel) as usize] = sum;
        partial[((CUBE_POS_Y * 2 + 1) * channels + channel) as usize] = products;
    }
}

/// `γ / √(variance + ε) · (gradient − (Σ gradient + normalized · Σ gradient · normalized) / rows)`
#[cube(launch)]
fn gradient_of_input(
    inner: &Tensor<f32>,
    x: &Tensor<f32>,
    gamma: &Tensor<f32>,
    mean_of: &Tensor<f32>,
    variance_of: &Tensor<f32>,
    partial: &Tensor<f32>,
    of_x: &mut Tensor<f32>,
    of_gamma: &mut Tensor<f32>,
    of_beta: &mut Tensor<f32>,
    rows: u32,
    channels: u32,
    parts: u32,
    epsilon: f32,
    #[comptime] units: u32,
) {
    let mut memory = Shared::new_slice(units as usize);
    let channel = CUBE_POS_X * CUBE_DIM_X + UNIT_POS_X;
    let sum = over_parts(partial, 0, channel, channels, parts, &mut memory);
    let products = over_parts(partial, 1, channel, channels, parts, &mut memory);
    if channel < channels {
        if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
            of_gamma[channel as usize] = products;
            of_beta[channel as usize] = sum;
        }
        let count = f32::cast_from(rows);
        let mean = mean_of[channel as usize];
        let inverse = 1.0 / (variance_of[channel as usize] + epsilon).sqrt();
        let scale = gamma[channel as usize] * inverse;
        let (sum, products) = (sum / count, products / count);
        let mut row = CUBE_POS_Y * CUBE_DIM_Y + UNIT_POS_Y;
        while row < rows {
            let place = (row * channels + channel) as usize;
            let normalized = (x[place] - mean) * inverse;
            of_x[place] = scale * (inner[place] - sum - normalized * products);
            row += CUBE_COUNT_Y * CUBE_DIM_Y;
        }
    }
}
