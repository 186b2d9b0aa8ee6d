//! The best trials of a search as a table for a terminal.

use backburn_records::number::{bare_percent, percent};
use backburn_records::search::{CAUTION, SearchRecord, TrialRecord, percent_spread};
use backburn_records::tta::by_views;

use crate::wrapped::wrapped;

/// Columns of a terminal.
const WIDTH: usize = 80;

/// Trials that are shown.
const SHOWN: usize = 10;

/// The best trials, the winner's scores with what they are worth, and how the trials ended, in at most 80 columns if
/// the names and values allow.
pub fn search_table(search: &SearchRecord) -> String {
    let best: Vec<&TrialRecord> = search.ranked().into_iter().take(SHOWN).collect();
    let mut text = match columns(search, &best) {
        Some(columns) => columns,
        None => lists(search, &best),
    };
    text += &wrapped(&format!("{}.", search.tally()), WIDTH, 0);
    if let Some(winner) = &search.winner {
        text += &wrapped(
            &format!(
                "Winner: trial {}, validation accuracy {}, test accuracy {}.",
                winner.number,
                percent_spread(winner.valid_accuracy),
                percent_spread(winner.test_accuracy)
            ),
            WIDTH,
            0,
        );
        text += &wrapped(CAUTION, WIDTH, 0);
    }
    if let Some(views) = by_views([search.tta.as_deref()]) {
        text += &wrapped(&views, WIDTH, 0);
    }
    text
}

/// A column for each setting; `None` if they do not fit.
fn columns(search: &SearchRecord, best: &[&TrialRecord]) -> Option<String> {
    let head = ["trial", "valid %"].map(str::to_owned).into_iter();
    let mut rows = vec![head.chain(search.vary.iter().map(|it| it.setting.clone())).collect()];
    for trial in best {
        let settings = search.vary.iter().map(|varied| trial.value(&varied.setting));
        let first = [trial.number.to_string(), bare_percent(trial.valid_accuracy)];
        rows.push(first.into_iter().chain(settings).collect());
    }
    let length =
        |row: &Vec<String>, column: usize| row.get(column).map_or(0, |it| it.chars().count());
    let width = |column: usize| rows.iter().map(|row| length(row, column)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..search.vary.len() + 2).map(width).collect();
    if widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > WIDTH {
        return None;
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    Some(rows.iter().map(line).collect::<String>() + "\n")
}

/// A list of settings for each trial.
fn lists(search: &SearchRecord, best: &[&TrialRecord]) -> String {
    let mut text = String::new();
    for trial in best {
        let settings = search
            .vary
            .iter()
            .map(|varied| format!("{} {}", varied.setting, trial.value(&varied.setting)));
        let settings: Vec<String> = settings.collect();
        let accuracy = percent(trial.valid_accuracy);
        let trial = format!("{:>4}  {accuracy}  {}", trial.number, settings.join(", "));
        text += &wrapped(&trial, WIDTH, 6);
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;
    use backburn_records::search::{VariedRange, VariedRecord};

    use super::*;

    #[test]
    fn the_table_fits_a_terminal_and_says_what_the_winner_is_worth() {
        let search = sample::search();
        let table = search_table(&search);
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
        let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "trial valid % learning-rate optimizer dropout",
            "24 trials: 17 scored, 6 pruned, 1 diverged.",
            "test accuracy 93.50 ± 0.71 %.",
            "chosen by validation accuracy",
        ] {
            assert!(flat.contains(part), "no `{part}` in:\n{table}");
        }
        assert_eq!(table.lines().take_while(|line| !line.is_empty()).count(), 1 + SHOWN);
    }

    #[test]
    fn many_settings_become_a_list() {
        let mut search = sample::search();
        for name in ["label-smoothing", "initialization", "weight-decay", "stochastic-depth"] {
            let range = VariedRange::Linear { low: 0.0, high: 1.0 };
            search.vary.push(VariedRecord { setting: name.into(), range });
            for trial in &mut search.trials {
                trial.values.insert(name.into(), 0.123_45.into());
            }
        }
        let table = search_table(&search);
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
        assert!(table.contains("stochastic-depth 0.12345"), "{table}");
    }

    #[test]
    fn a_search_in_which_nothing_came_to_its_end_has_no_winner() {
        let mut search = sample::search();
        search.trials.truncate(0);
        search.winner = None;
        let table = search_table(&search);
        assert!(table.contains("0 trials") && !table.contains("Winner"), "{table}");
    }
}
