//! 003 §6.5: learning rate and weight decay searched for at random, on a validation split cut from the
//! training images; and random search against a grid with as many trials.

use backburn_records::statistics::Spread;
use backburn_records::{Compared, Comparison, DataTable, ExperimentTable, Unit, number};
use backburn_report::figure::{Axis, LineChart, Series, SmallMultiples, SmallPanel};
use backburn_report::{ExperimentFigure, Findings};
use backburn_studies::search::range::Decades;
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;
use serde_json::json;

use super::few_images::{DATASET, percent};
use super::judging::on_data_of_source;
use super::lab::Lab;
use super::random_against_grid::{self, Contest};
use super::random_search::{
    IMAGES, KEPT, LAYERS, LEARNING_RATES, Point, SCHEDULE, Search, TRIALS, Trial, VALIDATION,
    WEIGHT_DECAYS, network, search, split, trials,
};
use super::settings::{Part, Settings};
use super::text::Text;
use super::trainee::Trainee;

const TEXT: Text = Text(include_str!("hyperparameter_search.md"));

/// Trials whose mean says whether a round is better than another.
const TOP: usize = 10;
/// Trials that are drawn, in rows of five.
const DRAWN: usize = 20;

/// The source's best trials: validation accuracy, learning rate, weight decay.
const PRINTED: [(f64, f64, f64); DRAWN] = [
    (0.86, 0.009_739, 1.913e-6),
    (0.76, 0.004_919, 7.464e-5),
    (0.75, 0.006_704, 1.888e-6),
    (0.70, 0.005_139, 3.970e-6),
    (0.63, 0.003_341, 2.334e-7),
    (0.56, 0.004_594, 1.924e-7),
    (0.54, 0.003_217, 2.836e-8),
    (0.52, 0.003_589, 4.960e-5),
    (0.47, 0.003_527, 5.976e-8),
    (0.45, 0.002_160, 6.667e-5),
    (0.43, 0.003_160, 2.426e-6),
    (0.41, 0.002_338, 9.742e-5),
    (0.40, 0.002_722, 4.451e-7),
    (0.37, 0.003_841, 1.862e-8),
    (0.35, 0.003_219, 1.078e-8),
    (0.34, 0.001_030, 6.716e-5),
    (0.32, 0.001_367, 3.681e-5),
    (0.30, 0.002_647, 2.491e-5),
    (0.30, 0.001_838, 2.539e-7),
    (0.27, 0.001_696, 1.472e-8),
];

