//! STUN: the codec and the machines, against the hashes that no implementation can do without (the floor), and with the
//! feature `peers` against other implementations on the same octets. What each does is in the library of this crate.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use criterion::{Criterion, criterion_group, criterion_main};
use ginnel_benches::{stun, timed};

criterion_group!(benches, all);
criterion_main!(benches);

fn all(criterion: &mut Criterion) {
    for group in stun::groups() {
        let mut timings = criterion.benchmark_group(&group.name);
        for mut contender in group.contenders {
            // What it works on is made by the first run: 100,000 transactions must not pass for a slow first one.
            contender.run(1, timed);
            timings.bench_function(contender.name.clone(), |b| {
                b.iter_custom(|times| std::time::Duration::from_nanos(contender.run(times, timed)));
            });
        }
        timings.finish();
    }
}
