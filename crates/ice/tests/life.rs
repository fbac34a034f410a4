//! What becomes of a connection: consent, silence, restart, failure with its reason, close.

mod common;

use common::{Forged, Pair, Side, answer, connected, ms, path, requests, secs, selected};
use ginnel_ice::{
    AgentConfig, Candidate, CandidateAddress, CandidateKind, Credentials, CredentialsError, Event,
    FailureReason, PairStatus, Role, SendError, SocketLost, State,
};
use ginnel_netsim::{Link, Sim};

fn failed(event: &Event) -> Option<FailureReason> {
    if let Event::Failed(reason) = event { Some(*reason) } else { None }
}
fn failure(pair: &Pair, side: Side) -> Option<FailureReason> {
    pair.seen(side).iter().find_map(|(_, event)| failed(event))
}
fn moved_to(state: State) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::StateChanged { to, .. } if *to == state)
}

#[test]
fn consent_is_asked_for_every_four_to_six_seconds() {
    let mut pair = Pair::simple(1, ms(20));
    pair.connect();
    pair.sim.record(10_000);
    let start = pair.sim.now();
    pair.run_for(secs(300));
    assert_eq!((pair.state(Side::A), pair.state(Side::B)), (State::Connected, State::Connected));
    let asked: Vec<_> =
        requests(&pair.sim, path(&pair, Side::A).local).into_iter().map(|(at, ..)| at).collect();
    assert!((50..75).contains(&asked.len()), "{} checks", asked.len());
    let gaps: Vec<_> =
        [start].iter().chain(&asked).zip(&asked).map(|(a, b)| b.saturating_since(*a)).skip(1).collect();
    assert!(gaps.iter().all(|gap| (secs(4)..=secs(6)).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "randomised");
    let ids: std::collections::BTreeSet<_> =
        requests(&pair.sim, path(&pair, Side::A).local).into_iter().map(|r| r.2).collect();
    assert_eq!(ids.len(), asked.len(), "each has a transaction id of its own, and is sent once");
    assert_eq!(pair.agent(Side::A).stats().keepalives_sent, 0, "consent checks are keepalives");
}

#[test]
fn a_short_silence_is_disconnected_and_heals() {
    let mut pair = Pair::simple(2, ms(20));
    pair.connect();
    pair.sim.cut(pair.host_a, pair.host_b);
    let cut = pair.sim.now();
    let at = pair.run_until(secs(25), |a, _| a.state() == State::Disconnected).unwrap();
    // Two checks unanswered when the third is sent: at most three intervals of 6 s.
    assert!(at.saturating_since(cut) <= secs(18), "{at}");
    assert_eq!(pair.send(Side::A, b"still there?"), Ok(()), "consent has not expired");
    pair.sim.restore(pair.host_a, pair.host_b);
    pair.run_until(secs(10), |a, _| a.state() == State::Connected).unwrap();
    assert_eq!(failure(&pair, Side::A), None);
}

#[test]
fn consent_expires_thirty_seconds_after_the_last_answer() {
    let mut pair = Pair::simple(3, ms(20));
    pair.connect();
    pair.run_for(secs(60));
    pair.sim.cut(pair.host_a, pair.host_b);
    let cut = pair.sim.now();
    let at = pair.run_until(secs(40), |a, _| a.state() == State::Failed).unwrap();
    assert!((secs(24)..=secs(30)).contains(&at.saturating_since(cut)), "{at}");
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::ConsentExpired(30)));
    assert!(pair.when(Side::A, |event| *event == Event::ConsentExpired).is_some());
    assert_eq!(pair.send(Side::A, b"no more"), Err(SendError::Failed));
    pair.run_for(secs(10));
    let sent = pair.sim.stats().sent;
    pair.run_for(secs(100));
    assert_eq!(pair.sim.stats().sent, sent, "nothing leaves any more");
}

