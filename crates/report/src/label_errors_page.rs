//! The page of likely label errors: the first of the ranking, as pictures and as a table.

use backburn_records::label_errors::{LabelErrorsRecord, Suspect};
use backburn_records::number::{count, percent};

use crate::figure::svg::escape;
use crate::figure::{GridImage, ImageGrid, text};
use crate::html::Content::{Numbers, Words};
use crate::html::{document, figure, section, table};

/// Images that are shown at most; whoever makes the record need not keep the pictures of others.
pub const MOST_SHOWN: usize = 96;

/// A caption longer than this takes two lines.
const ONE_LINE: f64 = 112.0;

/// The page, which holds its pictures inside.
pub fn label_errors_page(record: &LabelErrorsRecord) -> String {
    let title = format!("Likely label errors in {}", record.dataset);
    let lead = format!("{}.", record.sentence());
    let measure = "Images are ranked by the probability that their own label is given (self-confidence), \
        the least first. A network has not seen the labels of the images that it is asked for, so \
        that it cannot have learnt them by heart. What stands at the head is wrongly labelled, hard, \
        or of a kind that the network has not learnt: look at the pictures before changing anything.";
    let mut body = format!(
        "<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<p>{measure}</p>\n",
        escape(&title),
        escape(&lead)
    );
    if let Some(noise) = &record.noise {
        body += &format!("<p>{}.</p>\n", escape(&noise.sentence(record.ranked.len())));
    }
    body += "</header>\n";
    body += &section("The first of the ranking", &pictures(record));
    body += &section("The same as a table", &rows(record));
    document(&format!("{title} — Backburn"), &body, &record.origin)
}

fn shown(record: &LabelErrorsRecord) -> impl Iterator<Item = &Suspect> {
    record.ranked.iter().take(MOST_SHOWN)
}

fn pictures(record: &LabelErrorsRecord) -> String {
    let images: Vec<GridImage> =
        shown(record).filter_map(|suspect| grid_image(record, suspect)).collect();
    if images.is_empty() {
        return String::new();
    }
    let grid = ImageGrid {
        title: "Likely label errors".into(),
        note: "label → what the network answers, probability of the label; the least first".into(),
        images,
    };
    let caption = "All images of the ranking stand in label-errors.csv.";
    format!("<div class=\"figures\">\n{}</div>\n", figure(&grid.draw(), caption))
}

/// `None` if there is no picture, or none that could be drawn.
fn grid_image(record: &LabelErrorsRecord, suspect: &Suspect) -> Option<GridImage> {
    let picture = suspect.picture.as_ref()?;
    let [channels, height, width] = picture.shape;
    let size = channels.checked_mul(height).and_then(|it| it.checked_mul(width));
    let is_drawable = [1, 3].contains(&channels)
        && size == Some(picture.pixels.len())
        && !picture.pixels.is_empty();
    let (label, answer) = (name(record, suspect.label), name(record, suspect.predicted));
    let confidence = percent(suspect.self_confidence);
    let line = format!("{label} → {answer}");
    let mut caption = match text::width(&line, text::SMALL) <= ONE_LINE {
        true => vec![line, confidence],
        false => vec![format!("{label} →"), answer.to_owned(), confidence],
    };
    if suspect.is_wrong == Some(true) {
        caption.push("label noise".into());
    }
    is_drawable.then(|| GridImage { shape: picture.shape, pixels: picture.pixels.clone(), caption })
}

fn rows(record: &LabelErrorsRecord) -> String {
    let mut head = vec![
        ("image", Words),
        ("label", Words),
        ("answer", Words),
        ("probability of the label", Numbers),
        ("of the answer", Numbers),
    ];
    if record.noise.is_some() {
        head.push(("wrong by label noise", Words));
    }
    let row = |suspect: &Suspect| {
        let image = match &suspect.file {
            Some(file) => file.clone(),
            None => count(suspect.index as u64),
        };
        let mut row = vec![
            image,
            name(record, suspect.label).to_owned(),
            name(record, suspect.predicted).to_owned(),
            percent(suspect.self_confidence),
            percent(suspect.probability),
        ];
        if record.noise.is_some() {
            row.push(if suspect.is_wrong == Some(true) { "yes" } else { "" }.to_owned());
        }
        row
    };
    let rows: Vec<Vec<String>> = shown(record).map(row).collect();
    table(&head, rows.iter().map(Vec::as_slice))
}

fn name(record: &LabelErrorsRecord, class: usize) -> &str {
    record.class_names.get(class).map_or("?", String::as_str)
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    #[test]
    fn the_page_has_the_sentences_the_pictures_and_the_rows() {
        let mut record = sample::label_errors();
        record.ranked[3].file = Some("bird/a & b.png".into());
        let page = label_errors_page(&record);
        for part in [
            "<h1>Likely label errors in cifar10</h1>",
            "2 of 4 images have a label that is not the most probable class",
            "the first 2 images of the ranking have 1 of them",
            "<th scope=\"row\">100</th><td>automobile</td><td>bird</td><td \
             class=\"number\">0.10 %</td><td class=\"number\">90.00 %</td><td>yes</td>",
            "<th scope=\"row\">bird/a &amp; b.png</th>",
            "label-errors.csv",
        ] {
            assert!(page.contains(part), "no `{part}` in {page}");
        }
        assert_eq!(page.matches("<image").count(), 4);
        record.noise = None;
        let page = label_errors_page(&record);
        assert!(!page.contains("of the ranking have") && !page.contains("wrong by"));
    }

    #[test]
    fn text_from_outside_is_escaped_and_pictures_that_do_not_fit_are_left_out() {
        let mut record = sample::label_errors();
        let evil = "<script>x</script>".to_owned();
        record.dataset.clone_from(&evil);
        record.class_names = vec![evil.clone(); 2];
        record.ranked[0].file = Some(evil);
        record.ranked[0].picture.as_mut().unwrap().pixels.pop();
        record.ranked[1].picture.as_mut().unwrap().shape = [2, 6, 1];
        record.ranked[2].picture = None;
        let page = label_errors_page(&record);
        assert!(!page.contains("<script"));
        assert_eq!(page.matches("<image").count(), 1);
        record.ranked.clear();
        assert!(!label_errors_page(&record).contains("<svg"));
    }

    #[test]
    fn no_more_images_are_shown_than_fit_a_page() {
        let mut record = sample::label_errors();
        record.ranked = vec![record.ranked[0].clone(); MOST_SHOWN + 5];
        let page = label_errors_page(&record);
        assert_eq!(page.matches("<image").count(), MOST_SHOWN);
        assert_eq!(page.matches("<tr>").count(), MOST_SHOWN + 1);
    }
}
