//! RFC 8656 sections 7.1, 7.3 and 7.4.

use ginnel_core::{Packet, Path, Port, Request, Transport};
use ginnel_stun::Method;

use super::world::*;
use crate::client::{Event, Relayed};

#[test]
fn a_datagram_relay_end_to_end() {
    let mut world = World::new(config());
    assert!(matches!(world.requests[..], [Request::Bind { port: Port::Any, .. }]));
    let [Event::Allocated(given)] = world.events()[..] else { panic!("no allocation") };
    assert_eq!(given.relayed.ipv4, Some(addr("203.0.113.1:49154")));
    assert_eq!((given.mapped, given.lifetime), (given.path.local, secs(600)));
    // A permission, an indication, a channel, ChannelData, and back.
    world.command(|client, now| client.permit(now, addr("203.0.113.9:1").ip())).unwrap();
    assert_eq!(world.events(), [Event::PermissionReady { ip: addr("203.0.113.9:1").ip() }]);
    world.send("203.0.113.9:9", b"ping").unwrap();
    assert_eq!(world.relay.relayed, [(addr("203.0.113.9:9"), b"ping".to_vec(), false)]);
    assert!(world.from_peer("203.0.113.9:9", b"pong"));
    let back = Path::new(Transport::Udp, given.relayed.ipv4.unwrap(), addr("203.0.113.9:9"));
    assert_eq!(world.data, [(back, b"pong".to_vec(), Relayed::Datagram { channel: None })]);
    world.command(|client, now| client.bind_channel(now, addr("203.0.113.9:9"))).unwrap();
    let [Event::ChannelBound { channel, .. }] = world.events()[..] else { panic!("no channel") };
    world.send("203.0.113.9:9", b"hello").unwrap();
    assert_eq!(world.sent.last().unwrap().2, b"\x40\x00\x00\x05hello");
    assert!(world.from_peer("203.0.113.9:9", b""));
    assert_eq!(world.data[1], (back, Vec::new(), Relayed::Datagram { channel: Some(channel) }));
    // A day later all of it is still there.
    world.run_for(secs(86_400));
    world.send("203.0.113.9:9", b"later").unwrap();
    assert_eq!(world.relay.relayed.len(), 3);
    world.client.get_mut().close(world.now);
    world.settle();
    assert!(world.relay.held.is_empty() && world.client.get().is_closed());
    assert_eq!(world.events().last(), Some(&Event::Closed));
    assert_eq!((world.relay.broken, world.asked(Method::ALLOCATE).len()), (0, 1));
    let mut buffer = [0; 2048];
    assert!(world.client.get_mut().poll_transmit(world.now, &mut Packet::empty(&mut buffer)).is_none());
}
