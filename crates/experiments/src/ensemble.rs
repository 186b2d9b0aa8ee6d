//! 003 §6.4 and 002: the mean of several networks' answers against one network, and against dropout,
//! of which both sources say that it does the same within a single network.

use backburn_models::{
    BiasInitialization, Initialization, MlpConfig, ModelConfig, WeightInitialization,
};
use backburn_records::statistics::{Better, Judged, Spread};
use backburn_records::{DataTable, ExperimentTable, Unit, number};
use backburn_regularization::WeightDecay;
use backburn_report::figure::{Axis, Drawing, LineChart, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::evaluate::Scores;
use backburn_training::evaluate::monte_carlo_dropout::DroppingNetwork;
use backburn_training::failure::Failure;
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::seeds::Seeds;
use burn::module::Module;
use serde_json::json;

use super::images::Images;
use super::lab::Lab;
use super::settings::Settings;
use super::text::Text;
use super::trainee::{Trainee, Training};

const TEXT: Text = Text(include_str!("ensemble.md"));

const NETWORKS: usize = 10;
const SAMPLES: usize = 1000;
const BATCH_SIZE: usize = 100;
const UPDATES: usize = 601;
const LEARNING_RATE: f64 = 0.01;
const DROPOUT: f64 = 0.2;
/// Passes with dropout switched on, whose probabilities are averaged.
const DRAWS: usize = 50;

/// What one seed gives.
struct Found {
    /// Size of every subset of the networks, and the scores of its mean on the test images.
    subsets: Vec<(usize, Scores)>,
    /// Training scores of each network.
    plain_training: Vec<Scores>,
    /// Training scores of each network with dropout.
    dropout_training: Vec<Scores>,
    /// Test scores of each network with dropout, all units at work.
    once: Vec<Scores>,
    /// Test scores of the mean of [`DRAWS`] passes of each network with dropout.
    drawn: Vec<Scores>,
}

fn updates(lab: &Lab) -> usize {
    lab.unless_smoke(UPDATES, 3)
}

fn training(dropout: f64) -> Training {
    Training {
        model: ModelConfig::Mlp(MlpConfig { hidden: vec![100; 6], dropout, batch_norm: false }),
        initialization: Initialization::new(
            WeightInitialization::HeNormal,
            BiasInitialization::Zeros,
        ),
        optimizer: OptimizerConfig::Sgd,
        learning_rate: LEARNING_RATE,
        weight_decay: WeightDecay::default(),
    }
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let common = json!({
        "images": SAMPLES.min(lab.data().train.len()),
        "batch_size": BATCH_SIZE,
        "updates": updates(lab),
        "networks": NETWORKS,
    });
    let plain = Settings::default().arm("without dropout", &[&training(0.0), &common]);
    let draws = json!({ "draws": DRAWS });
    Ok(plain.arm("dropout", &[&training(DROPOUT), &common, &draws]))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let images = lab.first(SAMPLES);
    let mut found = Vec::new();
    for &seed in &lab.seeds {
        found.push(train_and_score(lab, &images, Seeds::new(seed))?);
    }
    Ok(Findings {
        sentence: sentence(&found),
        setup: setup(lab, &images),
        tables: vec![table(&found), training_table(&found)],
        figures: figures(&found),
        data: vec![data(&found)],
        differences: TEXT.list("differences", &[("networks", NETWORKS.to_string())]),
        ..Findings::default()
    })
}

fn setup(lab: &Lab, images: &Images) -> Vec<String> {
    let values = [
        ("images", images.set.len().to_string()),
        ("learning_rate", LEARNING_RATE.to_string()),
        ("updates", updates(lab).to_string()),
        ("batch_size", BATCH_SIZE.to_string()),
        ("networks", NETWORKS.to_string()),
        ("dropout", DROPOUT.to_string()),
        ("draws", DRAWS.to_string()),
    ];
    TEXT.list("set-up", &values)
}

fn train_and_score(lab: &Lab, images: &Images, seeds: Seeds) -> Result<Found, Failure> {
    let mut plain = Vec::new();
    let mut dropping = Vec::new();
    for number in 0..NETWORKS {
        let seeds = seeds.member(number);
        plain.push(train(lab, images, 0.0, seeds)?);
        dropping.push(train(lab, images, DROPOUT, seeds)?);
        lab.say(&format!("{} of {NETWORKS} networks, without and with dropout", number + 1));
    }
    let scores = |all: &[Trainee], images: &Images| -> Result<Vec<Scores>, Failure> {
        all.iter().map(|trainee| trainee.scores(images)).collect()
    };
    let test = lab.test(images, "test scores after training", "last update, all networks");
    let answers = plain.iter().map(|trainee| test.predictions(trainee));
    let answers = answers.collect::<Result<Vec<_>, _>>()?;
    let labels = answers[0].labels();
    let probabilities: Vec<Vec<f64>> = answers.iter().map(|all| all.probabilities()).collect();
    let mut drawn = Vec::new();
    for (number, trainee) in dropping.iter().enumerate() {
        lab.go_on()?;
        let network = DroppingNetwork::new(&trainee.network().valid());
        let draws = network
            .predict(
                test.images.for_final_scores(),
                &test.normalization,
                &lab.device,
                DRAWS,
                seeds.member(number),
            )
            .map_err(|error| Failure::Error(error.to_string()))?;
        drawn.push(draws.mean.scores());
    }
    Ok(Found {
        subsets: subset_scores(&probabilities, &labels),
        plain_training: scores(&plain, images)?,
        dropout_training: scores(&dropping, images)?,
        once: dropping.iter().map(|trainee| test.scores(trainee)).collect::<Result<_, _>>()?,
        drawn,
    })
}

fn train(lab: &Lab, images: &Images, dropout: f64, seeds: Seeds) -> Result<Trainee, Failure> {
    let mut trainee = Trainee::new(&training(dropout), images, seeds, &lab.device)?;
    for batch in images.batches(BATCH_SIZE, updates(lab), seeds, &lab.device)? {
        lab.go_on()?;
        trainee.step(&batch);
    }
    Ok(trainee)
}

/// Size and scores of every subset of the networks but the empty one, whose answer is the mean of its
/// networks' probabilities. `probabilities`: `[images, classes]` of each network.
fn subset_scores(probabilities: &[Vec<f64>], labels: &[usize]) -> Vec<(usize, Scores)> {
    let classes = probabilities[0].len() / labels.len();
    let subsets = 1_usize << probabilities.len();
    let mut right = vec![0_usize; subsets];
    let mut loss = vec![0.0; subsets];
    // A subset is a number whose bits are its networks; the sum of each is that of a smaller one and a network.
    let mut sums = vec![0.0; subsets * classes];
    for (image, &label) in labels.iter().enumerate() {
        for subset in 1..subsets {
            let network = subset.trailing_zeros() as usize;
            let smaller = subset & (subset - 1);
            let (before, after) = sums.split_at_mut(subset * classes);
            let sum = &mut after[..classes];
            let smaller = &before[smaller * classes..][..classes];
            let own = &probabilities[network][image * classes..][..classes];
            for ((sum, smaller), own) in sum.iter_mut().zip(smaller).zip(own) {
                *sum = smaller + own;
            }
            let mean = sum[label] / f64::from(subset.count_ones());
            loss[subset] -= mean.max(f64::MIN_POSITIVE).ln();
            right[subset] += usize::from(answer(sum) == label);
        }
    }
    let images = labels.len() as f64;
    (1..subsets)
        .map(|subset| {
            let scores =
                Scores { loss: loss[subset] / images, accuracy: right[subset] as f64 / images };
            (subset.count_ones() as usize, scores)
        })
        .collect()
}

/// The class of the greatest value, the first if several have it.
fn answer(values: &[f64]) -> usize {
    let mut best = 0;
    for (class, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = class;
        }
    }
    best
}

