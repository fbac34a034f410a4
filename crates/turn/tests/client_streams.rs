//! The client over TCP and TLS, against the server, in one simulated network: data of all lengths, hours of upkeep, servers that
//! restart, ways that go dead.

mod support;

use std::time::Duration;

use ginnel_core::{Port, Request, Ticket};
use ginnel_netsim::{Link, NodeId};
use ginnel_turn::client::{Client, Event, TurnServer};
use support::*;

fn servers() -> [TurnServer; 2] {
    [TurnServer::tcp(addr(SERVER)), TurnServer::tls(addr(TLS), None)]
}
/// A peer that sends datagrams back.
fn echo(world: &mut World) {
    let (ip, port) = (addr(PEER).ip(), Port::Exact(addr(PEER).port()));
    let bind = Request::Bind { ticket: Ticket(9), ip, port };
    world.sim.add(world.peer_host, Peer::asking(bind, true));
}
/// A client with a permission for the peer.
fn permitted(world: &mut World, server: TurnServer) -> NodeId<Client> {
    let client = world.client(server, |config| config);
    world.sim.with(client, |client, now| client.permit(now, addr(PEER).ip())).unwrap();
    world.expect(client, "permission", ms(10_000), |event| {
        matches!(event, Event::PermissionReady { .. }).then_some(())
    });
    client
}
/// Datagrams of so many octets: what comes back.
fn talk(world: &mut World, client: NodeId<Client>, lengths: core::ops::Range<usize>) -> Vec<Vec<u8>> {
    for len in lengths {
        let payload = vec![len as u8; len];
        world.sim.send(client, &payload, |client, now, packet| client.send(now, addr(PEER), packet)).unwrap();
        world.sim.run_for(ms(5));
    }
    world.sim.run_for(ms(3_000));
    world.sim.data(client).into_iter().map(|it| it.bytes.to_vec()).collect()
}
fn payloads(lengths: core::ops::Range<usize>) -> Vec<Vec<u8>> {
    lengths.map(|len| vec![len as u8; len]).collect()
}
fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

#[test]
fn rfc8656_12_5_over_streams_data_of_every_length_comes_back_in_order_for_hours() {
    for server in servers() {
        let mut world = World::new("turn over a stream", 3, Link::new(ms(10)));
        // What is lost below the stream is the stream's to send again.
        world.sim.set_link(world.home, world.away, Link::new(ms(20)).with_loss(0.05));
        echo(&mut world);
        let client = permitted(&mut world, server);
        assert_eq!(talk(&mut world, client, 1..40), payloads(1..40), "in indications, {server}");
        world.sim.with(client, |client, now| client.bind_channel(now, addr(PEER))).unwrap();
        world.expect(client, "channel", ms(10_000), |event| {
            matches!(event, Event::ChannelBound { .. }).then_some(())
        });
        let before = world.sim.get(client).stats();
        assert_eq!(talk(&mut world, client, 1..40), payloads(1..40), "through a channel, {server}");
        let after = world.sim.get(client).stats();
        assert_eq!(after.channel_sent - before.channel_sent, 39);
        assert_eq!(after.channel_received - before.channel_received, 39);

        world.sim.run_for(hours(3));
        assert_eq!(talk(&mut world, client, 1..10), payloads(1..10), "hours later, {server}");
        let stats = world.sim.get(client).stats();
        assert_eq!((stats.lost, stats.keepalives), (0, 0), "{stats:?}");
        assert_eq!((stats.bad_channel, stats.bad_indication, stats.not_permitted), (0, 0, 0), "{stats:?}");
        world.sim.with(client, Client::close);
        world.expect(client, "goodbye", ms(10_000), |event| matches!(event, Event::Closed).then_some(()));
        let now = world.sim.now();
        assert_eq!(world.sim.get(world.server).server.allocations(now).count(), 0);
    }
}

#[test]
fn over_streams_a_restarted_server_is_come_back_to_with_all_that_was_asked_for() {
    for server in servers() {
        for away in [0, 5_000, 60_000] {
            let mut world = World::new("a server of streams restarts", away + 1, Link::new(ms(20)));
            echo(&mut world);
            let client = permitted(&mut world, server);
            world.sim.with(client, |client, now| client.bind_channel(now, addr(PEER))).unwrap();
            world.sim.run_for(ms(1_000));
            world.sim.events(client);
            world.restart(ms(away));
            // Where nobody tells it of the end, it sends, and hears of it then.
            let _ = world.sim.send(client, b"?", |client, now, packet| client.send(now, addr(PEER), packet));
            world.expect(client, "loss", ms(60_000), |event| {
                matches!(event, Event::Lost { .. }).then_some(())
            });
            world.sim.run_for(ms(60_000));
            assert!(
                world.sim.events(client).iter().any(|it| matches!(it, Event::ChannelBound { .. })) || {
                    world.log.iter().any(|it| matches!(it, Event::ChannelBound { .. }))
                }
            );
            assert_eq!(talk(&mut world, client, 1..5), payloads(1..5), "away for {away} ms, {server}");
        }
    }
}

#[test]
fn a_stream_that_goes_dead_costs_the_allocation_at_its_end_and_no_more() {
    for server in servers() {
        let mut world = World::new("a stream goes dead", 5, Link::new(ms(20)));
        echo(&mut world);
        let client = permitted(&mut world, server);
        world.sim.cut(world.home, world.away);
        world.sim.run_for(Duration::from_secs(700));
        world.sim.restore(world.home, world.away);
        world.sim.run_for(Duration::from_secs(120));
        let events = world.sim.events(client);
        assert!(events.iter().any(|it| matches!(it, Event::Lost { .. })), "{events:?}");
        assert!(!events.iter().any(|it| matches!(it, Event::Failed { .. })), "{events:?}");
        assert_eq!(talk(&mut world, client, 1..5), payloads(1..5), "{server}: {events:?}");
    }
}
