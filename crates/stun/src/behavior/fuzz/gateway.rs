//! What stands between the discovery and its server, and the server: a few lines that do what RFC 4787 and RFC 5780 say of
//! them, and each fault that a script turns on.

use alloc::{collections::BTreeMap, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Buffer, Instant, NoRoom, Packet, Path};

use crate::{IntegrityAlgorithm, IntegrityKey, Message, MessageWriter, attribute::*, message::Class};

pub(super) const USER: &str = "user";
pub(super) const PASSWORD: &str = "pass";
const REALM: &str = "example.org";
pub(super) const PORTS: [u16; 2] = [3478, 3479];

/// Two octets of a script.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kind {
    /// Bits 0 and 1: the mapping (none, and those of RFC 4787); 2 and 3: the filtering; 4 and 5: the hairpinning;
    /// 6: mappings expire; 7: it rewrites MAPPED-ADDRESS.
    pub(super) nat: u8,
    /// Bits 0 to 3: a fault of the server; 4 and 5: how many of eight answers are lost; 6 and 7: how late they come.
    pub(super) server: u8,
}

/// Where everybody is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) local: IpAddr,
    pub(super) servers: [IpAddr; 2],
    pub(super) external: IpAddr,
    pub(super) elsewhere: IpAddr,
}
impl Places {
    pub(super) fn new(v6: bool, on_one_host: bool) -> Self {
        let at = |net: u8, host: u8| -> IpAddr {
            match v6 {
                true => [0x2001, 0xDB8, u16::from(net), 0, 0, 0, 0, u16::from(host)].into(),
                false if on_one_host => [127, 0, 0, host].into(),
                false => {
                    [[192, 0, 2, host], [198, 51, 100, host], [203, 0, 113, host]][usize::from(net)].into()
                }
            }
        };
        Self { local: at(0, 1), servers: [at(1, 1), at(1, 2)], external: at(2, 4), elsewhere: at(2, 5) }
    }
    pub(super) fn server(&self) -> SocketAddr {
        (self.servers[0], PORTS[0]).into()
    }
}

/// What arrives, on which path.
pub(super) type Arrival = (Path, Vec<u8>);

#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) kind: Kind,
    pub(super) places: Places,
    /// Whom each local address has sent to, and when last.
    contacts: BTreeMap<SocketAddr, BTreeMap<SocketAddr, Instant>>,
    count: u32,
}
/// So long its mappings live, where they expire.
const LIFETIME: Duration = Duration::from_secs(45);

