//! Walking over attributes (RFC 8489 section 14).
//!
//! ```text
//!  0       2       4                4 + length   next multiple of 4
//! +-------+-------+----------------+------------+
//! | type  | length| value          | padding    |
//! +-------+-------+----------------+------------+
//! ```

use core::iter::FusedIterator;

use crate::{
    attribute::AttributeType,
    message::{HEADER_LEN, Message, ParseError, ParseErrorReason},
};

/// An attribute, unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawAttribute<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value, without padding.
    pub value: &'a [u8],
    /// Octets from the front of the message to its header.
    pub offset: usize,
}

/// The walk from header to header, checking that each attribute lies within the message, whose length is a multiple of
/// four already.
pub(super) struct Walk<'a> {
    octets: &'a [u8],
    at: usize,
}
impl<'a> Walk<'a> {
    #[inline]
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: HEADER_LEN }
    }
    /// The kind and the offset of the next attribute.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<(AttributeType, usize)>, ParseError> {
        let offset = self.at;
        let rest = self.octets.get(offset..).unwrap_or_default();
        let Some(&[t0, t1, l0, l1]) = rest.first_chunk() else { return Ok(None) };
        let whole = 4 + usize::from(u16::from_be_bytes([l0, l1])).next_multiple_of(4);
        // What is left is a multiple of four too, so where the value fits its padding does.
        if whole > rest.len() {
            return Err(ParseError { offset, reason: ParseErrorReason::AttributeBeyondMessage });
        }
        self.at = offset + whole;
        Ok(Some((AttributeType(u16::from_be_bytes([t0, t1])), offset)))
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
        let mut walk = Walk { octets, at: self.at };
        // These octets have been walked over before, so there is no error left to meet.
        let (kind, offset) = walk.advance().ok()??;
        let (_, value) = self.message.end(offset as u32)?;
        self.at = walk.at;
        if offset >= self.message.covered() {
            // Behind message integrity only what ends the message counts: go from one to the next.
            let rest = [ends.integrity, ends.integrity_sha256, ends.fingerprint].map(|end| end as usize);
            self.at = rest.into_iter().filter(|&end| end > offset).min().unwrap_or(octets.len());
        }
        Some(RawAttribute { kind, value, offset })
    }
}
impl FusedIterator for Attributes<'_> {}
