//! How commands are named in what people read: as they are typed.
//!
//! The texts of all crates write `cargo xtask train …`, which is typed in a clone of the sources. A program that is
//! installed says once, at its start, what it is called; texts pass through [`as_typed`] where they are printed, and
//! pages where they are written.

use std::borrow::Cow;
use std::sync::OnceLock;

/// How the texts of all crates begin a command that they advise.
pub const IN_TEXTS: &str = "cargo xtask";

static TYPED: OnceLock<&'static str> = OnceLock::new();

/// Says what is typed to start this program. The first call holds for the process.
pub fn set(typed: &'static str) {
    let _ = TYPED.set(typed);
}

/// A text with its commands as this program's user types them.
pub fn as_typed(text: &str) -> Cow<'_, str> {
    named(text, TYPED.get().copied().unwrap_or(IN_TEXTS))
}

/// A command has a verb or a flag behind its name; `cargo xtask` alone, or with `…`, is the one of a clone, whatever the
/// program is called.
fn named<'a>(text: &'a str, typed: &str) -> Cow<'a, str> {
    if typed == IN_TEXTS || !text.contains(IN_TEXTS) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(IN_TEXTS);
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let next = part.strip_prefix(' ').and_then(|rest| rest.chars().next());
        let is_command = next.is_some_and(|next| next.is_ascii_lowercase() || next == '-');
        named += if is_command { typed } else { IN_TEXTS };
        named += part;
    }
    Cow::Owned(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_advised_as_it_is_typed() {
        let text = "not here: cargo xtask data fetch mnist, or `cargo xtask train digits`";
        let installed = "not here: backburn data fetch mnist, or `backburn train digits`";
        assert_eq!(named(text, "backburn"), installed);
        assert_eq!(named(text, IN_TEXTS), text);
        assert_eq!(as_typed(text), text);
    }

    #[test]
    fn what_only_a_clone_has_keeps_its_name() {
        for text in ["`cargo xtask … --backend cuda` builds it", "`cargo xtask` builds it"] {
            assert_eq!(named(text, "backburn"), text);
        }
    }
}
