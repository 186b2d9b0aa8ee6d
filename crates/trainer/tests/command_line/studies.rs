//! Studies: arms from words and from files, processes, what is missing, what is refused.

use std::fs;

use serde_json::Value;

use crate::place::*;

/// A study of a few seconds: six trials.
const ABLATE: &str = "ablate digits --train-size 60 --valid-size 20 --batch-size 20 --epochs 2 --model mlp \
    --arms none,dropout=0.3,l2 --seeds 2 --threads 2 --no-reports --out study";
const RUNS: [&str; 6] = [
    "none/seed-1",
    "dropout=0.3/seed-1",
    "l2/seed-1",
    "none/seed-2",
    "dropout=0.3/seed-2",
    "l2/seed-2",
];

fn weights(place: &Place, study: &str) -> Vec<Vec<u8>> {
    RUNS.map(|run| place.bytes(&format!("{study}/{run}/model.safetensors"))).to_vec()
}

#[test]
fn an_ablation_leaves_whole_runs_a_study_and_a_page() {
    let place = Place::new();
    let run = place.run(ABLATE);
    run.expect(DONE, &["6 runs of about", "6/6", "page: study/report.html"]);
    assert!(!run.stderr.contains("the first arm"), "{}", run.stderr);
    for run in RUNS {
        let config = fs::read_to_string(place.path(&format!("study/{run}/config.toml"))).unwrap();
        assert_eq!(config.contains("dropout = 0.3"), run.starts_with("dropout"), "{config}");
    }
    for file in ["study.toml", "base.toml", "comparison.json", "report.html"] {
        assert!(place.path("study").join(file).exists(), "{file}");
    }
    let page = place.text("study/report.html");
    assert!(!page.contains("/report.html\""), "runs without reports are linked");
    // Once more from the file, of which nothing is left to train, and with another seed.
    let again = place.run("study run study");
    again.expect(DONE, &["6 runs in study, of which 6 are there"]);
    assert!(!again.stderr.contains("runs of about"), "{}", again.stderr);
    place.expect_no_temporary_files();
}

