//! The running statistics of a normalization.

use burn::tensor::Tensor;

use crate::batch_norm::BatchStatistics;

/// `running · (1 − momentum) + batch · momentum`, of means and of variances.
///
/// `momentum`: in `[0, 1]`.
pub fn moved_statistics(
    running: BatchStatistics,
    batch: BatchStatistics,
    momentum: f64,
) -> BatchStatistics {
    #[cfg(feature = "cube")]
    if crate::device::is_on_card(&running.mean) {
        return on_cards::moved_statistics(running, batch, momentum);
    }
    let moved = |running: Tensor<1>, batch: Tensor<1>| {
        (running.mul_scalar(1.0 - momentum) + batch.mul_scalar(momentum)).detach()
    };
    BatchStatistics {
        mean: moved(running.mean, batch.mean),
        variance: moved(running.variance, batch.variance),
    }
}

#[cfg(feature = "cube")]
mod on_cards {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, backend_extension};
    use burn::tensor::Tensor;
    use burn_cubecl::CubeBackend;

    use crate::batch_norm::BatchStatistics;
    use crate::cube::running_statistics::moved;

    #[backend_extension(Cube, Fusion)]
    pub(super) trait MoveStatistics: Backend {
        #[fusion(meta = |mean, variance, _mean_of_batch, _variance_of_batch, _momentum| {
            (mean.clone(), variance.clone())
        })]
        fn backburn_moved_statistics(
            mean: FloatTensor<Self>,
            variance: FloatTensor<Self>,
            mean_of_batch: FloatTensor<Self>,
            variance_of_batch: FloatTensor<Self>,
            momentum: f32,
        ) -> (FloatTensor<Self>, FloatTensor<Self>);
    }

    impl MoveStatistics for CubeBackend {
        fn backburn_moved_statistics(
            mean: FloatTensor<Self>,
            variance: FloatTensor<Self>,
            mean_of_batch: FloatTensor<Self>,
            variance_of_batch: FloatTensor<Self>,
            momentum: f32,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            moved([mean, variance], [mean_of_batch, variance_of_batch], momentum).into()
        }
    }

    pub(super) fn moved_statistics(
        running: BatchStatistics,
        batch: BatchStatistics,
        momentum: f64,
    ) -> BatchStatistics {
        let is_recording = running.mean.device().is_autodiff();
        let of = |tensor: Tensor<1>| tensor.without_autodiff().into_dispatch();
        let (mean, variance) = Dispatch::backburn_moved_statistics(
            of(running.mean),
            of(running.variance),
            of(batch.mean),
            of(batch.variance),
            momentum as f32,
        );
        let back = |tensor| {
            let tensor = Tensor::from_dispatch(tensor);
            if is_recording { tensor.autodiff() } else { tensor }
        };
        BatchStatistics { mean: back(mean), variance: back(variance) }
    }
}