/// The settings of every trial but for what is searched for, of which there are the exponents of ten.
pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let mut training =
        network(Point { learning_rate: 0.0, weight_decay: 0.0 }).training().settings();
    training.remove("learning_rate");
    training.remove("weight_decay");
    let repetitions = if lab.is_paper() { random_against_grid::repetitions(lab) } else { 0 };
    let search = json!({
        "images": IMAGES.min(lab.data().train.len()),
        "validation_share": VALIDATION,
        "trials": trials(lab),
        "kept_for_the_next_round": KEPT,
        "learning_rate_exponent": LEARNING_RATES,
        "weight_decay_exponent": WEIGHT_DECAYS,
        "repetitions_against_grids": repetitions,
    });
    Ok(Settings::default().arm("trial", &[&training, &SCHEDULE.of(lab), &search]))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let rounds = lab.options.rounds.unwrap_or(1);
    let mut searches: Vec<Search> = Vec::new();
    for &seed in &lab.seeds {
        searches.push(search(lab, seed, rounds)?);
    }
    let contest = if lab.is_paper() { Some(Contest::hold(lab, &searches)?) } else { None };
    let best = retrain_best(lab, &searches[0])?;
    let mut tables = vec![best_trials(&searches[0])];
    tables.extend(contest.as_ref().map(Contest::table));
    let mut figures = figures(&searches[0], &best.courses);
    figures.extend(contest.as_ref().map(Contest::figure));
    let mut data = vec![data(lab, &searches), course_data(&best.courses)];
    data.extend(contest.as_ref().map(|contest| contest.data(lab)));
    let mut reduced = Vec::new();
    if contest.is_none() {
        reduced.push(TEXT.paragraph("reduced", &[]));
    }
    Ok(Findings {
        sentence: sentence(&searches, contest.as_ref(), best.test_accuracy),
        setup: setup(lab, rounds),
        reduced,
        comparisons: vec![comparison(lab, &searches)],
        tables,
        figures,
        data,
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

/// Accuracies at each look.
struct Course {
    train: Vec<f64>,
    valid: Vec<f64>,
}

/// The best trials of the first round while they learn, and what the best network of all rounds makes of
/// test images.
struct Best {
    courses: Vec<Course>,
    test_accuracy: f64,
}

/// Trains the best trials once more, which gives the same networks, and looks at them meanwhile.
fn retrain_best(lab: &Lab, search: &Search) -> Result<Best, Failure> {
    let split = split(lab, Seeds::new(lab.seed()));
    let train = |trial: &Trial, look: &mut dyn FnMut(&Trainee) -> Result<(), Failure>| {
        network(trial.point).train(lab, &split.train, SCHEDULE.of(lab), trial.seeds, look)
    };
    let mut courses = Vec::new();
    for trial in search[0].iter().take(DRAWN) {
        let mut course = Course { train: Vec::new(), valid: Vec::new() };
        train(trial, &mut |trainee| {
            course.train.push(trainee.scores(&split.train)?.accuracy);
            course.valid.push(trainee.scores(&split.valid)?.accuracy);
            Ok(())
        })?;
        courses.push(course);
    }
    let firsts = search.iter().map(|trials| &trials[0]);
    let best =
        firsts.reduce(|best, trial| if trial.accuracy > best.accuracy { trial } else { best });
    let network = train(best.expect("there is a round"), &mut |_| Ok(()))?;
    let test = lab.test(&split.train, "test accuracy of the best trial", "last update, best trial");
    Ok(Best { courses, test_accuracy: test.scores(&network)?.accuracy })
}

/// The value with two digits.
fn short(value: f64) -> String {
    let places = (1.0 - value.log10().floor()).max(0.0) as usize;
    if value < 1e-4 { number::scientific(value) } else { format!("{value:.places$}") }
}

fn setup(lab: &Lab, rounds: usize) -> Vec<String> {
    let values = [
        ("images", IMAGES.to_string()),
        ("layers", LAYERS.to_string()),
        ("trials", trials(lab).to_string()),
        ("updates", SCHEDULE.of(lab).updates.to_string()),
    ];
    let mut setup = TEXT.list("set-up", &values);
    if rounds > 1 {
        let values = [
            ("rounds", rounds.to_string()),
            ("kept", KEPT.to_string()),
            ("trials", TRIALS.to_string()),
        ];
        setup.push(TEXT.paragraph("set-up of rounds", &values));
    }
    if lab.is_paper() {
        setup.push(random_against_grid::setup(lab));
    }
    setup
}

/// The mean accuracy of the best trials.
fn top(trials: &[Trial]) -> f64 {
    let best: Vec<f64> = trials.iter().take(TOP).map(|trial| trial.accuracy).collect();
    Spread::of(&best).mean
}

fn sentence(searches: &[Search], contest: Option<&Contest>, test_accuracy: f64) -> String {
    let mean = |value: &dyn Fn(&Search) -> f64| {
        Spread::of(&searches.iter().map(value).collect::<Vec<_>>()).mean
    };
    let best = searches[0][0][0];
    // What is told of the first search, of all.
    let of_all = |mean: String| match searches.len() {
        1 => String::new(),
        count => format!(" (mean of {count} searches: {mean})"),
    };
    // The source's best rates and what lies between them and the end of the range.
    let slowest = PRINTED[..KEPT].iter().map(|row| row.1).fold(f64::INFINITY, f64::min);
    let is_inside = |trial: &&Trial| trial.point.learning_rate >= slowest;
    let inside = |search: &Search| search[0][..KEPT].iter().filter(is_inside).count();
    let rates = Decades::of(searches[0][0][..KEPT].iter().map(|trial| trial.point.learning_rate));
    let correlation = |value: fn(&Point) -> f64| {
        mean(&|search| {
            let pairs = search[0].iter().map(|trial| (value(&trial.point), trial.accuracy));
            rank_correlation(&pairs.collect::<Vec<_>>())
        })
    };
    let of_rate = correlation(|point| point.learning_rate);
    let of_decay = correlation(|point| point.weight_decay);
    let is_rate = of_rate.abs() > of_decay.abs();
    let values = [
        ("trials", TRIALS.to_string()),
        ("accuracy", percent(best.accuracy)),
        ("accuracies", of_all(percent(mean(&|search| search[0][0].accuracy)))),
        ("rate", short(best.point.learning_rate)),
        ("decay", short(best.point.weight_decay)),
        ("kept", KEPT.to_string()),
        ("lowest_rate", short(rates.at(0.0))),
        ("highest_rate", short(rates.at(1.0))),
        ("lying", lying(inside(&searches[0]))),
        (
            "lying_of_all",
            of_all(number::short((10.0 * mean(&|search| inside(search) as f64)).round() / 10.0)),
        ),
        ("slowest", short(slowest)),
        ("more_important", if is_rate { "The learning rate" } else { "Weight decay" }.into()),
        ("mean", if searches.len() > 1 { "mean " } else { "" }.into()),
        ("of_rate", format!("{of_rate:.2}")),
        ("of_decay", format!("{of_decay:.2}")),
    ];
    let mut sentences = vec![TEXT.paragraph("sentence", &values)];
    for round in 1..searches[0].len() {
        let (before, after) = (mean(&|s| top(&s[round - 1])), mean(&|s| top(&s[round])));
        let values = [
            ("round", (round + 1).to_string()),
            ("kept", KEPT.to_string()),
            ("top", TOP.to_string()),
            ("verb", if after > before { "rises" } else { "does not rise" }.into()),
            ("after", percent(after)),
            ("before", percent(before)),
        ];
        sentences.push(TEXT.paragraph("round", &values));
    }
    sentences.extend(contest.map(Contest::sentence));
    let values = [("accuracy", percent(test_accuracy))];
    sentences.push(TEXT.paragraph("test accuracy", &values));
    sentences.join(" ")
}

/// Words for how many of the best [`KEPT`] trials lie somewhere.
fn lying(count: usize) -> String {
    match count {
        0 => "none of them lies".into(),
        1 => "1 of them lies".into(),
        KEPT => "all of them lie".into(),
        count => format!("{count} of them lie"),
    }
}

/// Spearman's: the correlation of ranks, equals sharing the mean of theirs.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        let rank = |value: &f64| {
            let less = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            less as f64 + (equal as f64 + 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let x = ranks(pairs.iter().map(|pair| pair.0).collect());
    let y = ranks(pairs.iter().map(|pair| pair.1).collect());
    let middle = (pairs.len() as f64 + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum()
    };
    sum(&x, &y) / (sum(&x, &x) * sum(&y, &y)).sqrt()
}

fn comparison(lab: &Lab, searches: &[Search]) -> Comparison {
    let row = |(place, (printed, ..)): (usize, &(f64, f64, f64))| {
        let ours = searches.iter().map(|search| search[0][place].accuracy).collect();
        let row = Compared::new(format!("trial {} from the top", place + 1), Unit::Percent, ours);
        let row = row.printed(*printed);
        let row = if searches.len() > 1 { row } else { row.not_compared("needs several seeds") };
        on_data_of_source(lab, DATASET, row)
    };
    Comparison {
        title: "Validation accuracies of the best 20 trials".into(),
        note: TEXT.paragraph("comparison", &[]),
        rows: PRINTED.iter().enumerate().map(row).collect(),
    }
}

fn best_trials(search: &Search) -> ExperimentTable {
    let mut head = vec!["trial from the top".to_owned()];
    head.extend(["source η", "source λ"].map(String::from));
    for round in 1..=search.len() {
        head.extend(["(%)", "η", "λ"].map(|name| match search.len() {
            1 => format!("ours {name}"),
            _ => format!("round {round} {name}"),
        }));
    }
    let row = |(place, (_, rate, decay)): (usize, &(f64, f64, f64))| {
        let mut row = vec![(place + 1).to_string(), short(*rate), short(*decay)];
        for trials in search {
            let Trial { point, accuracy, .. } = trials[place];
            row.push(format!("{:.0}", 100.0 * accuracy));
            row.extend([short(point.learning_rate), short(point.weight_decay)]);
        }
        row
    };
    ExperimentTable {
        title: "The best trials".into(),
        note: TEXT.paragraph("table of trials", &[]),
        head,
        rows: PRINTED.iter().enumerate().map(row).collect(),
    }
}

fn figures(search: &Search, courses: &[Course]) -> Vec<ExperimentFigure> {
    let panel = |(place, (trial, course)): (usize, (&Trial, &Course))| {
        let line = |name: &str, values: &[f64]| {
            let percent = values.iter().map(|accuracy| 100.0 * accuracy);
            Series::line(name, SCHEDULE.looks().into_iter().zip(percent).collect())
        };
        SmallPanel {
            heading: vec![
                format!("{}: {:.0} %", place + 1, 100.0 * trial.accuracy),
                format!("η {}", short(trial.point.learning_rate)),
            ],
            series: vec![line("validation", &course.valid), line("training", &course.train)],
        }
    };
    let best = SmallMultiples {
        title: format!("The best {DRAWN} of {TRIALS} trials"),
        columns: 5,
        x: Axis::counts("update").over(0.0, 200.0),
        y: Axis::linear("accuracy (%)").over(0.0, 100.0),
        panels: search[0].iter().zip(courses).enumerate().map(panel).collect(),
    };
    let chart =
        |title: &str, label: &str, ours: fn(&Point) -> f64, source: fn(&(f64, f64, f64)) -> f64| {
            let y = Axis::linear("validation accuracy (%)").over(0.0, 100.0);
            let mut chart = LineChart::new(title, Axis::log(label), y);
            for (round, trials) in (1..).zip(search) {
                let name =
                    if search.len() == 1 { "ours".into() } else { format!("ours, round {round}") };
                let points =
                    trials.iter().map(|trial| (ours(&trial.point), 100.0 * trial.accuracy));
                chart = chart.with(Series::points(name, points.collect()));
            }
            let points = PRINTED.iter().map(|row| (source(row), 100.0 * row.0)).collect();
            chart.with(Series::points("source's best 20", points)).draw()
        };
    let figure =
        |name: &str, drawing, caption| ExperimentFigure { name: name.into(), caption, drawing };
    vec![
        figure("best", best.draw(), TEXT.paragraph("figure of trials", &[])),
        figure(
            "learning_rates",
            chart(
                "Accuracy by learning rate",
                "learning rate η (log)",
                |p| p.learning_rate,
                |row| row.1,
            ),
            TEXT.paragraph("figure of rates", &[]),
        ),
        figure(
            "weight_decays",
            chart(
                "Accuracy by weight decay",
                "weight decay λ (log)",
                |p| p.weight_decay,
                |row| row.2,
            ),
            TEXT.paragraph("figure of decays", &[]),
        ),
    ]
}

fn data(lab: &Lab, searches: &[Search]) -> DataTable {
    let mut rows = Vec::new();
    for (seed, search) in lab.seeds.iter().zip(searches) {
        for (round, trials) in (1..).zip(search) {
            rows.extend(trials.iter().map(|trial: &Trial| {
                let Point { learning_rate, weight_decay } = trial.point;
                let round: usize = round;
                let numbers = [learning_rate, weight_decay, trial.accuracy];
                let numbers = numbers.map(|value| value.to_string());
                [seed.to_string(), round.to_string()].into_iter().chain(numbers).collect()
            }));
        }
    }
    let columns = ["seed", "round", "learning_rate", "weight_decay", "validation_accuracy"];
    DataTable { name: "trials".into(), columns: columns.map(String::from).into(), rows }
}

/// The curves of the first seed's best trials.
fn course_data(courses: &[Course]) -> DataTable {
    let looks = SCHEDULE.looks();
    let mut rows = Vec::new();
    for (place, course) in courses.iter().enumerate() {
        let accuracies = course.train.iter().zip(&course.valid);
        rows.extend(looks.iter().zip(accuracies).map(|(update, (train, valid))| {
            [(place + 1).to_string(), update.to_string(), train.to_string(), valid.to_string()]
                .into()
        }));
    }
    let columns = ["trial_from_the_top", "update", "train_accuracy", "validation_accuracy"];
    DataTable { name: "best_trials".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_correlate_as_spearman_says() {
        let close = |pairs: &[(f64, f64)], expected: f64| {
            assert!((rank_correlation(pairs) - expected).abs() < 1e-12);
        };
        close(&[(1.0, 1.0), (2.0, 10.0), (3.0, 1e6)], 1.0);
        close(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)], -1.0);
        // Ranks 1 2 3 4 and 1.5 1.5 3 4: 4.5 / √(5 · 4.5).
        close(&[(1.0, 0.0), (2.0, 0.0), (3.0, 1.0), (4.0, 2.0)], 4.5 / 22.5_f64.sqrt());
    }

    /// Trials whose learning rates are 0.005 for so many of the best, and 0.001 for the others.
    fn search(fast: usize) -> Search {
        let trial = |place: usize| Trial {
            point: Point {
                learning_rate: if place < fast { 0.005 } else { 0.001 },
                weight_decay: 1e-5,
            },
            seeds: Seeds::new(0),
            accuracy: 0.8 - 0.01 * place as f64,
        };
        vec![(0..TOP).map(trial).collect()]
    }

    #[test]
    fn of_several_searches_the_first_is_told_and_the_mean_of_all() {
        let one = sentence(&[search(1)], None, 0.7);
        assert!(one.contains("1 of them lies in the source's region"), "{one}");
        assert!(!one.contains("mean"), "{one}");
        assert!(sentence(&[search(0)], None, 0.7).contains("none of them lies in"));
        let two = sentence(&[search(KEPT), search(2)], None, 0.7);
        assert!(two.contains("all of them lie (mean of 2 searches: 3.5) in the source's"), "{two}");
        assert!(two.contains("80.0 % (mean of 2 searches: 80.0 %), with η = 0.0050"), "{two}");
        assert!(two.contains("the mean rank correlation"), "{two}");
    }
}
