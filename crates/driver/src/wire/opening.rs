//! How streams begin: opened for the machine, or taken in from others.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll, Waker},
    time::Duration,
};

use ginnel_core::{Framing, Instant, Notice, Path, Port, Refused, Request, Transport};

use super::{Look, Slot, Wire};
#[cfg(feature = "tls")]
use crate::stream::Session;
use crate::{
    Listener as _, Runtime, Socket,
    bind::{self, Sharing},
    stream::{Intake, Source, State, Stream, has_messages, refused},
    udp::plain,
};

/// So many streams are taken in before others have their turn.
const ACCEPTS_PER_LOOK: usize = 32;
/// So long nobody is let in after the system had no file left for one. Its queue keeps them meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A place where others can open streams.
#[derive(Debug)]
pub(super) struct Listening<L> {
    io: L,
    transport: Transport,
    framing: Framing,
    waker: Waker,
    pub(super) alarm: Option<Instant>,
    pub(super) paused: bool,
}

impl<R: Runtime> Wire<R> {
    pub(super) fn connect(&mut self, request: Request) -> Option<Notice> {
        self.dial(request).err().and_then(|why| request.refuse(why))
    }

    fn dial(&mut self, request: Request) -> Result<(), Refused> {
        let Request::Connect { ticket, transport, local, remote, framing, .. } = request else {
            return Ok(());
        };
        #[cfg(feature = "dtls")]
        if transport == Transport::Dtls {
            return self.connect_dtls(request);
        }
        if transport != Transport::Tcp && !(transport == Transport::Tls && self.can_connect_tls()) {
            return Err(Refused::Unsupported);
        }
        if self.counts.connected >= self.config.limits.connected {
            return Err(Refused::NotPermitted);
        }
        #[cfg(feature = "tls")]
        let session = match (request, &self.config.client_tls) {
            (Request::Connect { transport: Transport::Tls, host, alpn, .. }, Some(tls)) => {
                Some(Session::connect(tls, host, remote.ip(), alpn)?)
            }
            _ => None,
        };
        let io = bind::connect(local, remote).and_then(|dialled| self.runtime.stream(dialled));
        let io = io.map_err(|error| refused(&error))?;
        self.enter(None);
        let until = self.now + self.config.limits.connect;
        // Our end of the path is known when it is connected.
        let path = Path::new(transport, remote, remote);
        let _number = self.place(io, path, framing, State::Connecting { ticket, until }, None);
        #[cfg(feature = "tls")]
        if let Some(stream) = self.stream(_number) {
            stream.tls = session;
        }
        Ok(())
    }

    fn can_connect_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.config.client_tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    fn can_accept_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.config.server_tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    pub(super) fn place(
        &mut self,
        io: R::Stream,
        path: Path,
        framing: Framing,
        state: State,
        accepted: Option<Source>,
    ) -> usize {
        let (number, waker) = self.number();
        let stream = Stream {
            io,
            path,
            framing,
            state,
            #[cfg(feature = "tls")]
            tls: None,
            accepted,
            waker,
            intake: Intake::default(),
            begun: accepted.filter(|_| has_messages(framing)).map(|_| self.now),
            joint: None,
            unsent: std::collections::VecDeque::new(),
            dirty: false,
            active: self.now,
            stalled: None,
            alarm: None,
        };
        self.slots[number] = Some(Slot::Stream(Box::new(stream)));
        self.watch(number);
        self.ready.again(number);
        number
    }

    /// Sets the alarm of a stream to what may be overdue next.
    pub(super) fn watch(&mut self, number: usize) {
        let Some(Some(Slot::Stream(stream))) = self.slots.get_mut(number) else { return };
        let at = stream.deadline(self.now, &self.config.limits);
        self.alarms.set(number, &mut stream.alarm, at);
    }

    // ---- listening

    pub(crate) fn listen(
        &mut self,
        transport: Transport,
        ip: IpAddr,
        port: Port,
        framing: Framing,
        sharing: Sharing,
    ) -> Result<SocketAddr, Refused> {
        #[cfg(feature = "dtls")]
        if transport == Transport::Dtls {
            return self.listen_dtls(ip, port, sharing);
        }
        if transport != Transport::Tcp && !(transport == Transport::Tls && self.can_accept_tls()) {
            return Err(Refused::Unsupported);
        }
        let (listener, local) = bind::listen(ip, port, sharing)?;
        let io = self.runtime.listener(listener).map_err(|_| Refused::NotPermitted)?;
        let (number, waker) = self.number();
        let listening = Listening { io, transport, framing, waker, alarm: None, paused: false };
        self.slots[number] = Some(Slot::Listener(Box::new(listening)));
        self.listeners.insert(local, number);
        self.ready.again(number);
        Ok(local)
    }

