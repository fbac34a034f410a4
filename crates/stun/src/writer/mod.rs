//! The writer: a message into a packet, in the one order that is legal (RFC 8489 sections 5, 14.5 to 14.7).
//!
//! ```text
//! Open --attribute--> Open --integrity--> Sealed --integrity_sha256--> SealedSha256 --fingerprint--> done
//!   \________________________________________\_______________________________\_____finish__________> done
//! ```
//!
//! The types let through no other order: nothing can be added behind message integrity, nothing behind FINGERPRINT.

use core::{fmt, marker::PhantomData};

use ginnel_core::{NoRoom, Packet};

use crate::{
    attribute::{Attribute, AttributeType},
    fingerprint,
    integrity::{IntegrityAlgorithm, IntegrityKey, SHA1_LEN, SHA256_LEN, length_ending_with},
    message::{Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId, message_type, padded_len},
};

/// The state in which attributes can be added.
#[derive(Debug)]
pub enum Open {}
/// MESSAGE-INTEGRITY is written.
#[derive(Debug)]
pub enum Sealed {}
/// MESSAGE-INTEGRITY-SHA256 is written.
#[derive(Debug)]
pub enum SealedSha256 {}

/// Writes one message into a packet. Padding is zero, the length is right after every step, nothing is allocated.
/// Each step takes the writer and gives it back; one that finds no room leaves the packet empty.
///
/// ```
/// use ginnel_core::Packet;
/// use ginnel_stun::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
/// use ginnel_stun::attribute::{IceControlling, Priority, Username};
///
/// let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt")?;
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// MessageWriter::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new(*b"transactions"))?
///     .attribute(&Username::new("evtj:h6vY")?)?
///     .attribute(&Priority(0x6e00_01ff))?
///     .attribute(&IceControlling(7))?
///     .integrity(&key)?
///     .fingerprint()?;
/// assert_eq!(packet.len(), 20 + 16 + 8 + 12 + 24 + 8);
/// assert_eq!(Message::parse(packet.bytes())?.integrity(&key), ginnel_stun::Integrity::Ok);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a message is whole after `fingerprint` or `finish`"]
pub struct MessageWriter<'p, 'a, S = Open> {
    packet: &'p mut Packet<'a>,
    transaction_id: TransactionId,
    state: PhantomData<S>,
}
impl<'p, 'a> MessageWriter<'p, 'a> {
    /// Begins a message. What is in the packet is given up, and its edges are set back as [`Packet::clear`] does: a
    /// response may be written over its request.
    pub fn new(
        packet: &'p mut Packet<'a>,
        class: Class,
        method: Method,
        transaction_id: TransactionId,
    ) -> Result<Self, NoRoom> {
        packet.clear();
        let mut header = [0; HEADER_LEN];
        header[..2].copy_from_slice(&message_type(class, method).to_be_bytes());
        header[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        header[8..].copy_from_slice(&transaction_id.octets());
        packet.append(&header)?;
        Ok(Self { packet, transaction_id, state: PhantomData })
    }
    /// Adds an attribute. An [`Attribute`] that names itself as message integrity or FINGERPRINT does not compile.
    pub fn attribute<'v, A: Attribute<'v>>(mut self, attribute: &A) -> Result<Self, NoRoom> {
        const { assert!(!A::TYPE.ends_message(), "it is computed: see `integrity` and `fingerprint`") };
        let transaction_id = self.transaction_id;
        self.push(A::TYPE, attribute.encoded_len(), |out| attribute.write(out, transaction_id))?;
        Ok(self)
    }
    /// Adds MESSAGE-INTEGRITY (RFC 8489 section 14.5).
    pub fn integrity(mut self, key: &IntegrityKey) -> Result<MessageWriter<'p, 'a, Sealed>, NoRoom> {
        let length = length_ending_with(self.packet.bytes(), SHA1_LEN).ok_or(NoRoom)?;
        let mac = key.sha1(self.packet.bytes(), length);
        self.push(AttributeType::MESSAGE_INTEGRITY, mac.len(), |out| out.copy_from_slice(&mac))?;
        Ok(self.into_state())
    }
    /// Adds the attribute of `algorithm`: how a response is protected as its request was (RFC 8489 section 9.1.3).
    pub fn integrity_as(
        self,
        algorithm: IntegrityAlgorithm,
        key: &IntegrityKey,
    ) -> Result<MessageWriter<'p, 'a, SealedSha256>, NoRoom> {
        match algorithm {
            IntegrityAlgorithm::Sha1 => Ok(self.integrity(key)?.into_state()),
            IntegrityAlgorithm::Sha256 => self.integrity_sha256(key),
        }
    }
}
/// States that MESSAGE-INTEGRITY-SHA256 may follow.
pub trait BeforeSha256: private::State {}
impl BeforeSha256 for Open {}
impl BeforeSha256 for Sealed {}
mod private {
    pub trait State {}
    impl State for super::Open {}
    impl State for super::Sealed {}
}
impl<'p, 'a, S: BeforeSha256> MessageWriter<'p, 'a, S> {
    /// Adds MESSAGE-INTEGRITY-SHA256, not truncated (RFC 8489 section 14.6). A first request to a peer of which
    /// nothing is known has both (RFC 8489 section 9.1.2).
    pub fn integrity_sha256(
        mut self,
        key: &IntegrityKey,
    ) -> Result<MessageWriter<'p, 'a, SealedSha256>, NoRoom> {
        let length = length_ending_with(self.packet.bytes(), SHA256_LEN).ok_or(NoRoom)?;
        let mac = key.sha256(self.packet.bytes(), length);
        self.push(AttributeType::MESSAGE_INTEGRITY_SHA256, mac.len(), |out| out.copy_from_slice(&mac))?;
        Ok(self.into_state())
    }
}
impl<'p, 'a, S> MessageWriter<'p, 'a, S> {
    /// Adds FINGERPRINT, and ends the message (RFC 8489 section 14.7).
    pub fn fingerprint(mut self) -> Result<(), NoRoom> {
        self.push(AttributeType::FINGERPRINT, 4, |_| ())?;
        let (before, attribute) = self.packet.bytes_mut().split_last_chunk_mut::<8>().ok_or(NoRoom)?;
        attribute[4..].copy_from_slice(&fingerprint::compute(before));
        Ok(())
    }
    /// Ends the message as it is.
    pub fn finish(self) {}

