//! 004 §3: label smoothing of 0.2 in two conventions.

use backburn_records::number::percent;
use backburn_records::statistics::Spread;
use backburn_records::{ExperimentTable, TemperatureRecord, Unit};
use backburn_regularization::{LabelRegularizers, LabelSmoothing, SmoothingConvention};
use backburn_report::figure::{Axis, LineChart, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::Failure;
use backburn_training::recipe::Recipe;

use super::lab::Lab;
use super::resnet_runs::{
    accuracy_figures, change, differences, entropy, figure, floor_table, loss_figures,
    lowest_objective, plain, printed_accuracy, reduced, score_figures, score_table, scores, setup,
    trust,
};
use super::runs::{self, Arm, ArmRuns, Run, epochs, train};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("label_smoothing.md"));

const STRENGTH: f64 = 0.2;

/// A convention with what it leaves to the label.
struct Row {
    name: &'static str,
    convention: SmoothingConvention,
    /// Probability of the label's class, of so many classes.
    label: fn(usize) -> f64,
}

const ROWS: [Row; 2] = [
    Row { name: "others", convention: SmoothingConvention::Others, label: |_| 1.0 - STRENGTH },
    Row {
        name: "uniform",
        convention: SmoothingConvention::Uniform,
        label: |classes| 1.0 - STRENGTH + STRENGTH / classes as f64,
    },
];

fn arms(lab: &Lab) -> Vec<Arm> {
    let recipe = plain(lab);
    let mut arms = vec![Arm { name: "none", recipe: recipe.clone() }];
    for Row { name, convention, .. } in ROWS {
        let label_smoothing = LabelSmoothing { strength: STRENGTH, convention };
        let labels = LabelRegularizers { label_smoothing, ..recipe.labels };
        arms.push(Arm { name, recipe: Recipe { labels, ..recipe.clone() } });
    }
    arms
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    Ok(runs::settings(&arms(lab)))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let classes = lab.data().train.classes();
    let arms = arms(lab);
    let mut setup = setup(lab, &arms[0].recipe);
    let arms = train(lab, arms)?;
    let floors: Vec<(String, f64)> = ROWS
        .iter()
        .map(|row| {
            let floor = entropy((row.label)(classes), classes);
            (format!("floor of {}, {floor:.3}", row.name), floor)
        })
        .collect();
    let values = [
        ("strength", STRENGTH.to_string()),
        ("others", (1.0 - STRENGTH).to_string()),
        ("other_classes", (classes - 1).to_string()),
        ("uniform", format!("{:.2}", (ROWS[1].label)(classes))),
        ("classes", classes.to_string()),
    ];
    setup.push(TEXT.paragraph("set-up", &values));
    let mut figures = loss_figures(&arms, &floors);
    figures.push(reliability(&arms));
    figures.extend(accuracy_figures(&arms));
    figures.extend(score_figures(&arms));
    let mut differences = differences();
    differences.push(TEXT.paragraph("differences", &[]));
    Ok(Findings {
        sentence: sentence(lab, &arms, &floors),
        setup,
        reduced: reduced(lab),
        comparisons: vec![printed_accuracy(lab, &arms[0])],
        tables: vec![
            score_table(&arms),
            calibration(&arms),
            floor_table(&smoothed(&arms, &floors)),
        ],
        figures,
        data: vec![epochs(&arms)],
        differences,
        ..Findings::default()
    })
}

/// The arms with smoothing, each with its floor.
fn smoothed<'a>(arms: &'a [ArmRuns], floors: &[(String, f64)]) -> Vec<(&'a ArmRuns, f64)> {
    arms[1..].iter().zip(floors.iter().map(|(_, floor)| *floor)).collect()
}

fn calibration_error(run: &Run) -> f64 {
    run.summary.test_ece
}

