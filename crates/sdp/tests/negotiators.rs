//! Two negotiators through many exchanges: whatever is added, stopped, rolled back or offered by both at once, they
//! agree on sections, numbers, directions and roles, and nothing that was agreed changes its meaning.

mod common;

use common::transport;
use common::validity::check_answer;
use ginnel_sdp::Session;
use ginnel_sdp::attribute::Direction;
use ginnel_sdp::jsep::{
    CodecCapability, HeaderExtensionCapability, LocalTransport, MediaKind, Negotiated, Negotiator,
    NegotiatorConfig, SdpType, Sending, SignalingState, TransceiverId,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One side: its negotiator, its credentials, and what it has added.
struct Side {
    negotiator: Negotiator,
    name: &'static str,
    restarts: u32,
    added: Vec<TransceiverId>,
    ssrc: u32,
}

impl Side {
    fn new(id: u64, name: &'static str) -> Self {
        let config = NegotiatorConfig::new(id).with_answer_direction(Direction::SendRecv);
        Side {
            negotiator: Negotiator::new(config),
            name,
            restarts: 0,
            added: Vec::new(),
            ssrc: id as u32 * 1000,
        }
    }

    fn transport(&self) -> LocalTransport {
        transport(&format!("{}{}", self.name, self.restarts))
    }

    fn offer(&mut self) -> Session {
        let offer = self.negotiator.create_offer(&self.transport()).unwrap();
        self.negotiator.set_local(SdpType::Offer, offer.clone()).unwrap();
        on_the_wire(&offer)
    }

    fn take(&mut self, kind: SdpType, description: &Session) {
        self.negotiator.set_remote(kind, description.clone()).unwrap();
    }

    fn answer(&mut self, kind: SdpType) -> Session {
        if kind == SdpType::Answer && self.negotiator.remote_restarts_ice() {
            self.restarts += 1;
        }
        let answer = self.negotiator.create_answer(&self.transport()).unwrap();
        self.negotiator.set_local(kind, answer.clone()).unwrap();
        on_the_wire(&answer)
    }

    fn add(&mut self, kind: MediaKind, direction: Direction) {
        let id = self.negotiator.add_transceiver(kind, direction).unwrap();
        self.ssrc += 2;
        let (ssrc, rtx_ssrc) = (self.ssrc, Some(self.ssrc + 1));
        let sending = Sending { ssrc, rtx_ssrc, cname: self.name.into(), ..Sending::default() };
        self.negotiator.set_sending(id, sending).unwrap();
        self.added.push(id);
    }
}

fn on_the_wire(description: &Session) -> Session {
    Session::parse(&description.to_string()).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(bool, bool, Direction),
    AddData(bool),
    Turn(bool, usize, Direction),
    Stop(bool, usize),
    Exchange(bool),
    Provisional(bool),
    /// An offer that is taken back on both sides.
    RolledBack(bool),
    /// Both offer; the left one gives way.
    Glare,
    /// Two offers in a row, the second in place of the first.
    OfferTwice(bool),
    Restart(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let direction = || {
        use Direction::*;
        prop::sample::select(vec![SendRecv, SendRecv, SendOnly, RecvOnly, Inactive])
    };
    prop_oneof![
        3 => (any::<bool>(), any::<bool>(), direction()).prop_map(|(of, video, to)| Step::Add(of, video, to)),
        1 => any::<bool>().prop_map(Step::AddData),
        1 => (any::<bool>(), 0..9_usize, direction()).prop_map(|(of, which, to)| Step::Turn(of, which, to)),
        2 => (any::<bool>(), 0..9_usize).prop_map(|(of, which)| Step::Stop(of, which)),
        4 => any::<bool>().prop_map(Step::Exchange),
        1 => any::<bool>().prop_map(Step::Provisional),
        2 => any::<bool>().prop_map(Step::RolledBack),
        2 => Just(Step::Glare),
        1 => any::<bool>().prop_map(Step::OfferTwice),
        1 => any::<bool>().prop_map(Step::Restart),
    ]
}

struct Pair {
    sides: [Side; 2],
    /// What each payload type of a section has meant so far. No mid is used again (RFC 8829 section 5.2.2).
    meanings: BTreeMap<(String, u8), String>,
    sections: usize,
}

impl Pair {
    fn new() -> Self {
        Pair { sides: [Side::new(1, "left"), Side::new(2, "right")], meanings: BTreeMap::new(), sections: 0 }
    }

    fn both(&mut self, from_right: bool) -> (&mut Side, &mut Side) {
        let [left, right] = &mut self.sides;
        if from_right { (right, left) } else { (left, right) }
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Add(of, video, direction) => {
                self.both(of).0.add(if video { MediaKind::Video } else { MediaKind::Audio }, direction);
            }
            Step::AddData(of) => self.both(of).0.negotiator.add_data(),
            Step::Turn(of, which, direction) => {
                let side = self.both(of).0;
                let ids: Vec<_> = side.negotiator.transceivers().map(|t| t.id).collect();
                if let Some(id) = ids.get(which) {
                    side.negotiator.set_direction(*id, direction).unwrap();
                }
            }
            Step::Stop(of, which) => {
                let side = self.both(of).0;
                let ids: Vec<_> = side.negotiator.transceivers().map(|t| t.id).collect();
                if let Some(id) = ids.get(which) {
                    side.negotiator.stop(*id).unwrap();
                }
            }
            Step::Exchange(of) => self.exchange(of, false)?,
            Step::Provisional(of) => self.exchange(of, true)?,
            Step::RolledBack(of) => {
                let before = self.sides.each_ref().map(|side| side.negotiator.negotiated().cloned());
                let (from, to) = self.both(of);
                let offer = from.offer();
                to.take(SdpType::Offer, &offer);
                from.negotiator.rollback().unwrap();
                to.negotiator.rollback().unwrap();
                let after = self.sides.each_ref().map(|side| side.negotiator.negotiated().cloned());
                prop_assert_eq!(before, after);
            }
            Step::Glare => {
                let (left, right) = self.both(false);
                left.offer();
                let offer = right.offer();
                left.negotiator.set_remote(SdpType::Offer, offer.clone()).unwrap_err();
                left.negotiator.rollback().unwrap();
                left.take(SdpType::Offer, &offer);
                let answer = left.answer(SdpType::Answer);
                right.take(SdpType::Answer, &answer);
                self.check(&offer, &answer)?;
            }
            Step::OfferTwice(of) => {
                let (from, to) = self.both(of);
                let first = from.offer();
                to.take(SdpType::Offer, &first);
                from.add(MediaKind::Audio, Direction::SendOnly);
                self.exchange(of, false)?;
            }
            Step::Restart(of) => {
                self.both(of).0.restarts += 1;
                self.exchange(of, false)?;
            }
        }
        for side in &self.sides {
            prop_assert_eq!(side.negotiator.signaling_state(), SignalingState::Stable);
        }
        Ok(())
    }

    fn exchange(&mut self, from_right: bool, provisional: bool) -> Result<(), TestCaseError> {
        let (from, to) = self.both(from_right);
        let offer = from.offer();
        to.take(SdpType::Offer, &offer);
        if provisional && !to.negotiator.remote_restarts_ice() {
            let pranswer = to.answer(SdpType::Pranswer);
            from.take(SdpType::Pranswer, &pranswer);
        }
        let answer = to.answer(SdpType::Answer);
        from.take(SdpType::Answer, &answer);
        self.check(&offer, &answer)
    }

    /// What must hold after each exchange.
    fn check(&mut self, offer: &Session, answer: &Session) -> Result<(), TestCaseError> {
        if let Err(fault) = check_answer(offer, answer) {
            return Err(TestCaseError::fail(format!("{fault}\n{offer}\n{answer}")));
        }
        let [left, right] = self.sides.each_ref().map(|side| side.negotiator.negotiated().unwrap());
        agree(left, right).map_err(|error| TestCaseError::fail(format!("{error}\n{offer}\n{answer}")))?;
        for side in &self.sides {
            let agreed = side.negotiator.negotiated().unwrap();
            for transceiver in side.negotiator.transceivers().filter(|t| !t.stopped && t.mid().is_some()) {
                let section =
                    agreed.section_of(transceiver.id).expect("a transceiver with a mid has a section");
                prop_assert_eq!(Some(section.mid.as_str()), transceiver.mid());
                prop_assert_eq!(section.kind, Some(transceiver.kind));
            }
        }
        // RFC 9143 section 9.1: one bundle, one space of numbers.
        let (mut numbers, mut extensions) = (BTreeMap::new(), BTreeMap::new());
        for section in left.sections.iter().filter(|section| section.rejected.is_none()) {
            for codec in &section.codecs {
                let meaning = format!("{}/{}/{}", codec.name, codec.clock_rate, codec.local_fmtp);
                let number = codec.receive_payload_type;
                let now = numbers.entry(number).or_insert(meaning.clone());
                prop_assert_eq!(&*now, &meaning, "{}\n{}", offer, answer);
                let known = self.meanings.entry((section.mid.clone(), number)).or_insert(meaning.clone());
                prop_assert_eq!(&*known, &meaning, "RFC 3264 section 8.3.2\n{}\n{}", offer, answer);
            }
            for extension in &section.header_extensions {
                let now = extensions.entry(extension.id).or_insert(extension.uri.clone());
                prop_assert_eq!(&*now, &extension.uri);
            }
        }
        prop_assert!(left.sections.len() >= self.sections, "RFC 3264 section 8: sections never go away");
        self.sections = left.sections.len();
        Ok(())
    }
}

/// Two views of one agreement.
fn agree(left: &Negotiated, right: &Negotiated) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.sections.len(), right.sections.len());
    prop_assert!(!left.provisional && !right.provisional);
    for (ours, theirs) in left.sections.iter().zip(&right.sections) {
        prop_assert_eq!((ours.index, &ours.mid, ours.kind), (theirs.index, &theirs.mid, theirs.kind));
        prop_assert_eq!(ours.rejected.is_some(), theirs.rejected.is_some());
        prop_assert_eq!(ours.direction, theirs.direction.reversed());
        prop_assert_eq!(ours.rtcp_rsize, theirs.rtcp_rsize);
        let numbers = |section: &ginnel_sdp::jsep::NegotiatedSection, ours: bool| -> Vec<_> {
            let order = |a, b| if ours { (a, b) } else { (b, a) };
            let mut codecs: Vec<_> = section
                .codecs
                .iter()
                .map(|codec| {
                    (
                        codec.name.clone(),
                        order(codec.receive_payload_type, codec.send_payload_type),
                        (if ours {
                            (codec.receive_rtx, codec.send_rtx)
                        } else {
                            (codec.send_rtx, codec.receive_rtx)
                        }),
                    )
                })
                .collect();
            codecs.sort();
            codecs
        };
        prop_assert_eq!(numbers(ours, true), numbers(theirs, false));
        let extensions = |section: &ginnel_sdp::jsep::NegotiatedSection| -> BTreeMap<u8, String> {
            section.header_extensions.iter().map(|extension| (extension.id, extension.uri.clone())).collect()
        };
        prop_assert_eq!(extensions(ours), extensions(theirs));
    }
    prop_assert_eq!(left.sctp.as_ref().map(|sctp| &sctp.mid), right.sctp.as_ref().map(|sctp| &sctp.mid));
    prop_assert_eq!(left.transport.is_some(), right.transport.is_some());
    if let (Some(ours), Some(theirs)) = (&left.transport, &right.transport) {
        prop_assert_eq!(&ours.remote_ufrag, &theirs.local_ufrag);
        prop_assert_eq!(&ours.local_ufrag, &theirs.remote_ufrag);
        prop_assert_eq!(&ours.mid, &theirs.mid);
        prop_assert_ne!(ours.dtls_role, theirs.dtls_role);
        prop_assert_ne!(ours.we_offered, theirs.we_offered);
        prop_assert_eq!(ours.ice_restarted, theirs.ice_restarted);
        prop_assert!(!ours.dtls_restarted && !theirs.dtls_restarted);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_agree_after_any_sequence(steps in prop::collection::vec(step(), 1..24)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.run(step)?;
        }
        pair.exchange(false, false)?;
        pair.exchange(true, false)?;
    }
}

