//! What a client says.

use alloc::boxed::Box;
use core::{fmt, net::SocketAddr, time::Duration};

use ginnel_core::{IcmpError, Path};

use super::RequestId;
use crate::{attribute::AttributeType, integrity::CredentialError, message::Class};

/// What became of a request. Each ends in exactly one [`Mapped`](Event::Mapped), one [`Failed`](Event::Failed) or one
/// [`Response`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A Binding request succeeded.
    Mapped {
        /** Which, as [`Client::binding`](super::Client::binding) returned it. */
        request: RequestId,
        /** Who was asked, and from where. */
        path: Path,
        /** As whom the server sees us. */
        mapped: SocketAddr,
        /** How long it took; `None` if the request was sent more than once (Karn's algorithm, RFC 8489 section 6.2.1). */
        rtt: Option<Duration>,
    },
    /// A request failed.
    Failed {
        /** Which. */
        request: RequestId,
        /** Who was asked at last, and from where. */
        path: Path,
        /** Why. */
        reason: FailureReason,
    },
    /// Over TCP, TLS or DTLS: the server, authenticated, wants another one asked (RFC 8489 section 10). Open a connection
    /// to it and call [`Client::follow`](super::Client::follow), or give the request up by
    /// [`Client::cancel`](super::Client::cancel). Without either the request fails after Ti. Over UDP the client follows by
    /// itself.
    Alternate {
        /** Which. */
        request: RequestId,
        /** Who was asked, and from where. */
        path: Path,
        /** Who is to be asked instead. */
        server: SocketAddr,
        /** Whom the other server's certificate must identify; `None`: the same as before. */
        domain: Option<Box<str>>,
    },
    /// The client is closed: the last event.
    Closed,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// Nothing that counts came in time (RFC 8489 sections 6.2.1 and 6.2.2). What came and was discarded may say why: a
    /// server that refuses what it cannot authenticate has no way to protect its refusal (sections 9.1.3 and 9.2.5).
    #[error("no response in time: {0}")]
    TimedOut(Discarded),
    /// Responses came, and none of them was made with the key (RFC 8489 sections 9.1.4 and 9.2.5).
    #[error("no response was made with the key: {0}")]
    IntegrityViolated(Discarded),
    /// The server refused a Binding request, with this error code.
    #[error("refused with error {0}")]
    Refused(u16),
    /// The server does not understand this attribute of a Binding request (error 420, RFC 8489 section 6.3.1).
    #[error("the server does not understand {0}")]
    UnknownAttribute(AttributeType),
    /// The response has comprehension-required attributes that are not understood (RFC 8489 sections 6.3.3 and 6.3.4).
    #[error("the response has attributes that are not understood")]
    ResponseNotUnderstood,
    /// An error response without a legal ERROR-CODE (RFC 8489 section 6.3.4).
    #[error("the error response has no legal ERROR-CODE")]
    NoErrorCode,
    /// A Binding success without a legal XOR-MAPPED-ADDRESS (RFC 8489 section 6.3.3).
    #[error("the response has no legal XOR-MAPPED-ADDRESS")]
    NoMappedAddress,
    /// The user name or the password is wrong (error 401 to a request that had them), or the server wants a long-term
    /// credential and the request has none.
    #[error("the server does not accept the user name and password")]
    Unauthenticated,
    /// A 401 or 438 without a legal NONCE, REALM or PASSWORD-ALGORITHMS (RFC 8489 section 9.2.4).
    #[error("the server's challenge is not complete")]
    BadChallenge,
    /// Somebody on the path took a security feature out of the server's challenge: its nonce announces what the challenge
    /// lacks, or an earlier one had (RFC 8489 section 9.2.1).
    #[error("a security feature was taken out of the server's challenge on its way")]
    BidDown,
    /// The server offers no password algorithm that is known here (RFC 8489 section 9.2.5).
    #[error("the server offers no password algorithm that is known here")]
    NoCommonAlgorithm,
    /// The server is of another realm than [the credential](crate::LongTermCredential::with_realm).
    #[error("the credential is for another realm than the server's")]
    WrongRealm,
    /// The server's realm cannot be prepared for the key.
    #[error("the server's realm cannot be used: {0}")]
    UnusableRealm(CredentialError),
    /// The server went on asking for other user names and realms, with 401.
    #[error("the server challenged again and again")]
    TooManyChallenges,
    /// The server went on calling each new nonce of its own stale, with 438.
    #[error("the server called each of its nonces stale")]
    TooManyStaleNonces,
    /// The server wants another one asked, and it is not (RFC 8489 section 10).
    #[error("the server wants another one asked: {0}")]
    Alternate(AlternateRefusal),
    /// With what the server wants in it, the request does not fit into a packet of the path any more.
    #[error("the request does not fit into a packet with what the server wants in it")]
    NoRoom,
    /// A router or the server's host says, by a hard ICMP error, that it cannot be reached (RFC 8489 section 6.2.1).
    #[error("unreachable: {0}")]
    Unreachable(IcmpError),
    /// The driver lost the socket or the stream.
    #[error("the socket was lost")]
    SocketLost,
    /// The client was closed first.
    #[error("the client was closed")]
    Closed,
}