/// A score of all subsets of that size, of all seeds.
fn of_size(found: &[Found], size: usize, score: fn(&Scores) -> f64) -> Vec<f64> {
    let subsets = found.iter().flat_map(|found| &found.subsets);
    subsets.filter(|(networks, _)| *networks == size).map(|(_, scores)| score(scores)).collect()
}

/// A score of all networks of all seeds.
fn of_all(found: &[Found], scores: fn(&Found) -> &[Scores], score: fn(&Scores) -> f64) -> Vec<f64> {
    found.iter().flat_map(|found| scores(found).iter().map(score)).collect()
}

fn accuracy(scores: &Scores) -> f64 {
    scores.accuracy
}

fn loss(scores: &Scores) -> f64 {
    scores.loss
}

fn mean(values: &[f64]) -> f64 {
    Spread::of(values).mean
}

/// How much higher the mean accuracy of the second networks is, which are not pairs with the first.
fn judged(first: &[f64], second: &[f64]) -> Judged {
    let squared_error =
        |values: &[f64]| Spread::of(values).standard_deviation.powi(2) / values.len() as f64;
    let squared_errors = [first, second].map(squared_error);
    Judged::by_means(mean(second) - mean(first), squared_errors, Better::Higher)
}

fn sentence(found: &[Found]) -> String {
    let (single, all) = (of_size(found, 1, accuracy), of_size(found, NETWORKS, accuracy));
    let (single_loss, all_loss) = (of_size(found, 1, loss), of_size(found, NETWORKS, loss));
    // Each ensemble against its own networks.
    let beaten: usize = found
        .iter()
        .map(|found| {
            let of = |size: usize| found.subsets.iter().filter(move |(n, _)| *n == size);
            let ensemble = of(NETWORKS).map(|(_, scores)| scores.accuracy).fold(0.0, f64::max);
            of(1).filter(|(_, scores)| scores.accuracy < ensemble).count()
        })
        .sum();
    let gain = mean(&single_loss) - mean(&all_loss);
    let enough = (1..=NETWORKS)
        .find(|&size| mean(&single_loss) - mean(&of_size(found, size, loss)) >= gain / 2.0);
    let half = match enough {
        Some(size) if gain > 0.0 => format!("; half of that difference comes with {size} networks"),
        _ => String::new(),
    };
    let lowers = if gain > 0.0 { "lowers" } else { "does not lower" };
    let once = of_all(found, |found| &found.once, accuracy);
    let drawn = of_all(found, |found| &found.drawn, accuracy);
    let fitted = mean(&of_all(found, |found| &found.dropout_training, accuracy));
    let effect = judged(&single, &once).word(["better", "worse", "not clear"]);
    let place = match mean(&once).max(mean(&drawn)) >= mean(&all) {
        true => "reaches",
        false => "does not reach",
    };
    let values = [
        ("networks", NETWORKS.to_string()),
        ("accuracy", number::percent(mean(&all))),
        ("single_accuracy", number::percent(mean(&single))),
        ("beaten", beaten.to_string()),
        ("single_networks", single.len().to_string()),
        ("lowers", lowers.into()),
        ("loss", number::loss(mean(&all_loss))),
        ("single_loss", number::loss(mean(&single_loss))),
        ("half", half),
        ("rate", DROPOUT.to_string()),
        ("effect", TEXT.paragraph(effect, &[])),
        ("reaches", TEXT.paragraph(place, &[])),
        ("once", number::percent(mean(&once))),
        ("drawn", number::percent(mean(&drawn))),
        ("draws", DRAWS.to_string()),
        ("once_loss", number::loss(mean(&of_all(found, |found| &found.once, loss)))),
        ("drawn_loss", number::loss(mean(&of_all(found, |found| &found.drawn, loss)))),
        ("fitted", number::percent(fitted)),
    ];
    TEXT.paragraph("sentence", &values)
}

