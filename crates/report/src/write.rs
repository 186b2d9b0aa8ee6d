//! Writing reports: each file appears whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use backburn_records::arms::{ArmRun, ArmsComparison};
use backburn_records::cross_validation::CrossValidation;
use backburn_records::label_errors::LabelErrorsRecord;
use backburn_records::near_copies::NearCopiesRecord;
use backburn_records::origin::Origin;
use backburn_records::search::SearchRecord;
use backburn_records::{RunRecord, whole_file};

use crate::arms_csv::arms_csv;
use crate::arms_figures::arms_figures;
use crate::arms_latex::arms_latex;
use crate::arms_markdown::arms_markdown;
use crate::arms_page::arms_page;
use crate::compare::comparison_page;
use crate::error::ReportError;
use crate::experiment::{ExperimentRecord, Findings};
use crate::experiment_page::{experiment_page, experiments_index};
use crate::experiments_markdown::experiments_markdown;
use crate::figure::{Drawing, Theme, png};
use crate::folds_page::folds_page;
use crate::label_errors_csv::label_errors_csv;
use crate::label_errors_page::label_errors_page;
use crate::near_copies_page::near_copies_page;
use crate::page::run_page;
use crate::run_figures::{curve_figures, diagnosis_figures};
use crate::search_page::{history_figure, search_page, trials_figure};

/// Pixels of a PNG for each pixel of the figure: sharp on fine screens and in print.
const PNG_SCALE: f32 = 2.0;

/// Writes the report of a run into its folder: `report.html` and, under `figures/`, every
/// figure that the records allow as SVG and PNG. Each file appears whole or not at all. Returns
/// the files written.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn write_report(run: &RunRecord) -> Result<Vec<PathBuf>, ReportError> {
    let figures_dir = run.dir.join("figures");
    let origin = Origin::of_run(run);
    let mut written = Vec::new();
    for figure in curve_figures(run).into_iter().chain(diagnosis_figures(run)) {
        fs::create_dir_all(&figures_dir)
            .map_err(|source| ReportError::Write { path: figures_dir.clone(), source })?;
        written.extend(write_figure(&figure.drawing, &figures_dir.join(figure.name), &origin)?);
    }
    // Last, so that a page is there only if its figures are.
    written.push(write_whole(run.dir.join("report.html"), run_page(run).as_bytes())?);
    Ok(written)
}

/// Writes the page of a run anew, without its figures.
///
/// # Errors
///
/// As [`write_report`].
pub fn write_run_page(run: &RunRecord) -> Result<(), ReportError> {
    write_whole(run.dir.join("report.html"), run_page(run).as_bytes()).map(drop)
}

/// Writes the page that compares `runs` to `path`.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_comparison(runs: &[RunRecord], path: &Path) -> Result<(), ReportError> {
    let report = |run: &RunRecord| {
        let report = run.dir.join("report.html");
        report.is_file().then(|| relative(path.parent().unwrap_or(Path::new("")), &report))?
    };
    write_whole(path.to_path_buf(), comparison_page(runs, &report).as_bytes()).map(drop)
}

/// The way from a folder to a file, as a page there links it; `None` where there is none.
fn relative(folder: &Path, file: &Path) -> Option<String> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (here, file) = (fs::canonicalize(here).ok()?, fs::canonicalize(file).ok()?);
    let shared = here.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return None;
    }
    let up = here.components().skip(shared).map(|_| "..".to_owned());
    let down = file.components().skip(shared);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    Some(up.chain(down).collect::<Vec<_>>().join("/"))
}

/// Writes a figure as SVG and PNG to `path` with these endings, its origin inside. Returns the files.
///
/// # Errors
///
/// If the figure is too large to be drawn, or a file cannot be written.
pub fn write_figure(
    drawing: &Drawing,
    path: &Path,
    origin: &Origin,
) -> Result<[PathBuf; 2], ReportError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let [svg, png] = ["svg", "png"].map(|ending| path.with_file_name(format!("{name}.{ending}")));
    write_whole(svg.clone(), drawing.to_file(origin).as_bytes())?;
    write_png(drawing, &png, origin)?;
    Ok([svg, png])
}

