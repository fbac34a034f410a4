//! What a NAT does, in the words of RFC 4787.

use core::{fmt, net::IpAddr, net::SocketAddr, str::FromStr};

/// As what an internal endpoint is seen by different peers (RFC 4787 section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mapping {
    /// By all peers as the same external endpoint: what REQ-1 demands.
    #[default]
    EndpointIndependent,
    /// As the same by all ports of one peer address, as another by another address.
    AddressDependent,
    /// As another by every peer endpoint.
    AddressAndPortDependent,
}

/// From whom an internal endpoint hears (RFC 4787 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filtering {
    /// From everybody, once it has sent to anybody.
    #[default]
    EndpointIndependent,
    /// From the addresses that it has sent to, whatever their port.
    AddressDependent,
    /// From the endpoints that it has sent to.
    AddressAndPortDependent,
}

/// The part of a peer's endpoint that mappings or filters tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PeerPart {
    Any,
    Address(IpAddr),
    Endpoint(SocketAddr),
}
impl Mapping {
    pub(crate) const fn part(self, peer: SocketAddr) -> PeerPart {
        match self {
            Self::EndpointIndependent => PeerPart::Any,
            Self::AddressDependent => PeerPart::Address(peer.ip()),
            Self::AddressAndPortDependent => PeerPart::Endpoint(peer),
        }
    }
}
impl Filtering {
    pub(crate) const fn part(self, peer: SocketAddr) -> PeerPart {
        match self {
            Self::EndpointIndependent => PeerPart::Any,
            Self::AddressDependent => PeerPart::Address(peer.ip()),
            Self::AddressAndPortDependent => PeerPart::Endpoint(peer),
        }
    }
}
impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}
impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

/// Which external port a new mapping gets (RFC 4787 section 4.2). Two mappings never share an external endpoint: REQ-3
/// forbids that (*port overloading*), and so does this NAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortAssignment {
    /// The internal port where it is free, else one drawn at random (section 4.2.1: *port preservation*).
    #[default]
    Preserving,
    /// The next free port behind the one given out last, so that ports asked for in a row lie in a row (section
    /// 4.2.3: *port contiguity*).
    Contiguous,
    /// One drawn at random.
    Random,
}

/// Which external address a new mapping gets where the NAT has several (RFC 4787 section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pooling {
    /// The same for all mappings of one internal address: what REQ-2 recommends.
    #[default]
    Paired,
    /// Any, drawn anew for each mapping.
    Arbitrary,
}

/// What keeps a mapping alive (RFC 4787 section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refresh {
    /// What is sent from inside, and nothing else (REQ-6).
    #[default]
    Outbound,
    /// What comes from outside and passes the filter, too (REQ-6a).
    OutboundAndInbound,
}

/// What becomes of a datagram from inside to one of the NAT's external endpoints (RFC 4787 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hairpinning {
    /// It is dropped.
    None,
    /// It comes back, from the sender's internal endpoint.
    InternalSource,
    /// It comes back, from the sender's external endpoint: what REQ-9 demands.
    #[default]
    ExternalSource,
}

/// What becomes of fragments (RFC 4787 section 11). Links of the simulation cut nothing into pieces, so what stands for
/// fragments is a datagram whose IP packet is longer than 1,500 octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fragments {
    /// They pass, in any order: what REQ-14 demands.
    #[default]
    Received,
    /// They are dropped, in both directions.
    Dropped,
}

/// The kinds that people name, as RFC 3489 section 5 did, by their mapping and filtering.
///
/// ```
/// use ginnel_netsim::{Filtering, Mapping, NatKind};
///
/// let kind: NatKind = "port".parse()?;
/// assert_eq!(kind, NatKind::PortRestricted);
/// assert_eq!(kind.mapping(), Mapping::EndpointIndependent);
/// assert_eq!(kind.filtering(), Filtering::AddressAndPortDependent);
/// # Ok::<(), ginnel_netsim::UnknownKind>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatKind {
    /// `full`: the full cone. Both are endpoint-independent.
    FullCone,
    /// `address`: the address-restricted cone. Its filtering is address-dependent.
    AddressRestricted,
    /// `port`: the port-restricted cone. Its filtering is address-and-port-dependent.
    PortRestricted,
    /// `symmetric`: both are address-and-port-dependent.
    Symmetric,
}
impl NatKind {
    /// All of them, the most permissive first.
    pub const ALL: [Self; 4] =
        [Self::FullCone, Self::AddressRestricted, Self::PortRestricted, Self::Symmetric];

    /// Its mapping.
    #[must_use]
    pub const fn mapping(self) -> Mapping {
        match self {
            Self::FullCone | Self::AddressRestricted | Self::PortRestricted => Mapping::EndpointIndependent,
            Self::Symmetric => Mapping::AddressAndPortDependent,
        }
    }
    /// Its filtering.
    #[must_use]
    pub const fn filtering(self) -> Filtering {
        match self {
            Self::FullCone => Filtering::EndpointIndependent,
            Self::AddressRestricted => Filtering::AddressDependent,
            Self::PortRestricted | Self::Symmetric => Filtering::AddressAndPortDependent,
        }
    }
}
/// As [`FromStr`] reads it.
impl fmt::Display for NatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FullCone => "full",
            Self::AddressRestricted => "address",
            Self::PortRestricted => "port",
            Self::Symmetric => "symmetric",
        })
    }
}
impl FromStr for NatKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        match name {
            "full" => Ok(Self::FullCone),
            "address" => Ok(Self::AddressRestricted),
            "port" => Ok(Self::PortRestricted),
            "symmetric" => Ok(Self::Symmetric),
            _ => Err(UnknownKind),
        }
    }
}

/// No [`NatKind`] has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;
impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kinds of NAT are full, address, port and symmetric")
    }
}
impl core::error::Error for UnknownKind {}
