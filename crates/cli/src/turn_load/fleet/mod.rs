//! Many TURN clients in one machine: who has what to do is known without looking at the others, so that the loop costs the
//! same with one client as with ten thousand.

mod member;
mod pace;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ginnel::{
    core::{Handled, Instant, Notice, Packet, Receive, Request, Seed, Transmit, Transport, Wake, machine},
    turn::client::{Client, ClientConfig, Event, FailureReason, Relayed, Socket},
};

use self::{
    member::{Member, Status},
    pace::Pace,
};
use super::{
    progress::Counters,
    report::Tally,
    stamp::{Arrival, Stamp},
};

/// What the clients of a fleet do.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Names the run in each packet.
    pub(super) run: u32,
    /// The number of the first of them, among all.
    pub(super) first: u32,
    /// How many there are.
    pub(super) clients: usize,
    /// Addresses of this host that they are at, in turn; never empty.
    pub(super) from: Vec<IpAddr>,
    /// Packets a second of each.
    pub(super) rate: f64,
    /// Packets that leave together, so many times less often.
    pub(super) burst: u32,
    /// Octets of each packet.
    pub(super) octets: usize,
    /// Through channels, or in Send indications.
    pub(super) channels: bool,
    /// Whom they send to; with `None` each sends to its neighbour in the fleet.
    pub(super) peer: Option<SocketAddr>,
    /// How many ask for an allocation at once.
    pub(super) at_once: usize,
}

/// Many clients, and what they have counted.
pub(super) struct Fleet {
    task: Task,
    config: ClientConfig,
    seed: Seed,
    members: Vec<Member>,
    /// Whose messages come in on a socket or stream.
    by_local: HashMap<(Transport, SocketAddr), usize>,
    /// Those that were told something and not asked since, each once.
    touched: VecDeque<usize>,
    requests: VecDeque<Request>,
    /// When each wants to be woken: not later than it does.
    wakes: BTreeSet<(Instant, usize)>,
    /// Those that have not begun, by their number.
    waiting: usize,
    /// Members that are being set up.
    setting_up: usize,
    pace: Option<Pace>,
    tally: Tally,
    counters: Arc<Counters>,
    payload: Vec<u8>,
    closed: bool,
}

impl Fleet {
    pub(super) fn new(
        now: Instant,
        task: Task,
        config: ClientConfig,
        seed: Seed,
        counters: Arc<Counters>,
    ) -> Self {
        let mut fleet = Self {
            members: Vec::with_capacity(task.clients),
            by_local: HashMap::with_capacity(task.clients),
            touched: VecDeque::new(),
            requests: VecDeque::new(),
            wakes: BTreeSet::new(),
            waiting: task.clients,
            setting_up: 0,
            pace: None,
            tally: Tally { clients: task.clients as u64, ..Tally::default() },
            counters,
            payload: vec![0x5A; task.octets],
            closed: false,
            task,
            config,
            seed,
        };
        fleet.begin_more(now);
        fleet
    }

    /// Packets leave from now on.
    pub(super) fn start(&mut self, now: Instant) {
        let ready = |(number, member): (usize, &Member)| (member.status == Status::Ready).then_some(number);
        let senders: Vec<usize> = self.members.iter().enumerate().filter_map(ready).collect();
        self.pace = Pace::new(now, senders, self.task.rate, self.task.burst);
    }

    /// No more packets leave; those on their way still count.
    pub(super) fn stop(&mut self, now: Instant) {
        if let Some(pace) = self.pace.take() {
            self.tally.unsent += pace.unsent(now);
        }
    }

    pub(super) fn into_tally(self) -> Tally {
        self.tally
    }

    // ---- setting up

    /// As many begin as may at once.
    fn begin_more(&mut self, now: Instant) {
        while self.waiting > 0 && self.setting_up < self.task.at_once && !self.closed {
            let number = self.members.len();
            let seed = self.seed.fork(&format!("client {number}"));
            let from = self.task.from.get(number % self.task.from.len().max(1)).copied();
            let config = self.config.clone().with_socket(Socket::Own(from));
            let client = Client::new(now, config, seed);
            self.members.push(Member::new(client, now));
            self.waiting -= 1;
            self.setting_up += 1;
            self.touch(number);
        }
    }