#[test]
fn a_raised_consent_expiry_outlives_a_longer_silence() {
    let a = AgentConfig::new(Role::Controlling).with_consent_expiry(secs(90));
    let b = AgentConfig::new(Role::Controlled).with_consent_expiry(secs(90));
    let mut pair = Pair::new(31, Link::new(ms(20)), (a, &["192.0.2.1"]), (b, &["198.51.100.2"]));
    pair.connect();
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.run_for(secs(70));
    assert_eq!(pair.state(Side::A), State::Disconnected);
    pair.sim.restore(pair.host_a, pair.host_b);
    pair.run_until(secs(10), |a, b| a.state() == State::Connected && b.state() == State::Connected).unwrap();
}

#[test]
fn the_role_may_be_set_once_it_is_known_who_offers() {
    let mut pair = Pair::simple(32, ms(20));
    pair.sim.with(pair.a, |agent, _| agent.set_role(Role::Controlled));
    pair.sim.with(pair.b, |agent, _| agent.set_role(Role::Controlling));
    pair.connect();
    let (a, b) = (pair.agent(Side::A), pair.agent(Side::B));
    assert_eq!((a.role(), b.role()), (Role::Controlled, Role::Controlling));
    assert_eq!(a.stats().role_conflicts + b.stats().role_conflicts, 0);
    assert_eq!(a.pairs()[0].priority, b.pairs()[0].priority);
}

#[test]
fn a_revocation_by_the_peer_ends_consent_at_once() {
    let mut pair = Pair::simple(4, ms(20));
    pair.connect();
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.sim.record(100);
    pair.run_for(secs(6));
    let path = path(&pair, Side::A);
    let (_, _, transaction) = *requests(&pair.sim, path.local).last().unwrap();
    let password = pair.agent(Side::B).local_credentials().password.clone();
    pair.sim.inject(path, &answer(transaction, Err(403), None));
    assert_eq!(pair.state(Side::A), State::Connected, "unless it has the key");
    pair.sim.inject(path, &answer(transaction, Err(403), Some(&password)));
    pair.run_for(ms(1));
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::ConsentRevoked));
}

#[test]
fn keepalives_fill_the_gaps_between_rare_consent_checks() {
    let mut a = AgentConfig::new(Role::Controlling);
    a.consent_interval = secs(20);
    let b = AgentConfig::new(Role::Controlled);
    let mut pair = Pair::new(5, Link::new(ms(20)), (a, &["192.0.2.1"]), (b, &["198.51.100.2"]));
    pair.connect();
    pair.run_for(secs(100));
    let stats = pair.agent(Side::A).stats();
    assert!((3..=5).contains(&stats.keepalives_sent), "{stats:?}");
    assert_eq!(pair.state(Side::B), State::Connected);
}

#[test]
fn a_restart_keeps_the_old_pair_until_the_new_one_is_selected() {
    let mut pair = Pair::simple(6, ms(50));
    pair.connect();
    let old = pair.agent(Side::A).local_credentials().clone();
    pair.trickle = false;
    let new = pair.sim.with(pair.a, |agent, now| agent.restart(now).clone());
    assert!(old.ufrag != new.ufrag && old.password != new.password);
    assert_eq!(pair.state(Side::A), State::Connected);
    // Signalling takes 40 s: longer than consent lasts, so the old pair's consent must be renewed with the old credentials.
    for _ in 0..40 {
        pair.run_for(secs(1));
        pair.send(Side::A, b"old path").unwrap();
        pair.send(Side::B, b"old path").unwrap();
    }
    pair.run_for(secs(1));
    assert_eq!((pair.received(Side::A), pair.received(Side::B)), (40, 40));
    assert!(pair.seen_a.iter().any(|(_, event)| {
        matches!(event, Event::LocalCandidate(candidate) if candidate.ufrag.as_deref() == Some(&new.ufrag))
    }));
    pair.sim.with(pair.b, |agent, now| drop(agent.restart(now).clone()));
    pair.seen_a.clear();
    pair.exchange();
    let (a, b) = (candidates(&pair, Side::A), candidates(&pair, Side::B));
    a.into_iter()
        .for_each(|c| pair.sim.with(pair.b, |agent, now| agent.add_remote_candidate(now, c)).unwrap());
    b.into_iter()
        .for_each(|c| pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, c)).unwrap());
    pair.run_for(secs(2));
    assert!(pair.when(Side::A, selected).is_some());
    assert_eq!(failure(&pair, Side::A), None);
    assert!(
        !pair.seen_a.iter().any(|(_, event)| matches!(event, Event::StateChanged { .. })),
        "{:?}",
        pair.seen_a
    );
    pair.send(Side::A, b"new path").unwrap();
    pair.run_for(secs(120));
    assert_eq!(pair.received(Side::B), 1);
    assert_eq!((pair.state(Side::A), pair.state(Side::B)), (State::Connected, State::Connected));
}
fn candidates(pair: &Pair, side: Side) -> Vec<Candidate> {
    pair.agent(side).local_candidates().cloned().collect()
}

