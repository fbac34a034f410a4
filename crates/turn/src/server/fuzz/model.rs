//! What a TURN server keeps, by the words of RFC 8656: lists that are walked, and times that are compared.

use alloc::{collections::BTreeMap, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::Instant;

/// Permissions and channels that an allocation may have in these scripts.
pub(super) const PERMISSIONS: usize = 3;
pub(super) const CHANNELS: usize = 2;

/// Connections that a TCP allocation may have in these scripts.
pub(super) const CONNECTIONS: usize = 2;

/// RFC 6062: a stream to a peer, and the client's once it has come for it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u32,
    pub(super) peer: SocketAddr,
    /// Until when the client may come.
    until: Instant,
    pub(super) client: Option<usize>,
}
/// RFC 8016: which ticket moves it next, and which one moved it last: its number, by whom, and until when it is known.
#[derive(Debug, Default)]
pub(super) struct Mobility {
    pub(super) serial: u64,
    used: Option<(u64, usize, Instant)>,
}

/// One allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    /// Its name in the model.
    pub(super) name: u64,
    pub(super) user: usize,
    /// Which client data goes to; none if its stream has ended.
    pub(super) at: Option<usize>,
    /// Which client it moves to.
    pub(super) to: Option<usize>,
    pub(super) mobility: Option<Mobility>,
    pub(super) is_tcp: bool,
    pub(super) connections: Vec<Connection>,
    /// IPv4 and IPv6, and until when.
    pub(super) relays: [Option<(SocketAddr, Instant)>; 2],
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
}
impl Allocation {
    pub(super) fn new(
        name: u64,
        user: usize,
        at: usize,
        is_tcp: bool,
        relayed: &[SocketAddr],
        expires: Instant,
    ) -> Self {
        let mut relays = [None; 2];
        for &relay in relayed {
            relays[usize::from(relay.is_ipv6())] = Some((relay, expires));
        }
        Self {
            name,
            user,
            at: Some(at),
            to: None,
            mobility: None,
            is_tcp,
            connections: Vec::new(),
            relays,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
        }
    }
    pub(super) fn is_of(&self, client: usize) -> bool {
        self.at == Some(client) || self.to == Some(client)
    }
    /// Data has come from this client.
    pub(super) fn arrived(&mut self, client: usize) {
        if self.to == Some(client) {
            (self.at, self.to) = (self.to, None);
        }
    }
    /// The stream of this client has ended. False if the allocation ends with it.
    pub(super) fn left(&mut self, client: usize) -> bool {
        if self.to == Some(client) {
            self.to = None;
        } else {
            (self.at, self.to) = (self.to, None);
        }
        self.mobility.is_some()
    }
    /// Whether a ticket is good for a client: moves it, moves it again, or does not.
    pub(super) fn judge(&self, now: Instant, serial: u64, client: usize) -> Option<bool> {
        let mobility = self.mobility.as_ref()?;
        if serial == mobility.serial && !self.is_of(client) {
            return Some(true);
        }
        let again = mobility.used.is_some_and(|it| (it.0, it.1) == (serial, client) && now < it.2);
        again.then_some(false)
    }
    pub(super) fn move_to(&mut self, now: Instant, client: usize) {
        let Some(mobility) = &mut self.mobility else { return };
        mobility.used = Some((mobility.serial, client, now + Duration::from_secs(30)));
        mobility.serial += 1;
        self.to = Some(client);
        if self.at.is_none() {
            self.arrived(client);
        }
    }
    /// RFC 6062 section 5.2: why there is no connection to this peer.
    pub(super) fn refuses(&self, peer: SocketAddr) -> Option<u16> {
        if !self.is_tcp {
            Some(403)
        } else if self.relay_for(peer.ip()).is_none() {
            Some(443)
        } else if self.connections.iter().any(|it| it.peer == peer) {
            Some(446)
        } else if self.connections.len() >= CONNECTIONS {
            Some(508)
        } else if is_denied(peer.ip()) || peer.port() == 0 {
            Some(403)
        } else {
            None
        }
    }
    pub(super) fn connected(&mut self, now: Instant, peer: SocketAddr, id: u32) {
        let until = now + Duration::from_secs(30);
        self.connections.push(Connection { id, peer, until, client: None });
    }
    pub(super) fn relay_for(&self, peer: IpAddr) -> Option<SocketAddr> {
        self.relays[usize::from(peer.is_ipv6())].map(|it| it.0)
    }
    /// False if nothing is left.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        for relay in &mut self.relays {
            relay.take_if(|it| it.1 <= now);
        }
        self.forget_families();
        self.connections.retain(|it| it.client.is_some() || now < it.until);
        self.relays.iter().any(Option::is_some)
    }
    /// A socket is gone. False if nothing is left.
    pub(super) fn lost(&mut self, local: SocketAddr) -> bool {
        for relay in &mut self.relays {
            relay.take_if(|it| it.0 == local);
        }
        self.forget_families();
        self.relays.iter().any(Option::is_some)
    }
    /// Permissions and channels end with the relayed address of their family.
    pub(super) fn forget_families(&mut self) {
        let is_there = self.relays.map(|it| it.is_some());
        self.permissions.retain(|ip, _| is_there[usize::from(ip.is_ipv6())]);
        self.channels.retain(|_, (peer, _)| is_there[usize::from(peer.is_ipv6())]);
    }
    fn forget(&mut self, now: Instant) {
        self.permissions.retain(|_, until| now < *until);
        self.channels.retain(|_, (_, until)| now < *until);
    }
    /// How many permissions and channels there are.
    pub(super) fn counts(&mut self, now: Instant) -> (usize, usize) {
        self.forget(now);
        (self.permissions.len(), self.channels.len())
    }
    pub(super) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(|until| now < *until)
    }
    pub(super) fn channel(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|it| now < it.1).map(|it| it.0)
    }
    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        self.channels.iter().find(|(_, it)| it.0 == peer && now < it.1).map(|(number, _)| *number)
    }
    /// RFC 8656 section 10.2: the code of the answer.
    pub(super) fn create_permission(&mut self, now: Instant, peers: &[SocketAddr]) -> u16 {
        if peers.is_empty() {
            return 400;
        }
        if peers.iter().any(|it| self.relay_for(it.ip()).is_none()) {
            return 443;
        }
        if peers.iter().any(|it| is_denied(it.ip())) {
            return 403;
        }
        self.forget(now);
        let mut ips: Vec<IpAddr> = peers.iter().map(SocketAddr::ip).collect();
        ips.extend(self.permissions.keys());
        ips.sort_unstable();
        ips.dedup();
        if ips.len() > PERMISSIONS {
            return 508;
        }
        self.permissions.extend(peers.iter().map(|it| (it.ip(), now + Duration::from_secs(300))));
        0
    }
    /// RFC 8656 section 12.2: the code of the answer.
    pub(super) fn channel_bind(&mut self, now: Instant, number: u16, peer: SocketAddr) -> u16 {
        if self.is_tcp {
            return 403;
        }
        self.forget(now);
        let other_peer = self.channels.get(&number).is_some_and(|it| it.0 != peer);
        let other_number = self.channel_of(now, peer).is_some_and(|it| it != number);
        if !(0x4000..=0x7FFF).contains(&number) || peer.port() == 0 {
            return 400;
        }
        if self.relay_for(peer.ip()).is_none() {
            return 443;
        }
        if other_peer || other_number {
            return 400;
        }
        if is_denied(peer.ip()) {
            return 403;
        }
        let no_channel = !self.channels.contains_key(&number) && self.channels.len() >= CHANNELS;
        let no_permission =
            !self.permissions.contains_key(&peer.ip()) && self.permissions.len() >= PERMISSIONS;
        if no_channel || no_permission {
            return 508;
        }
        self.channels.insert(number, (peer, now + Duration::from_secs(600)));
        self.permissions.insert(peer.ip(), now + Duration::from_secs(300));
        0
    }
}

/// Of the peers of these scripts.
fn is_denied(peer: IpAddr) -> bool {
    peer.is_loopback()
}
