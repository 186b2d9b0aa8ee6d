//! What keeps results honest: the sealed test split, the origin of every figure, verified kernels.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::place::*;

#[path = "../../build/commit.rs"]
mod commit;

#[test]
fn a_second_look_at_the_test_split_is_marked_wherever_scores_are_read() {
    let place = Place::with_mnist();
    let run = place.run(&format!("train mnist --data-dir data {TINY} --out run"));
    run.expect(DONE, &[]);
    assert!(!run.stderr.contains("access 1"), "{}", run.stderr);
    assert!(place.text("run/report.html").contains("The test split was accessed once."));
    let run = place.run("evaluate run --split test");
    run.expect(DONE, &["note: this is access 2", "the test split has been accessed 2 times"]);
    assert!(place.text("run/report.html").contains("The test split was accessed 2 times"));
    let run = place.run("evaluate run --json");
    assert!(run.stdout.contains("\"test_looks\":2"), "{}", run.stdout);
    assert!(!run.stderr.contains("access"), "{}", run.stderr);
    let reads = &place.json("run/manifest.json")["test_reads"];
    assert_eq!(reads[1]["purpose"], "evaluate");
    assert_eq!(reads[1]["weights"], "selected");
    fs::create_dir(place.path("other")).unwrap();
    place.run(&format!("train mnist --data-dir data {TINY} --out two")).expect(DONE, &[]);
    place.run("report run two --out page.html").expect(DONE, &[]);
    let page = place.text("page.html");
    assert!(
        page.contains("test accesses") && page.contains("<td class=\"number\">2</td>"),
        "{page}"
    );
}

#[test]
fn near_copies_are_counted_and_shown_on_a_page() {
    let place = Place::with_mnist();
    // Test image 3 becomes training image 8, mirrored and darker, and test image 4 a copy of it.
    let pixels = place.bytes("data/train-images-idx3-ubyte")[16 + 8 * 784..][..784].to_vec();
    let mirrored: Vec<u8> =
        pixels.chunks(28).flat_map(|line| line.iter().rev().map(|it| it / 2)).collect();
    let path = place.path("data/t10k-images-idx3-ubyte");
    let mut images = fs::read(&path).unwrap();
    images[16 + 3 * 784..][..784].copy_from_slice(&mirrored);
    images[16 + 4 * 784..][..784].copy_from_slice(&pixels);
    fs::write(&path, images).unwrap();
    let run = place.run("data verify mnist --data-dir data --near-copies all --page copies.html");
    run.expect(DONE, &["of 30 test images, like one of training", "of 200 training images"]);
    let mirrored =
        |line: &&str| line.contains("test 3 ≈ training 8: ") && line.ends_with("mirrored");
    let page = place.text("copies.html");
    assert!(page.contains("<br>test 4: 4</td>") && page.contains("data:image/png"), "{page}");
    let record = place.json("copies.json");
    let pairs = record["searches"][0]["pairs"].as_array().unwrap();
    let pair = pairs.iter().find(|pair| pair["image"]["index"] == 3).unwrap();
    assert_eq!((&pair["other"]["index"], &pair["mirrored"]), (&8.into(), &true.into()));
    assert!(pair["similarity"].as_f64().unwrap() > 0.999, "{pair}");
    // The others are copies pixel by pixel, so that this one is not among the first that are printed.
    assert!(!run.stdout.lines().any(|line| mirrored(&line)), "{}", run.stdout);
    let run = place.run("data verify mnist --data-dir data --near-copies none");
    run.expect(DONE, &["equal images"]);
    assert!(!run.stdout.contains("near copies"), "{}", run.stdout);
}

#[test]
fn a_page_of_near_copies_that_cannot_be_is_refused_before_the_search() {
    let place = Place::with_mnist();
    for (flags, part) in [
        ("--page a.json", "does not end in .json"),
        ("--page a.html --near-copies none", "leave out"),
    ] {
        let run = place.run(&format!("data verify mnist --data-dir data {flags}"));
        assert_eq!(run.code, Some(USAGE), "{}", run.stderr);
        assert!(run.stderr.contains(part) && run.stdout.is_empty(), "{}", run.stderr);
    }
}

