//! RFC 5780 section 4.6: how long mappings live.

use super::*;
use ginnel_netsim::{Firewall, NatKind, Refresh};

fn search() -> DiscoveryConfig {
    config().with_lifetime(LifetimeSearch::default())
}
fn found(expiry: Duration, refresh: Refresh, kind: NatKind, config: DiscoveryConfig) -> Lifetime {
    let mut world = World::new(1);
    let nat = world.nat().with_kind(kind).with_expiry(expiry, refresh);
    let home = world.behind(nat);
    let node = world.discover_in(home, config);
    world.verdict(node, secs(7_200)).lifetime.known().expect("a lifetime")
}

#[test]
fn rfc5780_4_6_the_lifetime_is_found_to_within_the_resolution() {
    for expiry in [30, 120, 300].map(secs) {
        for resolution in [5, 10, 30].map(secs) {
            let config = config().with_lifetime(LifetimeSearch::default().with_resolution(resolution));
            let found = found(expiry, Refresh::Outbound, NatKind::Symmetric, config);
            let at_most = found.at_most.expect("an upper bound");
            let what = std::format!("{expiry:?} to within {resolution:?}: {found:?}");
            assert!(found.at_least <= expiry && expiry <= at_most, "{what}");
            assert!(at_most - found.at_least <= resolution, "{what}");
        }
    }
}

#[test]
fn rfc5780_4_6_what_refreshes_a_mapping_is_found() {
    for kind in NatKind::ALL {
        for (refresh, expected) in [
            (Refresh::Outbound, RefreshDirection::Outbound),
            (Refresh::OutboundAndInbound, RefreshDirection::OutboundAndInbound),
        ] {
            let found = found(secs(60), refresh, kind, search());
            assert_eq!(found.refresh, Finding::Known(expected), "{kind}");
        }
    }
}

#[test]
fn a_mapping_that_outlives_the_longest_wait_is_said_to_live_at_least_as_long() {
    let short = LifetimeSearch::default().with_range(secs(5), secs(40));
    let found = found(secs(300), Refresh::Outbound, NatKind::FullCone, config().with_lifetime(short));
    assert_eq!((found.at_least.as_secs(), found.at_most), (40, None));
    assert_eq!(found.refresh, Finding::Unknown(Unknown::NeverExpired));
}

#[test]
fn a_mapping_that_does_not_outlive_the_shortest_wait_is_found_too() {
    let found = found(secs(6), Refresh::Outbound, NatKind::PortRestricted, search());
    assert!(found.at_least <= secs(6) && secs(6) <= found.at_most.unwrap(), "{found:?}");
    assert_eq!(found.refresh, Finding::Unknown(Unknown::TooCoarse));
}

#[test]
fn the_state_of_a_firewall_has_a_lifetime_as_well() {
    let mut world = World::new(1);
    let office = world.behind(Firewall::new().with_expiry(secs(60), Refresh::Outbound));
    let node = world.discover_in(office, search());
    let found = world.verdict(node, secs(3_600)).lifetime.known().expect("a lifetime");
    assert!(found.at_least <= secs(60) && secs(60) <= found.at_most.unwrap(), "{found:?}");
}

#[test]
fn the_search_is_told_as_it_goes_and_takes_a_few_waits() {
    let mut world = World::new(1);
    let nat = world.nat().with_expiry(secs(120), Refresh::Outbound);
    let home = world.behind(nat);
    let node = world.discover_in(home, search());
    assert!(world.sim.run_until(secs(3_600), |sim| !sim.is_alive(node)));
    let events = world.sim.events(node);
    let waits: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Searching { wait, at_least, at_most } => Some((wait.as_secs(), *at_least, *at_most)),
            _ => None,
        })
        .collect();
    assert_eq!(waits[..4].iter().map(|it| it.0).collect::<Vec<_>>(), [10, 20, 40, 80]);
    assert!(waits.len() <= 12, "{waits:?}");
    assert!(waits.windows(2).all(|pair| pair[0].1 <= pair[1].1), "the bounds only narrow: {waits:?}");
    assert!(world.sim.now() < ginnel_core::Instant::EPOCH + secs(1_500), "{}", world.sim.now());
}
