//! In the steady state a datagram, in and out through real sockets, allocates nothing: machine, driver and runtime together.
#![allow(unsafe_code, reason = "a global allocator that counts is the only way to see allocations")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ginnel_core::{Epoch, Instant};
use ginnel_driver::testing::{Mark, Storm};
use ginnel_tokio::{App, driver};

struct Counting;
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}
#[global_allocator]
static COUNTING: Counting = Counting;

/// The count of allocations at each mark.
struct Marks(Vec<(u64, u64)>);
impl App<Storm> for Marks {
    fn event(&mut self, _: Instant, _: &mut Storm, Mark(answered): Mark) {
        self.0.push((answered, ALLOCATIONS.load(Ordering::Relaxed)));
    }
}

const WARM: usize = 5;
const ALL: usize = 30;

#[test]
fn a_datagram_in_and_out_allocates_nothing() {
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
