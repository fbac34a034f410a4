//! The cases of SECURITY.md that ICE meets, by number.

mod common;

use std::collections::BTreeMap;

use common::{Forged, Pair, Side, answer, ms, path, requests, secs, selected};
use ginnel_core::{Path, Seed};
use ginnel_ice::{
    AgentConfig, Candidate, CandidateAddress, CandidateError, CandidateKind, Event, FailureReason,
    PairFailure, PairStatus, Role, State, mdns,
};
use ginnel_netsim::{Fate, Link, Sim};
use ginnel_stun::TransactionId;

fn username(pair: &Pair, to: Side) -> (String, String) {
    let from = if to == Side::A { Side::B } else { Side::A };
    let (ours, theirs) = (pair.agent(to).local_credentials(), pair.agent(from).local_credentials());
    (format!("{}:{}", ours.ufrag, theirs.ufrag), ours.password.clone())
}
fn base(pair: &Pair, side: Side) -> std::net::SocketAddr {
    pair.agent(side).local_candidates().next().unwrap().address.ip().unwrap()
}

/// Before anything is known of the peer, at a checking agent and at a connected one.
#[test]
fn sec_42_unauthenticated_check_creates_nothing() {
    let mut pair = Pair::simple(42, ms(20));
    pair.run_for(ms(1));
    let stranger = "203.0.113.66:6666".parse().unwrap();
    for round in 0..3 {
        let (right, password) = username(&pair, Side::A);
        let forged = |username, password| Forged {
            username,
            password,
            role: Role::Controlling,
            tiebreaker: u64::MAX,
            nominating: true,
        };
        let other = format!("nobody:{}", right.split_once(':').unwrap().1);
        let attacks = [
            forged(&other, Some(password.as_str())).octets(),
            forged(&right, Some("0123456789012345678901")).octets(),
            forged(&right, None).octets(),
            forged("nocolon", Some(password.as_str())).octets(),
        ];
        let before = pair.agent(Side::A).stats();
        let known = (pair.agent(Side::A).remote_candidates().count(), pair.agent(Side::A).pairs().len());
        for octets in &attacks {
            pair.sim.inject(Path::udp(base(&pair, Side::A), stranger), octets);
            pair.run_for(ms(60));
        }
        let a = pair.agent(Side::A);
        assert_eq!(a.stats().checks_rejected - before.checks_rejected, 4, "round {round}");
        assert_eq!((a.remote_candidates().count(), a.pairs().len()), known, "round {round}");
        assert_eq!(a.role(), Role::Controlling, "an unauthenticated tiebreaker is not looked at");
        match round {
            0 => pair.exchange(),
            1 => pair.connect_after_exchange(),
            _ => {}
        }
    }
    // No question of a stranger is answered with more octets than it has, nor more than one in each Ta.
    let mut pair = Pair::simple(420, ms(20));
    pair.sim.record(1_000);
    let octets = Forged {
        username: "some:body",
        password: Some("0123456789012345678901"),
        role: Role::Controlling,
        tiebreaker: 0,
        nominating: false,
    }
    .octets();
    for _ in 0..100 {
        pair.sim.inject(Path::udp(base(&pair, Side::A), stranger), &octets);
    }
    let answers: Vec<_> = pair.sim.log().filter(|entry| entry.fate == Fate::Sent).collect();
    assert_eq!(answers.len(), 1);
    assert!(answers[0].bytes.len() < octets.len());
}
#[test]
fn sec_43_ten_thousand_candidates_are_capped_and_paced() {
    let mut pair = Pair::simple(43, ms(20));
    pair.trickle = false;
    pair.sim.record(100_000);
    pair.exchange();
    let mut refused = 0;
    for i in 0..10_000u32 {
        let address = std::net::SocketAddr::from(([203, 0, (i >> 8) as u8, i as u8], 5_000));
        let candidate = Candidate::host(address).with_foundation(format!("{i}"));
        let taken = pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate));
        refused += u32::from(taken == Err(CandidateError::TooMany));
    }
    assert_eq!(refused, 9_900);
    assert_eq!(pair.agent(Side::A).pairs().len(), 100);
    assert_eq!(pair.agent(Side::A).stats().candidates_dropped, 9_900);
    // The same ones again change nothing.
    for i in 0..100u8 {
        let candidate = Candidate::host(([203, 0, 0, i], 5_000).into());
        assert_eq!(pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate)), Ok(()));
    }
    assert_eq!(pair.agent(Side::A).remote_candidates().count(), 100);
    pair.run_for(secs(10));
    let mut first = BTreeMap::new();
    for (at, _, transaction) in requests(&pair.sim, base(&pair, Side::A)) {
        first.entry(transaction).or_insert(at);
    }
    let mut times: Vec<_> = first.into_values().collect();
    times.sort();
    assert_eq!(times.len(), 100);
    assert!(times.windows(2).all(|pair| pair[1].saturating_since(pair[0]) >= ms(50)));
}

