//! In the steady state a datagram, or a message of a TCP stream, in and out through real sockets, allocates nothing: machine,
//! driver and runtime together.
//! What `async-io` allocates itself is counted apart: for each timer that fires, so there are none here, and for each time that
//! it wakes a task which had nothing to do.

use std::{
    future::{Future as _, poll_fn},
    net::{IpAddr, Ipv4Addr},
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ginnel_alloc_counter::{Counting, allocations_of_all_threads, assert_installed};
use ginnel_core::{Epoch, Instant};
use ginnel_driver::testing::{Mark, Storm};
use ginnel_smol::{App, driver};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the loop was polled, which is how often it was woken.
static POLLS: AtomicU64 = AtomicU64::new(0);

/// The counts of allocations and of polls at each mark.
struct Marks(Vec<(u64, u64)>);
impl App<Storm> for Marks {
    fn event(&mut self, _: Instant, _: &mut Storm, Mark(_): Mark) {
        self.0.push((allocations_of_all_threads(), POLLS.load(Ordering::Relaxed)));
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
            {
                let mut run = pin!(driver.run(&mut marks));
                poll_fn(|cx| {
                    POLLS.fetch_add(1, Ordering::Relaxed);
                    run.as_mut().poll(cx)
                })
                .await;
            }
            driver.stats()
        });
        let (received, sent) = (stats.received + stats.messages_received, stats.sent + stats.messages_sent);
        assert!(received >= enough && sent + 8 >= received, "{stats:?}");
        assert_eq!(marks.0.len(), ALL, "{:?}", marks.0);
        let (warm, end) = (marks.0[WARM], marks.0[ALL - 1]);
        let (allocations, polls) = (end.0 - warm.0, end.1 - warm.1);
        // The reactor gathers in a vector whom it wakes, for each side of a socket. What is allocated for each datagram or
        // message would be more.
        assert!(allocations <= 2 * polls, "{allocations} allocations in {polls} polls: {:?}", marks.0);
        assert!(4 * polls < enough, "{polls} polls: too many to tell the two apart");
    }
}
