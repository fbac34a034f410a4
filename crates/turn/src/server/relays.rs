//! Relay sockets: asked of the driver for an Allocate request, which is answered when they are open; given back with the
//! allocation.
//!
//! ```text
//!  Allocate --> family 1 --> Bind --Opened--> (R bit: the port above --> Bind) --> family 2 --> ... --> answer
//!                  ^           |
//!                  +--refused--+  another port, up to BIND_TRIES times; then 508; and 508 after BIND_PATIENCE
//! ```
//!
//! What is here belongs to somebody who is authenticated, and counts in his quota from the first moment.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use ginnel_core::{Framing, Instant, Path, Port, Refused, Request, Ticket, Transport};
use ginnel_stun::{attribute::AddressFamily, auth::Authenticated};

use super::{
    RelayAddress, Server,
    allocation::{Relay, place, place_of},
    answer::{Answer, Reply},
    asked::{Head, RelayTransport, Wish, Wishes},
    ending::Reserved,
    policy::{Claim, PortPool},
};

/// How many ports are tried for one relayed address.
pub(super) const BIND_TRIES: usize = 8;
/// How long an Allocate request waits for the driver: well within the 39.5 s for which its client does (RFC 8489 section
/// 6.2.1).
pub(super) const BIND_PATIENCE: Duration = Duration::from_secs(10);

/// An address of the server, and its ports.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) relay: RelayAddress,
    /// Of which ports its pool is.
    pub(super) ports: RangeInclusive<u16>,
    /// `None` if the range has no ports for this shard.
    pub(super) pool: Option<PortPool>,
    /// How many ports the pool has when none is in use.
    whole: usize,
    /// Nothing new is taken from it: the configuration has changed.
    pub(super) retired: bool,
}
impl Address {
    pub(super) fn new(relay: RelayAddress, ports: RangeInclusive<u16>, pool: Option<PortPool>) -> Self {
        let whole = pool.as_ref().map_or(0, PortPool::free);
        Self { relay, ports, pool, whole, retired: false }
    }
    /// Whether relayed addresses of this family are taken from it.
    fn serves(&self, family: AddressFamily) -> bool {
        !self.retired && AddressFamily::of(self.relay.local) == family
    }
    /// Whether its place can be given to another: it is retired, and none of its ports is in use.
    pub(super) fn is_left(&self) -> bool {
        self.retired && self.pool.as_ref().map_or(0, PortPool::free) == self.whole
    }
}

/// An Allocate request that waits for its relay sockets.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) head: Head,
    pub(super) who: Authenticated,
    pub(super) wishes: Wishes,
    pub(super) claim: Claim,
    /// The share of the port above: it is for another allocation.
    pub(super) claim_above: Option<Claim>,
    pub(super) relays: [Option<Relay>; 2],
    /// The port above, with EVEN-PORT and its R bit.
    pub(super) reserved: Option<Relay>,
    /// Under which token it is held.
    pub(super) token: Option<[u8; 8]>,
    pub(super) failed: Option<(AddressFamily, u16)>,
    step: Step,
    /// Ports that the driver refused: given back when there is another, so that none is tried twice.
    refused: Vec<(u16, u16)>,
    tries: usize,
    ticket: Ticket,
    deadline: Instant,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The relayed address of a family.
    Family(AddressFamily),
    /// The port above it.
    Above,
}
impl Opening {
    pub(super) fn new(head: Head, who: Authenticated, wishes: Wishes, claim: Claim) -> Self {
        Self {
            head,
            who,
            wishes,
            claim,
            claim_above: None,
            relays: [None; 2],
            reserved: None,
            token: None,
            failed: None,
            step: Step::Family(wishes.family),
            refused: Vec::new(),
            tries: 0,
            ticket: Ticket(0),
            deadline: Instant::EPOCH,
        }
    }
    /// With a relayed address that was reserved: nothing need be opened.
    pub(super) fn hold(&mut self, relay: Relay) {
        self.relays[place(relay.local.ip())] = Some(relay);
    }
}

/// A socket that the driver was asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    client: Path,
    address: u16,
    port: u16,
    transport: RelayTransport,
}

