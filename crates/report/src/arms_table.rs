//! Arms of a comparison as tables for a terminal.

use backburn_records::arms::{ArmsComparison, ComparedArm, Measure};
use backburn_records::number::{ABSENT, p_value};

use crate::arms_columns::{ratio, seen_from};
use crate::wrapped::wrapped;

/// Widest line of the terminal's tables, unless numbers are unusually long.
const WIDTH: usize = 80;

/// Measures by their keys, those first that are left out where the lines would be too long. The one that decides always
/// stays.
const LEFT_OUT_FIRST: [&str; 7] = [
    "clean_accuracy",
    "valid_accuracy",
    "test_loss",
    "train_accuracy",
    "test_ece",
    "learnt_by_heart",
    "generalization_gap",
];

/// The arms as tables for a terminal of 80 columns: scores; differences in the scores that do not decide; those in the
/// one that does, with the verdicts. Then what that comes to, how it is judged, and which arms were left out.
pub fn arms_table(comparison: &ArmsComparison) -> String {
    let mut text = scores(comparison) + "\n";
    let mut notes = vec![format!(
        "Seed {}. Scores: mean ± standard deviation; differences: mean. Gap: training minus test \
         accuracy in points; NLL: test loss in nats.",
        comparison.seeds_named()
    )];
    if comparison.compared().next().is_some() {
        text += &(others(comparison) + "\n" + &decided(comparison) + "\n");
        notes.insert(0, comparison.conclusion());
        notes.extend(comparison.notes());
    }
    notes.extend(comparison.by_views());
    notes.extend(
        comparison.left_out().map(|(arm, reason)| format!("Left out: {}: {reason}", arm.name)),
    );
    text + &notes.iter().map(|note| wrapped(note, WIDTH, 0)).collect::<String>()
}

/// Means and standard deviations.
fn scores(comparison: &ArmsComparison) -> String {
    let score = |measure: &Measure, arm: &ComparedArm| arm.spread(measure, "");
    fitted(comparison, comparison.measures().collect(), "arm", comparison.measured(), score)
}

/// Differences in the measures that do not decide, as far as there is room.
fn others(comparison: &ArmsComparison) -> String {
    let judged = comparison.measures().filter(|measure| measure.better.is_some());
    let measures = judged.filter(|measure| measure.key != comparison.metric).collect();
    let head = format!("against {}", comparison.baseline());
    let difference = |measure: &Measure, arm: &ComparedArm| {
        arm.difference(measure.key).map_or(ABSENT.into(), |found| {
            let word = if found.verdict.is_given() { found.verdict.aside() } else { "" };
            format!("{} {word:<7}", measure.signed(found.mean))
        })
    };
    fitted(comparison, measures, &head, comparison.compared(), difference)
}

