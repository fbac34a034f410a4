//! Where datagrams are lost, the verdict is right or says that it is not known: never wrong.

use super::*;
use ginnel_netsim::Refresh;

/// What a verdict of this kind of NAT may not say.
#[track_caller]
fn assert_not_wrong<T: PartialEq + core::fmt::Debug>(finding: Finding<T>, right: &T, what: &str) {
    if let Finding::Known(found) = &finding {
        assert_eq!(found, right, "{what}");
    }
}

#[test]
fn with_loss_the_verdict_is_right_or_unknown_and_mostly_right() {
    let (mut findings, mut known) = (0, 0);
    for (loss, seeds) in [(0.1, 40), (0.3, 10)] {
        for (mapping, right_mapping) in MAPPINGS {
            for (filtering, right_filtering) in FILTERINGS {
                for (hairpinning, right_hairpinning) in HAIRPINNINGS {
                    for seed in 0..seeds {
                        let mut world = World::new(seed);
                        let nat = world.nat().with_mapping(mapping).with_filtering(filtering);
                        let home = world.behind(nat.with_hairpinning(hairpinning));
                        world.sim.set_default_link(NetworkId::CORE, Link::new(ms(20)).with_loss(loss));
                        world.sim.set_default_link(home, Link::new(ms(5)).with_loss(loss));
                        let node = world.discover_in(home, config());
                        let verdict = world.verdict(node, secs(60));
                        let what =
                            std::format!("{mapping}, {filtering}, loss {loss}, seed {seed}: {verdict:?}");
                        assert_not_wrong(verdict.mapping, &right_mapping, &what);
                        assert_not_wrong(verdict.filtering, &right_filtering, &what);
                        assert_not_wrong(verdict.hairpinning, &right_hairpinning, &what);
                        assert_not_wrong(verdict.alg, &Alg::None, &what);
                        if loss < 0.2 {
                            findings += 2;
                            known += u32::from(verdict.mapping.known().is_some());
                            known += u32::from(verdict.filtering.known().is_some());
                        }
                    }
                }
            }
        }
    }
    // Ten per cent of loss on each link: nearly half of the answers do not come.
    assert!(known * 100 >= findings * 95, "{known} of {findings}");
}

#[test]
fn with_loss_the_lifetime_lies_within_its_bounds() {
    let mut known = 0;
    for seed in 0..30 {
        for (refresh, right) in [
            (Refresh::Outbound, RefreshDirection::Outbound),
            (Refresh::OutboundAndInbound, RefreshDirection::OutboundAndInbound),
        ] {
            let mut world = World::new(seed);
            let nat = world.nat().with_kind(netsim::NatKind::Symmetric).with_expiry(secs(60), refresh);
            let home = world.behind(nat);
            world.sim.set_default_link(NetworkId::CORE, Link::new(ms(20)).with_loss(0.1));
            let node = world.discover_in(home, config().with_lifetime(LifetimeSearch::default()));
            let verdict = world.verdict(node, secs(7_200));
            let Finding::Known(found) = verdict.lifetime else { continue };
            let what = std::format!("seed {seed}: {found:?}");
            assert!(found.at_least <= secs(60), "{what}");
            assert!(found.at_most.is_none_or(|at_most| secs(60) <= at_most), "{what}");
            assert_not_wrong(found.refresh, &right, &what);
            known += 1;
        }
    }
    assert!(known >= 55, "{known} of 60");
}

#[test]
fn a_line_that_loses_nearly_everything_says_nothing() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        let nat = world.nat().with_kind(netsim::NatKind::FullCone);
        let home = world.behind(nat);
        world.sim.set_default_link(NetworkId::CORE, Link::new(ms(20)).with_loss(0.6));
        let node = world.discover_in(home, config());
        let verdict = world.verdict(node, secs(60));
        let what = std::format!("seed {seed}: {verdict:?}");
        assert_not_wrong(verdict.mapping, &Mapping::EndpointIndependent, &what);
        assert_not_wrong(verdict.filtering, &Filtering::EndpointIndependent, &what);
        assert_not_wrong(verdict.hairpinning, &Hairpinning::ExternalSource, &what);
    }
}

#[test]
fn delay_jitter_reordering_and_duplicates_change_nothing() {
    for seed in 0..10 {
        for (filtering, right) in FILTERINGS {
            let mut world = World::new(seed);
            let nat = world.nat().with_filtering(filtering);
            let home = world.behind(nat);
            let link =
                Link::new(ms(150)).with_jitter(ms(200)).with_duplication(0.2).with_reordering(0.2, ms(100));
            world.sim.set_default_link(NetworkId::CORE, link);
            let node = world.discover_in(home, config());
            let verdict = world.verdict(node, secs(60));
            assert_eq!(verdict.filtering, Finding::Known(right), "seed {seed}");
            assert_eq!(verdict.mapping, Finding::Known(Mapping::EndpointIndependent), "seed {seed}");
        }
    }
}

#[test]
fn satellites_are_waited_for() {
    // Twice a hop of the core there, and twice back: round trips of 1.6 s and 3.2 s.
    for latency in [400, 800] {
        let mut world = World::new(1);
        let nat = world.nat().with_kind(netsim::NatKind::Symmetric);
        let home = world.behind(nat);
        world.sim.set_default_link(NetworkId::CORE, Link::new(ms(latency)));
        let node = world.discover_in(home, config());
        let verdict = world.verdict(node, secs(120));
        assert_eq!(verdict.mapping, Finding::Known(Mapping::AddressAndPortDependent), "{latency}");
        assert_eq!(verdict.filtering, Finding::Known(Filtering::AddressAndPortDependent), "{latency}");
    }
}
