//! The peer of the demo: sends back what it gets.
//!
//! A machine over two others: the peer connection, and the forwarder that turns received media into sent media. Messages
//! come back on their channel as they came; RTP is rewritten in the buffer that it arrived in.

use std::collections::VecDeque;

use ginnel::{
    core::{Handled, Instant, Notice, Packet, Receive, Request, Seed, Transmit, Wake},
    datachannel::SendError,
    peer::{ChannelId, Data, Event, MessageError, MessageKind, Peer, PeerConfig},
    rtp::{
        ExtensionMap,
        forwarder::{Codec, Feedback, Forwarder, ForwarderConfig, Incoming, Outgoing, Route, Side, Verdict},
    },
    sdp::jsep::{Negotiated, NegotiatedCodec, NegotiatedSection, Sending},
};

/// What a waiting message takes up besides its octets, so that empty ones are bounded too.
const OVERHEAD: usize = 128;
/// How many octets of messages may wait to go back; a page that sends faster than it reads loses its channel.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// A peer that echoes.
#[derive(Debug)]
pub(crate) struct EchoPeer {
    peer: Peer,
    /// Made anew when the first sections are agreed upon: what it is to be called is known then.
    forwarder: Forwarder,
    seed: Seed,
    /// The sections that flow back.
    mids: Vec<String>,
    events: VecDeque<Event>,
    /// Messages that found the send buffer full, in order.
    waiting: VecDeque<(ChannelId, MessageKind, bytes::Bytes)>,
    waiting_octets: usize,
}

impl EchoPeer {
    pub(crate) fn new(config: PeerConfig, seed: &Seed) -> Self {
        let (peer, seed) = (seed.fork("peer"), seed.fork("forwarder"));
        Self {
            peer: Peer::new(config, peer),
            forwarder: Forwarder::new(ForwarderConfig::default(), seed.fork("before")),
            seed,
            mids: Vec::new(),
            events: VecDeque::new(),
            waiting: VecDeque::new(),
            waiting_octets: 0,
        }
    }

    /// The peer, to look at.
    pub(crate) const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What the forwarder counts.
    pub(crate) fn media(&self) -> ginnel::rtp::forwarder::Stats {
        self.forwarder.stats()
    }

    /// Lends the peer for a command, and then looks at what came of it.
    pub(crate) fn command<T>(&mut self, now: Instant, command: impl FnOnce(&mut Peer) -> T) -> T {
        let answer = command(&mut self.peer);
        self.look(now);
        answer
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        let handled = self.peer.handle_input(now, input);
        self.look(now);
        match handled {
            Handled::Data(Data::Rtp { .. }) => self.forward(now, &mut input.packet),
            Handled::Data(Data::Rtcp) => {
                // One peer is both: it sends the incoming streams and receives the outgoing ones.
                self.forwarder.handle_rtcp(now, Side::Sender, &input.packet);
                self.forwarder.handle_rtcp(now, Side::Receiver, &input.packet);
                Handled::Consumed
            }
            Handled::Data(_) | Handled::Consumed => Handled::Consumed,
            Handled::Send(transmit) => Handled::Send(transmit),
            Handled::Foreign => Handled::Foreign,
        }
    }

    fn forward(&mut self, now: Instant, packet: &mut Packet<'_>) -> Handled {
        match self.forwarder.handle_rtp(now, packet) {
            Verdict::Forward { .. } => {
                self.peer.send_rtp(now, packet).map_or(Handled::Consumed, Handled::Send)
            }
            _ => Handled::Consumed,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.peer.handle_timeout(now);
        if self.forwarder.poll_timeout().is_some_and(|wake| wake.at <= now) {
            self.learn_round_trip();
        }
        self.forwarder.handle_timeout(now);
        self.look(now);
    }

    pub(crate) fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.peer.handle_notice(now, notice);
        self.look(now);
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        if let Some(transmit) = self.peer.poll_transmit(now, packet) {
            return Some(transmit);
        }
        self.look(now);
        while self.forwarder.poll_transmit(now, packet).is_some() {
            // What has no path or no keys yet is not worth keeping: reports are made anew.
            if let Ok(transmit) = self.peer.send_rtcp(now, packet) {
                return Some(transmit);
            }
        }
        None
    }

