//! What the page shows of the Ginnel side, as JSON.

use std::net::SocketAddr;

use ginnel::{
    core::Instant,
    dtls_srtp::dtls::Version,
    ice::{Candidate, CandidateAddress, CandidateTransport, PairReport, PairStatus},
    peer::{Event, Failure, Peer},
    sdp::jsep::MediaKind,
};
use serde_json::{Value, json};

use super::echo::EchoPeer;

/// What must be remembered of the events; the rest is asked of the peer.
#[derive(Debug)]
pub(super) struct Status {
    session: String,
    version: Option<Version>,
    failure: Option<Failure>,
    channels: u32,
}

impl Status {
    pub(super) const fn new(session: String) -> Self {
        Self { session, version: None, failure: None, channels: 0 }
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Secured { version, .. } => self.version = Some(*version),
            Event::Failed(failure) => self.failure = Some(*failure),
            Event::ChannelOpened { .. } => self.channels += 1,
            Event::ChannelClosed { .. } => self.channels = self.channels.saturating_sub(1),
            _ => {}
        }
    }

    pub(super) fn json(&self, echo: &EchoPeer) -> Value {
        let peer = echo.peer();
        let (stats, media) = (peer.stats(), echo.media());
        json!({
            "session": self.session,
            "connection": peer.state().to_string(),
            "ice": peer.agent().state().to_string().to_lowercase(),
            "dtls": self.version.map(|version| match version {
                Version::Dtls12 => "1.2",
                Version::Dtls13 => "1.3",
                _ => "unknown",
            }),
            "phases": phases(peer),
            "failure": self.failure.map(|failure| failure.to_string()),
            "channels": self.channels,
            "sections": sections(peer),
            "bytes_sent": stats.ice.bytes_sent,
            "bytes_received": stats.ice.bytes_received,
            "local_candidates": peer.agent().local_candidates().map(candidate).collect::<Vec<_>>(),
            "remote_candidates": peer.agent().remote_candidates().map(candidate).collect::<Vec<_>>(),
            "pairs": peer.agent().pairs().iter().map(pair).collect::<Vec<_>>(),
            "media": {
                "packets_received": media.packets_received,
                "packets_forwarded": media.packets_forwarded,
                "retransmissions": media.retransmissions_forwarded,
                "keyframes_requested": media.keyframes_requested,
            },
        })
    }
}

/// What was agreed on, section by section; what was rejected is left out.
fn sections(peer: &Peer) -> Vec<&'static str> {
    let agreed = peer.negotiated().into_iter().flat_map(|agreed| &agreed.sections);
    let in_use = agreed.filter(|section| section.rejected.is_none());
    in_use
        .map(|section| match section.kind {
            Some(MediaKind::Audio) => "audio",
            Some(MediaKind::Video) => "video",
            Some(MediaKind::Application) => "application",
            None => "unknown",
        })
        .collect()
}

/// Milliseconds from the start of ICE to the end of each phase.
fn phases(peer: &Peer) -> Value {
    let phases = peer.phases();
    let since = |from: Option<Instant>, to: Option<Instant>| {
        Some(to?.saturating_since(from?).as_micros() as f64 / 1000.0)
    };
    json!({
        "ice_ms": since(phases.started, phases.ice),
        "dtls_ms": since(phases.ice, phases.dtls),
        "sctp_ms": since(phases.dtls, phases.sctp),
        "total_ms": since(phases.started, phases.sctp.or(phases.dtls)),
    })
}

fn candidate(candidate: &Candidate) -> Value {
    let (address, port) = match &candidate.address {
        CandidateAddress::Ip(address) => (address.ip().to_string(), address.port()),
        CandidateAddress::Mdns { name, port } => (name.clone(), *port),
    };
    let transport = match candidate.transport {
        CandidateTransport::Udp => "udp",
        CandidateTransport::Tcp => "tcp",
    };
    json!({ "type": candidate.kind.to_string(), "address": address, "port": port, "transport": transport })
}

fn pair(pair: &PairReport) -> Value {
    let end = |address: SocketAddr, kind: ginnel::ice::CandidateKind| json!({ "address": address.to_string(), "type": kind.to_string() });
    let state = match pair.state {
        PairStatus::Frozen => "frozen".to_string(),
        PairStatus::Waiting => "waiting".to_string(),
        PairStatus::InProgress => "checking".to_string(),
        PairStatus::Succeeded => "succeeded".to_string(),
        PairStatus::Failed(why) => format!("failed: {why}"),
        _ => "retired".to_string(),
    };
    json!({
        "local": end(pair.local, pair.local_kind),
        "remote": end(pair.remote, pair.remote_kind),
        "state": state,
        "rtt_ms": pair.rtt.map(|rtt| rtt.as_micros() as f64 / 1000.0),
        "selected": pair.selected,
        "nominated": pair.nominated,
    })
}
