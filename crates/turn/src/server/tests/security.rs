//! Who is who, and what strangers, liars and slow back ends cost: RFC 8656 section 5, SECURITY.md cases 18 to 24.

use core::time::Duration;

use ginnel_core::{Buffer, Packet, Path, Transport};
use ginnel_stun::{
    Class, IntegrityAlgorithm, Message, MessageWriter, Method, TransactionId,
    attribute::*,
    auth::{AuthConfig, RateLimit, User, Who},
};

use super::{super::*, rig::*};
use crate::rest::{RestSecret, RestSecrets, UnixTime};

fn udp<'p, 'a>(open: MessageWriter<'p, 'a>) -> MessageWriter<'p, 'a> {
    open.attribute(&RequestedTransport::UDP).unwrap()
}
/// A request of a stranger.
fn plain(method: Method) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new(*b"transactions");
    MessageWriter::new(&mut packet, Class::Request, method, id).unwrap().finish();
    packet.bytes().to_vec()
}
fn code(octets: &[u8]) -> u16 {
    Message::parse(octets).unwrap().get::<ErrorCode<'_>>().unwrap().map_or(0, |it| it.code())
}

#[test]
fn sec_18_strangers_are_challenged_briefly_and_not_too_often() {
    let mut rig = Rig::new();
    for method in [Method::ALLOCATE, Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
        let answer = rig.receive(client_path(0), &plain(method)).sent().1;
        let message = Message::parse(&answer).unwrap();
        let nonce = message.get::<Nonce<'_>>().unwrap().unwrap().octets().len();
        assert_eq!((code(&answer), message.get::<Realm<'_>>().unwrap().unwrap().as_str()), (401, REALM));
        assert!(answer.len() <= 48 + REALM.len() + nonce, "{} octets", answer.len());
        assert!(!message.has(AttributeType::SOFTWARE) && !message.has(AttributeType::MESSAGE_INTEGRITY));
    }
    // Each source has its limit; over a stream nobody is named but who is there.
    let limit = RateLimit::default().with_rate(1, 5);
    let mut config = config();
    config.auth = AuthConfig::long_term(REALM).unwrap().with_challenge_limit(Some(limit));
    let mut rig = Rig::with(config);
    let mut answered =
        |path: Path| (0..20).filter(|_| rig.receive(path, &plain(Method::ALLOCATE)) != Out::Nothing).count();
    assert_eq!(answered(client_path(0)), 5);
    assert_eq!(answered(Path { transport: Transport::Tcp, ..client_path(0) }), 20);
}

#[test]
fn sec_19_nobody_learns_who_is_a_user() {
    let mut rig = Rig::new();
    let mut refused = |name: &'static str, password: &str| {
        let mut client = Client::named(name, client_path(0));
        client.key = ginnel_stun::IntegrityKey::long_term(name, REALM, password).unwrap();
        let said = client.ask(&mut rig, Method::ALLOCATE, &udp);
        let message = Message::parse(&said.octets).unwrap();
        let kinds: Vec<_> = message.attributes().map(|it| (it.kind, it.value.len())).collect();
        (said.code, kinds)
    };
    let (wrong, unknown) = (refused("user", "guessed"), refused("nobody", "pass"));
    assert_eq!((wrong.0, wrong.1), (401, unknown.1));
}

#[test]
fn sec_20_forged_nonces_are_stale_and_leave_nothing() {
    let mut rig = Rig::new();
    let (mut one, mut other) = (Client::new(0), Client::new(1));
    one.learn_nonce(&mut rig);
    other.nonce = one.nonce.clone();
    let said = other.ask(&mut rig, Method::ALLOCATE, &udp);
    assert_eq!(said.code, 438, "of another five-tuple");
    other.nonce = said.get::<Nonce<'_>>().unwrap().octets().to_vec();
    assert_eq!(other.allocate(&mut rig).code, 0);
    rig.pass(secs(3_600));
    assert_eq!(one.allocate(&mut rig).code, 438, "expired");
    for n in 0..2_000_u16 {
        let mut forger = Client::new(n);
        forger.nonce = std::vec![b'x'; 44];
        assert_eq!(forger.allocate(&mut rig).code, 438);
    }
    assert_eq!((rig.stats().allocations, rig.world.binds), (0, 1));
}

#[test]
fn sec_23_any_name_is_only_data() {
    let long = std::string::String::leak("n".repeat(508));
    for name in ["%n%n%s", "'; drop table users; --", "\"quoted\"", "a\u{0}b", "line\r\nbreak", long] {
        let mut rig = Rig::new();
        rig.server().add_user(User::long_term(name, REALM, "pass").unwrap()).unwrap();
        assert_eq!(Client::named(name, client_path(0)).allocate(&mut rig).code, 0, "{name:?}");
        let events = rig.events();
        assert!(!std::format!("{events:?}").contains('\n'), "one line");
    }
}

#[test]
fn rfc8656_21_4_tunnelled_clients_are_refused() {
    for (ip, code) in [("2001:0:808:808::1", 403), ("2002:808:808::1", 403), ("2606:4700::1", 0)] {
        let mut rig = Rig::new();
        let mut client =
            Client::named("user", Path { remote: addr(&format!("[{ip}]:5000")), ..client_path(0) });
        assert_eq!(client.allocate(&mut rig).code, code, "{ip}");
        assert_eq!(rig.stats().allocations, u64::from(code == 0));
    }
}

#[test]
fn sec_24_an_allocation_is_its_users() {
    let mut rig = Rig::new();
    let mut client = Client::new(0);
    client.allocated(&mut rig);
    let mut thief = Client::named("other", client.path);
    assert_eq!(thief.refresh(&mut rig, 0).code, 441);
    assert_eq!(thief.permit(&mut rig, "203.0.113.9:7"), 441);
    assert_eq!(thief.bind(&mut rig, 0x4000, "203.0.113.9:7"), 441);
    assert_eq!(thief.allocate(&mut rig).code, 437);
    assert_eq!(client.refresh(&mut rig, 600).code, 0);
}

#[test]
fn requests_without_an_allocation_are_mismatches_and_indications_are_dropped() {
    let mut rig = Rig::new();
    let mut client = Client::new(0);
    assert_eq!(client.refresh(&mut rig, 600).code, 437);
    assert_eq!(client.permit(&mut rig, "203.0.113.9:7"), 437);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 437);
    let send = client.send_indication(addr("203.0.113.9:7"), b"data");
    assert_eq!(rig.receive(client.path, &send), Out::Nothing);
    assert_eq!(rig.stats().no_allocation, 1);
}

