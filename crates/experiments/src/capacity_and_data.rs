//! 003 §6.4: overfitting "occurs mainly in two cases: many parameters, few training data". Both causes,
//! against each other.

use backburn_data::{SplitSize, stratified};
use backburn_models::{
    BiasInitialization, Initialization, MlpConfig, ModelConfig, WeightInitialization,
};
use backburn_records::statistics::{Better, Judged, Spread};
use backburn_records::{DataTable, ExperimentTable, number};
use backburn_regularization::WeightDecay;
use backburn_report::figure::{Axis, LineChart, ValueMap};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::Failure;
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::seeds::Seeds;
use backburn_training::weighing::Weighing;
use serde_json::json;

use super::curves::series;
use super::images::{Images, TestView};
use super::judging::sampling_variance;
use super::lab::{Lab, Preset};
use super::settings::Settings;
use super::text::Text;
use super::trainee::{Trainee, Training, read};

const TEXT: Text = Text(include_str!("capacity_and_data.md"));

/// Units of each hidden layer.
const WIDTHS: [usize; 5] = [10, 30, 100, 300, 1000];
const SAMPLES: [usize; 7] = [100, 300, 1000, 3000, 10_000, 30_000, 60_000];
const HIDDEN_LAYERS: usize = 2;
const BATCH_SIZE: usize = 100;
const LEARNING_RATE: f64 = 0.001;
/// Mean training loss of an epoch, in nats, at which a network has fitted its images.
const FITTED: f64 = 0.01;

/// What is trained.
struct Plan {
    widths: Vec<usize>,
    samples: Vec<usize>,
    /// Updates at which training ends, fitted or not.
    most_updates: usize,
}

impl Plan {
    fn new(lab: &Lab) -> Self {
        let available = lab.data().train.len();
        let (most_samples, most_updates) = match lab.preset {
            Preset::Paper => (usize::MAX, 12_000),
            Preset::Quick => (10_000, 3000),
            Preset::Smoke => (300, 3),
        };
        let most_samples = most_samples.min(available);
        let samples = SAMPLES.into_iter().filter(|count| *count <= most_samples);
        Self { widths: WIDTHS.into(), samples: samples.collect(), most_updates }
    }
}

fn training(width: usize) -> Training {
    let hidden = vec![width; HIDDEN_LAYERS];
    Training {
        model: ModelConfig::Mlp(MlpConfig { hidden, dropout: 0.0, batch_norm: false }),
        initialization: Initialization::new(
            WeightInitialization::HeNormal,
            BiasInitialization::Zeros,
        ),
        optimizer: OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
        learning_rate: LEARNING_RATE,
        weight_decay: WeightDecay::default(),
    }
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let Plan { widths, samples, most_updates } = Plan::new(lab);
    let common = json!({ "samples": samples, "most_updates": most_updates });
    let ending = json!({ "batch_size": BATCH_SIZE, "until_training_loss": FITTED });
    let arm = |settings: Settings, width: usize| {
        settings.arm(format!("{width} units"), &[&training(width), &common, &ending])
    };
    Ok(widths.into_iter().fold(Settings::default(), arm))
}

/// A network after training.
#[derive(Clone, Copy)]
struct Trained {
    train_accuracy: f64,
    test_accuracy: f64,
    updates: usize,
    /// Whether its training loss came down to [`FITTED`].
    is_fitted: bool,
}

impl Trained {
    fn gap(&self) -> f64 {
        self.train_accuracy - self.test_accuracy
    }
}

/// The networks of one width and number of samples, one a seed.
type Cell = Vec<Trained>;

