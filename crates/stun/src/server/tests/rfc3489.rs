//! Clients that know no magic cookie (RFC 5389 section 12.2, RFC 8489 section 11).

use super::*;
use crate::{FingerprintPolicy, auth::AuthConfig};

/// A Binding request of 2003.
fn old() -> Vec<u8> {
    b"\x00\x01\x00\x00old!transactions".to_vec()
}
fn answering() -> BindingServer {
    BindingServer::new(ServerConfig::default().with_rfc3489(true), Seed::new([7; 32]))
}

#[test]
fn rfc5389_12_2_is_answered_with_mapped_address_and_its_own_transaction_id() {
    let (handled, octets) = ask(&mut answering(), path(), &old());
    assert!(matches!(handled, Handled::Send(transmit) if transmit.path == path()));
    assert_eq!(octets[..20], *b"\x01\x01\x00\x0cold!transactions");
    let answer = Message::parse_or_rfc3489(&octets).unwrap();
    assert_eq!(answer.get(), Ok(Some(MappedAddress(path().remote))));
    assert_eq!(answer.attributes().count(), 1);
}

#[test]
fn sec_10_without_the_cookie_nobody_is_answered_unless_it_is_asked_for() {
    foreign(&old());
    for config in [
        ServerConfig::default().with_rfc3489(true).with_fingerprint(FingerprintPolicy::Required),
        ServerConfig::default(),
    ] {
        let mut server = BindingServer::new(config, Seed::new([7; 32]));
        assert_eq!(ask(&mut server, path(), &old()).0, Handled::Foreign);
    }
    // RFC 3489 knew only UDP.
    let tcp = Path { transport: Transport::Tcp, ..path() };
    assert_eq!(ask(&mut answering(), tcp, &old()).0, Handled::Foreign);
    // Nor is noise, nor another method or class, taken for it.
    for octets in [
        &b"\x00\x03\x00\x00old!transactions"[..],
        b"\x01\x01\x00\x00old!transactions",
        b"\x00\x01\x00\x04old!transactions",
    ] {
        let (handled, after) = ask(&mut answering(), path(), octets);
        assert_eq!((handled, &after[..]), (Handled::Foreign, octets));
    }
    let closed = ServerConfig::default().with_rfc3489(true).with_credentials(Some(AuthConfig::short_term()));
    let mut closed = BindingServer::new(closed, Seed::new([7; 32]));
    assert_eq!(ask(&mut closed, path(), &old()).0, Handled::Consumed, "it has no credentials to show");
}

#[test]
fn rfc3489_unknown_attributes_are_listed_in_even_number() {
    let mut octets = old();
    octets[3] = 8;
    octets.extend(b"\x00\x03\x00\x04\x00\x00\x00\x06"); // CHANGE-REQUEST
    let (_, octets) = ask(&mut answering(), path(), &octets);
    let answer = Message::parse_or_rfc3489(&octets).unwrap();
    assert_eq!(answer.get::<ErrorCode<'_>>().unwrap().unwrap().code(), 420);
    let listed: Vec<_> = answer.get::<UnknownAttributes<'_>>().unwrap().unwrap().iter().collect();
    assert_eq!(listed, [AttributeType::CHANGE_REQUEST; 2]);
}

#[test]
fn rfc8489_11_over_dtls_a_request_without_the_cookie_gets_a_500_and_an_indication_nothing() {
    let dtls = Path { transport: Transport::Dtls, ..path() };
    for mut server in [answering(), super::server()] {
        let (handled, octets) = ask(&mut server, dtls, &old());
        assert!(matches!(handled, Handled::Send(transmit) if transmit.path == dtls));
        let answer = Message::parse_or_rfc3489(&octets).unwrap();
        assert_eq!(answer.get::<ErrorCode<'_>>().unwrap().unwrap().code(), 500);
        let mut indication = old();
        indication[1] = 0x11;
        assert_eq!(ask(&mut server, dtls, &indication).0, Handled::Consumed);
        assert_eq!((server.stats().rfc3489_over_dtls, server.stats().indications), (1, 1));
    }
}
