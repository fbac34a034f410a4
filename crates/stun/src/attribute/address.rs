//! The two shapes of a transport address (RFC 8489 sections 14.1 and 14.2), shared by all attributes that hold one.
//!
//! ```text
//!  0       1       2               4               8               20
//! +-------+-------+---------------+---------------+---------------+
//! | 0     | family| port          | IPv4 address, family 1        |   8 octets
//! |       |       |               | IPv6 address, family 2        |  20 octets
//! +-------+-------+---------------+-------------------------------+
//! ```
//!
//! The XOR shape veils port and address with the magic cookie and the transaction ID behind it, so that no gateway
//! recognises an address and rewrites it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{attribute::Malformed, message::TransactionId};

pub(super) const IPV4: u8 = 1;
pub(super) const IPV6: u8 = 2;

/// The magic cookie and the transaction ID, as octets 4 to 19 of the message have them.
pub(super) const fn veil(transaction_id: TransactionId) -> [u8; 16] {
    transaction_id.header_octets()
}
/// What the plain shape is veiled with.
pub(super) const PLAIN: [u8; 16] = [0; 16];

#[inline]
pub(super) fn parse(value: &[u8], veil: [u8; 16]) -> Result<SocketAddr, Malformed> {
    let Some((&[_, family, p0, p1], address)) = value.split_first_chunk() else {
        return Err(Malformed::Length);
    };
    let length = |_| Malformed::Length;
    let ip = match family {
        IPV4 => IpAddr::V4(Ipv4Addr::from(xor::<4>(address.try_into().map_err(length)?, veil))),
        IPV6 => IpAddr::V6(Ipv6Addr::from(xor::<16>(address.try_into().map_err(length)?, veil))),
        _ => return Err(Malformed::AddressFamily),
    };
    Ok(SocketAddr::new(ip, u16::from_be_bytes(xor([p0, p1], veil))))
}

#[inline]
pub(super) const fn encoded_len(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 8 } else { 20 }
}

#[inline]
pub(super) fn write(address: &SocketAddr, out: &mut [u8], veil: [u8; 16]) {
    let port: [u8; 2] = xor(address.port().to_be_bytes(), veil);
    let mut head = |family| out[..4].copy_from_slice(&[0, family, port[0], port[1]]);
    match address.ip() {
        IpAddr::V4(ip) => {
            head(IPV4);
            out[4..].copy_from_slice(&xor(ip.octets(), veil));
        }
        IpAddr::V6(ip) => {
            head(IPV6);
            out[4..].copy_from_slice(&xor(ip.octets(), veil));
        }
    }
}

/// The front of the veil, laid over `octets`.
fn xor<const N: usize>(octets: [u8; N], veil: [u8; 16]) -> [u8; N] {
    core::array::from_fn(|i| octets[i] ^ veil[i])
}

/// An attribute that is one transport address in either shape.
macro_rules! address_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $veil:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub SocketAddr);
        impl $crate::attribute::Attribute<'_> for $name {
            const TYPE: $crate::attribute::AttributeType = $crate::attribute::AttributeType::$kind;
            #[inline]
            fn parse(
                value: &[u8],
                transaction_id: $crate::message::TransactionId,
            ) -> Result<Self, $crate::attribute::Malformed> {
                $crate::attribute::address::parse(value, $veil(transaction_id)).map(Self)
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                $crate::attribute::address::encoded_len(&self.0)
            }
            #[inline]
            fn write(&self, out: &mut [u8], transaction_id: $crate::message::TransactionId) {
                $crate::attribute::address::write(&self.0, out, $veil(transaction_id))
            }
        }
    };
}
pub(super) use address_attribute;
