//! `backburn compare-regularizers`: every regularizer alone, a few together, and none.

use backburn_training::failure::Failure;

use crate::commands::compare_arms::{ArmFlags, ArmsExperiment, CompareArgs, compare};

/// What all arms have in common: little data, a network that learns it by heart, the last weights, and
/// no regularizer.
static EXPERIMENT: ArmsExperiment = ArmsExperiment {
    subject: "regularizers",
    verb: "compare-regularizers",
    base: &["--recipe", "small"],
    arms: CATALOG,
};

/// Every arm, one row each; the others are compared with the first. Strengths are the usual ones of
/// the literature; a weaker dropout and a tighter max-norm stand beside and for those that are too
/// strong or too loose for so small a network. DisturbValue is not here: it needs another loss, whose
/// scores cannot be compared.
pub(crate) static CATALOG: &[ArmFlags] = &[
    ArmFlags { name: "none", summary: "no regularizer", flags: &[] },
    ArmFlags {
        name: "dropout",
        summary: "half of the activations dropped at random in training",
        flags: &["--dropout", "0.5"],
    },
    ArmFlags {
        name: "dropout-0.2",
        summary: "a fifth of the activations dropped at random in training",
        flags: &["--dropout", "0.2"],
    },
    ArmFlags {
        name: "spatial-dropout",
        summary: "a fifth of the channels dropped at random in training",
        flags: &["--spatial-dropout", "0.2"],
    },
    ArmFlags {
        name: "stochastic-depth",
        summary: "residual blocks skipped at random in training, the last every fifth time",
        flags: &["--stochastic-depth", "0.2"],
    },
    ArmFlags {
        name: "l1",
        summary: "absolute values of the weights in the loss",
        flags: &["--l1", "0.0001"],
    },
    ArmFlags {
        name: "l2",
        summary: "squared weights in the loss (coupled weight decay)",
        flags: &["--weight-decay", "0.001", "--decay-mode", "coupled"],
    },
    ArmFlags {
        name: "weight-decay",
        summary: "weights shrunk beside the gradient (decoupled, as in AdamW)",
        flags: &["--weight-decay", "0.1", "--decay-mode", "decoupled"],
    },
    ArmFlags {
        name: "max-norm",
        // The usual limit, 3, is one that no unit of so small a network reaches.
        summary: "weights into a unit of norm 1 at most",
        flags: &["--max-norm", "1"],
    },
    ArmFlags {
        name: "batch-norm",
        summary: "batch normalization after each hidden layer",
        flags: &["--batch-norm", "on"],
    },
    ArmFlags {
        name: "early-stopping",
        summary: "stop after 5 epochs without a lower validation loss, keep the lowest",
        flags: &["--early-stopping", "patience=5", "--keep", "best"],
    },
    ArmFlags {
        name: "ema",
        summary: "moving average of the weights, over about 100 steps",
        flags: &["--ema", "0.99"],
    },
    ArmFlags {
        name: "lookahead",
        summary: "slow weights that go half way to the fast ones every 5 steps",
        flags: &["--lookahead", "k=5,alpha=0.5"],
    },
    ArmFlags {
        name: "sam",
        summary: "sharpness-aware minimization: gradients from the worst point nearby",
        flags: &["--sam", "0.05"],
    },
    ArmFlags {
        name: "label-smoothing",
        summary: "a tenth of each label's probability spread over all classes",
        flags: &["--label-smoothing", "0.1"],
    },
    ArmFlags {
        name: "smoothing-others",
        summary: "a tenth of each label's probability spread over the other classes",
        flags: &["--label-smoothing", "0.1:others"],
    },
    ArmFlags {
        name: "disturb-label-10",
        summary: "10 percent of the labels redrawn in every batch",
        flags: &["--disturb-label", "10"],
    },
    ArmFlags {
        name: "disturb-label-20",
        summary: "20 percent of the labels redrawn in every batch",
        flags: &["--disturb-label", "20"],
    },
    ArmFlags {
        name: "mixup",
        summary: "pairs of images and labels blended",
        flags: &["--mixup", "0.2"],
    },
    ArmFlags {
        name: "cutmix",
        summary: "boxes of other images pasted, labels by area",
        flags: &["--cutmix", "1"],
    },
    ArmFlags {
        name: "shift",
        summary: "images shifted by up to 2 pixels",
        flags: &["--augment", "crop=2"],
    },
    ArmFlags {
        name: "rotate",
        summary: "images turned by up to 15 degrees",
        flags: &["--augment", "rotate=15"],
    },
    ArmFlags {
        name: "elastic",
        summary: "images distorted by a smooth random field",
        flags: &["--augment", "elastic"],
    },
    ArmFlags {
        name: "cutout",
        summary: "a square of 8 pixels of each image left out",
        flags: &["--augment", "cutout=8"],
    },
    ArmFlags {
        name: "erase",
        summary: "a random box of half of the images filled with noise",
        flags: &["--augment", "erase=0.5"],
    },
    ArmFlags {
        name: "rand-augment",
        summary: "two random augmentations for each image, at magnitude 9 of 30",
        flags: &["--augment", "randaugment=2:9"],
    },
    ArmFlags {
        name: "shift+dropout",
        summary: "shifted images and dropout of a fifth",
        flags: &["--augment", "crop=2", "--dropout", "0.2"],
    },
    ArmFlags {
        name: "shift+ema",
        summary: "shifted images and a moving average of the weights",
        flags: &["--augment", "crop=2", "--ema", "0.99"],
    },
    ArmFlags {
        name: "shift+ema+smoothing",
        summary: "shifted images, a moving average of the weights, label smoothing",
        flags: &["--augment", "crop=2", "--ema", "0.99", "--label-smoothing", "0.1"],
    },
    ArmFlags {
        name: "shift+dropout+decay",
        summary: "shifted images, dropout of a fifth, decoupled weight decay",
        flags: &[
            "--augment",
            "crop=2",
            "--dropout",
            "0.2",
            "--weight-decay",
            "0.1",
            "--decay-mode",
            "decoupled",
        ],
    },
];

