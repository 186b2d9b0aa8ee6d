//! A batch where a network is trained.

use backburn_data::loader::Batch;
use backburn_regularization::{LabelledBatch, Targets};
use burn::tensor::{Device, Int, Tensor, TensorData};

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
    /// Uploads a batch whose targets are its labels, of `classes` classes. `device`: with gradients where it is
    /// trained on.
    pub fn upload(batch: Batch, classes: usize, device: &Device) -> Self {
        Self::upload_changed(batch, classes, device, |_| ())
    }

    /// Uploads a batch after `regularize` has changed its images and targets.
    pub fn upload_changed(
        batch: Batch,
        classes: usize,
        device: &Device,
        regularize: impl FnOnce(&mut LabelledBatch),
    ) -> Self {
        let size = batch.len();
        let shape = [size, batch.shape.channels, batch.shape.height, batch.shape.width];
        let Batch { images, labels, .. } = batch;
        let targets = Targets::one_hot(&labels, classes);
        let mut batch = LabelledBatch { images, shape, targets };
        regularize(&mut batch);
        Self::of(batch, &labels, device)
    }

    /// Uploads a batch whose targets are there. `labels`: what counts as a right answer to each image.
    pub fn of(batch: LabelledBatch, labels: &[u16], device: &Device) -> Self {
        let (shape, outputs) = (batch.shape, batch.targets.classes());
        let size = shape[0];
        let labels: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
        let targets = TensorData::new(batch.targets.into_probabilities(), [size, outputs]);
        let plain = device.clone().without_autodiff();
        Self {
            images: Tensor::from_data(TensorData::new(batch.images, shape), device),
            targets: Tensor::from_data(targets, device),
            labels: Tensor::from_data(TensorData::new(labels, [size, 1]), &plain),
        }
    }
}
