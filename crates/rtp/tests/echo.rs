//! Media through a forwarder in virtual time: a sender that answers requests with retransmissions, two lossy legs, and a
//! receiver that asks for what it misses.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ginnel_core::{HEADROOM, Instant, Packet, Rng, Seed};
use ginnel_rtp::{
    RtpHeader, RtpView,
    forwarder::{
        Codec, Event, Feedback, Forwarder, ForwarderConfig, Incoming, Outgoing, Route, Side, Stats, Verdict,
    },
    rtcp::{Compound, Rtcp, RtcpWriter, SenderInfo},
    rtx,
};

const MEDIA: u32 = 1000;
const MEDIA_RTX: u32 = 1001;
const OUT: u32 = 2000;
const OUT_RTX: u32 = 2001;
const FIRST: u16 = 65_300;
const LATENCY: Duration = Duration::from_millis(20);
const SPACING: Duration = Duration::from_millis(5);

/// What one run is made of.
#[derive(Clone, Copy)]
struct Script {
    seed: u8,
    loss_percent: u8,
    packets: u32,
    own_nacks: bool,
    rtx_signalled: bool,
}

const LOSSY: Script =
    Script { seed: 1, loss_percent: 5, packets: 1200, own_nacks: true, rtx_signalled: false };

/// What is under way, or happens by itself.
enum Happening {
    SenderTick(u32),
    SenderReports,
    ReceiverTick,
    ToForwarder(Side, Vec<u8>),
    ToSender(Vec<u8>),
    ToReceiver(Vec<u8>),
    Wake,
}

struct World {
    script: Script,
    now: Instant,
    queue: BTreeMap<(Instant, u64), Happening>,
    counter: u64,
    rng: Rng,
    forwarder: Forwarder,
    events: Vec<Event>,
    // The sender.
    history: BTreeMap<u16, Vec<u8>>,
    retransmitted: BTreeMap<u16, u32>,
    rtx_sequence: u16,
    keyframes: u32,
    receiver_reports: u32,
    sender_cnames: BTreeSet<Vec<u8>>,
    // The receiver.
    got: BTreeMap<u16, Vec<u8>>,
    asked: BTreeMap<u16, Instant>,
    reports: Vec<SenderInfo>,
    log: Vec<u8>,
}

impl World {
    fn new(script: Script) -> Self {
        let seed = Seed::new([script.seed; 32]);
        let config = ForwarderConfig::default().with_own_nacks(script.own_nacks);
        let mut forwarder = Forwarder::new(config, seed.fork("forwarder"));
        forwarder.set_route(route(script.rtx_signalled)).unwrap();
        let mut world = Self {
            script,
            now: Instant::EPOCH,
            queue: BTreeMap::new(),
            counter: 0,
            rng: seed.fork("network").into_rng(),
            forwarder,
            events: Vec::new(),
            history: BTreeMap::new(),
            retransmitted: BTreeMap::new(),
            rtx_sequence: 7,
            keyframes: 0,
            receiver_reports: 0,
            sender_cnames: BTreeSet::new(),
            got: BTreeMap::new(),
            asked: BTreeMap::new(),
            reports: Vec::new(),
            log: Vec::new(),
        };
        world.after(Duration::ZERO, Happening::SenderTick(0));
        world.after(Duration::from_millis(500), Happening::SenderReports);
        world.after(Duration::from_millis(25), Happening::ReceiverTick);
        world
    }

    fn after(&mut self, delay: Duration, happening: Happening) {
        self.counter += 1;
        self.queue.insert((self.now + delay, self.counter), happening);
    }

    /// Over one leg: late, reordered a little, or lost.
    fn send(&mut self, happening: Happening) {
        let [luck, jitter] = self.rng.octets();
        if u32::from(luck) * 100 >= u32::from(self.script.loss_percent) * 256 {
            self.after(LATENCY + Duration::from_micros(u64::from(jitter) * 30), happening);
        }
    }

