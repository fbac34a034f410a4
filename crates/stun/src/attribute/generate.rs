//! Values made of any octets: what fuzzing, property tests and the feature `arbitrary` share, so that all try the same.
//!
//! Input is consumed by position. Every value that can be sent can come of it, and it never fails: what is missing at the
//! end of the input is zero.

use core::net::{IpAddr, SocketAddr};

use ginnel_core::Ecn;

use super::{
    any::every_attribute,
    list::Listed,
    rfc8489::text::{DOMAIN_MAX, TEXT_READ_MAX, TEXT_SENT_CHARS, TEXT_SENT_MAX},
    *,
};

/// Where octets come from.
pub(crate) trait Source<'a> {
    /// As many as there still are, and at most `most`.
    fn take(&mut self, most: usize) -> &'a [u8];

    /// The next `N`.
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut all = [0; N];
        let some = self.take(N);
        all[..some.len()].copy_from_slice(some);
        all
    }
    /// The next one.
    fn octet(&mut self) -> u8 {
        self.array::<1>()[0]
    }
    /// As many as two octets in front of them say, and at most `most`.
    fn counted(&mut self, most: usize) -> &'a [u8] {
        let wanted = usize::from(u16::from_be_bytes(self.array()));
        self.take(wanted % (most + 1))
    }
    /// A text of at most `most` octets.
    fn text(&mut self, most: usize) -> &'a str {
        let octets = self.counted(most);
        match core::str::from_utf8(octets) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&octets[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
    /// A text as ERROR-CODE and SOFTWARE can have it.
    fn phrase(&mut self) -> &'a str {
        let text = self.text(TEXT_SENT_MAX);
        text.char_indices().nth(TEXT_SENT_CHARS).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
    }
    /// An even number of octets.
    fn pairs(&mut self) -> &'a [u8] {
        let octets = self.counted(OCTETS_MAX);
        &octets[..octets.len() & !1]
    }
    /// An address, without what no attribute carries: the scope and the flow of IPv6.
    fn address(&mut self) -> SocketAddr {
        let (family, port) = (self.octet(), u16::from_be_bytes(self.array()));
        let ip =
            if family & 1 == 0 { IpAddr::from(self.array::<4>()) } else { IpAddr::from(self.array::<16>()) };
        SocketAddr::new(ip, port)
    }
}
/// A slice that is used up from the front.
impl<'a> Source<'a> for &'a [u8] {
    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.split_at(most.min(self.len()));
        *self = rest;
        taken
    }
}

/// What can be made of octets.
pub(crate) trait Generate<'a>: Sized {
    fn generate(source: &mut impl Source<'a>) -> Self;
}

