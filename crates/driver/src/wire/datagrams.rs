//! Datagrams, in and out.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll},
    time::Duration,
};

use ginnel_core::{Notice, Packet, Path, Transmit, Transport};

use super::{FIRST_BATCH, Look, Open, Place, Slot, Wire};
use crate::{
    Interest, Runtime, Socket, Stats,
    bind::Joined,
    outbox::{Push, Run, Way},
    platform::{Address, FEWER_ARE_ALL, MANY, Report, send_many, set_fragmentation, set_traffic_class},
    udp::{Arena, SLOTS, arrived_at, mark_of, plain, scoped},
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
        let reported = std::mem::take(&mut open.reported);
        if open.waiting.is_some() {
            self.await_room(number);
        }
        // What was asked is told before what is new.
        let mut icmp = if reported { self.read_errors(number) } else { 0 };
        // Datagrams come in the same look, so that errors without end keep none of them waiting.
        for _ in 0..RECEIVE_TRIES {
            let Some(Some(Slot::Datagrams(open))) = self.slots.get_mut(number) else { return Look::Gone };
            let asked = open.batch;
            let error = match open.udp.receive(&open.socket, arena, asked) {
                Ok(count) => {
                    open.errors = 0;
                    // One more than comes as a rule: so the call itself says that there is no more.
                    open.batch = if count == asked { 2 * asked } else { count + 1 }.clamp(FIRST_BATCH, SLOTS);
                    self.stats.receives += 1;
                    let all = count < asked && FEWER_ARE_ALL;
                    let more = !all || !open.socket.watches_always();
                    return Look::Messages(open.local, count, more);
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

    /// All that has come is read: sees to it that the loop is woken when there is more. Whether there is already.
    pub(crate) fn rest(&mut self, number: usize) -> bool {
        let empty = io::ErrorKind::WouldBlock.into();
        matches!(self.cannot_receive(number, &empty), Look::Again(_))
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
                Poll::Ready(Ok(())) => {
                    // Ready, and nothing to receive: then it may be that the system has something to tell.
                    open.reported = open.reports;
                    return Look::Again(1);
                }
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
        let Transmit { path, ecn, dont_fragment, dscp, .. } = transmit;
        let Some((number, source)) = self.recall(path.local) else {
            self.stats.not_open += 1;
            return;
        };
        let Some(open) = self.datagrams(number) else { return };
        if !open.joined.is_empty() {
            return self.send_to_group(number, path.remote, packet.bytes());
        }
        let remote = scoped(path.remote, open.scope);
        let way = Way { socket: number, source, remote, ecn, dont_fragment, dscp };
        let max = open.udp.max_segments();
        if self.out.push(way, packet.bytes(), max) == Push::Full {
            self.flush_datagrams();
            let _ = self.out.push(way, packet.bytes(), max); // there is room now
        }
    }

    /// The socket for what has this local address, and where it is one for every address, the address to send from.
    fn place_of(&self, local: SocketAddr) -> Option<Place> {
        if let Some(number) = self.by_local.get(&local) {
            return Some((number, None));
        }
        let any = match local.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let number = self.by_local.get(&SocketAddr::new(any, local.port()))?;
        Some((number, Some(local.ip())))
    }

    /// The same, for what is sent one behind the other: what comes of many peers leaves from one place.
    fn recall(&mut self, local: SocketAddr) -> Option<Place> {
        if let Some((known, place)) = self.recent
            && known == local
        {
            return Some(place);
        }
        let place = self.place_of(local)?;
        self.recent = Some((local, place));
        Some(place)
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

    /// Hands over what is gathered, socket by socket. What the system has no room for waits at its socket.
    pub(super) fn flush_datagrams(&mut self) {
        for number in 0..self.out.len() {
            if let Some(mut chain) = self.out.chain(number) {
                self.line.clear();
                while let Some(number) = chain.next(&self.out) {
                    self.line.push(number);
                }
                self.send_line();
            }
        }
        self.out.clear();
    }

    /// Sends the runs whose numbers are in the line: all of one socket, in this order.
    fn send_line(&mut self) {
        let Self { slots, out, line, stats, ready, .. } = self;
        let Some(socket) = line.first().map(|first| out.run(*first).way.socket) else { return };
        let Some(Some(Slot::Datagrams(open))) = slots.get_mut(socket) else { return };
        let mut retries = if open.reports { SEND_RETRIES } else { 0 };
        let mut head = 0;
        // What came later than what waits goes behind it.
        let mut full = open.waiting.is_some();
        while head < line.len() && !full {
            if out.run(line[head]).count == 0 {
                head += 1;
                continue;
            }
            let runs = line[head..].iter().map(|number| out.look(*number));
            let (tried, sent) = hand_over(open, runs);
            stats.sends += 1;
            let mut gone = match judge(open, tried, sent, &mut retries, stats) {
                Fate::Gone(count) => count,
                Fate::Again => continue,
                Fate::Reported => {
                    ready.again(socket);
                    continue;
                }
                Fate::Full => {
                    full = true;
                    continue;
                }
            };
            while gone > 0 && head < line.len() {
                let run = out.run(line[head]);
                let count = run.count.min(gone);
                run.advance(count);
                gone -= count;
                head += usize::from(run.count == 0);
            }
        }
        if full {
            self.wait(socket, head);
        }
    }

    /// The runs of the line from this on wait at their socket.
    fn wait(&mut self, socket: usize, head: usize) {
        let Self { slots, out, line, stats, .. } = self;
        let Some(Some(Slot::Datagrams(open))) = slots.get_mut(socket) else { return };
        let fresh = open.waiting.is_none();
        let waiting = open.waiting.get_or_insert_default();
        for number in &line[head..] {
            let run = out.run(*number);
            if run.count > 0
                && let Err(lost) = waiting.take(run)
            {
                stats.dropped += lost as u64;
            }
        }
        if fresh {
            stats.blocked += 1;
            self.full += 1;
            self.await_room(socket);
        }
    }

    /// Sends what waits at a full socket if it has room by now; else sees to it that the loop looks again when it has.
    fn await_room(&mut self, number: usize) {
        for _ in 0..BLOCKED_TRIES {
            let Some(open) = self.datagrams(number) else { return };
            if open.waiting.is_none() {
                return;
            }
            match open.socket.poll_ready(Interest::Writable, &mut Context::from_waker(&open.waker)) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => self.send_what_waits(number),
                // The runtime is shutting down: this socket will never be ready.
                Poll::Ready(Err(_)) => {
                    self.stats.send_errors += self.give_up_waiting(number) as u64;
                    return;
                }
            }
        }
        // tokio takes a socket that ever had an error for ready to send, always: then time has to do.
        let at = Some(self.now + BLOCKED_PAUSE);
        if let Some(Some(Slot::Datagrams(open))) = self.slots.get_mut(number)
            && open.waiting.is_some()
        {
            self.alarms.set(number, &mut open.alarm, at);
        }
    }

    fn send_what_waits(&mut self, number: usize) {
        let Some(Some(Slot::Datagrams(open))) = self.slots.get_mut(number) else { return };
        let Some(mut waiting) = open.waiting.take() else { return };
        let mut retries = if open.reports { SEND_RETRIES } else { 0 };
        let mut full = false;
        while !full && let Some(run) = waiting.first() {
            let (tried, sent) = hand_over(open, std::iter::once(&*run));
            self.stats.sends += 1;
            match judge(open, tried, sent, &mut retries, &mut self.stats) {
                Fate::Gone(count) => run.advance(count),
                Fate::Again => {}
                Fate::Reported => self.ready.again(number),
                Fate::Full => full = true,
            }
            waiting.settle();
        }
        let low = !waiting.is_high();
        if full {
            open.waiting = Some(waiting);
        } else {
            self.full -= 1;
            self.relieved = true;
        }
        if low && self.held == Some(number) {
            (self.held, self.relieved) = (None, true);
        }
    }

    /// Nothing of what waits at this socket will be sent; returns how many datagrams those were.
    pub(super) fn give_up_waiting(&mut self, number: usize) -> usize {
        let Some(open) = self.datagrams(number) else { return 0 };
        let Some(waiting) = open.waiting.take() else { return 0 };
        self.full -= 1;
        self.relieved = true;
        if self.held == Some(number) {
            self.held = None;
        }
        waiting.count()
    }

    /// The machine has sent something of its own accord: if much of that waits already, it is not asked for more.
    pub(crate) fn hold_back(&mut self, local: SocketAddr) {
        if self.full == 0 {
            return;
        }
        if self.is_high(local) {
            self.held = self.place_of(local).map(|(number, _)| number);
        }
    }

    /// Whether so much waits at this socket that what can wait elsewhere should.
    pub(super) fn is_high(&self, local: SocketAddr) -> bool {
        let Some((number, _)) = self.place_of(local) else { return false };
        let Some(Some(Slot::Datagrams(open))) = self.slots.get(number) else { return false };
        open.waiting.as_ref().is_some_and(|waiting| waiting.is_high())
    }

    /// Whether the machine is not to be asked for more.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether anything waits for room.
    pub(crate) fn anything_waits(&self) -> bool {
        self.full > 0
    }

    /// Whether a socket has come to have room since the last time that this was asked.
    pub(crate) fn take_relieved(&mut self) -> bool {
        std::mem::take(&mut self.relieved)
    }
}

/// Hands as many datagrams to the system as one call takes, the first of these runs' at least. Returns how many are lost if the
/// system refuses them, and how many it has taken.
fn hand_over<'r, S: Socket>(
    open: &mut Open<S>,
    mut runs: impl Iterator<Item = &'r Run>,
) -> (usize, io::Result<usize>) {
    let Some(first) = runs.next() else { return (0, Ok(0)) };
    let Way { source, remote, ecn, dont_fragment, dscp, .. } = first.way;
    if open.whole != dont_fragment {
        let _ = set_fragmentation(&open.socket.sock_ref(), open.local.is_ipv4(), dont_fragment);
        open.whole = dont_fragment;
    }
    // `quinn-udp` marks each call itself, and knows of no code points.
    let segments = if dscp == 0 { open.udp.max_segments().max(1) } else { 1 };
    if source.is_some() || first.count.min(segments) > 1 {
        let count = first.count.min(segments);
        let (contents, segment) = first.front(count);
        let sent = open.udp.send(&open.socket, source, remote, ecn, contents, segment);
        return (count, sent.map(|()| count));
    }
    let class = dscp << 2 | mark_of(ecn);
    if open.class != class {
        let _ = set_traffic_class(&open.socket.sock_ref(), open.local.is_ipv4(), class);
        open.class = class;
    }
    if first.count == 1 && runs.size_hint() == (0, Some(0)) {
        let alone = [(&first.to, first.datagram(0))];
        let sent = open.socket.try_io(Interest::Writable, || send_many(&open.socket.sock_ref(), &alone));
        return (1, sent);
    }
    let mut datagrams: [(&Address, &[u8]); MANY] = [(&first.to, first.datagram(0)); MANY];
    let mut count = first.count.min(MANY);
    for (number, place) in datagrams[..count].iter_mut().enumerate() {
        place.1 = first.datagram(number);
    }
    for run in runs {
        let alike = run.way.source.is_none()
            && (run.way.ecn, run.way.dscp, run.way.dont_fragment) == (ecn, dscp, dont_fragment);
        if !alike || run.count.min(segments) > 1 || count + run.count > MANY {
            break;
        }
        for number in 0..run.count {
            datagrams[count] = (&run.to, run.datagram(number));
            count += 1;
        }
    }
    let sent =
        open.socket.try_io(Interest::Writable, || send_many(&open.socket.sock_ref(), &datagrams[..count]));
    (1, sent)
}

/// What becomes of datagrams that were handed over.
enum Fate {
    /// So many are sent, or lost for good.
    Gone(usize),
    /// They are to be handed over again.
    Again,
    /// Likewise; and the system has something to tell.
    Reported,
    /// They wait.
    Full,
}

fn judge<S>(
    open: &mut Open<S>,
    tried: usize,
    sent: io::Result<usize>,
    retries: &mut u32,
    stats: &mut Stats,
) -> Fate {
    match sent {
        Ok(count) => {
            stats.sent += count as u64;
            Fate::Gone(count)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Fate::Full,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Fate::Again,
        // The kernel does not know segmentation after all, has said so once, and takes one at a time.
        Err(_) if tried > 1 && open.udp.max_segments() < tried => Fate::Again,
        // It may be what ICMP says of an earlier datagram, and then this one was not even tried.
        Err(_) if *retries > 0 => {
            *retries -= 1;
            open.reported = true;
            Fate::Reported
        }
        Err(_) => {
            stats.send_errors += tried as u64;
            Fate::Gone(tried)
        }
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
