//! Labels, networks and gradients by formula, the same here and in `tests/pytorch/formula.py`.

use backburn_models::{NamedTensor, Role, parameters};
use backburn_training::optimize::gradients::NamedGradients;
use backburn_training::optimize::named_weights::NamedWeights;
use burn::module::Module;
use burn::tensor::DType;

use crate::training_device;

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

/// Gradients of all that is trained, which depend on names and `step` alone; in `[-1, 1)`.
pub fn gradients<M: Module>(network: &M, step: usize) -> NamedGradients {
    let mut tensors = parameters::export(&network.valid());
    for tensor in &mut tensors {
        tensor.values = values(&format!("{} {step}", tensor.name), tensor.values.len());
    }
    // As weights of a network, so that they are laid out like them.
    let network = parameters::import(network.valid().train(), tensors);
    let network = network.expect("a network takes its own tensors");
    let rows = NamedWeights::trained(&network.valid()).export().into_iter();
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
    let rows = rows.map(|row| (row.name, wide(row.values))).collect();
    NamedGradients::from_values(&rows, &training_device().without_autodiff(), DType::F32)
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
