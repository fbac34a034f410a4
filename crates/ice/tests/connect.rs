//! How two agents find a path: timelines in the simulated network. Times are round trips, since signalling takes none.

mod common;

use common::{Nat, Pair, Side, connected, ms, secs, selected};
use ginnel_core::{Port, Seed};
use ginnel_ice::{
    AgentConfig, Candidate, CandidateAddress, CandidateKind, CandidateTransport, Event, Role, State,
};
use ginnel_netsim::{Link, NetworkId, Sim};
use ginnel_stun::{BindingServer, ServerConfig};

const ROUND_TRIP: u64 = 100;

#[test]
fn connects_in_one_round_trip_and_selects_in_two() {
    let mut pair = Pair::simple(1, ms(ROUND_TRIP / 2));
    pair.exchange();
    pair.run_for(secs(1));
    for side in [Side::A, Side::B] {
        assert_eq!(pair.when(side, connected), Some(ms(ROUND_TRIP)), "{side:?}");
        assert_eq!(pair.state(side), State::Connected);
    }
    assert_eq!(pair.when(Side::A, selected), Some(ms(2 * ROUND_TRIP)));
    assert_eq!(pair.when(Side::B, selected), Some(ms(ROUND_TRIP + ROUND_TRIP / 2)));
    let (a, b) = (pair.agent(Side::A).selected().unwrap(), pair.agent(Side::B).selected().unwrap());
    assert_eq!(a.path, b.path.reversed());
    assert!(a.nominated && b.nominated);
    assert_eq!(pair.agent(Side::A).pairs()[0].rtt, Some(ms(ROUND_TRIP)));
}

#[test]
fn data_flows_on_a_valid_pair_before_nomination() {
    let mut pair = Pair::simple(2, ms(ROUND_TRIP / 2));
    pair.exchange();
    assert!(pair.send(Side::A, b"too early").is_err());
    pair.run_until(secs(1), |a, _| a.state() == State::Connected).unwrap();
    assert!(!pair.agent(Side::A).selected().unwrap().nominated);
    pair.send(Side::A, b"at once").unwrap();
    pair.run_for(ms(ROUND_TRIP / 2));
    assert_eq!(pair.received(Side::B), 1);
    assert_eq!(pair.agent(Side::B).stats().bytes_received, 7);
}

#[test]
fn the_answerer_starts_before_the_offerer_knows_it() {
    // The answer takes 300 ms through signalling; the answerer's checks come first (RFC 8445 section 7.3).
    let mut pair = Pair::simple(3, ms(ROUND_TRIP / 2));
    pair.trickle = false;
    let candidates: Vec<_> = pair.agent(Side::A).local_candidates().cloned().collect();
    for candidate in candidates {
        pair.sim.with(pair.b, |agent, now| agent.add_remote_candidate(now, candidate)).unwrap();
    }
    pair.tell(Side::B);
    pair.run_for(ms(300));
    assert_eq!(
        pair.when(Side::B, connected),
        Some(ms(ROUND_TRIP)),
        "answers need no credentials of the asker"
    );
    assert_eq!(pair.state(Side::A), State::New);
    pair.tell(Side::A);
    pair.run_for(secs(1));
    assert_eq!(
        pair.when(Side::A, connected),
        Some(ms(300 + ROUND_TRIP)),
        "the remembered check triggers at once"
    );
    assert_eq!(pair.agent(Side::A).selected().unwrap().remote_kind, CandidateKind::PeerReflexive);
}

#[test]
fn candidates_trickle_after_checks_began() {
    let mut pair = Pair::simple(4, ms(ROUND_TRIP / 2));
    pair.trickle = false;
    pair.exchange();
    pair.run_for(secs(5));
    assert_eq!((pair.state(Side::A), pair.state(Side::B)), (State::Checking, State::Checking));
    let candidate = pair.agent(Side::B).local_candidates().next().unwrap().clone();
    pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate)).unwrap();
    let at = pair.run_until(secs(1), |a, _| a.state() == State::Connected).unwrap();
    assert_eq!(at.since_epoch(), secs(5) + ms(ROUND_TRIP));
}

