//! The figures of a comparison of arms.

use backburn_records::arms::{ArmVerdict, ArmsComparison, ComparedArm, MEASURES, Measure};
use backburn_records::statistics::Better;

use crate::figure::{
    Axis, DotPlot, Dots, Drawing, Estimate, ForestPlot, ForestRow, PairedPanel, PairedSeeds, Panel,
};

/// A figure with the name of its file and what stands beneath it.
#[derive(Clone, Debug)]
pub struct ArmsFigure {
    /// Name of the file, without ending.
    pub name: &'static str,
    /// What is drawn.
    pub drawing: Drawing,
    /// What a reader should know of it.
    pub caption: String,
}

/// The panels of the figure with all scores beside that of the metric: by their keys, with the label of their axis.
/// Calibration errors differ by factors, so that their axis is logarithmic.
const PANELS: [&str; 3] = ["test_accuracy", "generalization_gap", "test_ece"];

/// All figures; those of differences only if there are any.
pub fn arms_figures(comparison: &ArmsComparison) -> Vec<ArmsFigure> {
    let name = comparison.metric().name;
    let baseline = comparison.baseline();
    let mut figures = Vec::new();
    if comparison.compared().next().is_some() {
        figures.push(ArmsFigure {
            name: "forest",
            drawing: forest(comparison),
            caption: format!(
                "Differences in {name} from {baseline}, the best first. Each interval is that of \
                 its arm alone; the verdicts are corrected for the number of arms, so that an \
                 interval may leave out 0 where there is no evidence."
            ),
        });
        figures.push(ArmsFigure {
            name: "seeds",
            drawing: seeds(comparison),
            caption: format!(
                "The same seeds with {baseline} and with each arm. Lines in parallel are a \
                 difference that all seeds agree on, however far apart the seeds are."
            ),
        });
    }
    figures.push(ArmsFigure {
        name: "comparison",
        drawing: scores(comparison),
        caption: "Every row has the same training but for what its name says. A smaller gap is \
            worth something only where accuracy does not fall with it."
            .into(),
    });
    figures
}

/// What the figures are titled.
pub(crate) fn title(comparison: &ArmsComparison) -> String {
    let subject = &comparison.subject;
    let (first, rest) = subject.split_at(subject.chars().next().map_or(0, char::len_utf8));
    let (dataset, model) = (&comparison.dataset, &comparison.model);
    format!("{}{rest} compared: {model} on {dataset}", first.to_uppercase())
}

/// Scores of every arm, a row each: every seed, mean and spread.
fn scores(comparison: &ArmsComparison) -> Drawing {
    let metric = comparison.metric();
    let keys = match PANELS.contains(&metric.key) {
        true => PANELS,
        false => [metric.key, PANELS[0], PANELS[1]],
    };
    let measures = keys.iter().filter_map(|key| MEASURES.iter().find(|one| one.key == *key));
    let panel = |measure: &Measure| {
        let dots = comparison.measured().map(|arm| Dots {
            values: measure.values(&arm.arm.runs),
            group: arm.verdict(measure.key).map_or(0, group),
        });
        Panel { axis: axis(measure), dots: dots.collect() }
    };
    let baseline = comparison.baseline();
    DotPlot {
        title: title(comparison),
        groups: vec![
            format!("{baseline}, or no evidence"),
            format!("better than {baseline}"),
            "worse".into(),
        ],
        rows: comparison.measured().map(|arm| arm.arm.name.clone()).collect(),
        panels: measures.map(panel).collect(),
    }
    .draw()
}

