//! Parts of a network that are trained in another way than the rest: by another rule, at another rate, with
//! another weight decay, or not at all.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_models::{ParameterSlot, Role};
use backburn_regularization::{DecayMode, DecayedParameters, WeightDecay};
use serde::{Deserialize, Serialize};

use crate::optimize::rule::OptimizerConfig;

/// The parameters that a filter chooses, and how they are trained.
///
/// A parameter belongs to the first group whose filter chooses it; one that no group chooses is trained as the
/// recipe says of all. What PyTorch's optimizers call `param_groups`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// The module or parameter, as `model.safetensors` names it: `stages.1` chooses `stages.1.0.conv1.weight`,
    /// and not `stages.10.0.conv1.weight`. Every one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What a parameter is to its layer. Any if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ParameterSlot>,
    /// Turns their gradients into steps; the recipe's optimizer if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<OptimizerConfig>,
    /// Learning rate of the parameters as a multiple of the recipe's; positive.
    #[serde(default = "same_rate")]
    pub rate_factor: f64,
    /// Weight decay of the group's own, which acts on every parameter of the group: biases and batch
    /// normalization decay too if the group chooses them. The recipe's if not given, with its choice of what
    /// decays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<GroupDecay>,
    /// Whether they stay as they are: no step, no decay, and no part in the norm of the gradients. Running
    /// statistics of batch normalization are no parameters, and go on.
    #[serde(default)]
    pub training: GroupTraining,
}

/// Weight decay of all parameters of a group, whatever they are to their layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDecay {
    /// λ, at least 0; 0 is none.
    pub strength: f64,
    /// Way of the decay: through the gradient or beside it; the recipe's if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DecayMode>,
}

/// Whether a group's parameters are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupTraining {
    /// The parameters are trained.
    #[default]
    On,
    /// The parameters stay as they are.
    Frozen,
}

fn same_rate() -> f64 {
    1.0
}

impl Default for ParameterGroup {
    fn default() -> Self {
        Self {
            path: None,
            role: None,
            optimizer: None,
            rate_factor: same_rate(),
            weight_decay: None,
            training: GroupTraining::On,
        }
    }
}

impl ParameterGroup {
    /// The group of everything below `path`, trained as the rest.
    pub fn of(path: &str) -> Self {
        Self { path: Some(path.to_owned()), ..Self::default() }
    }

    /// The same parameters, as they are.
    #[must_use]
    pub fn frozen(self) -> Self {
        Self { training: GroupTraining::Frozen, ..self }
    }

