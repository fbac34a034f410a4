//! Everything that arrives from one peer and is neither STUN nor TURN: told apart, decrypted, keyed.
//!
//! [`Session`] is [`demux`] and [`Endpoint`] and, once the endpoint has keys, [`Sender`] and [`Receiver`]. RTP and RTCP that come
//! before the keys are dropped and counted: RFC 5764 section 5.1.2 allows to keep them, but what cannot be verified is not worth
//! memory.

mod event;
#[cfg(test)]
mod tests;

pub use event::{Event, SessionStats};

use std::collections::VecDeque;
use std::sync::Arc;

use ginnel_core::{Epoch, Handled, Instant, Packet, Seed, Wake};

use crate::dtls::{self, Certificate, ConfigError, Endpoint, EndpointConfig, Fingerprint, Role, SendError};
use crate::srtp::{self, KeyUse, ProtectError, Receiver, Sender};
use crate::{Protocol, demux};

/// What a received packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An RTP packet, decrypted.
    Rtp,
    /// An RTCP compound, decrypted.
    Rtcp,
    /// A record of DTLS application data: for WebRTC, one SCTP packet.
    ApplicationData,
}

/// What a session is made from.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// DTLS.
    pub endpoint: EndpointConfig,
    /// SRTP.
    pub srtp: srtp::Config,
}
impl SessionConfig {
    /// As [`EndpointConfig::new`], with the default of [`srtp::Config`].
    #[must_use]
    pub fn new(
        certificate: Arc<Certificate>,
        role: Role,
        remote_fingerprints: Vec<Fingerprint>,
        epoch: Epoch,
    ) -> Self {
        EndpointConfig::new(certificate, role, remote_fingerprints, epoch).into()
    }
    /// The same with another [`SessionConfig::srtp`].
    #[must_use]
    pub fn with_srtp(self, srtp: srtp::Config) -> Self {
        Self { srtp, ..self }
    }
}
impl From<EndpointConfig> for SessionConfig {
    fn from(endpoint: EndpointConfig) -> Self {
        Self { endpoint, srtp: srtp::Config::default() }
    }
}

/// DTLS and SRTP with one peer, on someone else's path.
///
/// | kind | verb |
/// |---|---|
/// | tell | [`Session::handle_input`], [`Session::handle_timeout`], [`Session::close`] |
/// | command | [`Session::send`], [`Session::protect_rtp`], [`Session::protect_rtcp`] |
/// | ask | [`Session::poll_transmit`], [`Session::poll_event`], [`Session::poll_data`], [`Session::poll_timeout`], [`Session::is_closed`] |
///
/// After a tell: events, then the data that [`Session::handle_input`] returned, then [`Session::poll_data`] until false, then
/// [`Session::poll_transmit`] until false, then the timer while it is due. [The contract](ginnel_core) says why.
///
/// ```
/// use ginnel_core::{Handled, Instant, Packet};
/// use ginnel_dtls_srtp::{Event, Kind, Session};
///
/// /// What an owner does with one datagram from the session's path.
/// fn arrived(session: &mut Session, now: Instant, packet: &mut Packet<'_>, mut send: impl FnMut(&[u8])) {
///     let handled = session.handle_input(now, packet);
///     while let Some(event) = session.poll_event() {
///         println!("{event:?}");
///     }
///     match handled {
///         Handled::Data(Kind::ApplicationData) => loop {
///             println!("an SCTP packet of {} octets", packet.len());
///             if !session.poll_data(packet) {
///                 break;
///             }
///         },
///         Handled::Data(kind) => println!("{kind:?}: {} octets", packet.len()),
///         Handled::Foreign => println!("STUN, perhaps"),
///         Handled::Consumed | Handled::Send(_) => {}
///     }
///     while session.poll_transmit(now, packet) {
///         send(packet.bytes());
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Session {
    endpoint: Endpoint,
    srtp: srtp::Config,
    media: Option<Media>,
    events: VecDeque<Event>,
    stats: SessionStats,
}
/// Contexts live only between `Connected` and the end.
#[derive(Debug)]
struct Media {
    sender: Sender,
    receiver: Receiver,
    /// What the user has been told of the sender's key.
    told: KeyUse,
}

