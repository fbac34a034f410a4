//! What a discovery may do, by what it was told: it knows the rules, and nothing of the code.

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};
use core::{
    mem::{Discriminant, discriminant},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Instant, Path, Ticket};

use super::{
    super::{Discovery, DiscoveryConfig, Event, Sockets, config::MAX_MTU},
    limits,
};
use crate::{
    Message, Method,
    attribute::{OtherAddress, XorMappedAddress},
    message::{Class, TransactionId},
};

#[derive(Debug)]
pub(super) struct Model {
    pub(super) config: DiscoveryConfig,
    has_credential: bool,
    pub(super) events: Vec<Event>,
    seen: Vec<Discriminant<Event>>,
    searching: u64,
    /// What the driver has opened, and was not given back.
    open: BTreeSet<SocketAddr>,
    binds: u64,
    /// Whom answers have named: as another address of the server, and as ours.
    others: BTreeSet<SocketAddr>,
    mapped: BTreeSet<SocketAddr>,
    sent: u64,
    to_others: u64,
    to_mapped: u64,
    ids: BTreeSet<TransactionId>,
    /// Time was never late, and everything was drained.
    pub(super) is_prompt: bool,
    began: Option<Instant>,
    /// The first that was sent.
    first: Option<Instant>,
    ended: Option<Instant>,
}

/// A socket is asked for nine times at most, and twice at least.
const MAX_BINDS: u64 = 2 * 9;

impl Model {
    pub(super) fn new(config: DiscoveryConfig, has_credential: bool) -> Self {
        let given = matches!(config.sockets, Sockets::Given { .. });
        Self {
            config,
            has_credential,
            events: Vec::new(),
            seen: Vec::new(),
            searching: 0,
            open: BTreeSet::new(),
            binds: 0,
            others: BTreeSet::new(),
            mapped: BTreeSet::new(),
            sent: 0,
            to_others: 0,
            to_mapped: 0,
            ids: BTreeSet::new(),
            is_prompt: true,
            began: given.then_some(Instant::EPOCH),
            first: None,
            ended: None,
        }
    }
    /// Whether its last event has come.
    pub(super) fn has_ended(&self) -> bool {
        self.events.last() == Some(&Event::Closed)
    }

    // ---- sockets

    pub(super) fn on_bind(&mut self, ip: IpAddr) {
        assert_eq!(self.config.sockets, Sockets::Bind(ip), "it asks for no sockets where it has some");
        self.binds += 1;
        assert!(self.binds <= MAX_BINDS, "it asks for sockets for ever");
    }
    pub(super) fn on_open(&mut self, local: SocketAddr) {
        assert!(self.open.insert(local), "the script gives no address twice");
    }
    pub(super) fn on_release(&mut self, local: SocketAddr) {
        assert!(self.open.remove(&local), "{local} was not opened for it, or is given back twice");
    }

    // ---- requests

    /// Whatever says so may be believed; the machine may be stricter.
    pub(super) fn on_input(&mut self, octets: &[u8]) {
        let Ok(message) = Message::parse(octets) else { return };
        if message.class() != Class::Success {
            return;
        }
        if let Ok(Some(XorMappedAddress(mapped))) = message.get() {
            self.mapped.insert(mapped);
        }
        if let Ok(Some(OtherAddress(other))) = message.get() {
            let server = self.config.server;
            self.others.extend([
                other,
                (server.ip(), other.port()).into(),
                (other.ip(), server.port()).into(),
            ]);
        }
    }
    pub(super) fn on_transmit(&mut self, now: Instant, path: Path, octets: &[u8]) {
        assert!(!self.has_ended(), "it sends behind its end");
        self.sent += 1;
        assert!(octets.len() <= usize::from(MAX_MTU) + 100, "{} octets", octets.len());
        let Ok(message) = Message::parse(octets) else { unreachable!("what is sent parses") };
        assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
        assert!(self.ids.insert(message.transaction_id()), "each try is a transaction of its own");
        self.count(path.remote);
        let first = *self.first.get_or_insert(now);
        let pace = self.config.pace.max(Duration::from_millis(1));
        // Who is challenged asks again at once.
        if !self.has_credential {
            let most = 1 + now.saturating_since(first).as_nanos() / pace.as_nanos();
            assert!(u128::from(self.sent) <= most + u128::from(!self.is_prompt), "faster than its pace");
        }
    }
    fn count(&mut self, to: SocketAddr) {
        let server = self.config.server;
        if to == server {
            return;
        }
        let (is_other, is_mapped) = (self.others.contains(&to), self.mapped.contains(&to));
        assert!(is_other || is_mapped, "{to} was named by nobody");
        let ip = to.ip().to_canonical();
        assert!(!ip.is_unspecified() && !ip.is_multicast() && to.port() != 0, "{to} leads nowhere");
        assert!(!ip.is_loopback() || server.ip().is_loopback(), "{to} leads into this host");
        assert_eq!(to.is_ipv4(), server.is_ipv4());
        self.to_others += u64::from(is_other && !is_mapped);
        self.to_mapped += u64::from(is_mapped && !is_other);
    }

    // ---- events

    pub(super) fn on_event(&mut self, event: Event) {
        assert!(!self.has_ended(), "nothing comes after the last event: {event:?}");
        let is_searching = matches!(event, Event::Searching { .. });
        self.searching += u64::from(is_searching);
        assert!(self.searching <= limits::WAITS);
        let kind = discriminant(&event);
        assert!(is_searching || !self.seen.contains(&kind), "each finding comes once: {event:?}");
        self.seen.push(kind);
        let behind_verdict = matches!(self.events.last(), Some(Event::Verdict(_)));
        assert_eq!(behind_verdict, event == Event::Closed, "the verdict is the last but one");
        self.events.push(event);
    }

    // ---- behind each step

    pub(super) fn look(
        &mut self,
        now: Instant,
        discovery: &Discovery,
        binds: &VecDeque<(Ticket, SocketAddr)>,
    ) {
        let times = if self.has_credential { 2 } else { 1 };
        assert!(self.sent <= times * limits::requests(&self.config), "{} requests", self.sent);
        assert!(self.to_others <= times * limits::to_others(), "{} to others", self.to_others);
        assert!(self.to_mapped <= times * limits::to_mapped(&self.config), "{} to us", self.to_mapped);
        assert_eq!(discovery.stats().sent, self.sent);
        assert!(discovery.hairpins.len() <= super::super::MAX_HAIRPINS && discovery.asker.open() <= 20);
        if self.open.len() == 2 && self.began.is_none() {
            self.began = Some(now);
        }
        if !self.has_ended() {
            return;
        }
        let [.., Event::Verdict(verdict), Event::Closed] = &self.events[..] else { unreachable!() };
        assert_eq!(**verdict, *discovery.verdict(), "what was said holds");
        if binds.is_empty() {
            assert!(self.open.is_empty(), "not given back: {:?}", self.open);
        }
        let ended = *self.ended.get_or_insert(now);
        let began = self.began.unwrap_or(ended);
        if self.is_prompt && self.config.lifetime.is_none() {
            let took = ended.saturating_since(began);
            assert!(took <= limits::time(&self.config), "it took {took:?}");
        }
    }
    pub(super) fn end(&mut self, now: Instant, discovery: &Discovery) {
        self.look(now, discovery, &VecDeque::new());
        assert!(self.has_ended(), "it ends with a verdict");
    }
}
