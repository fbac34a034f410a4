//! Case 40 of the security cases, its framing half, and the corpus of the fuzz target `stun_framing`.

use std::{fs, path::Path};

use ginnel_core::{Frame, FrameReader, Framing, StreamErrorReason, fuzz};
use proptest::prelude::*;

/// A STUN message with so many octets of attributes, and ChannelData with so many of data, padded.
fn stun(attributes: u16) -> Vec<u8> {
    let mut message = vec![0, 1];
    message.extend(attributes.to_be_bytes());
    message.extend(0x2112_A442_u32.to_be_bytes());
    message.resize(20 + usize::from(attributes), 0xA5);
    message
}
fn channel_data(data: u16) -> (Vec<u8>, Vec<u8>) {
    let mut message = vec![0x40, 0x01];
    message.extend(data.to_be_bytes());
    message.resize(4 + usize::from(data), 0x5A);
    let mut padded = message.clone();
    padded.resize(message.len().next_multiple_of(4), 0);
    (message, padded)
}

/// Every message of a stream that comes in pieces of these sizes, over and over.
fn read(framing: Framing, stream: &[u8], size: usize, pieces: &[usize]) -> Vec<Vec<u8>> {
    let mut buffer = vec![0; size];
    let mut reader = FrameReader::new(framing, &mut buffer);
    let (mut rest, mut messages) = (stream, Vec::new());
    for &piece in pieces.iter().cycle() {
        while reader.has_message().expect("the stream is framed") {
            messages.push(reader.take().to_vec());
        }
        if rest.is_empty() {
            break;
        }
        let space = reader.space();
        let n = piece.min(space.len()).min(rest.len());
        space[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        reader.filled(n);
    }
    messages
}

/// STUN and ChannelData in turn, of all four paddings: the messages, and the stream.
fn interleaved() -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut messages, mut stream) = (Vec::new(), Vec::new());
    for n in 0..9 {
        let (message, padded) = channel_data(n);
        stream.extend(stun(4 * n));
        messages.push(stun(4 * n));
        stream.extend(padded);
        messages.push(message);
    }
    (messages, stream)
}

#[test]
fn sec_40_stun_and_channel_data_interleaved_over_segment_cuts() {
    let (messages, stream) = interleaved();
    for piece in 1..=stream.len() {
        assert_eq!(read(Framing::Stun, &stream, 64, &[piece]), messages, "in pieces of {piece}");
    }
}

#[test]
fn sec_40_one_octet_at_a_time_a_message_is_whole_with_its_last_octet_and_not_before() {
    let (_, stream) = interleaved();
    let mut buffer = [0; 64];
    let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    let (mut begun, mut whole) = (0, 0);
    for (i, octet) in stream.iter().enumerate() {
        reader.space()[0] = *octet;
        reader.filled(1);
        let expected = matches!(Framing::Stun.next(&stream[begun..]), Frame::Whole { total, .. } if begun + total == i + 1);
        assert_eq!(reader.has_message(), Ok(expected), "behind octet {i}");
        if expected {
            reader.take();
            (begun, whole) = (i + 1, whole + 1);
        }
    }
    assert_eq!(whole, 18);
}

#[test]
fn sec_40_the_largest_messages_pass_and_the_buffer_bounds_what_a_peer_can_announce() {
    let (largest, longest) = (stun(0xfffc), Framing::Stun.longest());
    assert_eq!(largest.len(), longest);
    assert_eq!(read(Framing::Stun, &largest, longest, &[1460]), std::slice::from_ref(&largest));
    let (data, padded) = channel_data(0xffff);
    assert_eq!(read(Framing::Stun, &padded, longest, &[1460]), [data]);
    let mut rfc4571 = vec![0xff; 2 + 0xffff];
    rfc4571[2..].fill(7);
    assert_eq!(read(Framing::Rfc4571, &rfc4571, Framing::Rfc4571.longest(), &[1]), [vec![7; 0xffff]]);
    // One octet less, and the stream ends there: nothing is kept beyond the buffer.
    let mut buffer = vec![0; longest - 1];
    let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    reader.space().copy_from_slice(&largest[..longest - 1]);
    reader.filled(longest - 1);
    let error = reader.has_message().unwrap_err();
    assert_eq!((error.position(), error.reason()), (0, StreamErrorReason::TooLong));
    assert!(reader.space().is_empty() && reader.take().is_empty());
}

#[test]
fn sec_40_what_is_no_stream_of_messages_says_where() {
    let (_, mut stream) = interleaved();
    let position = stream.len() as u64;
    stream.extend([0x16, 3, 1, 2]); // TLS
    let mut buffer = vec![0; stream.len()];
    let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
    reader.space().copy_from_slice(&stream);
    reader.filled(stream.len());
    let mut messages = 0;
    let error = loop {
        match reader.has_message() {
            Ok(_) => messages += usize::from(!reader.take().is_empty()),
            Err(error) => break error,
        }
    };
    assert_eq!((messages, error.position(), error.reason()), (18, position, StreamErrorReason::NotFramed));
    assert_eq!(reader.has_message(), Err(error), "it stays so");
}

#[test]
fn more_than_there_is_room_for_counts_as_all_of_it() {
    let mut buffer = [0; 8];
    let mut reader = FrameReader::new(Framing::Rfc4571, &mut buffer);
    reader.filled(usize::MAX);
    assert!(reader.space().is_empty());
    for _ in 0..4 {
        assert_eq!(reader.has_message(), Ok(true), "a length of zero is an empty message");
        assert!(reader.take().is_empty());
    }
    assert_eq!(reader.has_message(), Ok(false));
}

#[test]
fn the_corpus_of_stun_framing_keeps_the_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/stun_framing");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        fuzz::run(&fs::read(entry.expect("an entry").path()).expect("a file"));
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}

proptest! {
    #[test]
    fn any_cutting_of_any_stream_gives_the_same_messages(
        messages in prop::collection::vec((any::<bool>(), 0..40_u16), 0..12),
        pieces in prop::collection::vec(1..50_usize, 1..20),
    ) {
        let (mut expected, mut stream) = (Vec::new(), Vec::new());
        for (is_stun, n) in messages {
            if is_stun {
                expected.push(stun(4 * n));
                stream.extend(stun(4 * n));
            } else {
                let (message, padded) = channel_data(n);
                expected.push(message);
                stream.extend(padded);
            }
        }
        prop_assert_eq!(read(Framing::Stun, &stream, 256, &pieces), expected);
    }

    #[test]
    fn any_octets_at_all_keep_the_invariants(data in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz::run(&data);
    }
}
