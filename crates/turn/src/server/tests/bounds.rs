//! What others cannot hold back, use up or slow down: drivers that do not answer, hosts that slept, configurations that come
//! and go, strangers with one stolen ticket.

use ginnel_core::Notice;
use ginnel_stun::{Method, attribute::*};

use super::{super::*, rig::*};

/// A request with EVEN-PORT and its R bit.
fn pair<'p, 'a>(open: ginnel_stun::MessageWriter<'p, 'a>) -> ginnel_stun::MessageWriter<'p, 'a> {
    open.attribute(&RequestedTransport::UDP).unwrap().attribute(&EvenPort { reserve_next: true }).unwrap()
}

#[test]
fn a_driver_that_never_answers_holds_nobodys_quota() {
    let quotas = policy::QuotaLimits::default().with_per_user(1);
    let mut rig = Rig::with(config().with_quotas(quotas).with_ports(50_000..=50_001));
    let mut client = Client::new(0);
    client.learn_nonce(&mut rig);
    rig.world.hold = true;
    let id = client.next_id();
    let udp: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap();
    let request = client.request(Method::ALLOCATE, id, udp);
    assert_eq!(rig.ask(client.path, &request), None);
    // A retransmission asks for nothing more.
    assert_eq!(rig.ask(client.path, &request), None);
    assert_eq!((rig.world.held.len(), rig.stats().allocations), (1, 1));
    rig.pass(secs(9));
    assert_eq!((rig.world.sent.len(), rig.stats().allocations), (0, 1));
    rig.pass(secs(1));
    let (transmit, answer) = rig.world.sent.pop().expect("an answer");
    assert_eq!((transmit.path, client.read(Method::ALLOCATE, id, answer).code), (client.path, 508));
    assert_eq!((rig.stats().allocations, rig.server.get().poll_timeout()), (0, None));
    // The quota is free, and the same five-tuple; the port is not, while the driver may open it still.
    rig.world.hold = false;
    let mut other = Client::new(1);
    let first = other.allocated(&mut rig);
    assert_eq!(client.allocate(&mut rig).code, 486);
    assert_eq!(other.refresh(&mut rig, 0).code, 0);
    let again = client.allocated(&mut rig);
    assert_eq!(first, again, "the other port is held");
    // At last it answers: that is nobody's any more, and goes back.
    let held = rig.world.held.pop().unwrap();
    let notice = rig.world.obey(held).expect("an answer");
    let Notice::Opened { result: Ok(late), .. } = notice else { panic!("not opened") };
    rig.notice(notice);
    assert_eq!((rig.world.open.as_slice(), rig.world.releases), ([again].as_slice(), 2));
    assert_eq!(client.refresh(&mut rig, 0).code, 0);
    let mut ports = Vec::new();
    for _ in 0..32 {
        ports.push(client.allocated(&mut rig));
        assert_eq!(client.refresh(&mut rig, 0).code, 0);
    }
    assert!(ports.contains(&late) && ports.contains(&again), "both are in the pool again");
}

#[test]
fn a_driver_that_never_answers_does_not_hold_up_a_drain() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    client.learn_nonce(&mut rig);
    rig.world.hold = true;
    assert!(
        client
            .try_ask(&mut rig, Method::ALLOCATE, &|it| it.attribute(&RequestedTransport::UDP).unwrap())
            .is_none()
    );
    let (now, deadline) = (rig.now, rig.now + secs(3_600));
    rig.server().drain(now, deadline, &[]);
    rig.settle();
    assert!(rig.events().is_empty());
    rig.pass(secs(10));
    assert_eq!((rig.events(), rig.world.sent.len()), ([Event::Drained].to_vec(), 1));
    assert_eq!(rig.server.get().poll_timeout(), None);
}

