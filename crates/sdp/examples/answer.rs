//! A negotiator on the command line, to try descriptions on: `answer` reads an offer and prints our answer, `offer`
//! prints an offer, `accept` reads the answer to that offer; what was agreed goes to standard error.
//!
//! ```text
//! cargo run -p ginnel-sdp --example answer -- answer < crates/sdp/tests/fixtures/chromium-av-data-offer-gathered.sdp
//! ```

use ginnel_sdp::Session;
use ginnel_sdp::attribute::{Candidate, Direction, Fingerprint};
use ginnel_sdp::jsep::{LocalTransport, MediaKind, Negotiator, NegotiatorConfig, SdpType, Sending};
use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Read, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let mut negotiator =
        Negotiator::new(NegotiatorConfig::new(42).with_answer_direction(Direction::SendRecv));
    match std::env::args().nth(1).as_deref() {
        Some("answer") => {
            negotiator.set_remote(SdpType::Offer, read()?)?;
            name_senders(&mut negotiator)?;
            let answer = negotiator.create_answer(&transport()?)?;
            io::stdout().write_all(answer.to_string().as_bytes())?;
            negotiator.set_local(SdpType::Answer, answer)?;
        }
        Some(verb @ ("offer" | "accept")) => {
            negotiator.add_transceiver(MediaKind::Audio, Direction::SendRecv)?;
            negotiator.add_transceiver(MediaKind::Video, Direction::SendRecv)?;
            negotiator.add_data();
            name_senders(&mut negotiator)?;
            let offer = negotiator.create_offer(&transport()?)?;
            if verb == "offer" {
                io::stdout().write_all(offer.to_string().as_bytes())?;
                return Ok(());
            }
            negotiator.set_local(SdpType::Offer, offer)?;
            negotiator.set_remote(SdpType::Answer, read()?)?;
        }
        _ => return Err("say answer, offer or accept".into()),
    }
    writeln!(io::stderr(), "{:#?}", negotiator.negotiated())?;
    Ok(())
}

fn read() -> Result<Session, Box<dyn Error>> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Session::parse(&text).map_err(|error| error.report().to_string().into())
}

fn name_senders(negotiator: &mut Negotiator) -> Result<(), Box<dyn Error>> {
    let ids: Vec<_> = negotiator.transceivers().map(|transceiver| transceiver.id).collect();
    for (index, id) in (0_u32..).zip(ids) {
        let sending = Sending {
            ssrc: 1000 + 2 * index,
            rtx_ssrc: Some(1001 + 2 * index),
            cname: "ginnel".into(),
            stream: "stream".into(),
            track: format!("track{index}"),
        };
        negotiator.set_sending(id, sending)?;
    }
    Ok(())
}

fn transport() -> Result<LocalTransport, Box<dyn Error>> {
    let digest = ginnel_sdp::attribute::Digest::new(&[0xAB; 32]).ok_or("32 octets")?;
    let fingerprint = Fingerprint { function: Cow::Borrowed("sha-256"), digest };
    let candidate = Candidate::host("1", 2_130_706_431, "192.0.2.1".parse()?, 50_000);
    Ok(LocalTransport::new("evtj", "VOkJxbRl1RmTxUk/WvJxBt", fingerprint)
        .with_candidates(vec![candidate], true))
}
