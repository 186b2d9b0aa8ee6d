//! A network's parameters by name, on the host, in PyTorch's layout.
//!
//! Everything that addresses a parameter uses these names: initialization, gradients, optimizer
//! state, checkpoints and `model.safetensors`. They are the module path with the batch
//! normalization names of PyTorch (`weight` and `bias` for scale and shift), for example
//! `hidden.0.weight`, `stages.1.0.norm2.running_var`.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// What a tensor is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weight of a linear layer or a convolution.
    Weight,
    /// Bias of a linear layer or a convolution.
    Bias,
    /// Scale γ of batch normalization.
    NormScale,
    /// Shift β of batch normalization.
    NormShift,
    /// Running mean of batch normalization; not trained.
    RunningMean,
    /// Running variance of batch normalization; not trained.
    RunningVariance,
}

impl Role {
    /// Whether gradient descent changes the tensor.
    pub fn is_trained(self) -> bool {
        !matches!(self, Role::RunningMean | Role::RunningVariance)
    }
}

/// Roles that are chosen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterSlot {
    /// Weights of linear layers and convolutions.
    Weight,
    /// Biases of linear layers and convolutions.
    Bias,
    /// Scale and shift of batch normalization.
    Norm,
    /// Scale of batch normalization alone.
    NormScale,
    /// Shift of batch normalization alone.
    NormShift,
}

impl ParameterSlot {
    /// Whether it has this role.
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Weight => role == Role::Weight,
            Self::Bias => role == Role::Bias,
            Self::Norm => matches!(role, Role::NormScale | Role::NormShift),
            Self::NormScale => role == Role::NormScale,
            Self::NormShift => role == Role::NormShift,
        }
    }
}

/// A parameter or buffer on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Name in the PyTorch twin's `state_dict`.
    pub name: String,
    /// What it is to its layer.
    pub role: Role,
    /// PyTorch's shape: linear weights `[out, in]`, convolutions `[out, in, height, width]`.
    pub shape: Vec<usize>,
    /// Values, row by row.
    pub values: Vec<f32>,
}

/// Why weights do not fit a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The network has a tensor that the weights lack.
    #[error("the weights lack `{name}`; were they saved from another model?")]
    Missing {
        /// The tensor's name.
        name: String,
    },
    /// The weights have a tensor that the network lacks.
    #[error(
        "the weights hold `{name}`, which this model does not have; were they saved from another \
         model?"
    )]
    Unknown {
        /// The tensor's name.
        name: String,
    },
    /// Names agree, shapes do not.
    #[error(
        "`{name}`: expected shape {expected:?}, found {found:?}; were the weights saved from \
         another model?"
    )]
    Shape {
        /// The tensor's name.
        name: String,
        /// The network's shape.
        expected: Vec<usize>,
        /// The shape in the weights.
        found: Vec<usize>,
    },
}

/// Where a module traversal stands; turns Burn's paths into PyTorch's names.
#[derive(Debug, Default)]
pub struct Path {
    steps: Vec<(String, String)>,
}

impl Path {
    /// Call from `enter_module`.
    pub fn enter(&mut self, name: &str, container: &str) {
        self.steps.push((name.to_owned(), container.to_owned()));
    }

    /// Call from `exit_module`.
    pub fn exit(&mut self) {
        self.steps.pop();
    }

    /// The name of the parameter that is being visited.
    pub fn name(&self) -> String {
        let steps = self.steps.iter().filter(|(_, container)| !container.starts_with("Enum:"));
        let names: Vec<&str> = steps
            .map(|(name, container)| match (name.as_str(), container.as_str()) {
                ("gamma", "Struct:BatchNorm") => "weight",
                ("beta", "Struct:BatchNorm") => "bias",
                (name, _) => name,
            })
            .collect();
        names.join(".")
    }

    /// The role of the parameter that is being visited. In a layer that is none of those of our models, what is
    /// called `weight` is one, and everything else is trained as a bias is.
    pub fn role(&self) -> Role {
        let step = self.steps.last();
        match step.map_or(("", ""), |(name, container)| (container.as_str(), name.as_str())) {
            ("Struct:Linear" | "Struct:Conv2d", "weight") => Role::Weight,
            ("Struct:Linear" | "Struct:Conv2d", "bias") => Role::Bias,
            ("Struct:BatchNorm", "gamma") => Role::NormScale,
            ("Struct:BatchNorm", "beta") => Role::NormShift,
            ("Struct:BatchNorm", "running_mean") => Role::RunningMean,
            ("Struct:BatchNorm", "running_var") => Role::RunningVariance,
            (_, "weight") => Role::Weight,
            _ => Role::Bias,
        }
    }

    /// Type of the module that the parameter which is being visited is a field of, such as `Linear`.
    fn layer(&self) -> &str {
        let container = self.steps.last().map_or("", |(_, container)| container.as_str());
        container.split_once(':').map_or(container, |(_, name)| name)
    }

