//! `Packet` against a model: a `Vec<u8>`, and two numbers for the room around it.

use ginnel_core::{ANSWER, Frame, Framing, HEADROOM, NoRoom, PIECE, Packet};
use proptest::{collection::vec, prelude::*};

#[derive(Clone, Debug)]
enum Op {
    Take4,
    Strip(usize),
    Truncate(usize),
    Prepend4([u8; 4]),
    Append(Vec<u8>),
    Write(Vec<u8>),
    Commit(usize),
    Flip,
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Take4),
        (0..80_usize).prop_map(Op::Strip),
        (0..700_usize).prop_map(Op::Truncate),
        any::<[u8; 4]>().prop_map(Op::Prepend4),
        vec(any::<u8>(), 0..400).prop_map(Op::Append),
        vec(any::<u8>(), 0..900).prop_map(Op::Write),
        (0..900_usize).prop_map(Op::Commit),
        Just(Op::Flip),
        Just(Op::Clear),
    ]
}

/// What a packet is, without the trick of leaving the bytes where they are.
#[derive(Clone, Debug)]
struct Model {
    bytes: Vec<u8>,
    front: usize,
    behind: usize,
}

impl Model {
    fn total(&self) -> usize {
        self.front + self.bytes.len() + self.behind
    }

    /// Does the same, and says whether it succeeded.
    fn apply(&mut self, op: &Op) -> bool {
        let total = self.total();
        match op {
            Op::Take4 if self.bytes.len() < 4 => return false,
            Op::Take4 => self.drop_front(4),
            Op::Strip(n) if *n > self.bytes.len() => return false,
            Op::Strip(n) => self.drop_front(*n),
            Op::Truncate(n) => self.bytes.truncate(*n),
            Op::Prepend4(_) if self.front < 4 => return false,
            Op::Prepend4(head) => {
                self.bytes.splice(0..0, *head);
                self.front -= 4;
            }
            Op::Append(tail) if tail.len() > self.front + self.behind => return false,
            Op::Append(tail) => {
                self.front -= tail.len().saturating_sub(self.behind);
                self.bytes.extend_from_slice(tail);
            }
            Op::Write(all) if all.len() + HEADROOM > total => return false,
            Op::Write(all) => {
                self.front = self.front.max(HEADROOM).min(total - all.len());
                self.bytes.clone_from(all);
            }
            Op::Commit(n) if *n > self.behind => return false,
            Op::Commit(n) => self.bytes.extend(std::iter::repeat_n(0xaa, *n)),
            Op::Flip => self.bytes.iter_mut().for_each(|b| *b ^= 0xff),
            Op::Clear => {
                self.front = self.front.min(total - ANSWER).max(HEADROOM);
                self.bytes.clear();
            }
        }
        self.behind = total - self.front - self.bytes.len();
        true
    }

    fn drop_front(&mut self, n: usize) {
        self.bytes.drain(..n);
        self.front += n;
    }
}

