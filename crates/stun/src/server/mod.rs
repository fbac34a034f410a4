//! The Binding server (RFC 8489 sections 6.3.1, 6.3.2 and 12; RFC 5780 section 6): tells whoever asks where he is seen to
//! ask from.
//!
//! ```text
//!  request --> STUN? --> FINGERPRINT --> rate limit, or credentials --> attributes --> answer
//!                |           |              |            |                 |             from the socket asked, or
//!             Foreign     discard        discard    401, 400, 438       420, 400         as CHANGE-REQUEST says
//! ```
//!
//! It keeps no state for anybody: the answer is written over the question and returned, so a retransmission is answered
//! afresh (Binding is idempotent), and there is nothing for a flood to fill. The one exception is bounded: requests that
//! wait until their user has been looked up elsewhere.
//! An unauthenticated answer is as small as the RFC allows: no SOFTWARE, no reason phrase. A plain answer is at most 2.2
//! times its request, one of RFC 5780 at most 5.8 times (its four addresses), and a 420 at most 1.5 times; over datagrams
//! each source gets only so many of them.
//! Left out on purpose: ALTERNATE-SERVER, which RFC 8489 section 12 advises a Binding server against; SOFTWARE.

mod config;
pub mod fuzz;
mod request;

use core::net::SocketAddr;

use ginnel_core::{Handled, Instant, NoRoom, Packet, Path, Receive, Seed, Ticket, Transmit, Transport, Wake};

pub use config::{
    DiscoveryAddresses, DiscoveryAddressesError, DiscoverySupport, FingerprintPolicy, ServerConfig,
};
use request::{Answer, Asked, Behavior};

use crate::{
    attribute::{
        ErrorCode, MappedAddress, OtherAddress, Padding, ResponseOrigin, UnknownAttributes, XorMappedAddress,
    },
    auth::{
        AddUserError, AuthEvent, AuthStats, Authenticated, Authenticator, NonceKey, RateLimiter, User,
        Verdict, Who,
    },
    fingerprint::Fingerprint,
    message::{Class, Message, Method},
    writer::MessageWriter,
};

/// Answers Binding requests.
///
/// | kind | verbs |
/// |---|---|
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`close`](Self::close) |
/// | command | [`add_user`](Self::add_user), [`remove_user`](Self::remove_user), [`answer`](Self::answer), [`rotate_nonce_key`](Self::rotate_nonce_key) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`stats`](Self::stats), [`auth_stats`](Self::auth_stats), [`waiting`](Self::waiting) |
///
/// Answers leave from [`handle_input`](Self::handle_input). Only where users are looked up elsewhere is there anything to
/// transmit or an event to answer. It never waits, so [`ginnel_core::receive`] is all that a driver needs; see
/// [`ginnel_core`] for the contract.
///
/// ```
/// use ginnel_core::{Handled, Instant, Packet, Path, Receive, Seed};
/// use ginnel_stun::{BindingServer, Message, ServerConfig, attribute::XorMappedAddress};
///
/// let mut server = BindingServer::new(ServerConfig::default(), Seed::new([7; 32]));
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// packet.append(b"\x00\x01\x00\x00\x21\x12\xa4\x42transactions")?;
/// let path = Path::udp("198.51.100.1:3478".parse()?, "192.0.2.1:5000".parse()?);
/// let mut input = Receive::new(path, packet);
/// let Handled::Send(transmit) = server.handle_input(Instant::EPOCH, &mut input) else { panic!("no answer") };
/// assert_eq!(transmit.path, path); // back to where it came from
/// let answer = Message::parse(input.packet.bytes())?;
/// assert_eq!(answer.get()?, Some(XorMappedAddress(path.remote)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BindingServer {
    config: ServerConfig,
    auth: Option<Authenticator>,
    limiter: Option<RateLimiter>,
    closing: Closing,
    stats: ServerStats,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    #[default]
    Open,
    /// Closed, and the event waits to be polled.
    Closed,
    /// Closed, and said so.
    Said,
}

/// What a Binding server says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// Look this user up, and call [`BindingServer::answer`] with this ticket; or never, and nothing fills up.
    LookUp {
        /// Which request it is for.
        ticket: Ticket,
        /// Who.
        who: Who,
    },
    /// It is closed: the last event.
    Closed,
}

