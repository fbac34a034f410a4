//! RFC 5780 section 6.

use super::*;
use crate::{DiscoveryAddresses, DiscoveryAddressesError, DiscoverySupport};

const A1P1: &str = "198.51.100.1:3478";
const A1P2: &str = "198.51.100.1:3479";
const A2P1: &str = "198.51.100.2:3478";
const A2P2: &str = "198.51.100.2:3479";

fn addresses() -> DiscoveryAddresses {
    DiscoveryAddresses::new(A1P1.parse().unwrap(), A2P2.parse().unwrap()).unwrap()
}
fn with(discovery: DiscoverySupport) -> BindingServer {
    BindingServer::new(ServerConfig::default().with_discovery(discovery), Seed::new([7; 32]))
}
fn four() -> BindingServer {
    with(DiscoverySupport::TwoAddresses(addresses()))
}
fn to(local: &str) -> Path {
    Path { local: local.parse().unwrap(), ..path() }
}
fn change(ip: bool, port: bool) -> ByHand {
    let flags = u8::from(ip) << 2 | u8::from(port) << 1;
    ByHand::binding().with(AttributeType::CHANGE_REQUEST, &[0, 0, 0, flags])
}
fn sent(server: &mut BindingServer, path: Path, octets: &[u8]) -> (Path, Vec<u8>) {
    match ask(server, path, octets) {
        (Handled::Send(transmit), answer) => (transmit.path, answer),
        (other, _) => panic!("no answer but {other:?}"),
    }
}
fn code(octets: &[u8]) -> Option<u16> {
    Message::parse(octets).unwrap().get::<ErrorCode<'_>>().unwrap().map(|error| error.code())
}

/// RFC 5780 section 6.1, table 1, from each of the four.
#[test]
fn rfc5780_6_1_change_request_chooses_the_socket() {
    for (asked, port, ip, both) in [
        (A1P1, A1P2, A2P1, A2P2),
        (A1P2, A1P1, A2P2, A2P1),
        (A2P1, A2P2, A1P1, A1P2),
        (A2P2, A2P1, A1P2, A1P1),
    ] {
        for (request, from) in [
            (ByHand::binding(), asked),
            (change(false, false), asked),
            (change(false, true), port),
            (change(true, false), ip),
            (change(true, true), both),
        ] {
            let (path, octets) = sent(&mut four(), to(asked), &request.octets());
            assert_eq!(path, to(from));
            let answer = Message::parse(&octets).unwrap();
            assert_eq!(answer.get(), Ok(Some(XorMappedAddress(path.remote))));
            assert_eq!(answer.get(), Ok(Some(MappedAddress(path.remote))));
            assert_eq!(answer.get(), Ok(Some(ResponseOrigin(from.parse().unwrap()))));
            // "regardless of the value of the CHANGE-REQUEST flags".
            assert_eq!(answer.get(), Ok(Some(OtherAddress(both.parse().unwrap()))));
            assert_eq!(answer.attributes().count(), 4);
        }
    }
}

#[test]
fn rfc5780_6_with_one_address_there_is_no_other_and_change_request_is_unknown() {
    // A server whose driver hears on a fifth address has no alternate for that one either.
    let elsewhere = to("198.51.100.3:3478");
    for (mut server, path) in [(with(DiscoverySupport::OneAddress), to(A1P1)), (four(), elsewhere)] {
        let (_, octets) = sent(&mut server, path, &ByHand::binding().octets());
        let answer = Message::parse(&octets).unwrap();
        assert_eq!(answer.get(), Ok(Some(ResponseOrigin(path.local))));
        assert!(answer.has(AttributeType::MAPPED_ADDRESS) && !answer.has(AttributeType::OTHER_ADDRESS));
        for flags in [false, true] {
            let (back, octets) = sent(&mut server, path, &change(flags, flags).octets());
            assert_eq!((back, code(&octets)), (path, Some(420)));
        }
    }
}

#[test]
fn a_plain_server_knows_none_of_it() {
    for kind in [AttributeType::CHANGE_REQUEST, AttributeType::RESPONSE_PORT, AttributeType::PADDING] {
        let octets = ByHand::binding().with(kind, &[0, 0, 0, 0]).octets();
        assert_eq!(code(&sent(&mut server(), to(A1P1), &octets).1), Some(420));
    }
}

#[test]
fn rfc5780_7_5_response_port_sends_the_answer_there_and_says_where_it_was_asked_from() {
    let octets = ByHand::binding().with(AttributeType::RESPONSE_PORT, &[0x1F, 0x90, 0, 0]).octets();
    let (path, octets) = sent(&mut four(), to(A1P1), &octets);
    assert_eq!(path, Path { remote: "192.0.2.1:8080".parse().unwrap(), ..to(A1P1) });
    let answer = Message::parse(&octets).unwrap();
    assert_eq!(answer.get(), Ok(Some(XorMappedAddress(to(A1P1).remote))));
    // An error goes to who asked.
    let zero = ByHand::binding().with(AttributeType::RESPONSE_PORT, &[0, 0, 0, 0]).octets();
    let (path, octets) = sent(&mut four(), to(A1P1), &zero);
    assert_eq!((path, code(&octets)), (to(A1P1), Some(400)));
    let config =
        ServerConfig::default().with_discovery(DiscoverySupport::OneAddress).with_response_port(false);
    let mut without = BindingServer::new(config, Seed::new([7; 32]));
    let octets = ByHand::binding().with(AttributeType::RESPONSE_PORT, &[0x1F, 0x90, 0, 0]).octets();
    assert_eq!(code(&sent(&mut without, to(A1P1), &octets).1), Some(420));
}

