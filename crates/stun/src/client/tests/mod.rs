//! Timelines of the client. What several of them share is here.

mod alternate;
mod errors;
mod long_term;
mod schedule;
mod sessions;
mod short_term;

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed};

use super::{
    Client, ClientConfig, Discard, Discarded, Event, FailureReason, Request, RequestId, Response, StartError,
};
use crate::{Class, Message, MessageWriter, Method, TransactionId, attribute::*};

/// Nothing came.
const TIMED_OUT: FailureReason = FailureReason::TimedOut(Discarded { count: 0, last: None, error: None });

fn ms(ms: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(ms)
}
fn path() -> Path {
    Path::udp("192.0.2.1:5000".parse().unwrap(), "198.51.100.1:3478".parse().unwrap())
}
fn client() -> Client {
    client_with(ClientConfig::default())
}
fn client_with(config: ClientConfig) -> Client {
    Client::new(config, Seed::new([7; 32]))
}
/// The transaction that a request is in.
fn transaction(client: &Client, request: RequestId) -> TransactionId {
    client.table.slot_of(request).and_then(|slot| client.table.get(slot)).unwrap().id
}
/// A plain Binding, and its transaction.
fn ask(client: &mut Client, path: Path) -> TransactionId {
    let request = client.binding(ms(0), path).unwrap();
    transaction(client, request)
}
/// What is sent at `now`, and where to.
fn sent_to(client: &mut Client, now: Instant) -> Vec<(Path, Vec<u8>)> {
    let mut buffer: Buffer = [0; _];
    let mut all = Vec::new();
    loop {
        let mut packet = Packet::empty(&mut buffer);
        let Some(transmit) = client.poll_transmit(now, &mut packet) else { return all };
        all.push((transmit.path, packet.bytes().to_vec()));
    }
}
/// What is sent at `now`, from our one address.
fn sent(client: &mut Client, now: Instant) -> Vec<Vec<u8>> {
    let all = sent_to(client, now);
    assert!(all.iter().all(|(to, _)| to.local == path().local));
    all.into_iter().map(|(_, octets)| octets).collect()
}
fn receive(client: &mut Client, now: Instant, path: Path, octets: &[u8]) -> Handled<Response> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(octets).unwrap();
    let mut input = Receive::new(path, packet);
    let handled = client.handle_input(now, &mut input);
    if handled == Handled::Foreign {
        assert_eq!(input.packet.bytes(), octets, "what is not ours is untouched");
    }
    handled
}
/// A response, written by the crate's own writer.
fn response(
    class: Class,
    id: TransactionId,
    write: impl for<'p, 'a> FnOnce(MessageWriter<'p, 'a>) -> Result<(), ginnel_core::NoRoom>,
) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    MessageWriter::new(&mut packet, class, Method::BINDING, id).and_then(write).unwrap();
    packet.bytes().to_vec()
}
fn mapped() -> SocketAddr {
    "203.0.113.9:40000".parse().unwrap()
}
fn success(id: TransactionId) -> Vec<u8> {
    response(Class::Success, id, |open| {
        open.attribute(&XorMappedAddress(mapped())).map(MessageWriter::finish)
    })
}
fn failure(client: &mut Client) -> FailureReason {
    match client.poll_event() {
        Some(Event::Failed { reason, .. }) => reason,
        other => panic!("{other:?} is no failure"),
    }
}
