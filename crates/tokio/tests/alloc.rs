//! In the steady state a datagram, or a message of a TCP stream, in and out through real sockets, allocates nothing: machine,
//! driver and runtime together.

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

/// Datagrams and messages in one test: the count is of all threads, so of tests beside it too.
#[test]
fn a_datagram_and_a_message_in_and_out_allocate_nothing() {
    assert_installed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (ip, enough, tick) = (IpAddr::V4(Ipv4Addr::LOCALHOST), ALL as u64 * 1_000, Duration::from_millis(2));
    for storm in [Storm::new(ip, 8, enough, tick), Storm::over_tcp(ip, 8, enough, tick)] {
        let mut marks = Marks(Vec::with_capacity(ALL));
        let stats = runtime.block_on(async {
            let mut driver = driver(Epoch::start(), storm);
            driver.run(&mut marks).await;
            assert!(driver.machine().fired() > 0, "timers are part of it");
            driver.stats()
        });
        let (received, sent) = (stats.received + stats.messages_received, stats.sent + stats.messages_sent);
        assert!(received >= enough && sent + 8 >= received, "{stats:?}");
        assert_eq!(marks.0.len(), ALL, "{:?}", marks.0);
        let (warm, end) = (marks.0[WARM], marks.0[ALL - 1]);
        assert_eq!(
            end.1 - warm.1,
            0,
            "allocations in {} datagrams or messages: {:?}",
            end.0 - warm.0,
            marks.0
        );
    }
}
