//! Is this an answer to that offer? Written from the RFCs, sharing nothing with the negotiator but the parser.

use ginnel_sdp::attribute::{
    BundleOnly, Direction, ExtMap, Feedback, FeedbackTarget, Fingerprint, Fmtp, Group, IcePwd, IceUfrag, Mid,
    Rid, RidDirection, RtcpMux, RtcpMuxOnly, RtpMap, SctpMap, SctpPort, Setup, Simulcast,
};
use ginnel_sdp::{Media, Session};
use std::collections::BTreeSet;

/// What is wrong with the answer, as a sentence.
pub(crate) fn check_answer(offer: &Session, answer: &Session) -> Result<(), String> {
    let (offered, answered) = (offer.media(), answer.media());
    must(offered.len() == answered.len(), "RFC 3264 section 6: as many sections")?;
    must(answer.origin().is_some_and(|origin| origin.username == "-"), "RFC 8829 section 5.2.1: o=-")?;
    for (index, (ours, theirs)) in answered.iter().zip(offered).enumerate() {
        check_section(offer, ours, theirs).map_err(|fault| format!("section {index}: {fault}"))?;
    }
    check_bundle(offer, answer)
}

fn must(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.into()) }
}

fn is_rejected(media: &Media) -> bool {
    media.line().port == 0 && !media.has::<BundleOnly>()
}

fn check_section(offer: &Session, ours: &Media, theirs: &Media) -> Result<(), String> {
    let (line, offered) = (ours.line(), theirs.line());
    must(line.media == offered.media, "RFC 3264 section 6: the media are the offered")?;
    must(line.protocol == offered.protocol, "RFC 8829 section 5.3.1: the protocol is the offered")?;
    must(ours.get::<Mid<'_>>() == theirs.get::<Mid<'_>>(), "RFC 5888 section 9.1: the mid is the offered")?;
    must(ours.lines().filter(|line| line.starts_with("c=")).count() == 1, "RFC 8866 section 5.7: one c=")?;
    must(!ours.has::<BundleOnly>(), "RFC 9143 section 6: no bundle-only in answers")?;
    must(!ours.has::<RtcpMuxOnly>(), "RFC 8858 section 3: no rtcp-mux-only in answers")?;
    if line.port == 0 {
        return must(line.formats().next().is_some(), "RFC 3264 section 6: a rejected section has a format");
    }
    must(!is_rejected(theirs), "RFC 3264 section 6: what was offered as rejected stays so")?;
    if line.is_rtp() { check_rtp(offer, ours, theirs) } else { check_data(ours, theirs) }
}

fn check_rtp(offer: &Session, ours: &Media, theirs: &Media) -> Result<(), String> {
    let (formats, offered): (BTreeSet<&str>, BTreeSet<&str>) =
        (ours.line().formats().collect(), theirs.line().formats().collect());
    must(formats.is_subset(&offered), "RFC 3264 section 6.1: formats of the offer only")?;
    must(formats.len() == ours.line().formats().count(), "RFC 3264 section 6.1: each format once")?;
    must(ours.has::<RtcpMux>(), "RFC 5761 section 5.1.1: rtcp-mux")?;
    for map in ours.all::<RtpMap<'_>>() {
        must(
            formats.contains(map.payload_type.to_string().as_str()),
            "an rtpmap is of a format of the line",
        )?;
        let same = theirs.all::<RtpMap<'_>>().find(|other| other.payload_type == map.payload_type);
        let same = same.is_none_or(|other| {
            other.encoding.eq_ignore_ascii_case(map.encoding)
                && (other.clock_rate, other.channels) == (map.clock_rate, map.channels)
        });
        must(same, "RFC 3264 section 6.1: a payload type means the same in offer and answer")?;
    }
    for fmtp in ours.all::<Fmtp<'_>>() {
        must(formats.contains(fmtp.format), "an fmtp is of a format of the line")?;
        let apt = fmtp.parameters.get("apt");
        must(
            apt.is_none_or(|apt| formats.contains(apt)),
            "RFC 4588 section 8.1: apt is a format of the line",
        )?;
    }
    for feedback in ours.all::<Feedback<'_>>() {
        let offered = theirs.all::<Feedback<'_>>().any(|other| {
            (other.target == feedback.target || other.target == FeedbackTarget::All)
                && other.value == feedback.value
        });
        must(offered, "RFC 4585 section 4.2: an answer adds no feedback")?;
    }
    let direction = ours.direction().unwrap_or_default();
    let allowed = theirs.direction().or(offer.header().direction()).unwrap_or_default().reversed();
    must(direction.and(allowed) == direction, "RFC 3264 section 6.1: the direction fits the offered one")?;
    check_extensions(offer, ours, theirs)?;
    check_simulcast(ours, theirs, direction)
}

