//! Runs that were never trained, for tests.

use std::fs;
use std::path::Path;

use crate::arms::{Arm, ArmRun, ArmsComparison, ComparisonOf};
use crate::checksum::FileRecord;
use crate::confusion::Confusion;
use crate::epoch_record::EpochRecord;
use crate::evaluation::{
    ClassRecord, EvaluationRecord, Mistake, ReliabilityBin, TemperatureRecord, TopKRecord,
};
use crate::explanation::{Explanation, ExplanationMethod};
use crate::label_errors::{FoundByNoise, LabelErrorsRecord, Suspect, SuspectPicture};
use crate::manifest::{
    DatasetRecord, LabelNoiseRecord, Manifest, ResumeRecord, RollbackRecord, Status, TestRead,
};
use crate::near_copies::{CopyCount, CopyPair, CopyPicture, CopySearch, NearCopiesRecord};
use crate::origin::Origin;
use crate::run_record::RunRecord;
use crate::search::{
    SearchRecord, TrialEndRecord, TrialRecord, VariedRange, VariedRecord, WinnerRecord,
};
use crate::statistics::Spread;
use crate::summary::{Memorized, Summary};
use crate::tta::{PlainScores, TtaRecord};

/// Ten epochs of a small network on digits.
pub fn run() -> RunRecord {
    let epochs: Vec<EpochRecord> = (1..=10).map(epoch).collect();
    RunRecord {
        dir: "runs/20260102-030405-digits".into(),
        manifest: Manifest {
            name: "20260102-030405-digits".into(),
            model: "lenet-bn".into(),
            command: ["backburn", "train", "mnist", "--model", "lenet-bn"].map(String::from).into(),
            backburn_version: "0.1.0".into(),
            burn_version: "0.22.1".into(),
            git_commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            backend: "flex".into(),
            device: "Example CPU, 2 cores".into(),
            threads: 2,
            dataset: DatasetRecord {
                left_out: Vec::new(),
                shape: None,
                name: "mnist".into(),
                files: vec![FileRecord {
                    name: "train-images-idx3-ubyte.gz".into(),
                    bytes: 9_912_422,
                    sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
                        .into(),
                }],
                notes: vec!["54,000 images trained on, 6,000 for validation".into()],
            },
            train_images: Some(900),
            valid_images: Some(6000),
            seed: 7,
            data_seed: None,
            replicate: 0,
            label_noise: None,
            started: "2026-01-02T03:04:05Z".into(),
            ended: Some("2026-01-02T03:06:10Z".into()),
            status: Status::Finished,
            test_reads: vec![TestRead {
                at: "2026-01-02T03:06:08Z".into(),
                purpose: "final score".into(),
                weights: "epoch 9".into(),
            }],
            checkpoint_every: Some("500steps".into()),
            log: vec!["csv".into()],
            resumed: vec![ResumeRecord {
                at: "2026-01-02T03:05:06Z".into(),
                backburn_version: "0.1.0".into(),
                burn_version: "0.22.1".into(),
                git_commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
                backend: "flex".into(),
                device: "Example CPU, 2 cores".into(),
                threads: 1,
            }],
            tuning: None,
            extends: None,
            rollbacks: vec![RollbackRecord {
                epoch: 1,
                batch: 3,
                learning_rate: 0.02,
                back_to: Some(0),
                given_up: Vec::new(),
            }],
            files: vec![FileRecord {
                // None of those that a report is drawn from, whose checksums are looked at.
                name: "model.safetensors".into(),
                bytes: 476,
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            }],
        },
        epochs,
        summary: Some(Summary {
            best_epoch: 9,
            last_epoch: 10,
            train_loss: 0.0101,
            train_accuracy: 0.9972,
            valid_loss: Some(0.0335),
            valid_accuracy: Some(0.9911),
            test_loss: 0.0189,
            test_accuracy: 0.9941,
            generalization_gap: 0.0031,
            test_ece: 0.0018,
            train_seconds: 123.4,
            images_per_second: 4381.0,
            parameters: 431_080,
            memorized: None,
            tta: None,
        }),
        evaluation: Some(evaluation()),
        config: Some("# a recipe\n[model]\nname = \"lenet-bn\"\nhidden = [120, 84]\n".into()),
    }
}

