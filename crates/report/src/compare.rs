//! Several runs side by side: a table for the terminal and a page.

use backburn_records::number::{ABSENT, bare_percent, bare_points, count, counted, duration};
use backburn_records::origin::Origin;
use backburn_records::seed_group::{Grouped, SeedGroup, grouped};
use backburn_records::statistics::Spread;
use backburn_records::tta::by_views;
use backburn_records::{Manifest, RunRecord, Status, Summary};

use crate::curves;
use crate::figure::svg::escape;
use crate::html::Content::{Numbers, Words};
use crate::html::{Content, address, document, figure, section, table};
use crate::wrapped::wrapped;

/// Spaces between the columns of the terminal's table.
const GAP: usize = 2;
/// Head of the column that tells of test-time augmentation.
const VIEWS: &str = "views";
/// A name is not cut shorter than this.
const SHORTEST_NAME: usize = 12;

/// A column of the comparison.
struct Column {
    head: &'static str,
    /// When room is short, the lowest goes first. The name always stays.
    importance: u8,
    content: Content,
    value: fn(&RunRecord) -> String,
}

const COLUMNS: [Column; 14] = [
    Column { head: "run", importance: 12, content: Words, value: |run| run.manifest.name.clone() },
    Column {
        head: "status",
        importance: 9,
        content: Words,
        value: |run| run.manifest.status.to_string(),
    },
    Column {
        head: "model",
        importance: 8,
        content: Words,
        value: |run| run.manifest.model.clone(),
    },
    Column {
        head: "data",
        importance: 5,
        content: Words,
        value: |run| run.manifest.dataset.name.clone(),
    },
    Column { head: "seed", importance: 6, content: Numbers, value: |run| run.manifest.seeds() },
    Column { head: "best epoch", importance: 3, content: Numbers, value: best_epoch },
    Column {
        head: "train %",
        importance: 4,
        content: Numbers,
        value: |r| percent_of(r, |s| s.train_accuracy),
    },
    Column {
        head: "valid %",
        importance: 10,
        content: Numbers,
        value: |r| percent_of(r, |s| s.valid_accuracy.unwrap_or(f64::NAN)),
    },
    Column {
        head: "test %",
        importance: 11,
        content: Numbers,
        value: |r| percent_of(r, |s| s.test_accuracy),
    },
    Column { head: VIEWS, importance: 2, content: Words, value: views },
    Column {
        head: "gap",
        importance: 7,
        content: Numbers,
        value: |run| bare_points(run.summary.as_ref().map(|s| s.generalization_gap)),
    },
    Column {
        head: "ECE %",
        importance: 2,
        content: Numbers,
        value: |r| percent_of(r, |s| s.test_ece),
    },
    Column {
        head: "test accesses",
        importance: 0,
        content: Numbers,
        value: |run| run.manifest.test_reads.len().to_string(),
    },
    Column {
        head: "time",
        importance: 1,
        content: Numbers,
        value: |run| duration(run.summary.as_ref().map(|s| s.train_seconds)),
    },
];

fn percent_of(run: &RunRecord, score: fn(&Summary) -> f64) -> String {
    bare_percent(run.summary.as_ref().map(score))
}

fn best_epoch(run: &RunRecord) -> String {
    let best = run.best_epoch().map_or(ABSENT.into(), |e| count(e as u64));
    format!("{best}/{}", count(run.epochs.len() as u64))
}

/// The views of each image that validation and test are scored by.
fn views(run: &RunRecord) -> String {
    let Some(summary) = &run.summary else { return ABSENT.into() };
    summary.tta.clone().unwrap_or_else(|| "one".into())
}

