//! Every regularizer of the catalog as a flag: off, on, composed, resumed, refused.

use std::collections::BTreeMap;

use backburn_regularization::CATALOG;

use crate::place::*;

const DATA: &str = "mnist --data-dir data --train-size 48 --valid-size 32 --epochs 2 --batch-size \
    16 --learning-rate 0.01 --threads 1";

/// A small model that the technique applies to, with what it needs besides.
fn model(flag: &str) -> &'static str {
    match flag {
        "stochastic-depth" => "--model resnet20",
        "disturb-value" => "--model mlp --hidden 8 --loss squared-error --keep last",
        _ => "--model cnn --widths 4,6",
    }
}

/// The recipe of MNIST with all its regularizers off but `flag`, which gets `value`.
fn with_only(flag: &str, value: &str) -> String {
    let off = ["augment", "weight-decay", "dropout"].into_iter().filter(|other| *other != flag);
    let off: String = off
        .map(|flag| {
            let row = CATALOG.iter().find(|row| row.flag == flag).unwrap();
            format!(" --{flag} {}", row.off)
        })
        .collect();
    format!("{DATA} {}{off} --{flag} {value}", model(flag))
}

#[test]
fn what_is_off_leaves_the_weights_as_they_are_and_what_is_on_does_not() {
    let place = Place::with_mnist();
    let weights = |out: String, flags: String| {
        place.run(&format!("train {flags} --out {out}")).expect(DONE, &[]);
        place.bytes(&format!("{out}/model.safetensors"))
    };
    let mut plain = BTreeMap::new();
    for technique in CATALOG {
        let flag = technique.flag;
        let number = plain.len();
        let plain = plain.entry(model(flag)).or_insert_with(|| {
            // Naming the seed names nothing that regularizes.
            weights(
                format!("plain-{number}"),
                with_only("seed", "1").replace(model("seed"), model(flag)),
            )
        });
        let off = weights(format!("{flag}-off"), with_only(flag, technique.off));
        assert!(off == *plain, "--{flag} {} changes the weights", technique.off);
        let strength = match flag {
            // Two epochs are too few to stop early, to grow out of the usual ball, and to average late.
            "early-stopping" => continue,
            "max-norm" | "swa" => "1",
            _ => technique.usual,
        };
        let on = weights(format!("{flag}-on"), with_only(flag, strength));
        assert!(on != *plain, "--{flag} {strength} changes nothing");
    }
}

/// All that goes together in a residual network.
const EVERYTHING: &str = "--model resnet20 --dropout 0.2 --stochastic-depth 0.2 --label-smoothing \
    0.1:others --disturb-label 20 --mixup 0.4 --cutmix 1 --augment \
    crop=2,rotate=10,cutout=4,alternating-flip --weight-decay 1e-3 --l1 1e-5 --decay all \
    --max-norm 2 --ema 0.9 --lookahead k=2,alpha=0.5 --sam 0.05 --clip-norm 1 --schedule plateau \
    --early-stopping patience=9,min-delta=0.001";

#[test]
fn everything_together_trains_and_resumes_to_the_same_weights() {
    let place = Place::with_mnist();
    let all = format!("{DATA} {EVERYTHING}").replace("--epochs 2", "--epochs 12");
    place.run(&format!("train {all} --out whole")).expect(DONE, &[]);
    let again = place.run("train --config whole/config.toml --threads 2 --out again");
    again.expect(DONE, &[]);
    place.kill(&format!("train {all} --out run"), "run");
    place.run("train --resume run").expect(DONE, &["resuming at epoch"]);
    for out in ["again", "run"] {
        let [found, whole] =
            [out, "whole"].map(|run| place.bytes(&format!("{run}/model.safetensors")));
        assert!(found == whole, "{out} differs");
        assert_eq!(place.objectives(out), place.objectives("whole"));
    }
}

#[test]
fn values_outside_their_range_are_refused_by_name_with_the_range() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 21] = [
        ("--dropout 1.0", &["--dropout", "[0, 1)", "1"]),
        ("--dropout=-0.1", &["--dropout", "[0, 1)"]),
        ("--model cnn --spatial-dropout 1", &["--spatial-dropout", "[0, 1)"]),
        ("--model mlp --spatial-dropout 0.1", &["--spatial-dropout", "mlp", "cnn"]),
        ("--model resnet20 --stochastic-depth 2", &["--stochastic-depth", "[0, 1)"]),
        ("--stochastic-depth 0.2", &["--stochastic-depth", "lenet-bn", "resnets"]),
        ("--disturb-label=-5", &["`--disturb-label`", "0 to 100 percent", "-5"]),
        ("--disturb-label 101", &["`--disturb-label`", "0 to 100 percent"]),
        ("--label-smoothing 1.2", &["`--label-smoothing`", "below 1", "1.2"]),
        ("--mixup=-1", &["mixup", "Beta"]),
        ("--loss squared-error", &["squared-error", "--keep last"]),
        (
            "--loss squared-error --keep last --mixup 0.2",
            &["mixup", "squared-error", "cross-entropy"],
        ),
        (
            "--loss squared-error --keep last --label-smoothing 0.1",
            &["`--label-smoothing`", "squared-error"],
        ),
        ("--disturb-value share=0.1,noise=1", &["`--disturb-value`", "squared-error"]),
        ("--l1=-1", &["l1", "at least 0"]),
        ("--max-norm=-1", &["`--max-norm`", "positive"]),
        ("--ema 1", &["ema", "(0, 1)"]),
        ("--epochs 3 --swa 4", &["`swa`", "at most the 3 epochs", "found 4", "--epochs"]),
        ("--swa 2 --ema 0.9", &["`swa` and `ema`", "--swa 0", "--ema 0"]),
        ("--lookahead k=0", &["lookahead.steps", "at least 1"]),
        ("--augment crop=99", &["crop=99", "28×28"]),
    ];
    for (flags, mention) in cases {
        let run = place.run(&format!("train digits {flags}"));
        run.refuse(USAGE, mention);
        assert!(!place.path("runs").exists(), "{flags} left a run behind");
    }
}
