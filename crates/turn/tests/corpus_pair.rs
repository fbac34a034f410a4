//! Replays the corpus of the fuzz target `turn_pair`, on stable and in every run.

use std::{fs, path::Path};

#[test]
fn the_corpus_keeps_the_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/turn_pair");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let octets = fs::read(entry.expect("an entry").path()).expect("a file");
        ginnel_turn::pair::run(&octets);
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}

/// Scripts of random octets, the same in every run.
#[test]
fn random_scripts_keep_the_model() {
    for seed in 0..120_u8 {
        let mut rng = ginnel_core::Seed::new([seed; 32]).fork("pair").into_rng();
        let mut script = vec![0; if seed % 4 == 0 { 300 } else { 60 }];
        rng.fill(&mut script);
        ginnel_turn::pair::run(&script);
    }
}
