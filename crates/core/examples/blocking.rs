//! A whole blocking driver: one UDP socket, any machine, no runtime.
//!
//! `cargo run -p ginnel-core --example blocking` plays ping-pong between two machines on two loopback sockets.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use ginnel_core::{
    HEADROOM, Handled, Instant, Io, Machine, Notice, Packet, Path, Receive, Refused, Request, Transmit, Wake,
    machine, receive, settle,
};

/// Plays, and prints how many pings were answered.
fn main() -> io::Result<()> {
    println!("answers over loopback: {}", play(5)?);
    Ok(())
}

// ---- the driver: from here ...

/// The other half of the loop in `drive`: one socket, and whoever wants the events.
struct Udp<'s, F> {
    socket: &'s UdpSocket,
    on_event: F,
}

impl<E, F: FnMut(E)> Io<E> for Udp<'_, F> {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        // UDP may lose it, here already: the machine retransmits what matters.
        let _ = self.socket.send_to(packet.bytes(), transmit.path.remote);
    }

    fn request(&mut self, request: Request) -> Option<Notice> {
        request.refuse(Refused::Unsupported)
    }

    fn event(&mut self, event: E) {
        (self.on_event)(event);
    }
}

/// Drives one machine over one socket until it is closed.
fn drive<M: Machine>(
    machine: &mut M,
    socket: &UdpSocket,
    on_event: impl FnMut(M::Event),
    mut on_data: impl FnMut(&mut M, M::Data, &mut Receive<'_>),
) -> io::Result<()> {
    // `Epoch` does this with the feature `std`; a driver is where reading the clock is right.
    #[allow(clippy::disallowed_methods)]
    let start = std::time::Instant::now();
    let clock = || Instant::from_epoch(start.elapsed());
    let (local, mut buf, mut io) = (socket.local_addr()?, [0; 2048], Udp { socket, on_event });
    loop {
        let now = clock();
        let wake = settle(machine, now, &mut buf, &mut io);
        if machine.is_closed() {
            return Ok(());
        }
        // Timers wake at or after their instant; a timeout of zero would mean none.
        let wait = wake.map(|wake| wake.at.saturating_since(now).max(Duration::from_millis(1)));
        socket.set_read_timeout(wait)?;
        let Ok((len, remote)) = socket.recv_from(&mut buf[HEADROOM..]) else { continue }; // the wake-up
        let Some(packet) = Packet::received(&mut buf, HEADROOM..HEADROOM + len) else { continue };
        let mut input = Receive::new(Path::udp(local, remote), packet);
        if let Some(data) = receive(machine, clock(), &mut input, &mut io) {
            on_data(machine, data, &mut input);
        }
    }
}

// ---- ... to here. What follows is a toy for it to drive.

/// Sends a number until it is answered, then the next smaller one; the last is 0.
#[derive(Debug)]
struct Ping {
    path: Path,
    number: u8,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Due,
    Waiting { until: Instant },
    Done { told: bool },
}

impl Ping {
    fn new(path: Path, pings: u8) -> Self {
        Self { path, number: pings.saturating_sub(1), state: State::Due }
    }

    fn handle_input(&mut self, _now: Instant, input: &mut Receive<'_>) -> Handled {
        match self.state {
            State::Done { .. } => return Handled::Foreign,
            _ if input.path != self.path => return Handled::Foreign,
            // An answer that came twice.
            _ if input.packet.bytes() != [self.number, self.number] => return Handled::Consumed,
            State::Due | State::Waiting { .. } => {}
        }
        match self.number.checked_sub(1) {
            Some(next) => (self.number, self.state) = (next, State::Due),
            None => self.state = State::Done { told: false },
        }
        Handled::Data(())
    }

    fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.state, State::Waiting { until } if until <= now) {
            self.state = State::Due;
        }
    }

    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        if self.state != State::Due {
            return None;
        }
        self.state = State::Waiting { until: now + Duration::from_millis(50) };
        packet.write(&[self.number]).ok()?;
        Some(Transmit::to(self.path))
    }

    fn poll_event(&mut self) -> Option<&'static str> {
        let State::Done { told } = &mut self.state else { return None };
        (!std::mem::replace(told, true)).then_some("done")
    }

    fn poll_timeout(&self) -> Option<Wake> {
        match self.state {
            State::Waiting { until } => Some(Wake::new(until, "ping: again")),
            State::Due | State::Done { .. } => None,
        }
    }

    fn close(&mut self, _now: Instant) {
        if !matches!(self.state, State::Done { .. }) {
            self.state = State::Done { told: false };
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }
}
machine!(impl [] Ping { Event = &'static str; Data = (); });

/// Answers each number over its question, and ends with the first 0.
#[derive(Debug)]
struct Pong {
    done: bool,
}

impl Pong {
    fn handle_input(&mut self, _now: Instant, input: &mut Receive<'_>) -> Handled {
        if self.done {
            return Handled::Foreign;
        }
        let &[number] = input.packet.bytes() else { return Handled::Consumed };
        self.done = number == 0;
        match input.packet.write(&[number, number]) {
            Ok(()) => Handled::Send(Transmit::to(input.path)),
            Err(_) => Handled::Consumed,
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
        None
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn poll_timeout(&self) -> Option<Wake> {
        None
    }

    fn close(&mut self, _now: Instant) {
        self.done = true;
    }

    fn is_closed(&self) -> bool {
        self.done
    }
}
machine!(impl [] Pong { Event = (); Data = (); });

/// Drives a `Ping` and a `Pong`, each with a socket and a thread of its own; how many pings were answered.
pub(crate) fn play(pings: u8) -> io::Result<usize> {
    let bind = || UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (ours, theirs) = (bind()?, bind()?);
    let path = Path::udp(ours.local_addr()?, theirs.local_addr()?);
    std::thread::scope(|threads| {
        let server = threads.spawn(|| drive(&mut Pong { done: false }, &theirs, |()| {}, |_, (), _| {}));
        let (mut answers, mut events) = (0, Vec::new());
        let mut client = Ping::new(path, pings);
        drive(&mut client, &ours, |event| events.push(event), |_, (), _| answers += 1)?;
        assert_eq!(events, ["done"]);
        server.join().map_err(|_| io::Error::other("the server's thread panicked"))??;
        Ok(answers)
    })
}
