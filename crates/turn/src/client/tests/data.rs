//! The data path (RFC 8656 sections 11 and 12.5 to 12.6; SECURITY.md, cases 30, 31 and 33).

use ginnel_core::{HEADROOM, Handled, IcmpError, Packet, Path, Receive};
use ginnel_stun::{
    Message, Method,
    attribute::{self, AttributeType, Icmp, Priority, XorPeerAddress},
};

use super::world::*;
use crate::client::{Event, Families, Relayed, SendError, fuzz::relay::indication};

/// One with a permission for 203.0.113.9, and a channel for 203.0.113.8:8.
fn ready() -> World {
    let mut world = World::allocated(config().with_dont_fragment(true));
    world.command(|client, now| client.permit(now, addr("203.0.113.9:1").ip())).unwrap();
    world.command(|client, now| client.bind_channel(now, addr("203.0.113.8:8"))).unwrap();
    world.events();
    world
}

#[test]
fn rfc8656_11_1_indications_of_every_length_are_what_the_writer_would_have_written() {
    let mut world = World::with(config().with_families(Families::Both), |relay| relay.gives.ipv6 = true);
    for peer in ["203.0.113.9:9", "[2001:db8::9]:9"] {
        world.command(|client, now| client.permit(now, addr(peer).ip())).unwrap();
        for len in [0, 1, 2, 3, 4, 5, 1200] {
            let data = vec![7; len];
            world.send(peer, &data).unwrap();
            let octets = &world.sent.last().unwrap().2;
            let message = Message::parse(octets).unwrap();
            assert_eq!(message.method(), Method::SEND);
            assert_eq!(message.get().unwrap(), Some(XorPeerAddress(addr(peer))));
            assert_eq!(message.get().unwrap(), Some(attribute::Data(&data)));
            assert_eq!(
                octets[octets.len() - (len.next_multiple_of(4) - len)..],
                [0; 3][..len.next_multiple_of(4) - len]
            );
            assert_eq!(world.relay.relayed.pop(), Some((addr(peer), data, false)));
        }
    }
}

#[test]
fn rfc8656_11_1_unfragmented_data_goes_in_indications_with_dont_fragment() {
    let mut world = ready();
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(b"whole").unwrap();
    // Even where there is a channel, which has no room to say so.
    let peer = addr("203.0.113.8:8");
    let transmit = world.client.get_mut().send_unfragmented(world.now, peer, &mut packet).unwrap();
    world.relay.handle(world.now, transmit.path, &mut packet);
    assert_eq!(world.relay.relayed, [(peer, b"whole".to_vec(), true)]);
    let mut other = World::allocated(config());
    packet.write(b"whole").unwrap();
    let refused = other.client.get_mut().send_unfragmented(other.now, peer, &mut packet);
    assert_eq!(refused, Err(SendError::NoDontFragment));
}

#[test]
fn rfc8656_11_1_nothing_is_sent_without_a_permission_and_a_refused_packet_is_unchanged() {
    let mut world = World::dead(config());
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(b"data").unwrap();
    let mut send = |world: &mut World, peer: &str, why| {
        let refused = world.client.get_mut().send(world.now, addr(peer), &mut packet);
        assert_eq!((refused, packet.bytes(), packet.has_room(HEADROOM, 0)), (Err(why), &b"data"[..], true));
    };
    send(&mut world, "203.0.113.9:9", SendError::NotAllocated);
    let mut world = World::allocated(config());
    send(&mut world, "203.0.113.9:9", SendError::NotPermitted);
    send(&mut world, "[2001:db8::9]:9", SendError::WrongFamily);
    world.cut = true;
    world.command(|client, now| client.permit(now, addr("203.0.113.9:9").ip())).unwrap();
    send(&mut world, "203.0.113.9:9", SendError::Pending);
    // Without room in front.
    let mut world = ready();
    let mut packet = Packet::received(&mut buffer, 10..14).unwrap();
    let before = packet.bytes().to_vec();
    let refused = world.client.get_mut().send(world.now, addr("203.0.113.9:9"), &mut packet);
    assert_eq!((refused, packet.bytes()), (Err(SendError::NoRoom), &before[..]));
    assert!(
        world.client.get_mut().send(world.now, addr("203.0.113.8:8"), &mut packet).is_ok(),
        "four are enough"
    );
    let mut large = vec![0; 70_000];
    let mut packet = Packet::received(&mut large, 100..66_000).unwrap();
    for peer in ["203.0.113.9:9", "203.0.113.8:8"] {
        let refused = world.client.get_mut().send(world.now, addr(peer), &mut packet);
        assert_eq!((refused, packet.len()), (Err(SendError::NoRoom), 65_900), "{peer}");
    }
}

