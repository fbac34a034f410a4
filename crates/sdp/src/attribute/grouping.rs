//! `mid` and `group` (RFC 5888), `bundle-only` (RFC 9143).

use super::cursor::{Cursor, is_token};
use super::{Attribute, property};
use crate::error::ValueError;
use core::fmt;

/// RFC 5888 section 4: the name of one section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mid<'a>(pub &'a str);

impl<'a> Attribute<'a> for Mid<'a> {
    const NAME: &'static str = "mid";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 5888 section 4");
        let mid = cursor.token("an identification tag")?;
        cursor.done()?;
        Ok(Mid(mid))
    }
}

impl fmt::Display for Mid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mid:{}", self.0)
    }
}

/// RFC 5888 section 5: sections that belong together, and in which sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group<'a> {
    /// `BUNDLE` (RFC 9143), `LS`, `FID`, ...
    pub semantics: &'a str,
    /// The tags, separated by single spaces; may be empty.
    pub tags: &'a str,
}

impl<'a> Group<'a> {
    /// The tags one by one, in order.
    pub fn mids(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.tags.split(' ').filter(|tag| !tag.is_empty())
    }
}

impl<'a> Attribute<'a> for Group<'a> {
    const NAME: &'static str = "group";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 5888 section 5");
        let semantics = cursor.token("the semantics of a group")?;
        if cursor.is_done() {
            return Ok(Group { semantics, tags: "" });
        }
        cursor.space()?;
        let tags = cursor.rest();
        // Firefox once wrote a trailing space after an empty list: nothing between spaces is nothing.
        match tags.bytes().position(|octet| octet != b' ' && !is_token(octet)) {
            Some(at) => {
                Err(ValueError::new(cursor.offset() + at, "an identification tag", "RFC 5888 section 5"))
            }
            None => Ok(Group { semantics, tags }),
        }
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group:{}", self.semantics)?;
        if self.tags.is_empty() { Ok(()) } else { write!(f, " {}", self.tags) }
    }
}

property!(
    /// RFC 9143 section 6: this section exists only inside its bundle, so port 0 does not reject it.
    BundleOnly,
    "bundle-only",
    "RFC 9143 section 6"
);
