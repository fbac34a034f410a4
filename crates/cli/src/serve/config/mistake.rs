//! A mistake in the configuration: what, where, and what to do.

use std::fmt;

use super::{file::Source, keys::KEYS};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: it is the default, or the whole is meant.
    Nowhere,
    Flag(String),
    Variable(String),
    /// Octets of the file.
    File(std::ops::Range<usize>),
}

/// What is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) place: Place,
    pub(crate) sentence: String,
}

impl Mistake {
    pub(crate) fn new(place: &Place, sentence: impl Into<String>) -> Self {
        Self { place: place.clone(), sentence: sentence.into() }
    }
}

/// How many are told at once: whoever gave another kind of file need not read all of it.
const TOLD_MAX: usize = 50;

/// All that was found, and the file to show the lines of.
#[derive(Debug)]
pub(crate) struct Mistakes {
    pub(crate) list: Vec<Mistake>,
    pub(crate) file: Option<Source>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.list.iter().take(TOLD_MAX).enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            match (&mistake.place, &self.file) {
                (Place::Flag(flag), _) => write!(f, "{flag}: {}", mistake.sentence)?,
                (Place::Variable(name), _) => write!(f, "{name}: {}", mistake.sentence)?,
                (Place::File(span), Some(file)) => file.point(f, span, &mistake.sentence)?,
                _ => f.write_str(&mistake.sentence)?,
            }
        }
        match self.list.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more mistakes"),
        }
    }
}

/// The key that was probably meant: the one that takes the fewest edits, if those are few for its length.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let near = KEYS.iter().map(|key| (distance(&name, key.name), key.name)).min()?;
    (near.0 <= 1 + name.len() / 3).then_some(near.1)
}

/// How many insertions, removals and replacements make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let here = (diagonal + usize::from(x != *y)).min(left + 1).min(above.saturating_add(1));
            row[j] = left;
            (diagonal, left) = (above, here);
        }
        row[b.len()] = left;
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_levenshteins() {
        for (a, b, d) in
            [("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (d, d), "{a} {b}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_names_the_key_that_was_meant() {
        for (typed, meant) in [
            ("lissten", "listen"),
            ("Realm", "realm"),
            ("deny_peer", "deny-peer"),
            ("max-alocations", "max-allocations"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(nearest("fingerprint-required"), None);
    }
}
