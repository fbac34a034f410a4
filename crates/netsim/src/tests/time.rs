//! The clock, scripts, and equal runs.

use super::*;
use crate::Fate;

#[test]
fn time_stands_where_it_was_told_to() {
    let mut p = pair(1, Link::new(ms(30)), 2, ms(500));
    p.sim.run_for(ms(59));
    assert_eq!((p.sim.now().to_string().as_str(), numbers(&mut p)), ("59ms", vec![]));
    p.sim.run_for(ms(1));
    assert_eq!((p.sim.now().to_string().as_str(), numbers(&mut p)), ("60ms", vec![0]));
    assert_eq!(
        p.sim.next_wake().map(|wake| (wake.at.to_string(), wake.why)),
        Some(("500ms".into(), "ping: next"))
    );
    assert!(p.sim.run_idle(ms(10_000)));
    assert_eq!((p.sim.now().to_string().as_str(), numbers(&mut p)), ("560ms", vec![1]));
    assert!(p.sim.next_wake().is_none());
}

#[test]
fn run_until_stops_at_the_very_instant_or_at_the_limit() {
    let mut p = pair(1, Link::new(ms(30)), 1, ms(500));
    let ping = p.ping;
    assert!(!p.sim.run_until(ms(40), |sim| !sim.data(ping).is_empty()));
    assert_eq!(p.sim.now().to_string(), "40ms");
    assert!(p.sim.run_until(ms(40), |sim| !sim.data(ping).is_empty()));
    assert_eq!(p.sim.now().to_string(), "60ms");
    assert!(p.sim.run_until(ms(0), |_| true));
    assert!(!p.sim.run_idle(ms(0)) || p.sim.next_wake().is_none());
}

#[test]
fn scripts_run_in_their_order_and_may_script_more() {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    sim.after(ms(20), move |sim| {
        sim.add_ip(host, NetworkId::CORE, "192.0.2.3");
        sim.after(ms(5), move |sim| sim.remove_ip(host, "192.0.2.1"));
    });
    sim.after(ms(10), move |sim| sim.add_ip(host, NetworkId::CORE, "192.0.2.2"));
    let ips = |sim: &Sim| sim.ips(host).map(|ip| ip.to_string()).collect::<Vec<_>>();
    sim.run_for(ms(10));
    assert_eq!(ips(&sim), ["192.0.2.1", "192.0.2.2"]);
    sim.run_for(ms(14));
    assert_eq!(ips(&sim), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert!(sim.run_idle(ms(100)));
    assert_eq!(
        (ips(&sim), sim.now().to_string().as_str()),
        (vec!["192.0.2.2".into(), "192.0.2.3".into()], "25ms")
    );
}

#[test]
fn the_same_seed_and_script_give_the_same_run() {
    let run = |seed| {
        let link = Link::new(ms(20))
            .with_jitter(ms(10))
            .with_loss(0.1)
            .with_duplication(0.1)
            .with_reordering(0.1, ms(30))
            .with_rate(1_000_000, 10);
        let mut p = pair(seed, link, 500, ms(2));
        p.sim.record(2_000);
        p.sim.run_for(ms(3_000));
        let log: Vec<_> = p.sim.log().map(ToString::to_string).collect();
        (p.sim.digest(), p.sim.stats(), log, numbers(&mut p))
    };
    let (first, again, other) = (run(7), run(7), run(8));
    assert_eq!(first, again);
    assert_ne!(first.0, other.0);
    assert_ne!(first.3, other.3);
}

#[test]
fn a_new_host_changes_nothing_for_the_others() {
    let run = |more: bool| {
        let mut p = pair(7, Link::new(ms(20)).with_loss(0.2), 200, ms(2));
        if more {
            let third = p.sim.host(["192.0.2.3"]);
            p.sim.add(third, Ping::new("192.0.2.3", addr("192.0.2.1:9"), 200, ms(1)));
        }
        p.sim.run_for(ms(1_000));
        numbers(&mut p)
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn the_log_keeps_the_latest_and_prints_lines() {
    let mut p = pair(1, Link::new(ms(30)), 3, ms(100));
    p.sim.record(2);
    p.sim.run_for(ms(500));
    let port = p.sim.get(p.ping).local().unwrap().port();
    let lines: Vec<_> = p.sim.log().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            format!("230ms 192.0.2.2:7 > 192.0.2.1:{port} Sent, 4 octets"),
            format!("260ms 192.0.2.2:7 > 192.0.2.1:{port} Delivered, 4 octets"),
        ]
    );
    assert_eq!(
        p.sim.log().next_back().map(|entry| (entry.fate, &entry.bytes[..])),
        Some((Fate::Delivered, &[0, 0, 0, 2][..]))
    );
}

#[test]
#[should_panic(
    expected = "not within 100ms: the pong\nreproduce: scenario \"far away\", seed 9; at 100ms, digest"
)]
fn what_is_expected_and_does_not_come_says_how_to_see_it_again() {
    let mut sim = Sim::new(9).named("far away");
    let host = sim.host(["192.0.2.1"]);
    let ping = sim.add(host, Ping::new("192.0.2.1", addr("192.0.2.2:7"), 1, ms(1)));
    sim.expect("the pong", ms(100), |sim| !sim.data(ping).is_empty());
}

#[test]
fn seeds_for_parts_are_told_apart_by_their_labels() {
    let draw = |seed, label| Sim::new(seed).seed(label).into_rng().octets::<16>();
    assert_eq!(draw(1, "alice"), draw(1, "alice"));
    assert_ne!(draw(1, "alice"), draw(1, "bob"));
    assert_ne!(draw(1, "alice"), draw(2, "alice"));
}
