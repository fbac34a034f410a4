//! Datagrams inside DTLS: who may begin one, whose datagram is whose, and how they end.
//!
//! ```text
//!   ClientHello, no cookie or a wrong one -> HelloVerifyRequest, and nothing is kept
//!   ClientHello, the right cookie         -> an association, half open: bounded, the oldest goes. It takes the place of one
//!                                            that is open only when its handshake is done
//!   anything of a known path              -> its association
//!   anything else                         -> dropped; or the machine's, where its socket has that address too
//! ```
//!
//! The last line is RFC 7983 section 7: what begins with 20 to 63 is DTLS.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry, hash_map::RandomState},
    hash::BuildHasher as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ginnel_core::{Notice, Packet, Path, Port, Refused, Request, Ticket, Transmit, Transport};

use super::{Slot, Wire};
use crate::{
    Runtime,
    bind::{Sharing, route_to},
    dtls::{Alert, Association, COOKIE, Hello, Library, State, Step, Verify, alert, verify_request},
    stream::Source,
};

/// A cookie is good in the span of time in which it was made, and in the next: so long, and up to twice that.
const COOKIE_SECONDS: u64 = 60;

/// The longest datagram that is taken in a handshake which somebody else has begun: more than an Ethernet carries, and nothing
/// in the flights of a client without a certificate is as long. With the library's bound of datagrams that wait to be put in
/// order, a half-open handshake holds less than 50 kB of what its client has sent.
const LONGEST: usize = 2_048;

/// What a driver has for DTLS.
#[derive(Debug, Default)]
pub(super) struct Secure {
    library: Option<Library>,
    /// Sockets that carry DTLS, by the address that they are bound to.
    sockets: BTreeMap<SocketAddr, Use>,
    /// Makes cookies: a keyed hash, whose key the system has drawn.
    key: RandomState,
    /// Handshakes that others have begun, the oldest first.
    half_open: VecDeque<usize>,
    /// Those of them whose path has an open association until they are done (RFC 6347 section 4.2.8).
    successors: BTreeMap<Path, usize>,
}

/// What a socket is there for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use {
    /// The machine has bound it, for datagrams as they are.
    pub(crate) plain: bool,
    /// Others may begin.
    listening: bool,
    associations: usize,
}

impl<R: Runtime> Wire<R> {
    // ---- sockets

    pub(super) fn listen_dtls(
        &mut self,
        ip: IpAddr,
        port: Port,
        sharing: Sharing,
    ) -> Result<SocketAddr, Refused> {
        let usable = self.config.server_tls.as_ref().is_some_and(|tls| tls.for_dtls().is_some());
        if !usable || !self.has_library() || ip.is_multicast() {
            return Err(Refused::Unsupported);
        }
        let local = self.socket_for_dtls(ip, port, sharing)?;
        self.secure.sockets.entry(local).or_default().listening = true;
        Ok(local)
    }

    fn has_library(&mut self) -> bool {
        if self.secure.library.is_none() {
            self.secure.library = Library::new(self.config.limits.handshake);
        }
        self.secure.library.is_some()
    }

    /// One that is open already, or a new one.
    fn socket_for_dtls(&mut self, ip: IpAddr, port: Port, sharing: Sharing) -> Result<SocketAddr, Refused> {
        if let Port::Exact(port) = port {
            let local = SocketAddr::new(ip, port);
            if self.by_local.get(&local).is_some() {
                let known = self.secure.sockets.entry(local).or_insert(Use { plain: true, ..Use::default() });
                return if known.listening { Err(Refused::InUse) } else { Ok(local) };
            }
        }
        let local = self.bind_socket(ip, port, sharing)?;
        self.secure.sockets.insert(local, Use::default());
        Ok(local)
    }

    /// The machine wants a socket where one carries DTLS already: it may have it too.
    pub(super) fn share_with_dtls(&mut self, ip: IpAddr, port: Port) -> Option<Result<SocketAddr, Refused>> {
        let Port::Exact(port) = port else { return None };
        let local = SocketAddr::new(ip, port);
        let known = self.secure.sockets.get_mut(&local)?;
        Some(if std::mem::replace(&mut known.plain, true) { Err(Refused::InUse) } else { Ok(local) })
    }

    /// The machine gives its socket back: whether DTLS needs it still.
    pub(super) fn keep_for_dtls(&mut self, local: SocketAddr) -> bool {
        let Some(known) = self.secure.sockets.get_mut(&local) else { return false };
        known.plain = false;
        let kept = known.listening || known.associations > 0;
        if !kept {
            self.secure.sockets.remove(&local);
        }
        kept
    }

