//! Each attribute: values that are written as they were read, and values that are errors at their place.

use super::*;
use std::string::ToString;

fn round<'a, A: Attribute<'a>>(values: &[&'a str]) {
    for value in values {
        let written =
            A::parse(value).unwrap_or_else(|error| panic!("{} {value}: {error}", A::NAME)).to_string();
        let expected =
            if value.is_empty() { A::NAME.to_string() } else { std::format!("{}:{value}", A::NAME) };
        assert_eq!(written, expected);
        assert!(check(A::NAME, value).is_ok());
    }
}

fn wrong<'a, A: Attribute<'a>>(values: &[(&'a str, usize)]) {
    for (value, offset) in values {
        match A::parse(value) {
            Ok(_) => panic!("{}:{value} was accepted", A::NAME),
            Err(error) => assert_eq!(error.offset, *offset, "{}:{value}: {error}", A::NAME),
        }
        assert!(check(A::NAME, value).is_err());
    }
}

#[test]
fn grouping() {
    round::<Mid<'_>>(&["0", "audio", "{a-b}"]);
    wrong::<Mid<'_>>(&[("", 0), ("a b", 1), ("a:b", 1)]);
    round::<Group<'_>>(&["BUNDLE", "BUNDLE 0 1 2", "LS a"]);
    wrong::<Group<'_>>(&[("", 0), ("BUNDLE a@b", 8)]);
    let group = Group::parse("BUNDLE 0  1 ").unwrap();
    assert!(group.mids().eq(["0", "1"]));
    round::<BundleOnly>(&[""]);
    wrong::<BundleOnly>(&[("x", 0)]);
}

#[test]
fn ice() {
    round::<IceUfrag<'_>>(&["evtj", "8hh+/"]);
    wrong::<IceUfrag<'_>>(&[("abc", 0), ("abc d", 3), ("ab-cd", 2), (&"x".repeat(257), 0)]);
    assert!(IceUfrag::parse(&"x".repeat(256)).is_ok());
    round::<IcePwd<'_>>(&["VOkJxbRl1RmTxUk/WvJxBt"]);
    wrong::<IcePwd<'_>>(&[("VOkJxbRl1RmTxUk/WvJxB", 0)]);
    assert_eq!(std::format!("{:?}", IcePwd("secret")), "IcePwd(..)");
    round::<IceOptions<'_>>(&["trickle", "trickle ice2", "rtp+ecn"]);
    wrong::<IceOptions<'_>>(&[("", 0), (" ", 0), ("a;b", 1)]);
    // As libdatachannel separates them.
    assert!(IceOptions::parse("ice2,trickle").is_ok_and(|options| options.trickle()));
    assert!(IceOptions("ice2 trickle").trickle() && !IceOptions("ice2").trickle());
}

#[test]
fn candidates() {
    round::<Candidate<'_>>(&[
        "1 1 udp 2130706431 192.0.2.1 50000 typ host",
        "4206372248 1 udp 1 ae2c635d-3b7d-4148-8bbb-95d2e6660a53.local 1 typ host generation 0 network-cost 999",
        "a/+ 2 tcp 4294967295 2001:db8::1 9 typ srflx raddr 0.0.0.0 rport 0 tcptype active ufrag x/y network-id 1",
        "1 256 sctp 0 example.org 9 typ magic raddr :: rport 9",
    ]);
    wrong::<Candidate<'_>>(&[
        ("", 0),
        (&std::format!("{} 1 udp 1 192.0.2.1 1 typ host", "x".repeat(33)), 0),
        ("1 0 udp 1 192.0.2.1 1 typ host", 2),
        ("1 257 udp 1 192.0.2.1 1 typ host", 2),
        ("1 1 udp 4294967296 192.0.2.1 1 typ host", 8),
        ("1 1 udp 1 192.0.2.1 65536 typ host", 20),
        ("1 1 udp 1 192.0.2.1 1 type host", 22),
        ("1 1 udp 1 192.0.2.1 1 typ", 25),
        ("1 1 udp 1 192.0.2.1 1 typ host raddr 192.0.2.1", 46),
        ("1 1 udp 1 192.0.2.1 1 typ host lonely", 37),
    ]);
    let candidate = Candidate::parse("1 1 TCP 1 fe80::1%eth0 9 typ host tcptype passive ").unwrap();
    assert_eq!(candidate.address.ip(), Some("fe80::1".parse().unwrap()), "a zone says nothing to the peer");
    assert_eq!(candidate.tcp_type(), Some(TcpType::Passive));
}

#[test]
fn candidates_of_no_use_say_why() {
    let refusal = |text: &str| Candidate::parse(text).unwrap().refusal();
    assert_eq!(refusal("1 1 udp 1 192.0.2.1 1 typ host"), None);
    assert_eq!(refusal("1 1 tcp 1 192.0.2.1 9 typ host tcptype active"), None);
    assert_eq!(refusal("1 1 tcp 1 192.0.2.1 9 typ host"), Some(Refusal::UnknownTcpType));
    assert_eq!(refusal("1 1 dccp 1 192.0.2.1 9 typ host"), Some(Refusal::UnknownTransport));
    assert_eq!(refusal("1 1 udp 1 192.0.2.1 9 typ magic"), Some(Refusal::UnknownKind));
    assert_eq!(refusal("1 2 udp 1 192.0.2.1 9 typ host"), Some(Refusal::OtherComponent));
}

