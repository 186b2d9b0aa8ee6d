//! Test-time augmentation: the mean of what a network predicts for several [`Views`] of each image, or of those that it
//! is least sure of.

use std::sync::Arc;

use backburn_data::loader::LoaderError;
use backburn_data::normalization::FittedNormalization;
use backburn_data::{ImageSet, ImageShape};
use backburn_models::Classifier;
use burn::tensor::Device;

use super::predict::{BATCH_SIZE, ValidationPredictions, predict, predict_validation_by};
use super::predictions::{MeanPredictions, Predictions};
use crate::prepare::Prepared;
use crate::views::Views;

/// Pixels of the images that are moved and mirrored at a time, so that views of many images take no more memory than
/// those of few.
const CHUNK_PIXELS: usize = 16 << 20;

/// Images of a shape that are moved and mirrored at a time, at least a batch.
pub(crate) fn at_a_time(shape: ImageShape) -> usize {
    (CHUNK_PIXELS / shape.pixels().max(1)).max(BATCH_SIZE)
}

/// What a network predicts for images, asked once and in several views.
#[derive(Clone, Debug)]
pub struct ViewedPredictions<P = Predictions> {
    /// What it predicts for the images as they are.
    pub plain: P,
    /// The mean over the views; of images that the network is sure of, the plain prediction if that is what is asked.
    pub mean: P,
}

impl Views {
    /// What an evaluation copy of a network predicts for all views of the images, and for the images alone.
    ///
    /// If a share of the images is to be asked about, it is those whose most probable class is least probable for the
    /// image as it is; of equally sure ones the first.
    ///
    /// # Errors
    ///
    /// As [`predict`].
    ///
    /// # Panics
    ///
    /// If the views do not fit the images; see [`Views::check`].
    pub fn predict<N: Classifier>(
        self,
        network: &N,
        images: &Arc<ImageSet>,
        normalization: &FittedNormalization,
        device: &Device,
    ) -> Result<ViewedPredictions, LoaderError> {
        assert_eq!(self.check(images.shape()), Ok(()));
        let plain = predict(network, images, normalization, device)?;
        let mut viewed = plain.clone();
        let asked = plain.least_confident(self.asked_again(images.len()));
        for places in asked.chunks(at_a_time(images.shape())) {
            let few = images.select(places);
            let mut mean = MeanPredictions::of(self.mean());
            mean.add(plain.select(places));
            for view in self.list().into_iter().skip(1) {
                let shown = Arc::new(view.of(&few));
                mean.add(predict(network, &shown, normalization, device)?);
            }
            viewed.replace(places, &mean.finish());
        }
        Ok(ViewedPredictions { plain, mean: viewed })
    }

    /// The same for the validation split; `None` if no images are kept for it.
    ///
    /// # Errors
    ///
    /// As [`predict`].
    ///
    /// # Panics
    ///
    /// As [`Views::predict`].
    pub fn predict_validation<N: Classifier>(
        self,
        network: &N,
        prepared: &Prepared,
        device: &Device,
    ) -> Result<Option<ViewedPredictions<ValidationPredictions>>, LoaderError> {
        let viewed = predict_validation_by(prepared, |images| {
            let viewed = self.predict(network, images, &prepared.normalization, device)?;
            Ok([viewed.plain, viewed.mean])
        })?;
        Ok(viewed.map(|[plain, mean]| ViewedPredictions { plain, mean }))
    }
}

#[cfg(test)]
mod tests {
    use backburn_models::Network;

    use super::super::sample::{images, network, normalization};
    use super::*;

    fn predict_of(network: &Network, images: ImageSet) -> Predictions {
        predict(network, &Arc::new(images), &normalization(), &Device::flex()).unwrap()
    }

    fn viewed(network: &Network, views: &str) -> ViewedPredictions {
        let views: Views = views.parse().unwrap();
        views.predict(network, &images(), &normalization(), &Device::flex()).unwrap()
    }