#[test]
fn a_half_opened_pair_is_given_up_whole() {
    let mut rig = Rig::with(config().with_ports(50_000..=50_003));
    let mut client = Client::new(0);
    client.learn_nonce(&mut rig);
    rig.world.hold = true;
    assert!(client.try_ask(&mut rig, Method::ALLOCATE, &pair).is_none());
    // The first is opened, the one above never.
    let first = rig.world.held.remove(0);
    let notice = rig.world.obey(first).unwrap();
    rig.notice(notice);
    assert_eq!((rig.world.open.len(), rig.world.held.len()), (1, 1));
    rig.world.hold = false;
    rig.pass(secs(10));
    assert_eq!((rig.world.open.len(), rig.world.sent.len(), rig.stats().allocations), (0, 1, 0));
}

#[test]
fn a_port_that_is_held_for_somebody_counts_as_his() {
    let quotas = policy::QuotaLimits::default().with_per_user(2);
    let mut rig = Rig::with(config().with_quotas(quotas));
    let mut client = Client::new(0);
    let said = client.ask(&mut rig, Method::ALLOCATE, &pair);
    assert_eq!(said.code, 0);
    let token = said.get::<ReservationToken>().unwrap();
    assert_eq!(client.refresh(&mut rig, 0).code, 0);
    // One is held: there is room for one, and not for a pair.
    assert_eq!(Client::new(1).ask(&mut rig, Method::ALLOCATE, &pair).code, 486);
    assert_eq!(Client::new(2).allocate(&mut rig).code, 0);
    assert_eq!(Client::new(3).allocate(&mut rig).code, 486);
    // Whoever brings the token has what was held, within the quota.
    let with: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap().attribute(&token).unwrap();
    assert_eq!(Client::new(4).ask(&mut rig, Method::ALLOCATE, with).code, 0);
    assert_eq!(Client::new(5).allocate(&mut rig).code, 486);
    // What nobody comes for is given back.
    let mut rig = Rig::with(config().with_quotas(quotas));
    assert_eq!(client.ask(&mut rig, Method::ALLOCATE, &pair).code, 0);
    assert_eq!(Client::new(6).allocate(&mut rig).code, 486);
    rig.pass(secs(30));
    assert_eq!(Client::new(6).allocate(&mut rig).code, 0);
}

#[test]
fn a_host_that_slept_loses_no_event() {
    const MANY: u16 = 2_500;
    let limits = Limits::default().with_events(1_024);
    let mut rig = Rig::with(config().with_limits(limits));
    for n in 0..MANY {
        Client::new(n).allocated(&mut rig);
    }
    rig.events();
    // It wakes up long after all have expired: once is enough.
    rig.now += secs(86_400);
    rig.settle();
    let ended = rig.events();
    assert!(ended.iter().all(|it| matches!(it, Event::Ended { reason: EndReason::Expired, .. })));
    assert_eq!((ended.len(), rig.stats().events_dropped), (usize::from(MANY), 0));
    assert_eq!((rig.stats().allocations, rig.world.open.len()), (0, 0));
    assert_eq!(rig.server.get().poll_timeout(), None);
}

#[test]
fn the_deadline_of_a_drain_loses_no_event_either() {
    let mut rig = Rig::with(config().with_limits(Limits::default().with_events(1_024)));
    for n in 0..1_500 {
        Client::new(n).allocated(&mut rig);
    }
    rig.events();
    let deadline = rig.now + secs(5);
    let now = rig.now;
    rig.server().drain(now, deadline, &[]);
    rig.pass(secs(5));
    let events = rig.events();
    let drained = events.iter().filter(|it| matches!(it, Event::Ended { reason: EndReason::Drained, .. }));
    assert_eq!((drained.count(), rig.stats().events_dropped), (1_500, 0));
    assert_eq!(events.last(), Some(&Event::Drained));
}

