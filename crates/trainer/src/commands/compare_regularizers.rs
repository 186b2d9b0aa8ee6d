//! `backburn compare-regularizers`: every regularizer alone, a few together, and none.

use backburn_studies::arm_list;
use backburn_training::failure::Failure;

use crate::commands::compare_arms::{ArmsExperiment, CompareArgs, compare};

/// What all arms have in common: little data, a network that learns it by heart, the last weights, and
/// no regularizer.
fn experiment() -> ArmsExperiment {
    ArmsExperiment {
        subject: "regularizers",
        verb: "compare-regularizers",
        recipe: "small",
        arms: arm_list::regularizers(),
    }
}

/// Compares regularizers as the arguments say. `command`: the whole command line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn compare_regularizers(args: &CompareArgs, command: Vec<String>) -> Result<(), Failure> {
    compare(&experiment(), args, command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::train::TrainArgs;

    fn of_model(name: &str) -> CompareArgs {
        let mut args = CompareArgs::default();
        args.model = Some(name.into());
        args
    }

    /// The arms that cannot be compared, each with the reason.
    fn absent(args: &CompareArgs) -> Vec<(String, String)> {
        let (_, arms) = args.study_arms(&experiment(), 1).unwrap();
        arms.into_iter().filter_map(|arm| Some((arm.name, arm.recipe.err()?))).collect()
    }

    #[test]
    fn arms_that_do_not_apply_to_a_model_are_absent_with_the_reason() {
        let cnn = absent(&CompareArgs::default());
        assert_eq!(cnn.len(), 1, "{cnn:?}");
        assert!(cnn[0].0 == "stochastic-depth" && cnn[0].1.contains("the model `cnn`"), "{cnn:?}");
        let resnet = absent(&of_model("resnet20"));
        let names: Vec<&str> = resnet.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["spatial-dropout", "batch-norm"]);
        assert!(resnet[0].1.contains("does not apply to the model `resnet20`"), "{resnet:?}");
        assert!(resnet[1].1.contains("has it already"), "{resnet:?}");
    }

    #[test]
    fn another_model_starts_without_dropout_too() {
        let (mut base, _) = of_model("mlp").study_arms(&experiment(), 1).unwrap();
        assert_eq!(*base.model.dropout_mut(), 0.0);
    }

    #[test]
    fn the_command_of_an_arm_repeats_its_run() {
        for model in ["cnn", "resnet20"] {
            let (_, arms) = of_model(model).study_arms(&experiment(), 7).unwrap();
            assert_eq!(arms.len(), experiment().arms.len());
            for arm in arms {
                let Ok(recipe) = arm.recipe else { continue };
                let repeated = TrainArgs::from_words(&arm.command[3..]).unwrap();
                assert_eq!(repeated.recipe().unwrap().0, recipe, "{}", arm.name);
                assert_eq!(recipe.seed, 7);
            }
        }
    }
}
