//! The view of a received message (RFC 8489 sections 5, 14 and 6.3).
//!
//! ```text
//!  0       2       4               8                           20
//! +-------+-------+---------------+---------------------------+------------+------------+--
//! | type  | length| magic cookie  | transaction ID            | attribute  | attribute  | ...
//! +-------+-------+---------------+---------------------------+------------+------------+--
//!           of what is behind the header                       type, length, value, padding
//! ```
//!
//! One walk checks the whole structure; after it nothing can run past the end. Values of attributes are not looked at
//! until they are asked for, so an attribute that nobody reads cannot hurt.
//! Messages without the magic cookie (RFC 3489) are read by a constructor of their own, and by no other. Left out on purpose
//! is their message integrity, whose secrets went with the Shared Secret request.

mod error;
mod header;
mod iter;

pub(crate) use header::message_type;
pub(crate) use iter::padded_len;

pub use error::{ParseError, ParseErrorReason};
pub use header::{Class, HEADER_LEN, MAGIC_COOKIE, Method, MethodError, TransactionId, TransactionIdError};
pub use iter::{Attributes, RawAttribute};
use iter::{Step, Walk};

use crate::{
    attribute::{Attribute, AttributeError, AttributeType},
    fingerprint::{self, Fingerprint},
    integrity::{self, Integrity, IntegrityAlgorithm, IntegrityKey},
};

/// A borrowed view of one message, checked once by [`Message::parse`]. Copying it copies a reference.
///
/// ```
/// use ginnel_stun::{Class, Message, Method, attribute::Priority};
///
/// let octets = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\x00\x24\x00\x04\x6e\x00\x01\xff";
/// let message = Message::parse(octets)?;
/// assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
/// assert_eq!(message.get::<Priority>()?, Some(Priority(0x6e00_01ff)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    octets: &'a [u8],
    /// The front of the same octets: what is fixed is read where it lies, without a copy and without a check.
    header: &'a [u8; HEADER_LEN],
    ends: Ends,
}

/// Where the attributes stand that end a message: octets from its front, or its length where there is none. They are
/// the first of their kinds that are not to be ignored, so they come in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    integrity: u32,
    integrity_sha256: u32,
    fingerprint: u32,
}
impl<'a> Message<'a> {
    /// Whether a datagram claims to be STUN: two zero bits, a header, and the magic cookie (RFC 8489 section 5).
    /// Cheap; [`Message::parse`] says whether the claim holds.
    #[must_use]
    pub fn is_claimed_by(octets: &[u8]) -> bool {
        octets.len() >= HEADER_LEN && octets[0] & 0xC0 == 0 && octets[4..8] == MAGIC_COOKIE.to_be_bytes()
    }

