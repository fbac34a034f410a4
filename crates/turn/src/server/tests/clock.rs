//! Clocks that jump: the wall clock of time-limited credentials, and a host that has slept for hours.

use core::time::Duration;

use ginnel_core::{IcmpError, Notice, Path, Transport};
use ginnel_stun::{Method, attribute::*};

use super::{super::*, rig::*};
use crate::rest::{RestSecret, RestSecrets, UnixTime};

const PEER: &str = "203.0.113.9:7000";
const START: u64 = 1_700_000_000;
const HOUR: u64 = 3_600;

fn secret() -> RestSecret {
    RestSecret::new("north")
}
/// A server of time-limited users, and what its clock says.
fn limited() -> Rig {
    let credentials = Credentials::Rest(RestSecrets::new([secret()]).unwrap());
    let mut rig = Rig::of(Server::new(config().with_credentials(credentials), Seed::new([7; 32])));
    set(&mut rig, START);
    rig
}
fn set(rig: &mut Rig, clock: u64) {
    let now = rig.now;
    rig.server().set_clock(now, Duration::from_secs(clock));
}
/// Somebody whose credential is good until then.
fn until(n: u16, expires: u64) -> Client {
    let credential = secret().credential("alice", UnixTime(expires));
    let name: &'static str = credential.username.leak();
    let mut client = Client::named(name, client_path(n));
    client.key = ginnel_stun::IntegrityKey::long_term(name, REALM, &credential.password).unwrap();
    client
}
/// Data goes both ways, over a channel that is bound anew.
fn relays(rig: &mut Rig, client: &mut Client, relayed: core::net::SocketAddr) {
    assert_eq!(client.bind(rig, 0x4000, PEER), 0);
    rig.receive(client.path, &channel_data(0x4000, b"out")).passes();
    rig.receive(Path::udp(relayed, addr(PEER)), b"in").passes();
}

#[test]
fn a_wall_clock_that_jumps_forth_and_back_ends_nothing_and_lets_nobody_in_past_his_time() {
    let mut rig = limited();
    let mut early = until(0, START + 600);
    let relayed = early.allocated(&mut rig);
    // An hour forth: what is there lives on, and is refreshed under its credential.
    set(&mut rig, START + HOUR);
    relays(&mut rig, &mut early, relayed);
    assert_eq!(early.refresh(&mut rig, 600).lifetime(), 600);
    // That credential opens nothing any more, and one that is good by the clock does.
    assert_eq!(until(1, START + 600).allocate(&mut rig).code, 401);
    let mut late = until(2, START + HOUR + 300);
    let other = late.allocated(&mut rig);
    // It goes on from there: the last second, and the one behind it.
    rig.pass(secs(299));
    assert_eq!(until(3, START + HOUR + 300).allocate(&mut rig).code, 0);
    rig.pass(secs(1));
    assert_eq!(until(4, START + HOUR + 300).allocate(&mut rig).code, 401);
    // An hour back: again nothing ends, and the clock is what counts.
    set(&mut rig, START + 300);
    relays(&mut rig, &mut early, relayed);
    relays(&mut rig, &mut late, other);
    assert_eq!(until(5, START + 600).allocate(&mut rig).code, 0);
    rig.pass(secs(299));
    assert_eq!(until(6, START + 600).allocate(&mut rig).code, 0);
    rig.pass(secs(1));
    assert_eq!(until(7, START + 600).allocate(&mut rig).code, 401);
    // Five allocations were made, and each ends at its own time: the first was refreshed 600 s ago.
    assert_eq!((rig.stats().allocated, rig.stats().expired), (5, 2));
    assert_eq!(early.refresh(&mut rig, 600).code, 401, "without its allocation it is nobody's any more");
    // Clocks that no host has.
    for clock in [0, u64::MAX, START] {
        set(&mut rig, clock);
        let code = if clock == u64::MAX { 401 } else { 0 };
        let mut client = until(8, START + 600);
        assert_eq!(client.allocate(&mut rig).code, code, "{clock}");
        if code == 0 {
            assert_eq!(client.refresh(&mut rig, 0).code, 0);
        }
        rig.pass(secs(1));
    }
}

/// A server with something of everything that has a time, and who has what.
struct Busy {
    rig: Rig,
    /// With a relayed address, permissions and a channel.
    plain: Client,
    relayed: core::net::SocketAddr,
    /// Of two families.
    dual: Client,
    token: [u8; 8],
    /// Of an allocation whose client is away.
    ticket: std::vec::Vec<u8>,
}
fn busy() -> Busy {
    let mut rig = Rig::with(config().with_mobility(true).with_tcp_relays(true));
    let stream = |n| Path { transport: Transport::Tcp, ..client_path(n) };
    let (mut plain, mut dual) = (Client::new(0), Client::new(1));
    let relayed = plain.allocated(&mut rig);
    assert_eq!((plain.permit(&mut rig, "203.0.113.10:1"), plain.bind(&mut rig, 0x4000, PEER)), (0, 0));
    let said = dual.ask(&mut rig, Method::ALLOCATE, &|it| {
        let it = it.attribute(&RequestedTransport::UDP).unwrap();
        it.attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).unwrap()
    });
    assert_eq!(said.all_relayed().len(), 2);
    let said = Client::new(2).ask(&mut rig, Method::ALLOCATE, &|it| {
        let it = it.attribute(&RequestedTransport::UDP).unwrap();
        it.attribute(&EvenPort { reserve_next: true }).unwrap()
    });
    let ReservationToken(token) = said.get().unwrap();
    let mut away = Client::named("user", stream(3));
    let said = away.ask(&mut rig, Method::ALLOCATE, &|it| {
        let it = it.attribute(&RequestedTransport::UDP).unwrap();
        it.attribute(&MobilityTicket(b"")).unwrap()
    });
    let ticket = said.get::<MobilityTicket<'_>>().unwrap().0.to_vec();
    rig.lose(away.path);
    // A peer that waits for its client, and one that has not answered yet.
    let mut tcp = Client::named("user", stream(4));
    let said = tcp.ask(&mut rig, Method::ALLOCATE, &|it| it.attribute(&RequestedTransport::TCP).unwrap());
    let connect: Fill<'_> = &|it| it.attribute(&XorPeerAddress(addr(PEER))).unwrap();
    assert_eq!((said.code, tcp.ask(&mut rig, Method::CONNECT, connect).code), (0, 0));
    Busy { rig, plain, relayed, dual, token, ticket }
}

