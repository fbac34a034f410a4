//! 100,000 allocations held by one TURN server machine: what each takes of memory, how long the machine is busy when all are
//! refreshed at once, when 200,000 who are nobody ask for one, and when it is drained.
//!
//! `cargo bench -p ginnel-benches --bench turn_crowd`: in memory, where no ports run out. With sockets, `ginnel serve` and
//! `ginnel turn-load` do it. `docs/TURN-CAPACITY.md` has the commands and the figures of both.

use std::{net::SocketAddr, time::Duration};

use ginnel_benches::{
    timed,
    turn::{Ours, Refreshing, Relays as _, bare_allocate},
};
use ginnel_core::Instant;

const ALLOCATIONS: usize = 100_000;
const NOBODIES: u32 = 200_000;

fn main() {
    let before = resident();
    let began = timed();
    let (mut ours, relayed) = Ours::with(ALLOCATIONS);
    let allocated = timed() - began;
    assert_eq!(relayed.len(), ALLOCATIONS);
    let held = resident().saturating_sub(before);
    println!("{ALLOCATIONS} allocations, each with a permission and a channel:");
    println!("  memory         {} octets each", held / ALLOCATIONS as u64);
    println!("  made in        {:.2} s, asking included", seconds(allocated));

    let mut refreshing = Refreshing::new();
    let mut busy = 0;
    for n in 0..ALLOCATIONS {
        busy += refreshing.refresh(&mut ours, n, timed);
    }
    println!("  refreshed in   {:.2} s: {} ns each", seconds(busy), busy / ALLOCATIONS as u64);

    let ask = bare_allocate();
    let before = resident();
    let began = timed();
    for n in 0..NOBODIES {
        let from = SocketAddr::from((std::net::Ipv4Addr::from_bits(0x0B00_0000 + n), 5_000));
        assert!(!ours.tell(from, &ask).is_empty());
    }
    let spent = timed() - began;
    let grown = resident().saturating_sub(before);
    println!("{NOBODIES} Allocates without credentials:");
    println!("  answered in    {:.2} s: {} ns each", seconds(spent), spent / u64::from(NOBODIES));
    println!("  memory kept    {} octets in all", grown);

    let deadline = Instant::EPOCH + Duration::from_secs(60);
    let began = timed();
    ours.server().drain(Instant::EPOCH, deadline, &[]);
    ours.server().handle_timeout(deadline);
    let (mut released, mut told) = (0, 0);
    loop {
        let requests = std::iter::from_fn(|| ours.server().poll_request()).count();
        let events = std::iter::from_fn(|| ours.server().poll_event()).count();
        released += requests;
        told += events;
        let due = ours.server().poll_timeout().is_some_and(|wake| wake.at <= deadline);
        if due {
            ours.server().handle_timeout(deadline);
        }
        if requests == 0 && events == 0 && !due {
            break;
        }
    }
    let drained = timed() - began;
    assert_eq!(ours.server().allocations(deadline).count(), 0);
    println!(
        "drained at the deadline in {:.2} s: {released} sockets given back, {told} events",
        seconds(drained)
    );
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Octets of memory that this process has; 0 where the system does not say it like this.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}
