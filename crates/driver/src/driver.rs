//! The loop.

use std::{
    collections::VecDeque,
    future::poll_fn,
    net::{IpAddr, SocketAddr},
    ops::Range,
    task::{Context, Poll},
};

use ginnel_core::{
    Buffer, Ecn, Epoch, Framing, Handled, Instant, Machine, Packet, Path, Port, Receive, Refused, Transmit,
    Transport, Wake, receive, settle,
};

use crate::{
    App, Config, Ejected, Runtime, Stats, Timer,
    bind::Sharing,
    stream::{Intake, Piece},
    udp::{Arena, arrived_at},
    wire::{Look, Side, Wire},
};
#[cfg(feature = "dtls")]
use crate::{udp::Message, wire::Use};

/// After so many datagrams in one go, the task lets others run.
const DATAGRAMS_PER_TURN: usize = 256;
/// After so many rounds of events and commands in one go, likewise.
const ROUNDS_PER_TURN: usize = 64;

/// A machine, its sockets and its clock.
///
/// | verb | what it does |
/// |---|---|
/// | [`run`](Self::run) | drives the machine until it is closed; can be dropped and called again at any time |
/// | [`with`](Self::with) | gives a command |
/// | [`send`](Self::send) | sends user data |
/// | [`bind`](Self::bind) | opens a socket for a machine that asks for none |
pub struct Driver<R: Runtime, M: Machine> {
    machine: M,
    epoch: Epoch,
    wire: Wire<R>,
    /// What the application has not been told yet.
    events: VecDeque<M::Event>,
    timer: R::Timer,
    /// What the timer is set to. It may be earlier than what the machine wants by now, never later.
    armed: Option<Instant>,
    wake: Option<Wake>,
    arena: Arena,
    /// Where octets of streams land.
    octets: Intake,
    buf: Box<Buffer>,
    /// Where messages inside DTLS land.
    #[cfg(feature = "dtls")]
    secure: Vec<u8>,
}

impl<R: Runtime, M: Machine> Driver<R, M> {
    /// A driver for one machine. `epoch` is when its time begins: the one that was given to the machine, if it has one.
    ///
    /// Where the runtime has a context, as tokio has, call it there.
    pub fn new(runtime: R, epoch: Epoch, machine: M) -> Self {
        Self::with_config(Config::default(), runtime, epoch, machine)
    }

    /// The same, with limits of streams, or TLS.
    pub fn with_config(config: Config, runtime: R, epoch: Epoch, machine: M) -> Self {
        let wire = Wire::new(runtime, config, epoch);
        Self {
            timer: wire.timer(),
            machine,
            epoch,
            wire,
            events: VecDeque::new(),
            armed: None,
            wake: None,
            arena: Arena::new(),
            octets: Intake::shared(),
            buf: Box::new([0; 2048]),
            #[cfg(feature = "dtls")]
            secure: Vec::new(),
        }
    }

    /// Drives the machine: datagrams, timers, requests. Ends when the machine is closed, and what it had to say then is sent.
    ///
    /// Cancel-safe: all state is in the driver, so the future may be dropped at any time, for example as a branch of a
    /// `select!` beside a channel of commands, and `run` called again. Nothing is lost in between but time.
    pub async fn run<A: App<M>>(&mut self, app: &mut A) {
        poll_fn(|cx| self.poll(cx, app)).await;
    }

    /// Gives the machine a command, and settles. Events that this causes wait for the next [`run`](Self::run), so let that not be
    /// long.
    pub fn with<T>(&mut self, command: impl FnOnce(&mut M, Instant) -> T) -> T {
        let now = self.epoch.now();
        let answer = command(&mut self.machine, now);
        self.settle(now);
        self.wire.flush();
        answer
    }

