//! Offers that are odd and legal, by the hundred: each is answered, the answer is valid by a checker of its own, and
//! nothing is rejected that both sides have.

mod common;

use common::validity::check_answer;
use common::{negotiator, transport};
use ginnel_sdp::Session;
use ginnel_sdp::jsep::{DtlsRole, SdpType};
use proptest::prelude::*;

const FINGERPRINT: &str = "a=fingerprint:SHA-256 ab:cd:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC";
const CREDENTIALS: [&str; 2] = ["a=ice-ufrag:Peer", "a=ice-pwd:asd88fgpdd777uzjYhagZg0123"];

/// What one section of the offer is like.
#[derive(Clone, Debug)]
struct Shape {
    content: Content,
    protocol: usize,
    direction: usize,
    /// Port 0: rejected.
    rejected: bool,
    /// Port 0 and `bundle-only`, where another section has the transport.
    bundle_only: bool,
    mux: bool,
    bundled: bool,
    sources: bool,
    simulcast: bool,
    shuffle: u64,
    candidates: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Opus,
    Static,
    Vp8,
    ManyVideo,
    UnknownCodec,
    UnknownMedia,
    Data,
    LegacyData,
}

/// Where the attributes of the transport stand, and how the text is written.
#[derive(Clone, Debug)]
struct Style {
    ice_in_session: bool,
    dtls_in_session: bool,
    setup: usize,
    group: bool,
    lf_only: bool,
    last_line_open: bool,
    lite: bool,
    trickle: usize,
    session_direction: bool,
    extmaps_in_session: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    use Content::*;
    let content = prop::sample::select(vec![
        Opus,
        Opus,
        Static,
        Vp8,
        ManyVideo,
        UnknownCodec,
        UnknownMedia,
        Data,
        LegacyData,
    ]);
    let often = || prop::bool::weighted(0.85);
    let seldom = || prop::bool::weighted(0.15);
    let flags = (seldom(), seldom(), often(), often(), any::<bool>(), seldom());
    (content, 0..8_usize, 0..5_usize, flags, any::<u64>(), 0..3_usize).prop_map(
        |(content, protocol, direction, flags, shuffle, candidates)| {
            let (rejected, bundle_only, mux, bundled, sources, simulcast) = flags;
            Shape {
                content,
                protocol,
                direction,
                rejected,
                bundle_only,
                mux,
                bundled,
                sources,
                simulcast,
                shuffle,
                candidates,
            }
        },
    )
}

fn style() -> impl Strategy<Value = Style> {
    let bools = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (bools, 0..4_usize, 0..3_usize, prop::bool::weighted(0.9), any::<bool>()).prop_map(
        |(bools, setup, trickle, group, extmaps_in_session)| Style {
            ice_in_session: bools.0,
            dtls_in_session: bools.1,
            lf_only: bools.2,
            last_line_open: bools.3,
            lite: bools.4,
            session_direction: bools.5,
            setup,
            group,
            trickle,
            extmaps_in_session,
        },
    )
}

/// An offer, and for each section whether both sides have all that it takes.
fn offer(shapes: &[Shape], style: &Style) -> (String, Vec<bool>) {
    let grouped: Vec<usize> = (0..shapes.len()).filter(|&at| style.group && shapes[at].bundled).collect();
    let in_use = |at: usize| !shapes[at].rejected;
    // A bundle-only section needs another one of its bundle to live in.
    let carrier = |at: usize| {
        let known = !matches!(shapes[at].content, Content::UnknownCodec | Content::UnknownMedia);
        in_use(at) && !shapes[at].bundle_only && known && mux_holds(shapes, &grouped, at)
    };
    let has_carrier = grouped.iter().any(|&at| carrier(at));
    let mut lines: Vec<String> =
        ["v=0", "o=root 0 7 IN IP4 127.0.0.1", "s= ", "c=IN IP6 ::1", "b=AS:4000", "t=0 0"]
            .map(String::from)
            .into();
    if style.group && !grouped.is_empty() {
        let tags: Vec<String> = grouped.iter().filter(|&&at| in_use(at)).map(|at| format!("m{at}")).collect();
        lines.push(format!("a=group:BUNDLE {}", tags.join(" ")).trim_end().into());
    }
    lines.push("a=group:LS".into());
    if style.lite {
        lines.push("a=ice-lite".into());
    }
    match style.trickle {
        0 => lines.push("a=ice-options:trickle renomination".into()),
        1 => lines.push("a=ice-options:ice2".into()),
        _ => {}
    }
    let setup = ["a=setup:actpass", "a=setup:active", "a=setup:passive", ""][style.setup];
    if style.ice_in_session {
        lines.extend(CREDENTIALS.map(String::from));
    }
    if style.dtls_in_session {
        lines.push(FINGERPRINT.into());
        lines.push(setup.into());
    }
    if style.session_direction {
        lines.push("a=sendrecv".into());
    }
    if style.extmaps_in_session {
        lines.push("a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid".into());
    }
    for (at, shape) in shapes.iter().enumerate() {
        let bundle_only = shape.bundle_only && grouped.contains(&at) && has_carrier && in_use(at);
        section(&mut lines, at, shape, style, bundle_only, setup);
    }
    let end = if style.lf_only { "\n" } else { "\r\n" };
    let mut text: String =
        lines.iter().filter(|line| !line.is_empty()).map(|line| format!("{line}{end}")).collect();
    if style.last_line_open {
        text.truncate(text.len() - end.len());
    }
    (text, expected(shapes, &grouped, has_carrier))
}

