//! RFC 8016 with both its halves: our client moves, our server follows, and its peer sees none of it.

mod support;

use std::net::SocketAddr;

use ginnel_netsim::{Link, NodeId, toy::Echo};
use ginnel_turn::{
    client::{Client, Event, FailureReason, Socket, TurnServer},
    server,
};
use support::*;

/// A mobile client with a channel to a peer that echoes.
fn allocated(world: &mut World, server: TurnServer) -> (NodeId<Client>, SocketAddr) {
    allocated_from(world, server, Socket::Own(Some(ip(HOME))))
}
fn allocated_from(world: &mut World, server: TurnServer, socket: Socket) -> (NodeId<Client>, SocketAddr) {
    world.sim.add(world.peer_host, Echo::new("203.0.113.9", 7000));
    let client = world.client(server, |config| config.with_mobility(true).with_socket(socket));
    let relayed = world.expect(client, "allocation", ms(30_000), |event| match event {
        Event::Allocated(allocated) => allocated.relayed.ipv4,
        _ => None,
    });
    world.sim.with(client, |client, now| client.bind_channel(now, addr(PEER))).unwrap();
    world.expect(client, "channel", ms(30_000), |event| {
        matches!(event, Event::ChannelBound { .. }).then_some(())
    });
    (client, relayed)
}
fn ping(world: &mut World, client: NodeId<Client>, data: &[u8]) {
    world.sim.send(client, data, |client, now, packet| client.send(now, addr(PEER), packet)).unwrap();
}
fn migrate(world: &mut World, client: NodeId<Client>, to: &str) {
    let socket = Socket::Own(Some(ip(to)));
    world.sim.with(client, |client, now| client.migrate(now, socket)).unwrap();
}
/// Where the server sees the clients.
fn clients(world: &World) -> Vec<SocketAddr> {
    let server = &world.sim.get(world.server).server;
    server.allocations(world.sim.now()).map(|it| it.client.remote).collect()
}

#[test]
fn an_allocation_moves_with_its_client_over_datagrams_and_over_streams() {
    for server in [TurnServer::udp(addr(SERVER)), TurnServer::tcp(addr(SERVER))] {
        let mut world = World::new("a client moves", 1, Link::new(ms(20)));
        let (client, relayed) = allocated(&mut world, server);
        ping(&mut world, client, b"from home");
        world.sim.run_for(ms(1_000));
        assert_eq!(world.heard(client), b"from home");
        assert_eq!(clients(&world)[0].ip(), ip(HOME));

        migrate(&mut world, client, AWAY);
        let path = world.expect(client, "move", ms(10_000), |event| match event {
            Event::Moved { path } => Some(*path),
            _ => None,
        });
        assert_eq!(path.local.ip(), ip(AWAY));
        ping(&mut world, client, b"from away");
        world.sim.run_for(ms(1_000));
        assert_eq!(world.heard(client), b"from away");
        // RFC 8016 section 3: the same relayed address, in the channel that was bound before.
        assert_eq!(clients(&world), [path.local]);
        let info = &world.sim.get(world.server).server;
        let info = info.allocations(world.sim.now()).next().unwrap();
        assert_eq!((info.relayed[0], info.channels), (Some(relayed), 1));
        assert_eq!(info.stats.to_client.packets, 2);
        let moved = |it: &server::Event| matches!(it, server::Event::Moved { .. });
        assert_eq!(world.sim.events(world.server).iter().filter(|it| moved(it)).count(), 1);
        // And home again.
        migrate(&mut world, client, HOME);
        world.expect(client, "move", ms(10_000), |event| matches!(event, Event::Moved { .. }).then_some(()));
        ping(&mut world, client, b"home again");
        world.sim.run_for(ms(1_000));
        assert_eq!((world.heard(client), clients(&world)[0].ip()), (b"home again".to_vec(), ip(HOME)));
    }
}

#[test]
fn rfc8016_3_2_2_lost_requests_and_responses_are_sent_again() {
    for seed in 0..20 {
        let link = Link::new(ms(30)).with_jitter(ms(10)).with_loss(0.2);
        let mut world = World::new("a client moves and packets are lost", seed, link);
        let (client, relayed) = allocated(&mut world, TurnServer::udp(addr(SERVER)));
        migrate(&mut world, client, AWAY);
        world.expect(client, "move", ms(60_000), |event| matches!(event, Event::Moved { .. }).then_some(()));
        for _ in 0..20 {
            ping(&mut world, client, b".");
            world.sim.run_for(ms(200));
        }
        assert!(!world.heard(client).is_empty(), "{}", world.sim.reproduce());
        assert_eq!(clients(&world)[0].ip(), ip(AWAY), "{}", world.sim.reproduce());
        let server = &world.sim.get(world.server).server;
        let relays: Vec<_> = server.allocations(world.sim.now()).map(|it| it.relayed[0]).collect();
        assert_eq!(relays, [Some(relayed)], "{}", world.sim.reproduce());
    }
}

#[test]
fn break_before_make_keeps_the_allocation() {
    let mut world = World::new("the network goes first", 1, Link::new(ms(20)));
    // Which address it comes from is routing's choice, the second time another than the first.
    let (client, relayed) = allocated_from(&mut world, TurnServer::tcp(addr(SERVER)), Socket::Own(None));
    let first = clients(&world)[0].ip();
    world.sim.remove_ip(world.home, first);
    let path = world.expect(client, "move", ms(60_000), |event| match event {
        Event::Moved { path } => Some(*path),
        _ => None,
    });
    assert_ne!(path.local.ip(), first);
    ping(&mut world, client, b"from away");
    world.sim.run_for(ms(1_000));
    assert_eq!((world.heard(client), clients(&world)), (b"from away".to_vec(), vec![path.local]));
    let server = &world.sim.get(world.server).server;
    assert_eq!(server.allocations(world.sim.now()).next().unwrap().relayed[0], Some(relayed));
}

#[test]
fn a_server_without_mobility_is_told_apart_from_one_with() {
    let mut world = World::new("no mobility", 1, Link::new(ms(20)));
    let now = world.sim.now();
    world.sim.with(world.server, |owner, _| {
        let config = owner.server.config().clone().with_mobility(false);
        owner.server.reconfigure(now, config);
    });
    let client = world.client(TurnServer::udp(addr(SERVER)), |config| {
        config.with_mobility(true).with_socket(Socket::Own(Some(ip(HOME))))
    });
    let error = world.expect(client, "news", ms(10_000), |event| match event {
        Event::Unsupported { error, .. } => Some(*error),
        _ => None,
    });
    assert_eq!(error, Some(405));
    world
        .expect(client, "allocation", ms(10_000), |event| matches!(event, Event::Allocated(_)).then_some(()));
}

#[test]
fn a_ticket_of_an_allocation_that_is_gone_makes_another() {
    let mut world = World::new("too late", 1, Link::new(ms(20)));
    let (client, relayed) = allocated(&mut world, TurnServer::udp(addr(SERVER)));
    world.sim.with(world.server, |owner, now| assert_eq!(owner.server.revoke(now, "user"), 1));
    migrate(&mut world, client, AWAY);
    let failure = world.expect(client, "failure", ms(60_000), |event| match event {
        Event::MoveFailed { reason } | Event::Lost { reason } => Some(*reason),
        _ => None,
    });
    assert_eq!(failure, FailureReason::AllocationMismatch);
    // With the next refresh at the latest.
    let again = world.expect(client, "allocation", ms(700_000), |event| match event {
        Event::Allocated(allocated) => allocated.relayed.ipv4,
        _ => None,
    });
    assert_ne!(again, relayed);
}