    /// Sends user data at once: `payload` is put into a packet with room on both sides, and `command` wraps it.
    ///
    /// # Errors
    /// What `command` says; nothing is sent then.
    ///
    /// # Panics
    /// When `payload` is larger than 1,984 octets, which is larger than what any path takes.
    pub fn send<E>(
        &mut self,
        payload: &[u8],
        command: impl FnOnce(&mut M, Instant, &mut Packet<'_>) -> Result<Transmit, E>,
    ) -> Result<(), E> {
        let now = self.epoch.now();
        let mut packet = Packet::empty(&mut self.buf);
        assert!(packet.append(payload).is_ok(), "the payload does not fit a packet");
        let sent = command(&mut self.machine, now, &mut packet)
            .map(|transmit| self.wire.send(transmit, &mut packet));
        self.settle(now);
        self.wire.flush();
        sent
    }

    /// Opens a socket for a machine that asks for none itself, such as a server that is told where it listens. The machine is
    /// not told.
    ///
    /// # Errors
    /// As for a [`Request::Bind`](ginnel_core::Request::Bind) of its own.
    pub fn bind(&mut self, ip: IpAddr, port: Port) -> Result<SocketAddr, Refused> {
        self.wire.bind(ip, port, Sharing::Alone)
    }

    /// The same, on an address that other drivers of this program have too, each by this very call (`SO_REUSEPORT`). The system
    /// deals the datagrams out by their addresses, so those of one sender come to one driver as long as no driver comes or
    /// goes. With [`Port::Any`] the first of them learns a port, and the others ask for exactly that.
    ///
    /// Another program of the same user may share it likewise, one of another user may not: where the first must not be, look
    /// first whether [`bind`](Self::bind) finds it free.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind); [`Refused::InUse`] when somebody has the address who does not share it.
    pub fn bind_shared(&mut self, ip: IpAddr, port: Port) -> Result<SocketAddr, Refused> {
        self.wire.bind(ip, port, Sharing::Shared)
    }

    /// Takes in streams for a machine that does not ask for it itself, which is told of each by
    /// [`Notice::Accepted`](ginnel_core::Notice::Accepted).
    ///
    /// # Errors
    /// As for a [`Request::Listen`](ginnel_core::Request::Listen) of its own.
    pub fn listen(
        &mut self,
        transport: Transport,
        ip: IpAddr,
        port: Port,
        framing: Framing,
    ) -> Result<SocketAddr, Refused> {
        self.wire.listen(transport, ip, port, framing, Sharing::Alone)
    }

    /// The same, on an address where other drivers of this program listen too, each by this very call (`SO_REUSEPORT`): every
    /// stream comes to one of them.
    ///
    /// # Errors
    /// As for [`listen`](Self::listen); [`Refused::InUse`] when another user's program listens there.
    pub fn listen_shared(
        &mut self,
        transport: Transport,
        ip: IpAddr,
        port: Port,
        framing: Framing,
    ) -> Result<SocketAddr, Refused> {
        self.wire.listen(transport, ip, port, framing, Sharing::Shared)
    }

    /// The machine, to look at.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine, without its sockets.
    #[must_use]
    pub fn into_machine(self) -> M {
        self.machine
    }

    /// The addresses of open datagram sockets.
    pub fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.wire.locals()
    }

    /// Whether what is sent on this path now would be taken: nothing waits for the system, and for the peer of a stream no
    /// more than half of what may ([`Limits::unsent`](crate::Limits::unsent)). Where there is no room, `run` wakes its task
    /// when there is: for whoever sends much and can wait.
    #[must_use]
    pub fn has_room(&self, path: Path) -> bool {
        self.wire.has_room(path)
    }

