//! Mutations of real descriptions: never a panic, never a byte lost, and what is answered can be read.

mod common;

use common::fixtures;
use proptest::prelude::*;

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<_> = fixtures().into_iter().map(|(_, text)| text.into_bytes()).collect();
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..6_u8);
    (prop::sample::select(texts), prop::collection::vec(edit, 0..8)).prop_map(|(mut text, edits)| {
        for (at, other, octet, kind) in edits {
            if text.is_empty() {
                break;
            }
            let (at, other) = (at.index(text.len()), other.index(text.len()));
            match kind {
                0 => text[at] = octet,
                1 => drop(text.remove(at)),
                2 => text.insert(at, octet),
                3 => text.truncate(at),
                4 => text.swap(at, other),
                _ => text = swap_lines(&text, at, other),
            }
        }
        text
    })
}

/// Swaps the lines that hold two places: order is what offers and answers live by.
fn swap_lines(text: &[u8], left: usize, right: usize) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|octet| *octet == b'\n').collect();
    let line_of = |at: usize| text[..at].iter().filter(|octet| **octet == b'\n').count();
    let (left, right) = (line_of(left), line_of(right));
    if left < lines.len() && right < lines.len() {
        lines.swap(left, right);
    }
    lines.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_descriptions_keep_the_invariants(text in mutated()) {
        ginnel_sdp::fuzz::run(&text);
    }
}
