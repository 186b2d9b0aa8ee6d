//! A confusion matrix as a map of colours with counts.

use backburn_records::number;

use super::canvas::{MARGIN, Rect, WIDTH};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Colours of right and wrong answers.
const RIGHT: Paint = Paint::Series(0);
const WRONG: Paint = Paint::Series(1);
/// Wrong answers stay lighter than full colour, so that their counts can be read in ink.
const DEEPEST_WRONG: f64 = 0.7;
/// Depth from which on text in the background's colour is easier to read than ink.
const DEEP: f64 = 0.75;
/// Room for class names.
const LONGEST_NAME: f64 = 110.0;

/// Counts by true class (row) and answer (column). Colours give each count's share of its row: in
/// one hue for right answers, in another, on a scale of its own, for wrong ones.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// Title of the figure.
    pub title: String,
    /// Name of each class.
    pub class_names: Vec<String>,
    /// Images by true class and answer; as many rows and columns as classes.
    pub counts: Vec<Vec<u64>>,
}

impl HeatMap {
    /// Draws the map.
    pub fn draw(&self) -> Drawing {
        let classes = self.class_names.len();
        let names: Vec<String> =
            self.class_names.iter().map(|n| text::fit(n, text::SMALL, LONGEST_NAME)).collect();
        let longest = names.iter().map(|n| text::width(n, text::SMALL)).fold(0.0, f64::max);
        let left = MARGIN + text::LABEL + 10.0 + longest + 8.0;
        let width = WIDTH - left - MARGIN;
        let cell_width = width / classes.max(1) as f64;
        // With few classes, cells that are as high as wide would make a figure of mere colour.
        let cell_height = if classes < 10 { cell_width.min(56.0) } else { cell_width.min(44.0) };
        let upright = longest + 8.0 > cell_width;
        let head = if upright { longest } else { text::SMALL };
        let top = 96.0 + text::LABEL + 8.0 + head + 8.0;
        let plot = Rect::new(left, top, width, cell_height * classes as f64);
        let mut drawing = Drawing::new(self.title.clone(), plot.bottom() + MARGIN);
        add_title(&mut drawing, &self.title);
        let deepest = self.deepest_wrong_share();
        draw_scales(&mut drawing, deepest);
        draw_axis_labels(&mut drawing, plot);

        // With many classes there is no room to name them all.
        let every = (18.0 / cell_height.max(1e-9)).ceil().max(1.0) as usize;
        for (class, name) in names.iter().enumerate().step_by(every) {
            let y = plot.y + (class as f64 + 0.5) * cell_height + 5.0;
            drawing.text(Text::new(plot.x - 8.0, y, text::SMALL, Anchor::End, name));
            let x = plot.x + (class as f64 + 0.5) * cell_width;
            let above = plot.y - 8.0;
            drawing.text(if upright {
                Text::new(x + 5.0, above, text::SMALL, Anchor::Start, name).turned(-90.0)
            } else {
                Text::new(x, above, text::SMALL, Anchor::Middle, name)
            });
        }
        for (row, counts) in self.counts.iter().enumerate() {
            let total = counts.iter().sum::<u64>().max(1) as f64;
            for (column, count) in counts.iter().enumerate() {
                let (x, y) = (column as f64 * cell_width, row as f64 * cell_height);
                let cell = Rect::new(plot.x + x, plot.y + y, cell_width, cell_height);
                let share = *count as f64 / total;
                let (hue, depth) = if row == column {
                    (RIGHT, share)
                } else {
                    (WRONG, DEEPEST_WRONG * share / deepest)
                };
                draw_cell(&mut drawing, cell, *count, hue, depth);
            }
        }
        draw_lines(&mut drawing, plot, classes);
        drawing
    }

    fn deepest_wrong_share(&self) -> f64 {
        let shares = self.counts.iter().enumerate().flat_map(|(row, counts)| {
            let total = counts.iter().sum::<u64>().max(1) as f64;
            let wrong = counts.iter().enumerate().filter(move |(column, _)| *column != row);
            wrong.map(move |(_, count)| *count as f64 / total)
        });
        let deepest = shares.fold(0.0, f64::max);
        if deepest > 0.0 { deepest } else { 1.0 }
    }
}