    fn no_more_needed(&mut self, bound: SocketAddr) {
        let Some(known) = self.secure.sockets.get(&bound) else { return };
        if known.listening || known.associations > 0 {
            return;
        }
        let plain = known.plain;
        self.secure.sockets.remove(&bound);
        if let (false, Some(number)) = (plain, self.by_local.get(&bound)) {
            self.flush();
            self.drop_socket(number);
        }
    }

    /// A socket is gone, and with it what it carried.
    pub(super) fn lose_dtls(&mut self, bound: SocketAddr) {
        if self.secure.sockets.remove(&bound).is_none() {
            return;
        }
        let carried = |path: &Path| path.transport == Transport::Dtls && carries(bound, path.local);
        // Successors first: each would take the place of the one before it.
        let known = self.secure.successors.iter().chain(&self.by_path);
        let gone: Vec<usize> = known.filter(|(path, _)| carried(path)).map(|(_, number)| *number).collect();
        for number in gone {
            self.end_association(number, Refused::Unreachable);
        }
    }

    /// What the socket that is bound to this address is there for; `None` if it has nothing to do with DTLS.
    pub(crate) fn dtls_use(&self, bound: SocketAddr) -> Option<Use> {
        self.secure.sockets.get(&bound).copied()
    }

    pub(super) fn bound_for(&self, local: SocketAddr) -> Option<SocketAddr> {
        let any: IpAddr = match local.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let known = |at: &SocketAddr| self.secure.sockets.contains_key(at);
        [local, SocketAddr::new(any, local.port())].into_iter().find(known)
    }

    // ---- beginning

    pub(super) fn connect_dtls(&mut self, request: Request) -> Result<(), Refused> {
        let Request::Connect { ticket, local, remote, host, .. } = request else { return Ok(()) };
        let verifier = self.config.client_tls.as_ref().and_then(|tls| tls.for_dtls());
        let verifier = verifier.filter(|_| self.has_library()).ok_or(Refused::Unsupported)?;
        if self.counts.connected >= self.config.limits.connected {
            return Err(Refused::NotPermitted);
        }
        let verify = Verify::new(verifier, host, remote.ip())?;
        let start = self.epoch.to_std(self.now);
        let library = self.secure.library.as_mut().and_then(|library| library.client(start));
        let library = library.ok_or(Refused::Unsupported)?;
        // A path has an address of its own at either end.
        let ip = match local.map(|local| local.ip()).filter(|ip| !ip.is_unspecified()) {
            Some(ip) => ip,
            None => route_to(remote).map_err(|_| Refused::Unreachable)?,
        };
        let port = match local.map(|local| local.port()) {
            Some(port @ 1..) => Port::Exact(port),
            Some(0) | None => Port::Any,
        };
        let bound = self.socket_for_connecting(ip, port)?;
        let path = Path::new(Transport::Dtls, SocketAddr::new(ip, bound.port()), remote);
        if self.by_path.contains_key(&path) {
            self.no_more_needed(bound);
            return Err(Refused::InUse);
        }
        let state = self.shaking(Some(ticket));
        let association = Association::new(self.now, path, library, state, Some(verify), None);
        self.enter(None);
        let number = self.place_association(Box::new(association), bound);
        self.go_on(number, None);
        Ok(())
    }

    fn socket_for_connecting(&mut self, ip: IpAddr, port: Port) -> Result<SocketAddr, Refused> {
        if let Port::Exact(port) = port
            && let Some(bound) = self.bound_for(SocketAddr::new(ip, port))
        {
            return Ok(bound);
        }
        self.socket_for_dtls(ip, port, Sharing::Alone)
    }

    fn shaking(&self, ticket: Option<Ticket>) -> State {
        State::Shaking { ticket, until: self.now + self.config.limits.handshake }
    }

    pub(super) fn place_association(&mut self, association: Box<Association>, bound: SocketAddr) -> usize {
        let (number, _) = self.number();
        match self.by_path.entry(association.path) {
            Entry::Vacant(none) => {
                none.insert(number);
            }
            Entry::Occupied(_) => {
                self.secure.successors.insert(association.path, number);
            }
        }
        self.secure.sockets.entry(bound).or_default().associations += 1;
        self.slots[number] = Some(Slot::Association(association));
        number
    }

