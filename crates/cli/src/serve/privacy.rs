//! What a log may say of people: where they are and what they are called is theirs.
//!
//! By default a word stands for each address and name, made with a key that is drawn at the start: the lines of one client can
//! be told from another's, and nobody can be found by them. Passwords and secrets have no way here at all.

use std::{
    fmt::Display,
    hash::{BuildHasher as _, RandomState},
};

/// Says addresses and names as they may be said.
#[derive(Clone, Debug)]
pub(super) struct Privacy {
    /// None: everything is said as it is.
    key: Option<RandomState>,
}

impl Privacy {
    pub(super) fn new(shows_all: bool) -> Self {
        Self { key: (!shows_all).then(RandomState::new) }
    }

    /// An address or a name. It may come from outside, so it stays on one line.
    pub(super) fn say(&self, what: &impl Display) -> String {
        let text = what.to_string();
        match &self.key {
            None => text.escape_debug().to_string(),
            Some(key) => format!("~{:08x}", key.hash_one(&text) >> 32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_of_the_same_and_nothing_of_it() {
        let (one, other) = (Privacy::new(false), Privacy::new(false));
        let said = one.say(&"alice");
        assert_eq!(said, one.say(&"alice"));
        assert_ne!(said, one.say(&"bob"));
        assert_ne!(said, other.say(&"alice"), "after another start it is another word");
        assert!(said.len() == 9 && !said.contains("alice"));
    }

    #[test]
    fn names_from_outside_stay_on_one_line() {
        assert_eq!(Privacy::new(true).say(&"a\n\u{1b}[2Jb\u{202e}"), "a\\n\\u{1b}[2Jb\\u{202e}");
    }
}
