//! What is easier seen from inside than through a network: the schedule of checks, pacing formulas, the freezing of pairs.

use core::time::Duration;

use ginnel_core::{Instant, Path, Seed};
use ginnel_stun::TransactionId;

use super::{Agent, AgentConfig, Role};
use crate::{
    CandidateKind, Credentials, candidate_priority,
    checklist::{Checklist, Inserted, NewPair},
    foundation::Foundation,
    pair::{Check, LocalId, PairId, PairState, RC, RemoteId},
    pair_priority,
};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn check(now: Instant) -> Check {
    Check::new(now, TransactionId::new([1; 12]), Role::Controlling, false, MS(500))
}
fn new_pair(n: u16, foundation: u16, priority: u64) -> NewPair {
    NewPair {
        local: LocalId(0),
        remote: RemoteId(n),
        path: Path::udp(([192, 0, 2, 1], 1).into(), ([198, 51, 100, 1], n).into()),
        foundation: (Foundation(0), Foundation(foundation)),
        priority,
    }
}
fn insert(list: &mut Checklist, n: u16, foundation: u16, priority: u64) -> PairId {
    match list.insert(new_pair(n, foundation, priority)) {
        Inserted::New(id) => id,
        other => panic!("{other:?}"),
    }
}
fn waiting(list: &Checklist) -> Vec<u32> {
    list.iter().filter(|pair| matches!(pair.state, PairState::Waiting)).map(|pair| pair.id.0).collect()
}

/// RFC 8445 section 5.1.2.1 and the values of the example in its section 15.1.
#[test]
fn priorities_are_those_of_the_examples() {
    assert_eq!(candidate_priority(CandidateKind::Host, 65_535, 1), 2_130_706_431);
    assert_eq!(candidate_priority(CandidateKind::ServerReflexive, 65_535, 1), 1_694_498_815);
    assert_eq!(candidate_priority(CandidateKind::PeerReflexive, 65_535, 1), 0x6eff_ffff);
    assert_eq!(candidate_priority(CandidateKind::Relayed, 0, 256), 0);
    assert_eq!(
        pair_priority(Role::Controlling, 2_130_706_431, 1_694_498_815),
        (1_694_498_815 << 32) + 2 * 2_130_706_431 + 1
    );
    for (g, d) in [(1, 1), (1, 2), (0x7fff_ffff, 0x7fff_ffff), (0x7fff_ffff, 1), (u32::MAX, u32::MAX)] {
        assert_eq!(pair_priority(Role::Controlling, g, d), pair_priority(Role::Controlled, d, g));
    }
}

/// RFC 8489 section 6.2.1: 0, 500, 1500, 3500, 7500, 15500, 31500 ms, and failure at 39500 ms.
#[test]
fn a_check_is_sent_seven_times() {
    let mut check = check(Instant::EPOCH);
    let end = check.end();
    let mut sent = vec![check.last_sent.since_epoch()];
    while check.again(check.next) {
        sent.push(check.last_sent.since_epoch());
        assert_eq!(check.end(), end, "whenever it is cancelled");
    }
    assert_eq!(sent, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(MS));
    assert_eq!(sent.len(), usize::from(RC));
    assert_eq!((check.next, end.since_epoch()), (end, MS(39_500)));
    assert_eq!(check.round_trip(end), None, "Karn's rule");
}

/// RFC 8445 section 14.3, with N the one checklist.
#[test]
fn rto_grows_with_what_is_to_be_checked() {
    let mut agent = Agent::new(AgentConfig::default(), Seed::new([1; 32]));
    assert_eq!(agent.check_rto(), MS(500));
    for n in 1..=20 {
        insert(&mut agent.session.checklist, n, n, n.into());
    }
    assert_eq!(agent.check_rto(), MS(1_000));
}

