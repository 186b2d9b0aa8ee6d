//! The page of near copies in a data set: how many there are, and the most similar pairs side by side.

use backburn_records::near_copies::{CopyPair, CopyPicture, CopySearch, NearCopiesRecord};
use backburn_records::number::{bare_percent, count, counted};

use crate::figure::png;
use crate::figure::svg::escape;
use crate::html::Content::{Numbers, Words};
use crate::html::{document, section, table};

/// Pairs of a search shown at most.
pub const MOST_PAIRS: usize = 50;

/// The page, which holds its pictures inside.
pub fn near_copies_page(record: &NearCopiesRecord) -> String {
    let title = format!("Near copies in {}", record.dataset);
    let searches = record.searches.iter().map(|search| {
        let heading = format!("{} images like others of {}", capital(&search.split), search.others);
        section(&heading, &(counts(search) + &pairs(search, &record.class_names)))
    });
    let body = head(&title) + &searches.collect::<String>();
    document(&format!("{title} — Backburn"), &body, &record.origin)
}

fn head(title: &str) -> String {
    let lead = "Images that are nearly the same as others, although no pixel need be: cropped, \
        mirrored, brighter or of other contrast. A test image whose near copy was trained on tests \
        what was learned by heart.";
    let measure = "Similarity is the greatest correlation of 18 crops of an image, shifted and \
        mirrored, with the crop from the other's centre, both as means over small cells: 1 for a \
        copy. Similar drawings of simple things, such as digits, reach 0.95 without being copies: \
        look at the pairs.";
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"lead\">{lead}</p>\n<p>{measure}</p>\n</header>\n",
        escape(title)
    )
}

fn counts(search: &CopySearch) -> String {
    let head = [
        ("similarity at least", Words),
        ("images", Numbers),
        ("% of all", Numbers),
        ("other label", Numbers),
        ("mirrored", Numbers),
    ];
    let number = |value: usize| count(value as u64);
    let rows: Vec<[String; 5]> = search
        .counts
        .iter()
        .map(|row| {
            let share = row.images as f64 / search.images as f64;
            let labels = [row.other_label, row.mirrored].map(number);
            let [other_label, mirrored] = labels;
            let threshold = format!("{:.2}", row.threshold);
            [threshold, number(row.images), bare_percent(share), other_label, mirrored]
        })
        .collect();
    let note = format!(
        "<p>Of {}, each with the most similar one of {}.</p>\n",
        escape(&counted(search.images, &format!("{} image", search.split))),
        escape(&search.others)
    );
    note + &table(&head, rows.iter().map(<[String; 5]>::as_slice))
}

fn pairs(search: &CopySearch, class_names: &[String]) -> String {
    if search.pairs.is_empty() {
        return String::new();
    }
    let shown = search.pairs.iter().take(MOST_PAIRS);
    let rows: String = shown.map(|pair| row(pair, search, class_names)).collect();
    let (split, others) = (escape(&search.split), escape(&search.others));
    let heads = [&split, &others, "similarity", "mirrored", "shift, pixels"].map(|name| {
        let class = if name == "similarity" { " class=\"number\"" } else { "" };
        format!("<th scope=\"col\"{class}>{name}</th>")
    });
    format!(
        "<h3>The most similar pairs</h3>\n<div class=\"scroll\"><table class=\"columned pairs\">\n\
         <thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        heads.concat()
    )
}

fn row(pair: &CopyPair, search: &CopySearch, class_names: &[String]) -> String {
    let mirrored = if pair.mirrored { "mirrored" } else { "" };
    format!(
        "<tr><td>{}</td><td>{}</td><td \
         class=\"number\">{:.4}</td><td>{mirrored}</td><td>{}</td></tr>\n",
        picture(&pair.image, &search.split, class_names),
        picture(&pair.other, &search.others, class_names),
        pair.similarity,
        shift(pair.down, pair.right),
    )
}