fn table(found: &[Found]) -> ExperimentTable {
    let row = |name: String, passes: usize, accuracies: &[f64], losses: &[f64]| {
        [
            name,
            passes.to_string(),
            accuracies.len().to_string(),
            Unit::Percent.spread(accuracies),
            Unit::Plain.spread(losses),
        ]
        .into()
    };
    let mut rows: Vec<Vec<String>> = (1..=NETWORKS)
        .map(|size| {
            let name = if size == 1 { "1 network".into() } else { format!("mean of {size}") };
            row(name, size, &of_size(found, size, accuracy), &of_size(found, size, loss))
        })
        .collect();
    let once = |score| of_all(found, |found| &found.once, score);
    let drawn = |score| of_all(found, |found| &found.drawn, score);
    rows.push(row(format!("dropout {DROPOUT}, once"), 1, &once(accuracy), &once(loss)));
    let name = format!("dropout {DROPOUT}, mean of {DRAWS} draws");
    rows.push(row(name, DRAWS, &drawn(accuracy), &drawn(loss)));
    ExperimentTable {
        title: "On the test images".into(),
        note: TEXT.paragraph("table of test scores", &[("networks", NETWORKS.to_string())]),
        head: ["", "passes", "cases", "accuracy (%)", "loss (nats)"].map(String::from).into(),
        rows,
    }
}

