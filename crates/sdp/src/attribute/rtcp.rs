//! RTCP: `rtcp` (RFC 3605), `rtcp-mux` (RFC 5761), `rtcp-mux-only` (RFC 8858), `rtcp-rsize` (RFC 5506).

use super::cursor::Cursor;
use super::{Attribute, property};
use crate::error::ValueError;
use core::fmt;

/// RFC 3605 section 2.1: where RTCP goes when it is not multiplexed. ICE makes it superfluous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rtcp<'a> {
    /// The port.
    pub port: u16,
    /// `IN IP4 192.0.2.1`, where given.
    pub address: Option<&'a str>,
}

impl<'a> Attribute<'a> for Rtcp<'a> {
    const NAME: &'static str = "rtcp";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 3605 section 2.1");
        let port = cursor.number(65_535, "a port, 0 to 65535")? as u16;
        if cursor.is_done() {
            return Ok(Rtcp { port, address: None });
        }
        cursor.space()?;
        let address = cursor.rest();
        for expected in ["a network type", "an address type", "an address"] {
            cursor.word(|octet| octet.is_ascii_graphic(), &[], expected)?;
            if expected != "an address" {
                cursor.space()?;
            }
        }
        cursor.done()?;
        Ok(Rtcp { port, address: Some(address) })
    }
}

impl fmt::Display for Rtcp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtcp:{}", self.port)?;
        self.address.map_or(Ok(()), |address| write!(f, " {address}"))
    }
}

property!(
    /// RFC 5761 section 5.1.1: RTP and RTCP share one port.
    RtcpMux,
    "rtcp-mux",
    "RFC 5761 section 5.1.1"
);
property!(
    /// RFC 8858 section 3: the writer cannot do without `rtcp-mux`.
    RtcpMuxOnly,
    "rtcp-mux-only",
    "RFC 8858 section 3"
);
property!(
    /// RFC 5506 section 5: RTCP packets need not be compound.
    RtcpRsize,
    "rtcp-rsize",
    "RFC 5506 section 5"
);