/// Counters of a Binding server, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Binding requests answered with success.
    pub answered: u64,
    /// Of these, answered to clients of RFC 3489.
    pub rfc3489: u64,
    /// Binding requests answered with 420.
    pub unknown_attributes: u64,
    /// Binding requests answered with 400 for what they hold, credentials aside.
    pub bad_requests: u64,
    /// Requests without the magic cookie over DTLS, answered with 500 (RFC 8489 section 11).
    pub rfc3489_over_dtls: u64,
    /// Binding indications, which are not answered (RFC 8489 section 6.3.2).
    pub indications: u64,
    /// What claims to be STUN and is malformed: discarded.
    pub malformed: u64,
    /// Binding requests and indications with a bad FINGERPRINT, or without one where it is required: discarded.
    pub bad_fingerprint: u64,
    /// Binding requests from an address that nothing can be sent to, such as port 0: discarded.
    pub no_way_back: u64,
    /// Binding requests of a source that had too many answers: discarded. Refusals are counted by
    /// [`BindingServer::auth_stats`].
    pub limited: u64,
}

impl BindingServer {
    /// A server. The seed gives the secrets of nonces and of the rate limit.
    #[must_use]
    pub fn new(config: ServerConfig, seed: Seed) -> Self {
        let limited = config.rate_limit.filter(|_| config.credentials.is_none());
        Self {
            auth: config
                .credentials
                .clone()
                .map(|auth| Authenticator::new(auth, seed.fork("stun server auth"))),
            limiter: limited.map(|limit| RateLimiter::new(limit, seed.fork("stun answer limit"))),
            config,
            closing: Closing::Open,
            stats: ServerStats::default(),
        }
    }

