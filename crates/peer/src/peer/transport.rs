//! How the layers stand on each other: ICE carries DTLS and SRTP, DTLS carries SCTP.
//!
//! After every call into a layer the peer looks at what came of it (`look_at_*`), so no event waits unseen inside one.
//! Leaves out what the layers do themselves; nothing here knows a wire format but the first look at an RTP header.

use std::time::Duration;

use ginnel_core::{Handled, Instant, Packet, Transmit};
use ginnel_datachannel::{Association, AssociationConfig, Role as StreamRole};
use ginnel_dtls_srtp::{
    Event as SessionEvent, Kind, Session, SessionConfig,
    dtls::{DEFAULT_RTO, EndpointConfig, Role as DtlsRole},
};
use ginnel_ice::{Event as IceEvent, SendError, State as IceState};
use ginnel_rtp::RtpView;
use ginnel_sdp::jsep;

use super::{Life, Peer};
use crate::{
    Closed, ConnectionState, Data, Event, Failure, LocalCandidate, MediaError, candidate as convert,
};

/// The least first timeout of DTLS: a measured round trip on loopback says nothing about how long a peer computes.
const LEAST_DTLS_RTO: Duration = Duration::from_millis(100);

impl Peer {
    /// A packet on a path that ICE has validated.
    pub(super) fn handle_session_input(&mut self, now: Instant, packet: &mut Packet<'_>) -> Handled<Data> {
        let Some(session) = &mut self.session else {
            self.stats.before_session += 1;
            return Handled::Consumed;
        };
        let handled = session.handle_input(now, packet);
        self.look_at_session(now);
        match handled {
            Handled::Data(Kind::ApplicationData) => {
                self.handle_records(now, packet);
                Handled::Consumed
            }
            Handled::Data(Kind::Rtp) => self.route_rtp(packet),
            Handled::Data(Kind::Rtcp) => Handled::Data(Data::Rtcp),
            Handled::Foreign => {
                self.stats.unknown_protocol += 1;
                Handled::Consumed
            }
            Handled::Consumed | Handled::Send(_) => {
                // Where that ended the handshake, data that had overtaken its end can be read now.
                if self.session.as_mut().is_some_and(|session| session.poll_data(packet)) {
                    self.handle_records(now, packet);
                }
                Handled::Consumed
            }
        }
    }

    /// The record at hand, and those that lay behind it in the same datagram: each is one SCTP packet.
    fn handle_records(&mut self, now: Instant, packet: &mut Packet<'_>) {
        loop {
            match &mut self.association {
                Some(association) => {
                    let _ = association.handle_input(now, packet);
                }
                None => self.stats.data_without_association += 1,
            }
            self.look_at_association(now);
            if !self.session.as_mut().is_some_and(|session| session.poll_data(packet)) {
                return;
            }
        }
    }

    fn route_rtp(&mut self, packet: &Packet<'_>) -> Handled<Data> {
        let parsed = RtpView::parse(packet.bytes()).ok();
        let (section, remembered) = parsed.map_or((None, true), |rtp| self.routes.section(&rtp));
        self.stats.sources_forgotten += u64::from(!remembered);
        match section {
            Some(section) => Handled::Data(Data::Rtp { section }),
            None => {
                self.stats.rtp_without_section += 1;
                Handled::Consumed
            }
        }
    }

    /// DTLS's own packets, then SCTP's in DTLS's records. Nothing is taken from them while there is no path: what cannot
    /// leave stays where it is retransmitted from.
    pub(super) fn poll_session_transmit(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        packet.clear();
        self.agent.check_send(packet).ok()?;
        let session = self.session.as_mut()?;
        while !session.poll_transmit(now, packet) {
            let association = self.association.as_mut().filter(|_| session.is_connected())?;
            packet.clear();
            if !association.poll_transmit(now, packet) {
                return None;
            }
            if session.send(now, packet).is_ok() {
                break;
            }
            self.stats.records_refused += 1;
            packet.clear();
        }
        let sent = self.agent.send(now, packet);
        self.stats.datagrams_refused += u64::from(sent.is_err());
        sent.ok()
    }

