//! Parts of a network that are trained by another rule, at another rate, or not at all.

use std::collections::BTreeMap;

use backburn_data::SplitSize;
use backburn_models::{MlpConfig, ModelConfig, ParameterSlot, parameters};
use backburn_regularization::{DecayMode, WeightDecay};
use backburn_tests::{assert_close, formula, training_device};
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use backburn_training::optimize::parameter_group::{GroupDecay, GroupTraining, ParameterGroup};
use backburn_training::optimize::schedule::Schedule;
use backburn_training::prepare::Prepared;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::run_folder::checkpoint;
use backburn_training::session_error::SessionError;
use backburn_training::setup::Setup;
use backburn_training::state::State;
use backburn_training::train::{no_save, train};
use backburn_training::watch::Silent;
use burn::module::Module;
use burn::tensor::Device;
use serde::Deserialize;

type ByName = BTreeMap<String, Vec<f32>>;

fn recipe(groups: Vec<ParameterGroup>) -> Recipe {
    let mut recipe = built_in("digits").unwrap();
    let hidden = vec![8, 6];
    recipe.model = ModelConfig::Mlp(MlpConfig { hidden, dropout: 0.0, batch_norm: true });
    recipe.optimizer = OptimizerConfig::Sgd;
    recipe.schedule = Schedule::Constant;
    recipe.weight_decay = WeightDecay::default();
    (recipe.train_size, recipe.valid_size) = (Some(SplitSize::Count(40)), SplitSize::Count(10));
    (recipe.batch_size, recipe.epochs, recipe.learning_rate) = (40, 1, 0.01);
    recipe.groups = groups;
    recipe.check().unwrap();
    recipe
}

fn weights(state: &State) -> ByName {
    let tensors = parameters::export(&state.network().valid());
    tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect()
}

/// The weights before and after a training, and its checkpoints.
fn trained(recipe: &Recipe, from: Option<&[u8]>) -> (ByName, ByName, Vec<Vec<u8>>) {
    let prepared = Prepared::load(recipe, &mut |_| {}).unwrap();
    let setup = Setup::new(recipe, &prepared, 1).unwrap();
    let mut state = State::new(recipe, &prepared, &Device::flex()).unwrap();
    if let Some(bytes) = from {
        checkpoint::restore(&mut state, bytes).unwrap();
    }
    let (before, mut saved) = (weights(&state), Vec::new());
    let mut save = |state: &State, _: &[f64]| -> Result<(), SessionError> {
        saved.push(checkpoint::to_bytes(state)?);
        Ok(())
    };
    train(&setup, &mut state, &mut Silent, &mut save).unwrap();
    (before, weights(&state), saved)
}

/// How each value has changed in one step.
fn change(recipe: &Recipe) -> ByName {
    let (before, after, _) = trained(recipe, None);
    let moved = |(name, now): (&String, &Vec<f32>)| {
        let by = now.iter().zip(&before[name]).map(|(now, then)| now - then).collect();
        (name.clone(), by)
    };
    after.iter().map(moved).collect()
}

fn is_running(name: &str) -> bool {
    name.contains("running")
}

#[test]
fn a_rate_of_its_own_scales_the_step_of_a_group_and_of_nothing_else() {
    let plain = change(&recipe(Vec::new()));
    let group = ParameterGroup { rate_factor: 0.5, ..ParameterGroup::of("hidden.0") };
    let scaled = change(&recipe(vec![group]));
    for (name, by) in plain.iter().filter(|(name, _)| !is_running(name)) {
        let factor = if name.starts_with("hidden.0.") { 0.5 } else { 1.0 };
        for (plain, scaled) in by.iter().zip(&scaled[name]) {
            let expected = factor * plain;
            // A step is rounded when it is added to its weight.
            assert!((scaled - expected).abs() < 1e-6, "{name}: {scaled}, expected {expected}");
        }
    }
    assert!(plain["hidden.0.weight"].iter().any(|by| by.abs() > 1e-4));
}

#[test]
fn what_is_frozen_stays_as_it_is_though_it_decays_and_the_rest_learns() {
    let mut recipe = recipe(vec![ParameterGroup::of("hidden").frozen()]);
    recipe.weight_decay.strength = 0.1;
    let change = change(&recipe);
    for (name, by) in change.iter().filter(|(name, _)| !is_running(name)) {
        let moves = by.iter().any(|by| *by != 0.0);
        assert_eq!(moves, !name.starts_with("hidden."), "{name}");
    }
}

