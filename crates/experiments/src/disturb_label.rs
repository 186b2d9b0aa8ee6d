//! 004 §2: DisturbLabel with α 30, and why its training loss cannot be what the source prints.

use backburn_data::SplitSize;
use backburn_models::{LenetBnConfig, ModelConfig};
use backburn_records::number::{count, percent};
use backburn_records::statistics::Spread;
use backburn_records::{Compared, Comparison, Floor, Unit};
use backburn_regularization::{
    BatchImages, DisturbLabel, LabelRegularizers, LabelledBatch, Targets,
};
use backburn_report::Findings;
use backburn_training::failure::Failure;
use backburn_training::prepare::Prepared;
use backburn_training::recipe::Recipe;
use backburn_training::seeds::Seeds;
use backburn_training::session_error::SessionError;

use super::lab::Lab;
use super::resnet_runs::{
    accuracy_figures, change, differences, entropy, floor_table, loss_figures, lowest_objective,
    plain, reduced, score_figures, score_table, scores, setup, trust,
};
use super::runs::{self, Arm, ArmRuns, epochs, train};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("disturb_label.md"));

/// Percent of the labels that are redrawn.
const ALPHA: f64 = 30.0;
/// Epochs whose labels are counted, at most.
const COUNTED_EPOCHS: usize = 10;
/// Training losses that the source prints: network, epoch, loss.
const PRINTED: [(&str, usize, f64); 2] = [("ResNet", 10, 0.083), ("AlexNet", 50, 0.207)];

/// An arm with the test error that Xie et al. print for LeNet on MNIST without augmentation.
struct Row {
    name: &'static str,
    dropout: f64,
    alpha: f64,
    printed_error: f64,
}

/// The source trains the first and the last of these but one: it has no dropout.
const ROWS: [Row; 4] = [
    Row { name: "none", dropout: 0.0, alpha: 0.0, printed_error: 0.0086 },
    Row { name: "DisturbLabel", dropout: 0.0, alpha: ALPHA, printed_error: 0.0066 },
    Row { name: "dropout", dropout: 0.5, alpha: 0.0, printed_error: 0.0068 },
    Row { name: "dropout and DisturbLabel", dropout: 0.5, alpha: ALPHA, printed_error: 0.0063 },
];

/// The two arms of the source on its colour images, and the paper's four on others.
fn rows(lab: &Lab) -> &'static [Row] {
    if is_lenet(lab) { &ROWS } else { &ROWS[..2] }
}

/// Black-and-white images get the network that the paper of DisturbLabel gives them.
fn is_lenet(lab: &Lab) -> bool {
    lab.data().train.shape().channels == 1
}

fn arms(lab: &Lab) -> Vec<Arm> {
    let recipe = recipe(lab);
    let arm = |row: &Row| {
        let mut model = recipe.model.clone();
        *model.dropout_mut() = row.dropout;
        let labels =
            LabelRegularizers { disturb_label: DisturbLabel { alpha: row.alpha }, ..recipe.labels };
        Arm { name: row.name, recipe: Recipe { model, labels, ..recipe.clone() } }
    };
    rows(lab).iter().map(arm).collect()
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    Ok(runs::settings(&arms(lab)))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let recipe = recipe(lab);
    let arms = train(lab, arms(lab))?;
    let counts = lab
        .seeds
        .iter()
        .map(|&seed| {
            let labels =
                LabelRegularizers { disturb_label: DisturbLabel { alpha: ALPHA }, ..recipe.labels };
            count_wrong(lab, &Recipe { seed, labels, ..recipe.clone() })
        })
        .collect::<Result<Vec<Count>, Failure>>()?;

    let classes = lab.data().train.classes();
    let floor = entropy(1.0 - wrong_share(classes), classes);
    let mut setup = setup(lab, &recipe);
    let values = [
        ("alpha", ALPHA.to_string()),
        ("classes", classes.to_string()),
        ("redrawn", (ALPHA / 100.0).to_string()),
        ("kept", format!("{:.2}", 1.0 - wrong_share(classes))),
    ];
    setup.push(TEXT.paragraph("set-up", &values));
    let mut figures = loss_figures(&arms, &[(format!("entropy of the labels, {floor:.3}"), floor)]);
    figures.extend(accuracy_figures(&arms));
    figures.extend(score_figures(&arms));
    let disturbed: Vec<(&ArmRuns, f64)> = rows(lab)
        .iter()
        .zip(&arms)
        .filter(|(row, _)| row.alpha > 0.0)
        .map(|(_, arm)| (arm, floor))
        .collect();
    Ok(Findings {
        sentence: sentence(lab, &arms, &counts, floor),
        setup,
        reduced: reductions(lab),
        comparisons: comparisons(lab, &arms, &counts),
        tables: vec![score_table(&arms), floor_table(&disturbed)],
        figures,
        data: vec![epochs(&arms)],
        mistakes: vec![mistake(&arms, floor)],
        differences: what_differs(lab),
    })
}

