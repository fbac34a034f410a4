//! What every driver does.

use crate::{Buffer, Handled, Instant, Machine, Notice, Packet, Receive, Request, Transmit, Wake};

/// The other side of a machine: sockets, and whoever wants the events.
pub trait Io<E> {
    /// Whether another packet can be taken. When not, [`settle`] returns early, and loses nothing.
    fn ready(&self) -> bool {
        true
    }
    /// Takes one packet. Where the path is a stream, the driver applies its framing first.
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>);
    /// Takes one request; an outcome known at once may be returned at once.
    fn request(&mut self, request: Request) -> Option<Notice>;
    /// Takes one event.
    fn event(&mut self, event: E);
}
/// One arrival, in the right order: the machine, its events, its answer. `Some` is data, and its bytes are in `input`.
pub fn receive<M: Machine + ?Sized>(
    machine: &mut M,
    now: Instant,
    input: &mut Receive<'_>,
    io: &mut impl Io<M::Event>,
) -> Option<M::Data> {
    let handled = machine.handle_input(now, input);
    while let Some(event) = machine.poll_event() {
        io.event(event)
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
                news = true
            }
        }
        while let Some(event) = machine.poll_event() {
            io.event(event)
        }
        match machine.poll_timeout() {
            Some(wake) if wake.at <= now && io.ready() => machine.handle_timeout(now),
            _ if news => {}
            wake => return wake,
        }
    }
    debug_assert!(false, "rule 2: a machine asks for `now` for ever: {:?}", machine.poll_timeout());
    machine.poll_timeout()
}
/// More rounds than any machine needs; fewer than would be noticed.
const SETTLE_ROUNDS: usize = 1_000;