#[test]
fn equal_images_are_counted_within_and_across_splits() {
    let place = Place::with_mnist();
    // Test image n of this place is training image n.
    let run = place.run("data verify mnist --data-dir data");
    run.expect(
        DONE,
        &[
            "  within training: 0\n",
            "  within test: 0\n",
            "  test images that are training images: 30, of which 0 with another label (test 0 = \
         training 0, ",
        ],
    );
    // The third training image becomes a copy of the first, whose label is another.
    let path = place.path("data/train-images-idx3-ubyte");
    let mut images = fs::read(&path).unwrap();
    images.copy_within(16..16 + 784, 16 + 2 * 784);
    fs::write(&path, images).unwrap();
    place.run("data verify mnist --data-dir data").expect(
        DONE,
        &[
            "  within training: 1, of which 1 with another label (training 2 = training 0)",
            "training images: 29, of which 0 with another label",
        ],
    );
    place.run("data verify digits").expect(DONE, &["has no files", "within training: 0\n"]);
}

#[test]
fn every_figure_and_page_says_which_run_seed_commit_and_data_it_comes_from() {
    let place = Place::with_mnist();
    let run = format!("train mnist --data-dir data {TINY} --seed 7 --out run");
    place.run(&run).expect(DONE, &[]);
    let manifest = place.json("run/manifest.json");
    let commit = manifest["git_commit"].as_str().unwrap_or("not known").to_owned();
    let sum = manifest["dataset"]["files"][0]["sha256"].as_str().unwrap().to_owned();
    let is_traced = |file: &str, folder: &str, seed: &str| {
        let text = String::from_utf8_lossy(&place.bytes(file)).into_owned();
        for part in [&format!("folder: {folder}"), seed, &format!("commit: {commit}"), &sum] {
            assert!(text.contains(part), "no `{part}` in {file}");
        }
    };
    for name in ["loss", "accuracy", "confusion", "mistakes"] {
        is_traced(&format!("run/figures/{name}.svg"), "run\n", "seed: 7\n");
        is_traced(&format!("run/figures/{name}.png"), "run\n", "seed: 7\n");
    }
    is_traced("run/report.html", "run<br>", "seed: 7<br>");
    place.run("report run run --out page.html").expect(DONE, &[]);
    is_traced("page.html", "run, run<br>", "seed: 7<br>");
    let rate = "find-rate mnist --data-dir data --seed 7 --train-size 100 --valid-size 10 \
        --batch-size 20 --steps 20 --model mlp --hidden 8 --threads 1 --out rate";
    place.run(rate).expect(DONE, &[]);
    is_traced("rate/curve.svg", "rate\n", "seed: 7\n");
    is_traced("rate/curve.png", "rate\n", "seed: 7\n");
    let compare = "compare-regularizers digits --model mlp --train-size 60 --epochs 1 --seed 7 \
        --seeds 2 --only l1 --threads 1 --out arms";
    place.run(compare).expect(DONE, &[]);
    for file in ["comparison.svg", "forest.png", "seeds.svg", "report.html"] {
        let text = String::from_utf8_lossy(&place.bytes(&format!("arms/{file}"))).into_owned();
        for part in ["folder: arms", "seed: 7, 8", &format!("commit: {commit}")] {
            assert!(text.contains(part), "no `{part}` in {file}");
        }
    }
    let json = place.json("arms/comparison.json");
    assert_eq!(json["origin"]["seeds"].as_array().unwrap().len(), 2);
    assert_eq!(json["arms"][0]["runs"][0]["test_looks"], 1);
}

#[test]
fn an_experiment_notes_the_origin_of_its_tables_and_figures() {
    let place = Place::new();
    place.run("experiment dropout-expectation --threads 1 --out found").expect(DONE, &[]);
    let name = place.names("found/figures").into_iter().find(|name| name.ends_with(".svg"));
    let svg = place.text(&format!("found/figures/{}", name.unwrap()));
    assert!(svg.contains("<metadata>\nfolder: found\nseed: 1\ncommit: "), "{svg}");
    assert!(
        place.text("found/report.html").contains("<footer class=\"origin\">\nfolder: found<br>")
    );
    if place.path("found/data").exists() {
        assert!(place.text("found/data/ORIGIN.txt").starts_with("folder: found\nseed: 1\n"));
    }
}

