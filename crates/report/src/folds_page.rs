//! The page of a cross-validation.

use backburn_records::cross_validation::{CAUTION, CrossValidation, FoldScores};
use backburn_records::number::{bare_percent, count, loss};
use backburn_records::record::RunRecord;
use backburn_records::statistics::Spread;

use crate::curves;
use crate::html::Content::{Numbers, Words};
use crate::html::{document, figure, section, table};

/// Scores of every fold, their mean and spread, and the validation curves. The page lies in the folder that the
/// runs' folders are in.
pub fn folds_page(all: &CrossValidation, runs: &[RunRecord]) -> String {
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
        let (valid, test) = (percent(all.valid_accuracy), percent(all.test_accuracy));
        [String::new(), String::new(), valid, loss(of(all.valid_loss)), test]
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
    let body = format!("<header>\n<h1>{title}</h1>\n</header>\n")
        + &section("Scores", &format!("{lead}{scores}"))
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
        let page = folds_page(&all, &runs);
        for part in ["Cross-validation with 3 folds", "standard deviation", "Bengio", "valid %"] {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<tr>").count(), 1 + 3 + 2);
    }
}
