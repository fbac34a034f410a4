//! Replays the corpus of the fuzz target, and writes it anew when asked to by `GINNEL_WRITE_CORPUS`.
mod common;

use common::{chunk, data};
use ginnel_core::Seed;
use ginnel_datachannel::fuzz;
use proptest::prelude::*;
use std::{fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/datachannel"))
}
/// One record of the target: its chunks, padded, behind their length.
fn record(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = Vec::new();
    for chunk in chunks {
        octets.extend_from_slice(chunk);
        octets.resize(octets.len().next_multiple_of(4), 0);
    }
    [&[u8::try_from(octets.len() / 4).unwrap()][..], &octets].concat()
}
fn input(mode: u8, records: &[Vec<u8>]) -> Vec<u8> {
    [&[mode][..], &records.concat()].concat()
}
fn open(label: &[u8]) -> Vec<u8> {
    [&[3, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8, 0, 0], label].concat()
}

/// Named inputs, one for each rule of the protocol that a peer may break or keep.
fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let init_value = [[0, 0, 0, 7], [0, 16, 0, 0], [0, 99, 0, 99], [0, 0, 0, 1]].concat();
    let init_ack =
        [&init_value[..], &[0, 7, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 0xC0, 0, 0, 4, 0x80, 8, 0, 6, 130, 192]]
            .concat();
    let message = |tsn: u32, stream, number, ppid, payload: &[u8]| {
        record(&[data(3, tsn, stream, number, ppid, payload)])
    };
    let reset = |sequence: u32, last: u32, stream: u16| {
        let value = [
            &[0, 13, 0, 18][..],
            &sequence.to_be_bytes(),
            &[0; 4],
            &last.to_be_bytes(),
            &stream.to_be_bytes(),
        ];
        record(&[chunk(130, 0, &value.concat())])
    };
    let wait = || vec![0];
    vec![
        ("open", input(0, &[message(1, 1, 0, 50, &open(b"hi"))])),
        ("open_then_text", input(0, &[message(1, 1, 0, 50, &open(b"hi")), message(2, 1, 1, 51, b"text")])),
        ("open_twice", input(0, &[message(1, 1, 0, 50, &open(b"a")), message(2, 1, 1, 50, &open(b"b"))])),
        ("open_wrong_parity", input(0, &[message(1, 2, 0, 50, &open(b"a"))])),
        (
            "open_label_beyond_end",
            input(0, &[message(1, 1, 0, 50, &[3, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0])]),
        ),
        ("open_unknown_type", input(0, &[message(1, 1, 0, 50, &[3, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])])),
        ("ack_without_open", input(0, &[message(1, 1, 0, 50, &[2])])),
        ("ack", input(0, &[message(1, 0, 0, 50, &[2])])),
        ("empty_messages", input(0, &[message(1, 0, 0, 56, &[0]), message(2, 0, 1, 57, &[0])])),
        ("deprecated_ppids", input(0, &[message(1, 0, 0, 52, b"x"), message(2, 0, 1, 54, b"y")])),
        ("early_data", input(0, &[message(1, 9, 0, 53, b"early"), wait()])),
        (
            "fragments",
            input(
                0,
                &[record(&[
                    data(2, 1, 0, 0, 51, b"a"),
                    data(0, 2, 0, 0, 51, b"b"),
                    data(1, 3, 0, 0, 51, b"c"),
                ])],
            ),
        ),
        (
            "fragment_gap",
            input(
                0,
                &[
                    record(&[data(2, 1, 0, 0, 51, b"a")]),
                    record(&[data(1, 3, 0, 0, 51, b"c")]),
                    wait(),
                    wait(),
                ],
            ),
        ),
        ("unordered_far", input(0, &[record(&[data(7, 0x8000_0001, 0, 0, 53, b"x")]), wait()])),
        ("reset", input(0, &[message(1, 1, 0, 50, &open(b"hi")), reset(1, 1, 1), wait(), wait()])),
        ("reset_ahead", input(0, &[reset(1, 50, 0), wait(), wait()])),
        (
            "reset_unknown_parameter",
            input(0, &[record(&[chunk(130, 0, &[0, 17, 0, 12, 0, 0, 0, 1, 0, 1, 0, 0])])]),
        ),
        ("reset_short", input(0, &[record(&[chunk(130, 0, &[0, 13, 0, 8, 0, 0, 0, 1])])])),
        ("forward_tsn", input(0, &[record(&[chunk(192, 0, &[0, 0, 0, 9, 0, 1, 0, 3])]), wait()])),
        ("forward_tsn_far", input(0, &[record(&[chunk(192, 0, &[0x7F, 0, 0, 0])])])),
        ("sack_false", input(0, &[record(&[chunk(3, 0, &[0x7F, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0])])])),
        (
            "sack_gaps",
            input(
                0,
                &[record(&[chunk(
                    3,
                    0,
                    &[0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 1, 0xFF, 0xFF, 0, 0, 0, 1],
                )])],
            ),
        ),
        ("heartbeat", input(0, &[record(&[chunk(4, 0, &[0, 1, 0, 8, 1, 2, 3, 4])])])),
        ("heartbeat_empty", input(0, &[record(&[chunk(4, 0, &[])])])),
        ("init", input(6, &[record(&[chunk(1, 0, &init_value)]), record(&[chunk(10, 0, &[0; 32])])])),
        ("init_established", input(0, &[record(&[chunk(1, 0, &init_value)])])),
        ("init_ack", input(2, &[record(&[chunk(2, 0, &init_ack)]), record(&[chunk(11, 0, &[])]), wait()])),
        (
            "init_ack_then_stale",
            input(
                2,
                &[
                    record(&[chunk(2, 0, &init_ack)]),
                    record(&[chunk(9, 0, &[0, 3, 0, 8, 0, 0, 0, 0])]),
                    wait(),
                ],
            ),
        ),
        (
            "init_zero_length_parameter",
            input(2, &[record(&[chunk(2, 0, &[&init_value[..], &[0x80, 8, 0, 0]].concat())])]),
        ),
        ("shutdown", input(0, &[record(&[chunk(7, 0, &[0; 4])]), wait(), record(&[chunk(14, 0, &[])])])),
        ("shutdown_ours", input(8, &[record(&[chunk(8, 0, &[])])])),
        ("abort", input(0, &[record(&[chunk(6, 0, &[0, 12, 0, 4])])])),
        (
            "unknown_chunks",
            input(0, &[record(&[chunk(0x84, 0, &[0; 4]), chunk(0x3F, 0, &[]), chunk(0, 3, &[0; 13])])]),
        ),
    ]
}

#[test]
fn the_corpus_is_what_is_written_here() {
    for (name, octets) in corpus() {
        let path = folder().join(name);
        #[allow(clippy::disallowed_methods, reason = "a switch for whoever changes the corpus")]
        if std::env::var_os("GINNEL_WRITE_CORPUS").is_some() {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &octets).unwrap();
        }
        assert!(octets.len() < 2048);
        assert_eq!(
            fs::read(&path).ok().as_deref(),
            Some(&octets[..]),
            "{name}: set GINNEL_WRITE_CORPUS to write it"
        );
    }
}

#[test]
fn every_file_of_the_corpus_runs() {
    let files: Vec<_> = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 30);
    for file in files {
        fuzz::run(&fs::read(file).unwrap());
    }
}

#[test]
fn mutations_of_the_corpus_run() {
    let mut rng = Seed::new([5; 32]).into_rng();
    for (_, octets) in corpus() {
        for _ in 0..100 {
            let mut octets = octets.clone();
            for _ in 0..=rng.below(4) {
                let at = rng.below(octets.len() as u64) as usize;
                octets[at] = rng.octets::<1>()[0];
            }
            fuzz::run(&octets);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn anything_runs(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz::run(&octets);
    }
}
