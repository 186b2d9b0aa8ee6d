//! Labels and networks by formula, the same here and in `tests/pytorch/formula.py`.

use backburn_models::{NamedTensor, Role, parameters};
use burn::module::Module;

pub use crate::values::values;

/// Labels of a batch, below `classes`.
pub fn labels(count: usize, classes: usize) -> Vec<u16> {
    (0..count).map(|i| ((7 * i + 3) % classes) as u16).collect()
}

/// The network with the formula's values for all that is trained.
///
/// Weights are uniform in ±√(6 / fan_in), so that signals neither fade nor explode; biases and
/// shifts small, scales around 1. Running statistics stay as they are.
pub fn fill<M: Module>(network: M) -> M {
    let mut tensors = parameters::export(&network);
    tensors.iter_mut().filter(|tensor| tensor.role.is_trained()).for_each(fill_tensor);
    parameters::import(network, tensors).expect("a network takes its own tensors")
}

fn fill_tensor(tensor: &mut NamedTensor) {
    let (offset, factor) = match tensor.role {
        Role::Weight => {
            let inputs: usize = tensor.shape[1..].iter().product();
            (0.0, (6.0 / inputs as f64).sqrt())
        }
        Role::NormScale => (1.0, 0.25),
        _ => (0.0, 0.25),
    };
    let unit = values(&tensor.name, tensor.values.len());
    tensor.values = unit.into_iter().map(|u| (offset + f64::from(u) * factor) as f32).collect();
}
