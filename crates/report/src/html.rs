//! What the pages have in common: head, style, tables. A page is one file and asks the network for
//! nothing.

use backburn_records::command_name::as_typed;
use backburn_records::origin::Origin;

use crate::figure::svg::{SERIES_DARK, SERIES_LIGHT, escape};
use crate::figure::{Drawing, Theme};

const STYLE: &str = include_str!("../assets/page.css");

/// A whole page around `body`, which must be HTML, with its origin at its foot; `title` is text. Commands
/// are named as the program's user types them.
pub(crate) fn document(title: &str, body: &str, origin: &Origin) -> String {
    let title = escape(title);
    let body = as_typed(body);
    let origin = origin.rows();
    let origin = origin.iter().map(|(name, value)| format!("{}: {}", escape(name), escape(value)));
    let origin = origin.collect::<Vec<_>>().join("<br>\n");
    let (light, dark) = (series_variables(&SERIES_LIGHT), series_variables(&SERIES_DARK));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n:root {{ {light} }}\n\
         @media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n\
         {STYLE}</style>\n</head>\n<body>\n<main>\n{body}<footer \
         class=\"origin\">\n{origin}\n</footer>\n</main>\n</body>\n</html>\n"
    )
}

fn series_variables(colours: &[&str]) -> String {
    let variables = colours.iter().enumerate();
    variables.map(|(index, colour)| format!("--series-{index}: {colour};")).collect()
}

/// A section with a heading; `content` is HTML.
pub(crate) fn section(heading: &str, content: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{content}</section>\n", escape(heading))
}

/// A table of names and values, both text.
pub(crate) fn facts(rows: &[(&str, String)]) -> String {
    let row = |(name, value): &(&str, String)| {
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(name), escape(value))
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<div class=\"scroll\"><table class=\"facts\">\n{rows}</table></div>\n")
}

/// What a column holds: words start at its left edge, numbers end at its right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Words,
    Numbers,
}

impl Content {
    fn class(self) -> &'static str {
        match self {
            Self::Words => "",
            Self::Numbers => " class=\"number\"",
        }
    }
}

/// A table with a head, which says what each column holds; all cells are text, and the first names
/// its row.
pub(crate) fn table<'a>(
    head: &[(&str, Content)],
    rows: impl Iterator<Item = &'a [String]>,
) -> String {
    let names: String = head
        .iter()
        .map(|(name, content)| {
            format!("<th scope=\"col\"{}>{}</th>", content.class(), escape(name))
        })
        .collect();
    let row = |cells: &[String]| {
        let mut html = String::from("<tr>");
        for (place, (cell, (_, content))) in cells.iter().zip(head).enumerate() {
            let (cell, class) = (escape(cell), content.class());
            html += &match place {
                0 => format!("<th scope=\"row\">{cell}</th>"),
                _ => format!("<td{class}>{cell}</td>"),
            };
        }
        html + "</tr>\n"
    };
    let rows: String = rows.map(row).collect();
    format!(
        "<div class=\"scroll\"><table class=\"columned\">\n<thead><tr>{names}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// A figure with a caption, which is text.
pub(crate) fn figure(drawing: &Drawing, caption: &str) -> String {
    let svg = drawing.to_svg(Theme::Page);
    format!("<figure>\n{svg}<figcaption>{}</figcaption>\n</figure>\n", escape(caption))
}

/// A folder as a relative address: names of arms may hold what means something there.
pub(crate) fn address(folder: &str) -> String {
    let special = [("%", "%25"), ("#", "%23"), ("?", "%3F"), (":", "%3A"), ("\\", "/")];
    special.iter().fold(folder.to_owned(), |folder, (sign, code)| folder.replace(sign, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_folders_of_any_name() {
        assert_eq!(address("dropout=0.3/seed-1"), "dropout=0.3/seed-1");
        assert_eq!(address("train-size=10%/seed-1"), "train-size=10%25/seed-1");
        assert_eq!(address("a:b#c?"), "a%3Ab%23c%3F");
    }
}
