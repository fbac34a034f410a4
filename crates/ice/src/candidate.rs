//! A candidate as a value: one transport address at which an agent may be reached.
//!
//! The fields are those of RFC 8445 section 5.3 and RFC 8839 section 5.1. This file holds values and the checks that a
//! candidate from the other side must pass; the text of `a=candidate` is the SDP crate's, so there is no second codec.
//! Left out: TCP candidates (RFC 6544) are representable and refused when they are added.

use alloc::string::String;
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// RFC 8445 section 5.1.1.1: with RTP and RTCP on one port, all of a stream is its component 1.
pub const COMPONENT: u16 = 1;
/// RFC 8839 section 5.1: `foundation = 1*32ice-char`.
const MAX_FOUNDATION: usize = 32;
/// A version 4 UUID and `.local`: the mDNS candidates draft, section 3.1.1 step 3.
const MDNS_NAME: usize = 36 + ".local".len();

/// How a candidate was found: RFC 8445 section 5.1.2.2, in falling order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// A socket of the host.
    Host,
    /// Seen by the other side in a connectivity check.
    PeerReflexive,
    /// Seen by a STUN server.
    ServerReflexive,
    /// Lent by a TURN server.
    Relayed,
}
impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::PeerReflexive => "prflx",
            Self::ServerReflexive => "srflx",
            Self::Relayed => "relay",
        })
    }
}

/// What carries a candidate's packets, in the words of RFC 8839 section 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateTransport {
    /// Datagrams.
    Udp,
    /// A stream (RFC 6544).
    Tcp,
}

/// RFC 6544 section 4.5: who opens the stream of a TCP candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpType {
    /// This side connects.
    Active,
    /// The other side connects.
    Passive,
    /// Both connect at once.
    SimultaneousOpen,
}

/// Where a candidate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateAddress {
    /// An address and a port.
    Ip(SocketAddr),
    /// A name of the mDNS candidates draft, `<uuid>.local`, that hides the address.
    Mdns {
        /** The name, `.local` included. */
        name: String,
        /** The port. */
        port: u16,
    },
}
impl CandidateAddress {
    /// The address, unless a name hides it.
    pub const fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Mdns { .. } => None,
        }
    }
    /// The port.
    pub const fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            Self::Mdns { port, .. } => *port,
        }
    }
}

/// One candidate, local or remote.
///
/// ```
/// use ginnel_ice::{Candidate, CandidateKind};
/// let candidate = Candidate::host("192.0.2.1:5000".parse().unwrap());
/// assert_eq!(candidate.kind, CandidateKind::Host);
/// assert_eq!(candidate.priority, 2_130_706_431); // RFC 8445 section 5.1.2.1, for the only address of a host
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Equal for candidates that are likely to work alike (RFC 8445 section 5.1.1.3).
    pub foundation: String,
    /// RFC 8445 section 5.1.1.1: 1 for RTP, or for all that shares its port.
    pub component: u16,
    /// What carries it.
    pub transport: CandidateTransport,
    /// RFC 8445 section 5.1.2: 1 to 2^31 - 1, more is better.
    pub priority: u32,
    /// Where it is.
    pub address: CandidateAddress,
    /// How it was found.
    pub kind: CandidateKind,
    /// `raddr` and `rport`: the base of a reflexive candidate, the mapped address of a relayed one.
    pub related: Option<SocketAddr>,
    /// `tcptype`, where the transport is TCP.
    pub tcp_type: Option<TcpType>,
    /// The username fragment of the generation that it belongs to, where it was said (RFC 8839 section 5.1).
    pub ufrag: Option<String>,
}
impl Candidate {
    /// A host candidate over UDP with the priority of an only address, and `1` for its foundation.
    #[must_use]
    pub fn host(address: SocketAddr) -> Self {
        Self::udp(CandidateAddress::Ip(address), CandidateKind::Host)
    }
    /// A candidate of any kind over UDP, with the priority that its kind gives it.
    #[must_use]
    pub fn udp(address: CandidateAddress, kind: CandidateKind) -> Self {
        Self {
            foundation: String::from("1"),
            component: COMPONENT,
            transport: CandidateTransport::Udp,
            priority: crate::priority::candidate(kind, u16::MAX, COMPONENT),
            address,
            kind,
            related: None,
            tcp_type: None,
            ufrag: None,
        }
    }
    /// The same candidate with `priority`.
    #[must_use]
    pub fn with_priority(mut self, priority: u32) -> Self {
        self.priority = priority;
        self
    }
    /// The same candidate with `foundation`.
    #[must_use]
    pub fn with_foundation(mut self, foundation: impl Into<String>) -> Self {
        self.foundation = foundation.into();
        self
    }
    /// What a candidate from the other side must fulfil before any state is made for it.
    pub(crate) fn validate(&self) -> Result<(), CandidateError> {
        if self.transport == CandidateTransport::Tcp {
            return Err(CandidateError::TcpUnsupported);
        }
        if self.component != COMPONENT {
            return Err(CandidateError::UnknownComponent(self.component));
        }
        if self.foundation.is_empty() || self.foundation.len() > MAX_FOUNDATION {
            return Err(CandidateError::BadFoundation);
        }
        if self.priority == 0 || self.priority > MAX_PRIORITY {
            return Err(CandidateError::BadPriority(self.priority));
        }
        if self.address.port() == 0 {
            return Err(CandidateError::PortZero);
        }
        match &self.address {
            // A mapped address is judged as what it maps.
            CandidateAddress::Ip(address) if !is_unicast(address.ip().to_canonical()) => {
                Err(CandidateError::NotUnicast)
            }
            CandidateAddress::Ip(_) => Ok(()),
            CandidateAddress::Mdns { name, .. } if is_mdns_name(name) => Ok(()),
            CandidateAddress::Mdns { .. } => Err(CandidateError::BadName),
        }
    }
}

