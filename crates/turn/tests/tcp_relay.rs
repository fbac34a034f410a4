//! RFC 6062 with both its halves: our client, our server and a peer, over simulated TCP.

mod support;

use std::net::SocketAddr;

use ginnel_core::Request;
use ginnel_netsim::{Link, NodeId};
use ginnel_turn::client::{Client, Connection, Event, FailureReason, RelayTransport, TurnServer};
use support::*;

/// A client with a TCP allocation, and its relayed address.
fn allocated(world: &mut World) -> (NodeId<Client>, SocketAddr) {
    let server = TurnServer::tcp(addr(SERVER));
    let client = world.client(server, |config| config.with_relay(RelayTransport::Tcp));
    let relayed = world.expect(client, "allocation", ms(10_000), |event| match event {
        Event::Allocated(allocated) => allocated.relayed.ipv4,
        _ => None,
    });
    (client, relayed)
}
fn connected(world: &mut World, client: NodeId<Client>) -> Connection {
    world.sim.with(client, |client, now| client.connect(now, addr(PEER))).unwrap();
    world.expect(client, "connection", ms(10_000), |event| match event {
        Event::Connected { connection, peer } if *peer == addr(PEER) => Some(*connection),
        _ => None,
    })
}
fn say(world: &mut World, client: NodeId<Client>, connection: Connection, octets: &[u8]) {
    world
        .sim
        .send(client, octets, |client, now, packet| client.send_octets(now, connection, packet))
        .unwrap();
}
fn world(scenario: &str) -> World {
    World::new(scenario, 1, Link::new(ms(20)))
}

