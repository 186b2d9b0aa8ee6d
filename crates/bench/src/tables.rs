//! What was measured, as a person reads it in a terminal of 80 columns.

use backburn_records::number::{ABSENT, rate};
use backburn_records::text_table::table;

use super::case::Case;
use super::figure::Figure;
use super::record::{
    BenchRecord, CardRecord, ComparisonRecord, LayerRecord, LoaderRecord, NetworkRecord,
    PyTorchRecord, WayRecord,
};
use super::way::Way;
use super::{bystanders, cores};

/// What stands below the tables.
const NOTE: &str = "\
Figures are medians with the lowest and the highest. Ratios and shares are those
of repetitions that took turns.";

/// Bytes in a mebibyte.
const MEBI: f64 = (1024 * 1024) as f64;

/// All tables, without a line end.
pub fn tables(record: &BenchRecord) -> String {
    let mut parts = vec![head(record)];
    if !record.networks.is_empty() {
        parts.extend([training(record), evaluation(record), start(record)]);
    }
    if record.networks.iter().any(|network| network.card.is_some()) {
        parts.push(card(record));
    }
    if let Some(name) = &record.pytorch {
        let title = |what| format!("{what} against {name}, eager, its faster memory format\n");
        let training = comparison(record, |pytorch| &pytorch.training);
        parts.push(title("training") + &training);
        let evaluation = comparison(record, |pytorch| &pytorch.evaluation);
        parts.push(title("evaluation") + &evaluation);
        parts.push(start_comparison(record));
        if record.networks.iter().any(has_other_ways) {
            parts.push(ways(record, "training", |way| {
                [way.training_images_per_second, way.training_ratio]
            }));
            parts.push(ways(record, "evaluation", |way| {
                [way.evaluation_images_per_second, way.evaluation_ratio]
            }));
        }
    }
    parts.push(matrix_product(record));
    if !record.layers.is_empty() {
        parts.push(layers(record));
    }
    parts.push(loader(record));
    parts.push(NOTE.to_owned());
    parts.extend(record.busy_threads_of_others.and_then(bystanders::warning));
    let gains: Vec<Figure> = record.networks.iter().filter_map(|it| it.threads_over_one).collect();
    parts.extend(cores::warning(&gains));
    parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n")
}