fn check_extensions(offer: &Session, ours: &Media, theirs: &Media) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    for extension in ours.all::<ExtMap<'_>>() {
        must(ids.insert(extension.id), "RFC 8285 section 5: each number once")?;
        must(extension.id < 256, "RFC 8285 section 6: an answer has valid numbers")?;
        let offered = theirs.all::<ExtMap<'_>>().chain(offer.header().all::<ExtMap<'_>>());
        let mut offered = offered.filter(|other| other.uri == extension.uri);
        must(offered.any(|other| other.id == extension.id), "RFC 8285 section 6: numbers are the offered")?;
    }
    Ok(())
}

fn check_simulcast(ours: &Media, theirs: &Media, direction: Direction) -> Result<(), String> {
    let rids = |media: &Media, of| -> BTreeSet<String> {
        media.all::<Rid<'_>>().filter(|rid| rid.direction == of).map(|rid| rid.id.to_string()).collect()
    };
    let (recv, offered) = (rids(ours, RidDirection::Recv), rids(theirs, RidDirection::Send));
    must(recv.is_subset(&offered), "RFC 8851 section 6: rids of the offer only")?;
    must(
        recv.is_empty() || direction.receives(),
        "RFC 8853 section 5.3.2: who does not receive names no rids",
    )?;
    let named =
        ours.get::<Simulcast<'_>>().into_iter().flat_map(|simulcast| simulcast.recv.streams().flatten());
    let known = named.map(|(rid, _)| rid.to_string()).all(|rid| recv.contains(&rid));
    must(known, "RFC 8853 section 5.1: simulcast names rids of the section")
}

fn check_data(ours: &Media, theirs: &Media) -> Result<(), String> {
    must(ours.get::<SctpPort>().is_some_and(|port| port.0 != 0), "RFC 8841 section 5.3: an SCTP port")?;
    let Some(map) = theirs.get::<SctpMap<'_>>() else { return Ok(()) };
    let (answered, format) = (ours.get::<SctpMap<'_>>(), ours.line().formats);
    must(
        answered.is_some_and(|own| own.application == map.application && own.port.to_string() == format),
        "draft-ietf-mmusic-sctp-sdp-06 section 6: the format is the port, and sctpmap is of it",
    )
}

fn check_bundle(offer: &Session, answer: &Session) -> Result<(), String> {
    let groups = |session: &Session| -> Vec<Vec<String>> {
        let groups = session.header().all::<Group<'_>>().filter(|group| group.semantics == "BUNDLE");
        groups.map(|group| group.mids().map(String::from).collect()).collect()
    };
    let accepted: Vec<&Media> = answer.media().iter().filter(|media| media.line().port != 0).collect();
    let mids: BTreeSet<String> =
        accepted.iter().filter_map(|media| Some(media.get::<Mid<'_>>()?.0.into())).collect();
    let found = groups(answer);
    must(found.len() <= 1, "one transport has one bundle")?;
    let Some(group) = found.first() else {
        return must(accepted.len() <= 1, "RFC 9143 section 7.3: without a group, one section at most")
            .and_then(|()| accepted.first().map_or(Ok(()), |media| check_transport(answer, media)));
    };
    let named: BTreeSet<String> = group.iter().cloned().collect();
    must(named == mids, "RFC 9143 section 7.3: the bundle is of the accepted sections")?;
    let offered = groups(offer);
    let within = offered.iter().any(|other| group.iter().all(|mid| other.contains(mid)));
    must(within, "RFC 9143 section 7.3: the bundle is within one of the offer")?;
    let ports: BTreeSet<u16> = accepted.iter().map(|media| media.line().port).collect();
    must(ports.len() <= 1, "RFC 9143 section 7.3: bundled sections share their address")?;
    let tagged =
        group.first().and_then(|tag| answer.media().iter().find(|m| m.get::<Mid<'_>>() == Some(Mid(tag))));
    tagged.map_or(Ok(()), |media| check_transport(answer, media))
}

fn check_transport(answer: &Session, media: &Media) -> Result<(), String> {
    let header = answer.header();
    must(media.has::<IceUfrag<'_>>() || header.has::<IceUfrag<'_>>(), "RFC 8839 section 5.4: ice-ufrag")?;
    must(media.has::<IcePwd<'_>>() || header.has::<IcePwd<'_>>(), "RFC 8839 section 5.4: ice-pwd")?;
    must(
        media.has::<Fingerprint<'_>>() || header.has::<Fingerprint<'_>>(),
        "RFC 8122 section 5: fingerprint",
    )?;
    let setup = media.get::<Setup>().or(header.get::<Setup>());
    must(
        matches!(setup, Some(Setup::Active | Setup::Passive)),
        "RFC 8842 section 5.3: the answer chooses a role",
    )
}
