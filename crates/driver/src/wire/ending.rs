//! How streams end: released, lost, overdue.

use std::{
    io,
    task::{Context, Poll},
};

use ginnel_core::{Instant, Notice, Path, Refused};

use super::{Look, Slot, Wire};
use crate::{
    Interest, Runtime, Socket,
    stream::{Flushed, Intake, State},
};

impl<R: Runtime> Wire<R> {
    /// The machine has no use for its streams any more.
    pub(crate) fn release_streams(&mut self) {
        while let Some((path, _)) = self.by_path.first_key_value() {
            self.close_stream(*path);
        }
    }

    pub(super) fn release_stream(&mut self, path: Path) {
        // The machine means the one that had this path before: it has not been told of the one that has it now.
        let untold = |notice: &Notice| matches!(notice, Notice::Accepted { path: of, .. } if *of == path);
        if !self.notices.iter().any(untold) {
            self.close_stream(path);
        }
    }

    pub(super) fn close_stream(&mut self, path: Path) {
        #[cfg(feature = "dtls")]
        if path.transport == ginnel_core::Transport::Dtls {
            return self.release_association(path);
        }
        let Some(number) = self.by_path.remove(&path) else { return };
        let until = self.now + self.config.limits.linger;
        let Some(stream) = self.stream(number) else { return };
        if let Some(joint) = stream.joint.take() {
            self.part(path, &joint);
        }
        let Some(stream) = self.stream(number) else { return };
        stream.state = State::Closing { until, said: false };
        stream.intake = Intake::default();
        self.watch(number);
        self.close_on(number);
        self.ready.again(number);
    }

    /// Sends what is left and says goodbye, as far as the system takes it.
    fn close_on(&mut self, number: usize) {
        let now = self.now;
        let Some(stream) = self.stream(number) else { return };
        let State::Closing { until, said: false } = stream.state else { return };
        let said = match stream.flush(now) {
            Ok(Flushed::All) => stream.say_goodbye(),
            Ok(Flushed::Waits) => Ok(false),
            Err(error) => Err(error),
        };
        match said {
            Ok(said) => stream.state = State::Closing { until, said },
            Err(_) => return self.drop_stream(number),
        }
        if let Ok(false) = said {
            match stream.io.poll_ready(Interest::Writable, &mut Context::from_waker(&stream.waker)) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.ready.again(number),
                Poll::Ready(Err(_)) => self.drop_stream(number),
            }
        }
    }

    /// What comes now is read and thrown away: a socket that is closed with octets unread resets the stream, and with it what
    /// the peer has not read.
    pub(super) fn look_at_closing(&mut self, number: usize) -> Look {
        self.close_on(number);
        let Some(stream) = self.stream(number) else { return Look::Again(1) };
        let mut sink = [0; 4_096];
        match stream.read(&mut sink) {
            Ok(1..) => Look::Again(1),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match stream.io.poll_ready(Interest::Readable, &mut Context::from_waker(&stream.waker)) {
                    Poll::Pending => Look::Nothing,
                    Poll::Ready(Ok(())) => Look::Again(1),
                    Poll::Ready(Err(_)) => {
                        self.drop_stream(number);
                        Look::Again(1)
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Look::Again(1),
            // What it has not sent, it will not now: a peer that has closed its half may still read.
            Ok(0) if matches!(stream.state, State::Closing { said: false, .. }) => Look::Nothing,
            Ok(0) | Err(_) => {
                self.drop_stream(number);
                Look::Again(1)
            }
        }
    }

    /// The stream has ended, and the machine is told.
    pub(super) fn lose(&mut self, number: usize, path: Path) {
        self.drop_stream(number);
        self.notices.push_back(lost(path));
    }

    pub(super) fn drop_stream(&mut self, number: usize) {
        let Some(Slot::Stream(mut stream)) =
            self.slots.get_mut(number).and_then(|slot| slot.take_if(|slot| matches!(slot, Slot::Stream(_))))
        else {
            return;
        };
        self.alarms.clear(number, &mut stream.alarm);
        if self.by_path.get(&stream.path) == Some(&number) {
            self.by_path.remove(&stream.path);
        }
        #[cfg(feature = "tls")]
        if let (Some(source), State::Shaking { .. }) = (stream.accepted, stream.state) {
            self.shaken(source);
        }
        self.leave(stream.accepted);
        self.free.push(number);
        if let Some(joint) = stream.joint.take() {
            self.part(stream.path, &joint);
        }
    }

    /// The alarm of this number has gone off.
    pub(super) fn overdue(&mut self, number: usize) {
        let (now, limits) = (self.now, self.config.limits);
        match self.slots.get_mut(number) {
            Some(Some(Slot::Listener(listening))) => {
                (listening.paused, listening.alarm) = (false, None);
                self.ready.again(number);
            }
            #[cfg(feature = "dtls")]
            Some(Some(Slot::Association(_))) => self.association_due(number),
            Some(Some(Slot::Datagrams(open))) => {
                open.alarm = None;
                self.ready.again(number);
            }
            Some(Some(Slot::Stream(stream))) => {
                stream.alarm = None;
                if stream.deadline(now, &limits).is_none_or(|at| at > now) {
                    // A rate may have let go of it.
                    if stream.joint.is_some() {
                        self.ready.again(number);
                    }
                    return self.watch(number);
                }
                self.give_up(number);
            }
            _ => {}
        }
    }

    fn give_up(&mut self, number: usize) {
        let (now, limits) = (self.now, self.config.limits);
        let Some(stream) = self.stream(number) else { return };
        let path = stream.path;
        match stream.state {
            State::Connecting { ticket, .. } => {
                self.fail(number, ticket, Refused::TimedOut);
            }
            #[cfg(feature = "tls")]
            State::Shaking { ticket, .. } => {
                self.fail_handshake(number, ticket, Refused::TimedOut);
            }
            State::Closing { .. } => self.drop_stream(number),
            State::Open => {
                let joined = stream.joint.is_some();
                let overdue = |since: Option<Instant>, limit| {
                    since.is_some_and(|since| !joined && since + limit <= now)
                };
                if overdue(stream.stalled, limits.stalled) {
                    self.stats.streams_stalled += 1;
                } else if overdue(stream.begun, limits.message) {
                    self.stats.streams_slow += 1;
                } else {
                    self.stats.streams_idle += 1;
                }
                self.lose(number, path);
            }
        }
    }
}

/// What the machine is told of a stream that has ended.
pub(super) fn lost(path: Path) -> Notice {
    let Path { transport, local, remote } = path;
    Notice::Lost { transport, local, remote: Some(remote) }
}