    /// Somebody wants to begin. Nothing is kept of those who have not shown that they hear what is sent to them.
    fn on_hello(&mut self, path: Path, hello: &Hello<'_>, datagram: &[u8]) {
        if datagram.len() > LONGEST {
            self.stats.not_open += 1;
            return;
        }
        let span = self.now.since_epoch().as_secs() / COOKIE_SECONDS;
        let right = [Some(span), span.checked_sub(1)]
            .into_iter()
            .flatten()
            .any(|span| self.cookie(path, hello, span)[..] == *hello.cookie());
        if !right {
            self.stats.dtls_challenged += 1;
            let request = verify_request(hello, &self.cookie(path, hello, span));
            return self.send_record(path, &request);
        }
        if hello.is_too_old() {
            // RFC 5246 appendix E.1. DTLS 1.0 is not to be spoken any more (RFC 8996 section 5).
            return self.refuse_hello(path, hello, Alert::ProtocolVersion);
        }
        if let Some(begun) = self.half_open_on(path) {
            // The client has begun anew before it was done.
            self.end_association(begun, Refused::Handshake);
        }
        let source = Source::of(path.remote.ip());
        let from_there = self.sources.get(&source).copied().unwrap_or_default();
        if self.is_full(source) || from_there.handshakes >= self.config.limits.handshakes_from_one {
            self.stats.accept_refused += 1;
            return;
        }
        while self.secure.half_open.len() >= self.config.limits.handshakes.max(1) {
            let Some(oldest) = self.secure.half_open.pop_front() else { break };
            self.end_association(oldest, Refused::TimedOut);
        }
        self.accept_association(path, source, hello, datagram);
    }

    fn accept_association(&mut self, path: Path, source: Source, hello: &Hello<'_>, datagram: &[u8]) {
        let certificate = self.config.server_tls.as_ref().and_then(|tls| tls.for_dtls());
        let (Some(certificate), Some(library)) = (certificate, &self.secure.library) else { return };
        let Some(bound) = self.bound_for(path.local) else { return };
        let (now, epoch) = (self.now, self.epoch);
        let library = library.server(certificate, epoch.to_std(now));
        let state = self.shaking(None);
        let mut association = Association::new(now, path, library, state, None, Some(source));
        let mut answered = false;
        let greeted = association.greet(now, epoch, hello, datagram, &mut |record| {
            answered = true;
            self.send_record(path, record);
        });
        if greeted != Step::On || !answered {
            // The library has said why to nobody, or has not even understood: no cipher in common, mostly.
            return self.refuse_hello(path, hello, Alert::HandshakeFailure);
        }
        self.enter(Some(source));
        self.sources.entry(source).or_default().handshakes += 1;
        let number = self.place_association(Box::new(association), bound);
        self.secure.half_open.push_back(number);
        self.watch_association(number);
    }

    /// Tells a client that it cannot begin, and keeps nothing of it.
    fn refuse_hello(&mut self, path: Path, hello: &Hello<'_>, why: Alert) {
        self.stats.handshakes_failed += 1;
        self.send_record(path, &alert(hello, why));
    }

    /// The handshake that the other end of a path has begun.
    fn half_open_on(&mut self, path: Path) -> Option<usize> {
        let successor = self.secure.successors.get(&path).copied();
        let number = successor.or_else(|| self.by_path.get(&path).copied())?;
        self.association(number).filter(|known| known.state != State::Open).map(|_| number)
    }

    fn cookie(&self, path: Path, hello: &Hello<'_>, span: u64) -> [u8; COOKIE] {
        let mut cookie = [0; COOKIE];
        for (part, octets) in cookie.chunks_exact_mut(8).enumerate() {
            let hash = self.secure.key.hash_one((part, span, path.local, path.remote, hello.random));
            octets.copy_from_slice(&hash.to_le_bytes());
        }
        cookie
    }

    // ---- in and out

    /// Takes a datagram that is DTLS, as its first octet says. What it held is to be [taken](Self::take_secure).
    pub(crate) fn secure_input(&mut self, path: Path, datagram: &[u8]) {
        let hello = Hello::parse(datagram);
        let Some(known) = self.by_path.get(&path).copied() else {
            let bound = self.bound_for(path.local).and_then(|bound| self.secure.sockets.get(&bound));
            match hello {
                Some(hello) if bound.is_some_and(|known| known.listening) => {
                    self.on_hello(path, &hello, datagram);
                }
                Some(_) => {}
                None => self.stats.not_open += 1,
            }
            return;
        };
        let successor = self.secure.successors.get(&path).copied();
        match hello {
            Some(hello) => {
                let mut begun = [Some(known), successor].into_iter().flatten();
                match begun.find(|number| self.has_begun(*number, &hello)) {
                    Some(number) => self.go_on(number, Some(datagram)),
                    None => self.on_hello(path, &hello, datagram),
                }
            }
            None => {
                self.go_on(successor.filter(|_| is_of_handshake(datagram)).unwrap_or(known), Some(datagram))
            }
        }
    }

