//! Four shards: what bears a token of one of them gets there, wherever it comes in.

use core::time::Duration;

use ginnel_core::{Path, Seed, Transport};
use ginnel_stun::{Method, attribute::*, auth::NonceKey};

use super::{
    super::{Server, ServerConfig, Shard, Shared},
    rig::*,
};

const PEER: &str = "203.0.113.9:7000";

fn four() -> Vec<Rig> {
    let mut config: ServerConfig = config().with_mobility(true).with_tcp_relays(true);
    config.auth = config.auth.with_nonce_key(NonceKey::new([9; 32]), Duration::ZERO);
    let shared = Shared::several(&config, &Seed::new([7; 32]), 4).into_iter().zip(0..);
    let machines = shared.map(|(shared, index)| {
        let config = config.clone().with_shard(Shard::new(index, 4));
        Rig::of(Server::with_shared(config, shared, Seed::new([index; 32])))
    });
    machines.collect()
}
/// A request of this client that comes to shard `at`, and is answered by shard `by`.
fn across(
    rigs: &mut [Rig],
    [at, by]: [usize; 2],
    client: &mut Client,
    method: Method,
    fill: Fill<'_>,
) -> Said {
    if client.nonce.is_empty() {
        client.learn_nonce(&mut rigs[at]);
    }
    let id = client.next_id();
    let request = client.request(method, id, fill);
    let out = rigs[at].receive(client.path, &request);
    if at == by {
        return client.read(method, id, out.sent().1);
    }
    assert_eq!(out, Out::Handover(by as u8));
    client.read(method, id, rigs[by].receive_by(client.path, &request, true).sent().1)
}

#[test]
fn connection_ids_name_their_shard() {
    let mut rigs = four();
    let stream = |n| Path { transport: Transport::Tcp, ..client_path(n) };
    for shard in 0..4 {
        let mut control = Client::named("user", stream(shard as u16));
        let tcp: Fill<'_> = &|it| it.attribute(&RequestedTransport::TCP).unwrap();
        assert_eq!(control.ask(&mut rigs[shard], Method::ALLOCATE, tcp).code, 0);
        let peer = XorPeerAddress(addr(PEER));
        let said = control.ask(&mut rigs[shard], Method::CONNECT, &|it| it.attribute(&peer).unwrap());
        let id = said.get::<ConnectionId>().unwrap();
        let mut data = Client::named("user", stream(10 + shard as u16));
        let elsewhere = (shard + 1) % 4;
        let fill: Fill<'_> = &|it| it.attribute(&id).unwrap();
        let said = across(&mut rigs, [elsewhere, shard], &mut data, Method::CONNECTION_BIND, fill);
        assert_eq!((said.code, rigs[shard].world.spliced.len()), (0, 1));
        // What is forged does not travel.
        let forged = ConnectionId(id.0 ^ 1);
        let mut data = Client::named("user", stream(20 + shard as u16));
        let fill: Fill<'_> = &|it| it.attribute(&forged).unwrap();
        let said = across(&mut rigs, [elsewhere, elsewhere], &mut data, Method::CONNECTION_BIND, fill);
        assert_eq!(said.code, 400);
        // Used up is used up, and the shard that made it says so.
        let mut data = Client::named("user", stream(30 + shard as u16));
        let fill: Fill<'_> = &|it| it.attribute(&id).unwrap();
        assert_eq!(across(&mut rigs, [elsewhere, shard], &mut data, Method::CONNECTION_BIND, fill).code, 400);
    }
}

#[test]
fn tickets_name_their_shard_and_what_follows_them_is_handed_over_too() {
    let mut rigs = four();
    for shard in 0..4 {
        let mut old = Client::new(shard as u16);
        let mobile: Fill<'_> =
            &|it| it.attribute(&RequestedTransport::UDP).unwrap().attribute(&MobilityTicket(b"")).unwrap();
        let said = old.ask(&mut rigs[shard], Method::ALLOCATE, mobile);
        let ticket = said.get::<MobilityTicket<'_>>().unwrap().0.to_vec();
        assert_eq!(old.bind(&mut rigs[shard], 0x4000, PEER), 0);
        let mut new = Client::new(10 + shard as u16);
        let elsewhere = (shard + 3) % 4;
        let fill: Fill<'_> = &|it| it.attribute(&MobilityTicket(&ticket)).unwrap();
        let said = across(&mut rigs, [elsewhere, shard], &mut new, Method::REFRESH, fill);
        assert_eq!(said.code, 0);
        // What comes behind it on that five-tuple: data, and requests without a token.
        let data = channel_data(0x4000, b"data");
        assert_eq!(rigs[elsewhere].receive(new.path, &data), Out::Handover(shard as u8));
        let (transmit, octets) = rigs[shard].receive_by(new.path, &data, true).sent();
        assert_eq!((transmit.path.remote, octets.as_slice()), (addr(PEER), &b"data"[..]));
        let to_peer = transmit.path;
        assert_eq!(rigs[shard].receive(to_peer, b"back").sent().0.path, new.path);
        assert_eq!(across(&mut rigs, [elsewhere, shard], &mut new, Method::REFRESH, &|it| it).code, 0);
        // A forged ticket is refused where it comes in.
        let mut forged = ticket.clone();
        forged[30] ^= 1;
        let mut thief = Client::new(20 + shard as u16);
        let fill: Fill<'_> = &|it| it.attribute(&MobilityTicket(&forged)).unwrap();
        assert_eq!(across(&mut rigs, [elsewhere, elsewhere], &mut thief, Method::REFRESH, fill).code, 400);
    }
    assert!(rigs.iter().all(|rig| rig.stats().moved == 1));
}