#[test]
fn rfc8656_17_methods_have_the_classes_that_they_have() {
    let mut rig = Rig::new();
    let (mut client, peer) = (Client::new(0), addr("203.0.113.9:7"));
    let relayed = client.allocated(&mut rig);
    assert_eq!(client.permit(&mut rig, "203.0.113.9:7"), 0);
    let write = |class, method| {
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        let open = MessageWriter::new(&mut packet, class, method, TransactionId::new([5; 12])).unwrap();
        udp(open).attribute(&XorPeerAddress(peer)).unwrap().attribute(&Data(b"data")).unwrap().finish();
        packet.bytes().to_vec()
    };
    let requests = [Method::ALLOCATE, Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND];
    let indications = [Method::SEND, Method::DATA];
    let wrong = requests.map(|it| (Class::Indication, it)).into_iter();
    let wrong =
        wrong.chain(indications.map(|it| (Class::Request, it))).chain([(Class::Indication, Method::DATA)]);
    let all = [&requests[..], &indications, &[Method::BINDING]].concat();
    let answers = all.into_iter().flat_map(|it| [(Class::Success, it), (Class::Error, it)]);
    let before = rig.stats().discarded;
    let mut count = 0;
    for (class, method) in wrong.chain(answers) {
        for path in [client.path, client_path(1)] {
            let out = rig.receive(path, &write(class, method));
            assert!(matches!(out, Out::Nothing | Out::Foreign), "{class:?} {method:?}: {out:?}");
            count += 1;
        }
    }
    assert_eq!((rig.stats().discarded - before, count), (42, 42));
    // The same octets are relayed as what they may be.
    rig.receive(client.path, &write(Class::Indication, Method::SEND)).passes();
    assert_eq!((rig.world.open.as_slice(), rig.stats().bad_sends), ([relayed].as_slice(), 0));
}

