//! What a resolver says, and why one cannot be made.

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use ginnel_core::{Alpn, HostName, HostNameError, Ticket, Transport};

use super::Rank;

/// What a resolver says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Ask the DNS this, and tell [`Resolver::answer`](super::Resolver::answer).
    Question(Question),
    /// A server that can be tried now.
    Candidate(Candidate),
    /// One question led to nothing. Others may do better: a domain without NAPTR records is the ordinary case.
    Failed(Failure),
    /// Nothing more comes: the last event, once.
    Finished(Finished),
}

/// A question for the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Pairs it with its answer.
    pub ticket: Ticket,
    /// The name, absolute: search lists are not for it.
    pub name: HostName,
    /// Which records.
    pub kind: RecordKind,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// A kind of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Type 35 (RFC 3403): what a domain prefers.
    Naptr,
    /// Type 33 (RFC 2782): hosts and ports of a service.
    Srv,
    /// Type 1: IPv4 addresses.
    A,
    /// Type 28: IPv6 addresses.
    Aaaa,
}

/// As zone files write it.
impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        })
    }
}

/// A server to try: what [`ginnel_core::Request::Connect`] is to be given, where it is no datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Over what.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// The name that the server's certificate must hold, over TLS and DTLS: the host of the URI, wherever NAPTR and SRV
    /// records led (RFC 5928 section 5, RFC 7350 section 4.1.1). With `None` it must hold the address.
    pub server_name: Option<HostName>,
    /// What to offer by ALPN, over TLS and DTLS (RFC 7443).
    pub alpn: Option<Alpn>,
    /// How much it is preferred.
    pub rank: Rank,
}

/// One question that led to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name}: {reason}")]
pub struct Failure {
    /// The name that was asked for, or would have been.
    pub name: HostName,
    /// Which records.
    pub kind: RecordKind,
    /// Why it led to nothing.
    pub reason: FailureReason,
}

/// Why a question led to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// What the DNS said.
    #[error(transparent)]
    Dns(#[from] AnswerError),
    /// The name has no records of this kind.
    #[error("no such records")]
    NoRecords,
    /// There are records, and none of them is legal.
    #[error("none of the records is legal: ask the owner of the domain to look at them")]
    BadRecords,
    /// NAPTR records offer the service, over none of the transports that are supported and asked for.
    #[error("the domain offers none of the transports that are supported here")]
    NotOffered,
    /// An SRV record says that there is no such service (RFC 2782: the target is `.`).
    #[error("the domain says that it has no such service")]
    NoSuchService,
    /// No answer in [`question_timeout`](super::ResolverConfig::question_timeout).
    #[error("no answer in time")]
    TimedOut,
    /// [`deadline`](super::ResolverConfig::deadline) came first.
    #[error("no answer before the deadline of the whole search")]
    Deadline,
    /// [`max_questions`](super::ResolverConfig::max_questions) were asked, so this was not.
    #[error("not asked: too many questions already")]
    TooManyQuestions,
    /// NAPTR records led through more than [`HOPS_MAX`](super::HOPS_MAX) names, or in a circle.
    #[error("not asked: NAPTR records lead through too many names, or in a circle")]
    TooManyHops,
}

/// Why the DNS gave no records. An answer without records of the kind is no error: it is an empty slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// NXDOMAIN.
    #[error("the name does not exist")]
    NoSuchName,
    /// REFUSED.
    #[error("the DNS server refused to answer")]
    Refused,
    /// SERVFAIL, or no way to the server.
    #[error("the DNS server failed, or could not be reached")]
    Failed,
    /// The application's resolver cannot ask for this kind: those of operating systems often have addresses alone.
    #[error("this kind of record cannot be asked for here")]
    Unsupported,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// How many candidates came. With none the search has failed (RFC 5928 section 3), and the
    /// [`Failure`]s before this say why.
    pub candidates: usize,
    /// Why nothing more comes.
    pub reason: FinishReason,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// Every question was answered, or given up.
    Complete,
    /// The deadline came first.
    Deadline,
    /// It was closed.
    Closed,
}

/// Why a URI cannot be resolved at all: the first checks of RFC 5928 section 3, with RFC 7350 section 4.6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The URI asks for a transport that [`transports`](super::ResolverConfig::transports) does not list.
    #[error("the URI asks for {0}, which is not among the supported transports: add it, or change the URI")]
    Unsupported(Transport),
    /// The URI asks for a transport that nobody here knows.
    #[error("the URI asks for a transport that is not known: write udp or tcp")]
    UnknownTransport,
    /// None of the supported transports fits the scheme.
    #[error(
        "none of the supported transports fits the URI: stuns and turns need TLS or DTLS, stun and turn UDP or TCP"
    )]
    NoTransport,
    /// A secure URI with an address, whose server no certificate could be checked against (RFC 8489 section 8.1, RFC 7350
    /// section 4.6.1).
    #[error(
        "a secure URI needs a name for its certificate: write the name, or give it by `with_server_name`"
    )]
    AddressWithoutName,
    /// No server has this address: it is unspecified, multicast or broadcast.
    #[error("no server has the address {0}: write that of the server")]
    Address(IpAddr),
    /// The URI has an address of a family that is switched off.
    #[error("the URI has an address of a family that is switched off: switch it on by `with_families`")]
    Family,
    /// The host is no name of the DNS.
    #[error("the host cannot be looked up: {0}")]
    Name(HostNameError),
}
