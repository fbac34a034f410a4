//! A TURN client with something to do: allocates, does one task after the other through the relay, and is closed.

use std::{
    collections::VecDeque,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, mpsc::Sender},
    time::Duration,
};

use ginnel_core::{Handled, Instant, Notice, Packet, Receive, Request, Seed, Transmit, Wake, machine};
use ginnel_turn::client::{Client, ClientConfig, Connection, Event, Relayed, Socket};

/// The machine. Its events are the client's.
#[derive(Debug)]
pub struct Errand {
    client: Client,
    tasks: VecDeque<Task>,
    doing: Option<Doing>,
    done: usize,
    returned: usize,
    arrived: Arrived,
    events: VecDeque<Event>,
}

/// What has come from peers unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Datagrams.
    pub datagrams: usize,
    /// Octets of them.
    pub octets: usize,
}

/// Something to do through the relay.
#[derive(Clone, Debug)]
pub enum Task {
    /// Sends datagrams of several lengths to a peer who sends them back, each until it is back.
    Exchange(By, SocketAddr),
    /// Sends so many datagrams to a peer who sends them back, one at a time, and none again: how many come back is
    /// [`Errand::returned`].
    Pace(SocketAddr, usize),
    /// Tells the relayed address, and counts what comes from there until this holds: [`Errand::arrived`].
    Listen(IpAddr, Sender<SocketAddr>, Until),
    /// Sends a datagram to a peer, until ICMP says that it does not arrive.
    Lose(SocketAddr),
    /// Connects to a peer over TCP, who sends back what it gets (RFC 6062).
    Connect(SocketAddr),
    /// Tells the relayed address, takes the connection of a peer from there, and sends everything back until it ends.
    Accept(IpAddr, Sender<SocketAddr>),
    /// Moves to another socket (RFC 8016).
    Migrate(Socket),
    /// Refreshes the allocation.
    Refresh,
    /// Refreshes it, ten times a second, until this holds.
    RefreshUntil(Until),
    /// Goes on sending to a peer until the allocation was lost and there is another, in which the same is permitted again;
    /// who is told ends the first.
    Survive(SocketAddr, Sender<SocketAddr>),
}

/// Something that holds sooner or later.
#[derive(Clone)]
pub struct Until(Arc<dyn Fn() -> bool + Send + Sync>);

impl Until {
    /// As soon as this says so.
    #[must_use]
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }
}

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Until(..)")
    }
}

/// How a datagram gets to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Through a channel.
    Channel,
    /// In a Send indication.
    Send,
    /// In a Send indication with DONT-FRAGMENT.
    Unfragmented,
}

/// A task that is begun.
#[derive(Debug)]
enum Doing {
    /// The client was asked for something, and has not answered.
    Asked(Task),
    /// The message with this number is on its way there and back.
    Exchanging { by: By, peer: SocketAddr, number: usize, again: Instant },
    /// So many datagrams were sent, the next at this time.
    Pacing { peer: SocketAddr, count: usize, sent: usize, next: Instant },
    /// Something comes, or not; this is looked at next at this time.
    Listening { until: Until, again: Instant },
    /// A datagram is on its way to nobody.
    Losing { peer: SocketAddr, again: Instant },
    /// So many octets were sent and have come back on a connection.
    Streaming { connection: Connection, sent: usize, back: usize },
    /// A peer's connection is echoed.
    Echoing { connection: Connection },
    /// Refreshed now and then, next at this time.
    Refreshing { until: Until, again: Instant },
    /// The allocation was there, or is not there.
    Surviving { peer: SocketAddr, lost: bool, again: Instant },
}

/// Lengths of datagrams: none, around the padding of ChannelData and attributes, and nearly as large as an MTU lets pass.
const LENGTHS: [usize; 8] = [0, 1, 2, 3, 4, 5, 160, 1200];
/// After how long a datagram is sent again: it may be lost on a busy machine.
const AGAIN: Duration = Duration::from_millis(500);
/// Between two datagrams that are not waited for; and how long the last may take.
const PACE: Duration = Duration::from_millis(5);
const LAST: Duration = Duration::from_secs(2);
/// How often the allocation is refreshed, and a condition looked at.
const TENTH: Duration = Duration::from_millis(100);
/// What is streamed over TCP: pieces of this length, so many octets.
const PIECE: usize = 1000;
const STREAM: usize = 64 * PIECE;

