//! Two peers driven by hand, without a simulator: what a user sees who polls late, or never.

mod common;

use std::{collections::VecDeque, time::Duration};

use common::{certificate, ms, numbered};
use ginnel_core::{Buffer, Epoch, Instant, Notice, Packet, Path, Receive, Request, Seed};
use ginnel_dtls_srtp::dtls::Versions;
use ginnel_peer::{ChannelConfig, Event, MessageKind, Peer, PeerConfig, SdpType};

/// One peer with its wire.
struct End {
    peer: Peer,
    wire: VecDeque<(Path, Vec<u8>)>,
    events: Vec<Event>,
    polls_events: bool,
}

impl End {
    fn new(of: usize, ip: &str, change: impl Fn(PeerConfig) -> PeerConfig) -> Self {
        let config = change(PeerConfig::new(Epoch::start(), certificate(of)));
        let mut peer = Peer::new(config, Seed::new([of as u8; 32]));
        peer.add_local_ip(Instant::EPOCH, ip.parse().expect("an address")).expect("it is usable");
        peer.end_of_local_ips(Instant::EPOCH);
        let mut this = Self { peer, wire: VecDeque::new(), events: Vec::new(), polls_events: true };
        this.drain(Instant::EPOCH);
        this
    }

    /// All but events, if nobody polls them.
    fn drain(&mut self, now: Instant) {
        let mut buf: Buffer = [0; 2048];
        for _ in 0..16 {
            let mut packet = Packet::empty(&mut buf);
            while let Some(transmit) = self.peer.poll_transmit(now, &mut packet) {
                self.wire.push_back((transmit.path, packet.bytes().to_vec()));
                packet.clear();
            }
            while let Some(request) = self.peer.poll_request() {
                if let Request::Bind { ticket, ip, .. } = request {
                    self.peer.handle_notice(now, Notice::Opened { ticket, result: Ok((ip, 5_000).into()) });
                }
            }
            while self.polls_events
                && let Some(event) = self.peer.poll_event()
            {
                self.events.push(event);
            }
            match self.peer.poll_timeout() {
                Some(wake) if wake.at <= now => self.peer.handle_timeout(now),
                _ => return,
            }
        }
        panic!("it asks for now for ever: {:?}", self.peer.poll_timeout());
    }

    fn take(&mut self, now: Instant, from: &mut Self) -> bool {
        let mut buf: Buffer = [0; 2048];
        let Some((path, octets)) = from.wire.pop_front() else { return false };
        let mut packet = Packet::empty(&mut buf);
        packet.append(&octets).expect("it fits");
        let mut input = Receive::new(path.reversed(), packet);
        if let ginnel_core::Handled::Send(transmit) = self.peer.handle_input(now, &mut input) {
            self.wire.push_back((transmit.path, input.packet.bytes().to_vec()));
        }
        self.drain(now);
        true
    }
}

/// Runs both until `done`, a millisecond at a time, or for `limit`.
fn run(ends: &mut [End; 2], now: &mut Instant, limit: Duration, done: impl Fn(&[End; 2]) -> bool) {
    let end = *now + limit;
    while *now < end && !done(ends) {
        for end in ends.iter_mut() {
            end.drain(*now);
        }
        let [left, right] = ends;
        while left.take(*now, right) | right.take(*now, left) {}
        *now += ms(1);
    }
}

/// The client's last flight is overtaken by the SCTP packet behind it: what came early is kept, and heard as soon as it can be
/// read, so that nobody waits for a retransmission.
#[test]
fn data_that_overtakes_the_end_of_the_handshake_is_not_lost() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let mut now = Instant::EPOCH;
        let change = |config: PeerConfig| config.with_versions(versions);
        let mut ends = [End::new(0, "192.0.2.1", change), End::new(1, "192.0.2.2", change)];
        ends[0].peer.open_channel(now, ChannelConfig::new("chat")).expect("it opens");
        let offer = ends[0].peer.offer(now).expect("an offer");
        ends[1].peer.set_remote(now, SdpType::Offer, &offer).expect("it is taken");
        let answer = ends[1].peer.answer(now).expect("an answer");
        ends[0].peer.set_remote(now, SdpType::Answer, &answer).expect("it is taken");
        let open = |end: &End| end.events.iter().any(|event| matches!(event, Event::ChannelOpened { .. }));
        while now < Instant::EPOCH + ms(350) && !ends.iter().all(open) {
            let [left, right] = &mut ends;
            left.drain(now);
            right.drain(now);
            // All that the client sent in this millisecond arrives in the wrong order.
            right.wire.make_contiguous().reverse();
            for _ in 0..right.wire.len() {
                left.take(now, right);
            }
            while right.take(now, left) {}
            now += ms(1);
        }
        assert!(ends.iter().all(open), "{versions:?}: not within 350 ms: something was sent again");
    }
}