/// Types whose one field is made by a method of [`Source`].
macro_rules! generate {
    ($($name:ident $(<$life:lifetime>)? = |$source:ident| $make:expr;)*) => {$(
        impl<'a> Generate<'a> for $name $(<$life>)? {
            fn generate($source: &mut impl Source<'a>) -> Self {
                $make
            }
        }
    )*};
}
generate! {
    MappedAddress = |source| Self(source.address());
    XorMappedAddress = |source| Self(source.address());
    AlternateServer = |source| Self(source.address());
    ResponseAddress = |source| Self(source.address());
    SourceAddress = |source| Self(source.address());
    ChangedAddress = |source| Self(source.address());
    ReflectedFrom = |source| Self(source.address());
    XorMappedAddressDraft = |source| Self(source.address());
    ResponseOrigin = |source| Self(source.address());
    OtherAddress = |source| Self(source.address());
    XorPeerAddress = |source| Self(source.address());
    XorRelayedAddress = |source| Self(source.address());
    Priority = |source| Self(u32::from_be_bytes(source.array()));
    Lifetime = |source| Self(u32::from_be_bytes(source.array()));
    ConnectionId = |source| Self(u32::from_be_bytes(source.array()));
    Nomination = |source| Self(u32::from_be_bytes(source.array()));
    IceControlled = |source| Self(u64::from_be_bytes(source.array()));
    IceControlling = |source| Self(u64::from_be_bytes(source.array()));
    ChannelNumber = |source| Self(u16::from_be_bytes(source.array()));
    ResponsePort = |source| Self(u16::from_be_bytes(source.array()));
    Padding = |source| Self { octets: u16::from_be_bytes(source.array()) % 2000 };
    RequestedTransport = |source| Self(source.octet());
    ReservationToken = |source| Self(source.array());
    UserHash = |source| Self(source.array());
    UseCandidate = |_source| Self;
    DontFragment = |_source| Self;
    EvenPort = |source| Self { reserve_next: source.octet() & 1 != 0 };
    AddressFamily = |source| if source.octet() & 1 == 0 { Self::Ipv4 } else { Self::Ipv6 };
    RequestedAddressFamily = |source| Self(AddressFamily::generate(source));
    AdditionalAddressFamily = |source| Self(AddressFamily::generate(source));
    ChangeRequest = |source| {
        let flags = source.octet();
        Self { ip: flags & 1 != 0, port: flags & 2 != 0 }
    };
    NetworkCost = |source| Self {
        network_id: u16::from_be_bytes(source.array()),
        cost: u16::from_be_bytes(source.array()),
    };
    TransactionTransmitCounter = |source| Self { requests: source.octet(), responses: source.octet() };
    Icmp = |source| Self {
        kind: source.octet(),
        code: source.octet(),
        data: u32::from_be_bytes(source.array()),
    };
    Password<'a> = |source| Self(source.counted(OCTETS_MAX));
    AccessToken<'a> = |source| Self(source.counted(OCTETS_MAX));
    MobilityTicket<'a> = |source| Self(source.counted(OCTETS_MAX));
    Data<'a> = |source| Self(source.counted(OCTETS_MAX));
    MetaDtlsInStun<'a> = |source| Self(source.counted(OCTETS_MAX));
    Username<'a> = |source| Self(source.text(TEXT_SENT_MAX - 1));
    Realm<'a> = |source| {
        let text = source.phrase();
        let longest = (1..=text.len()).rev().find_map(|len| Self::new(text.get(..len)?).ok());
        longest.unwrap_or(Self("realm"))
    };
    Software<'a> = |source| Self(source.phrase());
    ThirdPartyAuthorization<'a> = |source| Self(source.text(TEXT_READ_MAX));
    Nonce<'a> = |source| Self(source.counted(TEXT_READ_MAX));
    AlternateDomain<'a> = |source| {
        let text = source.text(DOMAIN_MAX);
        let longest = (0..=text.len()).rev().find_map(|len| Self::new(text.get(..len)?).ok());
        longest.unwrap_or(Self("localhost"))
    };
    ErrorCode<'a> = |source| Self {
        code: 300 + u16::from_be_bytes(source.array()) % 400,
        reason: source.phrase(),
    };
    AddressErrorCode<'a> = |source| Self {
        family: AddressFamily::generate(source),
        error: ErrorCode::generate(source),
    };
    UnknownAttributes<'a> = |source| Self(Listed::Octets(source.pairs()));
    GoogMiscInfo<'a> = |source| Self(Listed::Octets(source.pairs()));
    PasswordAlgorithm<'a> = |source| Self {
        algorithm: Algorithm(u16::from_be_bytes(source.array())),
        parameters: source.counted(OCTETS_MAX),
    };
    PasswordAlgorithms<'a> = |source| Self::whole_entries_of(source.counted(OCTETS_MAX));
    MetaDtlsInStunAcknowledgement = |source| {
        let hashes: [u32; Self::MAX] = core::array::from_fn(|_| u32::from_be_bytes(source.array()));
        let count = usize::from(source.octet()) % (Self::MAX + 1);
        Self::new(&hashes[..count]).unwrap_or_default()
    };
    EcnCheck = |source| {
        let marks = [None, Some(Ecn::NotEct), Some(Ecn::Ect1), Some(Ecn::Ect0), Some(Ecn::Ce)];
        Self { echo: marks[usize::from(source.octet()) % marks.len()] }
    };
    OtherAttribute<'a> = |source| {
        let kind = AttributeType(u16::from_be_bytes(source.array()));
        let value = source.counted(OCTETS_MAX);
        Self::new(kind, value).unwrap_or(Self { kind: UNREGISTERED, value })
    };
}
/// As much as a packet holds, and a little more.
const OCTETS_MAX: usize = 2000;
/// A number that nobody has.
const UNREGISTERED: AttributeType = AttributeType(0xFFFE);

macro_rules! generate_any {
    ($($name:ident $(<$life:lifetime>)?),* $(,)?) => {
        impl<'a> Generate<'a> for AnyAttribute<'a> {
            fn generate(source: &mut impl Source<'a>) -> Self {
                // The kinds by the order of the table: the constants only count them.
                #[repr(u8)]
                enum Place { $($name,)* Other }
                match source.octet() % (Place::Other as u8 + 1) {
                    $(place if place == Place::$name as u8 => Self::$name($name::generate(source)),)*
                    // A number that has a type is that type's, or it would not be read as it was written.
                    _ => match OtherAttribute::generate(source) {
                        OtherAttribute { kind, value } if Self::TYPES.contains(&kind) => {
                            Self::Other(OtherAttribute { kind: UNREGISTERED, value })
                        }
                        other => Self::Other(other),
                    },
                }
            }
        }
        #[cfg(feature = "arbitrary")]
        mod arbitrary {
            use super::*;

            impl<'a> Source<'a> for ::arbitrary::Unstructured<'a> {
                fn take(&mut self, most: usize) -> &'a [u8] {
                    self.bytes(most.min(self.len())).unwrap_or_default()
                }
            }
            macro_rules! arbitrary {
                ($type:ty) => {
                    impl<'a> ::arbitrary::Arbitrary<'a> for $type {
                        fn arbitrary(u: &mut ::arbitrary::Unstructured<'a>) -> ::arbitrary::Result<Self> {
                            Ok(Self::generate(u))
                        }
                    }
                };
            }
            $(arbitrary!($name $(<$life>)?);)*
            arbitrary!(OtherAttribute<'a>);
            arbitrary!(AnyAttribute<'a>);
            arbitrary!(AddressFamily);
        }
    };
}
every_attribute!(generate_any);
