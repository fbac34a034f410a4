//! `candidate` (RFC 8839 section 5.1), with TCP (RFC 6544 section 4.5) and `.local` names
//! (draft-ietf-mmusic-mdns-ice-candidates section 3.1).
//!
//! No name is ever looked up here or by anyone on behalf of this crate: RFC 8839 section 5.1 has candidates with domain
//! names ignored, which is [`Refusal::DomainName`]. Only `.local` names of one label are for multicast DNS.

use super::Attribute;
use super::cursor::{Cursor, is_ice_char, is_token};
use crate::error::ValueError;
use crate::limits::MAX_HOST_NAME;
use alloc::borrow::Cow;
use core::fmt::{self, Write as _};
use core::net::IpAddr;

const CLAUSE: &str = "RFC 8839 section 5.1";

/// Where a candidate is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CandidateAddress<'a> {
    /// At an address.
    Ip(IpAddr),
    /// At a name that multicast DNS resolves: one label and `.local`.
    Mdns(Cow<'a, str>),
    /// At any other domain name. Kept for the text only: see [`Refusal::DomainName`].
    Name(Cow<'a, str>),
}

/// How a candidate was found (RFC 8445 section 4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CandidateKind<'a> {
    /// `host`
    Host,
    /// `srflx`
    ServerReflexive,
    /// `prflx`
    PeerReflexive,
    /// `relay`
    Relayed,
    /// A kind of tomorrow.
    Other(Cow<'a, str>),
}

/// How a candidate is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CandidateTransport<'a> {
    /// `UDP`, in any case; written `udp` as browsers do.
    Udp,
    /// `TCP` (RFC 6544).
    Tcp,
    /// A transport of tomorrow.
    Other(Cow<'a, str>),
}

/// RFC 6544 section 4.5: who opens the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpType {
    /// The candidate's owner.
    Active,
    /// The other side.
    Passive,
    /// Both at once.
    SimultaneousOpen,
}

/// Why a well-formed candidate is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// RFC 8839 section 5.1: candidates with domain names are ignored, and never looked up.
    #[error("its address is a domain name, which is never looked up")]
    DomainName,
    /// Nothing can be sent to port 0.
    #[error("its port is 0")]
    PortZero,
    /// Neither UDP nor TCP.
    #[error("its transport is unknown")]
    UnknownTransport,
    /// TCP without a known `tcptype` (RFC 6544 section 4.5).
    #[error("it is a TCP candidate without a known tcptype")]
    UnknownTcpType,
    /// Not host, srflx, prflx or relay.
    #[error("its type is unknown")]
    UnknownKind,
    /// RTCP shares the port of RTP, so there is only component 1.
    #[error("it is not of component 1")]
    OtherComponent,
}

/// One candidate. `Display` writes `candidate:...`, which is also what trickling sends.
///
/// ```
/// use ginnel_sdp::attribute::Candidate;
/// let text = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host generation 0 ufrag evtj";
/// let candidate = Candidate::from_line(text).unwrap();
/// assert_eq!(candidate.ufrag(), Some("evtj"));
/// assert_eq!(candidate.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate<'a> {
    /// 1 to 32 characters; equal for candidates that will fare alike.
    pub foundation: Cow<'a, str>,
    /// 1 for RTP and everything multiplexed, 2 for RTCP.
    pub component: u16,
    /// How it is reached.
    pub transport: CandidateTransport<'a>,
    /// 1 to 2^31 - 1; higher is better.
    pub priority: u32,
    /// Where it is.
    pub address: CandidateAddress<'a>,
    /// At which port.
    pub port: u16,
    /// How it was found.
    pub kind: CandidateKind<'a>,
    /// `raddr` and `rport`: from where it was found. Browsers that hide addresses write `0.0.0.0` or `::`, port 0 or 9.
    pub related: Option<(CandidateAddress<'a>, u16)>,
    /// What follows, as pairs of words separated by single spaces: `tcptype`, `generation`, `ufrag`, `network-id`, ...
    pub extensions: Cow<'a, str>,
}

impl<'a> Candidate<'a> {
    /// A host candidate over UDP; change the fields for any other.
    #[must_use]
    pub fn host(foundation: impl Into<Cow<'a, str>>, priority: u32, address: IpAddr, port: u16) -> Self {
        Candidate {
            foundation: foundation.into(),
            component: 1,
            transport: CandidateTransport::Udp,
            priority,
            address: CandidateAddress::Ip(address),
            port,
            kind: CandidateKind::Host,
            related: None,
            extensions: Cow::Borrowed(""),
        }
    }

    /// Reads `candidate:...`, with or without `a=` before it, as trickling brings it. Offsets of errors count from the
    /// start of the value, behind the colon.
    pub fn from_line(line: &'a str) -> Result<Self, ValueError> {
        let line = line.strip_prefix("a=").unwrap_or(line).trim_end_matches(['\r', '\n']);
        let value = line.strip_prefix("candidate:").ok_or(ValueError::new(0, "candidate:", CLAUSE))?;
        Candidate::parse(value)
    }