    /// Protects media in place and routes it. The route is asked first: what cannot leave uses up no sequence number.
    pub(super) fn send_media(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        protect: impl Fn(&mut Session, Instant, &mut Packet<'_>) -> Result<(), ginnel_dtls_srtp::MediaError>,
    ) -> Result<Transmit, MediaError> {
        if self.life != Life::Open {
            return Err(MediaError::Closed);
        }
        self.agent.check_send(packet).map_err(|why| match why {
            SendError::NoRoom => MediaError::Path(why),
            _ => MediaError::NoPath,
        })?;
        let session = self.session.as_mut().ok_or(MediaError::NotSecured)?;
        protect(session, now, packet)?;
        self.look_at_session(now);
        Ok(self.agent.send(now, packet)?)
    }

    /// What has come of a call into ICE.
    pub(super) fn look_at_agent(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(event) = self.agent.poll_event() {
            match event {
                IceEvent::LocalCandidate(candidate) => self.tell_candidate(&candidate),
                IceEvent::GatheringComplete => self.events.push(Event::GatheringComplete),
                IceEvent::StateChanged { to, .. } => {
                    self.events.push(Event::IceState(to));
                    if to == IceState::Connected {
                        self.phases.ice.get_or_insert(now);
                    }
                }
                IceEvent::Failed(reason) => self.events.push(Event::Failed(Failure::Ice(reason))),
                _ => {}
            }
        }
        self.begin_session(now);
        self.update_state();
    }

    /// Those that come before the description with their user name fragment are in it.
    fn tell_candidate(&mut self, candidate: &ginnel_ice::Candidate) {
        let ufrag = &self.agent.local_credentials().ufrag;
        let Some(described) = self.described.as_ref().filter(|described| described.ufrag == *ufrag) else {
            return;
        };
        let (mid, line_index) = (described.mid.clone(), described.line_index);
        let candidate = convert::to_sdp(candidate, ufrag).to_string();
        self.events.push(Event::LocalCandidate(LocalCandidate { mid, line_index, candidate }));
    }

    /// DTLS begins with the first path, so that its first timeout can be made from a measured round trip, and a hello is
    /// only taken from where ICE has been.
    fn begin_session(&mut self, now: Instant) {
        if self.session.is_some() || self.life != Life::Open || self.agent.selected().is_none() {
            return;
        }
        // RFC 8842 section 5.1: a new DTLS association goes over the new transport; at the end of the old one may be
        // someone else.
        if self.generation > 0 && self.agent.uses_previous() {
            return;
        }
        let Some(negotiated) = self.negotiator.negotiated() else { return };
        let Some(transport) = &negotiated.transport else { return };
        let role = match transport.dtls_role {
            jsep::DtlsRole::Client => DtlsRole::Client,
            jsep::DtlsRole::Server => DtlsRole::Server,
        };
        let fingerprints =
            transport.remote_fingerprints.iter().filter_map(convert::fingerprint_from_sdp).collect();
        let config =
            EndpointConfig::new(self.config.certificate.clone(), role, fingerprints, self.config.epoch)
                .with_versions(self.config.versions)
                .with_initial_rto(self.dtls_rto())
                .with_handshake_timeout(self.config.dtls_timeout)
                .with_required_profile(self.has_media());
        let seed = self.session_seed.fork(&self.generation.to_string());
        match Session::new(SessionConfig::from(config), now, &seed) {
            Ok(session) => self.session = Some(session),
            Err(error) => self.fail(now, Failure::Setup(error)),
        }
    }

    /// Whether any section of media was agreed on.
    pub(super) fn has_media(&self) -> bool {
        let in_use = |agreed: &jsep::Negotiated| {
            agreed.sections.iter().any(|section| section.rejected.is_none() && section.transceiver.is_some())
        };
        self.negotiated().is_some_and(in_use)
    }

    /// Twice the round trip, as a first guess of TCP's; what DTLS takes by itself where ICE has not measured.
    fn dtls_rto(&self) -> Duration {
        let measured = self.agent.pairs().into_iter().find(|pair| pair.selected).and_then(|pair| pair.rtt);
        measured.map_or(DEFAULT_RTO, |rtt| (rtt * 2).clamp(LEAST_DTLS_RTO, Duration::from_secs(1)))
    }

    /// What has come of a call into DTLS.
    pub(super) fn look_at_session(&mut self, now: Instant) {
        while let Some(event) = self.session.as_mut().and_then(Session::poll_event) {
            match event {
                SessionEvent::Connected { version, profile } => {
                    self.phases.dtls.get_or_insert(now);
                    self.events.push(Event::Secured { version, profile });
                    self.begin_association(now);
                }
                SessionEvent::Closed { .. } => self.begin_closing(now, Closed::Remote),
                SessionEvent::Failed(reason) => self.fail(now, Failure::Dtls(reason)),
                _ => {}
            }
        }
        self.update_state();
    }

    /// SCTP begins when DTLS is done and data was agreed on, now or by a later agreement.
    pub(super) fn begin_association(&mut self, now: Instant) {
        let secured = self.session.as_ref().is_some_and(Session::is_connected);
        if !secured || self.association.is_some() || self.life != Life::Open {
            return;
        }
        let agreed = self.negotiator.negotiated();
        let Some(sctp) = agreed.and_then(|agreed| agreed.sctp.clone()) else { return };
        let Some(transport) = agreed.and_then(|agreed| agreed.transport.as_ref()) else { return };
        let role = match transport.dtls_role {
            jsep::DtlsRole::Client => StreamRole::Client,
            jsep::DtlsRole::Server => StreamRole::Server,
        };
        let seed = self.association_seed.fork(&self.generation.to_string());
        let mut config = AssociationConfig::new(role, self.config.epoch);
        config.local_port = sctp.local_port;
        config.remote_port = sctp.remote_port;
        config.max_message_size = self.config.max_message_size;
        config.remote_max_message_size = usize::try_from(sctp.remote_max_message_size).unwrap_or(usize::MAX);
        config.max_buffered = self.config.max_buffered;
        config.max_channels = self.config.max_channels;
        if let Some(session) = &self.session {
            config.mtu = session.max_payload();
        }
        let mut association = Association::new(config, seed);
        association.start(now);
        self.association = Some(association);
        self.open_waiting_channels(now);
        self.look_at_association(now);
    }

    /// The peer's identity has changed by agreement (RFC 8842 section 5): a new DTLS association, and so new SRTP keys and a
    /// new SCTP association, are needed.
    pub(super) fn drop_session(&mut self, now: Instant) {
        self.end_sessions(now);
        (self.phases.dtls, self.phases.sctp) = (None, None);
        self.generation += 1;
    }

    /// The state that ICE's and DTLS's give together.
    pub(super) fn update_state(&mut self) {
        let state = match (self.life, self.agent.state()) {
            (Life::Closing(Closed::Failed), _) => ConnectionState::Failed,
            (Life::Closing(_) | Life::Closed, _) | (_, IceState::Closed) => ConnectionState::Closed,
            (_, IceState::Failed) => ConnectionState::Failed,
            (_, IceState::New) if self.phases.started.is_none() => ConnectionState::New,
            (_, IceState::Disconnected) => ConnectionState::Disconnected,
            (_, IceState::Connected) if self.session.as_ref().is_some_and(Session::is_connected) => {
                ConnectionState::Connected
            }
            _ => ConnectionState::Connecting,
        };
        if state != self.state {
            self.state = state;
            self.events.push(Event::State(state));
        }
    }
}