#[test]
fn ten_by_ten_connects_as_fast_as_one_by_one() {
    let left: Vec<String> = (1..=10).map(|i| format!("192.0.2.{i}")).collect();
    let right: Vec<String> = (1..=10).map(|i| format!("198.51.100.{i}")).collect();
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair = Pair::new(5, Link::new(ms(ROUND_TRIP / 2)), (a, &left), (b, &right));
    pair.exchange();
    pair.run_for(secs(2));
    assert_eq!(pair.agent(Side::A).pairs().len(), 100);
    assert_eq!(pair.when(Side::A, connected), Some(ms(ROUND_TRIP)));
    assert_eq!(pair.when(Side::A, selected), Some(ms(2 * ROUND_TRIP)));
    assert!(pair.agent(Side::A).stats().checks_sent < 12, "{:?}", pair.agent(Side::A).stats());
}

fn behind_two_nats(seed: u64, server_answers: bool) -> Pair {
    let mut sim = Sim::new(seed);
    sim.set_default_link(NetworkId::CORE, Link::new(ms(10)));
    let home_a = sim.network(NetworkId::CORE, Nat::new("203.0.113.1"));
    let home_b = sim.network(NetworkId::CORE, Nat::new("203.0.113.2"));
    let host_a = sim.host_in(home_a, ["10.0.0.1"]);
    let host_b = sim.host_in(home_b, ["10.0.1.1"]);
    let server = sim.host(["198.51.100.1"]);
    if server_answers {
        let node = sim.add(server, BindingServer::new(ServerConfig::default(), Seed::new([7; 32])));
        sim.bind(node, "198.51.100.1", Port::Exact(3478)).unwrap();
    }
    let config = |role| AgentConfig::new(role).with_stun_server("198.51.100.1:3478".parse().unwrap());
    Pair::on(sim, (host_a, config(Role::Controlling)), (host_b, config(Role::Controlled)))
}

#[test]
fn two_nats_are_crossed_with_server_reflexive_candidates() {
    let mut pair = behind_two_nats(6, true);
    pair.connect();
    let a = pair.agent(Side::A).selected().unwrap();
    assert_eq!(a.local, "203.0.113.1:40000".parse().unwrap());
    assert_eq!(a.path.remote, "203.0.113.2:40000".parse().unwrap());
    assert_eq!(a.local_kind, CandidateKind::ServerReflexive);
    let candidates: Vec<Candidate> = pair.agent(Side::A).local_candidates().cloned().collect();
    assert_eq!(candidates.len(), 2);
    assert_ne!(candidates[0].foundation, candidates[1].foundation);
    assert_eq!(candidates[1].priority, 1_694_498_815);
    assert_eq!(candidates[1].related, candidates[0].address.ip());
    assert!(pair.when(Side::A, |event| *event == Event::GatheringComplete).unwrap() < ms(200));
}

#[test]
fn without_signalled_reflexive_candidates_both_sides_learn_them() {
    // Only `b` is told of a's mapped address: a learns b as peer-reflexive, b's answer shows a nothing new.
    let mut pair = behind_two_nats(7, true);
    pair.trickle = false;
    pair.run_for(ms(500));
    let mapped = pair.agent(Side::A).local_candidates().nth(1).unwrap().clone();
    let theirs = pair.agent(Side::B).local_candidates().nth(1).unwrap().clone();
    pair.sim.with(pair.b, |agent, now| agent.add_remote_candidate(now, mapped)).unwrap();
    // Its own NAT must be opened by a check, as a check to anything there is.
    pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, theirs)).unwrap();
    pair.exchange();
    pair.connect_after_exchange();
    assert_eq!(pair.agent(Side::B).selected().unwrap().local_kind, CandidateKind::ServerReflexive);
}

#[test]
fn a_mapped_address_nobody_knew_becomes_a_peer_reflexive_candidate() {
    // One NAT, no STUN server: the server-side agent meets a stranger, and the other learns who it is from the answer.
    let mut sim = Sim::new(8);
    let home = sim.network(NetworkId::CORE, Nat::new("203.0.113.1"));
    let (host_a, host_b) = (sim.host_in(home, ["10.0.0.1"]), sim.host(["198.51.100.2"]));
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair = Pair::on(sim, (host_a, a), (host_b, b));
    pair.connect();
    let (a, b) = (pair.agent(Side::A).selected().unwrap(), pair.agent(Side::B).selected().unwrap());
    assert_eq!((a.local_kind, a.local), (CandidateKind::PeerReflexive, "203.0.113.1:40000".parse().unwrap()));
    assert_eq!((b.remote_kind, b.path.remote), (CandidateKind::PeerReflexive, a.local));
}

