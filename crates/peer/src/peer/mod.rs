//! The peer connection: see [`Peer`].

mod channels;
mod closing;
mod events;
mod negotiation;
mod report;
mod transport;

use std::net::IpAddr;

use ginnel_core::{Handled, Instant, Notice, Packet, Receive, Request, Rng, Seed, Transmit, Wake};
use ginnel_datachannel::Association;
use ginnel_dtls_srtp::Session;
use ginnel_ice::{AddLocalIpError, Agent};
use ginnel_sdp::{
    attribute::Candidate,
    jsep::{Negotiated, Negotiator, NegotiatorConfig, Transceiver},
};

use crate::{ConnectionState, Data, Event, MediaError, PeerConfig, Phases, media::Routes};
pub use channels::ChannelId;
use closing::Life;
use events::Events;
use negotiation::Described;
pub use report::Stats;

/// One end of a WebRTC connection.
///
/// ```text
///            signalling (SDP)          messages            RTP, RTCP
///                  │                      │                    │
///            ┌─────┴──────┐        ┌──────┴───────┐            │
///            │ Negotiator │        │ Association  │            │
///            └─────┬──────┘        │ (SCTP, DCEP) │            │
///                  │ credentials,  └──────┬───────┘            │
///                  │ fingerprints  ┌──────┴────────────────────┴──────┐
///                  ├──────────────►│ Session (DTLS, SRTP)             │
///                  │               └──────────────┬───────────────────┘
///                  │               ┌──────────────┴───────────────────┐
///                  └──────────────►│ Agent (ICE): the one route       │
///                                  └──────────────┬───────────────────┘
///                                              datagrams
/// ```
///
/// | kind | verb |
/// |---|---|
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`handle_notice`](Self::handle_notice), [`close`](Self::close) |
/// | signal | [`offer`](Self::offer), [`accept_offer`](Self::accept_offer), [`accept_answer`](Self::accept_answer), or in steps [`set_remote`](Self::set_remote), [`answer`](Self::answer), [`rollback`](Self::rollback), [`add_ice_candidate`](Self::add_ice_candidate), [`restart_ice`](Self::restart_ice) |
/// | command | [`gather`](Self::gather), or in steps [`add_local_ip`](Self::add_local_ip), [`end_of_local_ips`](Self::end_of_local_ips), [`open_channel`](Self::open_channel), [`send_message`](Self::send_message), [`send_text`](Self::send_text), [`close_channel`](Self::close_channel), [`send_rtp`](Self::send_rtp), [`send_rtcp`](Self::send_rtcp) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`state`](Self::state), [`phases`](Self::phases), [`negotiated`](Self::negotiated), [`agent`](Self::agent), [`stats`](Self::stats) |
///
/// After any tell, signal or command: drain transmits, requests and events and fire the timer while it is due, as
/// [`ginnel_core::settle`] does. [The contract](ginnel_core) says why.
///
/// A peer that is no longer driven stops answering consent checks, so the other side gives it up after half a minute: to
/// end, [`close`](Self::close) and settle once more.
///
/// ```
/// use ginnel_core::{Epoch, Instant, Packet, Seed};
/// use ginnel_peer::{ChannelConfig, MediaError, Peer, PeerConfig};
///
/// let epoch = Epoch::start();
/// let now = Instant::EPOCH;
/// let mut alice = Peer::new(PeerConfig::generate(epoch)?, Seed::new([1; 32]));
/// let mut bob = Peer::new(PeerConfig::generate(epoch)?, Seed::new([2; 32]));
/// let chat = alice.open_channel(now, ChannelConfig::new("chat"))?;
/// let answer = bob.accept_offer(now, &alice.offer(now)?)?;
/// alice.accept_answer(now, &answer)?;
/// assert!(alice.negotiated().is_some_and(|agreed| agreed.sctp.is_some()));
///
/// // Nobody has driven them, so there is no path yet, and what needs one says so.
/// assert!(alice.send_text(now, chat, "hello").is_err());
/// let mut buffer = [0; 2048];
/// assert_eq!(alice.send_rtp(now, &mut Packet::empty(&mut buffer)), Err(MediaError::NoPath));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Peer {
    config: PeerConfig,
    negotiator: Negotiator,
    agent: Agent,
    /// DTLS and SRTP: from the first path on.
    session: Option<Session>,
    session_seed: Seed,
    /// SCTP: from the agreement on, started when DTLS is done.
    association: Option<Association>,
    association_seed: Seed,
    /// How many sessions and associations there have been: a change of fingerprint begins new ones.
    generation: u32,
    channels: channels::Channels,
    routes: Routes,
    rng: Rng,
    /// RFC 7022: our canonical name in RTCP and descriptions.
    cname: String,
    /// Our last description: what candidates of ours are named after.
    described: Option<Described>,
    /// Candidates that came before the answer to their offer, and whether they were all.
    early_candidates: Vec<Candidate<'static>>,
    early_end: bool,
    state: ConnectionState,
    life: Life,
    phases: Phases,
    /// When something was told last, for what is noticed in between.
    now: Instant,
    /// Whether reading has given room to the association that it should tell its peer of.
    was_read: bool,
    events: Events,
    stats: Stats,
}

