//! The attributes of NAT behaviour discovery (RFC 5780 section 7).
//!
//! ```text
//!  CHANGE-REQUEST   0x0003   4 octets: 29 zero bits, A (change IP), B (change port), 0
//!  PADDING          0x0026   any octets, their number is what counts
//!  RESPONSE-PORT    0x0027   port (16 bits), 16 zero bits
//!  RESPONSE-ORIGIN  0x802B   an address in the plain shape
//!  OTHER-ADDRESS    0x802C   an address in the plain shape
//! ```

use core::net::SocketAddr;

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed,
        address::{PLAIN, address_attribute},
    },
    message::TransactionId,
};

/// CHANGE-REQUEST: from where the answer is to come (RFC 5780 section 7.2).
///
/// ```
/// use ginnel_stun::{Message, attribute::ChangeRequest};
///
/// let request = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\x00\x03\x00\x04\x00\x00\x00\x02";
/// assert_eq!(Message::parse(request)?.get()?, Some(ChangeRequest { ip: false, port: true }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChangeRequest {
    /// From the server's other IP address.
    pub ip: bool,
    /// From the server's other port.
    pub port: bool,
}
const CHANGE_IP: u32 = 0b100;
const CHANGE_PORT: u32 = 0b010;
impl Attribute<'_> for ChangeRequest {
    const TYPE: AttributeType = AttributeType::CHANGE_REQUEST;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let flags = u32::from_be_bytes(value.try_into().map_err(|_| Malformed::Length)?);
        Ok(Self { ip: flags & CHANGE_IP != 0, port: flags & CHANGE_PORT != 0 })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        let flags = if self.ip { CHANGE_IP } else { 0 } | if self.port { CHANGE_PORT } else { 0 };
        out.copy_from_slice(&flags.to_be_bytes());
    }
}

address_attribute! {
    /// RESPONSE-ORIGIN: where the answer was sent from (RFC 5780 section 7.3).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::ResponseOrigin};
    ///
    /// let success = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x80\x2b\x00\x08\x00\x01\x0d\x96\xc0\x00\x02\x01";
    /// assert_eq!(Message::parse(success)?.get()?, Some(ResponseOrigin("192.0.2.1:3478".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ResponseOrigin, RESPONSE_ORIGIN, |_| PLAIN
}

address_attribute! {
    /// OTHER-ADDRESS: where the answer would come from if both IP address and port were changed (RFC 5780 section 7.4).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::OtherAddress};
    ///
    /// let success = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x80\x2c\x00\x08\x00\x01\x0d\x97\xc0\x00\x02\x02";
    /// assert_eq!(Message::parse(success)?.get()?, Some(OtherAddress("192.0.2.2:3479".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    OtherAddress, OTHER_ADDRESS, |_| PLAIN
}

/// RESPONSE-PORT: to which port the answer is to go (RFC 5780 section 7.5).
///
/// ```
/// use ginnel_stun::{Message, attribute::ResponsePort};
///
/// let request = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\x00\x27\x00\x04\x13\x88\x00\x00";
/// assert_eq!(Message::parse(request)?.get()?, Some(ResponsePort(5000)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResponsePort(pub u16);
impl Attribute<'_> for ResponsePort {
    const TYPE: AttributeType = AttributeType::RESPONSE_PORT;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        // RFC 5780 section 7.5: the port, "followed by 2 bytes of padding". Some count the padding, some do not.
        let (&[p0, p1, _, _] | &[p0, p1]) = value else { return Err(Malformed::Length) };
        Ok(Self(u16::from_be_bytes([p0, p1])))
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        let [p0, p1] = self.0.to_be_bytes();
        out.copy_from_slice(&[p0, p1, 0, 0]);
    }
}

/// PADDING: makes a message so long that it is cut into IP fragments (RFC 5780 section 7.6). Only its length counts:
/// what is written is zeros.
///
/// ```
/// use ginnel_stun::{Message, attribute::Padding};
///
/// let request = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\x00\x26\x00\x04long";
/// assert_eq!(Message::parse(request)?.get()?, Some(Padding { octets: 4 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Padding {
    /// How many octets. RFC 5780 section 7.6: as many as the MTU of the interface, rounded up to a multiple of four.
    pub octets: u16,
}
impl Attribute<'_> for Padding {
    const TYPE: AttributeType = AttributeType::PADDING;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        Ok(Self { octets: value.len().try_into().map_err(|_| Malformed::Length)? })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        self.octets.into()
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out.fill(0);
    }
}
