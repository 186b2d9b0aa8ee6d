//! The order in which people count names: `2` before `10`.

use std::cmp::Ordering;
use std::path::Path;

/// Compares names as people do: a run of digits by its value, all else byte by byte. Names that are equal by that,
/// such as `1` and `01`, are told apart by their bytes, so that the order is the same wherever it is asked for.
pub(super) fn compare(left: &[u8], right: &[u8]) -> Ordering {
    by_value(left, right).then_with(|| left.cmp(right))
}

/// Compares paths folder by folder, each name by [`compare`].
pub(super) fn compare_paths(left: &Path, right: &Path) -> Ordering {
    let (mut lefts, mut rights) = (left.components(), right.components());
    loop {
        let (left, right) = match (lefts.next(), rights.next()) {
            (Some(left), Some(right)) => (left.as_os_str(), right.as_os_str()),
            (left, right) => return left.is_some().cmp(&right.is_some()),
        };
        let order = compare(left.as_encoded_bytes(), right.as_encoded_bytes());
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn by_value(mut left: &[u8], mut right: &[u8]) -> Ordering {
    loop {
        let order = match (left, right) {
            ([a, ..], [b, ..]) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (number, rest) = digits(left);
                let (other, other_rest) = digits(right);
                (left, right) = (rest, other_rest);
                number.len().cmp(&other.len()).then_with(|| number.cmp(other))
            }
            ([a, rest @ ..], [b, other_rest @ ..]) => {
                let order = a.cmp(b);
                (left, right) = (rest, other_rest);
                order
            }
            _ => return left.len().cmp(&right.len()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The digits that a name begins with, without leading zeros, and what follows them.
fn digits(name: &[u8]) -> (&[u8], &[u8]) {
    let end = name.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(name.len());
    let (mut number, rest) = name.split_at(end);
    while let [b'0', shorter @ ..] = number {
        number = shorter;
    }
    (number, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut names: Vec<&str>) -> Vec<&str> {
        names.sort_by(|a, b| compare(a.as_bytes(), b.as_bytes()));
        names
    }

    #[test]
    fn two_comes_before_ten() {
        assert_eq!(sorted(vec!["10", "9", "2", "1"]), ["1", "2", "9", "10"]);
        assert_eq!(sorted(vec!["a10b", "a2b", "a2", "a"]), ["a", "a2", "a2b", "a10b"]);
        let long = "100000000000000000000000000001";
        assert_eq!(sorted(vec![long, "99999999999999999999"]), ["99999999999999999999", long]);
    }

    #[test]
    fn names_of_one_value_are_told_apart_by_their_bytes() {
        assert_eq!(sorted(vec!["1", "001", "01"]), ["001", "01", "1"]);
        assert_eq!(compare(b"0", b""), Ordering::Greater);
        assert_eq!(compare(b"a0", b"a0"), Ordering::Equal);
    }

    #[test]
    fn the_order_is_one_whatever_it_is_given_in() {
        let names =
            ["", "0", "00", "a", "A", "a1", "a01", "a1b", "a01b", "1a", "1-", "-1", "é2", "é10"];
        for a in names {
            for b in names {
                assert_eq!(
                    compare(a.as_bytes(), b.as_bytes()),
                    compare(b.as_bytes(), a.as_bytes()).reverse()
                );
                assert_eq!(compare(a.as_bytes(), b.as_bytes()) == Ordering::Equal, a == b);
                for c in names {
                    let least =
                        |x: &str, y: &str| compare(x.as_bytes(), y.as_bytes()) != Ordering::Greater;
                    assert!(!(least(a, b) && least(b, c)) || least(a, c), "{a} {b} {c}");
                }
            }
        }
    }

    #[test]
    fn paths_are_compared_folder_by_folder() {
        let mut paths = vec!["a-b/1", "a/10", "a/2", "a/b/1", "a"];
        paths.sort_by(|a, b| compare_paths(Path::new(a), Path::new(b)));
        assert_eq!(paths, ["a", "a/2", "a/10", "a/b/1", "a-b/1"]);
    }
}