fn draw_cell(drawing: &mut Drawing, cell: Rect, count: u64, hue: Paint, depth: f64) {
    if count == 0 {
        return;
    }
    drawing.rect(cell, Stroke::fill(hue).faint(depth));
    let label = number::count(count);
    let size = [text::LABEL, text::TINY];
    let fitting = size.into_iter().find(|size| text::width(&label, *size) + 4.0 <= cell.width);
    if let Some(size) = fitting.filter(|size| *size + 3.0 <= cell.height) {
        let (x, y) = (cell.x + cell.width / 2.0, cell.y + cell.height / 2.0 + 0.36 * size);
        let paint = if depth >= DEEP { Paint::Paper } else { Paint::Ink };
        drawing.text(Text::new(x, y, size, Anchor::Middle, label).painted(paint));
    }
}

/// Two scales of colour beneath the title.
fn draw_scales(drawing: &mut Drawing, deepest: f64) {
    let half = (WIDTH - 2.0 * MARGIN) / 2.0;
    let wrong_end = format!("{} %", number::short((1000.0 * deepest).round() / 10.0));
    let scales = [("right", RIGHT, 1.0, "100 %"), ("wrong", WRONG, DEEPEST_WRONG, &wrong_end)];
    for (place, (name, hue, depth, end)) in scales.into_iter().enumerate() {
        let left = MARGIN + place as f64 * (half + 6.0);
        let y = 62.0;
        let label = format!("{name}: 0");
        drawing.text(Text::new(left, y, text::SMALL, Anchor::Start, &label));
        let start = left + text::width(&label, text::SMALL) + 8.0;
        let steps = 12;
        for step in 0..steps {
            let share = (f64::from(step) + 0.5) / f64::from(steps);
            let area = Rect::new(start + 9.0 * f64::from(step), y - 12.0, 9.0, 15.0);
            drawing.rect(area, Stroke::fill(hue).faint(depth * share));
        }
        let x = start + 9.0 * f64::from(steps) + 8.0;
        drawing.text(Text::new(x, y, text::SMALL, Anchor::Start, end));
    }
    let note = "Colour: share of the true class's images. Number: images; none where blank.";
    let note = Text::new(MARGIN, 85.0, text::TINY, Anchor::Start, note);
    drawing.text(note.painted(Paint::Muted));
}

fn draw_axis_labels(drawing: &mut Drawing, plot: Rect) {
    let (x, y) = (plot.x + plot.width / 2.0, plot.y + plot.height / 2.0);
    let above = 96.0 + text::LABEL;
    drawing.text(Text::new(x, above, text::LABEL, Anchor::Middle, "answer"));
    let beside = MARGIN + text::LABEL * 0.8;
    let label = Text::new(beside, y, text::LABEL, Anchor::Middle, "true class");
    drawing.text(label.turned(-90.0));
}

fn draw_lines(drawing: &mut Drawing, plot: Rect, classes: usize) {
    let thin = || Stroke::new(Paint::Grid, 0.8);
    if classes <= 30 {
        for line in 1..classes {
            let share = line as f64 / classes as f64;
            let (x, y) = (plot.x + share * plot.width, plot.y + share * plot.height);
            drawing.line((x, plot.y), (x, plot.bottom()), thin());
            drawing.line((plot.x, y), (plot.right(), y), thin());
        }
    }
    drawing.rect(plot, Stroke::new(Paint::Muted, 1.2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn map(classes: usize, name: &str) -> HeatMap {
        let row = |row| (0..classes).map(|column| if row == column { 1000 } else { 3 }).collect();
        HeatMap {
            title: "Confusion".into(),
            class_names: (0..classes).map(|class| format!("{name}{class}")).collect(),
            counts: (0..classes).map(row).collect(),
        }
    }

    #[test]
    fn text_is_clear_for_few_many_and_long_named_classes() {
        for (classes, name) in
            [(2, ""), (10, ""), (10, "automobile "), (3, "a very long class name "), (100, "c")]
        {
            assert_text_is_clear(&map(classes, name).draw());
        }
    }

    #[test]
    fn every_count_is_written_where_there_is_room_and_zeros_are_blank() {
        let mut ten = map(10, "");
        ten.counts[4][9] = 0;
        let texts = text_boxes(&ten.draw().to_svg(Theme::Paper));
        let written = |label: &str| texts.iter().filter(|(text, _)| text == label).count();
        assert_eq!(written("1,000"), 10);
        // One of the threes is the name of class 3 as row, one as column.
        assert_eq!(written("3"), 89 + 2);
    }

    #[test]
    fn rows_without_images_and_no_classes_at_all_are_drawn() {
        let mut empty = map(10, "");
        empty.counts = vec![vec![0; 10]; 10];
        assert_text_is_clear(&empty.draw());
        assert!(!map(0, "").draw().to_svg(Theme::Paper).contains("NaN"));
    }
}
