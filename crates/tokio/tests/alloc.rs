//! In the steady state a datagram, in and out through real sockets, allocates nothing: machine, driver and runtime together.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use ginnel_alloc_counter::{Counting, allocations_of_all_threads, assert_installed};
use ginnel_core::{Epoch, Instant};
use ginnel_driver::testing::{Mark, Storm};
use ginnel_tokio::{App, driver};

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

#[test]
fn a_datagram_in_and_out_allocates_nothing() {
    assert_installed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut marks = Marks(Vec::with_capacity(ALL));
    let storm = Storm::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8, ALL as u64 * 1_000, Duration::from_millis(2));
    let stats = runtime.block_on(async {
        let mut driver = driver(Epoch::start(), storm);
        driver.run(&mut marks).await;
        assert!(driver.machine().fired() > 0, "timers are part of it");
        driver.stats()
    });
    assert!(stats.received >= ALL as u64 * 1_000 && stats.sent + 8 >= stats.received);
    assert_eq!(marks.0.len(), ALL, "{:?}", marks.0);
    let (warm, end) = (marks.0[WARM], marks.0[ALL - 1]);
    assert_eq!(end.1 - warm.1, 0, "allocations in {} datagrams", end.0 - warm.0);
}
