//! Connections without a server around them. Allocations are letters, and what is kept to answer is a number.

use core::num::NonZeroU32;
use std::vec::Vec;

use ginnel_core::Seed;
use proptest::prelude::*;

use super::*;
use crate::server::{Shard, policy::TokenKey};

const NONE: [Option<StreamRate>; 2] = [None; 2];

type Ours = Connections<char, u32, std::rc::Rc<()>>;

struct Fixture {
    ours: Ours,
    tokens: Tokens,
}
fn fixture() -> Fixture {
    with_limits(TcpLimits::default())
}
fn with_limits(limits: TcpLimits) -> Fixture {
    let tokens = Tokens::new(&TokenKey::new([7; 32]), Shard::default(), Seed::new([7; 32]));
    Fixture { ours: Connections::new(limits), tokens }
}
fn s(n: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(n)
}
fn relayed() -> SocketAddr {
    "198.51.100.1:50000".parse().unwrap()
}
fn peer(n: u16) -> SocketAddr {
    SocketAddr::new("192.0.2.1".parse().unwrap(), n)
}
fn client(n: u16) -> Path {
    let listener = "198.51.100.1:3478".parse().unwrap();
    Path::new(Transport::Tcp, listener, SocketAddr::new("203.0.113.1".parse().unwrap(), n))
}
fn stream(n: u16) -> Path {
    Path::new(Transport::Tcp, relayed(), peer(n))
}
impl Fixture {
    /// A request for a connection to peer `n`, under ticket and answer `n`.
    fn connect(&mut self, now: u64, allocation: char, n: u16) {
        assert_eq!(self.ours.refusal(allocation, peer(n)), None);
        let asked = (Ticket(n.into()), n.into());
        self.ours.connect(s(now), (allocation, relayed()), peer(n), asked, &mut self.tokens).unwrap();
    }
    fn opened(&mut self, now: u64, n: u16, result: Result<(), Refused>) {
        assert!(self.ours.opened(s(now), Ticket(n.into()), result.map(|()| relayed())));
    }
    fn accepted(&mut self, now: u64, allocation: Option<char>, n: u16) {
        self.ours.accepted(s(now), stream(n), allocation, &mut self.tokens);
    }
    fn says(&mut self) -> Vec<Say<char, u32>> {
        core::iter::from_fn(|| self.ours.poll_say()).collect()
    }
    fn requests(&mut self) -> Vec<Request> {
        core::iter::from_fn(|| self.ours.poll_request()).collect()
    }
    /// The CONNECTION-ID of a success.
    #[track_caller]
    fn connected(&mut self, n: u16) -> u32 {
        match self.says()[..] {
            [Say::Connected { asked, id }] if asked == u32::from(n) => id,
            ref other => panic!("{other:?}"),
        }
    }
    #[track_caller]
    fn nothing_is_left(&self) {
        let it = &self.ours;
        assert!(it.connections.is_empty() && it.tickets.is_empty() && it.streams.is_empty(), "{it:?}");
        assert!(it.of_allocation.is_empty() && it.ends.is_empty(), "{it:?}");
        assert!(it.abandoned.is_empty() && it.claims.is_empty(), "{it:?}");
    }
}
fn splice(n: u16, with: u16) -> Request {
    Request::Splice { one: client(n), other: stream(with), rates: NONE }
}

#[test]
fn rfc6062_5_2_connect_opens_a_held_stream_from_the_relayed_address() {
    let mut it = fixture();
    it.connect(0, 'a', 7);
    let wanted = Request::Connect {
        ticket: Ticket(7),
        transport: Transport::Tcp,
        local: Some(relayed()),
        remote: peer(7),
        framing: Framing::Held,
        host: None,
        alpn: None,
    };
    assert_eq!(it.requests(), [wanted]);
    assert!(it.says().is_empty(), "it is answered when there is a stream");
    it.opened(1, 7, Ok(()));
    let id = it.connected(7);
    assert_eq!(it.ours.pending(id), Some('a'));
    assert!(it.ours.bind(id, client(1), NONE));
    assert_eq!(it.requests(), [splice(1, 7)]);
    assert_eq!(it.ours.pending(id), None);
    assert!(!it.ours.bind(id, client(2), NONE), "it is bound");

    assert_eq!(it.ours.spliced(client(1), 100, 20), Some(('a', 100, 20)));
    assert!(it.ours.lost(client(1)) && !it.ours.lost(stream(7)));
    it.nothing_is_left();
    let stats = it.ours.stats();
    assert_eq!((stats.connected, stats.bound, stats.from_clients, stats.from_peers), (1, 1, 100, 20));
}