    /// Whether this is a repetition of what an association has begun with; or is nothing to begin with, where this side has.
    fn has_begun(&mut self, number: usize, hello: &Hello<'_>) -> bool {
        self.association(number).is_some_and(|known| known.accepted.is_none() || known.random == hello.random)
    }

    /// The next message that has come, written into `packet`.
    pub(crate) fn take_secure(&mut self, path: Path, packet: &mut Packet<'_>) -> bool {
        let Some(number) = self.by_path.get(&path).copied() else { return false };
        self.association(number).is_some_and(|association| association.take(packet))
    }

    pub(super) fn send_secure(&mut self, transmit: Transmit, packet: &Packet<'_>) {
        let (now, epoch) = (self.now, self.epoch);
        let number = self.by_path.get(&transmit.path).copied();
        let open = |association: &&mut Association| association.state == State::Open;
        let Some(number) = number.filter(|number| self.association(*number).filter(open).is_some()) else {
            self.stats.not_open += 1;
            return;
        };
        self.with_association(number, |association, send| {
            association.active = now;
            association.say(epoch, packet.bytes(), send)
        });
    }

    pub(super) fn association(&mut self, number: usize) -> Option<&mut Association> {
        match self.slots.get_mut(number)? {
            Some(Slot::Association(association)) => Some(association),
            _ => None,
        }
    }

    pub(super) fn go_on(&mut self, number: usize, datagram: Option<&[u8]>) {
        let (now, epoch) = (self.now, self.epoch);
        let begun = |known: &mut Association| known.accepted.is_some() && known.state != State::Open;
        if datagram.is_some_and(|datagram| datagram.len() > LONGEST)
            && self.association(number).is_some_and(begun)
        {
            self.stats.not_open += 1;
            return;
        }
        self.with_association(number, |association, send| association.step(now, epoch, datagram, send));
    }

    /// Takes an association out of its place.
    fn take_association(&mut self, number: usize) -> Option<Box<Association>> {
        match self.slots.get_mut(number)?.take_if(|slot| matches!(slot, Slot::Association(_)))? {
            Slot::Association(association) => Some(association),
            _ => None,
        }
    }

    /// Lets an association work: sends what it sends, and does what follows from what it has come to.
    fn with_association(
        &mut self,
        number: usize,
        work: impl FnOnce(&mut Association, &mut dyn FnMut(&[u8])) -> Step,
    ) {
        let Some(mut association) = self.take_association(number) else { return };
        let path = association.path;
        let step = work(&mut association, &mut |record| self.send_record(path, record));
        self.slots[number] = Some(Slot::Association(association));
        match step {
            Step::On => self.watch_association(number),
            Step::Connected => self.associated(number),
            Step::Ended => self.say_goodbye(number, Refused::Handshake),
            Step::Untrusted => self.end_association(number, Refused::Untrusted),
            Step::Failed => self.end_association(number, Refused::Handshake),
        }
    }

    pub(super) fn send_record(&mut self, path: Path, record: &[u8]) {
        let mut buf = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        if packet.append(record).is_err() {
            self.stats.dropped += 1;
            return;
        }
        self.send_datagram(Transmit::to(Path::udp(path.local, path.remote)), &packet);
    }

    fn associated(&mut self, number: usize) {
        let now = self.now;
        let Some(association) = self.association(number) else { return };
        let State::Shaking { ticket, .. } = association.state else { return self.watch_association(number) };
        let path = association.path;
        if self.secure.successors.get(&path) == Some(&number) {
            // The client has begun anew, and has proved that it is this client (RFC 6347 section 4.2.8).
            self.secure.successors.remove(&path);
            if let Some(ended) = self.by_path.get(&path).copied() {
                self.end_association(ended, Refused::Handshake);
            }
            self.by_path.insert(path, number);
        }
        let Some(association) = self.association(number) else { return };
        (association.state, association.active) = (State::Open, now);
        let (path, accepted) = (association.path, association.accepted);
        self.notices.push_back(match ticket {
            Some(ticket) => Notice::Opened { ticket, result: Ok(path.local) },
            None => Notice::Accepted { path, alpn: None },
        });
        if let Some(source) = accepted {
            self.stats.accepted += 1;
            self.half_open_no_more(number, source);
        }
        self.watch_association(number);
    }

