//! Four machines that share one port, and an operating system that spreads five-tuples over them by a hash of its own.

use ginnel_core::Path;
use ginnel_stun::{
    Method,
    attribute::*,
    auth::{AuthConfig, NonceKey},
};

use super::{super::*, rig::*};

const SHARDS: u8 = 4;

/// The shards of one server.
struct Fleet(Vec<Rig>);
impl Fleet {
    fn new(config: ServerConfig) -> Self {
        let shared = Shared::several(&config, &Seed::new([8; 32]), usize::from(SHARDS));
        let rigs = shared.into_iter().zip(0..SHARDS).map(|(shared, index)| {
            let config = config.clone().with_shard(Shard::new(index, SHARDS));
            Rig::of(Server::with_shared(config, shared, Seed::new([index; 32])))
        });
        Self(rigs.collect())
    }
    /// Where the operating system takes a five-tuple.
    fn lands(path: &Path) -> u8 {
        (path.remote.port() % u16::from(SHARDS)) as u8
    }
    /// A message of a client and its answer, from whichever shard; and which shard that was.
    fn receive(&mut self, path: Path, octets: &[u8]) -> (u8, Out) {
        let landed = Self::lands(&path);
        match self.0[usize::from(landed)].receive(path, octets) {
            Out::Handover(shard) => {
                assert_ne!(shard, landed);
                (shard, self.0[usize::from(shard)].receive_by(path, octets, true))
            }
            out => (landed, out),
        }
    }
    fn ask(&mut self, client: &mut Client, method: Method, fill: Fill<'_>) -> (u8, Said) {
        if client.nonce.is_empty() {
            // Of the shard where it lands, and good in all of them.
            client.learn_nonce(&mut self.0[usize::from(Self::lands(&client.path))]);
        }
        let id = client.next_id();
        let request = client.request(method, id, fill);
        let (shard, out) = self.receive(client.path, &request);
        let octets = match out {
            Out::Sent(_, octets) => octets,
            _ => self.0[usize::from(shard)].world.sent.pop().expect("an answer").1,
        };
        (shard, client.read(method, id, octets))
    }
}
fn fleet_config() -> ServerConfig {
    let auth = AuthConfig::long_term(REALM).unwrap().with_challenge_limit(None);
    let mut config = config();
    config.auth = auth.with_nonce_key(NonceKey::new([9; 32]), core::time::Duration::ZERO);
    config
}
fn pair<'p, 'a>(open: ginnel_stun::MessageWriter<'p, 'a>) -> ginnel_stun::MessageWriter<'p, 'a> {
    open.attribute(&RequestedTransport::UDP).unwrap().attribute(&EvenPort { reserve_next: true }).unwrap()
}

#[test]
fn a_reservation_is_found_in_its_shard_from_all_of_them() {
    let mut fleet = Fleet::new(fleet_config());
    for landing in 0..u16::from(SHARDS) {
        let mut first = Client::new(101 * landing);
        let (home, said) = fleet.ask(&mut first, Method::ALLOCATE, &pair);
        let (relayed, token) = (said.relayed(), said.get::<ReservationToken>().unwrap());
        // From a five-tuple that lands elsewhere, and from then on all that comes on it.
        let mut second = Client::new(101 * landing + 1);
        let with: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap().attribute(&token).unwrap();
        let (shard, said) = fleet.ask(&mut second, Method::ALLOCATE, with);
        assert_eq!((shard, said.code, said.relayed().port()), (home, 0, relayed.port() + 1));
        let peer = XorPeerAddress(addr("203.0.113.9:7"));
        let bind: Fill<'_> = &|it| it.attribute(&ChannelNumber(0x4000)).unwrap().attribute(&peer).unwrap();
        let (shard, said) = fleet.ask(&mut second, Method::CHANNEL_BIND, bind);
        assert_eq!((shard, said.code), (home, 0));
        let (shard, out) = fleet.receive(second.path, &channel_data(0x4000, b"data"));
        assert_eq!((shard, out.sent().1.as_slice()), (home, &b"data"[..]));
        let send = second.send_indication(addr("203.0.113.9:7"), b"data");
        assert_eq!(fleet.receive(second.path, &send).1.sent().1, b"data");
    }
    assert!(fleet.0.iter().all(|rig| rig.stats().handed_over == 4), "an Allocate, a bind, and two of data");
}

#[test]
fn a_token_that_no_shard_made_goes_nowhere() {
    let mut fleet = Fleet::new(fleet_config());
    for n in 0..100 {
        let token = ReservationToken([(n % 4) as u8, 1, 2, 3, 4, 5, 6, n as u8]);
        let with: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap().attribute(&token).unwrap();
        let mut client = Client::new(n);
        let (shard, said) = fleet.ask(&mut client, Method::ALLOCATE, with);
        assert_eq!((shard, said.code), (Fleet::lands(&client.path), 508));
    }
    assert!(fleet.0.iter().all(|rig| rig.stats().handed_over == 0));
}

