//! The recipes that the program brings along, one row each; their settings are files under `recipes/`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use super::definition::Recipe;
use super::error::RecipeError;

/// A built-in recipe.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Name on the command line. A recipe named like a data set is that set's default, and trains on it
    /// even if its file, which several may share, names another.
    pub name: &'static str,
    /// One line for help.
    pub summary: &'static str,
    /// The recipe for other models and optimizers, where this one's settings fit none but its own.
    pub plain: Option<&'static str>,
    text: &'static str,
}

/// Every built-in recipe, one row each.
pub static CATALOG: &[BuiltIn] = &[
    BuiltIn {
        name: "digits",
        summary: "the default for digits: a small LeNet, under a minute on two cores",
        plain: None,
        text: include_str!("../recipes/digits.toml"),
    },
    BuiltIn {
        name: "mnist",
        summary: "the default for MNIST: LeNet with batch normalization and shifted images",
        plain: None,
        text: include_str!("../recipes/mnist.toml"),
    },
    BuiltIn {
        name: "fashion-mnist",
        summary: "the default for Fashion-MNIST: the network of cifar10-94, narrower, to 94 %",
        plain: Some("fashion-mnist-plain"),
        text: include_str!("../recipes/fashion-mnist.toml"),
    },
    BuiltIn {
        name: "cifar10",
        summary: "the default for CIFAR-10: cifar10-94 in 8 epochs, with validation images",
        plain: Some("cifar10-plain"),
        text: include_str!("../recipes/cifar10.toml"),
    },
    BuiltIn {
        name: "cifar100",
        summary: "the default for CIFAR-100: as cifar10-plain; not measured",
        plain: None,
        text: include_str!("../recipes/cifar100.toml"),
    },
    BuiltIn {
        name: "cifar100-coarse",
        summary: "the default for CIFAR-100 by coarse classes: the same",
        plain: None,
        text: include_str!("../recipes/cifar100.toml"),
    },
    BuiltIn {
        name: "kmnist",
        summary: "the default for KMNIST: as for MNIST; not measured",
        plain: None,
        text: include_str!("../recipes/kmnist.toml"),
    },
    BuiltIn {
        name: "emnist-balanced",
        summary: "the default for EMNIST Balanced: as for MNIST; not measured",
        plain: None,
        text: include_str!("../recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-byclass",
        summary: "the default for EMNIST ByClass: as for MNIST; not measured",
        plain: None,
        text: include_str!("../recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-bymerge",
        summary: "the default for EMNIST ByMerge: as for MNIST; not measured",
        plain: None,
        text: include_str!("../recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-letters",
        summary: "the default for EMNIST Letters: as for MNIST; not measured",
        plain: None,
        text: include_str!("../recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-digits",
        summary: "the default for EMNIST Digits: as for MNIST; not measured",
        plain: None,
        text: include_str!("../recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-mnist",
        summary: "the default for EMNIST MNIST: as for MNIST; not measured",
        plain: None,
        text: include_str!("../recipes/emnist.toml"),
    },
    BuiltIn {
        name: "pictures",
        summary: "the default for pictures of your own: a small CNN with crops and flips",
        plain: None,
        text: include_str!("../recipes/pictures.toml"),
    },
    BuiltIn {
        name: "cifar10-94",
        summary: "CIFAR-10 to 94 % in minutes, after the speed runs; keeps no validation images",
        plain: None,
        text: include_str!("../recipes/cifar10-94.toml"),
    },
    BuiltIn {
        name: "cifar10-plain",
        summary: "CIFAR-10 by a small CNN with crops and flips; for any model and optimizer",
        plain: None,
        text: include_str!("../recipes/cifar10-plain.toml"),
    },
    BuiltIn {
        name: "fashion-mnist-plain",
        summary: "Fashion-MNIST as MNIST, with flips; for any model and optimizer",
        plain: None,
        text: include_str!("../recipes/fashion-mnist-plain.toml"),
    },
    BuiltIn {
        name: "mnist-997",
        summary: "MNIST to 99.7 % by one network, in minutes",
        plain: None,
        text: include_str!("../recipes/mnist-997.toml"),
    },
    BuiltIn {
        name: "mnist-dropout",
        summary: "the sources' five-layer MLP with dropout 0.3, 15 epochs of Adam",
        plain: None,
        text: include_str!("../recipes/mnist-dropout.toml"),
    },
    BuiltIn {
        name: "cifar10-dropout",
        summary: "the sources' CNN with dropout 0.2, 30 epochs of Adam as Keras has it",
        plain: None,
        text: include_str!("../recipes/cifar10-dropout.toml"),
    },
    BuiltIn {
        name: "early-stopping",
        summary: "the sources' ResNet-18, 51 epochs of Adam on 30,000 images",
        plain: None,
        text: include_str!("../recipes/early-stopping.toml"),
    },
    BuiltIn {
        name: "small",
        summary: "little data and no regularizer, to compare them: a cnn on 1,000 images",
        plain: None,
        text: include_str!("../recipes/small.toml"),
    },
];

/// The built-in recipe of a name.
///
/// # Errors
///
/// If there is none; the error lists those that there are.
pub fn built_in(name: &str) -> Result<Recipe, RecipeError> {
    let row = BuiltIn::named(name)?;
    let mut recipe = Recipe::parse(row.text, &format!("recipe `{name}`"))?;
    if backburn_data::entry(name).is_ok() {
        name.clone_into(&mut recipe.dataset);
    }
    Ok(recipe)
}

impl BuiltIn {
    /// The row of a name.
    ///
    /// # Errors
    ///
    /// If there is none; the error lists those that there are.
    pub fn named(name: &str) -> Result<&'static Self, RecipeError> {
        CATALOG.iter().find(|row| row.name == name).ok_or_else(|| RecipeError::Unknown {
            name: name.to_owned(),
            known: CATALOG.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_recipe_is_valid_and_survives_toml() {
        for row in CATALOG {
            let recipe = built_in(row.name).unwrap();
            assert_eq!(recipe.check(), Ok(()), "{}", row.name);
            let again = Recipe::parse(&recipe.to_toml(), "again").unwrap();
            assert_eq!(again.to_toml(), recipe.to_toml(), "{}", row.name);
        }
    }

    #[test]
    fn every_data_set_has_a_recipe_of_its_name() {
        for entry in backburn_data::CATALOG {
            assert_eq!(built_in(entry.name).unwrap().dataset, entry.name);
        }
    }

    #[test]
    fn a_default_that_trains_parts_in_other_ways_has_a_plain_one_beside_it() {
        for row in CATALOG.iter().filter(|row| backburn_data::entry(row.name).is_ok()) {
            let has_groups = !built_in(row.name).unwrap().groups.is_empty();
            assert_eq!(row.plain.is_some(), has_groups, "{}", row.name);
            let Some(plain) = row.plain else { continue };
            let plain = built_in(plain).unwrap();
            assert_eq!((&*plain.dataset, &*plain.groups), (row.name, &[][..]));
        }
    }

    #[test]
    fn data_sets_of_a_kind_share_a_file_and_differ_in_nothing_else() {
        let letters = built_in("emnist-letters").unwrap();
        let digits = built_in("emnist-digits").unwrap();
        assert_eq!((&*letters.dataset, &*digits.dataset), ("emnist-letters", "emnist-digits"));
        assert_eq!(Recipe { dataset: letters.dataset.clone(), ..digits }, letters);
    }
}
