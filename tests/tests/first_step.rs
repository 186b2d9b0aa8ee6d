//! The first training step equals PyTorch's: loss and the gradient of every parameter, with batch
//! normalization in training mode.
//!
//! Reference: `tests/pytorch/first_step.py`, in double precision.

use std::collections::BTreeMap;

use backburn_models::ModelConfig;
use backburn_tests::{
    CLASSES, assert_close, formula, images, logits_and_loss, relative, training_device,
};
use backburn_training::optimize::gradients::NamedGradients;
use serde::Deserialize;

/// Tolerance of a loss, and of the norm of a gradient.
const TOLERANCE: f64 = 1e-4;

/// Share of a network's largest gradient norm that counts as zero: the bias of a convolution before
/// batch normalization has no influence, and rounding leaves it a gradient of about this size.
const NOTHING: f64 = 1e-6;

#[derive(Deserialize)]
struct Reference {
    model: ModelConfig,
    /// Images, channels, height, width.
    shape: [usize; 4],
    loss: f64,
    gradient_norms: BTreeMap<String, f64>,
}

#[test]
fn loss_and_gradients_of_the_first_step_are_those_of_pytorch() {
    let reference: Vec<Reference> =
        serde_json::from_str(include_str!("../reference/first_step.json")).unwrap();
    assert!(!reference.is_empty());
    for case in reference {
        compare(&case);
    }
}

fn compare(case: &Reference) {
    let name = case.model.name();
    let device = training_device();
    let [batch, image @ ..] = case.shape;
    let network = formula::fill(case.model.init(image, CLASSES, &device).unwrap());
    let labels = formula::labels(batch, CLASSES);
    let (_, loss) = logits_and_loss(&network, images(batch, image, &device), &labels);
    let norms = NamedGradients::gather(&network, loss.backward()).norms();
    let loss = f64::from(loss.into_scalar::<f32>());

    assert_close(name, loss, case.loss, TOLERANCE, 0.0);
    assert!(norms.keys().eq(case.gradient_norms.keys()), "{name}: other parameters");
    let largest = case.gradient_norms.values().copied().fold(0.0, f64::max);
    let mut furthest = 0.0_f64;
    for (parameter, &expected) in &case.gradient_norms {
        let found = norms[parameter];
        let what = format!("{name} {parameter}");
        assert_close(&what, found, expected, TOLERANCE, NOTHING * largest);
        if expected > NOTHING * largest {
            furthest = furthest.max(relative(found, expected));
        }
    }
    let loss_apart = relative(loss, case.loss);
    println!("{name}: loss within {loss_apart:.1e}, gradient norms within {furthest:.1e}");
}
