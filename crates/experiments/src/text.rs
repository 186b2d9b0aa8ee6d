//! The words of an experiment, which stand beside its code in `<name>.md`: sentence, set-up, captions, what differs
//! from the source. The code gives the numbers. Words that several experiments share stand beside the code that they
//! share.
//!
//! Under each heading of the file stands a paragraph or a list, with `{names}` for what is computed. Where the data
//! decide between two ways to say it, each has a heading of its own.

/// The text of a file like `optimizer_paths.md`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text(pub(crate) &'static str);

/// What stands for a name in braces.
pub(crate) type Value<'a> = (&'a str, String);

impl Text {
    /// The paragraph under a heading.
    ///
    /// # Panics
    ///
    /// If there is no such heading, a name in the paragraph has no value, or a value no name.
    pub(crate) fn paragraph(self, heading: &str, values: &[Value<'_>]) -> String {
        filled(heading, &[joined(self.lines(heading))], values).concat()
    }

    /// The items of the list under a heading.
    ///
    /// # Panics
    ///
    /// As [`Text::paragraph`].
    pub(crate) fn list(self, heading: &str, values: &[Value<'_>]) -> Vec<String> {
        let mut items: Vec<Vec<&str>> = Vec::new();
        for line in self.lines(heading) {
            match (line.strip_prefix("- "), items.last_mut()) {
                (Some(first), _) => items.push(vec![first]),
                (None, Some(item)) => item.push(line),
                (None, None) => panic!("expected a list under `{heading}`, found `{line}`"),
            }
        }
        let items: Vec<String> = items.into_iter().map(joined).collect();
        filled(heading, &items, values)
    }

    fn lines(self, heading: &str) -> Vec<&'static str> {
        let mut lines = self.0.lines();
        let is_heading = |line: &str| line.strip_prefix("## ") == Some(heading);
        assert!(lines.any(is_heading), "the text has no heading `{heading}`");
        lines.take_while(|line| !line.starts_with('#')).filter(|line| !line.is_empty()).collect()
    }
}

fn joined(lines: Vec<&str>) -> String {
    lines.into_iter().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn filled(heading: &str, texts: &[String], values: &[Value<'_>]) -> Vec<String> {
    let mut used = vec![false; values.len()];
    let texts = texts.iter().map(|text| {
        let mut filled = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Words(words) => filled += words,
                Piece::Name(name) => {
                    let place = values.iter().position(|(known, _)| *known == name);
                    let place = place
                        .unwrap_or_else(|| panic!("`{{{name}}}` under `{heading}` has no value"));
                    used[place] = true;
                    filled += &values[place].1;
                }
            }
        }
        filled
    });
    let texts = texts.collect();
    let unused = values.iter().zip(&used).find(|(_, used)| !**used);
    assert!(unused.is_none(), "under `{heading}` nothing stands for {unused:?}");
    texts
}

enum Piece<'a> {
    Words(&'a str),
    Name(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((words, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("a brace that opens is closed");
        pieces.extend([Piece::Words(words), Piece::Name(name)]);
        rest = after;
    }
    pieces.push(Piece::Words(rest));
    pieces
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    const FRUIT: Text = Text(
        "# Fruit\n\n## one\n\nAn {fruit},\nred.\n\n## many\n\n- {fruit}s\n- {count} of\n  them\n",
    );

    #[test]
    fn names_are_filled_and_lines_joined() {
        let value = |name, value: &str| (name, value.to_owned());
        assert_eq!(FRUIT.paragraph("one", &[value("fruit", "apple")]), "An apple, red.");
        let both = [value("count", "two"), value("fruit", "apple")];
        assert_eq!(FRUIT.list("many", &both), ["apples", "two of them"]);
    }

    #[test]
    #[should_panic(expected = "`{fruit}` under `one` has no value")]
    fn a_name_without_a_value_is_found() {
        FRUIT.paragraph("one", &[]);
    }

    #[test]
    #[should_panic(expected = "under `one` nothing stands for")]
    fn a_value_without_a_name_is_found() {
        FRUIT.paragraph("one", &[("fruit", "apple".into()), ("worm", "worm".into())]);
    }

    #[test]
    #[should_panic(expected = "no heading `none`")]
    fn a_heading_that_is_not_there_is_found() {
        FRUIT.paragraph("none", &[]);
    }

    /// What stands in quotes in a source file, on its own or as the first of a pair.
    fn quoted(source: &str) -> BTreeSet<&str> {
        source.split('"').skip(1).step_by(2).collect()
    }

    fn names(text: &str) -> BTreeSet<&str> {
        let names = pieces(text).into_iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name),
            Piece::Words(_) => None,
        });
        names.collect()
    }

    /// Headings that only rare data lead to are checked as well.
    #[test]
    fn every_heading_and_every_name_of_a_text_is_used_by_its_code_and_no_other() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut texts = 0;
        for entry in fs::read_dir(&sources).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            texts += 1;
            let text = fs::read_to_string(&path).unwrap();
            let code = fs::read_to_string(path.with_extension("rs")).unwrap();
            let code = code.split("#[cfg(test)]").next().unwrap();
            let (quoted, shown) = (quoted(code), path.display());
            for heading in text.lines().filter_map(|line| line.strip_prefix("## ")) {
                assert!(quoted.contains(heading), "{shown}: nothing reads `{heading}`");
            }
            let names = names(&text);
            for name in &names {
                assert!(quoted.contains(name), "{shown}: nothing gives `{{{name}}}`");
            }
            for name in given(code) {
                assert!(names.contains(name), "{shown}: `{name}` has no place");
            }
        }
        assert!(texts >= 20, "found {texts} texts in {}", sources.display());
    }

    /// The names of what a source file calls `values` or gives on the spot.
    fn given(code: &str) -> Vec<&str> {
        let values = code.split("let values =").skip(1).map(str::trim_start);
        let values = values.filter(|rest| rest.starts_with('['));
        let values = values.filter_map(|rest| rest.split_once("];")).map(|(values, _)| values);
        let on_the_spot = code.split("&[").skip(1).filter(|rest| rest.starts_with("(\""));
        let on_the_spot = on_the_spot.filter_map(|rest| rest.split_once("\", "));
        let pairs = values.chain(on_the_spot.map(|(name, _)| name));
        let quoted = pairs.flat_map(|pairs| pairs.split('(').skip(1)).map(str::trim_start);
        let quoted = quoted.filter_map(|rest| rest.strip_prefix('"'));
        quoted
            .map(|rest| rest.split('"').next().unwrap_or_default())
            .filter(|n| is_name(n))
            .collect()
    }

    fn is_name(text: &str) -> bool {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    }
}
