//! Two peers in one simulated network, and the signalling between them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ginnel_core::{Epoch, Instant};
use ginnel_dtls_srtp::dtls::Certificate;
use ginnel_ice::{AgentConfig, Role};
use ginnel_netsim::{HostId, Link, NodeId, Sim};
use ginnel_peer::{
    CandidateError, ChannelConfig, ChannelId, Event, LocalCandidate, MessageKind, Peer, PeerConfig, SdpType,
};

/// Milliseconds.
pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Certificates cost milliseconds, and no test is about making them.
pub(crate) fn certificate(of: usize) -> Arc<Certificate> {
    static MADE: OnceLock<[Arc<Certificate>; 3]> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        std::array::from_fn(|_| Arc::new(Certificate::generate().expect("a certificate can be made")))
    });
    made[of].clone()
}

/// One peer, and everything that it has said.
pub(crate) struct Side {
    pub(crate) node: NodeId<Peer>,
    pub(crate) host: HostId,
    pub(crate) ip: &'static str,
    pub(crate) log: Vec<(Instant, Event)>,
    /// Candidates that have not been signalled yet.
    candidates: Vec<LocalCandidate>,
    gathered: bool,
}

/// Two peers on two hosts. What each says is fetched by [`Pair::look`].
pub(crate) struct Pair {
    pub(crate) sim: Sim,
    pub(crate) left: Side,
    pub(crate) right: Side,
}

impl Pair {
    /// Peers with the default configuration.
    pub(crate) fn new(seed: u64, link: Link) -> Self {
        Self::with(seed, link, |config| config)
    }

    /// Peers whose configuration `change` has changed.
    pub(crate) fn with(seed: u64, link: Link, change: impl Fn(PeerConfig) -> PeerConfig) -> Self {
        Self::with_each(seed, link, |_, config| change(config))
    }

    /// Peers with configurations of their own: 0 is the left one.
    pub(crate) fn with_each(seed: u64, link: Link, change: impl Fn(usize, PeerConfig) -> PeerConfig) -> Self {
        let mut sim = Sim::new(seed);
        let mut side = |of: usize, ip: &'static str| {
            let host = sim.host([ip]);
            let config = change(of, PeerConfig::new(Epoch::start(), certificate(of)));
            let seed = sim.seed(ip);
            let node = sim.add(host, Peer::new(config, seed));
            Side { node, host, ip, log: Vec::new(), candidates: Vec::new(), gathered: false }
        };
        let (left, right) = (side(0, "192.0.2.1"), side(1, "192.0.2.2"));
        sim.set_link(left.host, right.host, link);
        let mut pair = Self { sim, left, right };
        for of in 0..2 {
            pair.gather(of);
        }
        pair
    }

    /// Tells a peer its address again, as after a restart of ICE.
    pub(crate) fn gather(&mut self, of: usize) {
        let Side { node, ip, .. } = *self.side(of);
        self.sim.with(node, |peer, now| {
            let _ = peer.add_local_ip(now, ip.parse().expect("an address"));
            peer.end_of_local_ips(now);
        });
    }

    pub(crate) fn side(&mut self, of: usize) -> &mut Side {
        [&mut self.left, &mut self.right].into_iter().nth(of).expect("0 or 1")
    }

    /// Offer and answer, without delay; candidates follow by [`Pair::look`].
    pub(crate) fn signal(&mut self) {
        self.look();
        self.exchange(0);
    }

    /// One more offer and answer, without delay: the offer comes from side `of`.
    pub(crate) fn exchange(&mut self, of: usize) {
        let (from, to) = (self.side(of).node, self.side(1 - of).node);
        let offer = self.sim.with(from, Peer::offer).expect("an offer");
        self.sim.with(to, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
        let answer = self.sim.with(to, Peer::answer).expect("an answer");
        self.sim.with(from, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
    }

    /// Fetches events, and carries candidates across.
    pub(crate) fn look(&mut self) {
        let Self { sim, left, right } = self;
        for side in [&mut *left, &mut *right] {
            for (at, event) in sim.timeline(side.node) {
                match &event {
                    Event::LocalCandidate(candidate) => side.candidates.push(candidate.clone()),
                    Event::GatheringComplete => side.gathered = true,
                    _ => {}
                }
                side.log.push((at, event));
            }
        }
        carry(sim, left, right.node);
        carry(sim, right, left.node);
    }

    /// Runs until `done`, looking all the time.
    #[track_caller]
    pub(crate) fn expect(&mut self, what: &str, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) {
        let end = self.sim.now() + limit;
        loop {
            self.look();
            if done(self) {
                return;
            }
            let now = self.sim.now();
            assert!(
                now < end,
                "{what}: not after {limit:?}; {}\nleft: {:#?}\nright: {:#?}",
                self.sim.reproduce(),
                self.left.log,
                self.right.log
            );
            self.sim.run_for(ms(10));
        }
    }

    /// A pair with one open channel on both sides.
    #[track_caller]
    pub(crate) fn connected(mut self) -> (Self, ChannelId, ChannelId) {
        let left = self.left.node;
        let channel = self.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")));
        let channel = channel.expect("a channel can be opened");
        self.signal();
        self.expect("both ends open", Duration::from_secs(300), |pair| {
            pair.left.opened().is_some() && pair.right.opened().is_some()
        });
        let theirs = self.right.opened().expect("it is open");
        (self, channel, theirs)
    }
}

/// Signals what `from` has gathered, once the other side knows what it belongs to.
fn carry(sim: &mut Sim, from: &mut Side, to: NodeId<Peer>) {
    if sim.get(to).negotiated().is_none() {
        return;
    }
    for candidate in from.candidates.drain(..) {
        let taken =
            sim.with(to, |peer, now| peer.add_ice_candidate(now, Some(&candidate.mid), &candidate.candidate));
        // What the description held already comes again here, and then after its end.
        let known = Err(CandidateError::Unused(ginnel_ice::CandidateError::AfterEndOfCandidates));
        assert!(taken.is_ok() || taken == known, "a candidate of ours is of use to us: {taken:?}");
    }
    if std::mem::take(&mut from.gathered) {
        sim.with(to, Peer::end_of_remote_candidates);
    }
}

impl Side {
    /// The first channel that opened.
    pub(crate) fn opened(&self) -> Option<ChannelId> {
        self.log.iter().find_map(|(_, event)| match event {
            Event::ChannelOpened { channel, .. } => Some(*channel),
            _ => None,
        })
    }

    /// Every message, in order.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (MessageKind, &[u8])> {
        self.log.iter().filter_map(|(_, event)| match event {
            Event::Message { kind, data, .. } => Some((*kind, data.as_ref())),
            _ => None,
        })
    }

    /// Whether this was said.
    pub(crate) fn said(&self, event: &Event) -> bool {
        self.log.iter().any(|(_, said)| said == event)
    }
}

