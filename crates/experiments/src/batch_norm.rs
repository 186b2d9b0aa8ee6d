//! 003 §6.3: sixteen scales of initial weights, with and without batch normalization, and the three things
//! that it is said to do: faster learning, less dependence on initial weights, less overfitting.

use backburn_models::WeightInitialization;
use backburn_records::statistics::{Better, Spread};
use backburn_records::{Compared, Comparison, DataTable, ExperimentTable, Reference, Unit};
use backburn_report::figure::{Axis, LineChart, Series, SmallMultiples, SmallPanel};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;
use serde_json::json;

use super::curves::series;
use super::few_images::{Schedule, SmallMlp, beside, change, percent};
use super::images::{Diagnostic, Images, TestView};
use super::judging::sampling_variance;
use super::lab::Lab;
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("batch_norm.md"));

const IMAGES: usize = 1000;
const LAYERS: usize = 5;
/// 20 looks, which the source calls epochs.
const SCHEDULE: Schedule = Schedule::new(191, 10);
/// Seeds behind PyTorch's numbers.
const REFERENCE_SEEDS: usize = 10;
/// Training accuracy of a network that has learnt, for the speed and for the gap.
const LEARNT: f64 = 0.9;
/// Final training accuracy that shows that a scale of initial weights works.
const WORKS: f64 = 0.8;

/// PyTorch's final training accuracies for each scale: with and without batch normalization. NaN where the
/// loss overflows, which a table that looks at the answers alone shows as 9.7 %: every answer is 0.
const REFERENCES: [[(f64, f64); 2]; 16] = [
    [(0.406, 0.017), OVERFLOW],
    [(0.474, 0.020), OVERFLOW],
    [(0.628, 0.013), (0.969, 0.031)],
    [(0.784, 0.018), (0.857, 0.024)],
    [(0.877, 0.015), (0.279, 0.099)],
    [(0.941, 0.007), (0.121, 0.014)],
    [(0.988, 0.003), STUCK],
    [(0.999, 0.001), STUCK],
    [(1.000, 0.001), STUCK],
    [(0.989, 0.028), STUCK],
    [(0.958, 0.039), STUCK],
    [(0.815, 0.082), STUCK],
    [(0.686, 0.107), STUCK],
    [(0.530, 0.030), STUCK],
    [(0.418, 0.060), STUCK],
    [(0.126, 0.031), STUCK],
];
const OVERFLOW: (f64, f64) = (f64::NAN, f64::NAN);
/// The share of the most frequent digit.
const STUCK: (f64, f64) = (0.117, 0.001);

/// Names in figures and tables: with and without.
const NAMES: [&str; 2] = ["with batch normalization", "without"];

/// What became of one network.
#[derive(Clone, Debug)]
struct Course {
    /// Training accuracy at each look; NaN from the look on at which the loss is no longer finite.
    train: Vec<f64>,
    /// Test accuracy after the last update; NaN if the loss overflowed.
    test: f64,
    /// Training less test accuracy at the first look at which it had learnt, if it ever had.
    gap_when_learnt: Option<f64>,
}

impl Course {
    /// Training less test accuracy after the last update.
    fn gap(&self) -> f64 {
        self.end() - self.test
    }

    fn end(&self) -> f64 {
        *self.train.last().expect("there are looks")
    }

    fn diverged(&self) -> bool {
        !self.end().is_finite()
    }

    /// The first update after which the network was seen to have learnt.
    fn learnt_at(&self) -> Option<f64> {
        let looks = SCHEDULE.looks();
        self.train.iter().position(|accuracy| *accuracy >= LEARNT).map(|place| looks[place])
    }

    /// The mean training accuracy of all looks: high for a network that learns early. One that diverged
    /// has learnt nothing.
    fn mean(&self) -> f64 {
        let seen = self.train.iter().map(|a| if a.is_finite() { *a } else { 0.0 });
        seen.sum::<f64>() / self.train.len() as f64
    }
}

/// All networks of one seed: by scale, with and without.
type Sweep = Vec<[Course; 2]>;