/// Columns worth showing: the status only if a run did not come to its end, the views only if a run has more than one.
fn columns(runs: &[RunRecord]) -> Vec<&'static Column> {
    let ended =
        |run: &RunRecord| matches!(run.manifest.status, Status::Finished | Status::StoppedEarly);
    let all_ended = runs.iter().all(ended);
    let has_views = by_views(runs.iter().map(tta)).is_some();
    let is_shown = |column: &&Column| match column.head {
        "status" => !all_ended,
        VIEWS => has_views,
        _ => true,
    };
    COLUMNS.iter().filter(is_shown).collect()
}

fn tta(run: &RunRecord) -> Option<&str> {
    run.summary.as_ref()?.tta.as_deref()
}

/// A column of a table with its cells.
struct Filled {
    head: &'static str,
    importance: u8,
    content: Content,
    cells: Vec<String>,
}

impl Filled {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.chars().count());
        cells.chain([self.head.chars().count()]).max().unwrap_or(0)
    }
}

/// The runs as a table for a terminal `width` characters wide and, where several are of one recipe with other seeds, a
/// second one with their means and standard deviations. Where it is narrow, the least important columns are left out
/// and long names are cut in the middle. Gaps are in percentage points. Test-time augmentation is told below.
pub fn comparison_table(runs: &[RunRecord], width: usize) -> String {
    let of_runs = columns(runs).into_iter().map(|column| Filled {
        head: column.head,
        importance: column.importance,
        content: column.content,
        cells: runs.iter().map(column.value).collect(),
    });
    let mut text = fitted(of_runs.collect(), width);
    let groups = groups(runs);
    if !groups.is_empty() {
        text += &format!("\n{}", fitted(of_groups(&groups), width));
    }
    if let Some(views) = by_views(runs.iter().map(tta)) {
        text += &format!("\n{}", wrapped(&views, width, 0));
    }
    text
}

/// A table with as many columns as there is room for.
fn fitted(mut columns: Vec<Filled>, width: usize) -> String {
    let room = |columns: &[Filled]| {
        let others = columns.iter().skip(1).map(|column| GAP + column.width());
        width.saturating_sub(others.sum())
    };
    // A name may be cut to two thirds before a column is given up for it.
    let name_width = columns.first().map_or(0, Filled::width);
    let wanted = (2 * name_width / 3).max(SHORTEST_NAME).min(name_width);
    while columns.len() > 2 && room(&columns) < wanted {
        let least = columns.iter().enumerate().min_by_key(|(_, column)| column.importance);
        let Some((place, _)) = least else { break };
        columns.remove(place);
    }
    let name_width = name_width.min(room(&columns).max(SHORTEST_NAME));
    let line = |cells: Vec<&str>| {
        let mut cells = cells.iter().zip(&columns);
        let name = cells.next().map(|(name, _)| cut(name, name_width)).unwrap_or_default();
        let mut line = format!("{name:<name_width$}");
        for (cell, column) in cells {
            let width = column.width();
            line += &match column.content {
                Words => format!("{:GAP$}{cell:<width$}", ""),
                Numbers => format!("{:GAP$}{cell:>width$}", ""),
            };
        }
        line.trim_end().to_owned() + "\n"
    };
    let head = line(columns.iter().map(|column| column.head).collect());
    let count = columns.first().map_or(0, |first| first.cells.len());
    let cell = |column: &'_ Filled, row: usize| column.cells.get(row).cloned().unwrap_or_default();
    let rows = (0..count).map(|row| {
        let cells: Vec<String> = columns.iter().map(|column| cell(column, row)).collect();
        line(cells.iter().map(String::as_str).collect())
    });
    head + &rows.collect::<String>()
}

fn groups(runs: &[RunRecord]) -> Vec<SeedGroup<'_>> {
    let group = |grouped| match grouped {
        Grouped::Group(group) => Some(group),
        Grouped::Single(_) => None,
    };
    grouped(runs).into_iter().filter_map(group).collect()
}

