//! Nothing is allocated for a media packet, a retransmission, feedback or a report, once their streams are known.

use std::time::Duration;

use ginnel_alloc_counter::{Counting, allocations, assert_installed};
use ginnel_core::{Instant, Packet, Seed};
use ginnel_rtp::{
    RtpHeader,
    forwarder::{Codec, Feedback, Forwarder, ForwarderConfig, Incoming, Outgoing, Route, Side, Verdict},
    rtcp::{RtcpWriter, SenderInfo},
    uri,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn route() -> Route {
    let mut incoming = Incoming { mid: "0".into(), feedback: Feedback::ALL, ..Incoming::default() };
    let mut outgoing = Outgoing { mid: "1".into(), ssrc: 2, rtx_ssrc: Some(3), ..Outgoing::default() };
    incoming.extensions.insert(4, uri::MID).unwrap();
    outgoing.extensions.insert(5, uri::MID).unwrap();
    Route { incoming, outgoing, codecs: vec![Codec::same(96, 90_000).with_rtx(97)] }
}

/// One packet of media with a MID, one retransmission every ten packets, losses, feedback of every kind, timers.
fn step(forwarder: &mut Forwarder, n: u16, buffer: &mut [u8; 2048]) -> u64 {
    let now = Instant::EPOCH + Duration::from_millis(5) * u32::from(n);
    let mut forwarded = 0;
    // The second of two losses is repaired below, the first one never is.
    if ![4, 7].contains(&(n % 20)) {
        let mut packet = Packet::empty(buffer);
        packet.append(&[0xbe, 0xde, 0, 1, 0x40, b'0', 0, 0, 1, 2, 3]).unwrap();
        let header =
            RtpHeader { payload_type: 96, sequence_number: n, timestamp: 0, ssrc: 10, marker: false };
        header.prepend(&mut packet).unwrap();
        packet.bytes_mut()[0] |= 0x10;
        let verdict = forwarder.handle_rtp(now, &mut packet);
        forwarded += u64::from(verdict == Verdict::Forward { ssrc: 2, retransmission: false });
    }
    if n % 10 == 9 {
        let mut packet = Packet::empty(buffer);
        packet.append(&(n - 2).to_be_bytes()).unwrap();
        packet.append(b"again").unwrap();
        let header =
            RtpHeader { payload_type: 97, sequence_number: n / 10, ssrc: 11, ..RtpHeader::default() };
        header.prepend(&mut packet).unwrap();
        let verdict = forwarder.handle_rtp(now, &mut packet);
        forwarded += u64::from(verdict == Verdict::Forward { ssrc: 3, retransmission: true });
    }
    let mut packet = Packet::empty(buffer);
    let mut writer = RtcpWriter::new(&mut packet);
    writer.sender_report(10, SenderInfo::default(), []).unwrap();
    writer.nack(1, 2, [n.wrapping_sub(3), n.wrapping_sub(1)]).unwrap();
    writer.picture_loss(1, 2).unwrap();
    writer.remb(1, 1_000_000, [2]).unwrap();
    forwarder.handle_rtcp(now, Side::Sender, &packet);
    forwarder.handle_rtcp(now, Side::Receiver, &packet);
    while forwarder.poll_timeout().is_some_and(|wake| wake.at <= now) {
        forwarder.handle_timeout(now);
    }
    let mut packet = Packet::empty(buffer);
    while forwarder.poll_transmit(now, &mut packet).is_some() {}
    forwarded
}

#[test]
fn the_hot_path_allocates_nothing() {
    let mut forwarder = Forwarder::new(ForwarderConfig::default(), Seed::new([5; 32]));
    forwarder.set_route(route()).unwrap();
    let mut buffer = [0; 2048];
    for n in 0..20 {
        step(&mut forwarder, n, &mut buffer);
    }
    while forwarder.poll_event().is_some() {}
    assert_installed();
    let (allocated, forwarded) =
        allocations(|| (20..2020).map(|n| step(&mut forwarder, n, &mut buffer)).sum::<u64>());
    assert_eq!(forwarded, 1800 + 200, "the script does what it says");
    let stats = forwarder.stats();
    assert!(
        stats.nacks_sent > 50 && stats.nacks_passed_on > 50 && stats.keyframes_requested > 5,
        "{stats:?}"
    );
    assert!(stats.reports_sent > 1000, "{stats:?}");
    assert_eq!(allocated, 0);
}
