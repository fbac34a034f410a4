//! A machine that does as the test says, and an application that writes down what comes.

use std::{collections::VecDeque, net::SocketAddr};

use ginnel_core::{
    Alpn, Framing, Handled, HostName, Instant, Notice, Packet, Path, Port, Receive, Refused, Request, Ticket,
    Transmit, Transport, Wake, machine,
};

use super::LOCALHOST;
use crate::App;

/// Asks for what it is told to, says what it is told to, and sends back what comes, if it is told to.
#[derive(Debug, Default)]
pub(super) struct Node {
    requests: VecDeque<Request>,
    outbox: VecDeque<(Path, Vec<u8>)>,
    told: VecDeque<Notice>,
    echo: bool,
    at_message: Option<Request>,
    closed: bool,
}

impl Node {
    pub(super) fn echo() -> Self {
        Self { echo: true, ..Self::default() }
    }
    pub(super) fn ask(&mut self, request: Request) {
        self.requests.push_back(request);
    }
    pub(super) fn say(&mut self, path: Path, message: &[u8]) {
        self.outbox.push_back((path, message.to_vec()));
    }
    /// Asks for this when the next message comes.
    pub(super) fn ask_at_message(&mut self, request: Request) {
        self.at_message = Some(request);
    }
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        self.requests.extend(self.at_message.take());
        match (self.closed, self.echo) {
            (true, _) => Handled::Foreign,
            (false, true) => Handled::Send(Transmit::to(input.path)),
            (false, false) => Handled::Data(()),
        }
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_notice(&mut self, _: Instant, notice: Notice) {
        self.told.push_back(notice);
    }
    fn poll_transmit(&mut self, _: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let (path, message) = self.outbox.pop_front()?;
        packet.write(&message).ok()?;
        Some(Transmit::to(path))
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
    fn poll_event(&mut self) -> Option<Notice> {
        self.told.pop_front()
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    pub(super) fn close(&mut self, _: Instant) {
        self.closed = true;
    }
    fn is_closed(&self) -> bool {
        self.closed
    }
}
machine!(impl [] Node { Event = Notice; Data = (); } [requests]);

/// What a node was told, and what has come to it.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) notices: Vec<Notice>,
    pub(super) messages: Vec<(Path, Vec<u8>)>,
}

impl App<Node> for Log {
    fn event(&mut self, _: Instant, _: &mut Node, notice: Notice) {
        self.notices.push(notice);
    }
    fn data(&mut self, _: Instant, _: &mut Node, (): (), input: &mut Receive<'_>) -> Option<Transmit> {
        self.messages.push((input.path, input.packet.bytes().to_vec()));
        None
    }
}

impl Log {
    /// What became of a request.
    pub(super) fn opened(&self, asked: Ticket) -> Option<Result<SocketAddr, Refused>> {
        self.notices.iter().find_map(|notice| match notice {
            Notice::Opened { ticket, result } if *ticket == asked => Some(*result),
            _ => None,
        })
    }
    pub(super) fn accepted(&self) -> Vec<Path> {
        let accepted = |notice: &Notice| match notice {
            Notice::Accepted { path, .. } => Some(*path),
            _ => None,
        };
        self.notices.iter().filter_map(accepted).collect()
    }
    pub(super) fn lost(&self, path: Path) -> bool {
        self.notices.iter().any(|notice| notice.ends(path))
    }
    pub(super) fn bytes(&self) -> Vec<&[u8]> {
        self.messages.iter().map(|(_, message)| &message[..]).collect()
    }
}

pub(super) const fn listen(transport: Transport, framing: Framing) -> Request {
    Request::Listen { ticket: LISTEN, transport, ip: LOCALHOST, port: Port::Any, framing }
}

pub(super) fn connect(transport: Transport, remote: SocketAddr, framing: Framing) -> Request {
    named(transport, remote, framing, None, None)
}

pub(super) fn named(
    transport: Transport,
    remote: SocketAddr,
    framing: Framing,
    host: Option<HostName>,
    alpn: Option<Alpn>,
) -> Request {
    Request::Connect { ticket: CONNECT, transport, local: None, remote, framing, host, alpn }
}

pub(super) const LISTEN: Ticket = Ticket(1);
pub(super) const CONNECT: Ticket = Ticket(2);