#[test]
fn processes_come_to_the_same_weights_and_train_what_is_missing_only() {
    let place = Place::new();
    place.run(ABLATE).expect(DONE, &[]);
    let two = ABLATE.replace("--out study", "--out two --jobs 2");
    place.run(&two).expect(DONE, &["page: two/report.html"]);
    assert!(weights(&place, "study") == weights(&place, "two"));
    let scores = |study: &str| {
        let comparison = place.json(&format!("{study}/comparison.json"));
        let arms = comparison["arms"].as_array().unwrap().clone();
        arms.into_iter().map(|arm| arm["scores"]["test_accuracy"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(scores("study"), scores("two"));
    fs::remove_dir_all(place.path("two/l2/seed-1")).unwrap();
    place.run(&two).expect(DONE, &["6 runs in two, of which 5 are there"]);
    assert!(weights(&place, "study") == weights(&place, "two"));
}

#[test]
fn trials_are_handed_over_one_by_one_and_collected() {
    let place = Place::new();
    fs::write(
        place.path("mine.toml"),
        "recipe = \"small\"\ndataset = \"digits\"\nseeds = 2\nreports = false\n\
         base = { train-size = 60, valid-size = 20, batch-size = 20, epochs = 1, model = \"mlp\", dropout = 0 }\n\
         [[arm]]\nname = \"none\"\n[[arm]]\nname = \"l2\"\nchange = { weight-decay = 0.001, decay-mode = \"coupled\" }\n",
    )
    .unwrap();
    // Neither scheduler is to be found, if there is one.
    let run = |arguments: &str| {
        finish(place.command(arguments.split(' ')).env("PATH", place.path("nowhere")))
    };
    let dry = run("study submit mine.toml --out study --engine slurm --jobs 2 --dry-run");
    dry.expect(DONE, &["4 trials: 0 1 2 3", "sbatch", "--array=0-3%2", "--signal=B:USR1@90"]);
    assert!(!place.path("study").exists());
    let without = run("study submit mine.toml --out study --engine hyperqueue");
    let parts = ["cannot start hq", "github.com/It4innovations/hyperqueue", "--dry-run"];
    without.refuse(ERROR, &parts);
    place.run("study status study").expect(DONE, &["4 trials: 4 missing", "none/seed-1"]);
    for index in [0, 1, 3] {
        place.run(&format!("study trial study --index {index} --threads 1")).expect(DONE, &[]);
    }
    let collect = place.run("study collect study");
    collect.refuse(ERROR, &["1 of 4 trials is not there yet", "none/seed-2", "--finish"]);
    let again = place.run("study submit study --engine slurm --dry-run");
    again.expect(DONE, &["1 trial: 2"]);
    place.run("study cancel study").expect(DONE, &["cancelled"]);
    assert!(place.path("study/cancelled").exists());
    place.run("study trial study --index 2").expect(DONE, &["was cancelled"]);
    place.run("study status study").expect(DONE, &["3 done, 1 missing", "cancelled"]);
    place.run("study collect study --finish").expect(DONE, &["page: study/report.html"]);
    let cancelled = place.path("study/cancelled").exists();
    run("study cancel study").expect(DONE, &["nothing is left to cancel: all 4 trials"]);
    assert_eq!(place.path("study/cancelled").exists(), cancelled);
    let status: Value =
        serde_json::from_str(&place.run("study status study --json").stdout).unwrap();
    let states = status["trials"].as_array().unwrap().iter().map(|trial| trial["state"].clone());
    assert!(states.clone().count() == 4 && states.into_iter().all(|state| state == "done"));
}

#[test]
fn a_trial_that_fails_says_why_in_its_study() {
    let place = Place::new();
    // Nobody can read such a folder of data.
    let arguments = ABLATE.replace("ablate digits", "ablate mnist --data-dir nowhere");
    let run = place.run(&format!("{arguments} --jobs 2"));
    run.expect(ERROR, &["/seed-1: its process ended with", "nowhere", "logs/trial-000"]);
    place.run("study status study").expect(DONE, &["failed", "nowhere"]);
}

#[test]
fn recipes_are_compared_by_name_and_by_file() {
    let place = Place::new();
    let small = "--dataset digits --train-size 60 --valid-size 20 --batch-size 20 --epochs 1 --seeds 2 --threads 1 --no-reports";
    place.run("train digits --train-size 60 --valid-size 20 --batch-size 20 --epochs 1 --model mlp --out run");
    let run = place.run(&format!("compare digits run/config.toml {small} --out both"));
    run.expect(DONE, &["against digits", "run ", "page: both/report.html"]);
    let config = fs::read_to_string(place.path("both/run/seed-2/config.toml")).unwrap();
    assert!(config.contains("seed = 2") && config.contains("\"mlp\""), "{config}");
    place.run("study run both").expect(DONE, &["4 runs in both, of which 4 are there"]);
    let told = ["the first arm, `run`: `mlp` with dropout 0.3"];
    place.run(&format!("compare run/config.toml digits {small} --out first")).expect(DONE, &told);
    place
        .run(&format!("compare digits digits {small} --out twice"))
        .refuse(USAGE, &["two arms have the name `digits`"]);
    place
        .run("compare small cifar10 --seeds 2 --out other")
        .refuse(USAGE, &["arm `cifar10`", "it trains on cifar10, the others on mnist"]);
    assert!(!place.path("twice").exists() && !place.path("other").exists());
}

#[test]
fn a_study_that_cannot_be_is_refused_by_name_and_leaves_nothing() {
    let place = Place::new();
    for (arms, part) in [
        ("none,dropuot", "unknown technique `dropuot`"),
        ("none,dropout=1.5", "arm `dropout=1.5`: "),
        ("none,dropout=0", "arm `dropout=0`: nothing would change"),
        ("none,l2,l2", "`l2`"),
        ("none,stochastic-depth", "the model `cnn` has none"),
        ("none,dropout=0.8:0:0.2", "a range that is empty"),
        ("none,epoch=3", "arm `epoch=3`: `epoch`: unknown field"),
    ] {
        let run = place.run(&format!("ablate digits --arms {arms} --out study"));
        run.refuse(USAGE, &[part]);
    }
    for (arguments, part) in [
        ("--seeds 0", "`--seeds`): expected 1 to 1000, found 0"),
        ("--jobs 0", "`--jobs`"),
        ("--metric loss", "`metric`: expected a score that decides"),
        ("--resume run", "`--resume` is for a single run"),
        ("--folds 3", "`--folds` is for a single run"),
        ("--arms l1 --leave-one-out", "at least 2 arms"),
    ] {
        place.run(&format!("ablate digits {arguments} --out study")).refuse(USAGE, &[part]);
    }
    place
        .run("study run nowhere.toml")
        .refuse(ERROR, &["cannot read nowhere.toml", "the TOML file of a study"]);
    place.run("study trial nowhere --index 0").refuse(ERROR, &["nowhere/study.toml"]);
    place.expect_empty();
}

#[test]
fn another_study_does_not_take_a_folder() {
    let place = Place::new();
    place.run(&ABLATE.replace("--seeds 2", "--seeds 1")).expect(DONE, &[]);
    for (from, to) in [("dropout=0.3", "dropout=0.4"), ("--epochs 2", "--epochs 3")] {
        place.run(&ABLATE.replace(from, to)).refuse(USAGE, &["study holds another study", "--out"]);
    }
    place
        .run(&ABLATE.replace("--out study", "--out study/none/seed-1"))
        .refuse(USAGE, &["study/none/seed-1 is the folder of a run"]);
}

#[test]
fn one_technique_is_left_out_at_a_time() {
    let place = Place::new();
    let run = place.run(&format!("{ABLATE} --seeds 1 --leave-one-out").replace("--seeds 2 ", ""));
    run.expect(DONE, &["against all", "no-dropout=0.3", "no-l2"]);
}

#[cfg(unix)]
#[test]
fn a_study_that_is_interrupted_or_killed_goes_on_to_the_same_weights() {
    let place = Place::new();
    let long = ABLATE.replace("--epochs 2", "--epochs 40").replace("--seeds 2", "--seeds 1");
    place.run(&long.replace("--out study", "--out whole")).expect(DONE, &[]);
    let two = format!("{long} --jobs 2");
    in_time(|| {
        for signal in ["INT", "KILL"] {
            let before = epochs_of_all(&place);
            let child = place.start(&two);
            let _ = child.reaches("an epoch", || epochs_of_all(&place) > before);
            child.signal(signal);
            let run = child.finish();
            // No trial outlives who has started it.
            wait_for("the trials' end", || !is_at_work(&place));
            if run.code == Some(DONE) {
                fs::remove_dir_all(place.path("study")).unwrap();
                return None;
            }
            assert_eq!(run.code, (signal == "INT").then_some(INTERRUPTED), "{run:?}");
            if signal == "INT" {
                run.mention(&["resume with the same command"]);
            }
        }
        Some(())
    });
    place.run(&two).expect(DONE, &["page: study/report.html"]);
    for run in ["none/seed-1", "dropout=0.3/seed-1", "l2/seed-1"] {
        let weights = |folder: &str| place.bytes(&format!("{folder}/{run}/model.safetensors"));
        assert!(weights("study") == weights("whole"), "{run} differs");
    }
}

/// The arms of [`ABLATE`].
#[cfg(unix)]
const ARMS: [&str; 3] = ["none", "dropout=0.3", "l2"];

/// Epochs that the trials of the first seed have behind them.
#[cfg(unix)]
fn epochs_of_all(place: &Place) -> usize {
    let metrics =
        |arm: &str| fs::read_to_string(place.path(&format!("study/{arm}/seed-1/metrics.jsonl")));
    ARMS.map(|arm| metrics(arm).map_or(0, |text| text.lines().count())).iter().sum()
}

/// Whether a process is at work on a trial, or about to be.
#[cfg(unix)]
fn is_at_work(place: &Place) -> bool {
    use backburn_records::AtWork;
    let is_locked =
        |arm: &str| AtWork::on(&place.path(&format!("study/{arm}/seed-1"))) == AtWork::Yes;
    place.is_in_use() || ARMS.into_iter().any(is_locked)
}

#[test]
fn a_training_with_several_seeds_is_a_run_for_each_and_a_page() {
    let place = Place::new();
    let train = "train digits --train-size 60 --valid-size 20 --batch-size 20 --epochs 1 --model mlp --seed 3 \
        --seeds 2 --threads 1 --out seeds";
    place.run(train).expect(DONE, &["over 2 seeds", "page: seeds/report.html"]);
    assert!(place.text("seeds/seed-4/config.toml").contains("seed = 4"));
    let again = place.run(&format!("{train} --json"));
    again.expect(DONE, &["2 runs in seeds, of which 2 are there"]);
    let summaries: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(summaries.as_array().unwrap().len(), 2);
    place.run(&train.replace("--seeds 2", "--seeds 0")).refuse(USAGE, &["`--seeds`"]);
}
