//! A relay over sockets, against a bare echo in batches (the floor), and against coturn where that
//! is installed. What each does is in the library of this crate.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use criterion::{Criterion, criterion_group, criterion_main};
use ginnel_benches::contest;

criterion_group!(benches, all);
criterion_main!(benches);

fn all(criterion: &mut Criterion) {
    #[cfg(target_os = "linux")]
    contest::measure(criterion, ginnel_benches::sockets::groups());
    #[cfg(not(target_os = "linux"))]
    let _ = (contest::measure, criterion);
}
