//! RFC 8016: allocations that move with their clients.

use ginnel_core::{IcmpError, Notice, Path, Transport};
use ginnel_stun::{Method, attribute::*};

use super::{
    super::{Event, ServerConfig},
    rig::*,
};

const PEER: &str = "203.0.113.9:7000";

fn mobile() -> ServerConfig {
    config().with_mobility(true)
}
fn ticket_of(said: &Said) -> Vec<u8> {
    assert_eq!(said.code, 0);
    said.get::<MobilityTicket<'_>>().expect("a ticket").0.to_vec()
}
fn allocate(rig: &mut Rig, client: &mut Client) -> Said {
    client.ask(rig, Method::ALLOCATE, &|it| {
        it.attribute(&RequestedTransport::UDP).unwrap().attribute(&MobilityTicket(b"")).unwrap()
    })
}
/// A client with an allocation that may move: its relayed address and its ticket.
fn allocated(rig: &mut Rig, n: u16) -> (Client, Path, Vec<u8>) {
    let mut client = Client::new(n);
    let said = allocate(rig, &mut client);
    let to_peer = Path::udp(said.relayed(), addr(PEER));
    assert_eq!(client.bind(rig, 0x4000, PEER), 0);
    (client, to_peer, ticket_of(&said))
}
fn refresh(rig: &mut Rig, client: &mut Client, ticket: &[u8]) -> Said {
    client.ask(rig, Method::REFRESH, &|it| it.attribute(&MobilityTicket(ticket)).unwrap())
}
/// Where data of the peer goes.
fn goes_to(rig: &mut Rig, to_peer: Path) -> Path {
    rig.receive(to_peer, b"data").sent().0.path
}