/// Writes a figure to `path`, as PNG with its origin inside.
///
/// # Errors
///
/// If the figure is too large to be drawn, or the file cannot be written.
pub fn write_png(drawing: &Drawing, path: &Path, origin: &Origin) -> Result<(), ReportError> {
    let png = png::from_svg(&drawing.to_svg(Theme::Paper), PNG_SCALE)
        .map_err(|reason| ReportError::Draw { figure: drawing.title().to_owned(), reason })?;
    write_whole(path.to_path_buf(), &png::with_comment(png, &origin.to_string())).map(drop)
}

/// Writes what compares `arms` into the folder `dir`: `comparison.json`, every figure as SVG and PNG, the table as
/// `table.csv`, `table.md` and `table.tex`, and `report.html`, which links the reports of runs that are there.
///
/// # Errors
///
/// If a file cannot be written.
#[expect(clippy::expect_used, reason = "what is written is plain values")]
pub fn write_arms(arms: &ArmsComparison, dir: &Path) -> Result<(), ReportError> {
    let json = serde_json::to_string_pretty(arms).expect("a comparison is plain values");
    write_whole(dir.join("comparison.json"), format!("{json}\n").as_bytes())?;
    for figure in arms_figures(arms) {
        write_figure(&figure.drawing, &dir.join(figure.name), &arms.origin)?;
    }
    for (name, text) in [
        ("table.csv", arms_csv(arms)),
        ("table.md", arms_markdown(arms)),
        ("table.tex", arms_latex(arms)),
    ] {
        write_whole(dir.join(name), text.as_bytes())?;
    }
    let has_report = |run: &ArmRun| dir.join(&run.folder).join("report.html").is_file();
    let page = arms_page(arms, &has_report);
    write_whole(dir.join("report.html"), page.as_bytes()).map(drop)
}

/// Writes what a search came to into the folder `dir`: `search.json`, the figures `history` and `trials` as SVG and PNG,
/// and `report.html`.
///
/// # Errors
///
/// If a file cannot be written.
#[expect(clippy::expect_used, reason = "what is written is plain values")]
pub fn write_search(search: &SearchRecord, dir: &Path) -> Result<(), ReportError> {
    let json = serde_json::to_string_pretty(search).expect("a search is plain values");
    write_whole(dir.join("search.json"), format!("{json}\n").as_bytes())?;
    write_figure(&history_figure(search), &dir.join("history"), &search.origin)?;
    write_figure(&trials_figure(search), &dir.join("trials"), &search.origin)?;
    write_whole(dir.join("report.html"), search_page(search).as_bytes()).map(drop)
}

/// Writes what the runs of a cross-validation came to into the folder `dir` that theirs are in: `folds.json` and
/// `report.html`.
///
/// # Errors
///
/// If a file cannot be written.
#[expect(clippy::expect_used, reason = "what is written is plain values")]
pub fn write_folds(
    all: &CrossValidation,
    runs: &[RunRecord],
    dir: &Path,
) -> Result<(), ReportError> {
    let json = serde_json::to_string_pretty(all).expect("scores are plain values");
    write_whole(dir.join("folds.json"), format!("{json}\n").as_bytes())?;
    let has_report = |run: &RunRecord| run.dir.join("report.html").is_file();
    let page = folds_page(all, runs, &has_report);
    write_whole(dir.join("report.html"), page.as_bytes()).map(drop)
}

