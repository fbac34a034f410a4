//! The server of `ginnel-turn`, with the driver's part played: relay sockets are given as they are asked for.

use std::{hint::black_box, net::SocketAddr};

use ginnel_core::{
    Buffer, HEADROOM, Handled, Instant, Notice, Packet, Path, Port, Receive, Request, Seed, Transport, Wake,
};
use ginnel_stun::auth::{AuthConfig, User};
use ginnel_turn::server::{Limits, Listener, RelayAddress, Server, ServerConfig, policy::QuotaLimits};

use super::{
    Relays, Turns, Way, allocate_all, client, peer, server,
    setup::{self, REALM, USER},
};
use crate::contest::Group;

/// A server, and the buffer that it works on.
#[derive(Debug)]
pub struct Ours {
    server: Server,
    buffer: Box<Buffer>,
}
impl Ours {
    /// One with room for so many allocations.
    ///
    /// # Panics
    /// If it cannot be configured.
    #[must_use]
    pub fn new(allocations: usize) -> Self {
        let auth = AuthConfig::long_term(REALM).expect("a realm").with_challenge_limit(None);
        let mut config = ServerConfig::new(auth)
            .with_listener(Listener::new(Transport::Udp, server()))
            .with_ports(1_024..=65_535)
            .with_quotas(QuotaLimits::default())
            .with_limits(Limits::default().with_allocations(allocations.max(1)));
        // One address has 64,512 ports, and a pool that is nearly full looks longer for a free one.
        for last in 0..4 {
            config = config.with_relay(RelayAddress::new([192, 0, 2, 10 + last].into()));
        }
        let mut server = Server::new(config, Seed::new([1; 32]));
        server.add_user(User::long_term(USER.0, REALM, USER.1).expect("ASCII")).expect("room for one");
        Self { server, buffer: Box::new([0; _]) }
    }

    /// With so many allocations already, and where they are.
    #[must_use]
    pub fn with(allocations: usize) -> (Self, Vec<SocketAddr>) {
        let mut ours = Self::new(allocations);
        let relayed = allocate_all(&mut ours, allocations);
        (ours, relayed)
    }

    /// The machine.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// What the machine asks for is given to it, as a driver would.
    pub fn serve_requests(&mut self) {
        while let Some(request) = self.server.poll_request() {
            let Request::Bind { ticket, ip, port: Port::Exact(port) } = request else { continue };
            let result = Ok(SocketAddr::new(ip, port));
            self.server.handle_notice(Instant::EPOCH, Notice::Opened { ticket, result });
        }
    }

    fn input(&mut self, path: Path, len: usize) -> Option<(Path, usize)> {
        let packet = Packet::received(&mut self.buffer[..], HEADROOM..HEADROOM + len).expect("room");
        let mut input = Receive::new(path, packet);
        match self.server.handle_input(Instant::EPOCH, &mut input) {
            Handled::Send(transmit) => Some((transmit.path, input.packet.len())),
            _ => None,
        }
    }

    fn place(&mut self, octets: &[u8]) {
        self.buffer[HEADROOM..HEADROOM + octets.len()].copy_from_slice(octets);
    }
}
impl Relays for Ours {
    fn tell(&mut self, client: SocketAddr, octets: &[u8]) -> Vec<u8> {
        let mut packet = Packet::empty(&mut self.buffer);
        packet.append(octets).expect("room");
        let mut input = Receive::new(Path::udp(server(), client), packet);
        if let Handled::Send(_) = self.server.handle_input(Instant::EPOCH, &mut input) {
            return input.packet.bytes().to_vec();
        }
        self.serve_requests();
        while self.server.poll_event().is_some() {}
        let mut packet = Packet::empty(&mut self.buffer);
        assert!(self.server.poll_transmit(Instant::EPOCH, &mut packet).is_some(), "an answer");
        packet.bytes().to_vec()
    }
}

pub(super) fn relay(group: Group, count: usize, way: Way, random: bool) -> Group {
    let mut state = None;
    let octets = match way {
        Way::ToPeer => setup::channel_data(),
        Way::ToClient => super::PAYLOAD.to_vec(),
        Way::Indication => setup::send_indication(),
    };
    group.with("ginnel", move || {
        let (ours, turns) = state.get_or_insert_with(|| {
            let (ours, relayed) = Ours::with(count);
            let whose = if way == Way::ToClient { relayed } else { (0..count).map(client).collect() };
            (ours, Turns::new(whose, random))
        });
        let path = match way {
            Way::ToPeer | Way::Indication => Path::udp(server(), turns.next()),
            Way::ToClient => Path::udp(turns.next(), peer()),
        };
        // The payload stays where it is received; what was in front of it is what a receive would have written.
        let front = if way == Way::ToClient { 0 } else { octets.len().min(40) };
        ours.buffer[HEADROOM..HEADROOM + front].copy_from_slice(&octets[..front]);
        ours.input(black_box(path), octets.len()).expect("relayed")
    })
}

pub(super) fn wake(group: Group, count: usize) -> Group {
    let mut state: Option<Ours> = None;
    group.with("ginnel", move || -> Option<Wake> {
        let ours = state.get_or_insert_with(|| Ours::with(count).0);
        ours.server.poll_timeout()
    })
}

pub(super) fn challenge(group: Group) -> Group {
    let mut ours = Ours::new(1);
    let octets = setup::bare_allocate();
    group.with("ginnel", move || {
        ours.place(&octets);
        ours.input(black_box(Path::udp(server(), client(0))), octets.len()).expect("a 401").1
    })
}
