//! Formats and their directions: `rtpmap`, `fmtp`, `ptime`, `maxptime` and the four directions of RFC 8866 section 6.

use super::Attribute;
use super::cursor::Cursor;
use crate::error::ValueError;
use core::fmt;

/// RFC 8866 section 6.6: what a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RtpMap<'a> {
    /// 0 to 127.
    pub payload_type: u8,
    /// `opus`, `VP8`, `rtx`; compare without case.
    pub encoding: &'a str,
    /// Hz.
    pub clock_rate: u32,
    /// Audio channels, where given; one otherwise.
    pub channels: Option<u8>,
}

impl<'a> Attribute<'a> for RtpMap<'a> {
    const NAME: &'static str = "rtpmap";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8866 section 6.6");
        let payload_type = cursor.number(127, "a payload type, 0 to 127")? as u8;
        cursor.space()?;
        let encoding = cursor.word(super::cursor::is_token, b"/", "an encoding name")?;
        cursor.skip(b'/', "a slash and the clock rate")?;
        let clock_rate = cursor.number(u64::from(u32::MAX), "a clock rate in Hz")? as u32;
        let mut channels = None;
        if cursor.take(b'/') {
            channels = Some(cursor.number(255, "a number of channels")? as u8);
        }
        cursor.done()?;
        Ok(RtpMap { payload_type, encoding, clock_rate, channels })
    }
}

impl fmt::Display for RtpMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtpmap:{} {}/{}", self.payload_type, self.encoding, self.clock_rate)?;
        self.channels.map_or(Ok(()), |channels| write!(f, "/{channels}"))
    }
}

/// RFC 8866 section 6.15: parameters of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fmtp<'a> {
    /// The format, as on the `m=` line.
    pub format: &'a str,
    /// The parameters as they stand.
    pub parameters: Parameters<'a>,
}

impl<'a> Attribute<'a> for Fmtp<'a> {
    const NAME: &'static str = "fmtp";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8866 section 6.15");
        let format = cursor.token("a format of the m= line")?;
        cursor.space()?;
        Ok(Fmtp { format, parameters: Parameters(cursor.rest()) })
    }
}

impl fmt::Display for Fmtp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fmtp:{} {}", self.format, self.parameters.0)
    }
}

/// Parameters of a format, as most payload formats write them: `name=value` separated by semicolons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters<'a>(pub &'a str);

impl<'a> Parameters<'a> {
    /// Name and value of each; a parameter without `=` has an empty value.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.0.split(';').map(str::trim).filter(|parameter| !parameter.is_empty()).map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (name.trim(), value.trim())
        })
    }

    /// The value of the first parameter `name`, whatever its case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// RFC 8866 section 6.4: milliseconds of media in one packet, as the writer would like them.
///
/// Whole milliseconds; a fraction, which the grammar allows, is kept in the text and cut here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ptime(pub u32);

/// RFC 8866 section 6.5: at most this many milliseconds of media in one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaxPtime(pub u32);

fn milliseconds(value: &str, clause: &'static str) -> Result<u32, ValueError> {
    let mut cursor = Cursor::new(value, clause);
    let whole = cursor.number(u64::from(u32::MAX), "milliseconds")?;
    if cursor.take(b'.') {
        cursor.number(u64::MAX, "decimals")?;
    }
    cursor.done()?;
    Ok(whole as u32)
}

impl Attribute<'_> for Ptime {
    const NAME: &'static str = "ptime";

    fn parse(value: &str) -> Result<Self, ValueError> {
        milliseconds(value, "RFC 8866 section 6.4").map(Ptime)
    }
}

impl Attribute<'_> for MaxPtime {
    const NAME: &'static str = "maxptime";

    fn parse(value: &str) -> Result<Self, ValueError> {
        milliseconds(value, "RFC 8866 section 6.5").map(MaxPtime)
    }
}

impl fmt::Display for Ptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ptime:{}", self.0)
    }
}

impl fmt::Display for MaxPtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "maxptime:{}", self.0)
    }
}

/// RFC 8866 section 6.7: which way media flows, as the writer sees it. Each is an attribute of its own name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Both ways: the default where nothing is said.
    #[default]
    SendRecv,
    /// The writer sends.
    SendOnly,
    /// The writer receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// By its name; `None` for any other word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sendrecv" => Some(Direction::SendRecv),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::RecvOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None,
        }
    }

    pub(super) fn check(name: &str, value: &str) -> Result<(), ValueError> {
        if Direction::from_name(name).is_some() && !value.is_empty() {
            return Err(ValueError::new(0, "no value", "RFC 8866 section 6.7"));
        }
        Ok(())
    }

    /// From the two halves.
    #[must_use]
    pub const fn from_halves(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the writer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// As the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Direction::from_halves(self.receives(), self.sends())
    }

    /// What both allow, seen from the same side (RFC 3264 section 6.1).
    ///
    /// ```
    /// use ginnel_sdp::attribute::Direction::*;
    /// assert_eq!(SendRecv.and(RecvOnly), RecvOnly);
    /// assert_eq!(SendOnly.and(RecvOnly), Inactive);
    /// ```
    #[must_use]
    pub const fn and(self, other: Direction) -> Self {
        Direction::from_halves(self.sends() && other.sends(), self.receives() && other.receives())
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        })
    }
}
