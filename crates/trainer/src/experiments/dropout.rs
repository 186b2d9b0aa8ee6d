//! 003 §6.4 and 002: the 300 images of `weight_decay.rs` with dropout, and a sweep over its rate.

use backburn_report::figure::{Axis, LineChart, Series};
use backburn_report::statistics::Spread;
use backburn_report::{DataTable, ExperimentFigure, ExperimentTable, Findings, Unit};

use super::few_images::{SmallMlp, percent};
use super::lab::{Images, Lab, TestView};
use super::overfitting::{
    self, Accuracies, Arm, Course, IMAGES, LAYERS, Score, caveat, comparison, data, effect, figure,
    gap_figure, setup, unguarded, values,
};
use crate::cli::Failure;

const RATE: f64 = 0.2;
/// Of the sweep; the first two arms are among them.
const RATES: [f64; 9] = [0.0, 0.1, RATE, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let images = lab.first(IMAGES);
    let diagnostic = lab.diagnostic(&images, "curves of test accuracy");
    let dropped = Arm {
        name: "dropout 0.2",
        title: "300 images, dropout 0.2 after each hidden layer",
        file: "dropout",
        network: network(RATE),
        reference: [(0.850, 0.042), (0.658, 0.022), (0.193, 0.030)],
    };
    let test = lab.test(&images, "test accuracy after training", "last update, all networks");
    let mut arms = Vec::new();
    for arm in [unguarded(), dropped] {
        let courses = overfitting::train(lab, &arm.network, &images, &test, Some(&diagnostic))?;
        lab.say(&format!("{}: {} networks", arm.name, courses.len()));
        arms.push((arm, courses));
    }
    let sweep = sweep(lab, &images, &test, &arms)?;
    let mut setup = setup();
    setup.push(format!(
        "Dropout after each hidden ReLU, scaled by 1/(1−p) in training: p = {RATE}, and a sweep from 0 to 0.8."
    ));
    let mut drawn = vec![data(lab, &arms)];
    drawn.push(sweep_data(lab, &sweep));
    Ok(Findings {
        sentence: format!(
            "Dropout {RATE} {}. {}{}",
            effect(&arms[0].1, &arms[1].1, lab.data().test.len()),
            sentence(&sweep),
            caveat(lab)
        ),
        setup,
        comparisons: vec![comparison(lab, &arms)],
        tables: vec![table(&sweep)],
        figures: vec![
            figure(
                &arms[0].0,
                &arms[0].1,
                "Without dropout. Test accuracy is diagnostic: nothing is selected by it.",
            ),
            figure(
                &arms[1].0,
                &arms[1].1,
                "With dropout 0.2, on the same axes. Both accuracies are taken without dropout.",
            ),
            gap_figure(&arms),
            sweep_figure(&sweep),
        ],
        data: drawn,
        differences: [
            "The post shows no dropout code at this place; 0.2 after each hidden layer is our choice, and so is the sweep.",
            "The source gives each network initial weights and batches of its own; here all have the same ones.",
        ]
        .map(String::from)
        .into(),
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
        lab.say(&format!("dropout {rate}: {} networks", courses.len()));
        Ok((rate, courses))
    };
    RATES.into_iter().map(of_rate).collect()
}

fn mean(courses: &[Course], value: Score) -> f64 {
    Spread::of(&values(courses, value)).mean
}

/// Whether too little overfits and too much underfits.
fn sentence(sweep: &[(f64, Vec<Course>)]) -> String {
    let (little, much) = (&sweep[0].1, &sweep[sweep.len() - 1]);
    let (low, high) = (mean(little, |end| end.train), mean(&much.1, |end| end.train));
    let overfits = if mean(little, Accuracies::gap) > mean(&much.1, Accuracies::gap) {
        "Too little overfits"
    } else {
        "Too little does not overfit more"
    };
    let underfits = if high < low { "too much underfits" } else { "too much does not underfit" };
    let tested = |entry: &&(f64, Vec<Course>)| mean(&entry.1, |end| end.test);
    let best = sweep.iter().max_by(|a, b| tested(a).total_cmp(&tested(b)));
    let best = best.expect("there are rates");
    format!(
        "{overfits} (gap {:.1} points at rate 0, {:.1} at {}), and {underfits} (training accuracy {} and {}); the test \
         accuracy is highest at rate {}, {}.",
        100.0 * mean(little, Accuracies::gap),
        100.0 * mean(&much.1, Accuracies::gap),
        much.0,
        percent(low),
        percent(high),
        best.0,
        percent(tested(&best)),
    )
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
        note: "After the last update, taken without dropout.".into(),
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
        caption: "Too little dropout overfits: training accuracy far above test accuracy. Too much underfits: both are low after \
 the same number of updates."
            .into(),
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