#[test]
fn one_user_is_taken_back_and_no_other() {
    let mut rig = Rig::new();
    let mut clients: Vec<_> =
        (0..40).map(|n| Client::named(if n % 3 == 0 { "other" } else { "user" }, client_path(n))).collect();
    for client in &mut clients {
        client.allocated(&mut rig);
    }
    // Some end by themselves: the first, the last, and some between.
    for n in [0, 39, 3, 4, 38, 20, 21] {
        assert_eq!(clients[n].refresh(&mut rig, 0).code, 0);
        rig.server.get().table.check();
    }
    let now = rig.now;
    assert_eq!(rig.server().revoke(now, "nobody"), 0);
    assert_eq!(rig.server().revoke(now, "other"), 14 - 4);
    rig.settle();
    rig.server.get().table.check();
    assert!(rig.server.get().allocations(now).all(|it| it.user == "user"));
    assert_eq!(rig.server().revoke(now, "other"), 0);
    assert_eq!(rig.server().revoke(now, "user"), 26 - 3);
    rig.settle();
    assert_eq!((rig.stats().allocations, rig.world.open.len()), (0, 0));
    // And they may come again.
    clients[5].allocated(&mut rig);
    rig.server.get().table.check();
}

#[test]
fn ports_of_a_configuration_that_is_gone_do_not_come_back_with_the_next() {
    let with = |ports| config().with_ports(ports);
    let mut rig = Rig::with(with(50_000..=50_099));
    let now = rig.now;
    for _ in 0..2 {
        rig.server().reconfigure(now, with(60_000..=60_099));
    }
    for n in 0..20 {
        let relayed = Client::new(n).allocated(&mut rig);
        assert!((60_000..=60_099).contains(&relayed.port()), "{relayed}");
    }
    // Nor do the pools of those that are gone stay.
    for n in 0..50 {
        rig.server().reconfigure(now, with(50_000..=50_100 + n));
    }
    assert!(rig.server().addresses.len() <= 6, "{}", rig.server().addresses.len());
    // With the old ones back, what is in use is known.
    rig.server().reconfigure(now, with(60_000..=60_099));
    for n in 20..100 {
        assert_eq!(Client::new(n).allocate(&mut rig).code, 0);
    }
    assert_eq!((rig.stats().relay_refusals, Client::new(100).allocate(&mut rig).code), (0, 508));
}

#[cfg(feature = "std")]
#[test]
fn one_token_from_many_addresses_does_not_fill_the_table_of_handovers() {
    use ginnel_core::{Path, Seed};

    let base = config().with_limits(Limits::default().with_handovers(4));
    let mut shared = Shared::several(&base, &Seed::new([8; 32]), 2);
    let mut machine = |index| {
        let server = Server::with_shared(
            base.clone().with_shard(Shard::new(index, 2)),
            shared.pop().unwrap(),
            Seed::new([index; 32]),
        );
        Rig::of(server)
    };
    let (mut home, mut rig) = (machine(0), machine(1));
    let mut first = Client::new(0);
    let token = first.ask(&mut home, Method::ALLOCATE, &pair).get::<ReservationToken>().unwrap();
    let with: Fill<'_> = &|it| it.attribute(&RequestedTransport::UDP).unwrap().attribute(&token).unwrap();
    let mut mallory = Client::new(1);
    mallory.learn_nonce(&mut rig);
    for port in 1..100 {
        // His nonce is for another address: it goes where its token says, and nothing remembers that.
        let id = mallory.next_id();
        let path = Path::udp(addr(LISTENER), ([192, 0, 2, 66], port).into());
        assert_eq!(rig.receive(path, &mallory.request(Method::ALLOCATE, id, with)), Out::Handover(0));
        assert_eq!(rig.receive(path, &channel_data(0x4000, b"data")), Out::Nothing);
    }
    let id = mallory.next_id();
    let request = mallory.request(Method::ALLOCATE, id, with);
    assert_eq!(rig.receive(mallory.path, &request), Out::Handover(0));
    assert_eq!(rig.receive(mallory.path, &channel_data(0x4000, b"data")), Out::Handover(0));
}