fn head(record: &BenchRecord) -> String {
    let threads = match record.threads {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    let instructions = record.instruction_set.map_or(String::new(), |set| format!(", {set}"));
    let repetitions = record.matrix_product.gflop_per_second.repetitions;
    format!(
        "backburn {} with Burn {}\n{} on {}{instructions}, {threads}\n{repetitions} repetitions of \
         at least {} s",
        record.backburn_version,
        record.burn_version,
        record.backend,
        record.device,
        record.seconds_per_repetition,
    )
}

fn training(record: &BenchRecord) -> String {
    let head = ["training, images/s", "median", "lowest", "highest", "over 1 thread's"];
    let row = |network: &NetworkRecord| {
        let [median, lowest, highest] = cells(network.training_images_per_second);
        let gain = network.one_thread.map_or(String::new(), |one| times(one.gain.median));
        [name(network), median, lowest, highest, gain]
    };
    with_head(head, record.networks.iter().map(row))
}

fn evaluation(record: &BenchRecord) -> String {
    let head = ["evaluation, images/s", "median", "lowest", "highest"];
    let row = |network: &NetworkRecord| {
        let [median, lowest, highest] = cells(network.evaluation_images_per_second);
        [name(network), median, lowest, highest]
    };
    with_head(head, record.networks.iter().map(row))
}

fn start(record: &BenchRecord) -> String {
    let head = ["until the first step, s", "median", "lowest", "highest", "peak memory, MiB"];
    let row = |network: &NetworkRecord| {
        let [median, lowest, highest] = cells(network.first_step_seconds);
        [name(network), median, lowest, highest, mebibytes(network.peak_memory_bytes)]
    };
    with_head(head, record.networks.iter().map(row))
}

/// What the networks take of a graphics card; PyTorch's, where it is compared with, in the lines below.
fn card(record: &BenchRecord) -> String {
    let head = ["on the card", "1st start, s", "later", "launches", "MiB", "busy"];
    let row = |name: String, card: &CardRecord| {
        [
            name,
            digits(card.first_start_seconds),
            card.later_start_seconds.map_or(ABSENT.into(), |it| digits(it.median)),
            card.launches_of_a_step.map_or(ABSENT.into(), |it| rate(it as f64)),
            mebibytes(card.reserved_bytes),
            card.busy_share.map_or(ABSENT.into(), |busy| format!("{:.0} %", 100.0 * busy)),
        ]
    };
    let rows = record.networks.iter().flat_map(|network| {
        let ours = network.card.iter().map(|card| row(name(network), card));
        let pytorch = network.pytorch.iter().filter(|_| record.pytorch.is_some());
        let ways = pytorch.flat_map(|pytorch| &pytorch.ways);
        ours.chain(ways.filter_map(|it| Some(row(format!("  PyTorch, {}", it.way), &it.card?))))
    });
    with_head(head, rows)
}

fn has_other_ways(network: &NetworkRecord) -> bool {
    network.pytorch.iter().any(|pytorch| other_ways(pytorch).next().is_some())
}

/// The ways that are not compared with in tables of their own.
fn other_ways(pytorch: &PyTorchRecord) -> impl Iterator<Item = &WayRecord> {
    let eager_and_exact = Way::ALL.into_iter().filter(|way| way.is_eager_and_exact());
    let names: Vec<&str> = eager_and_exact.map(Way::name).collect();
    pytorch.ways.iter().filter(move |it| !names.contains(&it.way))
}

/// Ours over PyTorch's in its other ways.
fn ways(record: &BenchRecord, what: &str, side: impl Fn(&WayRecord) -> [Figure; 2]) -> String {
    let title = format!("{what} against its other ways\n");
    let row = |name: String, way: &WayRecord| {
        let [rate, ratio] = side(way);
        let rate = digits(rate.median);
        let [median, lowest, highest] = [ratio.median, ratio.lowest, ratio.highest].map(times);
        [name, way.way.to_owned(), rate, median, lowest, highest]
    };
    let rows = record.networks.iter().flat_map(|network| {
        let ways = network.pytorch.iter().flat_map(other_ways);
        ways.map(|way| row(name(network), way))
    });
    let head = ["images/s", "way", "PyTorch's", "ours/PyTorch's", "lowest", "highest"];
    title + &with_head(head, rows)
}

fn comparison(record: &BenchRecord, side: impl Fn(&PyTorchRecord) -> &ComparisonRecord) -> String {
    let head = ["images/s", "PyTorch's", "format", "ours/PyTorch's", "lowest", "highest"];
    let row = |network: &NetworkRecord| {
        let against = side(network.pytorch.as_ref()?);
        let Figure { median, lowest, highest, .. } = against.ratio;
        Some([
            name(network),
            digits(against.images_per_second.median),
            against.faster_memory_format.to_owned(),
            times(median),
            times(lowest),
            times(highest),
        ])
    };
    with_head(head, record.networks.iter().filter_map(row))
}

/// Time until the first step and memory, where less is better.
fn start_comparison(record: &BenchRecord) -> String {
    let head = ["ours/PyTorch's", "first step", "lowest", "highest", "peak memory"];
    let row = |network: &NetworkRecord| {
        let pytorch = network.pytorch.as_ref()?;
        let Figure { median, lowest, highest, .. } = pytorch.first_step_ratio;
        let memory = pytorch.peak_memory_ratio.map_or(ABSENT.into(), times);
        Some([name(network), times(median), times(lowest), times(highest), memory])
    };
    with_head(head, record.networks.iter().filter_map(row))
}

fn matrix_product(record: &BenchRecord) -> String {
    let product = &record.matrix_product;
    let head = ["matrix product, GFLOP/s", "median", "lowest", "highest", "over 1 thread's"];
    let row = |name: &str, figure: Figure, gain: Option<Figure>| {
        let [median, lowest, highest] = cells(figure);
        let gain = gain.map_or(String::new(), |gain| times(gain.median));
        [name.to_owned(), median, lowest, highest, gain]
    };
    let size = product.size;
    let all = row(&format!("{size}×{size}, all threads"), product.gflop_per_second, product.gain);
    let one = product
        .one_thread_gflop_per_second
        .map(|figure| row(&format!("{size}×{size}, 1 thread"), figure, None));
    with_head(head, [all].into_iter().chain(one))
}

fn layers(record: &BenchRecord) -> String {
    let batch_size = record.layers.first().map_or(0, |layer| layer.batch_size);
    let title = format!("layers, GFLOP/s, batch {batch_size}");
    let row = |layer: &LayerRecord| {
        [
            format!("{:<9} {}", layer.model, layer.layer),
            digits(layer.forward_gflop_per_second.median),
            share(layer.forward_share),
            digits(layer.backward_gflop_per_second.median),
            share(layer.backward_share),
        ]
    };
    let rows = record.layers.iter().map(row);
    let table = with_head([&title, "forward", "share", "backward", "share"], rows);
    table + "(channels, kernel, stride, image side; shares of the matrix product's rate)"
}

fn loader(record: &BenchRecord) -> String {
    let head = ["loader, images/s of 3×32×32", "median", "lowest", "highest"];
    let row = |loader: &LoaderRecord| {
        let [median, lowest, highest] = cells(loader.images_per_second);
        [format!("--augment {}", loader.augment), median, lowest, highest]
    };
    with_head(head, record.loader.iter().map(row))
}

fn with_head<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    table(&[head.map(str::to_owned)].into_iter().chain(rows).collect::<Vec<_>>())
}

