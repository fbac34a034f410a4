//! The body of the fuzz target `stun_framing`: any stream, cut in any way, gives the same messages.

use crate::{Buffer, Frame, FrameReader, Framing, Packet, StreamErrorReason};

/// Sizes of the reader's buffer: too small for most, for WebRTC, and for every message.
const SIZES: [usize; 3] = [24, 2048, Framing::Rfc4571.longest()];

/// Takes a framing, a size and a way to cut from the first octets, and the others as a stream.
///
/// # Panics
///
/// If an invariant does not hold.
pub fn run(data: &[u8]) {
    let [choice, step, stream @ ..] = data else { return };
    let framing = if choice & 1 == 0 { Framing::Stun } else { Framing::Rfc4571 };
    let mut buffer = [0; Framing::Rfc4571.longest()];
    let size = SIZES[usize::from(choice >> 1) % SIZES.len()];
    let (mut reader, mut cut) = (FrameReader::new(framing, &mut buffer[..size]), usize::from(*step));
    let (mut fed, mut at) = (0, 0);
    while fed < stream.len() {
        // The way to cut is drawn from what is cut, so that the fuzzer has it in its hands: from one octet to 256.
        cut = 1 + (cut.wrapping_mul(31) + usize::from(stream[fed])) % if *step == 0 { 1 } else { 256 };
        let space = reader.space();
        let n = cut.min(space.len()).min(stream.len() - fed);
        assert!(n > 0, "there is room for more of what is not whole");
        space[..n].copy_from_slice(&stream[fed..fed + n]);
        reader.filled(n);
        fed += n;
        if !drain(framing, &mut reader, size, stream, fed, &mut at) {
            return;
        }
    }
}

/// Takes what is whole, and compares it with what the framing sees in the uncut stream. False if the stream has ended.
fn drain(
    framing: Framing,
    reader: &mut FrameReader<'_>,
    size: usize,
    stream: &[u8],
    fed: usize,
    at: &mut usize,
) -> bool {
    loop {
        let (seen, uncut) = (framing.next(&stream[*at..fed]), framing.next(&stream[*at..]));
        assert!(seen == Frame::NeedMore || seen == uncut, "more octets change nothing of what is whole");
        match seen {
            Frame::Whole { skip, len, total } => {
                assert!(skip + len <= total && total <= framing.longest().min(fed - *at));
                assert!(total > 0, "a message takes octets, so that reading ends");
                assert_eq!(reader.has_message(), Ok(true));
                let message = reader.take();
                assert_eq!(message, &stream[*at + skip..*at + skip + len]);
                wrap(framing, message, total);
                *at += total;
            }
            Frame::NeedMore if fed - *at < size => {
                assert_eq!(reader.has_message(), Ok(false));
                assert!(reader.take().is_empty(), "half a message is none");
                return true;
            }
            Frame::NeedMore | Frame::Bad => {
                let Err(error) = reader.has_message() else { panic!("the stream has ended") };
                assert_eq!(error.position(), *at as u64);
                assert_eq!(error.reason() == StreamErrorReason::NotFramed, seen == Frame::Bad);
                return false;
            }
        }
    }
}

/// What was cut out can be wrapped again, and takes as much as it did.
fn wrap(framing: Framing, message: &[u8], total: usize) {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    if packet.append(message).is_err() || framing.wrap(&mut packet).is_err() {
        return;
    }
    assert_eq!(packet.len(), total);
    let whole = framing.next(packet.bytes());
    let Frame::Whole { skip, len, .. } = whole else { panic!("what is wrapped is whole, and not {whole:?}") };
    assert_eq!(&packet.bytes()[skip..skip + len], message);
}
