//! How often each contender allocates, in a pass of its own: nothing is timed while the counting allocator is installed.
//! Prints `group`, `contender` and the allocations of one piece of work, a line each, with tabs between them.

use ginnel_alloc_counter::{Counting, allocations_of_this_thread, assert_installed};
use ginnel_benches::{srtp, stun, turn};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Work before counting, so that what is allocated once is not counted; and the work that is counted.
const TIMES: (u64, u64) = (200, 1_000);

fn main() {
    assert_installed();
    for group in stun::groups().into_iter().chain(srtp::groups()).chain(turn::groups()) {
        for mut contender in group.contenders {
            contender.run(TIMES.0, allocations_of_this_thread);
            let count = contender.run(TIMES.1, allocations_of_this_thread);
            println!("{}\t{}\t{}", group.name, contender.name, count as f64 / TIMES.1 as f64);
        }
    }
}
