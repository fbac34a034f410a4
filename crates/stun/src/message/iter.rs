//! Walking over attributes (RFC 8489 section 14).
//!
//! ```text
//!  0       2       4                4 + length   next multiple of 4
//! +-------+-------+----------------+------------+
//! | type  | length| value          | padding    |
//! +-------+-------+----------------+------------+
//! ```

use core::{fmt, iter::FusedIterator};

use crate::{
    attribute::AttributeType,
    message::{HEADER_LEN, Message, ParseError, ParseErrorReason},
};

/// An attribute, unread.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawAttribute<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value, without padding.
    pub value: &'a [u8],
    /// Octets from the front of the message to its header.
    pub offset: usize,
}
impl fmt::Debug for RawAttribute<'_> {
    /// Without the value, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} octets, at {})", self.kind, self.value.len(), self.offset)
    }
}

/// The walk from header to header, checking that each attribute lies within the message, whose length is a multiple of
/// four already. What is left of the message shrinks from the front, so that the compiler needs one check for an attribute.
pub(super) struct Walk<'a> {
    rest: &'a [u8],
    len: usize,
}
/// RFC 8489 section 14: values are padded to a multiple of four octets.
#[inline]
pub(crate) const fn padded_len(value_len: usize) -> usize {
    // `next_multiple_of` compiles to a comparison and a choice besides.
    (value_len + 3) & !3
}
/// What a walk has come upon.
pub(super) struct Step<'a> {
    pub(super) kind: AttributeType,
    pub(super) value: &'a [u8],
    /// Octets from the front of the message to its header.
    pub(super) offset: usize,
}
impl<'a> Walk<'a> {
    #[inline]
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self::from(octets, HEADER_LEN)
    }
    /// A walk that goes on at `at`.
    #[inline]
    fn from(octets: &'a [u8], at: usize) -> Self {
        Self { rest: octets.get(at..).unwrap_or_default(), len: octets.len() }
    }
    /// Where the next attribute would begin.
    #[inline]
    pub(super) const fn at(&self) -> usize {
        self.len - self.rest.len()
    }
    /// The next attribute.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<Step<'a>>, ParseError> {
        let offset = self.at();
        let Some((&header, rest)) = self.rest.split_first_chunk() else { return Ok(None) };
        // Type and length in one load: the next header is known only after it.
        let header = u32::from_be_bytes(header);
        let (kind, len) = (AttributeType((header >> 16) as u16), (header & 0xFFFF) as usize);
        // What is left is a multiple of four too, so where the value fits its padding does.
        let Some((padded, rest)) = rest.split_at_checked(padded_len(len)) else {
            return Err(ParseError { offset, reason: ParseErrorReason::AttributeBeyondMessage });
        };
        self.rest = rest;
        Ok(Some(Step { kind, value: padded.get(..len).unwrap_or_default(), offset }))
    }
}

/// The attributes of a message, in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    message: Message<'a>,
    at: usize,
}
impl<'a> Attributes<'a> {
    pub(super) const fn new(message: Message<'a>) -> Self {
        Self { message, at: HEADER_LEN }
    }
}
impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;
    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        let Message { octets, ends, .. } = self.message;
        let mut walk = Walk::from(octets, self.at);
        // These octets have been walked over before, so there is no error left to meet.
        let Step { kind, value, offset } = walk.advance().ok()??;
        self.at = walk.at();
        if offset >= self.message.covered() {
            // Behind message integrity only what ends the message counts: go from one to the next.
            let rest = [ends.integrity, ends.integrity_sha256, ends.fingerprint].map(|end| end as usize);
            self.at = rest.into_iter().filter(|&end| end > offset).min().unwrap_or(octets.len());
        }
        Some(RawAttribute { kind, value, offset })
    }
}
impl FusedIterator for Attributes<'_> {}
