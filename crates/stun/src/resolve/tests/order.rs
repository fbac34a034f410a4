//! The order of candidates: RFC 2782 among servers, RFC 8305 section 4 among addresses.

use std::{format, string::String, vec::Vec};

use ginnel_core::Transport::{Tcp, Udp};
use proptest::prelude::*;

use super::zone::{Zone, config, search, search_with};

const SERVERS: &str = "
    s1.example.
    IN A 192.0.2.1
    s2.example.
    IN A 192.0.2.2
    s3.example.
    IN A 192.0.2.3
";

fn zone(srv: &str) -> Zone {
    Zone::new(&format!("{SERVERS}\n_stun._udp.h.example.\n{srv}"))
}

/// The last octets of the servers, in the order in which they come.
fn servers(zone: &Zone, seed: u8) -> Vec<String> {
    let outcome = search_with("stun:h.example", &config(&[Udp]), zone, seed).unwrap();
    outcome.table().iter().map(|line| line.replace("udp 192.0.2.", "").replace(":1", "")).collect()
}

#[test]
fn rfc2782_the_lowest_priority_comes_first() {
    let zone = zone("IN SRV 20 0 1 s1.example.\nIN SRV 10 0 1 s2.example.\nIN SRV 30 9 1 s3.example.");
    for seed in 0..20 {
        assert_eq!(servers(&zone, seed), ["2", "1", "3"]);
    }
}

#[test]
fn rfc2782_weights_are_proportions() {
    let zone = zone("IN SRV 0 1 1 s1.example.\nIN SRV 0 3 1 s2.example.\nIN SRV 1 0 1 s3.example.");
    let mut first = [0; 2];
    for seed in 0..=255 {
        let order = servers(&zone, seed);
        assert_eq!(order[2], "3");
        first[usize::from(order[0] == "2")] += 1;
    }
    // Of five draws of 0..=4 two take the first: the zero of the running sum is the first's too.
    assert!((70..=135).contains(&first[0]), "{first:?}");
}

#[test]
fn rfc2782_no_weight_is_a_small_chance_and_not_none() {
    let zone = zone("IN SRV 0 0 1 s1.example.\nIN SRV 0 50 1 s2.example.");
    let first = (0..=255).filter(|&seed| servers(&zone, seed)[0] == "1").count();
    assert!((1..=20).contains(&first), "{first} of 256, and 1 in 51 is expected");
}

#[test]
fn rfc8305_4_families_alternate_and_ipv6_begins() {
    let zone = Zone::new(
        "h.example.
        IN A 192.0.2.1
        IN A 192.0.2.2
        IN A 192.0.2.3
        IN AAAA 2001:db8::1
        IN AAAA 2001:db8::2
        ",
    );
    let outcome = search("stun:h.example:1", &config(&[Udp]), &zone).unwrap();
    assert_eq!(
        outcome.table(),
        [
            "udp [2001:db8::1]:1",
            "udp 192.0.2.1:1",
            "udp [2001:db8::2]:1",
            "udp 192.0.2.2:1",
            "udp 192.0.2.3:1",
        ]
    );
    assert!(outcome.candidates.is_sorted_by_key(|candidate| candidate.rank));
}

#[test]
fn the_same_seed_and_script_give_the_same_events() {
    let zone = zone("IN SRV 0 1 1 s1.example.\nIN SRV 0 1 1 s2.example.\nIN SRV 0 1 1 s3.example.");
    let run = |seed| search_with("stun:h.example", &config(&[Udp, Tcp]), &zone, seed).unwrap();
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
    assert!((1..20).any(|seed| run(seed) != run(0)), "seeds make a difference");
}

proptest! {
    #[test]
    fn any_dns_at_all_ends_within_bounds(data in prop::collection::vec(any::<u8>(), 0..400)) {
        super::super::fuzz::run(&data);
    }
}
