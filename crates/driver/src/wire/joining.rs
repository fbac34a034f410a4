//! Two streams that are joined: what comes on one is sent on the other, octet for octet (RFC 6062 sections 5.4 and 5.5).
//!
//! ```text
//!             read, if there is room           flushed
//!   one  ----------------------------> queue ----------> other
//!   one  <---------- queue <---------------------------- other
//! ```
//!
//! The queue is that of the stream which is written to, and has a bound; while it is full the other stream is not read, so the
//! peer's own system holds it back. An end is passed on behind the last octet. When both directions have ended, or one stream
//! is lost, both are, and the machine is told how much has passed.

use std::{collections::BTreeMap, io, task::Context, task::Poll, time::Duration};

use ginnel_core::{Instant, Notice, Pace, Path, StreamRate};

use super::{Look, Wire};
use crate::{
    Interest, Runtime, Socket,
    stream::{Intake, Joint},
};

/// What waits for one of two joined streams, at most.
const QUEUE: usize = 64 << 10;
/// What one call reads.
const CHUNK: usize = 16 << 10;
/// So many calls read before others have their turn.
const READS_PER_LOOK: usize = 4;
/// Rates whose time is kept although nobody waits for it, beside as many as there are with somebody.
const SWEPT_BELOW: usize = 64;

/// When the next turn begins of those who share a rate, for each direction. None is kept of what is in the past: that is now.
#[derive(Debug, Default)]
pub(super) struct SharedTurns {
    next: BTreeMap<(u64, bool), Instant>,
    sweep_at: usize,
}

impl SharedTurns {
    fn turn(&mut self, now: Instant, who: (u64, bool), takes: Duration) -> Instant {
        if self.next.len() >= self.sweep_at {
            self.next.retain(|_, next| *next > now);
            self.sweep_at = 2 * self.next.len() + SWEPT_BELOW;
        }
        let next = self.next.entry(who).or_insert(now);
        let at = (*next).max(now);
        *next = at + takes;
        at
    }
}

/// What came of passing on.
enum Passed {
    Octets,
    /// Until the socket wakes the loop, or the other has room, or time has passed.
    Waits,
    Gone,
}

impl<R: Runtime> Wire<R> {
    pub(super) fn splice(&mut self, one: Path, other: Path, rates: [Option<StreamRate>; 2]) {
        let ends = [self.unjoined(one), self.unjoined(other)];
        let ([Some(first), Some(second)], true) = (ends, one != other) else {
            self.notices.push_back(Notice::Spliced { one, other, forth: 0, back: 0 });
            for (end, path) in ends.into_iter().zip([one, other]) {
                if end.is_some_and(|number| self.by_path.get(&path) == Some(&number)) {
                    self.close_stream(path);
                    self.notices.push_back(super::ending::lost(path));
                }
            }
            return;
        };
        self.stats.splices += 1;
        for (number, other, is_first) in [(first, second, true), (second, first, false)] {
            if let Some(stream) = self.stream(number) {
                stream.joint = Some(Box::new(Joint::new(other, is_first, rates)));
                self.watch(number);
                self.ready.again(number);
            }
        }
    }

    fn unjoined(&mut self, path: Path) -> Option<usize> {
        let number = *self.by_path.get(&path)?;
        self.stream(number).filter(|stream| stream.joint.is_none()).map(|_| number)
    }

    pub(super) fn look_at_joined(&mut self, number: usize) -> Look {
        self.flush_stream(number);
        let Some(joint) = self.joint(number) else { return Look::Again(1) };
        let other = joint.other;
        for count in 1..=READS_PER_LOOK {
            match self.pass(number) {
                Passed::Octets => {}
                Passed::Waits => {
                    self.conclude(number, other);
                    // It may have made room for what waits there.
                    self.unblock(number, other);
                    return if count == 1 { Look::Nothing } else { Look::Again(count) };
                }
                Passed::Gone => return Look::Again(count),
            }
        }
        self.unblock(number, other);
        Look::Again(READS_PER_LOOK)
    }

    fn joint(&mut self, number: usize) -> Option<&mut Joint> {
        self.stream(number)?.joint.as_deref_mut()
    }

    /// Looks at the other stream again, if it waits for room in this one's queue, and there is some.
    fn unblock(&mut self, number: usize, other: usize) {
        let room = self.stream(number).is_some_and(|stream| stream.unsent.len() < QUEUE);
        if room && self.joint(other).is_some_and(|joint| std::mem::take(&mut joint.blocked)) {
            self.ready.again(other);
        }
    }

