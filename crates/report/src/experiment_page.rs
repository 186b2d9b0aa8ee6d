//! The page of an experiment, and the one that links several.

use backburn_records::agreement::{RULE, is_enough};
use backburn_records::experiment::{Comparison, ExperimentTable, Provenance};
use backburn_records::number::{ABSENT, count, counted, duration, either};
use backburn_records::origin::Origin;
use backburn_records::shell::quoted;

use crate::experiment::{ExperimentRecord, Findings};
use crate::experiments_markdown::SOURCES;
use crate::figure::svg::escape;
use crate::html::Content::{Numbers, Words};
use crate::html::{document, facts, figure, section, table};

/// The page of an experiment whose results are in `folder`: what was asked, what came out, the source's
/// numbers beside ours.
pub fn experiment_page(record: &ExperimentRecord, folder: String) -> String {
    let ExperimentRecord { findings, provenance, .. } = record;
    let mut body = head(record);
    body += &list("Set-up", &findings.setup);
    body += &list("Reduced in this preset", &findings.reduced);
    if !findings.comparisons.is_empty() {
        let tables: String = findings.comparisons.iter().map(comparison).collect();
        body += &section("Source and ours", &format!("{tables}{}", rule(findings)));
    }
    if !findings.figures.is_empty() {
        let figures: String =
            findings.figures.iter().map(|f| figure(&f.drawing, &f.caption)).collect();
        body += &section("Figures", &format!("<div class=\"figures\">\n{figures}</div>\n"));
    }
    if !findings.tables.is_empty() {
        body += &section("Numbers", &findings.tables.iter().map(numbers).collect::<String>());
    }
    body += &list("The source's mistakes", &findings.mistakes);
    body += &list("What differs from the source, and why", &findings.differences);
    let sources = format!("<p>{}</p>\n", escape(SOURCES));
    body += &section("Provenance", &(sources + &provenance_table(provenance)));
    document(
        &format!("{} — Backburn", record.title),
        &body,
        &Origin::of_experiment(provenance, folder),
    )
}

/// The page that links experiments: a link to the page of each, relative to its own folder, and a record.
pub fn experiments_index(records: &[(String, ExperimentRecord)]) -> String {
    let rows: String = records
        .iter()
        .map(|(link, record)| {
            let (agree, compared) = record.findings.agreeing();
            let agreement =
                if compared == 0 { ABSENT.to_owned() } else { format!("{agree} of {compared}") };
            format!(
                "<tr><th scope=\"row\"><a href=\"{}\">{}</a></th><td>{}</td><td \
                 class=\"prose\">{}</td><td class=\"number\">{agreement}</td><td \
                 class=\"number\">{}</td></tr>\n",
                escape(link),
                escape(&record.name),
                escape(&record.source),
                escape(&record.findings.sentence),
                duration(record.provenance.seconds),
            )
        })
        .collect();
    let seconds: f64 = records.iter().map(|(_, record)| record.provenance.seconds).sum();
    let body = format!(
        "<header>\n<h1>Experiments</h1>\n<p class=\"byline\">{} in {}</p>\n</header>\n\
         <section>\n<div class=\"scroll\"><table class=\"columned\">\n<thead><tr><th \
         scope=\"col\">experiment</th><th scope=\"col\">source</th><th \
         scope=\"col\">result</th><th scope=\"col\" class=\"number\">numbers that agree</th><th \
         scope=\"col\" class=\"number\">time</th></tr></thead>\n<tbody>\n{rows}</tbody></table>\
         </div>\n<p>{}</p>\n</section>\n",
        counted(records.len(), "experiment"),
        duration(seconds),
        escape(SOURCES)
    );
    document("Experiments — Backburn", &body, &origin(records))
}

fn head(record: &ExperimentRecord) -> String {
    let Provenance { preset, dataset, seeds, .. } = &record.provenance;
    let data = dataset.as_ref().map_or(String::new(), |data| format!(", {}", data.name));
    let seeds = match seeds.as_slice() {
        [] => String::new(),
        [seed] => format!(", seed {seed}"),
        [first, .., last] => format!(", seeds {first} to {last}"),
    };
    let byline = format!(
        "experiment {} of source {}, preset {preset}{data}{seeds}",
        record.name, record.source
    );
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"byline\">{}</p>\n<p>{}</p>\n<p \
         class=\"lead\">{}</p>\n</header>\n",
        escape(&record.title),
        escape(&byline),
        escape(&record.question),
        escape(&record.findings.sentence)
    )
}

