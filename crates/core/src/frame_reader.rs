//! Messages out of a stream, for whoever reads one without a driver.

use core::{error::Error, fmt};

use crate::{Frame, Framing};

/// Cuts a stream into messages, in a buffer of the caller's: read into [`space`](Self::space), say how much came by
/// [`filled`](Self::filled), and [`take`](Self::take) what is whole. However the stream is cut on its way, the messages are
/// the same.
///
/// The buffer bounds what a peer can make anybody keep, and a longer message ends the stream: 2,048 octets are enough for
/// STUN as WebRTC has it, and [`Framing::longest`] for anything. It does not know of time; whoever waits for a message gives
/// up at some point.
///
/// ```
/// use std::io::Read;
/// use ginnel_core::{FrameReader, Framing};
///
/// /// The next message of any stream.
/// fn receive<'r>(stream: &mut impl Read, reader: &'r mut FrameReader<'_>) -> std::io::Result<&'r mut [u8]> {
///     while !reader.has_message().map_err(std::io::Error::other)? {
///         match stream.read(reader.space())? {
///             0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
///             n => reader.filled(n),
///         }
///     }
///     Ok(reader.take())
/// }
///
/// let mut buffer = [0; 64];
/// let mut reader = FrameReader::new(Framing::Rfc4571, &mut buffer);
/// let mut stream = &b"\0\x04ping\0\x04pong"[..]; // in production a `TcpStream`
/// assert_eq!(receive(&mut stream, &mut reader)?, b"ping");
/// assert_eq!(receive(&mut stream, &mut reader)?, b"pong");
/// assert!(receive(&mut stream, &mut reader).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct FrameReader<'b> {
    framing: Framing,
    buffer: &'b mut [u8],
    /// What came and was not taken is at `start..end`.
    start: usize,
    end: usize,
    /// Octets of the stream before `start`.
    position: u64,
}

impl<'b> FrameReader<'b> {
    /// A reader at the front of a stream.
    ///
    /// ```
    /// # use ginnel_core::{FrameReader, Framing};
    /// let mut buffer = [0; 2048];
    /// let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    /// assert_eq!(reader.space().len(), 2048);
    /// ```
    #[must_use]
    pub const fn new(framing: Framing, buffer: &'b mut [u8]) -> Self {
        Self { framing, buffer, start: 0, end: 0, position: 0 }
    }

    /// Where the next octets of the stream go. It is empty only while a whole message, or one that is too long, fills the
    /// buffer: ask [`has_message`](Self::has_message) first.
    ///
    /// ```
    /// # use ginnel_core::{FrameReader, Framing};
    /// # let mut buffer = [0; 2048];
    /// # let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    /// reader.space()[..2].copy_from_slice(&[0x40, 0x01]);
    /// reader.filled(2);
    /// assert_eq!(reader.space().len(), 2046);
    /// ```
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.buffer[self.end..]
    }

    /// So many octets were read into the [`space`](Self::space); more than that count as all of it.
    ///
    /// ```
    /// # use ginnel_core::{FrameReader, Framing};
    /// # let mut buffer = [0; 2048];
    /// # let mut reader = FrameReader::new(Framing::Rfc4571, &mut buffer);
    /// reader.space()[..3].copy_from_slice(b"\0\x01x");
    /// reader.filled(3);
    /// assert_eq!(reader.take(), b"x");
    /// ```
    pub fn filled(&mut self, n: usize) {
        self.end += n.min(self.buffer.len() - self.end);
    }

    /// Whether a whole message is there to be taken.
    ///
    /// # Errors
    ///
    /// [`StreamError`]: nothing says where the stream goes on, so it is to be ended. It stays so.
    ///
    /// ```
    /// # use ginnel_core::{FrameReader, Framing};
    /// # let mut buffer = [0; 2048];
    /// let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    /// assert_eq!(reader.has_message(), Ok(false));
    /// reader.space()[..4].copy_from_slice(&[0x16, 3, 1, 2]); // TLS, on a port for STUN
    /// reader.filled(4);
    /// assert!(reader.has_message().is_err());
    /// ```
    pub fn has_message(&self) -> Result<bool, StreamError> {
        let position = self.position;
        match self.framing.next(&self.buffer[self.start..self.end]) {
            Frame::Whole { .. } => Ok(true),
            Frame::NeedMore if self.end - self.start < self.buffer.len() => Ok(false),
            Frame::NeedMore => Err(StreamError { position, reason: StreamErrorReason::TooLong }),
            Frame::Bad => Err(StreamError { position, reason: StreamErrorReason::NotFramed }),
        }
    }

    /// The next message, without its length and padding; empty if there is none, which
    /// [`has_message`](Self::has_message) tells from an empty message. It can be answered in place.
    ///
    /// ```
    /// # use ginnel_core::{FrameReader, Framing};
    /// # let mut buffer = [0; 2048];
    /// let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    /// let stream = [0x40, 0x01, 0, 1, b'x', 0, 0, 0]; // ChannelData of one octet, and its padding
    /// reader.space()[..8].copy_from_slice(&stream);
    /// reader.filled(8);
    /// assert_eq!(reader.take(), b"\x40\x01\0\x01x");
    /// assert!(reader.take().is_empty());
    /// ```
    pub fn take(&mut self) -> &mut [u8] {
        let Frame::Whole { skip, len, total } = self.framing.next(&self.buffer[self.start..self.end]) else {
            return &mut [];
        };
        let at = self.start + skip;
        self.start += total;
        self.position += total as u64;
        &mut self.buffer[at..at + len]
    }
}

