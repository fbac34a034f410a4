//! DTLS inside STUN (draft-hancke-webrtc-sped), as libwebrtc sends it.
//!
//! ```text
//!  META-DTLS-IN-STUN                   0xC070   one DTLS packet, or nothing
//!  META-DTLS-IN-STUN-ACKNOWLEDGEMENT   0xC071   up to four CRC-32s, 4 octets each, of packets that have arrived
//! ```

use core::fmt;

use crate::{
    attribute::{Attribute, AttributeType, Malformed, octets_attribute},
    message::TransactionId,
};

octets_attribute! {
    /// META-DTLS-IN-STUN: a packet of a DTLS handshake; empty when there is none to send.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::MetaDtlsInStun};
    ///
    /// let check = b"\x00\x01\x00\x04\x21\x12\xa4\x42transactions\xc0\x70\x00\x00";
    /// assert_eq!(Message::parse(check)?.get()?, Some(MetaDtlsInStun(b"")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    MetaDtlsInStun, META_DTLS_IN_STUN, hex::Hex
}

/// META-DTLS-IN-STUN-ACKNOWLEDGEMENT: the CRC-32 of up to four packets that have arrived. Without any it says that
/// the sender knows of DTLS inside STUN.
///
/// ```
/// use ginnel_stun::{Message, attribute::MetaDtlsInStunAcknowledgement};
///
/// let check = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\xc0\x71\x00\x04\x00\x00\x00\x07";
/// let acknowledged = Message::parse(check)?.get::<MetaDtlsInStunAcknowledgement>()?;
/// assert_eq!(acknowledged, MetaDtlsInStunAcknowledgement::new(&[7]).ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaDtlsInStunAcknowledgement {
    hashes: [u32; Self::MAX],
    count: u8,
}
impl MetaDtlsInStunAcknowledgement {
    /// How many packets one attribute acknowledges at most.
    pub const MAX: usize = 4;

    /// To be sent. `Err` if there are more than [`Self::MAX`].
    pub fn new(hashes: &[u32]) -> Result<Self, Malformed> {
        let mut all = Self { hashes: [0; Self::MAX], count: hashes.len() as u8 };
        all.hashes.get_mut(..hashes.len()).ok_or(Malformed::Length)?.copy_from_slice(hashes);
        Ok(all)
    }
    /// The CRC-32s.
    #[must_use]
    pub fn hashes(&self) -> &[u32] {
        &self.hashes[..usize::from(self.count)]
    }
}
impl Attribute<'_> for MetaDtlsInStunAcknowledgement {
    const TYPE: AttributeType = AttributeType::META_DTLS_IN_STUN_ACKNOWLEDGEMENT;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let (hashes, []) = value.as_chunks() else { return Err(Malformed::Length) };
        let mut all = Self::default();
        for hash in hashes {
            *all.hashes.get_mut(usize::from(all.count)).ok_or(Malformed::Length)? = u32::from_be_bytes(*hash);
            all.count += 1;
        }
        Ok(all)
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4 * usize::from(self.count)
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        for (place, hash) in out.as_chunks_mut().0.iter_mut().zip(self.hashes()) {
            *place = hash.to_be_bytes();
        }
    }
}
#[cfg(feature = "serde")]
impl serde::Serialize for MetaDtlsInStunAcknowledgement {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.hashes())
    }
}
