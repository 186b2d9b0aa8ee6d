//! 004 ⑥: noise on a share of the targets of a regression, drawn anew for every batch.

use backburn_records::statistics::{Better, Judged, Spread, Verdict, standard_error};
use backburn_records::{DataTable, ExperimentTable, number};
use backburn_regularization::{DisturbValue, LabelRegularizer};
use backburn_report::figure::{Axis, DotPlot, Dots, Drawing, LineChart, Panel, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;
use serde_json::json;

use super::curves::series;
use super::lab::Lab;
use super::regression::{
    BATCH_SIZE, Course, FRIEDMAN_FEATURES, FRIEDMAN_NOISE, FRIEDMAN_SAMPLES, FRIEDMAN_TEST, HIDDEN,
    INTERVAL, Problem, Regression, Samples, WAVE_NOISE, WAVE_SAMPLES, WAVE_TEST, friedman_problem,
    training, wave_problem,
};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("disturb_value.md"));

const FRIEDMAN_EPOCHS: usize = 200;
/// Training sets a seed, each with initial weights of its own.
const REPETITIONS: usize = 10;

const WAVE_EPOCHS: usize = 1000;

/// Share of the targets, and noise in standard deviations of the training targets. The first is without.
const ARMS: [DisturbValue; 6] = [
    DisturbValue { share: 0.0, noise: 0.0 },
    DisturbValue { share: 0.1, noise: 1.0 },
    DisturbValue { share: 0.2, noise: 1.0 },
    DisturbValue { share: 0.5, noise: 1.0 },
    DisturbValue { share: 0.5, noise: 2.0 },
    DisturbValue { share: 1.0, noise: 1.0 },
];
/// The one that was chosen for sentence and picture before any result was known.
const SHOWN: usize = 3;

fn name(arm: &DisturbValue) -> String {
    if arm.is_off() {
        return "without".into();
    }
    format!("share {}, s = {}", arm.share, arm.noise)
}

/// Training sets a seed.
fn repetitions(lab: &Lab) -> usize {
    lab.unless_smoke(REPETITIONS, 2)
}

