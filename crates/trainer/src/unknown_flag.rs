//! A flag that there is none of, but that other programs have: clap by itself takes `--wd` for `--widths`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_training::flags_elsewhere::ours;
use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Says with an unknown flag what says the same here, if other programs know it and the verb has ours. `arguments`: the
/// command line, program first, by the `grammar`.
pub(crate) fn say_ours(error: &mut Error, mut grammar: Command, arguments: &[String]) {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return };
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    // Only then does a verb know that the program's name stands before its own.
    grammar.build();
    let verbs = arguments.iter().skip(1).scan(&grammar, |of, word| {
        *of = of.find_subcommand(word)?;
        Some(*of)
    });
    let verb = verbs.last().unwrap_or(&grammar);
    let has = |flag: &str| verb.get_arguments().any(|it| it.get_long() == Some(flag));
    if let Some(tip) = ours(typed, has) {
        // The usage is that of the flag which was taken for the nearest.
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Usage, ContextValue::StyledStr(verb.clone().render_usage()));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use backburn_training::flags_elsewhere::{CATALOG, NOTHING_TO_SET, flag};

    use super::*;

    fn train() -> Command {
        crate::cli::command().find_subcommand("train").unwrap().clone()
    }

    #[test]
    fn every_row_names_a_flag_of_train_by_names_that_it_does_not_have() {
        let train = train();
        let flags: BTreeSet<&str> = train.get_arguments().filter_map(|it| it.get_long()).collect();
        for (_, ours) in CATALOG {
            assert!(flags.contains(flag(ours)), "{ours}");
        }
        let mut seen = BTreeSet::new();
        for name in CATALOG.iter().chain(NOTHING_TO_SET).flat_map(|(theirs, _)| *theirs) {
            assert!(!flags.contains(name), "{name} is a flag of train");
            assert!(seen.insert(name), "{name} is there twice");
        }
    }

    #[test]
    fn who_types_the_flag_of_another_program_is_told_ours() {
        let said = |words: &[&str]| {
            let arguments: Vec<String> =
                ["backburn"].iter().chain(words).map(|word| (*word).to_owned()).collect();
            let mut error = crate::cli::command().try_get_matches_from(&arguments).unwrap_err();
            say_ours(&mut error, crate::cli::command(), &arguments);
            error.to_string()
        };
        let text = said(&["train", "mnist", "--wd", "0.1"]);
        assert!(text.contains("tip: here it is --weight-decay X"), "{text}");
        assert!(!text.contains("widths"), "{text}");
        let text = said(&["train", "mnist", "--num_workers=4"]);
        assert!(text.contains("here it is --threads N"), "{text}");
        let text = said(&["data", "preview", "mnist", "--random-seed", "4"]);
        assert!(text.contains("here it is --seed S"), "{text}");
        let text = said(&["train", "mnist", "--amp"]);
        assert!(text.contains("leave it out: all is computed in single precision"), "{text}");
        // A verb without ours, and a word that nobody knows.
        let text = said(&["models", "list", "--wd", "0.1"]);
        assert!(!text.contains("here it is"), "{text}");
        let text = said(&["train", "mnist", "--epoch", "3"]);
        assert!(text.contains("a similar argument exists: '--epochs'"), "{text}");
    }
}
