//! The page and the figures of a search for settings.

use backburn_records::number::{ABSENT, bare_percent, count, counted, short};
use backburn_records::search::{
    CAUTION, SearchRecord, TrialEndRecord, TrialRecord, VariedRange, VariedRecord, percent_spread,
    value_text,
};
use backburn_records::shell::quoted;
use backburn_records::tta::by_views;

use crate::figure::svg::escape;
use crate::figure::{
    Axis, Drawing, Emphasis, LineChart, Mark, ParallelAxis, ParallelCoordinates, ParallelLine,
    Series,
};
use crate::html::Content::{Numbers, Words};
use crate::html::{document, figure, section, table};

/// Settings that the figures show.
const SHOWN: usize = 8;

/// Trials that stand out as good, the best one among them.
const GOOD: usize = 5;

/// The search as a page, which lies in the folder that the trials' folders are in.
pub fn search_page(search: &SearchRecord) -> String {
    let body = head(search)
        + &section("Winner", &winner(search))
        + &section("History", &figures(search))
        + &section("Trials", &trials(search))
        + &section("What was searched", &space(search))
        + &section("Command", &format!("<pre>{}</pre>\n", command(&search.command)));
    document(&format!("{} — Backburn", title(search)), &body, &search.origin)
}

/// Validation accuracy by trial, and the best so far.
pub fn history_figure(search: &SearchRecord) -> Drawing {
    let of = |end: TrialEndRecord| -> Vec<(f64, f64)> {
        let trials = search.trials.iter().filter(|trial| trial.end == end);
        let point =
            |trial: &TrialRecord| Some((trial.number as f64, 100.0 * trial.valid_accuracy?));
        trials.filter_map(point).collect()
    };
    let best = search.best_so_far();
    let best = best.into_iter().map(|(number, accuracy)| (number as f64, 100.0 * accuracy));
    let y = Axis::linear("validation accuracy (%)").within(0.0, 100.0);
    let mut chart = LineChart::new("History of the search", Axis::counts("trial"), y)
        .with(Series::line("best so far", stairs(best)))
        .with(Series::points("came to its end", of(TrialEndRecord::Scored)));
    let pruned = of(TrialEndRecord::Pruned);
    if !pruned.is_empty() {
        chart = chart.with(Series::points("stopped early: best until then", pruned));
    }
    if let Some(winner) = &search.winner {
        let x = winner.number as f64;
        let y = Some(100.0 * winner.valid_accuracy.mean);
        chart = chart.mark(Mark { x, y, name: format!("winner: trial {}", winner.number) });
    }
    chart.draw()
}

/// The corners of a line that stays until it rises.
fn stairs(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> = Vec::new();
    let mut last: Option<(f64, f64)> = None;
    for (x, y) in points {
        match last {
            Some((_, before)) if before == y => {}
            Some((_, before)) => corners.extend([(x, before), (x, y)]),
            None => corners.push((x, y)),
        }
        last = Some((x, y));
    }
    // To the last trial.
    let is_new = |end: &(f64, f64)| corners.last() != Some(end);
    if let Some(end) = last.filter(is_new) {
        corners.push(end);
    }
    corners
}

/// Every trial as a line across the settings and the accuracy.
pub fn trials_figure(search: &SearchRecord) -> Drawing {
    let shown: Vec<&VariedRecord> = search.vary.iter().take(SHOWN).collect();
    let mut axes: Vec<ParallelAxis> = shown.iter().map(|varied| axis_of(varied)).collect();
    let accuracy = Axis::linear("valid (%)").within(0.0, 100.0);
    axes.push(ParallelAxis::Numbers(accuracy));
    let ranked = search.ranked();
    let line = |trial: &TrialRecord| {
        let mut values: Vec<f64> = shown.iter().map(|varied| number_of(varied, trial)).collect();
        values.push(100.0 * trial.valid_accuracy.unwrap_or(f64::NAN));
        let emphasis = match ranked.iter().position(|other| other.number == trial.number) {
            Some(0) => Emphasis::Most,
            Some(rank) if rank < GOOD => Emphasis::Some,
            _ => Emphasis::None,
        };
        ParallelLine { values, emphasis }
    };
    let next = ranked.len().min(GOOD).saturating_sub(1);
    ParallelCoordinates {
        title: "Every trial: what it tried, what it came to".into(),
        axes,
        lines: search.trials.iter().map(line).collect(),
        names: [
            "winner".into(),
            format!("the {} after it", count(next as u64)),
            "others, or stopped early".into(),
        ],
    }
    .draw()
}

fn axis_of(varied: &VariedRecord) -> ParallelAxis {
    let label = varied.setting.clone();
    match &varied.range {
        VariedRange::Linear { low, high } => {
            ParallelAxis::Numbers(Axis::linear(label).over(*low, *high))
        }
        VariedRange::Log { low, high } => ParallelAxis::Numbers(Axis::log(label).over(*low, *high)),
        VariedRange::Choice { values } => ParallelAxis::Names { label, names: values.clone() },
    }
}