#[test]
fn other_credentials_in_one_generation_ask_for_a_restart() {
    let mut pair = Pair::simple(7, ms(20));
    pair.exchange();
    pair.exchange();
    let other = Credentials::new("abcd", "0123456789012345678901").unwrap();
    let taken = pair.sim.with(pair.a, |agent, now| agent.set_remote_credentials(now, other));
    assert_eq!(taken, Err(CredentialsError::RestartFirst));
    assert!(Credentials::new("abc", "0123456789012345678901").is_err());
    assert!(Credentials::new("abcd", "012345678901234567890 ").is_err());
}

#[test]
fn a_failed_agent_connects_again_after_a_restart() {
    let mut pair = Pair::simple(8, ms(20));
    pair.connect();
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.run_until(secs(60), |a, b| a.state() == State::Failed && b.state() == State::Failed).unwrap();
    pair.sim.restore(pair.host_a, pair.host_b);
    for node in [pair.a, pair.b] {
        pair.sim.with(node, |agent, now| drop(agent.restart(now).clone()));
        assert_eq!(pair.sim.get(node).state(), State::New);
    }
    pair.connect();
}

#[test]
fn no_candidates_from_the_peer_is_said_when_the_pac_timer_ends() {
    let mut pair = Pair::simple(9, ms(20));
    pair.trickle = false;
    pair.exchange();
    pair.sim.with(pair.a, |agent, now| agent.end_of_remote_candidates(now));
    pair.run_for(secs(70));
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::NoRemoteCandidates));
    assert_eq!(pair.when(Side::A, moved_to(State::Failed)), Some(ms(39_500)));
    // `b` was not told that there are no more: it is bounded nevertheless.
    assert_eq!(failure(&pair, Side::B), Some(FailureReason::NoRemoteCandidates));
    assert_eq!(pair.when(Side::B, moved_to(State::Failed)), Some(secs(60)));
}

#[test]
fn silence_is_said_with_what_was_tried() {
    let mut pair = Pair::simple(10, ms(20));
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.exchange();
    pair.run_for(secs(50));
    let last = pair.agent(Side::B).local_candidates().next().unwrap().address.ip().unwrap();
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::NoAnswer { pairs: 1, checks: 7, last }));
    assert_eq!(pair.when(Side::A, moved_to(State::Failed)), Some(ms(39_500)));
    let said = failure(&pair, Side::A).unwrap().to_string();
    assert!(said.contains("1 pairs were checked with 7 requests"), "{said}");
}

#[test]
fn checks_are_sent_again_on_the_schedule_of_rfc_8489() {
    let mut pair = Pair::simple(11, ms(20));
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.sim.record(100);
    pair.exchange();
    let local = pair.agent(Side::A).local_candidates().next().unwrap().address.ip().unwrap();
    pair.run_for(secs(50));
    let sent: Vec<_> = requests(&pair.sim, local).into_iter().map(|(at, ..)| at.since_epoch()).collect();
    assert_eq!(sent, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(ms));
}

#[test]
fn wrong_credentials_are_said() {
    let mut pair = Pair::simple(12, ms(20));
    let ufrag = pair.agent(Side::B).local_credentials().ufrag.clone();
    let wrong = Credentials::new(ufrag, "0123456789012345678901").unwrap();
    pair.sim.with(pair.a, |agent, now| agent.set_remote_credentials(now, wrong)).unwrap();
    pair.run_for(secs(70));
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::WrongCredentials));
    assert!(matches!(pair.agent(Side::A).pairs()[0].state, PairStatus::Failed(_)));
    assert_eq!(pair.agent(Side::B).stats().checks_rejected, 7);
}

