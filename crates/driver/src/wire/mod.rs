//! The sockets of a driver, and the other side of its machine: [`Io`].
//!
//! Datagram sockets, listeners and streams share one numbering, by which each wakes the loop. What becomes of them while the
//! machine is not at hand waits in a queue of notices, which the driver tells it as soon as it is.

mod alarms;
mod datagrams;
mod ending;
mod joining;
mod locals;
mod moving;
mod opening;
#[cfg(feature = "dtls")]
mod secure;
mod streams;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::Waker,
};

use ginnel_core::{Instant, Io, Notice, Packet, Path, Port, Refused, Request, Transmit, Transport};

use crate::{
    Config, Runtime, Stats,
    bind::{Bound, Joined, Sharing, bind},
    outbox::{Outbox, Waiting},
    platform::{ErrorQueue, spare_metadata},
    ready::Ready,
    stream::{Source, Stream},
    udp::{Arena, Udp},
};

use alarms::Alarms;
use locals::Locals;
use opening::Listening;
#[cfg(feature = "dtls")]
pub(crate) use secure::Use;

#[derive(Debug)]
pub(crate) struct Wire<R: Runtime> {
    runtime: R,
    config: Config,
    #[cfg(feature = "dtls")]
    epoch: ginnel_core::Epoch,
    #[cfg(feature = "dtls")]
    secure: secure::Secure,
    /// The time of the turn that goes on: what is told of time here needs no more exactness.
    now: Instant,
    /// By number.
    slots: Vec<Option<Slot<R>>>,
    /// The numbers of sockets that were released, to be used again.
    free: Vec<usize>,
    by_local: Locals,
    /// The place that was looked up last. It is forgotten when a socket comes or goes.
    recent: Option<(SocketAddr, Place)>,
    listeners: BTreeMap<SocketAddr, usize>,
    /// Those that are open: a path that was released is gone from here at once.
    by_path: BTreeMap<Path, usize>,
    /// How many streams come from where.
    sources: BTreeMap<Source, FromOne>,
    counts: Counts,
    pub(crate) alarms: Alarms,
    pub(crate) ready: Arc<Ready>,
    out: Outbox,
    /// Numbers of runs of one socket, while they are being sent.
    line: Vec<usize>,
    /// Sockets at which something waits because the system has no room.
    full: usize,
    /// The full socket to which the machine has sent of its own accord as much as may wait: it is asked for no more until
    /// that has left.
    held: Option<usize>,
    /// Whether a socket is full no more, and nobody has looked yet what that means.
    relieved: bool,
    /// Streams with something new to send.
    dirty: Vec<usize>,
    errors: ErrorQueue,
    /// Where octets pass from one stream to another.
    scratch: Vec<u8>,
    shared_turns: joining::SharedTurns,
    /// What the machine has not been told yet.
    pub(crate) notices: VecDeque<Notice>,
    pub(crate) stats: Stats,
}

/// The number of a socket, and where it is one for every address, the address to send from.
type Place = (usize, Option<IpAddr>);

/// How many streams there are of each kind that has a limit.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    accepted: usize,
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "there are no handshakes"))]
    handshakes: usize,
    connected: usize,
}

/// How many streams of one source there are.
#[derive(Clone, Copy, Debug, Default)]
struct FromOne {
    /// Of those that it has opened.
    streams: usize,
    /// Of those, in the middle of a handshake.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "there are no handshakes"))]
    handshakes: usize,
}

#[derive(Debug)]
enum Slot<R: Runtime> {
    Datagrams(Box<Open<R::Socket>>),
    Listener(Box<Listening<R::Listener>>),
    Stream(Box<Stream<R::Stream>>),
    #[cfg(feature = "dtls")]
    Association(Box<crate::dtls::Association>),
}

/// An open datagram socket.
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
    /// Whether the system tells of ICMP here.
    reports: bool,
    /// Whether it has, and that was not read yet.
    reported: bool,
    /// So many messages are asked for next.
    batch: usize,
    /// Whether what is sent goes whole or not at all, as it was set last.
    whole: bool,
    /// The traffic class of what is sent, as it was set last.
    class: u8,
    /// What the system had no room for.
    waiting: Option<Box<Waiting>>,
    /// When that is tried again, where nothing else tells.
    alarm: Option<Instant>,
}