/// An RTP packet.
pub(crate) fn rtp(payload_type: u8, ssrc: u32, sequence_number: u16) -> Vec<u8> {
    let mut octets = vec![0x80, payload_type];
    octets.extend(sequence_number.to_be_bytes());
    octets.extend((u32::from(sequence_number) * 960).to_be_bytes());
    octets.extend(ssrc.to_be_bytes());
    octets.extend(b"what was heard");
    octets
}

/// A receiver report without blocks.
pub(crate) fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut octets = vec![0x80, 201, 0, 1];
    octets.extend(ssrc.to_be_bytes());
    octets
}

/// What a side sends in the section of that index: a payload type and its SSRC.
pub(crate) fn sends(peer: &Peer, section: usize) -> (u8, u32) {
    let section = &peer.negotiated().expect("it was agreed on").sections[section];
    let transceiver = peer.transceivers().find(|t| Some(t.id) == section.transceiver).expect("it has one");
    let ssrc = transceiver.sending.as_ref().expect("it sends").ssrc;
    (section.codecs.first().expect("a codec was agreed on").send_payload_type, ssrc)
}

/// Sends numbered messages, as many as the send buffer takes at a time, and says how many have been taken.
pub(crate) fn send_numbered(pair: &mut Pair, of: usize, channel: ChannelId, from: u32, to: u32) -> u32 {
    let node = pair.side(of).node;
    pair.sim.with(node, |peer, now| {
        (from..to)
            .find(|n| peer.send_message(now, channel, MessageKind::Binary, &numbered(*n)).is_err())
            .unwrap_or(to)
    })
}

/// The message of that number: its length varies, so that packets hold several and messages span several.
pub(crate) fn numbered(n: u32) -> Vec<u8> {
    let len = 4 + (n as usize * 37) % 1500;
    n.to_be_bytes().into_iter().cycle().take(len).collect()
}

/// For whom a third of all packets is lost: consent lasts longer, and a handshake may.
pub(crate) fn patient(config: PeerConfig) -> PeerConfig {
    let mut ice = AgentConfig::new(Role::Controlled);
    ice.consent_expiry = Duration::from_secs(600);
    config.with_ice(ice).with_dtls_timeout(Duration::from_secs(600))
}

/// So many seeds: a sample by default, `GINNEL_SEEDS` of them in a soak; or the one that `GINNEL_SEED` names.
pub(crate) fn seeds(sample: u64) -> std::ops::Range<u64> {
    #[allow(clippy::disallowed_methods, reason = "how long a soak lasts is chosen from outside")]
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    match number("GINNEL_SEED") {
        Some(one) => one..one + 1,
        None => 0..number("GINNEL_SEEDS").unwrap_or(sample),
    }
}

/// How often something was said.
pub(crate) fn count(log: &[(Instant, Event)], wanted: impl Fn(&Event) -> bool) -> usize {
    log.iter().filter(|(_, event)| wanted(event)).count()
}

/// States in the order of their first appearance, for assertions that read as a timeline.
pub(crate) fn states(log: &[(Instant, Event)]) -> Vec<String> {
    let mut seen = BTreeMap::new();
    for (order, (_, event)) in log.iter().enumerate() {
        if let Event::State(state) = event {
            seen.entry(state.to_string()).or_insert(order);
        }
    }
    let mut ordered: Vec<_> = seen.into_iter().collect();
    ordered.sort_by_key(|(_, order)| *order);
    ordered.into_iter().map(|(state, _)| state).collect()
}
