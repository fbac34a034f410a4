//! Networks and signalling that are worse than any in use: many seeds, each a different fate of every packet.

mod common;

use common::{Nat, Pair, Side, connected, ms, secs};
use ginnel_ice::{AgentConfig, Event, Role, State};
use ginnel_netsim::{Link, NetworkId, Sim};

/// 30 % loss each way, 100 to 200 ms one way, 5 % duplicates; each side on as many addresses as are said.
fn stormy(seed: u64, addresses: u8) -> Pair {
    let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
    let link = Link::new(ms(100)).with_loss(0.3).with_jitter(ms(100)).with_duplication(0.05);
    let ours: Vec<_> = (1..=addresses).map(|i| format!("192.0.2.{i}")).collect();
    let theirs: Vec<_> = (1..=addresses).map(|i| format!("198.51.100.{i}")).collect();
    let (ours, theirs): (Vec<_>, Vec<_>) =
        (ours.iter().map(String::as_str).collect(), theirs.iter().map(String::as_str).collect());
    Pair::new(seed, link, (a, &ours), (b, &theirs))
}

/// Both sides have a valid pair soon, and agree on a nominated one long before consent could expire.
#[test]
fn a_storm_delays_and_does_not_prevent() {
    for (addresses, seeds) in [(1, 0..200), (10, 1_000..1_050)] {
        for seed in seeds {
            let mut pair = stormy(seed, addresses);
            pair.exchange();
            let at = pair.run_until(secs(25), |a, b| {
                [a, b].iter().all(|agent| agent.selected().is_some_and(|selected| selected.nominated))
            });
            assert!(
                at.is_some(),
                "{addresses}, seed {seed}: {:?} {:?}",
                pair.seen_a.last(),
                pair.seen_b.last()
            );
            for side in [Side::A, Side::B] {
                assert!(pair.when(side, connected).unwrap() <= secs(20), "{addresses}, seed {seed}");
                assert_eq!(pair.when(side, failed), None, "seed {seed}");
            }
            let (a, b) = (pair.agent(Side::A).selected().unwrap(), pair.agent(Side::B).selected().unwrap());
            assert_eq!(a.path, b.path.reversed(), "seed {seed}");
        }
    }
}
fn failed(event: &Event) -> bool {
    matches!(event, Event::StateChanged { to: State::Failed, .. })
}

/// The answer takes long through signalling: the side that has both descriptions checks alone, and neither side fails.
#[test]
fn an_answer_that_comes_late_finds_the_early_checks() {
    for delay in [5, 20, 35] {
        let mut pair = Pair::simple(delay, ms(50));
        pair.trickle = false;
        let candidates: Vec<_> = pair.agent(Side::A).local_candidates().cloned().collect();
        for candidate in candidates {
            pair.sim.with(pair.b, |agent, now| agent.add_remote_candidate(now, candidate)).unwrap();
        }
        pair.sim.with(pair.b, |agent, now| agent.end_of_remote_candidates(now));
        pair.tell(Side::B);
        pair.run_for(secs(delay));
        assert_eq!((pair.state(Side::A), pair.state(Side::B)), (State::New, State::Connected));
        pair.tell(Side::A);
        pair.connect_after_exchange();
        assert_eq!(pair.when(Side::A, connected), Some(secs(delay) + ms(100)), "one round trip");
        assert_eq!((pair.when(Side::A, failed), pair.when(Side::B, failed)), (None, None));
    }
}

/// The same with the offerer behind a NAT that lets nothing in before it has sent something out: until then no check of the
/// other side arrives, and its transactions are still under way when the offerer's first check opens the NAT.
#[test]
fn an_answer_that_comes_late_opens_the_nat_in_time() {
    for delay in [5, 20, 35] {
        let mut sim = Sim::new(delay);
        sim.set_default_link(NetworkId::CORE, Link::new(ms(10)));
        let home = sim.network(NetworkId::CORE, Nat::new("203.0.113.1"));
        let (host_a, host_b) = (sim.host_in(home, ["10.0.0.1"]), sim.host(["198.51.100.2"]));
        let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
        let mut pair = Pair::on(sim, (host_a, a), (host_b, b));
        pair.tell(Side::B);
        pair.run_for(secs(delay));
        assert_eq!((pair.state(Side::A), pair.state(Side::B)), (State::New, State::Checking));
        pair.tell(Side::A);
        pair.connect_after_exchange();
        assert_eq!((pair.when(Side::A, failed), pair.when(Side::B, failed)), (None, None));
    }
}
