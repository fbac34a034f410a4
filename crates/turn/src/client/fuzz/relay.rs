//! A TURN server of a few lines that does as it is told: what the client's tests and its fuzzer play against.
//!
//! It authenticates with the server's half of `ginnel-stun`, holds allocations, permissions and channels as RFC 8656 says,
//! and answers by script where one is set. It has no sockets: what is sent to peers is kept, to be looked at.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Instant, NoRoom, Packet, Path, Seed};
use ginnel_stun::{
    Class, Message, MessageWriter, Method, TransactionId,
    attribute::{
        self, AdditionalAddressFamily, AddressErrorCode, AddressFamily, AlternateServer, Attribute as _,
        AttributeType, ConnectionId, ErrorCode, Lifetime, MobilityTicket, RequestedAddressFamily,
        ReservationToken, UnknownAttributes, XorMappedAddress, XorPeerAddress, XorRelayedAddress,
    },
    auth::{AnnouncedAlgorithms, AuthConfig, Authenticated, Authenticator, User, Verdict},
};

use crate::{ChannelData, ChannelNumber};

pub(in crate::client) const REALM: &str = "example.org";
pub(in crate::client) const USER: &str = "user";
pub(in crate::client) const PASSWORD: &str = "pass";

/// What an authenticated request is answered with, in place of what the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Reply {
    Error(u16),
    /// 420, which names this.
    Unknown(AttributeType),
    /// 300.
    Alternate(SocketAddr),
    /// It did as it was asked, and its answer is lost.
    Lost,
}
/// What a success to Allocate has in it.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Gives {
    pub(in crate::client) ipv4: bool,
    pub(in crate::client) ipv6: bool,
    pub(in crate::client) mapped: bool,
    pub(in crate::client) lifetime: Option<u32>,
    pub(in crate::client) refused: Option<(AddressFamily, u16)>,
    pub(in crate::client) tickets: bool,
}
/// An allocation.
#[derive(Debug)]
pub(in crate::client) struct Held {
    pub(in crate::client) relayed: Vec<SocketAddr>,
    pub(in crate::client) expires: Instant,
    pub(in crate::client) permissions: BTreeMap<IpAddr, Instant>,
    pub(in crate::client) channels: BTreeMap<u16, (SocketAddr, Instant)>,
    ticket: u32,
}

pub(in crate::client) struct Relay {
    auth: Authenticator,
    /// By the client's path, as the client sees it.
    pub(in crate::client) held: BTreeMap<Path, Held>,
    pub(in crate::client) script: VecDeque<(Method, Reply)>,
    pub(in crate::client) gives: Gives,
    /// Authenticated requests, as they came.
    pub(in crate::client) asked: Vec<(Path, Vec<u8>)>,
    /// What was relayed to peers, and whether it was to be unfragmented.
    pub(in crate::client) relayed: Vec<(SocketAddr, Vec<u8>, bool)>,
    /// What it said 400 to by its own rules: a client that does as it should never hears it.
    pub(in crate::client) broken: u32,
    next: u16,
}
impl Relay {
    pub(in crate::client) fn new(seed: u8) -> Self {
        let Ok(config) = AuthConfig::long_term(REALM) else { unreachable!("legal") };
        let config = config
            .with_nonce_period(Duration::from_secs(3600))
            .with_algorithms(AnnouncedAlgorithms::Sha256)
            .with_challenge_limit(None);
        let mut auth = Authenticator::new(config, Seed::new([seed; 32]));
        let Ok(user) = User::long_term(USER, REALM, PASSWORD) else { unreachable!("ASCII") };
        let Ok(()) = auth.add_user(user) else { unreachable!("room for one") };
        let gives = Gives {
            ipv4: true,
            ipv6: false,
            mapped: true,
            lifetime: Some(600),
            refused: None,
            tickets: true,
        };
        Self {
            auth,
            held: BTreeMap::new(),
            script: VecDeque::new(),
            gives,
            asked: Vec::new(),
            relayed: Vec::new(),
            broken: 0,
            next: 0,
        }
    }
    #[cfg(test)]
    pub(in crate::client) fn remove_user(&mut self) {
        self.auth.remove_user(USER);
    }
    #[cfg(test)]
    pub(in crate::client) fn change_password(&mut self, password: &str) {
        self.auth.remove_user(USER);
        self.auth.add_user(User::long_term(USER, REALM, password).unwrap()).unwrap();
    }
    /// Sets what the next request of this method is answered with.
    pub(in crate::client) fn next(&mut self, method: Method, reply: Reply) {
        self.script.push_back((method, reply));
    }