    /// Why it is of no use to an agent for one bundled transport; `None` if it is of use.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if matches!(self.address, CandidateAddress::Name(_)) {
            return Some(Refusal::DomainName);
        }
        match self.transport {
            CandidateTransport::Other(_) => return Some(Refusal::UnknownTransport),
            CandidateTransport::Tcp if self.tcp_type().is_none() => return Some(Refusal::UnknownTcpType),
            // RFC 6544 section 4.5: an active candidate's port says nothing, and should be 9.
            CandidateTransport::Tcp if self.tcp_type() == Some(TcpType::Active) => {}
            _ if self.port == 0 => return Some(Refusal::PortZero),
            _ => {}
        }
        match self.kind {
            CandidateKind::Other(_) => Some(Refusal::UnknownKind),
            _ if self.component != 1 => Some(Refusal::OtherComponent),
            _ => None,
        }
    }

    /// The value of the first extension `name`.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        let mut words = self.extensions.split(' ');
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            if key.eq_ignore_ascii_case(name) {
                return Some(value);
            }
        }
        None
    }

    /// RFC 6544 section 4.5: `tcptype`.
    #[must_use]
    pub fn tcp_type(&self) -> Option<TcpType> {
        match self.extension("tcptype")? {
            "active" => Some(TcpType::Active),
            "passive" => Some(TcpType::Passive),
            "so" => Some(TcpType::SimultaneousOpen),
            _ => None,
        }
    }

    /// RFC 8840 section 4.1: the generation that the candidate belongs to.
    #[must_use]
    pub fn ufrag(&self) -> Option<&str> {
        self.extension("ufrag")
    }

    /// Adds an extension at the end. `false`, and nothing done, if the two words are not words.
    #[must_use]
    pub fn add_extension(&mut self, name: &str, value: &str) -> bool {
        let word = |word: &str, allowed: fn(u8) -> bool| !word.is_empty() && word.bytes().all(allowed);
        if !word(name, is_token) || !word(value, |octet| octet.is_ascii_graphic()) {
            return false;
        }
        let extensions = self.extensions.to_mut();
        let space = if extensions.is_empty() { "" } else { " " };
        write!(extensions, "{space}{name} {value}").is_ok()
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Candidate<'static> {
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        fn address(address: CandidateAddress<'_>) -> CandidateAddress<'static> {
            match address {
                CandidateAddress::Ip(ip) => CandidateAddress::Ip(ip),
                CandidateAddress::Mdns(name) => CandidateAddress::Mdns(own(name)),
                CandidateAddress::Name(name) => CandidateAddress::Name(own(name)),
            }
        }
        Candidate {
            foundation: own(self.foundation),
            component: self.component,
            transport: match self.transport {
                CandidateTransport::Udp => CandidateTransport::Udp,
                CandidateTransport::Tcp => CandidateTransport::Tcp,
                CandidateTransport::Other(name) => CandidateTransport::Other(own(name)),
            },
            priority: self.priority,
            address: address(self.address),
            port: self.port,
            kind: match self.kind {
                CandidateKind::Host => CandidateKind::Host,
                CandidateKind::ServerReflexive => CandidateKind::ServerReflexive,
                CandidateKind::PeerReflexive => CandidateKind::PeerReflexive,
                CandidateKind::Relayed => CandidateKind::Relayed,
                CandidateKind::Other(name) => CandidateKind::Other(own(name)),
            },
            related: self.related.map(|(ip, port)| (address(ip), port)),
            extensions: own(self.extensions),
        }
    }
}

impl<'a> CandidateAddress<'a> {
    /// The address, where it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            CandidateAddress::Ip(ip) => Some(*ip),
            _ => None,
        }
    }

    fn parse(text: &'a str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(CandidateAddress::Ip(ip));
        }
        // A link-local address may carry its zone, which means nothing to the other side.
        if let Some((ip, zone)) = text.split_once('%') {
            return ip.parse().ok().filter(|_| !zone.is_empty()).map(CandidateAddress::Ip);
        }
        if !is_host_name(text) {
            return None;
        }
        let mut labels = text.rsplit('.');
        let is_local = labels.next().is_some_and(|label| label.eq_ignore_ascii_case("local"));
        match (is_local, labels.count()) {
            (true, 1) => Some(CandidateAddress::Mdns(Cow::Borrowed(text))),
            _ => Some(CandidateAddress::Name(Cow::Borrowed(text))),
        }
    }
}

/// RFC 1123 section 2.1: labels of letters, digits and hyphens, 1 to 63 each; not something that meant to be an address.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
    };
    text.len() <= MAX_HOST_NAME
        && text.split('.').all(label)
        && !text.rsplit('.').next().is_some_and(|last| last.bytes().all(|octet| octet.is_ascii_digit()))
}

