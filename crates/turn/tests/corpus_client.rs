//! Replays the corpus of the fuzz target `turn_client`, on stable and in every run.

use std::{fs, path::Path};

#[test]
fn the_corpus_keeps_the_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/turn_client");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let octets = fs::read(entry.expect("an entry").path()).expect("a file");
        ginnel_turn::client::fuzz::run(&octets);
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}

/// Scripts of random octets, the same in every run: short ones that begin many worlds, long ones that go deep.
#[test]
fn random_scripts_keep_the_invariants() {
    for seed in 0..400_u16 {
        let mut rng = ginnel_core::Seed::new([seed as u8; 32]).fork(&seed.to_string()).into_rng();
        let mut script = vec![0; if seed % 4 == 0 { 400 } else { 60 }];
        rng.fill(&mut script);
        ginnel_turn::client::fuzz::run(&script);
    }
}
