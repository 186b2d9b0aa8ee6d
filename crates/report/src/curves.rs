//! Learning curves: loss, accuracy and learning rate by epoch.

use backburn_records::seed_group::{Grouped, SeedGroup, grouped};
use backburn_records::statistics::Spread;
use backburn_records::{EpochRecord, RunRecord};

use crate::figure::{Axis, Drawing, LineChart, Mark, Series};

/// Longer runs are shown smoothed, with the raw values faintly behind.
const SMOOTHED_FROM: usize = 60;
/// Share of the run that is averaged over then.
const WINDOW_SHARE: usize = 20;
/// Ratio of the largest to the smallest loss from which on the axis is logarithmic.
const LOG_RATIO: f64 = 8.0;

/// The training objective and the validation loss by epoch; the selected epoch is pointed out.
pub fn loss(run: &RunRecord) -> Drawing {
    let objective = values(&run.epochs, |e| Some(e.train_objective));
    let valid = values(&run.epochs, |e| e.valid_loss);
    let axis = loss_axis(objective.iter().chain(&valid).map(|p| p.1));
    let chart = LineChart::new("Loss by epoch", Axis::counts("epoch"), axis);
    let chart = chart.with(curve("training objective", objective));
    with_validation(chart, "validation loss", valid, run.best_epoch()).draw()
}

/// Training and validation accuracy by epoch; the selected epoch is pointed out.
pub fn accuracy(run: &RunRecord) -> Drawing {
    let train = values(&run.epochs, |e| Some(100.0 * e.train_accuracy));
    let valid = values(&run.epochs, |e| e.valid_accuracy.map(|accuracy| 100.0 * accuracy));
    let axis = Axis::linear("accuracy (%)").within(0.0, 100.0);
    let chart = LineChart::new("Accuracy by epoch", Axis::counts("epoch"), axis);
    let chart = chart.with(curve("training, while learning", train));
    with_validation(chart, "validation", valid, run.best_epoch()).draw()
}

/// The learning rate by epoch.
pub fn learning_rate(run: &RunRecord) -> Drawing {
    let rates = values(&run.epochs, |e| Some(e.learning_rate));
    let axis = Axis::linear("learning rate (per step)");
    LineChart::new("Learning rate by epoch", Axis::counts("epoch"), axis)
        .with(Series::line("learning rate at the epoch's last step", rates))
        .draw()
}

/// The validation curves of several runs, of accuracy; of runs of one recipe their mean and a band.
pub fn compare_accuracy(runs: &[RunRecord]) -> Drawing {
    let axis = Axis::linear("validation accuracy (%)").within(0.0, 100.0);
    let chart = LineChart::new("Validation accuracy of the runs", Axis::counts("epoch"), axis);
    compare(chart, runs, |e| e.valid_accuracy.map(|accuracy| 100.0 * accuracy))
}

/// The validation curves of several runs, of the loss; of runs of one recipe their mean and a band.
pub fn compare_loss(runs: &[RunRecord]) -> Drawing {
    let all = runs.iter().flat_map(|run| values(&run.epochs, |e| e.valid_loss));
    let axis = loss_axis(all.map(|p| p.1));
    let chart = LineChart::new("Validation loss of the runs", Axis::counts("epoch"), axis);
    compare(chart, runs, |e| e.valid_loss)
}

fn compare(
    chart: LineChart,
    runs: &[RunRecord],
    value: fn(&EpochRecord) -> Option<f64>,
) -> Drawing {
    let add = |chart: LineChart, some: &Grouped<'_>| {
        let (name, points, series) = match some {
            Grouped::Single(run) => {
                let (name, points) = (run.manifest.name.clone(), values(&run.epochs, value));
                (name.clone(), points.clone(), curve(&name, points))
            }
            Grouped::Group(group) => {
                let (name, points, band) = mean_and_band(group, value);
                let each = each_by_itself(group, value);
                let series = Series::line(&name, points.clone()).with_band(band).with_raw(each);
                (name, points, series)
            }
        };
        if points.iter().any(|point| point.1.is_finite()) {
            chart.with(series)
        } else {
            chart.with(Series::line(format!("{name} (no validation)"), points))
        }
    };
    grouped(runs).iter().fold(chart, add).draw()
}

