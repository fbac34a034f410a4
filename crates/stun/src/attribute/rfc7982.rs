//! The attribute that tells retransmissions apart (RFC 7982 section 3.1).
//!
//! ```text
//!  TRANSACTION_TRANSMIT_COUNTER   0x8025
//!  0               2       3       4
//! +---------------+-------+-------+
//! | 0             | Req   | Resp  |
//! +---------------+-------+-------+
//! ```

use crate::{
    attribute::{Attribute, AttributeType, Malformed},
    message::TransactionId,
};

/// TRANSACTION_TRANSMIT_COUNTER: how many times the request and its response were sent (RFC 7982 section 3.1). It
/// is the one attribute whose value changes from one transmission of a request to the next.
///
/// ```
/// use ginnel_stun::{Message, attribute::TransactionTransmitCounter};
///
/// let response = b"\x01\x01\x00\x08\x21\x12\xa4\x42transactions\x80\x25\x00\x04\x00\x00\x02\x01";
/// let counter = Message::parse(response)?.get()?;
/// assert_eq!(counter, Some(TransactionTransmitCounter { requests: 2, responses: 1 })); // one request was lost
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TransactionTransmitCounter {
    /// How many times the request was sent, this time included.
    pub requests: u8,
    /// How many times it was answered: 0 in requests, and from servers that do not count.
    pub responses: u8,
}
impl Attribute<'_> for TransactionTransmitCounter {
    const TYPE: AttributeType = AttributeType::TRANSACTION_TRANSMIT_COUNTER;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[_, _, requests, responses] = value else { return Err(Malformed::Length) };
        Ok(Self { requests, responses })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out.copy_from_slice(&[0, 0, self.requests, self.responses]);
    }
}