#[test]
fn what_is_frozen_is_evaluated_as_it_is_though_weights_are_averaged() {
    let mut recipe = recipe(vec![ParameterGroup::of("hidden").frozen()]);
    (recipe.ema, recipe.lookahead) = (Some(0.9), "k=1,alpha=0.3".parse().ok());
    (recipe.batch_size, recipe.epochs) = (10, 2);
    let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
    let setup = Setup::new(&recipe, &prepared, 1).unwrap();
    let mut state = State::new(&recipe, &prepared, &Device::flex()).unwrap();
    let before = weights(&state);
    train(&setup, &mut state, &mut Silent, &mut no_save).unwrap();
    for tensor in parameters::export(&state.evaluation_copy()) {
        if !is_running(&tensor.name) {
            let stays = tensor.values == before[&tensor.name];
            assert_eq!(stays, tensor.name.starts_with("hidden."), "{}", tensor.name);
        }
    }
}

#[test]
fn frozen_gradients_are_no_part_of_the_norm_that_is_clipped() {
    let norm = |groups| {
        let recipe = Recipe { clip_norm: Some(1e-3), ..recipe(groups) };
        let change = change(&recipe);
        let moved = change.iter().filter(|(name, _)| name.starts_with("head."));
        moved.flat_map(|(_, by)| by).map(|by| f64::from(by.powi(2))).sum::<f64>().sqrt()
    };
    let all = ["hidden", "norms"].map(ParameterGroup::of);
    let frozen = all.map(ParameterGroup::frozen).to_vec();
    // A step of the head alone has the whole norm: the rate times the limit.
    assert!((norm(frozen) / (0.01 * 1e-3) - 1.0).abs() < 0.05);
    assert!(norm(Vec::new()) < 0.9 * 0.01 * 1e-3);
}

#[test]
fn the_first_group_that_chooses_a_parameter_counts() {
    let biases = ParameterGroup {
        role: Some(ParameterSlot::Bias),
        rate_factor: 2.0,
        ..ParameterGroup::default()
    };
    let rest = ParameterGroup::default().frozen();
    let groups = vec![biases, rest];
    let change = change(&recipe(groups));
    assert!(change["head.bias"].iter().any(|by| *by != 0.0));
    assert!(change["head.weight"].iter().all(|by| *by == 0.0));
}

#[test]
fn a_resumed_training_with_groups_ends_like_one_that_was_not_interrupted() {
    let adam = OptimizerConfig::named("adam");
    let mut recipe = recipe(vec![
        ParameterGroup { optimizer: adam, rate_factor: 0.3, ..ParameterGroup::of("head") },
        ParameterGroup::of("hidden.1").frozen(),
    ]);
    recipe.optimizer = OptimizerConfig::named("momentum").unwrap();
    (recipe.batch_size, recipe.epochs) = (10, 3);
    let (_, whole, saved) = trained(&recipe, None);
    let (_, resumed, _) = trained(&recipe, Some(&saved[0]));
    assert_eq!(resumed, whole);
    let other = Recipe { groups: Vec::new(), ..recipe.clone() };
    let prepared = Prepared::load(&other, &mut |_| {}).unwrap();
    let mut state = State::new(&other, &prepared, &Device::flex()).unwrap();
    let error = checkpoint::restore(&mut state, &saved[0]).unwrap_err().to_string();
    assert!(error.contains("groups"), "{error}");
}

#[test]
fn a_training_with_groups_by_role_is_resumed_whatever_the_role() {
    let norms = [ParameterSlot::Norm, ParameterSlot::NormScale, ParameterSlot::NormShift];
    for role in [ParameterSlot::Weight, ParameterSlot::Bias].into_iter().chain(norms) {
        for training in [GroupTraining::On, GroupTraining::Frozen] {
            let optimizer = Some(OptimizerConfig::Sgd);
            let weight_decay = Some(GroupDecay { strength: 0.1, mode: None });
            let role_only = ParameterGroup { role: Some(role), ..Default::default() };
            let group = ParameterGroup { optimizer, weight_decay, training, ..role_only };
            let mut recipe = recipe(vec![group]);
            recipe.optimizer = OptimizerConfig::named("adam").unwrap();
            (recipe.batch_size, recipe.epochs) = (10, 2);
            let (_, whole, saved) = trained(&recipe, None);
            let (_, resumed, _) = trained(&recipe, Some(&saved[0]));
            assert_eq!(resumed, whole, "{role:?} {training:?}");
        }
    }
}

#[test]
fn groups_that_choose_nothing_or_freeze_everything_are_refused() {
    let refused = |groups| {
        let recipe = recipe(groups);
        let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
        State::new(&recipe, &prepared, &Device::flex()).unwrap_err().to_string()
    };
    let typo = refused(vec![ParameterGroup::of("head"), ParameterGroup::of("hiden")]);
    assert!(
        typo.contains("number 2") && typo.contains("modules are hidden, norms, head"),
        "{typo}"
    );
    let behind = refused(vec![ParameterGroup::of("hidden"), ParameterGroup::of("hidden.0")]);
    assert!(behind.contains("number 2"), "{behind}");
    assert!(refused(vec![ParameterGroup::default().frozen()]).contains("found all frozen"));
    let mut recipe = recipe(vec![ParameterGroup {
        optimizer: OptimizerConfig::named("adamw"),
        ..ParameterGroup::of("head")
    }]);
    recipe.weight_decay.strength = 0.1;
    assert!(recipe.check().unwrap_err().to_string().contains("decoupled"));
}