fn sentence(lab: &Lab, arms: &[ArmRuns], floors: &[(String, f64)]) -> String {
    let none = &arms[0];
    let mean = |arm: &ArmRuns| Spread::of(&arm.values(calibration_error)).mean;
    let values = [("scores", scores(none)), ("error", percent(mean(none)))];
    let mut sentences = vec![TEXT.paragraph("sentence", &values)];
    for (arm, floor) in smoothed(arms, floors) {
        let lowest = lowest_objective(arm);
        let values = [
            ("name", arm.name.into()),
            ("scores", scores(arm)),
            ("error", percent(mean(arm))),
            ("change", change(lab, none, arm)),
            ("lowest", format!("{lowest:.3}")),
            ("side", if lowest < floor { "below" } else { "above" }.into()),
            ("floor", format!("{floor:.3}")),
        ];
        sentences.push(TEXT.paragraph("convention", &values));
    }
    sentences.push(trust(lab));
    sentences.join(" ")
}

/// Scores of confidence, before and after the temperature that suits the validation images best.
fn calibration(arms: &[ArmRuns]) -> ExperimentTable {
    let scaled = |run: &Run, value: fn(&TemperatureRecord) -> f64| {
        let evaluation = run.record.evaluation.as_ref();
        evaluation.and_then(|e| e.temperature.as_ref()).map_or(f64::NAN, value)
    };
    let row = |arm: &ArmRuns| {
        vec![
            arm.name.to_owned(),
            Unit::Percent.spread(&arm.values(calibration_error)),
            Unit::Plain.spread(&arm.values(|run| run.summary.test_loss)),
            Unit::Plain.spread(&arm.values(|run| scaled(run, |t| t.temperature))),
            Unit::Percent.spread(&arm.values(|run| scaled(run, |t| t.ece))),
            Unit::Plain.spread(&arm.values(|run| scaled(run, |t| t.nll))),
        ]
    };
    let head = [
        "arm",
        "calibration error (%)",
        "test loss (nats)",
        "temperature",
        "calibration error with it (%)",
        "test loss with it (nats)",
    ];
    ExperimentTable {
        title: "Calibration on test images".into(),
        note: TEXT.paragraph("table of calibration", &[]),
        head: head.map(String::from).into(),
        rows: arms.iter().map(row).collect(),
    }
}

/// Share of right answers against confidence, all seeds of an arm together.
fn reliability(arms: &[ArmRuns]) -> ExperimentFigure {
    let axis = |label: &str| Axis::linear(label).within(0.0, 100.0);
    let mut chart = LineChart::new(
        "Confidence and what it is worth",
        axis("confidence (%)"),
        axis("right answers (%)"),
    );
    for arm in arms {
        chart = chart.with(Series::line(arm.name, pooled(arm)));
    }
    let chart = chart.with(Series::reference("as right as sure", vec![(0.0, 0.0), (100.0, 100.0)]));
    figure("reliability", chart.draw(), TEXT.paragraph("figure of reliability", &[]))
}

/// Mean confidence and share of right answers of each bin, in percent.
fn pooled(arm: &ArmRuns) -> Vec<(f64, f64)> {
    const LEAST: u64 = 20;
    let bins = arm.runs.iter().filter_map(|run| run.record.evaluation.as_ref());
    let bins: Vec<_> = bins.map(|evaluation| &evaluation.reliability).collect();
    let count = bins.iter().map(|bins| bins.len()).max().unwrap_or(0);
    let mut points = Vec::new();
    for place in 0..count {
        let filled = bins.iter().filter_map(|bins| bins.get(place)).filter(|bin| bin.count > 0);
        let (mut images, mut confidence, mut right) = (0, 0.0, 0.0);
        for bin in filled {
            images += bin.count;
            confidence += bin.confidence * bin.count as f64;
            right += bin.accuracy * bin.count as f64;
        }
        if images >= LEAST {
            points.push((100.0 * confidence / images as f64, 100.0 * right / images as f64));
        }
    }
    points
}
