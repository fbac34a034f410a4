//! The packet: a window into the caller's buffer.
//!
//! Every layer of a connection adds a header in front or a trailer behind, or takes one off. Here that moves two edges
//! and copies only the header: a media packet goes from the codec to the wire, through SRTP and a relay, without moving.

use core::{error::Error, fmt, ops::Range};

/// Room that whoever makes a packet leaves in front, in octets: a Send indication with an IPv6 peer takes 48, an RFC 4571
/// length 2.
///
/// ```
/// use ginnel_core::{HEADROOM, Packet};
///
/// let mut buf = [0; 2048];
/// assert!(Packet::empty(&mut buf).prepend([0; HEADROOM]).is_ok());
/// ```
pub const HEADROOM: usize = 64;

/// Room that every received packet has in all (in front, itself, behind) beyond [`HEADROOM`], in octets: no answer that a
/// machine writes over a question is longer.
///
/// ```
/// use ginnel_core::{ANSWER, HEADROOM, Packet};
///
/// let mut smallest = [0; HEADROOM + ANSWER];
/// let mut packet = Packet::received(&mut smallest, 0..20).unwrap();
/// packet.clear();
/// assert!(packet.has_room(HEADROOM, ANSWER));
/// ```
pub const ANSWER: usize = 576;

/// A buffer that anything a machine writes of its own accord fits into: 1,500 octets and the room around them.
///
/// Being an array, it cannot be too small: the mistake does not compile.
///
/// ```
/// use ginnel_core::{Buffer, Packet};
///
/// let mut buf: Buffer = [0; 2048];
/// assert!(Packet::empty(&mut buf).is_empty());
/// ```
/// ```compile_fail
/// ginnel_core::Packet::empty(&mut [0; 1500]);
/// ```
pub type Buffer = [u8; 2048];

/// There was no room. Nothing has changed.
///
/// It is the caller's buffer that was too small, never the network's doing.
///
/// ```
/// use ginnel_core::{HEADROOM, NoRoom, Packet};
///
/// let mut buf = [0; 2048];
/// assert_eq!(Packet::empty(&mut buf).prepend([0; HEADROOM + 1]), Err(NoRoom));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room in the packet's buffer")
    }
}

impl Error for NoRoom {}

/// A window into a caller's buffer. Layers move its edges; the bytes stay where they are.
///
/// ```
/// use ginnel_core::Packet;
///
/// let mut buf = [0; 2048];
/// let mut packet = Packet::empty(&mut buf);
/// packet.append(b"hello").unwrap();
/// packet.prepend([0x40, 0x00, 0x00, 0x05]).unwrap(); // a ChannelData header
/// assert_eq!(packet.bytes(), b"\x40\x00\x00\x05hello");
///
/// assert_eq!(packet.take(), Some([0x40, 0x00, 0x00, 0x05])); // and off again, at the other end
/// assert_eq!(packet.bytes(), b"hello");
/// ```
#[derive(Debug)]
pub struct Packet<'a> {
    buf: &'a mut [u8],
    // Invariant: start <= end <= buf.len(), and buf.len() >= HEADROOM + ANSWER.
    start: usize,
    end: usize,
}

impl<'a> Packet<'a> {
    /// An empty packet to write into, with [`HEADROOM`] in front.
    ///
    /// ```
    /// # use ginnel_core::{HEADROOM, Packet};
    /// let mut buf = [0; 2048];
    /// let packet = Packet::empty(&mut buf);
    /// assert!(packet.is_empty() && packet.has_room(HEADROOM, 2048 - HEADROOM));
    /// ```
    #[must_use]
    pub const fn empty(buf: &'a mut Buffer) -> Self {
        Self { buf, start: HEADROOM, end: HEADROOM }
    }