#[test]
fn after_hours_of_sleep_all_has_ended_whoever_looks_first() {
    const NIGHT: Duration = Duration::from_secs(8 * HOUR);
    // The timers are looked at first.
    let Busy { mut rig, mut plain, .. } = busy();
    rig.now += NIGHT;
    rig.settle();
    assert_eq!((rig.stats().allocations, rig.stats().expired), (0, 5));
    assert_eq!(rig.server.get().poll_timeout(), None);
    assert!(rig.world.open.is_empty() && rig.world.listening.is_empty() && rig.world.streams.is_empty());
    // The nonce of yesterday is stale, and all begins anew.
    assert_eq!(plain.allocate(&mut rig).code, 438);
    plain.nonce.clear();
    plain.allocated(&mut rig);

    // What has come in the meantime is looked at first, before any timer: nothing of it is obeyed.
    let fresh = |rig: &mut Rig, client: &mut Client| {
        client.nonce.clear();
        client.learn_nonce(rig);
    };
    for n in 0..7 {
        let Busy { mut rig, mut plain, relayed, mut dual, token, ticket } = busy();
        rig.world.hold = true;
        rig.now += NIGHT;
        match n {
            0 => assert_eq!(rig.receive(plain.path, &channel_data(0x4000, b"out")), Out::Nothing),
            1 => assert_eq!(rig.receive(Path::udp(relayed, addr(PEER)), b"in"), Out::Nothing),
            2 => {
                let send = plain.send_indication(addr(PEER), b"out");
                assert_eq!(rig.receive(plain.path, &send), Out::Nothing);
            }
            3 => {
                let path = Path::udp(relayed, addr(PEER));
                rig.notice(Notice::Unreachable { path, error: IcmpError::v4(3, 3, 0) });
                assert!(rig.world.sent.is_empty());
            }
            4 => {
                fresh(&mut rig, &mut plain);
                fresh(&mut rig, &mut dual);
                assert_eq!((plain.refresh(&mut rig, 600).code, dual.refresh(&mut rig, 600).code), (437, 437));
            }
            5 => {
                let mut other = Client::new(9);
                fresh(&mut rig, &mut other);
                let with: Fill<'_> = &|it| {
                    let it = it.attribute(&RequestedTransport::UDP).unwrap();
                    it.attribute(&ReservationToken(token)).unwrap()
                };
                assert_eq!(other.ask(&mut rig, Method::ALLOCATE, with).code, 508);
            }
            _ => {
                let mut back = Client::new(9);
                fresh(&mut rig, &mut back);
                let with: Fill<'_> = &|it| it.attribute(&MobilityTicket(&ticket)).unwrap();
                assert_eq!(back.ask(&mut rig, Method::REFRESH, with).code, 437);
            }
        }
        assert_eq!(rig.stats().allocations, 0);
    }
}

#[test]
fn an_allocation_that_has_expired_is_not_refreshed_though_nobody_has_looked() {
    let mut rig = Rig::with(config().with_mobility(true));
    let mut client = Client::new(0);
    client.allocated(&mut rig);
    let id = client.next_id();
    let request = client.request(Method::REFRESH, id, &|it| it.attribute(&Lifetime(600)).unwrap());
    let moves = |rig: &mut Rig| {
        let said = Client::new(1).ask(rig, Method::ALLOCATE, &|it| {
            let it = it.attribute(&RequestedTransport::UDP).unwrap();
            it.attribute(&MobilityTicket(b"")).unwrap()
        });
        let mut elsewhere = Client::new(2);
        elsewhere.learn_nonce(rig);
        let id = elsewhere.next_id();
        let ticket = said.get::<MobilityTicket<'_>>().unwrap().0.to_vec();
        let request =
            elsewhere.request(Method::REFRESH, id, &|it| it.attribute(&MobilityTicket(&ticket)).unwrap());
        (elsewhere, id, request)
    };
    let (elsewhere, other_id, other) = moves(&mut rig);
    rig.now += secs(600);
    // Not by way of `settle`: the datagrams come before the timers.
    let code = |rig: &mut Rig, of: &Client, id, octets: &[u8]| {
        let mut buffer: ginnel_core::Buffer = [0; _];
        let mut packet = ginnel_core::Packet::empty(&mut buffer);
        packet.append(octets).unwrap();
        let mut input = ginnel_core::Receive::new(of.path, packet);
        let now = rig.now;
        let Handled::Send(_) = rig.server().handle_input(now, &mut input) else { panic!("no answer") };
        of.read(Method::REFRESH, id, input.packet.bytes().to_vec()).code
    };
    assert_eq!(code(&mut rig, &client, id, &request), 437);
    assert_eq!(rig.stats().expired, 1);
    assert_eq!(code(&mut rig, &elsewhere, other_id, &other), 437);
    assert_eq!((rig.stats().expired, rig.stats().allocations), (2, 0));
    rig.settle();
    assert!(rig.world.open.is_empty());
}