/// What came for the last attempt of a request that failed, and was discarded. For people who look for the cause: nothing
/// of it is authenticated, and anybody on the path may have made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discarded {
    /// How many responses.
    pub count: u32,
    /// Why the last one was; `None` if nothing came.
    pub last: Option<Discard>,
    /// The error code of the last one, if it was an error response with one.
    pub error: Option<u16>,
}
impl Discarded {
    pub(super) fn add(&mut self, why: Discard, error: Option<u16>) {
        *self = Self { count: self.count.saturating_add(1), last: Some(why), error };
    }
}
impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(why) = self.last else { return f.write_str("nothing came") };
        write!(f, "responses discarded: {}, the last because {why}", self.count)?;
        match self.error {
            Some(code) => write!(f, " (it says error {code})"),
            None => Ok(()),
        }
    }
}

/// Why a response was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Discard {
    /// Not from where the request was sent to, or not to where it was sent from (SECURITY.md, case 15).
    #[error("it came on another path")]
    WrongPath,
    /// Of another method (RFC 8489 section 6.3).
    #[error("it is of another method")]
    WrongMethod,
    /// With a bad FINGERPRINT, or without one where it is required (RFC 8489 section 7).
    #[error("its FINGERPRINT is wrong or missing")]
    BadFingerprint,
    /// Without message integrity, with the wrong kind, or not made with the key (RFC 8489 sections 9.1.4 and 9.2.5).
    #[error("it is not made with the key")]
    BadIntegrity,
    /// A 400 without message integrity, to a request with a long-term credential (RFC 8489 section 9.2.5).
    #[error("it is a 400 without message integrity")]
    BareBadRequest,
    /// Its nonce announces password algorithms that it does not have (RFC 8489 section 9.2.5).
    #[error("a security feature was taken out of it")]
    BidDown,
}

/// Why an ALTERNATE-SERVER is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlternateRefusal {
    /// Neither message integrity nor TLS shows that it is the server who says so: anybody could send us anywhere.
    #[error("nothing shows that it says so itself")]
    Unauthenticated,
    /// There is no ALTERNATE-SERVER of our address family, or a malformed one.
    #[error("it names no address of our family")]
    NoAddress,
    /// It was asked before (RFC 8489 section 10), or is ourselves.
    #[error("that one was asked before")]
    Loop,
    /// It is on this very host.
    #[error("that one is on this host")]
    Loopback,
    /// Over a connection: nobody called [`Client::follow`](super::Client::follow) in time.
    #[error("no connection to it was opened in time")]
    NotFollowed,
    /// Nobody can be there: an unspecified, multicast or broadcast address, or port 0.
    #[error("nobody can be at that address")]
    NotUnicast,
    /// A port below 1024 that is neither 53, 80 nor 443: where other services listen.
    #[error("other services listen on that port")]
    PrivilegedPort,
    /// The request was sent on too often.
    #[error("the request was sent on too often")]
    TooMany,
    /// As many transactions with it as [`max_transactions_per_server`](super::ClientConfig::max_transactions_per_server).
    #[error("too many transactions with that one")]
    Busy,
}

