#![doc = include_str!("../README.md")]
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait to implement; this one only counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

/// The system's allocator, and counters: for each thread, and for all of them.
#[derive(Debug)]
pub struct Counting;

static OF_ALL_THREADS: AtomicU64 = AtomicU64::new(0);
thread_local! {
    // Constant and without a destructor, so that counting never allocates, nor touches a thread that has ended.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// What `work` allocated on this thread, growing and zeroed memory included, and what it returned.
pub fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = COUNT.get();
    let done = work();
    (COUNT.get() - before, done)
}

/// Work of the test itself within [`allocations`], which does not count.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let before = COUNT.get();
    let done = work();
    COUNT.set(before);
    done
}

/// Octets that this thread has allocated and not freed. Below zero where it freed what others had allocated.
#[must_use]
pub fn live_octets() -> i64 {
    LIVE.get()
}

/// How often this thread has allocated since it began.
#[must_use]
pub fn allocations_of_this_thread() -> u64 {
    COUNT.get()
}

/// How often all threads have allocated since the program began.
#[must_use]
pub fn allocations_of_all_threads() -> u64 {
    OF_ALL_THREADS.load(Ordering::Relaxed)
}

/// Fails where the program has not installed [`Counting`], so that a zero means what it says.
///
/// # Panics
///
/// If an allocation goes uncounted.
pub fn assert_installed() {
    let (count, _) = allocations(|| black_box(Box::new(0_u8)));
    assert_eq!(count, 1, "`Counting` is not the global allocator of this program");
}

fn count(octets: i64) {
    COUNT.set(COUNT.get() + 1);
    LIVE.set(LIVE.get() + octets);
    OF_ALL_THREADS.fetch_add(1, Ordering::Relaxed);
}

/// No object is larger than `isize::MAX` octets, so sizes fit.
const fn octets(size: usize) -> i64 {
    size as i64
}

// SAFETY: every call is passed on to the system's allocator, unchanged, and so is what it returns.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(octets(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(octets(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(octets(size) - octets(layout.size()));
        // SAFETY: the caller keeps the contract of `realloc`; `memory` came from the system's allocator.
        unsafe { System.realloc(memory, layout, size) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - octets(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`; `memory` came from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    #[test]
    fn every_way_to_allocate_is_counted_once() {
        assert_installed();
        assert_eq!(allocations(|| black_box(Box::new([7_u8; 100]))).0, 1);
        assert_eq!(allocations(|| black_box(vec![0_u8; 100])).0, 1, "zeroed");
        let mut growing: Vec<u8> = Vec::with_capacity(8);
        assert_eq!(allocations(|| growing.reserve_exact(black_box(100))).0, 1, "grown");
        assert_eq!(allocations(|| drop(black_box(growing))).0, 0, "freed");
    }

    #[test]
    fn live_octets_are_those_that_are_not_freed() {
        let before = live_octets();
        let mut kept = vec![0_u8; 1_000];
        assert_eq!(live_octets() - before, 1_000);
        kept.reserve_exact(black_box(2_000));
        assert_eq!(live_octets() - before, kept.capacity() as i64);
        drop(kept);
        assert_eq!(live_octets(), before);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "another thread is what the counter is tested with")]
    fn what_is_uncounted_and_what_other_threads_do_is_left_out() {
        let (count, all) = allocations(|| {
            uncounted(|| drop(black_box(Box::new(1))));
            let before = allocations_of_all_threads();
            uncounted(|| std::thread::spawn(|| drop(black_box(Box::new(1)))).join().expect("it ends"));
            allocations_of_all_threads() - before
        });
        assert_eq!(count, 0);
        assert!(all >= 1, "{all}");
    }
}
