//! How many images are searched, and from which similarity on.

use crate::image_set::ImageSet;
use crate::near_copies::error::NearCopiesError;

/// Most images of a set that are compared all with each other, which takes a minute or two on two cores.
pub const MOST_WITHIN: usize = 60_000;

/// Most pairs of images that are compared.
pub const MOST_PAIRS: u64 = (MOST_WITHIN * MOST_WITHIN) as u64;

pub(super) fn check_between(
    images: &ImageSet,
    others: &ImageSet,
    threshold: f64,
) -> Result<(), NearCopiesError> {
    check_threshold(threshold)?;
    if images.shape() != others.shape() {
        let (images, others) = (images.shape(), others.shape());
        return Err(NearCopiesError::Shapes { images, others });
    }
    let (images, others) = (images.len(), others.len());
    match (images as u64).saturating_mul(others as u64) > MOST_PAIRS {
        true => Err(NearCopiesError::TooManyPairs { images, others, most: MOST_PAIRS }),
        false => Ok(()),
    }
}

pub(super) fn check_within(set: &ImageSet, threshold: f64) -> Result<(), NearCopiesError> {
    check_threshold(threshold)?;
    match set.len() > MOST_WITHIN {
        true => Err(NearCopiesError::TooMany { images: set.len(), most: MOST_WITHIN }),
        false => Ok(()),
    }
}

fn check_threshold(threshold: f64) -> Result<(), NearCopiesError> {
    match threshold > 0.0 && threshold <= 1.0 {
        true => Ok(()),
        false => Err(NearCopiesError::Threshold { found: threshold }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::ImageShape;

    fn set(images: usize, width: usize) -> ImageSet {
        let shape = ImageShape { channels: 1, height: 1, width };
        ImageSet::new(shape, 2, vec![0; images * width], vec![0; images]).unwrap()
    }

    #[test]
    fn a_set_that_is_too_large_is_refused_with_its_size_and_the_limit() {
        assert_eq!(check_within(&set(60_000, 1), 0.95), Ok(()));
        let error = check_within(&set(60_001, 1), 0.95).unwrap_err().to_string();
        assert!(error.contains("at most 60000 images") && error.contains("found 60001"), "{error}");
        let error = check_between(&set(60_001, 1), &set(60_000, 1), 0.95).unwrap_err().to_string();
        assert!(error.contains("3600000000 pairs") && error.contains("60001 × 60000"), "{error}");
    }

    #[test]
    fn a_threshold_that_is_no_similarity_is_refused() {
        for threshold in [0.0, -0.5, 1.01, f64::NAN] {
            let error = check_within(&set(1, 1), threshold).unwrap_err();
            assert!(matches!(error, NearCopiesError::Threshold { .. }), "{error}");
        }
    }

    #[test]
    fn images_of_two_shapes_are_refused() {
        let error = check_between(&set(1, 1), &set(1, 2), 0.95).unwrap_err().to_string();
        assert!(error.contains("expected images of 1x1x2") && error.contains("found 1x1x1"));
    }
}