/// Compares regularizers as the arguments say. `command`: the whole command line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn compare_regularizers(args: &CompareArgs, command: Vec<String>) -> Result<(), Failure> {
    compare(&EXPERIMENT, args, command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::compare_arms::{Change, changes};

    fn of_model(name: &str) -> CompareArgs {
        let mut args = CompareArgs::default();
        args.model = Some(name.into());
        args
    }

    fn absent(args: &CompareArgs) -> Vec<(&'static str, String)> {
        let (_, arms) = changes(&EXPERIMENT, args, 1).unwrap();
        let reason = |(arm, change): (&'static ArmFlags, Change)| match change {
            Change::Recipe(_) => None,
            Change::Absent(reason) => Some((arm.name, reason)),
        };
        arms.into_iter().filter_map(reason).collect()
    }

    #[test]
    fn every_arm_gives_a_valid_recipe_of_its_own() {
        let (base, arms) = changes(&EXPERIMENT, &CompareArgs::default(), 7).unwrap();
        let mut seen = Vec::new();
        for (arm, change) in arms {
            let recipe = match change {
                Change::Recipe(recipe) => recipe,
                // The only one that needs another model.
                Change::Absent(_) if arm.name == "stochastic-depth" => continue,
                Change::Absent(reason) => panic!("{}: {reason}", arm.name),
            };
            assert_eq!(recipe.check(), Ok(()), "{}", arm.name);
            assert_eq!((recipe.seed, &recipe.train_size), (7, &base.train_size), "{}", arm.name);
            assert!(!seen.contains(&recipe), "{} is the same as another arm", arm.name);
            seen.push(recipe);
        }
        assert_eq!(*seen[0], base);
    }

    #[test]
    fn names_are_short_and_can_be_folders() {
        for (place, arm) in CATALOG.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
            // Longer ones do not fit the table on a terminal of 80 columns.
            assert!(arm.name.len() <= 20 && arm.name.chars().all(plain), "{}", arm.name);
            assert!(!CATALOG[..place].iter().any(|other| other.name == arm.name), "{}", arm.name);
        }
        assert_eq!((CATALOG[0].name, CATALOG[0].flags), ("none", &[][..]));
    }

    #[test]
    fn arms_that_do_not_apply_to_a_model_are_absent_with_the_reason() {
        let cnn = absent(&CompareArgs::default());
        assert_eq!(cnn.len(), 1, "{cnn:?}");
        assert!(cnn[0].0 == "stochastic-depth" && cnn[0].1.contains("the model `cnn`"), "{cnn:?}");
        let resnet = absent(&of_model("resnet20"));
        let names: Vec<&str> = resnet.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["spatial-dropout", "batch-norm"]);
        assert!(resnet[0].1.contains("does not apply to the model `resnet20`"), "{resnet:?}");
        assert!(resnet[1].1.contains("has it already"), "{resnet:?}");
    }

    #[test]
    fn another_model_starts_without_dropout_too() {
        let (mut base, _) = changes(&EXPERIMENT, &of_model("mlp"), 1).unwrap();
        assert_eq!(*base.model.dropout_mut(), 0.0);
    }
}