    /// A member's client was told something.
    fn touch(&mut self, number: usize) {
        if let Some(member) = self.members.get_mut(number)
            && !std::mem::replace(&mut member.touched, true)
        {
            self.touched.push_back(number);
        }
    }

    fn event(&mut self, now: Instant, number: usize, event: Event) {
        match event {
            Event::Allocated(allocated) => {
                let Some(member) = self.members.get_mut(number) else { return };
                self.by_local.insert((allocated.path.transport, allocated.path.local), number);
                if member.relayed.is_none() {
                    self.tally.allocated += 1;
                    self.tally.allocation.record(now.saturating_since(member.began));
                    self.counters.allocated();
                }
                member.relayed = allocated.relayed.iter().next();
                self.introduce(now, number);
            }
            Event::PermissionReady { .. } if !self.task.channels => self.ready(now, number),
            Event::ChannelBound { .. } => self.ready(now, number),
            // A channel that fails takes its permission with it.
            Event::PermissionFailed { .. } if self.task.channels => {}
            Event::PermissionFailed { reason, .. }
            | Event::ChannelFailed { reason, .. }
            | Event::Failed { reason } => {
                self.refused(reason);
                self.failed(now, number);
            }
            Event::Retrying { reason, .. } | Event::Lost { reason } => self.refused(reason),
            _ => {}
        }
    }

    /// Tells a member whom to send to, and the neighbour who waits for its address.
    fn introduce(&mut self, now: Instant, number: usize) {
        let Some(peer) = self.task.peer else {
            let neighbour = number ^ 1;
            let address = |of: usize| self.members.get(of).and_then(|member| member.relayed);
            if let (Some(own), Some(other)) = (address(number), address(neighbour)) {
                self.aim(now, number, other);
                self.aim(now, neighbour, own);
            }
            return;
        };
        self.aim(now, number, peer);
    }

    fn aim(&mut self, now: Instant, number: usize, peer: SocketAddr) {
        let Some(member) = self.members.get_mut(number) else { return };
        member.peer = Some(peer);
        let client = &mut member.client;
        let asked =
            if self.task.channels { client.bind_channel(now, peer) } else { client.permit(now, peer.ip()) };
        self.touch(number);
        if let Err(why) = asked {
            self.tally.refused(0, why);
            self.failed(now, number);
        }
    }

    fn ready(&mut self, now: Instant, number: usize) {
        self.settle(now, number, Status::Ready);
    }

    fn failed(&mut self, now: Instant, number: usize) {
        self.settle(now, number, Status::Failed);
        if self.task.peer.is_none() && self.members.get(number).is_some_and(|member| member.peer.is_none()) {
            // Its neighbour waits for nobody.
            self.settle(now, number ^ 1, Status::Failed);
        }
    }

    fn settle(&mut self, now: Instant, number: usize, status: Status) {
        let Some(member) = self.members.get_mut(number).filter(|member| member.status == Status::SettingUp)
        else {
            return;
        };
        member.status = status;
        self.setting_up -= 1;
        self.counters.settled();
        self.begin_more(now);
    }

    fn refused(&mut self, reason: FailureReason) {
        self.tally.refused(member::code(&reason), reason);
    }

    // ---- packets

    fn take_in(&mut self, now: Instant, octets: &[u8]) {
        let Some(stamp) = Stamp::read(octets).filter(|stamp| stamp.run == self.task.run) else { return };
        let own = stamp.client.checked_sub(self.task.first).map(|number| number as usize);
        let Some(sender) = own.and_then(|number| self.members.get_mut(number)) else { return };
        match sender.seen.note(stamp.number) {
            Arrival::Again => {
                self.tally.duplicates += 1;
                return;
            }
            Arrival::Late => self.tally.reordered += 1,
            Arrival::InOrder => {}
        }
        self.tally.received += 1;
        self.tally.latency.record(now.saturating_since(stamp.sent));
        self.counters.received(octets.len());
    }