impl<'a> Attribute<'a> for Candidate<'a> {
    const NAME: &'static str = "candidate";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value.trim_end_matches(' '), CLAUSE);
        let foundation = foundation(&mut cursor)?;
        cursor.space()?;
        let component = component(&mut cursor)?;
        cursor.space()?;
        let transport = match cursor.token("a transport")? {
            name if name.eq_ignore_ascii_case("udp") => CandidateTransport::Udp,
            name if name.eq_ignore_ascii_case("tcp") => CandidateTransport::Tcp,
            name => CandidateTransport::Other(Cow::Borrowed(name)),
        };
        cursor.space()?;
        // The bound is 2^31 - 1; some stacks exceed it, and order is all that matters.
        let priority = cursor.number(u64::from(u32::MAX), "a priority, 32 bits")? as u32;
        cursor.space()?;
        let address = address(&mut cursor)?;
        cursor.space()?;
        let port = port(&mut cursor)?;
        cursor.space()?;
        literal(&mut cursor, "typ")?;
        let kind = match cursor.token("a type of candidate")? {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            name => CandidateKind::Other(Cow::Borrowed(name)),
        };
        let (related, extensions) = related_and_extensions(&mut cursor)?;
        Ok(Candidate {
            foundation: Cow::Borrowed(foundation),
            component,
            transport,
            priority,
            address,
            port,
            kind,
            related,
            extensions: Cow::Borrowed(extensions),
        })
    }
}

fn foundation<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, ValueError> {
    let start = *cursor;
    // The grammar has ice-chars; a hyphen (a UUID) is seen in the wild, and harms nothing.
    let allowed = |octet: u8| is_ice_char(octet) || octet == b'-' || octet == b'_';
    let word = cursor.word(allowed, &[], "a foundation of 1 to 32 characters")?;
    if word.len() <= 32 { Ok(word) } else { Err(start.error("a foundation of 1 to 32 characters")) }
}

fn component(cursor: &mut Cursor<'_>) -> Result<u16, ValueError> {
    const EXPECTED: &str = "a component, 1 to 256";
    let start = *cursor;
    match cursor.number(256, EXPECTED)? {
        0 => Err(start.error(EXPECTED)),
        component => Ok(component as u16),
    }
}

fn address<'a>(cursor: &mut Cursor<'a>) -> Result<CandidateAddress<'a>, ValueError> {
    const EXPECTED: &str = "an IP address or a host name";
    let start = *cursor;
    let word = cursor.until(|octet| octet == b' ');
    CandidateAddress::parse(word).ok_or_else(|| start.error(EXPECTED))
}

fn port(cursor: &mut Cursor<'_>) -> Result<u16, ValueError> {
    Ok(cursor.number(65_535, "a port, 0 to 65535")? as u16)
}

fn literal(cursor: &mut Cursor<'_>, word: &'static str) -> Result<(), ValueError> {
    let start = *cursor;
    if cursor.until(|octet| octet == b' ') != word {
        return Err(start.error(word));
    }
    cursor.space()
}

type Related<'a> = Option<(CandidateAddress<'a>, u16)>;

fn related_and_extensions<'a>(cursor: &mut Cursor<'a>) -> Result<(Related<'a>, &'a str), ValueError> {
    let mut related = None;
    if !cursor.is_done() {
        cursor.space()?;
    }
    if cursor.rest().starts_with("raddr ") {
        literal(cursor, "raddr")?;
        let ip = address(cursor)?;
        cursor.space()?;
        literal(cursor, "rport")?;
        related = Some((ip, port(cursor)?));
        if !cursor.is_done() {
            cursor.space()?;
        }
    }
    let extensions = cursor.rest();
    while !cursor.is_done() {
        cursor.token("the name of an extension")?;
        cursor.space()?;
        // An empty value is legal (`*VCHAR`) and on the wire.
        cursor.until(|octet| !octet.is_ascii_graphic());
        if !cursor.is_done() {
            cursor.space()?;
        }
    }
    Ok((related, extensions))
}

impl fmt::Display for CandidateAddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CandidateAddress::Ip(ip) => ip.fmt(f),
            CandidateAddress::Mdns(name) | CandidateAddress::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match &self.transport {
            CandidateTransport::Udp => "udp",
            CandidateTransport::Tcp => "tcp",
            CandidateTransport::Other(name) => name,
        };
        let kind = match &self.kind {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relayed => "relay",
            CandidateKind::Other(name) => name,
        };
        let Candidate { foundation, component, priority, address, port, .. } = self;
        write!(f, "candidate:{foundation} {component} {transport} {priority} {address} {port} typ {kind}")?;
        if let Some((address, port)) = &self.related {
            write!(f, " raddr {address} rport {port}")?;
        }
        if self.extensions.is_empty() { Ok(()) } else { write!(f, " {}", self.extensions) }
    }
}