/// All that waits for sockets.
#[derive(Debug, Default)]
pub(super) struct Openings {
    by_client: BTreeMap<Path, Opening>,
    /// Bounded by the ports there are: each of them was taken from its pool.
    by_ticket: BTreeMap<Ticket, Asked>,
    /// Until when each waits at the most.
    deadlines: BTreeSet<(Instant, Path)>,
    tickets: u64,
}
impl Openings {
    pub(super) fn len(&self) -> usize {
        self.by_client.len()
    }
    /// Whether the driver owes an answer.
    pub(super) fn is_waiting(&self) -> bool {
        !self.by_ticket.is_empty()
    }
    pub(super) fn get(&self, client: &Path) -> Option<&Opening> {
        self.by_client.get(client)
    }
    pub(super) fn clients(&self) -> impl Iterator<Item = (&Path, &Opening)> {
        self.by_client.iter()
    }
    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
    fn insert(&mut self, now: Instant, client: Path, mut opening: Opening) {
        opening.deadline = now + BIND_PATIENCE;
        self.deadlines.insert((opening.deadline, client));
        self.by_client.insert(client, opening);
    }
    fn remove(&mut self, client: &Path) -> Option<Opening> {
        let opening = self.by_client.remove(client)?;
        self.deadlines.remove(&(opening.deadline, *client));
        Some(opening)
    }
    /// When the first has waited enough.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }
}

/// What the driver is to be asked: smaller than a [`Request`], since there may be one for each relay.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Bind { ticket: Ticket, local: SocketAddr, transport: RelayTransport },
    Release { local: SocketAddr, transport: RelayTransport },
}
impl From<Ask> for Request {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Bind { ticket, local, transport: RelayTransport::Udp } => {
                Self::Bind { ticket, ip: local.ip(), port: Port::Exact(local.port()) }
            }
            // RFC 6062 section 5.3: what peers send waits until the client comes for it.
            Ask::Bind { ticket, local, transport: RelayTransport::Tcp } => Self::Listen {
                ticket,
                transport: Transport::Tcp,
                ip: local.ip(),
                port: Port::Exact(local.port()),
                framing: Framing::Held,
            },
            Ask::Release { local, transport } => {
                Self::Release { transport: transport.transport(), local, remote: None }
            }
        }
    }
}