#[test]
fn what_is_not_ours_is_foreign_and_what_is_broken_is_dropped() {
    let mut rig = Rig::new();
    let path = client_path(0);
    assert_eq!(rig.receive(path, b"\x80rtp"), Out::Foreign);
    assert_eq!(rig.receive(path, b""), Out::Foreign);
    let elsewhere = Path { local: addr("198.51.100.1:9"), ..path };
    assert_eq!(rig.receive(elsewhere, &plain(Method::ALLOCATE)), Out::Foreign);
    let mut broken = plain(Method::ALLOCATE);
    broken.extend([0; 3]);
    assert_eq!(rig.receive(path, &broken), Out::Nothing);
    assert_eq!(rig.receive(path, &plain(Method::new(0x0FF).unwrap())), Out::Nothing, "no method");
    // A wrong FINGERPRINT; and a source that nothing can be sent to.
    let mut client = Client::new(0);
    client.fingerprint = true;
    let mut request = client.request(Method::ALLOCATE, TransactionId::new([7; 12]), &udp);
    *request.last_mut().unwrap() ^= 1;
    assert_eq!(rig.receive(path, &request), Out::Nothing);
    assert_eq!(
        rig.receive(Path { remote: addr("192.0.2.1:0"), ..path }, &plain(Method::ALLOCATE)),
        Out::Nothing
    );
    assert_eq!(rig.stats().discarded, 4);
    // Binding is answered as ever, to whoever asks.
    let answer = rig.receive(path, &plain(Method::BINDING)).sent().1;
    assert_eq!(Message::parse(&answer).unwrap().get().unwrap(), Some(XorMappedAddress(path.remote)));
    assert_eq!(rig.server.get().binding_stats().answered, 1);
}

#[test]
fn clients_of_rfc8489_are_answered_with_sha256() {
    let mut rig = Rig::new();
    let mut client = Client::new(0);
    client.learn_nonce(&mut rig);
    let key = ginnel_stun::IntegrityKey::long_term_sha256("user", REALM, "pass").unwrap();
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let open = MessageWriter::new(&mut packet, Class::Request, Method::ALLOCATE, TransactionId::new([9; 12]))
        .unwrap();
    udp(open)
        .attribute(&UserHash::of("user", REALM))
        .unwrap()
        .attribute(&Realm::new(REALM).unwrap())
        .unwrap()
        .attribute(&Nonce::new(&client.nonce).unwrap())
        .unwrap()
        .attribute(&PasswordAlgorithms::new(&[PasswordAlgorithm::SHA256]))
        .unwrap()
        .attribute(&PasswordAlgorithm::SHA256)
        .unwrap()
        .integrity_as(IntegrityAlgorithm::Sha256, &key)
        .unwrap()
        .finish();
    let answer = rig.ask(client.path, packet.bytes()).unwrap();
    let message = Message::parse(&answer).unwrap();
    assert_eq!((code(&answer), message.integrity(&key)), (0, ginnel_stun::Integrity::Ok));
    assert_eq!(message.integrity_algorithm(), Some(IntegrityAlgorithm::Sha256));
}

#[test]
fn a_user_who_is_removed_loses_his_allocations_at_once() {
    let mut rig = Rig::new();
    let mut mine: Vec<_> = (0..3).map(Client::new).collect();
    let mut other = Client::named("other", client_path(9));
    mine.iter_mut().for_each(|it| assert_eq!(it.allocate(&mut rig).code, 0));
    other.allocated(&mut rig);
    rig.events();
    let now = rig.now;
    assert_eq!(rig.server().remove_user(now, "user"), 3);
    rig.settle();
    assert_eq!(rig.world.open.len(), 1);
    let ended = |it: &Event| matches!(it, Event::Ended { reason: EndReason::Revoked, user, .. } if user.name() == "user");
    assert!(rig.events().iter().all(ended));
    assert_eq!(mine[0].refresh(&mut rig, 600).code, 401);
    assert_eq!(other.refresh(&mut rig, 600).code, 0);
    // One allocation alone.
    let id = rig.server.get().allocations(now).next().unwrap().id;
    assert!(rig.server().end(now, id) && !rig.server().end(now, id));
    rig.settle();
    assert!(rig.world.open.is_empty());
}

