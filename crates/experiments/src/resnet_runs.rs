//! The trainings of source 004, and what is said of their arms.
//!
//! The `paper` preset is its ResNet-18 on CIFAR-10; `quick` is the small CNN of the same post, which learns
//! 5,000 images by heart within half a minute.

use backburn_data::SplitSize;
use backburn_data::normalization::Normalization;
use backburn_models::{LenetBnConfig, ModelConfig};
use backburn_records::number::{either, percent, points};
use backburn_records::statistics::{Better, Judged, Spread, finite};
use backburn_records::{Compared, Comparison, EpochRecord, ExperimentTable, Unit};
use backburn_regularization::Keep;
use backburn_report::ExperimentFigure;
use backburn_report::figure::{Axis, DotPlot, Dots, LineChart, Panel, Series};
use backburn_training::recipe::{Recipe, built_in};

use super::curves::series;
use super::judging::sampling_variance;
use super::lab::Lab;
use super::runs::{ArmRuns, Run, unless_smoke};
use super::text::Text;

const TEXT: Text = Text(include_str!("resnet_runs.md"));

/// What the source prints for ResNet-18 with the weights of the last of 51 epochs and no regularizer.
const PRINTED_TEST_ACCURACY: f64 = 0.7557;

/// Colour images first, the source's; the others have no numbers to compare with.
pub(super) const DATASETS: &[&str] = &["cifar10", "mnist", "fashion-mnist", "digits"];

/// The source's training without a regularizer: the recipe of its early stopping, but the last weights are
/// kept.
pub(super) fn paper(lab: &Lab) -> Recipe {
    let channels = lab.data().train.shape().channels;
    Recipe {
        normalization: Normalization::Given { mean: vec![0.5; channels], std: vec![0.5; channels] },
        keep: Keep::Last,
        ..built_in("early-stopping").expect("it is built in")
    }
}

/// The same with the small CNN of 004 ④, without its dropout, on 5,000 images.
pub(super) fn quick(lab: &Lab) -> Recipe {
    let recipe = Recipe {
        epochs: 30,
        train_size: Some(SplitSize::Count(5000)),
        valid_size: SplitSize::Count(1000),
        model: ModelConfig::LenetBn(LenetBnConfig { dropout: 0.0, ..Default::default() }),
        ..paper(lab)
    };
    unless_smoke(lab, recipe)
}

/// The recipe of the lab's preset, without a regularizer.
pub(super) fn plain(lab: &Lab) -> Recipe {
    if lab.is_paper() { paper(lab) } else { quick(lab) }
}

/// What [`quick`] reduces.
pub(super) fn reduced(lab: &Lab) -> Vec<String> {
    if lab.is_paper() {
        return Vec::new();
    }
    TEXT.list("reduced", &[])
}

/// How all arms are trained.
pub(super) fn setup(lab: &Lab, recipe: &Recipe) -> Vec<String> {
    let published = lab.data().train.len();
    let valid = recipe.valid_size.of(published);
    let train = recipe.train_size.map_or(published - valid, |size| size.of(published));
    let kept = match recipe.keep {
        Keep::Last => "the last epoch",
        _ => "the epoch with the lowest validation loss",
    };
    let values = [
        ("model", recipe.model.name().into()),
        ("train", train.to_string()),
        ("valid", valid.to_string()),
        ("dataset", lab.data().name.clone()),
        ("epochs", recipe.epochs.to_string()),
        ("batch_size", recipe.batch_size.to_string()),
        ("learning_rate", recipe.learning_rate.to_string()),
        ("kept", kept.into()),
    ];
    TEXT.list("set-up", &values)
}

/// What differs from the source in all of its trainings.
pub(super) fn differences() -> Vec<String> {
    TEXT.list("differences", &[])
}

/// The source's test accuracy without a regularizer, beside that of `arm`.
pub(super) fn printed_accuracy(lab: &Lab, arm: &ArmRuns) -> Comparison {
    let ours = arm.values(|run| run.summary.test_accuracy);
    let row = Compared::new(format!("{}, test accuracy", arm.name), Unit::Percent, ours)
        .printed(PRINTED_TEST_ACCURACY);
    let row = match lab.data().name.as_str() {
        "cifar10" if lab.is_paper() => row,
        "cifar10" => row.not_compared("reduced preset"),
        _ => row.not_compared("other images"),
    };
    Comparison {
        title: "Accuracy that the source prints".into(),
        note: TEXT.paragraph("comparison of accuracies", &[]),
        rows: vec![row],
    }
}

