//! The sockets of a driver, and the other side of its machine: [`Io`].

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use ginnel_core::{Io, Notice, Packet, Port, Refused, Request, Transmit, Transport};

use crate::{
    Interest, Runtime, Socket, Stats,
    bind::{Bound, Joined, bind},
    outbox::{Outbox, Push, Way},
    ready::Ready,
    udp::{Arena, Udp, scoped},
};

/// After so many errors without a datagram in between, a socket counts as lost.
const MAX_ERRORS_IN_A_ROW: u32 = 64;

#[derive(Debug)]
pub(crate) struct Wire<R: Runtime> {
    runtime: R,
    /// By number.
    sockets: Vec<Option<Open<R::Socket>>>,
    /// The numbers of sockets that were released, to be used again.
    free: Vec<usize>,
    by_local: BTreeMap<SocketAddr, usize>,
    pub(crate) ready: Arc<Ready>,
    out: Outbox,
    pub(crate) stats: Stats,
}

/// An open socket.
#[derive(Debug)]
struct Open<S> {
    socket: S,
    udp: Udp,
    local: SocketAddr,
    scope: u32,
    joined: Vec<Joined>,
    /// Wakes the loop with this socket's number.
    waker: Waker,
    errors: u32,
}

/// What came of looking at a socket.
pub(crate) enum Look {
    /// So many messages in the arena, for this local address.
    Messages(SocketAddr, usize),
    /// Nothing now. The loop is woken when there is something.
    Nothing,
    /// An error that means nothing: look again.
    Again,
    /// The socket is of no use any more, and closed.
    Lost(SocketAddr),
}

impl<R: Runtime> Wire<R> {
    pub(crate) fn new(runtime: R) -> Self {
        Self {
            runtime,
            sockets: Vec::new(),
            free: Vec::new(),
            by_local: BTreeMap::new(),
            ready: Arc::default(),
            out: Outbox::new(),
            stats: Stats::default(),
        }
    }

    pub(crate) fn timer(&self) -> R::Timer {
        self.runtime.timer()
    }

    // ---- sockets come and go

    pub(crate) fn bind(&mut self, ip: IpAddr, port: Port) -> Result<SocketAddr, Refused> {
        let bound = bind(ip, port)?;
        let local = bound.local;
        // Two sockets of one address exist for groups only; this driver has one for each.
        if self.by_local.contains_key(&local) {
            return Err(Refused::InUse);
        }
        self.open(bound).map_err(|_| Refused::NotPermitted)?;
        Ok(local)
    }

    fn open(&mut self, bound: Bound) -> io::Result<()> {
        let Bound { socket, local, scope, joined } = bound;
        let udp = Udp::new(&socket)?;
        let socket = self.runtime.wrap(socket)?;
        let number = self.free.pop().unwrap_or(self.sockets.len());
        let waker = self.ready.waker(number);
        let open = Open { socket, udp, local, scope, joined, waker, errors: 0 };
        match self.sockets.get_mut(number) {
            Some(place) => *place = Some(open),
            None => self.sockets.push(Some(open)),
        }
        self.by_local.insert(local, number);
        self.ready.push(number);
        Ok(())
    }

    fn release(&mut self, local: SocketAddr) {
        if let Some(number) = self.by_local.get(&local).copied() {
            // Last words: a goodbye that is gathered goes out while the socket is there.
            self.flush();
            self.drop_socket(number);
        }
    }

    fn drop_socket(&mut self, number: usize) {
        self.stats.dropped += self.out.forget(number) as u64;
        if let Some(open) = self.sockets.get_mut(number).and_then(Option::take) {
            self.by_local.remove(&open.local);
            self.free.push(number);
        }
    }

