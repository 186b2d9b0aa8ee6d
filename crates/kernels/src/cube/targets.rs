//! Targets and labels of a batch from a few words for each image, in one launch.

use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::empty_beside;
use crate::target_records::Form;

/// `records`: `[images · form.words(classes)]`. Gives targets `[images, classes]` and labels `[images, 1]`.
pub(crate) fn targets(records: CubeTensor, classes: usize, form: Form) -> (CubeTensor, CubeTensor) {
    let records = into_contiguous(records);
    let images = records.meta.num_elements() / form.words(classes);
    let targets = empty_beside(&records, Shape::new([images, classes]));
    let labels = empty_device_contiguous_dtype(
        records.client.clone(),
        records.device.clone(),
        Shape::new([images, 1]),
        DType::I32,
    );
    let (client, values) = (records.client.clone(), images * classes);
    let dim = CubeDim::new(&client, values);
    fill_rows::launch(
        &client,
        calculate_cube_count_elemwise(&client, values, dim),
        dim,
        records.into_tensor_arg(),
        targets.clone().into_tensor_arg(),
        labels.clone().into_tensor_arg(),
        classes,
        form,
    );
    (targets, labels)
}

#[cube(launch)]
fn fill_rows(
    records: &Tensor<u32>,
    targets: &mut Tensor<f32>,
    labels: &mut Tensor<i32>,
    classes: usize,
    #[comptime] form: Form,
) {
    if ABSOLUTE_POS < targets.len() {
        let image = ABSOLUTE_POS / classes;
        let class = ABSOLUTE_POS % classes;
        let record = image * (records.len() / (targets.len() / classes));
        let mut bits = records[record + 1];
        if comptime!(form == Form::Few) {
            let others = records[record + 2];
            if class == (others & 65535u32) as usize {
                bits = records[record + 3];
            }
            if class == (others >> 16u32) as usize {
                bits = records[record + 4];
            }
        } else {
            bits = records[record + 1 + class];
        }
        targets[ABSOLUTE_POS] = f32::from_bits(bits);
        if class == 0 {
            labels[image] = i32::cast_from(records[record]);
        }
    }
}
