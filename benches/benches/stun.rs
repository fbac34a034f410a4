//! STUN: the codec and the machines, against the hashes that no implementation can do without (the floor), and with the
//! feature `peers` against other implementations on the same octets. What each does is in the library of this crate.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use criterion::{Criterion, criterion_group, criterion_main};
use ginnel_benches::{contest, stun};

criterion_group!(benches, all);
criterion_main!(benches);

fn all(criterion: &mut Criterion) {
    contest::measure(criterion, stun::groups());
}
