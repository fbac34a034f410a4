//! The part of RTP and RTCP headers that SRTP needs (RFC 3550 sections 5.1 and 6.4.1, RFC 8285 for nothing: extensions are
//! skipped whole). Everything else is the business of whoever reads the packets.

/// The fixed header of RTP.
const RTP_HEADER: usize = 12;
/// Header and SSRC of the first packet of an RTCP compound: what SRTCP leaves in the clear.
pub(crate) const RTCP_HEADER: usize = 8;

/// What SRTP needs of an RTP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RtpHeader {
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u16,
    /// Octets up to the payload: CSRCs and extension included.
    pub(crate) len: usize,
    /// Whether the payload ends in padding.
    pub(crate) padded: bool,
}
impl RtpHeader {
    /// `None` if it is not version 2, or CSRCs or extension reach past the end.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let &[first, _, s0, s1, _, _, _, _, r0, r1, r2, r3] = packet.first_chunk::<RTP_HEADER>()?;
        if first >> 6 != 2 {
            return None;
        }
        let mut len = RTP_HEADER + 4 * usize::from(first & 0x0F);
        if first & 0x10 != 0 {
            let extension = packet.get(len..)?.first_chunk::<4>()?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        (len <= packet.len()).then_some(Self {
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            sequence_number: u16::from_be_bytes([s0, s1]),
            len,
            padded: first & 0x20 != 0,
        })
    }
    /// Whether the padding that the header announces lies within `payload` (RFC 3550 section 5.1).
    pub(crate) fn padding_fits(&self, payload: &[u8]) -> bool {
        !self.padded || payload.last().is_some_and(|&n| n > 0 && usize::from(n) <= payload.len())
    }
}

/// The SSRC of the first packet of an RTCP compound; `None` if it is not version 2 or too short.
pub(crate) fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let &[first, _, _, _, r0, r1, r2, r3] = packet.first_chunk::<RTCP_HEADER>()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes([r0, r1, r2, r3]))
}
