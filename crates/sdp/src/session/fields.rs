//! The lines that are no attributes: RFC 8866 section 5. `o=`, `m=` and `b=` are typed; `c=`, `t=`, `r=`, `z=`, `e=`,
//! `p=`, `u=` and `k=` are checked for form only, as RFC 8829 section 5.8.1 has it.

use crate::error::ValueError;
use crate::limits::MAX_FORMATS;
use core::fmt;

/// RFC 8866 section 5.2: whose session this is, and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin<'a> {
    /// `-` in WebRTC.
    pub username: &'a str,
    /// 63 bits in WebRTC; any decimal number is kept.
    pub session_id: &'a str,
    /// Grows with each change of the description.
    pub version: u64,
    /// `IN IP4 0.0.0.0` in WebRTC.
    pub address: &'a str,
    number: Option<u64>,
}

impl<'a> Origin<'a> {
    /// The origin that RFC 8829 section 5.2.1 asks for: no user, no address.
    #[must_use]
    pub fn of_session(session_id: u64, version: u64) -> Origin<'static> {
        Origin { username: "-", session_id: "", version, address: "IN IP4 0.0.0.0", number: Some(session_id) }
    }

    pub(crate) fn parse(value: &'a str) -> Result<Self, ValueError> {
        const CLAUSE: &str = "RFC 8866 section 5.2";
        let mut words = Words::new(value, CLAUSE);
        let username = words.next("a user name")?;
        let session_id = words.next("a session identifier")?;
        if session_id.len() > 40 || !session_id.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(words.error("a session identifier, in decimal digits"));
        }
        let version = words.next("a version")?;
        let version = version.parse().map_err(|_| words.error("a version, a 64-bit decimal number"))?;
        let address = words.rest();
        for expected in ["a network type", "an address type", "an address"] {
            words.next(expected)?;
        }
        words.done()?;
        Ok(Origin { username, session_id, version, address, number: None })
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.username)?;
        match self.number {
            Some(number) => write!(f, "{number}")?,
            None => f.write_str(self.session_id)?,
        }
        write!(f, " {} {}", self.version, self.address)
    }
}

/// RFC 8866 section 5.14: what a section carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaLine<'a> {
    /// `audio`, `video`, `application`.
    pub media: &'a str,
    /// 0 rejects the section, unless it is `bundle-only`; 9 where no candidate is known yet.
    pub port: u16,
    /// How many ports, where that is said.
    pub port_count: Option<u32>,
    /// `UDP/TLS/RTP/SAVPF`, `UDP/DTLS/SCTP`.
    pub protocol: &'a str,
    /// Payload types, or `webrtc-datachannel`; separated by single spaces.
    pub formats: &'a str,
}

impl<'a> MediaLine<'a> {
    /// The formats one by one, in order of preference.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.formats.split(' ').filter(|format| !format.is_empty())
    }

    /// Whether the protocol is RTP of one profile or another (RFC 8829 section 5.1.2).
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        self.protocol.contains("RTP/")
    }

    pub(crate) fn parse(value: &'a str) -> Result<Self, ValueError> {
        const CLAUSE: &str = "RFC 8866 section 5.14";
        let mut words = Words::new(value, CLAUSE);
        let media = words.next("a media type")?;
        let port = words.next("a port")?;
        let (port, count) = match port.split_once('/') {
            Some((port, count)) => (port, Some(count)),
            None => (port, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        let port = match port.parse() {
            Ok(number) if digits(port) => number,
            _ => return Err(words.error("a port, 0 to 65535")),
        };
        let port_count = match count {
            None => None,
            Some(count) if digits(count) => match count.parse() {
                Ok(number) => Some(number),
                Err(_) => return Err(words.error("a number of ports")),
            },
            Some(_) => return Err(words.error("a number of ports")),
        };
        let protocol = words.next("a transport protocol")?;
        let formats = words.rest();
        words.next("a format")?;
        if formats.split(' ').count() > MAX_FORMATS {
            return Err(words.error("at most 256 formats"));
        }
        let line = MediaLine { media, port, port_count, protocol, formats };
        if line.is_rtp() {
            for format in line.formats() {
                if !matches!(format.parse::<u8>(), Ok(0..=127)) {
                    return Err(words.error("payload types, 0 to 127"));
                }
            }
        }
        Ok(line)
    }
}

impl fmt::Display for MediaLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.media, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {} {}", self.protocol, self.formats)
    }
}