/// Whether `rtcp-mux` is said where it has to be: in the section, or by another one of its bundle.
fn mux_holds(shapes: &[Shape], grouped: &[usize], at: usize) -> bool {
    let rtp = |at: usize| !matches!(shapes[at].content, Content::Data | Content::LegacyData);
    let says = |at: usize| rtp(at) && shapes[at].content != Content::UnknownMedia && shapes[at].mux;
    !rtp(at)
        || says(at)
        || (grouped.contains(&at) && grouped.iter().any(|&at| !shapes[at].rejected && says(at)))
}

/// Which sections a peer with one transport can take: the first bundle that has something, or else the first section.
fn expected(shapes: &[Shape], grouped: &[usize], has_carrier: bool) -> Vec<bool> {
    let mut data = false;
    let usable: Vec<bool> = (0..shapes.len())
        .map(|at| {
            let fits = match shapes[at].content {
                Content::UnknownCodec | Content::UnknownMedia => false,
                Content::Data | Content::LegacyData => !data,
                _ => mux_holds(shapes, grouped, at),
            };
            let usable = fits && !shapes[at].rejected;
            data |= usable && matches!(shapes[at].content, Content::Data | Content::LegacyData);
            usable
        })
        .collect();
    let addressed =
        |at: usize| usable[at] && !(shapes[at].bundle_only && grouped.contains(&at) && has_carrier);
    let bundle_works = grouped.iter().any(|&at| addressed(at));
    let first = (0..shapes.len()).find(|&at| addressed(at));
    (0..shapes.len())
        .map(|at| usable[at] && if bundle_works { grouped.contains(&at) } else { Some(at) == first })
        .collect()
}