impl Peer {
    /// A peer that has done nothing yet.
    #[must_use]
    pub fn new(config: PeerConfig, seed: Seed) -> Self {
        let mut rng = seed.fork("peer").into_rng();
        let mut negotiation = NegotiatorConfig::new(rng.next_u64())
            .with_capabilities(config.capabilities.clone())
            .with_answer_direction(config.answer_direction)
            .with_max_message_size(config.max_message_size as u64);
        negotiation.bundle_only = false;
        Self {
            negotiator: Negotiator::new(negotiation),
            agent: Agent::new(config.ice.clone(), seed.fork("ice")),
            session: None,
            session_seed: seed.fork("dtls"),
            association: None,
            association_seed: seed.fork("sctp"),
            generation: 0,
            channels: channels::Channels::default(),
            routes: Routes::default(),
            cname: negotiation::word(&mut rng),
            rng,
            described: None,
            early_candidates: Vec::new(),
            early_end: false,
            state: ConnectionState::New,
            life: Life::Open,
            phases: Phases::default(),
            now: Instant::EPOCH,
            was_read: false,
            events: Events::default(),
            stats: Stats::default(),
            config,
        }
    }

    /// Gathers on one more address of this host: a socket is asked of the driver, and becomes a candidate.
    ///
    /// # Errors
    /// When it cannot be a candidate, or the last has been announced.
    pub fn add_local_ip(&mut self, now: Instant, ip: IpAddr) -> Result<(), AddLocalIpError> {
        let added = self.agent.add_local_ip(now, ip);
        self.look_at_agent(now);
        added
    }

    /// No more addresses will be added, so gathering can complete.
    pub fn end_of_local_ips(&mut self, now: Instant) {
        self.agent.end_of_local_ips(now);
        self.look_at_agent(now);
    }

    /// Gathers on these addresses and no others: [`add_local_ip`](Self::add_local_ip) for each, then
    /// [`end_of_local_ips`](Self::end_of_local_ips). Those that cannot be candidates are left out; returns how many could be.
    pub fn gather(&mut self, now: Instant, ips: impl IntoIterator<Item = IpAddr>) -> usize {
        let taken = ips.into_iter().filter(|ip| self.add_local_ip(now, *ip).is_ok()).count();
        self.end_of_local_ips(now);
        taken
    }

    /// One arrival. RTP and RTCP come back decrypted, in place; everything else is dealt with here.
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Data> {
        if self.life == Life::Closed {
            return Handled::Foreign;
        }
        let handled = self.agent.handle_input(now, input);
        self.look_at_agent(now);
        match handled {
            Handled::Data(()) => self.handle_session_input(now, &mut input.packet),
            Handled::Consumed => Handled::Consumed,
            Handled::Send(transmit) => Handled::Send(transmit),
            Handled::Foreign => Handled::Foreign,
        }
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.was_read = false;
        self.agent.handle_timeout(now);
        self.look_at_agent(now);
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
        }
        self.look_at_session(now);
        if let Some(association) = &mut self.association {
            association.handle_timeout(now);
        }
        self.look_at_association(now);
    }

    /// News of sockets, for ICE.
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.agent.handle_notice(now, notice);
        self.look_at_agent(now);
    }

    /// Writes the next packet: what ICE has to say, then DTLS, then SCTP.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        loop {
            packet.clear();
            if let Some(transmit) = self.agent.poll_transmit(now, packet) {
                return Some(transmit);
            }
            if let Some(transmit) = self.poll_session_transmit(now, packet) {
                return Some(transmit);
            }
            if !self.go_on_closing(now) {
                return None;
            }
        }
    }

    /// The next request to the driver: sockets, for ICE.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.agent.poll_request()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop();
        self.was_read |= self.look_at_association(self.now);
        event.or_else(|| self.events.pop())
    }

    /// When to call [`Peer::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        Wake::soonest([
            self.was_read.then(|| Wake::new(self.now, "peer: messages were read")),
            self.agent.poll_timeout(),
            self.session.as_ref().and_then(Session::poll_timeout),
            self.association.as_ref().and_then(Association::poll_timeout),
        ])
    }

    /// Protects an RTP packet and says where it goes.
    ///
    /// # Errors
    /// [`MediaError`]; the packet is then as it was.
    pub fn send_rtp(&mut self, now: Instant, packet: &mut Packet<'_>) -> Result<Transmit, MediaError> {
        self.send_media(now, packet, Session::protect_rtp)
    }

    /// Protects an RTCP compound and says where it goes.
    ///
    /// # Errors
    /// [`MediaError`]; the packet is then as it was.
    pub fn send_rtcp(&mut self, now: Instant, packet: &mut Packet<'_>) -> Result<Transmit, MediaError> {
        self.send_media(now, packet, Session::protect_rtcp)
    }

    /// What offer and answer have agreed on, once they have.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiator.negotiated()
    }

    /// The audio and video sections to be, with what we send in each.
    pub fn transceivers(&self) -> impl Iterator<Item = &Transceiver> {
        self.negotiator.transceivers()
    }

    /// The ICE agent, to look at: candidates, pairs, the selected pair.
    #[must_use]
    pub const fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Where the connection is.
    #[must_use]
    pub const fn state(&self) -> ConnectionState {
        self.state
    }

    /// When each phase was done.
    #[must_use]
    pub const fn phases(&self) -> Phases {
        self.phases
    }
}
ginnel_core::machine!(impl [] Peer { Event = Event; Data = Data; } [requests]);
