//! How a stream is cut into messages, for drivers.
//!
//! Machines see messages only: the padding and the lengths that only a stream needs are added and removed by the driver,
//! through the two functions of [`Framing`]. They look at a slice and keep nothing, so reading is resumable at any octet:
//! collect what came, ask [`Framing::next`], and drain what it says is whole.
//!
//! What is not here: a reassembly buffer (the driver's, bounded by [`Framing::longest`]; without a driver,
//! [`FrameReader`](crate::FrameReader)) and idle timeouts.

use crate::{ANSWER, Buffer, HEADROOM, NoRoom, Packet};

/// How a stream is cut into messages.
///
/// ```
/// use ginnel_core::{Frame, Framing};
///
/// let stream = b"\0\x04ping\0\x04po"; // one message and a half
/// let frame = Framing::Rfc4571.next(stream);
/// assert_eq!(frame, Frame::Whole { skip: 2, len: 4, total: 6 });
/// assert_eq!(Framing::Rfc4571.next(&stream[6..]), Frame::NeedMore);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// STUN and ChannelData, by their own length fields; ChannelData is padded to four octets (RFC 8656 section 12.5).
    Stun,
    /// A length of two octets before each message (RFC 4571 section 2), as ICE over TCP has it (RFC 6544 section 3).
    Rfc4571,
    /// Not at all: octets as they come, in pieces that mean nothing, each of at most [`PIECE`] octets; nothing is added to what
    /// is sent. For what a TCP relay passes on (RFC 6062 section 4.5), where no message ends.
    Raw,
    /// Not yet: nothing is read, so what the peer sends waits in its operating system and ours, and no message ever comes.
    /// [`Request::Frame`](crate::Request::Frame) says later how the stream is cut, or
    /// [`Request::Splice`](crate::Request::Splice) what it is joined to. What is sent leaves as it is.
    Held,
}

/// The most octets in one piece of a stream without messages, [`Framing::Raw`]: what a [`Buffer`] holds beside the room that
/// everything received has.
///
/// ```
/// use ginnel_core::{ANSWER, Buffer, HEADROOM, PIECE};
///
/// assert_eq!(HEADROOM + PIECE + ANSWER, size_of::<Buffer>());
/// ```
pub const PIECE: usize = size_of::<Buffer>() - HEADROOM - ANSWER;

/// Where the next message of a stream lies: what [`Framing::next`] says.
///
/// ```
/// use ginnel_core::{Frame, Framing};
///
/// let stream = [0x40, 0x01, 0, 1, b'x', 0, 0, 0]; // ChannelData of one octet, and its padding
/// let Frame::Whole { skip, len, total } = Framing::Stun.next(&stream) else { panic!() };
/// assert_eq!(&stream[skip..skip + len], b"\x40\x01\0\x01x");
/// assert_eq!(total, stream.len());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Not all of it has come.
    NeedMore,
    /// The message is at `skip..skip + len`; the next starts at `total`. In octets.
    Whole {
        /// What is before it, and not part of it.
        skip: usize,
        /// Of the message.
        len: usize,
        /// With what is before it and the padding behind it.
        total: usize,
    },
    /// This is no such stream: end it, since nothing says where it goes on.
    Bad,
}

impl Framing {
    /// Looks at the front of the stream.
    ///
    /// The same front gives the same answer however it came in; more octets behind a whole message change nothing. What is
    /// [`Raw`](Self::Raw) has no messages: there the answer is whatever has come, up to [`PIECE`].
    ///
    /// ```
    /// # use ginnel_core::{Frame, Framing};
    /// assert_eq!(Framing::Stun.next(&[]), Frame::NeedMore);
    /// assert_eq!(Framing::Stun.next(&[0x16, 3, 1, 2]), Frame::Bad); // TLS, on a port for STUN
    /// ```
    #[must_use]
    pub fn next(self, stream: &[u8]) -> Frame {
        match self.first(stream) {
            whole @ Frame::Whole { total, .. } if total <= stream.len() => whole,
            Frame::Bad => Frame::Bad,
            Frame::Whole { .. } | Frame::NeedMore => Frame::NeedMore,
        }
    }

