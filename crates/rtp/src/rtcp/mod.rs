//! RTCP: a view of compound packets, and a writer.
//!
//! RFC 3550 section 6, feedback of RFC 4585 and RFC 5104, REMB of draft-alvestrand-rmcat-remb-03. A compound need not begin with a
//! report (reduced size, RFC 5506). Transport-wide congestion control and extended reports are handed out raw.

mod feedback;
mod report;
mod sdes;
mod write;

pub use feedback::{Feedback, Fir, FirEntry, Nack, Remb};
pub use report::{ReceiverReport, ReportBlock, SenderInfo, SenderReport};
pub use sdes::{Chunk, Goodbye, Item, SourceDescription};
pub use write::RtcpWriter;

use crate::{ParseError, Reason};

/// The packet types (RFC 3550 section 12.1, RFC 4585 section 6.1, RFC 3611 section 2).
mod packet_type {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const SOURCE_DESCRIPTION: u8 = 202;
    pub(super) const GOODBYE: u8 = 203;
    pub(super) const APPLICATION_DEFINED: u8 = 204;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
    pub(super) const EXTENDED_REPORT: u8 = 207;
}

/// The formats of feedback (RFC 4585 sections 6.2 and 6.3, RFC 5104 section 4.3).
mod format {
    pub(super) const NACK: u8 = 1;
    pub(super) const TRANSPORT_CC: u8 = 15;
    pub(super) const PICTURE_LOSS: u8 = 1;
    pub(super) const FULL_INTRA_REQUEST: u8 = 4;
    pub(super) const APPLICATION_LAYER: u8 = 15;
}

/// Octets of the header that all RTCP packets share.
const HEADER: usize = 4;

/// A compound RTCP packet whose framing has been checked: versions, lengths, padding on the last packet alone.
///
/// ```
/// use ginnel_rtp::rtcp::{Compound, Rtcp};
///
/// // A picture loss indication alone: reduced size.
/// let octets = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
/// let compound = Compound::parse(&octets)?;
/// assert!(compound.is_reduced_size());
/// let Some(Ok(Rtcp::PictureLoss(pli))) = compound.packets().next() else { panic!() };
/// assert_eq!((pli.sender_ssrc, pli.media_ssrc), (1, 2));
/// # Ok::<(), ginnel_rtp::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    octets: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks the framing of the whole.
    ///
    /// # Errors
    /// If there is no packet, a version is not 2, a length reaches past the end, or padding is misplaced or wrong.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        if octets.is_empty() {
            return Err(ParseError::new(0, Reason::Truncated));
        }
        let mut rest = octets;
        while !rest.is_empty() {
            let offset = octets.len() - rest.len();
            let (packet, behind) = RawRtcp::split(rest).map_err(|error| error.within(offset))?;
            if packet.padded && !behind.is_empty() {
                return Err(ParseError::new(offset, Reason::PaddingBeforeTheLast));
            }
            rest = behind;
        }
        Ok(Self { octets })
    }

    /// Whether this begins with something else than a report (RFC 5506 section 3.4.2).
    #[must_use]
    pub fn is_reduced_size(&self) -> bool {
        !matches!(self.octets.get(1), Some(&(packet_type::SENDER_REPORT | packet_type::RECEIVER_REPORT)))
    }

    /// The packets. One whose contents are wrong is an error with its offset; the next one follows all the same.
    #[must_use]
    pub const fn packets(&self) -> Packets<'a> {
        Packets { rest: self.octets, offset: 0 }
    }
}

/// The packets of a [`Compound`].
#[derive(Clone, Copy, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Rtcp<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The framing was checked, so a failure to split is the end.
        let (packet, behind) = RawRtcp::split(self.rest).ok()?;
        let offset = self.offset;
        self.offset += self.rest.len() - behind.len();
        self.rest = behind;
        Some(Rtcp::parse(packet).map_err(|error| error.within(offset + HEADER)))
    }
}

/// One RTCP packet as it lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRtcp<'a> {
    /// The packet type.
    pub packet_type: u8,
    /// The five bits behind the version: a count, a subtype or a feedback format.
    pub count: u8,
    /// What follows the four octets of header, without padding.
    pub body: &'a [u8],
    padded: bool,
}