#[test]
fn sections_are_used_again_and_do_not_pile_up() {
    let mut pair = Pair::new();
    for round in 0..40 {
        let from_right = round % 2 == 1;
        let side = pair.both(from_right).0;
        side.add(MediaKind::Video, Direction::SendRecv);
        pair.exchange(from_right, false).unwrap();
        let side = pair.both(from_right).0;
        let id = *side.added.last().unwrap();
        side.negotiator.stop(id).unwrap();
        pair.exchange(from_right, false).unwrap();
    }
    assert!(pair.sections <= 2, "{} sections", pair.sections);
    for side in &pair.sides {
        assert!(side.negotiator.transceivers().count() <= 2);
    }
}

fn with_tls_id(name: &str, id: Option<&str>) -> LocalTransport {
    let mut transport = transport(name);
    transport.tls_id = id.map(String::from);
    transport
}

/// One exchange with the transports given.
fn exchange(from: (&mut Negotiator, &LocalTransport), to: (&mut Negotiator, &LocalTransport)) {
    let offer = from.0.create_offer(from.1).unwrap();
    from.0.set_local(SdpType::Offer, offer.clone()).unwrap();
    to.0.set_remote(SdpType::Offer, offer).unwrap();
    let answer = to.0.create_answer(to.1).unwrap();
    to.0.set_local(SdpType::Answer, answer.clone()).unwrap();
    from.0.set_remote(SdpType::Answer, answer).unwrap();
}

