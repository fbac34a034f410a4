//! Replays the corpus of the fuzz target `stun_behavior`, and scripts of chance, on stable and in every run.

use std::{fs, path::Path};

use ginnel_core::Seed;
use ginnel_stun::behavior::{Event, Finding, fuzz};

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/stun_behavior");
    let files = fs::read_dir(&folder).expect("the corpus");
    files.map(|entry| fs::read(entry.expect("an entry").path()).expect("a file")).collect()
}

#[test]
fn the_corpus_keeps_the_invariants_and_reaches_each_finding() {
    let corpus = corpus();
    assert!(corpus.len() >= 10, "{} files are no corpus", corpus.len());
    let mut missing = vec![
        "mapping",
        "filtering",
        "hairpinning",
        "lifetime",
        "fragments",
        "alg",
        "no mapping",
        "no filtering",
        "no hairpinning",
        "no lifetime",
        "no fragments",
        "no alg",
    ];
    let mut full = 0;
    for octets in corpus {
        let mut known = 0;
        for event in fuzz::events(&octets) {
            let (reached, is_known) = match event {
                Event::Mapping(it) => (["mapping", "no mapping"], it.known().is_some()),
                Event::Filtering(it) => (["filtering", "no filtering"], it.known().is_some()),
                Event::Hairpinning(it) => (["hairpinning", "no hairpinning"], it.known().is_some()),
                Event::Lifetime(it) => (["lifetime", "no lifetime"], it.known().is_some()),
                Event::Fragments(it) => (["fragments", "no fragments"], it.known().is_some()),
                Event::Alg(it) => (["alg", "no alg"], it.known().is_some()),
                Event::Verdict(verdict) => {
                    let mapped = matches!(verdict.mapped, Finding::Known(_));
                    full += u32::from(mapped && known == 6);
                    continue;
                }
                _ => continue,
            };
            known += u32::from(is_known);
            missing.retain(|it| *it != reached[usize::from(!is_known)]);
        }
    }
    assert!(missing.is_empty(), "the corpus reaches none of {missing:?}");
    assert!(full > 0, "no file reaches a verdict that knows everything");
}

#[test]
fn scripts_of_chance_keep_the_invariants() {
    let mut rng = Seed::new([8; 32]).into_rng();
    for _ in 0..1_500 {
        let mut script = vec![0; 4 + rng.below(200) as usize];
        rng.fill(&mut script);
        fuzz::run(&script);
    }
}