    /// How many streams there are, open or about to be.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.wire.streams()
    }

    /// How many octets can be sent on this stream now; `None` if it is not open, or carries datagrams, also inside DTLS: those
    /// never wait for their peer. What is more would be dropped, as a whole message, or end the stream where it has none
    /// ([`Framing::Raw`]).
    #[must_use]
    pub fn room(&self, path: Path) -> Option<usize> {
        self.wire.room(path)
    }

    /// Takes an open stream out of this driver, for another to [`adopt`](Self::adopt): a server of several threads moves a stream
    /// to where its allocation lives, and a DTLS association that its client has begun. The machine is not told, and has
    /// forgotten the stream already. `None` if there is no such stream, it is joined to another, or the system had no file left:
    /// then it is closed, and counted in [`Stats::eject_errors`].
    pub fn eject(&mut self, path: Path) -> Option<Ejected> {
        self.wire.eject(path)
    }

    /// Takes a stream in that another driver had. The machine is told by
    /// [`Notice::Accepted`](ginnel_core::Notice::Accepted), and then shown what has come behind the last message that the other
    /// machine was shown.
    ///
    /// # Errors
    /// When a limit of streams is reached, the runtime cannot watch it, or nothing listens here where a DTLS association came to;
    /// the stream is closed then.
    pub fn adopt(&mut self, ejected: Ejected) -> Result<Path, Refused> {
        self.wire.turn(self.epoch.now());
        self.wire.adopt(ejected)
    }

    /// One arrival that came elsewhere, on a path that this driver can send on too: the octets are in `buf` at `range`, with room
    /// around them, and `take` shows them to the machine.
    pub(crate) fn hand_in<A: App<M>>(
        &mut self,
        path: Path,
        ecn: Ecn,
        buf: &mut [u8],
        range: Range<usize>,
        app: &mut A,
        take: impl FnOnce(&mut A, Instant, &mut M, &mut Receive<'_>) -> Handled<M::Data>,
    ) {
        let now = self.epoch.now();
        self.wire.turn(now);
        // A stream that was adopted for this is news that comes before.
        self.pass_on(now);
        self.tell(now, app);
        let Some(packet) = Packet::received(buf, range.clone()) else { return };
        let mut input = Receive::new(path, packet);
        input.ecn = ecn;
        let handled = take(app, now, &mut self.machine, &mut input);
        while let Some(event) = self.machine.poll_event() {
            app.event(now, &mut self.machine, event);
        }
        let transmit = match handled {
            Handled::Data(data) => app.data(now, &mut self.machine, data, &mut input),
            Handled::Send(transmit) => Some(transmit),
            Handled::Consumed | Handled::Foreign => None,
        };
        if let Some(transmit) = transmit {
            self.wire.send(transmit, &mut input.packet);
        }
        self.settle(now);
        #[cfg(feature = "dtls")]
        if path.transport == Transport::Dtls {
            // What came with it in one datagram.
            self.take_messages(path, buf, range, app);
        }
    }

    /// A datagram of a DTLS association that has moved here from another driver, to which it came.
    #[cfg(feature = "dtls")]
    pub(crate) fn hand_in_datagram<A: App<M>>(
        &mut self,
        path: Path,
        buf: &mut [u8],
        range: Range<usize>,
        app: &mut A,
    ) {
        let now = self.epoch.now();
        self.wire.turn(now);
        self.take_datagram(path, buf, range, app);
    }

    /// What has been ejected here has no place anywhere.
    pub(crate) fn part_with(&mut self, ejected: Ejected) {
        self.wire.part_with(ejected);
        self.wire.flush();
    }

    #[cfg(feature = "testing")]
    pub(crate) fn traces(&self) -> [usize; 5] {
        self.wire.traces()
    }

    /// When time began.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Counters of the sockets.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.wire.stats
    }

    // ---- one turn of the loop

    fn poll<A: App<M>>(&mut self, cx: &mut Context<'_>, app: &mut A) -> Poll<()> {
        self.wire.ready.register(cx.waker());
        let mut budget = DATAGRAMS_PER_TURN;
        loop {
            let rested = self.attend(app);
            self.wire.flush();
            let relieved = self.wire.take_relieved();
            if self.machine.is_closed() && rested {
                self.wire.release_streams();
                // DTLS says goodbye by datagrams.
                self.wire.flush();
                if !self.wire.anything_waits() && self.wire.all_delivered() {
                    return Poll::Ready(());
                }
            }
            let received = self.receive(app, &mut budget);
            let fired = self.poll_timer(cx);
            // What is waited for wakes the loop; what it has put off itself does not.
            let again = self.wire.ready.take_again();
            if budget == 0 || !rested {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !(received || fired || relieved || again) {
                return Poll::Pending;
            }
        }
    }

    fn settle(&mut self, now: Instant) {
        self.wire.turn(now);
        let Self { machine, wire, events, buf, .. } = self;
        self.wake = settle(machine, now, buf, &mut Side { wire, events, own: true });
    }

    /// Settles, and tells the application, until neither has more. Returns whether it came to that.
    fn attend<A: App<M>>(&mut self, app: &mut A) -> bool {
        for _ in 0..ROUNDS_PER_TURN {
            let now = self.epoch.now();
            self.wire.turn(now);
            self.wire.fire();
            self.pass_on(now);
            self.settle(now);
            if self.events.is_empty() {
                return true;
            }
            self.tell(now, app);
        }
        false
    }

    /// Tells the machine what has become of its sockets. Returns how much that was.
    fn pass_on(&mut self, now: Instant) -> usize {
        let mut count = 0;
        while let Some(notice) = self.wire.notices.pop_front() {
            self.machine.handle_notice(now, notice);
            self.settle(now);
            count += 1;
        }
        count
    }

    /// The same, where as a rule there is nothing: then nobody looks at the clock.
    fn pass_on_news(&mut self) -> usize {
        if self.wire.notices.is_empty() { 0 } else { self.pass_on(self.epoch.now()) }
    }

    fn tell<A: App<M>>(&mut self, now: Instant, app: &mut A) {
        while let Some(event) = self.events.pop_front() {
            app.event(now, &mut self.machine, event);
        }
    }

    /// Looks once at each socket that has woken the loop. Returns whether there was anything.
    fn receive<A: App<M>>(&mut self, app: &mut A, budget: &mut usize) -> bool {
        let mut any = false;
        for _ in 0..self.wire.ready.len() {
            if *budget == 0 {
                break;
            }
            let Some(number) = self.wire.ready.pop() else { break };
            let more = match self.wire.look(number, &mut self.arena) {
                Look::Nothing | Look::Gone => {
                    *budget = budget.saturating_sub(1);
                    false
                }
                Look::Again(cost) => {
                    *budget = budget.saturating_sub(cost);
                    true
                }
                Look::Messages(local, count, more) => {
                    // ICMP that was read with them answers what was asked before.
                    *budget = budget.saturating_sub(self.pass_on_news());
                    self.receive_batch(local, count, app, budget);
                    any = true;
                    more || self.wire.rest(number)
                }
                Look::Octets => self.receive_octets(number, app, budget),
            };
            // What the machine makes of a notice is something to attend to, even where nothing more is to be received.
            any |= self.pass_on_news() > 0;
            if more {
                // It may have more, and waits for its next turn behind the others.
                self.wire.ready.push(number);
                any = true;
            }
        }
        // Behind all of them: what came at many sockets for one destination leaves together.
        self.wire.flush();
        any
    }

    fn receive_batch<A: App<M>>(&mut self, bound: SocketAddr, count: usize, app: &mut A, budget: &mut usize) {
        let now = self.epoch.now();
        #[cfg(feature = "dtls")]
        let shared = self.wire.dtls_use(bound);
        for slot in 0..count {
            let message = self.arena.message(slot);
            let Some(local) = arrived_at(bound, message.to) else {
                self.wire.stats.misdirected += message.datagrams() as u64;
                *budget = budget.saturating_sub(1);
                continue;
            };
            for number in 0..message.datagrams() {
                #[cfg(feature = "dtls")]
                if let Some(shared) = shared
                    && self.receive_secure(&message, number, local, shared, app)
                {
                    *budget = budget.saturating_sub(1);
                    self.wire.stats.received += 1;
                    continue;
                }
                let (buf, range) = self.arena.datagram(&message, number);
                let Some(packet) = Packet::received(buf, range) else { continue };
                let mut input = Receive::new(Path::udp(local, message.remote), packet);
                input.ecn = message.ecn;
                *budget = budget.saturating_sub(1);
                self.wire.stats.received += 1;
                let Self { machine, wire, events, .. } = self;
                deliver(machine, wire, events, now, &mut input, app);
                self.settle(now);
            }
        }
    }

    /// A datagram on a socket that carries DTLS: whether it was that, or nobody else's either.
    #[cfg(feature = "dtls")]
    fn receive_secure<A: App<M>>(
        &mut self,
        message: &Message,
        number: usize,
        local: SocketAddr,
        shared: Use,
        app: &mut A,
    ) -> bool {
        let now = self.epoch.now();
        self.wire.turn(now);
        let (datagram, range) = self.arena.datagram(message, number);
        // RFC 7983 section 7.
        if !matches!(datagram[range.clone()].first(), Some(20..=63)) {
            return !shared.plain;
        }
        let path = Path::new(Transport::Dtls, local, message.remote);
        let mut buf = std::mem::take(&mut self.secure);
        buf.resize(buf.len().max(datagram.len()), 0);
        buf[range.clone()].copy_from_slice(&datagram[range.clone()]);
        self.take_datagram(path, &mut buf, range, app);
        self.secure = buf;
        true
    }

    /// A datagram inside DTLS, for the association here or elsewhere.
    #[cfg(feature = "dtls")]
    fn take_datagram<A: App<M>>(&mut self, path: Path, buf: &mut [u8], range: Range<usize>, app: &mut A) {
        let Some(packet) = Packet::received(buf, range.clone()) else { return };
        if !app.follows(&Receive::new(path, packet)) {
            self.wire.secure_input(path, &buf[range.clone()]);
            self.pass_on(self.epoch.now());
            self.take_messages(path, buf, range, app);
        }
    }

    /// Shows the messages that have come on this path, written into `buf` where `range` begins.
    #[cfg(feature = "dtls")]
    fn take_messages<A: App<M>>(&mut self, path: Path, buf: &mut [u8], range: Range<usize>, app: &mut A) {
        let now = self.epoch.now();
        while let Some(packet) = Packet::received(buf, range.clone()) {
            let mut input = Receive::new(path, packet);
            if !self.wire.take_secure(path, &mut input.packet) {
                return;
            }
            self.wire.stats.messages_received += 1;
            let Self { machine, wire, events, .. } = self;
            deliver(machine, wire, events, now, &mut input, app);
            self.settle(now);
            if app.moves() {
                return app.moved(self.wire.eject(path));
            }
        }
    }

    /// Reads from a stream once. Returns whether there may be more.
    fn receive_octets<A: App<M>>(&mut self, number: usize, app: &mut A, budget: &mut usize) -> bool {
        let now = self.epoch.now();
        self.wire.turn(now);
        *budget = budget.saturating_sub(1);
        let Some(mut reading) = self.wire.read(number, &mut self.octets) else { return false };
        let path = reading.path;
        let mut leaves = false;
        // A message may change how the next one is cut.
        while let Some(framing) = self.wire.framing(number, path) {
            match reading.intake.next(framing) {
                Piece::Part => break,
                Piece::Bad => {
                    self.wire.malformed(number, path);
                    break;
                }
                Piece::Message(range, limit) => {
                    let Some(packet) = Packet::received(reading.intake.buffer(limit), range) else { break };
                    *budget = budget.saturating_sub(1);
                    self.wire.stats.messages_received += 1;
                    reading.messages += 1;
                    let Self { machine, wire, events, .. } = self;
                    deliver(machine, wire, events, now, &mut Receive::new(path, packet), app);
                    self.settle(now);
                    leaves = app.moves();
                    if leaves {
                        break;
                    }
                }
            }
        }
        self.wire.put_back(number, reading, &mut self.octets);
        if leaves {
            app.moved(self.wire.eject(path));
        }
        self.wire.flush();
        true
    }

    /// Whether the timer has fired. It is set anew only when the machine wants to be woken earlier than it is set to: an
    /// unneeded wake-up now and then costs less than setting it for every datagram.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let machine = self.wake.filter(|_| !self.wire.is_held()).map(|wake| wake.at);
        let Some(at) = [machine, self.wire.alarms.next()].into_iter().flatten().min() else { return false };
        if self.armed.is_none_or(|armed| armed > at) {
            self.timer.reset(self.epoch.to_std(at));
            self.armed = Some(at);
        }
        let fired = self.timer.poll(cx).is_ready();
        if fired {
            self.armed = None;
        }
        fired
    }
}

/// One arrival: the machine, its events, its data, and what is answered from the same buffer.
fn deliver<R: Runtime, M: Machine, A: App<M>>(
    machine: &mut M,
    wire: &mut Wire<R>,
    events: &mut VecDeque<M::Event>,
    now: Instant,
    input: &mut Receive<'_>,
    app: &mut A,
) {
    let data = receive(machine, now, input, &mut Side { wire, events, own: false });
    // Events before data: what the input caused is older than what it held.
    while let Some(event) = events.pop_front() {
        app.event(now, machine, event);
    }
    if let Some(data) = data
        && let Some(transmit) = app.data(now, machine, data, input)
    {
        wire.send(transmit, &mut input.packet);
    }
}

impl<R: Runtime, M: Machine> std::fmt::Debug for Driver<R, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("wire", &self.wire).field("wake", &self.wake).finish_non_exhaustive()
    }
}
