//! Feedback messages (RFC 4585 section 6, RFC 5104 section 4.3.1, draft-alvestrand-rmcat-remb-03 section 2.2).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|   FMT   |       PT      |          length               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                  SSRC of packet sender                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                  SSRC of media source                         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! :            Feedback Control Information (FCI)                 :
//! ```

use super::{RawRtcp, word};
use crate::{ParseError, Reason};

/// What all feedback has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    /// Who says it.
    pub sender_ssrc: u32,
    /// Of which stream; 0 where the control information says so.
    pub media_ssrc: u32,
    /// The feedback control information.
    pub control: &'a [u8],
}

impl<'a> Feedback<'a> {
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            sender_ssrc: word(raw.body, 0)?,
            media_ssrc: word(raw.body, 4)?,
            control: raw.body.get(8..).unwrap_or_default(),
        })
    }
}

/// A generic NACK (RFC 4585 section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack<'a> {
    /// Who misses packets.
    pub sender_ssrc: u32,
    /// Of which stream.
    pub media_ssrc: u32,
    pairs: &'a [[u8; 4]],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        let Feedback { sender_ssrc, media_ssrc, control } = Feedback::parse(raw)?;
        match control.as_chunks() {
            // Section 6.2.1: at least one, and nothing else.
            (pairs @ [_, ..], []) => Ok(Self { sender_ssrc, media_ssrc, pairs }),
            _ => Err(ParseError::new(8, Reason::FeedbackSize)),
        }
    }

    /// The sequence numbers that are missing: each identifier, then those of its bit mask.
    pub fn missing(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.pairs.iter().flat_map(|pair| {
            let first = u16::from_be_bytes([pair[0], pair[1]]);
            let mask = u16::from_be_bytes([pair[2], pair[3]]);
            let behind = (0..16).filter(move |bit| mask >> bit & 1 == 1);
            core::iter::once(first).chain(behind.map(move |bit| first.wrapping_add(bit + 1)))
        })
    }
}

/// A full intra request (RFC 5104 section 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fir<'a> {
    /// Who commands it.
    pub sender_ssrc: u32,
    entries: &'a [[u8; 8]],
}

/// One stream that is to send a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirEntry {
    /// The stream.
    pub ssrc: u32,
    /// Raised for each new command; a repetition has the same.
    pub sequence_number: u8,
}

impl<'a> Fir<'a> {
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        let Feedback { sender_ssrc, control, .. } = Feedback::parse(raw)?;
        match control.as_chunks() {
            (entries @ [_, ..], []) => Ok(Self { sender_ssrc, entries }),
            _ => Err(ParseError::new(8, Reason::FeedbackSize)),
        }
    }

    /// The streams.
    pub fn entries(&self) -> impl Iterator<Item = FirEntry> + use<'a> {
        self.entries.iter().map(|octets| FirEntry {
            ssrc: u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]),
            sequence_number: octets[4],
        })
    }
}

/// A receiver's estimate of the bit rate that the path can bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remb<'a> {
    /// Who estimates.
    pub sender_ssrc: u32,
    /// In bits per second, for all the streams together.
    pub bitrate: u64,
    ssrcs: &'a [[u8; 4]],
}

impl<'a> Remb<'a> {
    /// `None` for application-layer feedback that is no REMB.
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Option<Self>, ParseError> {
        let Feedback { sender_ssrc, control, .. } = Feedback::parse(raw)?;
        let Some(rest) = control.strip_prefix(b"REMB") else { return Ok(None) };
        let past_end = ParseError::new(12, Reason::CountPastEnd);
        let (&[count, a, b, c], ssrcs) = rest.split_first_chunk().ok_or(past_end)?;
        let mantissa = u64::from(u32::from_be_bytes([0, a & 0x03, b, c]));
        let exponent = u32::from(a >> 2);
        // 18 bits of mantissa shifted by up to 63: what overflows is more than any path bears.
        let bitrate = if mantissa.leading_zeros() >= exponent { mantissa << exponent } else { u64::MAX };
        let ssrcs = ssrcs.as_chunks().0.get(..usize::from(count)).ok_or(past_end)?;
        Ok(Some(Self { sender_ssrc, bitrate, ssrcs }))
    }

    /// The streams that the estimate is for.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.ssrcs.iter().map(|octets| u32::from_be_bytes(*octets))
    }
}
