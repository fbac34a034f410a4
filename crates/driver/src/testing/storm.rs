//! Machines that only the tests of the loop need.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{
    Framing, Handled, Instant, Notice, Packet, Path, Port, Receive, Refused, Request, Ticket, Transmit,
    Transport, Wake, machine,
};

use super::node::{CONNECT, LISTEN, connect};

/// Answers itself: so many datagrams go round in one socket for ever, or messages in one stream to and fro, until it has
/// answered enough. A timer ticks beside.
#[derive(Debug)]
pub struct Storm {
    wish: Option<Request>,
    /// Where it listens for its own stream.
    listens: Option<SocketAddr>,
    path: Option<Path>,
    start: u32,
    answered: u64,
    enough: u64,
    mark: Option<u64>,
    every: Duration,
    tick: Option<Instant>,
    fired: u32,
    closed: bool,
}

/// So many datagrams have been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub u64);

impl Storm {
    /// A storm of `width` datagrams at a time. It marks every thousandth answer.
    #[must_use]
    pub fn new(ip: IpAddr, width: u32, enough: u64, every: Duration) -> Self {
        let wish = Some(Request::Bind { ticket: Ticket(0), ip, port: Port::Any });
        Self {
            wish,
            listens: None,
            path: None,
            start: width,
            answered: 0,
            enough,
            mark: None,
            every,
            tick: None,
            fired: 0,
            closed: false,
        }
    }
    /// The same in a TCP stream.
    #[must_use]
    pub fn over_tcp(ip: IpAddr, width: u32, enough: u64, every: Duration) -> Self {
        let framing = Framing::Rfc4571;
        let wish =
            Request::Listen { ticket: LISTEN, transport: Transport::Tcp, ip, port: Port::Any, framing };
        Self { wish: Some(wish), ..Self::new(ip, width, enough, every) }
    }
    pub fn answered(&self) -> u64 {
        self.answered
    }
    pub fn fired(&self) -> u32 {
        self.fired
    }
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        if self.closed || !self.path.is_some_and(|path| input.path == path || input.path == path.reversed()) {
            return Handled::Foreign;
        }
        self.answered += 1;
        if self.answered.is_multiple_of(1_000) {
            self.mark = Some(self.answered);
        }
        if self.answered >= self.enough {
            self.close(now);
            return Handled::Consumed;
        }
        Handled::Send(Transmit::to(input.path))
    }
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.tick.is_some_and(|at| at <= now) {
            self.fired += 1;
            self.tick = Some(now + self.every);
        }
    }
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        let Notice::Opened { ticket, result: Ok(local) } = notice else { return };
        self.path = match (ticket, self.listens) {
            (LISTEN, _) => {
                self.listens = Some(local);
                self.wish = Some(connect(Transport::Tcp, local, Framing::Rfc4571));
                return;
            }
            (CONNECT, Some(listens)) => Some(Path::new(Transport::Tcp, local, listens)),
            _ => Some(Path::udp(local, local)),
        };
        self.tick = Some(now + self.every);
    }
    pub fn poll_transmit(&mut self, _: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let path = self.path.filter(|_| self.start > 0)?;
        self.start -= 1;
        packet.clear();
        packet.append(&[7; 200]).ok()?;
        Some(Transmit::to(path))
    }
    pub fn poll_request(&mut self) -> Option<Request> {
        self.wish.take()
    }
    pub fn poll_event(&mut self) -> Option<Mark> {
        self.mark.take().map(Mark)
    }
    pub fn poll_timeout(&self) -> Option<Wake> {
        Some(Wake::new(self.tick?, "storm: tick"))
    }
    pub fn close(&mut self, _: Instant) {
        self.closed = true;
        self.tick = None;
    }
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}
machine!(impl [] Storm { Event = Mark; Data = (); } [requests]);

/// A member of a group, who says one thing when told to and hands up all it hears.
#[derive(Debug)]
pub(super) struct Hearer {
    wish: Option<Request>,
    opened: Option<Result<SocketAddr, Refused>>,
    shout: bool,
    closed: bool,
}
impl Hearer {
    pub(super) fn new(ip: IpAddr, port: u16) -> Self {
        let wish = Some(Request::Bind { ticket: Ticket(0), ip, port: Port::Exact(port) });
        Self { wish, opened: None, shout: false, closed: false }
    }
    pub(super) fn shout(&mut self) {
        self.shout = true;
    }
    pub(super) fn refused(&self) -> Option<Refused> {
        self.opened?.err()
    }
    fn handle_input(&mut self, _: Instant, _: &mut Receive<'_>) -> Handled {
        if self.closed { Handled::Foreign } else { Handled::Data(()) }
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_notice(&mut self, _: Instant, notice: Notice) {
        if let Notice::Opened { result, .. } = notice {
            self.opened = Some(result);
        }
    }
    fn poll_transmit(&mut self, _: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let group = self.opened?.ok().filter(|_| std::mem::take(&mut self.shout))?;
        packet.clear();
        packet.append(b"hello").ok()?;
        Some(Transmit::to(Path::udp(group, group)))
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.wish.take()
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _: Instant) {
        self.closed = true;
    }
    fn is_closed(&self) -> bool {
        self.closed
    }
}
machine!(impl [] Hearer { Event = (); Data = (); } [requests]);