#[test]
fn sec_43_the_pair_limit_drops_the_worst_pairs() {
    let a = AgentConfig::new(Role::Controlling).with_max_pairs(5);
    let mut pair = Pair::new(
        431,
        Link::new(ms(20)),
        (a, &["192.0.2.1"]),
        (AgentConfig::new(Role::Controlled), &["198.51.100.2"]),
    );
    pair.trickle = false;
    for i in 1..=6u32 {
        let candidate = Candidate::host(([203, 0, 113, i as u8], 5_000).into()).with_priority(i);
        pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate)).unwrap();
    }
    let left: Vec<_> = pair.agent(Side::A).pairs().iter().map(|pair| pair.remote.ip().to_string()).collect();
    assert_eq!(left, ["203.0.113.6", "203.0.113.5", "203.0.113.4", "203.0.113.3", "203.0.113.2"]);
    assert_eq!(pair.agent(Side::A).stats().pairs_dropped, 1);
}

#[test]
fn sec_44_a_victim_sees_no_more_than_the_pace_and_not_for_long() {
    let mut pair = Pair::simple(44, ms(20));
    pair.trickle = false;
    let victim = pair.sim.host(["203.0.113.1"]);
    assert_eq!(pair.sim.ips(victim).len(), 1);
    pair.sim.record(100_000);
    pair.exchange();
    for port in 1..=100 {
        let candidate = Candidate::host(([203, 0, 113, 1], port).into());
        pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate)).unwrap();
    }
    pair.run_for(secs(300));
    let sent: Vec<_> = requests(&pair.sim, base(&pair, Side::A)).into_iter().map(|(at, ..)| at).collect();
    for window in sent.windows(22) {
        assert!(
            window[21].saturating_since(window[0]) >= secs(1),
            "more than 21 in a second, at {}",
            window[0]
        );
    }
    assert_eq!(pair.state(Side::A), State::Failed);
    assert!(sent.last().unwrap().since_epoch() <= secs(60));
}

#[test]
fn sec_45_role_conflicts_converge() {
    for (role, equal) in [
        (Role::Controlling, false),
        (Role::Controlled, false),
        (Role::Controlling, true),
        (Role::Controlled, true),
    ] {
        for seed in 0..10 {
            let mut sim = Sim::new(seed);
            let (host_a, host_b) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.2"]));
            sim.set_link(host_a, host_b, Link::new(ms(30)));
            let label = if equal { "a" } else { "b" };
            let seeds = (sim.seed("a"), sim.seed(label));
            let config = || AgentConfig::new(role);
            let mut pair = Pair::seeded(sim, (host_a, config()), (host_b, config()), seeds);
            // Equal seeds make equal tiebreakers; a restart draws, so that the next ones differ.
            if equal {
                pair.sim.with(pair.b, |agent, now| drop(agent.restart(now).clone()));
            }
            pair.connect();
            let (a, b) = (pair.agent(Side::A), pair.agent(Side::B));
            assert_eq!(a.role(), b.role().other(), "seed {seed}, both {role:?}");
            assert_eq!(a.selected().unwrap().path, b.selected().unwrap().path.reversed());
            let conflicts = a.stats().role_conflicts + b.stats().role_conflicts;
            assert!(
                (u64::from(!equal)..=4).contains(&conflicts),
                "{conflicts} conflicts, both {role:?}, equal: {equal}"
            );
        }
    }
}

