//! Replays the corpus of the fuzz target `stun_uri`, on stable and in every run.

#![cfg(feature = "alloc")]

use std::{fs, path::Path};

#[test]
fn the_corpus_of_stun_uri_keeps_the_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/stun_uri");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        ginnel_stun::uri::fuzz::run(&fs::read(entry.expect("an entry").path()).expect("a file"));
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}
