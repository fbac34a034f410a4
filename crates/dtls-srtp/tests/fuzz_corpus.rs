//! Every committed corpus file through the body of its fuzz target.

use ginnel_dtls_srtp::fuzz;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "the corpus of {target} is there");
    for file in files {
        run(&std::fs::read(&file).unwrap());
    }
}
#[test]
fn demux_corpus() {
    replay("demux", fuzz::demux::run);
}
#[test]
fn srtp_unprotect_corpus() {
    replay("srtp_unprotect", fuzz::srtp_unprotect::run);
}