fn name(network: &NetworkRecord) -> String {
    Case { model: network.model.clone(), batch_size: network.batch_size }.name()
}

fn cells(figure: Figure) -> [String; 3] {
    [figure.median, figure.lowest, figure.highest].map(digits)
}

/// A number with three decimals, or fewer where it has three digits all the same.
fn digits(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.3}"),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => rate(value),
    }
}

fn times(ratio: f64) -> String {
    format!("{} ×", digits(ratio))
}

fn share(figure: Figure) -> String {
    format!("{:.0} %", 100.0 * figure.median)
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or(ABSENT.into(), |bytes| rate(bytes as f64 / MEBI))
}

#[cfg(test)]
mod tests {
    use super::super::layers::{LAYERS, Layer};
    use super::super::record::{MatrixProductRecord, OneThreadRecord};
    use super::*;

    /// Everything there can be, with numbers as wide as they come.
    fn record() -> BenchRecord {
        let figure =
            Figure { median: 812_345.6, lowest: 712_345.6, highest: 912_345.6, repetitions: 5 };
        let ratio = Figure { median: 0.987, lowest: 0.123, highest: 123.0, repetitions: 5 };
        let comparison = ComparisonRecord {
            faster_memory_format: "channels_last",
            images_per_second: figure,
            ratio,
        };
        let card = CardRecord {
            first_start_seconds: 123.4,
            later_start_seconds: Some(ratio),
            launches_of_a_step: Some(12_345),
            reserved_bytes: Some(123 << 30),
            busy_share: Some(0.987),
        };
        let way = |way: Way| WayRecord {
            way: way.name(),
            training_images_per_second: figure,
            training_ratio: ratio,
            evaluation_images_per_second: figure,
            evaluation_ratio: ratio,
            first_step_seconds: ratio,
            peak_memory_bytes: None,
            card: Some(CardRecord { later_start_seconds: None, busy_share: None, ..card }),
        };
        let network = NetworkRecord {
            card: Some(card),
            model: "resnet18".into(),
            image: [3, 32, 32],
            batch_size: 1024,
            training_images_per_second: figure,
            evaluation_images_per_second: figure,
            first_step_seconds: ratio,
            peak_memory_bytes: Some(123 << 30),
            one_thread: Some(OneThreadRecord { training_images_per_second: figure, gain: ratio }),
            threads_over_one: Some(ratio),
            pytorch: Some(PyTorchRecord {
                ways: Way::of("resnet18", "cuda", true).into_iter().map(way).collect(),
                training: comparison.clone(),
                evaluation: comparison,
                first_step_ratio: ratio,
                peak_memory_ratio: None,
            }),
        };
        let layer = |(model, layers): (&'static str, &[Layer])| LayerRecord {
            model,
            layer: layers[layers.len() - 1],
            batch_size: 32,
            forward_gflop_per_second: figure,
            forward_share: ratio,
            backward_gflop_per_second: figure,
            backward_share: ratio,
        };
        BenchRecord {
            backburn_version: "0.1.0",
            burn_version: "0.22.1",
            git_commit: None,
            started: String::new(),
            ended: String::new(),
            backend: "flex",
            device: "AMD EPYC 9V74 80-Core Processor".into(),
            processor: String::new(),
            instruction_set: Some("AVX-512"),
            threads: 128,
            seconds_per_repetition: 0.4,
            busy_threads_of_others: Some(figure),
            pytorch: Some("PyTorch 2.15.0+cu132".into()),
            networks: vec![network],
            matrix_product: MatrixProductRecord {
                size: 1024,
                gflop_per_second: figure,
                one_thread_gflop_per_second: Some(figure),
                gain: Some(ratio),
            },
            layers: LAYERS.map(layer).to_vec(),
            loader: vec![LoaderRecord {
                augment: "crop=4:reflect,flip",
                images_per_second: figure,
            }],
        }
    }

    #[test]
    fn the_tables_fit_80_columns() {
        let text = tables(&record());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for part in
            ["812,346", "0.987 ×", "channels_last", "125,952", "99 %", "12,345", "bfloat16", ABSENT]
        {
            assert!(text.contains(part), "no {part} in:\n{text}");
        }
    }

    #[test]
    fn without_pytorch_and_layers_there_are_no_tables_of_them() {
        let mut record = record();
        (record.pytorch, record.layers) = (None, Vec::new());
        let text = tables(&record);
        assert!(!text.contains("PyTorch") && !text.contains("layers"), "{text}");
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!([0.0581, 7.181, 87.14, 1712.7].map(digits), ["0.058", "7.18", "87.1", "1,713"]);
    }
}
