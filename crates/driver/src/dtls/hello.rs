//! The first message of a client, looked at without keeping anything of it (RFC 6347 section 4.2.1).
//!
//! ```text
//!    record:     type 22 | version | epoch 0 | sequence (6) | length
//!    handshake:  type 1  | length (3) | message_seq | fragment_offset (3) | fragment_length (3)
//!    body:       version | random (32) | session_id <0..32> | cookie <0..255> | ciphers, compressions, extensions
//! ```
//!
//! Left out on purpose: a ClientHello in fragments. Nothing can be put together without keeping something, so it is dropped,
//! as that section allows.

/// Of a record, and of a handshake message in it.
const RECORD: usize = 13;
const HANDSHAKE: usize = 12;
const ALERT: u8 = 21;
const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// Where the body begins, and in it the random.
const BODY: usize = RECORD + HANDSHAKE;
const RANDOM: usize = BODY + 2;
const SESSION_ID: usize = RANDOM + 32;

/// A ClientHello in one piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hello<'d> {
    /// The record that holds it.
    record: &'d [u8],
    pub(crate) random: [u8; 32],
    /// Where the cookie is, without its length.
    start: usize,
    end: usize,
}

impl<'d> Hello<'d> {
    /// `None` if the datagram does not begin with one, or only with a part of one.
    pub(crate) fn parse(datagram: &'d [u8]) -> Option<Self> {
        let (&[22, 254, _, 0, 0, ..], Some(length)) = (datagram, datagram.get(11..RECORD)) else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let record = datagram.get(..RECORD + length)?;
        let header = record.get(RECORD..BODY)?;
        let whole = header[0] == CLIENT_HELLO
            && header[1..4] == header[9..12]
            && header[6..9] == [0; 3]
            && number(&header[1..4]) + HANDSHAKE as u64 == length as u64;
        let random = record.get(RANDOM..SESSION_ID)?.try_into().ok().filter(|_| whole)?;
        let start = SESSION_ID + 1 + usize::from(*record.get(SESSION_ID)?);
        let cookie = usize::from(*record.get(start)?);
        let (start, end) = (start + 1, start + 1 + cookie);
        (end <= record.len()).then_some(Self { record, random, start, end })
    }

    pub(crate) fn cookie(&self) -> &'d [u8] {
        &self.record[self.start..self.end]
    }

    /// Whether its client knows no DTLS 1.2. Minor versions count down, and there is no 1.1.
    pub(crate) fn is_too_old(&self) -> bool {
        self.record[BODY] != 254 || self.record[BODY + 1] > 253
    }

    /// The sequence number of its record.
    pub(crate) fn sequence(&self) -> &'d [u8] {
        &self.record[5..11]
    }

    /// The same as the first of its flight, before there was a cookie: what a server that keeps state has seen before it.
    pub(crate) fn first(&self) -> Vec<u8> {
        let mut first = [&self.record[..self.start - 1], &[0], &self.record[self.end..]].concat();
        let body = first.len() - BODY;
        let length = u32::try_from(body).unwrap_or(0).to_be_bytes();
        first[5..11].fill(0);
        first[11..RECORD].copy_from_slice(&u16::try_from(body + HANDSHAKE).unwrap_or(0).to_be_bytes());
        first[RECORD + 1..RECORD + 4].copy_from_slice(&length[1..]);
        // message_seq and fragment_offset.
        first[RECORD + 4..RECORD + 9].fill(0);
        first[RECORD + 9..BODY].copy_from_slice(&length[1..]);
        first
    }
}

/// Octets of a cookie.
pub(crate) const COOKIE: usize = 32;
const REQUEST_BODY: usize = 3 + COOKIE;

/// The answer to a ClientHello without a cookie: a HelloVerifyRequest, `version | cookie <0..255>`. It bears the sequence number
/// of what it answers, so that a second one is no replay of the first, and the version of DTLS 1.0, as that section has it. It
/// is shorter than any ClientHello, so it amplifies nothing.
pub(crate) fn verify_request(hello: &Hello<'_>, cookie: &[u8; COOKIE]) -> [u8; BODY + REQUEST_BODY] {
    const LENGTH: u8 = REQUEST_BODY as u8;
    let mut request = [0; BODY + REQUEST_BODY];
    request[..3].copy_from_slice(&[22, 254, 255]);
    request[5..11].copy_from_slice(hello.sequence());
    request[12] = HANDSHAKE as u8 + LENGTH;
    (request[RECORD], request[RECORD + 3], request[BODY - 1]) = (HELLO_VERIFY_REQUEST, LENGTH, LENGTH);
    request[BODY..BODY + 3].copy_from_slice(&[254, 255, COOKIE as u8]);
    request[BODY + 3..].copy_from_slice(cookie);
    request
}

/// Why somebody cannot begin (RFC 5246 section 7.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alert {
    HandshakeFailure = 40,
    ProtocolVersion = 70,
}