impl<'a> RawRtcp<'a> {
    /// The first packet, and what lies behind it.
    fn split(octets: &'a [u8]) -> Result<(Self, &'a [u8]), ParseError> {
        let head = octets.first_chunk::<HEADER>().ok_or(ParseError::new(octets.len(), Reason::Truncated))?;
        if head[0] >> 6 != 2 {
            return Err(ParseError::new(0, Reason::VersionIsNotTwo));
        }
        // RFC 3550 section 6.4.1: in 32-bit words minus one.
        let len = 4 * (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1);
        let (packet, behind) =
            octets.split_at_checked(len).ok_or(ParseError::new(2, Reason::LengthPastEnd))?;
        let mut body = packet.get(HEADER..).unwrap_or_default();
        let padded = head[0] & 0x20 != 0;
        if padded {
            let padding = usize::from(body.last().copied().unwrap_or(0));
            let wrong = ParseError::new(len - 1, Reason::PaddingIsWrong);
            // RFC 3550 section 6.4.1: a multiple of four.
            if padding == 0 || padding % 4 != 0 {
                return Err(wrong);
            }
            body = body.len().checked_sub(padding).and_then(|len| body.get(..len)).ok_or(wrong)?;
        }
        Ok((Self { packet_type: head[1], count: head[0] & 0x1f, body, padded }, behind))
    }
}

/// One RTCP packet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Rtcp<'a> {
    /// What a source has sent, and how it receives (RFC 3550 section 6.4.1).
    SenderReport(SenderReport<'a>),
    /// How somebody receives (RFC 3550 section 6.4.2).
    ReceiverReport(ReceiverReport<'a>),
    /// Who the sources are (RFC 3550 section 6.5).
    SourceDescription(SourceDescription<'a>),
    /// Sources that leave (RFC 3550 section 6.6).
    Goodbye(Goodbye<'a>),
    /// Somebody's own (RFC 3550 section 6.7), raw: SSRC, four octets of name, data.
    ApplicationDefined(RawRtcp<'a>),
    /// Packets that are missing (RFC 4585 section 6.2.1).
    Nack(Nack<'a>),
    /// Transport-wide congestion control feedback, whose control information is raw.
    TransportCc(Feedback<'a>),
    /// Other transport-layer feedback.
    TransportFeedback(RawRtcp<'a>),
    /// A picture was lost: a key frame is wanted (RFC 4585 section 6.3.1).
    PictureLoss(Feedback<'a>),
    /// A key frame is commanded (RFC 5104 section 4.3.1).
    FullIntraRequest(Fir<'a>),
    /// How much the receiver thinks the path can bear (draft-alvestrand-rmcat-remb-03 section 2.2).
    Remb(Remb<'a>),
    /// Other payload-specific feedback.
    PayloadFeedback(RawRtcp<'a>),
    /// Extended reports (RFC 3611), raw: SSRC and report blocks.
    ExtendedReport(RawRtcp<'a>),
    /// A packet type that is not known here.
    Unknown(RawRtcp<'a>),
}

impl<'a> Rtcp<'a> {
    /// Offsets of errors are into the body.
    fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        Ok(match raw.packet_type {
            packet_type::SENDER_REPORT => Self::SenderReport(SenderReport::parse(raw)?),
            packet_type::RECEIVER_REPORT => Self::ReceiverReport(ReceiverReport::parse(raw)?),
            packet_type::SOURCE_DESCRIPTION => Self::SourceDescription(SourceDescription::parse(raw)?),
            packet_type::GOODBYE => Self::Goodbye(Goodbye::parse(raw)?),
            packet_type::APPLICATION_DEFINED => Self::ApplicationDefined(raw),
            packet_type::EXTENDED_REPORT => Self::ExtendedReport(raw),
            packet_type::TRANSPORT_FEEDBACK => match raw.count {
                format::NACK => Self::Nack(Nack::parse(raw)?),
                format::TRANSPORT_CC => Self::TransportCc(Feedback::parse(raw)?),
                _ => Self::TransportFeedback(raw),
            },
            packet_type::PAYLOAD_FEEDBACK => match raw.count {
                format::PICTURE_LOSS => Self::PictureLoss(Feedback::parse(raw)?),
                format::FULL_INTRA_REQUEST => Self::FullIntraRequest(Fir::parse(raw)?),
                format::APPLICATION_LAYER => match Remb::parse(raw)? {
                    Some(remb) => Self::Remb(remb),
                    None => Self::PayloadFeedback(raw),
                },
                _ => Self::PayloadFeedback(raw),
            },
            _ => Self::Unknown(raw),
        })
    }
}

/// The big-endian word at `offset` of a body.
fn word(body: &[u8], offset: usize) -> Result<u32, ParseError> {
    body.get(offset..)
        .and_then(|rest| rest.first_chunk())
        .map(|octets| u32::from_be_bytes(*octets))
        .ok_or(ParseError::new(body.len(), Reason::Truncated))
}

#[cfg(test)]
mod tests;
