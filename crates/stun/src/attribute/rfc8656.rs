//! The attributes of TURN (RFC 8656 section 18), those of RFC 5766 and RFC 6156 among them.
//!
//! ```text
//!  CHANNEL-NUMBER              0x000C   number (16 bits), 16 zero bits
//!  LIFETIME                    0x000D   seconds (32 bits)
//!  XOR-PEER-ADDRESS            0x0012   an address in the XOR shape
//!  DATA                        0x0013   octets
//!  XOR-RELAYED-ADDRESS         0x0016   an address in the XOR shape
//!  REQUESTED-ADDRESS-FAMILY    0x0017   family (8 bits: 1 IPv4, 2 IPv6), 24 zero bits
//!  EVEN-PORT                   0x0018   R (1 bit), 7 zero bits
//!  REQUESTED-TRANSPORT         0x0019   protocol (8 bits: 17 UDP, 6 TCP), 24 zero bits
//!  DONT-FRAGMENT               0x001A   nothing: a flag
//!  RESERVATION-TOKEN           0x0022   8 octets
//!  ADDITIONAL-ADDRESS-FAMILY   0x8000   as REQUESTED-ADDRESS-FAMILY
//!  ADDRESS-ERROR-CODE          0x8001   family (8 bits), 13 zero bits, class (3 bits), number (8 bits), reason phrase
//!  ICMP                        0x8004   16 zero bits, type (8 bits), code (8 bits), error data (32 bits)
//! ```
//!
//! The zero bits are ignored when read. All of RFC 5766 and RFC 6156 reads the same, save that there DATA alone comes
//! in Data indications, and channels reach to 0x7FFF.

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use crate::{
    attribute::{
        Attribute, AttributeType, ErrorCode, Malformed,
        address::{IPV4, IPV6, address_attribute, veil},
        array_attribute, flag_attribute, number_attribute, octets_attribute,
    },
    message::TransactionId,
};

/// CHANNEL-NUMBER (RFC 8656 section 18.1). Any number is read: a server refuses those that it does not bind.
///
/// ```
/// use ginnel_stun::{Message, attribute::ChannelNumber};
///
/// let bind = b"\x00\x09\x00\x08\x21\x12\xa4\x42transactions\x00\x0c\x00\x04\x40\x01\x00\x00";
/// let channel = Message::parse(bind)?.get()?;
/// assert_eq!(channel, Some(ChannelNumber(0x4001)));
/// assert!(ChannelNumber::RANGE.contains(&0x4001));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChannelNumber(pub u16);
impl ChannelNumber {
    /// RFC 8656 section 12: the channels there are. RFC 5766 section 11 had those up to 0x7FFF (its section 11.2 up to 0x7FFE).
    pub const RANGE: RangeInclusive<u16> = 0x4000..=0x4FFF;
}
impl Attribute<'_> for ChannelNumber {
    const TYPE: AttributeType = AttributeType::CHANNEL_NUMBER;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[n0, n1, _, _] = value else { return Err(Malformed::Length) };
        Ok(Self(u16::from_be_bytes([n0, n1])))
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        let [n0, n1] = self.0.to_be_bytes();
        out.copy_from_slice(&[n0, n1, 0, 0]);
    }
}

number_attribute! {
    /// LIFETIME: for how many seconds an allocation is kept unless it is refreshed (RFC 8656 section 18.2).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Lifetime};
    ///
    /// let refresh = b"\x00\x04\x00\x08\x21\x12\xa4\x42transactions\x00\x0d\x00\x04\x00\x00\x02\x58";
    /// let lifetime = Message::parse(refresh)?.get::<Lifetime>()?.expect("a lifetime");
    /// assert_eq!(lifetime.duration().as_secs(), 600);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Lifetime, u32, LIFETIME
}
impl Lifetime {
    /// The same as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

address_attribute! {
    /// XOR-PEER-ADDRESS: a peer, as the server sees it (RFC 8656 section 18.3).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::XorPeerAddress};
    ///
    /// let send = b"\x00\x16\x00\x0c\x21\x12\xa4\x42transactions\x00\x12\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43";
    /// assert_eq!(Message::parse(send)?.get()?, Some(XorPeerAddress("192.0.2.1:32853".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    XorPeerAddress, XOR_PEER_ADDRESS, veil
}

address_attribute! {
    /// XOR-RELAYED-ADDRESS: what the server allocated to the client (RFC 8656 section 18.5).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::XorRelayedAddress};
    ///
    /// let success = b"\x01\x03\x00\x0c\x21\x12\xa4\x42transactions\x00\x16\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43";
    /// assert_eq!(Message::parse(success)?.get()?, Some(XorRelayedAddress("192.0.2.1:32853".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    XorRelayedAddress, XOR_RELAYED_ADDRESS, veil
}

octets_attribute! {
    /// DATA: what goes to a peer or came from one (RFC 8656 section 18.4). Only its length is printed.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Data};
    ///
    /// let send = b"\x00\x16\x00\x08\x21\x12\xa4\x42transactions\x00\x13\x00\x03pin\x00";
    /// assert_eq!(Message::parse(send)?.get()?, Some(Data(b"pin")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Data, DATA, hex::Hex
}

/// IPv4 or IPv6, where an attribute asks for one (RFC 8656 section 18.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AddressFamily {
    /// 1.
    Ipv4,
    /// 2.
    Ipv6,
}
impl AddressFamily {
    /// The family of an address.
    ///
    /// ```
    /// use ginnel_stun::attribute::AddressFamily;
    ///
    /// assert_eq!(AddressFamily::of("2001:db8::1".parse()?), AddressFamily::Ipv6);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
    const fn read(family: u8) -> Result<Self, Malformed> {
        match family {
            IPV4 => Ok(Self::Ipv4),
            IPV6 => Ok(Self::Ipv6),
            _ => Err(Malformed::AddressFamily),
        }
    }
    const fn octet(self) -> u8 {
        match self {
            Self::Ipv4 => IPV4,
            Self::Ipv6 => IPV6,
        }
    }
}

