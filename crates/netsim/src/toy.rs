//! Two small machines to try a network with: [`Ping`] sends numbered datagrams, [`Echo`] sends back what comes.
//!
//! They also show how little a machine is: each opens a socket, and one has a timer.

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use alloc::collections::VecDeque;
use ginnel_core::{
    Handled, Instant, Notice, Packet, Path, Port, Receive, Refused, Request, Ticket, Transmit, Transport,
    Wake, machine,
};

use crate::ToIp;

/// What happens to either machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The socket is open.
    Opened(SocketAddr),
    /// The socket was refused.
    Refused(Refused),
    /// The socket is gone.
    Lost(SocketAddr),
    /// The machine has ended.
    Closed,
}

/// The socket that both machines have, from the wish to the end.
#[derive(Debug)]
struct Socket {
    wish: Option<Request>,
    local: Option<SocketAddr>,
    events: VecDeque<Event>,
    closed: bool,
}

impl Socket {
    fn new(ip: IpAddr, port: Port) -> Self {
        let wish = Some(Request::Bind { ticket: Ticket(0), ip, port });
        Self { wish, local: None, events: VecDeque::new(), closed: false }
    }
    fn handle_notice(&mut self, notice: Notice) {
        let event = match notice {
            Notice::Opened { result: Ok(local), .. } => {
                self.local = Some(local);
                Event::Opened(local)
            }
            Notice::Opened { result: Err(why), .. } => Event::Refused(why),
            Notice::Lost { local, .. } => {
                self.local = None;
                Event::Lost(local)
            }
            // They play over datagrams, and find out by silence.
            Notice::Accepted { .. } | Notice::Spliced { .. } | Notice::Unreachable { .. } => return,
        };
        self.events.push_back(event);
    }
    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.wish = self.local.take().map(|local| Request::Release {
                transport: Transport::Udp,
                local,
                remote: None,
            });
            self.events.push_back(Event::Closed);
        }
    }
}

/// Sends back what comes, to whom it came from.
#[derive(Debug)]
pub struct Echo {
    socket: Socket,
}

impl Echo {
    /// An echo at this address. A multicast address joins the group.
    #[must_use]
    pub fn new(ip: impl ToIp, port: u16) -> Self {
        Self { socket: Socket::new(ip.to_ip(), Port::Exact(port)) }
    }
    /// An echo at any port of this address.
    #[must_use]
    pub fn anywhere(ip: impl ToIp) -> Self {
        Self { socket: Socket::new(ip.to_ip(), Port::Any) }
    }
    /// Where its socket is, once it is open.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.socket.local
    }
    /// See [`Machine`](ginnel_core::Machine), as for all that follow.
    pub fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        match self.socket.local {
            Some(local) if local == input.path.local => Handled::Send(Transmit::to(input.path)),
            _ => Handled::Foreign,
        }
    }
    /// Has no timer.
    pub fn handle_timeout(&mut self, _: Instant) {}
    /// The socket.
    pub fn handle_notice(&mut self, _: Instant, notice: Notice) {
        self.socket.handle_notice(notice);
    }
    /// Has nothing to say of its own accord.
    pub fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    /// The socket.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.socket.wish.take()
    }
    /// See [`Event`].
    pub fn poll_event(&mut self) -> Option<Event> {
        self.socket.events.pop_front()
    }
    /// Has no timer.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    /// Gives the socket back.
    pub fn close(&mut self, _: Instant) {
        self.socket.close();
    }
    /// Whether it has.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.socket.closed && self.socket.wish.is_none() && self.socket.events.is_empty()
    }
}
machine!(impl [] Echo { Event = Event; Data = (); } [requests]);

/// Sends datagrams with the numbers 0, 1, 2, ... at a fixed interval, and hands up the numbers that come, as data.
#[derive(Debug)]
pub struct Ping {
    socket: Socket,
    to: SocketAddr,
    every: Duration,
    left: u32,
    next: u32,
    at: Option<Instant>,
    due: bool,
    size: usize,
}

impl Ping {
    /// `count` pings to `to`, from any port of `ip`, one at once and then one `every` so often.
    #[must_use]
    pub fn new(ip: impl ToIp, to: SocketAddr, count: u32, every: Duration) -> Self {
        let socket = Socket::new(ip.to_ip(), Port::Any);
        Self { socket, to, every, left: count, next: 0, at: None, due: false, size: 4 }
    }
    /// The payload of each, 4 to 1,200 octets; 4 otherwise.
    #[must_use]
    pub fn with_size(self, octets: usize) -> Self {
        Self { size: octets.clamp(4, 1_200), ..self }
    }
    /// Where its socket is, once it is open.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.socket.local
    }
    /// `count` more, from now on.
    pub fn ping(&mut self, now: Instant, count: u32) {
        self.left += count;
        self.at = self.at.or(Some(now));
    }
    /// A number is data; what is too short to be one is foreign.
    pub fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled<u32> {
        match input.packet.bytes().first_chunk() {
            Some(number) if self.socket.local == Some(input.path.local) => {
                Handled::Data(u32::from_be_bytes(*number))
            }
            _ => Handled::Foreign,
        }
    }
    /// The next ping is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.at.is_some_and(|at| at <= now) {
            self.at = None;
            self.due = self.left > 0 && self.socket.local.is_some();
        }
    }
    /// The socket; once it is open the first ping is due.
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.socket.handle_notice(notice);
        self.at = self.socket.local.map(|_| now);
    }
    /// The ping that is due.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let local = self.socket.local?;
        if !core::mem::take(&mut self.due) {
            return None;
        }
        packet.clear();
        packet.append(&self.next.to_be_bytes()).ok()?;
        packet.append(&[0; 1_200][..self.size - 4]).ok()?;
        self.next = self.next.wrapping_add(1);
        self.left -= 1;
        self.at = (self.left > 0).then(|| now + self.every);
        Some(Transmit::to(Path::udp(local, self.to)))
    }
    /// The socket.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.socket.wish.take()
    }
    /// See [`Event`].
    pub fn poll_event(&mut self) -> Option<Event> {
        self.socket.events.pop_front()
    }
    /// The next ping.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        Some(Wake::new(self.at?, "ping: next"))
    }
    /// Gives the socket back.
    pub fn close(&mut self, _: Instant) {
        self.at = None;
        self.due = false;
        self.socket.close();
    }
    /// Whether it has.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.socket.closed && self.socket.wish.is_none() && self.socket.events.is_empty()
    }
}
machine!(impl [] Ping { Event = Event; Data = u32; } [requests]);
