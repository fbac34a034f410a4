//! Writes the parts that offers and answers share: transports, formats, extensions, what we send.

use super::config::{LocalTransport, Sending};
use super::error::Misuse;
use crate::attribute::{
    Attribute, Candidate, CandidateKind, CandidateTransport, Direction, EndOfCandidates, ExtMap, Feedback,
    FeedbackTarget, Fmtp, IceLite, IceOptions, IcePwd, IceUfrag, Msid, Parameters, RtpMap, Setup, Ssrc,
    TlsId,
};
use crate::error::ValueError;
use crate::{Media, Session};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

/// One codec as it will be written, with its retransmission beside it.
#[derive(Clone, Debug)]
pub(super) struct OutFormat {
    pub(super) payload_type: u8,
    pub(super) name: String,
    pub(super) clock_rate: u32,
    pub(super) channels: Option<u8>,
    pub(super) fmtp: String,
    pub(super) feedback: Vec<String>,
    pub(super) rtx: Option<u8>,
}

/// The formats of an `m=` line.
pub(super) fn format_list(formats: &[OutFormat]) -> String {
    let mut numbers = Vec::new();
    for format in formats {
        numbers.push(format.payload_type.to_string());
        numbers.extend(format.rtx.map(|rtx| rtx.to_string()));
    }
    numbers.join(" ")
}

/// `rtpmap`, `rtcp-fb` and `fmtp` of each format (RFC 8829 section 5.2.1).
pub(super) fn push_formats(media: &mut Media, formats: &[OutFormat]) {
    for format in formats {
        let OutFormat { payload_type, clock_rate, channels, .. } = *format;
        media.push(&RtpMap { payload_type, encoding: &format.name, clock_rate, channels });
        for value in &format.feedback {
            media.push(&Feedback { target: FeedbackTarget::PayloadType(payload_type), value });
        }
        if !format.fmtp.is_empty() {
            let name = payload_type.to_string();
            media.push(&Fmtp { format: &name, parameters: Parameters(&format.fmtp) });
        }
        if let Some(rtx) = format.rtx {
            media.push(&RtpMap { payload_type: rtx, encoding: "rtx", clock_rate, channels: None });
            let parameters = format!("apt={payload_type}");
            media.push(&Fmtp { format: &rtx.to_string(), parameters: Parameters(&parameters) });
        }
    }
}

pub(super) fn push_extension(media: &mut Media, id: u16, uri: &str, direction: Option<Direction>) {
    media.push(&ExtMap { id, direction, uri, attributes: "" });
}

/// Credentials, role and candidates: what one section says for its whole bundle.
pub(super) fn push_transport(media: &mut Media, transport: &LocalTransport, setup: Setup, tls_id: bool) {
    media.push(&IceUfrag(&transport.ufrag));
    media.push(&IcePwd(&transport.password));
    media.push(&setup);
    if let Some(id) = transport.tls_id.as_deref().filter(|_| tls_id) {
        media.push(&TlsId(id));
    }
    push_candidates(media, transport);
}

/// What stands in every bundled section of an answer beside the tagged one. RFC 9143 section 7.1.3 leaves it out; browsers
/// write it, and aiortc refuses a section without it. Whoever follows the RFC does not look.
pub(super) fn repeat_credentials(media: &mut Media, transport: &LocalTransport, setup: Setup) {
    media.push(&IceUfrag(&transport.ufrag));
    media.push(&IcePwd(&transport.password));
    media.push(&setup);
}

/// Candidates, the end of them, and the default one on the lines `m=` and `c=` (RFC 8839 section 4.3).
pub(super) fn push_candidates(media: &mut Media, transport: &LocalTransport) {
    let (address, port) = default_candidate(transport);
    media.set_port(port);
    media.set_connection(address);
    for candidate in &transport.candidates {
        media.push(candidate);
    }
    if transport.end_of_candidates {
        media.push(&EndOfCandidates);
    }
}

/// RFC 8839 section 4.2: the candidate most likely to work for a peer without ICE; RFC 8840 section 4.1.1: `0.0.0.0` and
/// port 9 where there is none yet, or none with an address.
fn default_candidate(transport: &LocalTransport) -> (IpAddr, u16) {
    let rank = |candidate: &&Candidate<'_>| match candidate.kind {
        CandidateKind::Relayed => 0_u8,
        CandidateKind::ServerReflexive => 1,
        _ => 2,
    };
    let usable = |candidate: &&Candidate<'_>| {
        candidate.transport == CandidateTransport::Udp
            && candidate.port != 0
            && candidate.address.ip().is_some()
    };
    let best = transport.candidates.iter().filter(usable).min_by_key(rank);
    best.and_then(|candidate| Some((candidate.address.ip()?, candidate.port)))
        .unwrap_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9))
}

/// Stream, track and sources of what we send. `rtx`: whether a codec with retransmission is negotiated.
pub(super) fn push_sending(media: &mut Media, sending: Option<&Sending>, rtx: bool) -> Result<(), Misuse> {
    // RFC 8829 section 5.2.1: a sender without a stream says so.
    let Some(sending) = sending else {
        media.push(&Msid { stream: "-", track: None });
        return Ok(());
    };
    let stream = if sending.stream.is_empty() { "-" } else { &sending.stream };
    let space = if sending.track.is_empty() { "" } else { " " };
    media.push_attribute(Msid::NAME, &format!("{stream}{space}{}", sending.track))?;
    let repair = sending.rtx_ssrc.filter(|_| rtx);
    if let Some(repair) = repair {
        media.push_attribute("ssrc-group", &format!("FID {} {repair}", sending.ssrc))?;
    }
    for ssrc in core::iter::once(sending.ssrc).chain(repair) {
        let line = Ssrc { ssrc, name: "cname", value: &sending.cname }.to_string();
        // By name and value, so that a line break in the cname is refused.
        media.push_attribute(Ssrc::NAME, line.strip_prefix("ssrc:").unwrap_or(""))?;
    }
    Ok(())
}

/// Whether everything of a transport can be written, before anything is.
pub(super) fn check_transport(transport: &LocalTransport) -> Result<(), Misuse> {
    IceUfrag::parse(&transport.ufrag)?;
    IcePwd::parse(&transport.password)?;
    if let Some(id) = &transport.tls_id {
        TlsId::parse(id)?;
    }
    if transport.fingerprints.is_empty() {
        return Err(Misuse::NoFingerprint);
    }
    // Owned values may hold what their grammar has not: read back what would be written.
    let unmangled = |text: String, check: fn(&str) -> Result<(), ValueError>| match text.split_once(':') {
        Some((_, value)) => check(value),
        None => Ok(()),
    };
    for fingerprint in &transport.fingerprints {
        unmangled(fingerprint.to_string(), |value| crate::attribute::check("fingerprint", value))?;
    }
    for candidate in &transport.candidates {
        unmangled(candidate.to_string(), |value| crate::attribute::check("candidate", value))?;
    }
    Ok(())
}

/// What the session level says of the transport: RFC 8829 section 5.2.1, which has fingerprints alike in all sections or
/// here. They are here because Firefox 153 crashes on an answer whose bundled sections have none, tagged one or not.
pub(super) fn push_session(session: &mut Session, transport: &LocalTransport) {
    let header = session.header_mut();
    if transport.lite {
        header.push(&IceLite);
    }
    header.push(&IceOptions(if transport.trickle { "trickle ice2" } else { "ice2" }));
    for fingerprint in &transport.fingerprints {
        header.push(fingerprint);
    }
}
