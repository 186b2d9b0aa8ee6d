//! How many of something there are, in words.

/// So many of what `one` is called, whose plural ends in s: `1 image`, `12 images`.
pub(crate) fn counted(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_stands_in_the_singular() {
        assert_eq!([0, 1, 12].map(|it| counted(it, "image")), ["0 images", "1 image", "12 images"]);
    }
}