#[test]
fn sec_30_data_of_peers_without_a_permission_is_dropped() {
    let mut world = ready();
    let path = world.path();
    let data = |peer: &str| {
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let peer = XorPeerAddress(addr(peer));
        assert!(indication(&mut packet, Method::DATA, |open| {
            open.attribute(&peer)?.attribute(&attribute::Data(b"data"))
        }));
        packet.bytes().to_vec()
    };
    // Per address, and not per port; the server may be tricked, or lie.
    assert!(matches!(world.octets(path, &data("203.0.113.9:1234")), Handled::Data(_)));
    assert_eq!(world.octets(path, &data("203.0.113.77:9")), Handled::Consumed);
    assert_eq!(world.octets(path, &data("[2001:db8::9]:9")), Handled::Consumed);
    assert_eq!(world.client.get().stats().not_permitted, 2);
    world.command(|client, now| client.forget(now, addr("203.0.113.9:1").ip()));
    world.command(|client, now| client.forget(now, addr("203.0.113.8:1").ip()));
    world.run_for(secs(301));
    assert_eq!(world.octets(path, &data("203.0.113.9:1234")), Handled::Consumed, "it has expired");
    // The channel lives on, the permission does not (RFC 8656 section 12.6).
    assert_eq!(world.octets(path, b"\x40\x00\x00\x01x"), Handled::Consumed);
    assert_eq!(world.client.get().stats().not_permitted, 4);
}

#[test]
fn sec_31_channel_data_that_is_unbound_or_lies_about_its_length_is_dropped() {
    let mut world = ready();
    let path = world.path();
    assert!(matches!(world.octets(path, b"\x40\x00\x00\x01x"), Handled::Data(_)));
    for bad in [&b"\x40\x01\x00\x01x"[..], b"\x4f\xff\x00\x01x", b"\x40\x00\x00\x02x", b"\x40\x00", b"\x40"] {
        assert_eq!(world.octets(path, bad), Handled::Consumed, "{bad:?}");
    }
    assert_eq!(world.client.get().stats().bad_channel, 5);
    // What is reserved, or is another protocol's, is somebody else's.
    for other in [&b"\x50\x00\x00\x01x"[..], b"\x80\x00\x00\x01x", b"\x16\xfe\xfd\x00", b"", b"\x04"] {
        assert_eq!(world.octets(path, other), Handled::Foreign, "{other:?}");
    }
    // From anywhere else, too.
    let elsewhere = Path { remote: addr("192.0.2.99:3478"), ..path };
    assert_eq!(world.octets(elsewhere, b"\x40\x00\x00\x01x"), Handled::Foreign);
}

#[test]
fn rfc8656_12_a_channel_is_heard_before_its_answer_is_there() {
    let mut world = World::allocated(config());
    world.cut = true;
    world.command(|client, now| client.bind_channel(now, addr("203.0.113.8:8"))).unwrap();
    let path = world.path();
    let handled = world.octets(path, b"\x40\x00\x00\x05early");
    assert!(matches!(handled, Handled::Data(Relayed::Datagram { channel: Some(_) })), "{handled:?}");
    assert_eq!(world.data[0].0.remote, addr("203.0.113.8:8"));
}

