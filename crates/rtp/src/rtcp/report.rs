//! Sender and receiver reports (RFC 3550 sections 6.4.1 and 6.4.2).
//!
//! ```text
//!         0                   1                   2                   3
//!         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! block  |                 SSRC_1 (SSRC of first source)                 |
//!        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!        | fraction lost |       cumulative number of packets lost       |
//!        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!        |           extended highest sequence number received           |
//!        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!        |                      interarrival jitter                      |
//!        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!        |                         last SR (LSR)                         |
//!        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!        |                   delay since last SR (DLSR)                  |
//!        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{RawRtcp, word};
use crate::{ParseError, Reason};

/// Octets of a report block.
const BLOCK: usize = 24;

/// What a source says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall-clock time of the report: seconds since 1900 above, their 2^-32 parts below.
    pub ntp_timestamp: u64,
    /// The same moment in the units of the stream's clock.
    pub rtp_timestamp: u32,
    /// RTP packets sent since the beginning.
    pub packet_count: u32,
    /// Payload octets sent since the beginning.
    pub octet_count: u32,
}

impl SenderInfo {
    /// The middle 32 bits of the NTP timestamp: what a report block calls LSR.
    #[must_use]
    pub const fn compact_ntp(&self) -> u32 {
        (self.ntp_timestamp >> 16) as u32
    }
}

/// How one stream is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// The part that was lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative when duplicates outnumber losses. 24 bits, signed.
    pub cumulative_lost: i32,
    /// The highest sequence number, with the count of its cycles above.
    pub extended_highest_sequence: u32,
    /// Interarrival jitter, in units of the stream's clock.
    pub jitter: u32,
    /// LSR: [`SenderInfo::compact_ntp`] of the last sender report; 0 if there was none.
    pub last_sender_report: u32,
    /// DLSR: how long ago that was, in 1/65536 s.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    fn parse(octets: &[u8; BLOCK]) -> Self {
        let at = |i: usize| u32::from_be_bytes([octets[i], octets[i + 1], octets[i + 2], octets[i + 3]]);
        Self {
            ssrc: at(0),
            fraction_lost: octets[4],
            // Shifted up and down again, to carry the sign of the 24 bits.
            cumulative_lost: (at(4) << 8) as i32 >> 8,
            extended_highest_sequence: at(8),
            jitter: at(12),
            last_sender_report: at(16),
            delay_since_last_sender_report: at(20),
        }
    }

    /// The wire form; the loss is clamped to what 24 bits hold.
    pub(super) fn to_octets(self) -> [u8; BLOCK] {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0x00ff_ffff;
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.extended_highest_sequence,
            self.jitter,
            self.last_sender_report,
            self.delay_since_last_sender_report,
        ];
        let mut octets = [0; BLOCK];
        for (place, word) in octets.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = word.to_be_bytes();
        }
        octets
    }
}

/// A sender report.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// Whose report this is.
    pub ssrc: u32,
    /// What it has sent.
    pub info: SenderInfo,
    blocks: &'a [[u8; BLOCK]],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        let info = SenderInfo {
            ntp_timestamp: u64::from(word(raw.body, 4)?) << 32 | u64::from(word(raw.body, 8)?),
            rtp_timestamp: word(raw.body, 12)?,
            packet_count: word(raw.body, 16)?,
            octet_count: word(raw.body, 20)?,
        };
        Ok(Self { ssrc: word(raw.body, 0)?, info, blocks: blocks(raw, 24)? })
    }

    /// How its source receives others.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::parse)
    }
}

/// A receiver report.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    /// Whose report this is.
    pub ssrc: u32,
    blocks: &'a [[u8; BLOCK]],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        Ok(Self { ssrc: word(raw.body, 0)?, blocks: blocks(raw, 4)? })
    }

    /// How its source receives others.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::parse)
    }
}

/// As many blocks as the count says; what lies behind them is a profile's extension, and ignored (section 6.4.3).
fn blocks(raw: RawRtcp<'_>, start: usize) -> Result<&[[u8; BLOCK]], ParseError> {
    let blocks = raw.body.get(start..).unwrap_or_default().as_chunks().0;
    blocks.get(..usize::from(raw.count)).ok_or(ParseError::new(start, Reason::CountPastEnd))
}
