//! A batch where a network is trained.

use backburn_data::loader::{Batch, Delivered};
use backburn_kernels::upload_targets;
use backburn_regularization::{BatchImages, LabelledBatch, Targets};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::device_images::DeviceImages;

/// Images, what they should be answered with, and their labels, on a device.
#[derive(Clone, Debug)]
pub struct DeviceBatch {
    /// `[batch, channels, height, width]`
    pub images: Tensor<4>,
    /// `[batch, classes]`, distributions.
    pub targets: Tensor<2>,
    /// `[batch, 1]`, as the data set has them, without gradients.
    pub labels: Tensor<2, Int>,
}

impl DeviceBatch {
    /// Uploads a batch of values whose targets are its labels, of `classes` classes. `device`: with gradients where it
    /// is trained on.
    pub fn upload(batch: Batch, classes: usize, device: &Device) -> Self {
        Self::upload_changed(batch, classes, &DeviceImages::Values, device, |_| ())
    }

    /// Uploads a batch, delivered as `way` asks for, after `regularize` has changed its images and targets.
    pub fn upload_changed(
        batch: Batch,
        classes: usize,
        way: &DeviceImages,
        device: &Device,
        regularize: impl FnOnce(&mut LabelledBatch),
    ) -> Self {
        let shape = batch.dims();
        let Batch { images: delivered, labels, indices, .. } = batch;
        let targets = Targets::one_hot(&labels, classes);
        let (images, delivered) = match delivered {
            Delivered::Values(values) => (BatchImages::Values(values), None),
            delivered => (BatchImages::OnDevice(None), Some(delivered)),
        };
        let mut batch = LabelledBatch { images, shape, targets };
        regularize(&mut batch);
        let (delivered, mix) = match (batch.images, delivered) {
            (BatchImages::Values(values), _) => (Delivered::Values(values), None),
            (BatchImages::OnDevice(mix), Some(delivered)) => (delivered, mix),
            (BatchImages::OnDevice(_), None) => panic!("a regularizer took the values away"),
        };
        let images = way.on_device(delivered, &indices, shape, mix.as_ref(), device);
        Self::with_images(images, batch.targets, &labels, device)
    }

    /// Uploads a batch of values whose targets are there. `labels`: what counts as a right answer to each image.
    ///
    /// # Panics
    ///
    /// If the images are made on a device.
    pub fn of(batch: LabelledBatch, labels: &[u16], device: &Device) -> Self {
        let LabelledBatch { images, shape, targets } = batch;
        let BatchImages::Values(values) = images else { panic!("the batch has no values") };
        let images = Tensor::from_data(TensorData::new(values, shape), device);
        Self::with_images(images, targets, labels, device)
    }

    fn with_images(images: Tensor<4>, targets: Targets, labels: &[u16], device: &Device) -> Self {
        let classes = targets.classes();
        let (targets, labels) =
            upload_targets(targets.into_probabilities(), classes, labels, device);
        Self { images, targets, labels }
    }
}