#[test]
fn address_families_that_do_not_meet_are_said() {
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair = Pair::new(13, Link::new(ms(20)), (a, &["192.0.2.1"]), (b, &["2001:db8::2"]));
    pair.exchange();
    pair.run_for(secs(50));
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::NothingToPair));
}

#[test]
fn an_agent_without_sockets_says_so() {
    let mut sim = Sim::new(14);
    let (host_a, host_b) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.2"]));
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair = Pair::on(sim, (host_a, a), (host_b, b));
    // The host has no such address, so the driver refuses.
    pair.sim.with(pair.a, |agent, now| agent.add_local_ip(now, "192.0.2.99".parse().unwrap())).unwrap();
    pair.run_for(ms(1));
    let refused = |event: &Event| matches!(event, Event::SocketLost(SocketLost::Refused(..)));
    assert!(pair.when(Side::A, refused).is_some());
    pair.sim.remove_ip(host_a, "192.0.2.1");
    pair.exchange();
    pair.run_for(secs(50));
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::NoLocalCandidates));
}

#[test]
fn a_lost_socket_takes_its_pairs_and_another_valid_pair_takes_over() {
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair = Pair::new(15, Link::new(ms(30)), (a, &["192.0.2.1", "192.0.2.2"]), (b, &["198.51.100.2"]));
    pair.exchange();
    // Both pairs valid before the nomination: the second is sent one Ta later.
    pair.run_until(secs(2), |a, _| a.pairs().iter().all(|pair| pair.valid)).unwrap();
    pair.sim.remove_ip(pair.host_a, "192.0.2.1");
    pair.run_for(ms(1));
    let a = pair.agent(Side::A);
    assert_eq!((a.state(), a.pairs().len(), a.local_candidates().count()), (State::Connected, 1, 1));
    pair.sim.remove_ip(pair.host_a, "192.0.2.2");
    pair.run_for(secs(61));
    assert_eq!(pair.state(Side::A), State::Failed);
}

#[test]
fn aggressive_nomination_selects_the_best_of_the_nominated() {
    // RFC 8445 section 8.1.1: a peer of RFC 5245 says USE-CANDIDATE in every check.
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair = Pair::new(16, Link::new(ms(30)), (a, &["192.0.2.1", "192.0.2.2"]), (b, &["198.51.100.2"]));
    pair.exchange();
    pair.run_until(secs(2), |_, b| b.pairs().iter().filter(|pair| pair.valid).count() == 2).unwrap();
    let (ours, theirs) =
        (pair.agent(Side::B).local_credentials().clone(), pair.agent(Side::A).local_credentials().clone());
    let username = format!("{}:{}", ours.ufrag, theirs.ufrag);
    let forged = Forged {
        username: &username,
        password: Some(&ours.password),
        role: Role::Controlling,
        tiebreaker: 1,
        nominating: true,
    };
    let pairs = pair.agent(Side::B).pairs();
    for at in [1, 0, 1] {
        pair.sim.inject(pairs[at].path, &forged.octets());
    }
    let b = pair.agent(Side::B);
    assert_eq!(b.selected().unwrap().path, pairs[0].path, "the higher priority");
    assert!(b.pairs().iter().filter(|pair| pair.nominated).count() == 2);
}

#[test]
fn old_candidates_do_not_enter_a_new_generation() {
    let mut pair = Pair::simple(17, ms(20));
    pair.connect();
    let old = candidates(&pair, Side::B);
    for node in [pair.a, pair.b] {
        pair.sim.with(node, |agent, now| drop(agent.restart(now).clone()));
    }
    // It comes before the credentials that tell it from the new ones, and goes when they come.
    let before = old[0].clone();
    pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, before)).unwrap();
    pair.tell(Side::A);
    assert_eq!(pair.agent(Side::A).remote_candidates().count(), 0);
    let after = old[0].clone();
    assert!(pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, after)).is_err());
}