fn epoch(epoch: usize) -> EpochRecord {
    let t = epoch as f64;
    EpochRecord {
        epoch,
        train_objective: 0.42 / t + 0.012 * (t * 1.7).sin().abs(),
        train_accuracy: 0.998 - 0.06 / t,
        valid_loss: Some(0.09 / t + 0.024 + 0.002 * (t - 9.0).powi(2)),
        valid_accuracy: Some(0.992 - 0.02 / t),
        learning_rate: 1e-3 * 0.5 * (1.0 + (std::f64::consts::PI * (t - 1.0) / 10.0).cos()),
        seconds: 12.3,
        images_per_second: 4381.0,
    }
}

/// Runs of one recipe that differ in their seed, 1 and on, and a little in their curves.
pub fn repetitions(name: &str, count: u64) -> Vec<RunRecord> {
    let repetition = |seed: u64| {
        let mut run = run();
        run.manifest.name = format!("20260102-0304{seed:02}-{name}");
        run.dir = format!("runs/{}", run.manifest.name).into();
        run.manifest.seed = seed;
        run.config = Some(format!(
            "dataset = \"digits\"\nseed = {seed}\n\n[model]\nname = \
            \"mlp\"\n"
        ));
        for epoch in &mut run.epochs {
            let by_chance = 0.002 * wave(seed as f64 + 0.3 * epoch.epoch as f64);
            epoch.valid_loss = epoch.valid_loss.map(|loss| loss + by_chance);
            epoch.valid_accuracy = epoch.valid_accuracy.map(|accuracy| accuracy - by_chance);
        }
        run
    };
    (1..=count).map(repetition).collect()
}

/// A search with 24 trials over a rate, a choice and a range of numbers.
pub fn search() -> SearchRecord {
    let trial = |number: usize| {
        let place = |step: f64| (number as f64 * step).fract();
        let (rate, dropout) = (10_f64.powf(-4.0 + 3.0 * place(0.618)), 0.8 * place(0.414));
        let optimizer = if number.is_multiple_of(3) { "sgd" } else { "adam" };
        let accuracy = 0.95 - 0.05 * (rate.log10() + 2.3).powi(2) - 0.1 * (dropout - 0.3).abs();
        let end = match number {
            9 => TrialEndRecord::Diverged,
            number if number.is_multiple_of(4) => TrialEndRecord::Pruned,
            _ => TrialEndRecord::Scored,
        };
        let is_scored = end == TrialEndRecord::Scored;
        TrialRecord {
            number,
            round: 1,
            values: [
                ("learning-rate".to_owned(), rate.into()),
                ("optimizer".to_owned(), optimizer.into()),
                ("dropout".to_owned(), dropout.into()),
            ]
            .into(),
            end,
            valid_accuracy: (end != TrialEndRecord::Diverged).then_some(accuracy),
            by_seed: if is_scored { vec![accuracy - 0.01, accuracy + 0.01] } else { Vec::new() },
            epochs: if is_scored { 20 } else { 3 },
            reason: (!is_scored).then(|| "at epoch 3".to_owned()),
            folder: format!("trial-{number:04}"),
        }
    };
    let mut search = SearchRecord {
        dataset: "mnist".into(),
        model: "cnn".into(),
        sampler: "tpe".into(),
        pruning: "median".into(),
        tta: None,
        seeds: vec![1, 2],
        rounds: 1,
        vary: vec![
            VariedRecord {
                setting: "learning-rate".into(),
                range: VariedRange::Log { low: 1e-4, high: 1e-1 },
            },
            VariedRecord {
                setting: "optimizer".into(),
                range: VariedRange::Choice { values: vec!["sgd".into(), "adam".into()] },
            },
            VariedRecord {
                setting: "dropout".into(),
                range: VariedRange::Linear { low: 0.0, high: 0.8 },
            },
        ],
        trials: (1..=24).map(trial).collect(),
        winner: None,
        command: ["cargo", "xtask", "search", "mnist"].map(String::from).into(),
        origin: Origin::of_run(&run()),
    };
    let best = search.ranked()[0].clone();
    let words = ["cargo", "xtask", "train", "mnist", "--learning-rate", "0.005"];
    search.winner = Some(WinnerRecord {
        number: best.number,
        valid_accuracy: Spread::of(&best.by_seed),
        test_accuracy: Spread::of(&[0.93, 0.94]),
        command: words.map(String::from).into(),
    });
    search
}

