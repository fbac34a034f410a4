//! SCTP over DTLS: `sctp-port` and `max-message-size` (RFC 8841), the older `sctpmap`, and `sctp-init`
//! (draft-hancke-tsvwg-snap).

use super::Attribute;
use super::cursor::Cursor;
use crate::error::ValueError;
use core::fmt;

/// RFC 8841 section 5: the SCTP port inside DTLS. Zero rejects or closes the association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SctpPort(pub u16);

impl Attribute<'_> for SctpPort {
    const NAME: &'static str = "sctp-port";

    fn parse(value: &str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8841 section 5.1");
        let port = cursor.number(65_535, "an SCTP port, 0 to 65535")?;
        cursor.done()?;
        Ok(SctpPort(port as u16))
    }
}

impl fmt::Display for SctpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sctp-port:{}", self.0)
    }
}

/// RFC 8841 section 6: octets of the largest message that the writer receives; 0 means any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaxMessageSize(pub u64);

impl MaxMessageSize {
    /// RFC 8841 section 6.1: what holds where the attribute is missing, in octets.
    pub const DEFAULT: MaxMessageSize = MaxMessageSize(65_536);
}

impl Attribute<'_> for MaxMessageSize {
    const NAME: &'static str = "max-message-size";

    fn parse(value: &str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8841 section 6.1");
        let size = cursor.number(u64::MAX, "a number of octets")?;
        cursor.done()?;
        Ok(MaxMessageSize(size))
    }
}

impl fmt::Display for MaxMessageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max-message-size:{}", self.0)
    }
}

/// `a=sctpmap:5000 webrtc-datachannel 1024`, as drafts before RFC 8841 had it (draft-ietf-mmusic-sctp-sdp-06 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SctpMap<'a> {
    /// The SCTP port.
    pub port: u16,
    /// `webrtc-datachannel`.
    pub application: &'a str,
    /// How many streams, where it is said.
    pub streams: Option<u32>,
}

impl<'a> Attribute<'a> for SctpMap<'a> {
    const NAME: &'static str = "sctpmap";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "draft-ietf-mmusic-sctp-sdp-06 section 6");
        let port = cursor.number(65_535, "an SCTP port, 0 to 65535")? as u16;
        cursor.space()?;
        let application = cursor.token("an application protocol")?;
        let mut streams = None;
        if cursor.take(b' ') && !cursor.is_done() {
            streams = Some(cursor.number(u64::from(u32::MAX), "a number of streams")? as u32);
        }
        cursor.done()?;
        Ok(SctpMap { port, application, streams })
    }
}

impl fmt::Display for SctpMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sctpmap:{} {}", self.port, self.application)?;
        self.streams.map_or(Ok(()), |streams| write!(f, " {streams}"))
    }
}

/// draft-hancke-tsvwg-snap: the writer's SCTP INIT chunk, in base64, so that the handshake needs no round trip.
///
/// ```
/// use ginnel_sdp::attribute::{Attribute, SctpInit};
/// let init = SctpInit::parse("AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA").unwrap();
/// let mut chunk = [0; 64];
/// assert_eq!(init.decode(&mut chunk), Some(30));
/// assert_eq!(&chunk[..4], [1, 0, 0, 30]); // INIT, no flags, 30 octets
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SctpInit<'a>(&'a str);

/// RFC 9260 section 3.3.2: chunk header and the fixed part of INIT, in octets.
const INIT_MIN: usize = 20;

impl<'a> SctpInit<'a> {
    /// The base64 text.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// Writes the chunk to `out` and says its length; `None` if there is no room.
    pub fn decode(&self, out: &mut [u8]) -> Option<usize> {
        let mut len = 0;
        for octet in decode_base64(self.0) {
            *out.get_mut(len)? = octet;
            len += 1;
        }
        Some(len)
    }
}

/// The octets of a text that is known to be base64.
fn decode_base64(text: &str) -> impl Iterator<Item = u8> {
    let (mut bits, mut count) = (0_u32, 0_u32);
    text.bytes().filter_map(sextet).filter_map(move |value| {
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count < 8 {
            return None;
        }
        count -= 8;
        Some((bits >> count) as u8)
    })
}

fn sextet(octet: u8) -> Option<u8> {
    Some(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

impl<'a> Attribute<'a> for SctpInit<'a> {
    const NAME: &'static str = "sctp-init";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        const CLAUSE: &str = "draft-hancke-tsvwg-snap section 4";
        let text = value.trim_end_matches('=');
        if let Some(at) = text.bytes().position(|octet| sextet(octet).is_none()) {
            return Err(ValueError::new(at, "base64", CLAUSE));
        }
        if !value.len().is_multiple_of(4) || value.len() - text.len() > 2 {
            return Err(ValueError::new(value.len(), "base64 of whole groups of four", CLAUSE));
        }
        let mut octets = decode_base64(text);
        let header = (octets.next(), octets.next(), octets.next(), octets.next());
        let (Some(1), Some(_), Some(high), Some(low)) = header else {
            return Err(ValueError::new(0, "an INIT chunk", CLAUSE));
        };
        let (said, found) = (usize::from(high) * 256 + usize::from(low), 4 + octets.count());
        // RFC 9260 section 3.2: the length leaves out the padding, of at most 3 octets.
        if said < INIT_MIN || found < said || found > said + 3 {
            return Err(ValueError::new(0, "an INIT chunk as long as it says", CLAUSE));
        }
        Ok(SctpInit(value))
    }
}

impl fmt::Display for SctpInit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sctp-init:{}", self.0)
    }
}
