//! Paragraphs for a terminal.

/// A paragraph in lines of at most `width` characters, if its words allow; those after the first are indented by so many
/// spaces. Spaces before the first word are kept. It ends with a line break.
pub(crate) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines = vec![String::new()];
    let lead = text.chars().take_while(|c| *c == ' ').count();
    for word in text.split_whitespace() {
        let starts = lines.len() == 1 && lines.iter().all(String::is_empty);
        match lines.last_mut() {
            Some(line) if starts => *line = format!("{:lead$}{word}", ""),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{:indent$}{word}", "")),
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be_and_begin_where_they_should() {
        assert_eq!(wrapped("one two three", 7, 2), "one two\n  three\n");
        assert_eq!(wrapped("  1  one two", 6, 4), "  1\n    one\n    two\n");
        assert_eq!(wrapped("longer than that", 4, 0), "longer\nthan\nthat\n");
        assert_eq!(wrapped("", 4, 0), "\n");
    }
}
