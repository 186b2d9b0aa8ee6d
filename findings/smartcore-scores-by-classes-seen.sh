#!/usr/bin/env bash
# smartcore 0.7.0 with rustc 1.95.0: which score `precision`, `recall` and `f1` are depends on how many classes happen to be in
# the sample. A classifier of three classes that is right everywhere gets 0, 0 and NaN if the sample has only classes 0 and 2.
#
# The documentation gives two meanings: of class 1 for binary classification, the mean over the classes for more of them. What
# a task is taken for is decided anew in each call, by the number of different labels in `y_true`. So a fold or a subgroup with
# two classes is scored by class 1 alone, whether or not it is one of the two, and one class fewer or more brings the mean back:
# scores of folds are of different kinds.
#
# Seen, all predictions right: 1, 1, 1 with classes 0 1 2, with 0 1, and with 0 alone; 0, 0, NaN with 0 2. With a truth of
# 0 0 1 1 and predictions of 0 2 1 1 all three are 1, though a quarter is wrong (scikit-learn's mean recall is 0.5 with and 0.75
# without class 2); with one more picture, of class 2 and rightly classified, they fall to 0.83, 0.83 and 0.78.
#
# Needs cargo; builds the crate in a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
printf '[package]\nname = "scores"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nsmartcore = "=0.7.0"\n' >Cargo.toml
cat >src/main.rs <<'RUST'
use smartcore::metrics::{accuracy, f1, precision, recall};

fn seen(truth: &[u32], predicted: &[u32], expected: [&str; 4]) {
    let (truth, predicted) = (truth.to_vec(), predicted.to_vec());
    let scores = [
        accuracy(&truth, &predicted),
        precision(&truth, &predicted),
        recall(&truth, &predicted),
        f1(&truth, &predicted, 1.0),
    ]
    .map(|score| format!("{score:.2}"));
    let [accuracy, precision, recall, f1] = &scores;
    println!("truth {truth:?}, predicted {predicted:?}: accuracy {accuracy}, precision {precision}, recall {recall}, F1 {f1}");
    assert_eq!(scores, expected);
}

fn main() {
    seen(&[0, 1, 2, 0, 1, 2], &[0, 1, 2, 0, 1, 2], ["1.00"; 4]);
    seen(&[0, 1, 0, 1], &[0, 1, 0, 1], ["1.00"; 4]);
    seen(&[0, 0], &[0, 0], ["1.00"; 4]);
    seen(&[0, 2, 0, 2], &[0, 2, 0, 2], ["1.00", "0.00", "0.00", "NaN"]);
    seen(&[0, 0, 1, 1], &[0, 2, 1, 1], ["0.75", "1.00", "1.00", "1.00"]);
    seen(&[0, 0, 1, 1, 2], &[0, 2, 1, 1, 2], ["0.80", "0.83", "0.83", "0.78"]);
}
RUST
cargo run --quiet --target-dir "$folder/target"
