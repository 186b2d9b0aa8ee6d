//! What other programs call a flag of ours, for whoever types that.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

/// Flags of Keras, Lightning, fastai, timm, torchvision's references and their like, and what says the same here, a flag
/// first.
pub const CATALOG: &[(&[&str], &str)] = &[
    (&["lr", "lr0", "lr-max", "base-lr"], "--learning-rate X"),
    (
        &["lr-schedule", "lr-scheduler", "lr-decay", "scheduler", "sched"],
        "--schedule NAME, with its settings: step=30:0.1",
    ),
    (
        &["warmup", "warmup-epochs", "lr-warmup-epochs", "warmup-steps"],
        "--schedule cosine=warmup:N, or one-cycle=warmup:30%",
    ),
    (&["wd", "l2", "l2-reg"], "--weight-decay X"),
    (&["batch", "bs", "minibatch"], "--batch-size N"),
    (&["steps", "max-steps", "iterations", "max-epochs", "n-epochs"], "--epochs N"),
    (&["opt", "optim"], "--optimizer NAME"),
    (&["arch", "network", "net", "backbone"], "--model NAME"),
    (
        &["patience", "early-stopping-patience", "es-patience"],
        "--early-stopping patience=N, with its settings: patience=5,min-delta=0.001",
    ),
    (&["smoothing", "ls"], "--label-smoothing X"),
    (&["device", "gpu", "gpus", "cuda", "accelerator"], "--backend NAME"),
    (&["workers", "num-workers", "nthreads", "num-threads", "jobs"], "--threads N"),
    (&["output", "output-dir", "out-dir", "save-dir", "logdir"], "--out FOLDER"),
    (&["data", "data-path", "data-root", "root"], "--data-dir DIR"),
    (&["val-split", "validation-split", "val-size", "val-fraction"], "--valid-size N"),
    (&["grad-clip", "clip-grad", "clip-grad-norm", "gradient-clip-val"], "--clip-norm X"),
    (&["grad-accum", "grad-accum-steps", "accumulate-grad-batches"], "--accumulate N"),
    (&["model-ema", "model-ema-decay", "ema-decay"], "--ema DECAY"),
    (&["drop", "drop-rate", "dropout-rate"], "--dropout RATE"),
    (&["drop-path", "drop-path-rate", "stochastic-depth-prob"], "--stochastic-depth RATE"),
    (&["img-size", "imgsz", "input-size", "resize"], "--image-size SIZE"),
    (&["random-seed", "manual-seed", "random-state"], "--seed S"),
    (&["aug", "augmentation", "auto-augment", "transform", "no-aug"], "--augment LIST, or none"),
    (&["tensorboard", "wandb", "mlflow", "logger"], "--log LIST"),
    (&["ckpt-path", "resume-from", "resume-from-checkpoint"], "--resume RUN"),
    (&["weights", "finetune", "initial-checkpoint"], "--init-from FILE"),
    (&["head-lr"], "--head-rate X"),
    (&["init", "weight-init", "kernel-initializer"], "--initialization NAME"),
    (&["bn", "batchnorm"], "--batch-norm on, or off"),
    (&["class-weight"], "--class-weights balanced|FILE"),
    (&["cv", "kfold", "k-fold", "n-splits"], "--folds K"),
    (&["num-seeds", "repeats"], "--seeds N"),
    (&["save-freq", "save-every", "checkpoint-interval"], "--checkpoint-every STEPS|TIME"),
];

/// Flags for what there is nothing to set, and why.
pub const NOTHING_TO_SET: &[(&[&str], &str)] = &[
    (
        &["amp", "fp16", "bf16", "half", "precision", "mixed-precision"],
        "all is computed in single precision",
    ),
    (
        &["deterministic", "reproducible"],
        "on processors the same seed always gives the same training",
    ),
    (&["pin-memory", "prefetch-factor"], "batches are made while the ones before are trained on"),
];

/// What says the same as the flag `name` of another program, in a few words, if `has` knows the flag of ours.
pub fn ours(name: &str, has: impl Fn(&str) -> bool) -> Option<String> {
    let name = name.trim_start_matches('-').replace('_', "-");
    let of = |catalog: &[(&[&str], &'static str)]| {
        let row = catalog.iter().find(|(theirs, _)| theirs.contains(&name.as_str()));
        row.map(|(_, ours)| *ours)
    };
    let flag = of(CATALOG).filter(|ours| has(flag(ours))).map(|ours| format!("here it is {ours}"));
    flag.or_else(|| of(NOTHING_TO_SET).map(|why| format!("leave it out: {why}")))
}

/// The name of the flag that a row begins with.
pub fn flag(ours: &str) -> &str {
    ours.trim_start_matches('-').split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_found_by_its_name_elsewhere_where_ours_is_there() {
        let all = |_: &str| true;
        assert_eq!(ours("--wd", all).as_deref(), Some("here it is --weight-decay X"));
        assert_eq!(ours("--num_workers", all).as_deref(), Some("here it is --threads N"));
        assert_eq!(ours("--wd", |flag| flag == "dropout"), None);
        let precision = ours("--amp", |_| false).unwrap();
        assert_eq!(precision, "leave it out: all is computed in single precision");
        assert_eq!(ours("--colour", all), None);
    }
}