fn list(heading: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
    section(heading, &format!("<ul>\n{items}</ul>\n"))
}

/// Columns that no row has anything for are left out.
fn comparison(comparison: &Comparison) -> String {
    let Comparison { title, note, rows } = comparison;
    let printed = rows.iter().any(|row| row.printed.is_some());
    let reference = rows.iter().any(|row| row.reference.is_some());
    let mut head = vec![("quantity", Words)];
    if printed {
        head.push(("source", Numbers));
    }
    if reference {
        head.push(("PyTorch", Numbers));
    }
    head.extend([("ours", Numbers), ("", Words)]);
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut cells = vec![format!("{}{}", row.quantity, row.unit.suffix())];
            if printed {
                let value = row.printed.map(|value| row.unit.spread(&[value]));
                cells.push(value.unwrap_or(ABSENT.into()));
            }
            if reference {
                let value = row.reference.map(|reference| row.unit.reference(reference));
                cells.push(value.unwrap_or(ABSENT.into()));
            }
            cells.extend([row.unit.spread(&row.ours), row.agreement.name().to_owned()]);
            cells
        })
        .collect();
    format!(
        "<h3>{}</h3>\n{}{}",
        escape(title),
        paragraph(note),
        table(&head, cells.iter().map(Vec::as_slice))
    )
}

fn rule(findings: &Findings) -> String {
    match findings.agreeing() {
        (_, 0) => String::new(),
        (agree, compared) => {
            let verdict = match (agree == compared, is_enough(agree, compared)) {
                (true, _) => "",
                (_, true) => ", as many as the rule asks for",
                (_, false) => ", fewer than the rule asks for",
            };
            paragraph(&format!(
                "{agree} of the {} compared with the source or PyTorch {}{verdict}. {RULE}",
                counted(compared, "number"),
                either(agree, "agrees", "agree")
            ))
        }
    }
}

fn numbers(numbers: &ExperimentTable) -> String {
    let ExperimentTable { title, note, head, rows } = numbers;
    let columns = head.iter().enumerate();
    let columns: Vec<_> = columns
        .map(|(place, name)| (name.as_str(), if place == 0 { Words } else { Numbers }))
        .collect();
    let rows = table(&columns, rows.iter().map(Vec::as_slice));
    format!("<h3>{}</h3>\n{}{rows}", escape(title), paragraph(note))
}

fn paragraph(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<p>{}</p>\n", escape(text)) }
}

/// Origin of all the experiments together.
fn origin(records: &[(String, ExperimentRecord)]) -> Origin {
    let mut all = Origin::default();
    for (link, record) in records {
        all.add(Origin::of_experiment(&record.provenance, link.clone()));
    }
    all
}

fn provenance_table(provenance: &Provenance) -> String {
    let words: Vec<String> = provenance.command.iter().map(|word| quoted(word)).collect();
    let reads: Vec<String> = provenance
        .test_reads
        .iter()
        .map(|read| format!("{}: {}, weights of {}", read.at, read.purpose, read.weights))
        .collect();
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let mut rows = vec![
        ("command", words.join(" ")),
        ("preset", provenance.preset.clone()),
        ("backburn", provenance.backburn_version.clone()),
        ("Burn", provenance.burn_version.clone()),
        ("git commit", provenance.git_commit.clone().unwrap_or(ABSENT.into())),
        ("backend", provenance.backend.clone()),
        ("device", provenance.device.clone()),
        ("threads", provenance.threads.to_string()),
        ("started", provenance.started.clone()),
        ("took", duration(provenance.seconds)),
        ("accesses to test images", or_none(reads.join("\n"))),
    ];
    let mut files = String::new();
    if let Some(dataset) = &provenance.dataset {
        rows.push(("data set", dataset.name.clone()));
        if !dataset.notes.is_empty() {
            rows.push(("notes on the data", dataset.notes.join("\n")));
        }
        let cells: Vec<[String; 3]> = dataset
            .files
            .iter()
            .map(|file| [file.name.clone(), count(file.bytes), file.sha256.clone()])
            .collect();
        if !cells.is_empty() {
            let head = [("data file", Words), ("bytes", Numbers), ("SHA-256", Words)];
            files = table(&head, cells.iter().map(<[String; 3]>::as_slice));
        }
    }
    facts(&rows) + &files
}

