//! A network, a regularizer and images that are none of ours are trained as ours are.

#[path = "../../crates/training/examples/own_model.rs"]
mod own_model;

#[test]
fn a_model_of_ones_own_learns_images_of_ones_own() {
    let (losses, accuracy) = own_model::run().unwrap();
    // Twenty batches an epoch, each heard of once.
    assert_eq!(losses.len(), 5 * 20);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..20]), mean(&losses[80..]));
    assert!(last < 0.5 * first, "{first} to {last}");
    assert!(accuracy > 0.9, "{accuracy}");
}
