//! The writer: a message into a packet or any octets, in the one order that is legal (RFC 8489 sections 5, 14.5 to 14.7).
//!
//! ```text
//! Open --attribute--> Open --integrity--> Sealed --integrity_sha256--> SealedSha256 --fingerprint--> done
//!   \________________________________________\_______________________________\_____finish__________> done
//! ```
//!
//! (GOOG-MESSAGE-INTEGRITY-32 goes from Open to SealedSha256, as MESSAGE-INTEGRITY-SHA256 alone does.)
//!
//! The types let through no other order: nothing can be added behind message integrity, nothing behind FINGERPRINT.

mod room;

use core::{fmt, marker::PhantomData};

use ginnel_core::{NoRoom, Packet};

pub use room::{MessageBuffer, Room};

use crate::{
    attribute::{AnyAttribute, Attribute, AttributeType},
    fingerprint,
    integrity::{GOOG_32_LEN, IntegrityAlgorithm, IntegrityKey, SHA1_LEN, Sha256Len, length_ending_with},
    message::{Class, HEADER_LEN, Method, TransactionId, message_type, padded_len},
};

/// The state in which attributes can be added.
#[derive(Debug)]
pub enum Open {}
/// MESSAGE-INTEGRITY is written.
#[derive(Debug)]
pub enum Sealed {}
/// MESSAGE-INTEGRITY-SHA256 is written, and nothing but FINGERPRINT may follow.
#[derive(Debug)]
pub enum SealedSha256 {}