    /// The dimension of a weight that counts its layer's units or output channels.
    pub fn unit_dimension(&self) -> usize {
        usize::from(self.is_transposed())
    }

    /// Burn keeps linear weights as `[in, out]`, PyTorch as `[out, in]`.
    fn is_transposed(&self) -> bool {
        self.steps
            .last()
            .is_some_and(|(name, container)| container == "Struct:Linear" && name == "weight")
    }
}

/// Every parameter and buffer of `network`, in the order of its modules.
///
/// On a training network call it on `network.valid()`: only that gathers the running statistics of
/// the latest batches.
pub fn export<M: Module>(network: &M) -> Vec<NamedTensor> {
    struct Export {
        path: Path,
        tensors: Vec<NamedTensor>,
    }
    impl ModuleVisitor for Export {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            let mut shape = tensor.dims().to_vec();
            let mut values: Vec<f32> =
                tensor.into_data().try_to_vec().expect("parameters are 32-bit floats");
            if self.path.is_transposed() {
                values = transpose(&values, shape[0], shape[1]);
                shape.reverse();
            }
            let (name, role) = (self.path.name(), self.path.role());
            self.tensors.push(NamedTensor { name, role, shape, values });
        }
    }
    let mut visitor = Export { path: Path::default(), tensors: Vec::new() };
    network.visit(&mut visitor);
    visitor.tensors
}

/// The network with all its values replaced.
///
/// # Errors
///
/// If names or shapes differ from the network's.
pub fn import<M: Module>(network: M, tensors: Vec<NamedTensor>) -> Result<M, ImportError> {
    struct Import {
        path: Path,
        tensors: BTreeMap<String, NamedTensor>,
        error: Option<ImportError>,
    }
    impl Import {
        /// The values for the visited parameter in Burn's layout, if they fit.
        fn take(&mut self, mut shape: Vec<usize>) -> Result<TensorData, ImportError> {
            let name = self.path.name();
            let burn_shape = shape.clone();
            if self.path.is_transposed() {
                shape.reverse();
            }
            let Some(tensor) = self.tensors.remove(&name) else {
                return Err(ImportError::Missing { name });
            };
            if tensor.shape != shape {
                return Err(ImportError::Shape { name, expected: shape, found: tensor.shape });
            }
            let values = if self.path.is_transposed() {
                transpose(&tensor.values, shape[0], shape[1])
            } else {
                tensor.values
            };
            Ok(TensorData::new(values, burn_shape))
        }
    }
    impl ModuleMapper for Import {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.error.is_some() {
                return param;
            }
            match self.take(param.val().dims().to_vec()) {
                Ok(data) => param.map(|old| {
                    Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad())
                }),
                Err(error) => {
                    self.error = Some(error);
                    param
                }
            }
        }
    }
    let tensors = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    let mut mapper = Import { path: Path::default(), tensors, error: None };
    let network = network.map(&mut mapper);
    match (mapper.error, mapper.tensors.into_keys().next()) {
        (Some(error), _) => Err(error),
        (None, Some(name)) => Err(ImportError::Unknown { name }),
        (None, None) => Ok(network),
    }
}

/// The network without gradients of the parameters of these names: a backward pass spends no time on them, nor on anything
/// that only leads to them.
#[must_use]
pub fn freeze<M: Module>(network: M, names: &BTreeSet<String>) -> M {
    struct Freeze<'a> {
        path: Path,
        names: &'a BTreeSet<String>,
    }
    impl ModuleMapper for Freeze<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.names.contains(&self.path.name()) {
                param.set_require_grad(false)
            } else {
                param
            }
        }
    }
    network.map(&mut Freeze { path: Path::default(), names })
}

/// Name and role of every parameter and buffer of `network`, in the order of its modules. Nothing is read from
/// the device.
pub fn roles<M: Module>(network: &M) -> Vec<(String, Role)> {
    struct Roles {
        path: Path,
        found: Vec<(String, Role)>,
    }
    impl ModuleVisitor for Roles {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            self.found.push((self.path.name(), self.path.role()));
        }
    }
    let mut visitor = Roles { path: Path::default(), found: Vec::new() };
    network.visit(&mut visitor);
    visitor.found
}

/// A parameter or buffer without its values.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterOutline {
    /// Name in the PyTorch twin's `state_dict`.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// Type of the module that it is a field of, such as `Linear`.
    pub layer: String,
}

/// Every parameter and buffer of `network` without its values, in the order of its modules. Nothing is read from the
/// device.
pub fn outlines<M: Module>(network: &M) -> Vec<ParameterOutline> {
    struct Outlines {
        path: Path,
        found: Vec<ParameterOutline>,
    }
    impl ModuleVisitor for Outlines {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let mut shape = param.val().dims().to_vec();
            if self.path.is_transposed() {
                shape.reverse();
            }
            let (name, layer) = (self.path.name(), self.path.layer().to_owned());
            self.found.push(ParameterOutline { name, shape, layer });
        }
    }
    let mut visitor = Outlines { path: Path::default(), found: Vec::new() };
    network.visit(&mut visitor);
    visitor.found
}

