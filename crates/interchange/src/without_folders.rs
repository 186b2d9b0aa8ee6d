//! Texts that are handed on, without the folders of whoever trained: of an absolute path the last name alone.

use backburn_training::picture_names::FOLDER;

/// A word of a command: a path, a data set that is one, or a flag or setting with `=` and either of them.
pub(crate) fn word(word: &str) -> String {
    if is_absolute(word) {
        return last_name(word).to_owned();
    }
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    let path = value.strip_prefix(FOLDER).unwrap_or(value);
    let before = word.strip_suffix(path).unwrap_or_default();
    if is_absolute(path) { format!("{before}{}", last_name(path)) } else { word.to_owned() }
}

/// TOML, of which each string may be a path or a data set that is one.
pub(crate) fn toml(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['"', '\'', '#']) {
        let (before, from) = rest.split_at(start);
        written += before;
        let end = match from.chars().next() {
            // A comment, in which quotes are none.
            Some('#') => from.find('\n').unwrap_or(from.len()),
            Some(quote) => end_of_string(from, quote),
            None => from.len(),
        };
        let (token, after) = from.split_at(end);
        let inside = |quote: &str| token.strip_prefix(quote)?.strip_suffix(quote);
        let string = ["\"", "'"].into_iter().find_map(|quote| Some((quote, inside(quote)?)));
        match string {
            Some((quote, inside)) => written.extend([quote, &word(inside), quote]),
            None => written += token,
        }
        rest = after;
    }
    written + rest
}

/// A sentence, in which a path ends where there is a space; what follows it with a slash is taken for more of it.
pub(crate) fn sentence(text: &str) -> String {
    let mut is_path = false;
    let words = text.split(' ').map(|word| {
        let inside = word.trim_start_matches(['`', '"', '\'', '(']);
        is_path = is_absolute(inside) || (is_path && inside.contains(['/', '\\']));
        let (before, inside) = word.split_at(word.len() - inside.len());
        format!("{before}{}", if is_path { last_name(inside) } else { inside })
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The place behind the quote that ends the string at the beginning of `text`, or the end of the text.
fn end_of_string(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (place, character) in text.char_indices().skip(1) {
        if character == quote && !is_escaped {
            return place + character.len_utf8();
        }
        is_escaped = quote == '"' && character == '\\' && !is_escaped;
    }
    text.len()
}

/// Whether a path begins at a root, of this system or another.
fn is_absolute(path: &str) -> bool {
    let is_drive = match path.as_bytes() {
        [drive, b':', b'/' | b'\\', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    };
    is_drive || path.starts_with("\\\\") || (path.starts_with('/') && path.len() > 1)
}

fn last_name(path: &str) -> &str {
    let whole = path.trim_end_matches(['/', '\\']);
    whole.rsplit(['/', '\\']).next().unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_the_folders_of_absolute_paths_alone() {
        for (whole, expected) in [
            ("/home/me/my cats", "my cats"),
            ("/home/a=b/cats/", "cats"),
            ("--out=/home/me/runs/x", "--out=x"),
            ("init_from.file=/home/me/a.pt", "init_from.file=a.pt"),
            ("folder:/home/me/cats", "folder:cats"),
            (r"C:\Users\me\cats", "cats"),
            ("runs/x", "runs/x"),
            ("--fold", "--fold"),
            ("1/3", "1/3"),
            ("mnist", "mnist"),
            ("/", "/"),
        ] {
            assert_eq!(word(whole), expected, "{whole}");
        }
    }

    #[test]
    fn a_recipe_keeps_everything_else() {
        let recipe = "dataset = \"folder:/home/me/cats\" # it's \"/all/\" of it\n\
                      data_dir = '/data/it''s'\nratio = \"1/3\"\nnames = [\n    \"/a/b.npy\",\n]\n\
                      quoted = \"a \\\"/b/c\\\" d\"\n";
        let expected = "dataset = \"folder:cats\" # it's \"/all/\" of it\n\
                        data_dir = 'it''s'\nratio = \"1/3\"\nnames = [\n    \"b.npy\",\n]\n\
                        quoted = \"a \\\"/b/c\\\" d\"\n";
        assert_eq!(toml(recipe), expected);
        assert_eq!(toml("unended = \"/a/b"), "unended = \"/a/b");
    }

    #[test]
    fn a_sentence_keeps_its_words() {
        let found = sentence("/home/me/my cats/x.pictures: cut short; prepared anew (1/3)");
        assert_eq!(found, "my x.pictures: cut short; prepared anew (1/3)");
        assert_eq!(sentence("`/a/b` is read, c/d not"), "`b` is read, c/d not");
    }
}