#[test]
fn rfc5780_6_1_response_port_and_padding_together_are_a_bad_request() {
    let octets = ByHand::binding()
        .with(AttributeType::RESPONSE_PORT, &[0x1F, 0x90, 0, 0])
        .with(AttributeType::PADDING, &[0; 8])
        .octets();
    assert_eq!(code(&sent(&mut four(), to(A1P1), &octets).1), Some(400));
}

#[test]
fn rfc5780_7_6_padding_is_answered_with_padding_up_to_the_mtu_and_no_more_than_came() {
    for (mtu, came, want) in [
        (1500, 1500, 1500),
        (1500, 0, 0),
        (1500, 5, 4),
        (1500, 100, 100),
        (1280, 1500, 1280),
        (1281, 1500, 1284),
    ] {
        let config = ServerConfig::default().with_discovery(DiscoverySupport::OneAddress).with_padding(mtu);
        let mut server = BindingServer::new(config, Seed::new([7; 32]));
        let padding = std::vec![0xAB; came];
        let octets = ByHand::binding().with(AttributeType::PADDING, &padding).octets();
        let (_, octets) = sent(&mut server, to(A1P1), &octets);
        let answer = Message::parse(&octets).unwrap();
        assert_eq!(answer.get(), Ok(Some(Padding { octets: want })), "{mtu} {came}");
    }
}

/// The contract promises only so much room around what was received: padding is what gives way.
#[test]
fn padding_gives_way_where_there_is_no_room() {
    let octets = ByHand::binding().with(AttributeType::PADDING, &[0; 500]).octets();
    let mut buffer = [0; HEADROOM + ANSWER];
    let end = buffer.len();
    buffer[end - octets.len()..].copy_from_slice(&octets);
    let packet = Packet::received(&mut buffer, end - octets.len()..end).unwrap();
    let mut input = Receive::new(to(A1P1), packet);
    assert!(matches!(four().handle_input(Instant::EPOCH, &mut input), Handled::Send(_)));
    let answer = Message::parse(input.packet.bytes()).unwrap();
    let Padding { octets } = answer.get().unwrap().unwrap();
    assert!((300..500).contains(&octets), "{octets}");
}

#[test]
fn rfc5780_3_over_a_stream_no_answer_takes_another_way() {
    let tcp = Path { transport: Transport::Tcp, ..to(A1P1) };
    let (path, octets) = sent(&mut four(), tcp, &ByHand::binding().octets());
    assert_eq!(path, tcp);
    assert!(Message::parse(&octets).unwrap().has(AttributeType::OTHER_ADDRESS));
    let port = ByHand::binding().with(AttributeType::RESPONSE_PORT, &[0x1F, 0x90, 0, 0]);
    for request in [change(true, true), port] {
        let (path, octets) = sent(&mut four(), tcp, &request.octets());
        assert_eq!((path, code(&octets)), (tcp, Some(420)));
    }
}

#[test]
fn malformed_attributes_of_discovery_are_a_bad_request() {
    for (kind, value) in [
        (AttributeType::CHANGE_REQUEST, &b""[..]),
        (AttributeType::CHANGE_REQUEST, b"12345678"),
        (AttributeType::RESPONSE_PORT, b"1"),
    ] {
        let octets = ByHand::binding().with(kind, value).octets();
        assert_eq!(code(&sent(&mut four(), to(A1P1), &octets).1), Some(400));
    }
}

#[test]
fn nonsense_cannot_be_configured() {
    use DiscoveryAddressesError as Error;
    for (a, b, want) in [
        (A1P1, A1P2, Error::SameIp),
        (A1P1, A2P1, Error::SamePort),
        (A1P1, A1P1, Error::SameIp),
        (A1P1, "[2001:db8::1]:3479", Error::Families),
        (A1P1, "198.51.100.2:0", Error::Unusable),
        ("0.0.0.0:3478", A2P2, Error::Unusable),
        ("[::]:3478", "[2001:db8::1]:3479", Error::Unusable),
        (A1P1, "224.0.0.1:3479", Error::Unusable),
    ] {
        assert_eq!(DiscoveryAddresses::new(a.parse().unwrap(), b.parse().unwrap()), Err(want), "{a} {b}");
    }
    assert_eq!(addresses().all(), [A1P1, A1P2, A2P1, A2P2].map(|it| it.parse().unwrap()));
}