#[test]
fn rfc8016_3_1_2_an_empty_ticket_asks_for_one() {
    let mut rig = Rig::with(mobile());
    let (mut client, _, ticket) = allocated(&mut rig, 0);
    assert!(!ticket.is_empty());
    // Who did not ask has none, and none is told of at other times.
    assert_eq!(Client::new(1).allocate(&mut rig).get::<MobilityTicket<'_>>(), None);
    assert_eq!(client.refresh(&mut rig, 600).get::<MobilityTicket<'_>>(), None);
}

#[test]
fn rfc8016_3_1_2_forbidden_is_405_and_a_ticket_in_an_allocate_is_400() {
    let mut rig = Rig::new();
    assert_eq!(allocate(&mut rig, &mut Client::new(0)).code, 405);
    assert_eq!(refresh(&mut rig, &mut Client::new(0), b"any").code, 405);
    assert_eq!(rig.stats().errors.mobility_405, 2);
    let mut rig = Rig::with(mobile());
    let said = Client::new(0).ask(&mut rig, Method::ALLOCATE, &|it| {
        it.attribute(&RequestedTransport::UDP).unwrap().attribute(&MobilityTicket(b"one")).unwrap()
    });
    assert_eq!(said.code, 400);
}

#[test]
fn rfc8016_3_2_2_it_moves_when_data_comes_from_there_and_both_are_served_until_then() {
    let mut rig = Rig::with(mobile());
    let (mut old, to_peer, ticket) = allocated(&mut rig, 0);
    rig.events();
    let mut new = Client::new(1);
    let said = refresh(&mut rig, &mut new, &ticket);
    assert_ne!(ticket_of(&said), ticket, "the new ticket differs");
    assert_eq!(said.lifetime(), 600);
    assert!(matches!(rig.events()[..], [Event::Moved { client, .. }] if client == new.path));
    // Data goes both ways on the old one, and requests are answered on both.
    assert_eq!(goes_to(&mut rig, to_peer), old.path);
    assert_eq!(rig.receive(old.path, &channel_data(0x4000, b"old")).sent().0.path, to_peer);
    assert_eq!((old.permit(&mut rig, PEER), new.permit(&mut rig, PEER)), (0, 0));
    assert_eq!(goes_to(&mut rig, to_peer), old.path, "requests do not move it");
    // ChannelData on the new one, in the channel that was bound before.
    assert_eq!(rig.receive(new.path, &channel_data(0x4000, b"new")).sent().0.path, to_peer);
    assert_eq!(goes_to(&mut rig, to_peer), new.path);
    assert_eq!(rig.receive(old.path, &channel_data(0x4000, b"old")), Out::Nothing);
    assert_eq!(old.permit(&mut rig, PEER), 437);
    assert_eq!(rig.stats().moved, 1);
    assert_eq!(rig.server.get().allocations(rig.now).next().unwrap().client, new.path);
}

#[test]
fn rfc8016_3_2_2_a_send_indication_moves_it_too() {
    let mut rig = Rig::with(mobile());
    let (_, to_peer, ticket) = allocated(&mut rig, 0);
    let mut new = Client::new(1);
    ticket_of(&refresh(&mut rig, &mut new, &ticket));
    let send = new.send_indication(addr(PEER), b"data");
    assert_eq!(rig.receive(new.path, &send).sent().0.path, to_peer);
    assert_eq!(goes_to(&mut rig, to_peer), new.path);
}

#[test]
fn rfc8016_3_2_2_a_lost_response_is_given_again_and_then_the_old_ticket_is_worth_nothing() {
    let mut rig = Rig::with(mobile());
    let (_, _, ticket) = allocated(&mut rig, 0);
    let mut new = Client::new(1);
    let first = ticket_of(&refresh(&mut rig, &mut new, &ticket));
    rig.pass(secs(29));
    let again = ticket_of(&refresh(&mut rig, &mut new, &ticket));
    assert_ne!(again, ticket);
    // Both say the same: whichever arrives moves it next.
    ticket_of(&refresh(&mut rig, &mut Client::new(2), &first));
    assert_eq!(refresh(&mut rig, &mut Client::new(3), &again).code, 400);
    rig.pass(secs(1));
    assert_eq!(refresh(&mut rig, &mut new, &ticket).code, 400);
    assert_eq!(rig.stats().moved, 2);
}

#[test]
fn sec_38_tickets_of_others_replayed_or_garbage_are_refused() {
    let mut rig = Rig::with(mobile());
    let (mut owner, to_peer, ticket) = allocated(&mut rig, 0);
    // Of another owner.
    let mut thief = Client::named("other", client_path(7));
    assert_eq!(refresh(&mut rig, &mut thief, &ticket).code, 441);
    // From where it is already.
    assert_eq!(refresh(&mut rig, &mut owner, &ticket).code, 400);
    // Garbage of any length.
    for garbage in [&b""[..], b"x", &[0; 44], &[7; 100], &[0xFF; 400]] {
        assert_eq!(refresh(&mut rig, &mut Client::new(1), garbage).code, 400);
    }
    let mut changed = ticket.clone();
    changed[20] ^= 1;
    assert_eq!(refresh(&mut rig, &mut Client::new(1), &changed).code, 400);
    // Used, and replayed from elsewhere.
    ticket_of(&refresh(&mut rig, &mut Client::new(1), &ticket));
    assert_eq!(refresh(&mut rig, &mut Client::new(2), &ticket).code, 400);
    // No orphan: one allocation, at its old place, and the quota is that of one.
    assert_eq!((rig.server.get().allocations(rig.now).count(), rig.stats().moved), (1, 1));
    assert_eq!(goes_to(&mut rig, to_peer), owner.path);
    assert_eq!(thief.permit(&mut rig, PEER), 437);
    // Of an allocation that is gone.
    let (mut owner, _, ticket) = allocated(&mut rig, 5);
    assert_eq!(owner.refresh(&mut rig, 0).code, 0);
    assert_eq!(refresh(&mut rig, &mut Client::new(6), &ticket).code, 437);
}

#[test]
fn sec_37_the_quota_comes_back_once_after_a_move() {
    let quotas = super::super::policy::QuotaLimits::default().with_per_user(1);
    let mut rig = Rig::with(mobile().with_quotas(quotas));
    let (_, _, ticket) = allocated(&mut rig, 0);
    let mut new = Client::new(1);
    ticket_of(&refresh(&mut rig, &mut new, &ticket));
    assert_eq!(Client::new(2).allocate(&mut rig).code, 486);
    assert_eq!(new.refresh(&mut rig, 0).code, 0);
    assert_eq!(rig.world.open.len(), 0);
    assert_eq!(Client::new(2).allocate(&mut rig).code, 0);
    assert_eq!(Client::new(3).allocate(&mut rig).code, 486);
}

#[test]
fn a_ticket_may_end_the_allocation() {
    let mut rig = Rig::with(mobile());
    let (mut old, _, ticket) = allocated(&mut rig, 0);
    let mut new = Client::new(1);
    let said = new.ask(&mut rig, Method::REFRESH, &|it| {
        it.attribute(&MobilityTicket(&ticket)).unwrap().attribute(&Lifetime(0)).unwrap()
    });
    assert_eq!((said.code, said.lifetime(), said.get::<MobilityTicket<'_>>()), (0, 0, None));
    assert_eq!((old.refresh(&mut rig, 600).code, new.refresh(&mut rig, 600).code), (437, 437));
    assert!(rig.world.open.is_empty());
}

#[test]
fn a_five_tuple_with_an_allocation_takes_no_other() {
    let mut rig = Rig::with(mobile());
    let (_, _, ticket) = allocated(&mut rig, 0);
    let mut taken = Client::new(1);
    taken.allocated(&mut rig);
    assert_eq!(refresh(&mut rig, &mut taken, &ticket).code, 437);
    // And nothing was used up by that.
    ticket_of(&refresh(&mut rig, &mut Client::new(2), &ticket));
}

#[test]
fn whoever_moves_on_before_he_sends_leaves_nothing_behind() {
    let mut rig = Rig::with(mobile());
    let (mut old, to_peer, ticket) = allocated(&mut rig, 0);
    let mut between = Client::new(1);
    let next = ticket_of(&refresh(&mut rig, &mut between, &ticket));
    let mut last = Client::new(2);
    ticket_of(&refresh(&mut rig, &mut last, &next));
    assert_eq!(between.permit(&mut rig, PEER), 437);
    assert_eq!((old.permit(&mut rig, PEER), goes_to(&mut rig, to_peer)), (0, old.path));
    assert_eq!(rig.receive(last.path, &channel_data(0x4000, b"here")).sent().0.path, to_peer);
    assert_eq!((goes_to(&mut rig, to_peer), old.permit(&mut rig, PEER)), (last.path, 437));
}

#[test]
fn rfc8016_3_2_2_the_end_of_the_old_stream_ends_the_move() {
    let mut rig = Rig::with(mobile());
    let stream = |n| Path { transport: Transport::Tcp, ..client_path(n) };
    let mut old = Client::named("user", stream(0));
    let said = allocate(&mut rig, &mut old);
    let to_peer = Path::udp(said.relayed(), addr(PEER));
    assert_eq!(old.permit(&mut rig, PEER), 0);
    let mut new = Client::named("user", stream(1));
    let next = ticket_of(&refresh(&mut rig, &mut new, &ticket_of(&said)));
    assert_eq!(goes_to(&mut rig, to_peer), old.path);
    rig.lose(old.path);
    assert_eq!(goes_to(&mut rig, to_peer), new.path);
    // Break before make: the stream goes first, and the client comes back in time.
    rig.lose(new.path);
    let before = rig.server.get().allocations(rig.now).next().unwrap().stats;
    assert_eq!(rig.receive(to_peer, b"nobody"), Out::Nothing);
    rig.notice(Notice::Unreachable { path: to_peer, error: IcmpError::v4(3, 3, 0) });
    let after = rig.server.get().allocations(rig.now).next().unwrap().stats;
    assert_eq!((after.to_client, after.dropped), (before.to_client, before.dropped + 1));
    assert_eq!((rig.stats().no_client, rig.world.sent.len()), (1, 0));
    let mut back = Client::named("user", client_path(2));
    ticket_of(&refresh(&mut rig, &mut back, &next));
    assert_eq!(goes_to(&mut rig, to_peer), back.path, "there is nothing to wait for");
    // A stream that it was moving to, and that ends before.
    let (_, to_peer, ticket) = allocated(&mut rig, 5);
    let mut away = Client::named("user", stream(6));
    ticket_of(&refresh(&mut rig, &mut away, &ticket));
    rig.lose(away.path);
    assert_eq!(goes_to(&mut rig, to_peer), client_path(5));
}

#[test]
fn whoever_never_comes_back_expires() {
    let mut rig = Rig::with(mobile());
    let mut old = Client::named("user", Path { transport: Transport::Tcp, ..client_path(0) });
    allocate(&mut rig, &mut old);
    rig.lose(old.path);
    // The same five-tuple again is somebody new, and gets nothing of what was.
    let mut other = Client::named("other", old.path);
    assert_eq!(other.permit(&mut rig, PEER), 437);
    assert_eq!(other.allocate(&mut rig).code, 0);
    assert_eq!(rig.server.get().allocations(rig.now).count(), 2);
    rig.pass(secs(600));
    assert_eq!((rig.server.get().allocations(rig.now).count(), rig.world.open.len()), (0, 0));
    // Who may not move goes with his stream.
    let mut fixed = Client::named("user", Path { transport: Transport::Tcp, ..client_path(1) });
    fixed.allocated(&mut rig);
    rig.lose(fixed.path);
    assert_eq!(rig.server.get().allocations(rig.now).count(), 0);
}

#[test]
fn a_tcp_allocation_moves_to_streams_alone() {
    let mut rig = Rig::with(mobile().with_tcp_relays(true));
    let stream = |n| Path { transport: Transport::Tcp, ..client_path(n) };
    let mut old = Client::named("user", stream(0));
    let said = old.ask(&mut rig, Method::ALLOCATE, &|it| {
        it.attribute(&RequestedTransport::TCP).unwrap().attribute(&MobilityTicket(b"")).unwrap()
    });
    let ticket = ticket_of(&said);
    assert_eq!(refresh(&mut rig, &mut Client::new(1), &ticket).code, 400);
    let mut new = Client::named("user", stream(1));
    ticket_of(&refresh(&mut rig, &mut new, &ticket));
    // While nobody is there to be told of it no connection of a peer is held.
    assert_eq!(new.permit(&mut rig, PEER), 0);
    rig.lose(old.path);
    let peer = |n| Path::new(Transport::Tcp, said.relayed(), addr(&format!("203.0.113.9:{n}")));
    for (n, is_held) in [(7_000, true), (7_001, false)] {
        rig.world.streams.push(peer(n));
        rig.notice(Notice::Accepted { path: peer(n), alpn: None });
        assert_eq!((rig.world.streams.len(), rig.world.sent.len()), (1, usize::from(is_held)), "{n}");
        rig.world.sent.clear();
        if is_held {
            rig.lose(new.path);
        }
    }
}

#[test]
fn mobility_that_is_forbidden_later_is_405() {
    let mut rig = Rig::with(mobile());
    let (_, _, ticket) = allocated(&mut rig, 0);
    let now = rig.now;
    rig.server().reconfigure(now, config());
    assert_eq!(refresh(&mut rig, &mut Client::new(1), &ticket).code, 405);
}

#[test]
fn whatever_clients_do_each_five_tuple_is_one_allocations_and_nothing_is_left() {
    let mut rng = ginnel_core::Seed::new([9; 32]).into_rng();
    for _ in 0..30 {
        let mut rig = Rig::with(mobile());
        // Half of them on streams.
        let path = |n: u64| {
            let transport = if n.is_multiple_of(2) { Transport::Tcp } else { Transport::Udp };
            Path { transport, ..client_path(n as u16) }
        };
        let mut clients: Vec<_> = (0..8).map(|n| Client::named("user", path(n))).collect();
        let mut tickets = Vec::new();
        for _ in 0..120 {
            let client = &mut clients[rng.below(8) as usize];
            let said = match rng.below(6) {
                0 => Some(allocate(&mut rig, client)),
                1 | 2 if !tickets.is_empty() => {
                    let ticket: &Vec<u8> = &tickets[rng.below(tickets.len() as u64) as usize];
                    Some(refresh(&mut rig, client, ticket))
                }
                3 => {
                    let _ = rig.receive(client.path, &channel_data(0x4000, b"data"));
                    None
                }
                4 if client.path.transport == Transport::Tcp => {
                    rig.lose(client.path);
                    None
                }
                5 if rng.below(4) == 0 => Some(client.refresh(&mut rig, 0)),
                _ => {
                    rig.pass(secs(rng.below(40)));
                    None
                }
            };
            if let Some(said) = said.filter(|it| it.code == 0) {
                tickets.extend(said.get::<MobilityTicket<'_>>().map(|it| it.0.to_vec()));
            }
            let server = rig.server.get();
            server.table.check();
            assert_eq!(rig.world.open.len(), server.allocations(rig.now).count());
        }
        rig.pass(secs(3_600));
        rig.server.get().table.check();
        assert!(rig.world.open.is_empty());
    }
}