    /// Reads once from a stream, and sends that on the other.
    fn pass(&mut self, number: usize) -> Passed {
        let now = self.now;
        let Some(joint) = self.joint(number) else { return Passed::Gone };
        let (other, ended, first, mut pace) = (joint.other, joint.ended, joint.first, joint.pace);
        let allowance =
            pace.allowance(now, |number, takes| self.shared_turns.turn(now, (number, first), takes));
        if let Some(joint) = self.joint(number) {
            joint.pace = pace;
        }
        let Some(receiver) = self.stream(other) else { return Passed::Gone };
        let room = QUEUE.saturating_sub(receiver.unsent.len());
        if allowance == 0 {
            self.watch(number);
            return Passed::Waits;
        }
        if room == 0 {
            if let Some(joint) = self.joint(number) {
                joint.blocked = true;
            }
            return Passed::Waits;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(CHUNK, 0);
        let most = room.min(allowance).min(CHUNK);
        let passed = match self.draw(number, &mut scratch[..most], ended) {
            Ok(0) => self.end_of(number),
            Ok(count) => self.hand_on(number, other, &scratch[..count]),
            Err(error) => self.wait_for(number, &error),
        };
        self.scratch = scratch;
        passed
    }

    /// Octets that were read too far for the machine come first.
    fn draw(&mut self, number: usize, buf: &mut [u8], ended: bool) -> io::Result<usize> {
        let Some(stream) = self.stream(number) else { return Err(io::ErrorKind::NotConnected.into()) };
        if !stream.intake.is_empty() {
            let count = stream.intake.take(buf);
            if stream.intake.is_empty() {
                stream.intake = Intake::default();
            }
            return Ok(count);
        }
        if ended { Err(io::ErrorKind::WouldBlock.into()) } else { stream.read(buf) }
    }

    fn hand_on(&mut self, number: usize, other: usize, octets: &[u8]) -> Passed {
        let now = self.now;
        let Some(stream) = self.stream(number) else { return Passed::Gone };
        stream.active = now;
        if let Some(joint) = &mut stream.joint {
            joint.octets += octets.len() as u64;
            joint.pace.passed(octets.len());
        }
        self.stats.spliced_octets += octets.len() as u64;
        if let Some(receiver) = self.stream(other) {
            receiver.unsent.extend(octets);
            self.flush_stream(other);
        }
        if self.joint(number).is_some() { Passed::Octets } else { Passed::Gone }
    }

    /// Nothing more will come on this stream.
    fn end_of(&mut self, number: usize) -> Passed {
        match self.joint(number) {
            Some(joint) => {
                joint.ended = true;
                Passed::Waits
            }
            None => Passed::Gone,
        }
    }

    fn wait_for(&mut self, number: usize, error: &io::Error) -> Passed {
        let Some(stream) = self.stream(number) else { return Passed::Gone };
        let path = stream.path;
        if stream.joint.as_ref().is_some_and(|joint| joint.ended) {
            return Passed::Waits;
        }
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                match stream.io.poll_ready(Interest::Readable, &mut Context::from_waker(&stream.waker)) {
                    Poll::Pending => return Passed::Waits,
                    Poll::Ready(Ok(())) => {
                        self.ready.again(number);
                        return Passed::Waits;
                    }
                    Poll::Ready(Err(_)) => {}
                }
            }
            io::ErrorKind::Interrupted => {
                self.ready.again(number);
                return Passed::Waits;
            }
            _ => {}
        }
        self.lose(number, path);
        Passed::Gone
    }

    /// Passes ends on: where nothing more will come on one stream and all of it has left, the other says so to its peer.
    fn conclude(&mut self, number: usize, other: usize) {
        for (from, to) in [(number, other), (other, number)] {
            let Some(joint) = self.joint(from) else { return };
            if !joint.ended {
                continue;
            }
            let Some(stream) = self.stream(to) else { return };
            let Some(joint) = &stream.joint else { return };
            if joint.said || !stream.unsent.is_empty() {
                continue;
            }
            match stream.say_goodbye() {
                Ok(said) => {
                    if let Some(joint) = &mut stream.joint {
                        joint.said = said;
                    }
                    if !said {
                        // The loop is woken when it can go on.
                        self.flush_stream(to);
                    }
                }
                Err(_) => {
                    let path = stream.path;
                    return self.lose(to, path);
                }
            }
        }
        let over =
            |wire: &mut Self, number| wire.joint(number).is_some_and(|joint| joint.ended && joint.said);
        if over(self, number) && over(self, other) {
            let Some(path) = self.stream(number).map(|stream| stream.path) else { return };
            self.lose(number, path);
        }
    }

    /// One of two joined streams is gone, or no more the machine's: so is the other, behind what is on its way to it.
    pub(super) fn part(&mut self, path: Path, joint: &Joint) {
        let Some(stream) = self.stream(joint.other) else { return };
        let Some(theirs) = stream.joint.take() else { return };
        let there = stream.path;
        let mut ends = [(path, joint.octets), (there, theirs.octets)];
        if !joint.first {
            ends.reverse();
        }
        let [(one, forth), (other, back)] = ends;
        self.notices.push_back(Notice::Spliced { one, other, forth, back });
        self.close_stream(there);
        self.notices.push_back(super::ending::lost(there));
    }
}

impl Joint {
    pub(crate) fn new(other: usize, first: bool, rates: [Option<StreamRate>; 2]) -> Self {
        let pace = Pace::new(rates);
        Self { other, first, octets: 0, pace, ended: false, said: false, blocked: false }
    }

    /// When more may be read, where a rate forbids it now.
    pub(crate) fn resumes(&self, now: Instant) -> Option<Instant> {
        self.pace.resumes(now).filter(|_| !self.ended)
    }
}
