//! The packet: a window into the caller's buffer.

use core::ops::Range;

/// Room that whoever makes a packet leaves in front: a Send indication with an IPv6 peer takes 48, an RFC 4571 length 2.
pub const HEADROOM: usize = 64;
/// Room that every received packet has in all (in front, itself, behind) beyond [`HEADROOM`]: no answer that a machine
/// writes over a question is longer.
pub const ANSWER: usize = 576;
/// A buffer that anything a machine writes of its own accord fits into: 1,500 octets and the room around them.
/// Being an array, it cannot be too small: the mistake does not compile.
pub type Buffer = [u8; 2048];

/// There was no room. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// A window into a caller's buffer. Layers move its edges; the bytes stay where they are.
#[derive(Debug)]
pub struct Packet<'a> {
    buf: &'a mut [u8],
    start: usize,
    end: usize,
}
impl<'a> Packet<'a> {
    /// An empty packet to write into.
    pub const fn empty(buf: &'a mut Buffer) -> Self {
        Self { buf, start: HEADROOM, end: HEADROOM }
    }
    /// What was received into `buf` at `range`; `None` if the range is wrong, or [`HEADROOM`] + [`ANSWER`] exceeds the buffer.
    /// A driver that receives many segments at once (GRO, a stream) ends `buf` where the segment ends, and receives at offset
    /// `HEADROOM + ANSWER`: what lies in front is done with, what lies behind is not.
    pub fn received(buf: &'a mut [u8], range: Range<usize>) -> Option<Self> {
        (range.start <= range.end && range.end <= buf.len() && buf.len() >= HEADROOM + ANSWER)
            .then_some(Self { start: range.start, end: range.end, buf })
    }
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }
    /// The bytes, to change in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start..self.end]
    }
    /// How many they are.
    pub const fn len(&self) -> usize {
        self.end - self.start
    }
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }
    /// Whether `front` and `behind` octets can be added: what a `send` asks before it changes anything.
    pub const fn has_room(&self, front: usize, behind: usize) -> bool {
        self.start >= front && self.start - front + self.buf.len() - self.end >= behind
    }
    /// Empties the packet to write anew: after this, [`HEADROOM`] fits in front and [`ANSWER`] behind.
    pub fn clear(&mut self) {
        self.start = self.start.min(self.buf.len() - ANSWER).max(HEADROOM);
        self.end = self.start;
    }
    /// Takes `N` octets off the front by value: how a layer reads its fixed header. [`Packet::prepend`] is its inverse.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let head = *self.bytes().first_chunk()?;
        self.start += N;
        Some(head)
    }
    /// Drops `n` octets off the front.
    pub fn strip(&mut self, n: usize) -> Option<()> {
        (n <= self.len()).then(|| self.start += n)
    }
    /// Keeps the first `len` octets.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.start + self.len().min(len)
    }
    /// Puts a header in front.
    pub fn prepend<const N: usize>(&mut self, header: [u8; N]) -> Result<(), NoRoom> {
        let start = self.start.checked_sub(N).ok_or(NoRoom)?;
        self.buf[start..self.start].copy_from_slice(&header);
        self.start = start;
        Ok(())
    }
    /// Puts a trailer behind. Where only the front has room the packet is moved there: a rare copy in place of a failure.
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
    /// For a foreign writer that wants `&mut [u8]`: let it write here, then [`Packet::commit`] what it wrote.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.end..]
    }
    /// Makes the first `n` spare octets part of the packet.
    pub fn commit(&mut self, n: usize) -> Result<(), NoRoom> {
        if n > self.buf.len() - self.end {
            return Err(NoRoom);
        }
        self.end += n;
        Ok(())
    }
}