    pub(crate) fn poll_request(&mut self) -> Option<Request> {
        self.peer.poll_request()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Wake> {
        Wake::soonest([self.peer.poll_timeout(), self.forwarder.poll_timeout()])
    }

    pub(crate) fn close(&mut self, now: Instant) {
        self.forwarder.close(now);
        self.peer.close(now);
        self.look(now);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.peer.is_closed() && self.events.is_empty()
    }

    /// What has come of a call into the peer.
    fn look(&mut self, now: Instant) {
        while let Some(event) = self.peer.poll_event() {
            match event {
                Event::Message { channel, kind, data } => self.echo(now, channel, kind, data),
                Event::Writable { .. } => self.send_waiting(now),
                Event::ChannelClosed { channel, .. } => {
                    self.forget(channel);
                    // Others may have waited behind what this channel could not take.
                    self.send_waiting(now);
                    self.events.push_back(event);
                }
                Event::Negotiated => {
                    self.set_routes();
                    self.events.push_back(event);
                }
                Event::Secured { .. } => {
                    self.learn_round_trip();
                    self.ask_for_pictures(now);
                    self.events.push_back(event);
                }
                // Nobody here counts what is buffered.
                Event::BufferedAmountLow { .. } => {}
                other => self.events.push_back(other),
            }
        }
        while self.forwarder.poll_event().is_some() {}
    }

    fn echo(&mut self, now: Instant, channel: ChannelId, kind: MessageKind, data: bytes::Bytes) {
        if self.waiting_octets + cost(&data) > MOST_WAITING {
            self.forget(channel);
            self.peer.close_channel(now, channel);
            return;
        }
        self.waiting_octets += cost(&data);
        self.waiting.push_back((channel, kind, data));
        self.send_waiting(now);
    }

    fn send_waiting(&mut self, now: Instant) {
        while let Some((channel, kind, data)) = self.waiting.front() {
            let sent = self.peer.send_message(now, *channel, *kind, data);
            if matches!(sent, Err(MessageError::Refused(SendError::Full))) {
                return;
            }
            // Sent, or its channel is gone, or it is longer than the other side takes: none of these waits.
            self.waiting_octets -= cost(data);
            self.waiting.pop_front();
        }
    }

    fn forget(&mut self, channel: ChannelId) {
        self.waiting.retain(|(of, ..)| *of != channel);
        self.waiting_octets = self.waiting.iter().map(|(.., data)| cost(data)).sum();
    }

    /// Each section's media goes back in the same section.
    fn set_routes(&mut self) {
        let Some(negotiated) = self.peer.negotiated() else { return };
        let agreed: Vec<_> = echoed(negotiated, &self.peer).collect();
        if self.mids.is_empty()
            && let Some((_, first)) = agreed.first()
        {
            // Reports come from a source that the other side has heard of (RFC 8829 section 5.2.1), and feedback goes
            // alone where all sections agreed on that (RFC 5506 section 5).
            let config = ForwarderConfig::default()
                .with_reporter_ssrc(first.ssrc)
                .with_cname(first.cname.as_str())
                .with_reduced_size(agreed.iter().all(|(section, _)| section.rtcp_rsize));
            self.forwarder = Forwarder::new(config, self.seed.fork("agreed"));
        }
        let mids: Vec<String> = agreed.iter().map(|(section, _)| section.mid.clone()).collect();
        // What was stopped or turned around is not sent any more.
        for gone in self.mids.iter().filter(|mid| !mids.contains(mid)) {
            self.forwarder.remove_route(gone);
        }
        for (section, sending) in agreed {
            // A section that agreed on nothing that can be forwarded has no route, and its packets are dropped.
            let _ = self.forwarder.set_route(route(section, sending));
        }
        self.mids = mids;
    }

    /// Keys are there, so what came before them is lost: decoding begins with a whole picture.
    fn ask_for_pictures(&mut self, now: Instant) {
        for mid in &self.mids {
            self.forwarder.request_keyframe(now, mid);
        }
    }

    /// Missing packets are asked for again after a round trip, which ICE has measured.
    fn learn_round_trip(&mut self) {
        let pairs = self.peer.agent().pairs();
        if let Some(round_trip) = pairs.iter().find(|pair| pair.selected).and_then(|pair| pair.rtt) {
            self.forwarder.set_sender_rtt(round_trip);
        }
    }
}
ginnel::core::machine!(impl [] EchoPeer { Event = Event; Data = (); } [requests]);

/// What a message takes while it waits.
fn cost(data: &bytes::Bytes) -> usize {
    data.len() + OVERHEAD
}

/// The sections that flow both ways, with what we send in them.
fn echoed<'a>(
    negotiated: &'a Negotiated,
    peer: &'a Peer,
) -> impl Iterator<Item = (&'a NegotiatedSection, &'a Sending)> {
    negotiated.sections.iter().filter_map(|section| {
        let both = section.rejected.is_none() && section.direction.sends() && section.direction.receives();
        let transceiver = peer.transceivers().find(|t| Some(t.id) == section.transceiver)?;
        let sending = transceiver.sending.as_ref()?;
        both.then_some((section, sending))
    })
}

fn route(section: &NegotiatedSection, sending: &Sending) -> Route {
    let mut extensions = ExtensionMap::default();
    for extension in &section.header_extensions {
        // More than the map holds are not looked at: they are passed on as they are.
        let _ = extensions.insert(extension.id, &extension.uri);
    }
    let has = |value: &str| section.codecs.iter().any(|codec| codec.has_feedback(value));
    let source = section.remote.sources.iter().find(|source| source.repairs.is_none());
    Route {
        incoming: Incoming {
            mid: section.mid.clone(),
            extensions: extensions.clone(),
            ssrc: source.map(|source| source.ssrc),
            rtx_ssrc: source.and_then(|source| source.rtx_ssrc),
            rid: None,
            feedback: Feedback {
                nack: has("nack"),
                pli: has("nack pli"),
                fir: has("ccm fir"),
                remb: has("goog-remb"),
            },
        },
        outgoing: Outgoing {
            mid: section.mid.clone(),
            extensions,
            ssrc: sending.ssrc,
            rtx_ssrc: sending.rtx_ssrc,
        },
        codecs: section.codecs.iter().map(codec).collect(),
    }
}

fn codec(codec: &NegotiatedCodec) -> Codec {
    Codec {
        incoming: codec.receive_payload_type,
        outgoing: codec.send_payload_type,
        clock_rate: codec.clock_rate,
        incoming_rtx: codec.receive_rtx,
        outgoing_rtx: codec.send_rtx,
    }
}

#[cfg(test)]
mod tests;
