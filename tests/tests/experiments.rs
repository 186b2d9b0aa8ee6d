//! What holds for every experiment: with the preset `smoke` each comes to its end within seconds, with numbers that are
//! numbers, sentences without gaps, and the same findings for any number of threads.

use std::fs;
use std::path::Path;

use backburn_data::Source;
use backburn_experiments::{CATALOG, Experiment, Lab, Preset};
use backburn_records::DataTable;
use backburn_report::Findings;
use backburn_report::figure::Theme;
use backburn_training::backend::Backend;
use backburn_training::place::Place;
use backburn_training::run_options::RunOptions;

const CLASSES: usize = 10;
const TRAIN: usize = 300;
const TEST: usize = 50;
const SIDE: usize = 28;

/// Where a number may be missing: experiment, the quantity or table's name, and why.
const NOT_A_NUMBER: [(&str, &str, &str); 3] = [
    (
        "batch-norm",
        "",
        "large weights without batch normalization overflow, and that is the finding",
    ),
    ("disturb-label", "training loss in epoch 10", "there are fewer epochs"),
    ("compare-depths", "", "deep networks without batch normalization may overflow"),
];

/// Data in MNIST's format: every class is a bar at a place of its own, under noise by formula.
fn write_images(folder: &Path) {
    for name in ["mnist", "fashion-mnist"] {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        for (prefix, count) in [("train", TRAIN), ("t10k", TEST)] {
            let labels: Vec<u8> = (0..count).map(|image| (7 * image % CLASSES) as u8).collect();
            let pixel = |at: usize| {
                let (image, row) = (at / (SIDE * SIDE), at / SIDE % SIDE);
                let noise = ((at * 2_654_435_761) >> 7) % 97;
                let bar = if row / 2 == usize::from(labels[image]) + 1 { 150 } else { 0 };
                (bar + noise) as u8
            };
            let pixels: Vec<u8> = (0..count * SIDE * SIDE).map(pixel).collect();
            let images = idx(&[count, SIDE, SIDE], &pixels);
            fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
            let labels = idx(&[count], &labels);
            fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
        }
    }
}

fn idx(dimensions: &[usize], data: &[u8]) -> Vec<u8> {
    let mut file = (0x0800 + dimensions.len() as u32).to_be_bytes().to_vec();
    for size in dimensions {
        file.extend_from_slice(&(*size as u32).to_be_bytes());
    }
    file.extend_from_slice(data);
    file
}

/// What it finds with so many threads.
fn carry_out(row: &Experiment, place: &Path, threads: usize) -> Findings {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let data_dir = place.join("data");
        // Not always the source's, but small.
        let dataset = row.datasets.iter().find(|name| name.ends_with("mnist"));
        let source = Source::from_environment(Some(data_dir.clone()));
        let data = dataset.map(|name| backburn_data::load(name, &source).unwrap());
        let out = place.join(format!("{}-{threads}", row.name));
        let options = RunOptions::new(threads, Vec::new());
        let at = Place { data_dir: Some(data_dir), backend: Backend::Flex };
        let lab = Lab::new(Preset::Smoke, at, data, out, options).unwrap();
        let findings = row.carry_out(&lab);
        findings.unwrap_or_else(|failure| panic!("{}: {failure:?}", row.name))
    })
}

/// Everything in the findings but how fast the machine is.
fn told(findings: &Findings) -> Vec<String> {
    let mut findings = findings.clone();
    for table in &mut findings.tables {
        if let Some(speed) = table.head.iter().position(|head| head == "images a second") {
            table.rows.iter_mut().for_each(|row| row[speed].clear());
        }
    }
    let mut told = vec![serde_json::to_string(&findings).unwrap()];
    told.extend(findings.data.iter().map(DataTable::to_csv));
    told.extend(findings.figures.iter().map(|figure| figure.drawing.to_svg(Theme::Paper)));
    told
}

fn check(row: &Experiment, findings: &Findings) {
    let name = row.name;
    let may_be_missing =
        |place: &str| NOT_A_NUMBER.iter().any(|(of, part, _)| *of == name && place.contains(part));
    let texts = [&findings.setup, &findings.reduced, &findings.mistakes, &findings.differences];
    let texts = texts.into_iter().flatten();
    let captions = findings.figures.iter().map(|figure| &figure.caption);
    for text in texts.chain(captions).chain([&findings.sentence]) {
        assert!(!text.trim().is_empty(), "{name}: an empty text");
        assert!(!text.contains(['{', '}']), "{name}: a placeholder is left in “{text}”");
        let mut words = text.split(|c: char| !c.is_alphanumeric());
        assert!(words.all(|word| !matches!(word, "NaN" | "inf")), "{name}: “{text}”");
    }
    assert!(findings.sentence.ends_with('.'), "{name}: “{}”", findings.sentence);
    assert!(!findings.figures.is_empty(), "{name}: no figure");
    let mut figures: Vec<&str> = findings.figures.iter().map(|figure| &*figure.name).collect();
    figures.sort_unstable();
    figures.dedup();
    assert_eq!(figures.len(), findings.figures.len(), "{name}: two figures of a name");
    for compared in findings.comparisons.iter().flat_map(|comparison| &comparison.rows) {
        let quantity = &compared.quantity;
        let is_number = compared.ours.iter().all(|value| value.is_finite());
        assert!(is_number || may_be_missing(quantity), "{name}, {quantity}: {:?}", compared.ours);
    }
    for table in &findings.tables {
        let (title, columns) = (&table.title, table.head.len());
        assert!(table.rows.iter().all(|row| row.len() == columns), "{name}: table “{title}”");
        for cell in table.rows.iter().flatten() {
            let is_number = !["NaN", "inf"].iter().any(|word| cell.contains(word));
            assert!(is_number || may_be_missing(title), "{name}, “{title}”: {cell}");
        }
    }
    for table in &findings.data {
        let (title, columns) = (&table.name, table.columns.len());
        assert!(table.rows.iter().all(|row| row.len() == columns), "{name}: data `{title}`");
        for cell in table.rows.iter().flatten() {
            let is_missing = cell.parse().is_ok_and(|value: f64| !value.is_finite());
            assert!(!is_missing || may_be_missing(title), "{name}, data `{title}`: {cell}");
        }
    }
}

#[test]
fn every_experiment_comes_to_its_end_with_the_same_sound_findings_for_any_number_of_threads() {
    let place = tempfile::tempdir().unwrap();
    write_images(&place.path().join("data"));
    for row in CATALOG {
        let started = std::time::Instant::now();
        let findings = carry_out(row, place.path(), 1);
        check(row, &findings);
        let (one, two) = (told(&findings), told(&carry_out(row, place.path(), 2)));
        for (one, two) in one.iter().zip(&two) {
            assert_eq!(one, two, "{}: one thread against two", row.name);
        }
        assert_eq!(one.len(), two.len(), "{}", row.name);
        eprintln!("{}: {:.1} s", row.name, started.elapsed().as_secs_f64());
    }
}