    /// The next packet that is due.
    fn load(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        loop {
            let number = self.pace.as_mut()?.next(now)?;
            let Some(member) = self.members.get_mut(number) else { continue };
            let Some(peer) = member.peer else { continue };
            let (run, client) = (self.task.run, self.task.first + number as u32);
            let stamp = Stamp { run, client, number: member.next, sent: now };
            self.payload[..super::stamp::STAMP].copy_from_slice(&stamp.write());
            packet.clear();
            if packet.append(&self.payload).is_err() {
                self.tally.unsent += 1;
                continue;
            }
            match member.client.send(now, peer, packet) {
                Ok(transmit) => {
                    member.next += 1;
                    let wake = member.client.poll_timeout().map(|wake| wake.at);
                    let earlier = wake.is_some_and(|at| member.wake.is_none_or(|known| at < known));
                    self.tally.sent += 1;
                    self.counters.sent();
                    if earlier {
                        self.note_wake(number);
                    }
                    return Some(transmit);
                }
                Err(_) => self.tally.unsent += 1,
            }
        }
    }

    /// Asks a member when it wants to be woken. That data has put it off need not be known.
    fn note_wake(&mut self, number: usize) {
        let Some(member) = self.members.get_mut(number) else { return };
        let wake = member.client.poll_timeout().map(|wake| wake.at);
        if wake != member.wake {
            if let Some(at) = member.wake {
                self.wakes.remove(&(at, number));
            }
            if let Some(at) = wake {
                self.wakes.insert((at, number));
            }
            member.wake = wake;
        }
    }
}

// ---- the verbs

impl Fleet {
    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        let Some(number) = self.by_local.get(&(input.path.transport, input.path.local)).copied() else {
            return Handled::Foreign;
        };
        let Some(member) = self.members.get_mut(number) else { return Handled::Foreign };
        match member.client.handle_input(now, input) {
            Handled::Data(Relayed::Datagram { .. }) => {
                self.take_in(now, input.packet.bytes());
                Handled::Consumed
            }
            Handled::Data(_) => Handled::Consumed,
            Handled::Send(transmit) => {
                self.touch(number);
                Handled::Send(transmit)
            }
            Handled::Consumed => {
                self.touch(number);
                Handled::Consumed
            }
            Handled::Foreign => Handled::Foreign,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, number)) = self.wakes.first().copied().filter(|(at, _)| *at <= now) {
            self.wakes.remove(&(at, number));
            if let Some(member) = self.members.get_mut(number) {
                member.wake = None;
                member.client.handle_timeout(now);
            }
            self.touch(number);
        }
    }

    fn handle_notice(&mut self, now: Instant, notice: Notice) {
        let of = |transport, local| self.by_local.get(&(transport, local)).copied();
        let (number, notice) = match notice {
            Notice::Opened { ticket, result } => {
                let (number, inner) = member::unnest(ticket);
                if let (Ok(local), Some(member)) = (result, self.members.get(number)) {
                    self.by_local.insert((member.opening, local), number);
                }
                (Some(number), Notice::Opened { ticket: inner, result })
            }
            Notice::Lost { transport, local, .. } => (of(transport, local), notice),
            Notice::Unreachable { path, .. } => (of(path.transport, path.local), notice),
            // Of what no client of a fleet asks for.
            Notice::Accepted { .. } | Notice::Spliced { .. } => (None, notice),
        };
        if let Some(number) = number
            && let Some(member) = self.members.get_mut(number)
        {
            member.client.handle_notice(now, notice);
            self.touch(number);
        }
    }

    /// Drains those that were told something, whole: what keeps an allocation must not wait behind the load.
    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        while let Some(number) = self.touched.front().copied() {
            let Some(member) = self.members.get_mut(number) else { break };
            packet.clear();
            if let Some(transmit) = member.client.poll_transmit(now, packet) {
                return Some(transmit);
            }
            self.touched.pop_front();
            member.touched = false;
            while let Some(request) = member.client.poll_request() {
                self.requests.push_back(member.nest(request, number));
            }
            while let Some(event) = self.members[number].client.poll_event() {
                self.event(now, number, event);
            }
            self.note_wake(number);
        }
        self.load(now, packet)
    }

    fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn poll_timeout(&self) -> Option<Wake> {
        let client = self.wakes.first().map(|(at, _)| Wake::new(*at, "load: a client"));
        let packet = self.pace.as_ref().map(|pace| Wake::new(pace.due(), "load: the next packet"));
        client.into_iter().chain(packet).min()
    }

    fn close(&mut self, now: Instant) {
        self.closed = true;
        self.stop(now);
        self.waiting = 0;
        for number in 0..self.members.len() {
            self.members[number].client.close(now);
            self.touch(number);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed && self.members.iter().all(|member| member.client.is_closed())
    }
}
machine!(impl [] Fleet { Event = (); Data = (); } [requests]);