/// Numbers alone: what was read may be secret.
impl fmt::Debug for FrameReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameReader")
            .field("framing", &self.framing)
            .field("position", &self.position)
            .field("waiting", &(self.end - self.start))
            .finish_non_exhaustive()
    }
}

/// Why a stream has no further messages.
///
/// ```
/// use ginnel_core::{FrameReader, Framing};
///
/// let mut small = [0; 4];
/// let mut reader = FrameReader::new(Framing::Rfc4571, &mut small);
/// reader.space().copy_from_slice(b"\0\x04pi");
/// reader.filled(4);
/// let error = reader.has_message().unwrap_err();
/// assert_eq!(error.position(), 0);
/// assert_eq!(error.to_string(), "a message is longer than the buffer (at octet 0 of the stream): end the stream");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamError {
    position: u64,
    reason: StreamErrorReason,
}

impl StreamError {
    /// Octets from the front of the stream to what is no message.
    ///
    /// ```
    /// # use ginnel_core::{FrameReader, Framing};
    /// # let mut buffer = [0; 8];
    /// let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    /// reader.space().copy_from_slice(&[0x40, 0, 0, 0, 0xff, 0, 0, 0]);
    /// reader.filled(8);
    /// reader.take();
    /// assert_eq!(reader.has_message().unwrap_err().position(), 4);
    /// ```
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }
    /// What is wrong.
    ///
    /// ```
    /// # use ginnel_core::{FrameReader, Framing, StreamErrorReason};
    /// # let mut buffer = [0; 8];
    /// let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    /// reader.filled(8); // zeros: a message that cannot fit
    /// assert_eq!(reader.has_message().unwrap_err().reason(), StreamErrorReason::TooLong);
    /// ```
    #[must_use]
    pub const fn reason(&self) -> StreamErrorReason {
        self.reason
    }
}

/// What is wrong with a stream.
///
/// ```
/// use ginnel_core::StreamErrorReason;
///
/// assert_ne!(StreamErrorReason::NotFramed, StreamErrorReason::TooLong);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamErrorReason {
    /// It is not cut by this framing: another protocol, or damage.
    NotFramed,
    /// The next message does not fit into the buffer.
    TooLong,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            StreamErrorReason::NotFramed => "no message begins here",
            StreamErrorReason::TooLong => "a message is longer than the buffer",
        };
        write!(f, "{what} (at octet {} of the stream): end the stream", self.position)
    }
}

impl Error for StreamError {}