fn picture(picture: &CopyPicture, split: &str, class_names: &[String]) -> String {
    let class = class_names.get(picture.label).map_or("class not known", String::as_str);
    let name = match &picture.file {
        Some(file) => escape(&format!("{class}: {file}")),
        None => escape(&format!("{split} {}: {class}", picture.index)),
    };
    let [channels, height, width] = picture.shape;
    let size = channels.checked_mul(height).and_then(|it| it.checked_mul(width));
    let is_drawable = [1, 3].contains(&channels)
        && size == Some(picture.pixels.len())
        && !picture.pixels.is_empty();
    if !is_drawable {
        return name;
    }
    let uri = png::data_uri(picture.shape, &picture.pixels);
    format!("<img src=\"{uri}\" alt=\"\"><br>{name}")
}

/// `2 down, 2 left`; empty where nothing is shifted.
fn shift(down: i64, right: i64) -> String {
    let part = |distance: i64, names: [&str; 2]| {
        let [positive, negative] = names;
        let name = if distance > 0 { positive } else { negative };
        (distance != 0).then(|| format!("{} {name}", distance.unsigned_abs()))
    };
    let parts = [part(down, ["down", "up"]), part(right, ["right", "left"])];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use backburn_records::sample::near_copies;

    use super::*;

    #[test]
    fn peoples_own_pictures_are_called_by_their_files() {
        let mut record = near_copies();
        record.searches[0].pairs[0].image.file = Some("car/a & b.png".to_owned());
        let page = near_copies_page(&record);
        assert!(page.contains("<br>automobile: car/a &amp; b.png</td>"));
        assert!(page.contains("<br>training 29986: automobile</td>"));
    }

    #[test]
    fn the_page_has_every_count_and_pair_with_its_pictures() {
        let page = near_copies_page(&near_copies());
        for part in [
            "<h1>Near copies in cifar10</h1>",
            "Test images like others of training",
            "Training images like others of training",
            "Of 10,000 test images",
            "<th scope=\"row\">0.97</th><td class=\"number\">111</td><td class=\"number\">1.11</td>\
             <td class=\"number\">0</td><td class=\"number\">16</td>",
            "<br>test 4838: automobile</td>",
            "<br>training 29986: automobile</td><td \
             class=\"number\">0.9998</td><td>mirrored</td><td></td>",
            "<td></td><td>2 down, 4 left</td>",
            "SHA-256",
        ] {
            assert!(page.contains(part), "no `{part}` in {page}");
        }
        assert_eq!(page.matches("<img src=\"data:image/png;base64,").count(), 4);
        assert!(!page.contains("http") && !page.contains("<script"));
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut record = near_copies();
        let evil = "<script>x</script>".to_owned();
        record.dataset.clone_from(&evil);
        record.class_names = vec![evil.clone(); 10];
        record.searches[0].split.clone_from(&evil);
        record.searches[0].others = evil;
        assert!(!near_copies_page(&record).contains("<script"));
    }

    #[test]
    fn a_search_without_near_copies_and_pictures_that_do_not_fit_are_no_reason_to_fail() {
        let mut record = near_copies();
        record.searches[1].pairs.clear();
        record.searches[1].images = 0;
        record.searches[0].pairs[0].image.pixels.pop();
        record.searches[0].pairs[1].other.shape = [2, 1, 1];
        record.searches[0].pairs[1].other.label = 99;
        let page = near_copies_page(&record);
        assert!(page.contains("<td>test 4838: automobile</td>"), "{page}");
        assert!(page.contains("<td>training 7: class not known</td>"), "{page}");
    }

    #[test]
    fn no_more_pairs_are_shown_than_fit_a_page() {
        let mut record = near_copies();
        let search = &mut record.searches[0];
        search.pairs = vec![search.pairs[0].clone(); MOST_PAIRS + 9];
        record.searches.truncate(1);
        let page = near_copies_page(&record);
        assert_eq!(page.matches("<img ").count(), 2 * MOST_PAIRS);
    }
}
