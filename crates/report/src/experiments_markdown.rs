//! Experiments as a page of documentation in Markdown, with the figures in files beside it.

use std::fmt::Write as _;

use backburn_records::experiment::Compared;
use backburn_records::number::{self, ABSENT, duration};
use backburn_records::shell::quoted;

use crate::experiment::ExperimentRecord;

/// What the numbers of sources stand for.
pub const SOURCES: &str = "The sources are Korean study posts with code and printed results: 000 on \
    dropout in lecture 09-3 of the PyTorch course \"Deep learning for everyone\", 001 on dropout \
    in a Keras network for CIFAR-10, 002 on what dropout does, 003 on chapter 6 of Saito's \"Deep \
    Learning from Scratch\", 004 on overfitting of a ResNet-18. Where neither they nor PyTorch \
    give a number, none is compared (—).";

/// What of the sources no experiment tests, and where else it is tested or why it is not.
const NOT_HERE: &str = "\n## What else the sources say\n\n\
    Some claims compare settings whose differences are small beside the spread between seeds: they are studies with \
    ten seeds, [here](claims.md).\n\n\
    Out of scope is augmentation by images that a statistical or a generative model makes (004 ①): Backburn changes \
    the images that are there, and trains no generator.\n";

/// The page. `figures`: the folder with the figures, relative to the page; each is there under
/// `<experiment>-<figure>.svg`.
pub fn experiments_markdown(records: &[ExperimentRecord], figures: &str) -> String {
    let seconds: f64 = records.iter().map(|record| record.provenance.seconds).sum();
    let mut page = String::from("# Experiments\n\n");
    if let Some(first) = records.first() {
        let provenance = &first.provenance;
        let _ = write!(
            page,
            "The sources' experiments in the preset `{}`, as `cargo xtask experiment all` carries \
             them out: {} in {}, on {} with {}, Burn {}. Every sentence and number is computed \
             from the run. The rule of agreement stands in every experiment's `report.html`.\n\n",
            provenance.preset,
            records.len(),
            duration(seconds),
            provenance.device,
            number::threads(provenance.threads),
            provenance.burn_version,
        );
    }
    page += &format!("{SOURCES}\n\n");
    page += "| experiment | source | numbers that agree | time |\n| --- | --- | --- | --- |\n";
    for record in records {
        let agreement = match record.findings.agreeing() {
            (_, 0) => ABSENT.to_owned(),
            (agree, compared) => format!("{agree} of {compared}"),
        };
        let ExperimentRecord { name, source, provenance, .. } = record;
        let time = duration(provenance.seconds);
        let _ = writeln!(page, "| [`{name}`](#{name}) | {source} | {agreement} | {time} |");
    }
    for record in records {
        page += &experiment(record, figures);
    }
    page + NOT_HERE
}

fn experiment(record: &ExperimentRecord, figures: &str) -> String {
    let ExperimentRecord { name, title, source, question, provenance, findings } = record;
    let mut text = format!(
        "\n## {name}\n\n{title} (source {source}). {question}\n\n**{}**\n\n",
        findings.sentence
    );
    let seeds = match provenance.seeds.as_slice() {
        [first, .., last] => format!(" --seed {first} --seeds {}", last - first + 1),
        [seed] if *seed != 1 => format!(" --seed {seed}"),
        _ => String::new(),
    };
    let preset = match provenance.preset.as_str() {
        "quick" => String::new(),
        preset => format!(" --preset {}", quoted(preset)),
    };
    let _ = write!(text, "```sh\ncargo xtask experiment {name}{preset}{seeds}\n```\n");
    for reduced in &findings.reduced {
        let _ = write!(text, "\nReduced: {reduced}\n");
    }
    for comparison in &findings.comparisons {
        let _ = write!(
            text,
            "\n{}:\n\n| quantity | source | PyTorch | ours | |\n| --- | ---: | ---: | ---: | --- \
             |\n",
            comparison.title
        );
        for row in &comparison.rows {
            text += &compared(row);
        }
    }
    for figure in &findings.figures {
        let _ = write!(
            text,
            "\n![{}]({figures}/{name}-{}.svg)\n\n{}\n",
            figure.drawing.title(),
            figure.name,
            figure.caption
        );
    }
    for mistake in &findings.mistakes {
        let _ = write!(text, "\nThe source's mistake: {mistake}\n");
    }
    text
}

fn compared(row: &Compared) -> String {
    let printed = row.printed.map_or(ABSENT.into(), |value| row.unit.spread(&[value]));
    let reference = row.reference.map_or(ABSENT.into(), |reference| row.unit.reference(reference));
    format!(
        "| {}{} | {printed} | {reference} | {} | {} |\n",
        row.quantity,
        row.unit.suffix(),
        row.unit.spread(&row.ours),
        row.agreement.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment_page::tests::record;

    #[test]
    fn every_experiment_has_its_row_sentence_command_numbers_and_figure() {
        let page = experiments_markdown(&[record("It helps.")], "figures/experiments");
        for part in [
            "| [`weight-decay`](#weight-decay) | 003 §6.4 | 1 of 2 | 61 s |",
            "**It helps.**",
            "cargo xtask experiment weight-decay --seed 1 --seeds 2",
            "| near (%) | 50.00 | 91.00 ± 1.00 | 90.50 ± 0.71 | agrees |",
            "![Loss](figures/experiments/weight-decay-loss.svg)",
            "The source's mistake: It forgot something.",
            "generative model makes (004 ①)",
        ] {
            assert!(page.contains(part), "no `{part}` in:\n{page}");
        }
    }
}
