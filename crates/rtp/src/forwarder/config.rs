//! What a forwarder is told at its beginning, and at each renegotiation.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use crate::ExtensionMap;

/// How many routes a forwarder has at most.
pub const MAX_ROUTES: usize = 64;
/// How many codecs a route has at most: the payload types there are.
pub const MAX_CODECS: usize = 128;

/// The whole forwarder's settings. `..ForwarderConfig::default()` is not for other crates; use the `with_` methods.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwarderConfig {
    /// RFC 3550 section 6.5.1: our canonical name. RFC 7022 wants it random and short-lived: empty means drawn from the seed.
    pub cname: String,
    /// In whose name we report to the sender of the incoming streams. Where media flows to that peer too, one of the
    /// SSRCs of it; `None` draws one.
    pub reporter_ssrc: Option<u32>,
    /// RFC 3550 section 6.2: between reports, on average; each is drawn from half of it to one and a half.
    pub report_interval: Duration,
    /// Between two requests for a key frame of one route, at the least.
    pub keyframe_interval: Duration,
    /// Whether gaps in the incoming streams are asked for at once, instead of waiting for the receiver to ask.
    pub own_nacks: bool,
    /// How long a packet may be overtaken before it is asked for.
    pub nack_delay: Duration,
    /// Between two requests for one packet. [`crate::Forwarder::set_sender_rtt`] betters it.
    pub nack_interval: Duration,
    /// How often one packet is asked for before it is given up.
    pub nack_attempts: u8,
    /// RFC 5506: whether feedback goes without a report in front (`a=rtcp-rsize`).
    pub reduced_size: bool,
    /// How many incoming streams are known at once.
    pub max_streams: usize,
}

impl Default for ForwarderConfig {
    fn default() -> Self {
        Self {
            cname: String::new(),
            reporter_ssrc: None,
            // RFC 3550 section 6.2 allows 360 / (kbit/s) seconds: one second is within it from 360 kbit/s on.
            report_interval: Duration::from_secs(1),
            keyframe_interval: Duration::from_millis(500),
            own_nacks: true,
            nack_delay: Duration::from_millis(10),
            nack_interval: Duration::from_millis(100),
            nack_attempts: 10,
            reduced_size: false,
            max_streams: 32,
        }
    }
}

impl ForwarderConfig {
    /// Sets [`ForwarderConfig::cname`].
    #[must_use]
    pub fn with_cname(mut self, cname: impl Into<String>) -> Self {
        self.cname = cname.into();
        self
    }

    /// Sets [`ForwarderConfig::reporter_ssrc`].
    #[must_use]
    pub const fn with_reporter_ssrc(mut self, ssrc: u32) -> Self {
        self.reporter_ssrc = Some(ssrc);
        self
    }

    /// Sets [`ForwarderConfig::own_nacks`].
    #[must_use]
    pub const fn with_own_nacks(mut self, own_nacks: bool) -> Self {
        self.own_nacks = own_nacks;
        self
    }

    /// Sets [`ForwarderConfig::reduced_size`].
    #[must_use]
    pub const fn with_reduced_size(mut self, reduced_size: bool) -> Self {
        self.reduced_size = reduced_size;
        self
    }

    /// Sets [`ForwarderConfig::max_streams`].
    #[must_use]
    pub const fn with_max_streams(mut self, max_streams: usize) -> Self {
        self.max_streams = max_streams;
        self
    }
}

/// From one media section in to one media section out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where media comes from.
    pub incoming: Incoming,
    /// Where it goes.
    pub outgoing: Outgoing,
    /// What is forwarded; other payload types are dropped.
    pub codecs: Vec<Codec>,
}

/// The section that a peer sends us media in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Its identifier, `a=mid`.
    pub mid: String,
    /// Its header extensions, `a=extmap`.
    pub extensions: ExtensionMap,
    /// The stream's SSRC where it was signalled (`a=ssrc`); it is learned from the packets where not.
    pub ssrc: Option<u32>,
    /// The SSRC of its retransmissions where it was signalled (`a=ssrc-group:FID`).
    pub rtx_ssrc: Option<u32>,
    /// With simulcast: which stream is wanted. `None` takes the first that comes.
    pub rid: Option<String>,
    /// The feedback that the sender understands, `a=rtcp-fb`.
    pub feedback: Feedback,
}

/// The feedback that was negotiated with the sender of media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// `nack`: it retransmits.
    pub nack: bool,
    /// `nack pli`: it sends key frames when asked.
    pub pli: bool,
    /// `ccm fir`: it sends key frames when commanded. Used only where `nack pli` is not there.
    pub fir: bool,
    /// `goog-remb`: it heeds the receiver's estimate.
    pub remb: bool,
}

impl Feedback {
    /// All of it: what browsers offer for video.
    pub const ALL: Self = Self { nack: true, pli: true, fir: true, remb: true };
}

/// The section that we send media in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Its identifier, `a=mid`.
    pub mid: String,
    /// Its header extensions, `a=extmap`.
    pub extensions: ExtensionMap,
    /// The SSRC of what we send.
    pub ssrc: u32,
    /// The SSRC of our retransmissions; `None` if they are to be unwrapped and sent as what they repair.
    pub rtx_ssrc: Option<u32>,
}

/// One codec, by its payload types in the two sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    /// Its payload type on the way in.
    pub incoming: u8,
    /// Its payload type on the way out.
    pub outgoing: u8,
    /// Units of its timestamps in a second.
    pub clock_rate: u32,
    /// The payload type of its retransmissions on the way in (`apt=`).
    pub incoming_rtx: Option<u8>,
    /// The payload type of its retransmissions on the way out.
    pub outgoing_rtx: Option<u8>,
}

impl Codec {
    /// The same payload type on both sides, and no retransmissions.
    #[must_use]
    pub const fn same(payload_type: u8, clock_rate: u32) -> Self {
        Self {
            incoming: payload_type,
            outgoing: payload_type,
            clock_rate,
            incoming_rtx: None,
            outgoing_rtx: None,
        }
    }

    /// With retransmissions of the same payload type on both sides.
    #[must_use]
    pub const fn with_rtx(mut self, payload_type: u8) -> Self {
        self.incoming_rtx = Some(payload_type);
        self.outgoing_rtx = Some(payload_type);
        self
    }
}

/// What is wrong with a route: a mistake of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// More than [`MAX_ROUTES`].
    #[error("the forwarder has as many routes as it can: remove one first")]
    TooManyRoutes,
    /// More than [`MAX_CODECS`].
    #[error("a section has no more than 128 payload types")]
    TooManyCodecs,
    /// A route without codecs forwards nothing.
    #[error("the route names no codec: nothing could be forwarded")]
    NoCodec,
    /// RFC 3550 section 5.1: seven bits.
    #[error("a payload type is above 127")]
    PayloadTypeTooHigh,
    /// A clock that stands still.
    #[error("a clock rate is zero")]
    ClockRateIsZero,
    /// Two streams cannot leave under one SSRC.
    #[error("the outgoing SSRC belongs to another stream already")]
    SsrcTaken,
}
