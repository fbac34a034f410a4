//! The TURN server machine in memory, with the feature `peers` against another. What each does is in the library of this
//! crate.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use criterion::{Criterion, criterion_group, criterion_main};
use ginnel_benches::{contest, turn};

criterion_group!(benches, all);
criterion_main!(benches);

fn all(criterion: &mut Criterion) {
    contest::measure(criterion, turn::groups());
}
