//! Weights by parameter name, on the device: averaged, compared, put back.

use std::collections::{BTreeMap, BTreeSet};

use backburn_models::parameters::Path;
use backburn_models::{NamedTensor, Role};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// Tensors of a network as rows of numbers, by name.
#[derive(Clone, Debug, Default)]
pub struct NamedWeights {
    by_name: BTreeMap<String, Tensor<1>>,
}

impl NamedWeights {
    /// Every parameter and running statistic of an evaluation copy (`network.valid()`).
    pub fn all<M: Module>(network: &M) -> Self {
        Self::gather(network, |_| true)
    }

    /// What gradient descent changes, of an evaluation copy (`network.valid()`).
    pub fn trained<M: Module>(network: &M) -> Self {
        Self::gather(network, Role::is_trained)
    }

    fn gather<M: Module>(network: &M, wanted: fn(Role) -> bool) -> Self {
        struct Gather {
            path: Path,
            wanted: fn(Role) -> bool,
            by_name: BTreeMap<String, Tensor<1>>,
        }
        impl ModuleVisitor for Gather {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.path.enter(name, container);
            }
            fn exit_module(&mut self, _name: &str, _container: &str) {
                self.path.exit();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if (self.wanted)(self.path.role()) {
                    self.by_name.insert(self.path.name(), param.val().reshape([-1]));
                }
            }
        }
        let mut gather = Gather { path: Path::default(), wanted, by_name: BTreeMap::new() };
        network.visit(&mut gather);
        Self { by_name: gather.by_name }
    }

    /// The tensors of other names than these.
    #[must_use]
    pub fn without(mut self, names: &BTreeSet<String>) -> Self {
        self.by_name.retain(|name, _| !names.contains(name));
        self
    }

    /// Combines each tensor with the one of the same name in `other`.
    ///
    /// # Panics
    ///
    /// If `other` lacks one.
    #[must_use]
    pub fn combine(
        self,
        mut other: Self,
        combine: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>,
    ) -> Self {
        let pair = |(name, tensor): (String, Tensor<1>)| {
            let other = other.by_name.remove(&name).expect("both are of the same network");
            (name, combine(tensor, other))
        };
        Self { by_name: self.by_name.into_iter().map(pair).collect() }
    }

    /// Adds to each tensor what `moves` has under its name.
    #[must_use]
    pub fn shift(self, mut moves: BTreeMap<String, Tensor<1>>) -> Self {
        let moved = |(name, tensor): (String, Tensor<1>)| match moves.remove(&name) {
            Some(by) => (name, tensor + by),
            None => (name, tensor),
        };
        Self { by_name: self.by_name.into_iter().map(moved).collect() }
    }

    /// The network with these weights in place of its own; it keeps those that are not here.
    pub fn put_into<M: Module>(&self, network: M) -> M {
        struct Put<'a> {
            path: Path,
            weights: &'a NamedWeights,
        }
        impl ModuleMapper for Put<'_> {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.path.enter(name, container);
            }
            fn exit_module(&mut self, _name: &str, _container: &str) {
                self.path.exit();
            }
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let Some(weights) = self.weights.by_name.get(&self.path.name()) else {
                    return param;
                };
                param.map(|old| {
                    let new = weights.clone().reshape(old.dims());
                    if old.device().is_autodiff() { new.autodiff().require_grad() } else { new }
                })
            }
        }
        network.map(&mut Put { path: Path::default(), weights: self })
    }

    /// The weights on the host, for a checkpoint.
    pub fn export(&self) -> Vec<NamedTensor> {
        let row = |(name, tensor): (&String, &Tensor<1>)| {
            let values: Vec<f32> =
                tensor.clone().into_data().try_to_vec().expect("weights are 32-bit floats");
            let shape = vec![values.len()];
            NamedTensor { name: name.clone(), role: Role::Weight, shape, values }
        };
        self.by_name.iter().map(row).collect()
    }

    /// What [`NamedWeights::export`] gave, in place of what is here.
    ///
    /// # Errors
    ///
    /// The name of a tensor that is missing, unknown or of another length.
    pub fn restore(&mut self, tensors: Vec<NamedTensor>, device: &Device) -> Result<(), String> {
        let mut found: BTreeMap<String, Vec<f32>> =
            tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect();
        for (name, tensor) in &mut self.by_name {
            let [length] = tensor.dims();
            let values = found.remove(name).filter(|values| values.len() == length);
            let values = values.ok_or_else(|| name.clone())?;
            *tensor = Tensor::from_data(TensorData::new(values, [length]), device);
        }
        found.into_keys().next().map_or(Ok(()), Err)
    }
}
