//! SCTP on the wire, as far as this crate touches it itself (RFC 9260 section 3): the common header, the walk over
//! chunks, INIT and INIT ACK, and the control chunks without a body. DATA, SACK, FORWARD TSN and RE-CONFIG are the
//! library's, and pass through as octets.
//!
//! ```text
//! | source port 2 | destination port 2 | verification tag 4 | checksum 4 | chunk.. |
//! chunk: | type 1 | flags 1 | length 2, without the padding | value.. | padding to 4 |
//! ```

use crc::{CRC_32_ISCSI, Crc, Table};

/// RFC 9260 section 3.1: the common header.
pub(crate) const HEADER: usize = 12;
/// RFC 9260 section 3.2: type, flags and length.
const CHUNK_HEADER: usize = 4;
/// RFC 9260 section 3.3.2: INIT and INIT ACK before their parameters.
const INIT_FIXED: usize = 20;
/// The library starts slowly up to the peer's window, and adds to its own without looking whether the sum fits 32 bits.
const LARGEST_WINDOW: u32 = 1 << 30;
/// RFC 9260 section 6.8 and appendix A: CRC32c.
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Chunk types (RFC 9260 section 3.2, RFC 6525, RFC 3758).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const INIT: u8 = 1;
    pub(crate) const INIT_ACK: u8 = 2;
    pub(crate) const SACK: u8 = 3;
    pub(crate) const HEARTBEAT: u8 = 4;
    pub(crate) const HEARTBEAT_ACK: u8 = 5;
    pub(crate) const ABORT: u8 = 6;
    pub(crate) const SHUTDOWN: u8 = 7;
    pub(crate) const SHUTDOWN_ACK: u8 = 8;
    pub(crate) const ERROR: u8 = 9;
    pub(crate) const COOKIE_ECHO: u8 = 10;
    pub(crate) const COOKIE_ACK: u8 = 11;
    pub(crate) const SHUTDOWN_COMPLETE: u8 = 14;
    pub(crate) const RE_CONFIG: u8 = 130;
    pub(crate) const FORWARD_TSN: u8 = 192;
}
/// Parameter types of INIT and INIT ACK.
mod parameter {
    pub(super) const STATE_COOKIE: u16 = 7;
    /// RFC 5061 section 4.2.7.
    pub(super) const SUPPORTED_EXTENSIONS: u16 = 0x8008;
    /// RFC 3758 section 3.1.
    pub(super) const FORWARD_TSN_SUPPORTED: u16 = 0xC000;
}

/// The common header of a packet; `None` if there is no room for it and one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) tag: u32,
}
impl Header {
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let h: &[u8; HEADER] = packet.first_chunk()?;
        (packet.len() >= HEADER + CHUNK_HEADER).then_some(Self {
            source: u16::from_be_bytes([h[0], h[1]]),
            destination: u16::from_be_bytes([h[2], h[3]]),
            tag: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
        })
    }
    /// A packet of these chunks, each padded already, with its checksum.
    pub(crate) fn packet<'c>(self, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&self.source.to_be_bytes());
        out.extend_from_slice(&self.destination.to_be_bytes());
        out.extend_from_slice(&self.tag.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        for chunk in chunks {
            out.extend_from_slice(chunk);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        seal(&mut out);
        out
    }
}

/// The checksum that a packet should have.
fn checksum(packet: &[u8]) -> u32 {
    let mut digest = CRC32C.digest();
    digest.update(packet.get(..8).unwrap_or_default());
    digest.update(&[0; 4]);
    digest.update(packet.get(HEADER..).unwrap_or_default());
    digest.finalize()
}
/// Whether a packet has its checksum, which is little-endian (RFC 9260 appendix A).
pub(crate) fn checksum_holds(packet: &[u8]) -> bool {
    packet.get(8..HEADER).is_some_and(|have| have == checksum(packet).to_le_bytes())
}
/// Writes the checksum of a packet.
pub(crate) fn seal(packet: &mut [u8]) {
    let sum = checksum(packet);
    if let Some(field) = packet.get_mut(8..HEADER) {
        field.copy_from_slice(&sum.to_le_bytes());
    }
}

/// A chunk within a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) value: &'a [u8],
    /// The whole chunk, with its header and what padding there is.
    pub(crate) octets: &'a [u8],
}
/// Walks the chunks of a packet. `Err(())` once, if a chunk overruns it or is shorter than its own header.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<'a>(&'a [u8]);
impl<'a> Chunks<'a> {
    pub(crate) fn of(packet: &'a [u8]) -> Self {
        Self(packet.get(HEADER..).unwrap_or_default())
    }
}
impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, ()>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let rest = core::mem::take(&mut self.0);
        Some(chunk(rest).ok_or(()).map(|(chunk, next)| {
            self.0 = next;
            chunk
        }))
    }
}
fn chunk(octets: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let [kind, flags, high, low] = *octets.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let value = octets.get(CHUNK_HEADER..length)?;
    // The last chunk's padding may be missing (RFC 9260 section 3.2 forbids it, receivers take it).
    let (octets, next) = octets.split_at(length.next_multiple_of(4).min(octets.len()));
    Some((Chunk { kind, flags, value, octets }, next))
}
/// A chunk of our own. The value is short: a cookie is the longest, and came in one packet.
pub(crate) fn chunk_of(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(CHUNK_HEADER + value.len()).unwrap_or(u16::MAX);
    let mut out = vec![kind, flags];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    out
}