/// Test accuracy and gap, means over the seeds: `46.21 % at a gap of +53.51 points`. Seeds whose training
/// diverged have neither, and are counted.
pub(super) fn scores(arm: &ArmRuns) -> String {
    let accuracies = finite(&arm.values(|run| run.summary.test_accuracy));
    let gaps = finite(&arm.values(|run| run.summary.generalization_gap));
    let (seeds, scored) = (arm.runs.len(), accuracies.len());
    if scored == 0 {
        return "no score, as it diverged".into();
    }
    let note = match seeds - scored {
        0 => String::new(),
        diverged => {
            let have = either(diverged, "has", "have");
            format!(" ({diverged} of {seeds} seeds diverged and {have} no score)")
        }
    };
    let (accuracy, gap) = (Spread::of(&accuracies).mean, Spread::of(&gaps).mean);
    format!("{} at a gap of {}{note}", percent(accuracy), points(gap))
}

/// What becomes of gap and test accuracy from `base` to `other`, and whether that is more than chance: `the
/// gap narrows by 48.10 points and the test accuracy rises by 11.20 points`. Only seeds with which neither
/// diverged can be compared.
pub(super) fn change(lab: &Lab, base: &ArmRuns, other: &ArmRuns) -> String {
    let mean =
        |arm: &ArmRuns| Spread::of(&finite(&arm.values(|run| run.summary.test_accuracy))).mean;
    let images = lab.data().test.len();
    let variance = [base, other].map(|arm| sampling_variance(mean(arm), images));
    let standard_error = variance.iter().sum::<f64>().sqrt();
    let change = |value: fn(&Run) -> f64, better, words| {
        told_change(&base.values(value), &other.values(value), standard_error, better, words)
    };
    let gap = change(|run| run.summary.generalization_gap, Better::Lower, ["narrows", "widens"]);
    let accuracy = change(|run| run.summary.test_accuracy, Better::Higher, ["falls", "rises"]);
    format!("the gap {gap} and the test accuracy {accuracy}")
}

/// What becomes of a score. `before`, `after`: by seed; `standard_error`: of a single difference by the choice of
/// images; `words`: for less and more.
fn told_change(
    before: &[f64],
    after: &[f64],
    standard_error: f64,
    better: Better,
    words: [&str; 2],
) -> String {
    let by_seed: Vec<f64> =
        after.iter().zip(before).map(|(after, before)| after - before).collect();
    let judged = match finite(&by_seed)[..] {
        [] => return "cannot be told".into(),
        [difference] => Judged::by_images(difference, standard_error, better),
        ref by_seed => Judged::by_seeds(by_seed, better),
    };
    let word = if judged.difference < 0.0 { words[0] } else { words[1] };
    let size = points(judged.difference.abs());
    let doubt = if judged.is_clear() { "" } else { " (within chance)" };
    format!("{word} by {}{doubt}", size.trim_start_matches('+'))
}

/// How far means over this many seeds can be trusted.
pub(super) fn trust(lab: &Lab) -> String {
    match lab.seeds.len() {
        1 => TEXT.paragraph("one seed", &[]),
        seeds => format!("Means of {seeds} seeds."),
    }
}

/// Scores of all arms after training, mean and standard deviation over the seeds.
pub(super) fn score_table(arms: &[ArmRuns]) -> ExperimentTable {
    let row = |arm: &ArmRuns| {
        let cell =
            |unit: Unit, value: &dyn Fn(&Run) -> f64| unit.spread(&arm.values(|run| value(run)));
        vec![
            arm.name.to_owned(),
            cell(Unit::Percent, &|run| run.summary.train_accuracy),
            cell(Unit::Percent, &|run| run.summary.test_accuracy),
            cell(Unit::Points, &|run| run.summary.generalization_gap),
            cell(Unit::Plain, &|run| run.summary.train_loss),
            cell(Unit::Plain, &|run| run.summary.test_loss),
            cell(Unit::Percent, &|run| run.summary.test_ece),
        ]
    };
    let head = [
        "arm",
        "training accuracy (%)",
        "test accuracy (%)",
        "gap (points)",
        "training loss (nats)",
        "test loss (nats)",
        "calibration error (%)",
    ];
    ExperimentTable {
        title: "Scores after training".into(),
        note: TEXT.paragraph("table of scores", &[]),
        head: head.map(String::from).into(),
        rows: arms.iter().map(row).collect(),
    }
}