#[test]
fn extensions_of_candidates_are_words() {
    let mut candidate = Candidate::host("1", 1, "192.0.2.1".parse().unwrap(), 9);
    assert!(candidate.add_extension("ufrag", "evtj"));
    assert!(!candidate.add_extension("network-id", "1\r\na=x"));
    assert!(!candidate.add_extension("a b", "1"));
    assert_eq!(candidate.to_string(), "candidate:1 1 udp 1 192.0.2.1 9 typ host ufrag evtj");
}

#[test]
fn dtls() {
    let sha1 = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";
    round::<Fingerprint<'_>>(&[sha1, "sha3-512 AB:CD"]);
    wrong::<Fingerprint<'_>>(&[
        ("sha-1", 5),
        ("sha-1 4A", 8),
        ("sha-1 4A:", 9),
        ("sha-1 4G", 6),
        ("sha-1 +1", 6),
    ]);
    let lower = sha1.to_lowercase();
    let upper = Fingerprint::parse(sha1).unwrap();
    assert!(upper.same(&Fingerprint::parse(&lower.replace("sha", "SHA")).unwrap()));
    let long = std::format!("x {}AA", "AA:".repeat(64));
    wrong::<Fingerprint<'_>>(&[(&long, 194)]);
    round::<Setup>(&["active", "passive", "actpass", "holdconn"]);
    wrong::<Setup>(&[("Active", 0), ("", 0)]);
    round::<TlsId<'_>>(&["17f0f4ba8a5f1213faca591b58ba52a7"]);
    wrong::<TlsId<'_>>(&[("17f0f4ba8a5f1213fac", 0), ("17f0f4ba8a5f1213 faca591b58ba52a7", 16)]);
}

#[test]
fn sctp() {
    round::<SctpPort>(&["0", "5000", "65535"]);
    wrong::<SctpPort>(&[("", 0), ("65536", 0), ("5000 x", 4)]);
    round::<MaxMessageSize>(&["0", "1073741823", "18446744073709551615"]);
    wrong::<MaxMessageSize>(&[("18446744073709551616", 0), ("-1", 0)]);
    round::<SctpMap<'_>>(&["5000 webrtc-datachannel 1024", "5000 webrtc-datachannel"]);
    wrong::<SctpMap<'_>>(&[("5000", 4), ("5000 x y", 7)]);
}

#[test]
fn media() {
    round::<RtpMap<'_>>(&["111 opus/48000/2", "0 PCMU/8000"]);
    wrong::<RtpMap<'_>>(&[("128 x/1", 0), ("0 x", 3), ("0 x/", 4), ("0 x/1/256", 6)]);
    round::<Fmtp<'_>>(&["96 apt=97", "101 0-15", "96 "]);
    wrong::<Fmtp<'_>>(&[("96", 2)]);
    let parameters = Parameters("a=1; B ;c = x=y;;");
    assert!(parameters.iter().eq([("a", "1"), ("B", ""), ("c", "x=y")]));
    assert_eq!(parameters.get("b"), Some(""));
    round::<Feedback<'_>>(&["* nack", "96 nack pli", "96 ccm fir"]);
    wrong::<Feedback<'_>>(&[("96", 2), ("x nack", 0), ("128 nack", 0)]);
    round::<ExtMap<'_>>(&["1 urn:x", "14/recvonly urn:x a b", "4096 urn:x"]);
    wrong::<ExtMap<'_>>(&[("0 urn:x", 0), ("256 urn:x", 0), ("1/both urn:x", 2), ("1", 1)]);
    assert_eq!((Ptime::parse("20"), MaxPtime::parse("120.5")), (Ok(Ptime(20)), Ok(MaxPtime(120))));
    assert!(check("sendrecv", "x").is_err());
}

#[test]
fn rtcp_and_streams() {
    round::<Rtcp<'_>>(&["9", "9 IN IP4 0.0.0.0"]);
    wrong::<Rtcp<'_>>(&[("9 IN", 4), ("9 IN IP4", 8), ("x", 0)]);
    round::<Msid<'_>>(&["-", "stream track", "{a} {b}"]);
    wrong::<Msid<'_>>(&[("", 0), ("a b c", 3)]);
    round::<MsidSemantic<'_>>(&[" WMS *", "WMS *"]);
    round::<Ssrc<'_>>(&["1", "4294967295 cname:a b", "1 recvonly"]);
    wrong::<Ssrc<'_>>(&[("4294967296 cname:x", 0), ("1x", 1), ("1 a b", 3)]);
    round::<SsrcGroup<'_>>(&["FID 1 2", "SIM"]);
    wrong::<SsrcGroup<'_>>(&[("FID 1 x", 6)]);
    round::<Rid<'_>>(&["q send", "hi_1 recv pt=96;max-width=1280"]);
    wrong::<Rid<'_>>(&[("q", 1), ("q both", 2), ("q! send", 1)]);
    round::<Simulcast<'_>>(&["send q;~h,k;f", "recv a", "send a recv b"]);
    wrong::<Simulcast<'_>>(&[("send q;;f", 5), ("send a send b", 7), ("both a", 0), ("send ~", 5)]);
    let simulcast = Simulcast::parse("send q;~h,k").unwrap();
    let streams: std::vec::Vec<std::vec::Vec<_>> = simulcast.send.streams().map(|s| s.collect()).collect();
    assert_eq!(streams, [vec![("q", false)], vec![("h", true), ("k", false)]]);
}
