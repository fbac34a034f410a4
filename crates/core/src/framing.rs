//! How a stream is cut into messages.

use crate::{NoRoom, Packet};

/// How a stream is cut into messages. Machines see messages only: padding and lengths that only a stream needs are added and
/// removed by the driver, through these two functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// STUN and ChannelData, by their own length fields (RFC 8656 section 12.5).
    Stun,
    /// A length of two octets before each message (RFC 4571), as ICE over TCP has it.
    Rfc4571,
}
/// Where the next message of a stream lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Not all of it has come.
    NeedMore,
    /// The message is at `skip..skip + len`; the next starts at `total`.
    Whole {
        /** Before it. */
        skip: usize,
        /** Of it. */
        len: usize,
        /** With what is behind it. */
        total: usize,
    },
    /// This is no such stream: end it.
    Bad,
}
impl Framing {
    /// Looks at the front of the stream.
    pub fn next(self, b: &[u8]) -> Frame {
        let Some(&[b0, b1, b2, b3]) = b.first_chunk() else { return Frame::NeedMore };
        let (first, second) =
            (usize::from(u16::from_be_bytes([b0, b1])), usize::from(u16::from_be_bytes([b2, b3])));
        let (skip, len, total) = match (self, b0 >> 6) {
            (Self::Rfc4571, _) => (2, first, 2 + first),
            (Self::Stun, 0) => (0, 20 + second, 20 + second),
            (Self::Stun, 1) => (0, 4 + second, (4 + second).next_multiple_of(4)),
            (Self::Stun, _) => return Frame::Bad,
        };
        if b.len() < total { Frame::NeedMore } else { Frame::Whole { skip, len, total } }
    }
    /// Makes a message fit for the stream.
    pub fn wrap(self, packet: &mut Packet<'_>) -> Result<(), NoRoom> {
        match self {
            Self::Rfc4571 => packet.prepend(u16::try_from(packet.len()).map_err(|_| NoRoom)?.to_be_bytes()),
            Self::Stun => packet.append(&[0; 3][..packet.len().next_multiple_of(4) - packet.len()]),
        }
    }
}
