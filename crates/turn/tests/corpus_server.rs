//! Replays the corpus of the fuzz target `turn_server`, and scripts of chance, on stable and in every run.

use std::{fs, path::Path};

use ginnel_core::Seed;
use ginnel_turn::server::fuzz::run;

#[test]
fn the_corpus_keeps_the_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/turn_server");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let octets = fs::read(entry.expect("an entry").path()).expect("a file");
        run(&octets);
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}

#[test]
fn scripts_of_chance_keep_the_invariants() {
    let mut rng = Seed::new([7; 32]).into_rng();
    for _ in 0..1_000 {
        let mut script = vec![0; 16 + rng.below(800) as usize];
        rng.fill(&mut script);
        run(&script);
    }
}
