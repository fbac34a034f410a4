//! RFC 7983 section 7, RFC 9443 section 2 and RFC 5761 section 4, over all first octets.

use ginnel_dtls_srtp::{Protocol, demux};

fn by_table(first: u8) -> Protocol {
    let table = [
        (0, 3, Protocol::Stun),
        (4, 15, Protocol::Unknown),
        (16, 19, Protocol::Zrtp),
        (20, 63, Protocol::Dtls),
        (64, 79, Protocol::TurnChannel),
        (80, 127, Protocol::Quic),
        (128, 191, Protocol::Rtp),
        (192, 255, Protocol::Quic),
    ];
    table.into_iter().find(|(low, high, _)| (*low..=*high).contains(&first)).unwrap().2
}

#[test]
fn all_first_octets_and_all_second_ones() {
    assert_eq!(demux(&[]), Protocol::Unknown);
    for first in 0..=255 {
        let expected = by_table(first);
        let alone = if expected == Protocol::Rtp { Protocol::Unknown } else { expected };
        assert_eq!(demux(&[first]), alone, "{first}");
        for second in 0..=255 {
            let rtcp = expected == Protocol::Rtp && (192..=223).contains(&second);
            let expected = if rtcp { Protocol::Rtcp } else { expected };
            assert_eq!(demux(&[first, second]), expected, "{first} {second}");
            assert_eq!(demux(&[first, second, 7, 7, 7]), expected);
        }
    }
}

#[test]
fn any_length() {
    let long = vec![22; 65_535];
    assert_eq!(demux(&long), Protocol::Dtls);
    assert_eq!(demux(&vec![0x80; 65_535]), Protocol::Rtp);
}