    /// How many octets the first message lacks at least: reading no more than that takes nothing of the next. 0 if it is
    /// whole, or [`Bad`](Frame::Bad).
    ///
    /// ```
    /// # use ginnel_core::Framing;
    /// assert_eq!(Framing::Rfc4571.missing(b""), 2);
    /// assert_eq!(Framing::Rfc4571.missing(b"\0\x04po"), 2);
    /// assert_eq!(Framing::Rfc4571.missing(b"\0\x04ping\0"), 0);
    /// ```
    #[must_use]
    pub fn missing(self, stream: &[u8]) -> usize {
        let header: usize = match self {
            Self::Rfc4571 => 2,
            Self::Stun => 4,
            Self::Raw => 1,
            // No octet is wanted.
            Self::Held => 0,
        };
        match self.first(stream) {
            Frame::Whole { total, .. } => total.saturating_sub(stream.len()),
            Frame::NeedMore => header.saturating_sub(stream.len()),
            Frame::Bad => 0,
        }
    }

    /// The first message by its header, be it there or not.
    fn first(self, stream: &[u8]) -> Frame {
        let (skip, len, total) = match self {
            Self::Rfc4571 => {
                let Some(length) = stream.first_chunk() else { return Frame::NeedMore };
                let len = usize::from(u16::from_be_bytes(*length));
                (2, len, 2 + len)
            }
            Self::Raw => match stream.len().min(PIECE) {
                0 => return Frame::NeedMore,
                len => (0, len, len),
            },
            Self::Held => return Frame::NeedMore,
            Self::Stun => {
                let Some(&[kind, _, high, low]) = stream.first_chunk() else { return Frame::NeedMore };
                let length = usize::from(u16::from_be_bytes([high, low]));
                match kind >> 6 {
                    // RFC 8489 section 5: attributes are padded, so the length ends in two zero bits.
                    0 if length.is_multiple_of(4) => (0, 20 + length, 20 + length),
                    1 => (0, 4 + length, (4 + length).next_multiple_of(4)),
                    _ => return Frame::Bad,
                }
            }
        };
        Frame::Whole { skip, len, total }
    }

    /// Makes a message fit for the stream: pads it, or puts its length in front, or neither.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the packet's buffer has no room for that, or its length does not fit into two octets.
    ///
    /// ```
    /// # use ginnel_core::{Framing, Packet};
    /// let mut buf = [0; 2048];
    /// let mut packet = Packet::empty(&mut buf);
    /// packet.write(b"ping").unwrap();
    /// Framing::Rfc4571.wrap(&mut packet).unwrap();
    /// assert_eq!(packet.bytes(), b"\0\x04ping");
    /// ```
    pub fn wrap(self, packet: &mut Packet<'_>) -> Result<(), NoRoom> {
        match self {
            Self::Rfc4571 => packet.prepend(u16::try_from(packet.len()).map_err(|_| NoRoom)?.to_be_bytes()),
            Self::Stun => packet.append(&[0; 3][..packet.len().next_multiple_of(4) - packet.len()]),
            Self::Raw | Self::Held => Ok(()),
        }
    }

    /// The most octets that one message takes in the stream: no reassembly buffer need be larger.
    ///
    /// ```
    /// # use ginnel_core::{Frame, Framing};
    /// let stream = [0xff; 65_537];
    /// assert_eq!(Framing::Rfc4571.next(&stream[1..]), Frame::NeedMore);
    /// assert!(matches!(Framing::Rfc4571.next(&stream), Frame::Whole { total, .. } if total == Framing::Rfc4571.longest()));
    /// ```
    #[must_use]
    pub const fn longest(self) -> usize {
        match self {
            Self::Rfc4571 => 2 + 0xffff,
            // A STUN message whose length is the last multiple of four.
            Self::Stun => 20 + 0xfffc,
            Self::Raw => PIECE,
            Self::Held => 0,
        }
    }
}