#[test]
fn sec_46_forged_consent_does_not_keep_consent() {
    let mut pair = Pair::simple(46, ms(20));
    pair.connect();
    pair.run_for(secs(20));
    pair.sim.cut(pair.host_a, pair.host_b);
    let cut = pair.sim.now();
    pair.sim.record(1_000);
    let (path, password) = (path(&pair, Side::A), pair.agent(Side::B).local_credentials().password.clone());
    let elsewhere = Path { remote: "203.0.113.66:6666".parse().unwrap(), ..path };
    let mut failed = None;
    while failed.is_none() {
        pair.run_for(ms(500));
        for (_, _, transaction) in requests(&pair.sim, path.local) {
            let mut wrong = transaction.octets();
            wrong[0] ^= 1;
            // The wrong transaction id, the wrong source, the wrong key.
            pair.sim.inject(path, &answer(TransactionId::new(wrong), Ok(path.local), Some(&password)));
            pair.sim.inject(elsewhere, &answer(transaction, Ok(path.local), Some(&password)));
            pair.sim.inject(path, &answer(transaction, Ok(path.local), Some("0123456789012345678901")));
            pair.sim.inject(path, &answer(transaction, Ok(path.local), None));
        }
        failed = pair.seen_a.iter().find(|(_, event)| matches!(event, Event::Failed(_))).cloned();
    }
    let (at, event) = failed.unwrap();
    assert_eq!(event, Event::Failed(FailureReason::ConsentExpired(30)));
    assert!(at.saturating_since(cut) <= secs(30), "{at}");
    let sent = pair.agent(Side::A).stats();
    assert!(pair.send(Side::A, b"no").is_err());
    pair.run_for(secs(60));
    assert_eq!(pair.agent(Side::A).stats().consent_sent, sent.consent_sent);
}

#[test]
fn sec_47_use_candidate_of_the_controlled_agent_is_ignored() {
    let mut pair = Pair::simple(47, ms(20));
    pair.exchange();
    pair.run_until(secs(1), |a, _| a.state() == State::Connected).unwrap();
    let (username, password) = username(&pair, Side::A);
    let forged = Forged {
        username: &username,
        password: Some(&password),
        role: Role::Controlled,
        tiebreaker: 1,
        nominating: true,
    };
    let path = path(&pair, Side::A);
    pair.sim.inject(path, &forged.octets());
    assert!(!pair.agent(Side::A).selected().unwrap().nominated);
    assert!(pair.when(Side::A, selected).is_none());
    // Our own nomination goes its way.
    pair.connect_after_exchange();
}

#[test]
fn sec_48_unusable_candidates_are_refused_without_a_look_up() {
    let mut pair = Pair::simple(48, ms(20));
    pair.trickle = false;
    pair.sim.record(100);
    let long = "a".repeat(10_240);
    let names = [
        "",
        ".local",
        "..local",
        "a.local",
        "printer.local",
        "example.com",
        long.as_str(),
        "1f4712db-ea17-4bcf-a596-105139dfd8bf.local.",
        "1f4712db-ea17-4bcf-a596-105139dfd8bf.example",
        "1f4712db-ea17-1bcf-a596-105139dfd8bf.local",
        "x.f4712db-ea17-4bcf-a596-105139dfd8bf.local",
    ];
    let named = |name: &str, port| {
        Candidate::udp(CandidateAddress::Mdns { name: name.into(), port }, CandidateKind::Host)
    };
    let mut add = |candidate| pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate));
    for name in names {
        assert_eq!(add(named(name, 9)), Err(CandidateError::BadName), "{name:.60}");
    }
    assert_eq!(add(named("1f4712db-ea17-4bcf-a596-105139dfd8bf.local", 0)), Err(CandidateError::PortZero));
    for address in ["192.0.2.1:0", "[2001:db8::1]:0"] {
        assert_eq!(add(Candidate::host(address.parse().unwrap())), Err(CandidateError::PortZero));
    }
    for address in ["0.0.0.0:1", "224.0.0.251:1", "255.255.255.255:1", "[::]:1", "[ff02::fb]:1"] {
        assert_eq!(add(Candidate::host(address.parse().unwrap())), Err(CandidateError::NotUnicast));
    }
    assert_eq!(
        add(Candidate::host("192.0.2.9:9".parse().unwrap()).with_priority(0)),
        Err(CandidateError::BadPriority(0))
    );
    pair.run_for(secs(5));
    assert_eq!(pair.sim.stats().sent, 0);
    assert_eq!(pair.agent(Side::A).remote_candidates().count(), 0);
}

const NAME: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";

#[test]
fn sec_49_an_unresolvable_name_delays_nothing() {
    let mut pair = Pair::simple(49, ms(50));
    let named = Candidate::udp(CandidateAddress::Mdns { name: NAME.into(), port: 9 }, CandidateKind::Host);
    pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, named)).unwrap();
    pair.exchange();
    pair.run_for(secs(20));
    let connected = pair.when(Side::A, common::connected);
    assert_eq!(connected, Some(ms(100)), "one round trip");
    assert_eq!(pair.when(Side::A, |event| *event == Event::GatheringComplete), Some(ms(0)));
    assert!(pair.when(Side::A, |event| *event == Event::NameUnresolved(NAME.into())).is_some());
}

