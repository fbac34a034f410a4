//! What is wrong with a text, where, and which clause says so.
//!
//! A [`ValueError`] knows the place inside one attribute's value; the parser of whole descriptions adds line, column
//! and excerpt and makes a [`ParseError`] of it, which prints like a compiler's message.

use alloc::string::String;
use core::fmt;

/// A value that its grammar does not allow: where in the value, what belongs there, and which clause says so.
///
/// ```
/// use ginnel_sdp::attribute::{Attribute, RtpMap};
/// let error = RtpMap::parse("300 opus/48000/2").unwrap_err();
/// assert_eq!(error.to_string(), "expected a payload type, 0 to 127 (RFC 8866 section 6.6)");
/// assert_eq!(error.offset, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} ({clause})")]
#[non_exhaustive]
pub struct ValueError {
    /// Octets from the start of the value.
    pub offset: usize,
    /// What belongs there, as a noun phrase.
    pub expected: &'static str,
    /// The clause that says so.
    pub clause: &'static str,
}

impl ValueError {
    pub(crate) const fn new(offset: usize, expected: &'static str, clause: &'static str) -> Self {
        ValueError { offset, expected, clause }
    }
}

/// Why a text is no session description. The audience is whoever wrote the text: the peer, or its author.
///
/// `Display` is one sentence for a log. [`ParseError::report`] is a picture of the place, as a compiler draws it:
///
/// ```
/// let error = ginnel_sdp::Session::parse("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 nought\r\n").unwrap_err();
/// assert_eq!((error.line, error.column), (4, 5));
/// assert_eq!(
///     error.report().to_string(),
///     "error: expected a stop time, in decimal digits\n \
///       --> line 4, column 5\n  \
///        |\n\
///      4 | t=0 nought\n  \
///        |     ^\n  \
///        = RFC 8866 section 5.9\n"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected} ({clause})")]
#[non_exhaustive]
pub struct ParseError {
    /// The line, the first being 1.
    pub line: u32,
    /// The character in that line, the first being 1.
    pub column: u32,
    /// Part of the line around the place, at most [`EXCERPT`] characters, control characters replaced.
    pub excerpt: String,
    /// Where in the excerpt the place is, in characters, the first being 0.
    pub excerpt_column: usize,
    /// What belongs there.
    pub expected: &'static str,
    /// The clause that says so.
    pub clause: &'static str,
}

/// Characters of a line that an error quotes.
pub const EXCERPT: usize = 72;

impl ParseError {
    /// The error at octet `offset` of the line `text`.
    pub(crate) fn at(
        line: u32,
        text: &str,
        offset: usize,
        expected: &'static str,
        clause: &'static str,
    ) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let column = before.chars().count();
        // Keep two thirds of the excerpt before the place: what led up to it explains it.
        let skip = column.saturating_sub(EXCERPT * 2 / 3);
        let excerpt =
            text.chars().skip(skip).take(EXCERPT).map(|c| if c.is_control() { '\u{FFFD}' } else { c });
        ParseError {
            line,
            column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
            excerpt: excerpt.collect(),
            excerpt_column: column - skip,
            expected,
            clause,
        }
    }

    /// The place drawn under its line, in the manner of a compiler.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report(self)
    }
}

/// Prints a [`ParseError`] over several lines: what was expected, where, the line with a caret, the clause.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a>(&'a ParseError);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseError { line, column, excerpt, excerpt_column, expected, clause } = self.0;
        let width = line.checked_ilog10().unwrap_or(0) as usize + 1;
        writeln!(f, "error: expected {expected}")?;
        writeln!(f, "{:width$}--> line {line}, column {column}", "")?;
        writeln!(f, "{:width$} |", "")?;
        writeln!(f, "{line} | {excerpt}")?;
        writeln!(f, "{:width$} | {:excerpt_column$}^", "", "")?;
        writeln!(f, "{:width$} = {clause}", "")
    }
}