/// Epochs for a problem that is trained for `all` of them in the other presets than `smoke`.
fn epochs(lab: &Lab, all: usize) -> usize {
    lab.unless_smoke(all, 3)
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let common = json!({
        "batch_size": BATCH_SIZE,
        "friedman": {
            "features": FRIEDMAN_FEATURES,
            "samples": FRIEDMAN_SAMPLES,
            "noise": FRIEDMAN_NOISE,
            "test_samples": FRIEDMAN_TEST,
            "epochs": epochs(lab, FRIEDMAN_EPOCHS),
            "repetitions": repetitions(lab),
        },
        "wave": {
            "samples": WAVE_SAMPLES,
            "noise": WAVE_NOISE,
            "test_samples": WAVE_TEST,
            "epochs": epochs(lab, WAVE_EPOCHS),
        },
    });
    let arm = |settings: Settings, arm: &DisturbValue| {
        settings.arm(name(arm), &[&training(), &common, &json!({ "disturb_value": arm })])
    };
    Ok(ARMS.iter().fold(Settings::default(), arm))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let repetitions = repetitions(lab);
    // By arm, then repetition; all arms of a repetition have the same samples, initial weights and order.
    let mut courses: Vec<Vec<Course>> = ARMS.iter().map(|_| Vec::new()).collect();
    for &seed in &lab.seeds {
        let seeds = Seeds::new(seed);
        for repetition in 0..repetitions {
            let rng = seeds.data(&format!("friedman/{repetition}"));
            let problem = friedman_problem(rng, epochs(lab, FRIEDMAN_EPOCHS));
            let regression = Regression { lab, problem: &problem, seeds, repetition };
            for (arm, courses) in ARMS.into_iter().zip(&mut courses) {
                courses.push(regression.train(arm)?);
            }
            lab.say(&format!("seed {seed}: {} of {repetitions} training sets", repetition + 1));
        }
    }
    let seeds = Seeds::new(lab.seed());
    let problem = wave_problem(seeds.data("wave"), epochs(lab, WAVE_EPOCHS));
    // Behind the streams of all repetitions above.
    let regression = Regression { lab, problem: &problem, seeds, repetition: REPETITIONS };
    let waves = [regression.train(ARMS[0])?, regression.train(ARMS[SHOWN])?];
    let differences = differences(&courses);
    Ok(Findings {
        sentence: sentence(&courses, &differences),
        setup: setup(lab),
        tables: vec![table(&courses, &differences), wave_table(&waves)],
        figures: figures(&courses, &differences, &problem, &waves),
        data: vec![data(&courses), wave_data(&problem, &waves)],
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

/// Difference of the test error after training between an arm and the first.
struct Difference {
    judged: Judged,
    /// Standard error of its mean over the training sets.
    standard_error: f64,
}

impl Difference {
    /// `+0.123 ± 0.045`.
    fn told(&self) -> String {
        format!("{} ± {:.3}", signed(self.judged.difference), self.standard_error)
    }
}

/// Differences arm by arm against the first.
fn differences(courses: &[Vec<Course>]) -> Vec<Difference> {
    let difference = |arm: &Vec<Course>| {
        let pairs = arm.iter().zip(&courses[0]);
        let by_set: Vec<f64> = pairs.map(|(with, without)| with.last() - without.last()).collect();
        let judged = Judged::by_seeds(&by_set, Better::Lower);
        Difference { judged, standard_error: standard_error(&by_set) }
    };
    courses[1..].iter().map(difference).collect()
}

fn values(courses: &[Course], value: fn(&Course) -> f64) -> Vec<f64> {
    courses.iter().map(value).collect()
}

fn setup(lab: &Lab) -> Vec<String> {
    let [epochs, wave_epochs] = [FRIEDMAN_EPOCHS, WAVE_EPOCHS].map(|all| epochs(lab, all));
    let values = [
        ("features", FRIEDMAN_FEATURES.to_string()),
        ("samples", FRIEDMAN_SAMPLES.to_string()),
        ("repetitions", repetitions(lab).to_string()),
        ("test", number::count(FRIEDMAN_TEST as u64)),
        ("hidden", HIDDEN.map(|units| units.to_string()).join("-")),
        ("batch_size", BATCH_SIZE.to_string()),
        ("epochs", epochs.to_string()),
        ("wave_samples", WAVE_SAMPLES.to_string()),
        ("wave_noise", WAVE_NOISE.to_string()),
        ("wave_epochs", wave_epochs.to_string()),
    ];
    TEXT.list("set-up", &values)
}

fn sentence(courses: &[Vec<Course>], differences: &[Difference]) -> String {
    let mean = |arm: usize, value| Spread::of(&values(&courses[arm], value)).mean;
    let shown = &differences[SHOWN - 1];
    let verdict = shown.judged.word(["a clear loss", "a clear gain", "no clear effect"]);
    let count =
        |verdict: Verdict| differences.iter().filter(|d| d.judged.verdict == verdict).count();
    let DisturbValue { share, noise } = ARMS[SHOWN];
    let values = [
        ("share", format!("{:.0}", 100.0 * share)),
        ("noise", noise.to_string()),
        ("without", format!("{:.2}", mean(0, Course::last))),
        ("with", format!("{:.2}", mean(SHOWN, Course::last))),
        ("difference", shown.told()),
        ("sets", courses[SHOWN].len().to_string()),
        ("verdict", verdict.into()),
        ("train_without", format!("{:.2}", mean(0, |course| course.train))),
        ("train_with", format!("{:.2}", mean(SHOWN, |course| course.train))),
        ("settings", differences.len().to_string()),
        ("better", number_of(count(Verdict::Better))),
        ("worse", number_of(count(Verdict::Worse))),
    ];
    TEXT.paragraph("sentence", &values)
}

/// `none is`, `1 is`, `2 are`.
fn number_of(settings: usize) -> String {
    match settings {
        0 => "none is".into(),
        1 => "1 is".into(),
        several => format!("{several} are"),
    }
}

fn signed(value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "+" };
    format!("{sign}{:.3}", value.abs())
}

fn table(courses: &[Vec<Course>], differences: &[Difference]) -> ExperimentTable {
    let spread = |values: &[f64]| {
        let Spread { mean, standard_deviation } = Spread::of(values);
        format!("{mean:.3} ± {standard_deviation:.3}")
    };
    let mut rows = Vec::new();
    for (place, (arm, courses)) in ARMS.iter().zip(courses).enumerate() {
        let difference = place.checked_sub(1).map(|place| &differences[place]);
        rows.push(vec![
            name(arm),
            spread(&values(courses, Course::last)),
            spread(&values(courses, |course| course.train)),
            difference.map_or(number::ABSENT.into(), Difference::told),
            difference.map_or(number::ABSENT, |d| d.judged.verdict.name()).to_owned(),
        ]);
    }
    ExperimentTable {
        title: "Friedman #1 after training".into(),
        note: TEXT.paragraph("table of errors", &[]),
        head: ["disturbed", "test error", "training error", "difference", ""]
            .map(String::from)
            .into(),
        rows,
    }
}

fn figures(
    courses: &[Vec<Course>],
    differences: &[Difference],
    problem: &Problem,
    waves: &[Course; 2],
) -> Vec<ExperimentFigure> {
    let looks = courses[0][0].test.len();
    let epochs: Vec<f64> = (1..=looks).map(|look| (look * INTERVAL) as f64).collect();
    let mut curves = LineChart::new(
        "Test error on Friedman #1",
        Axis::counts("epoch"),
        Axis::linear("test error (unit of the function)"),
    );
    for (arm, courses) in ARMS.iter().zip(courses) {
        // Bands of six arms would lie on each other; the spread is in the plot beside it.
        let rows: Vec<Vec<f64>> = courses.iter().map(|course| course.test.clone()).collect();
        let mean = |look: usize| rows.iter().map(|row| row[look]).sum::<f64>() / rows.len() as f64;
        let mean: Vec<f64> = (0..epochs.len()).map(mean).collect();
        curves = curves.with(series(name(arm), &epochs, &[mean]));
    }
    let group = |arm: usize| match arm.checked_sub(1).map(|place| differences[place].judged.verdict)
    {
        None | Some(Verdict::NoClearEffect) => 0,
        Some(Verdict::Better) => 1,
        Some(Verdict::Worse) => 2,
    };
    let panel = |label: &str, value: fn(&Course) -> f64| Panel {
        axis: Axis::linear(label),
        dots: courses
            .iter()
            .enumerate()
            .map(|(arm, courses)| Dots { values: values(courses, value), group: group(arm) })
            .collect(),
    };
    let ends = DotPlot {
        title: "After training, each training set a run".into(),
        groups: [Verdict::NoClearEffect, Verdict::Better, Verdict::Worse]
            .map(|v| v.name().into())
            .into(),
        rows: ARMS.iter().map(name).collect(),
        panels: vec![
            panel("test error", Course::last),
            panel("training error", |course| course.train),
        ],
    };
    let figure =
        |name: &str, drawing, caption| ExperimentFigure { name: name.into(), caption, drawing };
    vec![
        figure("curve", wave_figure(problem, waves), TEXT.paragraph("figure of the curve", &[])),
        figure("test_error", curves.draw(), TEXT.paragraph("figure of test errors", &[])),
        figure(
            "after_training",
            ends.draw(),
            TEXT.paragraph("figure of errors after training", &[]),
        ),
    ]
}

/// The feature as it was drawn, in `[0, 1]`.
fn places(samples: &Samples) -> impl Iterator<Item = f64> {
    samples.features.iter().map(|x| f64::from(*x) / 12.0_f64.sqrt() + 0.5)
}

fn wave_figure(problem: &Problem, waves: &[Course; 2]) -> Drawing {
    let points = |samples: &Samples| -> Vec<(f64, f64)> {
        places(samples).zip(samples.targets.iter().map(|y| f64::from(*y))).collect()
    };
    let answers = |course: &Course| -> Vec<(f64, f64)> {
        places(&problem.test).zip(course.predictions.iter().copied()).collect()
    };
    let legend = |course: &Course, name: &str| format!("{name}, error {:.3}", course.last());
    LineChart::new(
        "A fit with and without disturbed targets",
        Axis::linear("x (no unit)"),
        Axis::linear("y (no unit)"),
    )
    .with(Series::line(legend(&waves[0], "without"), answers(&waves[0])))
    .with(Series::line(legend(&waves[1], &name(&ARMS[SHOWN])), answers(&waves[1])))
    .with(Series::points("training samples", points(&problem.train)))
    .with(Series::reference("sin 2πx", points(&problem.test)))
    .draw()
}

fn wave_table(waves: &[Course; 2]) -> ExperimentTable {
    let row = |arm: usize, course: &Course| {
        [name(&ARMS[arm]), format!("{:.3}", course.last()), format!("{:.3}", course.train)].into()
    };
    ExperimentTable {
        title: "The curve after training".into(),
        note: TEXT.paragraph("table of curves", &[]),
        head: ["disturbed", "error from sin 2πx", "training error"].map(String::from).into(),
        rows: vec![row(0, &waves[0]), row(SHOWN, &waves[1])],
    }
}

fn data(courses: &[Vec<Course>]) -> DataTable {
    let mut rows = Vec::new();
    for (arm, courses) in ARMS.iter().zip(courses) {
        for (run, course) in courses.iter().enumerate() {
            for (look, test) in course.test.iter().enumerate() {
                rows.push(vec![
                    arm.share.to_string(),
                    arm.noise.to_string(),
                    run.to_string(),
                    ((look + 1) * INTERVAL).to_string(),
                    test.to_string(),
                ]);
            }
        }
    }
    let columns = ["share", "noise", "run", "epoch", "test_error"];
    DataTable { name: "test_errors".into(), columns: columns.map(String::from).into(), rows }
}

fn wave_data(problem: &Problem, waves: &[Course; 2]) -> DataTable {
    let [without, with] = waves;
    let rows = places(&problem.test).enumerate().map(|(place, x)| {
        let values = [
            problem.test.targets[place].into(),
            without.predictions[place],
            with.predictions[place],
        ];
        [x].into_iter().chain(values).map(|value| value.to_string()).collect()
    });
    DataTable {
        name: "curve".into(),
        columns: ["x", "function", "without", "with"].map(String::from).into(),
        rows: rows.collect(),
    }
}
