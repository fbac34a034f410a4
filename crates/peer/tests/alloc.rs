//! Media in and out of a whole peer allocates nothing: protected, sent over ICE, received, told apart, decrypted, routed.

mod common;

use std::time::Duration;

use common::{Pair, ms, rtcp, rtp, sends};
use ginnel_alloc_counter::{Counting, allocations, assert_installed};
use ginnel_core::{Buffer, Handled, Instant, Packet, Receive, Transmit};
use ginnel_dtls_srtp::dtls::Versions;
use ginnel_netsim::Link;
use ginnel_peer::{Data, MediaError, MessageKind, Peer, SectionIndex};
use ginnel_sdp::{attribute::Direction, jsep::MediaKind};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Send = fn(&mut Peer, Instant, &mut Packet<'_>) -> Result<Transmit, MediaError>;

/// A datagram from the left peer to the right one, by hand, and what it took.
fn pass(pair: &mut Pair, octets: &[u8], send: Send) -> (Handled<Data>, u64) {
    let mut buf: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buf);
    packet.append(octets).expect("it fits");
    let (out, transmit) =
        pair.sim.with(pair.left.node, |peer, now| allocations(|| send(peer, now, &mut packet)));
    let path = transmit.expect("it is sent").path.reversed();
    let mut input = Receive::new(path, packet);
    let (into, handled) = pair.sim.with(pair.right.node, |peer, now| {
        allocations(|| {
            let handled = peer.handle_input(now, &mut input);
            assert!(peer.poll_event().is_none() && peer.poll_timeout().is_some());
            handled
        })
    });
    assert_eq!(input.packet.bytes(), octets);
    (handled, out + into)
}

#[test]
fn media_allocates_nothing() {
    assert_installed();
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let mut pair = Pair::with(1, Link::new(ms(10)), |config| config.with_versions(versions));
        pair.sim.with(pair.left.node, |peer, _| {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                peer.add_transceiver(kind, Direction::SendRecv).expect("there is room");
            }
        });
        let (mut pair, ..) = pair.connected();
        pair.sim.run_for(Duration::from_secs(1));
        let (payload_type, ssrc) = sends(pair.sim.get(pair.left.node), 1);
        // The first of a source makes its state.
        let _ = pass(&mut pair, &rtp(payload_type, ssrc, 0), Peer::send_rtp);
        let _ = pass(&mut pair, &rtcp(ssrc), Peer::send_rtcp);
        for n in 1..1_000 {
            let (handled, allocated) = pass(&mut pair, &rtp(payload_type, ssrc, n), Peer::send_rtp);
            assert_eq!(handled, Handled::Data(Data::Rtp { section: SectionIndex(1) }));
            assert_eq!(allocated, 0, "RTP packet {n}, {versions:?}");
            let (handled, allocated) = pass(&mut pair, &rtcp(ssrc), Peer::send_rtcp);
            assert_eq!((handled, allocated), (Handled::Data(Data::Rtcp), 0), "RTCP packet {n}, {versions:?}");
        }
    }
}

/// Messages are another matter: the SCTP and DTLS libraries work on memory of their own. What it takes to send one of 1,000
/// octets and to write its datagram is bounded, so that a change is seen.
#[test]
fn a_message_allocates_what_the_libraries_do() {
    let (mut pair, channel, _) = Pair::new(2, Link::new(ms(10))).connected();
    pair.sim.run_for(Duration::from_secs(1));
    let mut most = 0;
    for _ in 0..100 {
        let taken = pair.sim.with(pair.left.node, |peer, now| {
            let mut buf: Buffer = [0; 2048];
            let (taken, datagrams) = allocations(|| {
                peer.send_message(now, channel, MessageKind::Binary, &[7; 1_000]).expect("it is taken");
                let mut datagrams = 0;
                while peer.poll_transmit(now, &mut Packet::empty(&mut buf)).is_some() {
                    datagrams += 1;
                }
                datagrams
            });
            assert!(datagrams <= 2, "{datagrams}");
            taken
        });
        most = most.max(taken);
        // Those datagrams never left: SCTP sends them again, and all is quiet before the next.
        pair.sim.run_for(Duration::from_secs(5));
    }
    println!("at most {most} allocations for a message of 1,000 octets out");
    assert!(most <= 40, "{most}");
}
