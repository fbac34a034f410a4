//! What every driver does: the order of the verbs, owned in one place for drivers, owners and the simulator alike.

use crate::{Buffer, Handled, Instant, Machine, Notice, Packet, Receive, Request, Transmit, Wake};

/// The other side of a machine: sockets, and whoever wants the events.
///
/// ```
/// use ginnel_core::{Io, Notice, Packet, Refused, Request, Transmit};
///
/// /// Keeps what was sent, opens nothing, prints the events.
/// struct Recorder(Vec<(Transmit, Vec<u8>)>);
///
/// impl<E: std::fmt::Debug> Io<E> for Recorder {
///     fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
///         self.0.push((transmit, packet.bytes().to_vec()));
///     }
///     fn request(&mut self, request: Request) -> Option<Notice> {
///         request.refuse(Refused::Unsupported)
///     }
///     fn event(&mut self, event: E) {
///         println!("{event:?}");
///     }
/// }
/// ```
pub trait Io<E> {
    /// Whether another packet can be taken. When not, [`settle`] returns early, and loses nothing.
    ///
    /// A driver whose queue is full says false, sends what it has, and settles again before it waits for the wake-up.
    fn ready(&self) -> bool {
        true
    }

    /// Takes one packet. Where the path is a stream, the driver applies its framing first: that is why it may change it.
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>);

    /// Takes one request; an outcome known at once may be returned at once, a later one is told by `handle_notice`.
    fn request(&mut self, request: Request) -> Option<Notice>;

    /// Takes one event.
    fn event(&mut self, event: E);
}

/// One arrival, in the right order: the machine, its events, its answer.
///
/// `Some` is data, and its bytes are in `input`. The caller uses them and then [`settle`]s; with many arrivals at hand it
/// may settle once behind all of them.
///
/// ```
/// use ginnel_core::{Instant, Io, Machine, Receive, receive};
///
/// /// How many octets of data one arrival held.
/// fn payload<M: Machine>(
///     machine: &mut M, now: Instant, input: &mut Receive<'_>, io: &mut impl Io<M::Event>,
/// ) -> usize {
///     match receive(machine, now, input, io) {
///         Some(_data) => input.packet.len(),
///         None => 0,
///     }
/// }
/// ```
pub fn receive<M: Machine + ?Sized>(
    machine: &mut M,
    now: Instant,
    input: &mut Receive<'_>,
    io: &mut impl Io<M::Event>,
) -> Option<M::Data> {
    let handled = machine.handle_input(now, input);
    // Rule 4: what the input caused is older than the data it held.
    while let Some(event) = machine.poll_event() {
        io.event(event);
    }
    match handled {
        Handled::Data(data) => Some(data),
        Handled::Send(transmit) => {
            io.send(transmit, &mut input.packet);
            None
        }
        Handled::Consumed | Handled::Foreign => None,
    }
}

/// Drains the machine and fires its timer until it wants nothing more at `now`. Returns when to come back.
///
/// To be called after every tell and command (rule 1). `None` means that only an arrival, a notice or a command can make
/// anything happen. If `io` was not ready, the wake-up may be in the past: come back when it is.
///
/// # Panics
///
/// In debug builds, if the machine never stops asking for *now*, which breaks rule 2.
///
/// ```
/// use ginnel_core::{Instant, Io, Machine, settle};
///
/// /// Runs a machine in virtual time until it is closed or stuck: what a simulator does between arrivals.
/// fn run<M: Machine>(machine: &mut M, io: &mut impl Io<M::Event>) -> Instant {
///     let (mut now, mut buf) = (Instant::EPOCH, [0; 2048]);
///     while let Some(wake) = settle(machine, now, &mut buf, io) {
///         now = wake.at;
///     }
///     now
/// }
/// ```
pub fn settle<M: Machine + ?Sized>(
    machine: &mut M,
    now: Instant,
    buf: &mut Buffer,
    io: &mut impl Io<M::Event>,
) -> Option<Wake> {
    for _ in 0..SETTLE_ROUNDS {
        while io.ready() {
            let mut packet = Packet::empty(buf);
            let Some(transmit) = machine.poll_transmit(now, &mut packet) else { break };
            io.send(transmit, &mut packet);
        }
        let mut news = false;
        while let Some(request) = machine.poll_request() {
            if let Some(notice) = io.request(request) {
                machine.handle_notice(now, notice);
                news = true;
            }
        }
        while let Some(event) = machine.poll_event() {
            io.event(event);
        }
        match machine.poll_timeout() {
            Some(wake) if wake.at <= now && io.ready() => machine.handle_timeout(now),
            // A notice may have made something due, to be drained before anybody waits.
            _ if news => {}
            wake => return wake,
        }
    }
    debug_assert!(false, "rule 2: a machine asks for `now` for ever: {:?}", machine.poll_timeout());
    machine.poll_timeout()
}

/// More rounds than any machine needs; fewer than would be noticed.
const SETTLE_ROUNDS: usize = 1_000;
