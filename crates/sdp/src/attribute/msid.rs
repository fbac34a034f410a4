//! Which stream and track a section carries: `msid` (RFC 8830), and `msid-semantic` of its drafts.

use super::Attribute;
use super::cursor::Cursor;
use crate::error::ValueError;
use core::fmt;

/// RFC 8830 section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Msid<'a> {
    /// The stream; `-` for none.
    pub stream: &'a str,
    /// The track, where given. JSEP leaves it out and ignores it; browsers still write it.
    pub track: Option<&'a str>,
}

impl<'a> Attribute<'a> for Msid<'a> {
    const NAME: &'static str = "msid";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8830 section 2");
        // The grammar has 1 to 64 token characters; Firefox writes `{uuid}`, and braces are tokens.
        let stream = cursor.token("the identifier of a stream")?;
        let mut track = None;
        if cursor.take(b' ') && !cursor.is_done() {
            track = Some(cursor.token("the identifier of a track")?);
        }
        cursor.done()?;
        Ok(Msid { stream, track })
    }
}

impl fmt::Display for Msid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msid:{}", self.stream)?;
        self.track.map_or(Ok(()), |track| write!(f, " {track}"))
    }
}

/// `a=msid-semantic: WMS *`: the session-level half of the drafts before RFC 8830. Browsers write it and no one needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MsidSemantic<'a>(pub &'a str);

impl<'a> Attribute<'a> for MsidSemantic<'a> {
    const NAME: &'static str = "msid-semantic";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        match value.trim() {
            "" => Err(ValueError::new(0, "semantics", "draft-ietf-mmusic-msid-02 section 3")),
            _ => Ok(MsidSemantic(value)),
        }
    }
}

impl fmt::Display for MsidSemantic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msid-semantic:{}", self.0)
    }
}
