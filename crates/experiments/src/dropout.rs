//! 003 §6.4 and 002: the 300 images of `weight_decay.rs` with dropout, and a sweep over its rate.

use backburn_records::number::counted;
use backburn_records::statistics::{Better, Judged, Spread};
use backburn_records::{DataTable, ExperimentTable, Unit};
use backburn_report::figure::{Axis, LineChart, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::Failure;

use super::few_images::{self, SmallMlp, percent};
use super::images::{Images, TestView};
use super::judging::sampling_variance;
use super::lab::Lab;
use super::overfitting::{
    self, Accuracies, Arm, Course, IMAGES, LAYERS, Score, caveat, comparison, data, effect, figure,
    gap_figure, setup, unguarded, values,
};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("dropout.md"));

const RATE: f64 = 0.2;
/// Rates of the sweep; the first two arms are among them.
const RATES: [f64; 9] = [0.0, 0.1, RATE, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

fn arms() -> [Arm; 2] {
    let dropped = Arm {
        name: "dropout 0.2",
        title: "300 images, dropout 0.2 after each hidden layer",
        file: "dropout",
        network: network(RATE),
        reference: [(0.850, 0.042), (0.658, 0.022), (0.193, 0.030)],
    };
    [unguarded(), dropped]
}

/// Settings of the arms, and those of the sweep by their rates.
pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    for arm in arms() {
        settings = overfitting::settings(lab, settings, arm.name, &arm.network);
    }
    for rate in RATES {
        settings = overfitting::settings(lab, settings, &format!("rate {rate}"), &network(rate));
    }
    Ok(settings)
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let images = lab.first(IMAGES);
    let diagnostic = lab.diagnostic(&images, "curves of test accuracy");
    let test = lab.test(&images, "test accuracy after training", "last update, all networks");
    let mut trained = Vec::new();
    for arm in arms() {
        let courses = overfitting::train(lab, &arm.network, &images, &test, Some(&diagnostic))?;
        lab.say(&format!("{}: {}", arm.name, counted(courses.len(), "network")));
        trained.push((arm, courses));
    }
    let arms = trained;
    let sweep = sweep(lab, &images, &test, &arms)?;
    let mut setup = setup(lab);
    setup.push(TEXT.paragraph("set-up", &[("rate", RATE.to_string())]));
    let mut drawn = vec![data(lab, &arms)];
    drawn.push(sweep_data(lab, &sweep));
    let values = [
        ("rate", RATE.to_string()),
        ("effect", effect(&arms[0].1, &arms[1].1, lab.data().test.len())),
        ("sweep", sentence(&sweep, lab.data().test.len())),
        ("caveat", caveat(lab)),
    ];
    Ok(Findings {
        sentence: TEXT.paragraph("sentence", &values),
        setup,
        comparisons: vec![comparison(lab, &arms)],
        tables: vec![table(&sweep)],
        figures: vec![
            figure(lab, &arms[0].0, &arms[0].1, TEXT.paragraph("figure without", &[])),
            figure(lab, &arms[1].0, &arms[1].1, TEXT.paragraph("figure with", &[])),
            gap_figure(lab, &arms),
            sweep_figure(&sweep),
        ],
        data: drawn,
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

fn network(rate: f64) -> SmallMlp {
    SmallMlp { dropout: rate, ..SmallMlp::new(LAYERS) }
}

/// All rates with their networks, of which those of the arms are trained already.
fn sweep(
    lab: &Lab,
    images: &Images,
    test: &TestView,
    arms: &[(Arm, Vec<Course>)],
) -> Result<Vec<(f64, Vec<Course>)>, Failure> {
    let of_rate = |rate| {
        if let Some((_, courses)) = arms.iter().find(|(arm, _)| arm.network.dropout == rate) {
            return Ok((rate, courses.clone()));
        }
        let courses = overfitting::train(lab, &network(rate), images, test, None)?;
        lab.say(&format!("dropout {rate}: {}", counted(courses.len(), "network")));
        Ok((rate, courses))
    };
    RATES.into_iter().map(of_rate).collect()
}

fn mean(courses: &[Course], value: Score) -> f64 {
    Spread::of(&values(courses, value)).mean
}

/// How a score changes from one rate to another.
fn change(
    from: &[Course],
    to: &[Course],
    value: Score,
    variance: impl Fn(&[Course]) -> f64,
    better: Better,
) -> Judged {
    let sampling = (variance(from) + variance(to)).sqrt();
    few_images::change(&values(from, value), &values(to, value), sampling, better)
}

/// Whether too little overfits and too much underfits, and which rates have the highest test accuracy.
fn sentence(sweep: &[(f64, Vec<Course>)], test_images: usize) -> String {
    let (little, much) = (&sweep[0], &sweep[sweep.len() - 1]);
    let train: Score = |end| end.train;
    let test: Score = |end| end.test;
    let of_train = |courses: &[Course]| sampling_variance(mean(courses, train), IMAGES);
    let of_test = |courses: &[Course]| sampling_variance(mean(courses, test), test_images);
    let of_gap = |courses: &[Course]| of_train(courses) + of_test(courses);
    let gap = change(&much.1, &little.1, Accuracies::gap, of_gap, Better::Lower);
    let fit = change(&much.1, &little.1, train, of_train, Better::Higher);
    let best = sweep.iter().map(|(_, courses)| mean(courses, test)).fold(0.0, f64::max);
    let (highest, others): (Vec<_>, Vec<_>) =
        sweep.iter().partition(|(_, courses)| mean(courses, test) == best);
    let near = others.into_iter().filter(|(_, courses)| {
        !change(courses, &highest[0].1, test, of_test, Better::Higher).is_clear()
    });
    let near: Vec<f64> = near.map(|(rate, _)| *rate).collect();
    let highest: Vec<f64> = highest.iter().map(|(rate, _)| *rate).collect();
    let noise = match near.len() {
        0 => String::new(),
        _ => format!("; {} may differ from it by noise alone", listed(&near)),
    };
    let overfits = ["overfits", "does not overfit", "does not clearly overfit"];
    let underfits = ["underfits", "does not underfit", "does not clearly underfit"];
    let gap_of = |courses| format!("{:.1}", 100.0 * mean(courses, Accuracies::gap));
    let values = [
        ("overfits", gap.word(overfits).into()),
        ("gap_little", gap_of(&little.1)),
        ("little", little.0.to_string()),
        ("gap_much", gap_of(&much.1)),
        ("much", much.0.to_string()),
        ("underfits", fit.word(underfits).into()),
        ("train_little", percent(mean(&little.1, train))),
        ("train_much", percent(mean(&much.1, train))),
        ("rates", sweep.len().to_string()),
        ("best", percent(best)),
        ("highest", listed(&highest)),
        ("noise", noise),
    ];
    TEXT.paragraph("sweep", &values)
}

/// Rates in words: `rate 0`, `rates 0, 0.1 and 0.2`.
fn listed(rates: &[f64]) -> String {
    let mut words: Vec<String> = rates.iter().map(f64::to_string).collect();
    match words.pop() {
        Some(last) if words.is_empty() => format!("rate {last}"),
        last => format!("rates {} and {}", words.join(", "), last.unwrap_or_default()),
    }
}

fn table(sweep: &[(f64, Vec<Course>)]) -> ExperimentTable {
    let row = |(rate, courses): &(f64, Vec<Course>)| {
        vec![
            rate.to_string(),
            Unit::Percent.spread(&values(courses, |end| end.train)),
            Unit::Percent.spread(&values(courses, |end| end.test)),
            Unit::Points.spread(&values(courses, Accuracies::gap)),
        ]
    };
    ExperimentTable {
        title: "Sweep over the rate".into(),
        note: TEXT.paragraph("table of the sweep", &[]),
        head: ["rate", "training (%)", "test (%)", "gap (points)"].map(String::from).into(),
        rows: sweep.iter().map(row).collect(),
    }
}

fn sweep_figure(sweep: &[(f64, Vec<Course>)]) -> ExperimentFigure {
    let y = Axis::linear("accuracy (%)").over(0.0, 100.0);
    let mut chart = LineChart::new(
        "Accuracy after 601 updates, by the rate of dropout",
        Axis::linear("dropout rate"),
        y,
    );
    let curves: [(&str, Score); 2] = [("training", |end| end.train), ("test", |end| end.test)];
    for (name, value) in curves {
        let spread = |(rate, courses): &(f64, Vec<Course>)| {
            let percent: Vec<f64> = values(courses, value).iter().map(|v| 100.0 * v).collect();
            (*rate, Spread::of(&percent))
        };
        let spreads: Vec<_> = sweep.iter().map(spread).collect();
        let band = spreads.iter().filter(|(_, spread)| spread.standard_deviation.is_finite());
        let band =
            band.map(|(rate, Spread { mean, standard_deviation: s })| (*rate, mean - s, mean + s));
        let points = spreads.iter().map(|(rate, spread)| (*rate, spread.mean));
        chart = chart.with(Series::line(name, points.collect()).with_band(band.collect()));
    }
    ExperimentFigure {
        name: "sweep".into(),
        caption: TEXT.paragraph("figure of the sweep", &[]),
        drawing: chart.draw(),
    }
}

fn sweep_data(lab: &Lab, sweep: &[(f64, Vec<Course>)]) -> DataTable {
    let rows = sweep.iter().flat_map(|(rate, courses)| {
        lab.seeds.iter().zip(courses).map(move |(seed, course)| {
            let Accuracies { train, test } = course.end;
            vec![rate.to_string(), seed.to_string(), train.to_string(), test.to_string()]
        })
    });
    let columns = ["rate", "seed", "train_accuracy", "test_accuracy"];
    DataTable {
        name: "sweep".into(),
        columns: columns.map(String::from).into(),
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates with the training and test accuracy of each seed.
    fn sweep(rates: &[(f64, &[(f64, f64)])]) -> Vec<(f64, Vec<Course>)> {
        let course = |&(train, test): &(f64, f64)| Course {
            end: Accuracies { train, test },
            ..Course::default()
        };
        rates.iter().map(|(rate, ends)| (*rate, ends.iter().map(course).collect())).collect()
    }

    #[test]
    fn clear_changes_are_named() {
        let text = sentence(&sweep(&[(0.0, &[(1.0, 0.75)]), (0.8, &[(0.2, 0.2)])]), 10_000);
        let start = "Too little overfits (gap 25.0 points at rate 0, 0.0 at 0.8), and too much \
            underfits (training accuracy 100.0 % and 20.0 %). The highest of 2 test accuracies, \
            75.0 %, is that of rate 0. It";
        assert!(text.starts_with(start), "{text}");
    }

    #[test]
    fn what_noise_may_have_done_is_not_called_a_change() {
        // Of 300 training images and of 100 test images.
        let rates: [(f64, &[(f64, f64)]); 3] =
            [(0.0, &[(0.90, 0.70)]), (0.1, &[(0.9, 0.71)]), (0.8, &[(0.88, 0.69)])];
        let text = sentence(&sweep(&rates), 100);
        assert!(text.starts_with("Too little does not clearly overfit (gap 20.0 points"), "{text}");
        assert!(text.contains("too much does not clearly underfit"), "{text}");
        assert!(text.contains("71.0 %, is that of rate 0.1; rates 0 and 0.8 may differ"), "{text}");
        assert!(text.contains("from it by noise alone. It"), "{text}");
        // Several seeds have noise of their own: the difference is 0.01 in each.
        let seeds: [(f64, &[(f64, f64)]); 2] =
            [(0.0, &[(1.0, 0.70), (1.0, 0.60)]), (0.8, &[(1.0, 0.71), (1.0, 0.61)])];
        let text = sentence(&sweep(&seeds), 100);
        assert!(text.contains("66.0 %, is that of rate 0.8. It"), "{text}");
        assert!(!text.contains("noise"), "{text}");
    }

    #[test]
    fn rates_with_the_same_accuracy_are_all_named() {
        let rates: [(f64, &[(f64, f64)]); 4] = [
            (0.0, &[(1.0, 0.7)]),
            (0.1, &[(1.0, 0.7)]),
            (0.2, &[(1.0, 0.7)]),
            (0.8, &[(0.2, 0.2)]),
        ];
        let text = sentence(&sweep(&rates), 10_000);
        assert!(text.contains("70.0 %, is that of rates 0, 0.1 and 0.2. It"), "{text}");
    }
}
