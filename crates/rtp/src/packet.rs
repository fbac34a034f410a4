//! The RTP packet: a view that checks once, and edits of the fixed header in place.
//!
//! RFC 3550 section 5.1. The layout of what is "defined by profile" in the header extension is RFC 8285's, in
//! [`crate::Extensions`]. Payload formats are left to those who decode.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                           timestamp                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |           synchronization source (SSRC) identifier            |
//! +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//! |            contributing source (CSRC) identifiers             |
//! |                             ....                              |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use ginnel_core::{NoRoom, Packet};

use crate::{Extensions, ParseError, Reason};

/// RFC 3550 section 5.1: the octets that every packet has.
pub const FIXED_HEADER: usize = 12;

/// A borrowed RTP packet whose lengths have been checked.
///
/// ```
/// use ginnel_rtp::RtpView;
///
/// let octets = [0x80, 0xe0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, b'h', b'i'];
/// let rtp = RtpView::parse(&octets)?;
/// assert!(rtp.marker());
/// assert_eq!((rtp.payload_type(), rtp.sequence_number(), rtp.timestamp(), rtp.ssrc()), (96, 7, 9, 5));
/// assert_eq!(rtp.payload(), b"hi");
/// # Ok::<(), ginnel_rtp::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RtpView<'a> {
    fixed: &'a [u8; FIXED_HEADER],
    csrcs: &'a [u8],
    extension: Option<(u16, &'a [u8])>,
    payload: &'a [u8],
    padding: u8,
}

impl<'a> RtpView<'a> {
    /// Checks version, CSRC list, header extension and padding.
    ///
    /// # Errors
    /// If a length reaches past the end, or the version is not 2.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        let truncated = ParseError::new(octets.len(), Reason::Truncated);
        let (fixed, rest) = octets.split_first_chunk::<FIXED_HEADER>().ok_or(truncated)?;
        if fixed[0] >> 6 != 2 {
            return Err(ParseError::new(0, Reason::VersionIsNotTwo));
        }
        let csrc_octets = 4 * usize::from(fixed[0] & 0x0f);
        let (csrcs, rest) =
            rest.split_at_checked(csrc_octets).ok_or(ParseError::new(0, Reason::CsrcListPastEnd))?;
        let (extension, rest) = if fixed[0] & 0x10 != 0 {
            let past_end = ParseError::new(FIXED_HEADER + csrc_octets, Reason::ExtensionPastEnd);
            let (head, rest) = rest.split_first_chunk::<4>().ok_or(past_end)?;
            let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let (data, rest) = rest.split_at_checked(4 * words).ok_or(past_end)?;
            (Some((u16::from_be_bytes([head[0], head[1]]), data)), rest)
        } else {
            (None, rest)
        };
        let padding = if fixed[0] & 0x20 != 0 { rest.last().copied().unwrap_or(0) } else { 0 };
        let wrong_padding = ParseError::new(octets.len().saturating_sub(1), Reason::PaddingIsWrong);
        if fixed[0] & 0x20 != 0 && padding == 0 {
            return Err(wrong_padding);
        }
        let payload_len = rest.len().checked_sub(usize::from(padding)).ok_or(wrong_padding)?;
        let payload = rest.get(..payload_len).unwrap_or_default();
        Ok(Self { fixed, csrcs, extension, payload, padding })
    }

    /// The marker bit: for video, the last packet of a frame.
    #[must_use]
    pub const fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// The payload type, 0 to 127.
    #[must_use]
    pub const fn payload_type(&self) -> u8 {
        self.fixed[1] & 0x7f
    }

    /// The sequence number.
    #[must_use]
    pub const fn sequence_number(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The timestamp, in units of the payload format's clock.
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// The synchronisation source: which stream this is of.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]])
    }

    /// The contributing sources, at most 15.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.csrcs.as_chunks::<4>().0.iter().map(|chunk| u32::from_be_bytes(*chunk))
    }

    /// The elements of the header extension (RFC 8285); none where there is none, or of another profile.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        let (profile, data) = self.extension.unwrap_or_default();
        Extensions::new(profile, data)
    }

    /// The header extension as it lies there: what is "defined by profile", and the data.
    #[must_use]
    pub const fn raw_extension(&self) -> Option<(u16, &'a [u8])> {
        self.extension
    }

    /// Octets in front of the payload.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        let extension = match self.extension {
            Some((_, data)) => 4 + data.len(),
            None => 0,
        };
        FIXED_HEADER + self.csrcs.len() + extension
    }

    /// The payload, without padding.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Octets of padding behind the payload, the counting octet included; 0 if there is none.
    #[must_use]
    pub const fn padding_len(&self) -> u8 {
        self.padding
    }
}