/// The source's training; its listing has 50 epochs here. Of the paper's training on MNIST the widths of the
/// convolutions.
fn recipe(lab: &Lab) -> Recipe {
    let recipe = plain(lab);
    match (lab.is_paper(), is_lenet(lab)) {
        (false, _) => recipe,
        (true, false) => Recipe { epochs: 50, ..recipe },
        (true, true) => Recipe {
            epochs: 50,
            valid_size: SplitSize::Share(1.0 / 12.0),
            model: ModelConfig::LenetBn(LenetBnConfig { widths: [32, 64], dropout: 0.0 }),
            ..recipe
        },
    }
}

fn reductions(lab: &Lab) -> Vec<String> {
    if !is_lenet(lab) {
        return reduced(lab);
    }
    if lab.is_paper() {
        return Vec::new();
    }
    vec![TEXT.paragraph("reduced", &[])]
}

fn what_differs(lab: &Lab) -> Vec<String> {
    let mut differences = differences();
    let heading =
        if is_lenet(lab) { "differences from the paper" } else { "differences from the source" };
    differences.push(TEXT.paragraph(heading, &[]));
    differences
}

/// What share of the labels of that many classes is wrong on average.
fn wrong_share(classes: usize) -> f64 {
    (1.0 - 1.0 / classes as f64) * ALPHA / 100.0
}

/// Labels that were drawn, and those of them that are wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    drawn: usize,
    wrong: usize,
}

impl Count {
    /// Adds a batch, from the labels and what became of them.
    fn add(&mut self, labels: &[u16], targets: &Targets) {
        self.drawn += labels.len();
        self.wrong += targets
            .rows()
            .zip(labels)
            .filter(|(target, label)| target[usize::from(**label)] != 1.0)
            .count();
    }

    fn share(&self) -> f64 {
        self.wrong as f64 / self.drawn as f64
    }
}

fn all(counts: &[Count]) -> Count {
    let sum = |value: fn(&Count) -> usize| counts.iter().map(value).sum();
    Count { drawn: sum(|count| count.drawn), wrong: sum(|count| count.wrong) }
}

/// The standard error of the share of wrong labels over all counts.
fn standard_error(counts: &[Count], classes: usize) -> f64 {
    let expected = wrong_share(classes);
    (expected * (1.0 - expected) / all(counts).drawn as f64).sqrt()
}

/// Draws the labels of the first epochs as the training by `recipe` does.
fn count_wrong(lab: &Lab, recipe: &Recipe) -> Result<Count, Failure> {
    let recipe =
        Recipe { dataset: lab.data().name.clone(), place: lab.place.clone(), ..recipe.clone() };
    let prepared = Prepared::load(&recipe, &mut |_| {}).map_err(SessionError::from)?;
    let loader = prepared
        .train_loader(&recipe, lab.run_options.threads)
        .map_err(|error| Failure::Error(error.to_string()))?;
    let seeds = Seeds::of(&recipe);
    let mut count = Count::default();
    for epoch in 1..=recipe.epochs.min(COUNTED_EPOCHS) {
        lab.go_on()?;
        let batches = loader.epoch(&mut seeds.order(epoch), seeds.augmentation(epoch));
        for (number, batch) in batches.enumerate() {
            let shape = batch.dims();
            let targets = Targets::one_hot(&batch.labels, prepared.classes());
            let mut disturbed =
                LabelledBatch { images: BatchImages::OnDevice(None), shape, targets };
            recipe.labels.apply(&mut disturbed, |name| seeds.labels(name, epoch, number));
            count.add(&batch.labels, &disturbed.targets);
        }
    }
    Ok(count)
}