/// Runs git in a folder, without the settings of whoever runs the tests.
fn git(folder: &Path, arguments: &str) {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_DEFAULT_HASH", "sha1");
    command.arg("-C").arg(folder).args(["-c", "user.name=a", "-c", "user.email=a@b.c"]);
    let output = command.args(arguments.split(' ')).output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_program_claims_a_commit_only_if_its_sources_are_those_of_the_commit() {
    // A hook names its own repository to all that it starts.
    let is_in_hook = std::env::vars_os().any(|(name, _)| name == "GIT_DIR");
    if is_in_hook || Command::new("git").arg("--version").output().is_err() {
        return;
    }
    let place = Place::new();
    let root = place.path("repository");
    fs::create_dir_all(root.join("crates")).unwrap();
    assert_eq!(commit::commit(&root), None, "no repository");
    git(&root, "init --quiet");
    fs::write(root.join("crates/lib.rs"), "one").unwrap();
    fs::write(root.join("README.md"), "one").unwrap();
    git(&root, "add --all");
    git(&root, "commit --quiet --message one");
    let first = commit::commit(&root).unwrap();
    assert!(first.len() == 40 && !first.contains('-'), "{first}");

    // What is no part of the program does not make it another one.
    fs::write(root.join("README.md"), "two").unwrap();
    assert_eq!(commit::commit(&root).unwrap(), first);
    fs::write(root.join("crates/lib.rs"), "two").unwrap();
    assert_eq!(commit::commit(&root).unwrap(), format!("{first}-modified"));
    git(&root, "add --all");
    assert_eq!(commit::commit(&root).unwrap(), format!("{first}-modified"));
    git(&root, "commit --quiet --message two");
    let second = commit::commit(&root).unwrap();
    assert!(second != first && second.len() == 40, "{second}");
    // A file that git does not know may be compiled all the same.
    fs::write(root.join("crates/new.rs"), "three").unwrap();
    assert_eq!(commit::commit(&root).unwrap(), format!("{second}-modified"));
    fs::remove_file(root.join("crates/new.rs")).unwrap();

    // The build script runs again when git moves on, in a worktree too, where HEAD lies elsewhere.
    git(&root, "worktree add --quiet ../tree");
    let tree = place.path("tree");
    assert_eq!(commit::commit(&tree).unwrap(), second);
    let depends = commit::depends_on(&tree);
    assert!(depends.contains(&tree.join("crates")), "{depends:?}");
    let head = depends.iter().find(|path| path.ends_with("worktrees/tree/HEAD"));
    assert!(head.is_some_and(|path| path.exists()), "{depends:?}");

    // A copy without a repository of its own is not at the commit of the one around it.
    fs::create_dir_all(root.join("vendor/copy/crates")).unwrap();
    assert_eq!(commit::commit(&root.join("vendor/copy")), None);
}

#[test]
fn verified_kernels_train_the_same_weights_and_print_a_line() {
    let place = Place::with_mnist();
    let train = format!("train mnist --data-dir data {TINY}");
    let plain = place.run(&format!("{train} --out plain"));
    plain.expect(DONE, &[]);
    assert!(!plain.stderr.contains("kernels of"), "{}", plain.stderr);
    let verified = place.run(&format!("{train} --verify-kernels --out verified"));
    verified.expect(DONE, &["kernels of flex: largest relative errors in ", "(allowed 2e-3)"]);
    assert_eq!(place.bytes("plain/model.safetensors"), place.bytes("verified/model.safetensors"));
    assert_eq!(place.text("plain/config.toml"), place.text("verified/config.toml"));
}

#[test]
fn kernels_of_named_architectures_are_verified_and_unknown_ones_refused() {
    let place = Place::new();
    let run = place.run("verify-kernels --models mlp,lenet-bn --threads 2");
    run.expect(DONE, &["flex on ", "\nmlp: largest relative errors", "\nlenet-bn: largest"]);
    assert!(!run.stdout.contains("convolutions:"), "{}", run.stdout);
    let run = place.run("verify-kernels --convolutions --batches");
    run.expect(
        DONE,
        &["batches: given as values", "\nconvolutions: 8 shapes, largest relative error"],
    );
    place
        .run("verify-kernels --convolutions --models mlp")
        .refuse(USAGE, &["'--convolutions' cannot be used with '--models"]);
    place.run("verify-kernels --models vgg").refuse(USAGE, &["unknown model `vgg`"]);
    place.run("verify-kernels --backend cuda").refuse(ERROR, &["built without the backend `cuda`"]);
    place.expect_empty();
}
