//! Datagrams, in and out.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll},
    time::Duration,
};

use ginnel_core::{Notice, Packet, Path, Transmit, Transport};

use super::{Look, Slot, Wire};
use crate::{
    Interest, Runtime, Socket,
    bind::Joined,
    outbox::{Push, Way},
    platform::Report,
    udp::{Arena, arrived_at, plain, scoped},
};

/// After so many errors without a datagram in between, a socket counts as lost.
const MAX_ERRORS_IN_A_ROW: u32 = 64;
/// So many ICMP messages are read before other sockets have their turn.
const ERRORS_PER_LOOK: usize = 16;
/// So often one look tries to receive, where ICMP has spoiled the call.
const RECEIVE_TRIES: u32 = 3;
/// So often a run is sent again that failed for what may be the fault of another. Each ICMP message spoils one call.
const SEND_RETRIES: u32 = 3;
/// So often a blocked run is tried when the runtime says that there is room,
const BLOCKED_TRIES: u32 = 2;
/// and then again after this time.
const BLOCKED_PAUSE: Duration = Duration::from_millis(1);

impl<R: Runtime> Wire<R> {
    // ---- in

    pub(super) fn look_at_datagrams(&mut self, number: usize, arena: &mut Arena) -> Look {
        let Some(open) = self.datagrams(number) else { return Look::Gone };
        // What was asked is told before what is new.
        let mut icmp = if std::mem::take(&mut open.reported) { self.read_errors(number) } else { 0 };
        // Datagrams come in the same look, so that errors without end keep none of them waiting.
        for _ in 0..RECEIVE_TRIES {
            let Some(Some(Slot::Datagrams(open))) = self.slots.get_mut(number) else { return Look::Gone };
            let error = match open.udp.receive(&open.socket, arena) {
                Ok(count) => {
                    open.errors = 0;
                    self.stats.receives += 1;
                    return Look::Messages(open.local, count);
                }
                Err(error) => error,
            };
            if error.kind() == io::ErrorKind::WouldBlock && icmp > 0 {
                break;
            }
            // The system tells of an ICMP message twice: by the next call, which fails for it, and in full in its queue.
            let count = if error.kind() == io::ErrorKind::WouldBlock { 0 } else { self.read_errors(number) };
            if count == 0 {
                return self.cannot_receive(number, &error);
            }
            self.stats.receive_errors += 1;
            icmp += count;
        }
        Look::Again(icmp)
    }

    /// Nothing has come, and no ICMP message says why.
    fn cannot_receive(&mut self, number: usize, error: &io::Error) -> Look {
        let Some(open) = self.datagrams(number) else { return Look::Gone };
        if error.kind() == io::ErrorKind::WouldBlock {
            let mut cx = Context::from_waker(&open.waker);
            match open.socket.poll_ready(Interest::Readable, &mut cx) {
                Poll::Pending if open.reports && open.socket.poll_error(&mut cx).is_ready() => {
                    open.reported = true;
                    return Look::Again(1);
                }
                Poll::Pending => return Look::Nothing,
                Poll::Ready(Ok(())) => return Look::Again(1),
                Poll::Ready(Err(_)) => open.errors = MAX_ERRORS_IN_A_ROW,
            }
        }
        self.stats.receive_errors += 1;
        let Some(open) = self.datagrams(number) else { return Look::Gone };
        if !is_of_a_datagram(error) {
            open.errors += 1;
        }
        if open.errors <= MAX_ERRORS_IN_A_ROW {
            return Look::Again(1);
        }
        let local = open.local;
        self.drop_socket(number);
        self.notices.push_back(Notice::Lost { transport: Transport::Udp, local, remote: None });
        Look::Again(1)
    }

    /// Reads what ICMP says of datagrams that this socket has sent, a few at a time: whoever floods with it waits for his turn
    /// as others do. Returns how many there were.
    fn read_errors(&mut self, number: usize) -> usize {
        let Some(Some(Slot::Datagrams(open))) = self.slots.get_mut(number) else { return 0 };
        if !open.reports {
            return 0;
        }
        for count in 0..ERRORS_PER_LOOK {
            let Some(report) = self.errors.read(&open.socket.sock_ref()) else { return count };
            let Report::Icmp { remote, to, error } = report else { continue };
            self.stats.icmp += 1;
            // A path is concrete; on a socket for every address the message went to where the datagram had come from.
            let Some(local) = arrived_at(open.local, to) else { continue };
            let path = Path::udp(local, plain(remote));
            self.notices.push_back(Notice::Unreachable { path, error });
        }
        open.reported = true;
        ERRORS_PER_LOOK
    }

    // ---- out

    pub(super) fn send_datagram(&mut self, transmit: Transmit, packet: &Packet<'_>) {
        let Transmit { path, ecn, .. } = transmit;
        let Some((number, source)) = self.place_of(path.local) else {
            self.stats.not_open += 1;
            return;
        };
        let Some(open) = self.datagrams(number) else { return };
        if !open.joined.is_empty() {
            return self.send_to_group(number, path.remote, packet.bytes());
        }
        let way = Way { socket: number, source, remote: scoped(path.remote, open.scope), ecn };
        let max = open.udp.max_segments();
        if self.out.push(way, packet.bytes(), max) == Push::Full {
            self.flush_datagrams();
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
        let Some(Some(Slot::Datagrams(open))) = self.slots.get(number) else { return };
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
    pub(super) fn flush_datagrams(&mut self) {
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
        let Some(Some(Slot::Datagrams(open))) = self.slots.get_mut(run.way.socket) else {
            run.clear();
            return true;
        };
        let mut retries = if open.reports { SEND_RETRIES } else { 0 };
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
                // It may be what ICMP says of an earlier datagram, and then this one was not even tried.
                Err(_) if retries > 0 => {
                    retries -= 1;
                    open.reported = true;
                    self.ready.again(run.way.socket);
                    continue;
                }
                Err(_) => self.stats.send_errors += count as u64,
            }
            run.count -= count;
            run.bytes.drain(..octets);
        }
        run.clear();
        true
    }

    /// Tries what waits once more; otherwise the task is woken when there is room. Returns whether that has changed anything.
    pub(crate) fn poll_blocked(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.out.is_blocked() {
            return false;
        }
        for _ in 0..BLOCKED_TRIES {
            // The run that waits is the older one: it goes first.
            self.out.block();
            if self.send_open_run() {
                self.out.block();
                self.flush_datagrams();
                return true;
            }
            let waiting = self.out.open.way.socket;
            self.out.block();
            let Some(open) = self.datagrams(waiting) else { return true };
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
        // tokio takes a socket that ever had an error for ready to send, always: then time has to do.
        self.alarms.retry(self.now + BLOCKED_PAUSE);
        false
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.out.is_blocked()
    }
}

/// Whether an error is what an ICMP message says of an earlier datagram, on a system that tells no more of it: that says
/// nothing of the socket. An unreachable peer or an attacker can cause any number of them.
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