fn apply(packet: &mut Packet<'_>, op: &Op) -> bool {
    match op {
        Op::Take4 => packet.take::<4>().is_some(),
        Op::Strip(n) => packet.strip(*n).is_some(),
        Op::Truncate(n) => {
            packet.truncate(*n);
            true
        }
        Op::Prepend4(head) => packet.prepend(*head).is_ok(),
        Op::Append(tail) => packet.append(tail).is_ok(),
        Op::Write(all) => packet.write(all).is_ok(),
        Op::Commit(n) => {
            let spare = packet.spare_mut();
            let written = spare.len().min(*n);
            spare[..written].fill(0xaa);
            packet.commit(*n).is_ok()
        }
        Op::Flip => {
            packet.bytes_mut().iter_mut().for_each(|b| *b ^= 0xff);
            true
        }
        Op::Clear => {
            packet.clear();
            true
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_packet_is_its_model(
        size in HEADROOM + ANSWER..1500_usize,
        edges in (0.0..=1.0_f64, 0.0..=1.0_f64),
        ops in vec(op(), 0..40),
    ) {
        let end = (size as f64 * edges.0) as usize;
        let start = (end as f64 * edges.1) as usize;
        let mut buf = vec![0; size];
        buf[start..end].fill(7);
        let mut packet = Packet::received(&mut buf, start..end).unwrap();
        let mut model = Model { bytes: vec![7; end - start], front: start, behind: size - end };
        for op in &ops {
            prop_assert_eq!(apply(&mut packet, op), model.apply(op), "{:?}", op);
            prop_assert_eq!(packet.bytes(), &model.bytes[..], "{:?}", op);
            prop_assert_eq!((packet.len(), packet.is_empty()), (model.bytes.len(), model.bytes.is_empty()));
            prop_assert_eq!(packet.spare_mut().len(), model.behind);
            // `has_room` is right at each edge, and only there.
            prop_assert!(packet.has_room(model.front, model.behind) && packet.has_room(0, model.front + model.behind));
            prop_assert!(!packet.has_room(model.front + 1, 0) && !packet.has_room(model.front, model.behind + 1));
            prop_assert!(!packet.has_room(0, model.front + model.behind + 1));
        }
        // Whatever was done: an answer fits.
        packet.clear();
        prop_assert!(packet.append(&[1; ANSWER]).is_ok() && packet.prepend([2; HEADROOM]).is_ok());
    }

    #[test]
    fn what_has_room_can_be_wrapped(start in 0..40_usize, behind in 0..600_usize, len in 0..600_usize) {
        let mut buf = [0; HEADROOM + ANSWER];
        let mut packet = Packet::received(&mut buf, start..start).unwrap();
        let fits = packet.append(&vec![3; len]).is_ok();
        prop_assert_eq!(fits, len <= HEADROOM + ANSWER);
        if fits && packet.has_room(16, behind) {
            prop_assert_eq!(packet.prepend([4; 16]), Ok(()));
            prop_assert_eq!(packet.append(&vec![5; behind]), Ok(()));
            prop_assert_eq!(packet.len(), 16 + len + behind);
        }
    }

    #[test]
    fn a_stream_is_cut_alike_wherever_it_breaks(
        framing in prop_oneof![Just(Framing::Stun), Just(Framing::Rfc4571)],
        messages in vec((any::<bool>(), vec(any::<u8>(), 0..60)), 1..6),
        cuts in vec(1..20_usize, 1..40),
    ) {
        let messages: Vec<Vec<u8>> = messages.into_iter().map(|(channel, body)| message(framing, channel, body)).collect();
        let stream: Vec<u8> = messages.iter().flat_map(|message| wrapped(framing, message)).collect();
        let (mut pending, mut cut, mut sent) = (Vec::new(), Vec::new(), 0);
        for n in cuts.into_iter().cycle() {
            let n = n.min(stream.len() - sent);
            pending.extend_from_slice(&stream[sent..sent + n]);
            sent += n;
            while let Frame::Whole { skip, len, total } = framing.next(&pending) {
                prop_assert!(skip + len <= total && total <= framing.longest());
                cut.push(pending[skip..skip + len].to_vec());
                pending.drain(..total);
                if pending.is_empty() { break }
            }
            prop_assert_ne!(framing.next(&pending), Frame::Bad);
            if sent == stream.len() { break }
        }
        prop_assert!(pending.is_empty());
        prop_assert_eq!(cut, messages);
    }

    #[test]
    fn any_octets_are_framed_without_panic(
        framing in prop_oneof![Just(Framing::Stun), Just(Framing::Rfc4571)],
        stream in vec(any::<u8>(), 0..600),
    ) {
        match framing.next(&stream) {
            Frame::Whole { skip, len, total } => {
                prop_assert!(total > 0 && skip + len <= total && total <= stream.len());
                // No octet less is whole.
                prop_assert_eq!(framing.next(&stream[..total - 1]), Frame::NeedMore);
            }
            Frame::NeedMore => prop_assert!(stream.len() < framing.longest()),
            Frame::Bad => prop_assert_eq!(framing, Framing::Stun),
        }
    }
}

/// A message that its framing can carry.
fn message(framing: Framing, channel: bool, mut body: Vec<u8>) -> Vec<u8> {
    match (framing, channel) {
        (Framing::Rfc4571 | Framing::Raw | Framing::Held, _) => body,
        (Framing::Stun, true) => {
            let mut all = vec![0x40, 0x01, 0, body.len() as u8];
            all.append(&mut body);
            all
        }
        (Framing::Stun, false) => {
            body.truncate(body.len() / 4 * 4);
            let mut all = vec![0; 20];
            all[1] = 1;
            all[3] = body.len() as u8;
            all.append(&mut body);
            all
        }
    }
}

fn wrapped(framing: Framing, message: &[u8]) -> Vec<u8> {
    let mut buf = [0; 2048];
    let mut packet = Packet::empty(&mut buf);
    packet.write(message).unwrap();
    framing.wrap(&mut packet).unwrap();
    packet.bytes().to_vec()
}

#[test]
fn edges_move_and_bytes_stay() {
    let mut buf = [0; 2048];
    buf[64..68].copy_from_slice(b"ping");
    let mut packet = Packet::received(&mut buf, 64..68).unwrap();
    let at = packet.bytes().as_ptr();
    packet.prepend([1, 2]).unwrap();
    assert_eq!(packet.take(), Some([1, 2]));
    assert_eq!((packet.bytes(), packet.bytes().as_ptr()), (&b"ping"[..], at));
    assert_eq!(packet.strip(5), None);
    assert_eq!(packet.prepend([0; 65]), Err(NoRoom));
    packet.truncate(2);
    assert_eq!(packet.bytes(), b"pi");
}

#[test]
fn a_segment_without_tail_still_has_room_for_an_answer() {
    let mut buf = [0; HEADROOM + ANSWER + 28];
    let end = buf.len();
    let mut packet = Packet::received(&mut buf, end - 28..end).unwrap();
    assert!(packet.has_room(0, 3));
    packet.append(&[9; 3]).unwrap(); // slides
    assert_eq!((packet.len(), &packet.bytes()[28..]), (31, &[9; 3][..]));
    packet.clear();
    packet.append(&[1; ANSWER]).unwrap();
    packet.prepend([2; HEADROOM]).unwrap();
}

#[test]
fn a_buffer_without_room_for_answers_is_refused() {
    let mut short = [0; HEADROOM + ANSWER - 1];
    assert!(Packet::received(&mut short, 0..5).is_none());
    let mut enough = [0; HEADROOM + ANSWER];
    assert!(Packet::received(&mut enough, 0..5).is_some());
    // Ranges that are none.
    assert!(Packet::received(&mut enough, 0..HEADROOM + ANSWER + 1).is_none());
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 5..4;
    assert!(Packet::received(&mut enough, reversed).is_none());
}

#[test]
fn rfc8656_section_12_5_channel_data_is_padded_on_streams() {
    let stream = [0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0];
    assert_eq!(Framing::Stun.next(&stream), Frame::Whole { skip: 0, len: 9, total: 12 });
    assert_eq!(Framing::Stun.next(&stream[..11]), Frame::NeedMore);
    assert_eq!(wrapped(Framing::Stun, &stream[..9]), stream);
}

#[test]
fn rfc4571_frames_may_be_empty_and_are_whole_at_once() {
    assert_eq!(Framing::Rfc4571.next(&[0, 0]), Frame::Whole { skip: 2, len: 0, total: 2 });
    assert_eq!(Framing::Rfc4571.next(&[0, 1, 7]), Frame::Whole { skip: 2, len: 1, total: 3 });
    assert_eq!(Framing::Rfc4571.next(&[0]), Frame::NeedMore);
}

#[test]
fn rfc8489_section_5_a_length_that_is_no_multiple_of_four_ends_the_stream() {
    assert_eq!(Framing::Stun.next(&[0x00, 0x01, 0, 4]), Frame::NeedMore);
    assert_eq!(Framing::Stun.next(&[0x00, 0x01, 0, 5]), Frame::Bad);
    // Neither STUN nor ChannelData.
    assert_eq!(Framing::Stun.next(&[0x80; 4]), Frame::Bad);
    assert_eq!(Framing::Stun.next(&[0xc0; 4]), Frame::Bad);
}

#[test]
fn a_message_too_long_for_its_length_field_is_not_wrapped() {
    let mut buf = vec![0; 70_000];
    let mut packet = Packet::received(&mut buf, 100..100 + 65_536).unwrap();
    assert_eq!(Framing::Rfc4571.wrap(&mut packet), Err(NoRoom));
    assert_eq!(packet.len(), 65_536);
    packet.truncate(65_535);
    assert_eq!(Framing::Rfc4571.wrap(&mut packet), Ok(()));
    assert_eq!(packet.bytes()[..2], [0xff, 0xff]);
}

#[test]
fn octets_without_messages_come_in_pieces_that_a_buffer_holds() {
    let stream = [7; PIECE + 1];
    assert_eq!(Framing::Raw.next(&[]), Frame::NeedMore);
    assert_eq!(Framing::Raw.next(&stream[..1]), Frame::Whole { skip: 0, len: 1, total: 1 });
    assert_eq!(Framing::Raw.next(&stream), Frame::Whole { skip: 0, len: PIECE, total: PIECE });
    assert_eq!((Framing::Raw.missing(&[]), Framing::Raw.missing(&[7])), (1, 0));
    assert_eq!(wrapped(Framing::Raw, &[1, 2, 3]), [1, 2, 3], "nothing is added");
}

#[test]
fn a_held_stream_has_no_messages_and_wants_no_octet() {
    let stream = [0x40, 0x01, 0, 0];
    for have in 0..=stream.len() {
        assert_eq!(Framing::Held.next(&stream[..have]), Frame::NeedMore);
        assert_eq!(Framing::Held.missing(&stream[..have]), 0);
    }
    assert_eq!(wrapped(Framing::Held, &[1, 2, 3]), [1, 2, 3]);
}

/// SECURITY.md, case 40: the longest frame and the slowest writer.
#[test]
fn sec_40_one_octet_at_a_time_up_to_the_longest_frame() {
    let mut stream = vec![0x40, 0x00, 0xff, 0xff];
    stream.resize(Framing::Stun.longest(), 1);
    let total = (4 + 0xffff_usize).next_multiple_of(4);
    for n in 0..total {
        assert_eq!(Framing::Stun.next(&stream[..n]), Frame::NeedMore);
    }
    assert_eq!(Framing::Stun.next(&stream), Frame::Whole { skip: 0, len: 65_539, total });
}
