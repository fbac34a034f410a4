//! Streams that are there: messages, in and out.

use std::{
    io,
    task::{Context, Poll},
};

use ginnel_core::{Framing, Notice, Packet, Path, Refused, Ticket};

use super::{Look, Slot, Wire};
#[cfg(feature = "tls")]
use crate::stream::{Handshake, Source, Stream};
use crate::{
    Interest, Runtime, Socket,
    stream::{Flushed, Intake, State, has_messages, refused},
    udp::plain,
};

impl<R: Runtime> Wire<R> {
    // ---- looking

    pub(super) fn look_at_stream(&mut self, number: usize) -> Look {
        let Some(stream) = self.stream(number) else { return Look::Gone };
        match stream.state {
            State::Connecting { ticket, .. } => self.look_at_connecting(number, ticket),
            #[cfg(feature = "tls")]
            State::Shaking { ticket, .. } => self.shake(number, ticket),
            State::Open if stream.joint.is_some() => self.look_at_joined(number),
            State::Open => {
                self.flush_stream(number);
                if self.stream(number).is_some() { Look::Octets } else { Look::Again(1) }
            }
            State::Closing { .. } => self.look_at_closing(number),
        }
    }

    fn look_at_connecting(&mut self, number: usize, ticket: Ticket) -> Look {
        let Some(stream) = self.stream(number) else { return Look::Gone };
        match stream.io.poll_ready(Interest::Writable, &mut Context::from_waker(&stream.waker)) {
            Poll::Pending => return Look::Nothing,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return self.fail(number, ticket, Refused::NotPermitted),
        }
        match stream.connected() {
            Ok(true) => {}
            Ok(false) => return Look::Again(1),
            Err(error) => return self.fail(number, ticket, refused(&error)),
        }
        let local = stream.io.sock_ref().local_addr().ok().and_then(|local| local.as_socket());
        let Some(local) = local.map(plain) else { return self.fail(number, ticket, Refused::NotPermitted) };
        let _ = stream.io.sock_ref().set_tcp_nodelay(true);
        stream.path.local = local;
        #[cfg(feature = "tls")]
        if stream.tls.is_some() {
            let until = self.now + self.config.limits.handshake;
            if let Some(stream) = self.stream(number) {
                stream.state = State::Shaking { ticket: Some(ticket), until };
            }
            self.watch(number);
            return Look::Again(1);
        }
        self.opened(number, Some(ticket));
        Look::Again(1)
    }

    #[cfg(feature = "tls")]
    fn shake(&mut self, number: usize, ticket: Option<Ticket>) -> Look {
        let Some(stream) = self.stream(number) else { return Look::Gone };
        let Stream { io, tls: Some(tls), waker, .. } = stream else { return Look::Gone };
        match tls.shake(io) {
            Handshake::Done => {
                if let Some(source) = stream.accepted {
                    self.shaken(source);
                }
                self.opened(number, ticket);
                Look::Again(1)
            }
            Handshake::Waits(interest) => match io.poll_ready(interest, &mut Context::from_waker(waker)) {
                Poll::Pending => Look::Nothing,
                Poll::Ready(Ok(())) => Look::Again(1),
                Poll::Ready(Err(_)) => self.fail_handshake(number, ticket, Refused::NotPermitted),
            },
            Handshake::Failed(why) => self.fail_handshake(number, ticket, why),
        }
    }