/// RFC 8866 section 5.8: a bound on the bit rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bandwidth<'a> {
    /// `AS`, `TIAS`, `CT`, `RS`, `RR`.
    pub kind: &'a str,
    /// In kbit/s for `AS` and `CT`, in bit/s for the others.
    pub value: u64,
}

impl<'a> Bandwidth<'a> {
    pub(crate) fn parse(value: &'a str) -> Result<Self, ValueError> {
        const CLAUSE: &str = "RFC 8866 section 5.8";
        let (kind, number) =
            value.split_once(':').ok_or(ValueError::new(value.len(), "a colon and a bandwidth", CLAUSE))?;
        if kind.is_empty() {
            return Err(ValueError::new(0, "a kind of bandwidth", CLAUSE));
        }
        match number.parse() {
            Ok(value) => Ok(Bandwidth { kind, value }),
            Err(_) => Err(ValueError::new(kind.len() + 1, "a bandwidth, in decimal digits", CLAUSE)),
        }
    }
}

/// Checks the value of the line `kind=value`, whatever it is but `a=`.
pub(super) fn check(kind: u8, value: &str) -> Result<(), ValueError> {
    match kind {
        b'v' if value == "0" => Ok(()),
        b'v' => Err(ValueError::new(0, "version 0", "RFC 8866 section 5.1")),
        b'o' => Origin::parse(value).map(drop),
        // It must not be empty, and in the examples of RFC 3264 section 10 it is.
        b's' => Ok(()),
        b'i' => not_empty(value, "a title", "RFC 8866 section 5.4"),
        b'u' => not_empty(value, "a URI", "RFC 8866 section 5.5"),
        b'e' => not_empty(value, "an email address", "RFC 8866 section 5.6"),
        b'p' => not_empty(value, "a phone number", "RFC 8866 section 5.6"),
        b'c' => connection(value),
        b'b' => Bandwidth::parse(value).map(drop),
        b't' => timing(value),
        b'r' => not_empty(value, "repeat times", "RFC 8866 section 5.10"),
        b'z' => not_empty(value, "time zone adjustments", "RFC 8866 section 5.11"),
        b'k' => not_empty(value, "an encryption key", "RFC 4566 section 5.12"),
        b'm' => MediaLine::parse(value).map(drop),
        _ => Err(ValueError::new(0, "a known type of line", "RFC 8866 section 5")),
    }
}

fn not_empty(value: &str, expected: &'static str, clause: &'static str) -> Result<(), ValueError> {
    if value.is_empty() { Err(ValueError::new(0, expected, clause)) } else { Ok(()) }
}

fn connection(value: &str) -> Result<(), ValueError> {
    let mut words = Words::new(value, "RFC 8866 section 5.7");
    for expected in ["a network type", "an address type", "an address"] {
        words.next(expected)?;
    }
    words.done()
}

fn timing(value: &str) -> Result<(), ValueError> {
    let mut words = Words::new(value, "RFC 8866 section 5.9");
    for expected in ["a start time, in decimal digits", "a stop time, in decimal digits"] {
        let word = words.next(expected)?;
        if !word.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(words.error(expected));
        }
    }
    words.done()
}

/// Words separated by single spaces, and where the last one began.
struct Words<'a> {
    text: &'a str,
    start: usize,
    at: usize,
    clause: &'static str,
}

impl<'a> Words<'a> {
    fn new(text: &'a str, clause: &'static str) -> Self {
        Words { text, start: 0, at: 0, clause }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn next(&mut self, expected: &'static str) -> Result<&'a str, ValueError> {
        let rest = self.rest();
        let word = rest.split(' ').next().unwrap_or("");
        self.start = self.at.min(self.text.len());
        self.at += word.len() + 1;
        if word.is_empty() { Err(self.error(expected)) } else { Ok(word) }
    }

    /// An error at the last word.
    fn error(&self, expected: &'static str) -> ValueError {
        ValueError::new(self.start, expected, self.clause)
    }

    fn done(&self) -> Result<(), ValueError> {
        // One trailing space is on the wire and harms nothing.
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(ValueError::new(self.at, "the end of the line", self.clause))
    }
}
