//! The page of a comparison of arms.

use backburn_records::arms::{Arm, ArmRun, ArmsComparison, ComparedArm, Measure};
use backburn_records::number::{ABSENT, counted};
use backburn_records::shell::quoted;

use crate::arms_columns::{self, Column};
use crate::arms_figures::{ArmsFigure, arms_figures, title};
use crate::figure::svg::escape;
use crate::html::Content::{Numbers, Words};
use crate::html::{address, document, figure, section, table};

/// The comparison as a page, which lies in the folder that the runs' folders are in. `has_report`: whether the folder of
/// a run has a report that can be linked.
pub fn arms_page(comparison: &ArmsComparison, has_report: &dyn Fn(&ArmRun) -> bool) -> String {
    let figures = arms_figures(comparison);
    let of =
        |names: &[&str]| pictures(figures.iter().filter(|figure| names.contains(&figure.name)));
    let mut body = head(comparison);
    if comparison.compared().next().is_some() {
        body += &section("Verdicts", &verdicts(comparison));
        body += &section("Differences", &of(&["forest", "seeds"]));
    }
    body += &section("Scores", &(scores(comparison) + &of(&["comparison"])));
    body += &others(comparison);
    body += &section("How this is judged", &judged(comparison));
    body += &left_out(comparison);
    body += &section("Commands", &(commands(comparison) + &reports(comparison, has_report)));
    document(&format!("{} — Backburn", title(comparison)), &body, &comparison.origin)
}

fn head(comparison: &ArmsComparison) -> String {
    let arms = comparison.measured().count();
    let arms = counted(arms, "arm");
    let byline = format!("{arms}, seed {} each", comparison.seeds_named());
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"byline\">{}</p>\n<p class=\"lead\">{}</p>\n</header>\n",
        escape(&title(comparison)),
        escape(&byline),
        escape(&comparison.conclusion())
    )
}

fn columned(columns: &[Column]) -> String {
    let head: Vec<_> =
        columns.iter().map(|column| (column.head.as_str(), column.content)).collect();
    table(&head, arms_columns::rows(columns).iter().map(Vec::as_slice))
}

fn pictures<'a>(figures: impl Iterator<Item = &'a ArmsFigure>) -> String {
    let drawn = figures.map(|one| {
        let files = format!("The same as {0}.svg and {0}.png beside this page.", one.name);
        figure(&one.drawing, &format!("{} {files}", one.caption))
    });
    format!("<div class=\"figures\">\n{}</div>\n", drawn.collect::<String>())
}

fn paragraphs(notes: &[String]) -> String {
    notes.iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect()
}

fn verdicts(comparison: &ArmsComparison) -> String {
    let sentences = comparison.compared().filter_map(|arm| arm.sentence.as_ref());
    let sentences: String =
        sentences.map(|sentence| format!("<li>{}</li>\n", escape(sentence))).collect();
    paragraphs(&[comparison.rule()])
        + &columned(&arms_columns::differences(comparison))
        + &format!("<ul>\n{sentences}</ul>\n")
}

fn scores(comparison: &ArmsComparison) -> String {
    let note = "<p>Mean ± standard deviation over seeds, with the weights that each run ends \
        with, on clean images and labels. The gap is training minus test accuracy in percentage \
        points, NLL the test loss in nats, ECE the expected calibration error on the test split; \
        time is that of training with its validation, as long as nothing else ran beside it.";
    let by_heart = match comparison.measures().any(|measure| measure.key == "learnt_by_heart") {
        true => {
            " By heart: the share of training images with a wrong label that get this wrong \
             label; clean: accuracy on the training images whose label is right. The training \
             accuracy counts wrong labels as right ones, and so does the gap."
        }
        false => "",
    };
    let looks = match comparison.test_looks() {
        0 | 1 => "Each run accessed the test split once, at its end.".to_owned(),
        many => {
            format!("<strong>The test split of a run was accessed up to {many} times.</strong>")
        }
    };
    let views = comparison.by_views().map_or_else(String::new, |it| format!(" {}", escape(&it)));
    let mut columns = arms_columns::scores(comparison);
    columns.extend(arms_columns::cost(comparison));
    let files = "The tables, for other programs: <a href=\"table.csv\">table.csv</a>, <a \
        href=\"table.md\">table.md</a>, <a href=\"table.tex\">table.tex</a>.";
    format!("{note}{by_heart}{views} {looks} {files}</p>\n{}", columned(&columns))
}