#[test]
fn what_a_client_sends_through_a_tcp_relay_comes_back() {
    let mut world = world("TCP through a relay and back");
    let peer = world.peer(true);
    let (client, _) = allocated(&mut world);
    let connection = connected(&mut world, client);
    say(&mut world, client, connection, b"GET / HTTP/1.0\r\n\r\n");
    world.sim.run_for(ms(1_000));
    assert_eq!(world.heard(client), b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(world.sim.get(peer).streams.len(), 1);
    // RFC 6062 section 3: the peer sees the relayed address.
    let stats = world.sim.get(world.server).server.stats();
    assert_eq!((stats.tcp.connected, stats.tcp.bound), (1, 1));
}

#[test]
fn octets_that_look_like_messages_pass_as_they_are_in_any_number() {
    let mut world = world("octets of all kinds");
    let _peer = world.peer(true);
    let (client, _) = allocated(&mut world);
    let connection = connected(&mut world, client);
    // The header of a STUN message, of ChannelData, and anything.
    let mut sent = b"\x00\x01\x00\x00\x21\x12\xa4\x42transactions\x40\x00\xff\xff".to_vec();
    sent.extend((0..40_000_u32).map(|n| (n * 7 % 251) as u8));
    let mut heard = Vec::new();
    for piece in sent.chunks(1_000) {
        say(&mut world, client, connection, piece);
        world.sim.run_for(ms(50));
        heard.extend(world.heard(client));
    }
    world.sim.run_for(ms(2_000));
    heard.extend(world.heard(client));
    assert!(heard == sent, "{} of {} octets", heard.len(), sent.len());
}

#[test]
fn rfc6062_5_4_what_a_peer_says_before_the_client_comes_is_not_lost() {
    let mut world = world("a peer in a hurry");
    let peer = world.peer(false);
    let (client, relayed) = allocated(&mut world);
    world.sim.with(client, |client, now| client.permit(now, addr(PEER).ip())).unwrap();
    world.expect(client, "permission", ms(5_000), |event| {
        matches!(event, Event::PermissionReady { .. }).then_some(())
    });
    world.sim.with(peer, |peer, _| peer.connect(relayed));
    let (connection, from) = world.expect(client, "attempt", ms(5_000), |event| match event {
        Event::ConnectionAttempt { connection, peer } => Some((*connection, *peer)),
        _ => None,
    });
    assert_eq!(from.ip(), addr(PEER).ip());
    let stream = world.sim.get(peer).streams[0];
    world.peer_says(peer, stream, b"early and ");
    world.sim.run_for(ms(10_000));
    assert!(world.heard(client).is_empty());

    world.sim.with(client, |client, now| client.accept(now, connection)).unwrap();
    world.expect(client, "connection", ms(5_000), |event| {
        matches!(event, Event::Connected { .. }).then_some(())
    });
    world.peer_says(peer, stream, b"late");
    say(&mut world, client, connection, b"heard");
    world.sim.run_for(ms(1_000));
    assert_eq!(world.heard(client), b"early and late");
    assert_eq!(world.heard_by(peer), b"heard");
}

#[test]
fn rfc6062_5_3_a_peer_without_permission_is_closed_and_nobody_is_told() {
    let mut world = world("a peer without permission");
    let peer = world.peer(false);
    let (client, relayed) = allocated(&mut world);
    world.sim.with(peer, |peer, _| peer.connect(relayed));
    world.sim.run_for(ms(2_000));
    assert_eq!(world.sim.get(peer).lost.len(), 1);
    assert!(world.sim.events(client).is_empty());
}

#[test]
fn rfc6062_5_3_a_peer_that_nobody_comes_for_is_closed_after_30_seconds() {
    let mut world = world("nobody comes");
    let peer = world.peer(false);
    let (client, relayed) = allocated(&mut world);
    world.sim.with(client, |client, now| client.permit(now, addr(PEER).ip())).unwrap();
    world.sim.run_for(ms(1_000));
    world.sim.with(peer, |peer, _| peer.connect(relayed));
    world.sim.run_for(ms(29_900));
    assert!(world.sim.get(peer).lost.is_empty());
    world.sim.run_for(ms(1_000));
    assert_eq!(world.sim.get(peer).lost.len(), 1);
}

#[test]
fn rfc6062_5_2_a_peer_that_is_not_there_is_447() {
    let mut world = world("nobody listens");
    let (client, _) = allocated(&mut world);
    world.sim.with(client, |client, now| client.connect(now, addr(PEER))).unwrap();
    let reason = world.expect(client, "failure", ms(60_000), |event| match event {
        Event::ConnectFailed { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, FailureReason::ConnectionFailed);
    assert_eq!(world.sim.get(world.server).server.stats().errors.connection_failed_447, 1);
}

#[test]
fn rfc6062_5_5_the_end_of_one_connection_is_the_end_of_the_other() {
    let mut world = world("the ends of connections");
    let peer = world.peer(false);
    let (client, _) = allocated(&mut world);
    let connection = connected(&mut world, client);
    let stream = world.sim.get(peer).streams[0];
    // The peer ends: its last words first.
    world.peer_says(peer, stream, b"bye");
    world.sim.with(peer, |peer, _| peer.requests.push_back(Request::release(stream)));
    world.expect(client, "end", ms(5_000), |event| match event {
        Event::Disconnected { connection: ended, .. } => (*ended == connection).then_some(()),
        _ => None,
    });
    assert_eq!(world.heard(client), b"bye");
    // The client ends another.
    world.sim.run_for(ms(15_000));
    let connection = connected(&mut world, client);
    say(&mut world, client, connection, b"that is all");
    assert!(world.sim.with(client, |client, now| client.disconnect(now, connection)));
    world.sim.run_for(ms(2_000));
    assert_eq!((world.heard_by(peer), world.sim.get(peer).lost.len()), (b"that is all".to_vec(), 1));
    let stats = world.sim.get(world.server).server.stats();
    assert_eq!((stats.tcp.from_clients, stats.tcp.from_peers), (11, 3));
}

#[test]
fn rfc6062_5_5_connections_end_with_the_allocation() {
    let mut world = world("the end of an allocation");
    let peer = world.peer(false);
    let (client, relayed) = allocated(&mut world);
    connected(&mut world, client);
    world.sim.with(client, |client, now| client.close(now));
    world.sim.run_for(ms(5_000));
    assert_eq!(world.sim.get(peer).lost.len(), 1);
    assert_eq!(world.sim.get(world.server).server.stats().allocations, 0);
    // And nobody listens there any more.
    world.sim.with(peer, |peer, _| peer.connect(relayed));
    world.sim.run_for(ms(5_000));
    assert_eq!(world.sim.get(peer).streams.len(), 1);
}

#[test]
fn a_tcp_relay_bears_loss() {
    for seed in 0..10 {
        let link = Link::new(ms(30)).with_jitter(ms(5)).with_loss(0.05);
        let mut world = World::new("TCP relay with loss", seed, link);
        let _peer = world.peer(true);
        let (client, _) = allocated(&mut world);
        let connection = connected(&mut world, client);
        let sent: Vec<u8> = (0..5_000_u32).map(|n| (n % 251) as u8).collect();
        for piece in sent.chunks(500) {
            say(&mut world, client, connection, piece);
            world.sim.run_for(ms(100));
        }
        world.sim.run_for(ms(60_000));
        assert!(world.heard(client) == sent, "{}", world.sim.reproduce());
    }
}
