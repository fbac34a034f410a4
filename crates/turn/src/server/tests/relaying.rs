//! The data path, both ways.

use ginnel_core::Path;

use super::rig::*;

const PEER: &str = "203.0.113.9:7000";

#[test]
fn data_goes_both_ways_by_indications_and_by_channels() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    assert_eq!(rig.world.open, [relayed]);
    let to_peer = Path::udp(relayed, addr(PEER));
    // Nobody is permitted yet.
    let send = client.send_indication(addr(PEER), b"early");
    assert_eq!(rig.receive(client.path, &send), Out::Nothing);
    assert_eq!(rig.receive(to_peer, b"early"), Out::Nothing);
    assert_eq!(client.permit(&mut rig, PEER), 0);
    // RFC 8656 section 11.
    let send = client.send_indication(addr(PEER), b"hello");
    let (transmit, octets) = rig.receive(client.path, &send).sent();
    assert_eq!((transmit.path, octets.as_slice(), transmit.dont_fragment), (to_peer, &b"hello"[..], false));
    let (transmit, octets) = rig.receive(to_peer, b"there").sent();
    assert_eq!((transmit.path, read_data(&octets)), (client.path, (addr(PEER), b"there".to_vec())));
    // RFC 8656 section 12.
    assert_eq!(client.bind(&mut rig, 0x4001, PEER), 0);
    let (transmit, octets) = rig.receive(client.path, &channel_data(0x4001, b"ping")).sent();
    assert_eq!((transmit.path, octets.as_slice()), (to_peer, &b"ping"[..]));
    let (transmit, octets) = rig.receive(to_peer, b"pong").sent();
    assert_eq!((transmit.path, octets), (client.path, channel_data(0x4001, b"pong")));
    let stats = rig.server.get().allocations(rig.now).next().unwrap().stats;
    assert_eq!((stats.to_peers.packets, stats.to_peers.octets), (2, 9));
    assert_eq!((stats.to_client.packets, stats.to_client.octets, stats.dropped), (2, 9, 2));
}