/// Writes what an experiment found into the folder `dir`: `result.json`, its numbers as CSV under
/// `data/` with a note of where they come from, every figure as SVG and PNG under `figures/`, and `report.html`.
///
/// # Errors
///
/// If a file cannot be written.
#[expect(clippy::expect_used, reason = "what is written is plain values")]
pub fn write_experiment(record: &ExperimentRecord, dir: &Path) -> Result<(), ReportError> {
    let make = |path: PathBuf| match fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(ReportError::Write { path, source }),
    };
    make(dir.to_owned())?;
    let origin = Origin::of_experiment(&record.provenance, dir.display().to_string());
    let Findings { data, figures, .. } = &record.findings;
    if !data.is_empty() {
        let folder = make(dir.join("data"))?;
        for table in data {
            let path = folder.join(format!("{}.csv", table.name));
            write_whole(path, table.to_csv().as_bytes())?;
        }
        // Not inside the tables, which programs read.
        write_whole(folder.join("ORIGIN.txt"), origin.to_string().as_bytes())?;
    }
    if !figures.is_empty() {
        let folder = make(dir.join("figures"))?;
        for figure in figures {
            write_figure(&figure.drawing, &folder.join(&figure.name), &origin)?;
        }
    }
    let json = serde_json::to_string_pretty(record).expect("a record is plain values");
    write_whole(dir.join("result.json"), format!("{json}\n").as_bytes())?;
    write_whole(dir.join("report.html"), experiment_page(record, origin.folder).as_bytes())
        .map(drop)
}

/// Writes the page that links the pages of several experiments to `path`; each comes with the link.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_experiments_index(
    records: &[(String, ExperimentRecord)],
    path: &Path,
) -> Result<(), ReportError> {
    write_whole(path.to_path_buf(), experiments_index(records).as_bytes()).map(drop)
}

/// Writes experiments as a page of documentation to `path`, with their figures as SVG in the folder
/// `figures/<name of the page>` beside it.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write_experiments_markdown(
    records: &[ExperimentRecord],
    path: &Path,
) -> Result<(), ReportError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let relative = format!("figures/{name}");
    let folder = path.with_file_name(&relative);
    fs::create_dir_all(&folder)
        .map_err(|source| ReportError::Write { path: folder.clone(), source })?;
    for record in records {
        let origin = Origin::of_experiment(&record.provenance, record.name.clone());
        for figure in &record.findings.figures {
            let file = folder.join(format!("{}-{}.svg", record.name, figure.name));
            write_whole(file, figure.drawing.to_file(&origin).as_bytes())?;
        }
    }
    let page = experiments_markdown(records, &relative);
    write_whole(path.to_path_buf(), page.as_bytes()).map(drop)
}

/// Writes what near copies were found in a data set: the page to `path`, and the record beside it, by the same name with
/// the ending `json`. Returns the files.
///
/// # Errors
///
/// If a file cannot be written.
#[expect(clippy::expect_used, reason = "what is written is plain values")]
pub fn write_near_copies(
    record: &NearCopiesRecord,
    path: &Path,
) -> Result<[PathBuf; 2], ReportError> {
    let json = serde_json::to_string_pretty(record).expect("a record is plain values");
    let json = write_whole(path.with_extension("json"), format!("{json}\n").as_bytes())?;
    let page = write_whole(path.to_path_buf(), near_copies_page(record).as_bytes())?;
    Ok([page, json])
}

/// Writes a ranking of likely label errors into the folder `dir`, which is made if it is not there: `label-errors.csv` and
/// `label-errors.html`. Returns the files.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write_label_errors(
    record: &LabelErrorsRecord,
    dir: &Path,
) -> Result<[PathBuf; 2], ReportError> {
    fs::create_dir_all(dir)
        .map_err(|source| ReportError::Write { path: dir.to_owned(), source })?;
    let csv = write_whole(dir.join("label-errors.csv"), label_errors_csv(record).as_bytes())?;
    let page = write_whole(dir.join("label-errors.html"), label_errors_page(record).as_bytes())?;
    Ok([csv, page])
}

