//! The endpoint: a session over someone else's path.
//!
//! ```text
//!                    identity and profile right
//!   Handshaking ─────────────────────────────────► Connected
//!        │  ╲                                       │      │
//!        │   ╲ identity wrong, alert, timeout       │      │ close, close_notify
//!  close │    ╲────────────────────────────────────►│      │
//!        ▼                  Failed                  ▼      ▼
//!      Closed ◄──────────────────────────────────────────────
//! ```
//!
//! After each call into the library its outputs are drained at once: datagrams and data into bounded queues, all else into the
//! state. So the identity is judged before any datagram of the same step is let out, and `poll_timeout` is pure.

use core::mem;
use std::collections::VecDeque;
use std::sync::Arc;

use dimpl::{Config, Dtls, Output};
use ginnel_core::{Handled, Instant, Packet, Seed, Wake};

use super::config::{ConfigError, EndpointConfig, Role, Versions};
use super::event::{CloseReason, Event, FailureReason, Version};
use super::failure::{Verdict, judge};
use super::keys::{MediaKeys, profile_of};
use super::queue::Queue;
use super::{fingerprint, record, stats::Stats};
use crate::demux::{Protocol, demux};

/// One DTLS association.
///
/// | kind | verb |
/// |---|---|
/// | tell | [`Endpoint::handle_input`], [`Endpoint::handle_timeout`], [`Endpoint::close`] |
/// | command | [`Endpoint::send`], [`Endpoint::take_media_keys`] |
/// | ask | [`Endpoint::poll_transmit`], [`Endpoint::poll_event`], [`Endpoint::poll_data`], [`Endpoint::poll_timeout`], [`Endpoint::is_closed`] |
///
/// After a tell: events, then [`Endpoint::poll_data`] until false, then [`Endpoint::poll_transmit`] until false. It has no
/// address ([the contract](ginnel_core), word 7): its owner sends what it writes. A client has something to send from the
/// start, so make it when there is a path.
///
/// ```
/// use ginnel_core::{Buffer, Epoch, Handled, Instant, Packet, Seed};
/// use ginnel_dtls_srtp::dtls::{Certificate, Endpoint, EndpointConfig, Event, HashFunction, Role};
/// use std::sync::Arc;
///
/// let (alice, bob) = (Arc::new(Certificate::generate()?), Arc::new(Certificate::generate()?));
/// let (alice_is, bob_is) = (alice.fingerprint(HashFunction::Sha256), bob.fingerprint(HashFunction::Sha256));
/// let (epoch, now) = (Epoch::start(), Instant::EPOCH);
/// let alice = EndpointConfig::new(alice, Role::Client, vec![bob_is], epoch);
/// let bob = EndpointConfig::new(bob, Role::Server, vec![alice_is], epoch);
/// let mut alice = Endpoint::new(alice, now, &Seed::new([1; 32]))?;
/// let mut bob = Endpoint::new(bob, now, &Seed::new([2; 32]))?;
///
/// let mut buf: Buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buf);
/// for _ in 0..8 {
///     while alice.poll_transmit(now, &mut packet) {
///         assert_eq!(bob.handle_input(now, &mut packet), Handled::Consumed);
///     }
///     while bob.poll_transmit(now, &mut packet) {
///         assert_eq!(alice.handle_input(now, &mut packet), Handled::Consumed);
///     }
/// }
/// assert!(matches!(alice.poll_event(), Some(Event::Connected { .. })));
/// assert!(matches!(bob.poll_event(), Some(Event::Connected { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    state: State,
    /// Gone as soon as nothing more is wanted of it.
    library: Option<Box<Dtls>>,
    /// What the library writes into.
    scratch: Vec<u8>,
    /// Never goes backwards, whatever the caller says.
    now: Instant,
    wake: Option<Instant>,
    /// When the timer was last fired by the owner.
    fired: Option<Instant>,
    /// Means something once the handshake is finished.
    version: Version,
    transmits: Queue,
    data: Queue,
    early: Queue,
    events: VecDeque<Event>,
    media_keys: Option<MediaKeys>,
    stats: Stats,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Handshaking(Progress),
    Connected,
    /// What is queued may still be collected.
    Closed,
}
/// What the library has said so far of a handshake.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// A certificate was shown, and it is one of those expected.
    identified: bool,
    /// Both Finished are right.
    finished: bool,
}