/// A trial's value as a number: itself, or its place in the choice.
fn number_of(varied: &VariedRecord, trial: &TrialRecord) -> f64 {
    let Some(value) = trial.values.get(&varied.setting) else { return f64::NAN };
    let number = match &varied.range {
        VariedRange::Choice { values } => {
            let text = value_text(value);
            values.iter().position(|other| *other == text).map(|place| place as f64)
        }
        _ => value.as_f64(),
    };
    number.unwrap_or(f64::NAN)
}

/// Validation accuracy by the values of a setting, if these are numbers.
fn setting_figure(search: &SearchRecord, varied: &VariedRecord) -> Option<Drawing> {
    let setting = &varied.setting;
    let x = match varied.range {
        VariedRange::Linear { low, high } => Axis::linear(setting).over(low, high),
        VariedRange::Log { low, high } => {
            Axis::log(format!("{setting} (log scale)")).over(low, high)
        }
        VariedRange::Choice { .. } => return None,
    };
    let of = |end: TrialEndRecord| -> Vec<(f64, f64)> {
        let trials = search.trials.iter().filter(|trial| trial.end == end);
        let point =
            |trial: &TrialRecord| Some((number_of(varied, trial), 100.0 * trial.valid_accuracy?));
        trials.filter_map(point).collect()
    };
    let y = Axis::linear("validation accuracy (%)").within(0.0, 100.0);
    let mut chart = LineChart::new(format!("Accuracy by {setting}"), x, y)
        .with(Series::points("came to its end", of(TrialEndRecord::Scored)));
    let pruned = of(TrialEndRecord::Pruned);
    if !pruned.is_empty() {
        chart = chart.with(Series::points("stopped early: best until then", pruned));
    }
    Some(chart.draw())
}

fn title(search: &SearchRecord) -> String {
    format!("Search: {} on {}", search.model, search.dataset)
}

fn head(search: &SearchRecord) -> String {
    let seeds = search.seeds_named();
    let rounds = match search.rounds {
        1 => String::new(),
        rounds => format!(", {rounds} rounds"),
    };
    let byline = format!(
        "{}, sampler {}{rounds}, pruning {}, seed {seeds} each",
        counted(search.vary.len(), "setting"),
        search.sampler,
        search.pruning
    );
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"byline\">{}</p>\n<p class=\"lead\">{}.</p>\n</header>\n",
        escape(&title(search)),
        escape(&byline),
        escape(&search.tally())
    )
}

fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    escape(&words.join(" "))
}

fn winner(search: &SearchRecord) -> String {
    let Some(winner) = &search.winner else {
        return "<p>No trial came to its end.</p>\n".into();
    };
    let trial = search.trials.iter().find(|trial| trial.number == winner.number);
    let folder = trial.map_or(String::new(), |trial| trial.folder.clone());
    let reports = search.seeds.iter().map(|seed| {
        format!("<a href=\"{}/seed-{seed}/report.html\">seed {seed}</a>", escape(&folder))
    });
    format!(
        "<p>Trial {}: validation accuracy {}, test accuracy {}. {}</p>\n<p>It is trained by</p>\n\
         <pre>{}</pre>\n<p>Reports: {}.</p>\n",
        winner.number,
        escape(&percent_spread(winner.valid_accuracy)),
        escape(&percent_spread(winner.test_accuracy)),
        escape(CAUTION),
        command(&winner.command),
        reports.collect::<Vec<_>>().join(", ")
    )
}

fn figures(search: &SearchRecord) -> String {
    let history = "Accuracy on validation images with the weights that each run ends with, mean \
        over seeds. The same as history.svg and history.png beside this page.";
    let left_out = match search.vary.len() {
        settings if settings > SHOWN => format!(" The first {SHOWN} of {settings} settings."),
        _ => String::new(),
    };
    let trials = format!(
        "A line a trial, from what it tried to its accuracy on validation images; of a trial that \
         was stopped early, the highest until then.{left_out} The same as trials.svg and \
         trials.png."
    );
    let mut all =
        figure(&history_figure(search), history) + &figure(&trials_figure(search), &trials);
    for varied in search.vary.iter().take(SHOWN) {
        if let Some(drawing) = setting_figure(search, varied) {
            all += &figure(&drawing, "A point a trial, whatever it tried of the other settings.");
        }
    }
    format!("<div class=\"figures\">\n{all}</div>\n")
}