#[test]
fn close_gives_the_sockets_back_and_is_the_end() {
    let mut pair = Pair::simple(18, ms(20));
    pair.connect();
    pair.sim.with(pair.a, |agent, now| agent.close(now));
    pair.run_for(ms(1));
    assert!(!pair.sim.is_alive(pair.a) && pair.agent(Side::A).is_closed());
    assert_eq!(
        pair.seen_a.last().unwrap().1,
        Event::StateChanged { from: State::Connected, to: State::Closed }
    );
    assert_eq!(pair.send(Side::A, b"no"), Err(SendError::Closed));
    pair.run_for(secs(40));
    assert_eq!(failure(&pair, Side::B), Some(FailureReason::ConsentExpired(30)));
    let candidate = Candidate::udp(CandidateAddress::Ip("192.0.2.9:1".parse().unwrap()), CandidateKind::Host);
    assert!(pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, candidate)).is_err());
    assert!(pair.when(Side::A, connected).is_some());
}

#[test]
fn a_nomination_that_is_refused_fails_the_checklist() {
    // RFC 8445 section 7.2.5.3.4.
    let mut pair = Pair::simple(19, ms(20));
    pair.sim.record(100);
    pair.exchange();
    pair.run_until(secs(1), |a, _| a.state() == State::Connected).unwrap();
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.run_for(ms(100));
    let path = path(&pair, Side::A);
    let (_, _, transaction) = *requests(&pair.sim, path.local).last().unwrap();
    let password = pair.agent(Side::B).local_credentials().password.clone();
    pair.sim.inject(path, &answer(transaction, Err(400), Some(&password)));
    pair.run_for(ms(1));
    assert_eq!(failure(&pair, Side::A), Some(FailureReason::NominationFailed));
}

#[test]
fn a_nomination_that_is_lost_is_made_again_while_there_is_consent() {
    // Seven transmissions in a row are lost now and then where a third of all packets is.
    let long = |role| {
        let mut config = AgentConfig::new(role);
        config.consent_expiry = secs(600);
        config
    };
    let (a, b) = (long(Role::Controlling), long(Role::Controlled));
    let mut pair = Pair::new(21, Link::new(ms(20)), (a, &["192.0.2.1"]), (b, &["198.51.100.2"]));
    pair.exchange();
    pair.run_until(secs(1), |a, _| a.state() == State::Connected).unwrap();
    pair.sim.cut(pair.host_a, pair.host_b);
    // Longer than any one transaction of RFC 8489 section 6.2.1 lasts.
    pair.run_for(secs(60));
    assert_eq!((failure(&pair, Side::A), failure(&pair, Side::B)), (None, None));
    assert!(!pair.agent(Side::A).pairs()[0].nominated);
    pair.sim.restore(pair.host_a, pair.host_b);
    pair.run_until(secs(4), |a, b| {
        [a, b].iter().all(|agent| agent.selected().is_some_and(|selected| selected.nominated))
    })
    .unwrap();
    // The controlled side's own consent check, 6 s apart at most, heals its state.
    pair.run_for(secs(7));
    assert_eq!((pair.state(Side::A), pair.state(Side::B)), (State::Connected, State::Connected));
}

#[test]
fn an_answer_after_the_failure_revives_nothing() {
    let mut pair = Pair::simple(20, ms(20));
    pair.connect();
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.sim.record(1_000);
    pair.run_until(secs(40), |a, _| a.state() == State::Failed).unwrap();
    let local = pair.agent(Side::A).local_candidates().next().unwrap().address.ip().unwrap();
    let remote = pair.agent(Side::B).local_candidates().next().unwrap().address.ip().unwrap();
    let password = pair.agent(Side::B).local_credentials().password.clone();
    for (_, _, transaction) in requests(&pair.sim, local) {
        let path = ginnel_core::Path::udp(local, remote);
        pair.sim.inject(path, &answer(transaction, Ok(local), Some(&password)));
    }
    pair.sim.remove_ip(pair.host_b, "198.51.100.2");
    pair.run_for(secs(5));
    assert_eq!((pair.state(Side::A), pair.agent(Side::A).selected()), (State::Failed, None));
    assert_eq!(pair.send(Side::A, b"no"), Err(SendError::Failed));
}

