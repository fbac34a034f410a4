//! What libwebrtc adds to ICE, and other stacks understand. Comprehension-optional, and in no RFC.
//!
//! ```text
//!  NOMINATION    0xC001   4 octets   the number of the nomination; the highest wins (draft-thatcher-ice-renomination)
//!  NETWORK-COST  0xC057   4 octets   network id (16 bits), network cost (16 bits, 0 is cheapest, 999 the most)
//!  GOOG-MISC-INFO 0xC059 numbers of 16 bits, 2 octets each: the first says which version of GOOG-PING is known
//! ```
//!
//! GOOG-MESSAGE-INTEGRITY-32 is computed: see [`Message::goog_integrity_32`](crate::Message::goog_integrity_32).

use core::fmt;

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed,
        list::{Listed, list_attribute},
        number_attribute,
    },
    message::TransactionId,
};

number_attribute! {
    /// NOMINATION: nominates as USE-CANDIDATE does, and may be followed by another of a higher number.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Nomination};
    ///
    /// let check = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\xc0\x01\x00\x04\x00\x00\x00\x02";
    /// assert_eq!(Message::parse(check)?.get()?, Some(Nomination(2)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Nomination, u32, NOMINATION
}

/// NETWORK-COST: how dear the network below the candidate is (Wi-Fi, cellular, VPN).
///
/// ```
/// use ginnel_stun::{Message, attribute::NetworkCost};
///
/// let check = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\xc0\x57\x00\x04\x00\x01\x00\x0a";
/// assert_eq!(Message::parse(check)?.get()?, Some(NetworkCost { network_id: 1, cost: 10 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NetworkCost {
    /// Which network of the sender's.
    pub network_id: u16,
    /// What it costs: 0 is wired or unknown-to-be-dear, larger is dearer.
    pub cost: u16,
}
impl Attribute<'_> for NetworkCost {
    const TYPE: AttributeType = AttributeType::NETWORK_COST;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[n0, n1, c0, c1] = value else { return Err(Malformed::Length) };
        Ok(Self { network_id: u16::from_be_bytes([n0, n1]), cost: u16::from_be_bytes([c0, c1]) })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out[..2].copy_from_slice(&self.network_id.to_be_bytes());
        out[2..].copy_from_slice(&self.cost.to_be_bytes());
    }
}

/// GOOG-MISC-INFO: numbers by their place. The first is the version of GOOG-PING that the sender knows: in a check that
/// offers it, and in the answer that takes it.
///
/// ```
/// use ginnel_stun::{Message, attribute::GoogMiscInfo};
///
/// let check = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\xc0\x59\x00\x02\x00\x01\x00\x00";
/// let info = Message::parse(check)?.get::<GoogMiscInfo<'_>>()?.expect("numbers");
/// assert_eq!((info.goog_ping_version(), info), (Some(1), GoogMiscInfo::new(&[1])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct GoogMiscInfo<'a>(pub(super) Listed<'a, u16>);
impl<'a> GoogMiscInfo<'a> {
    /// To be sent.
    #[must_use]
    pub const fn new(numbers: &'a [u16]) -> Self {
        Self(Listed::Values(numbers))
    }
    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.0.iter()
    }
    /// The first number.
    #[must_use]
    pub fn goog_ping_version(&self) -> Option<u16> {
        self.iter().next()
    }
}
list_attribute!(GoogMiscInfo, GOOG_MISC_INFO);
