//! Cross-entropy of a batch in one launch, and its gradient in one.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::empty_beside;

/// Units of the one cube that adds up a batch.
const UNITS: u32 = 256;

/// Mean over the batch, `[1]`; and of each row, `[batch, 3]`, its greatest logit, the logarithm of its sum of powers beside
/// that, and its sum of targets.
pub(crate) fn forward(logits: CubeTensor, targets: CubeTensor) -> (CubeTensor, CubeTensor) {
    let (logits, targets) = (into_contiguous(logits), into_contiguous(targets));
    let [rows, classes] = logits.shape().dims();
    let (loss, sums) =
        (empty_beside(&logits, Shape::new([1])), empty_beside(&logits, Shape::new([rows, 3])));
    let client = logits.client.clone();
    loss_of_batch::launch(
        &client,
        CubeCount::Static(1, 1, 1),
        CubeDim::new_1d(UNITS),
        logits.into_tensor_arg(),
        targets.into_tensor_arg(),
        loss.clone().into_tensor_arg(),
        sums.clone().into_tensor_arg(),
        rows,
        classes,
        UNITS,
    );
    (loss, sums)
}

/// The gradient of the logits.
pub(crate) fn backward(
    gradient: CubeTensor,
    logits: CubeTensor,
    targets: CubeTensor,
    sums: CubeTensor,
) -> CubeTensor {
    let [gradient, logits, targets, sums] = [gradient, logits, targets, sums].map(into_contiguous);
    let [_, classes]: [usize; 2] = logits.shape().dims();
    let (client, values) = (logits.client.clone(), logits.meta.num_elements());
    let of_logits = empty_beside(&logits, logits.shape());
    let dim = CubeDim::new(&client, values);
    gradient_of_logits::launch(
        &client,
        calculate_cube_count_elemwise(&client, values, dim),
        dim,
        gradient.into_tensor_arg(),
        logits.into_tensor_arg(),
        targets.into_tensor_arg(),
        sums.into_tensor_arg(),
        of_logits.clone().into_tensor_arg(),
        classes,
    );
    of_logits
}

#[cube(launch)]
fn loss_of_batch(
    logits: &Tensor<f32>,
    targets: &Tensor<f32>,
    loss: &mut Tensor<f32>,
    sums: &mut Tensor<f32>,
    rows: usize,
    classes: usize,
    #[comptime] units: u32,
) {
    let mut memory = Shared::new_slice(units as usize);
    let mut sum = 0.0f32;
    let mut row = UNIT_POS as usize;
    while row < rows {
        let start = row * classes;
        let mut greatest = logits[start];
        for class in 1..classes {
            greatest = max(greatest, logits[start + class]);
        }
        let mut powers = 0.0f32;
        for class in 0..classes {
            powers += (logits[start + class] - greatest).exp();
        }
        let logarithm = powers.ln();
        let mut total = 0.0f32;
        for class in 0..classes {
            let target = targets[start + class];
            total += target;
            // By differences, so that nothing is lost where all logits are large.
            sum += target * (logarithm - (logits[start + class] - greatest));
        }
        sums[3 * row] = greatest;
        sums[3 * row + 1] = logarithm;
        sums[3 * row + 2] = total;
        row += CUBE_DIM as usize;
    }
    memory[UNIT_POS as usize] = sum;
    sync_cube();
    let mut half = CUBE_DIM / 2;
    while half > 0 {
        if UNIT_POS < half {
            let other = memory[(UNIT_POS + half) as usize];
            memory[UNIT_POS as usize] += other;
        }
        sync_cube();
        half /= 2;
    }
    if UNIT_POS == 0 {
        loss[0] = memory[0] / f32::cast_from(rows);
    }
}

/// `(softmax(logits) · Σ targets − targets) / rows`, times the gradient of the mean.
#[cube(launch)]
fn gradient_of_logits(
    gradient: &Tensor<f32>,
    logits: &Tensor<f32>,
    targets: &Tensor<f32>,
    sums: &Tensor<f32>,
    of_logits: &mut Tensor<f32>,
    classes: usize,
) {
    if ABSOLUTE_POS < of_logits.len() {
        let row = ABSOLUTE_POS / classes;
        let rows = of_logits.len() / classes;
        let probability = (logits[ABSOLUTE_POS] - sums[3 * row] - sums[3 * row + 1]).exp();
        let difference = probability * sums[3 * row + 2] - targets[ABSOLUTE_POS];
        of_logits[ABSOLUTE_POS] = difference * gradient[0] / f32::cast_from(rows);
    }
}