impl Gateway {
    pub(super) fn new(places: Places) -> Self {
        Self { kind: Kind::default(), places, contacts: BTreeMap::new(), count: 0 }
    }
    /// How late its answers come.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis([0, 40, 700, 3_000][usize::from(self.kind.server >> 6)])
    }
    /// As whom `remote` sees `local`.
    pub(super) fn mapped(&self, local: SocketAddr, remote: SocketAddr) -> SocketAddr {
        let first = u16::from(remote.ip() == self.places.servers[1]);
        let of_peer = match self.kind.nat & 3 {
            0 => return local,
            1 => 0,
            2 => 1 + first,
            _ => 1 + 2 * first + u16::from(remote.port() == PORTS[1]),
        };
        (self.places.external, 20_000 + (local.port() & 0xFFF) * 8 + of_peer).into()
    }

    /// A request leaves: what comes back, if anything.
    pub(super) fn pass(&mut self, now: Instant, path: Path, octets: &[u8]) -> Option<Arrival> {
        self.contacts.entry(path.local).or_default().insert(path.remote, now);
        self.count = self.count.wrapping_add(1);
        let lost = self.count.wrapping_mul(5) % 8 < u32::from(self.kind.server >> 4 & 3) * 2;
        let served = self.places.servers.contains(&path.remote.ip()) && PORTS.contains(&path.remote.port());
        if lost {
            None
        } else if served {
            self.answer(now, path, octets)
        } else {
            self.hairpin(path, octets)
        }
    }
    fn hairpin(&self, path: Path, octets: &[u8]) -> Option<Arrival> {
        let reached = |local: &&SocketAddr| self.mapped(**local, self.places.server()) == path.remote;
        let local = *self.contacts.keys().find(reached)?;
        let source = match self.kind.nat >> 4 & 3 {
            0 => return None,
            1 => path.local,
            2 => self.mapped(path.local, path.remote),
            _ => (self.places.elsewhere, 999).into(),
        };
        Some((Path::udp(local, source), octets.to_vec()))
    }
    fn answer(&self, now: Instant, path: Path, octets: &[u8]) -> Option<Arrival> {
        let message = Message::parse(octets).ok()?;
        let fault = self.kind.server & 15;
        let change = message.get::<ChangeRequest>().ok()?;
        let port = message.get::<ResponsePort>().ok()?.map(|ResponsePort(port)| port);
        let deaf = match fault {
            1 => change.is_some(),
            2 => port.is_some(),
            3 => path.remote.ip() == self.places.servers[1],
            4 => message.has(AttributeType::PADDING),
            _ => false,
        };
        if deaf {
            return None;
        }
        let change = change.filter(|_| fault != 5).unwrap_or(ChangeRequest { ip: false, port: false });
        let other = self.other(path.remote);
        let from = SocketAddr::new(
            if change.ip { other.ip() } else { path.remote.ip() },
            if change.port { other.port() } else { path.remote.port() },
        );
        let seen = self.mapped(path.local, path.remote);
        let to = port.filter(|_| fault != 6).unwrap_or(seen.port());
        let local = self.let_in(now, SocketAddr::new(seen.ip(), to), from, path.remote)?;
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        self.write(&mut packet, &message, seen, other, from).ok()?;
        Some((Path::udp(local, from), packet.bytes().to_vec()))
    }
    fn other(&self, asked: SocketAddr) -> SocketAddr {
        let [first, second] = self.places.servers;
        let ip = if asked.ip() == first { second } else { first };
        (ip, PORTS[usize::from(asked.port() == PORTS[0])]).into()
    }
    /// Whom inside an answer reaches.
    fn let_in(
        &self,
        now: Instant,
        to: SocketAddr,
        from: SocketAddr,
        asked: SocketAddr,
    ) -> Option<SocketAddr> {
        let (local, peers) = self.contacts.iter().find(|(local, _)| self.mapped(**local, asked) == to)?;
        let alive = |last: &Instant| self.kind.nat & 0x40 == 0 || now.saturating_since(*last) < LIFETIME;
        let mut open = peers.iter().filter(|(_, last)| alive(last)).map(|(peer, _)| *peer);
        let lets_in = match self.kind.nat >> 2 & 3 {
            0 | 1 => open.next().is_some(),
            2 => open.any(|peer| peer.ip() == from.ip()),
            _ => open.any(|peer| peer == from),
        };
        lets_in.then_some(*local)
    }
    fn write(
        &self,
        packet: &mut Packet<'_>,
        question: &Message<'_>,
        seen: SocketAddr,
        other: SocketAddr,
        from: SocketAddr,
    ) -> Result<(), NoRoom> {
        let fault = self.kind.server & 15;
        let padding = question.get::<Padding>().ok().flatten();
        let has_port = question.has(AttributeType::RESPONSE_PORT);
        let code = match fault {
            7 if has_port || padding.is_some() => Some(420),
            8 if question.has(AttributeType::CHANGE_REQUEST) => Some(420),
            9 => Some(500),
            10 if question.integrity_algorithm().is_none() => Some(401),
            _ => None,
        };
        let class = if code.is_some() { Class::Error } else { Class::Success };
        let mut open = MessageWriter::new(packet, class, question.method(), question.transaction_id())?;
        if let Some(code) = code {
            open = open.attribute(&ErrorCode::new(code, "").map_err(|_| NoRoom)?)?;
        }
        if code == Some(401) {
            open = open.attribute(&Realm::new(REALM).map_err(|_| NoRoom)?)?;
            open = open.attribute(&Nonce::new(b"plain").map_err(|_| NoRoom)?)?;
        }
        if code.is_none() {
            open = open.attribute(&XorMappedAddress(seen))?.attribute(&ResponseOrigin(from))?;
            if fault != 11 {
                let plain = if self.kind.nat & 0x80 == 0 { seen } else { other };
                open = open.attribute(&MappedAddress(plain))?;
            }
            if fault != 12 {
                open = open.attribute(&OtherAddress(other))?;
            }
        }
        if let Some(padding) = padding.filter(|_| fault != 13 && code.is_none()) {
            open = open.attribute(&padding)?;
        }
        let key = IntegrityKey::long_term(USER, REALM, PASSWORD).map_err(|_| NoRoom)?;
        match question.integrity_algorithm() {
            Some(_) => open.integrity_as(IntegrityAlgorithm::Sha1, &key)?.fingerprint(),
            None => open.fingerprint(),
        }
    }
}
