//! Arms of a comparison as tables for a terminal.

use backburn_records::arms::{ArmsComparison, MEASURES};
use backburn_records::number::ABSENT;

/// Widest line of the terminal's tables, unless numbers are unusually long.
const WIDTH: usize = 80;

/// The measures whose differences a terminal has room for.
const TERMINAL_DIFFERENCES: [&str; 3] = ["test_accuracy", "generalization_gap", "test_ece"];

/// The arms as two tables for a terminal of 80 columns, scores and differences, with the rule behind
/// the verdicts and the arms that were left out.
pub fn arms_table(comparison: &ArmsComparison) -> String {
    let mut scores =
        vec![[vec!["arm".to_owned()], MEASURES.iter().map(|m| m.head.into()).collect()].concat()];
    for arm in comparison.measured() {
        scores.push([vec![arm.arm.name.clone()], arm.spreads("")].concat());
    }
    let shown = || MEASURES.iter().filter(|measure| TERMINAL_DIFFERENCES.contains(&measure.key));
    let head = format!("against {}", comparison.baseline());
    let mut differences =
        vec![[vec![head], shown().map(|measure| measure.head.into()).collect()].concat()];
    for arm in comparison.measured().skip(1) {
        let cell = |measure| {
            arm.difference(measure, "").map_or(ABSENT.into(), |(difference, verdict)| {
                format!("{difference} {:<7}", verdict.name())
            })
        };
        differences.push([vec![arm.arm.name.clone()], shown().map(cell).collect()].concat());
    }
    let mut text = aligned(&scores) + "\n";
    if differences.len() > 1 {
        text += &(aligned(&differences) + "\n");
    }
    let seeds = comparison.seeds_named();
    let mut notes = vec![format!(
        "Seed {seeds}. Scores: mean ± standard deviation; differences: mean ± standard error. Gap: \
         training minus test accuracy in points; NLL: test loss in nats."
    )];
    notes.extend(comparison.rule());
    let absent =
        comparison.arms.iter().filter_map(|arm| Some((&arm.arm, arm.arm.absent.as_ref()?)));
    notes.extend(absent.map(|(arm, reason)| format!("Left out: {}: {reason}", arm.name)));
    text + &notes.iter().map(|note| wrapped(note)).collect::<String>()
}

/// Rows of cells, the first column to the left, the others to the right; closer together where they
/// would not fit otherwise.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let length =
        |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let width = |column: usize| rows.iter().map(|row| length(row, column)).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let all = |gap: usize| widths.iter().sum::<usize>() + gap * columns.saturating_sub(1);
    let gap = (1..=3).rev().find(|gap| all(*gap) <= WIDTH).unwrap_or(1);
    let line = |row: &Vec<String>| {
        let mut cells = row.iter().zip(&widths);
        let name = cells.next().map(|(name, width)| format!("{name:<width$}"));
        let mut line = name.unwrap_or_default();
        for (cell, width) in cells {
            line += &format!("{:gap$}{cell:>width$}", "");
        }
        line.trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A paragraph in lines of at most 80 characters, if its words allow.
#[expect(clippy::expect_used, reason = "there is a line from the beginning")]
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;
    use backburn_records::statistics::Spread;
    use backburn_records::{Arm, Origin};

    use super::*;

    #[test]
    fn the_table_fits_a_terminal_and_says_what_was_left_out_and_how_weak_it_is() {
        let table = arms_table(&sample::arms());
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
        let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "none 100.00±0.00 94.20±0.20 5.80±0.20 0.116±0.004 2.10±0.10",
            "dropout +1.00±0.06 better −1.00±0.06 better +0.50±0.06 worse",
            "decay +0.07±0.15 unclear",
            "Left out: stochastic-depth: `--stochastic-depth` does not apply",
            "Seed 1 to 3.",
            "3 seeds are few: without any effect, up to 18 %",
        ] {
            assert!(flat.contains(part), "no `{part}` in:\n{table}");
        }
    }

    #[test]
    fn long_numbers_and_names_move_closer_together() {
        let mut comparison = sample::arms();
        comparison.arms[2].arm.name = "augmentation+ema+ls".into();
        for (key, score) in &mut comparison.arms[2].scores {
            let scale = if *key == "test_loss" { 0.1 } else { 1.0 };
            score.spread = Spread { mean: 45.12 * scale, standard_deviation: 10.41 * scale };
        }
        let table = arms_table(&comparison);
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
    }

    #[test]
    fn one_seed_shows_no_spread_and_says_so() {
        let mut arms: Vec<Arm> = sample::arms().arms.into_iter().map(|arm| arm.arm).collect();
        arms.iter_mut().for_each(|arm| arm.runs.truncate(1));
        let one = ArmsComparison::new(
            "regularizers",
            ["mnist", "cnn"],
            Vec::new(),
            vec![1],
            arms,
            Origin::default(),
        );
        let table = arms_table(&one);
        assert!(table.contains("94.00 ") && table.contains("+1.00 unclear"), "{table}");
        assert!(table.contains("One seed has no spread"), "{table}");
    }
}
