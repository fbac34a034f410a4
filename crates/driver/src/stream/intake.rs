//! What has come on a stream and is not a whole message yet.
//!
//! Octets are read in one of two ways. Where nothing is left over, as many as there are go into a buffer that all streams
//! share, so that an idle stream has none of its own. Where a message has come in part, its front moves into the stream's
//! own buffer, and only what it lacks is read behind it: each octet is moved once, however finely a stream is cut, and
//! behind the message there is nothing of the next. That buffer grows with what has come, not with what a header promises.

use std::ops::Range;

use ginnel_core::{ANSWER, Frame, Framing, HEADROOM};

/// In front of what has come: the room that answers need.
const ROOM: usize = HEADROOM + ANSWER;
/// What one call reads into the shared buffer: at most so many octets are taken in before others have their turn.
const CHUNK: usize = 16 << 10;
/// What a message that has come in part may take at first.
const FIRST: usize = 2 << 10;

/// The buffer of a stream that waits for the next message is no larger than that.
const KEPT: usize = ROOM + FIRST + ANSWER;

/// Octets of one stream, and the room around them.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    buf: Vec<u8>,
    /// Relative to the beginning of `buf`; `ROOM` at least, if there is anything.
    start: usize,
    end: usize,
}

/// What lies in front of an intake.
pub(crate) enum Piece {
    /// A message, as long as nothing else is asked.
    Message(Range<usize>, usize),
    /// Not all of one.
    Part,
    /// No such stream.
    Bad,
}

impl Intake {
    /// The one that streams share.
    pub(crate) fn shared() -> Self {
        Self { buf: vec![0; ROOM + CHUNK + ANSWER], start: 0, end: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Where to read to: the shared one whatever there is, another what its message lacks.
    pub(crate) fn space(&mut self, framing: Framing) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end) = (ROOM, ROOM);
            let end = self.buf.len() - ANSWER;
            return &mut self.buf[ROOM..end];
        }
        let have = self.end - self.start;
        // At least one: a whole message is taken out before there is more to read.
        let missing = framing.missing(self.octets()).max(1).min(have.max(FIRST));
        let needed = self.end + missing + ANSWER;
        if self.buf.len() < needed {
            self.buf.resize(needed, 0);
        }
        &mut self.buf[self.end..self.end + missing]
    }

    /// So many octets have come into that space.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buf.len() - ANSWER);
    }

    /// The message in front, which is taken: where it is in [`buffer`](Self::buffer), and where that ends for it.
    pub(crate) fn next(&mut self, framing: Framing) -> Piece {
        match framing.next(self.octets()) {
            Frame::NeedMore => Piece::Part,
            Frame::Bad => Piece::Bad,
            Frame::Whole { skip, len, total } => {
                let message = self.start + skip..self.start + skip + len;
                self.start += total;
                // What is behind belongs to the next message, unless there is none.
                let limit = if self.is_empty() { self.buf.len() } else { self.start };
                Piece::Message(message, limit)
            }
        }
    }

    /// The whole buffer, to lend a message of it.
    pub(crate) fn buffer(&mut self, limit: usize) -> &mut [u8] {
        &mut self.buf[..limit]
    }

    /// Takes over what the shared one has left.
    pub(crate) fn keep(&mut self, left: &Self) {
        self.fill(left.octets());
    }

    /// Begins with these octets.
    pub(crate) fn fill(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return self.clear();
        }
        (self.start, self.end) = (ROOM, ROOM + octets.len());
        let needed = self.end + ANSWER;
        if self.buf.len() < needed {
            self.buf.resize(needed, 0);
        }
        self.buf[ROOM..ROOM + octets.len()].copy_from_slice(octets);
    }

    /// Takes as many octets as there are and fit, messages or not.
    pub(crate) fn take(&mut self, buf: &mut [u8]) -> usize {
        let count = buf.len().min(self.end - self.start);
        buf[..count].copy_from_slice(&self.octets()[..count]);
        self.start += count;
        count
    }

    /// Forgets what is there.
    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Gives memory back that a long message took, once it is gone. What short ones take is kept, so that the next of
    /// them allocates nothing.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() && self.buf.len() > KEPT {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use ginnel_core::Packet;

    use super::*;

    /// Feeds a stream in pieces of these sizes, over and over, as a driver does; the messages that come out.
    fn cut(framing: Framing, stream: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
        let (mut shared, mut own) = (Intake::shared(), Intake::default());
        let (mut messages, mut rest) = (Vec::new(), stream);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                assert!(own.is_empty(), "nothing is left");
                return messages;
            }
            let first = own.is_empty();
            let intake = if first { &mut shared } else { &mut own };
            intake.clear_if(first);
            let space = intake.space(framing);
            let count = space.len().min(*size).min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            intake.filled(count);
            while let Piece::Message(range, limit) = intake.next(framing) {
                let mut packet = Packet::received(intake.buffer(limit), range).expect("room");
                messages.push(packet.bytes().to_vec());
                // Whatever a machine answers fits, and harms nothing that is behind.
                packet.clear();
                packet.append(&[0xff; ANSWER]).unwrap();
                packet.prepend([0xff; HEADROOM]).unwrap();
            }
            if first {
                own.keep(&shared);
            }
        }
        unreachable!("sizes are not empty")
    }

    impl Intake {
        fn clear_if(&mut self, shared: bool) {
            if shared {
                self.clear();
            }
        }
    }

    fn rfc4571(lengths: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let messages: Vec<Vec<u8>> =
            lengths.iter().enumerate().map(|(n, len)| vec![u8::try_from(n).unwrap(); *len]).collect();
        let frame = |message: &Vec<u8>| {
            let mut frame = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
            frame.extend(message);
            frame
        };
        (messages.iter().flat_map(frame).collect(), messages)
    }

    #[test]
    fn messages_are_the_same_however_the_stream_is_cut() {
        let (stream, messages) = rfc4571(&[0, 1, 100, 65_535, 0, 3, 20_000, 1_200, 1_200, 7]);
        for sizes in [&[1][..], &[3], &[CHUNK], &[1_460], &[1, 1_000, 70_000], &[CHUNK, 2, 1]] {
            assert_eq!(cut(Framing::Rfc4571, &stream, sizes), messages, "{sizes:?}");
        }
    }

    #[test]
    fn a_buffer_grows_with_what_has_come_and_no_further_than_the_longest_message() {
        let mut own = Intake::default();
        let mut shared = Intake::shared();
        shared.space(Framing::Rfc4571)[..2].copy_from_slice(&[0xff, 0xff]);
        shared.filled(2);
        own.keep(&shared);
        assert!(own.space(Framing::Rfc4571).len() <= FIRST, "a header alone is not believed");
        let mut largest = 0;
        while !matches!(own.next(Framing::Rfc4571), Piece::Message(..)) {
            let count = own.space(Framing::Rfc4571).len();
            own.filled(count);
            largest = largest.max(own.buf.len());
        }
        assert!(own.is_empty());
        assert_eq!(largest, ROOM + Framing::Rfc4571.longest() + ANSWER);
        own.shrink();
        assert_eq!(own.buf.len(), 0, "and what a long one took is given back");
        own.keep(&shared);
        own.shrink();
        assert!(!own.is_empty(), "never with something in it");
    }
}