impl Errand {
    /// A client of this config, and what it has to do. It begins when the driver does.
    #[must_use]
    pub fn new(config: ClientConfig, seed: Seed, tasks: impl Into<VecDeque<Task>>) -> Self {
        let client = Client::new(Instant::EPOCH, config, seed);
        Self {
            client,
            tasks: tasks.into(),
            doing: None,
            done: 0,
            returned: 0,
            arrived: Arrived::default(),
            events: VecDeque::new(),
        }
    }

    /// The client, to look at.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How many tasks were done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// How many datagrams came back of those that were paced.
    #[must_use]
    pub fn returned(&self) -> usize {
        self.returned
    }

    /// What came while it was listened for.
    #[must_use]
    pub fn arrived(&self) -> Arrived {
        self.arrived
    }

    /// Begins the next task, or ends.
    fn go_on(&mut self, now: Instant) {
        let Some(task) = self.tasks.pop_front() else {
            self.doing = None;
            return self.client.close(now);
        };
        match &task {
            Task::Exchange(By::Channel, peer) | Task::Pace(peer, _) => self.client.bind_channel(now, *peer),
            Task::Exchange(_, peer) | Task::Lose(peer) => self.client.permit(now, peer.ip()),
            Task::Connect(peer) => self.client.connect(now, *peer).map(drop),
            Task::Accept(ip, _) | Task::Listen(ip, ..) => self.client.permit(now, *ip),
            Task::Migrate(socket) => self.client.migrate(now, *socket),
            Task::Refresh => {
                self.client.refresh(now);
                Ok(())
            }
            Task::RefreshUntil(_) | Task::Survive(..) => Ok(()),
        }
        .unwrap_or_else(|e| panic!("{task:?}: {e} of {:?}", self.client.allocated()));
        // What is there already is not told again.
        let ready = match &task {
            Task::Exchange(By::Channel, peer) | Task::Pace(peer, _) => {
                self.client.channel(now, *peer).is_some()
            }
            Task::Listen(ip, ..) => self.client.is_permitted(now, *ip),
            Task::Exchange(_, peer) | Task::Lose(peer) => self.client.is_permitted(now, peer.ip()),
            Task::RefreshUntil(_) | Task::Survive(..) => true,
            _ => false,
        };
        if ready { self.begin(now, task) } else { self.doing = Some(Doing::Asked(task)) }
    }

    /// What was asked for is there.
    fn begin(&mut self, now: Instant, task: Task) {
        self.doing = Some(match task {
            Task::Exchange(by, peer) => Doing::Exchanging { by, peer, number: 0, again: now },
            Task::Lose(peer) => Doing::Losing { peer, again: now },
            Task::Pace(peer, count) => Doing::Pacing { peer, count, sent: 0, next: now },
            Task::Listen(_, tell, until) => {
                self.tell(&tell);
                Doing::Listening { until, again: now + TENTH }
            }
            Task::RefreshUntil(until) => Doing::Refreshing { until, again: now },
            Task::Survive(peer, tell) => {
                self.tell(&tell);
                Doing::Surviving { peer, lost: false, again: now }
            }
            other => Doing::Asked(other),
        });
    }

    fn tell(&self, tell: &Sender<SocketAddr>) {
        let relayed = self.client.allocated().and_then(|allocated| allocated.relayed.iter().next());
        let _ = tell.send(relayed.expect("there is an allocation"));
    }

    fn finish(&mut self, now: Instant) {
        self.done += 1;
        self.go_on(now);
    }

    /// Takes the client's events.
    fn listen(&mut self, now: Instant) {
        while let Some(event) = self.client.poll_event() {
            self.heed(now, &event);
            self.events.push_back(event);
        }
    }

