//! What was found out, in the words of RFC 4787, and what could not be, with its reason.

use core::{fmt, net::SocketAddr, time::Duration};

use ginnel_core::Refused;

/// What was found, or why it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Finding<T> {
    /// It was found out.
    Known(T),
    /// It was not.
    Unknown(Unknown),
}
impl<T> Finding<T> {
    /// What was found.
    ///
    /// ```
    /// use ginnel_stun::behavior::{Finding, Mapping, Unknown};
    ///
    /// assert_eq!(Finding::Known(Mapping::AddressDependent).known(), Some(Mapping::AddressDependent));
    /// assert_eq!(Finding::<Mapping>::Unknown(Unknown::TooLossy).known(), None);
    /// ```
    #[must_use]
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(it) => Some(it),
            Self::Unknown(_) => None,
        }
    }
}

/// Why something is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Unknown {
    /// The configuration did not ask for it.
    #[error("it was not asked for")]
    NotAsked,
    /// RFC 5780 section 4.2: no answer at all.
    #[error("no answer came from the server: UDP is blocked on the way, or the server is down")]
    NoAnswer,
    /// No answer at all, and ICMP messages that may say why.
    #[error("the network says that the server cannot be reached")]
    Unreachable,
    /// The driver did not open a socket.
    #[error("no socket could be opened: {0}")]
    NoSocket(#[cfg_attr(feature = "serde", serde(with = "refused"))] Refused),
    /// The driver lost a socket.
    #[error("a socket was lost")]
    SocketLost,
    /// The discovery was closed first.
    #[error("the discovery was ended early")]
    Stopped,
    /// The server answered with this error code: 420 says that it does not do this test.
    #[error("the server refused the test with error {0}")]
    Refused(u16),
    /// RFC 5780 section 4.3: without OTHER-ADDRESS the server has one address, and the test needs two.
    #[error("the server has no second address")]
    NoOtherAddress,
    /// OTHER-ADDRESS is no other address and port, or nowhere to send to.
    #[error("the second address that the server names cannot be used")]
    BadOtherAddress,
    /// What the server calls its other address does not answer even when it is asked directly.
    #[error("the server's second address does not answer")]
    OtherAddressSilent,
    /// The server answered CHANGE-REQUEST from the address that was asked.
    #[error("the server does not change its address as asked")]
    ChangeRequestIgnored,
    /// The server's other address answers, and yet CHANGE-REQUEST brings no answer from it even where nothing should be
    /// filtered any more.
    #[error("the server does not answer when asked to change its address")]
    ChangeRequestUnanswered,
    /// The mapping changed while it was looked at.
    #[error("the mapping changed during the test")]
    Unstable,
    /// So many answers are lost on the way that a missing one says nothing.
    #[error("too many answers are lost on the way to tell a missing one from a lost one")]
    TooLossy,
    /// Mapping and filtering together keep back what hairpinning would return.
    #[error("mapping and filtering hide it")]
    HiddenByFiltering,
    /// The address that the server sees is none that can be asked from here: of another family, or nowhere to send to.
    #[error("the address that the server sees cannot be asked from here")]
    BadMappedAddress,
    /// What was sent to the mapped address came back from an address that is neither the local nor the mapped one.
    #[error("what comes back bears an address that is neither the local nor the mapped one")]
    StrangeSource,
    /// There is no NAT that could do it.
    #[error("no NAT was found")]
    NotTranslated,
    /// The server sent no MAPPED-ADDRESS to compare.
    #[error("the server does not send its answer in the clear as well")]
    NoPlainAddress,
    /// The server did not pad its answer.
    #[error("the server does not pad its answers")]
    PaddingIgnored,
    /// The two sockets are seen at two addresses, so an answer to one cannot be led to the other.
    #[error("the NAT gives each socket another address")]
    DifferentAddresses,
    /// The server answered to the port that asked, and not to that of RESPONSE-PORT.
    #[error("the server does not answer to another port as asked")]
    ResponsePortIgnored,
    /// Not even a mapping that was just used is reached with RESPONSE-PORT.
    #[error("an answer to another port does not arrive even at once")]
    ResponsePortUnanswered,
    /// The bounds of the lifetime are too wide to say what refreshes it.
    #[error("the bounds of the lifetime are too far apart")]
    TooCoarse,
    /// No mapping expired within the longest wait.
    #[error("no mapping expired within the longest wait")]
    NeverExpired,
}

/// How the address that peers see depends on the peer (RFC 4787 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Mapping {
    /// Not at all; also without a NAT (RFC 5780 section 4.3).
    EndpointIndependent,
    /// On the peer's address.
    AddressDependent,
    /// On the peer's address and port.
    AddressAndPortDependent,
}

