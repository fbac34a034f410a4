//! What a peer counts.

use ginnel_datachannel::{Association, Stats as DataStats};
use ginnel_dtls_srtp::{Session, SessionStats};
use ginnel_ice::Stats as IceStats;

use super::Peer;

/// Counters of a peer and of its layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// ICE: checks, and everything that went over its paths.
    pub ice: IceStats,
    /// DTLS and SRTP, of the session in use: a change of the peer's certificate begins another.
    pub session: SessionStats,
    /// SCTP and messages, of the association in use.
    pub data: DataStats,
    /// Packets that came on a valid path before DTLS had begun.
    pub before_session: u64,
    /// Packets on a valid path that are of no protocol known here.
    pub unknown_protocol: u64,
    /// Application data for which no association was agreed on.
    pub data_without_association: u64,
    /// RTP that nothing assigns to a section.
    pub rtp_without_section: u64,
    /// Sources of RTP that were not remembered, since as many are as may be.
    pub sources_forgotten: u64,
    /// Events that nobody polled: they made room for newer ones.
    pub events_dropped: u64,
    /// SCTP packets that DTLS would not take.
    pub records_refused: u64,
    /// Datagrams that ICE would not take.
    pub datagrams_refused: u64,
}

impl Peer {
    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            ice: self.agent.stats(),
            session: self.session.as_ref().map(Session::stats).unwrap_or(self.stats.session),
            data: self.association.as_ref().map(Association::stats).unwrap_or(self.stats.data),
            events_dropped: self.events.dropped,
            ..self.stats
        }
    }
}