    /// Whether a parameter belongs to it.
    pub fn chooses(&self, name: &str, role: Role) -> bool {
        let is_below = self.path.as_ref().is_none_or(|path| {
            name.strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        is_below && self.role.is_none_or(|slot| slot.includes(role))
    }

    /// Whether it is what `--freeze` makes: a part that is frozen and nothing else.
    pub(crate) fn is_frozen_part(&self) -> bool {
        self.path.as_ref().is_some_and(|path| *self == Self::of(path).frozen())
    }

    /// Weight decay of its parameters, where that of the recipe is `of_recipe`.
    pub fn decay(&self, of_recipe: WeightDecay) -> WeightDecay {
        match self.weight_decay {
            None => of_recipe,
            Some(GroupDecay { strength, mode }) => {
                let mode = mode.unwrap_or(of_recipe.mode);
                WeightDecay { strength, mode, parameters: DecayedParameters::All }
            }
        }
    }

    /// Checks that a recipe's groups say what becomes of a network's `parameters`: each chooses some that none
    /// before it has chosen, and some parameter is trained.
    ///
    /// # Errors
    ///
    /// The first group that chooses nothing, or that all is frozen.
    pub fn check_choices(groups: &[Self], parameters: &[(String, Role)]) -> Result<(), String> {
        let trained: Vec<_> = parameters.iter().filter(|(_, role)| role.is_trained()).collect();
        let mut left = trained.clone();
        let mut frozen = 0;
        for (number, group) in (1..).zip(groups) {
            let before = left.len();
            left.retain(|(name, role)| !group.chooses(name, *role));
            let chosen = before - left.len();
            if chosen == 0 {
                let mut modules: Vec<&str> = Vec::new();
                for (name, _) in &trained {
                    let module = name.split('.').next().unwrap_or(name);
                    if !modules.contains(&module) {
                        modules.push(module);
                    }
                }
                let modules = modules.join(", ");
                return Err(match &group.path {
                    Some(path) if group.is_frozen_part() => format!(
                        "`--freeze`: expected a part of the network that is in no group before \
                         it, found `{path}`; the modules are {modules}, and parameters are named \
                         as in model.safetensors; `--freeze none` freezes nothing"
                    ),
                    path => format!(
                        "`groups`: number {number}{} chooses no parameter that is not in a group \
                         before it; the network's modules are {modules}, and its parameters are \
                         named as in model.safetensors; for another network take a recipe without \
                         groups",
                        path.as_ref().map(|path| format!(", `{path}`,")).unwrap_or_default(),
                    ),
                });
            }
            frozen += if group.training == GroupTraining::Frozen { chosen } else { 0 };
        }
        if frozen == trained.len() && frozen > 0 {
            return Err("`groups`: expected some parameter to be trained, found all frozen".into());
        }
        Ok(())
    }

    /// # Errors
    ///
    /// If a setting is outside its range: its name, the range and what was found.
    pub fn check(&self) -> Result<(), String> {
        let factor = self.rate_factor;
        if !(factor > 0.0 && factor.is_finite()) {
            return Err(format!(
                "`groups.rate_factor`: expected a positive number, found {factor}; parameters that \
                 should stay as they are have `training = \"frozen\"`"
            ));
        }
        if let Some(GroupDecay { strength, .. }) = self.weight_decay
            && !(strength >= 0.0 && strength.is_finite())
        {
            return Err(format!(
                "`groups.weight_decay.strength`: expected at least 0, found {strength}"
            ));
        }
        self.optimizer.as_ref().map_or(Ok(()), OptimizerConfig::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_chooses_what_is_below_it_and_nothing_that_only_begins_like_it() {
        let group = ParameterGroup::of("stages.1");
        assert!(group.chooses("stages.1.0.conv1.weight", Role::Weight));
        assert!(group.chooses("stages.1", Role::Weight));
        assert!(!group.chooses("stages.10.0.conv1.weight", Role::Weight));
        assert!(!group.chooses("stem.stages.1", Role::Weight));
    }

    #[test]
    fn a_role_chooses_everywhere_and_both_filters_must_agree() {
        let norms = ParameterGroup { role: Some(ParameterSlot::Norm), ..ParameterGroup::default() };
        assert!(norms.chooses("a.weight", Role::NormScale) && norms.chooses("b", Role::NormShift));
        assert!(!norms.chooses("a.weight", Role::Weight));
        let scales = ParameterSlot::NormScale;
        let scales = ParameterGroup { role: Some(scales), ..ParameterGroup::default() };
        assert!(scales.chooses("a.weight", Role::NormScale));
        assert!(!scales.chooses("a.bias", Role::NormShift) && !scales.chooses("b", Role::Weight));
        assert!(ParameterSlot::NormShift.includes(Role::NormShift));
        assert!(!ParameterSlot::NormShift.includes(Role::NormScale));
        let both = ParameterGroup { role: Some(ParameterSlot::Bias), ..ParameterGroup::of("head") };
        assert!(
            both.chooses("head.bias", Role::Bias) && !both.chooses("head.weight", Role::Weight)
        );
        assert!(!both.chooses("stem.bias", Role::Bias));
    }

    #[test]
    fn a_decay_of_its_own_acts_on_all_parameters_in_the_recipes_mode_unless_it_names_one() {
        let of_recipe =
            WeightDecay { strength: 0.1, mode: DecayMode::Decoupled, ..WeightDecay::default() };
        assert_eq!(ParameterGroup::default().decay(of_recipe), of_recipe);
        for (mode, expected) in [
            (None, DecayMode::Decoupled),
            (Some(DecayMode::Coupled), DecayMode::Coupled),
            (Some(DecayMode::Decoupled), DecayMode::Decoupled),
        ] {
            let weight_decay = Some(GroupDecay { strength: 0.5, mode });
            let decay = ParameterGroup { weight_decay, ..Default::default() }.decay(of_recipe);
            let parameters = DecayedParameters::All;
            assert_eq!(decay, WeightDecay { strength: 0.5, mode: expected, parameters });
        }
        for strength in [-0.1, f64::NAN, f64::INFINITY] {
            let weight_decay = Some(GroupDecay { strength, mode: None });
            let group = ParameterGroup { weight_decay, ..Default::default() };
            let message = group.check().unwrap_err();
            assert!(message.contains("`groups.weight_decay.strength`: expected at least 0"));
        }
    }

    #[test]
    fn rates_that_train_nothing_are_refused_with_the_cure() {
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let group = ParameterGroup { rate_factor: factor, ..ParameterGroup::default() };
            assert!(group.check().unwrap_err().contains("frozen"), "{factor}");
        }
    }
}