#[test]
fn rfc6062_5_2_a_second_connect_to_a_peer_is_446_while_the_first_lives() {
    let mut it = fixture();
    let exists = Some(ErrorCode::CONNECTION_ALREADY_EXISTS);
    it.connect(0, 'a', 7);
    assert_eq!(it.ours.refusal('a', peer(7)), exists, "being processed");
    assert_eq!((it.ours.refusal('a', peer(8)), it.ours.refusal('b', peer(7))), (None, None));
    it.opened(1, 7, Ok(()));
    assert_eq!(it.ours.refusal('a', peer(7)), exists, "pending");
    let id = it.connected(7);
    assert!(it.ours.bind(id, client(1), NONE));
    assert_eq!(it.ours.refusal('a', peer(7)), exists, "active");
    assert!(it.ours.lost(stream(7)));
    assert_eq!(it.ours.refusal('a', peer(7)), None);
    // The stream that a peer has opened from there is one to it as well.
    it.accepted(2, Some('a'), 7);
    assert_eq!(it.ours.refusal('a', peer(7)), exists);
}

#[test]
fn rfc6062_5_2_what_fails_or_takes_30_seconds_is_447() {
    let mut it = fixture();
    it.connect(0, 'a', 7);
    it.opened(1, 7, Err(Refused::Unreachable));
    assert_eq!(it.says(), [Say::Failed { asked: 7 }]);
    it.nothing_is_left();

    it.connect(10, 'a', 8);
    assert_eq!(it.ours.next_timeout(), Some(s(40)));
    it.ours.handle_timeout(s(39));
    assert!(it.says().is_empty());
    it.ours.handle_timeout(s(40));
    assert_eq!(it.says(), [Say::Failed { asked: 8 }]);
    assert_eq!((it.ours.next_timeout(), it.ours.refusal('a', peer(8))), (None, None));
    it.requests();
    // What comes too late is given back.
    it.opened(41, 8, Ok(()));
    assert_eq!((it.requests(), it.says()), ([Request::release(stream(8))].into(), Vec::new()));
    it.nothing_is_left();
    assert_eq!(it.ours.stats().failed, 2);
}

#[test]
fn rfc6062_5_2_and_5_3_without_connection_bind_it_ends_after_30_seconds() {
    let mut it = fixture();
    it.connect(0, 'a', 7);
    it.opened(5, 7, Ok(()));
    it.accepted(6, Some('a'), 8);
    let ids: Vec<_> = it
        .says()
        .into_iter()
        .map(|say| match say {
            Say::Connected { id, .. } | Say::Attempt { id, .. } => id,
            Say::Failed { .. } => panic!("nothing failed"),
        })
        .collect();
    it.requests();
    it.ours.handle_timeout(s(34));
    assert!(it.requests().is_empty());
    it.ours.handle_timeout(s(35));
    assert_eq!((it.requests(), it.ours.pending(ids[0])), ([Request::release(stream(7))].into(), None));
    it.ours.handle_timeout(s(36));
    assert_eq!((it.requests(), it.ours.pending(ids[1])), ([Request::release(stream(8))].into(), None));
    it.nothing_is_left();
    assert_eq!(it.ours.stats().expired, 2);
}

