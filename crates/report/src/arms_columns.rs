//! What the tables of a comparison of arms show: its columns, whatever they are written as.

use backburn_records::arms::{ArmsComparison, ComparedArm, Difference, Measure};
use backburn_records::number::{ABSENT, decimals, p_value, signed_decimals, times};

use crate::html::Content::{self, Numbers, Words};

/// A column with a cell for each arm that has runs.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Name with unit.
    pub(crate) head: String,
    /// What it holds.
    pub(crate) content: Content,
    pub(crate) cells: Vec<String>,
}

impl Column {
    fn of<'a>(
        head: impl Into<String>,
        content: Content,
        arms: impl Iterator<Item = &'a ComparedArm>,
        cell: impl Fn(&ComparedArm) -> String,
    ) -> Self {
        Self { head: head.into(), content, cells: arms.map(cell).collect() }
    }
}

/// The cells row by row.
pub(crate) fn rows(columns: &[Column]) -> Vec<Vec<String>> {
    let count = columns.first().map_or(0, |first| first.cells.len());
    let cell = |column: &Column, row: usize| column.cells.get(row).cloned().unwrap_or_default();
    (0..count).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
}

/// Names and scores of all arms, mean ± standard deviation.
pub(crate) fn scores(comparison: &ArmsComparison) -> Vec<Column> {
    let arms = || comparison.measured();
    let mut columns = vec![Column::of("arm", Words, arms(), |arm| arm.arm.name.clone())];
    columns.push(Column::of("seeds", Numbers, arms(), |arm| arm.arm.runs.len().to_string()));
    columns.extend(comparison.measures().map(|measure| {
        Column::of(measure.with_unit(), Numbers, arms(), |arm| arm.spread(measure, " "))
    }));
    columns
}

/// What training took, and how many times as much as that of the first arm.
pub(crate) fn cost(comparison: &ArmsComparison) -> [Column; 2] {
    let arms = || comparison.measured();
    [
        Column::of("time (s)", Numbers, arms(), seconds),
        Column::of(format!("time, × {}", comparison.baseline()), Numbers, arms(), ratio),
    ]
}

/// Mean and standard deviation of the seconds of a training.
pub(crate) fn seconds(arm: &ComparedArm) -> String {
    let Some(cost) = arm.cost else { return ABSENT.into() };
    let places = usize::from(cost.seconds.mean < 100.0);
    let mean = decimals(cost.seconds.mean, places);
    match cost.seconds.standard_deviation {
        deviation if deviation.is_finite() => format!("{mean} ± {}", decimals(deviation, places)),
        _ => mean,
    }
}

/// How many times as long as the first arm; that one is as long as itself.
pub(crate) fn ratio(arm: &ComparedArm) -> String {
    times(arm.cost.and_then(|cost| cost.ratio))
}

/// The true difference that would have been seen.
pub(crate) fn seen_from(measure: &Measure, found: &Difference) -> String {
    found.detectable.map_or(ABSENT.into(), |least| measure.plain(least))
}

/// What the metric says of the arms, in few columns. Cells of the first arm are empty.
pub(crate) fn verdicts(comparison: &ArmsComparison) -> Vec<Column> {
    let metric = comparison.metric();
    let column = |head: String, content, cell: fn(&Measure, &Difference) -> String| {
        Column::of(head, content, comparison.measured(), |arm| {
            arm.difference(metric.key).map_or(String::new(), |found| cell(metric, found))
        })
    };
    let unit = metric.difference_unit;
    let against = format!("{} against {} ({unit})", metric.short, comparison.baseline());
    vec![
        column(against, Numbers, |metric, found| metric.signed(found.mean)),
        column(format!("95 % interval ({unit})"), Numbers, |metric, found| {
            metric.interval(found.interval)
        }),
        column("p (Holm)".into(), Numbers, |_, found| p_value(found.p_holm)),
        column(format!("seen from ({unit})"), Numbers, seen_from),
        column("verdict".into(), Words, |_, found| found.verdict.name().into()),
    ]
}

/// All that is known of the metric's differences; only arms that are compared have rows.
pub(crate) fn differences(comparison: &ArmsComparison) -> Vec<Column> {
    let metric = comparison.metric();
    let unit = metric.difference_unit;
    let column = |head: String, content, cell: fn(&Measure, &Difference) -> String| {
        Column::of(head, content, comparison.compared(), |arm| {
            arm.difference(metric.key).map_or(ABSENT.into(), |found| cell(metric, found))
        })
    };
    let two = |value: Option<f64>| signed_decimals(value, 2);
    let mut columns = vec![
        Column::of("arm", Words, comparison.compared(), |arm| arm.arm.name.clone()),
        column("verdict".into(), Words, |_, found| found.verdict.name().into()),
        column(metric.with_difference_unit(), Numbers, |metric, found| metric.signed(found.mean)),
        column("single 95 % interval".into(), Numbers, |metric, found| {
            metric.interval(found.interval)
        }),
        column("p".into(), Numbers, |_, found| p_value(found.p)),
        column("p (Holm)".into(), Numbers, |_, found| p_value(found.p_holm)),
        column("p (sign flip)".into(), Numbers, |_, found| p_value(found.p_sign_flip)),
        column(format!("seen from ({unit})"), Numbers, seen_from),
        Column::of("g", Numbers, comparison.compared(), |arm| {
            two(arm.difference(metric.key).and_then(|found| found.effect_size))
        }),
        Column::of("r", Numbers, comparison.compared(), |arm| {
            two(arm.difference(metric.key).and_then(|found| found.correlation))
        }),
        Column::of("time", Numbers, comparison.compared(), ratio),
    ];
    let has_bootstrap = |arm: &ComparedArm| {
        arm.difference(metric.key).is_some_and(|found| found.bootstrap_interval.is_some())
    };
    if comparison.compared().any(has_bootstrap) {
        let bootstrap = column("95 % bootstrap".into(), Numbers, |metric, found| {
            metric.interval(found.bootstrap_interval)
        });
        columns.insert(7, bootstrap);
    }
    columns
}
