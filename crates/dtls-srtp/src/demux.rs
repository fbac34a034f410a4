//! Which protocol a packet on a shared socket belongs to, told by its first octets.
//!
//! RFC 7983 section 7 with the ranges of RFC 9443 section 2, and RFC 5761 section 4 for RTP against RTCP. The function is
//! total: every first octet and every length has an answer. It looks at two octets and proves nothing: whoever takes the
//! packet still parses it.

/// What the first octets of a packet say it is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// First octet 0 to 3.
    Stun,
    /// First octet 16 to 19.
    Zrtp,
    /// First octet 20 to 63.
    Dtls,
    /// First octet 64 to 79: TURN ChannelData.
    TurnChannel,
    /// First octet 80 to 127, or 192 to 255.
    Quic,
    /// First octet 128 to 191, second octet not 192 to 223.
    Rtp,
    /// First octet 128 to 191, second octet 192 to 223.
    Rtcp,
    /// Nothing, or an octet that no protocol claims, or a version-2 RTP octet with nothing behind it.
    Unknown,
}

/// Tells what `octets` are. Never panics, never allocates.
///
/// ```
/// use ginnel_dtls_srtp::{Protocol, demux};
/// assert_eq!(demux(&[22, 254, 253]), Protocol::Dtls);
/// assert_eq!(demux(&[0x80, 96]), Protocol::Rtp);
/// assert_eq!(demux(&[0x80, 200]), Protocol::Rtcp);
/// assert_eq!(demux(&[]), Protocol::Unknown);
/// ```
#[must_use]
pub const fn demux(octets: &[u8]) -> Protocol {
    match octets {
        [0..=3, ..] => Protocol::Stun,
        [16..=19, ..] => Protocol::Zrtp,
        [20..=63, ..] => Protocol::Dtls,
        [64..=79, ..] => Protocol::TurnChannel,
        [80..=127 | 192..=255, ..] => Protocol::Quic,
        // RFC 5761 section 4: RTCP packet types lie in 192 to 223, where no RTP payload type with its marker may lie.
        [128..=191, 192..=223, ..] => Protocol::Rtcp,
        [128..=191, _, ..] => Protocol::Rtp,
        [] | [4..=15, ..] | [128..=191] => Protocol::Unknown,
    }
}
