//! What a socket at a relay says when something fails: an [`io::Error`] of the kind that a socket of the system would have
//! used, with the reason inside.

use std::{error::Error, fmt, io, net::IpAddr};

use ginnel_core::Refused;
use ginnel_stun::client as stun;
use ginnel_turn::client::{FailureReason, PeerError};

/// Why a socket at a relay could not do something: it is inside the [`io::Error`]s of a
/// [`RelaySocket`](super::RelaySocket).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayError {
    /// There is no allocation, and none is asked for any more.
    Failed(FailureReason),
    /// The allocation was lost, and another is being asked for: what is sent meanwhile would get nowhere.
    Lost(FailureReason),
    /// The server does not relay between this address and us.
    Peer(IpAddr, FailureReason),
    /// This address cannot be relayed to.
    Unusable(IpAddr, PeerError),
    /// A datagram is larger than can be relayed.
    TooLarge,
    /// The socket is connected to nobody.
    NotConnected,
    /// The socket was closed.
    Closed,
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) => write!(f, "the relay cannot be used: {reason}"),
            Self::Lost(reason) => {
                write!(f, "the relay has lost the allocation, and another is asked for: {reason}")
            }
            Self::Peer(ip, reason) => write!(f, "the relay does not reach {ip}: {reason}"),
            Self::Unusable(ip, why) => write!(f, "{ip} cannot be relayed to: {why}"),
            Self::TooLarge => f.write_str("the datagram is larger than the 1,500 octets that are relayed"),
            Self::NotConnected => f.write_str("the socket is connected to nobody: call `connect` first"),
            Self::Closed => f.write_str("the socket was closed"),
        }
    }
}

impl Error for RelayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(reason) | Self::Lost(reason) | Self::Peer(_, reason) => Some(reason),
            Self::Unusable(_, why) => Some(why),
            Self::TooLarge | Self::NotConnected | Self::Closed => None,
        }
    }
}

impl RelayError {
    /// The kind that programs look at.
    #[must_use]
    pub const fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Failed(reason) => kind_of(reason),
            Self::Lost(_) => io::ErrorKind::NetworkDown,
            Self::Peer(_, reason) => match reason {
                FailureReason::Transaction(_) | FailureReason::Ended => io::ErrorKind::HostUnreachable,
                reason => kind_of(reason),
            },
            Self::Unusable(_, PeerError::TooMany) => io::ErrorKind::QuotaExceeded,
            Self::Unusable(..) => io::ErrorKind::AddrNotAvailable,
            Self::TooLarge => io::ErrorKind::InvalidInput,
            Self::NotConnected | Self::Closed => io::ErrorKind::NotConnected,
        }
    }
}

const fn kind_of(reason: &FailureReason) -> io::ErrorKind {
    use io::ErrorKind as Kind;
    match reason {
        FailureReason::Config(_) => Kind::InvalidInput,
        FailureReason::Socket(refused) => match refused {
            Refused::InUse => Kind::AddrInUse,
            Refused::NotPermitted | Refused::Untrusted => Kind::PermissionDenied,
            Refused::Unreachable => Kind::ConnectionRefused,
            Refused::TimedOut => Kind::TimedOut,
            Refused::Handshake => Kind::InvalidData,
            Refused::Unsupported => Kind::Unsupported,
        },
        FailureReason::SocketLost | FailureReason::Expired | FailureReason::OutOfSync => {
            Kind::ConnectionReset
        }
        FailureReason::Transaction(reason) => match reason {
            stun::FailureReason::TimedOut(_) => Kind::TimedOut,
            stun::FailureReason::Unreachable(_) => Kind::HostUnreachable,
            stun::FailureReason::Unauthenticated
            | stun::FailureReason::IntegrityViolated(_)
            | stun::FailureReason::WrongRealm => Kind::PermissionDenied,
            stun::FailureReason::SocketLost => Kind::ConnectionReset,
            _ => Kind::InvalidData,
        },
        FailureReason::Forbidden => Kind::PermissionDenied,
        FailureReason::QuotaReached | FailureReason::TooMany => Kind::QuotaExceeded,
        FailureReason::InsufficientCapacity => Kind::ResourceBusy,
        FailureReason::PeerAddressFamilyMismatch => Kind::AddrNotAvailable,
        _ => Kind::Other,
    }
}

impl From<RelayError> for io::Error {
    fn from(error: RelayError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_a_socket_and_the_reason_is_inside() {
        let quota = io::Error::from(RelayError::Failed(FailureReason::QuotaReached));
        assert_eq!(quota.kind(), io::ErrorKind::QuotaExceeded);
        assert_eq!(
            quota.to_string(),
            "the relay cannot be used: the user has all the allocations that he may have (486)"
        );
        let inside = quota.get_ref().and_then(|inside| inside.downcast_ref::<RelayError>());
        assert_eq!(inside, Some(&RelayError::Failed(FailureReason::QuotaReached)));
        let refused = RelayError::Failed(FailureReason::Socket(Refused::Unreachable));
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let ip = "10.0.0.1".parse().unwrap();
        assert_eq!(RelayError::Peer(ip, FailureReason::Forbidden).kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(RelayError::Unusable(ip, PeerError::TooMany).kind(), io::ErrorKind::QuotaExceeded);
    }
}
