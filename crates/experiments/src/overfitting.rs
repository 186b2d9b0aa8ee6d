//! 003 §6.4's network, which learns 300 images by heart, with and without something against it. Shared by
//! `weight_decay.rs` and `dropout.rs`.

use backburn_records::statistics::{Better, Spread};
use backburn_records::{Compared, Comparison, DataTable, Reference, Unit};
use backburn_report::ExperimentFigure;
use backburn_report::figure::{Axis, LineChart};
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;
use serde_json::json;

use super::curves::series;
use super::few_images::{self, Schedule, SmallMlp, beside, percent};
use super::images::{Diagnostic, Images, TestView};
use super::judging::sampling_variance;
use super::lab::Lab;
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("overfitting.md"));

pub(super) const IMAGES: usize = 300;
pub(super) const LAYERS: usize = 6;
/// 201 looks, which the source calls epochs.
const SCHEDULE: Schedule = Schedule::new(601, 3);
/// Seeds behind PyTorch's numbers.
const REFERENCE_SEEDS: usize = 10;

/// A network, and what PyTorch makes of it.
pub(super) struct Arm {
    /// Name in figures and tables.
    pub(super) name: &'static str,
    /// Title of its figure, and name of the file.
    pub(super) title: &'static str,
    pub(super) file: &'static str,
    pub(super) network: SmallMlp,
    /// Mean and standard deviation of training accuracy, test accuracy and the difference.
    pub(super) reference: [(f64, f64); 3],
}

/// The arm that nothing guards.
pub(super) fn unguarded() -> Arm {
    Arm {
        name: "none",
        title: "300 images, nothing against overfitting",
        file: "unguarded",
        network: SmallMlp::new(LAYERS),
        reference: [(1.000, 0.000), (0.753, 0.011), (0.247, 0.011)],
    }
}

/// What the network is trained with.
pub(super) fn settings(lab: &Lab, settings: Settings, name: &str, network: &SmallMlp) -> Settings {
    let images = json!({ "images": IMAGES.min(lab.data().train.len()) });
    settings.arm(name, &[&network.training(), &SCHEDULE.of(lab), &images])
}

/// Accuracies of one network while it learns and at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// Accuracy at each look on all images that it learns.
    pub(super) train: Vec<f64>,
    /// Accuracy at each look on test images; empty if nobody looked.
    pub(super) test: Vec<f64>,
    /// Accuracies after the last update.
    pub(super) end: Accuracies,
}

/// Accuracies of a network after training.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accuracies {
    pub(super) train: f64,
    pub(super) test: f64,
}

impl Accuracies {
    /// Training accuracy less test accuracy.
    pub(super) fn gap(self) -> f64 {
        self.train - self.test
    }
}

/// Trains a network of that kind with every seed. Curves are drawn of `diagnostic`, if there is one.
pub(super) fn train(
    lab: &Lab,
    network: &SmallMlp,
    images: &Images,
    test: &TestView,
    diagnostic: Option<&Diagnostic>,
) -> Result<Vec<Course>, Failure> {
    let of_seed = |&seed: &u64| {
        let mut course = Course::default();
        let trainee =
            network.train(lab, images, SCHEDULE.of(lab), Seeds::new(seed), |trainee| {
                if let Some(diagnostic) = diagnostic {
                    course.train.push(trainee.scores(images)?.accuracy);
                    course.test.push(diagnostic.scores(trainee)?.accuracy);
                }
                Ok(())
            })?;
        course.end = Accuracies {
            train: trainee.scores(images)?.accuracy,
            test: test.scores(&trainee)?.accuracy,
        };
        Ok(course)
    };
    lab.seeds.iter().map(of_seed).collect()
}

/// One of the accuracies, or the gap.
pub(super) type Score = fn(Accuracies) -> f64;

/// One value a seed.
pub(super) fn values(courses: &[Course], value: impl Fn(Accuracies) -> f64) -> Vec<f64> {
    courses.iter().map(|course| value(course.end)).collect()
}

/// What a guard did to the gap and to the test accuracy, as two clauses.
pub(super) fn effect(without: &[Course], with: &[Course], test_images: usize) -> String {
    let mean = |courses: &[Course], value: Score| Spread::of(&values(courses, value)).mean;
    let variance = |value: Score, images: usize| {
        sampling_variance(mean(without, value), images)
            + sampling_variance(mean(with, value), images)
    };
    let of_test = variance(|end| end.test, test_images);
    let of_gap = of_test + variance(|end| end.train, IMAGES);
    let change = |value: Score, variance: f64, better| {
        few_images::change(&values(without, value), &values(with, value), variance.sqrt(), better)
    };
    let gap = change(Accuracies::gap, of_gap, Better::Lower);
    let test = change(|end| end.test, of_test, Better::Higher);
    let points = |courses| format!("{:.1}", 100.0 * mean(courses, Accuracies::gap));
    let values = [
        ("widens", gap.word(["widens", "narrows", "does not clearly change"]).into()),
        ("gap", points(with)),
        ("gap_without", points(without)),
        ("rises", test.word(["rises", "falls", "does not clearly change"]).into()),
        ("accuracy", percent(mean(with, |end| end.test))),
        ("accuracy_without", percent(mean(without, |end| end.test))),
    ];
    TEXT.paragraph("effect", &values)
}

