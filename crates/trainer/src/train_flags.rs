//! Flags of `train` that change a recipe: a flag for each setting with a name, and `--set` for the others.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_training::recipe::RecipeError;
use backburn_training::recipe_change::{RecipeChange, SET};
use backburn_training::recipe_settings::CATALOG;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// The change of a recipe that the flags ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes(pub(crate) RecipeChange);

impl Args for Changes {
    fn augment_args(command: Command) -> Command {
        let flags = CATALOG.iter().map(|row| {
            let flag = Arg::new(row.name)
                .long(row.name)
                .value_name(row.value)
                .help((row.help)())
                .help_heading(row.part)
                .allow_negative_numbers(true);
            let flag = match row.values {
                [] => flag,
                values => flag.value_parser(PossibleValuesParser::new(values)),
            };
            match row.is_switch() {
                // What stands behind the flag alone is not its value.
                true => flag.num_args(0..=1).require_equals(true).default_missing_value("on"),
                false => flag,
            }
        });
        let set = Arg::new(SET)
            .long(SET)
            .value_name("PATH=VALUE")
            .help(
                "Any setting of the recipe by its place in config.toml, such as \
                 optimizer.beta2=0.99; may be given again",
            )
            .help_heading("Recipe")
            .action(ArgAction::Append);
        command.args(flags).arg(set)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Changes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut change = RecipeChange::default();
        for row in CATALOG {
            if let Some(text) = matches.get_one::<String>(row.name) {
                change = change.with(row.name, text.as_str());
            }
        }
        for text in matches.get_many::<String>(SET).into_iter().flatten() {
            change = change.with_text(text).map_err(|error: RecipeError| {
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{error}\n"))
            })?;
        }
        Ok(Self(change))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> RecipeChange {
        let command = Changes::augment_args(Command::new("train").no_binary_name(true));
        let matches = command.try_get_matches_from(words).unwrap();
        Changes::from_arg_matches(&matches).unwrap().0
    }

    #[test]
    fn the_words_of_a_change_are_read_as_that_change() {
        assert!(read(&[]).is_empty());
        let words = [
            "--learning-rate",
            "0.1",
            "--batch-norm",
            "off",
            "--augment",
            "crop=2,flip",
            "--dropout",
            "0.5",
            "--set",
            "optimizer.beta2=0.99",
        ];
        assert_eq!(read(&words).words(), words);
    }

    #[test]
    fn every_technique_but_those_of_the_optimizer_has_its_flag() {
        for technique in backburn_regularization::CATALOG {
            assert!(CATALOG.iter().any(|row| row.name == technique.flag), "{}", technique.flag);
        }
    }
}