    /// What was received into `buf` at `range`; `None` if the range is wrong, or [`HEADROOM`] + [`ANSWER`] exceeds the
    /// buffer.
    ///
    /// A driver that receives many segments at once (GRO, a stream) ends `buf` where the segment ends, and receives at
    /// offset `HEADROOM + ANSWER`: what lies in front is done with, what lies behind is not.
    ///
    /// ```
    /// # use ginnel_core::{HEADROOM, Packet};
    /// let mut buf = [0; 2048];
    /// let len = 4; // of socket.recv_from(&mut buf[HEADROOM..])
    /// buf[HEADROOM..][..len].copy_from_slice(b"ping");
    /// let packet = Packet::received(&mut buf, HEADROOM..HEADROOM + len).unwrap();
    /// assert_eq!(packet.bytes(), b"ping");
    /// ```
    #[must_use]
    pub fn received(buf: &'a mut [u8], range: Range<usize>) -> Option<Self> {
        let fits = range.start <= range.end && range.end <= buf.len() && buf.len() >= HEADROOM + ANSWER;
        fits.then_some(Self { start: range.start, end: range.end, buf })
    }

    /// The bytes.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// let mut buf = [0; 2048];
    /// assert_eq!(Packet::empty(&mut buf).bytes(), b"");
    /// ```
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// The bytes, to change in place: how a cipher works on them.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.append(&[1, 2]).unwrap();
    /// packet.bytes_mut().iter_mut().for_each(|b| *b ^= 0xff);
    /// assert_eq!(packet.bytes(), [0xfe, 0xfd]);
    /// ```
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start..self.end]
    }

    /// How many octets they are.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.append(b"ping").unwrap();
    /// assert_eq!(packet.len(), 4);
    /// ```
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// assert!(Packet::empty(&mut buf).is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether `front` octets can be prepended and `behind` appended: what a `send` asks before it changes anything.
    ///
    /// Room in front that the header leaves over counts for the trailer too, since [`Packet::append`] can move the packet.
    ///
    /// ```
    /// # use ginnel_core::{HEADROOM, Packet};
    /// # let mut buf = [0; 2048];
    /// # let packet = Packet::empty(&mut buf);
    /// assert!(packet.has_room(48, 16)); // a Send indication in front, an SRTP tag behind
    /// assert!(!packet.has_room(HEADROOM + 1, 0));
    /// ```
    #[must_use]
    pub const fn has_room(&self, front: usize, behind: usize) -> bool {
        self.start >= front && self.start - front + self.buf.len() - self.end >= behind
    }

    /// Empties the packet to write anew: after this, [`HEADROOM`] fits in front and [`ANSWER`] behind.
    ///
    /// ```
    /// # use ginnel_core::{ANSWER, HEADROOM, Packet};
    /// let mut buf = [0; 2048];
    /// let mut question = Packet::received(&mut buf, 2000..2048).unwrap();
    /// question.clear();
    /// assert!(question.is_empty() && question.has_room(HEADROOM, ANSWER));
    /// ```
    pub fn clear(&mut self) {
        self.start = self.start.min(self.buf.len() - ANSWER).max(HEADROOM);
        self.end = self.start;
    }

    /// Replaces the whole packet by `octets`, with [`HEADROOM`] kept in front: [`Packet::clear`] and one append.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if `octets` and the headroom exceed the buffer. Up to [`ANSWER`] octets always fit.
    ///
    /// ```
    /// # use ginnel_core::{HEADROOM, NoRoom, Packet};
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.write(b"question").unwrap();
    /// packet.write(b"answer").unwrap();
    /// assert_eq!(packet.bytes(), b"answer");
    /// assert_eq!(packet.write(&[0; 2000]), Err(NoRoom));
    /// assert_eq!(packet.bytes(), b"answer");
    /// ```
    pub fn write(&mut self, octets: &[u8]) -> Result<(), NoRoom> {
        let last = self.buf.len().checked_sub(octets.len()).filter(|last| *last >= HEADROOM).ok_or(NoRoom)?;
        self.start = self.start.max(HEADROOM).min(last);
        self.end = self.start + octets.len();
        self.bytes_mut().copy_from_slice(octets);
        Ok(())
    }

    /// Takes `N` octets off the front by value: how a layer reads its fixed header. [`Packet::prepend`] is its inverse.
    ///
    /// `None`, and nothing taken, if there are fewer.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.append(&[0, 1, b'x']).unwrap();
    /// assert_eq!(packet.take().map(u16::from_be_bytes), Some(1));
    /// assert_eq!(packet.take::<2>(), None);
    /// assert_eq!(packet.bytes(), b"x");
    /// ```
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let head = *self.bytes().first_chunk()?;
        self.start += N;
        Some(head)
    }

    /// Drops `n` octets off the front; `None`, and nothing dropped, if there are fewer.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.append(b"header, body").unwrap();
    /// assert_eq!(packet.strip(8), Some(()));
    /// assert_eq!(packet.bytes(), b"body");
    /// assert_eq!(packet.strip(5), None);
    /// ```
    pub fn strip(&mut self, n: usize) -> Option<()> {
        (n <= self.len()).then(|| self.start += n)
    }

    /// Keeps the first `len` octets, or all if they are fewer: how a layer takes off its trailer.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.append(b"body+tag").unwrap();
    /// packet.truncate(4);
    /// packet.truncate(100);
    /// assert_eq!(packet.bytes(), b"body");
    /// ```
    pub fn truncate(&mut self, len: usize) {
        self.end = self.start + self.len().min(len);
    }

    /// Puts a header in front.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if fewer than `N` octets are free in front. The packet is not moved for it: [`HEADROOM`] is there for
    /// this.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.append(b"body").unwrap();
    /// packet.prepend(4_u16.to_be_bytes()).unwrap();
    /// assert_eq!(packet.bytes(), b"\0\x04body");
    /// ```
    pub fn prepend<const N: usize>(&mut self, header: [u8; N]) -> Result<(), NoRoom> {
        let start = self.start.checked_sub(N).ok_or(NoRoom)?;
        self.buf[start..self.start].copy_from_slice(&header);
        self.start = start;
        Ok(())
    }

    /// Puts a trailer behind. Where only the front has room the packet is moved there: a rare copy in place of a failure.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the whole buffer has not enough room.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// let mut buf = [0; 2048];
    /// buf[2044..].copy_from_slice(b"body");
    /// let mut segment = Packet::received(&mut buf, 2044..2048).unwrap(); // nothing is free behind it
    /// segment.append(b"+tag").unwrap();
    /// assert_eq!(segment.bytes(), b"body+tag");
    /// ```
    pub fn append(&mut self, trailer: &[u8]) -> Result<(), NoRoom> {
        let missing = trailer.len().saturating_sub(self.buf.len() - self.end);
        if missing > self.start {
            return Err(NoRoom);
        }
        if missing > 0 {
            self.buf.copy_within(self.start..self.end, self.start - missing);
            (self.start, self.end) = (self.start - missing, self.end - missing);
        }
        self.buf[self.end..self.end + trailer.len()].copy_from_slice(trailer);
        self.end += trailer.len();
        Ok(())
    }

    /// What is free behind: for a foreign writer that wants `&mut [u8]`. Let it write here, then [`Packet::commit`] what
    /// it wrote.
    ///
    /// ```
    /// # use ginnel_core::Packet;
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// packet.spare_mut()[..4].copy_from_slice(b"body");
    /// packet.commit(4).unwrap();
    /// assert_eq!(packet.bytes(), b"body");
    /// ```
    #[must_use]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.end..]
    }

    /// Makes the first `n` spare octets part of the packet.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if there are fewer: the writer says that it wrote more than it was given.
    ///
    /// ```
    /// # use ginnel_core::{NoRoom, Packet};
    /// # let mut buf = [0; 2048];
    /// # let mut packet = Packet::empty(&mut buf);
    /// let spare = packet.spare_mut().len();
    /// assert_eq!(packet.commit(spare + 1), Err(NoRoom));
    /// assert_eq!(packet.commit(spare), Ok(()));
    /// ```
    pub fn commit(&mut self, n: usize) -> Result<(), NoRoom> {
        if n > self.buf.len() - self.end {
            return Err(NoRoom);
        }
        self.end += n;
        Ok(())
    }
}
