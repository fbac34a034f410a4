//! Reads lines in the order of RFC 8866 section 9 and keeps them.

use super::section::{Media, Section, StoredLine};
use super::{Session, fields};
use crate::attribute;
use crate::error::ParseError;
use crate::limits::{MAX_SECTION_LINES, MAX_SECTIONS};
use crate::view::{self, Line};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

const ORDER: &str = "RFC 8866 section 9";
const LIMIT: &str = "limit of this parser";

/// Where a type of line stands at the session level; lines of one rank may alternate.
fn session_rank(kind: u8) -> Option<u8> {
    Some(match kind {
        b'v' => 0,
        b'o' => 1,
        b's' => 2,
        b'i' => 3,
        b'u' => 4,
        b'e' => 5,
        b'p' => 6,
        b'c' => 7,
        b'b' => 8,
        b't' | b'r' | b'z' => 9,
        b'k' => 10,
        b'a' => 11,
        _ => return None,
    })
}

/// Where a type of line stands in a section, behind its `m=`.
fn media_rank(kind: u8) -> Option<u8> {
    Some(match kind {
        b'i' => 0,
        b'c' => 1,
        b'b' => 2,
        b'k' => 3,
        b'a' => 4,
        _ => return None,
    })
}

/// Attributes that a section has at most once (RFC 8829 sections 5.8.1 and 5.8.2): two credentials would be a riddle.
const SINGLE: [&str; 8] =
    ["mid", "ice-ufrag", "ice-pwd", "setup", "tls-id", "sctp-port", "max-message-size", "simulcast"];

pub(super) fn session(text: &str) -> Result<Session, ParseError> {
    let mut lines = view::lines(text)?;
    let source: Arc<str> = Arc::from(text);
    let mut reader = Reader::new(text, &source);
    for line in &mut lines {
        reader.line(line?)?;
    }
    reader.finish()
}

struct Reader<'a> {
    source: &'a Arc<str>,
    text: &'a str,
    header: Section,
    media: Vec<Media>,
    mids: BTreeSet<&'a str>,
    /// The rank of the last line; the session level needs 0, 1, 2 and 9 one by one.
    rank: u8,
    started: bool,
    /// One bit for each of [`SINGLE`] seen in this section.
    singles: u8,
    last: Option<Line<'a>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, source: &'a Arc<str>) -> Self {
        Reader {
            source,
            text,
            header: Section::default(),
            media: Vec::new(),
            mids: BTreeSet::new(),
            rank: 0,
            started: false,
            singles: 0,
            last: None,
        }
    }

    fn line(&mut self, line: Line<'a>) -> Result<(), ParseError> {
        let kind = line.kind();
        if kind == b'm' {
            self.begin_section(line)?;
        } else if self.media.is_empty() {
            self.session_order(line)?;
        } else {
            self.media_order(line)?;
        }
        let in_section = self.media.last().map_or(self.header.len(), |media| media.len());
        if in_section >= MAX_SECTION_LINES {
            return Err(error(line, 0, "no more than 2048 lines in a section", LIMIT));
        }
        self.check(line)?;
        let stored = self.store(line);
        match self.media.last_mut() {
            _ if kind == b'm' => self.media.push(Media::with_first_line(stored)),
            Some(media) => media.push_stored(stored),
            None => self.header.push_stored(stored),
        }
        self.last = Some(line);
        Ok(())
    }

    fn session_order(&mut self, line: Line<'a>) -> Result<(), ParseError> {
        let unexpected = |expected| error(line, 0, expected, ORDER);
        let rank =
            session_rank(line.kind()).ok_or_else(|| unexpected("a type of line that RFC 8866 knows"))?;
        let required = match (self.started, self.rank) {
            (false, _) => Some((0, "v=, the first line")),
            (true, 0) => Some((1, "o=, the line after v=")),
            (true, 1) => Some((2, "s=, the line after o=")),
            (true, 2..=8) if rank > 9 => Some((9, "t=, which every description has")),
            _ => None,
        };
        if let Some((_, expected)) = required.filter(|(required, _)| *required != rank) {
            return Err(unexpected(expected));
        }
        let again = self.started
            && rank == self.rank
            && matches!(line.kind(), b'v' | b'o' | b's' | b'i' | b'u' | b'c' | b'k');
        if rank < self.rank || again {
            return Err(unexpected("the lines in the order v o s i u e p c b t r z k a"));
        }
        if rank == 9 && self.rank != 9 && line.kind() != b't' {
            return Err(unexpected("t= before r= and z="));
        }
        self.rank = rank;
        self.started = true;
        Ok(())
    }

    fn media_order(&mut self, line: Line<'a>) -> Result<(), ParseError> {
        let expected = "the lines of a section in the order m i c b k a";
        match media_rank(line.kind()) {
            Some(rank) if rank >= self.rank => {
                self.rank = rank;
                Ok(())
            }
            _ => Err(error(line, 0, expected, ORDER)),
        }
    }

    fn begin_section(&mut self, line: Line<'a>) -> Result<(), ParseError> {
        self.require_header(line)?;
        if self.media.len() >= MAX_SECTIONS {
            return Err(error(line, 0, "no more than 1024 sections", LIMIT));
        }
        self.rank = 0;
        self.singles = 0;
        Ok(())
    }

    /// Before the first section, and at the end: has the session level what it must have?
    fn require_header(&self, line: Line<'a>) -> Result<(), ParseError> {
        if !self.media.is_empty() {
            return Ok(());
        }
        let expected = match (self.started, self.rank) {
            (false, _) => "v=, the first line",
            (true, 0) => "o=, the line after v=",
            (true, 1) => "s=, the line after o=",
            (true, 2..=8) => "t=, which every description has",
            _ => return Ok(()),
        };
        Err(error(line, 0, expected, ORDER))
    }

    fn check(&mut self, line: Line<'a>) -> Result<(), ParseError> {
        let Some((name, value)) = line.attribute() else {
            return fields::check(line.kind(), line.value())
                .map_err(|fault| error(line, 2 + fault.offset, fault.expected, fault.clause));
        };
        // `a=` is 2 octets, the colon one.
        let value_at = 2 + name.len() + 1;
        if name.is_empty() {
            return Err(error(line, 2, "the name of an attribute", "RFC 8866 section 5.13"));
        }
        attribute::check(name, value)
            .map_err(|fault| error(line, value_at + fault.offset, fault.expected, fault.clause))?;
        if let Some(bit) = SINGLE.iter().position(|single| *single == name) {
            let bit = 1_u8 << bit;
            if self.singles & bit != 0 {
                return Err(error(line, 2, "this attribute once in a section", "RFC 8829 section 5.8"));
            }
            self.singles |= bit;
        }
        if name == "mid" && !self.mids.insert(value) {
            return Err(error(line, value_at, "a mid that no other section has", "RFC 5888 section 4"));
        }
        Ok(())
    }

    fn store(&self, line: Line<'a>) -> StoredLine {
        // Both are parts of one text of at most `MAX_BYTES`, so the distance fits.
        let start = (line.text.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize) as u32;
        StoredLine::of(self.source, start..start + line.text.len() as u32, line.ending)
    }

    fn finish(self) -> Result<Session, ParseError> {
        match self.last {
            Some(line) => self.require_header(Line { number: line.number, ..line })?,
            None => return Err(ParseError::at(1, "", 0, "v=, the first line", ORDER)),
        }
        Ok(Session { header: self.header, media: self.media })
    }
}

fn error(line: Line<'_>, offset: usize, expected: &'static str, clause: &'static str) -> ParseError {
    ParseError::at(line.number, line.text, offset, expected, clause)
}