    pub(crate) fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.by_local.keys().copied()
    }

    // ---- in

    /// Looks at the socket of this number.
    pub(crate) fn look(&mut self, number: usize, arena: &mut Arena) -> Look {
        let Some(Some(open)) = self.sockets.get_mut(number) else { return Look::Nothing };
        let error = match open.udp.receive(&open.socket, arena) {
            Ok(count) => {
                open.errors = 0;
                self.stats.receives += 1;
                return Look::Messages(open.local, count);
            }
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::WouldBlock {
            let mut cx = Context::from_waker(&open.waker);
            match open.socket.poll_ready(Interest::Readable, &mut cx) {
                Poll::Pending => return Look::Nothing,
                Poll::Ready(Ok(())) => return Look::Again,
                Poll::Ready(Err(_)) => open.errors = MAX_ERRORS_IN_A_ROW,
            }
        }
        self.stats.receive_errors += 1;
        if !is_of_a_datagram(&error) {
            open.errors += 1;
        }
        if open.errors <= MAX_ERRORS_IN_A_ROW {
            return Look::Again;
        }
        let local = open.local;
        self.drop_socket(number);
        Look::Lost(local)
    }

    // ---- out

    pub(crate) fn send(&mut self, transmit: Transmit, packet: &Packet<'_>) {
        let Transmit { path, ecn, .. } = transmit;
        let place = self.place_of(path.local).filter(|_| path.transport == Transport::Udp);
        let Some(((number, source), open)) =
            place.and_then(|place| Some((place, self.sockets.get(place.0)?.as_ref()?)))
        else {
            self.stats.not_open += 1;
            return;
        };
        if !open.joined.is_empty() {
            return self.send_to_group(number, path.remote, packet.bytes());
        }
        let way = Way { socket: number, source, remote: scoped(path.remote, open.scope), ecn };
        let max = open.udp.max_segments();
        if self.out.push(way, packet.bytes(), max) == Push::Full {
            self.flush();
            if self.out.push(way, packet.bytes(), max) == Push::Full {
                self.stats.dropped += 1;
            }
        }
    }

    /// The socket for what has this local address, and where it is one for every address, the address to send from.
    fn place_of(&self, local: SocketAddr) -> Option<(usize, Option<IpAddr>)> {
        if let Some(number) = self.by_local.get(&local) {
            return Some((*number, None));
        }
        let any = match local.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let number = self.by_local.get(&SocketAddr::new(any, local.port()))?;
        Some((*number, Some(local.ip())))
    }

    /// From a group's socket: once through every interface, or to one host. It is rare, and goes out as it is.
    fn send_to_group(&mut self, number: usize, remote: SocketAddr, bytes: &[u8]) {
        let Some(Some(open)) = self.sockets.get(number) else { return };
        let socket = open.socket.sock_ref();
        let everywhere = remote.ip().is_multicast();
        for interface in open.joined.iter().take(if everywhere { usize::MAX } else { 1 }) {
            let scope = if let Joined::V6(index) = interface { *index } else { 0 };
            let selected = if everywhere { interface.select(&socket) } else { Ok(()) };
            let sent = selected.and_then(|()| socket.send_to(bytes, &scoped(remote, scope).into()));
            self.stats.sends += 1;
            match sent {
                Ok(_) => self.stats.sent += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stats.dropped += 1,
                Err(_) => self.stats.send_errors += 1,
            }
        }
    }

    /// Hands over what is gathered, unless something waits already.
    pub(crate) fn flush(&mut self) {
        if self.out.is_blocked() || self.out.open.is_empty() {
            return;
        }
        if !self.send_open_run() {
            self.stats.blocked += 1;
            self.out.block();
        }
    }

    /// Whether the open run is gone, sent or refused; otherwise what is left of it has to wait.
    fn send_open_run(&mut self) -> bool {
        let run = &mut self.out.open;
        let Some(Some(open)) = self.sockets.get(run.way.socket) else {
            run.clear();
            return true;
        };
        while !run.is_empty() {
            // Where the kernel does not know segmentation after all, it says so once, and then takes one at a time.
            let count = run.count.min(open.udp.max_segments()).max(1);
            let octets = (count * run.segment).min(run.bytes.len());
            let Way { source, remote, ecn, .. } = run.way;
            let contents = &run.bytes[..octets];
            let sent = open.udp.send(&open.socket, source, remote, ecn, contents, run.segment);
            self.stats.sends += 1;
            match sent {
                Ok(()) => self.stats.sent += count as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) if count > 1 && open.udp.max_segments() < count => continue,
                Err(_) => self.stats.send_errors += count as u64,
            }
            run.count -= count;
            run.bytes.drain(..octets);
        }
        run.clear();
        true
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.out.is_blocked()
    }

    /// Tries what waits once more; otherwise the task is woken when there is room. Returns whether that has changed anything.
    pub(crate) fn poll_blocked(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.out.is_blocked() {
            return false;
        }
        loop {
            // The run that waits is the older one: it goes first.
            self.out.block();
            if self.send_open_run() {
                self.out.block();
                self.flush();
                return true;
            }
            let waiting = self.out.open.way.socket;
            self.out.block();
            let Some(Some(open)) = self.sockets.get(waiting) else { return true };
            match open.socket.poll_ready(Interest::Writable, cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => {}
                // The runtime is shutting down: this socket will never be ready.
                Poll::Ready(Err(_)) => {
                    self.stats.send_errors += self.out.blocked.count as u64;
                    self.out.blocked.clear();
                    return true;
                }
            }
        }
    }
}

/// Whether an error is what an ICMP message says of an earlier datagram: that is for nobody here, since machines find out by
/// silence, and it says nothing of the socket. An unreachable peer or an attacker can cause any number of them.
fn is_of_a_datagram(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::Interrupted
    )
}

/// The other side of a machine that is being driven: its events wait until it is no longer borrowed.
pub(crate) struct Side<'w, R: Runtime, E> {
    pub(crate) wire: &'w mut Wire<R>,
    pub(crate) events: &'w mut VecDeque<E>,
}

impl<R: Runtime, E> Io<E> for Side<'_, R, E> {
    fn ready(&self) -> bool {
        !self.wire.is_blocked()
    }
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        self.wire.send(transmit, packet);
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        match request {
            Request::Bind { ticket, ip, port } => {
                Some(Notice::Opened { ticket, result: self.wire.bind(ip, port) })
            }
            // The place for streams: a task of the runtime would connect, and its outcome come back as a notice.
            Request::Connect { .. } | Request::Listen { .. } => request.refuse(Refused::Unsupported),
            Request::Release { transport: Transport::Udp, local, remote: None } => {
                self.wire.release(local);
                None
            }
            Request::Release { .. } => None,
        }
    }
    fn event(&mut self, event: E) {
        self.events.push_back(event);
    }
}
