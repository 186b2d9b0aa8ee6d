//! 003 §6.2: activations of five layers, before any training, under different initial weights.

use backburn_records::statistics::Spread;
use backburn_records::{DataTable, ExperimentTable, number};
use backburn_report::figure::{Axis, Drawing, Histogram, HistogramGrid, HistogramRow, LineChart};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;
use burn::tensor::Device;
use serde_json::json;

use super::curves::series;
use super::five_layers::{
    Activations, CLASSES, Draws, FUNCTIONS, Function, LAYERS, Layer, SAMPLES, SCALES, Scale, UNITS,
    moments,
};
use super::lab::Lab;
use super::settings::Settings;
use super::tables::{spread, three_digits, two_digits};
use super::text::Text;

const TEXT: Text = Text(include_str!("weight_init.md"));

/// Bins of the source's histograms.
const BINS: usize = 30;

/// All seeds' networks of one function and scale.
struct Cell {
    function: Function,
    scale: Scale,
    /// Layers of each seed's network.
    layers: Vec<Vec<Layer>>,
    /// Activations of the first seed, by layer.
    activations: Vec<Activations>,
}

impl Cell {
    /// A value of a layer, counted from 0, by seed.
    fn values(&self, layer: usize, value: impl Fn(&Layer) -> f64) -> Vec<f64> {
        self.layers.iter().map(|layers| value(&layers[layer])).collect()
    }

    fn mean(&self, layer: usize, value: impl Fn(&Layer) -> f64) -> f64 {
        Spread::of(&self.values(layer, value)).mean
    }
}

