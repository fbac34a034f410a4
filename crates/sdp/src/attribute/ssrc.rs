//! Sources: `ssrc` and `ssrc-group` (RFC 5576).

use super::Attribute;
use super::cursor::Cursor;
use crate::error::ValueError;
use core::fmt;

/// RFC 5576 section 4.1: an attribute of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ssrc<'a> {
    /// The source.
    pub ssrc: u32,
    /// `cname`, `msid`, ...; empty where the line names the source only.
    pub name: &'a str,
    /// Its value, may be empty.
    pub value: &'a str,
}

const MAX: u64 = u32::MAX as u64;

impl<'a> Attribute<'a> for Ssrc<'a> {
    const NAME: &'static str = "ssrc";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 5576 section 4.1");
        let ssrc = cursor.number(MAX, "an SSRC, 0 to 4294967295")? as u32;
        if cursor.is_done() {
            return Ok(Ssrc { ssrc, name: "", value: "" });
        }
        cursor.space()?;
        let name = cursor.word(super::cursor::is_token, b":", "the name of a source attribute")?;
        let value = if cursor.take(b':') {
            cursor.rest()
        } else {
            cursor.done()?;
            ""
        };
        Ok(Ssrc { ssrc, name, value })
    }
}

impl fmt::Display for Ssrc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ssrc:{}", self.ssrc)?;
        match (self.name, self.value) {
            ("", _) => Ok(()),
            (name, "") => write!(f, " {name}"),
            (name, value) => write!(f, " {name}:{value}"),
        }
    }
}

/// RFC 5576 section 4.2: sources that belong together: `FID` (a stream and its retransmission), `SIM`, `FEC-FR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SsrcGroup<'a> {
    /// In which sense.
    pub semantics: &'a str,
    sources: &'a str,
}

impl<'a> SsrcGroup<'a> {
    /// The sources, in order.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.sources.split(' ').filter_map(|ssrc| ssrc.parse().ok())
    }
}

impl<'a> Attribute<'a> for SsrcGroup<'a> {
    const NAME: &'static str = "ssrc-group";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 5576 section 4.2");
        let semantics = cursor.token("the semantics of a group")?;
        let sources = cursor.rest().trim();
        while cursor.take(b' ') && !cursor.is_done() {
            cursor.number(MAX, "an SSRC, 0 to 4294967295")?;
        }
        cursor.done()?;
        Ok(SsrcGroup { semantics, sources })
    }
}

impl fmt::Display for SsrcGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ssrc-group:{}", self.semantics)?;
        if self.sources.is_empty() { Ok(()) } else { write!(f, " {}", self.sources) }
    }
}