#[test]
fn a_lost_socket_hands_the_nomination_to_the_pair_that_is_left() {
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let mut pair =
        Pair::new(33, Link::new(ms(300)), (a, &["192.0.2.1", "192.0.2.2"]), (b, &["198.51.100.2"]));
    pair.exchange();
    // The nomination of the first pair is under way, the second pair is valid meanwhile.
    let at = pair.run_until(secs(2), |a, _| a.pairs().iter().all(|pair| pair.valid));
    assert!(at.is_some() && pair.when(Side::A, selected).is_none(), "the nomination is unanswered");
    pair.sim.remove_ip(pair.host_a, "192.0.2.1");
    pair.connect_after_exchange();
    assert_eq!(pair.agent(Side::A).selected().unwrap().path.local.ip().to_string(), "192.0.2.2");
}

#[test]
fn end_of_candidates_of_the_old_generation_does_not_end_the_new_one() {
    let mut pair = Pair::simple(34, ms(20));
    pair.connect();
    for node in [pair.a, pair.b] {
        pair.sim.with(node, |agent, now| drop(agent.restart(now).clone()));
        // It was on its way through signalling while we restarted.
        pair.sim.with(node, |agent, now| agent.end_of_remote_candidates(now));
    }
    pair.exchange();
    for (from, to) in [(Side::A, pair.b), (Side::B, pair.a)] {
        for candidate in candidates(&pair, from) {
            assert_eq!(pair.sim.with(to, |agent, now| agent.add_remote_candidate(now, candidate)), Ok(()));
        }
    }
    pair.connect_after_exchange();
    // The new generation's own is taken.
    pair.sim.with(pair.a, |agent, now| agent.end_of_remote_candidates(now));
    let late = Candidate::host("203.0.113.9:9".parse().unwrap());
    assert!(pair.sim.with(pair.a, |agent, now| agent.add_remote_candidate(now, late)).is_err());
}

#[test]
fn a_nomination_outlives_a_pause_that_consent_outlives() {
    let mut pair = Pair::simple(35, ms(20));
    pair.exchange();
    pair.run_until(secs(1), |a, _| a.state() == State::Connected).unwrap();
    pair.sim.cut(pair.host_a, pair.host_b);
    pair.run_for(secs(17));
    pair.sim.restore(pair.host_a, pair.host_b);
    let back = pair.sim.now();
    pair.connect_after_exchange();
    let waited = pair.sim.now().saturating_since(back);
    assert!(waited <= secs(3), "{waited:?}: the schedule of one transaction would pause for 16 s");
}

#[test]
fn the_old_generation_is_forgotten_once_nobody_can_mean_it() {
    let mut pair = Pair::simple(36, ms(20));
    pair.connect();
    let name = format!(
        "{}:{}",
        pair.agent(Side::B).local_credentials().ufrag,
        pair.agent(Side::A).local_credentials().ufrag
    );
    let password = pair.agent(Side::B).local_credentials().password.clone();
    let old = path(&pair, Side::B);
    for node in [pair.a, pair.b] {
        pair.sim.with(node, |agent, now| drop(agent.restart(now).clone()));
    }
    pair.connect();
    let forged = Forged {
        username: &name,
        password: Some(&password),
        role: Role::Controlling,
        tiebreaker: 7,
        nominating: false,
    };
    let answered = |pair: &mut Pair| {
        let before = pair.agent(Side::B).stats().checks_answered;
        pair.sim.inject(old, &forged.octets());
        pair.agent(Side::B).stats().checks_answered - before
    };
    assert_eq!(answered(&mut pair), 1, "the peer may not have selected yet");
    pair.run_for(secs(31));
    assert_eq!(answered(&mut pair), 0);
    assert_eq!(pair.state(Side::B), State::Connected);
}