/// An attribute that is a family and 24 bits that are zero.
macro_rules! family_attribute {
    ($name:ident, $kind:ident) => {
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;
            #[inline]
            fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
                let &[family, _, _, _] = value else { return Err(Malformed::Length) };
                AddressFamily::read(family).map(Self)
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                4
            }
            #[inline]
            fn write(&self, out: &mut [u8], _: TransactionId) {
                out.copy_from_slice(&[self.0.octet(), 0, 0, 0]);
            }
        }
    };
}

/// REQUESTED-ADDRESS-FAMILY: of which family the relayed address is to be (RFC 8656 section 18.6). One that is
/// neither is [`Malformed::AddressFamily`], which a server answers with 440.
///
/// ```
/// use ginnel_stun::{Message, attribute::{AddressFamily, RequestedAddressFamily}};
///
/// let allocate = b"\x00\x03\x00\x08\x21\x12\xa4\x42transactions\x00\x17\x00\x04\x02\x00\x00\x00";
/// assert_eq!(Message::parse(allocate)?.get()?, Some(RequestedAddressFamily(AddressFamily::Ipv6)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestedAddressFamily(pub AddressFamily);
family_attribute!(RequestedAddressFamily, REQUESTED_ADDRESS_FAMILY);

/// ADDITIONAL-ADDRESS-FAMILY: of which family a second relayed address is to be (RFC 8656 section 18.11). Only IPv6
/// is valid in a request: the server answers the other with 400.
///
/// ```
/// use ginnel_stun::{Message, attribute::{AdditionalAddressFamily, AddressFamily}};
///
/// let allocate = b"\x00\x03\x00\x08\x21\x12\xa4\x42transactions\x80\x00\x00\x04\x02\x00\x00\x00";
/// assert_eq!(Message::parse(allocate)?.get()?, Some(AdditionalAddressFamily(AddressFamily::Ipv6)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AdditionalAddressFamily(pub AddressFamily);
family_attribute!(AdditionalAddressFamily, ADDITIONAL_ADDRESS_FAMILY);

/// EVEN-PORT: the relayed port is to be even (RFC 8656 section 18.7).
///
/// ```
/// use ginnel_stun::{Message, attribute::EvenPort};
///
/// let allocate = b"\x00\x03\x00\x08\x21\x12\xa4\x42transactions\x00\x18\x00\x01\x80\x00\x00\x00";
/// assert_eq!(Message::parse(allocate)?.get()?, Some(EvenPort { reserve_next: true }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EvenPort {
    /// And the port above is to be reserved for another allocation.
    pub reserve_next: bool,
}
const RESERVE: u8 = 0x80;
impl Attribute<'_> for EvenPort {
    const TYPE: AttributeType = AttributeType::EVEN_PORT;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[flags] = value else { return Err(Malformed::Length) };
        Ok(Self { reserve_next: flags & RESERVE != 0 })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        1
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out.copy_from_slice(&[if self.reserve_next { RESERVE } else { 0 }]);
    }
}