/// Points of a line.
type Points = Vec<(f64, f64)>;
/// Places with the lower and the upper edge of a band.
type Band = Vec<(f64, f64, f64)>;

/// The mean of a value over the runs of a group, by epoch, and one standard deviation to either side. It ends where the
/// first of the runs ends: those that go on are others than all of them.
fn mean_and_band(
    group: &SeedGroup<'_>,
    value: fn(&EpochRecord) -> Option<f64>,
) -> (String, Points, Band) {
    let common = group.last_common_epoch();
    let longest = group.runs.iter().map(|run| run.epochs.len()).max().unwrap_or(0);
    let mut name = format!("{}, mean of {} seeds", group.name, group.runs.len());
    if common < longest {
        name += &format!(", to epoch {common}");
    }
    let spread = |epoch: usize| {
        let of_run = |run: &&RunRecord| {
            let record = run.epochs.iter().find(|record| record.epoch == epoch);
            record.and_then(value).unwrap_or(f64::NAN)
        };
        Spread::of(&group.runs.iter().map(of_run).collect::<Vec<_>>())
    };
    let spreads: Vec<(f64, Spread)> =
        (1..=common).map(|epoch| (epoch as f64, spread(epoch))).collect();
    let edges = |(epoch, spread): &(f64, Spread)| {
        let Spread { mean, standard_deviation } = spread;
        (*epoch, mean - standard_deviation, mean + standard_deviation)
    };
    let points = spreads.iter().map(|(epoch, spread)| (*epoch, spread.mean)).collect();
    (name, points, spreads.iter().map(edges).collect())
}

/// The curves of a group's runs, with a gap between them.
fn each_by_itself(group: &SeedGroup<'_>, value: fn(&EpochRecord) -> Option<f64>) -> Points {
    let curve = |run: &&RunRecord| {
        let mut points = values(&run.epochs, value);
        points.push((f64::NAN, f64::NAN));
        points
    };
    group.runs.iter().flat_map(curve).collect()
}

fn with_validation(
    mut chart: LineChart,
    name: &str,
    points: Vec<(f64, f64)>,
    best: Option<usize>,
) -> LineChart {
    if points.iter().all(|point| !point.1.is_finite()) {
        return chart;
    }
    let Some(best) = best else { return chart.with(curve(name, points)) };
    let series = curve(name, points);
    // The ring sits on the curve that is drawn, also where that is smoothed.
    let y = series.at(best as f64);
    chart = chart.with(series);
    chart.mark(Mark { x: best as f64, y, name: format!("selected: epoch {best}") })
}

