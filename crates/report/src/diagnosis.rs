//! What an evaluation shows: which classes are confused, whether confidence can be trusted, and
//! the worst mistakes.

use std::path::Path;

use backburn_records::evaluation::{EvaluationRecord, Mistake};
use backburn_records::{ExplanationMethod, number};

use crate::figure::{
    Axis, Drawing, GridImage, HeatMap, ImageGrid, LineChart, Series, overlay, text,
};

/// Mistakes shown at most.
const MOST_MISTAKES: usize = 24;
/// A caption longer than this takes two lines.
const ONE_LINE: f64 = 112.0;
/// Two-sided 95 % point of the normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// Classes that a confusion matrix has room for.
const MOST_CLASSES: usize = 40;

/// The confusion matrix, of many classes those that are confused most; `split` is `test` or `validation`.
pub fn confusion(evaluation: &EvaluationRecord, split: &str) -> Drawing {
    let shown = evaluation.confusion.most_confused(MOST_CLASSES);
    let classes = evaluation.class_names.len();
    let title = if shown.len() < classes {
        let classes = number::count(classes as u64);
        format!("The {} most confused of {classes} classes, {split} split", shown.len())
    } else {
        format!("Confusion matrix on the {split} split")
    };
    let name = |class: &usize| evaluation.class_names.get(*class).cloned().unwrap_or_default();
    HeatMap {
        title,
        class_names: shown.iter().map(name).collect(),
        counts: evaluation.confusion.among(&shown),
    }
    .draw()
}

/// The reliability diagram: for each bin of confidence the share of right answers, with intervals
/// that show how much each bin's count allows to say.
pub fn reliability(evaluation: &EvaluationRecord, split: &str) -> Drawing {
    let bins = || evaluation.reliability.iter().filter(|bin| bin.count > 0);
    let points = bins().map(|bin| (100.0 * bin.confidence, 100.0 * bin.accuracy)).collect();
    let whiskers = bins().map(|bin| {
        let (low, high) = wilson_interval(bin.accuracy, bin.count);
        (100.0 * bin.confidence, 100.0 * low, 100.0 * high)
    });
    let title = format!("Reliability on the {split} split");
    let x = Axis::linear("mean confidence in the bin (%)").within(0.0, 100.0);
    let y = Axis::linear("accuracy in the bin (%)").within(0.0, 100.0);
    LineChart::new(title, x, y)
        .with(
            Series::line("accuracy, with 95 % Wilson interval", points)
                .with_whiskers(whiskers.collect()),
        )
        .with(Series::reference("perfectly calibrated", vec![(0.0, 0.0), (100.0, 100.0)]))
        .draw()
}

/// The wrong answers of highest loss as pictures. `None` if there are none.
pub fn mistakes(evaluation: &EvaluationRecord, split: &str) -> Option<Drawing> {
    let shown = evaluation.mistakes.iter().take(MOST_MISTAKES);
    let images: Vec<GridImage> = shown.map(|mistake| grid_image(evaluation, mistake)).collect();
    if images.is_empty() {
        return None;
    }
    let shown = evaluation.mistakes.iter().take(MOST_MISTAKES);
    let overlays: Vec<Option<Vec<u8>>> = shown.map(explained).collect();
    let note = match method(evaluation) {
        None => "true class → answer, confidence in the answer; the highest loss first".to_owned(),
        Some(method) => format!(
            "true class → answer, confidence; beside it what spoke for the answer ({})",
            method.name()
        ),
    };
    let grid = ImageGrid { title: format!("Worst mistakes on the {split} split"), note, images };
    Some(grid.draw_beside(&overlays))
}

/// How the maps of the mistakes were made, if there are any.
pub fn method(evaluation: &EvaluationRecord) -> Option<ExplanationMethod> {
    evaluation.mistakes.iter().find_map(|mistake| Some(mistake.explanation.as_ref()?.method))
}

/// The picture with what spoke for the answer over it.
fn explained(mistake: &Mistake) -> Option<Vec<u8>> {
    let map = mistake.explanation.as_ref()?;
    Some(overlay(mistake.shape, &mistake.pixels, map))
}

fn grid_image(evaluation: &EvaluationRecord, mistake: &Mistake) -> GridImage {
    let name = |class: usize| evaluation.class_names.get(class).map_or("?", String::as_str);
    let (label, answer) = (name(mistake.label), name(mistake.prediction));
    let confidence = whole_percent(mistake.confidence);
    let line = format!("{label} → {answer}, {confidence}");
    let mut caption = if text::width(&line, text::SMALL) <= ONE_LINE {
        vec![line]
    } else {
        vec![format!("{label} →"), format!("{answer}, {confidence}")]
    };
    if let Some(path) = &mistake.path {
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy());
        caption.push(text::fit(name.as_deref().unwrap_or(path), text::SMALL, ONE_LINE));
    }
    GridImage { shape: mistake.shape, pixels: mistake.pixels.clone(), caption }
}