/// Means and standard deviations over the seeds of each group.
fn of_groups(groups: &[SeedGroup<'_>]) -> Vec<Filled> {
    let words = |head, importance, value: fn(&SeedGroup<'_>) -> String| Filled {
        head,
        importance,
        content: Words,
        cells: groups.iter().map(value).collect(),
    };
    let percent = |head, importance, score: fn(&Summary) -> Option<f64>| Filled {
        head,
        importance,
        content: Numbers,
        cells: groups.iter().map(|group| percents(group.spread(score))).collect(),
    };
    let first = |group: &SeedGroup<'_>, of: fn(&RunRecord) -> &str| {
        group.runs.first().map_or(ABSENT.to_owned(), |run| of(run).to_owned())
    };
    let mut columns = vec![words("over seeds", 12, |group| group.name.clone())];
    columns.push(Filled {
        head: "seeds",
        importance: 10,
        content: Numbers,
        cells: groups.iter().map(|group| count(group.runs.len() as u64)).collect(),
    });
    columns.push(Filled {
        cells: groups.iter().map(|group| first(group, |run| &run.manifest.model)).collect(),
        ..words("model", 3, |_| String::new())
    });
    columns.push(percent("train %", 4, |summary| Some(summary.train_accuracy)));
    columns.push(percent("valid %", 8, |summary| summary.valid_accuracy));
    columns.push(percent("test %", 11, |summary| Some(summary.test_accuracy)));
    columns.push(Filled {
        head: "gap",
        importance: 7,
        content: Numbers,
        cells: groups.iter().map(gap).collect(),
    });
    columns.push(percent("ECE %", 2, |summary| Some(summary.test_ece)));
    columns.push(Filled {
        head: "time",
        importance: 1,
        content: Numbers,
        cells: groups.iter().map(time).collect(),
    });
    columns
}

fn gap(group: &SeedGroup<'_>) -> String {
    let gap = group.spread(|summary| Some(summary.generalization_gap));
    let sign = bare_points(gap.mean);
    match gap.standard_deviation {
        deviation if deviation.is_finite() => format!("{sign} ± {}", bare_percent(deviation)),
        _ => sign,
    }
}

/// The time of one training.
fn time(group: &SeedGroup<'_>) -> String {
    duration(group.spread(|summary| Some(summary.train_seconds)).mean)
}

/// `99.41 ± 0.05`.
fn percents(spread: Spread) -> String {
    match spread.standard_deviation {
        deviation if deviation.is_finite() => {
            format!("{} ± {}", bare_percent(spread.mean), bare_percent(deviation))
        }
        _ => bare_percent(spread.mean),
    }
}

/// `text` in at most `width` characters: run names begin with their time and end with what they
/// are, so the middle goes.
fn cut(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (front, back) = (kept / 2, kept - kept / 2);
    let (front, back) = (characters.iter().take(front), characters.iter().rev().take(back).rev());
    front.chain(['…'].iter()).chain(back).collect()
}

/// The runs as a page: a table with all columns, and their validation curves in common figures. `report`: where the page
/// finds the report of a run, if there is one.
pub fn comparison_page(
    runs: &[RunRecord],
    report: &dyn Fn(&RunRecord) -> Option<String>,
) -> String {
    let columns = columns(runs);
    let head: Vec<_> = columns.iter().map(|column| (column.head, column.content)).collect();
    let rows: Vec<Vec<String>> =
        runs.iter().map(|run| columns.iter().map(|c| (c.value)(run)).collect()).collect();
    let note = "<p>Scores are of the selected weights; the gap is training minus test accuracy, \
        in percentage points. Test accesses: how often the run's test split was accessed; among \
        several, the best score is too good. A dash stands for what a run has not measured. Two \
        runs of one seed each tell little: the difference may be that of the seeds.</p>\n";
    let views = by_views(runs.iter().map(tta));
    let views = views.map_or_else(String::new, |it| format!("<p>{}</p>\n", escape(&it)));
    let over_seeds = over_seeds(&groups(runs));
    let table = table(&head, rows.iter().map(Vec::as_slice));
    let band = match over_seeds.is_empty() {
        true => "",
        false => {
            " Of runs of one recipe: their mean, one standard deviation to either side, and \
             faintly each of them."
        }
    };
    let figures = figure(
        &curves::compare_accuracy(runs),
        &format!("Validation accuracy after each epoch.{band}"),
    ) + &figure(
        &curves::compare_loss(runs),
        &format!("Cross-entropy on clean labels after each epoch.{band}"),
    );
    let title = format!("Comparison of {}", counted(runs.len(), "run"));
    let folders: Vec<String> = runs.iter().map(|run| run.dir.display().to_string()).collect();
    let origin = Origin::of_runs(runs, folders.join(", "));
    let body = format!("<header>\n<h1>{title}</h1>\n</header>\n")
        + &over_seeds
        + &section("Scores", &format!("{note}{views}{table}{}", reports(runs, report)))
        + &section("Validation curves", &format!("<div class=\"figures\">\n{figures}</div>\n"))
        + &section("Provenance", &provenance(runs));
    document(&format!("{title} — Backburn"), &body, &origin)
}