/// The networks with and without batch normalization, at this scale of initial weights.
fn networks(place: usize) -> [SmallMlp; 2] {
    [true, false].map(|batch_norm| {
        let weights = WeightInitialization::Normal(scale(place));
        SmallMlp { batch_norm, weights, ..SmallMlp::new(LAYERS) }
    })
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let images = json!({ "images": IMAGES.min(lab.data().train.len()) });
    let mut settings = Settings::default();
    for place in 0..REFERENCES.len() {
        for (network, name) in networks(place).iter().zip(NAMES) {
            let name = format!("std {}, {name}", short(scale(place)));
            settings = settings.arm(name, &[&network.training(), &SCHEDULE.of(lab), &images]);
        }
    }
    Ok(settings)
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let images = lab.first(IMAGES);
    let diagnostic = lab.diagnostic(&images, "gap at 90 % training accuracy");
    let test = lab.test(&images, "test accuracy after training", "last update, all networks");
    let mut sweeps: Vec<Sweep> = Vec::new();
    for &seed in &lab.seeds {
        let mut sweep = Vec::new();
        for place in 0..REFERENCES.len() {
            let train = |network: &SmallMlp| {
                course(lab, network, &images, &diagnostic, &test, Seeds::new(seed))
            };
            let [with, without] = networks(place);
            sweep.push([train(&with)?, train(&without)?]);
        }
        lab.say(&format!("seed {seed}: {} networks", 2 * sweep.len()));
        sweeps.push(sweep);
    }
    let claims: Vec<[Claims; 2]> =
        sweeps.iter().map(|sweep| [0, 1].map(|arm| Claims::of(sweep, arm))).collect();
    Ok(Findings {
        sentence: sentence(lab, &sweeps, &claims, lab.data().test.len()),
        setup: setup(lab),
        comparisons: vec![comparison(lab, &sweeps)],
        tables: vec![table(&claims)],
        figures: figures(lab, &sweeps),
        data: vec![data(lab, &sweeps), end_data(lab, &sweeps)],
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

/// The standard deviation of initial weights at this place of `numpy.logspace(0, -4, 16)`.
fn scale(place: usize) -> f64 {
    10_f64.powf(-4.0 * place as f64 / (REFERENCES.len() - 1) as f64)
}

fn course(
    lab: &Lab,
    network: &SmallMlp,
    images: &Images,
    diagnostic: &Diagnostic,
    test: &TestView,
    seeds: Seeds,
) -> Result<Course, Failure> {
    let mut course = Course { train: Vec::new(), test: f64::NAN, gap_when_learnt: None };
    let trainee = network.train(lab, images, SCHEDULE.of(lab), seeds, |trainee| {
        let scores = trainee.scores(images)?;
        let accuracy = if scores.loss.is_finite() { scores.accuracy } else { f64::NAN };
        course.train.push(accuracy);
        if accuracy >= LEARNT && course.gap_when_learnt.is_none() {
            course.gap_when_learnt = Some(accuracy - diagnostic.scores(trainee)?.accuracy);
        }
        Ok(())
    })?;
    if !course.diverged() {
        course.test = test.scores(&trainee)?.accuracy;
    }
    Ok(course)
}

/// One seed's measures of the three claims, of the networks with or without batch normalization.
#[derive(Clone, Copy, Debug)]
struct Claims {
    /// Scales at which it has the higher mean accuracy of the two.
    ahead: f64,
    /// Updates until its fastest network has learnt; NaN if none has.
    updates: f64,
    /// Scales that work.
    working: f64,
    /// Training and test accuracy at the scale where it learns best.
    train: f64,
    test: f64,
    /// Scales at which both arms end at half of the training images or more, and those of them at which it has the
    /// smaller gap of the two.
    shared: f64,
    narrower: f64,
    /// Mean gap of its networks at the look at which they have learnt; NaN if none has.
    gap_when_learnt: f64,
}

impl Claims {
    fn of(sweep: &Sweep, arm: usize) -> Self {
        let courses = || sweep.iter().map(|pair| &pair[arm]);
        let count = |holds: &dyn Fn(&[Course; 2]) -> bool| {
            sweep.iter().filter(|pair| holds(pair)).count() as f64
        };
        // Only by training accuracy: test images choose nothing.
        let best = courses().filter(|course| !course.diverged());
        let best = best.fold(None, |best: Option<&Course>, course| match best {
            Some(best) if best.end() >= course.end() => Some(best),
            _ => Some(course),
        });
        let gaps: Vec<f64> = courses().filter_map(|course| course.gap_when_learnt).collect();
        let is_shared = |pair: &[Course; 2]| pair.iter().all(|course| course.end() >= 0.5);
        Self {
            shared: count(&is_shared),
            narrower: count(&|pair| is_shared(pair) && pair[arm].gap() < pair[1 - arm].gap()),
            ahead: count(&|pair| pair[arm].mean() > pair[1 - arm].mean()),
            updates: courses().filter_map(Course::learnt_at).reduce(f64::min).unwrap_or(f64::NAN),
            working: count(&|pair| pair[arm].end() >= WORKS),
            train: best.map_or(f64::NAN, Course::end),
            test: best.map_or(f64::NAN, |course| course.test),
            gap_when_learnt: Spread::of(&gaps).mean,
        }
    }

    fn gap(&self) -> f64 {
        self.train - self.test
    }
}

fn mean(claims: &[[Claims; 2]], arm: usize, value: impl Fn(&Claims) -> f64) -> f64 {
    let values = claims.iter().map(|pair| value(&pair[arm]));
    Spread::of(&values.filter(|value| value.is_finite()).collect::<Vec<_>>()).mean
}

fn sentence(lab: &Lab, sweeps: &[Sweep], claims: &[[Claims; 2]], test_images: usize) -> String {
    let mut sentences =
        vec![speed(claims), dependence(sweeps, claims), overfitting(claims, test_images)];
    if lab.seeds.len() == 1 {
        sentences.push(TEXT.paragraph("one seed", &[]));
    }
    sentences.join(" ")
}

/// A measure's means with and without.
fn both(claims: &[[Claims; 2]], value: fn(&Claims) -> f64) -> [f64; 2] {
    [0, 1].map(|arm| mean(claims, arm, value))
}

fn speed(claims: &[[Claims; 2]]) -> String {
    let ([ahead, behind], updates) = (both(claims, |c| c.ahead), both(claims, |c| c.updates));
    let is_sooner = updates[0] < updates[1] || (updates[1].is_nan() && !updates[0].is_nan());
    let verdict = verdict(is_sooner, ahead > behind);
    let time = |updates: f64| match updates {
        _ if updates.is_nan() => "never".to_owned(),
        updates => format!("in {}", counted(updates, ["update", "updates"])),
    };
    let values = [
        ("verdict", verdict.into()),
        ("scales", whole(ahead)),
        ("scales_in_all", REFERENCES.len().to_string()),
        ("learnt", format!("{:.0}", 100.0 * LEARNT)),
        ("time", time(updates[0])),
        ("time_without", time(updates[1])),
    ];
    TEXT.paragraph("faster", &values)
}

fn dependence(sweeps: &[Sweep], claims: &[[Claims; 2]]) -> String {
    let [with, without] = both(claims, |c| c.working);
    let diverged = sweeps.iter().flatten().filter(|pair| pair[1].diverged()).count();
    let diverged = diverged as f64 / sweeps.len() as f64;
    let values = [
        ("verdict", verdict(with > without, with > without).into()),
        ("working", counted(with, ["scale ends", "scales end"])),
        ("works", format!("{:.0}", 100.0 * WORKS)),
        ("working_without", whole(without)),
        ("diverged", counted(diverged, ["diverges", "diverge"])),
    ];
    TEXT.paragraph("less dependent", &values)
}

fn overfitting(claims: &[[Claims; 2]], test_images: usize) -> String {
    let gaps = |arm: usize| claims.iter().map(|pair| pair[arm].gap()).collect::<Vec<_>>();
    let (train, test) = (both(claims, |c| c.train), both(claims, |c| c.test));
    let variance: f64 = test.map(|accuracy| sampling_variance(accuracy, test_images)).iter().sum();
    let (with, without) = (gaps(0), gaps(1));
    let gap = change(&without, &with, variance.sqrt(), Better::Lower);
    let (shared, narrower) = (both(claims, |c| c.shared)[0], both(claims, |c| c.narrower)[0]);
    let is_mostly_narrower = 2.0 * narrower > shared;
    let verdict = match gap.word(["more", "less", "noise"]) {
        "noise" => "not to be told from noise",
        word => verdict(word == "less", is_mostly_narrower),
    };
    let gap = |values: &[f64]| format!("{:.1}", 100.0 * Spread::of(values).mean);
    let values = [
        ("verdict", verdict.into()),
        ("gap", gap(&with)),
        ("train", percent(train[0])),
        ("test", percent(test[0])),
        ("gap_without", gap(&without)),
        ("train_without", percent(train[1])),
        ("test_without", percent(test[1])),
        ("narrower", whole(narrower)),
        ("shared", counted(shared, ["scale", "scales"])),
    ];
    TEXT.paragraph("less overfitting", &values)
}

/// Verdict on a claim that was measured twice.
fn verdict(one: bool, other: bool) -> &'static str {
    match (one, other) {
        (true, true) => "yes",
        (false, false) => "no",
        _ => "in part",
    }
}

/// A mean of counts, with a decimal where it has one.
fn whole(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A mean of counts with one of two words: for one, and for any other number.
fn counted(value: f64, [one, others]: [&str; 2]) -> String {
    let count = whole(value);
    let word = if count == "1" { one } else { others };
    format!("{count} {word}")
}

fn setup(lab: &Lab) -> Vec<String> {
    let schedule = SCHEDULE.of(lab);
    let values = [
        ("layers", LAYERS.to_string()),
        ("images", IMAGES.to_string()),
        ("updates", schedule.updates.to_string()),
        ("looks", schedule.looks().len().to_string()),
    ];
    TEXT.list("set-up", &values)
}

fn comparison(lab: &Lab, sweeps: &[Sweep]) -> Comparison {
    let mut rows = Vec::new();
    for arm in [0, 1] {
        for (place, references) in REFERENCES.iter().enumerate() {
            let ours = sweeps.iter().map(|sweep| sweep[place][arm].end()).collect();
            let name = format!("std {}, {}", short(scale(place)), NAMES[arm]);
            let (mean, deviation) = references[arm];
            let reference = Reference::new(mean, deviation, REFERENCE_SEEDS);
            rows.push(beside(Compared::new(name, Unit::Percent, ours), reference, lab));
        }
    }
    Comparison {
        title: format!("Training accuracy after {} updates", SCHEDULE.of(lab).updates),
        note: TEXT.paragraph("comparison", &[]),
        rows,
    }
}

fn table(claims: &[[Claims; 2]]) -> ExperimentTable {
    let row = |name: String, value: fn(&Claims) -> f64, write: fn(&[f64]) -> String| {
        let cell = |arm: usize| {
            let values = claims.iter().map(|pair| value(&pair[arm]));
            let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
            if values.is_empty() { "never".into() } else { write(&values) }
        };
        vec![name, cell(0), cell(1)]
    };
    let counts: fn(&[f64]) -> String = |values| match Spread::of(values) {
        Spread { mean, standard_deviation: s } if s.is_finite() => format!("{mean:.1} ± {s:.1}"),
        Spread { mean, .. } => format!("{mean:.0}"),
    };
    let points: fn(&[f64]) -> String = |values| Unit::Points.spread(values);
    let share: fn(&[f64]) -> String = |values| Unit::Percent.spread(values);
    ExperimentTable {
        title: "The three claims".into(),
        note: TEXT.paragraph("table of claims", &[]),
        head: ["claim, and its measure", "with", "without"].map(String::from).into(),
        rows: vec![
            row("faster: scales with the higher mean accuracy".into(), |c| c.ahead, counts),
            row(
                format!(
                    "faster: updates until the fastest network has learnt {:.0} %",
                    100.0 * LEARNT
                ),
                |c| c.updates,
                counts,
            ),
            row(
                format!("less dependent: scales that end at {:.0} % or more", 100.0 * WORKS),
                |c| c.working,
                counts,
            ),
            row(
                "less overfitting: gap at the scale where it learns best (points)".into(),
                Claims::gap,
                points,
            ),
            row("training accuracy there (%)".into(), |c| c.train, share),
            row("test accuracy there (%)".into(), |c| c.test, share),
            row(
                "of the scales where both learn half or more: those with the smaller gap".into(),
                |c| c.narrower,
                counts,
            ),
            row(
                format!(
                    "mean gap at the first look at {:.0} % training accuracy (points)",
                    100.0 * LEARNT
                ),
                |c| c.gap_when_learnt,
                points,
            ),
        ],
    }
}

/// A scale in three digits.
fn short(scale: f64) -> String {
    let places = (2.0 - scale.log10().floor()).max(0.0) as usize;
    let text = format!("{scale:.places$}");
    if scale < 1.0 { text } else { format!("{scale:.0}") }
}

fn figures(lab: &Lab, sweeps: &[Sweep]) -> Vec<ExperimentFigure> {
    let xs = SCHEDULE.of(lab).looks();
    let panel = |place: usize| {
        let line = |arm: usize| {
            let of = |sweep: &Sweep| sweep[place][arm].train.iter().map(|a| 100.0 * a).collect();
            series(NAMES[arm], &xs, &sweeps.iter().map(of).collect::<Vec<_>>())
        };
        let mut heading = vec![format!("std {}", short(scale(place)))];
        for (arm, word) in [(0, "with"), (1, "without")] {
            if sweeps.iter().any(|sweep| sweep[place][arm].diverged()) {
                heading.push(format!("{word} diverges"));
            }
        }
        SmallPanel { heading, series: vec![line(0), line(1)] }
    };
    let grid = SmallMultiples {
        title: "Training accuracy by scale of initial weights".into(),
        columns: 4,
        x: Axis::counts("update").over(0.0, 200.0),
        y: Axis::linear("training accuracy (%)").over(0.0, 100.0),
        panels: (0..REFERENCES.len()).map(panel).collect(),
    };
    let ends = |value: fn(&Course) -> f64, arm: usize| -> Vec<(f64, Spread)> {
        let at = |place: usize| {
            let values = sweeps.iter().map(|sweep| 100.0 * value(&sweep[place][arm]));
            (scale(place), Spread::of(&values.collect::<Vec<_>>()))
        };
        (0..REFERENCES.len()).map(at).collect()
    };
    let mut chart = LineChart::new(
        "After the last update",
        Axis::log("standard deviation of initial weights (log)"),
        Axis::linear("accuracy (%)").over(0.0, 100.0),
    );
    for (arm, value, name) in [
        (0, Course::end as fn(&Course) -> f64, "with, training"),
        (1, Course::end, "without, training"),
        (0, |course: &Course| course.test, "with, test"),
        (1, |course: &Course| course.test, "without, test"),
    ] {
        let ends = ends(value, arm);
        let band = ends.iter().filter(|(_, spread)| spread.standard_deviation.is_finite());
        let band =
            band.map(|(x, s)| (*x, s.mean - s.standard_deviation, s.mean + s.standard_deviation));
        let points = ends.iter().map(|(x, spread)| (*x, spread.mean)).collect();
        chart = chart.with(Series::line(name, points).with_band(band.collect()));
    }
    let figure =
        |name: &str, drawing, caption| ExperimentFigure { name: name.into(), caption, drawing };
    vec![
        figure("scales", grid.draw(), TEXT.paragraph("figure of scales", &[])),
        figure("ends", chart.draw(), TEXT.paragraph("figure of ends", &[])),
    ]
}

fn data(lab: &Lab, sweeps: &[Sweep]) -> DataTable {
    let looks = SCHEDULE.looks();
    let mut rows = Vec::new();
    for (seed, sweep) in lab.seeds.iter().zip(sweeps) {
        for (place, pair) in sweep.iter().enumerate() {
            for (course, name) in pair.iter().zip(["with", "without"]) {
                rows.extend(looks.iter().zip(&course.train).map(|(update, train)| {
                    let std = scale(place).to_string();
                    [seed.to_string(), std, name.to_owned(), update.to_string(), train.to_string()]
                        .into()
                }));
            }
        }
    }
    let columns = ["seed", "std", "batch_norm", "update", "train_accuracy"];
    DataTable { name: "accuracies".into(), columns: columns.map(String::from).into(), rows }
}

/// What is left after the last update.
fn end_data(lab: &Lab, sweeps: &[Sweep]) -> DataTable {
    let mut rows = Vec::new();
    for (seed, sweep) in lab.seeds.iter().zip(sweeps) {
        for (place, pair) in sweep.iter().enumerate() {
            rows.extend(pair.iter().zip(["with", "without"]).map(|(course, name)| {
                let (train, test) = (course.end().to_string(), course.test.to_string());
                [seed.to_string(), scale(place).to_string(), name.to_owned(), train, test].into()
            }));
        }
    }
    let columns = ["seed", "std", "batch_norm", "train_accuracy", "test_accuracy"];
    DataTable { name: "ends".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(train: &[f64], test: f64) -> Course {
        Course { train: train.to_vec(), test, gap_when_learnt: Some(train[1] - test) }
    }

    #[test]
    fn scales_are_those_of_logspace() {
        let scales: Vec<String> = (0..16).map(|place| short(scale(place))).collect();
        assert_eq!(scales[..4], ["1", "0.541", "0.293", "0.158"]);
        assert_eq!(scales[12..], ["0.000631", "0.000341", "0.000185", "0.000100"]);
    }

    #[test]
    fn claims_follow_from_the_courses() {
        let diverged = Course { train: vec![0.1, f64::NAN], test: f64::NAN, gap_when_learnt: None };
        let sweep = vec![
            [course(&[0.2, 0.5], 0.4), diverged],
            [course(&[0.9, 0.95], 0.7), course(&[0.1, 0.9], 0.8)],
        ];
        let [with, without] = [0, 1].map(|arm| Claims::of(&sweep, arm));
        assert_eq!((with.ahead, without.ahead), (2.0, 0.0));
        assert_eq!((with.updates, without.updates), (1.0, 11.0));
        assert_eq!((with.working, without.working), (1.0, 1.0));
        assert_eq!((with.train, with.test, without.train), (0.95, 0.7, 0.9));
        assert!((with.gap_when_learnt - 0.175).abs() < 1e-12);
        assert!((without.gap_when_learnt - 0.1).abs() < 1e-12);
    }

    #[test]
    fn one_is_counted_in_the_singular() {
        let diverged = Course { train: vec![0.1, f64::NAN], test: f64::NAN, gap_when_learnt: None };
        let sweep = vec![
            [course(&[0.9, 0.95], 0.7), course(&[0.1, 0.9], 0.8)],
            [course(&[0.2, 0.5], 0.4), diverged],
        ];
        let claims = [[0, 1].map(|arm| Claims::of(&sweep, arm))];
        let text = dependence(&[sweep], &claims);
        assert!(text.ends_with("1 scale ends at 80 % or more (without it: 1, and 1 diverges)."));
        assert!(speed(&claims).contains("in 1 update (without it: in 11 updates)"));
        assert!(overfitting(&claims, 10_000).ends_with("at 0 of 1 scale."));
        assert_eq!(counted(1.5, ["scale", "scales"]), "1.5 scales");
        assert_eq!(counted(0.0, ["scale", "scales"]), "0 scales");
    }
}