#[test]
fn a_back_end_that_never_answers_harms_nobody_who_is_known() {
    let credentials = Credentials::ByEvent { max_waiting: 16 };
    let mut rig = Rig::of(Server::new(config().with_credentials(credentials), Seed::new([7; 32])));
    let mut client = Client::new(0);
    assert_eq!(client.try_ask(&mut rig, Method::ALLOCATE, &udp), None, "it waits");
    let [Event::LookUp { ticket, who: Who::Username(name) }] = &rig.events()[..] else {
        panic!("no question")
    };
    assert_eq!(&**name, "user");
    let ticket = *ticket;
    assert!(rig.server().answer(ticket, Some(User::long_term("user", REALM, "pass").unwrap())));
    rig.settle();
    assert_eq!(code(&rig.world.sent.pop().unwrap().1), 0);
    // From now on nobody answers, whoever asks.
    for n in 1..500 {
        let _ = Client::new(n).try_ask(&mut rig, Method::ALLOCATE, &udp);
    }
    assert_eq!(rig.stats().allocations, 1);
    rig.events();
    // Whoever has an allocation is not asked for again.
    assert_eq!(client.refresh(&mut rig, 600).code, 0);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 0);
    rig.receive(client.path, &channel_data(0x4000, b"data")).passes();
    assert!(rig.events().is_empty());
    // A user who is not there; and an answer that comes too late.
    let mut stranger = Client::new(501);
    assert_eq!(stranger.try_ask(&mut rig, Method::ALLOCATE, &udp), None);
    let Some(Event::LookUp { ticket, .. }) = rig.events().pop() else { panic!("no question") };
    assert!(rig.server().answer(ticket, None) && !rig.server().answer(ticket, None));
    rig.settle();
    assert_eq!(code(&rig.world.sent.pop().unwrap().1), 401);
    // Revoked by the back end.
    let now = rig.now;
    assert_eq!(rig.server().revoke(now, "user"), 1);
}

#[test]
fn time_limited_credentials_open_and_allocations_outlive_them() {
    let secrets = [RestSecret::new("old"), RestSecret::new("new")];
    let credentials = Credentials::Rest(RestSecrets::new(secrets.clone()).unwrap());
    let quotas = policy::QuotaLimits::default().with_per_user(1);
    let mut rig =
        Rig::of(Server::new(config().with_credentials(credentials).with_quotas(quotas), Seed::new([7; 32])));
    let mut clients: Vec<Client> = (0..2)
        .map(|n| {
            let credential = secrets[usize::from(n)].credential("alice", UnixTime(1_000_100 + u64::from(n)));
            let name: &'static str = credential.username.leak();
            let mut client = Client::named(name, client_path(n));
            client.key = ginnel_stun::IntegrityKey::long_term(name, REALM, &credential.password).unwrap();
            client
        })
        .collect();
    assert_eq!(clients[0].allocate(&mut rig).code, 401, "no clock yet");
    let now = rig.now;
    rig.server().set_clock(now, Duration::from_secs(1_000_000));
    assert_eq!(clients[0].allocate(&mut rig).code, 0);
    assert_eq!(clients[1].allocate(&mut rig).code, 486, "quotas count by the user id");
    rig.pass(secs(100));
    assert_eq!(clients[0].refresh(&mut rig, 600).code, 0, "it outlives its credential");
    assert_eq!(clients[0].refresh(&mut rig, 0).code, 0);
    assert_eq!(clients[0].allocate(&mut rig).code, 401, "over");
    assert_eq!(clients[1].allocate(&mut rig).code, 0, "of the other secret, a second longer");
}