/// Writes one message into a packet, or into a [`MessageBuffer`] where there is none. Padding is zero, the length is right after every step, nothing is allocated.
/// Each step takes the writer and gives it back; one that finds no room leaves nothing written.
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
pub struct MessageWriter<'p, 'a, S = Open, R = Packet<'a>> {
    /// It is the only field, so that steps pass it on in a register. What is known of the message is in its header.
    out: &'p mut R,
    #[cfg(test)]
    padding: u8,
    state: PhantomData<(S, &'a ())>,
}
impl<'p, 'a, R: Room> MessageWriter<'p, 'a, Open, R> {
    /// Begins a message in a [`Packet`] or a [`MessageBuffer`]. What is in it is given up, and the edges of a packet are
    /// set back as [`Packet::clear`] does: a response may be written over its request.
    pub fn new(
        out: &'p mut R,
        class: Class,
        method: Method,
        transaction_id: TransactionId,
    ) -> Result<Self, NoRoom> {
        out.clear();
        let header = out.spare().first_chunk_mut::<HEADER_LEN>().ok_or(NoRoom)?;
        header[..2].copy_from_slice(&message_type(class, method).to_be_bytes());
        header[2..4].fill(0);
        header[4..].copy_from_slice(&transaction_id.header_octets());
        out.commit(HEADER_LEN)?;
        Ok(Self {
            out,
            #[cfg(test)]
            padding: 0,
            state: PhantomData,
        })
    }
    /// Adds an attribute. An [`Attribute`] that names itself as message integrity or FINGERPRINT does not compile.
    pub fn attribute<'v, A: Attribute<'v>>(mut self, attribute: &A) -> Result<Self, NoRoom> {
        const { assert!(!A::TYPE.is_computed(), "it is computed: see `integrity` and `fingerprint`") };
        let transaction_id = self.transaction_id()?;
        self.push(A::TYPE, attribute.encoded_len(), |out| attribute.write(out, transaction_id))?;
        Ok(self)
    }
    /// Adds an attribute of any type, as it was read perhaps. One that is computed is left out: it belongs to the message
    /// that it was read from.
    pub fn any_attribute(mut self, attribute: &AnyAttribute<'_>) -> Result<Self, NoRoom> {
        let (kind, transaction_id) = (attribute.kind(), self.transaction_id()?);
        if !kind.is_computed() {
            self.push(kind, attribute.encoded_len(), |out| attribute.write(out, transaction_id))?;
        }
        Ok(self)
    }
    /// Adds MESSAGE-INTEGRITY (RFC 8489 section 14.5).
    pub fn integrity(mut self, key: &IntegrityKey) -> Result<MessageWriter<'p, 'a, Sealed, R>, NoRoom> {
        let length = self.length_with(SHA1_LEN)?;
        let mac = key.sha1(self.out.written(), length);
        self.push(AttributeType::MESSAGE_INTEGRITY, mac.len(), |out| out.copy_from_slice(&mac))?;
        Ok(self.into_state())
    }
    /// Adds the attribute of `algorithm`: how a response is protected as its request was (RFC 8489 section 9.1.3).
    pub fn integrity_as(
        self,
        algorithm: IntegrityAlgorithm,
        key: &IntegrityKey,
    ) -> Result<MessageWriter<'p, 'a, SealedSha256, R>, NoRoom> {
        match algorithm {
            IntegrityAlgorithm::Sha1 => Ok(self.integrity(key)?.into_state()),
            IntegrityAlgorithm::Sha256 => self.integrity_sha256(key),
        }
    }
    /// Adds GOOG-MESSAGE-INTEGRITY-32, which libwebrtc puts in place of MESSAGE-INTEGRITY into GOOG-PING: the first 4
    /// octets of the HMAC-SHA1.
    pub fn goog_integrity_32(
        mut self,
        key: &IntegrityKey,
    ) -> Result<MessageWriter<'p, 'a, SealedSha256, R>, NoRoom> {
        let length = self.length_with(GOOG_32_LEN)?;
        let mac = key.sha1(self.out.written(), length);
        let front = |out: &mut [u8]| out.copy_from_slice(&mac[..GOOG_32_LEN]);
        self.push(AttributeType::GOOG_MESSAGE_INTEGRITY_32, GOOG_32_LEN, front)?;
        Ok(self.into_state())
    }
    /// Pads with `octet` from here on: how RFC 5769 made its first three messages. Only tests can.
    #[cfg(test)]
    pub(crate) fn padded_with(self, octet: u8) -> Self {
        Self { padding: octet, ..self }
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
impl<'p, 'a, S: BeforeSha256, R: Room> MessageWriter<'p, 'a, S, R> {
    /// Adds MESSAGE-INTEGRITY-SHA256, not truncated (RFC 8489 section 14.6). A first request to a peer of which
    /// nothing is known has both (RFC 8489 section 9.1.2).
    pub fn integrity_sha256(
        self,
        key: &IntegrityKey,
    ) -> Result<MessageWriter<'p, 'a, SealedSha256, R>, NoRoom> {
        self.integrity_sha256_truncated(key, Sha256Len::WHOLE)
    }
    /// Adds MESSAGE-INTEGRITY-SHA256 of `length`, for a usage that allows it to be truncated (RFC 8489 section 14.6).
    pub fn integrity_sha256_truncated(
        mut self,
        key: &IntegrityKey,
        length: Sha256Len,
    ) -> Result<MessageWriter<'p, 'a, SealedSha256, R>, NoRoom> {
        let kept = length.octets();
        let length = self.length_with(kept)?;
        let mac = key.sha256(self.out.written(), length);
        let front = |out: &mut [u8]| out.copy_from_slice(&mac[..kept]);
        self.push(AttributeType::MESSAGE_INTEGRITY_SHA256, kept, front)?;
        Ok(self.into_state())
    }
}
impl<'p, 'a, S, R: Room> MessageWriter<'p, 'a, S, R> {
    /// Adds FINGERPRINT, and ends the message (RFC 8489 section 14.7).
    pub fn fingerprint(mut self) -> Result<(), NoRoom> {
        self.push(AttributeType::FINGERPRINT, 4, |_| ())?;
        let (before, attribute) = self.out.written_mut().split_last_chunk_mut::<8>().ok_or(NoRoom)?;
        attribute[4..].copy_from_slice(&fingerprint::compute(before));
        Ok(())
    }
    /// Ends the message as it is.
    pub fn finish(self) {}

    /// Appends one attribute, its padding and the new message length, or leaves nothing written.
    fn push(
        &mut self,
        kind: AttributeType,
        value_len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), NoRoom> {
        let pushed = self.try_push(kind, value_len, write);
        if pushed.is_err() {
            self.out.clear();
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
        let message_length = length_ending_with(self.out.written(), padded).ok_or(NoRoom)?;
        let padding_octet = self.padding_octet();
        let room = self.out.spare().get_mut(..4 + padded).ok_or(NoRoom)?;
        let (header, room) = room.split_first_chunk_mut::<4>().ok_or(NoRoom)?;
        let ([t0, t1], [l0, l1]) = (kind.0.to_be_bytes(), length_field.to_be_bytes());
        *header = [t0, t1, l0, l1];
        // Padding lies in the last four octets: they are filled at once, and the value is written over its part of them.
        if padded != value_len
            && let Some(last) = room.last_chunk_mut::<4>()
        {
            *last = [padding_octet; 4];
        }
        write(room.get_mut(..value_len).ok_or(NoRoom)?);
        self.out.commit(4 + padded)?;
        self.out.written_mut()[2..4].copy_from_slice(&message_length.to_be_bytes());
        Ok(())
    }
    /// That of the header: what [`MessageWriter::new`] wrote.
    #[inline]
    fn transaction_id(&self) -> Result<TransactionId, NoRoom> {
        let &[_, _, _, _, id @ ..] = self.out.written().first_chunk::<HEADER_LEN>().ok_or(NoRoom)?;
        Ok(TransactionId::rfc3489(id))
    }
    /// RFC 8489 section 14: zero.
    #[inline]
    const fn padding_octet(&self) -> u8 {
        #[cfg(test)]
        return self.padding;
        #[cfg(not(test))]
        0
    }
    /// What the message length is with one more attribute of `value_len` octets. Nothing is left written if it has none.
    fn length_with(&mut self, value_len: usize) -> Result<u16, NoRoom> {
        let length = length_ending_with(self.out.written(), value_len);
        if length.is_none() {
            self.out.clear();
        }
        length.ok_or(NoRoom)
    }
    fn into_state<T>(self) -> MessageWriter<'p, 'a, T, R> {
        MessageWriter {
            out: self.out,
            #[cfg(test)]
            padding: self.padding,
            state: PhantomData,
        }
    }
}
impl<S, R: Room> fmt::Debug for MessageWriter<'_, '_, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("len", &self.out.written().len()).finish_non_exhaustive()
    }
}
#[cfg(test)]
mod tests;