    /// One arrival. A Binding request is answered in place; responses, other methods and what is not STUN are
    /// [`Handled::Foreign`].
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        let octets = input.packet.bytes();
        if self.is_closed() {
            return Handled::Foreign;
        }
        if !Message::is_claimed_by(octets) {
            return self.handle_rfc3489(now, input);
        }
        let Ok(message) = Message::parse(octets) else {
            self.stats.malformed += 1;
            return Handled::Consumed;
        };
        if message.method() != Method::BINDING || message.class().is_response() {
            return Handled::Foreign;
        }
        let Some(fingerprint) = self.fingerprint_of(&message) else {
            self.stats.bad_fingerprint += 1;
            return Handled::Consumed;
        };
        if message.class() == Class::Indication {
            self.stats.indications += 1;
            return Handled::Consumed;
        }
        let path = input.path;
        if self.has_no_way_back(path) {
            return Handled::Consumed;
        }
        if let Some(auth) = &mut self.auth {
            let verdict = auth.check(now, path, &message);
            let asked = Asked::of(&message, fingerprint, &self.config, path);
            return sent(self.obey(verdict, asked, path, &mut input.packet));
        }
        let asked = Asked::of(&message, fingerprint, &self.config, path);
        if !self.admits(now, path) {
            return Handled::Consumed;
        }
        sent(self.respond(asked, None, path, &mut input.packet))
    }
    /// A request of RFC 3489 (RFC 5389 section 12.2, RFC 8489 section 11), or none of ours at all.
    fn handle_rfc3489(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        let path = input.path;
        let over_dtls = path.transport == Transport::Dtls;
        let answered = self.config.rfc3489
            && self.config.fingerprint != FingerprintPolicy::Required
            && path.transport == Transport::Udp;
        if !answered && !over_dtls {
            return Handled::Foreign;
        }
        let Ok(message) = Message::parse_or_rfc3489(input.packet.bytes()) else { return Handled::Foreign };
        if message.method() != Method::BINDING || message.class().is_response() {
            return Handled::Foreign;
        }
        if message.class() == Class::Indication {
            self.stats.indications += 1;
            return Handled::Consumed;
        }
        // Whoever has no credentials to show is not answered where they are asked for.
        if self.has_no_way_back(path) || self.auth.is_some() && !over_dtls || !self.admits(now, path) {
            return Handled::Consumed;
        }
        let mut asked = Asked::of(&message, false, &self.config, path);
        if over_dtls {
            asked.answer = Answer::Error(ErrorCode::SERVER_ERROR);
        }
        sent(self.respond(asked, None, path, &mut input.packet))
    }
    /// A datagram may name anything as its source: nothing can be sent to port 0.
    fn has_no_way_back(&mut self, path: Path) -> bool {
        let nowhere = path.remote.port() == 0 || path.remote.ip().is_unspecified();
        self.stats.no_way_back += u64::from(nowhere);
        nowhere
    }
    /// Whether the answer bears FINGERPRINT; `None` if the message is to be discarded (RFC 8489 sections 6.3 and 7).
    fn fingerprint_of(&self, message: &Message<'_>) -> Option<bool> {
        match (message.fingerprint(), self.config.fingerprint) {
            (Fingerprint::Bad, _) | (Fingerprint::Absent, FingerprintPolicy::Required) => None,
            (Fingerprint::Absent, _) | (Fingerprint::Ok, FingerprintPolicy::Never) => Some(false),
            (Fingerprint::Ok, _) => Some(true),
        }
    }
    /// Over a stream or DTLS nobody is named as the source but who is there.
    fn admits(&mut self, now: Instant, path: Path) -> bool {
        let Some(limiter) = self.limiter.as_mut().filter(|_| path.transport == Transport::Udp) else {
            return true;
        };
        let admitted = limiter.admits(now, path.remote.ip());
        self.stats.limited += u64::from(!admitted);
        admitted
    }

    /// Does what the authenticator says about a request.
    fn obey(
        &mut self,
        verdict: Verdict,
        asked: Asked,
        path: Path,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        match verdict {
            Verdict::Authenticated(user) => self.respond(asked, Some(&user), path, packet),
            Verdict::Refused(refusal) => {
                let refusal = match self.config.fingerprint {
                    FingerprintPolicy::Required => refusal.with_fingerprint_always(),
                    _ => refusal.with_fingerprint(asked.fingerprint),
                };
                self.auth.as_ref()?.refuse(&refusal, packet).ok()?;
                Some(Transmit::to(path))
            }
            Verdict::LookingUp(_) | Verdict::Discarded => None,
        }
    }
    /// Answers a request that is to be answered.
    fn respond(
        &mut self,
        mut asked: Asked,
        user: Option<&Authenticated>,
        path: Path,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        let mut back = path;
        if let Answer::Discovery(behavior) = asked.answer {
            // RFC 5780 section 6.1: from where CHANGE-REQUEST wants it, and to where RESPONSE-PORT does.
            back.local = behavior.origin;
            back.remote.set_port(behavior.port.unwrap_or(path.remote.port()));
        }
        let old = asked.transaction_id.is_rfc3489();
        // It fails only with a packet that is not as the contract has it: there is room for every answer.
        write(&mut asked, user, path.remote, self.config.padding, packet).ok()?;
        let counter = match asked.answer {
            Answer::Mapped | Answer::Discovery(_) => {
                self.stats.rfc3489 += u64::from(old);
                &mut self.stats.answered
            }
            Answer::Unknown => &mut self.stats.unknown_attributes,
            Answer::Error(ErrorCode::SERVER_ERROR) => &mut self.stats.rfc3489_over_dtls,
            Answer::Error(_) => &mut self.stats.bad_requests,
        };
        *counter += 1;
        Some(Transmit::to(back))
    }

    /// Nothing: a server waits for nobody.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// The answer to a request whose user has been looked up. All others are returned by
    /// [`handle_input`](Self::handle_input).
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        loop {
            let (path, verdict) = self.auth.as_mut()?.poll_answered(now, packet)?;
            let Ok(message) = Message::parse(packet.bytes()) else { continue };
            let Some(fingerprint) = self.fingerprint_of(&message) else { continue };
            let asked = Asked::of(&message, fingerprint, &self.config, path);
            if let Some(transmit) = self.obey(verdict, asked, path, packet) {
                return Some(transmit);
            }
        }
    }
    /// Who is to be looked up; and that it is closed, once.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        match self.closing {
            Closing::Open => match self.auth.as_mut()?.poll_event()? {
                AuthEvent::LookUp { ticket, who } => Some(ServerEvent::LookUp { ticket, who }),
            },
            Closing::Closed => {
                self.closing = Closing::Said;
                Some(ServerEvent::Closed)
            }
            Closing::Said => None,
        }
    }
    /// Never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    /// Answers no more, and forgets what waits.
    pub fn close(&mut self, _now: Instant) {
        if self.closing == Closing::Open {
            self.closing = Closing::Closed;
        }
        if let Some(auth) = &mut self.auth {
            auth.close();
        }
    }
    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing != Closing::Open
    }

    /// Adds a user, or gives one of that name his new keys. One who could never be authenticated here is an error.
    pub fn add_user(&mut self, user: User) -> Result<(), AddUserError> {
        self.auth.as_mut().ok_or(AddUserError::NoCredentials)?.add_user(user)
    }
    /// Removes a user. False if there is none of that name.
    pub fn remove_user(&mut self, name: &str) -> bool {
        self.auth.as_mut().is_some_and(|auth| auth.remove_user(name))
    }
    /// Who it was that [`ServerEvent::LookUp`] asked for; `None` if there is no such user. False if the request does not
    /// wait any more. The answer leaves by [`poll_transmit`](Self::poll_transmit).
    pub fn answer(&mut self, ticket: Ticket, user: Option<User>) -> bool {
        self.auth.as_mut().is_some_and(|auth| auth.answer(ticket, user))
    }
    /// Makes nonces under another key from now on: see [`Nonces::rotate`](crate::auth::Nonces::rotate).
    pub fn rotate_nonce_key(&mut self, key: NonceKey) {
        if let Some(auth) = &mut self.auth {
            auth.rotate_nonce_key(key);
        }
    }
    /// Requests that are kept until their user has been looked up.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.auth.as_ref().map_or(0, Authenticator::waiting)
    }
    /// Counters.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.stats
    }
    /// Counters of authentication: all zero where no credentials are asked for.
    #[must_use]
    pub fn auth_stats(&self) -> AuthStats {
        self.auth.as_ref().map_or_else(AuthStats::default, Authenticator::stats)
    }
}
ginnel_core::machine!(impl [] BindingServer { Event = ServerEvent; Data = (); });

