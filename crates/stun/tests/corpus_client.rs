//! Replays the corpus of the fuzz target `stun_client`, on stable and in every run.

use std::{fs, path::Path};

#[test]
fn the_corpus_keeps_the_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/stun_client");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let octets = fs::read(entry.expect("an entry").path()).expect("a file");
        ginnel_stun::client::fuzz::run(&octets);
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}
