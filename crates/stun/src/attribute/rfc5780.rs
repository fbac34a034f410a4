//! The attributes of NAT behaviour discovery (RFC 5780 section 7) that need no sockets beyond the server's own.
//!
//! ```text
//!  CHANGE-REQUEST   0x0003   4 octets: 29 zero bits, A (change IP), B (change port), 0
//!  RESPONSE-ORIGIN  0x802B   an address in the plain shape
//!  OTHER-ADDRESS    0x802C   an address in the plain shape
//! ```
//!
//! Left out: RESPONSE-PORT and PADDING, which only the discovery itself uses.

use core::net::SocketAddr;

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed,
        address::{PLAIN, address_attribute},
    },
    message::TransactionId,
};

/// CHANGE-REQUEST: from where the answer is to come (RFC 5780 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let flags = u32::from_be_bytes(value.try_into().map_err(|_| Malformed::Length)?);
        Ok(Self { ip: flags & CHANGE_IP != 0, port: flags & CHANGE_PORT != 0 })
    }
    fn encoded_len(&self) -> usize {
        4
    }
    fn write(&self, out: &mut [u8], _: TransactionId) {
        let flags = if self.ip { CHANGE_IP } else { 0 } | if self.port { CHANGE_PORT } else { 0 };
        out.copy_from_slice(&flags.to_be_bytes());
    }
}

/// RESPONSE-ORIGIN: where the answer was sent from (RFC 5780 section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseOrigin(pub SocketAddr);
address_attribute!(ResponseOrigin, RESPONSE_ORIGIN, |_| PLAIN);

/// OTHER-ADDRESS: where the answer would come from if both IP address and port were changed (RFC 5780 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherAddress(pub SocketAddr);
address_attribute!(OtherAddress, OTHER_ADDRESS, |_| PLAIN);