/// Links to the reports that there are.
fn reports(runs: &[RunRecord], report: &dyn Fn(&RunRecord) -> Option<String>) -> String {
    let link = |run: &RunRecord| {
        let (at, name) = (address(&report(run)?), &run.manifest.name);
        Some(format!("<a href=\"{}\">{}</a>", escape(&at), escape(name)))
    };
    let links: Vec<String> = runs.iter().filter_map(link).collect();
    match links.is_empty() {
        true => String::new(),
        false => format!("<p>Reports: {}.</p>\n", links.join(", ")),
    }
}

/// What runs of one recipe come to together; nothing if there are none.
fn over_seeds(groups: &[SeedGroup<'_>]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let note = "<p>Mean ± standard deviation over the runs that differ in their seeds alone: one \
        recipe, the same data. The seeds draw what the recipe leaves to chance: weights, order, \
        augmentation and, unless the data have a seed of their own, which images are trained \
        on.</p>\n";
    let columns = of_groups(groups);
    let head: Vec<_> = columns.iter().map(|column| (column.head, column.content)).collect();
    let cell = |column: &Filled, row: usize| column.cells.get(row).cloned().unwrap_or_default();
    let row = |row: usize| columns.iter().map(|column| cell(column, row)).collect();
    let rows: Vec<Vec<String>> = (0..groups.len()).map(row).collect();
    section("Over seeds", &format!("{note}{}", table(&head, rows.iter().map(Vec::as_slice))))
}

/// What each run can be found and repeated by.
fn provenance(runs: &[RunRecord]) -> String {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let Manifest { git_commit, backend, dataset, .. } = &run.manifest;
            let sums: Vec<String> = dataset.files.iter().map(|file| file.sha256.clone()).collect();
            vec![
                run.dir.display().to_string(),
                run.manifest.seeds(),
                git_commit.clone().unwrap_or(ABSENT.into()),
                backend.clone(),
                sums.join(" "),
            ]
        })
        .collect();
    let head = [
        ("run folder", Words),
        ("seed", Numbers),
        ("git commit", Words),
        ("backend", Words),
        ("SHA-256 of the data files", Words),
    ];
    table(&head, rows.iter().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    fn runs() -> Vec<RunRecord> {
        let mut runs = vec![sample::run(), sample::run(), sample::run()];
        runs[1].manifest.name = "20260102-040506-mnist-lenet-bn-label-smoothing".into();
        runs[1].manifest.seed = 12_345;
        runs[2].manifest.name = "young".into();
        runs[2].manifest.status = Status::Interrupted;
        (runs[2].summary, runs[2].evaluation) = (None, None);
        runs
    }

    #[test]
    fn the_table_fits_every_width_and_keeps_name_and_test_accuracy() {
        for width in [30, 40, 60, 80, 120, 300] {
            let table = comparison_table(&runs(), width);
            for line in table.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            assert_eq!(table.lines().count(), 4);
            assert!(table.contains("test %") && table.contains("99.41"), "{table}");
        }
        let mut runs = runs();
        assert!(!comparison_table(&runs, 300).contains(VIEWS));
        runs[1].summary.as_mut().unwrap().tta = Some(sample::views().views);
        let wide = comparison_table(&runs, 300);
        assert!(COLUMNS.iter().all(|column| wide.contains(column.head)), "{wide}");
        assert!(wide.contains("20260102-040506-mnist-lenet-bn-label-smoothing"));
    }

    #[test]
    fn views_are_told_in_a_column_and_below_it_where_there_is_no_room_for_one() {
        let mut runs = runs();
        runs[1].summary.as_mut().unwrap().tta = Some("flip,diagonal=1".into());
        for width in [60, 80, 300] {
            let table = comparison_table(&runs, width);
            assert!(table.lines().all(|line| line.chars().count() <= width), "{width}: {table}");
            let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains("Of some runs, validation and test"), "{table}");
            assert!(flat.contains("(test-time augmentation: flip,diagonal=1)"), "{table}");
        }
        let wide = comparison_table(&runs, 300);
        let first = wide.lines().nth(1).unwrap();
        assert!(first.contains(" one "), "{wide}");
        let page = comparison_page(&runs, &|_| None);
        assert!(page.contains("<th>views</th>") || page.contains(">views<"), "{page}");
        assert!(page.contains("Of some runs, validation and test"), "{page}");
    }

    #[test]
    fn what_a_run_has_not_measured_is_a_dash() {
        let table = comparison_table(&runs(), 300);
        let young = table.lines().find(|line| line.starts_with("young")).unwrap();
        assert!(young.contains("—") && young.contains("interrupted"), "{young}");
    }

    #[test]
    fn no_run_at_all_gives_a_head_alone() {
        assert_eq!(comparison_table(&[], 80).lines().count(), 1);
        assert!(comparison_page(&[], &|_| None).contains("no finite values"));
    }

    #[test]
    fn the_page_names_every_run_escaped() {
        let mut runs = runs();
        runs[2].manifest.name = "<b>".into();
        let page =
            comparison_page(&runs, &|run| Some(format!("../{}/report.html", run.manifest.name)));
        assert!(page.contains("<a href=\"../2026"), "{page}");
        assert!(page.contains("label-smoothing") && page.contains("&lt;b&gt;"));
        assert!(!page.contains("<b>") && !page.contains("http"));
    }

    #[test]
    fn runs_of_one_recipe_have_a_row_of_their_mean_at_any_width() {
        let mut runs = sample::repetitions("mnist-lenet-bn", 3);
        for (run, accuracy) in runs.iter_mut().zip([0.8, 0.9, 0.7]) {
            run.summary.as_mut().unwrap().test_accuracy = accuracy;
        }
        for width in [30, 60, 80, 300] {
            let table = comparison_table(&runs, width);
            assert!(table.lines().all(|line| line.chars().count() <= width), "{width}:\n{table}");
            assert_eq!(table.lines().count(), 4 + 1 + 2, "{table}");
            assert!(table.contains("80.00 ± 10.00"), "{table}");
        }
        let page =
            comparison_page(&runs, &|run| Some(format!("../{}/report.html", run.manifest.name)));
        assert!(page.contains("<a href=\"../2026"), "{page}");
        for part in ["Over seeds", "80.00 ± 10.00", "Mean ± standard deviation", "to either side"]
        {
            assert!(page.contains(part), "no `{part}`");
        }
        assert!(!comparison_page(&runs[..1], &|_| None).contains("Over seeds"));
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        assert_eq!(cut("20260102-mnist-smooth", 11), "20260…mooth");
        assert_eq!(cut("short", 11), "short");
        assert_eq!(cut("short", 0), "…");
    }
}
