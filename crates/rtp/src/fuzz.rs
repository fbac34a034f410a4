//! The bodies of the fuzz targets: libFuzzer runs them on what it invents, `cargo test` on the committed corpus.

use ginnel_core::{HEADROOM, Instant, Packet, Seed};

use crate::{
    Edit, RtpView, edit_extensions,
    forwarder::{
        Codec, DropReason, Feedback, Forwarder, ForwarderConfig, Incoming, Outgoing, Route, Side, Verdict,
    },
    rtcp::{Compound, Rtcp},
    rtx,
};

/// The longest input that is looked at: what fits into a datagram's buffer.
const LONGEST: usize = 1400;

fn packet_of<'a>(buffer: &'a mut [u8; 2048], data: &[u8]) -> Option<Packet<'a>> {
    let range = HEADROOM..HEADROOM + data.len();
    buffer.get_mut(range.clone())?.copy_from_slice(data);
    Packet::received(buffer, range)
}

/// RTP: whatever the octets are, views stay within them, edits keep the length, and a drop leaves them untouched.
pub mod rtp {
    use super::*;

    /// One input.
    pub fn run(data: &[u8]) {
        let data = data.get(..LONGEST).unwrap_or(data);
        let mut buffer = [0; 2048];
        let Some(mut packet) = packet_of(&mut buffer, data) else { return };
        if let Ok(rtp) = RtpView::parse(data) {
            let parts = rtp.header_len() + rtp.payload().len() + usize::from(rtp.padding_len());
            assert_eq!(parts, data.len(), "the parts make the whole");
            assert!(rtp.csrcs().count() <= 15);
            let before = rtp.extensions().count();
            let erased = edit_extensions(&mut packet, |_, _| Edit::Keep);
            assert_eq!((erased, packet.bytes()), (0, data));
            let erased =
                edit_extensions(&mut packet, |id, _| if id % 2 == 0 { Edit::Erase } else { Edit::Keep });
            assert_eq!(packet.len(), data.len(), "edits move nothing");
            let after = RtpView::parse(packet.bytes()).map(|rtp| rtp.extensions().count());
            assert_eq!(after, Ok(before - erased), "what was not erased is still there");
        }
        if rtx::unwrap(&mut packet, 96, 1) {
            assert_eq!(packet.len() + 2, data.len());
            assert_eq!(RtpView::parse(packet.bytes()).map(|rtp| rtp.ssrc()), Ok(1));
        }
        forward(data);
    }

    /// The same packet three times, numbered on: whatever is forwarded is sound, whatever is dropped is untouched.
    fn forward(data: &[u8]) {
        let mut forwarder = forwarder();
        let mut buffer = [0; 2048];
        for step in 0..3_u8 {
            let Some(mut packet) = packet_of(&mut buffer, data) else { return };
            if let Some(low) = packet.bytes_mut().get_mut(3) {
                *low = low.wrapping_add(step);
            }
            let mut before = [0; LONGEST];
            before[..data.len()].copy_from_slice(packet.bytes());
            match forwarder.handle_rtp(Instant::EPOCH, &mut packet) {
                Verdict::Forward { ssrc, .. } => {
                    let rtp = RtpView::parse(packet.bytes());
                    assert_eq!(rtp.map(|rtp| rtp.ssrc()), Ok(ssrc));
                }
                Verdict::Drop(reason) => {
                    assert_eq!(packet.bytes(), &before[..data.len()]);
                    assert_eq!(reason == DropReason::Malformed, RtpView::parse(packet.bytes()).is_err());
                }
            }
        }
        while forwarder.poll_transmit(Instant::EPOCH, &mut Packet::empty(&mut buffer)).is_some() {}
    }
}

/// RTCP: whatever the octets are, every iterator ends within bounds, and a forwarder answers with sound RTCP.
pub mod rtcp {
    use super::*;

    /// One input.
    pub fn run(data: &[u8]) {
        let data = data.get(..LONGEST).unwrap_or(data);
        if let Ok(compound) = Compound::parse(data) {
            let packets = compound.packets().count();
            assert!(packets >= 1 && packets <= data.len() / 4);
            for packet in compound.packets() {
                match packet {
                    Ok(packet) => walk(&packet),
                    Err(error) => assert!(error.offset <= data.len()),
                }
            }
        }
        answer(data);
    }

    fn walk(packet: &Rtcp<'_>) {
        match packet {
            Rtcp::SenderReport(report) => assert!(report.blocks().count() <= 31),
            Rtcp::ReceiverReport(report) => assert!(report.blocks().count() <= 31),
            Rtcp::SourceDescription(description) => {
                for chunk in description.chunks() {
                    assert!(chunk.items().all(|item| item.text.len() <= 255 && item.kind != 0));
                }
            }
            Rtcp::Goodbye(goodbye) => assert!(goodbye.sources().count() <= 31),
            Rtcp::Nack(nack) => assert!(nack.missing().count() <= 17 * LONGEST / 4),
            Rtcp::FullIntraRequest(fir) => assert!(fir.entries().count() <= LONGEST / 8),
            Rtcp::Remb(remb) => assert!(remb.ssrcs().count() <= 255),
            _ => {}
        }
    }

    fn answer(data: &[u8]) {
        let mut forwarder = forwarder();
        let mut buffer = [0; 2048];
        for sequence_number in [1, 2, 5] {
            let mut media = [0x80, 96, 0, sequence_number, 0, 0, 0, 0, 0, 0, 0, 1];
            media[1] |= 0x80;
            let Some(mut packet) = packet_of(&mut buffer, &media) else { return };
            let verdict = forwarder.handle_rtp(Instant::EPOCH, &mut packet);
            assert_eq!(verdict, Verdict::Forward { ssrc: 2, retransmission: false });
        }
        let Some(packet) = packet_of(&mut buffer, data) else { return };
        forwarder.handle_rtcp(Instant::EPOCH, Side::Receiver, &packet);
        forwarder.handle_rtcp(Instant::EPOCH, Side::Sender, &packet);
        let mut written = 0;
        let mut packet = Packet::empty(&mut buffer);
        while forwarder.poll_transmit(Instant::EPOCH, &mut packet).is_some() {
            written += 1;
            assert!(written < 10, "one input makes no flood");
            let compound =
                Compound::parse(packet.bytes()).map(|compound| compound.packets().all(|p| p.is_ok()));
            assert_eq!(compound, Ok(true));
        }
    }
}

/// Media of payload type 96 under any SSRC goes out under SSRC 2, retransmissions of 97 under 3.
fn forwarder() -> Forwarder {
    let incoming = Incoming { mid: "0".into(), feedback: Feedback::ALL, ..Incoming::default() };
    let outgoing = Outgoing { mid: "1".into(), ssrc: 2, rtx_ssrc: Some(3), ..Outgoing::default() };
    let route = Route { incoming, outgoing, codecs: [Codec::same(96, 90_000).with_rtx(97)].into() };
    let mut forwarder = Forwarder::new(ForwarderConfig::default(), Seed::new([1; 32]));
    assert_eq!(forwarder.set_route(route), Ok(()));
    forwarder
}
