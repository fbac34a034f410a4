//! The body of the fuzz target `sdp`: any octets, through parser, lenses and negotiator, with the invariants asserted.

use crate::Session;
use crate::attribute::{Candidate, Digest, Direction, Fingerprint};
use crate::jsep::{LocalTransport, MediaKind, Negotiator, NegotiatorConfig, SdpType};
use alloc::borrow::Cow;
use alloc::string::ToString;

/// Runs one input. Panics where an invariant does not hold.
pub fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(candidate) = Candidate::from_line(text) {
        let written = candidate.to_string();
        assert_eq!(Candidate::from_line(&written).as_ref(), Ok(&candidate), "a candidate survives writing");
    }
    match Session::parse(text) {
        Ok(session) => {
            assert_eq!(session.to_string(), text, "untouched lines are written as they came");
            offered(&session);
            answered(&session);
        }
        Err(error) => {
            assert!(error.line >= 1 && error.column >= 1, "an error has a place");
            assert!(!error.report().to_string().is_empty());
        }
    }
}

fn transport() -> LocalTransport {
    let digest = Digest::new(&[0xAB; 32]).expect("32 octets are a digest");
    let fingerprint = Fingerprint { function: Cow::Borrowed("sha-256"), digest };
    LocalTransport::new("evtj", "VOkJxbRl1RmTxUk/WvJxBt", fingerprint)
}

/// As an offer: refused, or answered so that the answer can be read and fits.
fn offered(offer: &Session) {
    let mut negotiator = Negotiator::new(NegotiatorConfig::new(1).with_answer_direction(Direction::SendRecv));
    if negotiator.set_remote(SdpType::Offer, offer.clone()).is_err() {
        return;
    }
    let Ok(answer) = negotiator.create_answer(&transport()) else { return };
    let again = Session::parse(&answer.to_string()).expect("what we write can be read");
    assert_eq!(again.media().len(), offer.media().len(), "an answer has the sections of its offer");
    negotiator.set_local(SdpType::Answer, answer).expect("what we created can be applied");
    let agreed = negotiator.negotiated().expect("an answer is an agreement");
    assert_eq!(agreed.sections.len(), offer.media().len());
    let in_use = agreed.sections.iter().any(|section| section.rejected.is_none());
    assert_eq!(in_use, agreed.transport.is_some(), "what is in use has a transport");
    let offer = negotiator.create_offer(&transport()).expect("a stable session can be offered anew");
    Session::parse(&offer.to_string()).expect("what we write can be read");
}

/// As the answer to an offer of ours.
fn answered(answer: &Session) {
    let mut negotiator = Negotiator::new(NegotiatorConfig::new(1));
    for media in answer.media().iter().take(8) {
        let _ = match media.line().media {
            "video" => negotiator.add_transceiver(MediaKind::Video, Direction::SendRecv),
            _ => negotiator.add_transceiver(MediaKind::Audio, Direction::SendRecv),
        };
    }
    let offer = negotiator.create_offer(&transport()).expect("a fresh negotiator can offer");
    negotiator.set_local(SdpType::Offer, offer).expect("what we created can be applied");
    let before = negotiator.signaling_state();
    if negotiator.set_remote(SdpType::Answer, answer.clone()).is_err() {
        assert_eq!(negotiator.signaling_state(), before, "an error changes nothing");
    }
}
