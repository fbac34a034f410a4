//! Two streams that are joined: what comes on one is sent on the other (RFC 6062 section 5.4).

use ginnel_core::{Instant, Notice, Pace, Path, StreamRate};

use super::{Connection, Errand, Key, Streams, lost};
use crate::{HostId, net::Net};

/// One direction of two joined streams: from the one that has it to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joint {
    pub(crate) other: Key,
    /// It is `one` of the request.
    first: bool,
    /// Octets that were handed on.
    passed: u64,
    pace: Pace,
    /// When it will be looked at again for that.
    looked_at: Option<Instant>,
}

impl Net {
    pub(crate) fn splice(
        &mut self,
        host: HostId,
        node: usize,
        (one, other): (Path, Path),
        rates: [Option<StreamRate>; 2],
    ) {
        let free = |path| {
            let key = self.streams.open(host, node, path)?;
            self.streams.get(&key).is_some_and(|found| found.joint.is_none()).then_some(key)
        };
        let keys = (free(one), free(other));
        let ((Some(first), Some(second)), true) = (keys, one != other) else {
            self.tell_soon(node, Notice::Spliced { one, other, forth: 0, back: 0 });
            for key in [keys.0, keys.1].into_iter().flatten() {
                // Where both are one, the second time there is none any more.
                self.lose(key);
            }
            return;
        };
        for (key, other, is_first) in [(first, second, true), (second, first, false)] {
            if let Some(connection) = self.streams.get_mut(&key) {
                let pace = Pace::new(rates);
                connection.joint = Some(Joint { other, first: is_first, passed: 0, pace, looked_at: None });
            }
        }
        self.pump(first);
        self.pump(second);
    }

    /// Hands on what has come, as far as there is room.
    pub(crate) fn pump(&mut self, key: Key) {
        let Some((joint, have)) = self.joint(key) else { return };
        let room = self.streams.get(&joint.other).map_or(0, |other| other.out.room());
        let wanted = have.min(room);
        let count = if wanted == 0 { 0 } else { wanted.min(self.allowance(key)) };
        if count > 0 {
            self.hand_on(key, count);
        }
        let Some((joint, have)) = self.joint(key) else { return };
        if have > 0 {
            self.look_later(key);
            return;
        }
        let ended = self.streams.get(&key).is_some_and(|connection| connection.incoming.ended);
        if let Some(other) = self.streams.get_mut(&joint.other).filter(|_| ended) {
            if !other.out.is_finished() {
                other.out.finish();
                self.push_on(joint.other);
            }
            let both = self.joint(joint.other).is_some_and(|(_, have)| have == 0)
                && self.streams.get(&joint.other).is_some_and(|other| other.incoming.ended);
            if both {
                self.lose(key);
            }
        }
    }

    /// What the rates let pass now.
    fn allowance(&mut self, key: Key) -> usize {
        let now = self.now;
        let Streams { connections, turns, .. } = &mut self.streams;
        let Some(connection) = connections.get_mut(&key) else { return 0 };
        let (node, Some(joint)) = (connection.node, &mut connection.joint) else { return 0 };
        let first = joint.first;
        joint.pace.allowance(now, |number, takes| {
            let next = turns.entry((node, number, first)).or_insert(now);
            let at = (*next).max(now);
            *next = at + takes;
            at
        })
    }

    /// Where a rate holds octets back: comes again once it does not.
    fn look_later(&mut self, key: Key) {
        let now = self.now;
        let joint = self.streams.get_mut(&key).and_then(|connection| connection.joint.as_mut());
        let Some(joint) = joint else { return };
        let Some(at) = joint.pace.resumes(now).filter(|at| joint.looked_at != Some(*at)) else { return };
        joint.looked_at = Some(at);
        self.schedule_errand(at, Errand::Look(key));
    }

    fn joint(&self, key: Key) -> Option<(Joint, usize)> {
        let Connection { joint, incoming, .. } = self.streams.get(&key)?;
        Some(((*joint)?, incoming.ready.len()))
    }

    fn hand_on(&mut self, key: Key, count: usize) {
        let now = self.now;
        let Some(connection) = self.streams.get_mut(&key) else { return };
        let Some(joint) = &mut connection.joint else { return };
        joint.passed += count as u64;
        joint.pace.passed(count);
        let (other, before) = (joint.other, connection.incoming.window());
        let octets: alloc::vec::Vec<u8> = connection.incoming.ready.drain(..count).collect();
        self.reopened(key, before);
        if let Some(other) = self.streams.get_mut(&other) {
            other.out.push(now, octets);
        }
        self.push_on(other);
    }

    /// This stream ends, and if it was joined so does the other, behind what was on its way; the node is told.
    pub(crate) fn unjoin(&mut self, key: Key) {
        let Some((joint, have)) = self.joint(key) else { return };
        if have > 0 {
            self.hand_on(key, have);
        }
        let (Some((mine, _)), Some((theirs, back))) = (self.joint(key), self.joint(joint.other)) else {
            return;
        };
        if back > 0 {
            self.hand_on(joint.other, back);
        }
        let theirs = self.joint(joint.other).map_or(theirs, |(joint, _)| joint);
        let (Some(here), Some(there)) = (self.streams.get(&key), self.streams.get(&joint.other)) else {
            return;
        };
        let (node, mut ends) = (here.node, [(here.path, mine.passed), (there.path, theirs.passed)]);
        if !mine.first {
            ends.reverse();
        }
        let [(one, forth), (other, back)] = ends;
        let path = there.path;
        self.tell_soon(node, Notice::Spliced { one, other, forth, back });
        for key in [key, joint.other] {
            if let Some(connection) = self.streams.get_mut(&key) {
                connection.joint = None;
            }
        }
        self.close_stream(joint.other);
        self.tell_soon(node, lost(path));
    }
}
