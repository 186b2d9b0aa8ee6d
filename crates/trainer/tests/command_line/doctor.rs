//! `doctor`: what there is and what is missing, without a failure and without a file.

use crate::place::*;

#[test]
fn what_is_there_and_what_is_missing_is_told_without_a_failure() {
    let place = Place::with_mnist();
    let run = place.run("doctor");
    let version = format!("backburn {}", env!("CARGO_PKG_VERSION"));
    run.expect(DONE, &[&version, "kernels of flex", "Backends", "Disk space", "for runs"]);
    for entry in backburn_data::CATALOG {
        run.expect(DONE, &[entry.name]);
    }
    assert!(run.stderr.is_empty(), "{run:?}");
    let unset = run.stdout.split("  not set").nth(1).unwrap();
    assert!(unset.lines().all(|line| line.chars().count() <= 80), "{unset}");
    assert!(unset.lines().count() > 1 && !unset.contains("KILL_SEED"), "{unset}");
    // Nothing is downloaded, and nothing written.
    assert_eq!(place.names("."), ["data"]);
    let run = finish(place.command(["doctor"]).env("BACKBURN_DATA", "data"));
    let mnist = run.stdout.lines().find(|line| line.trim_start().starts_with("mnist "));
    assert!(mnist.is_some_and(|line| line.ends_with(" data")), "{run:?}");
    run.expect(DONE, &["BACKBURN_DATA"]);
    let run = place.run("doctor --data-dir nowhere");
    assert!(run.code == Some(DONE) && !run.stdout.contains("lacks train"), "{run:?}");
}

#[test]
fn json_names_kernels_backends_data_and_every_variable() {
    let place = Place::with_mnist();
    let run = finish(
        place
            .command(["doctor", "--json", "--data-dir", "data"])
            .env("BACKBURN_SIMD", "portable")
            .env("HTTPS_PROXY", "http://me:secret@proxy:3128"),
    );
    run.expect(DONE, &[]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["instruction_set"], "portable");
    assert!(told["threads"].as_u64().unwrap() > 0);
    let backends = told["backends"].as_array().unwrap();
    let flex = backends.iter().find(|it| it["name"] == "flex").unwrap();
    assert!(flex["compiled"] == true && flex["device"].is_string(), "{flex}");
    assert_eq!(backends.len(), backburn_training::backend::Backend::ALL.len());
    let data = told["data"].as_array().unwrap();
    let state = |name: &str| data.iter().find(|it| it["name"] == name).unwrap()["state"].clone();
    assert_eq!(
        [state("digits"), state("mnist"), state("cifar10")],
        ["built-in", "complete", "absent"]
    );
    let variables = told["environment"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let people = backburn_trainer::environment::CATALOG.iter().filter(|row| !row.only_in_tests);
    assert_eq!(names, people.map(|row| row.name).collect::<Vec<_>>());
    assert!(run.stdout.contains("…@proxy:3128") && !run.stdout.contains("secret"), "{run:?}");
}
