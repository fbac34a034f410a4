//! Reads a value from left to right and knows where it is, so that an error can say so.

use crate::error::ValueError;

/// RFC 8866 section 9: `token-char`.
pub(super) fn is_token(octet: u8) -> bool {
    matches!(octet, 0x21 | 0x23..=0x27 | 0x2A | 0x2B | 0x2D | 0x2E | 0x30..=0x39 | 0x41..=0x5A | 0x5E..=0x7E)
}

/// RFC 8839 section 5.1: `ice-char`.
pub(super) fn is_ice_char(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'+' || octet == b'/'
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    clause: &'static str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, clause: &'static str) -> Self {
        Cursor { text, at: 0, clause }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(super) fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn error(&self, expected: &'static str) -> ValueError {
        ValueError::new(self.at, expected, self.clause)
    }

    /// Up to the first octet that `stop` accepts, which stays.
    pub(super) fn until(&mut self, stop: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        // `stop` only ever accepts ASCII, so the position is a character boundary.
        let end = rest.bytes().position(stop).unwrap_or(rest.len());
        crate::steps::note(end);
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    /// A word: one or more octets of `allowed`, and then a space, one of `after`, or the end.
    pub(super) fn word(
        &mut self,
        allowed: impl Fn(u8) -> bool,
        after: &[u8],
        expected: &'static str,
    ) -> Result<&'a str, ValueError> {
        let start = *self;
        let word = self.until(|octet| octet == b' ' || after.contains(&octet));
        match word.bytes().position(|octet| !allowed(octet)) {
            Some(at) => Err(ValueError::new(start.at + at, expected, self.clause)),
            None if word.is_empty() => Err(start.error(expected)),
            None => Ok(word),
        }
    }

    pub(super) fn token(&mut self, expected: &'static str) -> Result<&'a str, ValueError> {
        self.word(is_token, &[], expected)
    }

    /// Decimal digits, at most ten, as a number of at most `max`.
    pub(super) fn number(&mut self, max: u64, expected: &'static str) -> Result<u64, ValueError> {
        let start = *self;
        let digits = self.until(|octet| !octet.is_ascii_digit());
        let fits = !digits.is_empty() && digits.len() <= 20;
        match digits.parse::<u64>() {
            Ok(number) if fits && number <= max => Ok(number),
            _ => Err(start.error(expected)),
        }
    }

    pub(super) fn skip(&mut self, octet: u8, expected: &'static str) -> Result<(), ValueError> {
        if self.take(octet) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Steps over `octet` if it is next.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        let found = self.text.as_bytes().get(self.at) == Some(&octet);
        self.at += usize::from(found);
        found
    }

    pub(super) fn space(&mut self) -> Result<(), ValueError> {
        self.skip(b' ', "a space")
    }

    pub(super) fn done(&self) -> Result<(), ValueError> {
        if self.is_done() { Ok(()) } else { Err(self.error("the end of the line")) }
    }

    /// Where it stands, in octets.
    pub(super) fn offset(&self) -> usize {
        self.at
    }
}