/// Difference, interval, p and verdict of the measure that decides.
fn decided(comparison: &ArmsComparison) -> String {
    let metric = comparison.metric();
    let first = format!("against {}", comparison.baseline());
    let head = [&first, metric.head, "95 % interval", "p Holm", "seen from", "time", "verdict"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for arm in comparison.compared() {
        let Some(found) = arm.difference(metric.key) else { continue };
        rows.push(vec![
            arm.arm.name.clone(),
            metric.signed(found.mean),
            metric.interval(found.interval),
            p_value(found.p_holm),
            seen_from(metric, found),
            ratio(arm),
            found.verdict.name().to_owned(),
        ]);
    }
    aligned(&rows)
}

/// A column for each of `measures` but for those that would make the lines too long.
fn fitted<'a>(
    comparison: &ArmsComparison,
    mut measures: Vec<&'static Measure>,
    head: &str,
    arms: impl Iterator<Item = &'a ComparedArm>,
    cell: impl Fn(&Measure, &ComparedArm) -> String,
) -> String {
    let arms: Vec<&ComparedArm> = arms.collect();
    let mut dispensable = LEFT_OUT_FIRST.iter().filter(|key| **key != comparison.metric);
    loop {
        let heads = measures.iter().map(|measure| measure.head.to_owned());
        let mut rows: Vec<Vec<String>> = vec![[head.to_owned()].into_iter().chain(heads).collect()];
        rows.extend(arms.iter().map(|arm| {
            let cells = measures.iter().map(|measure| cell(measure, arm));
            [arm.arm.name.clone()].into_iter().chain(cells).collect()
        }));
        let text = aligned(&rows);
        if text.lines().all(|line| line.chars().count() <= WIDTH) {
            return text;
        }
        let Some(least) = dispensable.next() else { return text };
        measures.retain(|measure| measure.key != *least);
    }
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

#[cfg(test)]
mod tests {
    use backburn_records::sample;
    use backburn_records::statistics::Spread;
    use backburn_records::{Arm, ComparisonOf};

    use super::*;

    fn is_narrow(table: &str) -> bool {
        table.lines().all(|line| line.chars().count() <= WIDTH)
    }

    fn flat(table: &str) -> String {
        table.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_table_fits_a_terminal_and_says_what_was_left_out_and_how_it_is_judged() {
        let table = arms_table(&sample::arms());
        assert!(is_narrow(&table), "{table}");
        let flat = flat(&table);
        for part in [
            "arm train % valid % test % gap NLL ECE %",
            "none 100.00±0.00 99.11±0.00 94.20±0.20 5.80±0.20 0.116±0.004 2.10±0.10",
            "dropout 0.00 unclear −1.00 better −0.020 better +0.50 worse",
            "against none test % 95 % interval p Holm seen from time verdict",
            "dropout +1.00 +0.75 to +1.25 0.007",
            "×1.0 helps",
            "decay +0.07 −0.56 to +0.69 0.691",
            "×1.0 no evidence",
            "helps: dropout; hurts: —; no evidence: decay.",
            "Left out: stochastic-depth: `--stochastic-depth` does not apply",
            "Seed 1 to 3.",
            "p below 0.05 after Holm's correction over 2 arms",
        ] {
            assert!(flat.contains(part), "no `{part}` in:\n{table}");
        }
    }

    #[test]
    fn twenty_arms_of_long_names_fit_with_all_verdicts() {
        let comparison = sample::many_arms(20);
        let table = arms_table(&comparison);
        assert!(is_narrow(&table), "{table}");
        let flat = flat(&table);
        for arm in comparison.compared() {
            let verdict = arm.verdict("test_accuracy").unwrap().name();
            let name = format!("{} ", arm.arm.name);
            let row = |line: &&str| line.starts_with(&name) && line.ends_with(verdict);
            assert_eq!(table.lines().filter(row).count(), 1, "{}:\n{table}", arm.arm.name);
        }
        assert!(flat.contains("by heart %") && flat.contains(" helps"), "{table}");
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
        assert!(is_narrow(&table) && table.contains("ECE %"), "{table}");
    }

    #[test]
    fn one_seed_shows_no_spread_and_gets_no_verdict() {
        let mut arms: Vec<Arm> = sample::arms().arms.into_iter().map(|arm| arm.arm).collect();
        arms.iter_mut().for_each(|arm| arm.runs.truncate(1));
        let one = ArmsComparison::new(ComparisonOf { seeds: vec![1], ..Default::default() }, arms);
        let table = arms_table(&one);
        assert!(table.contains("94.00 ") && table.contains("no verdict"), "{table}");
        assert!(flat(&table).contains("No verdict on fewer than 3 seeds"), "{table}");
        assert!(!table.contains("helps ") && !table.contains("better "), "{table}");
    }

    #[test]
    fn an_arm_alone_has_its_scores_and_nothing_to_be_judged_by() {
        let table = arms_table(&sample::many_arms(1));
        assert!(table.contains("none ") && !table.contains("against"), "{table}");
    }
}
