//! A comparison of arms as CSV, for programs: a row each arm, all numbers in full.

use backburn_records::arms::{ArmsComparison, ComparedArm, Measure};
use backburn_records::experiment::DataTable;

/// The name of a column and its cell for an arm; empty where there is nothing to say.
type Column = (String, Box<dyn Fn(&ComparedArm) -> String>);

/// The table: a row each arm, those that were left out behind the others with the reason. Names of columns are a
/// measure's key, what of it, and the unit: `test_accuracy_difference_points`.
pub fn arms_csv(comparison: &ArmsComparison) -> String {
    let columns = columns(comparison);
    let left_out = comparison.arms.iter().filter(|arm| arm.arm.absent.is_some());
    let rows = comparison.measured().chain(left_out.filter(|arm| arm.arm.runs.is_empty()));
    let row = |arm: &ComparedArm| columns.iter().map(|(_, cell)| cell(arm)).collect();
    let rows = rows.map(row).collect();
    let columns = columns.iter().map(|(name, _)| name.clone()).collect();
    DataTable { name: "table".into(), columns, rows }.to_csv()
}

fn columns(comparison: &ArmsComparison) -> Vec<Column> {
    let metric = comparison.metric;
    let mut columns: Vec<Column> = vec![
        ("arm".into(), Box::new(|arm| arm.arm.name.clone())),
        ("seeds".into(), Box::new(|arm| arm.arm.runs.len().to_string())),
        (
            "verdict".into(),
            Box::new(move |arm| arm.verdict(metric).map_or(String::new(), |it| it.name().into())),
        ),
    ];
    for measure in comparison.measures() {
        columns.extend(of_scores(measure));
        if measure.better.is_some() {
            columns.extend(of_differences(measure));
        }
    }
    columns.push((
        "train_seconds_mean".into(),
        Box::new(|arm| number(arm.cost.map(|cost| cost.seconds.mean))),
    ));
    columns.push((
        "train_seconds_deviation".into(),
        Box::new(|arm| number(arm.cost.map(|cost| cost.seconds.standard_deviation))),
    ));
    columns.push((
        "train_time_ratio".into(),
        Box::new(|arm| number(arm.cost.and_then(|cost| cost.ratio))),
    ));
    columns.push(("left_out".into(), Box::new(|arm| arm.arm.absent.clone().unwrap_or_default())));
    columns
}

fn of_scores(measure: &'static Measure) -> [Column; 2] {
    let (key, unit) = (measure.key, unit(measure.unit));
    let spread = move |arm: &ComparedArm| arm.scores.get(key).map(|score| score.spread);
    [
        (format!("{key}_mean_{unit}"), Box::new(move |arm| number(spread(arm).map(|it| it.mean)))),
        (
            format!("{key}_deviation_{unit}"),
            Box::new(move |arm| number(spread(arm).map(|it| it.standard_deviation))),
        ),
    ]
}

fn of_differences(measure: &'static Measure) -> Vec<Column> {
    use backburn_records::arms::Difference;

    let (key, unit) = (measure.key, unit(measure.difference_unit));
    let column = |name: String, of: fn(&Difference) -> Option<f64>| -> Column {
        (name, Box::new(move |arm| number(arm.difference(key).and_then(of))))
    };
    vec![
        column(format!("{key}_difference_{unit}"), |it| Some(it.mean)),
        column(format!("{key}_standard_error_{unit}"), |it| Some(it.standard_error)),
        column(format!("{key}_low_95_{unit}"), |it| Some(it.interval?.0)),
        column(format!("{key}_high_95_{unit}"), |it| Some(it.interval?.1)),
        column(format!("{key}_p"), |it| it.p),
        column(format!("{key}_p_holm"), |it| it.p_holm),
        column(format!("{key}_p_sign_flip"), |it| it.p_sign_flip),
        column(format!("{key}_bootstrap_low_95_{unit}"), |it| Some(it.bootstrap_interval?.0)),
        column(format!("{key}_bootstrap_high_95_{unit}"), |it| Some(it.bootstrap_interval?.1)),
        column(format!("{key}_effect_size_g"), |it| it.effect_size),
        column(format!("{key}_correlation"), |it| it.correlation),
        column(format!("{key}_detectable_{unit}"), |it| it.detectable),
        (
            format!("{key}_verdict"),
            Box::new(move |arm| arm.verdict(key).map_or(String::new(), |it| it.aside().into())),
        ),
    ]
}

/// A unit as part of a name.
fn unit(unit: &'static str) -> &'static str {
    if unit == "%" { "percent" } else { unit }
}

/// A number in full; nothing of what is not finite.
fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or(String::new(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use backburn_records::sample;

    use super::*;

    /// Every row by its arm's name, as cells by the names of their columns.
    fn read(csv: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut lines = csv.lines().map(|line| line.split(',').map(str::to_owned).collect());
        let head: Vec<String> = lines.next().unwrap();
        let row = |cells: Vec<String>| {
            assert_eq!(cells.len(), head.len());
            (cells[0].clone(), head.iter().cloned().zip(cells).collect())
        };
        lines.map(row).collect()
    }

    #[test]
    fn every_arm_has_a_row_of_numbers_in_full_with_units_in_the_head() {
        let comparison = sample::arms();
        let table = read(&arms_csv(&comparison));
        let cell = |arm: &str, column: &str| table[arm][column].clone();
        let close = |arm, column, expected: f64| {
            let found: f64 = cell(arm, column).parse().unwrap();
            assert!((found - expected).abs() < 1e-6, "{arm} {column}: {found}");
        };
        assert_eq!(table.len(), 4);
        close("none", "test_accuracy_mean_percent", 94.2);
        close("dropout", "test_accuracy_difference_points", 1.0);
        close("dropout", "test_loss_difference_nats", -0.02);
        close("dropout", "train_time_ratio", 1.0);
        close("none", "train_seconds_mean", 123.4);
        let p = comparison.arms[1].difference("test_accuracy").unwrap().p_holm.unwrap();
        assert_eq!(cell("dropout", "test_accuracy_p_holm").parse(), Ok(p));
        assert_eq!(cell("dropout", "verdict"), "helps");
        assert_eq!(cell("dropout", "test_ece_verdict"), "worse");
        assert_eq!(cell("none", "verdict") + &cell("none", "test_accuracy_p"), "");
        assert_eq!(cell("stochastic-depth", "test_accuracy_mean_percent"), "");
        assert!(cell("stochastic-depth", "left_out").contains("does not apply"));
        assert!(!table["none"].contains_key("learnt_by_heart_mean_percent"));
        let many = read(&arms_csv(&sample::many_arms(3)));
        assert!(!many["none"]["learnt_by_heart_mean_percent"].is_empty());
    }

    #[test]
    fn names_with_commas_are_quoted() {
        let mut comparison = sample::arms();
        comparison.arms[1].arm.name = "dropout, \"0.5\"".into();
        assert!(arms_csv(&comparison).contains("\n\"dropout, \"\"0.5\"\"\",3,helps,"));
    }
}
