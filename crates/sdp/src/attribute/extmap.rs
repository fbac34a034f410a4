//! RTP header extensions: RFC 8285.

use super::cursor::Cursor;
use super::format::Direction;
use super::{Attribute, property};
use crate::error::ValueError;
use core::fmt;

/// RFC 8285 section 8: which number stands for which header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtMap<'a> {
    /// 1 to 14 in one-byte headers, up to 255 in two-byte headers, 4096 to 4351 for offers that exceed those
    /// (RFC 8285 sections 4.2, 4.3 and 8).
    pub id: u16,
    /// In which direction, where that is said.
    pub direction: Option<Direction>,
    /// What the extension is.
    pub uri: &'a str,
    /// What the extension wants to know, may be empty.
    pub attributes: &'a str,
}

impl<'a> Attribute<'a> for ExtMap<'a> {
    const NAME: &'static str = "extmap";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8285 section 8");
        const ID: &str = "an extension number: 1 to 255, or 4096 to 4351";
        let start = cursor;
        let id = cursor.number(4351, ID)? as u16;
        if !matches!(id, 1..=255 | 4096..=4351) {
            return Err(start.error(ID));
        }
        let mut direction = None;
        if cursor.take(b'/') {
            let start = cursor;
            let word = cursor.token("a direction")?;
            direction = Some(Direction::from_name(word).ok_or_else(|| start.error("a direction"))?);
        }
        cursor.space()?;
        let uri = cursor.word(|octet| octet.is_ascii_graphic(), &[], "the URI of a header extension")?;
        let attributes = if cursor.take(b' ') { cursor.rest() } else { "" };
        Ok(ExtMap { id, direction, uri, attributes })
    }
}

impl fmt::Display for ExtMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "extmap:{}", self.id)?;
        if let Some(direction) = self.direction {
            write!(f, "/{direction}")?;
        }
        write!(f, " {}", self.uri)?;
        if self.attributes.is_empty() { Ok(()) } else { write!(f, " {}", self.attributes) }
    }
}

property!(
    /// RFC 8285 section 6: one- and two-byte headers may alternate in one stream.
    ExtMapAllowMixed,
    "extmap-allow-mixed",
    "RFC 8285 section 6"
);