    fn heed(&mut self, now: Instant, event: &Event) {
        match (event, self.doing.take()) {
            (Event::Allocated(_), None) => self.go_on(now),
            (Event::Lost { .. }, Some(Doing::Surviving { peer, again, .. })) => {
                self.doing = Some(Doing::Surviving { peer, lost: true, again });
            }
            (Event::Allocated(_), Some(Doing::Surviving { lost: true, .. }))
            | (Event::Moved { .. }, Some(Doing::Asked(Task::Migrate(_))))
            | (Event::Refreshed { .. }, Some(Doing::Asked(Task::Refresh)))
            | (Event::IcmpError { .. }, Some(Doing::Losing { .. }))
            | (Event::Disconnected { .. }, Some(Doing::Echoing { .. })) => self.finish(now),
            (Event::PermissionReady { ip }, Some(Doing::Asked(Task::Accept(peer, tell)))) if *ip == peer => {
                self.tell(&tell);
                self.doing = Some(Doing::Asked(Task::Accept(peer, tell)));
            }
            (
                Event::PermissionReady { .. },
                Some(Doing::Asked(task @ (Task::Exchange(By::Channel, _) | Task::Pace(..)))),
            ) => {
                self.doing = Some(Doing::Asked(task));
            }
            (
                Event::PermissionReady { .. } | Event::ChannelBound { .. },
                Some(Doing::Asked(
                    task @ (Task::Exchange(..) | Task::Lose(_) | Task::Pace(..) | Task::Listen(..)),
                )),
            ) => self.begin(now, task),
            (Event::ConnectionAttempt { connection, .. }, Some(doing)) => {
                self.client.accept(now, *connection).expect("a connection that was offered");
                self.doing = Some(doing);
            }
            (Event::Connected { connection, .. }, Some(Doing::Asked(Task::Connect(_)))) => {
                self.doing = Some(Doing::Streaming { connection: *connection, sent: 0, back: 0 });
            }
            (Event::Connected { connection, .. }, Some(Doing::Asked(Task::Accept(..)))) => {
                self.doing = Some(Doing::Echoing { connection: *connection });
            }
            (
                Event::PermissionFailed { .. }
                | Event::ChannelFailed { .. }
                | Event::ConnectFailed { .. }
                | Event::MoveFailed { .. },
                _,
            ) => self.client.close(now),
            (_, doing) => self.doing = doing,
        }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        let handled = match self.client.handle_input(now, input) {
            Handled::Consumed => Handled::Consumed,
            Handled::Send(transmit) => Handled::Send(transmit),
            Handled::Foreign => Handled::Foreign,
            Handled::Data(relayed) => self.take(now, relayed, input),
        };
        self.listen(now);
        handled
    }