#[cfg(test)]
pub(crate) mod tests {
    use backburn_records::agreement::Reference;
    use backburn_records::experiment::{Compared, Unit};

    use super::*;
    use crate::experiment::ExperimentFigure;
    use crate::figure::{Axis, LineChart, Series};

    pub(crate) fn record(sentence: &str) -> ExperimentRecord {
        let row = |name: &str, ours| Compared::new(name, Unit::Percent, ours);
        let rows = vec![
            row("near", vec![0.90, 0.91]).printed(0.5).reference(Reference::new(0.91, 0.01, 10)),
            row("far", vec![0.90, 0.90]).printed(0.5),
            row("wrong in the source", vec![0.90]).printed(0.99).not_compared("cannot be right"),
        ];
        let chart = LineChart::new("Loss", Axis::counts("epoch"), Axis::linear("loss (nats)"))
            .with(Series::line("ours", vec![(1.0, 2.0), (2.0, 1.0)]));
        ExperimentRecord {
            name: "weight-decay".into(),
            title: "Weight decay on 300 images".into(),
            source: "003 §6.4".into(),
            question: "Does it help?".into(),
            provenance: Provenance {
                preset: "quick".into(),
                command: vec!["backburn".into(), "experiment".into(), "weight-decay".into()],
                backburn_version: "0.1.0".into(),
                burn_version: "0.22.1".into(),
                git_commit: None,
                backend: "flex".into(),
                device: "a processor".into(),
                threads: 2,
                seeds: vec![1, 2],
                started: "2026-01-01T00:00:00Z".into(),
                seconds: 61.0,
                dataset: None,
                test_reads: Vec::new(),
            },
            findings: Findings {
                sentence: sentence.into(),
                setup: vec!["300 images".into()],
                comparisons: vec![Comparison {
                    title: "Accuracies".into(),
                    note: String::new(),
                    rows,
                }],
                figures: vec![ExperimentFigure {
                    name: "loss".into(),
                    caption: "The loss.".into(),
                    drawing: chart.draw(),
                }],
                mistakes: vec!["It forgot something.".into()],
                ..Findings::default()
            },
        }
    }

    #[test]
    fn the_page_has_the_question_the_result_both_numbers_and_the_rule() {
        let page = experiment_page(&record("It helps."), "runs/x".into());
        for part in [
            "Weight decay on 300 images",
            "Does it help?",
            "It helps.",
            "<td class=\"number\">91.00 ± 1.00</td><td class=\"number\">90.50 ± \
             0.71</td><td>agrees</td>",
            "<td>disagrees</td>",
            "<td>cannot be right</td>",
            "1 of the 2 numbers compared with the source or PyTorch agrees, fewer than the rule \
             asks for.",
            "3·√(s₁²/n₁ + s₂²/n₂)",
            "It forgot something.",
            "The sources are Korean study posts",
            "backburn experiment weight-decay",
            "<figcaption>The loss.</figcaption>",
        ] {
            assert!(page.contains(part), "no `{part}` in:\n{page}");
        }
        assert!(!page.contains("http") && !page.contains("<script"));
        assert!(!page.contains("Reduced in this preset"), "nothing was");
    }

    #[test]
    fn the_index_links_each_page_with_its_result() {
        let records = vec![("weight-decay/report.html".to_owned(), record("It <helps>."))];
        let page = experiments_index(&records);
        for part in ["href=\"weight-decay/report.html\"", "It &lt;helps&gt;.", "1 of 2", "61 s"] {
            assert!(page.contains(part), "no `{part}` in:\n{page}");
        }
    }
}