fn negotiators() -> (Negotiator, Negotiator) {
    (Negotiator::new(NegotiatorConfig::new(1)), Negotiator::new(NegotiatorConfig::new(2)))
}

/// RFC 8842 section 5.3: an answer to an offer without `tls-id` has none either, so its absence says nothing.
#[test]
fn a_tls_id_that_was_not_to_be_said_again_is_no_new_association() {
    let (mut alice, mut bob) = negotiators();
    let (with, without) = (with_tls_id("alic", Some("abc3de65cddef001be82")), with_tls_id("bobb", None));
    alice.add_data();
    exchange((&mut alice, &with), (&mut bob, &without));
    exchange((&mut bob, &without), (&mut alice, &with));
    exchange((&mut alice, &with), (&mut bob, &without));
    let transport = bob.negotiated().unwrap().transport.as_ref().unwrap();
    assert!(!transport.dtls_restarted);
    assert_eq!(transport.remote_tls_id.as_deref(), Some("abc3de65cddef001be82"));

    let other = with_tls_id("ali2", Some("xyz3de65cddef001be82"));
    let offer = alice.create_offer(&other).unwrap();
    alice.set_local(SdpType::Offer, offer.clone()).unwrap();
    bob.set_remote(SdpType::Offer, offer).unwrap();
    let answer = bob.create_answer(&with_tls_id("bob2", None)).unwrap();
    bob.set_local(SdpType::Answer, answer).unwrap();
    assert!(bob.negotiated().unwrap().transport.as_ref().unwrap().dtls_restarted, "another one is");
}