/// An arm for each scale. Its weights are those of a draw of 1.
pub(super) fn settings(_: &Lab) -> Result<Settings, Failure> {
    let arm = |settings: Settings, scale: &Scale| {
        let functions = FUNCTIONS.map(Function::name);
        let network = json!({ "functions": functions, "layers": LAYERS, "units": UNITS });
        let data = json!({ "samples": SAMPLES, "classes": CLASSES });
        // A 32-bit number in as few digits as tell it from others.
        let weight = scale.weight(1.0).to_string().parse::<f64>();
        let weight = json!({ "weight": weight.expect("it is a number"), "bins": BINS });
        settings.arm(scale.name(), &[&network, &data, &weight])
    };
    Ok(SCALES.iter().fold(Settings::default(), arm))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let mut cells = Vec::new();
    for function in FUNCTIONS {
        for scale in SCALES {
            let (layers, activations) = (Vec::new(), Vec::new());
            cells.push(Cell { function, scale, layers, activations });
        }
    }
    let mut listings = Vec::new();
    for &seed in &lab.seeds {
        let draws = Draws::new(Seeds::new(seed));
        for cell in &mut cells {
            lab.go_on()?;
            let Cell { function, scale, .. } = *cell;
            let passed = draws.pass(function, scale, &draws.input, &lab.device);
            let layers = passed.iter().map(|(values, norm)| Layer::of(function, values, *norm));
            cell.layers.push(layers.collect());
            if cell.activations.is_empty() {
                cell.activations = passed.into_iter().map(|(values, _)| values).collect();
            }
        }
        if listings.is_empty() {
            listings = listed(&draws, &lab.device);
        }
        lab.say(&format!("seed {seed}: {} networks", cells.len()));
    }
    let source = source_histograms(&listings);
    let histograms = FUNCTIONS.map(|function| histograms(&cells, function));
    let bars = bar_data([&source].into_iter().chain(&histograms));
    Ok(Findings {
        sentence: sentence(&cells),
        setup: setup(),
        tables: FUNCTIONS
            .map(|function| table(&cells, function))
            .into_iter()
            .chain([mistake_table(&listings)])
            .collect(),
        figures: figures(&cells, &source, &histograms),
        data: vec![data(&cells), source_data(&listings), bars],
        mistakes: vec![mistake(&listings)],
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

/// A listing of the source: its function and scale, and the activations that it plots.
struct Listing {
    function: Function,
    scale: Scale,
    /// Activations as the text says: fed with the input.
    right: Vec<Activations>,
    /// Activations as the listing is run: all but the first are fed with what the one before left
    /// in `x`, the output of its fourth layer.
    as_run: Vec<Activations>,
}

fn listed(draws: &Draws, device: &Device) -> Vec<Listing> {
    let rows = [
        (Function::Sigmoid, Scale::One),
        (Function::Sigmoid, Scale::Hundredth),
        (Function::Sigmoid, Scale::Xavier),
        (Function::Relu, Scale::He),
    ];
    let mut left = draws.input.clone();
    let mut listings = Vec::new();
    for (function, scale) in rows {
        let pass = |input: &[f32]| -> Vec<Activations> {
            let passed = draws.pass(function, scale, input, device);
            passed.into_iter().map(|(values, _)| values).collect()
        };
        let (right, as_run) = (pass(&draws.input), pass(&left));
        left = as_run[LAYERS - 2].clone();
        listings.push(Listing { function, scale, right, as_run });
    }
    listings
}

fn setup() -> Vec<String> {
    let values = [
        ("samples", SAMPLES.to_string()),
        ("units", UNITS.to_string()),
        ("layers", LAYERS.to_string()),
        ("classes", CLASSES.to_string()),
    ];
    TEXT.list("set-up", &values)
}

fn cell(cells: &[Cell], function: Function, scale: Scale) -> &Cell {
    let found = cells.iter().find(|cell| cell.function == function && cell.scale == scale);
    found.expect("the grid is complete")
}

fn sentence(cells: &[Cell]) -> String {
    let last = |function, scale, value: fn(&Layer) -> f64| {
        cell(cells, function, scale).mean(LAYERS - 1, value)
    };
    let sigmoid = |scale, value| last(Function::Sigmoid, scale, value);
    let relu = |scale, value| last(Function::Relu, scale, value);
    let constant: Vec<f64> = FUNCTIONS
        .iter()
        .map(|function| last(*function, Scale::Constant, |layer| layer.rank))
        .collect();
    let symmetric =
        if constant.iter().all(|rank| *rank <= 1.0) { "units are alike" } else { "units differ" };
    let alive =
        relu(Scale::He, |layer| layer.deviation) / relu(Scale::Xavier, |layer| layer.deviation);
    let kept = cell(cells, Function::Relu, Scale::He);
    let ratio = kept.mean(LAYERS - 1, |l| l.deviation) / kept.mean(0, |l| l.deviation);
    let values = [
        ("saturated", format!("{:.0}", 100.0 * sigmoid(Scale::One, |layer| layer.saturated))),
        ("middle", format!("{:.2}", sigmoid(Scale::Hundredth, |layer| layer.mean))),
        ("around", three_digits(sigmoid(Scale::Hundredth, |layer| layer.deviation))),
        ("spread", format!("{:.2}", sigmoid(Scale::Xavier, |layer| layer.deviation))),
        ("over_samples", three_digits(sigmoid(Scale::Xavier, |layer| layer.over_samples))),
        ("ratio", format!("{ratio:.2}")),
        ("alive", format!("{alive:.1}")),
        ("symmetric", TEXT.paragraph(symmetric, &[])),
    ];
    TEXT.paragraph("sentence", &values)
}

fn mistake(listings: &[Listing]) -> String {
    let xavier = &listings[2];
    let spread =
        |all: &[Activations]| Layer::of(xavier.function, &all[LAYERS - 1], 0.0).over_samples;
    let values = [
        ("as_run", three_digits(spread(&xavier.as_run))),
        ("right", three_digits(spread(&xavier.right))),
    ];
    TEXT.paragraph("mistake", &values)
}

fn mistake_table(listings: &[Listing]) -> ExperimentTable {
    let mut rows = Vec::new();
    for listing in listings {
        for (name, all) in [("", &listing.right), (", as run", &listing.as_run)] {
            let layer = Layer::of(listing.function, &all[LAYERS - 1], 0.0);
            rows.push(vec![
                format!("{} {}{name}", listing.function.name(), listing.scale.name()),
                three_digits(layer.mean),
                three_digits(layer.deviation),
                three_digits(layer.over_samples),
                layer.rank.to_string(),
            ]);
        }
    }
    ExperimentTable {
        title: "The source's four networks, with the right input and as run".into(),
        note: TEXT.paragraph("table of listings", &[]),
        head: ["network", "mean", "std", "std over samples", "rank"].map(String::from).into(),
        rows,
    }
}

fn table(cells: &[Cell], function: Function) -> ExperimentTable {
    let mut rows = Vec::new();
    for scale in SCALES {
        let cell = cell(cells, function, scale);
        for layer in 0..LAYERS {
            let plain = |value: fn(&Layer) -> f64| spread(&cell.values(layer, value), three_digits);
            let percent =
                |value: fn(&Layer) -> f64| spread(&cell.values(layer, value), number::bare_percent);
            rows.push(vec![
                format!("{}, layer {}", scale.name(), layer + 1),
                plain(|layer| layer.mean),
                plain(|layer| layer.deviation),
                plain(|layer| layer.over_samples),
                percent(|layer| layer.saturated),
                percent(|layer| layer.zero),
                plain(|layer| layer.rank),
                plain(|layer| layer.gradient),
            ]);
        }
    }
    ExperimentTable {
        title: format!("Layers with {}", function.name()),
        note: TEXT.paragraph("table of layers", &[]),
        head: [
            "weights, layer",
            "mean",
            "std",
            "std over samples",
            "saturated (%)",
            "zero (%)",
            "rank",
            "gradient norm",
        ]
        .map(String::from)
        .into(),
        rows,
    }
}

fn figures(
    cells: &[Cell],
    source: &HistogramGrid,
    histograms: &[HistogramGrid],
) -> Vec<ExperimentFigure> {
    let mut figures = vec![ExperimentFigure {
        name: "source".into(),
        caption: TEXT.paragraph("figure of the source", &[]),
        drawing: source.draw(),
    }];
    for (function, histograms) in FUNCTIONS.iter().zip(histograms) {
        let name = function.name();
        figures.push(ExperimentFigure {
            name: format!("activations_{}", name.to_lowercase()),
            caption: TEXT.paragraph(
                "figure of activations",
                &[
                    ("function", name.to_owned()),
                    ("samples", SAMPLES.to_string()),
                    ("units", UNITS.to_string()),
                ],
            ),
            drawing: histograms.draw(),
        });
    }
    for function in FUNCTIONS {
        let name = function.name();
        figures.push(ExperimentFigure {
            name: format!("gradients_{}", name.to_lowercase()),
            caption: TEXT.paragraph("figure of gradients", &[("function", name.to_owned())]),
            drawing: gradients(cells, function),
        });
    }
    figures
}

fn columns() -> Vec<String> {
    (1..=LAYERS).map(|layer| format!("layer {layer}")).collect()
}

fn source_histograms(listings: &[Listing]) -> HistogramGrid {
    let mut rows = Vec::new();
    for (number, listing) in listings.iter().enumerate() {
        let ways: &[_] = if number == 0 {
            // The first listing is fed with the input either way.
            &[(None, &listing.right)]
        } else {
            &[(None, &listing.right), (Some("as run"), &listing.as_run)]
        };
        for (way, all) in ways {
            let panel = |values: &Activations| {
                let panel = Histogram::of(values.iter().map(|v| f64::from(*v)), 0.0, 1.0, BINS);
                match listing.function {
                    Function::Relu => {
                        panel.noted(format!("{:.0} % above", 100.0 * share_above(values)))
                    }
                    _ => panel.noted(deviation_note(values)),
                }
            };
            rows.push(HistogramRow {
                name: [listing.function.name(), listing.scale.name()]
                    .into_iter()
                    .chain(*way)
                    .map(String::from)
                    .collect(),
                panels: all.iter().map(panel).collect(),
            });
        }
    }
    HistogramGrid {
        title: "The source's four networks".into(),
        notes: vec!["Vertical: share of the activations, rows have axes of their own.".into()],
        x: "activation (no unit)".into(),
        columns: columns(),
        rows,
    }
}

/// The share of the activations that the source's bins leave out.
fn share_above(values: &[f32]) -> f64 {
    values.iter().filter(|value| **value > 1.0).count() as f64 / values.len() as f64
}

fn deviation_note(values: &[f32]) -> String {
    format!("std {}", two_digits(moments(values.iter().copied()).1))
}

fn histograms(cells: &[Cell], function: Function) -> HistogramGrid {
    let panel = |values: &Activations| match function {
        Function::Relu => {
            let greatest = values.iter().copied().fold(0.0, f32::max);
            // Zeros would be one bar that makes the others flat: they are told, not drawn.
            let drawn = values.iter().map(|v| if *v == 0.0 { -1.0 } else { f64::from(*v) });
            let zero = values.iter().filter(|value| **value == 0.0).count() as f64;
            Histogram::of(drawn, 0.0, greatest.into(), BINS)
                .noted(format!("{:.0} % zero", 100.0 * zero / values.len() as f64))
        }
        _ => {
            let low = if function == Function::Tanh { -1.0 } else { 0.0 };
            let values_of = values.iter().map(|value| f64::from(*value));
            Histogram::of(values_of, low, 1.0, BINS).noted(deviation_note(values))
        }
    };
    let row = |scale: Scale| HistogramRow {
        name: vec![scale.name().into()],
        panels: cell(cells, function, scale).activations.iter().map(panel).collect(),
    };
    let note = match function {
        Function::Relu => {
            "Vertical: share of the activations. Zeros are not drawn. Each panel ends at its \
             greatest value."
        }
        _ => "Vertical: share of the activations, rows have axes of their own.",
    };
    HistogramGrid {
        title: format!("Activations with {}", function.name()),
        notes: vec![note.into()],
        x: "activation (no unit)".into(),
        columns: columns(),
        rows: SCALES.map(row).into(),
    }
}

fn gradients(cells: &[Cell], function: Function) -> Drawing {
    let mut chart = LineChart::new(
        format!("Gradients before the first step, {}", function.name()),
        Axis::counts("layer"),
        Axis::log("norm of the gradient (nats, log)"),
    );
    let layers: Vec<f64> = (1..=LAYERS).map(|layer| layer as f64).collect();
    for scale in SCALES {
        let cell = cell(cells, function, scale);
        let rows: Vec<Vec<f64>> = cell
            .layers
            .iter()
            .map(|layers| layers.iter().map(|layer| layer.gradient).collect())
            .collect();
        chart = chart.with(series(scale.name(), &layers, &rows));
    }
    chart.draw()
}

fn data(cells: &[Cell]) -> DataTable {
    let mut rows = Vec::new();
    for cell in cells {
        for (run, layers) in cell.layers.iter().enumerate() {
            for (number, layer) in layers.iter().enumerate() {
                let Layer { mean, deviation, over_samples, saturated, zero, rank, gradient } =
                    layer;
                let mut row = vec![
                    cell.function.name().to_owned(),
                    cell.scale.name().to_owned(),
                    run.to_string(),
                    (number + 1).to_string(),
                ];
                let values = [mean, deviation, over_samples, saturated, zero, rank, gradient];
                row.extend(values.map(f64::to_string));
                rows.push(row);
            }
        }
    }
    let columns = [
        "function",
        "weights",
        "run",
        "layer",
        "mean",
        "std",
        "std_over_samples",
        "saturated",
        "zero",
        "rank",
        "gradient_norm",
    ];
    DataTable { name: "layers".into(), columns: columns.map(String::from).into(), rows }
}

/// What stands above the panels of the source's four networks.
fn source_data(listings: &[Listing]) -> DataTable {
    let mut rows = Vec::new();
    for listing in listings {
        for (input, all) in [("right", &listing.right), ("as run", &listing.as_run)] {
            rows.extend((1..).zip(all).map(|(layer, values): (usize, &Activations)| {
                vec![
                    listing.function.name().to_owned(),
                    listing.scale.name().to_owned(),
                    input.to_owned(),
                    layer.to_string(),
                    moments(values.iter().copied()).1.to_string(),
                    share_above(values).to_string(),
                ]
            }));
        }
    }
    let columns = ["function", "weights", "input", "layer", "std", "share_above_1"];
    DataTable { name: "source_networks".into(), columns: columns.map(String::from).into(), rows }
}

/// The bars of the histograms.
fn bar_data<'a>(grids: impl Iterator<Item = &'a HistogramGrid>) -> DataTable {
    let mut rows = Vec::new();
    for grid in grids {
        for row in &grid.rows {
            for (layer, panel) in grid.columns.iter().zip(&row.panels) {
                rows.extend(panel.bars().map(|bar| {
                    let names = [grid.title.clone(), row.name.join(" "), layer.clone()];
                    names.into_iter().chain(bar.map(|value| value.to_string())).collect()
                }));
            }
        }
    }
    let columns = ["figure", "network", "layer", "from", "to", "share"];
    DataTable { name: "histograms".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_above_1_is_left_out_of_the_sources_bins() {
        let values = [0.0, 0.5, 1.0, 2.0];
        assert_eq!(share_above(&values), 0.25);
        let panel = Histogram::of(values.map(f64::from), 0.0, 1.0, BINS);
        let rows =
            vec![HistogramRow { name: vec!["ReLU".into(), "He".into()], panels: vec![panel] }];
        let columns = vec!["layer 1".into()];
        let grid =
            HistogramGrid { title: "x".into(), notes: Vec::new(), x: "y".into(), columns, rows };
        let data = bar_data([&grid].into_iter());
        assert_eq!(data.rows.len(), BINS);
        assert_eq!(data.rows[0][1..4], ["ReLU He", "layer 1", "0"]);
        let shares = data.rows.iter().map(|row| row[5].parse::<f64>().unwrap());
        assert!((shares.sum::<f64>() - 0.75).abs() < 1e-12);
        assert_eq!(data.rows[BINS - 1][4], "1");
    }
}