/// A value of each epoch, a line an arm.
pub(super) fn by_epoch(
    title: &str,
    y: Axis,
    arms: &[ArmRuns],
    value: impl Fn(&EpochRecord) -> Option<f64>,
) -> LineChart {
    let mut chart = LineChart::new(title, Axis::counts("epoch"), y);
    for arm in arms {
        chart = chart.with(line(arm.name, arm, &value));
    }
    chart
}

fn line(name: &str, arm: &ArmRuns, value: impl Fn(&EpochRecord) -> Option<f64>) -> Series {
    let rows = arm.curves(value);
    let epochs = rows.iter().map(Vec::len).max().unwrap_or(0);
    let xs: Vec<f64> = (1..=epochs).map(|epoch| epoch as f64).collect();
    series(name, &xs, &rows)
}

/// A level that curves are compared with, over all epochs.
pub(super) fn level(name: impl Into<String>, arms: &[ArmRuns], value: f64) -> Series {
    let epochs = arms.iter().flat_map(|arm| &arm.runs).map(|run| run.record.epochs.len()).max();
    Series::reference(name, vec![(1.0, value), (epochs.unwrap_or(1) as f64, value)])
}

/// What is minimized, and the loss on clean validation images.
pub(super) fn loss_figures(arms: &[ArmRuns], floors: &[(String, f64)]) -> Vec<ExperimentFigure> {
    let minimized = Axis::linear("training loss (nats)").within(0.0, f64::INFINITY);
    let mut training = by_epoch("Training loss", minimized, arms, |e| Some(e.train_objective));
    for (name, floor) in floors {
        training = training.with(level(name, arms, *floor));
    }
    let validation = Axis::linear("validation loss (nats)").within(0.0, f64::INFINITY);
    let validation = by_epoch("Validation loss", validation, arms, |e| e.valid_loss);
    vec![
        figure("training_loss", training.draw(), TEXT.paragraph("figure of training losses", &[])),
        figure(
            "validation_loss",
            validation.draw(),
            TEXT.paragraph("figure of validation losses", &[]),
        ),
    ]
}

/// Accuracy while training and on validation images: in one figure if there is room for both.
pub(super) fn accuracy_figures(arms: &[ArmRuns]) -> Vec<ExperimentFigure> {
    let axis = || Axis::linear("accuracy (%)").within(0.0, 100.0);
    let training = |epoch: &EpochRecord| Some(100.0 * epoch.train_accuracy);
    let validation = |epoch: &EpochRecord| epoch.valid_accuracy.map(|share| 100.0 * share);
    if arms.len() <= 2 {
        let mut chart = LineChart::new("Accuracy while training", Axis::counts("epoch"), axis());
        for arm in arms {
            chart = chart.with(line(&format!("{}, training", arm.name), arm, training));
            chart = chart.with(line(&format!("{}, validation", arm.name), arm, validation));
        }
        let caption = TEXT.paragraph("figure of both accuracies", &[]);
        return vec![figure("accuracy", chart.draw(), caption)];
    }
    let training = by_epoch("Accuracy on training batches", axis(), arms, training);
    let validation = by_epoch("Accuracy on validation images", axis(), arms, validation);
    vec![
        figure(
            "training_accuracy",
            training.draw(),
            TEXT.paragraph("figure of training accuracies", &[]),
        ),
        figure(
            "validation_accuracy",
            validation.draw(),
            TEXT.paragraph("figure of validation accuracies", &[]),
        ),
    ]
}

