//! `completions` and `man`: made from the same definition as help.

use crate::place::*;

/// The verbs that help shows.
fn verbs(place: &Place) -> Vec<String> {
    let help = place.run("--help").stdout;
    let section = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let verb = |line: &str| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned);
    section.lines().filter_map(verb).filter(|it| !it.is_empty() && it != "help").collect()
}

#[test]
fn completions_name_every_verb_and_flag_for_the_program_by_its_own_name() {
    let place = Place::new();
    let verbs = verbs(&place);
    assert!(verbs.len() > 20 && verbs.contains(&"doctor".to_owned()), "{verbs:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = place.run(&format!("completions {shell}"));
        run.expect(DONE, &["backburn", "learning-rate"]);
        for verb in &verbs {
            assert!(run.stdout.contains(verb), "{shell} lacks {verb}");
        }
        assert!(!run.stdout.contains("cargo xtask train"), "{shell}");
    }
    place.run("completions csh").refuse(USAGE, &["csh", "bash"]);
    place.expect_empty();
}

#[test]
fn the_manual_has_a_page_for_every_verb_that_help_shows() {
    let place = Place::new();
    place.run("man share/man1").expect(DONE, &[]);
    let pages = place.names("share/man1");
    for verb in verbs(&place) {
        assert!(pages.contains(&format!("backburn-{verb}.1")), "{verb}: {pages:?}");
    }
    assert!(pages.contains(&"backburn.1".to_owned()));
    assert!(!pages.iter().any(|page| page.contains("bench-child")), "{pages:?}");
    let page = place.text("share/man1/backburn-train.1");
    assert!(page.contains(".TH") && page.contains("backburn train") && page.contains("dropout"));
    assert!(page.contains(&format!("backburn {}", env!("CARGO_PKG_VERSION"))), "{page}");
    place.expect_no_temporary_files();
    std::fs::write(place.path("file"), "").unwrap();
    place.run("man file").refuse(ERROR, &["cannot write pages into file"]);
}

#[test]
fn help_says_what_was_typed() {
    let place = Place::new();
    let run = |cargo: Option<&str>| {
        let mut command = place.command(["train", "--help"]);
        command.env_remove("CARGO");
        finish(command.envs(cargo.map(|it| ("CARGO", it)))).stdout
    };
    assert!(run(None).contains("Usage: backburn train "));
    assert!(run(Some("cargo")).contains("Usage: cargo xtask train "));
}
