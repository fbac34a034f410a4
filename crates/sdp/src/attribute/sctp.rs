//! SCTP over DTLS: `sctp-port` and `max-message-size` (RFC 8841), and the older `sctpmap`.

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