/// REQUESTED-TRANSPORT: by which protocol the server is to reach peers (RFC 8656 section 18.8). Any is read: a server
/// answers those that it does not have with 442.
///
/// ```
/// use ginnel_stun::{Message, attribute::RequestedTransport};
///
/// let allocate = b"\x00\x03\x00\x08\x21\x12\xa4\x42transactions\x00\x19\x00\x04\x11\x00\x00\x00";
/// assert_eq!(Message::parse(allocate)?.get()?, Some(RequestedTransport::UDP));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestedTransport(pub u8);
impl RequestedTransport {
    /// 17: UDP.
    pub const UDP: Self = Self(17);
    /// 6: TCP (RFC 6062 section 4.1).
    pub const TCP: Self = Self(6);
}
impl Attribute<'_> for RequestedTransport {
    const TYPE: AttributeType = AttributeType::REQUESTED_TRANSPORT;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[protocol, _, _, _] = value else { return Err(Malformed::Length) };
        Ok(Self(protocol))
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out.copy_from_slice(&[self.0, 0, 0, 0]);
    }
}

flag_attribute! {
    /// DONT-FRAGMENT: the server is to set DF towards the peer (RFC 8656 section 18.9).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::DontFragment};
    ///
    /// let send = b"\x00\x16\x00\x04\x21\x12\xa4\x42transactions\x00\x1a\x00\x00";
    /// assert_eq!(Message::parse(send)?.get()?, Some(DontFragment));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DontFragment, DONT_FRAGMENT
}

array_attribute! {
    /// RESERVATION-TOKEN: a relayed address held in reserve (RFC 8656 section 18.10).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::ReservationToken};
    ///
    /// let allocate = b"\x00\x03\x00\x0c\x21\x12\xa4\x42transactions\x00\x22\x00\x08reserved";
    /// assert_eq!(Message::parse(allocate)?.get()?, Some(ReservationToken(*b"reserved")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ReservationToken, 8, RESERVATION_TOKEN
}

/// ADDRESS-ERROR-CODE: why there is no relayed address of one of the two families (RFC 8656 section 18.12).
///
/// ```
/// use ginnel_stun::{Message, attribute::{AddressErrorCode, AddressFamily, ErrorCode}};
///
/// let success = b"\x01\x03\x00\x08\x21\x12\xa4\x42transactions\x80\x01\x00\x04\x02\x00\x04\x28";
/// let want = AddressErrorCode { family: AddressFamily::Ipv6, error: ErrorCode::new(440, "")? };
/// assert_eq!(Message::parse(success)?.get()?, Some(want));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AddressErrorCode<'a> {
    /// Which family could not be had.
    pub family: AddressFamily,
    /// Why: 440 or 508.
    pub error: ErrorCode<'a>,
}
impl<'a> Attribute<'a> for AddressErrorCode<'a> {
    const TYPE: AttributeType = AttributeType::ADDRESS_ERROR_CODE;
    #[inline]
    fn parse(value: &'a [u8], transaction_id: TransactionId) -> Result<Self, Malformed> {
        let family = AddressFamily::read(*value.first().ok_or(Malformed::Length)?)?;
        // All behind the family is as in ERROR-CODE, which ignores these bits.
        Ok(Self { family, error: ErrorCode::parse(value, transaction_id)? })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        self.error.encoded_len()
    }
    #[inline]
    fn write(&self, out: &mut [u8], transaction_id: TransactionId) {
        self.error.write(out, transaction_id);
        out[0] = self.family.octet();
    }
}

/// ICMP: why a packet to a peer was dropped, as the network told the server (RFC 8656 section 18.13).
///
/// RFC 8656 figure 11 draws the type with 7 bits and the code with 9: both are octets of ICMP, and octets here.
///
/// ```
/// use ginnel_stun::{Message, attribute::Icmp};
///
/// let data = b"\x00\x17\x00\x0c\x21\x12\xa4\x42transactions\x80\x04\x00\x08\x00\x00\x03\x04\x00\x00\x05\x14";
/// let too_big = Message::parse(data)?.get()?;
/// assert_eq!(too_big, Some(Icmp { kind: 3, code: 4, data: 1300 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Icmp {
    /// The type, of ICMP or ICMPv6 as the peer's address is of IPv4 or IPv6.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The MTU of the next hop where a packet was too big for it (ICMP 3 with 4, ICMPv6 2), else 0.
    pub data: u32,
}
impl Attribute<'_> for Icmp {
    const TYPE: AttributeType = AttributeType::ICMP;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[_, _, kind, code, d0, d1, d2, d3] = value else { return Err(Malformed::Length) };
        Ok(Self { kind, code, data: u32::from_be_bytes([d0, d1, d2, d3]) })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        8
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out[..4].copy_from_slice(&[0, 0, self.kind, self.code]);
        out[4..].copy_from_slice(&self.data.to_be_bytes());
    }
}
