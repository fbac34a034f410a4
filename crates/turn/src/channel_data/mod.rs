//! ChannelData (RFC 8656 section 12.4): four octets in front of what a peer sent or is to get.
//!
//! ```text
//!  0               2               4
//! +---------------+---------------+------------------------+
//! | 0x4000-0x4FFF | length        | application data       |
//! +---------------+---------------+------------------------+
//! ```
//!
//! Over UDP the datagram may be longer than the message: what is behind it is padding, and ignored (section 12.5).
//! Left out: the padding of streams, which the driver adds and removes by `ginnel_core::Framing::Stun`.

use core::fmt;

use ginnel_core::{NoRoom, Packet};

/// Octets in front of the payload.
const HEADER_LEN: usize = 4;

/// The number of a channel, in 0x4000..=0x4FFF (RFC 8656 section 12).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(u16);
impl ChannelNumber {
    /// The first (RFC 8656 section 12).
    pub const MIN: Self = Self(0x4000);
    /// The last (RFC 8656 section 12). RFC 5766 went on to 0x7FFF, which now belongs to other protocols.
    pub const MAX: Self = Self(0x4FFF);

    /// The channel of this number; `None` if there is none.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number >= Self::MIN.0 && number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}
impl fmt::Debug for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}
impl fmt::Display for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why octets are no ChannelData message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelDataError {
    /// Fewer than four octets.
    ShorterThanHeader,
    /// The channel number, at octet 0, is not in 0x4000..=0x4FFF (RFC 8656 section 12).
    NoChannelNumber,
    /// The length, at octet 2, is more than there is behind the header (RFC 8656 section 12.6: discard silently).
    LengthBeyondDatagram,
}
impl ChannelDataError {
    /// Octets from the front of the datagram to what is wrong.
    #[must_use]
    pub const fn offset(self) -> usize {
        match self {
            Self::ShorterThanHeader | Self::NoChannelNumber => 0,
            Self::LengthBeyondDatagram => 2,
        }
    }
}
impl fmt::Display for ChannelDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShorterThanHeader => "shorter than the header",
            Self::NoChannelNumber => "the channel number is not in 0x4000..=0x4FFF",
            Self::LengthBeyondDatagram => "the length is more than there is",
        })
    }
}
impl core::error::Error for ChannelDataError {}

/// A borrowed view of one ChannelData message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChannelData<'a> {
    channel: ChannelNumber,
    payload: &'a [u8],
}
impl<'a> ChannelData<'a> {
    /// Reads one datagram, or one frame of a stream.
    #[inline]
    pub fn parse(octets: &'a [u8]) -> Result<Self, ChannelDataError> {
        let Some((&[c0, c1, l0, l1], behind)) = octets.split_first_chunk::<HEADER_LEN>() else {
            return Err(ChannelDataError::ShorterThanHeader);
        };
        let Some(channel) = ChannelNumber::new(u16::from_be_bytes([c0, c1])) else {
            return Err(ChannelDataError::NoChannelNumber);
        };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let payload = behind.get(..length).ok_or(ChannelDataError::LengthBeyondDatagram)?;
        Ok(Self { channel, payload })
    }
    /// Which channel.
    #[must_use]
    pub const fn channel(&self) -> ChannelNumber {
        self.channel
    }
    /// What is relayed. It may be empty.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Makes the payload in `packet` a ChannelData message, in place. `Err` changes nothing.
    #[inline]
    pub fn wrap(channel: ChannelNumber, packet: &mut Packet<'_>) -> Result<(), NoRoom> {
        let length = u16::try_from(packet.len()).map_err(|_| NoRoom)?;
        let ([c0, c1], [l0, l1]) = (channel.0.to_be_bytes(), length.to_be_bytes());
        packet.prepend([c0, c1, l0, l1])
    }
    /// Takes the header and the padding off a packet, in place, and returns the channel. `Err` changes nothing.
    #[inline]
    pub fn strip(packet: &mut Packet<'_>) -> Result<ChannelNumber, ChannelDataError> {
        let ChannelData { channel, payload } = ChannelData::parse(packet.bytes())?;
        let length = payload.len();
        packet.strip(HEADER_LEN).ok_or(ChannelDataError::ShorterThanHeader)?;
        packet.truncate(length);
        Ok(channel)
    }
}
impl fmt::Debug for ChannelData<'_> {
    /// The length, not the data: it is the user's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelData({:?}, {} octets)", self.channel, self.payload.len())
    }
}

#[cfg(test)]
mod tests;
