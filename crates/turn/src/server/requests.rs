//! Requests: whose they are, which method they are of, and how they are answered.
//!
//! ```text
//!  STUN? --> Binding --> BindingServer
//!       \--> FINGERPRINT --> allocation elsewhere? --> credentials --> 420 --> 441, 437 --> one function a method --> answer
//! ```

use alloc::{sync::Arc, vec::Vec};
use core::net::IpAddr;

use ginnel_core::{Handled, Instant, Packet, Path, Receive, Ticket, Transmit, Transport};
use ginnel_stun::{
    Class, Message, Method, ServerEvent,
    attribute::{ConnectionId, ReservationToken},
    auth::{AuthEvent, Authenticated, LookUp, User, Verdict},
};

use super::{
    Credentials, Event, Handover, Origin, Server, ServerConfig,
    answer::Reply,
    asked::{Head, unknown},
    mobility::has_ticket,
    policy::{PeerFilter, PeerVerdict, PortPool},
    relays::Address,
};

impl Server {
    /// A message on a listener that may be STUN.
    pub(super) fn stun(
        &mut self,
        now: Instant,
        input: &mut Receive<'_>,
        origin: Origin,
    ) -> Handled<Handover> {
        let octets = input.packet.bytes();
        if !Message::is_claimed_by(octets) {
            return self.binding(now, input);
        }
        let Ok(message) = Message::parse(octets) else {
            self.stats.discarded += 1;
            return Handled::Consumed;
        };
        if message.method() == Method::BINDING && !message.class().is_response() {
            return self.binding(now, input);
        }
        let path = input.path;
        match (message.class(), message.method()) {
            (Class::Indication, Method::SEND) => match self.table.client(&path) {
                Some(slot) => self.send_indication(now, slot, input),
                None => self.elsewhere(now, &path, origin),
            },
            (Class::Request, method) if is_served(method, self.config.tcp_relays) => {
                self.request(now, input, origin)
            }
            _ => {
                self.stats.discarded += 1;
                Handled::Consumed
            }
        }
    }
    fn binding(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Handover> {
        match self.binding.handle_input(now, input) {
            Handled::Send(transmit) => Handled::Send(transmit),
            Handled::Foreign => Handled::Foreign,
            Handled::Consumed | Handled::Data(()) => Handled::Consumed,
        }
    }
    fn request(&mut self, now: Instant, input: &mut Receive<'_>, origin: Origin) -> Handled<Handover> {
        let path = input.path;
        let Ok(message) = Message::parse(input.packet.bytes()) else { return Handled::Consumed };
        // Nothing can be sent to port 0, and the name of such a source is a lie.
        let nowhere = path.remote.port() == 0 || path.remote.ip().is_unspecified();
        let Some(head) = Head::of(&message).filter(|_| !nowhere) else {
            self.stats.discarded += 1;
            return Handled::Consumed;
        };
        self.expire_client(now, &path);
        if origin == Origin::Driver
            && let Some(shard) = self.shard_of(now, path, &message)
        {
            self.stats.handed_over += 1;
            return Handled::Data(Handover { shard });
        }
        let verdict = self.check(now, path, &message);
        match self.obey(now, path, head, verdict, &mut input.packet) {
            Some(transmit) => Handled::Send(transmit),
            None => Handled::Consumed,
        }
    }
    /// A host that slept may hear of its clients before it looks at its timers.
    fn expire_client(&mut self, now: Instant, path: &Path) {
        if let Some(slot) = self.table.client(path) {
            self.expire_slot(now, slot);
        }
    }
    /// Which other shard this request is for: the one that its five-tuple was handed to, or that made its token.
    fn shard_of(&mut self, now: Instant, path: Path, message: &Message<'_>) -> Option<u8> {
        if self.config.shard.count == 1
            || self.table.client(&path).is_some()
            || self.openings.get(&path).is_some()
        {
            return None;
        }
        if let Some(shard) = self.forwards.find(now, &path) {
            return Some(shard);
        }
        let shard = self.shard_of_token(message).filter(|&shard| shard != self.config.shard.index)?;
        // A stream is moved whole, and so is an association of DTLS; of datagrams more will come here. Where there is no room to
        // remember that, the request is answered here, as one with a token that nobody knows. Whoever has no nonce of ours for
        // his address yet is not worth remembering: he may be one of the many that one stolen ticket can be sent from, and if he
        // is real he comes again.
        let is_moved = path.transport != Transport::Udp;
        let is_stranger = || !self.auth.has_fresh_nonce(now, path, message);
        (is_moved || is_stranger() || self.forwards.learn(now, path, shard)).then_some(shard)
    }
    fn shard_of_token(&self, message: &Message<'_>) -> Option<u8> {
        match message.method() {
            Method::ALLOCATE => {
                let ReservationToken(token) = message.get().ok()??;
                self.tokens.shard_of_reservation(token)
            }
            Method::CONNECTION_BIND => {
                let ConnectionId(id) = message.get().ok()??;
                self.tokens.shard_of_connection(id)
            }
            _ => self.brings(message).map(|ticket| ticket.shard),
        }
    }

    /// Who sent it.
    fn check(&mut self, now: Instant, path: Path, message: &Message<'_>) -> Verdict {
        let known = self.known(&path, message).map(Arc::clone);
        let Credentials::Rest(secrets) = &self.config.credentials else {
            return self.auth.check_known(now, path, message, known.as_ref());
        };
        let clock = self.clock.map(|(then, said)| said + now.saturating_since(then));
        let realm = self.config.auth.realm().unwrap_or_default();
        self.auth.check_by(now, path, message, |who| {
            // An allocation outlives the credential that it was made with.
            known.filter(|user| who.is(user)).or_else(|| secrets.find(who, realm, clock?, message))
        })
    }
    /// Who is likely to ask: whose the ticket is, or the connection, or the five-tuple.
    fn known(&self, path: &Path, message: &Message<'_>) -> Option<&Arc<User>> {
        if let Some(user) = self.user_of_ticket(message).or_else(|| self.user_of_connection(message)) {
            return Some(user);
        }
        match self.table.client(path).and_then(|slot| self.table.get(slot)) {
            Some(allocation) => Some(&allocation.user),
            None => self.openings.get(path).map(|it| it.who.user()),
        }
    }
    /// Does what the authenticator says about a request, which is in `packet`.
    fn obey(
        &mut self,
        now: Instant,
        path: Path,
        head: Head,
        verdict: Verdict,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        match verdict {
            Verdict::Authenticated(who) => {
                let message = Message::parse(packet.bytes()).ok()?;
                let reply = self.serve(now, path, head, &message, &who)?;
                self.write(path, head, &who, &reply, packet)
            }
            Verdict::Refused(refusal) => {
                let refusal = refusal.with_fingerprint(head.fingerprint);
                self.auth.refuse(&refusal, packet).ok()?;
                Some(Transmit::to(path))
            }
            Verdict::LookingUp(_) | Verdict::Discarded => None,
        }
    }
    /// Writes an answer over whatever the packet holds.
    pub(super) fn write(
        &mut self,
        path: Path,
        head: Head,
        who: &Authenticated,
        reply: &Reply,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        reply.count(&mut self.stats.errors);
        reply.write(head, who, path.remote, self.config.software.as_deref(), packet).ok()?;
        Some(Transmit::to(path))
    }
    /// What a request of somebody who is known is answered with; `None` if that is not known yet.
    fn serve(
        &mut self,
        now: Instant,
        path: Path,
        head: Head,
        message: &Message<'_>,
        who: &Authenticated,
    ) -> Option<Reply> {
        if let Some(unknown) = unknown(message, self.config.dont_fragment, self.config.tcp_relays) {
            return Some(Reply::Unknown(unknown));
        }
        if is_tunnelled(path.remote.ip()) {
            return Some(Reply::Error(403));
        }
        if head.method == Method::ALLOCATE {
            return self.allocate(now, path, head, message, who);
        }
        if head.method == Method::CONNECTION_BIND {
            return Some(self.connection_bind(path, message, who.user()).unwrap_or_else(|refused| refused));
        }
        if has_ticket(message) {
            return Some(
                self.move_by_ticket(now, path, message, who.user()).unwrap_or_else(|refused| refused),
            );
        }
        let Some(slot) = self.table.client(&path) else { return Some(Reply::Error(437)) };
        // RFC 8656 section 5: somebody else's allocation.
        if self.table.get(slot).is_none_or(|it| it.user != *who.user()) {
            return Some(Reply::Error(441));
        }
        if head.method == Method::CONNECT {
            return self.connect(now, slot, (path, head), message, who);
        }
        let reply = match head.method {
            Method::REFRESH => self.refresh(now, slot, message),
            Method::CREATE_PERMISSION => self.create_permission(now, slot, message),
            _ => self.channel_bind(now, slot, message),
        };
        Some(reply.unwrap_or_else(|refused| refused))
    }

    /// The answer to a request whose user was looked up.
    pub(super) fn poll_looked_up(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        loop {
            let (path, verdict) = self.auth.poll_answered(now, packet)?;
            self.expire_client(now, &path);
            let head = Message::parse(packet.bytes()).ok().and_then(|it| Head::of(&it));
            if let Some(head) = head
                && let Some(transmit) = self.obey(now, path, head, verdict, packet)
            {
                return Some(transmit);
            }
        }
    }
    /// Who is to be looked up.
    pub(super) fn poll_look_up(&mut self) -> Option<Event> {
        if let Some(AuthEvent::LookUp { ticket, who }) = self.auth.poll_event() {
            return Some(Event::LookUp { ticket: nest(ticket, TURN), who });
        }
        match self.binding.poll_event()? {
            ServerEvent::LookUp { ticket, who } => Some(Event::LookUp { ticket: nest(ticket, BINDING), who }),
            _ => None,
        }
    }

    /// Goes on with another configuration, as far as it can change while allocations live: relay addresses (new allocations
    /// take from them; those that are gone are kept as long as they are in use), ports, lifetimes, limits, quotas, bandwidth,
    /// judgement of peers (what is denied now is cut off), secrets of time-limited credentials, SOFTWARE, listeners, mobility,
    /// TCP relays. Not the realm, nor what else is in `auth`, nor `binding`, nor the shard, nor which [`Credentials`] they are.
    pub fn reconfigure(&mut self, now: Instant, config: ServerConfig) {
        let old = core::mem::replace(&mut self.config, config);
        self.config.auth = old.auth;
        self.config.binding = old.binding;
        self.config.shard = old.shard;
        if core::mem::discriminant(&self.config.credentials) != core::mem::discriminant(&old.credentials) {
            self.config.credentials = old.credentials;
        }
        self.quotas.set_limits(self.config.quotas);
        self.connections.set_limits(self.config.limits.tcp);
        for address in &mut self.addresses {
            // Those of another configuration before may come back, with the ports that are still in use.
            let is_wanted = address.ports == self.config.ports && self.config.relays.contains(&address.relay);
            address.retired = !is_wanted;
        }
        self.add_addresses();
        self.live.add(self.config.relays.iter().map(|it| it.external));
        // What the configuration has left behind is the server's own as long as there are relays on it, of whichever shard.
        let in_use = self.addresses.iter().map(|it| it.relay).filter(|it| self.live.is_in_use(it.external));
        let in_use = in_use.flat_map(|it| [it.local, it.external]);
        let peers = in_use.fold(self.config.peer_filter(), PeerFilter::with_own_address);
        let old = core::mem::replace(&mut self.peers, peers);
        if self.peers != old {
            self.cut_off(now);
        }
    }
    /// Takes permissions and channels from whoever is not to be reached any more, and judges anew which of the others are
    /// the server's own. All allocations are walked: with 100,000 of them that takes some tens of milliseconds, which a data
    /// path that asks the filter of each packet would take again and again.
    fn cut_off(&mut self, now: Instant) {
        let slots: Vec<u32> = self.table.slots().map(|(slot, _)| slot).collect();
        let (peers, live) = (&self.peers, &self.live);
        let is_denied = |ip| matches!(peers.address(ip), PeerVerdict::Denied(_));
        let is_own = |ip| peers.address(ip) == PeerVerdict::RelaysOnly;
        for slot in slots {
            if let Some(allocation) = self.table.get_mut(slot) {
                allocation.sweep(now);
                allocation.channels.retain(|it| !is_denied(it.peer_ip()));
                allocation.permissions.retain(|it| !is_denied(it.ip));
                allocation.channels.iter_mut().for_each(|it| it.own = is_own(it.peer_ip()));
                allocation.permissions.iter_mut().for_each(|it| it.own = is_own(it.ip));
            }
        }
        self.connections.cut_off(|peer| peers.peer(peer, |it| live.is_live(Transport::Tcp, it)).is_err());
    }
    /// Takes the relay addresses of the configuration in that are not there yet.
    pub(super) fn add_addresses(&mut self) {
        for relay in self.config.relays.clone() {
            let is_there = self.addresses.iter().any(|it| !it.retired && it.relay == relay);
            if is_there {
                continue;
            }
            // Those that are retired keep their place while relays name them by it, and while other shards have relays there
            // by which alone the address is known to be ours.
            let (relays, live) = (&self.config.relays, &self.live);
            let is_known = |it: &Address| relays.contains(&it.relay) || !live.is_in_use(it.relay.external);
            let place = self.addresses.iter().position(|it| it.is_left() && is_known(it));
            if place.is_none() && self.addresses.len() >= ADDRESSES_MAX {
                continue;
            }
            self.pools += 1;
            let seed = self.seed.fork(&alloc::format!("{} {}", relay.local, self.pools));
            let pool = PortPool::new(self.config.ports.clone(), self.config.shard, seed).ok();
            let address = Address::new(relay, self.config.ports.clone(), pool);
            match place.and_then(|place| self.addresses.get_mut(place)) {
                Some(left) => *left = address,
                None => self.addresses.push(address),
            }
        }
    }
}
/// Relay addresses of a machine, with those that configurations have left behind and that are in use still.
const ADDRESSES_MAX: usize = 4096;

impl ServerConfig {
    /// What the authenticator is told of where users are.
    pub(super) fn look_up(&self) -> LookUp {
        match self.credentials {
            Credentials::InMemory | Credentials::Rest(_) => LookUp::InMemory,
            Credentials::ByEvent { max_waiting } => LookUp::ByEvent { max_waiting },
        }
    }
}

/// RFC 8656 section 21.4: *MUST NOT accept Teredo or 6to4 addresses*, since tunnels can be led in circles through relays.
const fn is_tunnelled(client: IpAddr) -> bool {
    match client {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => matches!(ip.segments(), [0x2001, 0, ..] | [0x2002, ..]),
    }
}

/// RFC 8656 section 17 and RFC 6062 section 6.1: the methods that are requests.
const fn is_served(method: Method, tcp: bool) -> bool {
    match method {
        Method::ALLOCATE | Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND => true,
        Method::CONNECT | Method::CONNECTION_BIND => tcp,
        _ => false,
    }
}

/// Whose look-up a ticket is: that of TURN, or of Binding, if Binding asks for credentials.
pub(super) enum LookUpOf {
    Turn(Ticket),
    Binding(Ticket),
}
const TURN: u8 = 0;
const BINDING: u8 = 1;
pub(super) const fn whose(ticket: Ticket) -> LookUpOf {
    match ticket.unnest() {
        (BINDING, ticket) => LookUpOf::Binding(ticket),
        (_, ticket) => LookUpOf::Turn(ticket),
    }
}
/// Tickets count requests that were looked up: 2^56 of them do not happen.
fn nest(ticket: Ticket, whose: u8) -> Ticket {
    ticket.nest(whose).unwrap_or(ticket)
}