    pub(super) fn stop_listening(&mut self, transport: Transport, local: SocketAddr) {
        let Some(number) = self.listeners.get(&local).copied() else { return };
        let Some(Some(Slot::Listener(listening))) = self.slots.get_mut(number) else { return };
        if listening.transport == transport {
            self.alarms.clear(number, &mut listening.alarm);
            self.listeners.remove(&local);
            self.slots[number] = None;
            self.free.push(number);
        }
    }

    pub(super) fn accept(&mut self, number: usize) -> Look {
        for count in 0..ACCEPTS_PER_LOOK {
            let Some(Some(Slot::Listener(listening))) = self.slots.get_mut(number) else { return Look::Gone };
            if listening.paused {
                return Look::Nothing;
            }
            let (transport, framing) = (listening.transport, listening.framing);
            match listening.io.poll_accept(&mut Context::from_waker(&listening.waker)) {
                Poll::Pending if count == 0 => return Look::Nothing,
                Poll::Pending => return Look::Again(count),
                Poll::Ready(Ok((io, remote))) => self.take_in(io, transport, framing, plain(remote)),
                Poll::Ready(Err(error)) => {
                    self.stats.accept_errors += 1;
                    if !is_of_a_stream(&error) {
                        listening.paused = true;
                        let at = Some(self.now + ACCEPT_PAUSE);
                        self.alarms.set(number, &mut listening.alarm, at);
                    }
                }
            }
        }
        Look::Again(ACCEPTS_PER_LOOK)
    }

    /// Whether another stream of this source is one too many.
    pub(super) fn is_full(&self, source: Source) -> bool {
        let limits = &self.config.limits;
        let from_there = self.sources.get(&source).map_or(0, |from_one| from_one.streams);
        self.counts.accepted >= limits.accepted || from_there >= limits.accepted_from_one
    }

    /// Takes a stream in that somebody has opened, or resets it.
    fn take_in(&mut self, io: R::Stream, transport: Transport, framing: Framing, remote: SocketAddr) {
        let limits = self.config.limits;
        let source = Source::of(remote.ip());
        let from_there = self.sources.get(&source).copied().unwrap_or_default();
        let handshakes = transport == Transport::Tls
            && (self.counts.handshakes >= limits.handshakes
                || from_there.handshakes >= limits.handshakes_from_one);
        let full = self.is_full(source) || handshakes;
        let local = io.sock_ref().local_addr().ok().and_then(|local| local.as_socket()).map(plain);
        let Some(local) = local.filter(|_| !full) else {
            self.stats.accept_refused += 1;
            // A reset leaves nothing behind, here or there.
            let _ = io.sock_ref().set_linger(Some(Duration::ZERO));
            return;
        };
        let _ = io.sock_ref().set_tcp_nodelay(true);
        let path = Path::new(transport, local, remote);
        #[cfg(feature = "tls")]
        let (state, session) = match (transport, &self.config.server_tls) {
            (Transport::Tls, Some(tls)) => {
                let Some(session) = Session::accept(tls) else {
                    self.stats.handshakes_failed += 1;
                    return;
                };
                (State::Shaking { ticket: None, until: self.now + limits.handshake }, Some(session))
            }
            _ => (State::Open, None),
        };
        #[cfg(not(feature = "tls"))]
        let state = State::Open;
        self.stats.accepted += 1;
        self.enter(Some(source));
        let number = self.place(io, path, framing, state, Some(source));
        #[cfg(feature = "tls")]
        if let (Some(session), Some(stream)) = (session, self.stream(number)) {
            stream.tls = Some(session);
            self.counts.handshakes += 1;
            self.sources.entry(source).or_default().handshakes += 1;
            return;
        }
        self.enlist(path, number);
        self.notices.push_back(Notice::Accepted { path, alpn: None });
    }
}

/// Whether an error in accepting is of the one stream: then the next may do better.
fn is_of_a_stream(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted
    )
}
