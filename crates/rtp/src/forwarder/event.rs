//! What a forwarder says: verdicts, events, counters.

use alloc::sync::Arc;

/// Who a packet of RTCP is from, or for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The peer that sends us the incoming streams.
    Sender,
    /// The peer that receives the outgoing streams.
    Receiver,
}

/// What is to become of a packet of media.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The packet was rewritten: protect it, and send it to the receiver.
    Forward {
        /// Its SSRC now.
        ssrc: u32,
        /// Whether it is a retransmission.
        retransmission: bool,
    },
    /// It goes no further. Its bytes are as they came.
    Drop(DropReason),
}

/// Why a packet of media goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// It is no RTP.
    Malformed,
    /// Its MID names no section that has a route.
    UnknownMid,
    /// Its payload type is none of its section's, or of several sections and nothing else tells them apart.
    UnknownPayloadType,
    /// It would begin a stream, and there are as many as may be.
    TooManyStreams,
    /// Its sequence number is too far from all others, or belongs to before the stream took over its route.
    OutOfRange,
    /// It has come before.
    Duplicate,
    /// Its stream is not the one that its route forwards.
    NotSelected,
    /// A retransmission that carries nothing (bandwidth probes), or that repairs an unknown stream.
    RepairsNothing,
    /// The forwarder is closed.
    Closed,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A stream is forwarded from now on.
    StreamStarted {
        /// Its SSRC on the way in.
        ssrc: u32,
        /// The incoming section.
        mid: Arc<str>,
        /// Its SSRC on the way out.
        outgoing_ssrc: u32,
    },
    /// A stream that was forwarded said goodbye.
    StreamEnded {
        /// Its SSRC on the way in.
        ssrc: u32,
        /// The incoming section.
        mid: Arc<str>,
    },
    /// The forwarder is closed. The last event.
    Closed,
}

/// Counters since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Media packets handed in.
    pub packets_received: u64,
    /// Media packets to forward, retransmissions included.
    pub packets_forwarded: u64,
    /// Payload octets of those.
    pub octets_forwarded: u64,
    /// Retransmissions among those.
    pub retransmissions_forwarded: u64,
    /// Media packets that were dropped, for whatever reason.
    pub packets_dropped: u64,
    /// Of those, not RTP.
    pub malformed_rtp: u64,
    /// Of those, because there are as many streams as may be.
    pub streams_refused: u64,
    /// Of those, seen before.
    pub duplicates: u64,
    /// Header extension elements that were blanked because the outgoing section has no place for them.
    pub extensions_erased: u64,
    /// RTCP packets or compounds that are wrong.
    pub malformed_rtcp: u64,
    /// Sequence numbers that the receiver asked for and that the sender was asked for in turn.
    pub nacks_passed_on: u64,
    /// Sequence numbers that the receiver asked for while the sender had been asked already.
    pub nacks_absorbed: u64,
    /// Sequence numbers that the receiver asked for and that could not be passed on: too old, too many, not negotiated.
    pub nacks_refused: u64,
    /// Sequence numbers that we asked for of our own accord, repetitions included.
    pub nacks_sent: u64,
    /// Gaps that were closed after we had asked.
    pub nacks_recovered: u64,
    /// Sequence numbers that were given up.
    pub nacks_abandoned: u64,
    /// Key frames that were asked of senders.
    pub keyframes_requested: u64,
    /// Reports that were written, to either side.
    pub reports_sent: u64,
    /// Events that nobody fetched in time.
    pub events_lost: u64,
}

/// How one incoming stream does at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamReport {
    /// The incoming section.
    pub mid: Arc<str>,
    /// Its SSRC on the way in.
    pub ssrc: u32,
    /// Its SSRC on the way out, if it is forwarded.
    pub outgoing_ssrc: Option<u32>,
    /// Whether it is a stream of retransmissions.
    pub retransmissions: bool,
    /// Packets that have come.
    pub packets_received: u64,
    /// Packets that have not.
    pub packets_lost: i32,
    /// Interarrival jitter, in units of the stream's clock.
    pub jitter: u32,
}

/// How the receiver of an outgoing stream says it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverView {
    /// The part of the packets that it lost lately, in 1/256.
    pub fraction_lost: u8,
    /// Packets that it lost since the beginning.
    pub packets_lost: i32,
    /// The round trip to it, measured with reports (RFC 3550 section 6.4.1, figure 2).
    pub round_trip: Option<core::time::Duration>,
}
