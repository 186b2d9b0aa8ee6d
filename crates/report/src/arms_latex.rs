//! A comparison of arms as a table in LaTeX, with the rules of booktabs.

use backburn_records::arms::ArmsComparison;

use crate::arms_columns::{self, Column};
use crate::html::Content;

/// The table by itself, for `\input` inside a `table`; what belongs into its caption stands above it as a comment.
pub fn arms_latex(comparison: &ArmsComparison) -> String {
    let mut columns = arms_columns::scores(comparison);
    columns.extend(arms_columns::verdicts(comparison));
    columns.extend(arms_columns::cost(comparison));
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        format!("{} \\\\\n", cells.join(" & "))
    };
    let head: Vec<String> = columns.iter().map(|column| column.head.clone()).collect();
    let place = |column: &Column| if column.content == Content::Words { 'l' } else { 'r' };
    let places: String = columns.iter().map(place).collect();
    let mut lines: Vec<String> = arms_columns::rows(&columns).iter().map(|row| line(row)).collect();
    if lines.len() > 1 {
        lines.insert(1, "\\midrule\n".into());
    }
    let body = format!("\\toprule\n{}\\midrule\n{}\\bottomrule\n", line(&head), lines.concat());
    comments(comparison) + &format!("\\begin{{tabular}}{{{places}}}\n{body}\\end{{tabular}}\n")
}

fn comments(comparison: &ArmsComparison) -> String {
    let mut notes = vec!["Needs \\usepackage{booktabs}.".to_owned()];
    notes.push(format!("Mean ± standard deviation over seed {}.", comparison.seeds_named()));
    if comparison.compared().next().is_some() {
        notes.extend(comparison.notes());
    }
    let left_out = comparison.left_out();
    notes.extend(left_out.map(|(arm, reason)| format!("Left out: {}: {reason}", arm.name)));
    // A line break would end the comment.
    notes.iter().map(|note| format!("% {}\n", note.replace(['\n', '\r'], " "))).collect()
}

/// Text that LaTeX sets as it stands.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | '&' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '−' => escaped += "$-$",
            '±' => escaped += "$\\pm$",
            '×' => escaped += "$\\times$",
            '<' => escaped += "$<$",
            '>' => escaped += "$>$",
            '—' => escaped += "---",
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
    fn every_row_ends_and_has_as_many_cells_as_there_are_columns() {
        let text = arms_latex(&sample::arms());
        let (_, table) = text.split_once("\\begin{tabular}{").unwrap();
        let (places, table) = table.split_once("}\n\\toprule\n").unwrap();
        assert_eq!(places, "lrrrrrrrrrrrlrr");
        let rows: Vec<&str> = table.lines().filter(|line| !line.starts_with('\\')).collect();
        assert_eq!(rows.len(), 1 + 3);
        for row in rows {
            assert!(row.ends_with(" \\\\"), "{row}");
            assert_eq!(row.matches(" & ").count() + 1, places.len(), "{row}");
        }
        for part in [
            "arm & seeds & train (\\%) & valid (\\%) & test (\\%) & gap (points) & NLL (nats)",
            "dropout & 3 & 100.00 $\\pm$ 0.00 &",
            "& $-$0.56 to +0.69 & 0.691 & 1.16 & no evidence & 123 $\\pm$ 0 & $\\times$1.0 \
             \\\\\n\\bottomrule\n",
            "\\end{tabular}\n",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        assert_eq!(
            table.matches("\\midrule").count(),
            2,
            "beneath the head, beneath the first arm"
        );
        assert_eq!(arms_latex(&sample::many_arms(1)).matches("\\midrule").count(), 1);
    }

    #[test]
    fn what_means_something_in_latex_is_escaped() {
        let mut comparison = sample::arms();
        comparison.arms[1].arm.name = "50% a_b & {c} #1 $x$ \\d ~^<\ne".into();
        comparison.arms[3].arm.absent = Some("two\nlines".into());
        let text = arms_latex(&comparison);
        let expected = "\n50\\% a\\_b \\& \\{c\\} \\#1 \\$x\\$ \\textbackslash{}d \
            \\textasciitilde{}\\textasciicircum{}$<$ e & 3 &";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("% Left out: stochastic-depth: two lines\n"), "{text}");
    }
}