    fn half_open_no_more(&mut self, number: usize, source: Source) {
        self.secure.half_open.retain(|half_open| *half_open != number);
        if let Some(from_one) = self.sources.get_mut(&source) {
            from_one.handshakes -= 1;
        }
    }

    // ---- ending

    pub(super) fn release_dtls(&mut self, local: SocketAddr, remote: Option<SocketAddr>) {
        let Some(remote) = remote else {
            if let Some(known) = self.secure.sockets.get_mut(&local) {
                known.listening = false;
                self.no_more_needed(local);
            }
            return;
        };
        self.release_stream(Path::new(Transport::Dtls, local, remote));
    }

    pub(super) fn release_association(&mut self, path: Path) {
        let Some(number) = self.by_path.get(&path).copied() else { return };
        self.last_words(number);
        let _ = self.drop_association(number);
    }

    fn say_goodbye(&mut self, number: usize, why: Refused) {
        self.last_words(number);
        self.end_association(number, why);
    }

    fn last_words(&mut self, number: usize) {
        let epoch = self.epoch;
        let Some(mut association) = self.take_association(number) else { return };
        let path = association.path;
        association.close(epoch, &mut |record| self.send_record(path, record));
        self.slots[number] = Some(Slot::Association(association));
    }

    /// It has ended by itself, and whoever waits for it is told.
    pub(super) fn end_association(&mut self, number: usize, why: Refused) {
        let Some(association) = self.association(number) else { return };
        let (path, state) = (association.path, association.state);
        let _ = self.drop_association(number);
        match state {
            State::Shaking { ticket: Some(ticket), .. } => {
                self.notices.push_back(Notice::Opened { ticket, result: Err(why) });
            }
            State::Shaking { ticket: None, .. } => self.stats.handshakes_failed += 1,
            State::Open => self.notices.push_back(super::ending::lost(path)),
        }
    }

    /// Whoever has begun anew on this path, and is not done.
    pub(super) fn end_successor(&mut self, path: Path) {
        if let Some(successor) = self.secure.successors.get(&path).copied() {
            self.end_association(successor, Refused::Handshake);
        }
    }

    pub(super) fn drop_association(&mut self, number: usize) -> Option<Box<Association>> {
        let mut association = self.take_association(number)?;
        self.alarms.clear(number, &mut association.alarm);
        let path = association.path;
        if self.by_path.get(&path) == Some(&number) {
            match self.secure.successors.remove(&path) {
                Some(successor) => self.by_path.insert(path, successor),
                None => self.by_path.remove(&path),
            };
        } else {
            self.secure.successors.remove(&path);
        }
        if let Some(source) = association.accepted.filter(|_| association.state != State::Open) {
            self.half_open_no_more(number, source);
        }
        self.leave(association.accepted);
        self.free.push(number);
        if let Some(bound) = self.bound_for(association.path.local) {
            if let Some(known) = self.secure.sockets.get_mut(&bound) {
                known.associations -= 1;
            }
            self.no_more_needed(bound);
        }
        Some(association)
    }

    // ---- time

    fn watch_association(&mut self, number: usize) {
        let limits = self.config.limits;
        let Some(Some(Slot::Association(association))) = self.slots.get_mut(number) else { return };
        let at = association.deadline(&limits);
        self.alarms.set(number, &mut association.alarm, at);
    }

    /// The alarm of an association has gone off.
    pub(super) fn association_due(&mut self, number: usize) {
        let (now, limits) = (self.now, self.config.limits);
        let Some(association) = self.association(number) else { return };
        association.alarm = None;
        match (association.is_overdue(now, &limits), association.state) {
            (false, _) => self.go_on(number, None),
            (true, State::Shaking { .. }) => self.end_association(number, Refused::TimedOut),
            (true, State::Open) => {
                self.stats.streams_idle += 1;
                self.say_goodbye(number, Refused::TimedOut);
            }
        }
    }
}

/// Whether a datagram is of a handshake that is not done: it begins with what is not encrypted, or with a Finished. What is
/// inside an open association is neither, but for what its peer repeats of its last flight.
fn is_of_handshake(datagram: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    matches!(datagram, [HANDSHAKE, ..] | [_, _, _, 0, 0, ..])
}

/// Whether a socket that is bound there has this address.
fn carries(bound: SocketAddr, local: SocketAddr) -> bool {
    let same_ip =
        bound.ip() == local.ip() || bound.ip().is_unspecified() && bound.is_ipv4() == local.is_ipv4();
    same_ip && bound.port() == local.port()
}
