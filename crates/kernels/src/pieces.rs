//! How many images a forward pass takes at once best.

use burn::tensor::Tensor;

/// Pixels of images for each thread: 32 images of 32×32. Of a map of 16 channels that is 2 MiB, which a core's cache holds
/// until the next layer has read it. Measured, as `docs/performance.md` tells.
const PIXELS: usize = 32 * 1024;

/// The fewest images of a piece for each thread, however large they are: a layer's weights are read once a piece.
const FEWEST: usize = 4;

/// How many of a batch of images networks with convolutions take at once fastest, in an evaluation: few enough that a
/// layer's maps are still in the cache when the next one reads them, enough for all threads. All of them where our
/// kernels do not run.
///
/// Outputs of an image do not depend on it.
///
/// # Shapes
///
/// - `images`: `[batch, channels, height, width]`
pub fn images_at_once(images: &Tensor<4>) -> usize {
    let [batch, _, height, width] = images.dims();
    if !crate::device::is_ours(images) {
        return batch;
    }
    let each = (PIXELS / (height * width).max(1)).max(FEWEST);
    (each * rayon::current_num_threads()).min(batch)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn at_once(shape: [usize; 4]) -> usize {
        images_at_once(&Tensor::zeros(shape, &Device::flex()))
    }

    #[test]
    fn a_piece_has_fewer_images_the_larger_they_are_and_enough_for_all_threads() {
        let threads = rayon::current_num_threads();
        assert_eq!(at_once([4096, 3, 32, 32]), (32 * threads).min(4096));
        assert_eq!(at_once([4096, 3, 64, 64]), (8 * threads).min(4096));
        assert_eq!(at_once([1024, 1, 500, 400]), (4 * threads).min(1024));
        assert_eq!(at_once([3, 3, 32, 32]), 3);
    }
}
