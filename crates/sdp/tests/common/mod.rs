//! The fixtures, and a negotiator to answer them with.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod validity;

use ginnel_sdp::Session;
use ginnel_sdp::attribute::{Candidate, Digest, Direction, Fingerprint};
use ginnel_sdp::jsep::{LocalTransport, Negotiator, NegotiatorConfig, SdpType};
use std::borrow::Cow;
use std::path::Path;

/// Name and text of every fixture, in the order of their names.
pub(crate) fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sdp") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    assert!(found.len() > 40, "the fixtures are there");
    found
}

pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.sdp"));
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn session(name: &str) -> Session {
    Session::parse(&fixture(name)).unwrap()
}

pub(crate) fn transport(ufrag: &str) -> LocalTransport {
    let digest = Digest::new(&[0xAB; 32]).unwrap();
    let fingerprint = Fingerprint { function: Cow::Borrowed("sha-256"), digest };
    let candidate = Candidate::host("1", 2_130_706_431, "192.0.2.1".parse().unwrap(), 50_000);
    LocalTransport::new(ufrag, "VOkJxbRl1RmTxUk/WvJxBt", fingerprint).with_candidates(vec![candidate], true)
}

pub(crate) fn negotiator() -> Negotiator {
    Negotiator::new(NegotiatorConfig::new(42).with_answer_direction(Direction::SendRecv))
}

/// A negotiator that has answered `offer`, and its answer.
pub(crate) fn answered(offer: &Session) -> (Negotiator, Session) {
    let mut negotiator = negotiator();
    negotiator.set_remote(SdpType::Offer, offer.clone()).unwrap();
    let answer = negotiator.create_answer(&transport("evtj")).unwrap();
    negotiator.set_local(SdpType::Answer, answer.clone()).unwrap();
    (negotiator, answer)
}