#[test]
fn rfc6062_5_3_a_permitted_peer_is_told_of_and_another_is_closed() {
    let mut it = fixture();
    it.accepted(0, None, 6);
    assert_eq!(it.requests(), [Request::release(stream(6))]);
    assert!(it.says().is_empty());
    it.accepted(0, Some('a'), 7);
    let says = it.says();
    let [Say::Attempt { allocation: 'a', peer: from, id }] = says[..] else { panic!("{says:?}") };
    assert_eq!(from, peer(7));
    assert!(it.requests().is_empty());
    let octets_per_second = NonZeroU32::new(1000).unwrap();
    let rates = [Some(StreamRate { octets_per_second, shared: Some(3) }), None];
    assert!(it.ours.bind(id, client(1), rates));
    assert_eq!(it.requests(), [Request::Splice { one: client(1), other: stream(7), rates }]);
    assert_eq!((it.ours.stats().refused, it.ours.stats().attempts), (1, 1));
}

#[test]
fn rfc6062_5_4_ids_that_are_not_pending_bind_nothing() {
    let mut it = fixture();
    it.connect(0, 'a', 7);
    let id = *it.ours.connections.keys().next().unwrap();
    assert_eq!(it.ours.pending(id), None, "it is still being made");
    assert!(!it.ours.bind(id, client(1), NONE));
    assert!(!it.ours.bind(id ^ 1, client(1), NONE));
    it.opened(1, 7, Ok(()));
    assert!(it.ours.lost(stream(7)), "the peer ended");
    assert!(!it.ours.bind(id, client(1), NONE));
    it.nothing_is_left();
}

#[test]
fn one_stream_of_a_client_binds_one_connection() {
    let mut it = fixture();
    it.accepted(0, Some('a'), 7);
    it.accepted(0, Some('a'), 8);
    let ids: Vec<_> = it.ours.connections.keys().copied().collect();
    assert!(it.ours.bind(ids[0], client(1), NONE));
    assert!(!it.ours.bind(ids[1], client(1), NONE));
    assert!(it.ours.bind(ids[1], client(2), NONE));
}

#[test]
fn rfc6062_5_5_connections_end_with_their_allocation() {
    let mut it = fixture();
    it.connect(0, 'a', 1);
    for n in 2..=4 {
        it.accepted(0, Some(if n == 4 { 'b' } else { 'a' }), n);
    }
    it.requests();
    let bound = it
        .says()
        .into_iter()
        .find_map(|say| match say {
            Say::Attempt { id, peer: from, .. } if from == peer(3) => Some(id),
            _ => None,
        })
        .unwrap();
    assert!(it.ours.bind(bound, client(3), NONE));
    it.requests();

    it.ours.end('a', Default::default());
    let released = it.requests();
    assert_eq!(released.len(), 2);
    assert!(
        released.contains(&Request::release(stream(2))) && released.contains(&Request::release(stream(3)))
    );
    assert_eq!(it.says(), [Say::Failed { asked: 1 }]);
    assert!(!it.ours.lost(client(3)), "the driver tells, and nobody minds");
    it.opened(1, 1, Ok(()));
    assert_eq!(it.requests(), [Request::release(stream(1))]);
    // And nobody else's.
    assert_eq!(it.ours.connections.len(), 1);
    it.ours.end('b', Default::default());
    it.nothing_is_left();
}

#[test]
fn beyond_the_limits_connect_is_508_and_peers_are_closed() {
    let mut it = with_limits(TcpLimits::default().with_per_allocation(2).with_total(3));
    let full = Some(ErrorCode::INSUFFICIENT_CAPACITY);
    it.connect(0, 'a', 1);
    it.accepted(0, Some('a'), 2);
    assert_eq!(it.ours.refusal('a', peer(3)), full);
    it.accepted(0, Some('a'), 3);
    assert_eq!(it.ours.stats().refused, 1);
    it.accepted(0, Some('b'), 4);
    assert_eq!(it.ours.refusal('b', peer(5)), full, "in all");
    it.accepted(0, Some('c'), 6);
    assert_eq!(it.ours.stats().refused, 2);
    // What is abandoned counts until the driver has spoken: else it could be asked without end.
    it.ours.end('a', Default::default());
    it.connect(1, 'c', 7);
    assert_eq!(it.ours.refusal('c', peer(8)), full);
    it.opened(1, 1, Err(Refused::TimedOut));
    assert_eq!(it.ours.refusal('c', peer(8)), None);
    assert_eq!(TcpLimits::default().with_total(usize::MAX).total, CONNECTIONS_MAX);
}

