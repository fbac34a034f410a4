//! A description as its lines, borrowed and in order, without allocation (RFC 8866 section 5).
//!
//! The view knows what a line is and nothing of what lines mean: `<type>=<value>`, ended by CRLF or, as section 5 asks
//! of parsers, by LF alone. [`crate::Session`] adds order, grammar and types.

use crate::error::ParseError;
use crate::limits::{MAX_BYTES, MAX_LINE, MAX_LINES};

#[cfg(test)]
mod tests;

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// CR LF, as RFC 8866 section 5 has it.
    CrLf,
    /// LF alone, which parsers accept.
    Lf,
    /// The text ended first: only the last line can.
    Missing,
}

impl Ending {
    /// The octets of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Ending::CrLf => "\r\n",
            Ending::Lf => "\n",
            Ending::Missing => "",
        }
    }
}

/// One line of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line<'a> {
    /// The first line being 1.
    pub number: u32,
    /// The whole line without its ending.
    pub text: &'a str,
    /// How it ended.
    pub ending: Ending,
}

impl<'a> Line<'a> {
    /// The letter before the equals sign.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.text.as_bytes().first().copied().unwrap_or(0)
    }

    /// What follows the equals sign.
    #[must_use]
    pub fn value(&self) -> &'a str {
        self.text.get(2..).unwrap_or("")
    }

    /// Name and value of an `a=` line; the value of a property attribute (`a=rtcp-mux`) is empty.
    ///
    /// ```
    /// let mut lines = ginnel_sdp::view::lines("a=mid:0\r\na=rtcp-mux\r\n").unwrap();
    /// assert_eq!(lines.next().unwrap().unwrap().attribute(), Some(("mid", "0")));
    /// assert_eq!(lines.next().unwrap().unwrap().attribute(), Some(("rtcp-mux", "")));
    /// ```
    #[must_use]
    pub fn attribute(&self) -> Option<(&'a str, &'a str)> {
        split_attribute(self.text)
    }
}

/// `a=name:value` as (name, value).
pub(crate) fn split_attribute(line: &str) -> Option<(&str, &str)> {
    let text = line.strip_prefix("a=")?;
    Some(text.split_once(':').unwrap_or((text, "")))
}

/// The lines of `text`, which may be at most [`MAX_BYTES`] long.
pub fn lines(text: &str) -> Result<Lines<'_>, ParseError> {
    if text.len() > MAX_BYTES {
        let excerpt = text.lines().next().unwrap_or("");
        return Err(ParseError::at(1, excerpt, 0, "a description of at most 1 MiB", "limit of this parser"));
    }
    Ok(Lines { rest: text, number: 0 })
}

/// Yields the lines of a description, and stops after the first error.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a str,
    number: u32,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let (text, ending, rest) = match self.rest.split_once('\n') {
            Some((line, rest)) => match line.strip_suffix('\r') {
                Some(line) => (line, Ending::CrLf, rest),
                None => (line, Ending::Lf, rest),
            },
            None => (self.rest, Ending::Missing, ""),
        };
        crate::steps::note(text.len());
        self.rest = rest;
        let line = Line { number: self.number, text, ending };
        Some(check(line).inspect_err(|_| self.rest = ""))
    }
}

fn check(line: Line<'_>) -> Result<Line<'_>, ParseError> {
    const CLAUSE: &str = "RFC 8866 section 5";
    const LIMIT: &str = "limit of this parser";
    let Line { number, text, .. } = line;
    if number as usize > MAX_LINES {
        return Err(ParseError::at(number, text, 0, "no more than 20000 lines", LIMIT));
    }
    if text.len() > MAX_LINE {
        return Err(ParseError::at(
            number,
            text,
            floor_boundary(text, MAX_LINE),
            "a line of at most 8 KiB",
            LIMIT,
        ));
    }
    if !matches!(text.as_bytes(), [kind, b'=', ..] if kind.is_ascii_lowercase()) {
        return Err(ParseError::at(number, text, 0, "a line of the form <letter>=<value>", CLAUSE));
    }
    if let Some(at) = text.bytes().position(|octet| octet == 0 || octet == b'\r') {
        return Err(ParseError::at(
            number,
            text,
            at,
            "no NUL and no bare CR in a line",
            "RFC 8866 section 9",
        ));
    }
    Ok(line)
}

/// The last character boundary at or before `at`.
fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