fn section(lines: &mut Vec<String>, at: usize, shape: &Shape, style: &Style, bundle_only: bool, setup: &str) {
    let port = if shape.rejected || bundle_only { 0 } else { [9, 50_000, 1][shape.candidates] };
    let rtp =
        ["UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF", "UDP/TLS/RTP/SAVP"]
            [shape.protocol % 6];
    let sctp = ["UDP/DTLS/SCTP", "TCP/DTLS/SCTP"][shape.protocol % 2];
    let (line, mut own): (String, Vec<&str>) = match shape.content {
        Content::Opus => (
            format!("m=audio {port} {rtp} 111 63 8 13 101"),
            vec![
                "a=rtpmap:111 OPUS/48000/2",
                "a=rtpmap:63 red/48000/2",
                "a=rtpmap:13 CN/8000",
                "a=rtpmap:101 telephone-event/8000",
                "a=fmtp:63 111/111",
                "a=fmtp:111 useinbandfec=1; minptime=10",
                "a=fmtp:101 0-15",
                "a=rtcp-fb:111 transport-cc",
                "a=ptime:20",
                "a=maxptime:120.0",
                "a=silenceSupp:off - - - -",
            ],
        ),
        Content::Static => (format!("m=audio {port}/2 {rtp} 0 8 9 18"), vec!["a=fmtp:18 annexb=no"]),
        Content::Vp8 => (
            format!("m=video {port} {rtp} 100 101"),
            vec![
                "a=rtpmap:100 vp8/90000",
                "a=rtpmap:101 RTX/90000",
                "a=fmtp:101 apt=100;rtx-time=3000",
                "a=rtcp-fb:* nack",
                "a=rtcp-fb:* nack pli",
                "a=rtcp-fb:100 ccm fir",
                "a=framerate:30",
                "a=imageattr:100 send * recv *",
            ],
        ),
        Content::ManyVideo => (
            format!("m=video {port} {rtp} 35 36 96 97 98 39 40"),
            vec![
                "a=rtpmap:35 H264/90000",
                "a=fmtp:35 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
                "a=rtpmap:36 rtx/90000",
                "a=fmtp:36 apt=35",
                "a=rtpmap:96 H265/90000",
                "a=rtpmap:97 ulpfec/90000",
                "a=rtpmap:98 VP9/90000",
                "a=fmtp:98 profile-id=0",
                "a=rtpmap:39 AV1/90000",
                "a=rtpmap:40 rtx/90000",
                "a=fmtp:40 apt=96",
                "a=rtcp-fb:35 nack pli",
                "a=rtcp-fb:98 goog-remb",
            ],
        ),
        Content::UnknownCodec => (format!("m=audio {port} {rtp} 97"), vec!["a=rtpmap:97 speex/16000"]),
        Content::UnknownMedia => (format!("m=text {port} {rtp} 98"), vec!["a=rtpmap:98 t140/1000"]),
        Content::Data => (
            format!("m=application {port} {sctp} webrtc-datachannel"),
            vec!["a=sctp-port:5000", "a=max-message-size:0"],
        ),
        Content::LegacyData => {
            (format!("m=application {port} DTLS/SCTP 5001"), vec!["a=sctpmap:5001 webrtc-datachannel 256"])
        }
    };
    let media = line.starts_with("m=audio") || line.starts_with("m=video");
    let mid = format!("a=mid:m{at}");
    let ssrc = [
        format!("a=ssrc:{} cname:x y", at * 2 + 1),
        format!("a=ssrc-group:FID {} {}", at * 2 + 1, at * 2 + 2),
    ];
    let candidate = "a=candidate:0 1 UDP 2122252543 192.0.2.77 50000 typ host generation 0 network-cost 999";
    own.push(&mid);
    own.push("a=x-of-tomorrow");
    if !style.ice_in_session && !bundle_only {
        own.extend(CREDENTIALS);
    }
    if !style.dtls_in_session && !bundle_only {
        own.extend([FINGERPRINT, setup]);
    }
    own.extend(core::iter::repeat_n(candidate, if bundle_only { 0 } else { shape.candidates }));
    if bundle_only {
        own.push("a=bundle-only");
    }
    if media {
        own.push(["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive", ""][shape.direction]);
        own.extend(shape.mux.then_some("a=rtcp-mux"));
        own.push("a=rtcp:9 IN IP4 0.0.0.0");
        own.push("a=rtcp-rsize");
        if shape.sources {
            own.extend([ssrc[0].as_str(), ssrc[1].as_str(), "a=msid:- t"]);
        }
        if shape.simulcast {
            own.extend(["a=rid:hi send", "a=rid:lo send max-width=320", "a=simulcast:send hi;~lo"]);
        }
        if !style.extmaps_in_session {
            own.extend([
                "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
                "a=extmap:1/sendrecv urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on",
                "a=extmap:200 urn:3gpp:video-orientation",
                "a=extmap:4096 urn:of:tomorrow",
            ]);
        }
    }
    shuffle(&mut own, shape.shuffle);
    lines.push(line);
    lines.extend(["i=a title", "b=TIAS:500000"].map(String::from));
    lines.extend(own.into_iter().map(String::from));
}

