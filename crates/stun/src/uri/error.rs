//! Why a text is not the URI of a server.

/// Why a text is not one of these URIs, where it shows, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at octet {offset})")]
pub struct UriError {
    pub(super) offset: usize,
    pub(super) reason: UriErrorReason,
}
impl UriError {
    /// Octets from the front of the text to what is wrong.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
    /// What is wrong.
    #[must_use]
    pub const fn reason(&self) -> UriErrorReason {
        self.reason
    }
}

/// What is wrong with a text that is not one of these URIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriErrorReason {
    /// More than [`URI_LEN_MAX`](super::URI_LEN_MAX) octets.
    #[error("longer than 1024 octets: no name of a server is that long")]
    TooLong,
    /// There is no colon, or something else stands before it.
    #[error("the scheme is none of stun, stuns, turn and turns: begin with one of them and a colon")]
    Scheme,
    /// `stun://host`: these URIs are not hierarchical (RFC 7064 section 3.1, RFC 7065 section 3.1).
    #[error("these URIs have no `//`: write the host right behind the colon")]
    Hierarchical,
    /// `turn:user@host` (RFC 7065 appendix B).
    #[error(
        "these URIs hold no user and no password: leave out what is before the `@`, and pass it separately"
    )]
    UserInfo,
    /// Nothing stands where the host is to be.
    #[error("the host is missing")]
    NoHost,
    /// More than 253 octets, percent-encoded ones counted once: what fits into 255 octets of DNS (RFC 1035 section 2.3.4).
    #[error("the host is longer than 253 octets, so it is no name of the DNS")]
    HostTooLong,
    /// A character that a host cannot have.
    #[error("this character does not belong into a host")]
    HostCharacter,
    /// A character beyond ASCII (RFC 3986 section 3.2.2).
    #[error("a host is written in ASCII: write an internationalized name as its A-label (`xn--...`)")]
    HostNotAscii,
    /// A `%` without two hexadecimal digits behind it (RFC 3986 section 2.1).
    #[error("two hexadecimal digits are missing behind the `%`")]
    PercentEncoding,
    /// More than one colon outside brackets: an IPv6 address, it seems.
    #[error("an IPv6 address stands in brackets: write `[2001:db8::1]`")]
    Unbracketed,
    /// `[` without `]`.
    #[error("the `]` behind the address is missing")]
    Bracket,
    /// What stands in the brackets is no IPv6 address.
    #[error("what is in the brackets is not an IPv6 address")]
    Ipv6,
    /// `[fe80::1%25eth0]` (RFC 6874).
    #[error("an address of a server has no zone: leave out the `%` and what follows it")]
    Zone,
    /// `[v1.fe80::a]` (RFC 3986 section 3.2.2).
    #[error("addresses of the form `[v1.x]` (IPvFuture) are not defined by anything, and not taken")]
    IpFuture,
    /// The port holds something else than digits.
    #[error("this does not belong into a port: there are only digits")]
    PortCharacter,
    /// No port is that large, and none is 0.
    #[error("the port is not in 1..=65535")]
    PortRange,
    /// `stun:host?transport=udp` (RFC 7064 section 3.1).
    #[error("stun and stuns URIs have no `?transport=`: leave it out, or give the transport separately")]
    TransportOnStun,
    /// `turn:host?protocol=udp` (RFC 7065 section 3.1).
    #[error("nothing but `?transport=` may follow, and that on turn and turns alone: leave out the rest")]
    Query,
    /// `turn:host?transport=`.
    #[error("the transport is missing: write udp or tcp, or leave out `?transport=`")]
    NoTransport,
    /// A character that a transport cannot have.
    #[error("this character does not belong into a transport, which is udp or tcp")]
    TransportCharacter,
    /// `stun:host/path`, `stun:host#fragment`.
    #[error("these URIs have no path and no fragment: leave out everything from here")]
    Path,
}
