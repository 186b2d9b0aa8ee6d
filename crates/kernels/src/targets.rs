//! What the images of a batch should be answered with, on a device.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Uploads targets and labels. A graphics card makes the rows itself: if in every row all classes but two at most have the
/// same value, it is given five words for each image, however many classes there are; else, and of four classes or fewer, all
/// values.
///
/// # Shapes
///
/// - `targets`: `[batch, classes]`, row by row
/// - `labels`: `[batch]`
/// - returns: `[batch, classes]`, on `device`, and `[batch, 1]`, without gradients
///
/// # Panics
///
/// If there are not as many rows of `classes` values as labels.
pub fn upload_targets(
    targets: Vec<f32>,
    classes: usize,
    labels: &[u16],
    device: &Device,
) -> (Tensor<2>, Tensor<2, Int>) {
    let batch = labels.len();
    assert_eq!(targets.len(), batch * classes, "{batch} rows of {classes} classes");
    let plain = device.clone().without_autodiff();
    #[cfg(feature = "cube")]
    if batch * classes > 0 && crate::device::is_card(device) {
        let (targets, labels) = on_cards::upload(&targets, classes, labels, &plain);
        return (if device.is_autodiff() { targets.autodiff() } else { targets }, labels);
    }
    let labels: Vec<i32> = labels.iter().copied().map(i32::from).collect();
    (
        Tensor::from_data(TensorData::new(targets, [batch, classes]), device),
        Tensor::from_data(TensorData::new(labels, [batch, 1]), &plain),
    )
}

#[cfg(feature = "cube")]
mod on_cards {
    use burn::backend::fusion::custom::TensorSpec;
    use burn::backend::tensor::{FloatTensor, IntTensor};
    use burn::backend::{Backend, Dispatch, backend_extension};
    use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};
    use burn_cubecl::CubeBackend;

    use crate::cube::targets::targets;
    use crate::target_records::Form;

    #[backend_extension(Cube, Fusion)]
    pub(super) trait TargetsOnCards: Backend {
        #[fusion(meta = |records, classes, form| {
            let images = records.shape.num_elements() / form.words(*classes);
            let of = |columns, dtype| TensorSpec::new(Shape::new([images, columns]), dtype);
            (of(*classes, DType::F32), of(1, DType::I32))
        })]
        fn backburn_targets(
            records: IntTensor<Self>,
            classes: usize,
            form: Form,
        ) -> (FloatTensor<Self>, IntTensor<Self>);
    }

    impl TargetsOnCards for CubeBackend {
        fn backburn_targets(
            records: IntTensor<Self>,
            classes: usize,
            form: Form,
        ) -> (FloatTensor<Self>, IntTensor<Self>) {
            targets(records, classes, form)
        }
    }

    pub(super) fn upload(
        targets: &[f32],
        classes: usize,
        labels: &[u16],
        device: &Device,
    ) -> (Tensor<2>, Tensor<2, Int>) {
        let (form, words) = Form::pack(targets, classes, labels);
        let length = words.len();
        let records: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(words, [length]), (device, DType::U32));
        let (targets, labels) = Dispatch::backburn_targets(records.into_dispatch(), classes, form);
        (Tensor::from_dispatch(targets), Tensor::from_dispatch(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_rows_and_labels_as_they_were() {
        let device = Device::flex().autodiff();
        let rows = vec![0.0, 1.0, 0.25, 0.75];
        let (targets, labels) = upload_targets(rows.clone(), 2, &[1, 0], &device);
        assert_eq!(targets.into_data().try_to_vec::<f32>().expect("floats"), rows);
        assert!(!labels.device().is_autodiff());
        assert_eq!(labels.dims(), [2, 1]);
        assert_eq!(labels.float().into_data().try_to_vec::<f32>().expect("floats"), [1.0, 0.0]);
    }
}