fn sentence(lab: &Lab, arms: &[ArmRuns], counts: &[Count], floor: f64) -> String {
    let classes = lab.data().train.classes();
    let (none, disturbed) = (&arms[0], &arms[1]);
    let lowest = lowest_objective(disturbed);
    let side = if lowest < floor { "falls below" } else { "stays above" };
    let values = [
        ("drawn", count(all(counts).drawn as u64)),
        ("wrong", percent(all(counts).share())),
        ("expected", percent(wrong_share(classes))),
        ("standard_error", percent(standard_error(counts, classes))),
        ("side", side.into()),
        ("floor", format!("{floor:.3}")),
        ("lowest", format!("{lowest:.3}")),
        ("lowest_without", format!("{:.3}", lowest_objective(none))),
        ("scores_without", scores(none)),
        ("scores", scores(disturbed)),
        ("change", change(lab, none, disturbed)),
    ];
    let mut text = TEXT.paragraph("sentence", &values);
    for arm in &arms[2..] {
        let values = [("arm", arm.name.into()), ("scores", scores(arm))];
        text += " ";
        text += &TEXT.paragraph("dropout", &values);
    }
    format!("{text} {}", trust(lab))
}

fn comparisons(lab: &Lab, arms: &[ArmRuns], counts: &[Count]) -> Vec<Comparison> {
    let classes = lab.data().train.classes();
    // All labels together, one value: that many draws are what the standard error is of.
    let share = vec![all(counts).share()];
    let share = Compared::new("labels that are wrong", Unit::Percent, share)
        .printed(wrong_share(classes))
        .floor(Floor::Absolute(3.0 * standard_error(counts, classes)));
    let mut comparisons = vec![Comparison {
        title: "Wrong labels".into(),
        note: TEXT.paragraph("comparison of labels", &[("epochs", COUNTED_EPOCHS.to_string())]),
        rows: vec![share],
    }];
    let epoch = PRINTED[0].1;
    let at = arms[1].values(|run| {
        run.record.epochs.get(epoch - 1).map_or(f64::NAN, |epoch| epoch.train_objective)
    });
    let loss =
        Compared::new(format!("DisturbLabel, training loss in epoch {epoch}"), Unit::Plain, at)
            .printed(PRINTED[0].2)
            .not_compared("cannot be right");
    comparisons.push(Comparison {
        title: "Training loss that the source prints".into(),
        note: TEXT.paragraph("comparison of losses", &[]),
        rows: vec![loss],
    });
    if is_lenet(lab) {
        let row = |(row, arm): (&Row, &ArmRuns)| {
            let ours = arm.values(|run| 1.0 - run.summary.test_accuracy);
            Compared::new(format!("{}, test error", row.name), Unit::Percent, ours)
                .printed(row.printed_error)
                .not_compared("other network and α")
        };
        comparisons.push(Comparison {
            title: "Test errors of Xie et al., CVPR 2016".into(),
            note: TEXT.paragraph("comparison of errors", &[]),
            rows: ROWS.iter().zip(arms).map(row).collect(),
        });
    }
    comparisons
}

fn mistake(arms: &[ArmRuns], floor: f64) -> String {
    let [(first, first_epoch, first_loss), (second, second_epoch, second_loss)] = PRINTED;
    let lowest = |arm: &ArmRuns| {
        Spread::of(&arm.values(|run| {
            run.record.epochs.iter().map(|e| e.train_objective).fold(f64::NAN, f64::min)
        }))
        .mean
    };
    let values = [
        ("first_loss", first_loss.to_string()),
        ("first", first.into()),
        ("first_epoch", first_epoch.to_string()),
        ("second_loss", second_loss.to_string()),
        ("second", second.into()),
        ("second_epoch", second_epoch.to_string()),
        ("alpha", ALPHA.to_string()),
        ("floor", format!("{floor:.3}")),
        ("lowest", format!("{:.3}", lowest(&arms[0]))),
        ("lowest_disturbed", format!("{:.3}", lowest(&arms[1]))),
    ];
    TEXT.paragraph("mistake", &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_ten_classes_27_percent_are_wrong() {
        assert!((wrong_share(10) - 0.27).abs() < 1e-12);
        assert!((wrong_share(2) - 0.15).abs() < 1e-12);
    }

    #[test]
    fn wrong_labels_are_those_that_changed() {
        let mut count = Count::default();
        count.add(&[0, 1, 2], &Targets::one_hot(&[0, 2, 2], 3));
        count.add(&[1], &Targets::one_hot(&[0], 3));
        assert_eq!(count, Count { drawn: 4, wrong: 2 });
        assert_eq!(count.share(), 0.5);
    }

    #[test]
    fn the_standard_error_is_that_of_all_labels_together() {
        let counts = [Count { drawn: 9_000, wrong: 0 }, Count { drawn: 1_000, wrong: 0 }];
        let by_hand = (0.27_f64 * 0.73 / 10_000.0).sqrt();
        assert!((standard_error(&counts, 10) - by_hand).abs() < 1e-12);
    }
}
