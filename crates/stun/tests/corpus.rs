//! Replays the corpora of the codec's fuzz targets, on stable and in every run.

use std::{fs, path::Path};

fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        run(&fs::read(entry.expect("an entry").path()).expect("a file"));
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}

#[test]
fn the_corpus_of_messages_keeps_the_invariants() {
    replay("stun_message", ginnel_stun::fuzz::message::run);
}

#[test]
fn the_corpus_of_drafts_keeps_the_invariants() {
    replay("stun_writer", ginnel_stun::fuzz::writer::run);
}
