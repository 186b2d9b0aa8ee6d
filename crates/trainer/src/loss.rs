//! What training minimizes.

use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::{Tensor, assert_shape};

/// Cross-entropy between logits and target distributions: batch mean, in nats.
///
/// # Shapes
///
/// - `logits`, `targets`: `[batch, classes]`; each row of `targets` sums to 1
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    assert_shape!(targets, [batch, classes]);
    cross_entropy_with_logits(logits, targets)
}