/// Differences in all scores, those that do not decide among them.
fn others(comparison: &ArmsComparison) -> String {
    if comparison.compared().next().is_none() {
        return String::new();
    }
    let metric = comparison.metric();
    let judged = || comparison.measures().filter(|measure| measure.better.is_some());
    let names: Vec<String> = judged().map(Measure::with_difference_unit).collect();
    let mut head = vec![("arm", Words)];
    for name in &names {
        head.extend([(name.as_str(), Numbers), ("verdict", Words)]);
    }
    let by_seed_head = format!("{}, by seed", metric.with_difference_unit());
    head.push((&by_seed_head, Words));
    let row = |arm: &ComparedArm| {
        let mut row = vec![arm.arm.name.clone()];
        for measure in judged() {
            let Some(found) = arm.difference(measure.key) else {
                row.extend([ABSENT.to_owned(), ABSENT.to_owned()]);
                continue;
            };
            row.push(measure.difference(found.mean, found.standard_error, " "));
            row.push(found.verdict.aside().to_owned());
        }
        let by_seed = arm.difference(metric.key).map_or(&[][..], |found| &found.by_seed);
        let by_seed: Vec<String> = by_seed.iter().map(|one| metric.signed(*one)).collect();
        row.push(by_seed.join(", "));
        row
    };
    let rows: Vec<Vec<String>> = comparison.compared().map(row).collect();
    let note = format!(
        "Mean ± standard error over seeds. Each score is judged for itself, by the same test and \
         with the same correction for the number of arms, but not for the number of scores: what \
         decides is {}.",
        metric.name
    );
    section(
        "All scores, by seed",
        &(paragraphs(&[note]) + &table(&head, rows.iter().map(Vec::as_slice))),
    )
}

fn judged(comparison: &ArmsComparison) -> String {
    let columns = "g: Hedges' g, the mean of the differences by seed over their standard \
        deviation, corrected for few seeds. r: the correlation of the arm with the first one, so \
        that pairing by seed takes about that share out of the variance of a difference.";
    let limits = "Runs of one seed share their images, initial weights and order of images, so \
        that their difference is that of the arm. The test images are the same for all, and \
        strengths are as they were set, not tuned for this training.";
    // The rule stands above the verdicts.
    let mut notes: Vec<String> = comparison.notes().into_iter().skip(1).collect();
    notes.extend(comparison.on_sign_flip());
    notes.extend([columns, limits].map(str::to_owned));
    paragraphs(&notes)
}

fn left_out(comparison: &ArmsComparison) -> String {
    let row =
        |(arm, reason): (&Arm, &str)| [arm.name.clone(), arm.summary.clone(), reason.to_owned()];
    let rows: Vec<[String; 3]> = comparison.left_out().map(row).collect();
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
    let arms = || comparison.measured().map(|arm| &arm.arm);
    let lines: String = arms()
        .map(|arm| {
            format!("# {}: {}\n{}\n", escape(&arm.name), escape(&arm.summary), line(&arm.command))
        })
        .collect();
    format!(
        "<p>All of them:</p>\n<pre>{}</pre>\n<p>Each alone, with its first seed; \
         <code>--seed</code> gives the others:</p>\n<pre>{lines}</pre>\n",
        line(&comparison.command),
    )
}