    fn run(mut self) -> Self {
        let last = SPACING * self.script.packets + Duration::from_secs(3);
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            if at > Instant::EPOCH + last {
                break;
            }
            self.now = at;
            match happening {
                Happening::SenderTick(n) => self.sender_tick(n),
                Happening::SenderReports => self.sender_reports(),
                Happening::ReceiverTick => self.receiver_tick(),
                Happening::ToForwarder(side, octets) => self.at_forwarder(side, &octets),
                Happening::ToSender(octets) => self.at_sender(&octets),
                Happening::ToReceiver(octets) => self.at_receiver(&octets),
                Happening::Wake => {}
            }
            self.settle();
        }
        self
    }

    fn sender_tick(&mut self, n: u32) {
        let header = RtpHeader {
            marker: n % 4 == 3,
            payload_type: 96,
            sequence_number: FIRST.wrapping_add(n as u16),
            timestamp: n / 4 * 1800,
            ssrc: MEDIA,
        };
        let octets = packet(&header, &payload(header.sequence_number));
        self.history.insert(header.sequence_number, octets.clone());
        self.send(Happening::ToForwarder(Side::Sender, octets));
        if n + 1 < self.script.packets {
            self.after(SPACING, Happening::SenderTick(n + 1));
        } else {
            // A last packet that is lost is nobody's gap: some more of them close the end.
            for more in 1..40 {
                let sequence_number = header.sequence_number.wrapping_add(more);
                let octets = packet(&RtpHeader { sequence_number, ..header }, &payload(sequence_number));
                self.history.insert(sequence_number, octets.clone());
                let delay = SPACING * u32::from(more);
                self.after(delay + LATENCY, Happening::ToForwarder(Side::Sender, octets));
            }
        }
    }

    fn sender_reports(&mut self) {
        let info = SenderInfo {
            ntp_timestamp: (1000 << 32) + (self.now.since_epoch().as_millis() as u64) * 4_294_967,
            rtp_timestamp: (self.now.since_epoch().as_millis() * 90) as u32,
            packet_count: 1,
            octet_count: 2,
        };
        let octets = rtcp(|writer| writer.sender_report(MEDIA, info, []).unwrap());
        self.send(Happening::ToForwarder(Side::Sender, octets));
        self.after(Duration::from_millis(700), Happening::SenderReports);
    }

    fn at_sender(&mut self, octets: &[u8]) {
        for packet in Compound::parse(octets).unwrap().packets() {
            match packet.unwrap() {
                Rtcp::Nack(nack) => {
                    assert_eq!(nack.media_ssrc, MEDIA);
                    for sequence_number in nack.missing() {
                        self.retransmit(sequence_number);
                    }
                }
                Rtcp::PictureLoss(loss) => {
                    assert_eq!(loss.media_ssrc, MEDIA);
                    self.keyframes += 1;
                }
                Rtcp::ReceiverReport(report) => {
                    self.receiver_reports += u32::from(report.blocks().any(|block| block.ssrc == MEDIA));
                }
                Rtcp::SourceDescription(names) => {
                    self.sender_cnames
                        .extend(names.chunks().filter_map(|chunk| Some(chunk.cname()?.to_vec())));
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    /// RFC 4588 section 4.
    fn retransmit(&mut self, sequence_number: u16) {
        let original = self.history.get(&sequence_number).expect("only what was sent is asked for");
        let rtp = RtpView::parse(original).unwrap();
        let header = RtpHeader {
            marker: rtp.marker(),
            payload_type: 97,
            sequence_number: self.rtx_sequence,
            timestamp: rtp.timestamp(),
            ssrc: MEDIA_RTX,
        };
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        *self.retransmitted.entry(sequence_number).or_default() += 1;
        let octets = packet(&header, &[&sequence_number.to_be_bytes()[..], rtp.payload()].concat());
        self.send(Happening::ToForwarder(Side::Sender, octets));
    }

    fn at_forwarder(&mut self, side: Side, octets: &[u8]) {
        let mut buffer = [0; 2048];
        let mut packet = received(&mut buffer, octets);
        // RFC 5761 section 4: RTCP has these packet types.
        if (192..=223).contains(&octets[1]) {
            self.forwarder.handle_rtcp(self.now, side, &packet);
        } else if let Verdict::Forward { .. } = self.forwarder.handle_rtp(self.now, &mut packet) {
            let octets = packet.bytes().to_vec();
            self.send(Happening::ToReceiver(octets));
        }
    }

    fn at_receiver(&mut self, octets: &[u8]) {
        self.log.extend_from_slice(octets);
        if (192..=223).contains(&octets[1]) {
            for packet in Compound::parse(octets).unwrap().packets() {
                if let Rtcp::SenderReport(report) = packet.unwrap() {
                    assert_eq!(report.ssrc, OUT);
                    self.reports.push(report.info);
                }
            }
            return;
        }
        let mut buffer = [0; 2048];
        let mut packet = received(&mut buffer, octets);
        let (ssrc, payload_type) =
            RtpView::parse(octets).map(|rtp| (rtp.ssrc(), rtp.payload_type())).unwrap();
        match (ssrc, payload_type) {
            (OUT, 106) => {}
            (OUT_RTX, 107) => assert!(rtx::unwrap(&mut packet, 106, OUT)),
            other => panic!("not ours: {other:?}"),
        }
        let rtp = RtpView::parse(packet.bytes()).unwrap();
        self.got.insert(rtp.sequence_number(), rtp.payload().to_vec());
    }

    /// Asks for what is missing, again after 100 ms, and reports.
    fn receiver_tick(&mut self) {
        self.after(Duration::from_millis(25), Happening::ReceiverTick);
        let distance = |sequence_number: u16| sequence_number.wrapping_sub(FIRST);
        let Some(highest) = self.got.keys().map(|sequence_number| distance(*sequence_number)).max() else {
            return;
        };
        let now = self.now;
        // Two legs of jitter are three packets.
        let missing: Vec<u16> = (0..highest.saturating_sub(3))
            .map(|n| FIRST.wrapping_add(n))
            .filter(|sequence_number| !self.got.contains_key(sequence_number))
            .filter(|sequence_number| {
                self.asked.get(sequence_number).is_none_or(|at| *at + Duration::from_millis(100) <= now)
            })
            .collect();
        if !missing.is_empty() {
            self.asked.extend(missing.iter().map(|sequence_number| (*sequence_number, now)));
            let octets = rtcp(|writer| writer.nack(5, OUT, missing.iter().copied()).unwrap());
            self.send(Happening::ToForwarder(Side::Receiver, octets));
        }
    }

    fn settle(&mut self) {
        loop {
            let mut buffer = [0; 2048];
            let mut packet = Packet::empty(&mut buffer);
            while let Some(side) = self.forwarder.poll_transmit(self.now, &mut packet) {
                let octets = packet.bytes().to_vec();
                self.log.extend_from_slice(&octets);
                self.send(match side {
                    Side::Sender => Happening::ToSender(octets),
                    Side::Receiver => Happening::ToReceiver(octets),
                });
            }
            while let Some(event) = self.forwarder.poll_event() {
                self.events.push(event);
            }
            match self.forwarder.poll_timeout() {
                Some(wake) if wake.at <= self.now => self.forwarder.handle_timeout(self.now),
                Some(wake) => {
                    let delay = wake.at.saturating_since(self.now);
                    self.after(delay, Happening::Wake);
                    return;
                }
                None => return,
            }
        }
    }

    /// How many of the packets that were sent the receiver has, with the right payload.
    fn delivered(&self) -> usize {
        (0..self.script.packets as u16)
            .map(|n| FIRST.wrapping_add(n))
            .filter(|sequence_number| self.got.get(sequence_number) == Some(&payload(*sequence_number)))
            .count()
    }

    fn stats(&self) -> Stats {
        self.forwarder.stats()
    }
}

fn route(rtx_signalled: bool) -> Route {
    let incoming = Incoming {
        mid: "0".into(),
        ssrc: rtx_signalled.then_some(MEDIA),
        rtx_ssrc: rtx_signalled.then_some(MEDIA_RTX),
        feedback: Feedback::ALL,
        ..Incoming::default()
    };
    let outgoing = Outgoing { mid: "0".into(), ssrc: OUT, rtx_ssrc: Some(OUT_RTX), ..Outgoing::default() };
    let codec = Codec {
        incoming: 96,
        outgoing: 106,
        clock_rate: 90_000,
        incoming_rtx: Some(97),
        outgoing_rtx: Some(107),
    };
    Route { incoming, outgoing, codecs: vec![codec] }
}

fn payload(sequence_number: u16) -> Vec<u8> {
    format!("the picture of {sequence_number}").into_bytes()
}

fn packet(header: &RtpHeader, payload: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(payload).unwrap();
    header.prepend(&mut packet).unwrap();
    packet.bytes().to_vec()
}

fn rtcp(write: impl FnOnce(&mut RtcpWriter<'_, '_>)) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    write(&mut RtcpWriter::new(&mut packet));
    packet.bytes().to_vec()
}

fn received<'a>(buffer: &'a mut [u8; 2048], octets: &[u8]) -> Packet<'a> {
    buffer[HEADROOM..HEADROOM + octets.len()].copy_from_slice(octets);
    Packet::received(buffer, HEADROOM..HEADROOM + octets.len()).unwrap()
}