/// A fatal alert in answer to a ClientHello: `level | description`. Its number is that of what it answers, which nothing that
/// was sent before it had: so a client takes it for no replay.
pub(crate) fn alert(hello: &Hello<'_>, why: Alert) -> [u8; RECORD + 2] {
    const FATAL: u8 = 2;
    let mut alert = [0; RECORD + 2];
    alert[..3].copy_from_slice(&[ALERT, 254, 255]);
    alert[5..11].copy_from_slice(hello.sequence());
    alert[12..].copy_from_slice(&[2, FATAL, why as u8]);
    alert
}

/// Adds to the sequence number of each record that is not encrypted.
pub(crate) fn renumber(datagram: &mut [u8], by: u64) {
    let mut left = datagram;
    while let Some((header, rest)) = left.split_at_mut_checked(RECORD) {
        if header[3..5] == [0, 0] {
            let sequence = number(&header[5..11]).wrapping_add(by).to_be_bytes();
            header[5..11].copy_from_slice(&sequence[2..]);
        }
        let length = rest.len().min(usize::from(u16::from_be_bytes([header[11], header[12]])));
        left = &mut rest[length..];
    }
}

pub(crate) fn number(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello with this cookie.
    fn hello(cookie: &[u8]) -> Vec<u8> {
        let mut body = vec![254, 253];
        body.extend([7; 32]);
        body.push(0);
        body.push(u8::try_from(cookie.len()).unwrap());
        body.extend(cookie);
        body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
        let length = u8::try_from(body.len()).unwrap();
        let mut datagram = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 5, 0, length + 12];
        datagram.extend([1, 0, 0, length, 0, 1, 0, 0, 0, 0, 0, length]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn what_a_client_says_first_is_found_again_behind_its_cookie() {
        let (with, without) = (hello(&[9; 20]), hello(&[]));
        let parsed = Hello::parse(&with).unwrap();
        assert_eq!(
            (parsed.cookie(), parsed.random, parsed.sequence()),
            (&[9; 20][..], [7; 32], &[0, 0, 0, 0, 0, 5][..])
        );
        let first = parsed.first();
        let again = Hello::parse(&first).unwrap();
        assert_eq!((again.cookie(), again.random, again.sequence()), (&[][..], [7; 32], &[0; 6][..]));
        assert_eq!(first[17..19], [0, 0], "message_seq");
        assert_eq!(first[25..], without[25..], "and all else is as it was");
        assert_eq!(Hello::parse(&without).unwrap().first(), first);
    }

    #[test]
    fn what_is_not_whole_is_none() {
        let whole = hello(&[1, 2, 3]);
        for cut in 0..whole.len() {
            assert!(Hello::parse(&whole[..cut]).is_none(), "{cut}");
        }
        for (at, octet) in [(0, 23), (4, 1), (13, 2), (16, 200), (21, 1), (24, 3), (59, 33), (60, 200)] {
            let mut other = whole.clone();
            other[at] = octet;
            assert!(Hello::parse(&other).is_none(), "octet {at}");
        }
    }

    #[test]
    fn a_request_bears_the_number_of_what_it_answers() {
        let hello = hello(&[]);
        let request = verify_request(&Hello::parse(&hello).unwrap(), &[0xaa; COOKIE]);
        let mut expected = vec![22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 5, 0, 47];
        expected.extend([3, 0, 0, 35, 0, 0, 0, 0, 0, 0, 0, 35, 254, 255, 32]);
        expected.extend([0xaa; COOKIE]);
        assert_eq!(request[..], expected);
        assert!(request.len() < hello.len());
    }

    #[test]
    fn an_alert_bears_the_number_of_what_it_answers_and_old_versions_are_known() {
        let mut hello = hello(&[]);
        let alert = alert(&Hello::parse(&hello).unwrap(), Alert::ProtocolVersion);
        assert_eq!(alert, [21, 254, 255, 0, 0, 0, 0, 0, 0, 0, 5, 0, 2, 2, 70]);
        // DTLS 1.2 and what is newer, DTLS 1.0 and what is none.
        for (version, old) in [([254, 253], false), ([254, 252], false), ([254, 255], true), ([3, 3], true)] {
            hello[25..27].copy_from_slice(&version);
            assert_eq!(Hello::parse(&hello).unwrap().is_too_old(), old, "{version:?}");
        }
    }

    #[test]
    fn plain_records_are_counted_on_and_others_left_alone() {
        let record = |epoch, number, body: &[u8]| {
            let mut record = vec![22, 254, 253, 0, epoch, 0, 0, 0, 0, 0, number, 0, body.len() as u8];
            record.extend(body);
            record
        };
        let mut datagram = [record(0, 1, b"hello"), record(0, 2, b""), record(1, 0, b"finished")].concat();
        renumber(&mut datagram, 5);
        assert_eq!(datagram, [record(0, 6, b"hello"), record(0, 7, b""), record(1, 0, b"finished")].concat());
        // One less, for a hello that bears the number 0; and what is cut short.
        let mut datagram = [record(0, 1, b"hello"), vec![22, 254, 253, 0, 0]].concat();
        renumber(&mut datagram, 0_u64.wrapping_sub(1));
        assert_eq!(datagram, [record(0, 0, b"hello"), vec![22, 254, 253, 0, 0]].concat());
    }
}