/// What a single seed cannot say; nothing of several.
pub(super) fn caveat(lab: &Lab) -> String {
    if lab.seeds.len() > 1 {
        return String::new();
    }
    format!(" {}", TEXT.paragraph("one seed", &[]))
}

/// Rows of training accuracy, test accuracy and gap.
pub(super) fn comparison(lab: &Lab, arms: &[(Arm, Vec<Course>)]) -> Comparison {
    let mut rows = Vec::new();
    for (arm, courses) in arms {
        let [train, test, gap] = arm.reference;
        let quantities: [(&str, Unit, Score, (f64, f64)); 3] = [
            ("training accuracy", Unit::Percent, |end| end.train, train),
            ("test accuracy", Unit::Percent, |end| end.test, test),
            ("gap", Unit::Points, Accuracies::gap, gap),
        ];
        for (quantity, unit, value, (mean, deviation)) in quantities {
            let name = format!("{}: {quantity}", arm.name);
            let row = Compared::new(name, unit, values(courses, value));
            let reference = Reference::new(mean, deviation, REFERENCE_SEEDS);
            rows.push(beside(row, reference, lab));
        }
    }
    Comparison {
        title: format!("After {} updates", SCHEDULE.of(lab).updates),
        note: TEXT.paragraph("comparison", &[]),
        rows,
    }
}

/// An arm's accuracies, as the source draws them.
pub(super) fn figure(
    lab: &Lab,
    arm: &Arm,
    courses: &[Course],
    caption: String,
) -> ExperimentFigure {
    let xs = SCHEDULE.of(lab).looks();
    let y = Axis::linear("accuracy (%)").over(0.0, 100.0);
    let mut chart = LineChart::new(arm.title, Axis::counts("update"), y);
    for (name, values) in
        [("training", curve(courses, |c| &c.train)), ("test", curve(courses, |c| &c.test))]
    {
        chart = chart.with(series(name, &xs, &values));
    }
    ExperimentFigure { name: arm.file.into(), caption, drawing: chart.draw() }
}

/// The distance between training and test accuracy of all arms.
pub(super) fn gap_figure(lab: &Lab, arms: &[(Arm, Vec<Course>)]) -> ExperimentFigure {
    let xs = SCHEDULE.of(lab).looks();
    let y = Axis::linear("training − test accuracy (points)");
    let mut chart =
        LineChart::new("Gap between training and test accuracy", Axis::counts("update"), y);
    for (arm, courses) in arms {
        let gaps: Vec<Vec<f64>> = courses
            .iter()
            .map(|c| c.train.iter().zip(&c.test).map(|(a, b)| 100.0 * (a - b)).collect())
            .collect();
        chart = chart.with(series(arm.name, &xs, &gaps));
    }
    ExperimentFigure {
        name: "gap".into(),
        caption: TEXT.paragraph("figure of gaps", &[]),
        drawing: chart.draw(),
    }
}

/// A curve in percent, a row a seed.
fn curve(courses: &[Course], of: fn(&Course) -> &Vec<f64>) -> Vec<Vec<f64>> {
    courses.iter().map(|course| of(course).iter().map(|share| 100.0 * share).collect()).collect()
}

/// The curves' numbers.
pub(super) fn data(lab: &Lab, arms: &[(Arm, Vec<Course>)]) -> DataTable {
    let mut rows = Vec::new();
    for (arm, courses) in arms {
        for (seed, course) in lab.seeds.iter().zip(courses) {
            let looks =
                SCHEDULE.of(lab).looks().into_iter().zip(course.train.iter().zip(&course.test));
            rows.extend(looks.map(|(update, (train, test))| {
                let name = arm.name.to_owned();
                [name, seed.to_string(), update.to_string(), train.to_string(), test.to_string()]
                    .into()
            }));
        }
    }
    let columns = ["network", "seed", "update", "train_accuracy", "test_accuracy"];
    DataTable { name: "accuracies".into(), columns: columns.map(String::from).into(), rows }
}

/// What both experiments are set up with.
pub(super) fn setup(lab: &Lab) -> Vec<String> {
    let schedule = SCHEDULE.of(lab);
    let values = [
        ("layers", LAYERS.to_string()),
        ("images", IMAGES.to_string()),
        ("updates", schedule.updates.to_string()),
        ("looks", schedule.looks().len().to_string()),
    ];
    TEXT.list("set-up", &values)
}
