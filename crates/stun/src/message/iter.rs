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
    message::{HEADER_LEN, ParseError, ParseErrorReason},
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

/// The checking walk, over octets that nobody has seen. The message length is a multiple of four already.
pub(super) struct Walk<'a> {
    octets: &'a [u8],
    at: usize,
}
impl<'a> Walk<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: HEADER_LEN }
    }
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<RawAttribute<'a>>, ParseError> {
        let offset = self.at;
        let rest = self.octets.get(offset..).unwrap_or_default();
        let Some((&[t0, t1, l0, l1], behind)) = rest.split_first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        // The message ends on a multiple of four, so where the value fits its padding does too.
        let Some(value) = behind.get(..length) else {
            return Err(ParseError { offset, reason: ParseErrorReason::AttributeBeyondMessage });
        };
        self.at = offset + 4 + length.next_multiple_of(4);
        Ok(Some(RawAttribute { kind: AttributeType(u16::from_be_bytes([t0, t1])), value, offset }))
    }
}

/// The attributes of a message, in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    /// Up to the first attribute that ends the message.
    walk: Covered<'a>,
    /// Message integrity and FINGERPRINT: found before, and not ignored.
    ends: core::array::IntoIter<Option<RawAttribute<'a>>, 3>,
}
impl<'a> Attributes<'a> {
    pub(super) fn new(covered: &'a [u8], ends: [Option<RawAttribute<'a>>; 3]) -> Self {
        Self { walk: Covered { octets: covered, at: HEADER_LEN }, ends: ends.into_iter() }
    }
}
impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;
    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        self.walk.next().or_else(|| self.ends.by_ref().flatten().next())
    }
}
impl FusedIterator for Attributes<'_> {}

#[derive(Clone, Debug)]
struct Covered<'a> {
    octets: &'a [u8],
    at: usize,
}
impl<'a> Iterator for Covered<'a> {
    type Item = RawAttribute<'a>;
    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        let mut walk = Walk { octets: self.octets, at: self.at };
        // These octets have been walked over before, so there is no error left to meet.
        let next = walk.next().ok().flatten();
        self.at = walk.at;
        next
    }
}
