//! A client allocates where a request starts, and for an attempt that a server asks for; not for what is received, sent
//! again or waited for. And what it holds does not grow with what it has done.

use core::time::Duration;

use ginnel_alloc_counter::{Counting, allocations, live_octets};
use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed};
use ginnel_stun::{
    Class, IntegrityAlgorithm, Message, MessageWriter, Method, ShortTermCredential, TransactionId,
    attribute::XorMappedAddress,
    client::{Client, ClientConfig, Event, Request},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn path(port: u16) -> Path {
    Path::udp("192.0.2.1:5000".parse().expect("an address"), ([198, 51, 100, 1], port).into())
}
fn bob() -> ShortTermCredential {
    ShortTermCredential::new("bob", "battery").expect("ASCII").with_only(IntegrityAlgorithm::Sha1)
}
/// Takes what is to be sent, and gives back its transaction.
fn send(client: &mut Client, now: Instant) -> TransactionId {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let transmit = client.poll_transmit(now, &mut packet).expect("a request");
    assert_eq!(transmit.path, path(3478));
    Message::parse(packet.bytes()).expect("a message").transaction_id()
}
fn answer(client: &mut Client, now: Instant, id: TransactionId, credential: Option<&ShortTermCredential>) {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let open = MessageWriter::new(&mut packet, Class::Success, Method::BINDING, id)
        .and_then(|open| open.attribute(&XorMappedAddress(path(1).local)))
        .expect("room");
    match credential {
        Some(credential) => open.integrity(credential.key()).map(MessageWriter::finish).expect("room"),
        None => open.finish(),
    }
    let mut input = Receive::new(path(3478), packet);
    let handled = client.handle_input(now, &mut input);
    assert_ne!(handled, Handled::Foreign);
    assert_eq!(matches!(handled, Handled::Data(_)), credential.is_some());
}

#[test]
fn answers_resends_and_timeouts_allocate_nothing() {
    ginnel_alloc_counter::assert_installed();
    let mut client = Client::new(ClientConfig::default(), Seed::new([7; 32]));
    let (mut now, bob) = (Instant::EPOCH, bob());
    for round in 0..5 {
        for _ in 0..4 {
            client.binding(now, path(3478)).expect("room for one");
        }
        let request = Request::new(Method::BINDING).with_credential(bob.clone());
        client.request(now, path(3478), request, |open| Ok(open)).expect("room for one");
        let (count, ()) = allocations(|| {
            let _first = send(&mut client, now);
            let ids = [(); 4].map(|()| send(&mut client, now));
            now += Duration::from_millis(3000);
            client.handle_timeout(now);
            let again = [(); 5].map(|()| send(&mut client, now));
            assert!(ids.iter().all(|id| again.contains(id)));
            // Of three Bindings and of the request with a credential; the first Binding is given up.
            let [a, b, c, d] = ids;
            for id in [a, b, c] {
                answer(&mut client, now, id, None);
            }
            answer(&mut client, now, d, Some(&bob));
            while client.in_progress() > 0 {
                now = client.poll_timeout().expect("it waits").at;
                client.handle_timeout(now);
                if client.in_progress() > 0 {
                    send(&mut client, now);
                }
            }
            let mut failed = 0;
            while let Some(event) = client.poll_event() {
                failed += usize::from(matches!(event, Event::Failed { .. }));
            }
            assert_eq!(failed, 1);
        });
        // The first time, what is learnt of the server finds its place.
        assert!(count == 0 || round == 0 && count <= 2, "round {round}: {count} allocations");
    }
}

#[test]
fn a_client_that_has_asked_ten_thousand_times_holds_no_more_than_one_that_asked_a_hundred_times() {
    let config = ClientConfig::default().with_max_servers(10);
    let mut client = Client::new(config, Seed::new([7; 32]));
    let mut now = Instant::EPOCH;
    let mut held = [0; 2];
    for (round, held) in held.iter_mut().enumerate() {
        for i in 0..if round == 0 { 100_u16 } else { 10_000 } {
            now += Duration::from_millis(1);
            let request = client.binding(now, path(3478)).expect("room for one");
            // Some are cancelled before they leave, some while they wait, some are answered.
            match i % 3 {
                0 => assert!(client.cancel(request)),
                1 => {
                    send(&mut client, now);
                    assert!(client.cancel(request));
                }
                _ => {
                    let id = send(&mut client, now);
                    answer(&mut client, now, id, None);
                    assert!(client.poll_event().is_some());
                }
            }
        }
        *held = live_octets();
    }
    assert_eq!(held[0], held[1]);
}
