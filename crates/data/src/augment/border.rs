//! What lies beyond the edge of an image.

/// What is seen beyond the edge of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Border {
    /// Black.
    #[default]
    Zero,
    /// The image mirrored at its edge pixels, which are not repeated: `3 2 1 | 1` is wrong,
    /// `3 2 | 1 2 3` is right, as NumPy's and torchvision's `reflect`.
    Reflect,
}

impl Border {
    /// Cuts `:zero` or `:reflect` off the end of options; without either the border is black.
    pub(super) fn split_from(options: &str) -> (&str, Self) {
        match options.strip_suffix(":reflect") {
            Some(rest) => (rest, Self::Reflect),
            None => (options.strip_suffix(":zero").unwrap_or(options), Self::Zero),
        }
    }

    /// What [`split_from`](Self::split_from) cuts off, at its shortest.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Zero => "",
            Self::Reflect => ":reflect",
        }
    }

    /// Which of `length` pixels in a line shows at position `at`; `None` means black.
    pub fn source(self, at: i32, length: usize) -> Option<usize> {
        if let Ok(inside) = usize::try_from(at)
            && inside < length
        {
            return Some(inside);
        }
        match self {
            Self::Zero => None,
            // Forth and back again: `1 2 3 2 | 1 2 3 2 | …`
            Self::Reflect => {
                let last = length.checked_sub(1)? as i32;
                let place = at.rem_euclid((2 * last).max(1));
                Some(place.min(2 * last - place).max(0) as usize)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reflected_line_runs_forth_and_back_and_does_not_repeat_its_ends() {
        let seen = |length| (-5..8).map(move |at| Border::Reflect.source(at, length).unwrap());
        assert_eq!(seen(3).collect::<Vec<_>>(), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert!(seen(1).all(|place| place == 0));
    }

    #[test]
    fn beyond_a_black_border_there_is_nothing() {
        let seen: Vec<_> = (-1..3).map(|at| Border::Zero.source(at, 2)).collect();
        assert_eq!(seen, [None, Some(0), Some(1), None]);
    }
}
