//! A comparison of arms as a table in Markdown.

use backburn_records::arms::ArmsComparison;

use crate::arms_columns::{self, Column};
use crate::html::Content;

/// The table, the conclusion above it and the notes beneath.
pub fn arms_markdown(comparison: &ArmsComparison) -> String {
    let mut columns = arms_columns::scores(comparison);
    columns.extend(arms_columns::verdicts(comparison));
    columns.extend(arms_columns::cost(comparison));
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = columns.iter().map(|column| escape(&column.head)).collect();
    let rule = |column: &Column| if column.content == Content::Words { "---" } else { "---:" };
    let rules: Vec<String> = columns.iter().map(|column| rule(column).to_owned()).collect();
    let rows = arms_columns::rows(&columns);
    let rows =
        rows.iter().map(|row| line(&row.iter().map(|cell| escape(cell)).collect::<Vec<_>>()));
    let table = line(&head) + &line(&rules) + &rows.collect::<String>();
    let seeds = format!("Mean ± standard deviation over seed {}.", comparison.seeds_named());
    let left_out = comparison.left_out();
    let left_out = left_out.map(|(arm, reason)| format!("Left out: {}: {reason}", arm.name));
    let mut notes: Vec<String> = vec![seeds];
    if comparison.compared().next().is_some() {
        notes.extend(comparison.notes());
    }
    notes.extend(left_out);
    let notes = notes.iter().map(|note| format!("\n{}\n", escape(note)));
    format!("{}\n\n{table}{}", escape(&comparison.conclusion()), notes.collect::<String>())
}

/// Text that Markdown shows as it stands, also in a table.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' => {
                escaped.extend(['\\', character]);
            }
            '\n' | '\r' => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    #[test]
    fn every_arm_has_a_row_of_as_many_cells_as_the_head() {
        let text = arms_markdown(&sample::arms());
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(lines.len(), 2 + 3);
        let cells = |line: &str| line.matches(" | ").count();
        assert!(lines.iter().all(|line| cells(line) == cells(lines[0])), "{text}");
        for part in [
            "| arm | seeds | train (%) | valid (%) | test (%) | gap (points) | NLL (nats) | ECE \
             (%) |",
            "test against none (points) | 95 % interval (points) | p (Holm) | seen from (points) \
             | verdict | time (s) |",
            "| dropout | 3 | 100.00 ± 0.00 |",
            "| +1.00 | +0.75 to +1.25 | 0.007 | 0.46 | helps | 123 ± 0 | ×1.0 |",
            "helps: dropout;",
            "\nLeft out: stochastic-depth:",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
    }

    #[test]
    fn what_means_something_in_markdown_is_escaped() {
        let mut comparison = sample::arms();
        comparison.arms[1].arm.name = "a|b*_<c>`\\\nd".into();
        let text = arms_markdown(&comparison);
        assert!(text.contains("| a\\|b\\*\\_\\<c\\>\\`\\\\ d | 3 |"), "{text}");
    }
}