/// A probability in whole percent; what is not certain is never called 100 %.
fn whole_percent(probability: f64) -> String {
    if !probability.is_finite() {
        return number::ABSENT.into();
    }
    let percent = 100.0 * probability;
    if (99.5..100.0).contains(&percent) { "> 99 %".into() } else { format!("{percent:.0} %") }
}

/// Wilson's 95 % interval of a share seen in `count` draws.
///
/// Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.
pub fn wilson_interval(share: f64, count: u64) -> (f64, f64) {
    let n = count as f64;
    let z2 = NORMAL_95 * NORMAL_95;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let spread = (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let half = NORMAL_95 / (1.0 + z2 / n) * spread;
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use backburn_records::{Confusion, sample};

    use super::*;
    use crate::figure::Theme;
    use crate::figure::png::assert_text_is_clear;

    #[test]
    fn all_figures_of_an_evaluation_have_clear_text() {
        let mut evaluation = sample::evaluation();
        assert_text_is_clear(&confusion(&evaluation, "test"));
        assert_text_is_clear(&reliability(&evaluation, "test"));
        assert_text_is_clear(&mistakes(&evaluation, "test").unwrap());
        evaluation.class_names = (0..10).map(|class| format!("automobile {class}")).collect();
        assert_text_is_clear(&mistakes(&evaluation, "test").unwrap());
    }

    #[test]
    fn of_many_classes_the_most_confused_are_drawn() {
        let mut evaluation = sample::evaluation();
        evaluation.class_names = (0..1000).map(|class| format!("class {class}")).collect();
        let pairs =
            (0..5000).map(|n| (n % 1000, if n % 1000 < 50 { (n * 3) % 50 } else { n % 1000 }));
        evaluation.confusion = Confusion::count(1000, pairs);
        let figure = confusion(&evaluation, "test");
        assert_text_is_clear(&figure);
        let svg = figure.to_svg(Theme::Paper);
        assert!(svg.contains("The 40 most confused of 1,000 classes, test split"), "{svg}");
        assert!(svg.contains("class 7<") && !svg.contains("class 700<"));
    }

    #[test]
    fn captions_name_both_classes_and_the_confidence() {
        let mut evaluation = sample::evaluation();
        evaluation.mistakes[0].path = Some("dogs/a-picture.png".into());
        let svg = mistakes(&evaluation, "test").unwrap().to_svg(Theme::Paper);
        assert!(svg.contains(">a-picture.png<"), "{svg}");
        assert!(svg.contains("4 → 9, 99 %"), "{svg}");
        assert!(svg.contains("data:image/png;base64,"));
    }

    #[test]
    fn mistakes_have_a_map_beside_them_where_there_is_one() {
        let mut evaluation = sample::evaluation();
        let images = |evaluation: &EvaluationRecord| {
            let svg = mistakes(evaluation, "test").unwrap().to_svg(Theme::Paper);
            assert_eq!(svg.contains("(LayerCAM)"), method(evaluation).is_some());
            svg.matches("<image").count()
        };
        assert_eq!(images(&evaluation), 24);
        evaluation.mistakes.iter_mut().skip(1).for_each(|mistake| mistake.explanation = None);
        assert_text_is_clear(&mistakes(&evaluation, "test").unwrap());
        assert_eq!(images(&evaluation), 13);
        evaluation.mistakes[0].explanation = None;
        assert_eq!(images(&evaluation), 12);
    }

    #[test]
    fn what_is_not_certain_is_not_called_so() {
        let written = [0.984, 0.9951, 1.0, f64::NAN].map(whole_percent);
        assert_eq!(written, ["98 %", "> 99 %", "100 %", "—"]);
    }

    #[test]
    fn a_split_without_mistakes_has_no_such_figure_and_empty_bins_no_point() {
        let mut evaluation = sample::evaluation();
        evaluation.mistakes.clear();
        assert!(mistakes(&evaluation, "test").is_none());
        evaluation.reliability.iter_mut().for_each(|bin| bin.count = 0);
        let svg = reliability(&evaluation, "test").to_svg(Theme::Paper);
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn wilsons_interval_is_that_of_the_literature_and_stays_within_bounds() {
        // Newcombe, Statistics in Medicine 1998, table I, method 3: 81 of 263, and 0 of 20.
        let (low, high) = wilson_interval(81.0 / 263.0, 263);
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let (low, high) = wilson_interval(0.0, 20);
        assert!(low == 0.0 && (high - 0.1611).abs() < 5e-5, "{low} {high}");
    }
}