/// Four images of two folds, the first with a label that was made wrong.
pub fn label_errors() -> LabelErrorsRecord {
    let suspect =
        |(place, [label, predicted], self_confidence): (usize, [usize; 2], f64)| Suspect {
            index: 100 + place,
            file: None,
            network: 1 + place % 2,
            label,
            predicted,
            self_confidence,
            probability: if label == predicted { self_confidence } else { 0.9 },
            is_wrong: Some(place == 0),
            picture: Some(SuspectPicture {
                shape: [1, 4, 3],
                pixels: (0..12).map(|at| (at * 20 + place) as u8).collect(),
            }),
        };
    let suspects = [(0, [1, 2], 0.001), (1, [0, 1], 0.1), (2, [2, 2], 0.8), (3, [1, 1], 0.95)];
    LabelErrorsRecord {
        dataset: "cifar10".into(),
        class_names: ["airplane", "automobile", "bird"].map(String::from).into(),
        networks: 2,
        ranked: suspects.into_iter().map(suspect).collect(),
        noise: Some(FoundByNoise { setting: "50".into(), wrong: 1, looked_at: 2, found: 1 }),
        origin: Origin::default(),
    }
}

/// Two searches of CIFAR-10, with pictures of a few pixels.
pub fn near_copies() -> NearCopiesRecord {
    let picture = |index, label| CopyPicture {
        index,
        file: None,
        label,
        shape: [3, 2, 4],
        pixels: (0..24).map(|place| place * 10).collect(),
    };
    let pair = |[image, other]: [usize; 2], similarity, mirrored, [down, right]: [i64; 2]| {
        let (image, other) = (picture(image, 1), picture(other, 1));
        CopyPair { image, other, similarity, mirrored, down, right }
    };
    let count = |threshold, [images, other_label, mirrored]: [usize; 3]| CopyCount {
        threshold,
        images,
        other_label,
        mirrored,
    };
    let search = |split: &str, images, counts, pairs| {
        let (split, others) = (split.to_owned(), "training".to_owned());
        CopySearch { split, others, images, counts, pairs }
    };
    let counts = vec![count(0.99, [23, 0, 7]), count(0.97, [111, 0, 16])];
    let pairs = vec![
        pair([4838, 29986], 0.999_799, true, [0, 0]),
        pair([4105, 7], 0.994_807, false, [2, -4]),
    ];
    let names = ["airplane", "automobile", "bird", "cat", "deer"];
    NearCopiesRecord {
        dataset: "cifar10".into(),
        class_names: names.map(String::from).into(),
        searches: vec![
            search("test", 10_000, counts, pairs),
            search("training", 50_000, vec![count(0.99, [131, 0, 53])], Vec::new()),
        ],
        origin: Origin::of_run(&run()),
    }
}