#[test]
fn rfc8656_11_4_indications_that_lack_something_are_dropped() {
    let mut world = ready();
    let path = world.path();
    let peer = XorPeerAddress(addr("203.0.113.9:9"));
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    assert!(indication(&mut packet, Method::DATA, |open| open.attribute(&attribute::Data(b"x"))));
    assert_eq!(world.octets(path, packet.bytes()), Handled::Consumed, "no peer");
    assert!(indication(&mut packet, Method::DATA, |open| open.attribute(&peer)));
    assert_eq!(world.octets(path, packet.bytes()), Handled::Consumed, "neither DATA nor ICMP");
    assert!(indication(&mut packet, Method::DATA, |open| {
        open.attribute(&peer)?.attribute(&attribute::Data(b"x"))?.attribute(&Priority(1))
    }));
    assert_eq!(world.octets(path, packet.bytes()), Handled::Consumed, "not understood");
    assert_eq!(world.client.get().stats().bad_indication, 3);
    // Empty data is data, and of two peers the first counts.
    let second = XorPeerAddress(addr("203.0.113.77:9"));
    assert!(indication(&mut packet, Method::DATA, |open| {
        open.attribute(&peer)?.attribute(&second)?.attribute(&attribute::Data(b""))
    }));
    assert!(matches!(world.octets(path, packet.bytes()), Handled::Data(_)));
    assert_eq!(world.data[0].0.remote, addr("203.0.113.9:9"));
    // Not the client's: another method, a request, octets without the cookie.
    assert!(indication(&mut packet, Method::BINDING, |open| Ok(open)));
    assert_eq!(world.octets(path, packet.bytes()), Handled::Foreign);
    assert_eq!(world.octets(path, b"\x00\x17\x00\x00only-sixteen-oct"), Handled::Foreign);
    packet.bytes_mut()[3] = 1;
    assert_eq!(world.octets(path, packet.bytes()), Handled::Consumed, "with the cookie, and malformed");
}

#[test]
fn rfc8656_11_6_icmp_is_told_of_permitted_peers_and_is_bounded() {
    let mut world = ready();
    let path = world.path();
    let tell = |world: &mut World, peer: &str, icmp: Icmp| {
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let peer = XorPeerAddress(addr(peer));
        assert!(indication(&mut packet, Method::DATA, |open| open.attribute(&peer)?.attribute(&icmp)));
        let mut input = Receive::new(path, packet);
        ginnel_core::Machine::handle_input(&mut world.client, world.now, &mut input)
    };
    let too_big = Icmp { kind: 3, code: 4, data: 1300 };
    assert_eq!(tell(&mut world, "203.0.113.9:0", too_big), Handled::Consumed);
    assert_eq!(tell(&mut world, "203.0.113.77:9", too_big), Handled::Consumed);
    world.settle();
    let error = IcmpError::v4(3, 4, 1300);
    assert_eq!(world.events(), [Event::IcmpError { peer: addr("203.0.113.9:0"), error }]);
    for _ in 0..1000 {
        assert_eq!(tell(&mut world, "203.0.113.8:8", too_big), Handled::Consumed);
    }
    world.settle();
    assert_eq!((world.events().len(), world.client.get().stats().untold), (64, 936));
}

#[test]
fn an_answer_that_nobody_waits_for_and_others_answers_are_left_alone() {
    let mut world = ready();
    let path = world.path();
    assert_eq!(world.octets(path, b"\x01\x03\x00\x00\x21\x12\xa4\x42transactions"), Handled::Foreign);
    let types = [AttributeType::DATA, AttributeType::XOR_PEER_ADDRESS];
    assert!(types.iter().all(|it| it.is_comprehension_required()));
    world.command(|client, now| client.close(now));
    assert_eq!(world.octets(path, b"\x40\x00\x00\x01x"), Handled::Foreign, "closed");
}
