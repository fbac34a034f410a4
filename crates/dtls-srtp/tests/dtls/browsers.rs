//! ClientHellos as Chromium and Firefox send them: with X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem) more than 1,400 octets, in
//! two handshake fragments, in two datagrams.

use super::pair::*;
use ginnel_dtls_srtp::dtls::{Event, Versions};

/// Cuts the one handshake message in a datagram in two, each in a record and a datagram of its own (RFC 9147 section 5.5).
fn split(datagram: &[u8]) -> Option<[Vec<u8>; 2]> {
    let content = datagram.get(13..)?;
    let (head, body) = content.split_at_checked(12)?;
    let declared = usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
    if datagram[0] != 22 || head[0] != 1 || declared != content.len() {
        return None;
    }
    let cut = body.len() * 3 / 4;
    let fragment = |number: u8, offset: usize, part: &[u8]| {
        let mut record = datagram[..10].to_vec();
        record.push(datagram[10].wrapping_mul(2).wrapping_add(number));
        record.extend(((12 + part.len()) as u16).to_be_bytes());
        record.extend(&head[..6]);
        record.extend(&(offset as u32).to_be_bytes()[1..]);
        record.extend(&(part.len() as u32).to_be_bytes()[1..]);
        record.extend(part);
        record
    };
    Some([fragment(0, 0, &body[..cut]), fragment(1, cut, &body[cut..])])
}

#[test]
fn hello_in_two_datagrams() {
    for client in [Versions::Auto, Versions::Dtls12, Versions::Dtls13] {
        for server in [Versions::Auto, client] {
            for (swapped, cookie, lost) in
                [(false, false, 0), (true, false, 0), (false, true, 0), (false, false, 1), (false, false, 2)]
            {
                let what =
                    format!("{client:?} to {server:?}, swapped {swapped}, cookie {cookie}, lost {lost}");
                let mut pair = Pair::new(
                    client_config().with_versions(client),
                    server_config().with_versions(server).with_cookie(cookie),
                );
                let mut hellos = 0;
                let done = pair.run_until(
                    ms(20_000),
                    &mut |from, datagram| match split(&datagram) {
                        Some(mut parts) if from == From::Client => {
                            hellos += 1;
                            if swapped {
                                parts.swap(0, 1);
                            }
                            let first = hellos == 1;
                            let parts = parts.into_iter().enumerate();
                            parts.filter(|(i, _)| !(first && i + 1 == lost)).map(|(_, part)| part).collect()
                        }
                        _ => vec![datagram],
                    },
                    Pair::both_connected,
                );
                assert!(hellos > 0, "{what}");
                assert!(done, "{what}: {:?} {:?}", pair.client.events, pair.server.events);
                pair.exchange();
            }
        }
    }
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut extension = kind.to_be_bytes().to_vec();
    extension.extend((content.len() as u16).to_be_bytes());
    extension.extend(content);
    extension
}
fn with_len16(content: &[u8]) -> Vec<u8> {
    let mut all = (content.len() as u16).to_be_bytes().to_vec();
    all.extend(content);
    all
}
/// A ClientHello of the shape that browsers send: GREASE, suites that we lack, the post-quantum share first.
fn browser_hello(offers_13: bool) -> Vec<u8> {
    let mut key_shares = Vec::new();
    for (group, share) in [(0x11EC_u16, vec![0xA5; 1216]), (0x001D, [9].into_iter().chain([0; 31]).collect())]
    {
        key_shares.extend(group.to_be_bytes());
        key_shares.extend(with_len16(&share));
    }
    let mut extensions = Vec::new();
    extensions.extend(extension(0x0017, &[]));
    extensions.extend(extension(0xFF01, &[0]));
    extensions.extend(extension(0x000A, &with_len16(&[0x11, 0xEC, 0, 0x1D, 0, 0x17, 0, 0x18])));
    extensions.extend(extension(0x000B, &[1, 0]));
    extensions.extend(extension(0x0023, &[]));
    extensions
        .extend(extension(0x000D, &with_len16(&[4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1, 2, 1])));
    extensions.extend(extension(0x000E, &[0, 8, 0, 1, 0, 8, 0, 7, 0, 2, 0]));
    if offers_13 {
        extensions.extend(extension(0x0033, &with_len16(&key_shares)));
        extensions.extend(extension(0x002D, &[1, 1]));
        extensions.extend(extension(0x002B, &[4, 0xFE, 0xFC, 0xFE, 0xFD]));
    } else {
        extensions.extend(extension(0x0015, &[0; 1300]));
    }
    let mut body = vec![0xFE, 0xFD];
    body.extend([0x42; 32]);
    body.extend([0, 0]);
    body.extend(with_len16(&[
        0x13, 1, 0x13, 2, 0x13, 3, 0xC0, 0x2B, 0xC0, 0x2F, 0xCC, 0xA9, 0xCC, 0xA8, 0xC0, 9, 0xC0, 0x13, 0xC0,
        0x0A, 0xC0, 0x14, 0, 0x9C, 0, 0x2F, 0, 0x35,
    ]));
    body.extend([1, 0]);
    body.extend(with_len16(&extensions));
    let mut message = vec![1];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend([0, 0, 0, 0, 0]);
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    let mut datagram = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0];
    datagram.extend(with_len16(&message));
    datagram
}

/// The server answers it with a ServerHello of the right version.
#[test]
fn post_quantum_hello_is_answered() {
    for (offers_13, server, expected_13) in [
        (true, Versions::Auto, true),
        (true, Versions::Dtls13, true),
        (true, Versions::Dtls12, false),
        (false, Versions::Auto, false),
        (false, Versions::Dtls12, false),
    ] {
        let hello = browser_hello(offers_13);
        assert!(hello.len() > 1_300);
        let mut side = Pair::new(client_config(), server_config().with_versions(server)).server;
        for part in split(&hello).unwrap() {
            let _ = side.receive(start(), &part);
        }
        let flight = side.settle(start());
        assert_eq!(side.events, Vec::<Event>::new());
        let first = flight.first().unwrap_or_else(|| panic!("{offers_13} {server:?}: no answer"));
        assert_eq!((first[0], first[13]), (22, 2), "a ServerHello");
        let is_13 = first.windows(6).any(|window| window == [0, 0x2B, 0, 2, 0xFE, 0xFC]);
        assert_eq!(is_13, expected_13, "{offers_13} {server:?}");
    }
}