/// All networks, by width and number of samples.
struct Grid {
    plan: Plan,
    cells: Vec<Vec<Cell>>,
    test_images: usize,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let plan = Plan::new(lab);
    let mut cells = vec![vec![Cell::new(); plan.samples.len()]; plan.widths.len()];
    let published = &lab.data().train;
    let test = lab.test(&lab.first(1), "test accuracy after training", "last update, all networks");
    for &seed in &lab.seeds {
        let seeds = Seeds::new(seed);
        for (column, &samples) in plan.samples.iter().enumerate() {
            let sizes = [SplitSize::Count(samples)];
            let chosen = stratified(published, &sizes, &mut seeds.split())
                .map_err(|error| Failure::Error(error.to_string()))?;
            let images = lab.images(published.select(&chosen[0]));
            for (row, &width) in plan.widths.iter().enumerate() {
                let trained = train(lab, &plan, width, &images, &test, seeds)?;
                lab.say(&format!(
                    "{width} units, {samples} samples: {} updates, test accuracy {}",
                    trained.updates,
                    number::percent(trained.test_accuracy)
                ));
                cells[row][column].push(trained);
            }
        }
    }
    let grid = Grid { plan, cells, test_images: lab.data().test.len() };
    let mut reduced = Vec::new();
    if !lab.is_paper() {
        let values = [
            ("most_samples", SAMPLES[4].to_string()),
            ("all_samples", SAMPLES[6].to_string()),
            ("most_updates", grid.plan.most_updates.to_string()),
        ];
        reduced.push(TEXT.paragraph("reduced", &values));
    }
    Ok(Findings {
        sentence: sentence(&grid),
        setup: setup(&grid),
        reduced,
        tables: tables(&grid),
        figures: figures(&grid),
        data: vec![data(&grid)],
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

fn setup(grid: &Grid) -> Vec<String> {
    let Plan { widths, samples, most_updates } = &grid.plan;
    let values = [
        ("hidden_layers", HIDDEN_LAYERS.to_string()),
        ("least_width", widths[0].to_string()),
        ("most_width", widths[widths.len() - 1].to_string()),
        ("least_samples", number::count(samples[0] as u64)),
        ("most_samples", number::count(samples[samples.len() - 1] as u64)),
        ("learning_rate", LEARNING_RATE.to_string()),
        ("batch_size", BATCH_SIZE.to_string()),
        ("fitted", FITTED.to_string()),
        ("most_updates", number::count(*most_updates as u64)),
    ];
    TEXT.list("set-up", &values)
}

/// Trains until the network has fitted `images`, or for as long as the plan allows.
fn train(
    lab: &Lab,
    plan: &Plan,
    width: usize,
    images: &Images,
    test: &TestView,
    seeds: Seeds,
) -> Result<Trained, Failure> {
    let mut trainee = Trainee::new(&training(width), images, seeds, &lab.device)?;
    let (mut updates, mut is_fitted) = (0, false);
    for epoch in 1.. {
        let (mut losses, mut sizes) = (Vec::new(), Vec::new());
        for batch in images.epoch(BATCH_SIZE, epoch, seeds, &lab.device)? {
            lab.go_on()?;
            sizes.push(batch.images.dims()[0]);
            losses.push(trainee.step(&batch));
        }
        updates += losses.len();
        is_fitted = Weighing::Images.mean(read(losses).into_iter().zip(sizes)) <= FITTED;
        if is_fitted || updates >= plan.most_updates {
            break;
        }
    }
    Ok(Trained {
        train_accuracy: trainee.scores(images)?.accuracy,
        test_accuracy: test.scores(&trainee)?.accuracy,
        updates,
        is_fitted,
    })
}

impl Grid {
    fn mean(&self, row: usize, column: usize, value: fn(&Trained) -> f64) -> f64 {
        Spread::of(&self.values(row, column, value)).mean
    }

    fn values(&self, row: usize, column: usize, value: fn(&Trained) -> f64) -> Vec<f64> {
        self.cells[row][column].iter().map(value).collect()
    }

    /// Rows or columns of the mean of a value, for figures.
    fn means(&self, value: fn(&Trained) -> f64) -> Vec<Vec<f64>> {
        let row = |row| (0..self.plan.samples.len()).map(|c| self.mean(row, c, value)).collect();
        (0..self.plan.widths.len()).map(row).collect()
    }

    /// What the step between two cells does to a value.
    fn change(
        &self,
        from: (usize, usize),
        to: (usize, usize),
        value: fn(&Trained) -> f64,
        better: Better,
    ) -> Judged {
        let [before, after] = [from, to].map(|(row, column)| self.mean(row, column, value));
        let squared_errors = [from, to].map(|(row, column)| {
            let values = self.values(row, column, value);
            let accuracy = self.mean(row, column, |trained| trained.test_accuracy);
            squared_standard_error(&values, accuracy, self.test_images)
        });
        match self.seeds() {
            1 => {
                let standard_error = squared_errors.iter().sum::<f64>().sqrt();
                Judged::by_images(after - before, standard_error, better)
            }
            _ => Judged::by_means(after - before, squared_errors, better),
        }
    }

    fn seeds(&self) -> usize {
        self.cells[0][0].len()
    }
}

/// Square of the standard error of the mean of `values` over seeds. Their variance is not taken for less than that
/// of an accuracy measured on so many images, which is all that is known of a single value.
fn squared_standard_error(values: &[f64], accuracy: f64, images: usize) -> f64 {
    let sampling = sampling_variance(accuracy, images);
    // The greater one, also where one value has no deviation, which is not a number.
    let variance = sampling.max(Spread::of(values).standard_deviation.powi(2));
    variance / values.len() as f64
}

/// How often a value clearly rises, and how often it clearly falls.
fn counts(changes: &[Judged]) -> [usize; 2] {
    let clear = || changes.iter().filter(|change| change.is_clear());
    let rises = clear().filter(|change| change.difference > 0.0).count();
    [rises, clear().count() - rises]
}

/// `rises at 3 and falls at none`
fn told(changes: &[Judged]) -> String {
    let count = |count: usize| if count == 0 { "none".to_owned() } else { count.to_string() };
    let [rises, falls] = counts(changes);
    format!("rises at {} and falls at {}", count(rises), count(falls))
}

fn sentence(grid: &Grid) -> String {
    let Plan { widths, samples, .. } = &grid.plan;
    let (last_row, last_column) = (widths.len() - 1, samples.len() - 1);
    let gaps = |column| {
        let all = (0..=last_row).map(|row| 100.0 * grid.mean(row, column, Trained::gap));
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), gap| {
            (low.min(gap), high.max(gap))
        });
        format!("{low:.1} to {high:.1} points")
    };
    let with_data: Vec<Judged> = (0..=last_row)
        .map(|row| grid.change((row, last_column), (row, 0), Trained::gap, Better::Lower))
        .collect();
    let with_width = |value, better| -> Vec<Judged> {
        (0..=last_column)
            .map(|column| grid.change((0, column), (last_row, column), value, better))
            .collect()
    };
    let gap = with_width(Trained::gap, Better::Lower);
    let accuracy = with_width(|trained| trained.test_accuracy, Better::Higher);
    let of_data = match counts(&with_data) {
        [rises, _] if rises == with_data.len() => "few data overfit",
        [rises, falls] if rises > falls => "few data mostly overfit",
        _ => "few data do not overfit",
    };
    let of_width = match counts(&gap) {
        [rises, _] if rises == gap.len() => "wide networks overfit",
        [rises, falls] if rises > falls => "wide networks overfit in part",
        [rises, falls] if rises < falls => "wide networks overfit less",
        _ => "wide networks may overfit",
    };
    let noise = if grid.seeds() == 1 { "one seed" } else { "several seeds" };
    let values = [
        ("least_samples", number::count(samples[0] as u64)),
        ("least_gaps", gaps(0)),
        ("most_samples", number::count(samples[last_column] as u64)),
        ("most_gaps", gaps(last_column)),
        ("of_data", TEXT.paragraph(of_data, &[])),
        ("of_width", TEXT.paragraph(of_width, &[])),
        ("least_width", widths[0].to_string()),
        ("most_width", widths[last_row].to_string()),
        ("numbers_of_samples", samples.len().to_string()),
        ("gap", told(&gap)),
        ("accuracy", told(&accuracy)),
        ("noise", TEXT.paragraph(noise, &[])),
    ];
    TEXT.paragraph("sentence", &values)
}

fn tables(grid: &Grid) -> Vec<ExperimentTable> {
    let Plan { widths, samples, .. } = &grid.plan;
    let head: Vec<String> = ["units".to_owned()]
        .into_iter()
        .chain(samples.iter().map(|samples| number::count(*samples as u64)))
        .collect();
    let table = |title: &str, note: String, cell: &dyn Fn(&Cell) -> String| ExperimentTable {
        title: title.into(),
        note,
        head: head.clone(),
        rows: widths
            .iter()
            .zip(&grid.cells)
            .map(|(width, cells)| {
                [width.to_string()].into_iter().chain(cells.iter().map(cell)).collect()
            })
            .collect(),
    };
    let accuracy = |value: fn(&Trained) -> f64| {
        move |cell: &Cell| {
            let spread = Spread::of(&cell.iter().map(value).collect::<Vec<_>>());
            let mean = number::bare_percent(spread.mean);
            if spread.standard_deviation.is_finite() {
                format!("{mean} ± {}", number::bare_percent(spread.standard_deviation))
            } else {
                mean
            }
        }
    };
    vec![
        table(
            "Gap (points) by number of samples",
            TEXT.paragraph("table of gaps", &[]),
            &accuracy(Trained::gap),
        ),
        table(
            "Test accuracy (%) by number of samples",
            String::new(),
            &accuracy(|t| t.test_accuracy),
        ),
        table(
            "Training accuracy (%) by number of samples",
            TEXT.paragraph("table of training accuracies", &[]),
            &accuracy(|t| t.train_accuracy),
        ),
        table("Updates by number of samples", TEXT.paragraph("table of updates", &[]), &|cell| {
            let mean = cell.iter().map(|t| t.updates as f64).sum::<f64>() / cell.len() as f64;
            let star = if cell.iter().all(|t| t.is_fitted) { "" } else { "*" };
            format!("{}{star}", number::count(mean.round() as u64))
        }),
    ]
}

fn figures(grid: &Grid) -> Vec<ExperimentFigure> {
    let Plan { widths, samples, .. } = &grid.plan;
    let map = |title: &str, quantity: &str, value: fn(&Trained) -> f64| ValueMap {
        title: title.into(),
        quantity: quantity.into(),
        decimals: 1,
        x_label: "training samples".into(),
        y_label: "units per hidden layer".into(),
        columns: samples.iter().map(|samples| number::count(*samples as u64)).collect(),
        // Wide networks above, as on an axis.
        rows: widths.iter().rev().map(|width| number::count(*width as u64)).collect(),
        values: grid.means(value).into_iter().rev().collect(),
    };
    let axis = Axis::linear("gap (points)");
    let mut chart = LineChart::new("Gap and data", Axis::log("training samples (log)"), axis);
    let xs: Vec<f64> = samples.iter().map(|samples| *samples as f64).collect();
    let seeds = grid.seeds();
    for (width, cells) in widths.iter().zip(&grid.cells) {
        let row = |seed: usize| cells.iter().map(|cell| 100.0 * cell[seed].gap()).collect();
        let rows: Vec<Vec<f64>> = (0..seeds).map(row).collect();
        chart = chart.with(series(format!("{} units", number::count(*width as u64)), &xs, &rows));
    }
    let figure =
        |name: &str, drawing, caption| ExperimentFigure { name: name.into(), caption, drawing };
    vec![
        figure(
            "gap",
            map("Gap by capacity and data", "gap (points)", |t| 100.0 * t.gap()).draw(),
            TEXT.paragraph("figure of gaps", &[]),
        ),
        figure(
            "test_accuracy",
            map("Test accuracy by capacity and data", "test accuracy (%)", |t| {
                100.0 * t.test_accuracy
            })
            .draw(),
            TEXT.paragraph("figure of test accuracies", &[]),
        ),
        figure(
            "train_accuracy",
            map("Training accuracy by capacity and data", "training accuracy (%)", |t| {
                100.0 * t.train_accuracy
            })
            .draw(),
            TEXT.paragraph("figure of training accuracies", &[]),
        ),
        figure("gap_lines", chart.draw(), TEXT.paragraph("figure of lines", &[])),
    ]
}

fn data(grid: &Grid) -> DataTable {
    let mut rows = Vec::new();
    for (width, cells) in grid.plan.widths.iter().zip(&grid.cells) {
        for (samples, cell) in grid.plan.samples.iter().zip(cells) {
            for (run, trained) in cell.iter().enumerate() {
                rows.push(vec![
                    run.to_string(),
                    width.to_string(),
                    samples.to_string(),
                    trained.updates.to_string(),
                    trained.is_fitted.to_string(),
                    trained.train_accuracy.to_string(),
                    trained.test_accuracy.to_string(),
                ]);
            }
        }
    }
    let columns =
        ["run", "width", "samples", "updates", "is_fitted", "train_accuracy", "test_accuracy"];
    DataTable { name: "networks".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_has_the_sampling_error_of_the_test_images_and_several_that_of_their_mean() {
        assert!((squared_standard_error(&[0.3], 0.9, 900) - 0.0001).abs() < 1e-12);
        // Standard deviation 0.1 over two seeds: variance 0.02 / 2.
        assert!((squared_standard_error(&[0.2, 0.4], 0.9, 900) - 0.01).abs() < 1e-12);
        // Two seeds that happen to give the same do not make a value certain.
        assert!((squared_standard_error(&[0.3, 0.3], 0.9, 900) - 0.00005).abs() < 1e-12);
    }

    #[test]
    fn unclear_changes_are_neither_rises_nor_falls() {
        let changes = |differences: &[f64]| -> Vec<Judged> {
            let judged = |difference: &f64| Judged::by_images(*difference, 0.05, Better::Lower);
            differences.iter().map(judged).collect()
        };
        assert_eq!(told(&changes(&[0.11, -0.11, 0.12])), "rises at 2 and falls at 1");
        assert_eq!(told(&changes(&[0.09, -0.09, 0.0])), "rises at none and falls at none");
    }
}