impl Endpoint {
    /// An endpoint in its handshake. A client writes its ClientHello at the next [`Endpoint::poll_transmit`].
    ///
    /// `seed` determines hello randoms, cookies and retransmission jitter. Key pairs and signatures draw from the operating
    /// system, inside the library.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: EndpointConfig, now: Instant, seed: &Seed) -> Result<Self, ConfigError> {
        config.check()?;
        let library = start_library(&config, now, seed)?;
        let mut this = Self {
            config,
            state: State::Handshaking(Progress::default()),
            library: Some(Box::new(library)),
            scratch: vec![0; HANDSHAKE_SCRATCH],
            now,
            wake: None,
            fired: None,
            version: Version::Dtls12,
            transmits: Queue::new(MAX_TRANSMITS),
            data: Queue::new(MAX_DATA),
            early: Queue::new(MAX_EARLY),
            events: VecDeque::with_capacity(2),
            media_keys: None,
            stats: Stats::default(),
        };
        this.advance(now);
        Ok(this)
    }

    /// One datagram. Where it holds application data, the packet is the first record of it and [`Handled::Data`] is returned;
    /// [`Endpoint::poll_data`] yields the others. What is not DTLS is [`Handled::Foreign`].
    pub fn handle_input(&mut self, now: Instant, packet: &mut Packet<'_>) -> Handled {
        if matches!(self.state, State::Closed) || demux(packet.bytes()) != Protocol::Dtls {
            return Handled::Foreign;
        }
        self.stats.datagrams_in += 1;
        if matches!(self.state, State::Handshaking(_)) {
            if packet.len() > MAX_HANDSHAKE_DATAGRAM {
                self.stats.ignored += 1;
                return Handled::Consumed;
            }
            if record::overtook_handshake(packet.bytes()) {
                self.keep_early(packet.bytes());
                return Handled::Consumed;
            }
        }
        self.give(now, packet.bytes());
        if matches!(self.state, State::Connected) && !self.early.is_empty() {
            self.replay_early(now);
        }
        if self.poll_data(packet) { Handled::Data(()) } else { Handled::Consumed }
    }
    fn keep_early(&mut self, datagram: &[u8]) {
        if !self.early.push(datagram) {
            self.early.drop_oldest();
            self.stats.early_dropped += 1;
            self.early.push(datagram);
        }
        self.stats.early_kept += 1;
    }
    fn replay_early(&mut self, now: Instant) {
        while let Some(datagram) = self.early.take() {
            self.give(now, &datagram);
            self.early.recycle(datagram);
        }
        self.early.clear();
    }
    /// Hands a datagram to the library, and drains it.
    fn give(&mut self, now: Instant, datagram: &[u8]) {
        let undecided = self.library.as_ref().is_some_and(|library| library.protocol_version().is_none());
        if undecided
            && self.config.role == Role::Client
            && let Some(description) = record::fatal_alert(datagram)
        {
            return self.fail(FailureReason::Alert(description));
        }
        // The library's `handle_packet` takes no time: it learns it first.
        self.advance(now);
        let Some(library) = &mut self.library else { return };
        if let Err(error) = library.handle_packet(datagram) {
            match judge(&error) {
                Verdict::Dropped => self.stats.ignored += 1,
                Verdict::Overflowed => self.stats.overflowed += 1,
                Verdict::Fatal(reason) => return self.fail(reason),
            }
        }
        self.drain();
    }

    /// Retransmits what is due, or gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.fired = Some(self.now.max(now));
        self.advance(now);
    }
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let Some(library) = &mut self.library else { return };
        match library.handle_timeout(self.config.epoch.to_std(self.now)) {
            Ok(()) => self.drain(),
            Err(error) => match judge(&error) {
                Verdict::Fatal(reason) => self.fail(reason),
                Verdict::Dropped | Verdict::Overflowed => {}
            },
        }
    }

    /// Encrypts `packet` in place as one record. It needs no drain first, and overtakes what is not collected yet.
    ///
    /// # Errors
    /// [`SendError`]; the packet is then as it was.
    pub fn send(&mut self, now: Instant, packet: &mut Packet<'_>) -> Result<(), SendError> {
        self.can_send(packet)?;
        self.now = self.now.max(now);
        let Some(library) = &mut self.library else { return Err(SendError::NotConnected) };
        if let Err(error) = library.send_application_data(packet.bytes()) {
            if let Verdict::Fatal(reason) = judge(&error) {
                self.fail(reason);
            }
            return Err(SendError::NotConnected);
        }
        // Everything before it is drained, so the record comes first; or else something is wrong in the library.
        let Output::Packet(record) = library.poll_output(&mut self.scratch) else {
            self.fail(FailureReason::Protocol);
            return Err(SendError::NotConnected);
        };
        packet.truncate(0);
        packet.append(record).map_err(|_| SendError::NoRoom)?;
        self.stats.data_out += 1;
        self.stats.datagrams_out += 1;
        self.drain();
        Ok(())
    }
    fn can_send(&self, packet: &Packet<'_>) -> Result<(), SendError> {
        if !matches!(self.state, State::Connected) {
            return Err(SendError::NotConnected);
        }
        if packet.is_empty() {
            return Err(SendError::Empty);
        }
        if packet.len() > self.max_payload() {
            return Err(SendError::TooLong { max: self.max_payload() });
        }
        packet.has_room(0, RECORD_OVERHEAD).then_some(()).ok_or(SendError::NoRoom)
    }
    /// Octets of application data that fit one datagram of [`EndpointConfig::mtu`].
    #[must_use]
    pub const fn max_payload(&self) -> usize {
        self.config.mtu - RECORD_OVERHEAD
    }

    /// Writes the next datagram; false if there is none.
    #[must_use]
    pub fn poll_transmit(&mut self, _now: Instant, packet: &mut Packet<'_>) -> bool {
        while let Some(fits) = self.transmits.pop(packet) {
            if fits {
                self.stats.datagrams_out += 1;
                return true;
            }
            self.stats.transmit_dropped += 1;
        }
        false
    }
    /// Writes the next record of application data; false if there is none.
    #[must_use]
    pub fn poll_data(&mut self, packet: &mut Packet<'_>) -> bool {
        while let Some(fits) = self.data.pop(packet) {
            if fits {
                self.stats.data_in += 1;
                return true;
            }
            self.stats.data_dropped += 1;
        }
        false
    }
    /// The next event.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call [`Endpoint::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        Some(Wake::new(self.wake?, "dtls: retransmission"))
    }

    /// Ends it: with a close_notify, if it is connected.
    pub fn close(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !matches!(self.state, State::Closed) {
            self.finish_closing(CloseReason::Local);
        }
    }
    fn finish_closing(&mut self, reason: CloseReason) {
        if matches!(self.state, State::Connected)
            && let Some(library) = &mut self.library
            && library.close().is_ok()
        {
            self.collect_last_transmits();
        }
        self.end(Event::Closed { reason });
    }
    fn collect_last_transmits(&mut self) {
        let Some(library) = &mut self.library else { return };
        while let Output::Packet(datagram) = library.poll_output(&mut self.scratch) {
            if !self.transmits.push(datagram) {
                self.stats.transmit_dropped += 1;
            }
        }
    }
    fn fail(&mut self, reason: FailureReason) {
        // Nothing that was not out yet gets out.
        self.transmits.clear();
        self.data.clear();
        self.end(Event::Failed(reason));
    }
    fn end(&mut self, event: Event) {
        self.state = State::Closed;
        self.library = None;
        self.wake = None;
        self.media_keys = None;
        self.scratch = Vec::new();
        self.early.clear();
        self.events.push_back(event);
    }
    /// Whether it has ended and everything is collected.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
            && self.transmits.is_empty()
            && self.data.is_empty()
            && self.events.is_empty()
    }

    /// The keys for media, once [`Event::Connected`] has named a profile. They are handed out once.
    pub fn take_media_keys(&mut self) -> Option<MediaKeys> {
        matches!(self.state, State::Connected).then(|| self.media_keys.take())?
    }
    /// Which side we are.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.config.role
    }
    /// Whether data can be sent.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }
    /// What has been done.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Takes everything that the library has to say.
    fn drain(&mut self) {
        let Some(mut library) = self.library.take() else { return };
        let mut scratch = mem::take(&mut self.scratch);
        self.version = match library.protocol_version() {
            Some(dimpl::ProtocolVersion::DTLS1_3) => Version::Dtls13,
            _ => Version::Dtls12,
        };
        loop {
            match self.take_output(library.poll_output(&mut scratch)) {
                Step::More => {}
                Step::Grow(needed) => scratch.resize(needed, 0),
                Step::Done => break,
                Step::RemoteClosed => {
                    (self.library, self.scratch) = (Some(library), scratch);
                    return self.finish_closing(CloseReason::Remote);
                }
                Step::Fail(reason) => return self.fail(reason),
            }
        }
        if matches!(self.state, State::Connected) && scratch.len() > SCRATCH {
            scratch = vec![0; SCRATCH];
        }
        (self.library, self.scratch) = (Some(library), scratch);
    }
    fn take_output(&mut self, output: Output<'_>) -> Step {
        match output {
            Output::PeerCert(der) => return self.identify(der),
            Output::Connected => return self.note(|progress| progress.finished = true),
            Output::KeyingMaterial(material, profile) => return self.take_keys(&material, profile),
            Output::BufferTooSmall { needed } if needed <= HANDSHAKE_SCRATCH => return Step::Grow(needed),
            Output::BufferTooSmall { .. } => return Step::Fail(FailureReason::Limit),
            _ => {}
        }
        // All else comes after the news of the handshake: so here the handshake is judged, before anything leaves.
        if let Err(reason) = self.judge_handshake() {
            return Step::Fail(reason);
        }
        match output {
            Output::Packet(datagram) => self.queue_transmit(datagram),
            Output::ApplicationData(data) => self.queue_data(data),
            Output::CloseNotify => return Step::RemoteClosed,
            Output::Timeout(at) => {
                self.wake = self.wake_at(self.config.epoch.from_std(at));
                return Step::Done;
            }
            _ => {}
        }
        Step::More
    }
    fn queue_transmit(&mut self, datagram: &[u8]) {
        if !self.transmits.push(datagram) {
            self.stats.transmit_dropped += 1;
        }
    }
    /// Nothing of a peer that is not identified yet.
    fn queue_data(&mut self, data: &[u8]) {
        if !matches!(self.state, State::Connected) || !self.data.push(data) {
            self.stats.data_dropped += 1;
        }
    }
    /// While a flight has a gap, the library acknowledges at once (RFC 9147 section 7.1), and again, for as long as it is asked:
    /// an owner that settles would never come to an end. So once is enough for one instant, and then a quarter of the
    /// retransmission timeout passes, as that section has it where there is no gap.
    fn wake_at(&self, at: Instant) -> Option<Instant> {
        if at.saturating_since(self.now) >= IDLE {
            return None;
        }
        let again = at <= self.now && self.fired == Some(self.now);
        Some(if again { self.now + self.config.initial_rto / 4 } else { at })
    }
    fn note(&mut self, change: impl FnOnce(&mut Progress)) -> Step {
        if let State::Handshaking(progress) = &mut self.state {
            change(progress);
        }
        Step::More
    }
    /// RFC 8122 section 6.2, RFC 5763 section 5: the identity is the fingerprint, in both roles.
    fn identify(&mut self, der: &[u8]) -> Step {
        if fingerprint::matches(&self.config.remote_fingerprints, der) {
            self.note(|progress| progress.identified = true)
        } else {
            Step::Fail(FailureReason::FingerprintMismatch)
        }
    }
    fn take_keys(&mut self, material: &[u8], profile: dimpl::SrtpProfile) -> Step {
        if self.config.profiles.is_empty() {
            return Step::More;
        }
        let Some(profile) = profile_of(profile) else { return Step::More };
        if !self.config.profiles.contains(&profile) {
            return Step::Fail(FailureReason::ProfileNotAllowed(profile));
        }
        self.media_keys = MediaKeys::split(profile, self.config.role, material);
        Step::More
    }
    fn judge_handshake(&mut self) -> Result<(), FailureReason> {
        let State::Handshaking(progress) = self.state else { return Ok(()) };
        if !progress.finished {
            return Ok(());
        }
        if !progress.identified {
            return Err(FailureReason::NoCertificate);
        }
        let profile = self.media_keys.as_ref().map(|keys| keys.profile);
        if self.config.require_profile && profile.is_none() {
            return Err(FailureReason::NoProfile);
        }
        self.state = State::Connected;
        self.events.push_back(Event::Connected { version: self.version, profile });
        Ok(())
    }
}