fn trials(search: &SearchRecord) -> String {
    let mut head = vec![("trial", Numbers), ("valid %", Numbers)];
    if search.rounds > 1 {
        head.push(("round", Numbers));
    }
    for varied in &search.vary {
        let is_words = matches!(varied.range, VariedRange::Choice { .. });
        head.push((&varied.setting, if is_words { Words } else { Numbers }));
    }
    head.extend([("epochs", Numbers), ("end", Words), ("why", Words)]);
    let mut ordered = search.ranked();
    let others = search.trials.iter().filter(|trial| trial.end != TrialEndRecord::Scored);
    ordered.extend(others);
    let row = |trial: &&TrialRecord| {
        let mut row = vec![trial.number.to_string(), bare_percent(trial.valid_accuracy)];
        if search.rounds > 1 {
            row.push(trial.round.to_string());
        }
        row.extend(search.vary.iter().map(|varied| trial.value(&varied.setting)));
        row.push(count(trial.epochs as u64));
        row.push(trial.end.name().to_owned());
        row.push(trial.reason.clone().unwrap_or_default());
        row
    };
    let rows: Vec<Vec<String>> = ordered.iter().map(row).collect();
    let note = "<p>The best first; those that did not come to their end last. Nothing here is of the \
        test split: every run scored it once, at its end, and only the winner's was looked at.</p>\n";
    let views = by_views([search.tta.as_deref()]);
    let views = views.map_or_else(String::new, |it| format!("<p>{}</p>\n", escape(&it)));
    format!("{note}{views}{}", table(&head, rows.iter().map(Vec::as_slice)))
}

fn space(search: &SearchRecord) -> String {
    let head = [("setting", Words), ("from", Words), ("to", Words), ("how", Words)];
    let row = |varied: &VariedRecord| {
        let [from, to, how] = match &varied.range {
            VariedRange::Linear { low, high } => [short(*low), short(*high), "evenly".to_owned()],
            VariedRange::Log { low, high } => {
                [short(*low), short(*high), "equal ratios equally likely".to_owned()]
            }
            VariedRange::Choice { values } => {
                [values.join(", "), ABSENT.to_owned(), "a choice".to_owned()]
            }
        };
        [varied.setting.clone(), from, to, how]
    };
    let rows: Vec<[String; 4]> = search.vary.iter().map(row).collect();
    table(&head, rows.iter().map(<[String; 4]>::as_slice))
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;
    use crate::figure::Theme;
    use crate::figure::png::assert_text_is_clear;

    #[test]
    fn the_page_has_every_trial_the_winner_its_command_and_the_caution() {
        let search = sample::search();
        let page = search_page(&search);
        for part in [
            "Search: cnn on mnist",
            "24 trials: 17 scored, 6 pruned, 1 diverged.",
            "chosen by validation accuracy",
            "test accuracy 93.50 ± 0.71 %",
            "cargo xtask train mnist --learning-rate 0.005",
            "cargo xtask search mnist",
            "Accuracy by dropout",
            "sgd, adam",
        ] {
            assert!(page.contains(part), "no `{part}`");
        }
        // Trials and their head, settings and theirs.
        assert_eq!(page.matches("<tr>").count(), 24 + 1 + 3 + 1);
        assert!(!page.contains("http") && !page.contains("<script"));
        let folder = format!("trial-{:04}/seed-1/report.html", search.ranked()[0].number);
        assert!(page.contains(&folder));
        assert!(!page.contains("test-time"));
        let viewed = SearchRecord { tta: Some("flip".into()), ..search };
        let told = "(test-time augmentation: flip)";
        assert!(search_page(&viewed).contains(told));
        assert!(crate::search_table::search_table(&viewed).contains("augmentation: flip)"));
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut search = sample::search();
        let evil = "<script>x</script>".to_owned();
        search.vary[0].setting.clone_from(&evil);
        search.vary[1].range = VariedRange::Choice { values: vec![evil.clone()] };
        for trial in &mut search.trials {
            trial.values.insert(evil.clone(), evil.clone().into());
            trial.reason = Some(evil.clone());
            trial.folder.clone_from(&evil);
        }
        search.command.push(evil.clone());
        (search.model, search.dataset) = (evil.clone(), evil);
        assert!(!search_page(&search).contains("<script"));
    }

    #[test]
    fn the_figures_are_clear_also_of_one_trial_and_of_none() {
        let mut search = sample::search();
        for trials in [24, 1, 0] {
            search.trials.truncate(trials);
            for drawing in [history_figure(&search), trials_figure(&search)] {
                assert_text_is_clear(&drawing);
                assert!(!drawing.to_svg(Theme::Paper).contains("NaN"));
            }
            search.winner = None;
        }
    }

    #[test]
    fn the_line_of_the_best_has_the_corners_of_stairs() {
        let points = [(1.0, 5.0), (2.0, 5.0), (3.0, 7.0), (4.0, 7.0)];
        let corners = [(1.0, 5.0), (3.0, 5.0), (3.0, 7.0), (4.0, 7.0)];
        assert_eq!(stairs(points.into_iter()), corners);
        assert_eq!(stairs([(1.0, 5.0)].into_iter()), [(1.0, 5.0)]);
        assert!(stairs([].into_iter()).is_empty());
    }
}
