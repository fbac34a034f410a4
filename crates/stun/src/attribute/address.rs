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

/// The magic cookie and the transaction ID, as octets 4 to 19 of the message have them, as one number. Port and IPv4 address
/// are veiled with its front.
pub(super) const fn veil(transaction_id: TransactionId) -> u128 {
    u128::from_be_bytes(transaction_id.header_octets())
}
/// What the plain shape is veiled with.
pub(super) const PLAIN: u128 = 0;
const fn port_veil(veil: u128) -> u16 {
    (veil >> 112) as u16
}
const fn ipv4_veil(veil: u128) -> u32 {
    (veil >> 96) as u32
}

#[inline]
pub(super) fn parse(value: &[u8], veil: u128) -> Result<SocketAddr, Malformed> {
    let Some((&[_, family, p0, p1], address)) = value.split_first_chunk() else {
        return Err(Malformed::Length);
    };
    let length = |_| Malformed::Length;
    let ip = match family {
        IPV4 => {
            let veiled = u32::from_be_bytes(address.try_into().map_err(length)?);
            IpAddr::V4(Ipv4Addr::from_bits(veiled ^ ipv4_veil(veil)))
        }
        IPV6 => {
            let veiled = u128::from_be_bytes(address.try_into().map_err(length)?);
            IpAddr::V6(Ipv6Addr::from_bits(veiled ^ veil))
        }
        _ => return Err(Malformed::AddressFamily),
    };
    Ok(SocketAddr::new(ip, u16::from_be_bytes([p0, p1]) ^ port_veil(veil)))
}

#[inline]
pub(super) const fn encoded_len(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 8 } else { 20 }
}

#[inline]
pub(super) fn write(address: &SocketAddr, out: &mut [u8], veil: u128) {
    let [p0, p1] = (address.port() ^ port_veil(veil)).to_be_bytes();
    let mut head = |family| out[..4].copy_from_slice(&[0, family, p0, p1]);
    match address.ip() {
        IpAddr::V4(ip) => {
            head(IPV4);
            out[4..].copy_from_slice(&(ip.to_bits() ^ ipv4_veil(veil)).to_be_bytes());
        }
        IpAddr::V6(ip) => {
            head(IPV6);
            out[4..].copy_from_slice(&(ip.to_bits() ^ veil).to_be_bytes());
        }
    }
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