/// What to do after one output of the library.
enum Step {
    More,
    Grow(usize),
    Done,
    RemoteClosed,
    Fail(FailureReason),
}

fn start_library(config: &EndpointConfig, now: Instant, seed: &Seed) -> Result<Dtls, ConfigError> {
    let random = seed.fork("dtls library").into_rng().octets();
    let settings = Config::builder()
        .mtu(config.mtu)
        .max_queue_rx(MAX_REASSEMBLY)
        .max_queue_tx(MAX_TRANSMITS)
        .require_client_certificate(true)
        .use_server_cookie(config.cookie)
        .flight_start_rto(config.initial_rto)
        .flight_retries(MAX_RETRIES)
        .handshake_timeout(config.handshake_timeout)
        .dangerously_set_rng_seed(u64::from_be_bytes(random))
        .build()
        .map_err(|_| ConfigError::TimeOutOfRange)?;
    let (settings, certificate) = (Arc::new(settings), config.certificate.to_library());
    let start = config.epoch.to_std(now);
    let mut library = match config.versions {
        Versions::Auto => Dtls::new_auto(settings, certificate, start),
        Versions::Dtls12 => Dtls::new_12(settings, certificate, start),
        Versions::Dtls13 => Dtls::new_13(settings, certificate, start),
    };
    if config.role == Role::Client {
        library.set_active(true);
    }
    Ok(library)
}