#[test]
fn sec_49_a_resolved_name_is_checked_like_any_candidate() {
    let mut pair = Pair::simple(490, ms(20));
    pair.trickle = false;
    let there = base(&pair, Side::B);
    let named =
        Candidate::udp(CandidateAddress::Mdns { name: NAME.into(), port: there.port() }, CandidateKind::Host);
    pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, named)).unwrap();
    pair.exchange();
    pair.run_for(ms(100));
    let mut buffer = [0; 2048];
    let mut packet = ginnel_core::Packet::empty(&mut buffer);
    let name = mdns::HostName::parse(NAME).unwrap();
    mdns::MessageWriter::response(&mut packet).unwrap().address(name, there.ip(), 120, true).unwrap();
    let group = Path::udp("224.0.0.251:5353".parse().unwrap(), (there.ip(), 5353).into());
    assert!(pair.sim.inject(group, packet.bytes()));
    pair.connect_after_exchange();
    assert_eq!(pair.agent(Side::A).selected().unwrap().path.remote, there);
}

#[test]
fn sec_49_names_that_nobody_answers_for_are_the_reason_that_is_given() {
    let mut pair = Pair::simple(491, ms(20));
    pair.trickle = false;
    let named = Candidate::udp(CandidateAddress::Mdns { name: NAME.into(), port: 9 }, CandidateKind::Host);
    pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, named)).unwrap();
    pair.tell(Side::A);
    pair.sim.with(pair.a, |agent, now| agent.end_of_remote_candidates(now));
    pair.run_for(secs(50));
    assert!(pair.seen_a.iter().any(|(_, event)| *event == Event::Failed(FailureReason::NamesUnresolved)));
}

#[test]
fn sec_50_packets_of_the_old_generation_do_not_touch_the_new_session() {
    let mut pair = Pair::simple(50, ms(20));
    pair.connect();
    let ((name_a, password_a), (name_b, password_b)) = (username(&pair, Side::A), username(&pair, Side::B));
    for node in [pair.a, pair.b] {
        pair.sim.with(node, |agent, now| drop(agent.restart(now).clone()));
    }
    let stranger = "203.0.113.66:6666".parse().unwrap();
    for (side, name, password) in [(Side::A, &name_a, &password_a), (Side::B, &name_b, &password_b)] {
        let forged = Forged {
            username: name,
            password: Some(password),
            role: Role::Controlling,
            tiebreaker: u64::MAX,
            nominating: true,
        };
        pair.sim.inject(Path::udp(base(&pair, side), stranger), &forged.octets());
        let agent = pair.agent(side);
        assert_eq!(agent.stats().checks_other_generation, 1);
        assert_eq!((agent.remote_candidates().count(), agent.pairs().len()), (0, 0));
    }
    assert_eq!(pair.agent(Side::A).role(), Role::Controlling);
    // With both names of the new generation known, the old one is still answered and still changes nothing.
    pair.connect();
    let remotes = pair.agent(Side::B).remote_candidates().count();
    let forged = Forged {
        username: &name_b,
        password: Some(&password_b),
        role: Role::Controlling,
        tiebreaker: 7,
        nominating: true,
    };
    pair.sim.inject(Path::udp(base(&pair, Side::B), stranger), &forged.octets());
    assert_eq!(pair.agent(Side::B).remote_candidates().count(), remotes);
    assert_ne!(pair.agent(Side::B).selected().unwrap().path.remote, stranger);
}

#[test]
fn sec_15_answers_that_were_not_asked_for_change_nothing() {
    let mut pair = Pair::simple(15, ms(20));
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.sim.record(100);
    pair.exchange();
    pair.run_for(ms(100));
    let (from, to, transaction) =
        (base(&pair, Side::A), base(&pair, Side::B), requests(&pair.sim, base(&pair, Side::A))[0].2);
    let password = pair.agent(Side::B).local_credentials().password.clone();
    let mut wrong = transaction.octets();
    wrong[11] ^= 1;
    let path = Path::udp(from, to);
    pair.sim.inject(path, &answer(TransactionId::new(wrong), Ok(from), Some(&password)));
    pair.sim.inject(path, &answer(transaction, Ok(from), None));
    pair.sim.inject(path, &answer(transaction, Err(500), None));
    assert_eq!(pair.agent(Side::A).stats().responses_ignored, 3);
    assert_eq!(pair.agent(Side::A).pairs()[0].state, PairStatus::InProgress);
    pair.run_for(ms(500));
    assert_eq!(requests(&pair.sim, from).len(), 2, "retransmission goes on");
    // RFC 8445 section 7.2.5.2.1: with integrity, and from elsewhere.
    let elsewhere = Path { remote: "203.0.113.66:6666".parse().unwrap(), ..path };
    pair.sim.inject(elsewhere, &answer(transaction, Ok(from), Some(&password)));
    assert_eq!(pair.agent(Side::A).pairs()[0].state, PairStatus::Failed(PairFailure::NotSymmetric));
    pair.run_for(secs(60));
    assert!(pair.seen_a.iter().any(|(_, event)| *event == Event::Failed(FailureReason::NotSymmetric)));
}