    /// A handshake that somebody else began is over.
    #[cfg(feature = "tls")]
    pub(super) fn shaken(&mut self, source: Source) {
        self.counts.handshakes -= 1;
        if let Some(from_one) = self.sources.get_mut(&source) {
            from_one.handshakes -= 1;
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn fail_handshake(&mut self, number: usize, ticket: Option<Ticket>, why: Refused) -> Look {
        if let Some(ticket) = ticket {
            return self.fail(number, ticket, why);
        }
        // The machine was never told of it.
        self.stats.handshakes_failed += 1;
        self.drop_stream(number);
        Look::Again(1)
    }

    pub(super) fn fail(&mut self, number: usize, ticket: Ticket, why: Refused) -> Look {
        self.drop_stream(number);
        self.notices.push_back(Notice::Opened { ticket, result: Err(why) });
        Look::Again(1)
    }

    /// The stream can be used from now on, and the machine is told.
    fn opened(&mut self, number: usize, ticket: Option<Ticket>) {
        let now = self.now;
        let Some(stream) = self.stream(number) else { return };
        (stream.state, stream.active) = (State::Open, now);
        stream.begun = stream.begun.map(|_| now);
        let path = stream.path;
        #[cfg(feature = "tls")]
        let alpn = stream.tls.as_ref().and_then(|tls| tls.alpn());
        #[cfg(not(feature = "tls"))]
        let alpn = None;
        self.enlist(path, number);
        self.watch(number);
        self.notices.push_back(match ticket {
            Some(ticket) => Notice::Opened { ticket, result: Ok(path.local) },
            None => Notice::Accepted { path, alpn },
        });
    }

    /// The path is this stream's from now on. The system gives it to one at a time: if another has it here, that one has
    /// ended and nobody has looked yet, so the machine hears of its end first.
    pub(super) fn enlist(&mut self, path: Path, number: usize) {
        if let Some(ended) = self.by_path.insert(path, number) {
            self.lose(ended, path);
        }
    }

    /// The stream is cut like that from now on.
    pub(super) fn reframe(&mut self, path: Path, framing: Framing) {
        let Some(number) = self.by_path.get(&path).copied() else { return };
        let now = self.now;
        let Some(stream) = self.stream(number).filter(|stream| stream.joint.is_none()) else { return };
        stream.framing = framing;
        stream.begun = stream.accepted.filter(|_| has_messages(framing)).map(|_| now);
        self.watch(number);
        // What was read and left alone may be a message now, and what was not read may have come long ago.
        self.ready.again(number);
    }

    /// How an open stream is cut; `None` if messages of it are not for the machine any more.
    pub(crate) fn framing(&mut self, number: usize, path: Path) -> Option<Framing> {
        let open = self.by_path.get(&path) == Some(&number);
        self.stream(number).filter(|stream| open && stream.joint.is_none()).map(|stream| stream.framing)
    }

    /// Reads what has come on an open stream, into the buffer that streams share or its own; `None` if there is nothing, or it
    /// has ended. The intake is to be given back.
    pub(crate) fn read(&mut self, number: usize, shared: &mut Intake) -> Option<Reading> {
        let now = self.now;
        let stream = self.stream(number)?;
        if stream.framing == Framing::Held {
            return None;
        }
        let own = !stream.intake.is_empty();
        if own && stream.framing.missing(stream.intake.octets()) == 0 {
            // It was held, or cut otherwise, when this came.
            let intake = std::mem::take(&mut stream.intake);
            return Some(Reading { path: stream.path, own, messages: 0, intake });
        }
        let mut intake = std::mem::take(if own { &mut stream.intake } else { shared });
        if !own {
            intake.clear();
        }
        let framing = stream.framing;
        let read = stream.read(intake.space(framing));
        let (path, again) =
            (stream.path, Reading { path: stream.path, own, messages: 0, intake: Intake::default() });
        match read {
            Ok(count @ 1..) => {
                stream.active = now;
                intake.filled(count);
                return Some(Reading { intake, ..again });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match stream.io.poll_ready(Interest::Readable, &mut Context::from_waker(&stream.waker)) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => self.ready.again(number),
                    Poll::Ready(Err(_)) => self.lose(number, path),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.ready.again(number),
            Ok(0) | Err(_) => self.lose(number, path),
        }
        self.put_back(number, Reading { intake, ..again }, shared);
        None
    }

    /// Gives back what [`read`](Self::read) has lent; what is left over is kept.
    pub(crate) fn put_back(&mut self, number: usize, reading: Reading, shared: &mut Intake) {
        let Reading { path, own, intake, messages } = reading;
        let now = self.now;
        let stream = self.stream(number).filter(|stream| stream.path == path);
        match stream {
            Some(stream) if own => {
                stream.intake = intake;
                stream.intake.shrink();
            }
            Some(stream) => {
                stream.intake.keep(&intake);
                *shared = intake;
            }
            None if own => return,
            None => {
                *shared = intake;
                return;
            }
        }
        if let Some(stream) = self.stream(number) {
            stream.note_front(now, messages);
            if stream.begun == Some(now) {
                self.watch(number);
            }
        }
    }

    /// What came on the stream is no message.
    pub(crate) fn malformed(&mut self, number: usize, path: Path) {
        self.stats.streams_malformed += 1;
        self.lose(number, path);
    }

    // ---- sending

    pub(super) fn send_message(&mut self, path: Path, packet: &mut Packet<'_>) {
        let Some(number) = self.by_path.get(&path).copied() else {
            self.stats.not_open += 1;
            return;
        };
        let limits = self.config.limits;
        let Some(stream) = self.stream(number) else { return };
        if stream.joint.is_some() {
            self.stats.not_open += 1;
            return;
        }
        let framing = stream.framing;
        if framing.wrap(packet).is_err() || !stream.push(packet.bytes(), &limits) {
            self.stats.messages_dropped += 1;
            if matches!(framing, Framing::Raw | Framing::Held) {
                // Octets that go missing would be worse than an end.
                self.lose(number, path);
            }
            return;
        }
        if !std::mem::replace(&mut stream.dirty, true) {
            self.dirty.push(number);
        }
        self.stats.messages_sent += 1;
    }

    /// How many octets can be sent on an open stream before more would find no room.
    pub(crate) fn room(&self, path: Path) -> Option<usize> {
        let number = *self.by_path.get(&path)?;
        match self.slots.get(number)? {
            Some(Slot::Stream(stream)) => Some(self.config.limits.unsent.saturating_sub(stream.unsent.len())),
            _ => None,
        }
    }

    pub(super) fn flush_streams(&mut self) {
        while let Some(number) = self.dirty.pop() {
            if let Some(stream) = self.stream(number)
                && std::mem::take(&mut stream.dirty)
            {
                self.flush_stream(number);
            }
        }
    }

    pub(super) fn flush_stream(&mut self, number: usize) {
        let now = self.now;
        let Some(stream) = self.stream(number) else { return };
        let (path, state) = (stream.path, stream.state);
        let was_stalled = stream.stalled.is_some();
        match stream.flush(now) {
            Ok(Flushed::All) => {}
            Ok(Flushed::Waits) => {
                match stream.io.poll_ready(Interest::Writable, &mut Context::from_waker(&stream.waker)) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => self.ready.again(number),
                    Poll::Ready(Err(_)) => return self.lose(number, path),
                }
                if !was_stalled && state == State::Open {
                    self.watch(number);
                }
            }
            Err(_) => self.lose(number, path),
        }
    }

    /// Whether a path takes what is sent now.
    pub(crate) fn has_room(&self, path: Path) -> bool {
        match self.by_path.get(&path).and_then(|number| self.slots.get(*number)) {
            Some(Some(Slot::Stream(stream))) => stream.unsent.len() <= self.config.limits.unsent / 2,
            _ => !self.is_high(path.local),
        }
    }

    /// How many streams there are, open or about to be.
    pub(crate) fn streams(&self) -> usize {
        self.counts.accepted + self.counts.connected
    }

    /// What streams have left behind: their slots that are not free, and entries in each table.
    #[cfg(feature = "testing")]
    pub(crate) fn traces(&self) -> [usize; 5] {
        let streams = self.slots.iter().flatten().filter(|slot| matches!(slot, Slot::Stream(_)));
        let unaccounted = self.slots.len() - self.free.len() - self.slots.iter().flatten().count();
        [streams.count(), unaccounted, self.by_path.len(), self.sources.len(), self.alarms.len()]
    }

    /// Whether nothing waits for any peer.
    pub(crate) fn all_delivered(&self) -> bool {
        self.slots.iter().flatten().all(|slot| match slot {
            Slot::Stream(stream) => match stream.state {
                State::Closing { said, .. } => said,
                State::Open => false,
                _ => true,
            },
            Slot::Datagrams(_) | Slot::Listener(_) => true,
            #[cfg(feature = "dtls")]
            Slot::Association(_) => true,
        })
    }
}

/// Octets of a stream on loan.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) path: Path,
    /// Whether it is the stream's own intake.
    own: bool,
    /// How many messages were taken out of it.
    pub(crate) messages: usize,
    pub(crate) intake: Intake,
}