/// Why data was not sent.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The handshake is not done, or it is all over: wait for the event.
    #[error("not connected")]
    NotConnected,
    /// There is nothing to send.
    #[error("the packet is empty")]
    Empty,
    /// It does not fit one datagram.
    #[error("the packet is longer than {max} octets")]
    TooLong {
        /// The most that does: [`Endpoint::max_payload`].
        max: usize,
    },
    /// A record is longer than its content: leave [`RECORD_OVERHEAD`] octets.
    #[error("there is no room around the packet")]
    NoRoom,
}

/// The most that a record adds to its content: 13 octets of header, 8 of nonce and 16 of tag in DTLS 1.2 (RFC 5288). DTLS 1.3
/// adds less.
pub const RECORD_OVERHEAD: usize = 37;
/// Datagrams that wait for [`Endpoint::poll_transmit`]: more than a flight has at the least MTU.
const MAX_TRANSMITS: usize = 64;
/// Records of application data that wait for [`Endpoint::poll_data`]: more than one datagram holds, early ones included.
const MAX_DATA: usize = 64;
/// Datagrams of application data kept until the handshake is done: the peer's first SCTP packets and their repetitions.
const MAX_EARLY: usize = 8;
/// Datagrams that the library keeps for reassembly.
const MAX_REASSEMBLY: usize = 30;
/// The longest datagram that a handshake may use: longer than any that crosses the Internet.
const MAX_HANDSHAKE_DATAGRAM: usize = 2048;
/// The library panics if the peer's certificate is longer than the buffer it writes into. What it can reassemble is shorter.
const HANDSHAKE_SCRATCH: usize = 65_536;
const _: () = assert!(MAX_REASSEMBLY * MAX_HANDSHAKE_DATAGRAM < HANDSHAKE_SCRATCH);
/// What a connected endpoint keeps: it grows when a longer record comes.
const SCRATCH: usize = 2048;
/// The timeout of the handshake ends it sooner.
const MAX_RETRIES: usize = 16;
/// Idle, the library asks to be woken in ten years.
const IDLE: core::time::Duration = core::time::Duration::from_secs(86_400 * 365);