#[test]
fn a_dead_stun_server_delays_nothing_but_the_end_of_gathering() {
    let mut sim = Sim::new(9);
    let (host_a, host_b) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
    sim.set_link(host_a, host_b, Link::new(ms(ROUND_TRIP / 2)));
    let dead = AgentConfig::new(Role::Controlling).with_stun_server("198.51.100.1:3478".parse().unwrap());
    let mut pair = Pair::on(sim, (host_a, dead), (host_b, AgentConfig::new(Role::Controlled)));
    pair.exchange();
    pair.run_for(secs(12));
    // The query took the first slot of Ta when the socket opened: the check is in the next (RFC 8445 section 14.1).
    assert!(pair.when(Side::A, connected).unwrap() <= ms(ROUND_TRIP + 50));
    assert_eq!(pair.when(Side::A, |event| *event == Event::GatheringComplete), Some(ms(9_500)));
    assert!(pair.agent(Side::A).is_gathering_complete());
}

#[test]
fn a_redundant_server_reflexive_candidate_is_not_told() {
    let mut sim = Sim::new(10);
    let (host_a, host_b) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
    let server = sim.host(["198.51.100.1"]);
    let node = sim.add(server, BindingServer::new(ServerConfig::default(), Seed::new([7; 32])));
    sim.bind(node, "198.51.100.1", Port::Exact(3478)).unwrap();
    let config = AgentConfig::new(Role::Controlling).with_stun_server("198.51.100.1:3478".parse().unwrap());
    let mut pair = Pair::on(sim, (host_a, config), (host_b, AgentConfig::new(Role::Controlled)));
    pair.run_for(secs(1));
    assert_eq!(pair.agent(Side::A).local_candidates().count(), 1);
    assert!(pair.agent(Side::A).is_gathering_complete());
}

#[test]
fn heavy_loss_only_delays() {
    for seed in 0..100 {
        let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
        let link = Link::new(ms(50)).with_loss(0.25).with_jitter(ms(10)).with_duplication(0.1);
        let mut pair = Pair::new(seed, link, (a, &["192.0.2.1", "192.0.2.3"]), (b, &["198.51.100.2"]));
        pair.connect();
        let (a, b) = (pair.agent(Side::A).selected().unwrap(), pair.agent(Side::B).selected().unwrap());
        assert_eq!(a.path, b.path.reversed(), "seed {seed}");
    }
}

#[test]
fn the_better_pair_is_nominated_if_it_is_about_to_succeed() {
    // The better path answers 60 ms after the worse: within two of its round trips, so the nomination waits for it.
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut sim = Sim::new(11);
    let (host_a, host_b) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.2", "198.51.100.3"]));
    sim.set_link(host_a, host_b, Link::new(ms(60)));
    let mut pair = Pair::on(sim, (host_a, a), (host_b, b));
    pair.connect();
    let best = &pair.agent(Side::A).pairs()[0];
    assert!(best.selected && best.nominated, "{best:?}");
}

#[test]
fn the_fate_of_every_byte_follows_from_the_seed() {
    let run = |seed| {
        let mut pair = behind_two_nats(seed, true);
        pair.connect();
        pair.run_for(secs(60));
        pair.sim.with(pair.a, |agent, now| drop(agent.restart(now).clone()));
        pair.sim.with(pair.b, |agent, now| drop(agent.restart(now).clone()));
        pair.connect();
        pair.sim.digest()
    };
    assert_eq!(run(12), run(12));
    assert_ne!(run(12), run(13));
}

#[test]
fn relayed_and_foreign_candidates_of_the_peer_are_taken_or_skipped() {
    let mut pair = Pair::simple(14, ms(10));
    let add = |pair: &mut Pair, candidate| {
        pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate))
    };
    let relayed =
        Candidate::udp(CandidateAddress::Ip("203.0.113.9:9".parse().unwrap()), CandidateKind::Relayed);
    assert_eq!(add(&mut pair, relayed), Ok(()));
    let mut tcp = Candidate::host("203.0.113.9:10".parse().unwrap());
    tcp.transport = CandidateTransport::Tcp;
    assert!(add(&mut pair, tcp).is_err());
    let mut rtcp = Candidate::host("203.0.113.9:11".parse().unwrap());
    rtcp.component = 2;
    assert!(add(&mut pair, rtcp).is_err());
    // An address of the other family is known and not paired.
    assert_eq!(add(&mut pair, Candidate::host("[2001:db8::1]:1".parse().unwrap())), Ok(()));
    assert_eq!(pair.agent(Side::A).pairs().len(), 1);
}