/// Test accuracy and gap after training, a row an arm. Of a single seed there is none: without a spread
/// to compare them with, small differences would look large.
pub(super) fn score_figures(arms: &[ArmRuns]) -> Vec<ExperimentFigure> {
    if arms.iter().any(|arm| arm.runs.len() < 2) {
        return Vec::new();
    }
    let panel = |label: &str, value: fn(&Run) -> f64| Panel {
        axis: Axis::linear(label),
        dots: arms
            .iter()
            .map(|arm| Dots { values: arm.values(|run| 100.0 * value(run)), group: 0 })
            .collect(),
    };
    let plot = DotPlot {
        title: "Scores after training".into(),
        groups: vec!["mean".into()],
        rows: arms.iter().map(|arm| arm.name.to_owned()).collect(),
        panels: vec![
            panel("test accuracy (%)", |run| run.summary.test_accuracy),
            panel("gap (points)", |run| run.summary.generalization_gap),
        ],
    };
    vec![figure("scores", plot.draw(), TEXT.paragraph("figure of scores", &[]))]
}

/// A figure with its file name and caption.
pub(super) fn figure(
    name: &str,
    drawing: backburn_report::figure::Drawing,
    caption: String,
) -> ExperimentFigure {
    ExperimentFigure { name: name.into(), caption, drawing }
}

/// Entropy in nats of a label that has one class with this probability and shares the rest among the other
/// `classes − 1`: the least mean cross-entropy that anything can reach on labels drawn so.
pub(super) fn entropy(probability: f64, classes: usize) -> f64 {
    let other = (1.0 - probability) / (classes - 1) as f64;
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(probability) + (classes - 1) as f64 * term(other)
}

/// The least mean of an epoch that any run of the arm has.
pub(super) fn lowest_objective(arm: &ArmRuns) -> f64 {
    let epochs = arm.runs.iter().flat_map(|run| &run.record.epochs);
    epochs.map(|epoch| epoch.train_objective).fold(f64::INFINITY, f64::min)
}

/// Training losses of arms beside what they cannot stay below.
pub(super) fn floor_table(arms: &[(&ArmRuns, f64)]) -> ExperimentTable {
    let row = |(arm, floor): &(&ArmRuns, f64)| {
        let objectives = |run: &Run| -> Vec<f64> {
            run.record.epochs.iter().map(|epoch| epoch.train_objective).collect()
        };
        let last = arm.values(|run| objectives(run).last().copied().unwrap_or(f64::NAN));
        let lowest = arm.values(|run| objectives(run).into_iter().fold(f64::NAN, f64::min));
        vec![
            arm.name.to_owned(),
            Unit::Plain.spread(&[*floor]),
            Unit::Plain.spread(&lowest),
            Unit::Plain.spread(&last),
        ]
    };
    let head = ["arm", "floor (nats)", "lowest epoch (nats)", "last epoch (nats)"];
    ExperimentTable {
        title: "Training loss and its floor".into(),
        note: TEXT.paragraph("table of floors", &[]),
        head: head.map(String::from).into(),
        rows: arms.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_those_that_the_texts_name() {
        // DisturbLabel with α 30, then both conventions of smoothing 0.2, computed by hand.
        let by_hand = [(0.73, 1.1765), (0.8, 0.9398), (0.82, 0.8669)];
        for (probability, expected) in by_hand {
            let found = entropy(probability, 10);
            assert!((found - expected).abs() < 1e-4, "{probability}: {found}");
        }
        assert_eq!(entropy(1.0, 10), 0.0);
        assert!((entropy(0.1, 10) - 10.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_change_is_told_of_the_seeds_with_which_nothing_diverged() {
        let told = |before: &[f64], after: &[f64]| {
            told_change(before, after, 0.005, Better::Higher, ["falls", "rises"])
        };
        assert_eq!(told(&[0.5], &[0.52]), "rises by 2.00 points");
        assert_eq!(told(&[0.5], &[0.495]), "falls by 0.50 points (within chance)");
        assert_eq!(told(&[0.5], &[f64::NAN]), "cannot be told");
        assert_eq!(told(&[0.5, 0.5, f64::NAN], &[0.52, f64::NAN, 0.1]), "rises by 2.00 points");
        let clear = told(&[0.5, 0.5, 0.5, f64::NAN], &[0.40, 0.41, 0.42, 0.1]);
        assert_eq!(clear, "falls by 9.00 points");
    }
}
