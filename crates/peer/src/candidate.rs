//! Between the SDP crate's candidates, which are text with meaning, and the ICE crate's, which are values.
//!
//! Two crates that know nothing of each other meet here and only here.

use std::{borrow::Cow, net::SocketAddr};

use ginnel_dtls_srtp::dtls::{Certificate, Fingerprint, HashFunction};
use ginnel_ice as ice;
use ginnel_sdp::attribute as sdp;

/// A local candidate as a description or trickling carries it.
pub(crate) fn to_sdp(candidate: &ice::Candidate, ufrag: &str) -> sdp::Candidate<'static> {
    let address = match &candidate.address {
        ice::CandidateAddress::Ip(address) => sdp::CandidateAddress::Ip(address.ip()),
        ice::CandidateAddress::Mdns { name, .. } => sdp::CandidateAddress::Mdns(Cow::Owned(name.clone())),
    };
    // Words of letters and digits are always taken as extensions.
    let mut made = sdp::Candidate {
        foundation: Cow::Owned(candidate.foundation.clone()),
        component: candidate.component,
        transport: match candidate.transport {
            ice::CandidateTransport::Udp => sdp::CandidateTransport::Udp,
            ice::CandidateTransport::Tcp => sdp::CandidateTransport::Tcp,
        },
        priority: candidate.priority,
        address,
        port: candidate.address.port(),
        kind: match candidate.kind {
            ice::CandidateKind::Host => sdp::CandidateKind::Host,
            ice::CandidateKind::PeerReflexive => sdp::CandidateKind::PeerReflexive,
            ice::CandidateKind::ServerReflexive => sdp::CandidateKind::ServerReflexive,
            ice::CandidateKind::Relayed => sdp::CandidateKind::Relayed,
        },
        related: candidate.related.map(|at| (sdp::CandidateAddress::Ip(at.ip()), at.port())),
        extensions: Cow::Borrowed(""),
    };
    if let Some(tcp_type) = candidate.tcp_type {
        let word = match tcp_type {
            ice::TcpType::Active => "active",
            ice::TcpType::Passive => "passive",
            ice::TcpType::SimultaneousOpen => "so",
        };
        let _ = made.add_extension("tcptype", word);
    }
    let _ = made.add_extension("ufrag", ufrag);
    made
}

/// A remote candidate as a value; `None` for one that names a transport, a kind or an address of no use here.
pub(crate) fn from_sdp(candidate: &sdp::Candidate<'_>) -> Option<ice::Candidate> {
    let address = match &candidate.address {
        sdp::CandidateAddress::Ip(ip) => ice::CandidateAddress::Ip(SocketAddr::new(*ip, candidate.port)),
        sdp::CandidateAddress::Mdns(name) => {
            ice::CandidateAddress::Mdns { name: name.to_string(), port: candidate.port }
        }
        _ => return None,
    };
    let kind = match &candidate.kind {
        sdp::CandidateKind::Host => ice::CandidateKind::Host,
        sdp::CandidateKind::ServerReflexive => ice::CandidateKind::ServerReflexive,
        sdp::CandidateKind::PeerReflexive => ice::CandidateKind::PeerReflexive,
        sdp::CandidateKind::Relayed => ice::CandidateKind::Relayed,
        _ => return None,
    };
    let mut made = ice::Candidate::udp(address, kind)
        .with_priority(candidate.priority)
        .with_foundation(candidate.foundation.clone().into_owned());
    made.component = candidate.component;
    made.transport = match &candidate.transport {
        sdp::CandidateTransport::Udp => ice::CandidateTransport::Udp,
        sdp::CandidateTransport::Tcp => ice::CandidateTransport::Tcp,
        _ => return None,
    };
    made.tcp_type = candidate.tcp_type().map(|tcp_type| match tcp_type {
        sdp::TcpType::Active => ice::TcpType::Active,
        sdp::TcpType::Passive => ice::TcpType::Passive,
        sdp::TcpType::SimultaneousOpen => ice::TcpType::SimultaneousOpen,
    });
    made.related = match &candidate.related {
        Some((sdp::CandidateAddress::Ip(ip), port)) => Some(SocketAddr::new(*ip, *port)),
        _ => None,
    };
    made.ufrag = candidate.ufrag().map(str::to_string);
    Some(made)
}

/// Our certificate's SHA-256 fingerprint for a description: what every peer knows.
pub(crate) fn fingerprint_to_sdp(certificate: &Certificate) -> sdp::Fingerprint<'static> {
    let fingerprint = certificate.fingerprint(HashFunction::Sha256);
    let digest =
        sdp::Digest::new(fingerprint.octets()).expect("SHA-256 has 32 octets, and a digest holds 64");
    sdp::Fingerprint { function: Cow::Borrowed("sha-256"), digest }
}

/// A fingerprint from a description; `None` where its hash function is unknown or too weak to prove anything.
pub(crate) fn fingerprint_from_sdp(fingerprint: &sdp::Fingerprint<'_>) -> Option<Fingerprint> {
    let known = [
        ("sha-256", HashFunction::Sha256),
        ("sha-384", HashFunction::Sha384),
        ("sha-512", HashFunction::Sha512),
    ];
    let (_, hash) = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&fingerprint.function))?;
    Fingerprint::new(hash, fingerprint.digest.as_slice()).ok()
}