/// A case of `tests/pytorch/parameter_groups.py`, in double precision.
#[derive(Deserialize)]
struct Reference {
    optimizer: OptimizerConfig,
    learning_rate: f64,
    weight_decay: WeightDecay,
    groups: Vec<ParameterGroup>,
    steps: usize,
    parameters: BTreeMap<String, Vec<f64>>,
}

#[test]
fn groups_of_their_own_decay_lead_where_pytorchs_param_groups_lead() {
    let cases = include_str!("../reference/parameter_groups.json");
    let cases: Vec<Reference> = serde_json::from_str(cases).unwrap();
    for (number, case) in (1..).zip(cases) {
        let config = MlpConfig { hidden: vec![3], dropout: 0.0, batch_norm: true };
        let network = ModelConfig::Mlp(config).init([1, 1, 4], 2, &training_device()).unwrap();
        let mut network = formula::fill(network);
        let mut optimizer =
            Optimizer::new(case.optimizer, case.weight_decay).with_groups(case.groups);
        for step in 0..case.steps {
            let gradients = formula::gradients(&network, step);
            network = optimizer.step(network, gradients, case.learning_rate);
        }
        let mut compared = 0;
        for tensor in parameters::export(&network.valid()) {
            let Some(expected) = case.parameters.get(&tensor.name) else { continue };
            assert_eq!(tensor.values.len(), expected.len(), "{}", tensor.name);
            for (&found, &expected) in tensor.values.iter().zip(expected) {
                let what = format!("case {number}: {}", tensor.name);
                assert_close(&what, f64::from(found), expected, 1e-6, 1e-7);
            }
            compared += 1;
        }
        assert_eq!(compared, case.parameters.len());
    }
}

#[test]
fn a_decay_of_its_own_may_have_another_mode_than_the_recipes() {
    let adamw = OptimizerConfig::named("adamw");
    let with = |mode| {
        let weight_decay = Some(GroupDecay { strength: 0.1, mode });
        let group = ParameterGroup { optimizer: adamw, weight_decay, ..Default::default() };
        let mut recipe = recipe(Vec::new());
        recipe.groups = vec![group];
        recipe.weight_decay = WeightDecay { strength: 0.1, ..WeightDecay::default() };
        recipe.check()
    };
    assert_eq!(with(Some(DecayMode::Decoupled)), Ok(()));
    for mode in [None, Some(DecayMode::Coupled)] {
        assert!(with(mode).unwrap_err().to_string().contains("or that of a group, to `decoupled`"));
    }
}

#[test]
fn groups_are_written_to_recipes_and_read_back() {
    let text = "\n[[groups]]\npath = \"conv1\"\ntraining = \"frozen\"\n\n[[groups]]\nrole = \
        \"bias\"\nrate_factor = 2.0\noptimizer = { name = \"sgd\" }\n\n[[groups]]\nrole = \
        \"norm-scale\"\nweight_decay = { strength = 5e-4 }\n\n[[groups]]\nrole = \"norm-shift\"\n\
        weight_decay = { strength = 0.0, mode = \"coupled\" }\n";
    let plain = built_in("digits").unwrap();
    let recipe = Recipe::parse(&(plain.to_toml() + text), "test").unwrap();
    assert_eq!(recipe.groups.len(), 4);
    let decays = recipe.groups.iter().map(|group| group.weight_decay);
    let mode = Some(DecayMode::Coupled);
    let of_shifts = Some(GroupDecay { strength: 0.0, mode });
    let of_scales = Some(GroupDecay { strength: 5e-4, mode: None });
    assert_eq!(decays.collect::<Vec<_>>(), [None, None, of_scales, of_shifts]);
    let misplaced = plain.to_toml()
        + "\n[[groups]]\nweight_decay = { strength = 0.1, parameters = \"weights\" }\n";
    let message = Recipe::parse(&misplaced, "test").unwrap_err().to_string();
    assert!(message.contains("unknown field `parameters`"), "{message}");
    assert_eq!(recipe.groups[0], ParameterGroup::of("conv1").frozen());
    assert_eq!(recipe.groups[1].optimizer, Some(OptimizerConfig::Sgd));
    assert_eq!(Recipe::parse(&recipe.to_toml(), "again").unwrap(), recipe);
    assert!(!plain.to_toml().contains("groups"), "old recipes stay as they are");
}