/// The answer to a [`Client::request`](super::Client::request): the message is in the packet, checked as its request asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Which request it answers.
    pub request: RequestId,
    /// Success, or Error: then there is a legal ERROR-CODE.
    pub class: Class,
    /// The error code of an Error.
    pub error: Option<u16>,
    /// Whether the response bears message integrity made with the request's credential. With a long-term credential it
    /// does not where the server asked for none.
    pub authenticated: bool,
    /// How long it took; `None` if the request was sent more than once (Karn's algorithm, RFC 8489 section 6.2.1).
    pub rtt: Option<Duration>,
}

/// Why a request was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// As many as [`max_transactions`](super::ClientConfig::max_transactions): poll events, or wait for one.
    #[error("too many transactions at once: poll events, or wait for one")]
    TooMany,
    /// As many as [`max_transactions_per_server`](super::ClientConfig::max_transactions_per_server): wait for one.
    #[error("too many transactions at once to this server: wait for one")]
    TooManyToServer,
    /// The request does not fit into a packet, or is larger than the path's MTU lets it be (RFC 8489 section 6.1): leave
    /// attributes out.
    #[error("the request does not fit into a packet of this path")]
    NoRoom,
    /// The client is closed: make another.
    #[error("the client is closed")]
    Closed,
    /// [`Client::follow`](super::Client::follow): no such request waits for its alternate server.
    #[error("no such request waits for an alternate server")]
    NotWaiting,
}

/// Counters of a client, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests started.
    pub started: u64,
    /// Packets sent.
    pub sent: u64,
    /// How many of them were retransmissions.
    pub retransmitted: u64,
    /// Requests that ended in an answer, be it an error.
    pub answered: u64,
    /// Requests that ended otherwise.
    pub failed: u64,
    /// Attempts after a 401 (RFC 8489 section 9.2.5).
    pub challenged: u64,
    /// Attempts after a 438 (RFC 8489 section 9.2.5).
    pub stale: u64,
    /// Attempts after a 500 (RFC 8489 section 6.3.4).
    pub repeated: u64,
    /// Attempts with another server, after a 300 (RFC 8489 section 10).
    pub redirected: u64,
    /// Responses to no transaction of ours: left to others.
    pub unknown_transaction: u64,
    /// Responses from another address than was asked, or to another: discarded.
    pub wrong_path: u64,
    /// Responses of another method than was asked: discarded.
    pub wrong_method: u64,
    /// Responses with a bad FINGERPRINT, or without one where it is required: discarded.
    pub bad_fingerprint: u64,
    /// Responses that fail message integrity, or bear the wrong kind: discarded.
    pub bad_integrity: u64,
    /// Unprotected 400s to requests with a long-term credential: discarded (RFC 8489 section 9.2.5).
    pub bare_bad_request: u64,
    /// Responses whose nonce announces password algorithms that they do not have: ignored (RFC 8489 section 9.2.5).
    pub bid_down: u64,
    /// Requests that failed by a hard ICMP error.
    pub icmp_hard: u64,
    /// ICMP errors that changed nothing: soft ones, and those that hit no request.
    pub icmp_ignored: u64,
}
impl Stats {
    pub(super) fn count(&mut self, why: Discard) {
        *match why {
            Discard::WrongPath => &mut self.wrong_path,
            Discard::WrongMethod => &mut self.wrong_method,
            Discard::BadFingerprint => &mut self.bad_fingerprint,
            Discard::BadIntegrity => &mut self.bad_integrity,
            Discard::BareBadRequest => &mut self.bare_bad_request,
            Discard::BidDown => &mut self.bid_down,
        } += 1;
    }
}