/// 59 mistakes in 10,000, of which twelve are shown.
pub fn evaluation() -> EvaluationRecord {
    let mut confusion = vec![vec![0; 10]; 10];
    let per_class = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
    for (class, row) in confusion.iter_mut().enumerate() {
        row[class] = per_class[class] - 5;
        row[(class + 3) % 10] += 3;
        row[(class + 7) % 10] += 2;
    }
    for (class, other, count) in [(4, 9, 5), (7, 2, 3), (9, 4, 1)] {
        confusion[class][class] -= count;
        confusion[class][other] += count;
    }
    let reliability = (0..15).map(|bin| {
        let middle = (bin as f64 + 0.5) / 15.0;
        match bin {
            0..=4 => ReliabilityBin { count: 0, confidence: f64::NAN, accuracy: f64::NAN },
            14 => ReliabilityBin { count: 9_700, confidence: 0.997, accuracy: 0.9975 },
            _ => ReliabilityBin {
                count: 10 + 4 * bin,
                confidence: middle,
                accuracy: middle - 0.1 * (bin as f64 * 2.0).sin(),
            },
        }
    });
    let per_class = (0..10).map(|class| {
        let right = confusion[class][class] as f64;
        let images: u64 = confusion[class].iter().sum();
        let answers: u64 = confusion.iter().map(|row| row[class]).sum();
        ClassRecord {
            images,
            accuracy: Some(right / images as f64),
            precision: Some(right / answers as f64),
            f1: Some(2.0 * right / (images + answers) as f64),
        }
    });
    EvaluationRecord {
        per_class: per_class.collect(),
        nll: Some(0.0189),
        brier: Some(0.0092),
        ece: Some(0.0018),
        mce: Some(0.1),
        balanced_accuracy: Some(0.994),
        top_k: Some(TopKRecord { k: 5, accuracy: 0.9999 }),
        temperature: Some(TemperatureRecord {
            temperature: 1.3204,
            nll: 0.0177,
            brier: 0.0091,
            ece: 0.0012,
        }),
        class_names: (0..10).map(|class| class.to_string()).collect(),
        confusion: Confusion::Matrix(confusion),
        // Empty bins hold numbers here, so that records can be compared.
        reliability: reliability
            .map(|bin| {
                if bin.count > 0 {
                    bin
                } else {
                    ReliabilityBin { count: 0, confidence: 0.0, accuracy: 0.0 }
                }
            })
            .collect(),
        mistakes: (0..12).map(mistake).collect(),
        tta: None,
    }
}

/// Six views of the quarter of 10,000 images that the network was least sure of.
pub fn views() -> TtaRecord {
    TtaRecord {
        views: "flip,diagonal=1,border=reflect,least-confident=0.25".into(),
        count: 6,
        evaluations: 22_500,
        plain: PlainScores {
            accuracy: 0.9927,
            nll: 0.0214,
            brier: 0.0105,
            ece: 0.0024,
            temperature: Some(1.2501),
        },
    }
}

fn mistake(place: usize) -> Mistake {
    let label = (place * 3 + 4) % 10;
    let pixels = (0..28 * 28).map(|i| {
        let (y, x) = ((i / 28) as f64 - 14.0, (i % 28) as f64 - 12.0);
        let distance = (x * x + y * y * 0.5).sqrt() - 6.0 - place as f64 * 0.2;
        (255.0 * (1.0 - distance.abs() / 2.5).clamp(0.0, 1.0)) as u8
    });
    Mistake {
        index: 100 * place + 11,
        label,
        prediction: (label + 5) % 10,
        confidence: 0.99 - 0.02 * place as f64,
        loss: 6.0 - 0.3 * place as f64,
        shape: [1, 28, 28],
        pixels: pixels.collect(),
        explanation: Some(explanation((label + 5) % 10, place)),
        path: None,
    }
}

/// A map with its greatest value at another place in every image.
fn explanation(class: usize, place: usize) -> Explanation {
    let value = |i: usize| {
        let (y, x) = ((i / 7) as f32 - (place % 7) as f32, (i % 7) as f32 - 3.0);
        (1.0 - (y * y + x * x) / 12.0).max(0.0)
    };
    let values: Vec<f32> = (0..49).map(value).collect();
    Explanation::scaled(ExplanationMethod::LayerCam, class, [7, 7], &values)
}

/// Writes [`run`] as a run folder.
pub fn write(dir: &Path) -> RunRecord {
    let mut run = run();
    run.dir = dir.to_path_buf();
    let json = |name: &str, text: String| fs::write(dir.join(name), text).unwrap();
    json("manifest.json", serde_json::to_string_pretty(&run.manifest).unwrap());
    json("summary.json", serde_json::to_string_pretty(&run.summary).unwrap());
    json("evaluation.json", serde_json::to_string(&run.evaluation).unwrap());
    json("config.toml", run.config.clone().unwrap());
    let lines: Vec<String> = run.epochs.iter().map(|e| serde_json::to_string(e).unwrap()).collect();
    json("metrics.jsonl", lines.join("\n") + "\n");
    run
}