#[test]
fn without_loss_everything_passes_and_nothing_is_asked_for() {
    let world = World::new(Script { loss_percent: 0, ..LOSSY }).run();
    assert_eq!(world.delivered(), 1200);
    assert_eq!(world.retransmitted.values().sum::<u32>(), 0, "7 ms of jitter is not a loss");
    assert_eq!(world.stats().nacks_sent, 0);
    assert!(matches!(&world.events[..], [Event::StreamStarted { ssrc: MEDIA, outgoing_ssrc: OUT, .. }]));
}

#[test]
fn five_percent_of_loss_on_both_legs_is_repaired() {
    for seed in 1..=5 {
        let world = World::new(Script { seed, ..LOSSY }).run();
        assert_eq!(world.delivered(), 1200, "seed {seed}: {:?}", world.stats());
        let stats = world.stats();
        assert!(stats.nacks_sent > 20 && stats.nacks_recovered > 20, "our own requests: {stats:?}");
        assert!(stats.nacks_passed_on > 20, "losses behind us are asked for as well: {stats:?}");
        assert!(stats.nacks_absorbed > 5, "what we ask for is not asked for twice: {stats:?}");
        assert_eq!(world.keyframes, 0, "no picture is lost");
    }
}

#[test]
fn five_percent_is_repaired_when_requests_are_only_passed_on() {
    let world = World::new(Script { own_nacks: false, ..LOSSY }).run();
    assert_eq!(world.delivered(), 1200);
    assert_eq!(world.stats().nacks_sent, 0);
}