    /// Checks the structure of one whole datagram, or one whole frame of a stream.
    // Inlined, a message stays in registers: returned through memory it costs more than the walk does.
    #[inline]
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        Self::parse_with::<true>(octets)
    }
    /// As [`Message::parse`], but takes messages of RFC 3489 too: those without the magic cookie, whose
    /// [`TransactionId::is_rfc3489`] is true. Only for datagrams on a port that STUN has to itself (RFC 5389 section
    /// 12.2), and never over DTLS (RFC 8489 section 11): little
    /// tells such a message from those of other protocols.
    ///
    /// Answer a Binding request of RFC 3489 with MAPPED-ADDRESS in place of XOR-MAPPED-ADDRESS, and with its own
    /// transaction ID:
    ///
    /// ```
    /// use ginnel_stun::{Class, Message, MessageBuffer, MessageWriter, Method};
    /// use ginnel_stun::attribute::{MappedAddress, XorMappedAddress};
    ///
    /// let request = Message::parse_or_rfc3489(b"\x00\x01\x00\x00old!transactions")?;
    /// let (id, source) = (request.transaction_id(), "192.0.2.1:5000".parse()?);
    /// let mut octets = [0; 100];
    /// let mut answer = MessageBuffer::new(&mut octets);
    /// let open = MessageWriter::new(&mut answer, Class::Success, Method::BINDING, id)?;
    /// if id.is_rfc3489() {
    ///     open.attribute(&MappedAddress(source))?.finish();
    /// } else {
    ///     open.attribute(&XorMappedAddress(source))?.finish();
    /// }
    /// assert_eq!(answer.octets()[..20], *b"\x01\x01\x00\x0cold!transactions");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse_or_rfc3489(octets: &'a [u8]) -> Result<Self, ParseError> {
        Self::parse_with::<false>(octets)
    }

    #[inline]
    fn parse_with<const COOKIE: bool>(octets: &'a [u8]) -> Result<Self, ParseError> {
        use ParseErrorReason as Reason;
        let fail = |offset, reason| Err(ParseError { offset, reason });
        let Some((header, rest)) = octets.split_first_chunk::<HEADER_LEN>() else {
            return fail(octets.len(), Reason::ShorterThanHeader);
        };
        let [t0, _, l0, l1, id @ ..] = *header;
        if t0 & 0xC0 != 0 {
            return fail(0, Reason::FirstBitsNotZero);
        }
        if COOKIE && TransactionId::rfc3489(id).is_rfc3489() {
            return fail(4, Reason::NoMagicCookie);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length % 4 != 0 {
            return fail(2, Reason::LengthNotMultipleOfFour);
        }
        if length != rest.len() {
            return fail(2, Reason::LengthNotOfDatagram);
        }
        let ends = Self::walk(octets)?;
        Ok(Self { octets, header, ends })
    }

    /// Checks that every attribute lies within the message, and finds those that end it.
    #[inline]
    fn walk(octets: &[u8]) -> Result<Ends, ParseError> {
        // A message length is 16 bits, so this and all offsets below it fit.
        let none = octets.len() as u32;
        let mut ends = Ends { integrity: none, integrity_sha256: none, fingerprint: none };
        let mut walk = Walk::new(octets);
        while let Some(Step { kind, offset, .. }) = walk.advance()? {
            match kind {
                // RFC 8489 section 14.6: all but FINGERPRINT is ignored after MESSAGE-INTEGRITY-SHA256.
                AttributeType::MESSAGE_INTEGRITY
                    if ends.integrity == none && ends.integrity_sha256 == none =>
                {
                    ends.integrity = offset as u32;
                }
                AttributeType::MESSAGE_INTEGRITY_SHA256 if ends.integrity_sha256 == none => {
                    ends.integrity_sha256 = offset as u32;
                }
                AttributeType::FINGERPRINT => {
                    ends.fingerprint = offset as u32;
                    let Some(Step { offset, .. }) = walk.advance()? else { break };
                    return Err(ParseError { offset, reason: ParseErrorReason::AttributeAfterFingerprint });
                }
                _ => {}
            }
        }
        Ok(ends)
    }

    /// What it is in its transaction.
    #[must_use]
    #[inline]
    pub fn class(&self) -> Class {
        header::class_of(self.message_type())
    }
    /// What it is about.
    #[must_use]
    #[inline]
    pub fn method(&self) -> Method {
        header::method_of(self.message_type())
    }
    /// Pairs a response with its request.
    #[must_use]
    #[inline]
    pub const fn transaction_id(&self) -> TransactionId {
        let [_, _, _, _, id @ ..] = *self.header;
        TransactionId::rfc3489(id)
    }
    /// The whole message, as it came.
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }
    /// Its attributes, in order. What RFC 8489 sections 14.5 and 14.6 want ignored, because it stands behind
    /// message integrity, is left out.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(*self)
    }
    /// The first attribute of its kind (RFC 8489 section 14: duplicates may be ignored), read.
    #[inline]
    pub fn get<A: Attribute<'a>>(&self) -> Result<Option<A>, AttributeError> {
        let Some(raw) = self.find(A::TYPE) else { return Ok(None) };
        match A::parse(raw.value, self.transaction_id()) {
            Ok(value) => Ok(Some(value)),
            Err(reason) => Err(AttributeError { attribute: A::TYPE, offset: raw.offset, reason }),
        }
    }
    /// Whether there is an attribute of this kind.
    #[must_use]
    pub fn has(&self, kind: AttributeType) -> bool {
        self.find(kind).is_some()
    }
    /// The comprehension-required attributes that are not among `known`, in order (RFC 8489 section 6.3). Message
    /// integrity is always known. A kind that appears twice is yielded twice.
    pub fn unknown_required<'k>(
        &self,
        known: &'k [AttributeType],
    ) -> impl Iterator<Item = AttributeType> + use<'a, 'k> {
        self.attributes().map(|raw| raw.kind).filter(move |kind| {
            kind.is_comprehension_required() && !kind.ends_message() && !known.contains(kind)
        })
    }
    /// Whether the message ends in the right FINGERPRINT (RFC 8489 section 14.7).
    #[inline]
    pub fn fingerprint(&self) -> Fingerprint {
        match self.end(self.ends.fingerprint) {
            None => Fingerprint::Absent,
            Some((before, value)) => fingerprint::check(before, value),
        }
    }
    /// Which message integrity decides: MESSAGE-INTEGRITY-SHA256 where both are present (RFC 8489 section 9.1.3).
    #[must_use]
    pub const fn integrity_algorithm(&self) -> Option<IntegrityAlgorithm> {
        let none = self.octets.len() as u32;
        if self.ends.integrity_sha256 != none {
            Some(IntegrityAlgorithm::Sha256)
        } else if self.ends.integrity != none {
            Some(IntegrityAlgorithm::Sha1)
        } else {
            None
        }
    }
    /// Whether `key` made the message integrity, untruncated. Compared in constant time. Where both
    /// attributes are present MESSAGE-INTEGRITY-SHA256 decides alone (RFC 8489 section 9.1.3).
    #[inline]
    pub fn integrity(&self, key: &IntegrityKey) -> Integrity {
        self.integrity_truncated(key, integrity::SHA256_LEN)
    }
    /// As [`Message::integrity`], for a usage that allows MESSAGE-INTEGRITY-SHA256 to be truncated to `at_least` octets
    /// (RFC 8489 section 14.6; fewer than 16 are never taken).
    pub fn integrity_truncated(&self, key: &IntegrityKey, at_least: usize) -> Integrity {
        if let Some((before, value)) = self.end(self.ends.integrity_sha256) {
            key.check_sha256(before, value, at_least)
        } else if let Some((before, value)) = self.end(self.ends.integrity) {
            key.check_sha1(before, value)
        } else {
            Integrity::Absent
        }
    }

    /// Whether `key` made the GOOG-MESSAGE-INTEGRITY-32 with which the message ends: HMAC-SHA1, of which libwebrtc
    /// keeps 4 octets. That is no protection against who can try often, so [`Message::integrity`] knows nothing of it,
    /// and it is for GOOG-PING alone. Bad where anything but FINGERPRINT stands behind it.
    pub fn goog_integrity_32(&self, key: &IntegrityKey) -> Integrity {
        let mut attributes = self.attributes();
        let Some(raw) = attributes.find(|raw| raw.kind == AttributeType::GOOG_MESSAGE_INTEGRITY_32) else {
            return Integrity::Absent;
        };
        let is_last = attributes.all(|behind| behind.kind == AttributeType::FINGERPRINT);
        match self.octets.get(..raw.offset) {
            Some(before) if is_last => key.check_goog_32(before, raw.value),
            _ => Integrity::Bad,
        }
    }

    /// The attribute at `offset`, one of [`Ends`]: what is before it, and its value.
    #[inline]
    fn end(&self, offset: u32) -> Option<(&'a [u8], &'a [u8])> {
        let (before, attribute) = self.octets.split_at_checked(offset as usize)?;
        let (&[_, _, l0, l1], value) = attribute.split_first_chunk()?;
        Some((before, value.get(..usize::from(u16::from_be_bytes([l0, l1])))?))
    }
    /// The first attribute of this kind that is not to be ignored.
    #[inline]
    fn find(&self, kind: AttributeType) -> Option<RawAttribute<'a>> {
        if kind.ends_message() {
            return self.attributes().find(|raw| raw.kind == kind);
        }
        let mut walk = Walk::new(self.octets.get(..self.covered())?);
        while let Some(step) = walk.advance().ok()? {
            if step.kind == kind {
                return Some(RawAttribute { kind, value: step.value, offset: step.offset });
            }
        }
        None
    }
    /// Where the attributes end that message integrity covers, or FINGERPRINT, or all where there is neither.
    #[inline]
    fn covered(&self) -> usize {
        let Ends { integrity, integrity_sha256, fingerprint } = self.ends;
        integrity.min(integrity_sha256).min(fingerprint) as usize
    }
    #[inline]
    fn message_type(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }
}
impl core::fmt::Debug for Message<'_> {
    /// Class, method, transaction and the kinds of attributes: values may be secrets or addresses.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} {:?} {:?} ", self.method(), self.class(), self.transaction_id())?;
        f.debug_list().entries(self.attributes().map(|raw| raw.kind)).finish()
    }
}

#[cfg(test)]
mod tests;
