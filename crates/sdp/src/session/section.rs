//! The lines of one level: the session's, or one `m=` section's.

use super::{MediaLine, check_new_attribute};
use crate::attribute::{Attribute, Direction};
use crate::error::ValueError;
use crate::view::{Ending, split_attribute};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut, Range};

/// One line: part of a text that all lines of a parsed session share, or a text of its own.
#[derive(Clone)]
pub(super) struct StoredLine {
    source: Arc<str>,
    range: Range<u32>,
    ending: Ending,
}

impl StoredLine {
    pub(super) fn of(source: &Arc<str>, range: Range<u32>, ending: Ending) -> Self {
        StoredLine { source: source.clone(), range, ending }
    }

    fn new(text: &str) -> Self {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        StoredLine { source: Arc::from(text), range: 0..len, ending: Ending::CrLf }
    }

    pub(super) fn text(&self) -> &str {
        self.source.get(self.range.start as usize..self.range.end as usize).unwrap_or("")
    }

    /// Its ending; a line that had none gets one as soon as another follows.
    pub(super) fn ending(&self, last: bool) -> &'static str {
        match self.ending {
            Ending::Missing if !last => Ending::CrLf.as_str(),
            ending => ending.as_str(),
        }
    }
}

impl PartialEq for StoredLine {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() && self.ending == other.ending
    }
}

impl Eq for StoredLine {}

impl fmt::Debug for StoredLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords do not reach logs through `Debug`.
        match split_attribute(self.text()) {
            Some(("ice-pwd", _)) => f.write_str("\"a=ice-pwd:..\""),
            _ => fmt::Debug::fmt(self.text(), f),
        }
    }
}

/// The lines of the session level, or of one section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    lines: Vec<StoredLine>,
}

impl Section {
    pub(super) fn stored(&self) -> impl Iterator<Item = &StoredLine> {
        self.lines.iter()
    }

    pub(super) fn push_stored(&mut self, line: StoredLine) {
        self.lines.push(line);
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn push_line(&mut self, line: &str) {
        self.lines.push(StoredLine::new(line));
    }

    /// The lines without their endings, in order.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(StoredLine::text)
    }

    /// Names and values of the attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines().inspect(|_| crate::steps::note(1)).filter_map(split_attribute)
    }

    /// What follows the equals sign in the first line `kind=`.
    #[must_use]
    pub fn line_value(&self, kind: u8) -> Option<&str> {
        self.lines().find(|line| line.as_bytes().first() == Some(&kind)).and_then(|line| line.get(2..))
    }

    /// The first attribute of a type.
    #[must_use]
    pub fn get<'a, A: Attribute<'a>>(&'a self) -> Option<A> {
        self.all().next()
    }

    /// All attributes of a type, in order.
    pub fn all<'a, A: Attribute<'a>>(&'a self) -> impl Iterator<Item = A> {
        self.attributes().filter(|(name, _)| *name == A::NAME).filter_map(|(_, value)| A::parse(value).ok())
    }

    /// Whether there is an attribute of a type.
    #[must_use]
    pub fn has<'a, A: Attribute<'a>>(&'a self) -> bool {
        self.get::<A>().is_some()
    }

    /// The direction, where one is said at this level.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.attributes().find_map(|(name, _)| Direction::from_name(name))
    }

    /// Appends an attribute.
    pub fn push<'a>(&mut self, attribute: &impl Attribute<'a>) {
        self.push_line(&format!("a={attribute}"));
    }

    /// Appends an attribute by name and value; an empty value makes a property attribute.
    pub fn push_attribute(&mut self, name: &str, value: &str) -> Result<(), ValueError> {
        check_new_attribute(name, value)?;
        let colon = if value.is_empty() { "" } else { ":" };
        self.push_line(&format!("a={name}{colon}{value}"));
        Ok(())
    }

    /// Puts an attribute where the first of its type was and removes the others; appends it if there was none.
    pub fn set<'a, A: Attribute<'a>>(&mut self, attribute: &A) {
        let is_same =
            |line: &StoredLine| split_attribute(line.text()).is_some_and(|(name, _)| name == A::NAME);
        match self.lines.iter().position(is_same) {
            None => self.push(attribute),
            Some(at) => {
                if let Some(line) = self.lines.get_mut(at) {
                    *line = StoredLine { ending: line.ending, ..StoredLine::new(&format!("a={attribute}")) };
                }
                let mut index = 0;
                self.lines.retain(|line| {
                    index += 1;
                    index <= at + 1 || !is_same(line)
                });
            }
        }
    }

    /// Removes all attributes `name`, and says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let before = self.lines.len();
        self.lines.retain(|line| split_attribute(line.text()).is_none_or(|(found, _)| found != name));
        before - self.lines.len()
    }

    /// Appends or replaces the direction.
    pub fn set_direction(&mut self, direction: Direction) {
        let text = format!("a={direction}");
        let is_direction = |line: &&mut StoredLine| {
            split_attribute(line.text()).is_some_and(|(name, _)| Direction::from_name(name).is_some())
        };
        match self.lines.iter_mut().find(is_direction) {
            Some(line) => *line = StoredLine { ending: line.ending, ..StoredLine::new(&text) },
            None => self.push_line(&text),
        }
    }
}

