//! The page and the figure of a comparison of arms.

use backburn_records::arms::{Arm, ArmRun, ArmsComparison, MEASURES};
use backburn_records::number::{ABSENT, bare_points};
use backburn_records::shell::quoted;
use backburn_records::statistics::Verdict;

use crate::figure::svg::escape;
use crate::figure::{Axis, DotPlot, Dots, Drawing, Panel};
use crate::html::Content::{Numbers, Words};
use crate::html::{document, figure, section, table};

/// The panels of the figure: measures by their keys, with the label and range of their axis.
/// Calibration errors differ by factors, so that their axis is logarithmic.
fn panels() -> [(&'static str, Axis); 3] {
    [
        ("test_accuracy", Axis::linear("test accuracy (%)").within(0.0, 100.0)),
        ("generalization_gap", Axis::linear("gap (points)")),
        ("test_ece", Axis::log("ECE (%, log)")),
    ]
}

/// How the figure's markers of means are told apart, in the order of its groups.
const GROUPS: [Verdict; 3] = [Verdict::NoClearEffect, Verdict::Better, Verdict::Worse];

/// Test accuracy, gap and calibration error of every arm, a row each: every seed, mean and spread.
#[expect(clippy::expect_used, reason = "keys and measures are two lists of the program")]
pub fn arms_figure(comparison: &ArmsComparison) -> Drawing {
    let panel = |(key, axis): (&str, Axis)| {
        let measure = MEASURES.iter().find(|measure| measure.key == key);
        let measure = measure.expect("the keys are those of measures");
        let dots = comparison.measured().map(|arm| {
            let verdict = arm.verdict(key).unwrap_or(Verdict::NoClearEffect);
            let group = GROUPS.iter().position(|known| *known == verdict);
            Dots { values: measure.values(&arm.arm.runs), group: group.unwrap_or(0) }
        });
        Panel { axis, dots: dots.collect() }
    };
    let baseline = comparison.baseline();
    DotPlot {
        title: title(comparison),
        groups: vec![
            format!("{baseline}, or no clear effect"),
            format!("better than {baseline}"),
            "worse".into(),
        ],
        rows: comparison.measured().map(|arm| arm.arm.name.clone()).collect(),
        panels: panels().into_iter().map(panel).collect(),
    }
    .draw()
}

/// The comparison as a page, which lies in the folder that the runs' folders are in.
pub fn arms_page(comparison: &ArmsComparison) -> String {
    let body = head(comparison)
        + &section("Scores", &scores(comparison))
        + &section("Figure", &picture(comparison))
        + &section("Differences by seed", &differences(comparison))
        + &left_out(comparison)
        + &section("Commands", &commands(comparison));
    document(&format!("{} — Backburn", title(comparison)), &body, &comparison.origin)
}

fn title(comparison: &ArmsComparison) -> String {
    let subject = &comparison.subject;
    let (first, rest) = subject.split_at(subject.chars().next().map_or(0, char::len_utf8));
    let (dataset, model) = (&comparison.dataset, &comparison.model);
    format!("{}{rest} compared: {model} on {dataset}", first.to_uppercase())
}

fn head(comparison: &ArmsComparison) -> String {
    let arms = comparison.measured().count();
    let byline = format!("{arms} arms, seed {} each", comparison.seeds_named());
    let listed = |verdict| match comparison.with_verdict("test_accuracy", verdict).as_slice() {
        [] => ABSENT.to_owned(),
        names => names.join(", "),
    };
    let [_, trust] = comparison.rule();
    let lead = format!(
        "Better test accuracy than {}: {}. Worse: {}. No clear effect: {}. {trust}",
        comparison.baseline(),
        listed(Verdict::Better),
        listed(Verdict::Worse),
        listed(Verdict::NoClearEffect),
    );
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"byline\">{}</p>\n<p class=\"lead\">{}</p>\n</header>\n",
        escape(&title(comparison)),
        escape(&byline),
        escape(&lead)
    )
}

fn scores(comparison: &ArmsComparison) -> String {
    let mut head = vec![("arm", Words)];
    head.extend(MEASURES.iter().map(|measure| (measure.head, Numbers)));
    let rows: Vec<Vec<String>> = comparison
        .measured()
        .map(|arm| [vec![arm.arm.name.clone()], arm.spreads(" ")].concat())
        .collect();
    let note = "<p>Mean ± standard deviation over seeds, with the weights that each run ends with, \
        on clean images and labels. The gap is training minus test accuracy in percentage points, \
        NLL the test loss in nats, ECE the expected calibration error on the test split. What is \
        chosen is chosen on validation.";
    let looks = match comparison.test_looks() {
        0 | 1 => "Each run accessed the test split once, at its end.".to_owned(),
        many => {
            format!("<strong>The test split of a run was accessed up to {many} times.</strong>")
        }
    };
    format!("{note} {looks}</p>\n{}", table(&head, rows.iter().map(Vec::as_slice)))
}

fn picture(comparison: &ArmsComparison) -> String {
    let caption = "Every row has the same training but for what its name says. A smaller gap is \
        worth something only where test accuracy does not fall with it. The same as comparison.svg \
        and comparison.png beside this page.";
    format!("<div class=\"figures\">\n{}</div>\n", figure(&arms_figure(comparison), caption))
}