/// A value of each epoch; NaN, which leaves a gap, where there is none.
fn values(epochs: &[EpochRecord], value: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<(f64, f64)> {
    epochs.iter().map(|epoch| (epoch.epoch as f64, value(epoch).unwrap_or(f64::NAN))).collect()
}

fn curve(name: &str, points: Vec<(f64, f64)>) -> Series {
    if points.len() < SMOOTHED_FROM {
        return Series::line(name, points);
    }
    let window = (points.len() / WINDOW_SHARE) | 1;
    Series::line(format!("{name} (mean of {window} epochs; faint: each)"), points).smoothed(window)
}

fn loss_axis(values: impl Iterator<Item = f64>) -> Axis {
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for value in values.filter(|value| value.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > 0.0 && high / low >= LOG_RATIO {
        Axis::log("loss (nats, log scale)")
    } else {
        Axis::linear("loss (nats)")
    }
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;
    use crate::figure::Theme;
    use crate::figure::png::assert_text_is_clear;

    fn all(run: &RunRecord) -> [Drawing; 3] {
        [loss(run), accuracy(run), learning_rate(run)]
    }

    #[test]
    fn curves_of_a_run_are_clear_and_name_the_selected_epoch() {
        let run = sample::run();
        for drawing in all(&run) {
            assert_text_is_clear(&drawing);
        }
        assert!(loss(&run).to_svg(Theme::Paper).contains("selected: epoch 9"));
        assert!(accuracy(&run).to_svg(Theme::Paper).contains("accuracy (%)"));
    }

    #[test]
    fn one_epoch_no_epoch_and_no_validation_split_are_drawn() {
        let mut run = sample::run();
        run.epochs.truncate(1);
        all(&run).iter().for_each(assert_text_is_clear);
        run.epochs[0].valid_loss = None;
        run.epochs[0].valid_accuracy = None;
        let svg = loss(&run).to_svg(Theme::Paper);
        assert!(!svg.contains("validation") && !svg.contains("selected"));
        run.epochs.clear();
        for drawing in all(&run) {
            assert!(drawing.to_svg(Theme::Paper).contains("no finite values"));
        }
    }

    #[test]
    fn a_diverged_run_is_drawn_up_to_where_it_was_finite() {
        let mut run = sample::run();
        for epoch in &mut run.epochs[4..] {
            (epoch.train_objective, epoch.valid_loss) = (f64::NAN, None);
        }
        let svg = loss(&run).to_svg(Theme::Paper);
        assert!(svg.contains("training objective") && !svg.contains("no finite values"));
    }

    #[test]
    fn a_long_run_is_smoothed_and_says_so() {
        let mut run = sample::run();
        let epoch = run.epochs[0].clone();
        run.epochs =
            (1..=200).map(|number| EpochRecord { epoch: number, ..epoch.clone() }).collect();
        assert!(loss(&run).to_svg(Theme::Paper).contains("mean of 11 epochs"));
        assert_text_is_clear(&loss(&run));
    }

    #[test]
    fn a_run_without_validation_is_named_as_such_among_others() {
        let mut runs = [sample::run(), sample::run()];
        runs[1].epochs.iter_mut().for_each(|epoch| epoch.valid_loss = None);
        let svg = compare_loss(&runs).to_svg(Theme::Paper);
        assert_eq!(svg.matches("(no validation)").count(), 1);
        assert_text_is_clear(&compare_loss(&runs));
        assert_text_is_clear(&compare_accuracy(&runs));
    }

    #[test]
    fn runs_of_one_recipe_are_a_mean_with_a_band_up_to_where_the_first_of_them_ends() {
        let mut runs = sample::repetitions("digits", 3);
        let other = RunRecord { config: None, ..sample::run() };
        runs.push(other);
        let svg = compare_accuracy(&runs).to_svg(Theme::Paper);
        assert!(svg.contains(">digits, mean of 3 seeds<"), "{svg}");
        assert_eq!(svg.matches("opacity=\"0.18\"").count(), 1, "one band");
        assert_eq!(svg.matches("opacity=\"0.4\"").count(), 3, "each of the three, faintly");
        runs[1].epochs.truncate(6);
        assert!(compare_loss(&runs).to_svg(Theme::Paper).contains("mean of 3 seeds, to epoch 6<"));
        assert_text_is_clear(&compare_loss(&runs));
        for epoch in &mut runs[1].epochs {
            (epoch.valid_loss, epoch.valid_accuracy) = (None, None);
        }
        let svg = compare_loss(&runs).to_svg(Theme::Paper);
        assert!(svg.contains("(no validation)") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn bands_hold_the_values_one_standard_deviation_around_their_mean() {
        let mut runs = sample::repetitions("digits", 2);
        for (run, loss) in runs.iter_mut().zip([1.0, 3.0]) {
            run.epochs.iter_mut().for_each(|epoch| epoch.valid_loss = Some(loss));
        }
        let all = grouped(&runs);
        let [Grouped::Group(group)] = all.as_slice() else { panic!("{all:?}") };
        let (_, points, band) = mean_and_band(group, |epoch| epoch.valid_loss);
        assert_eq!(points[0], (1.0, 2.0));
        assert_eq!((points.len(), band.len()), (10, 10));
        let (_, low, high) = band[9];
        assert!((low - (2.0 - 2.0_f64.sqrt())).abs() < 1e-12 && high > 3.4, "{band:?}");
    }

    #[test]
    fn the_loss_axis_is_logarithmic_only_where_losses_differ_much() {
        assert!(loss_axis([2.3, 0.02].into_iter()).label().contains("log"));
        assert!(!loss_axis([2.3, 1.9].into_iter()).label().contains("log"));
        assert!(!loss_axis([2.3, 0.0].into_iter()).label().contains("log"));
    }
}