/// RFC 8445 section 5.1.2.
const MAX_PRIORITY: u32 = 0x7fff_ffff;

/// Whether packets can be sent to `ip` as to one host.
pub(crate) fn is_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}
/// The mDNS candidates draft, section 3.1.1 step 3: a version 4 UUID in its 36 characters, then `.local`. Anything else is
/// refused before a resolver hears of it (section 3.2.2: agents SHOULD NOT resolve other names).
fn is_mdns_name(name: &str) -> bool {
    let Some(uuid) = name.strip_suffix(".local").filter(|_| name.len() == MDNS_NAME) else { return false };
    uuid.bytes().enumerate().all(|(at, octet)| match at {
        8 | 13 | 18 | 23 => octet == b'-',
        14 => octet == b'4',
        _ => octet.is_ascii_hexdigit(),
    })
}

/// Why a candidate of the other side was not taken. None of them harms the session: skip the candidate and go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// RFC 6544.
    #[error("candidates over TCP are not supported yet")]
    TcpUnsupported,
    /// Only component 1 is in use: RTP and RTCP share their port.
    #[error("component {0} is not in use: RTP and RTCP share component 1")]
    UnknownComponent(u16),
    /// RFC 8839 section 5.1.
    #[error("a foundation has 1 to 32 characters")]
    BadFoundation,
    /// RFC 8445 section 5.1.2.
    #[error("a priority lies between 1 and 2^31 - 1, and {0} does not")]
    BadPriority(u32),
    /// Nothing can be sent there.
    #[error("port 0 cannot be reached")]
    PortZero,
    /// Unspecified, multicast or broadcast.
    #[error("the address is not that of one host")]
    NotUnicast,
    /// Only `<uuid>.local` is resolved: the mDNS candidates draft, section 3.2.2.
    #[error("a name is taken only in the form <uuid>.local")]
    BadName,
    /// The configuration has mDNS off.
    #[error("resolving .local names is turned off")]
    MdnsOff,
    /// It names the username fragment of another generation, from before a restart or after one.
    #[error("the candidate belongs to another ICE generation")]
    OtherGeneration,
    /// RFC 8838 section 14: what comes after end-of-candidates is ignored.
    #[error("the peer has said that no more candidates come")]
    AfterEndOfCandidates,
    /// `max_remote_candidates` are known already.
    #[error("no more remote candidates are taken")]
    TooMany,
    /// The agent has been closed.
    #[error("the agent is closed")]
    Closed,
}