/// RFC 8840 section 8.1: at the session level it speaks of all sections.
#[test]
fn the_end_of_candidates_may_be_said_for_the_whole_session() {
    let (mut alice, mut bob) = negotiators();
    alice.add_data();
    let offer =
        alice.create_offer(&transport("alic").with_candidates(Vec::new(), false)).unwrap().to_string();
    let offer = offer.replacen("\r\nm=", "\r\na=end-of-candidates\r\nm=", 1);
    bob.set_remote(SdpType::Offer, Session::parse(&offer).unwrap()).unwrap();
    let answer = bob.create_answer(&transport("bobb")).unwrap();
    bob.set_local(SdpType::Answer, answer).unwrap();
    assert!(bob.negotiated().unwrap().transport.as_ref().unwrap().end_of_candidates);
}

/// RFC 8841 section 5.1: port 0 says that there is no association.
#[test]
fn an_answer_with_sctp_port_zero_makes_no_association() {
    let (mut alice, mut bob) = negotiators();
    alice.add_data();
    let offer = alice.create_offer(&transport("alic")).unwrap();
    alice.set_local(SdpType::Offer, offer.clone()).unwrap();
    bob.set_remote(SdpType::Offer, offer).unwrap();
    let answer = bob.create_answer(&transport("bobb")).unwrap().to_string();
    let answer = answer.replace("sctp-port:5000", "sctp-port:0");
    alice.set_remote(SdpType::Answer, Session::parse(&answer).unwrap()).unwrap();
    assert_eq!(alice.negotiated().unwrap().sctp, None);
}

/// A peer that uses up all payload types and extension numbers must not keep us from offering what has one already.
#[test]
fn an_offer_leaves_out_what_finds_no_number() {
    let (mut alice, mut bob) = negotiators();
    let mut capabilities = alice.config().capabilities.clone();
    for number in (96..=127).chain(35..=63) {
        let codec = CodecCapability::new(&format!("codec-{number}"), 90_000, None).with_payload_type(number);
        capabilities.video.insert(0, codec);
    }
    capabilities.video.retain(|codec| codec.payload_type.is_some_and(|number| number != 96));
    capabilities.video.push(CodecCapability::new("H264", 90_000, None).with_payload_type(96));
    capabilities.audio.retain(|codec| codec.payload_type.is_some_and(|number| number < 35));
    capabilities.header_extensions =
        (0..14).map(|n| HeaderExtensionCapability::new(&format!("urn:x:{n}"), false, true)).collect();
    let config = NegotiatorConfig::new(3).with_capabilities(capabilities);
    let mut carol = Negotiator::new(config);
    carol.add_transceiver(MediaKind::Video, Direction::SendRecv).unwrap();
    exchange((&mut carol, &transport("caro")), (&mut bob, &transport("bobb")));
    bob.add_transceiver(MediaKind::Video, Direction::SendRecv).unwrap();
    exchange((&mut bob, &transport("bobb")), (&mut carol, &transport("caro")));
    let agreed = bob.negotiated().unwrap();
    assert!(agreed.sections.iter().all(|section| section.rejected.is_none()));
    assert!(agreed.sections.iter().all(|section| section.codecs.iter().any(|codec| codec.name == "H264")));
    // An unrelated pair still offers everything.
    alice.add_transceiver(MediaKind::Video, Direction::SendRecv).unwrap();
    assert!(alice.create_offer(&transport("alic")).unwrap().to_string().contains("AV1"));
}