impl Server {
    /// Asks for the sockets of an Allocate request. Its answer leaves by `poll_transmit`.
    pub(super) fn open(&mut self, now: Instant, client: Path, opening: Opening) {
        let family = opening.wishes.family;
        let is_held = opening.relays.iter().any(Option::is_some);
        self.openings.insert(now, client, opening);
        if is_held { self.finish(now, client) } else { self.begin(now, client, family) }
    }
    fn begin(&mut self, now: Instant, client: Path, family: AddressFamily) {
        let Err(code) = self.bind(client, family) else { return };
        if let Some(opening) = self.openings.by_client.get_mut(&client) {
            // Where neither family can be had for want of addresses, that is why; else it is for want of ports.
            let code = if opening.failed.is_none_or(|(_, first)| first == code) { code } else { 508 };
            opening.failed = Some((family, code));
        }
        self.go_on(now, client, family);
    }
    /// This family is dealt with.
    fn go_on(&mut self, now: Instant, client: Path, family: AddressFamily) {
        let Some(opening) = self.openings.by_client.get_mut(&client) else { return };
        if opening.wishes.both && family == AddressFamily::Ipv4 {
            opening.tries = 0;
            self.begin(now, client, AddressFamily::Ipv6);
        } else {
            self.finish(now, client);
        }
    }
    /// All is there that can be had.
    fn finish(&mut self, now: Instant, client: Path) {
        let Some(mut opening) = self.openings.remove(&client) else { return };
        for (address, port) in core::mem::take(&mut opening.refused) {
            self.give_port_back(address, port);
        }
        let (head, who) = (opening.head, opening.who.clone());
        // With the R bit both are there.
        if let Some((relay, claim)) = opening.reserved.take().zip(opening.claim_above.take()) {
            opening.token = self.reserve(now, Reserved { relay, claim, user: Arc::clone(who.user()) });
        }
        let reply = match (opening.relays, opening.failed) {
            ([None, None], failed) => Reply::Error(failed.map_or(508, |(_, code)| code)),
            // RFC 8656 section 7.2, check 8: without the reservation the request cannot be satisfied.
            (relays, _) if opening.wishes.wish == Wish::Pair && opening.token.is_none() => {
                relays.iter().flatten().for_each(|relay| self.give_back(relay));
                Reply::Error(508)
            }
            _ => self.make(now, client, opening),
        };
        self.answers.push_back(Answer { path: client, head, who, reply });
        self.look_for_the_end();
    }
    /// Answers those with 508 that the driver has let wait for too long. What it opens for them afterwards goes back; until it
    /// says something the port is its own.
    pub(super) fn expire_openings(&mut self, now: Instant) {
        while let Some(&(deadline, client)) = self.openings.deadlines.first()
            && deadline <= now
        {
            self.fail(&client);
        }
    }
    /// A socket is gone that somebody had who waits for another: his request cannot be satisfied.
    pub(super) fn lost_opening(&mut self, is_it: impl Fn(&Relay) -> bool) {
        let has_it = |it: &Opening| it.relays.iter().chain([&it.reserved]).flatten().any(&is_it);
        let found = self.openings.by_client.iter_mut().find(|(_, it)| has_it(it));
        let Some((&client, opening)) = found else { return };
        let relays = opening.relays.iter_mut().chain([&mut opening.reserved]);
        let lost: Vec<Relay> = relays.filter_map(|it| it.take_if(|it| is_it(it))).collect();
        lost.iter().for_each(|it| self.give_port_back(it.address, it.local.port()));
        self.fail(&client);
    }
    /// Answers a request with 508 that waits for sockets.
    fn fail(&mut self, client: &Path) {
        if let Some(opening) = self.openings.get(client) {
            let (head, who) = (opening.head, opening.who.clone());
            self.answers.push_back(Answer { path: *client, head, who, reply: Reply::Error(508) });
        }
        self.cancel(client);
        self.look_for_the_end();
    }
    /// Nobody waits for the answer any more.
    pub(super) fn cancel(&mut self, client: &Path) -> bool {
        let Some(opening) = self.openings.remove(client) else { return false };
        for relay in opening.relays.iter().chain([&opening.reserved]).flatten() {
            self.give_back(relay);
        }
        for &(address, port) in &opening.refused {
            self.give_port_back(address, port);
        }
        true
    }
    /// Gives a socket back to the driver, and its port to the pool.
    pub(super) fn give_back(&mut self, relay: &Relay) {
        self.asks.push_back(Ask::Release { local: relay.local, transport: relay.transport });
        self.give_port_back(relay.address, relay.local.port());
    }
    pub(super) fn give_port_back(&mut self, address: u16, port: u16) {
        if let Some(pool) = self.addresses.get_mut(usize::from(address)).and_then(|it| it.pool.as_mut()) {
            pool.give_back(port);
        }
    }

    /// Whether there are relay addresses of this family.
    pub(super) fn serves(&self, family: AddressFamily) -> bool {
        self.addresses.iter().any(|it| it.serves(family))
    }
    /// Asks for a socket for a relayed address of this family, or says why there can be none.
    fn bind(&mut self, client: Path, family: AddressFamily) -> Result<(), u16> {
        let Some(opening) = self.openings.by_client.get(&client) else { return Ok(()) };
        if opening.tries >= BIND_TRIES {
            return Err(508);
        }
        let wish = opening.wishes.wish;
        let mut fitting: Vec<u16> =
            self.addresses.iter().zip(0..).filter(|(it, _)| it.serves(family)).map(|(_, n)| n).collect();
        if fitting.is_empty() {
            return Err(440);
        }
        self.rng.shuffle(&mut fitting);
        for index in fitting {
            let Some(address) = self.addresses.get_mut(usize::from(index)) else { continue };
            let taken = address.pool.as_mut().and_then(|pool| match wish {
                Wish::Any | Wish::Reserved(_) => pool.take(),
                Wish::Even => pool.take_even(),
                Wish::Pair => pool.take_pair(),
            });
            if let Some(port) = taken {
                self.ask(client, index, port, Step::Family(family));
                return Ok(());
            }
        }
        Err(508)
    }
    fn ask(&mut self, client: Path, address: u16, port: u16, step: Step) {
        let ticket = self.openings.next_ticket();
        let Some(at) = self.addresses.get(usize::from(address)) else { return };
        let Some(opening) = self.openings.by_client.get_mut(&client) else { return };
        (opening.step, opening.ticket) = (step, ticket);
        let transport = opening.wishes.transport;
        let local = SocketAddr::new(at.relay.local, port);
        self.asks.push_back(Ask::Bind { ticket, local, transport });
        self.openings.by_ticket.insert(ticket, Asked { client, address, port, transport });
    }