impl Session {
    /// A session in its handshake.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: SessionConfig, now: Instant, seed: &Seed) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::new(config.endpoint, now, &seed.fork("dtls"))?;
        Ok(Self {
            endpoint,
            srtp: config.srtp,
            media: None,
            events: VecDeque::with_capacity(2),
            stats: SessionStats::default(),
        })
    }

    /// One packet. Media and application data come back decrypted in place; STUN, TURN channels, QUIC, ZRTP and what nobody
    /// knows is [`Handled::Foreign`], and untouched.
    pub fn handle_input(&mut self, now: Instant, packet: &mut Packet<'_>) -> Handled<Kind> {
        match demux(packet.bytes()) {
            Protocol::Dtls => {
                let handled = self.endpoint.handle_input(now, packet);
                self.look_at_endpoint();
                match handled {
                    Handled::Data(()) => Handled::Data(Kind::ApplicationData),
                    Handled::Foreign => Handled::Foreign,
                    Handled::Consumed | Handled::Send(_) => Handled::Consumed,
                }
            }
            Protocol::Rtp => self.unprotect(packet, Kind::Rtp, Receiver::unprotect_rtp),
            Protocol::Rtcp => self.unprotect(packet, Kind::Rtcp, Receiver::unprotect_rtcp),
            _ => Handled::Foreign,
        }
    }
    fn unprotect(
        &mut self,
        packet: &mut Packet<'_>,
        kind: Kind,
        unprotect: impl Fn(&mut Receiver, &mut Packet<'_>) -> Result<(), srtp::Rejected>,
    ) -> Handled<Kind> {
        if self.is_closed() {
            return Handled::Foreign;
        }
        let Some(media) = &mut self.media else {
            self.stats.media_before_keys += 1;
            return Handled::Consumed;
        };
        match unprotect(&mut media.receiver, packet) {
            Ok(()) => Handled::Data(kind),
            Err(_) => Handled::Consumed,
        }
    }

    /// Retransmits what is due, or gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.look_at_endpoint();
    }
    /// What came of lending the endpoint a call: its events, and its keys.
    fn look_at_endpoint(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            let event = match event {
                dtls::Event::Connected { version, profile } => {
                    self.media = self.endpoint.take_media_keys().map(|keys| Media {
                        sender: Sender::new(&keys.local, self.srtp),
                        receiver: Receiver::new(&keys.remote, self.srtp),
                        told: KeyUse::Fresh,
                    });
                    Event::Connected { version, profile }
                }
                dtls::Event::Closed { reason } => {
                    self.end_media();
                    Event::Closed { reason }
                }
                dtls::Event::Failed(reason) => {
                    self.end_media();
                    Event::Failed(reason)
                }
            };
            self.events.push_back(event);
        }
    }

    /// Keys go, counters stay.
    fn end_media(&mut self) {
        if let Some(media) = self.media.take() {
            (self.stats.sender, self.stats.receiver) = (media.sender.stats(), media.receiver.stats());
        }
    }

    /// Encrypts application data in place: see [`Endpoint::send`].
    ///
    /// # Errors
    /// [`SendError`]; the packet is then as it was.
    pub fn send(&mut self, now: Instant, packet: &mut Packet<'_>) -> Result<(), SendError> {
        let sent = self.endpoint.send(now, packet);
        self.look_at_endpoint();
        sent
    }
    /// Protects an RTP packet in place.
    ///
    /// # Errors
    /// [`MediaError`]; the packet is then as it was.
    pub fn protect_rtp(&mut self, _now: Instant, packet: &mut Packet<'_>) -> Result<(), MediaError> {
        self.protect(packet, Sender::protect_rtp)
    }
    /// Protects an RTCP compound in place.
    ///
    /// # Errors
    /// [`MediaError`]; the packet is then as it was.
    pub fn protect_rtcp(&mut self, _now: Instant, packet: &mut Packet<'_>) -> Result<(), MediaError> {
        self.protect(packet, Sender::protect_rtcp)
    }
    fn protect(
        &mut self,
        packet: &mut Packet<'_>,
        protect: impl Fn(&mut Sender, &mut Packet<'_>) -> Result<(), ProtectError>,
    ) -> Result<(), MediaError> {
        let media = self.media.as_mut().ok_or(MediaError::NoKeys)?;
        protect(&mut media.sender, packet)?;
        let key_use = media.sender.key_use();
        if key_use > media.told {
            media.told = key_use;
            self.events.push_back(Event::MediaKeyExpiring(key_use));
        }
        Ok(())
    }

    /// Writes the next datagram; false if there is none.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> bool {
        self.endpoint.poll_transmit(now, packet)
    }
    /// Writes the next record of application data, where a datagram held several or early ones were kept; false if there is none.
    #[must_use]
    pub fn poll_data(&mut self, packet: &mut Packet<'_>) -> bool {
        self.endpoint.poll_data(packet)
    }
    /// The next event.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call [`Session::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        self.endpoint.poll_timeout()
    }
    /// Ends it: with a close_notify, if it is connected. Media is over at once.
    pub fn close(&mut self, now: Instant) {
        self.endpoint.close(now);
        self.look_at_endpoint();
    }
    /// Whether it has ended and everything is collected.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.endpoint.is_closed() && self.events.is_empty()
    }

    /// Octets of application data that fit one datagram.
    #[must_use]
    pub const fn max_payload(&self) -> usize {
        self.endpoint.max_payload()
    }
    /// Whether application data can be sent.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.endpoint.is_connected()
    }
    /// The profile that protects media, while there are keys.
    #[must_use]
    pub fn profile(&self) -> Option<srtp::Profile> {
        self.media.as_ref().map(|media| media.sender.profile())
    }
    /// What has been done.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        let (sender, receiver) = match &self.media {
            Some(media) => (media.sender.stats(), media.receiver.stats()),
            None => (self.stats.sender, self.stats.receiver),
        };
        SessionStats { dtls: self.endpoint.stats(), sender, receiver, ..self.stats }
    }
}

/// Why media was not protected.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The handshake is not done, agreed on no profile, or is all over.
    #[error("there are no keys for media")]
    NoKeys,
    /// The packet or the key.
    #[error(transparent)]
    Protect(#[from] ProtectError),
}
