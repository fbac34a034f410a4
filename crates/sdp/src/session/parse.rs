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

/// Where a type of line stands at the session level; lines of one rank may alternate. The grammar has `c= b= t=` in that
/// order; the examples of RFC 3264 section 10 have `t=` before `c=`, and so has gear that was built after them.
fn session_rank(kind: u8) -> Option<u8> {
    Some(match kind {
        b'v' => 0,
        b'o' => 1,
        b's' => 2,
        b'i' => 3,
        b'u' => 4,
        b'e' => 5,
        b'p' => 6,
        b'c' | b'b' | b't' | b'r' | b'z' => 7,
        b'k' => 8,
        b'a' => 9,
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
    /// The rank of the last line.
    rank: u8,
    /// One bit for each type of line seen at the session level, `a` being bit 0.
    seen: u32,
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
            seen: 0,
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
        let kind = line.kind();
        let unexpected = |expected| error(line, 0, expected, ORDER);
        let rank = session_rank(kind).ok_or_else(|| unexpected("a type of line that RFC 8866 knows"))?;
        match self.missing() {
            // Behind the times come `k=` and `a=`, so there the time is missing; before them it may yet come.
            Some((b't', _)) if rank <= 7 => {}
            Some((missing, expected)) if missing != kind => return Err(unexpected(expected)),
            _ => {}
        }
        let again = self.has(kind) && matches!(kind, b'v' | b'o' | b's' | b'i' | b'u' | b'c' | b'k');
        if rank < self.rank || again {
            return Err(unexpected("the lines in the order v o s i u e p c b t r z k a"));
        }
        if matches!(kind, b'r' | b'z') && !self.has(b't') {
            return Err(unexpected("t= before r= and z="));
        }
        self.rank = rank;
        self.seen |= 1 << (kind - b'a');
        Ok(())
    }

    fn has(&self, kind: u8) -> bool {
        self.seen & (1 << kind.saturating_sub(b'a')) != 0
    }

    /// The first line that every description has and this one has not yet.
    fn missing(&self) -> Option<(u8, &'static str)> {
        const REQUIRED: [(u8, &str); 4] = [
            (b'v', "v=, the first line"),
            (b'o', "o=, the line after v="),
            (b's', "s=, the line after o="),
            (b't', "t=, which every description has"),
        ];
        REQUIRED.into_iter().find(|(kind, _)| !self.has(*kind))
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
        match self.missing() {
            Some((_, expected)) => Err(error(line, 0, expected, ORDER)),
            None => Ok(()),
        }
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