#[test]
fn own_requests_and_passed_on_ones_do_not_double_retransmissions() {
    let both = World::new(LOSSY).run();
    let passed_on = World::new(Script { own_nacks: false, ..LOSSY }).run();
    let sent = |world: &World| world.retransmitted.values().sum::<u32>();
    assert!(
        sent(&both) * 10 <= sent(&passed_on) * 14,
        "{} retransmissions with own requests, {} without",
        sent(&both),
        sent(&passed_on)
    );
}

#[test]
fn a_signalled_retransmission_ssrc_works_as_a_learned_one_does() {
    let world = World::new(Script { rtx_signalled: true, ..LOSSY }).run();
    assert_eq!(world.delivered(), 1200);
    assert!(world.stats().retransmissions_forwarded > 20);
}

#[test]
fn reports_flow_on_both_sides() {
    let world = World::new(Script { loss_percent: 0, ..LOSSY }).run();
    assert!(
        (5..=12).contains(&world.receiver_reports),
        "nine seconds, one a second: {}",
        world.receiver_reports
    );
    assert_eq!(world.sender_cnames.len(), 1, "one name, in every compound");
    assert!(world.reports.len() > 5);
    for report in &world.reports {
        // Both clocks of one report still tell the same moment: 90 units to the millisecond.
        let ms = (report.ntp_timestamp - (1000 << 32)) / 4_294_967;
        assert_eq!(u64::from(report.rtp_timestamp), ms * 90);
    }
    let counts: Vec<u32> = world.reports.iter().map(|report| report.packet_count).collect();
    assert!(counts.is_sorted() && *counts.last().unwrap() >= 1200, "the counts are of what left: {counts:?}");
}

#[test]
fn the_same_seed_and_script_give_the_same_bytes() {
    let run = |seed| World::new(Script { seed, packets: 300, ..LOSSY }).run().log;
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