/// The metric's differences with their intervals.
fn forest(comparison: &ArmsComparison) -> Drawing {
    let metric = comparison.metric();
    let row = |arm: &ComparedArm| {
        let found = arm.difference(metric.key)?;
        let (low, high) = found.interval.unwrap_or((f64::NAN, f64::NAN));
        let estimate = Estimate { value: found.mean, low, high, group: group(found.verdict) };
        let mut numbers = metric.signed(found.mean);
        if found.interval.is_some() {
            numbers += &format!(" ({})", metric.interval(found.interval));
        }
        Some((found.mean, ForestRow { name: arm.arm.name.clone(), estimate, numbers }))
    };
    let mut rows: Vec<(f64, ForestRow)> = comparison.compared().filter_map(row).collect();
    let sign = if metric.better == Some(Better::Lower) { 1.0 } else { -1.0 };
    // What is no number comes last.
    let place = |mean: f64| if mean.is_nan() { f64::INFINITY } else { sign * mean };
    rows.sort_by(|(a, _), (b, _)| place(*a).total_cmp(&place(*b)));
    ForestPlot {
        title: format!("Difference in {} from {}", metric.name, comparison.baseline()),
        note: "Bar: 95 % interval of this arm alone, not corrected for their number.".into(),
        axis: Axis::linear(format!("difference in {} ({})", metric.name, metric.difference_unit)),
        groups: groups(),
        base: comparison.baseline().to_owned(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
    .draw()
}

/// The metric of every seed, with the first arm and with each of the others.
fn seeds(comparison: &ArmsComparison) -> Drawing {
    let metric = comparison.metric();
    let first = comparison.arms.first();
    let base = |seed: u64| {
        let run = first?.arm.runs.iter().find(|run| run.seed == seed)?;
        metric.values(std::slice::from_ref(run)).first().copied()
    };
    let panel = |arm: &ComparedArm| {
        let values = metric.values(&arm.arm.runs);
        let pairs = arm.arm.runs.iter().zip(values);
        let pairs = pairs.filter_map(|(run, value)| Some((base(run.seed)?, value)));
        PairedPanel {
            name: arm.arm.name.clone(),
            pairs: pairs.collect(),
            group: arm.verdict(metric.key).map_or(0, group),
        }
    };
    PairedSeeds {
        title: format!("{} by seed", upper_first(metric.name)),
        axis: axis(metric),
        base: comparison.baseline().to_owned(),
        groups: groups(),
        panels: comparison.compared().map(panel).collect(),
    }
    .draw()
}

/// Place of a verdict among those that figures tell apart.
fn group(verdict: ArmVerdict) -> usize {
    match verdict {
        ArmVerdict::Helps => 1,
        ArmVerdict::Hurts => 2,
        ArmVerdict::NoEvidence | ArmVerdict::TooFewSeeds | ArmVerdict::NotANumber => 0,
    }
}

fn groups() -> Vec<String> {
    ["no evidence, or no verdict", "helps", "hurts"].map(String::from).into()
}

fn axis(measure: &Measure) -> Axis {
    match measure.key {
        "test_ece" => Axis::log("ECE (%, log)"),
        "generalization_gap" => Axis::linear("gap (points)"),
        _ if measure.unit == "%" => {
            Axis::linear(format!("{} ({})", measure.name, measure.unit)).within(0.0, 100.0)
        }
        _ => Axis::linear(format!("{} ({})", measure.name, measure.unit)),
    }
}

fn upper_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;
    use crate::figure::Theme;
    use crate::figure::png::assert_text_is_clear;

    fn svg(comparison: &ArmsComparison, name: &str) -> String {
        let figures = arms_figures(comparison);
        let figure = figures.iter().find(|figure| figure.name == name).unwrap();
        figure.drawing.to_svg(Theme::Paper)
    }

    #[test]
    fn text_of_all_figures_is_clear_for_few_and_many_arms() {
        for comparison in [sample::arms(), sample::many_arms(2), sample::many_arms(20)] {
            for figure in arms_figures(&comparison) {
                assert_text_is_clear(&figure.drawing);
            }
        }
    }

    #[test]
    fn figures_show_the_arms_that_have_runs() {
        for name in ["forest", "seeds", "comparison"] {
            let svg = svg(&sample::arms(), name);
            assert!(svg.contains(">dropout<") && !svg.contains(">stochastic-depth<"), "{svg}");
        }
    }

    #[test]
    fn the_forest_is_sorted_and_says_whose_intervals_these_are() {
        let forest = svg(&sample::arms(), "forest");
        assert!(forest.find(">dropout<") < forest.find(">decay<"), "{forest}");
        for part in ["95 % interval of this arm alone", "+1.00 (+0.75 to +1.25)", ">none<"] {
            assert!(forest.contains(part), "no `{part}` in {forest}");
        }
        let last = sample::many_arms(20).arms[19].arm.name.clone();
        let forest = svg(&sample::many_arms(20), "forest");
        assert!(forest.contains("Arrow"), "{forest}");
        let rows = || forest.match_indices("text-anchor=\"end\"").map(|(at, _)| at);
        assert!(rows().nth(2 * 18 - 1) < forest.find(&format!(">{last}<")));
    }

    #[test]
    fn one_arm_alone_has_no_differences_to_draw() {
        let names: Vec<&str> =
            arms_figures(&sample::many_arms(1)).iter().map(|figure| figure.name).collect();
        assert_eq!(names, ["comparison"]);
    }
}
