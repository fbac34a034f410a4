//! In the steady state a datagram, or a message of a TCP stream, in and out through real sockets, allocates nothing: machine,
//! driver and runtime together.
//! Timers are left out: `async-io` allocates for each that fires.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use ginnel_alloc_counter::{Counting, allocations_of_all_threads, assert_installed};
use ginnel_core::{Epoch, Instant};
use ginnel_driver::testing::{Mark, Storm};
use ginnel_smol::{App, driver};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The count of allocations at each mark.
struct Marks(Vec<(u64, u64)>);
impl App<Storm> for Marks {
    fn event(&mut self, _: Instant, _: &mut Storm, Mark(answered): Mark) {
        self.0.push((answered, allocations_of_all_threads()));
    }
}

const WARM: usize = 5;
const ALL: usize = 30;

/// Datagrams and messages in one test: the count is of all threads, so of tests beside it too.
#[test]
fn a_datagram_and_a_message_in_and_out_allocate_nothing() {
    assert_installed();
    let (ip, enough, tick) =
        (IpAddr::V4(Ipv4Addr::LOCALHOST), ALL as u64 * 1_000, Duration::from_secs(3_600));
    for storm in [Storm::new(ip, 8, enough, tick), Storm::over_tcp(ip, 8, enough, tick)] {
        let mut marks = Marks(Vec::with_capacity(ALL));
        let stats = smol::block_on(async {
            let mut driver = driver(Epoch::start(), storm);
            driver.run(&mut marks).await;
            driver.stats()
        });
        let (received, sent) = (stats.received + stats.messages_received, stats.sent + stats.messages_sent);
        assert!(received >= enough && sent + 8 >= received, "{stats:?}");
        assert_eq!(marks.0.len(), ALL, "{:?}", marks.0);
        // The reactor has a thread of its own, which allocates when it wakes a task that had to wait: how often that is depends
        // on what else this machine does. An allocation for each datagram, or for each batch, would be in every thousand.
        let allocations: Vec<u64> = marks.0[WARM..].windows(2).map(|marks| marks[1].1 - marks[0].1).collect();
        let without = allocations.iter().filter(|count| **count == 0).count();
        assert!(2 * without > allocations.len(), "allocations in each thousand: {allocations:?}");
    }
}