/// RFC 8445 section 6.1.2.6 and RFC 8838 section 12: one pair of each foundation waits, the others are frozen.
#[test]
fn one_pair_of_each_foundation_waits() {
    let mut list = Checklist::new(100);
    let first = insert(&mut list, 1, 1, 10);
    insert(&mut list, 2, 1, 9);
    insert(&mut list, 3, 2, 8);
    insert(&mut list, 4, 1, 7);
    assert_eq!(waiting(&list), [0, 2]);
    // Rule 1: the topmost of its foundation, though another waits already.
    insert(&mut list, 5, 2, 20);
    assert_eq!(waiting(&list), [0, 2, 4]);
    // Section 7.2.5.3.3: a success thaws its foundation; rule 2: what comes later waits at once.
    list.get_mut(first).unwrap().state = PairState::Succeeded;
    list.unfreeze((Foundation(0), Foundation(1)));
    insert(&mut list, 6, 1, 1);
    assert_eq!(waiting(&list), [1, 2, 3, 4, 5]);
}

/// RFC 8445 section 6.1.4.2: triggered first, then the best that waits, then what thaws when its foundation is idle.
#[test]
fn the_next_check_is_triggered_then_best_then_thawed() {
    let mut list = Checklist::new(100);
    let a = insert(&mut list, 1, 1, 10);
    let b = insert(&mut list, 2, 1, 9);
    let c = insert(&mut list, 3, 2, 30);
    let start = |list: &mut Checklist| {
        let id = list.next()?;
        let pair = list.get_mut(id)?;
        pair.state = pair.state.start(check(Instant::EPOCH));
        Some(id)
    };
    assert!(list.trigger(b).is_none());
    list.trigger(b);
    assert_eq!([start(&mut list), start(&mut list), start(&mut list)], [Some(b), Some(c), Some(a)]);
    assert_eq!(start(&mut list), None);
    // A check of the peer on a pair that is under way cancels ours and begins another (section 7.3.1.4).
    assert!(list.trigger(a).is_some());
    assert_eq!(start(&mut list), Some(a));
    // A failure thaws nothing of itself; with its foundation idle the next one goes.
    let d = insert(&mut list, 4, 2, 3);
    assert_eq!(start(&mut list), None, "its foundation is busy");
    let pair = list.get_mut(c).unwrap();
    pair.state = pair.state.fail(crate::PairFailure::NoAnswer);
    assert!(list.has_work());
    assert_eq!(start(&mut list), Some(d));
}

/// RFC 8838 section 10 item 6: failed ones make room first, then the worst; what is under way stays.
#[test]
fn a_full_list_keeps_the_better_pairs() {
    let mut list = Checklist::new(3);
    let busy = insert(&mut list, 1, 1, 1);
    let pair = list.get_mut(busy).unwrap();
    pair.state = pair.state.start(check(Instant::EPOCH));
    let failed = insert(&mut list, 2, 2, 100);
    let pair = list.get_mut(failed).unwrap();
    pair.state = pair.state.fail(crate::PairFailure::NoAnswer);
    let worst = insert(&mut list, 3, 3, 5);
    insert(&mut list, 4, 4, 50);
    assert!(list.get(failed).is_none() && list.get(worst).is_some());
    insert(&mut list, 5, 5, 6);
    assert!(list.get(worst).is_none() && list.get(busy).is_some());
    assert_eq!(list.insert(new_pair(6, 6, 2)), Inserted::Full);
    assert_eq!(list.insert(new_pair(4, 4, 50)), Inserted::Redundant(PairId(3)));
    assert_eq!(list.dropped, 3);
}

/// RFC 8445 section 8.1.2: a nominated pair ends the checking of all others; what was under way is told.
#[test]
fn completion_retires_all_others() {
    let mut list = Checklist::new(10);
    let (a, b) = (insert(&mut list, 1, 1, 10), insert(&mut list, 2, 2, 9));
    let pair = list.get_mut(b).unwrap();
    pair.state = pair.state.start(check(Instant::EPOCH));
    let mut cancelled = Vec::new();
    list.complete(a, |id, _| cancelled.push(id));
    assert_eq!(cancelled, [b]);
    assert!(!list.has_work());
}

/// RFC 8839 section 5.4: 24 bits of randomness in the fragment, 128 in the password, at the least; and its grammar.
#[test]
fn generated_credentials_are_legal_and_differ() {
    let mut rng = Seed::new([3; 32]).into_rng();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..1_000 {
        let credentials = Credentials::generate(&mut rng);
        assert_eq!(credentials.validate(), Ok(()));
        assert!(seen.insert(credentials.ufrag.clone()) && seen.insert(credentials.password.clone()));
    }
}