#[test]
fn sec_37_an_ended_allocation_counts_while_the_driver_opens_streams_for_it() {
    let mut it = fixture();
    let claims = [(); 3].map(|()| std::rc::Rc::new(()));
    let counts = || claims.each_ref().map(|it| std::rc::Rc::strong_count(it) - 1);
    it.connect(0, 'a', 1);
    it.connect(0, 'a', 2);
    it.connect(0, 'b', 3);
    it.opened(0, 3, Ok(()));
    it.ours.end('a', claims[0].clone());
    it.ours.end('b', claims[1].clone());
    it.ours.end('c', claims[2].clone());
    assert_eq!(counts(), [1, 0, 0]);
    // Not even what cuts all peers off ends them.
    it.ours.cut_off(|_| true);
    it.opened(1, 1, Err(Refused::TimedOut));
    assert_eq!(counts(), [1, 0, 0]);
    it.opened(1, 2, Ok(()));
    assert_eq!(counts(), [0, 0, 0]);
    it.nothing_is_left();
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let mut it = fixture();
    assert!(!it.ours.opened(s(0), Ticket(9), Ok(relayed())));
    assert!(!it.ours.lost(client(9)));
    assert_eq!(it.ours.spliced(client(9), 1, 1), None);
    it.ours.end('z', Default::default());
    it.nothing_is_left();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_nothing_is_left_over(script in prop::collection::vec((0_u8..8, 1_u16..6, 0_u64..12), 0..80)) {
        let mut it = with_limits(TcpLimits::default().with_per_allocation(3).with_total(6));
        let (mut now, mut ids, mut open) = (0, Vec::new(), BTreeSet::new());
        let mut next_ticket = 100;
        let mut tickets = Vec::new();
        for (what, n, wait) in script {
            let allocation = if n % 2 == 0 { 'a' } else { 'b' };
            match what {
                0 if it.ours.refusal(allocation, peer(n)).is_none() => {
                    next_ticket += 1;
                    tickets.push((Ticket(next_ticket), n));
                    let asked = (Ticket(next_ticket), 0);
                    let of = (allocation, relayed());
                    it.ours.connect(s(now), of, peer(n), asked, &mut it.tokens).unwrap();
                }
                // The driver gives one stream for one pair of addresses.
                1 | 2 if !tickets.is_empty() => {
                    let (ticket, n) = tickets.remove(usize::from(n) % tickets.len());
                    let ok = what == 1 && open.insert(stream(n));
                    prop_assert!(it.ours.opened(s(now), ticket, ok.then(relayed).ok_or(Refused::TimedOut)));
                }
                3 if open.insert(stream(n)) => it.accepted(now, Some(allocation), n),
                4 => {
                    if let Some(&id) = ids.get(usize::from(n)) {
                        let _ = it.ours.bind(id, client(n), NONE);
                    }
                }
                5 if open.remove(&stream(n)) => {
                    it.ours.lost(stream(n));
                }
                6 => it.ours.end(allocation, Default::default()),
                _ => {
                    now += wait;
                    it.ours.handle_timeout(s(now));
                }
            }
            for say in it.says() {
                match say {
                    Say::Connected { id, .. } | Say::Attempt { id, .. } => ids.insert(0, id),
                    Say::Failed { .. } => {}
                }
            }
            for request in it.requests() {
                if let Request::Release { remote: Some(remote), .. } = request {
                    prop_assert!(open.remove(&stream(remote.port())), "released what is not open: {remote}");
                }
            }
            prop_assert!(it.ours.connections.len() <= 6);
            // What is open is known: nothing leaks in the driver.
            let known = it.ours.streams.keys().filter(|path| path.local == relayed()).count();
            prop_assert_eq!(known, open.len());
        }
        it.ours.end('a', Default::default());
        it.ours.end('b', Default::default());
        for (ticket, _) in tickets {
            prop_assert!(it.ours.opened(s(now), ticket, Err(Refused::TimedOut)));
        }
        it.nothing_is_left();
    }
}
