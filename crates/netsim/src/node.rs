//! A machine in the simulation, and the application that lives with it.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::{any::Any, fmt};

use ginnel_core::{
    Buffer, Ecn, Handled, Instant, Io, Machine, Notice, Packet, Path, Receive, Request, Transmit, Wake,
    receive, settle,
};

use crate::{HostId, net::Net};

/// How many events, and how many pieces of data, are kept for a test to fetch; the oldest go first.
const MAX_KEPT: usize = 65_536;
/// More rounds of events and commands, at one instant, than any application needs.
const APPLICATION_ROUNDS: usize = 1_000;

/// Data that a machine handed up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received<D> {
    /// When.
    pub at: Instant,
    /// What the machine said of it.
    pub data: D,
    /// Where it came from, as the machine left it: data from a relay arrives on the relayed address.
    pub path: Path,
    /// The congestion mark.
    pub ecn: Ecn,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What to do with an event, as it happens.
pub(crate) type OnEvent<M> = Box<dyn FnMut(&mut M, Instant, &<M as Machine>::Event)>;
/// What to do with data, as it comes.
pub(crate) type OnData<M> =
    Box<dyn FnMut(&mut M, Instant, &<M as Machine>::Data, &mut Receive<'_>) -> Option<Transmit>>;

/// A machine with all that the simulation keeps for it.
pub(crate) struct Node<M: Machine> {
    pub(crate) machine: M,
    pub(crate) events: VecDeque<(Instant, M::Event)>,
    pub(crate) data: VecDeque<Received<M::Data>>,
    pub(crate) on_event: Option<OnEvent<M>>,
    pub(crate) on_data: Option<OnData<M>>,
}

/// A node of any type, as the simulation drives it.
pub(crate) trait AnyNode: Any {
    fn receive(&mut self, at: Seat<'_>, input: &mut Receive<'_>);
    fn notice(&mut self, at: Seat<'_>, notice: Notice);
    fn settle(&mut self, at: Seat<'_>, buf: &mut Buffer) -> Option<Wake>;
    fn timeout(&mut self, now: Instant);
    fn is_closed(&self) -> bool;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}
impl fmt::Debug for dyn AnyNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node {{ closed: {} }}", self.is_closed())
    }
}

/// Where a node sits: its host, its number, and the network around it.
#[derive(Debug)]
pub(crate) struct Seat<'n> {
    pub(crate) net: &'n mut Net,
    pub(crate) host: HostId,
    pub(crate) node: usize,
}

impl<M: Machine> Node<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self { machine, events: VecDeque::new(), data: VecDeque::new(), on_event: None, on_data: None }
    }

    /// Shows new events to the application, and keeps them. Returns whether there were any for it to act on.
    fn attend(&mut self, now: Instant, fresh: VecDeque<M::Event>) -> bool {
        let acted = !fresh.is_empty() && self.on_event.is_some();
        for event in fresh {
            if let Some(on_event) = &mut self.on_event {
                on_event(&mut self.machine, now, &event);
            }
            keep(&mut self.events, (now, event));
        }
        acted
    }
}

impl<M: Machine + 'static> AnyNode for Node<M> {
    fn receive(&mut self, at: Seat<'_>, input: &mut Receive<'_>) {
        let now = at.net.now;
        let mut port = SimIo { seat: at, fresh: VecDeque::new() };
        let data = receive(&mut Checked(&mut self.machine), now, input, &mut port);
        let SimIo { seat, fresh } = port;
        self.attend(now, fresh);
        let Some(data) = data else { return };
        let bytes = input.packet.bytes().to_vec();
        let (path, ecn) = (input.path, input.ecn);
        if let Some(on_data) = &mut self.on_data
            && let Some(transmit) = on_data(&mut self.machine, now, &data, input)
        {
            seat.net.send(seat.host, seat.node, transmit, &mut input.packet);
        }
        keep(&mut self.data, Received { at: now, data, path, ecn, bytes });
    }

    fn notice(&mut self, at: Seat<'_>, notice: Notice) {
        self.machine.handle_notice(at.net.now, notice);
    }

    fn settle(&mut self, at: Seat<'_>, buf: &mut Buffer) -> Option<Wake> {
        let now = at.net.now;
        let mut port = SimIo { seat: at, fresh: VecDeque::new() };
        for _ in 0..APPLICATION_ROUNDS {
            let wake = settle(&mut Checked(&mut self.machine), now, buf, &mut port);
            let fresh = core::mem::take(&mut port.fresh);
            if !self.attend(now, fresh) {
                return wake;
            }
        }
        panic!("events and commands chase each other for ever at one instant");
    }

    fn timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
    }
    fn is_closed(&self) -> bool {
        self.machine.is_closed()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn keep<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == MAX_KEPT {
        kept.pop_front();
    }
    kept.push_back(item);
}

/// The simulation as the other side of a machine.
struct SimIo<'n, E> {
    seat: Seat<'n>,
    fresh: VecDeque<E>,
}
impl<E> Io<E> for SimIo<'_, E> {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        self.seat.net.send(self.seat.host, self.seat.node, transmit, packet);
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        self.seat.net.request(self.seat.host, self.seat.node, request)
    }
    fn event(&mut self, event: E) {
        self.fresh.push_back(event);
    }
}

/// A machine that is held to the contract: what it calls foreign, it has not touched.
struct Checked<'m, M>(&'m mut M);
impl<M: Machine> Machine for Checked<'_, M> {
    type Event = M::Event;
    type Data = M::Data;

    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<M::Data> {
        let (path, before) = (input.path, input.packet.bytes().to_vec());
        let handled = self.0.handle_input(now, input);
        if matches!(handled, Handled::Foreign) {
            let untouched = input.path == path && input.packet.bytes() == before;
            assert!(untouched, "rule 9: a machine called an input foreign, and changed it");
        }
        handled
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }
    fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.0.handle_notice(now, notice);
    }
    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        self.0.poll_transmit(now, packet)
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.0.poll_request()
    }
    fn poll_event(&mut self) -> Option<M::Event> {
        self.0.poll_event()
    }
    fn poll_timeout(&self) -> Option<Wake> {
        self.0.poll_timeout()
    }
    fn close(&mut self, now: Instant) {
        self.0.close(now);
    }
    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}
