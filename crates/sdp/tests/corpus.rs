//! Replays the committed corpus of the fuzz target `sdp`.

use std::path::Path;

#[test]
fn the_corpus_keeps_the_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/sdp");
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        ginnel_sdp::fuzz::run(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 10, "the corpus is there");
}
