//! The running statistics of a normalization, moved in one launch.

use burn::backend::TensorMetadata;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::empty_beside;

/// Mean and variance, `running · (1 − momentum) + batch · momentum` each.
pub(crate) fn moved(
    running: [CubeTensor; 2],
    batch: [CubeTensor; 2],
    momentum: f32,
) -> [CubeTensor; 2] {
    let [mean, variance] = running.map(into_contiguous);
    let [mean_of_batch, variance_of_batch] = batch.map(into_contiguous);
    let (client, values) = (mean.client.clone(), mean.meta.num_elements());
    let [new_mean, new_variance] = [(); 2].map(|()| empty_beside(&mean, mean.shape()));
    let dim = CubeDim::new(&client, values);
    move_statistics::launch(
        &client,
        calculate_cube_count_elemwise(&client, values, dim),
        dim,
        mean.into_tensor_arg(),
        variance.into_tensor_arg(),
        mean_of_batch.into_tensor_arg(),
        variance_of_batch.into_tensor_arg(),
        new_mean.clone().into_tensor_arg(),
        new_variance.clone().into_tensor_arg(),
        1.0 - momentum,
        momentum,
    );
    [new_mean, new_variance]
}

#[cube(launch)]
fn move_statistics(
    mean: &Tensor<f32>,
    variance: &Tensor<f32>,
    mean_of_batch: &Tensor<f32>,
    variance_of_batch: &Tensor<f32>,
    new_mean: &mut Tensor<f32>,
    new_variance: &mut Tensor<f32>,
    kept: f32,
    momentum: f32,
) {
    let place = ABSOLUTE_POS;
    if place < new_mean.len() {
        new_mean[place] = mean[place] * kept + mean_of_batch[place] * momentum;
        new_variance[place] = variance[place] * kept + variance_of_batch[place] * momentum;
    }
}
