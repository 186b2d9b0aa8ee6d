//! The name that somebody may have meant who mistyped it.

/// ` (did you mean `…`?)` with the known name that is nearest to `name`, or nothing where none is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = nearest(name, known);
    nearest.map_or_else(String::new, |known| format!(" (did you mean `{known}`?)"))
}

/// Letters of a name that are enough to be the beginning of another.
const BEGINNING: usize = 3;

/// The known name that is nearest to `name`, at most a third of its letters away, or else the shortest that begins with
/// it; `_` and `-` are the same here.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace('_', "-");
    let name = plain(name);
    let most = name.chars().count() / 3;
    let known: Vec<&str> = known.into_iter().collect();
    let distances = known.iter().map(|known| (distance(&name, &plain(known)), *known));
    let near = distances.filter(|(distance, _)| *distance <= most);
    let begun = || {
        let begun = known.iter().copied().filter(|known| plain(known).starts_with(&name));
        begun.filter(|_| name.chars().count() >= BEGINNING).min_by_key(|known| known.len())
    };
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known).or_else(begun)
}

/// Letters that are put in, left out, replaced, or exchanged with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // The row of the letter before last, and that of the last, for each beginning of the other word.
    let mut earlier: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut before = None;
    for letter in one.chars() {
        let mut row: Vec<usize> = Vec::with_capacity(last.len());
        let mut beside = None;
        for (place, above) in last.iter().enumerate() {
            let Some(at) = place.checked_sub(1) else {
                row.push(above + 1);
                continue;
            };
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let facing = other.get(at).copied();
            let replaced = get(&last, at) + usize::from(facing != Some(letter));
            let mut least = replaced.min(above + 1).min(get(&row, at) + 1);
            if beside == Some(letter) && facing == before {
                least = least.min(get(&earlier, place.saturating_sub(2)) + 1);
            }
            row.push(least);
            beside = facing;
        }
        earlier = std::mem::replace(&mut last, row);
        before = Some(letter);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (one, other, expected) in [
            ("kitten", "sitting", 3),
            ("dorpout", "dropout", 1),
            ("", "abc", 3),
            ("abc", "", 3),
            ("ca", "abc", 3),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(one, other), expected, "{one} and {other}");
        }
    }

    #[test]
    fn only_what_is_near_is_meant() {
        let known = ["mnist", "fashion-mnist", "learning-rate"];
        assert_eq!(nearest("minst", known), Some("mnist"));
        assert_eq!(nearest("learning_rate", known), Some("learning-rate"));
        assert_eq!(nearest("nothing", known), None);
        assert_eq!(did_you_mean("mnits", known), " (did you mean `mnist`?)");
        assert_eq!(did_you_mean("vgg", known), "");
        assert_eq!(
            did_you_mean("fash", ["fashion-mnist-plain", "fashion-mnist"]),
            " (did you mean `fashion-mnist`?)"
        );
        assert_eq!(did_you_mean("", ["mnist"]), "");
        // Of two letters, one is half of the name.
        assert_eq!(nearest("lr", ["l1", "l2"]), None);
    }
}
