//! What ICMP says of a datagram that did not arrive.
//!
//! Type, code and data are kept as they came, since a TURN server hands them on (RFC 8656 section 18.13). What is not
//! here: the datagram that the message quotes (the driver has found the path in it), and the router that sent it. Anybody
//! can forge such a message who guesses two ports, so it is a hint: it may end a transaction, never reveal or open
//! anything.

use core::fmt;

/// Of which protocol an ICMP message is: types and codes of the two mean different things.
///
/// ```
/// use ginnel_core::{IcmpError, IcmpVersion};
///
/// assert_eq!(IcmpError::v4(3, 3, 0).version, IcmpVersion::V4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpVersion {
    /// RFC 792.
    V4,
    /// RFC 4443.
    V6,
}

/// An ICMP error, as a machine learns of it by [`Notice::Unreachable`](crate::Notice::Unreachable).
///
/// ```
/// use ginnel_core::IcmpError;
///
/// let closed = IcmpError::v4(3, 3, 0);
/// assert!(closed.is_hard());
/// assert_eq!(closed.to_string(), "ICMP type 3 code 3 (port unreachable)");
/// assert!(!IcmpError::v4(11, 0, 0).is_hard(), "a loop of routes may end");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpError {
    /// Whose types and codes these are.
    pub version: IcmpVersion,
    /// The *type* of the message.
    pub kind: u8,
    /// The code, which says more.
    pub code: u8,
    /// Where it says *too big*, the MTU of the next hop in octets (RFC 1191 section 4, RFC 4443 section 3.2); else 0.
    pub data: u32,
}

impl IcmpError {
    /// An error of ICMPv4. `data` is kept only where it has a meaning.
    ///
    /// ```
    /// # use ginnel_core::IcmpError;
    /// assert_eq!(IcmpError::v4(3, 4, 1_400).mtu(), Some(1_400));
    /// assert_eq!(IcmpError::v4(3, 3, 1_400).data, 0);
    /// ```
    #[must_use]
    pub const fn v4(kind: u8, code: u8, data: u32) -> Self {
        let data = if kind == 3 && code == 4 { data } else { 0 };
        Self { version: IcmpVersion::V4, kind, code, data }
    }

    /// An error of ICMPv6. `data` is kept only where it has a meaning.
    ///
    /// ```
    /// # use ginnel_core::IcmpError;
    /// assert_eq!(IcmpError::v6(2, 0, 1_280).mtu(), Some(1_280));
    /// assert_eq!(IcmpError::v6(1, 4, 1_280).data, 0);
    /// ```
    #[must_use]
    pub const fn v6(kind: u8, code: u8, data: u32) -> Self {
        let data = if kind == 2 { data } else { 0 };
        Self { version: IcmpVersion::V6, kind, code, data }
    }

    /// Whether sending again is of no use, so that a STUN transaction has failed (RFC 8489 section 6.2.1).
    ///
    /// RFC 1122 section 4.2.3.9 calls *destination unreachable* hard with the codes 2 (protocol), 3 (port) and 4
    /// (fragmentation needed: all that a driver sends is sent unfragmented, so the same datagram fails again). Their
    /// counterparts in ICMPv6 are unrecognized next header, port unreachable and packet too big (RFC 4443 sections 3.4, 3.1
    /// and 3.2). All else may pass: no route, host unreachable, time exceeded.
    ///
    /// ```
    /// # use ginnel_core::IcmpError;
    /// assert!([IcmpError::v4(3, 2, 0), IcmpError::v6(1, 4, 0), IcmpError::v6(2, 0, 1_280)].iter().all(IcmpError::is_hard));
    /// assert!(![IcmpError::v4(3, 1, 0), IcmpError::v6(1, 3, 0), IcmpError::v6(3, 0, 0)].iter().any(IcmpError::is_hard));
    /// ```
    #[must_use]
    pub const fn is_hard(&self) -> bool {
        match self.version {
            IcmpVersion::V4 => matches!((self.kind, self.code), (3, 2..=4)),
            IcmpVersion::V6 => matches!((self.kind, self.code), (1, 4) | (2, _) | (4, 1)),
        }
    }

    /// The MTU of the next hop, in octets, where the datagram was too big for it; 0 if an old router does not say.
    ///
    /// ```
    /// # use ginnel_core::IcmpError;
    /// assert_eq!(IcmpError::v4(3, 3, 0).mtu(), None);
    /// ```
    #[must_use]
    pub const fn mtu(&self) -> Option<u32> {
        match (self.version, self.kind, self.code) {
            (IcmpVersion::V4, 3, 4) | (IcmpVersion::V6, 2, _) => Some(self.data),
            _ => None,
        }
    }

    /// In a few words; the numbers have to do for what is rare.
    const fn meaning(&self) -> Option<&'static str> {
        Some(match (self.version, self.kind, self.code) {
            (IcmpVersion::V4, 3, 0) | (IcmpVersion::V6, 1, 0) => "no route",
            (IcmpVersion::V4, 3, 1) | (IcmpVersion::V6, 1, 3) => "host unreachable",
            (IcmpVersion::V4, 3, 2) | (IcmpVersion::V6, 4, 1) => "protocol unreachable",
            (IcmpVersion::V4, 3, 3) | (IcmpVersion::V6, 1, 4) => "port unreachable",
            (IcmpVersion::V4, 3, 4) | (IcmpVersion::V6, 2, _) => "too big",
            (IcmpVersion::V4, 3, 9 | 10 | 13) | (IcmpVersion::V6, 1, 1) => "prohibited",
            (IcmpVersion::V4, 11, _) | (IcmpVersion::V6, 3, _) => "time exceeded",
            _ => return None,
        })
    }
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.version {
            IcmpVersion::V4 => "ICMP",
            IcmpVersion::V6 => "ICMPv6",
        };
        write!(f, "{name} type {} code {}", self.kind, self.code)?;
        match self.meaning() {
            Some(meaning) => write!(f, " ({meaning})"),
            None => Ok(()),
        }
    }
}