/// Attributes have no order (RFC 8866 section 5.13).
fn shuffle(lines: &mut [&str], mut seed: u64) {
    for at in (1..lines.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lines.swap(at, (seed >> 33) as usize % (at + 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_offers_are_answered_and_nothing_in_common_is_rejected(
        shapes in prop::collection::vec(shape(), 1..6),
        style in style(),
    ) {
        let (text, expected) = offer(&shapes, &style);
        let offer = Session::parse(&text).map_err(|error| TestCaseError::fail(format!("{}\n{text}", error.report())))?;
        let mut negotiator = negotiator();
        negotiator.set_remote(SdpType::Offer, offer.clone()).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        let verdicts = negotiator.verdicts();
        let answer = negotiator.create_answer(&transport("evtj")).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        negotiator.set_local(SdpType::Answer, answer.clone()).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        let accepted: Vec<bool> = answer.media().iter().map(|media| media.line().port != 0).collect();
        prop_assert_eq!(&accepted, &expected, "{:?}\n{}\n{}", verdicts, text, answer);
        let checked = check_answer(&offer, &Session::parse(&answer.to_string()).unwrap());
        prop_assert!(checked.is_ok(), "{}\n{}\n{}", checked.unwrap_err(), text, answer);

        let agreed = negotiator.negotiated().unwrap();
        prop_assert_eq!(agreed.transport.is_some(), expected.contains(&true));
        if let Some(transport) = &agreed.transport {
            // RFC 4145 section 4: an offer without the attribute is active.
            let role = if matches!(style.setup, 0 | 2) { DtlsRole::Client } else { DtlsRole::Server };
            prop_assert_eq!(transport.dtls_role, role);
            prop_assert_eq!(transport.remote_lite, style.lite);
            prop_assert_eq!(transport.remote_trickle, style.trickle == 0);
        }
        // A second offer of ours keeps what is agreed, and can be parsed and answered by a peer like us.
        let again = negotiator.create_offer(&transport("evtj")).unwrap();
        let kept = again.media().iter().zip(&expected).filter(|(_, live)| **live);
        for (media, _) in kept {
            prop_assert!(media.line().port != 0, "{}\n{}", text, again);
        }
    }
}

const DIGEST: &str =
    "89:3E:15:3A:40:EC:55:5B:8C:5A:7A:D5:D9:3A:F7:77:A7:EC:2D:DE:2F:CF:CB:CD:07:87:78:14:7C:D0:13:DD";

/// Answers `offer`, and says whether the peer trickles and how many of its candidates are of use.
fn data_with(offer: &str) -> (bool, usize) {
    let offer = Session::parse(offer).map_err(|error| error.report().to_string()).unwrap();
    let (negotiator, answer) = common::answered(&offer);
    check_answer(&offer, &answer).unwrap();
    let agreed = negotiator.negotiated().unwrap();
    assert_eq!(agreed.sctp.as_ref().unwrap().remote_port, 5000);
    let transport = agreed.transport.as_ref().unwrap();
    (transport.remote_trickle, transport.remote_candidates.len())
}

/// Everything at the session level, and ICE options with a comma between them.
#[test]
fn an_offer_as_libdatachannel_writes_it() {
    let offer = format!(
        "v=0\r\no=rtc 705986798 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=group:LS 0\r\n\
         a=msid-semantic:WMS *\r\na=setup:actpass\r\na=ice-ufrag:JLvv\r\na=ice-pwd:AVQo+aTrh2UHIfcZiaNfD9\r\n\
         a=ice-options:ice2,trickle\r\na=fingerprint:sha-256 {DIGEST}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n\
         a=sctp-port:5000\r\na=max-message-size:262144\r\na=candidate:1 1 UDP 2122317823 192.0.2.9 50000 typ host\r\n"
    );
    assert_eq!(data_with(&offer), (true, 1));
}

/// The draft's protocol and `sctpmap`, and one fingerprint for each hash function.
#[test]
fn an_offer_as_aiortc_writes_it() {
    let offer = format!(
        "v=0\r\no=- 3890000000 3890000000 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic:WMS *\r\n\
         m=application 50000 DTLS/SCTP 5000\r\nc=IN IP4 192.0.2.9\r\na=mid:0\r\na=sctpmap:5000 webrtc-datachannel 65535\r\n\
         a=max-message-size:65536\r\na=candidate:b1 1 udp 2130706431 192.0.2.9 50000 typ host\r\n\
         a=candidate:b2 1 udp 1694498815 198.51.100.1 50000 typ srflx raddr 192.0.2.9 rport 50000\r\na=end-of-candidates\r\n\
         a=ice-ufrag:9V2D\r\na=ice-pwd:Sv7ZvxVMQxlEJsNIQG7Tp3\r\na=fingerprint:sha-256 {DIGEST}\r\n\
         a=fingerprint:sha-512 {DIGEST}:{DIGEST}\r\na=setup:actpass\r\n"
    );
    assert_eq!(data_with(&offer), (false, 2));
}

/// The fingerprint at the session level, and each candidate a second time for RTCP.
#[test]
fn an_offer_as_pion_writes_it() {
    let offer = format!(
        "v=0\r\no=- 5126088159330264000 1700000000 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=msid-semantic:WMS*\r\n\
         a=fingerprint:sha-256 {DIGEST}\r\na=extmap-allow-mixed\r\na=group:BUNDLE 0\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\n\
         a=sctp-port:5000\r\na=max-message-size:1073741823\r\na=ice-ufrag:xNuLxzRFRVwFgDGt\r\n\
         a=ice-pwd:hGxXTeEhMyZOCfKsrEwVwCKEPHPkFyXV\r\n\
         a=candidate:233762139 1 udp 2130706431 192.0.2.9 50000 typ host ufrag xNuLxzRFRVwFgDGt\r\n\
         a=candidate:233762139 2 udp 2130706431 192.0.2.9 50000 typ host ufrag xNuLxzRFRVwFgDGt\r\na=end-of-candidates\r\n"
    );
    assert_eq!(data_with(&offer), (false, 1));
}