/// Values that the RFCs forbid are moved to their bounds.
#[test]
fn a_configuration_stays_within_the_rfcs() {
    let mut config = AgentConfig::default().with_ta(MS(1)).with_max_pairs(0);
    config.consent_interval = MS(100);
    (config.keepalive, config.max_checking) = (MS(1), MS(1));
    let config = config.bounded();
    assert_eq!((config.ta, config.max_pairs), (MS(5), 1));
    assert_eq!((config.consent_interval, config.consent_expiry), (MS(5_000), MS(30_000)));
    // What a network of one's own may need is not bounded.
    assert_eq!(config.clone().with_consent_expiry(MS(90_000)).bounded().consent_expiry, MS(90_000));
    assert_eq!((config.keepalive, config.max_checking), (MS(15_000), config.pac));
}

/// RFC 8445 section 5.1.1.1.
#[test]
fn addresses_that_cannot_be_candidates_are_refused() {
    use super::AddLocalIpError as E;
    let mut agent = Agent::new(AgentConfig::default(), Seed::new([1; 32]));
    for (ip, why) in [
        ("127.0.0.1", E::Loopback),
        ("::1", E::Loopback),
        ("0.0.0.0", E::NotUsable),
        ("224.0.0.251", E::NotUsable),
        ("::ffff:192.0.2.1", E::NotUsable),
        ("::192.0.2.1", E::NotUsable),
        ("fec0::1", E::NotUsable),
    ] {
        assert_eq!(agent.add_local_ip(Instant::EPOCH, ip.parse().unwrap()), Err(why), "{ip}");
    }
    assert_eq!(agent.add_local_ip(Instant::EPOCH, "192.0.2.1".parse().unwrap()), Ok(()));
    assert_eq!(agent.add_local_ip(Instant::EPOCH, "192.0.2.1".parse().unwrap()), Err(E::AlreadyAdded));
    for i in 2..=16 {
        assert_eq!(agent.add_local_ip(Instant::EPOCH, [192, 0, 2, i].into()), Ok(()));
    }
    assert_eq!(agent.add_local_ip(Instant::EPOCH, [192, 0, 2, 17].into()), Err(E::TooMany));
    let mut agent = Agent::new(AgentConfig::default().with_loopback(true), Seed::new([1; 32]));
    assert_eq!(agent.add_local_ip(Instant::EPOCH, "127.0.0.1".parse().unwrap()), Ok(()));
}

/// Rule 2 of the contract: after `handle_timeout` and a drain an agent asks for later, also where a keepalive went out.
#[test]
fn a_keepalive_is_no_reason_to_wake_twice() {
    use super::consent::{Consent, Link};
    use crate::pair::LocalId as Id;
    let mut agent = Agent::new(AgentConfig::default(), Seed::new([1; 32]));
    agent.config.consent_interval = Duration::from_secs(100);
    agent.config.consent_expiry = Duration::from_secs(1_000);
    let mut rng = Seed::new([2; 32]).into_rng();
    agent.add_local_ip(Instant::EPOCH, [192, 0, 2, 1].into()).unwrap();
    let Some(ginnel_core::Request::Bind { ticket, ip, .. }) = agent.poll_request() else { panic!() };
    let local = (ip, 5).into();
    agent.handle_notice(Instant::EPOCH, ginnel_core::Notice::Opened { ticket, result: Ok(local) });
    let consent = Consent::new(Instant::EPOCH, Instant::EPOCH, Duration::from_secs(100), &mut rng);
    let path = Path::udp(local, ([198, 51, 100, 1], 5).into());
    agent.session.in_use = Some((PairId(0), Link::new(path, Id(0), consent, Instant::EPOCH)));
    agent.refresh(Instant::EPOCH);
    let now = agent.poll_timeout().unwrap().at;
    assert_eq!(now.since_epoch(), Duration::from_secs(15));
    agent.handle_timeout(now);
    let mut buffer: ginnel_core::Buffer = [0; 2048];
    let mut packet = ginnel_core::Packet::empty(&mut buffer);
    assert!(agent.poll_transmit(now, &mut packet).is_some());
    assert_eq!(agent.stats().keepalives_sent, 1);
    assert_eq!(agent.poll_timeout().unwrap().at, now + Duration::from_secs(15));
}
