//! The page of a cross-validation.

use backburn_records::RunRecord;
use backburn_records::cross_validation::{CAUTION, CrossValidation, FoldScores};
use backburn_records::number::{bare_percent, count, loss};
use backburn_records::statistics::Spread;

use crate::curves;
use crate::figure::svg::escape;
use crate::html::Content::{Numbers, Words};
use crate::html::{address, document, figure, section, table};

/// Scores of every fold, their mean and spread, and the validation curves. The page lies in the folder that the
/// runs' folders are in. `has_report`: whether there is a report of a run, which is linked then.
pub fn folds_page(
    all: &CrossValidation,
    runs: &[RunRecord],
    has_report: &dyn Fn(&RunRecord) -> bool,
) -> String {
    let title = format!("Cross-validation with {} folds", count(all.folds.len() as u64));
    let lead = format!("<p>{}. {CAUTION}</p>\n", first_upper(&all.sentence()));
    let head = [
        ("fold", Words),
        ("best epoch", Numbers),
        ("train %", Numbers),
        ("valid %", Numbers),
        ("valid loss", Numbers),
        ("test %", Numbers),
    ];
    let mut rows: Vec<Vec<String>> = all.folds.iter().map(row).collect();
    let spread = |of: fn(Spread) -> f64| {
        let percent = |spread: Spread| bare_percent(of(spread));
        let [train, valid, test] =
            [all.train_accuracy, all.valid_accuracy, all.test_accuracy].map(percent);
        [String::new(), train, valid, loss(of(all.valid_loss)), test]
    };
    for (name, of) in [
        ("mean", (|spread| spread.mean) as fn(Spread) -> f64),
        ("standard deviation", |spread| spread.standard_deviation),
    ] {
        rows.push([name.to_owned()].into_iter().chain(spread(of)).collect());
    }
    let scores = table(&head, rows.iter().map(Vec::as_slice));
    let figures = figure(&curves::compare_accuracy(runs), "Accuracy on its fold after each epoch.")
        + &figure(&curves::compare_loss(runs), "Cross-entropy on its fold after each epoch.");
    let byline = runs.first().map_or_else(String::new, |run| {
        let manifest = &run.manifest;
        format!("{} on {}, seed {}", manifest.model, manifest.dataset.name, manifest.seeds())
    });
    let byline = escape(&byline);
    let reports = reports(runs, has_report);
    let body = format!("<header>\n<h1>{title}</h1>\n<p class=\"byline\">{byline}</p>\n</header>\n")
        + &section("Scores", &format!("{lead}{scores}{reports}"))
        + &section("Validation curves", &format!("<div class=\"figures\">\n{figures}</div>\n"));
    document(&format!("{title} — Backburn"), &body, &all.origin)
}

fn row(fold: &FoldScores) -> Vec<String> {
    vec![
        fold.fold.to_string(),
        count(fold.best_epoch as u64),
        bare_percent(fold.train_accuracy),
        bare_percent(fold.valid_accuracy),
        loss(fold.valid_loss),
        bare_percent(fold.test_accuracy),
    ]
}

/// Links to the reports that there are.
fn reports(runs: &[RunRecord], has_report: &dyn Fn(&RunRecord) -> bool) -> String {
    let link = |(fold, run): (usize, &RunRecord)| {
        let folder = run.dir.file_name().filter(|_| has_report(run))?.to_string_lossy();
        Some(format!("<a href=\"{}/report.html\">{fold}</a>", escape(&address(&folder))))
    };
    let links: Vec<String> = (1..).zip(runs).filter_map(link).collect();
    match links.is_empty() {
        true => String::new(),
        false => format!("<p>Reports by fold: {}.</p>\n", links.join(" ")),
    }
}

fn first_upper(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    #[test]
    fn the_page_has_every_fold_mean_and_spread_and_the_caution() {
        let runs = [sample::run(), sample::run(), sample::run()];
        let all = CrossValidation::of(&runs, "runs/x".into());
        let page = folds_page(&all, &runs, &|_| true);
        for part in [
            "Cross-validation with 3 folds",
            "standard deviation",
            "Bengio",
            "valid %",
            "lenet-bn on mnist, seed 7",
            "<th scope=\"row\">mean</th><td class=\"number\"></td><td class=\"number\">99.72<",
            "Reports by fold: <a href=\"20260102-030405-digits/report.html\">1</a>",
        ] {
            assert!(page.contains(part), "no `{part}` in {page}");
        }
        assert_eq!(page.matches("<tr>").count(), 1 + 3 + 2);
    }
}