    /// The driver has answered. False if it was not asked from here.
    pub(super) fn opened(
        &mut self,
        now: Instant,
        ticket: Ticket,
        result: Result<SocketAddr, Refused>,
    ) -> bool {
        let Some(asked) = self.openings.by_ticket.remove(&ticket) else { return false };
        let waits = self.openings.by_client.get(&asked.client).is_some_and(|it| it.ticket == ticket);
        match result {
            // Nobody waits for it any more.
            Ok(local) if !waits => self.give_back(&self.relay(asked, local)),
            Err(_) if !waits => self.give_port_back(asked.address, asked.port),
            Ok(local) if self.is_held_beside(asked) => {
                self.asks.push_back(Ask::Release { local, transport: asked.transport });
                self.refused(now, asked);
            }
            Ok(local) => {
                let relay = self.relay(asked, local);
                self.bound(now, asked, relay);
            }
            Err(_) => self.refused(now, asked),
        }
        true
    }
    /// Whether a pool of an earlier configuration has given this port to another relay of the same address: one of the other
    /// transport, or the operating system would have refused it. Relays are known by address and port alone.
    fn is_held_beside(&self, asked: Asked) -> bool {
        let Some(ours) = self.addresses.get(usize::from(asked.address)) else { return false };
        self.addresses.iter().zip(0..).any(|(it, address)| {
            address != asked.address
                && it.relay.local == ours.relay.local
                && it.pool.as_ref().is_some_and(|pool| pool.is_taken(asked.port))
        })
    }
    fn relay(&self, asked: Asked, local: SocketAddr) -> Relay {
        let external =
            self.addresses.get(usize::from(asked.address)).map_or(local.ip(), |it| it.relay.external);
        let external = SocketAddr::new(external, local.port());
        Relay { local, external, expires: Instant::EPOCH, address: asked.address, transport: asked.transport }
    }
    fn bound(&mut self, now: Instant, asked: Asked, relay: Relay) {
        let Some(opening) = self.openings.by_client.get_mut(&asked.client) else { return };
        match opening.step {
            Step::Family(family) => {
                opening.relays[place_of(family)] = Some(relay);
                if opening.wishes.wish == Wish::Pair {
                    self.ask(asked.client, asked.address, asked.port + 1, Step::Above);
                    return;
                }
                self.go_on(now, asked.client, family);
            }
            Step::Above => {
                opening.reserved = Some(relay);
                let family = opening.wishes.family;
                self.go_on(now, asked.client, family);
            }
        }
    }
    fn refused(&mut self, now: Instant, asked: Asked) {
        self.stats.relay_refusals += 1;
        let Some(opening) = self.openings.by_client.get_mut(&asked.client) else { return };
        opening.tries += 1;
        opening.refused.push((asked.address, asked.port));
        let family = match opening.step {
            Step::Family(family) => {
                if opening.wishes.wish == Wish::Pair {
                    opening.refused.push((asked.address, asked.port + 1));
                }
                family
            }
            // The one below is of no use alone.
            Step::Above => {
                let family = opening.wishes.family;
                if let Some(below) = opening.relays[place_of(family)].take() {
                    self.give_back(&below);
                }
                family
            }
        };
        self.begin(now, asked.client, family);
    }
}