fn training_table(found: &[Found]) -> ExperimentTable {
    let row = |name: &str, scores: fn(&Found) -> &[Scores]| {
        [
            name.to_owned(),
            Unit::Percent.spread(&of_all(found, scores, accuracy)),
            Unit::Plain.spread(&of_all(found, scores, loss)),
        ]
        .into()
    };
    ExperimentTable {
        title: "On the training images".into(),
        note: TEXT.paragraph("table of training scores", &[]),
        head: ["", "accuracy (%)", "loss (nats)"].map(String::from).into(),
        rows: vec![
            row("without dropout", |found| &found.plain_training),
            row("with dropout", |found| &found.dropout_training),
        ],
    }
}

fn figures(found: &[Found]) -> Vec<ExperimentFigure> {
    let caption = |what: &str| {
        let values = [
            ("what", what.into()),
            ("networks", NETWORKS.to_string()),
            ("dropout", DROPOUT.to_string()),
            ("draws", DRAWS.to_string()),
        ];
        TEXT.paragraph("figure", &values)
    };
    let percent = Axis::linear("test accuracy (%)").within(0.0, 100.0);
    vec![
        ExperimentFigure {
            name: "accuracy".into(),
            caption: caption("Test accuracy"),
            drawing: chart(found, "Accuracy of ensembles", percent, |s| 100.0 * s.accuracy),
        },
        ExperimentFigure {
            name: "loss".into(),
            caption: caption("Test loss (negative log-likelihood)"),
            drawing: chart(found, "Loss of ensembles", Axis::linear("test loss (nats)"), loss),
        },
    ]
}

fn chart(found: &[Found], title: &str, y: Axis, score: fn(&Scores) -> f64) -> Drawing {
    let row = |name: String, values: &dyn Fn(usize) -> Vec<f64>| {
        let at = |size: usize| (size as f64, Spread::of(&values(size)));
        let all: Vec<(f64, Spread)> = (1..=NETWORKS).map(at).collect();
        let band = all.iter().filter(|(_, spread)| spread.standard_deviation.is_finite());
        let band = band.map(|(x, spread)| {
            (*x, spread.mean - spread.standard_deviation, spread.mean + spread.standard_deviation)
        });
        let band = band.collect();
        Series::line(name, all.iter().map(|(x, spread)| (*x, spread.mean)).collect())
            .with_band(band)
    };
    LineChart::new(title, Axis::counts("networks K"), y)
        .with(row("mean of K networks".into(), &|size| of_size(found, size, score)))
        .with(row(format!("dropout {DROPOUT}, evaluated once"), &|_| {
            of_all(found, |found| &found.once, score)
        }))
        .with(row(format!("dropout {DROPOUT}, mean of {DRAWS} draws"), &|_| {
            of_all(found, |found| &found.drawn, score)
        }))
        .draw()
}