    /// Something has come from a peer.
    fn take(&mut self, now: Instant, relayed: Relayed, input: &mut Receive<'_>) -> Handled {
        let octets = input.packet.bytes();
        match (relayed, &mut self.doing) {
            (Relayed::Datagram { channel }, Some(Doing::Exchanging { by, peer, number, again }))
                if input.path.remote == *peer && octets == payload(*number) =>
            {
                assert_eq!(channel.is_some(), *by == By::Channel, "{by:?}: it came by another way");
                *number += 1;
                *again = now;
                if *number == LENGTHS.len() {
                    self.finish(now);
                }
            }
            (Relayed::Datagram { .. }, Some(Doing::Pacing { peer, count, .. }))
                if input.path.remote == *peer =>
            {
                self.returned += 1;
                if self.returned == *count {
                    self.finish(now);
                }
            }
            (Relayed::Datagram { .. }, Some(Doing::Listening { .. })) => {
                self.arrived.datagrams += 1;
                self.arrived.octets += octets.len();
            }
            (Relayed::Octets { connection: from }, Some(Doing::Streaming { connection, back, .. }))
                if from == *connection =>
            {
                let expected: Vec<u8> = (*back..*back + octets.len()).map(octet).collect();
                assert_eq!(octets, expected, "octets came back changed");
                *back += octets.len();
                if *back == STREAM {
                    self.client.disconnect(now, from);
                    self.finish(now);
                }
            }
            (Relayed::Octets { connection: from }, Some(Doing::Echoing { connection }))
                if from == *connection =>
            {
                return match self.client.send_octets(now, from, &mut input.packet) {
                    Ok(transmit) => Handled::Send(transmit),
                    Err(why) => panic!("the echo cannot be sent: {why}"),
                };
            }
            _ => {}
        }
        Handled::Consumed
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        if let Some(Doing::Refreshing { until, again }) = &mut self.doing
            && *again <= now
        {
            *again = now + TENTH;
            if until.0() { self.finish(now) } else { self.client.refresh(now) }
        }
        match &mut self.doing {
            Some(Doing::Listening { until, again }) if *again <= now => {
                *again = now + TENTH;
                if until.0() {
                    self.finish(now);
                }
            }
            Some(Doing::Pacing { count, sent, next, .. }) if sent == count && *next <= now => {
                self.finish(now)
            }
            _ => {}
        }
        self.listen(now);
    }
    pub(crate) fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.client.handle_notice(now, notice);
        self.listen(now);
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let transmit = self.client.poll_transmit(now, packet);
        self.listen(now);
        if transmit.is_some() {
            return transmit;
        }
        packet.clear();
        let sent = match &mut self.doing {
            Some(Doing::Exchanging { by, peer, number, again }) if *again <= now => {
                *again = now + AGAIN;
                packet.write(&payload(*number)).expect("room for a datagram");
                match by {
                    By::Unfragmented => self.client.send_unfragmented(now, *peer, packet),
                    By::Channel | By::Send => self.client.send(now, *peer, packet),
                }
            }
            Some(Doing::Pacing { peer, count, sent, next }) if *sent < *count && *next <= now => {
                *sent += 1;
                *next = now + if *sent == *count { LAST } else { PACE };
                packet.write(&payload(LENGTHS.len() - 2)).expect("room for a datagram");
                self.client.send(now, *peer, packet)
            }
            Some(Doing::Surviving { peer, lost: false, again }) if *again <= now => {
                *again = now + AGAIN;
                packet.write(&payload(1)).expect("room for a datagram");
                // Between two allocations there is none to send through.
                return self.client.send(now, *peer, packet).ok();
            }
            Some(Doing::Losing { peer, again }) if *again <= now => {
                *again = now + AGAIN;
                packet.write(&payload(1)).expect("room for a datagram");
                self.client.send(now, *peer, packet)
            }
            Some(Doing::Streaming { connection, sent, .. }) if *sent < STREAM => {
                let piece: Vec<u8> = (*sent..*sent + PIECE).map(octet).collect();
                *sent += PIECE;
                packet.write(&piece).expect("room for a piece");
                self.client.send_octets(now, *connection, packet)
            }
            _ => return None,
        };
        Some(sent.unwrap_or_else(|e| panic!("{:?}: {e}", self.doing)))
    }

    pub(crate) fn poll_request(&mut self) -> Option<Request> {
        self.client.poll_request()
    }
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    pub(crate) fn poll_timeout(&self) -> Option<Wake> {
        let again = match &self.doing {
            Some(
                Doing::Exchanging { again, .. }
                | Doing::Losing { again, .. }
                | Doing::Listening { again, .. }
                | Doing::Pacing { next: again, .. }
                | Doing::Surviving { lost: false, again, .. }
                | Doing::Refreshing { again, .. },
            ) => Some(Wake::new(*again, "errand: again")),
            _ => None,
        };
        Wake::soonest([self.client.poll_timeout(), again])
    }
    pub(crate) fn close(&mut self, now: Instant) {
        self.client.close(now);
        self.listen(now);
    }
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed() && self.events.is_empty()
    }
}
machine!(impl [] Errand { Event = Event; Data = (); } [requests]);

/// The message with this number.
fn payload(number: usize) -> Vec<u8> {
    (0..LENGTHS[number]).map(|i| octet(i + number)).collect()
}

/// What stands at this place of a stream.
fn octet(place: usize) -> u8 {
    (place % 251) as u8
}
