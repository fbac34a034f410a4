//! A whole description: lines kept as they came, read and changed through types.
//!
//! A [`Session`] holds its text once and a list of lines into it. Nothing is lost and nothing is rewritten: what was
//! parsed and not touched is written back octet by octet, unknown lines and line endings included. Types are lenses on
//! that text ([`crate::attribute`]), so reading a session as types allocates nothing, and parsing one allocates once
//! for the text and once for each section.
//!
//! Order and grammar of the lines are RFC 8866 section 9; the values that JSEP uses are checked as the text comes in
//! (RFC 8829 section 5.8: what cannot be parsed is refused, not guessed).

use crate::error::{ParseError, ValueError};
use crate::limits::MAX_LINE;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

mod fields;
mod parse;
mod section;
#[cfg(test)]
mod tests;

pub use fields::{Bandwidth, MediaLine, Origin};
pub use section::{Media, Section};

/// A session description.
///
/// ```
/// use ginnel_sdp::Session;
/// use ginnel_sdp::attribute::{IceUfrag, Mid, SctpPort};
/// let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
///     m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
///     a=mid:0\r\na=ice-ufrag:evtj\r\na=x-unknown:kept\r\na=sctp-port:5000\r\n";
/// let mut session = Session::parse(text).unwrap();
/// assert_eq!(session.to_string(), text);
///
/// let media = &session.media()[0];
/// assert_eq!(media.line().media, "application");
/// assert_eq!(media.get::<Mid>(), Some(Mid("0")));
/// assert_eq!(media.get::<SctpPort>(), Some(SctpPort(5000)));
///
/// session.media_mut()[0].set(&IceUfrag("8hhY"));
/// assert_eq!(session.to_string(), text.replace("evtj", "8hhY"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    header: Section,
    media: Vec<Media>,
}

impl Session {
    /// Reads a description: checks order and grammar, keeps every octet. Linear in the length of the text.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::session(text)
    }

    /// The shortest description: `v=`, `o=`, `s=-`, `t=0 0` (RFC 8829 section 5.2.1), without sections.
    ///
    /// ```
    /// use ginnel_sdp::{Origin, Session};
    /// let session = Session::new(&Origin::of_session(4962303333179871722, 1));
    /// assert_eq!(session.to_string(), "v=0\r\no=- 4962303333179871722 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
    /// ```
    #[must_use]
    pub fn new(origin: &Origin<'_>) -> Self {
        let mut header = Section::default();
        header.push_line("v=0");
        header.push_line(&alloc::format!("o={origin}"));
        header.push_line("s=-");
        header.push_line("t=0 0");
        Session { header, media: Vec::new() }
    }

    /// The session level: everything before the first `m=`.
    #[must_use]
    pub fn header(&self) -> &Section {
        &self.header
    }

    /// The session level, to change it.
    pub fn header_mut(&mut self) -> &mut Section {
        &mut self.header
    }

    /// The `m=` sections, in order.
    #[must_use]
    pub fn media(&self) -> &[Media] {
        &self.media
    }

    /// The `m=` sections, to change them.
    pub fn media_mut(&mut self) -> &mut [Media] {
        &mut self.media
    }

    /// Appends a section.
    pub fn push_media(&mut self, media: Media) {
        self.media.push(media);
    }

    /// The `o=` line. A parsed or built session has one.
    #[must_use]
    pub fn origin(&self) -> Option<Origin<'_>> {
        self.header.line_value(b'o').and_then(|value| Origin::parse(value).ok())
    }

    /// Appends the text to `out`; allocates only if `out` has no room.
    pub fn write_to(&self, out: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = self.write(out);
    }

    /// Writes the text.
    pub fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let sections = core::iter::once(&self.header).chain(self.media.iter().map(|media| &**media));
        let mut lines = sections.flat_map(Section::stored).peekable();
        while let Some(line) = lines.next() {
            out.write_str(line.text())?;
            out.write_str(line.ending(lines.peek().is_none()))?;
        }
        Ok(())
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl FromStr for Session {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Session::parse(text)
    }
}

/// Whether `line` may be put into a description by a caller: one line, of the right form, well formed if known.
fn check_new_attribute(name: &str, value: &str) -> Result<(), ValueError> {
    const CLAUSE: &str = "RFC 8866 section 9";
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':') {
        return Err(ValueError::new(0, "an attribute name", CLAUSE));
    }
    if let Some(at) = value.bytes().position(|octet| matches!(octet, 0 | b'\r' | b'\n')) {
        return Err(ValueError::new(at, "one line of text", CLAUSE));
    }
    if name.len() + value.len() + 3 > MAX_LINE {
        return Err(ValueError::new(0, "a line of at most 8 KiB", "limit of this crate"));
    }
    crate::attribute::check(name, value)
}