fn data(found: &[Found]) -> DataTable {
    let mut rows = Vec::new();
    for (run, found) in found.iter().enumerate() {
        let mut row = |kind: &str, size: usize, number: usize, scores: &Scores| {
            rows.push(vec![
                run.to_string(),
                kind.to_owned(),
                size.to_string(),
                number.to_string(),
                scores.accuracy.to_string(),
                scores.loss.to_string(),
            ]);
        };
        for (subset, (size, scores)) in (1..).zip(&found.subsets) {
            row("ensemble", *size, subset, scores);
        }
        for (number, scores) in found.once.iter().enumerate() {
            row("dropout once", 1, number, scores);
        }
        for (number, scores) in found.drawn.iter().enumerate() {
            row("dropout drawn", DRAWS, number, scores);
        }
    }
    let columns = ["run", "kind", "passes", "subset_bits_or_network", "accuracy", "loss_nats"];
    DataTable { name: "scores".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_scored_by_the_mean_of_their_probabilities() {
        // Two images, labels 0 and 1. The first network errs on the second image, the second on the first.
        let networks = [vec![0.9, 0.1, 0.6, 0.4], vec![0.3, 0.7, 0.2, 0.8]];
        let found = subset_scores(&networks, &[0, 1]);
        assert_eq!(found.iter().map(|(size, _)| *size).collect::<Vec<_>>(), [1, 1, 2]);
        let accuracies: Vec<f64> = found.iter().map(|(_, scores)| scores.accuracy).collect();
        // Together 0.6 for class 0 and 0.6 for class 1: both right.
        assert_eq!(accuracies, [0.5, 0.5, 1.0]);
        let losses = [[0.9_f64, 0.4], [0.3, 0.8], [0.6, 0.6]];
        for ((_, scores), [a, b]) in found.iter().zip(losses) {
            assert!((scores.loss + (a.ln() + b.ln()) / 2.0).abs() < 1e-12);
        }
    }

    #[test]
    fn there_are_as_many_subsets_of_each_size_as_binomial_coefficients_say() {
        let found = subset_scores(&vec![vec![0.5, 0.5]; 5], &[0]);
        let of = |size| found.iter().filter(|(networks, _)| *networks == size).count();
        assert_eq!((1..=5).map(of).collect::<Vec<_>>(), [5, 10, 10, 5, 1]);
    }

    #[test]
    fn the_sentence_says_what_became_of_the_loss() {
        // Every subset of a size has the same scores; the loss changes by `step` with each network.
        let found = |step: f64| {
            let scores = |size: usize| Scores { loss: 0.5 + step * size as f64, accuracy: 0.8 };
            let single = || vec![scores(1); NETWORKS];
            Found {
                subsets: (1..=NETWORKS).map(|size| (size, scores(size))).collect(),
                plain_training: single(),
                dropout_training: single(),
                once: single(),
                drawn: single(),
            }
        };
        let better = sentence(&[found(-0.01)]);
        assert!(
            better.contains("and lowers the loss: 0.4000 nats instead of 0.4900; half of that")
        );
        assert!(better.contains("difference comes with 6 networks. A"), "{better}");
        assert!(better.contains("does not do clearly better or worse than one network without it"));
        let worse = sentence(&[found(0.01)]);
        assert!(worse.contains("and does not lower the loss: 0.6000 nats instead of 0.5100. A"));
    }

    #[test]
    fn means_differ_beyond_twice_the_standard_error() {
        // Standard deviation 1 each over 2 values: standard error 1.
        let [a, b] = [-1.0, 1.0].map(|side: f64| side * 0.5_f64.sqrt());
        assert!(judged(&[a, b], &[a + 2.1, b + 2.1]).is_clear());
        assert!(!judged(&[a, b], &[a + 1.9, b + 1.9]).is_clear());
    }
}