    /// What a network predicts for each of the views.
    fn by_view(network: &Network, views: &str) -> Vec<Predictions> {
        let views: Views = views.parse().unwrap();
        views.list().into_iter().map(|view| predict_of(network, view.of(&images()))).collect()
    }

    #[test]
    fn the_prediction_is_the_mean_over_the_views() {
        let network = network("mlp", |_| ());
        for views in ["flip", "shift=1", "flip,diagonal=2", "flip,diagonal=1,border=reflect"] {
            let (found, all) = (viewed(&network, views), by_view(&network, views));
            for i in 0..images().len() {
                for class in 0..10 {
                    let sum: f64 = all.iter().map(|view| view.row(i)[class].exp()).sum();
                    let expected = sum / all.len() as f64;
                    assert!((found.mean.row(i)[class].exp() - expected).abs() < 1e-12, "{views}");
                }
                assert_eq!(found.plain.row(i), all[0].row(i));
            }
            assert_ne!(found.mean.scores(), found.plain.scores());
        }
    }

    #[test]
    fn the_mean_of_logits_is_the_geometric_one_of_the_probabilities() {
        let network = network("mlp", |_| ());
        let all = by_view(&network, "flip,diagonal=1");
        let found = viewed(&network, "flip,diagonal=1,mean=logits").mean;
        for i in 0..images().len() {
            let product = |class: usize| {
                let logarithms: f64 = all.iter().map(|view| view.row(i)[class]).sum();
                (logarithms / all.len() as f64).exp()
            };
            let total: f64 = (0..10).map(product).sum();
            for class in 0..10 {
                let expected = product(class) / total;
                assert!((found.row(i)[class].exp() - expected).abs() < 1e-12);
            }
        }
        let probabilities = viewed(&network, "flip,diagonal=1").mean;
        assert_ne!(found.scores(), probabilities.scores());
    }

    #[test]
    fn only_the_least_confident_images_are_asked_about_again() {
        let network = network("mlp", |_| ());
        let all = viewed(&network, "flip,diagonal=1");
        let some = viewed(&network, "flip,diagonal=1,least-confident=0.4");
        let confidence = |i: usize| all.plain.answer(i).1;
        let mut order: Vec<usize> = (0..30).collect();
        order.sort_by(|&a, &b| confidence(a).total_cmp(&confidence(b)));
        for (rank, i) in order.into_iter().enumerate() {
            let expected = if rank < 12 { all.mean.row(i) } else { all.plain.row(i) };
            for (found, expected) in some.mean.row(i).iter().zip(expected) {
                // Fewer images at a time may round differently.
                assert!((found - expected).abs() < 1e-5, "image {i}: {found} for {expected}");
            }
            assert_eq!(some.plain.row(i), all.plain.row(i));
        }
        let differing = |i: &usize| some.mean.row(*i) != all.plain.row(*i);
        assert_eq!((0..30).filter(differing).count(), 12);
    }

    #[test]
    fn a_shift_of_a_network_that_sees_one_colour_alone_changes_nothing() {
        // All views of images of one colour are the same, but for what is uncovered.
        let network = network("mlp", |_| ());
        let shape = images().shape();
        let pixels = (0..3 * shape.pixels()).map(|at| (at / shape.pixels() * 90) as u8).collect();
        let even = Arc::new(ImageSet::new(shape, 10, pixels, vec![0, 1, 2]).unwrap());
        let of = |views: &str| {
            let views: Views = views.parse().unwrap();
            views.predict(&network, &even, &normalization(), &Device::flex()).unwrap()
        };
        let reflected = of("flip,shift=2,border=reflect");
        for i in 0..3 {
            for (found, expected) in reflected.mean.row(i).iter().zip(reflected.plain.row(i)) {
                assert!((found - expected).abs() < 1e-12);
            }
        }
        let black = of("shift=2");
        assert_ne!(black.mean.row(2), black.plain.row(2));
    }

    #[test]
    #[should_panic(expected = "Size")]
    fn views_that_do_not_fit_are_a_mistake_of_our_own() {
        viewed(&network("mlp", |_| ()), "shift=16");
    }
}