/// The fixed header of an RTP packet, to change in place.
///
/// ```
/// use ginnel_core::Packet;
/// use ginnel_rtp::{RtpHeaderMut, RtpView};
///
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// packet.append(&[0x80, 0xe0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, b'h', b'i']).unwrap();
/// let mut header = RtpHeaderMut::of(&mut packet).unwrap();
/// header.set_ssrc(77);
/// header.set_payload_type(100);
/// let rtp = RtpView::parse(packet.bytes())?;
/// assert_eq!((rtp.ssrc(), rtp.payload_type(), rtp.marker()), (77, 100, true));
/// # Ok::<(), ginnel_rtp::ParseError>(())
/// ```
#[derive(Debug)]
pub struct RtpHeaderMut<'p> {
    fixed: &'p mut [u8; FIXED_HEADER],
}

impl<'p> RtpHeaderMut<'p> {
    /// The header of a packet; `None` if it is too short for one. Nothing else is checked: [`RtpView::parse`] does that.
    #[must_use]
    pub fn of(packet: &'p mut Packet<'_>) -> Option<Self> {
        Some(Self { fixed: packet.bytes_mut().first_chunk_mut()? })
    }

    /// Sets or clears the marker bit.
    pub const fn set_marker(&mut self, marker: bool) {
        self.fixed[1] = self.fixed[1] & 0x7f | (marker as u8) << 7;
    }

    /// Sets the payload type, of which 7 bits count; the marker stays.
    pub const fn set_payload_type(&mut self, payload_type: u8) {
        self.fixed[1] = self.fixed[1] & 0x80 | payload_type & 0x7f;
    }

    /// Sets the sequence number.
    pub const fn set_sequence_number(&mut self, sequence_number: u16) {
        [self.fixed[2], self.fixed[3]] = sequence_number.to_be_bytes();
    }

    /// Sets the timestamp.
    pub const fn set_timestamp(&mut self, timestamp: u32) {
        [self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]] = timestamp.to_be_bytes();
    }

    /// Sets the synchronisation source.
    pub const fn set_ssrc(&mut self, ssrc: u32) {
        [self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]] = ssrc.to_be_bytes();
    }
}

/// What to write in front of a payload: the fixed header, without CSRCs and extension. Senders of media and tests use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtpHeader {
    /// The marker bit.
    pub marker: bool,
    /// The payload type, of which 7 bits count.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence_number: u16,
    /// The timestamp, in units of the payload format's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl RtpHeader {
    /// Puts this header in front of the payload that the packet holds.
    ///
    /// # Errors
    /// [`NoRoom`] if fewer than 12 octets are free in front; the packet is as it was.
    pub fn prepend(&self, packet: &mut Packet<'_>) -> Result<(), NoRoom> {
        packet.prepend([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        if let Some(mut header) = RtpHeaderMut::of(packet) {
            header.set_marker(self.marker);
            header.set_payload_type(self.payload_type);
            header.set_sequence_number(self.sequence_number);
            header.set_timestamp(self.timestamp);
            header.set_ssrc(self.ssrc);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