#[test]
fn data_from_a_path_that_is_not_validated_is_dropped() {
    let mut pair = Pair::simple(53, ms(20));
    pair.connect();
    let stranger = Path { remote: "203.0.113.66:6666".parse().unwrap(), ..path(&pair, Side::A) };
    pair.sim.inject(stranger, b"\x16\xfe\xfd hello");
    assert_eq!(pair.received(Side::A), 0);
    assert_eq!(pair.agent(Side::A).stats().packets_unvalidated, 1);
}

#[test]
fn early_checks_are_bounded() {
    let mut pair = Pair::simple(54, ms(20));
    let (username, password) = username(&pair, Side::A);
    let forged = Forged {
        username: &username,
        password: Some(&password),
        role: Role::Controlled,
        tiebreaker: 1,
        nominating: false,
    };
    for port in 1..=1_000 {
        pair.sim.inject(Path::udp(base(&pair, Side::A), ([203, 0, 113, 1], port).into()), &forged.octets());
    }
    assert_eq!(pair.agent(Side::A).stats().checks_answered, 1_000);
    assert_eq!(pair.agent(Side::A).stats().candidates_dropped, 984);
    pair.trickle = false;
    pair.tell(Side::A);
    assert_eq!(pair.agent(Side::A).remote_candidates().count(), 16);
}

#[test]
fn equal_seeds_do_not_hang_equal_agents() {
    let seed = || Seed::new([7; 32]);
    let mut sim = Sim::new(55);
    let (host_a, host_b) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.2"]));
    let mut pair = Pair::seeded(
        {
            sim.set_link(host_a, host_b, Link::new(ms(20)));
            sim
        },
        (host_a, AgentConfig::new(Role::Controlling)),
        (host_b, AgentConfig::new(Role::Controlled)),
        (seed(), seed()),
    );
    pair.connect();
}

#[test]
fn sec_43_a_name_that_is_told_again_takes_no_room() {
    let mut pair = Pair::simple(432, ms(20));
    pair.trickle = false;
    for port in [9, 9, 9, 10] {
        let named = Candidate::udp(CandidateAddress::Mdns { name: NAME.into(), port }, CandidateKind::Host);
        pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, named)).unwrap();
    }
    assert_eq!(pair.agent(Side::A).remote_candidates().count(), 2);
}

/// RFC 8445 section 12.2: the peer may send on a pair that is valid for it until our nomination of another arrives.
#[test]
fn data_is_taken_from_where_the_peer_has_just_checked_after_the_selection_too() {
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair = Pair::new(530, Link::new(ms(5)), (a, &["192.0.2.1", "192.0.2.2"]), (b, &["198.51.100.2"]));
    // `b` is told of no candidate, so it checks only where checks come from: one path, since the selection comes first.
    pair.trickle = false;
    let candidate = pair.agent(Side::B).local_candidates().next().unwrap().clone();
    pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate)).unwrap();
    pair.connect();
    let (username, password) = username(&pair, Side::A);
    let forged = Forged {
        username: &username,
        password: Some(&password),
        role: Role::Controlled,
        tiebreaker: 1,
        nominating: false,
    };
    let other = *pair.agent(Side::A).pairs().iter().find(|pair| !pair.valid).unwrap();
    pair.sim.inject(other.path, b"\x80too early");
    assert_eq!(pair.received(Side::A), 0, "nobody has shown the password there");
    pair.sim.inject(other.path, &forged.octets());
    pair.sim.inject(other.path, b"\x80in time");
    assert_eq!(pair.received(Side::A), 1);
    // A path that was never paired stays as unknown as it was.
    let stranger = Path { remote: "203.0.113.66:6666".parse().unwrap(), ..other.path };
    pair.sim.inject(stranger, &forged.octets());
    pair.sim.inject(stranger, b"\x80never");
    assert_eq!(pair.received(Side::A), 0);
}