/// Links to the reports of the runs; of a run without one, its seed alone.
fn reports(comparison: &ArmsComparison, has_report: &dyn Fn(&ArmRun) -> bool) -> String {
    let arms = || comparison.measured().map(|arm| &arm.arm);
    let Some(first) = arms().flat_map(|arm| &arm.runs).next() else { return String::new() };
    if !arms().flat_map(|arm| &arm.runs).any(has_report) {
        let run = quoted(&format!("{}/{}", comparison.origin.folder, first.folder));
        return format!(
            "<p>The runs have no reports of their own; <code>cargo xtask report {}</code> draws that of the \
             first.</p>\n",
            escape(&run)
        );
    }
    let named = |run: &ArmRun| match has_report(run) {
        true => {
            format!("<a href=\"{}/report.html\">{}</a>", escape(&address(&run.folder)), run.seed)
        }
        false => run.seed.to_string(),
    };
    let of_arm = |arm: &Arm| {
        let runs: Vec<String> = arm.runs.iter().map(named).collect();
        format!("{} {}", escape(&arm.name), runs.join(" "))
    };
    format!("<p>Reports by seed: {}.</p>\n", arms().map(of_arm).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use backburn_records::sample::{self, arms as comparison};

    use super::*;

    #[test]
    fn the_page_has_every_arm_number_verdict_and_command() {
        let page = arms_page(&comparison(), &|_| true);
        for part in [
            "Regularizers compared: cnn on mnist",
            "By test accuracy against none, helps: dropout; hurts: —; no evidence: decay.",
            "<td>helps</td>",
            "<td>no evidence</td>",
            "+0.75 to +1.25",
            "single 95 % interval",
            "95 % interval of this arm alone",
            "dropout helps: test accuracy +1.00 points against none",
            "95.20 ± 0.17",
            "+1.00 ± 0.06",
            "<td>worse</td>",
            "+1.00, +1.10, +0.90",
            "×1.0",
            "p below 0.05 after Holm&#39;s correction over 2 arms",
            "Each seed drew its own training images",
            "cannot be below 0.250",
            "optimistic",
            "href=\"table.csv\"",
            "# dropout: what dropout is",
            "stochastic-depth",
            "does not apply to the model",
            "cargo xtask train mnist --recipe small --name dropout",
            "href=\"dropout/seed-2/report.html\"",
        ] {
            assert!(page.contains(part), "no `{part}` in {page}");
        }
        assert!(!page.contains("http") && !page.contains("<script") && !page.contains("by heart"));
    }

    #[test]
    fn views_that_scores_were_taken_by_are_told() {
        let mut arms = comparison();
        assert!(!arms_page(&arms, &|_| true).contains("test-time"));
        arms.arms[1].arm.runs[0].summary.tta = Some("flip".into());
        let page = arms_page(&arms, &|_| true);
        let told = "Of some runs, validation and test are scored by the mean over views of each image \
            (test-time augmentation: flip)";
        assert!(page.contains(told), "{page}");
        let table = crate::arms_table::arms_table(&arms);
        let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(told), "{table}");
    }

    #[test]
    fn what_was_learnt_by_heart_is_a_column_where_it_was_measured() {
        let page = arms_page(&sample::many_arms(20), &|_| true);
        for part in ["by heart (%)", "clean (%)", "95 % bootstrap", "The best of 20 arms"] {
            assert!(page.contains(part), "no `{part}`");
        }
        assert_eq!(page.matches("<svg").count(), 3);
    }

    #[test]
    fn without_another_arm_there_is_nothing_to_judge() {
        let page = arms_page(&sample::many_arms(1), &|_| true);
        assert!(!page.contains("Verdicts") && page.contains("Scores"), "{page}");
    }

    #[test]
    fn only_reports_that_are_there_are_linked() {
        let links = |page: &str| page.matches("/report.html\"").count();
        let second = |run: &ArmRun| run.seed == 2 && run.folder.starts_with("dropout/");
        let page = arms_page(&comparison(), &second);
        assert!(links(&page) == 1 && page.contains("dropout 1 <a href"), "{page}");
        let page = arms_page(&comparison(), &|_| false);
        assert_eq!(links(&page), 0, "{page}");
        assert!(page.contains("<code>cargo xtask report "), "{page}");
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut comparison = comparison();
        let evil = "<script>x</script>".to_owned();
        comparison.arms[1].arm.name.clone_from(&evil);
        comparison.arms[1].arm.summary.clone_from(&evil);
        comparison.arms[1].sentence = Some(evil.clone());
        comparison.arms[1].arm.command.push(evil.clone());
        comparison.arms[1].arm.runs[0].folder.clone_from(&evil);
        comparison.arms[3].arm.absent = Some(evil.clone());
        (comparison.model, comparison.dataset) = (evil.clone(), evil);
        for has_report in [true, false] {
            assert!(!arms_page(&comparison, &|_| has_report).contains("<script"));
        }
    }
}