fn write_whole(path: PathBuf, content: &[u8]) -> Result<PathBuf, ReportError> {
    match whole_file::write_whole(&path, content) {
        Ok(()) => Ok(path),
        Err(source) => Err(ReportError::Write { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> =
            entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_is_a_page_and_six_figures_in_two_formats() {
        let folder = tempfile::tempdir().unwrap();
        sample::write(folder.path());
        let written = write_report(&RunRecord::read(folder.path()).unwrap()).unwrap();
        assert_eq!(written.len(), 13);
        assert!(written.iter().all(|path| fs::metadata(path).unwrap().len() > 500));
        let expected =
            ["accuracy", "confusion", "learning_rate", "loss", "mistakes", "reliability"];
        let expected: Vec<String> = expected
            .iter()
            .flat_map(|name| [format!("{name}.png"), format!("{name}.svg")])
            .collect();
        assert_eq!(names(&folder.path().join("figures")), expected);
        let loss = fs::read(folder.path().join("figures/loss.png")).unwrap();
        // Width and height stand in the PNG's first chunk.
        assert_eq!(&loss[16..24], [0, 0, 5, 0, 0, 0, 3, 32]);
        write_report(&RunRecord::read(folder.path()).unwrap())
            .expect("a report can be written again");
        assert!(!names(folder.path()).iter().any(|name| name.ends_with(".tmp")));
    }

    #[test]
    fn a_run_without_epochs_gets_a_page_and_no_figures() {
        let folder = tempfile::tempdir().unwrap();
        sample::write(folder.path());
        for file in ["metrics.jsonl", "evaluation.json", "summary.json"] {
            fs::remove_file(folder.path().join(file)).unwrap();
        }
        assert_eq!(
            write_report(&RunRecord::read(folder.path()).unwrap()).unwrap(),
            [folder.path().join("report.html")]
        );
        assert!(!folder.path().join("figures").exists());
    }

    #[test]
    fn arms_are_a_page_a_record_figures_and_tables() {
        let folder = tempfile::tempdir().unwrap();
        write_arms(&sample::arms(), folder.path()).unwrap();
        let expected = [
            "comparison.json",
            "comparison.png",
            "comparison.svg",
            "forest.png",
            "forest.svg",
            "report.html",
            "seeds.png",
            "seeds.svg",
            "table.csv",
            "table.md",
            "table.tex",
        ];
        assert_eq!(names(folder.path()), expected);
        let json = fs::read_to_string(folder.path().join("comparison.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["arms"][1]["scores"]["test_accuracy"]["difference"]["verdict"], "better");
        let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
        let linked = expected.iter().filter(|name| page.contains(*name) && name.contains("table"));
        assert_eq!(linked.count(), 3);
        assert!(!page.contains("/report.html\""), "a run without a report is linked");
        let run = folder.path().join("dropout/seed-2");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("report.html"), "").unwrap();
        write_arms(&sample::arms(), folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert_eq!(page.matches("/report.html\"").count(), 1);
        assert!(page.contains("href=\"dropout/seed-2/report.html\""), "{page}");
    }

    #[test]
    fn label_errors_are_a_table_and_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new/one");
        let written = write_label_errors(&sample::label_errors(), &folder).unwrap();
        assert_eq!(names(&folder), ["label-errors.csv", "label-errors.html"]);
        assert!(written.iter().all(|path| fs::metadata(path).unwrap().len() > 100));
    }

    #[test]
    fn near_copies_are_a_page_and_a_record_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("near-copies.html");
        let written = write_near_copies(&sample::near_copies(), &path).unwrap();
        assert_eq!(written, [path.clone(), path.with_extension("json")]);
        let json = fs::read_to_string(&written[1]).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["searches"][0]["counts"][0]["images"], 23);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let run = sample::write(folder.path());
        let before = names(folder.path());
        // A folder stands where the page should go.
        let path = folder.path().join("checkpoints");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "").unwrap();
        let message = write_comparison(&[run], &path).unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("checkpoints"), "{message}");
        assert_eq!(names(folder.path()).len(), before.len() + 1);
    }
}