fn differences(comparison: &ArmsComparison) -> String {
    let judged = || MEASURES.iter().filter(|measure| measure.better.is_some());
    let mut head = vec![("arm", Words)];
    for measure in judged() {
        head.extend([(measure.head, Numbers), ("verdict", Words)]);
    }
    head.push(("test %, by seed", Words));
    let rows: Vec<Vec<String>> = comparison
        .measured()
        .skip(1)
        .map(|arm| {
            let mut row = vec![arm.arm.name.clone()];
            for measure in judged() {
                let (difference, verdict) = arm
                    .difference(measure, " ")
                    .map_or_else(Default::default, |(text, verdict)| (text, verdict.name()));
                row.extend([difference, verdict.to_owned()]);
            }
            let scores = arm.scores.get("test_accuracy");
            let difference = scores.and_then(|scores| scores.difference.as_ref());
            let by_seed = difference.map_or(&[][..], |difference| &difference.by_seed);
            let points = by_seed.iter().map(|points| bare_points(points / 100.0));
            row.push(points.collect::<Vec<_>>().join(", "));
            row
        })
        .collect();
    let notes: String =
        comparison.rule().iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
    let limits = "<p>Runs of one seed share their images, initial weights and order of images, so \
        that their difference is that of the arm. The standard error is over seeds alone: the test \
        images are the same for all, and strengths are ordinary values that were not tuned for \
        this training.</p>\n";
    format!(
        "<p>Mean ± standard error.</p>\n{}{notes}{limits}",
        table(&head, rows.iter().map(Vec::as_slice))
    )
}

fn left_out(comparison: &ArmsComparison) -> String {
    let absent =
        comparison.arms.iter().filter_map(|arm| Some((&arm.arm, arm.arm.absent.as_ref()?)));
    let rows: Vec<[String; 3]> = absent
        .map(|(arm, reason)| [arm.name.clone(), arm.summary.clone(), reason.clone()])
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = [("arm", Words), ("what it is", Words), ("why", Words)];
    section("Left out", &table(&head, rows.iter().map(<[String; 3]>::as_slice)))
}

fn commands(comparison: &ArmsComparison) -> String {
    let line = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        escape(&words.join(" "))
    };
    let reports = |arm: &Arm| {
        let link = |run: &ArmRun| {
            format!("<a href=\"{}/report.html\">{}</a>", escape(&run.folder), run.seed)
        };
        let links: Vec<String> = arm.runs.iter().map(link).collect();
        format!("{} {}", escape(&arm.name), links.join(" "))
    };
    let arms = || comparison.measured().map(|arm| &arm.arm);
    let lines: String = arms()
        .map(|arm| {
            format!("# {}: {}\n{}\n", escape(&arm.name), escape(&arm.summary), line(&arm.command))
        })
        .collect();
    format!(
        "<p>All of them:</p>\n<pre>{}</pre>\n<p>Each alone, with its first seed; \
         <code>--seed</code> gives the others:</p>\n<pre>{lines}</pre>\n<p>Reports by seed: \
         {}.</p>\n",
        line(&comparison.command),
        arms().map(reports).collect::<Vec<_>>().join("; ")
    )
}

#[cfg(test)]
mod tests {
    use backburn_records::sample::arms as comparison;

    use super::*;
    use crate::figure::Theme;
    use crate::figure::png::assert_text_is_clear;

    #[test]
    fn the_page_has_every_arm_number_verdict_and_command() {
        let page = arms_page(&comparison());
        for part in [
            "Regularizers compared: cnn on mnist",
            "95.20 ± 0.17",
            "+1.00 ± 0.06",
            "+1.00, +1.10, +0.90",
            "<td>unclear</td>",
            "# dropout: what dropout is",
            "Better test accuracy than none: dropout. Worse: —. No clear effect: decay.",
            "18 %",
            "stochastic-depth",
            "does not apply to the model",
            "cargo xtask train mnist --recipe small --name dropout",
            "href=\"dropout/seed-2/report.html\"",
        ] {
            assert!(page.contains(part), "no `{part}`");
        }
        assert!(!page.contains("http") && !page.contains("<script"));
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut comparison = comparison();
        let evil = "<script>x</script>".to_owned();
        comparison.arms[1].arm.name.clone_from(&evil);
        comparison.arms[1].arm.summary.clone_from(&evil);
        comparison.arms[1].arm.command.push(evil.clone());
        comparison.arms[1].arm.runs[0].folder.clone_from(&evil);
        comparison.arms[3].arm.absent = Some(evil.clone());
        (comparison.model, comparison.dataset) = (evil.clone(), evil);
        assert!(!arms_page(&comparison).contains("<script"));
    }

    #[test]
    fn the_figure_shows_the_arms_that_have_runs() {
        let drawing = arms_figure(&comparison());
        assert_text_is_clear(&drawing);
        let svg = drawing.to_svg(Theme::Paper);
        assert!(svg.contains(">dropout<") && !svg.contains(">stochastic-depth<"), "{svg}");
    }
}