    /// A packet of a client on `path`. True: the packet is the answer now.
    pub(in crate::client) fn handle(&mut self, now: Instant, path: Path, packet: &mut Packet<'_>) -> bool {
        self.expire(now);
        if packet.bytes().first().is_some_and(|first| first >> 6 == 1) {
            self.on_channel_data(now, path, packet);
            return false;
        }
        let Ok(message) = Message::parse(packet.bytes()) else { return false };
        if message.class() == Class::Indication {
            self.on_indication(now, path, &message);
            return false;
        }
        let (method, id) = (message.method(), message.transaction_id());
        let genuine = match self.auth.check(now, path, &message) {
            Verdict::Authenticated(genuine) => genuine,
            Verdict::Refused(refusal) => return self.auth.refuse(&refusal, packet).is_ok(),
            Verdict::LookingUp(_) | Verdict::Discarded => return false,
        };
        let octets = packet.bytes().to_vec();
        self.asked.push((path, octets.clone()));
        let scripted = self.script.iter().position(|(of, _)| *of == method);
        let reply = scripted.and_then(|at| self.script.remove(at)).map(|(_, reply)| reply);
        let Ok(message) = Message::parse(&octets) else { return false };
        let error = match reply {
            None | Some(Reply::Lost) => self.obey(now, path, &message).err(),
            Some(Reply::Error(code)) => Some(code),
            Some(Reply::Unknown(_)) => Some(420),
            Some(Reply::Alternate(_)) => Some(300),
        };
        if reply == Some(Reply::Lost) {
            return false;
        }
        self.broken += u32::from(reply.is_none() && error == Some(400));
        self.write(now, path, &genuine, (method, id), error, reply, packet).is_ok()
    }
    fn expire(&mut self, now: Instant) {
        self.held.retain(|_, held| held.expires > now);
        for held in self.held.values_mut() {
            held.permissions.retain(|_, until| *until > now);
            held.channels.retain(|_, (_, until)| *until > now);
        }
    }
    /// Does what is asked, or says why not.
    fn obey(&mut self, now: Instant, path: Path, message: &Message<'_>) -> Result<(), u16> {
        match message.method() {
            Method::ALLOCATE if self.held.contains_key(&path) => Err(437),
            Method::ALLOCATE => {
                self.allocate(now, path, message);
                Ok(())
            }
            Method::REFRESH => self.refresh(now, path, message),
            Method::CREATE_PERMISSION => {
                let held = self.held.get_mut(&path).ok_or(437u16)?;
                let peers = peers_of(message);
                if peers.is_empty() {
                    return Err(400);
                }
                for peer in peers {
                    reachable(held, peer)?;
                    held.permissions.insert(peer.ip(), now + Duration::from_secs(300));
                }
                Ok(())
            }
            Method::CHANNEL_BIND => {
                let held = self.held.get_mut(&path).ok_or(437u16)?;
                let Ok(Some(attribute::ChannelNumber(number))) = message.get() else { return Err(400) };
                let Ok(Some(XorPeerAddress(peer))) = message.get() else { return Err(400) };
                reachable(held, peer)?;
                let other = |(n, (p, _)): (&u16, &(SocketAddr, Instant))| (*n == number) != (*p == peer);
                if ChannelNumber::new(number).is_none() || held.channels.iter().any(other) {
                    return Err(400);
                }
                held.channels.insert(number, (peer, now + Duration::from_secs(600)));
                held.permissions.insert(peer.ip(), now + Duration::from_secs(300));
                Ok(())
            }
            Method::CONNECT if self.held.contains_key(&path) => Ok(()),
            Method::CONNECT => Err(437),
            Method::CONNECTION_BIND => Ok(()),
            _ => Err(400),
        }
    }
    fn allocate(&mut self, now: Instant, path: Path, message: &Message<'_>) {
        let mut relayed = Vec::new();
        let wanted = message.get::<RequestedAddressFamily>().ok().flatten();
        let both = message.has(AdditionalAddressFamily::TYPE);
        let (ipv4, ipv6) = match wanted {
            Some(RequestedAddressFamily(AddressFamily::Ipv4)) => (self.gives.ipv4, false),
            Some(RequestedAddressFamily(AddressFamily::Ipv6)) => {
                (self.gives.ipv4 && !self.gives.ipv6, self.gives.ipv6)
            }
            None => (self.gives.ipv4, both && self.gives.ipv6),
        };
        self.next = self.next.wrapping_add(2);
        let port = 49_152 + self.next % 16_000;
        if ipv4 {
            relayed.push(SocketAddr::new([203, 0, 113, 1].into(), port));
        }
        if ipv6 {
            relayed.push(SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), port));
        }
        let lifetime = Duration::from_secs(self.gives.lifetime.unwrap_or(600).into());
        let held = Held {
            relayed,
            expires: now + lifetime,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            ticket: u32::from(self.next) << 8,
        };
        self.held.insert(path, held);
    }
    fn refresh(&mut self, now: Instant, path: Path, message: &Message<'_>) -> Result<(), u16> {
        if let Ok(Some(MobilityTicket(ticket))) = message.get() {
            let ticket = ticket.try_into().map(u32::from_be_bytes).map_err(|_| 400u16)?;
            let old = self.held.iter().find(|(_, held)| held.ticket == ticket).map(|(old, _)| *old);
            let mut held = old.and_then(|old| self.held.remove(&old)).ok_or(437u16)?;
            held.ticket += 1;
            held.expires = now + Duration::from_secs(self.gives.lifetime.unwrap_or(600).into());
            self.held.insert(path, held);
            return Ok(());
        }
        let held = self.held.get_mut(&path).ok_or(437u16)?;
        let lifetime = message.get::<Lifetime>().ok().flatten();
        match (lifetime, message.get::<RequestedAddressFamily>()) {
            (Some(Lifetime(0)), Ok(Some(RequestedAddressFamily(family)))) => {
                let before = held.relayed.len();
                held.relayed.retain(|it| AddressFamily::of(it.ip()) != family);
                held.permissions.retain(|ip, _| AddressFamily::of(*ip) != family);
                held.channels.retain(|_, (peer, _)| AddressFamily::of(peer.ip()) != family);
                if held.relayed.len() == before { Err(443) } else { Ok(()) }
            }
            (Some(Lifetime(0)), _) => {
                self.held.remove(&path);
                Ok(())
            }
            _ => {
                held.expires = now + Duration::from_secs(self.gives.lifetime.unwrap_or(600).into());
                Ok(())
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "all that an answer is made of")]
    fn write(
        &self,
        now: Instant,
        path: Path,
        genuine: &Authenticated,
        (method, id): (Method, TransactionId),
        error: Option<u16>,
        reply: Option<Reply>,
        packet: &mut Packet<'_>,
    ) -> Result<(), NoRoom> {
        let class = if error.is_some() { Class::Error } else { Class::Success };
        let mut open = MessageWriter::new(packet, class, method, id)?;
        if let Some(code) = error {
            open = open.attribute(&ErrorCode::new(code, "").map_err(|_| NoRoom)?)?;
        }
        open = match (reply, error, method) {
            (Some(Reply::Unknown(kind)), ..) => open.attribute(&UnknownAttributes::new(&[kind]))?,
            (Some(Reply::Alternate(server)), ..) => open.attribute(&AlternateServer(server))?,
            (_, None, Method::ALLOCATE) => self.write_allocated(path, open)?,
            (_, None, Method::REFRESH) => self.write_refreshed(now, path, open)?,
            (_, None, Method::CONNECT) => open.attribute(&ConnectionId(u32::from(self.next) + 7))?,
            _ => open,
        };
        genuine.seal(open)?.finish();
        Ok(())
    }
    fn write_allocated<'p, 'a>(
        &self,
        path: Path,
        mut open: MessageWriter<'p, 'a>,
    ) -> Result<MessageWriter<'p, 'a>, NoRoom> {
        let Some(held) = self.held.get(&path) else { return Ok(open) };
        for address in &held.relayed {
            open = open.attribute(&XorRelayedAddress(*address))?;
        }
        if self.gives.mapped {
            open = open.attribute(&XorMappedAddress(path.local))?;
        }
        if let Some(seconds) = self.gives.lifetime {
            open = open.attribute(&Lifetime(seconds))?;
        }
        if let Some((family, code)) = self.gives.refused {
            let error = ErrorCode::new(code, "").map_err(|_| NoRoom)?;
            open = open.attribute(&AddressErrorCode { family, error })?;
        }
        let wants =
            |kind| self.asked.last().is_some_and(|(_, it)| Message::parse(it).is_ok_and(|it| it.has(kind)));
        if wants(AttributeType::EVEN_PORT) {
            open = open.attribute(&ReservationToken(*b"reserved"))?;
        }
        if self.gives.tickets && wants(AttributeType::MOBILITY_TICKET) {
            open = open.attribute(&MobilityTicket(&held.ticket.to_be_bytes()))?;
        }
        Ok(open)
    }
    fn write_refreshed<'p, 'a>(
        &self,
        now: Instant,
        path: Path,
        open: MessageWriter<'p, 'a>,
    ) -> Result<MessageWriter<'p, 'a>, NoRoom> {
        let Some(held) = self.held.get(&path) else { return open.attribute(&Lifetime(0)) };
        let left = held.expires.saturating_since(now).as_secs();
        let open = open.attribute(&Lifetime(u32::try_from(left).unwrap_or(u32::MAX)))?;
        if self.gives.tickets {
            open.attribute(&MobilityTicket(&held.ticket.to_be_bytes()))
        } else {
            Ok(open)
        }
    }

    fn on_channel_data(&mut self, now: Instant, path: Path, packet: &Packet<'_>) {
        let Ok(data) = ChannelData::parse(packet.bytes()) else { return };
        let Some(held) = self.held.get(&path) else { return };
        let Some((peer, _)) = held.channels.get(&data.channel().number()) else { return };
        let permitted = held.permissions.get(&peer.ip()).is_some_and(|until| *until > now);
        if permitted {
            self.relayed.push((*peer, data.payload().to_vec(), false));
        }
    }
    fn on_indication(&mut self, now: Instant, path: Path, message: &Message<'_>) {
        if message.method() != Method::SEND {
            return;
        }
        let Some(held) = self.held.get(&path) else { return };
        let (Ok(Some(XorPeerAddress(peer))), Ok(Some(attribute::Data(data)))) =
            (message.get(), message.get())
        else {
            return;
        };
        let permitted = held.permissions.get(&peer.ip()).is_some_and(|until| *until > now);
        if permitted {
            let unfragmented = message.has(AttributeType::DONT_FRAGMENT);
            self.relayed.push((peer, data.to_vec(), unfragmented));
        }
    }
    /// What a peer sent to the relayed address, as the client gets it. False: it is not relayed.
    pub(in crate::client) fn peer_sends(
        &self,
        path: Path,
        peer: SocketAddr,
        data: &[u8],
        packet: &mut Packet<'_>,
    ) -> bool {
        let Some(held) = self.held.get(&path) else { return false };
        if !held.permissions.contains_key(&peer.ip()) {
            return false;
        }
        let bound = held.channels.iter().find(|(_, (other, _))| *other == peer);
        match bound.and_then(|(number, _)| ChannelNumber::new(*number)) {
            Some(channel) => packet.write(data).is_ok() && ChannelData::wrap(channel, packet).is_ok(),
            None => indication(packet, Method::DATA, |open| {
                open.attribute(&XorPeerAddress(peer))?.attribute(&attribute::Data(data))
            }),
        }
    }
}
/// Writes an indication.
pub(in crate::client) fn indication(
    packet: &mut Packet<'_>,
    method: Method,
    build: impl for<'p, 'b> Fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>,
) -> bool {
    let id = TransactionId::new(*b"indication!!");
    let open = MessageWriter::new(packet, Class::Indication, method, id);
    open.and_then(build).map(MessageWriter::finish).is_ok()
}
fn reachable(held: &Held, peer: SocketAddr) -> Result<(), u16> {
    let same = held.relayed.iter().any(|it| it.is_ipv4() == peer.is_ipv4());
    if same { Ok(()) } else { Err(443) }
}
/// All XOR-PEER-ADDRESSes.
fn peers_of(message: &Message<'_>) -> Vec<SocketAddr> {
    let id = message.transaction_id();
    let peers = message.attributes().filter(|raw| raw.kind == AttributeType::XOR_PEER_ADDRESS);
    peers
        .filter_map(|raw| XorPeerAddress::parse(raw.value, id).ok())
        .map(|XorPeerAddress(peer)| peer)
        .collect()
}