/// RFC 9260 section 3.3.3: what INIT and INIT ACK say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) tag: u32,
    pub(crate) window: u32,
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
    pub(crate) tsn: u32,
    /// RFC 6525: streams can be reset.
    pub(crate) reconfig: bool,
    /// RFC 3758: messages can be abandoned.
    pub(crate) forward_tsn: bool,
}
impl Init {
    /// From a whole chunk of either type; the cookie beside it, if it has one. The error is the offset of what is wrong.
    pub(crate) fn parse(chunk: &[u8]) -> Result<(Self, Option<&[u8]>), usize> {
        let fixed: &[u8; INIT_FIXED] = chunk.first_chunk().ok_or(chunk.len())?;
        let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let half = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let mut init = Self {
            tag: word(4),
            window: word(8),
            outbound_streams: half(12),
            inbound_streams: half(14),
            tsn: word(16),
            reconfig: false,
            forward_tsn: false,
        };
        // RFC 9260 section 3.3.2: none of them may be 0, and a window is at least 1,500.
        match init {
            Self { tag: 0, .. } => return Err(4),
            Self { window: ..1500, .. } => return Err(8),
            Self { outbound_streams: 0, .. } => return Err(12),
            Self { inbound_streams: 0, .. } => return Err(14),
            _ => {}
        }
        let cookie = init.parameters(chunk.get(..length).ok_or(2_usize)?)?;
        Ok((init, cookie))
    }
    fn parameters<'a>(&mut self, chunk: &'a [u8]) -> Result<Option<&'a [u8]>, usize> {
        let (mut at, mut cookie) = (INIT_FIXED, None);
        while let Some(&[t0, t1, l0, l1]) = chunk.get(at..).and_then(|rest| rest.first_chunk()) {
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            // A length below 4 would stand still: RFC 9260 section 3.2.1.
            let value = chunk.get(at + 4..at + length).ok_or(at)?;
            match u16::from_be_bytes([t0, t1]) {
                parameter::STATE_COOKIE => cookie = Some(value),
                parameter::FORWARD_TSN_SUPPORTED => self.forward_tsn = true,
                parameter::SUPPORTED_EXTENSIONS => {
                    self.reconfig |= value.contains(&kind::RE_CONFIG);
                    self.forward_tsn |= value.contains(&kind::FORWARD_TSN);
                }
                // Addresses (RFC 9260 section 3.3.2.1) have no meaning over DTLS: RFC 8261 section 6.
                _ => {}
            }
            at += length.next_multiple_of(4);
        }
        Ok(cookie)
    }
    /// As a whole chunk, INIT or INIT ACK, with the cookie that INIT ACK bears.
    pub(crate) fn chunk(&self, kind: u8, cookie: Option<&[u8]>) -> Vec<u8> {
        let mut value = Vec::with_capacity(64);
        value.extend_from_slice(&self.tag.to_be_bytes());
        value.extend_from_slice(&self.window.to_be_bytes());
        value.extend_from_slice(&self.outbound_streams.to_be_bytes());
        value.extend_from_slice(&self.inbound_streams.to_be_bytes());
        value.extend_from_slice(&self.tsn.to_be_bytes());
        if let Some(cookie) = cookie {
            let length = u16::try_from(4 + cookie.len()).unwrap_or(u16::MAX);
            value.extend_from_slice(&parameter::STATE_COOKIE.to_be_bytes());
            value.extend_from_slice(&length.to_be_bytes());
            value.extend_from_slice(cookie);
            value.resize(value.len().next_multiple_of(4), 0);
        }
        if self.forward_tsn {
            value.extend_from_slice(&[0xC0, 0x00, 0x00, 0x04]);
        }
        let extensions: &[u8] = match (self.reconfig, self.forward_tsn) {
            (true, true) => &[0x80, 0x08, 0x00, 0x06, kind::RE_CONFIG, kind::FORWARD_TSN],
            (true, false) => &[0x80, 0x08, 0x00, 0x05, kind::RE_CONFIG],
            (false, true) => &[0x80, 0x08, 0x00, 0x05, kind::FORWARD_TSN],
            (false, false) => &[],
        };
        value.extend_from_slice(extensions);
        chunk_of(kind, 0, &value)
    }
    /// As the INIT chunk that the library understands: no parameter of the peer's own reaches it.
    pub(crate) fn normalised(&self) -> Vec<u8> {
        let window = self.window.min(LARGEST_WINDOW);
        let mut value = Self { window, ..*self }.chunk(kind::INIT, None);
        if self.forward_tsn {
            // The library asks the Supported Extensions only, and knows no Forward-TSN-Supported parameter.
            value.drain(INIT_FIXED..INIT_FIXED + 4);
            let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
            value[2..4].copy_from_slice(&length.to_be_bytes());
        }
        value
    }
}

/// The first cause code of an ABORT or ERROR chunk (RFC 9260 section 3.3.10); 0 without one.
pub(crate) fn cause(value: &[u8]) -> u16 {
    value.first_chunk().map_or(0, |code: &[u8; 2]| u16::from_be_bytes(*code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With it as the slow start threshold, four gigabytes in one go would overflow the library's window.
    #[test]
    fn the_library_hears_of_no_window_that_it_could_overflow() {
        let init = Init {
            tag: 1,
            window: u32::MAX,
            outbound_streams: 1,
            inbound_streams: 1,
            tsn: 1,
            reconfig: true,
            forward_tsn: true,
        };
        let (told, _) = Init::parse(&init.normalised()).unwrap();
        assert_eq!(told, Init { window: LARGEST_WINDOW, ..init });
    }
}