#[test]
fn a_draining_server_sends_new_clients_elsewhere_and_lets_the_old_ones_finish() {
    let mut rig = Rig::new();
    let mut clients: Vec<_> = (0..3).map(Client::new).collect();
    clients.iter_mut().take(2).for_each(|it| assert_eq!(it.allocate(&mut rig).code, 0));
    let alternate = addr("198.51.100.2:3478");
    let (now, deadline) = (rig.now, rig.now + secs(1_000));
    rig.server().drain(now, deadline, &[addr("[2001:db8::2]:3478"), alternate, addr("198.51.100.3:3478")]);
    rig.settle();
    let said = clients[2].allocate(&mut rig);
    // RFC 8489 section 10: the one of the client's family first, though it was named second.
    let of = |said: &Said| {
        let message = Message::parse(&said.octets).unwrap();
        let named = message.attributes().filter(|it| it.kind == AttributeType::ALTERNATE_SERVER);
        let named = named.map(|it| AlternateServer::parse(it.value, message.transaction_id()).unwrap().0);
        (said.code, named.collect::<std::vec::Vec<_>>())
    };
    let other = addr("[2001:db8::2]:3478");
    assert_eq!(of(&said), (300, [alternate, other].to_vec()));
    let mut over_ipv6 = Client::named("user", path_by(Transport::Udp, AddressFamily::Ipv6));
    assert_eq!(of(&over_ipv6.allocate(&mut rig)), (300, [other, alternate].to_vec()));
    // No refresh goes beyond the deadline.
    rig.pass(secs(500));
    assert_eq!(clients[0].refresh(&mut rig, 3_600).lifetime(), 500);
    assert_eq!(clients[1].refresh(&mut rig, 0).code, 0);
    assert!(!rig.events().contains(&Event::Drained));
    rig.pass(secs(500));
    let events = rig.events();
    assert!(matches!(events[..], [Event::Ended { .. }, Event::Drained]), "{events:?}");
    assert!(rig.world.open.is_empty());
    // With one of the other family alone there is none for this client.
    let mut rig = Rig::new();
    rig.server().drain(now, deadline, &[alternate]);
    assert_eq!(of(&over_ipv6.allocate(&mut rig)), (508, [].to_vec()));
    assert_eq!(of(&Client::new(0).allocate(&mut rig)), (300, [alternate].to_vec()));
    // Without another server: 508. With nothing to wait for it is done at once.
    let mut rig = Rig::new();
    rig.server().drain(now, deadline, &[]);
    rig.settle();
    assert_eq!(rig.events(), [Event::Drained]);
    assert_eq!(Client::new(0).allocate(&mut rig).code, 508);
    assert_eq!(rig.server.get().poll_timeout(), None);
}

#[test]
fn another_configuration_is_obeyed_while_allocations_live() {
    let mut rig = Rig::new();
    let mut client = Client::new(0);
    let relayed = client.allocated(&mut rig);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 0);
    assert_eq!(client.permit(&mut rig, "203.0.114.9:7"), 0);
    let mut next = config()
        .with_ports(60_000..=60_100)
        .with_quotas(policy::QuotaLimits::default().with_per_user(2))
        .with_peers(policy::PeerFilter::default().with_denied("203.0.113.0/24".parse().unwrap()))
        .with_lifetimes(Lifetimes::default().with(secs(60), secs(60)));
    next.relays = std::vec![RelayAddress::new("198.51.100.7".parse().unwrap())];
    let now = rig.now;
    rig.server().reconfigure(now, next);
    // What is denied now is cut off; what is not lives on, on the address that is gone for others.
    assert_eq!(rig.receive(client.path, &channel_data(0x4000, b"data")), Out::Nothing);
    assert_eq!(rig.receive(Path::udp(relayed, addr("203.0.113.9:7")), b"data"), Out::Nothing);
    rig.receive(Path::udp(relayed, addr("203.0.114.9:7")), b"data").passes();
    assert_eq!(client.refresh(&mut rig, 600).lifetime(), 60);
    let other = Client::new(1).allocated(&mut rig);
    assert_eq!((other.ip(), (60_000..=60_100).contains(&other.port())), (addr("198.51.100.7:0").ip(), true));
    assert_eq!(Client::new(2).allocate(&mut rig).code, 486);
    assert_eq!(client.refresh(&mut rig, 0).code, 0);
    assert!(!rig.world.open.contains(&relayed));
}

#[test]
fn events_that_nobody_polls_are_bounded_and_counted() {
    let mut rig = Rig::with(config().with_limits(Limits::default().with_events(2)));
    let mut polled = std::vec::Vec::new();
    for n in 0..2 {
        assert_eq!(Client::new(n).allocate(&mut rig).code, 0);
    }
    polled.append(&mut rig.events());
    let now = rig.now;
    assert_eq!(rig.server().revoke(now, "user"), 2, "at the limit");
    rig.settle();
    assert_eq!((rig.events().len(), rig.stats().events_dropped), (2, 0));
    for n in 0..3 {
        assert_eq!(Client::new(n).allocate(&mut rig).code, 0);
    }
    rig.events();
    assert_eq!(rig.server().revoke(now, "user"), 3, "one past it");
    rig.settle();
    assert_eq!((rig.events().len(), rig.stats().events_dropped), (2, 1));
}