/// Three arms with three seeds and one left out; `dropout` is better in accuracy, of `decay` there is no evidence.
pub fn arms() -> ArmsComparison {
    let arm = |name: &str, accuracies: &[f64], eces: &[f64]| {
        let run = |(seed, (accuracy, ece)): (u64, (&f64, &f64))| {
            let mut summary = run().summary.unwrap();
            (summary.train_accuracy, summary.test_accuracy) = (1.0, *accuracy);
            (summary.generalization_gap, summary.test_ece) = (1.0 - accuracy, *ece);
            summary.test_loss = 2.0 * (1.0 - accuracy);
            arm_run(name, seed, summary)
        };
        let runs = (1..).zip(accuracies.iter().zip(eces)).map(run).collect();
        arm_of(name, runs)
    };
    let mut depth = arm("stochastic-depth", &[], &[]);
    depth.absent = Some("`--stochastic-depth` does not apply to the model `cnn`".into());
    ArmsComparison::new(
        comparison_of(3),
        vec![
            arm("none", &[0.940, 0.942, 0.944], &[0.020, 0.021, 0.022]),
            arm("dropout", &[0.950, 0.953, 0.953], &[0.025, 0.027, 0.026]),
            arm("decay", &[0.941, 0.940, 0.947], &[0.020, 0.022, 0.021]),
            depth,
        ],
    )
}

/// As many arms, with names of up to 20 characters, ten seeds each and labels learnt by heart. Effects reach from
/// −1.2 points on; the last arm has not learnt at all.
pub fn many_arms(count: usize) -> ArmsComparison {
    let arm = |place: usize| {
        let name = match place {
            0 => "none".to_owned(),
            place => {
                ["dropout=0.", "label-smoothing=0.", "mixup+cutout+ls-", "l2=1e-"][place % 4]
                    .to_owned()
                    + &place.to_string()
            }
        };
        let run = |seed: u64| {
            let mut summary = run().summary.unwrap();
            let of_seed = 0.010 * wave(seed as f64);
            let noise = 0.004 * wave(17.0 * place as f64 + 3.7 * seed as f64);
            let effect = if place == 0 { 0.0 } else { 0.003 * (place as f64 % 8.0 - 4.0) };
            let accuracy = match place + 1 == count && place > 1 {
                true => 0.11 + noise,
                false => 0.92 + of_seed + effect + noise,
            };
            (summary.train_accuracy, summary.test_accuracy) = (0.999, accuracy);
            summary.valid_accuracy = Some(accuracy - 0.003 + 0.2 * noise);
            (summary.generalization_gap, summary.test_loss) =
                (0.999 - accuracy, 3.0 * (1.0 - accuracy));
            summary.test_ece = 0.02 + 0.004 * wave(7.0 * place as f64 + 2.3 * seed as f64);
            summary.train_seconds = 12.0 + place as f64 + 0.1 * wave(seed as f64);
            let (learnt_by_heart, clean_accuracy) = (1.0 - 0.04 * place as f64 + noise, 0.999);
            summary.memorized =
                Some(Memorized { wrong_labels: 200, learnt_by_heart, clean_accuracy });
            arm_run(&name, seed, summary)
        };
        arm_of(&name, (1..=10).map(run).collect())
    };
    ArmsComparison::new(comparison_of(10), (0..count).map(arm).collect())
}

/// What stands in for chance, in `[−1, 1]`.
fn wave(place: f64) -> f64 {
    (place * 12.9898).sin()
}

fn comparison_of(seeds: u64) -> ComparisonOf {
    ComparisonOf {
        subject: "regularizers".into(),
        dataset: "mnist".into(),
        model: "cnn".into(),
        command: ["cargo", "xtask", "compare-regularizers"].map(String::from).into(),
        seeds: (1..=seeds).collect(),
        ..ComparisonOf::default()
    }
}

fn arm_run(name: &str, seed: u64, summary: Summary) -> ArmRun {
    ArmRun { seed, folder: format!("{name}/seed-{seed}"), summary, test_looks: 1 }
}

fn arm_of(name: &str, runs: Vec<ArmRun>) -> Arm {
    let words = ["cargo", "xtask", "train", "mnist", "--recipe", "small", "--name", name];
    Arm {
        name: name.into(),
        summary: format!("what {name} is"),
        command: words.map(String::from).into(),
        runs,
        absent: None,
    }
}

/// A fifth of 6,000 labels replaced.
pub fn label_noise() -> LabelNoiseRecord {
    let sha256 = "5a".repeat(32);
    LabelNoiseRecord { setting: "20".into(), replaced: 1200, wrong: 1081, sha256 }
}