fn sent(transmit: Option<Transmit>) -> Handled {
    transmit.map_or(Handled::Consumed, Handled::Send)
}

/// RFC 8489 section 6.3.1.1: writes the answer over the request.
fn write(
    asked: &mut Asked,
    user: Option<&Authenticated>,
    source: SocketAddr,
    mtu: u16,
    packet: &mut Packet<'_>,
) -> Result<(), NoRoom> {
    let class = match asked.answer {
        Answer::Mapped | Answer::Discovery(_) => Class::Success,
        Answer::Error(_) | Answer::Unknown => Class::Error,
    };
    packet.clear();
    let padding_max = packet.spare_mut().len().saturating_sub(BESIDE_PADDING);
    let open = MessageWriter::new(packet, class, Method::BINDING, asked.transaction_id)?;
    let open = match asked.answer {
        // RFC 5389 section 12.2: the client does not know the other.
        _ if class == Class::Success && asked.transaction_id.is_rfc3489() => {
            open.attribute(&MappedAddress(source))?
        }
        Answer::Mapped => open.attribute(&XorMappedAddress(source))?,
        Answer::Discovery(behavior) => {
            discovery(open, behavior, source, usize::from(mtu).next_multiple_of(4).min(padding_max))?
        }
        Answer::Error(error) => open.attribute(&error)?,
        Answer::Unknown => {
            let open = open.attribute(&ErrorCode::UNKNOWN_ATTRIBUTE)?;
            open.attribute(&UnknownAttributes::new(asked.unknown()))?
        }
    };
    match (user, asked.fingerprint) {
        (None, false) => open.finish(),
        (None, true) => open.fingerprint()?,
        (Some(user), false) => user.seal(open)?.finish(),
        (Some(user), true) => user.seal(open)?.fingerprint()?,
    }
    Ok(())
}
/// RFC 5780 section 6.1: both addresses that the client is seen at, where the answer comes from, where it could come from,
/// and padding.
fn discovery<'p, 'a>(
    open: MessageWriter<'p, 'a>,
    behavior: Behavior,
    source: SocketAddr,
    padding_max: usize,
) -> Result<MessageWriter<'p, 'a>, NoRoom> {
    let mut open = open
        .attribute(&XorMappedAddress(source))?
        .attribute(&MappedAddress(source))?
        .attribute(&ResponseOrigin(behavior.origin))?;
    if let Some(other) = behavior.other {
        open = open.attribute(&OtherAddress(other))?;
    }
    if let Some(asked) = behavior.padding {
        // Never more than was asked with: RFC 5780 section 10 has a server allocate no more than what it received.
        let octets = asked.min(u16::try_from(padding_max).unwrap_or(u16::MAX)) & !3;
        open = open.attribute(&Padding { octets })?;
    }
    Ok(open)
}
/// What an answer of RFC 5780 holds beside the octets of PADDING: the header, four IPv6 addresses, PADDING's own header,
/// message integrity and FINGERPRINT.
const BESIDE_PADDING: usize = 20 + 4 * 24 + 4 + 36 + 8;

#[cfg(test)]
mod tests;
