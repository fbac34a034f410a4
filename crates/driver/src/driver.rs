//! The loop.

use std::{
    collections::VecDeque,
    future::poll_fn,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
};

use ginnel_core::{
    Buffer, Epoch, Instant, Machine, Notice, Packet, Path, Port, Receive, Refused, Transmit, Transport, Wake,
    receive, settle,
};

use crate::{
    App, Runtime, Stats, Timer,
    udp::{Arena, arrived_at},
    wire::{Look, Side, Wire},
};

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
    buf: Box<Buffer>,
}

impl<R: Runtime, M: Machine> Driver<R, M> {
    /// A driver for one machine. `epoch` is when its time begins: the one that was given to the machine, if it has one.
    ///
    /// Where the runtime has a context, as tokio has, call it there.
    pub fn new(runtime: R, epoch: Epoch, machine: M) -> Self {
        let wire = Wire::new(runtime);
        Self {
            timer: wire.timer(),
            machine,
            epoch,
            wire,
            events: VecDeque::new(),
            armed: None,
            wake: None,
            arena: Arena::new(),
            buf: Box::new([0; 2048]),
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
        let sent =
            command(&mut self.machine, now, &mut packet).map(|transmit| self.wire.send(transmit, &packet));
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
        self.wire.bind(ip, port)
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

    /// The addresses that are open.
    pub fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.wire.locals()
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
            let unblocked = self.wire.poll_blocked(cx);
            if self.machine.is_closed() && rested && !self.wire.is_blocked() {
                return Poll::Ready(());
            }
            let received = self.receive(app, &mut budget);
            let fired = self.poll_timer(cx);
            if budget == 0 || !rested {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !(received || fired || unblocked) {
                return Poll::Pending;
            }
        }
    }

    fn settle(&mut self, now: Instant) {
        let Self { machine, wire, events, buf, .. } = self;
        self.wake = settle(machine, now, buf, &mut Side { wire, events });
    }

    /// Settles, and tells the application, until neither has more. Returns whether it came to that.
    fn attend<A: App<M>>(&mut self, app: &mut A) -> bool {
        for _ in 0..ROUNDS_PER_TURN {
            let now = self.epoch.now();
            self.settle(now);
            if self.events.is_empty() {
                return true;
            }
            self.tell(now, app);
        }
        false
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
            match self.wire.look(number, &mut self.arena) {
                Look::Nothing => continue,
                Look::Again => *budget -= 1,
                Look::Lost(local) => {
                    let now = self.epoch.now();
                    let lost = Notice::Lost { transport: Transport::Udp, local, remote: None };
                    self.machine.handle_notice(now, lost);
                }
                Look::Messages(local, count) => self.receive_batch(local, count, app, budget),
            }
            // It may have more, and waits for its next turn behind the others.
            self.wire.ready.push(number);
            any = true;
        }
        any
    }

    fn receive_batch<A: App<M>>(&mut self, bound: SocketAddr, count: usize, app: &mut A, budget: &mut usize) {
        let now = self.epoch.now();
        for slot in 0..count {
            let message = self.arena.message(slot);
            let Some(local) = arrived_at(bound, message.to) else {
                self.wire.stats.misdirected += message.datagrams() as u64;
                *budget = budget.saturating_sub(1);
                continue;
            };
            for number in 0..message.datagrams() {
                let (buf, range) = self.arena.datagram(&message, number);
                let Some(packet) = Packet::received(buf, range) else { continue };
                let mut input = Receive::new(Path::udp(local, message.remote), packet);
                input.ecn = message.ecn;
                *budget = budget.saturating_sub(1);
                self.wire.stats.received += 1;
                let mut side = Side { wire: &mut self.wire, events: &mut self.events };
                let data = receive(&mut self.machine, now, &mut input, &mut side);
                // Events before data: what the input caused is older than what it held.
                while let Some(event) = self.events.pop_front() {
                    app.event(now, &mut self.machine, event);
                }
                if let Some(data) = data
                    && let Some(transmit) = app.data(now, &mut self.machine, data, &mut input)
                {
                    self.wire.send(transmit, &input.packet);
                }
                self.settle(now);
            }
        }
        self.wire.flush();
    }

    /// Whether the timer has fired. It is set anew only when the machine wants to be woken earlier than it is set to: an
    /// unneeded wake-up now and then costs less than setting it for every datagram.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(wake) = self.wake.filter(|_| !self.wire.is_blocked()) else { return false };
        if self.armed.is_none_or(|armed| armed > wake.at) {
            self.timer.reset(self.epoch.to_std(wake.at));
            self.armed = Some(wake.at);
        }
        let fired = self.timer.poll(cx).is_ready();
        if fired {
            self.armed = None;
        }
        fired
    }
}

impl<R: Runtime, M: Machine> std::fmt::Debug for Driver<R, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("wire", &self.wire).field("wake", &self.wake).finish_non_exhaustive()
    }
}