/// What came of looking at a socket.
pub(crate) enum Look {
    /// So many messages in the arena, for this local address; whether there may be more.
    Messages(SocketAddr, usize, bool),
    /// Octets have come on a stream.
    Octets,
    /// Nothing now. The loop is woken when there is something.
    Nothing,
    /// Nothing for the machine but notices, perhaps: look again. It was so much work.
    Again(usize),
    /// What it was is gone.
    Gone,
}

/// So many messages are asked for at first. More are as soon as so many come.
const FIRST_BATCH: usize = 2;

impl<R: Runtime> Wire<R> {
    pub(crate) fn new(runtime: R, config: Config, epoch: ginnel_core::Epoch) -> Self {
        #[cfg(not(feature = "dtls"))]
        let _ = epoch;
        Self {
            runtime,
            config,
            #[cfg(feature = "dtls")]
            epoch,
            #[cfg(feature = "dtls")]
            secure: secure::Secure::default(),
            now: Instant::EPOCH,
            slots: Vec::new(),
            free: Vec::new(),
            by_local: Locals::default(),
            recent: None,
            listeners: BTreeMap::new(),
            by_path: BTreeMap::new(),
            sources: BTreeMap::new(),
            counts: Counts::default(),
            alarms: Alarms::default(),
            ready: Arc::default(),
            out: Outbox::new(),
            line: Vec::new(),
            full: 0,
            held: None,
            relieved: false,
            dirty: Vec::new(),
            errors: ErrorQueue::new(),
            scratch: Vec::new(),
            shared_turns: joining::SharedTurns::default(),
            notices: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    pub(crate) fn timer(&self) -> R::Timer {
        self.runtime.timer()
    }

    /// A turn begins.
    pub(crate) fn turn(&mut self, now: Instant) {
        self.now = now;
    }

    // ---- sockets come and go

    pub(crate) fn bind(&mut self, ip: IpAddr, port: Port, sharing: Sharing) -> Result<SocketAddr, Refused> {
        #[cfg(feature = "dtls")]
        if let Some(shared) = self.share_with_dtls(ip, port) {
            return shared;
        }
        self.bind_socket(ip, port, sharing)
    }

    fn bind_socket(&mut self, ip: IpAddr, port: Port, sharing: Sharing) -> Result<SocketAddr, Refused> {
        let bound = bind(ip, port, sharing)?;
        let local = bound.local;
        // Two sockets of one address exist for groups only; this driver has one for each.
        if self.by_local.get(&local).is_some() {
            return Err(Refused::InUse);
        }
        self.open(bound).map_err(|_| Refused::NotPermitted)?;
        Ok(local)
    }

    fn open(&mut self, bound: Bound) -> io::Result<()> {
        let Bound { socket, local, scope, joined } = bound;
        let udp = Udp::new(&socket)?;
        spare_metadata(&socket, local);
        // Nobody waits for the fate of what is sent to a group.
        let reports = joined.is_empty() && udp.report_errors(&socket);
        let socket = self.runtime.wrap(socket)?;
        let (number, waker) = self.number();
        let open = Open {
            socket,
            udp,
            local,
            scope,
            joined,
            waker,
            errors: 0,
            reports,
            reported: false,
            batch: FIRST_BATCH,
            whole: true,
            class: 0,
            waiting: None,
            alarm: None,
        };
        self.slots[number] = Some(Slot::Datagrams(Box::new(open)));
        self.by_local.insert(local, number);
        self.recent = None;
        self.ready.again(number);
        Ok(())
    }

    /// A free number, and what wakes the loop with it.
    fn number(&mut self) -> (usize, Waker) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        (number, self.ready.waker(number))
    }

    fn datagrams(&mut self, number: usize) -> Option<&mut Open<R::Socket>> {
        match self.slots.get_mut(number)? {
            Some(Slot::Datagrams(open)) => Some(open),
            _ => None,
        }
    }

    fn stream(&mut self, number: usize) -> Option<&mut Stream<R::Stream>> {
        match self.slots.get_mut(number)? {
            Some(Slot::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    fn release(&mut self, transport: Transport, local: SocketAddr, remote: Option<SocketAddr>) {
        match (transport, remote) {
            #[cfg(feature = "dtls")]
            (Transport::Udp, None) if self.keep_for_dtls(local) => {}
            #[cfg(feature = "dtls")]
            (Transport::Dtls, remote) => self.release_dtls(local, remote),
            (Transport::Udp, None) => {
                if let Some(number) = self.by_local.get(&local) {
                    // Last words: a goodbye that is gathered goes out while the socket is there.
                    self.flush();
                    self.drop_socket(number);
                }
            }
            (Transport::Tcp | Transport::Tls, Some(remote)) => {
                self.release_stream(Path::new(transport, local, remote));
            }
            (Transport::Tcp | Transport::Tls, None) => self.stop_listening(transport, local),
            #[cfg(not(feature = "dtls"))]
            (Transport::Dtls, _) => {}
            (Transport::Udp, Some(_)) => {}
        }
    }

    fn drop_socket(&mut self, number: usize) {
        self.stats.dropped += self.out.forget(number) as u64;
        if self.datagrams(number).is_some_and(|open| open.waiting.is_some()) {
            self.stats.dropped += self.give_up_waiting(number) as u64;
        }
        if let Some(Some(Slot::Datagrams(open))) = self.slots.get_mut(number) {
            self.alarms.clear(number, &mut open.alarm);
            let local = open.local;
            self.by_local.remove(&local);
            self.recent = None;
            self.slots[number] = None;
            self.free.push(number);
            #[cfg(feature = "dtls")]
            self.lose_dtls(local);
            #[cfg(not(feature = "dtls"))]
            let _ = local;
        }
    }

    pub(crate) fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.by_local.iter()
    }

    // ---- in and out

    /// Looks at what has this number.
    pub(crate) fn look(&mut self, number: usize, arena: &mut Arena) -> Look {
        self.stats.looks += 1;
        match self.slots.get(number) {
            Some(Some(Slot::Datagrams(_))) => self.look_at_datagrams(number, arena),
            Some(Some(Slot::Listener(_))) => self.accept(number),
            Some(Some(Slot::Stream(_))) => self.look_at_stream(number),
            #[cfg(feature = "dtls")]
            Some(Some(Slot::Association(_))) => Look::Nothing,
            Some(None) | None => Look::Gone,
        }
    }

    pub(crate) fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        match transmit.path.transport {
            Transport::Udp => self.send_datagram(transmit, packet),
            Transport::Tcp | Transport::Tls => self.send_message(transmit.path, packet),
            #[cfg(feature = "dtls")]
            Transport::Dtls => self.send_secure(transmit, packet),
            #[cfg(not(feature = "dtls"))]
            Transport::Dtls => self.stats.not_open += 1,
        }
    }

    /// Hands over what is gathered, unless something waits already.
    pub(crate) fn flush(&mut self) {
        self.flush_datagrams();
        self.flush_streams();
    }

    /// What is overdue.
    pub(crate) fn fire(&mut self) {
        while let Some(number) = self.alarms.pop(self.now) {
            self.overdue(number);
        }
    }
}

/// The other side of a machine that is being driven: its events wait until it is no longer borrowed.
pub(crate) struct Side<'w, R: Runtime, E> {
    pub(crate) wire: &'w mut Wire<R>,
    pub(crate) events: &'w mut VecDeque<E>,
    /// Whether the machine speaks of its own accord. What it answers or passes on has no other place to wait, and must hold up
    /// nobody.
    pub(crate) own: bool,
}

impl<R: Runtime, E> Io<E> for Side<'_, R, E> {
    fn ready(&self) -> bool {
        !self.wire.is_held()
    }
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        let local = transmit.path.local;
        self.wire.send(transmit, packet);
        if self.own {
            self.wire.hold_back(local);
        }
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        match request {
            Request::Bind { ticket, ip, port } => {
                Some(Notice::Opened { ticket, result: self.wire.bind(ip, port, Sharing::Alone) })
            }
            Request::Connect { .. } => self.wire.connect(request),
            Request::Listen { ticket, transport, ip, port, framing } => {
                let result = self.wire.listen(transport, ip, port, framing, Sharing::Alone);
                Some(Notice::Opened { ticket, result })
            }
            Request::Release { transport, local, remote } => {
                self.wire.release(transport, local, remote);
                None
            }
            Request::Frame { path, framing } => {
                self.wire.reframe(path, framing);
                None
            }
            Request::Splice { one, other, rates } => {
                self.wire.splice(one, other, rates);
                None
            }
        }
    }
    fn event(&mut self, event: E) {
        self.events.push_back(event);
    }
}