fn connected(change: impl Fn(PeerConfig) -> PeerConfig) -> ([End; 2], Instant, ginnel_peer::ChannelId) {
    let mut now = Instant::EPOCH;
    let mut ends = [End::new(0, "192.0.2.1", &change), End::new(1, "192.0.2.2", &change)];
    let channel = ends[0].peer.open_channel(now, ChannelConfig::new("chat")).expect("it opens");
    let offer = ends[0].peer.offer(now).expect("an offer");
    ends[1].peer.set_remote(now, SdpType::Offer, &offer).expect("it is taken");
    let answer = ends[1].peer.answer(now).expect("an answer");
    ends[0].peer.set_remote(now, SdpType::Answer, &answer).expect("it is taken");
    let open = |end: &End| end.events.iter().any(|event| matches!(event, Event::ChannelOpened { .. }));
    run(&mut ends, &mut now, Duration::from_secs(5), |ends| ends.iter().all(open));
    assert!(ends.iter().all(open), "{:#?}", ends[0].events);
    (ends, now, channel)
}

/// While nobody polls, messages wait in SCTP, whose window holds back the sender; then they are all there, in order.
#[test]
fn messages_that_nobody_polls_hold_back_their_sender() {
    let (mut ends, mut now, channel) = connected(|mut config| {
        config.max_message_size = 16 * 1024;
        config.max_buffered = 64 * 1024 * 1024;
        config
    });
    ends[1].polls_events = false;
    const MESSAGES: u32 = 4_000;
    for n in 0..MESSAGES {
        let sent = ends[0].peer.send_message(now, channel, MessageKind::Binary, &numbered(n));
        sent.expect("there is room for all");
    }
    run(&mut ends, &mut now, Duration::from_secs(5), |_| false);
    let waiting = ends[0].peer.buffered_amount(channel);
    assert!(waiting > 500_000, "{waiting} octets wait at the sender");
    run(&mut ends, &mut now, Duration::from_secs(5), |_| false);
    assert_eq!(ends[0].peer.buffered_amount(channel), waiting, "and go on waiting");
    ends[1].polls_events = true;
    let arrived = |end: &End| {
        end.events.iter().filter(|event| matches!(event, Event::Message { .. })).count() == MESSAGES as usize
    };
    run(&mut ends, &mut now, Duration::from_secs(60), |ends| arrived(&ends[1]));
    let messages = ends[1].events.iter().filter_map(|event| match event {
        Event::Message { data, .. } => Some(data.clone()),
        _ => None,
    });
    assert!(messages.eq((0..MESSAGES).map(numbered)), "all, and in order");
    assert_eq!(ends[1].peer.stats().events_dropped, 0);
}

/// A close of the other side finds messages that were acknowledged and not polled yet: they come before it.
#[test]
fn what_was_acknowledged_is_polled_even_after_the_end() {
    let (mut ends, mut now, channel) = connected(|config| config);
    ends[1].polls_events = false;
    for n in 0..400 {
        ends[0].peer.send_message(now, channel, MessageKind::Binary, &numbered(n)).expect("there is room");
    }
    run(&mut ends, &mut now, Duration::from_secs(5), |ends| ends[0].peer.buffered_amount(channel) == 0);
    assert_eq!(ends[0].peer.buffered_amount(channel), 0, "all is acknowledged");
    ends[0].peer.close(now);
    run(&mut ends, &mut now, ms(10), |_| false);
    assert!(ends[0].peer.is_closed());
    assert!(!ends[1].peer.is_closed(), "its user has not heard the end yet");
    ends[1].polls_events = true;
    ends[1].drain(now);
    assert!(ends[1].peer.is_closed());
    let messages = ends[1].events.iter().filter(|event| matches!(event, Event::Message { .. })).count();
    assert_eq!(messages, 400);
    assert!(matches!(ends[1].events.last(), Some(Event::Closed(_))), "{:?}", ends[1].events.last());
}

/// News that nobody polls does not pile up.
#[test]
fn events_are_bounded_for_a_user_who_polls_none() {
    let (mut ends, now, _) = connected(|config| config);
    ends[0].polls_events = false;
    for _ in 0..1_000 {
        let channel = ends[0].peer.open_channel(now, ChannelConfig::new("brief")).expect("it opens");
        ends[0].peer.close_channel(now, channel);
        ends[0].peer.restart_ice(now);
        let _ = ends[0].peer.offer(now).expect("an offer, again and again");
    }
    ends[0].polls_events = true;
    let before = ends[0].events.len();
    ends[0].drain(now);
    assert!(ends[0].events.len() - before < 4_096, "{}", ends[0].events.len() - before);
}