    /// Appends one attribute, its padding and the new message length, or empties the packet.
    fn push(
        &mut self,
        kind: AttributeType,
        value_len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), NoRoom> {
        let pushed = self.try_push(kind, value_len, write);
        if pushed.is_err() {
            self.packet.truncate(0);
        }
        pushed
    }
    #[inline]
    fn try_push(
        &mut self,
        kind: AttributeType,
        value_len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), NoRoom> {
        let length_field = u16::try_from(value_len).map_err(|_| NoRoom)?;
        let padded = padded_len(value_len);
        let message_length = length_ending_with(self.packet.bytes(), padded).ok_or(NoRoom)?;
        let room = self.packet.spare_mut().get_mut(..4 + padded).ok_or(NoRoom)?;
        let (header, room) = room.split_first_chunk_mut::<4>().ok_or(NoRoom)?;
        let ([t0, t1], [l0, l1]) = (kind.0.to_be_bytes(), length_field.to_be_bytes());
        *header = [t0, t1, l0, l1];
        let (value, padding) = room.split_at_mut(value_len);
        write(value);
        padding.fill(0);
        self.packet.commit(4 + padded)?;
        self.packet.bytes_mut()[2..4].copy_from_slice(&message_length.to_be_bytes());
        Ok(())
    }
    fn into_state<T>(self) -> MessageWriter<'p, 'a, T> {
        MessageWriter { packet: self.packet, transaction_id: self.transaction_id, state: PhantomData }
    }
}
impl<S> fmt::Debug for MessageWriter<'_, '_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("len", &self.packet.len()).finish_non_exhaustive()
    }
}
#[cfg(test)]
mod tests;