#[test]
fn bindings_are_refreshed_until_a_pair_is_selected() {
    let mut pair = behind_two_nats(15, true);
    pair.sim.record(1_000);
    pair.run_for(secs(50));
    let asked = |pair: &Pair| {
        let (server, ours) =
            ("198.51.100.1:3478".parse().unwrap(), pair.agent(Side::A).local_candidates().next().unwrap());
        let ours = ours.address.ip().unwrap();
        common::requests(&pair.sim, ours).iter().filter(|(_, to, _)| *to == server).count()
    };
    assert_eq!(asked(&pair), 3, "every 15 s, besides the first, which left before the record began");
    pair.connect();
    let before = asked(&pair);
    pair.run_for(secs(60));
    assert_eq!(asked(&pair), before, "consent checks keep the mapping of the selected pair");
    // A restart asks again, and tells all candidates under the new name.
    pair.seen_a.clear();
    pair.trickle = false;
    pair.sim.with(pair.a, |agent, now| drop(agent.restart(now).clone()));
    pair.run_for(secs(1));
    assert_eq!(asked(&pair), before + 1);
    let ufrag = pair.agent(Side::A).local_credentials().ufrag.clone();
    let told = |event: &Event| matches!(event, Event::LocalCandidate(c) if c.ufrag.as_ref() == Some(&ufrag));
    assert_eq!(pair.seen_a.iter().filter(|(_, event)| told(event)).count(), 2);
    assert!(matches!(pair.seen_a.last(), Some((_, Event::GatheringComplete))));
}

#[test]
fn nothing_is_taken_after_end_of_candidates() {
    let mut pair = Pair::simple(16, ms(10));
    pair.exchange();
    pair.run_for(ms(1));
    let late = Candidate::host("203.0.113.9:9".parse().unwrap());
    let taken = pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, late));
    assert_eq!(taken, Err(ginnel_ice::CandidateError::AfterEndOfCandidates));
}

#[test]
fn a_socket_that_is_lost_while_its_servers_wait_does_not_hold_up_gathering() {
    let (mut sim, config) = (Sim::new(17), AgentConfig::new(Role::Controlling));
    let (host_a, host_b) = (sim.host(["192.0.2.1", "192.0.2.3"]), sim.host(["192.0.2.2"]));
    // Two dead servers: the second query of each socket waits for its slot.
    let config = config.with_stun_server("198.51.100.1:3478".parse().unwrap());
    let config = config.with_stun_server("198.51.100.2:3478".parse().unwrap());
    let mut pair = Pair::on(sim, (host_a, config), (host_b, AgentConfig::new(Role::Controlled)));
    pair.sim.remove_ip(host_a, "192.0.2.3");
    pair.run_for(secs(11));
    assert!(pair.agent(Side::A).is_gathering_complete());
}

#[test]
fn loopback_is_paired_with_loopback_only() {
    let config = |role| AgentConfig::new(role).with_loopback(true);
    let mut pair = Pair::new(
        18,
        Link::new(ms(10)),
        (config(Role::Controlling), &["192.0.2.1", "127.0.0.1"]),
        (config(Role::Controlled), &["198.51.100.2"]),
    );
    pair.trickle = false;
    for remote in ["127.0.0.1:7", "203.0.113.9:7"] {
        let candidate = Candidate::host(remote.parse().unwrap());
        pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate)).unwrap();
    }
    let pairs = pair.agent(Side::A).pairs();
    assert_eq!(pairs.len(), 2);
    assert!(pairs.iter().all(|pair| pair.path.local.ip().is_loopback() == pair.remote.ip().is_loopback()));
}

#[test]
fn a_mapped_address_is_the_address_that_it_maps() {
    let mut pair = Pair::simple(19, ms(10));
    pair.trickle = false;
    let mut add = |address: &str| {
        let candidate = Candidate::host(address.parse().unwrap());
        pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate))
    };
    assert_eq!(add("[::ffff:203.0.113.9]:7"), Ok(()));
    assert_eq!(add("203.0.113.9:7"), Ok(()));
    for nobody in ["[::ffff:224.0.0.251]:7", "[::ffff:255.255.255.255]:7", "[::ffff:0.0.0.0]:7"] {
        assert_eq!(add(nobody), Err(ginnel_ice::CandidateError::NotUnicast), "{nobody}");
    }
    let pairs = pair.agent(Side::A).pairs();
    assert_eq!(pairs.iter().map(|pair| pair.remote.to_string()).collect::<Vec<_>>(), ["203.0.113.9:7"]);
    assert_eq!(pair.agent(Side::A).remote_candidates().count(), 1);
}
