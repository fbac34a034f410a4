//! What a client sends to peers and receives from them allocates nothing, nor does what it drops.

use core::net::SocketAddr;

use ginnel_alloc_counter::{Counting, allocations, assert_installed};
use ginnel_core::{Buffer, Handled, Instant, Notice, Packet, Path, Receive, Seed, Transmit};
use ginnel_stun::{
    Class, LongTermCredential, Message, MessageWriter, Method, TransactionId,
    attribute::{Data, Lifetime, XorMappedAddress, XorPeerAddress, XorRelayedAddress},
};
use ginnel_turn::{
    ChannelData, ChannelNumber,
    client::{Client, ClientConfig, Relayed, Socket, TurnServer},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: Instant = Instant::EPOCH;

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}
/// Answers a request with success, whatever it is: a server that asks nobody who he is.
fn succeed(packet: &mut Packet<'_>) {
    let message = Message::parse(packet.bytes()).expect("a request");
    let (method, id) = (message.method(), message.transaction_id());
    let mut open = MessageWriter::new(packet, Class::Success, method, id).expect("room");
    if method == Method::ALLOCATE {
        open = open
            .attribute(&XorRelayedAddress(addr("203.0.113.1:50000")))
            .and_then(|open| open.attribute(&XorMappedAddress(addr("198.51.100.7:4000"))))
            .and_then(|open| open.attribute(&Lifetime(600)))
            .expect("room");
    }
    open.finish();
}
fn settle(client: &mut Client) {
    let mut buffer: Buffer = [0; _];
    loop {
        let mut packet = Packet::empty(&mut buffer);
        if let Some(Transmit { path, .. }) = client.poll_transmit(NOW, &mut packet) {
            succeed(&mut packet);
            assert_eq!(client.handle_input(NOW, &mut Receive::new(path, packet)), Handled::Consumed);
        } else if client.poll_event().is_none() {
            return;
        }
    }
}
/// One with permissions and channels for several.
fn client() -> (Client, Path) {
    let (local, server) = (addr("198.51.100.7:4000"), addr("192.0.2.1:3478"));
    let credential = LongTermCredential::new("user", "pass").expect("ASCII");
    let config = ClientConfig::new(TurnServer::udp(server), credential).with_socket(Socket::Lent(local));
    let mut client = Client::new(NOW, config, Seed::new([1; 32]));
    settle(&mut client);
    for n in 1..=20 {
        client.bind_channel(NOW, SocketAddr::new([203, 0, 113, n].into(), 9)).expect("room");
        client.permit(NOW, [203, 0, 113, 100 + n].into()).expect("room");
    }
    settle(&mut client);
    (client, Path::udp(local, server))
}

#[test]
fn data_both_ways_allocates_nothing() {
    assert_installed();
    let (mut client, path) = client();
    let mut buffer: Buffer = [0; _];
    let (count, ()) = allocations(|| {
        for n in 1..=20 {
            for peer in [[203, 0, 113, n], [203, 0, 113, 100 + n]] {
                let peer = SocketAddr::new(peer.into(), 9);
                let mut packet = Packet::empty(&mut buffer);
                packet.append(&[7; 1201]).expect("room");
                let at = packet.bytes().as_ptr();
                client
                    .send(NOW, peer, &mut packet)
                    .map(|transmit| assert_eq!(transmit.path, path))
                    .expect("permitted");
                // The payload has not moved.
                let (whole, payload) = (packet.bytes().as_ptr_range(), at..at.wrapping_add(1201));
                assert!(whole.start < payload.start && payload.end <= whole.end);
                assert!(client.poll_timeout().is_some() && client.poll_event().is_none());
            }
        }
    });
    assert_eq!(count, 0);
    assert_eq!((client.stats().channel_sent, client.stats().indication_sent), (20, 20));
    let (count, ()) = allocations(|| {
        for n in 0..20 {
            let channel = ChannelNumber::new(0x4000 + n).expect("in range");
            let mut packet = Packet::empty(&mut buffer);
            packet.append(&[7; 1201]).expect("room");
            ChannelData::wrap(channel, &mut packet).expect("room");
            let mut input = Receive::new(path, packet);
            let handled = client.handle_input(NOW, &mut input);
            assert_eq!(handled, Handled::Data(Relayed::Datagram { channel: Some(channel) }));
            assert_eq!(input.packet.len(), 1201);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn indications_and_what_is_dropped_allocate_nothing() {
    let (mut client, path) = client();
    let mut buffer: Buffer = [0; _];
    for (peer, taken) in [("203.0.113.101:9", true), ("203.0.113.99:9", false)] {
        let mut packet = Packet::empty(&mut buffer);
        MessageWriter::new(
            &mut packet,
            Class::Indication,
            Method::DATA,
            TransactionId::new(*b"transactions"),
        )
        .and_then(|open| open.attribute(&XorPeerAddress(addr(peer))))
        .and_then(|open| open.attribute(&Data(&[7; 1201])))
        .expect("room")
        .finish();
        let mut input = Receive::new(path, packet);
        let (count, handled) = allocations(|| client.handle_input(NOW, &mut input));
        assert_eq!((count, matches!(handled, Handled::Data(_))), (0, taken), "{peer}");
    }
    let mut packet = Packet::empty(&mut buffer);
    packet.write(b"\x4f\x00\x00\x01x").expect("room");
    let mut input = Receive::new(path, packet);
    let (count, handled) = allocations(|| client.handle_input(NOW, &mut input));
    assert_eq!((count, handled), (0, Handled::Consumed));
    let lost = Notice::Lost { transport: path.transport, local: addr("198.51.100.7:1"), remote: None };
    let (count, ()) = allocations(|| client.handle_notice(NOW, lost));
    assert_eq!(count, 0);
}