/// An association of DTLS is moved whole, as a stream is.
#[test]
fn over_dtls_tokens_and_tickets_are_good_at_every_shard() {
    let mut fleet = Fleet::new(fleet_config().with_mobility(true));
    let dtls = |n: u16| Client::named("user", Path { transport: Transport::Dtls, ..client_path(n) });
    let movable: Fill<'_> = &|it| pair(it).attribute(&MobilityTicket(b"")).unwrap();
    let mut first = dtls(0);
    let (home, said) = fleet.ask(&mut first, Method::ALLOCATE, movable);
    let token = said.get::<ReservationToken>().unwrap();
    let ticket = said.get::<MobilityTicket<'_>>().unwrap().0.to_vec();
    let reserved: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap().attribute(&token).unwrap();
    let moved: Fill<'_> = &|it| it.attribute(&MobilityTicket(&ticket)).unwrap();
    // The one lands at the next shard, the other at the last.
    let (shard, said) = fleet.ask(&mut dtls(1), Method::REFRESH, moved);
    assert_eq!((shard, said.code), (home, 0));
    let (shard, said) = fleet.ask(&mut dtls(2 * u16::from(SHARDS) - 1), Method::ALLOCATE, reserved);
    assert_eq!((shard, said.code), (home, 0));
    assert!(fleet.0.iter().any(|rig| rig.stats().handed_over > 0));
}

#[test]
fn what_was_handed_over_is_not_handed_over_again() {
    let mut fleet = Fleet::new(fleet_config());
    let mut first = Client::new(2);
    let (home, said) = fleet.ask(&mut first, Method::ALLOCATE, &pair);
    let token = said.get::<ReservationToken>().unwrap();
    let mut second = Client::new(3);
    second.learn_nonce(&mut fleet.0[0]);
    let id = second.next_id();
    let request = second.request(Method::ALLOCATE, id, &|it| {
        it.attribute(&RequestedTransport::UDP).unwrap().attribute(&token).unwrap()
    });
    let wrong = usize::from((home + 1) % SHARDS);
    let out = fleet.0[wrong].receive_by(second.path, &request, true);
    assert_eq!(second.read(Method::ALLOCATE, id, out.sent().1).code, 508);
}

#[test]
fn quotas_are_counted_over_all_shards_and_their_relays_reach_each_other() {
    let quotas = policy::QuotaLimits::default().with_per_user(3);
    let mut fleet = Fleet::new(fleet_config().with_quotas(quotas));
    let udp: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap();
    let mut clients: Vec<_> = (0..5).map(Client::new).collect();
    let said: Vec<_> = clients.iter_mut().map(|it| fleet.ask(it, Method::ALLOCATE, udp)).collect();
    assert_eq!(said.iter().map(|it| it.1.code).collect::<Vec<_>>(), [0, 0, 0, 486, 486]);
    // Shards never ask for the same port.
    let ports: Vec<_> = said[..3].iter().map(|it| it.1.relayed()).collect();
    assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
    // The relay of another shard is a peer like any other; what is no relay is not.
    let bind = |peer: std::net::SocketAddr| {
        move |fleet: &mut Fleet, client: &mut Client| {
            let fill: Fill<'_> = &|it| {
                let it = it.attribute(&ChannelNumber(0x4000)).unwrap();
                it.attribute(&XorPeerAddress(peer)).unwrap()
            };
            fleet.ask(client, Method::CHANNEL_BIND, fill).1.code
        }
    };
    assert_eq!(bind(ports[1])(&mut fleet, &mut clients[0]), 0);
    assert_eq!(bind(addr("198.51.100.1:22"))(&mut fleet, &mut clients[2]), 403);
    // One that ends in one shard makes room in another.
    let gone: Fill<'_> = &|it| it.attribute(&Lifetime(0)).unwrap();
    assert_eq!(fleet.ask(&mut clients[0], Method::REFRESH, gone).1.code, 0);
    assert_eq!(fleet.ask(&mut clients[3], Method::ALLOCATE, udp).1.code, 0);
}

#[test]
fn the_table_of_five_tuples_that_live_elsewhere_is_bounded() {
    let limits = Limits::default().with_handovers(1);
    let mut fleet = Fleet::new(fleet_config().with_limits(limits));
    let mut codes = Vec::new();
    for n in 0..2 {
        // Reserved in shard 0, and asked for where shard 1 takes it in.
        let (_, said) = fleet.ask(&mut Client::new(8 * n), Method::ALLOCATE, &pair);
        let token = said.get::<ReservationToken>().unwrap();
        let with: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap().attribute(&token).unwrap();
        codes.push(fleet.ask(&mut Client::new(8 * n + 1), Method::ALLOCATE, with).1.code);
    }
    assert_eq!(codes, [0, 508], "the limit, and one past it");
}