/// Number of trained values.
pub fn count<M: Module>(network: &M) -> usize {
    struct Count {
        path: Path,
        values: usize,
    }
    impl ModuleVisitor for Count {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.path.role().is_trained() {
                self.values += param.val().dims().iter().product::<usize>();
            }
        }
    }
    let mut visitor = Count { path: Path::default(), values: 0 };
    network.visit(&mut visitor);
    visitor.values
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Classifier, LenetBnConfig, ModelConfig};
    use burn::tensor::Device;

    fn lenet() -> crate::Network {
        ModelConfig::LenetBn(LenetBnConfig::default())
            .init([1, 28, 28], 10, &Device::flex().autodiff())
            .unwrap()
    }

    fn numbered(mut tensors: Vec<NamedTensor>) -> Vec<NamedTensor> {
        let mut next = 0.0;
        for value in tensors.iter_mut().flat_map(|tensor| &mut tensor.values) {
            *value = next;
            next += 1.0;
        }
        tensors
    }

    #[test]
    fn names_are_those_of_the_pytorch_twin() {
        let names: Vec<String> = export(&lenet()).into_iter().map(|tensor| tensor.name).collect();
        assert_eq!(
            names[..6],
            [
                "conv1.weight",
                "conv1.bias",
                "norm1.weight",
                "norm1.bias",
                "norm1.running_mean",
                "norm1.running_var"
            ]
        );
        assert_eq!(names.last().unwrap(), "head.bias");
    }

    #[test]
    fn values_survive_import_and_export() {
        let values = numbered(export(&lenet()));
        let network = import(lenet(), values.clone()).unwrap();
        assert_eq!(export(&network), values);
    }

    #[test]
    fn linear_weights_are_exported_as_out_by_in() {
        let tensors = export(&lenet());
        let dense = tensors.iter().find(|tensor| tensor.name == "dense1.weight").unwrap();
        assert_eq!(dense.shape, [120, 256]);
    }

    #[test]
    fn weights_of_another_model_are_refused_by_name() {
        let mut tensors = export(&lenet());
        let last = tensors.pop().unwrap();
        let error = import(lenet(), tensors.clone()).unwrap_err();
        assert_eq!(error, ImportError::Missing { name: "head.bias".into() });
        tensors.push(NamedTensor { shape: vec![9], values: vec![0.0; 9], ..last.clone() });
        assert!(matches!(import(lenet(), tensors.clone()), Err(ImportError::Shape { .. })));
        *tensors.last_mut().unwrap() = last.clone();
        tensors.push(NamedTensor { name: "extra".into(), ..last });
        assert_eq!(
            import(lenet(), tensors).unwrap_err(),
            ImportError::Unknown { name: "extra".into() }
        );
    }

    #[test]
    fn what_is_frozen_has_no_gradient_and_neither_has_what_only_leads_to_it() {
        let device = Device::flex().autodiff();
        let names = |parts: &[&str]| -> BTreeSet<String> {
            let all = roles(&lenet()).into_iter().map(|(name, _)| name);
            all.filter(|name| parts.iter().any(|part| name.starts_with(part))).collect()
        };
        let with_gradient = |frozen: &BTreeSet<String>| -> BTreeSet<String> {
            struct Found<'a>(Path, &'a burn::tensor::Gradients, BTreeSet<String>);
            impl ModuleVisitor for Found<'_> {
                fn enter_module(&mut self, name: &str, container: &str) {
                    self.0.enter(name, container);
                }
                fn exit_module(&mut self, _name: &str, _container: &str) {
                    self.0.exit();
                }
                fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                    if param.val().grad(self.1).is_some() {
                        self.2.insert(self.0.name());
                    }
                }
            }
            let network = freeze(lenet(), frozen);
            let logits = network.forward(Tensor::ones([2, 1, 28, 28], &device));
            let gradients = logits.sum().backward();
            let mut found = Found(Path::default(), &gradients, BTreeSet::new());
            network.visit(&mut found);
            found.2
        };
        let trained: BTreeSet<String> = roles(&lenet())
            .into_iter()
            .filter(|(_, role)| role.is_trained())
            .map(|(name, _)| name)
            .collect();
        assert_eq!(with_gradient(&BTreeSet::new()), trained);
        for parts in [&["conv1", "norm1"][..], &["conv2"], &["dense1", "head.bias"]] {
            let frozen = names(parts);
            let left: BTreeSet<String> = trained.difference(&frozen).cloned().collect();
            assert_eq!(with_gradient(&frozen), left, "{parts:?}");
        }
    }

    #[test]
    fn running_statistics_are_not_counted() {
        // conv 6·25+6, norm 12, conv 16·6·25+16, norm 32, dense 256·120+120, 120·64+64, 64·10+10.
        let expected = 156 + 12 + 2416 + 32 + 30_840 + 7744 + 650;
        assert_eq!(count(&lenet()), expected);
    }
}