/// One `m=` section: a [`Section`] whose first line is the `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media(Section);

impl Media {
    /// A section with its `m=` line, and `c=IN IP4 0.0.0.0` (RFC 8829 section 5.2.1).
    ///
    /// ```
    /// use ginnel_sdp::Media;
    /// let media = Media::new("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel").unwrap();
    /// assert_eq!(media.lines().next(), Some("m=application 9 UDP/DTLS/SCTP webrtc-datachannel"));
    /// ```
    pub fn new(media: &str, port: u16, protocol: &str, formats: &str) -> Result<Self, ValueError> {
        let value = format!("{media} {port} {protocol} {formats}");
        if let Some(at) = value.bytes().position(|octet| octet.is_ascii_control()) {
            return Err(ValueError::new(at, "one line of text", "RFC 8866 section 9"));
        }
        MediaLine::parse(&value)?;
        let mut section = Section::default();
        section.push_line(&format!("m={value}"));
        section.push_line("c=IN IP4 0.0.0.0");
        Ok(Media(section))
    }

    pub(super) fn with_first_line(line: StoredLine) -> Self {
        Media(Section { lines: alloc::vec![line] })
    }

    /// The `m=` line.
    #[must_use]
    pub fn line(&self) -> MediaLine<'_> {
        let line = self.0.line_value(b'm').and_then(|value| MediaLine::parse(value).ok());
        // A `Media` is only made with a well-formed first line; the fallback is what an empty section would be.
        line.unwrap_or(MediaLine { media: "", port: 0, port_count: None, protocol: "", formats: "" })
    }

    /// Replaces the port on the `m=` line.
    pub fn set_port(&mut self, port: u16) {
        let text = format!("m={}", MediaLine { port, ..self.line() });
        if let Some(line) = self.0.lines.first_mut() {
            *line = StoredLine { ending: line.ending, ..StoredLine::new(&text) };
        }
    }

    /// Replaces the first `c=` line.
    pub(crate) fn set_connection(&mut self, address: core::net::IpAddr) {
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        let text = format!("c=IN {family} {address}");
        let found = self.0.lines.iter_mut().find(|line| line.text().starts_with("c="));
        if let Some(line) = found {
            *line = StoredLine { ending: line.ending, ..StoredLine::new(&text) };
        }
    }
}

impl Deref for Media {
    type Target = Section;

    fn deref(&self) -> &Section {
        &self.0
    }
}

impl DerefMut for Media {
    fn deref_mut(&mut self) -> &mut Section {
        &mut self.0
    }
}