/// Who is let in (RFC 4787 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Filtering {
    /// Everybody, once anything was sent to anybody.
    EndpointIndependent,
    /// The addresses that were sent to, from any port.
    AddressDependent,
    /// The addresses and ports that were sent to.
    AddressAndPortDependent,
}

/// Whether what is sent to one's own mapped address comes back (RFC 4787 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Hairpinning {
    /// It does not.
    None,
    /// It does, and bears the sender's local address.
    InternalSource,
    /// It does, and bears the sender's mapped address.
    ExternalSource,
}

/// Whether datagrams that travel in fragments arrive (RFC 5780 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Fragments {
    /// In both directions.
    Arrive,
    /// Not in both: a long request brings no long answer, where short ones do.
    Lost,
}

/// Whether something rewrites addresses in payloads (RFC 5780 section 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Alg {
    /// Nothing does.
    None,
    /// A generic ALG does.
    Generic,
}

/// How long a mapping lives that nothing refreshes (RFC 4787 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub struct Lifetime {
    /// So long it lived.
    pub at_least: Duration,
    /// So long it did not live; `None`: it survived the longest wait.
    pub at_most: Option<Duration>,
    /// What keeps it alive.
    pub refresh: Finding<RefreshDirection>,
}

/// What keeps a mapping alive (RFC 4787 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum RefreshDirection {
    /// What is sent, and nothing else.
    Outbound,
    /// What is received, too.
    OutboundAndInbound,
}

/// What a discovery found, about the NATs and firewalls between the first socket and the server, at that time. RFC 5780
/// section 1: they may behave worse towards others, and later.
///
/// As text ([`Display`](fmt::Display)) it is a paragraph that a person understands, with what it means for connecting. It holds
/// addresses, which are personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub struct Verdict {
    /// Who was asked.
    pub server: SocketAddr,
    /// From where; `None` if no socket was opened.
    pub local: Option<SocketAddr>,
    /// As whom the server sees the first socket.
    pub mapped: Finding<SocketAddr>,
    /// The mapping.
    pub mapping: Finding<Mapping>,
    /// The filtering.
    pub filtering: Finding<Filtering>,
    /// The hairpinning.
    pub hairpinning: Finding<Hairpinning>,
    /// The lifetime of mappings, or of a firewall's state.
    pub lifetime: Finding<Lifetime>,
    /// What becomes of fragments.
    pub fragments: Finding<Fragments>,
    /// Whether there is a generic ALG.
    pub alg: Finding<Alg>,
}
impl Verdict {
    pub(super) const fn unknown(server: SocketAddr, why: Unknown) -> Self {
        Self {
            server,
            local: None,
            mapped: Finding::Unknown(why),
            mapping: Finding::Unknown(why),
            filtering: Finding::Unknown(why),
            hairpinning: Finding::Unknown(why),
            lifetime: Finding::Unknown(why),
            fragments: Finding::Unknown(why),
            alg: Finding::Unknown(why),
        }
    }
    /// Gives everything that was not looked at this reason.
    pub(super) fn fill(&mut self, why: Unknown) {
        fn one<T>(finding: &mut Finding<T>, why: Unknown) {
            if let Finding::Unknown(it @ Unknown::Stopped) = finding {
                *it = why;
            }
        }
        one(&mut self.mapped, why);
        one(&mut self.mapping, why);
        one(&mut self.filtering, why);
        one(&mut self.hairpinning, why);
        one(&mut self.lifetime, why);
        one(&mut self.fragments, why);
        one(&mut self.alg, why);
    }
    /// Whether there is a NAT: the server sees another address than ours. `None` if that is not known.
    #[must_use]
    pub fn is_translated(&self) -> Option<bool> {
        Some(self.mapped.known()? != self.local?)
    }
}

/// In the RFC's words: `endpoint-independent`.
impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}
/// In the RFC's words: `endpoint-independent`.
impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

/// [`Refused`] as a word: the contract has no serialisation.
#[cfg(feature = "serde")]
mod refused {
    use ginnel_core::Refused;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        InUse,
        NotPermitted,
        Unreachable,
        TimedOut,
        Unsupported,
    }
    pub(super) fn serialize<S: Serializer>(refused: &Refused, serializer: S) -> Result<S::Ok, S::Error> {
        let word = match refused {
            Refused::InUse => Word::InUse,
            Refused::NotPermitted => Word::NotPermitted,
            Refused::Unreachable => Word::Unreachable,
            Refused::TimedOut => Word::TimedOut,
            _ => Word::Unsupported,
        };
        word.serialize(serializer)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Refused, D::Error> {
        Ok(match Word::deserialize(deserializer)? {
            Word::InUse => Refused::InUse,
            Word::NotPermitted => Refused::NotPermitted,
            Word::Unreachable => Refused::Unreachable,
            Word::TimedOut => Refused::TimedOut,
            Word::Unsupported => Refused::Unsupported,
        })
    }
}
