//! The steady state allocates nothing: data in and out on the selected pair, a consent check sent, answered, and its answer
//! taken, at both ends. Nor does what strangers multicast.

use ginnel_alloc_counter::{Counting, allocations, assert_installed, live_octets, uncounted};
use ginnel_core::{
    Buffer, Handled, Instant, Io, Notice, Packet, Path, Receive, Request, Seed, Transmit, settle,
};
use ginnel_ice::{
    Agent, AgentConfig, Event, Role, State,
    mdns::{Config, HostName, MessageWriter, Querier},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The driver of one end: a wire, and signalling.
#[derive(Default)]
struct End {
    wire: Vec<(Path, Vec<u8>)>,
    events: Vec<Event>,
    port: u16,
}
impl Io<Event> for End {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        uncounted(|| self.wire.push((transmit.path, packet.bytes().to_vec())));
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        let Request::Bind { ticket, ip, .. } = request else { return None };
        self.port += 1;
        Some(Notice::Opened { ticket, result: Ok((ip, self.port).into()) })
    }
    fn event(&mut self, event: Event) {
        uncounted(|| self.events.push(event));
    }
}

fn deliver(from: &mut End, to: &mut End, agent: &mut Agent, now: Instant) -> bool {
    let news = !from.wire.is_empty() || !from.events.is_empty();
    for event in from.events.drain(..) {
        if let Event::LocalCandidate(candidate) = event {
            agent.add_remote_candidate(now, candidate).unwrap();
        }
    }
    for (path, octets) in from.wire.drain(..) {
        let mut buffer: Buffer = [0; 2048];
        buffer[64..64 + octets.len()].copy_from_slice(&octets);
        let packet = Packet::received(&mut buffer, 64..64 + octets.len()).unwrap();
        assert!(ginnel_core::receive(agent, now, &mut Receive::new(path.reversed(), packet), to).is_none());
    }
    let mut buffer: Buffer = [0; 2048];
    settle(agent, now, &mut buffer, to);
    news
}

/// Two agents with a nominated pair.
fn connected(ips: usize) -> (Agent, Agent, Instant) {
    let (mut a, mut b) = (End::default(), End::default());
    let mut left = Agent::new(AgentConfig::new(Role::Controlling), Seed::new([1; 32]));
    let mut right = Agent::new(AgentConfig::new(Role::Controlled), Seed::new([2; 32]));
    for i in 1..=ips as u8 {
        left.add_local_ip(Instant::EPOCH, [192, 0, 2, i].into()).unwrap();
        right.add_local_ip(Instant::EPOCH, [198, 51, 100, i].into()).unwrap();
    }
    let credentials = left.local_credentials().clone();
    left.set_remote_credentials(Instant::EPOCH, right.local_credentials().clone()).unwrap();
    right.set_remote_credentials(Instant::EPOCH, credentials).unwrap();
    let mut now = Instant::EPOCH;
    let mut buffer: Buffer = [0; 2048];
    settle(&mut left, now, &mut buffer, &mut a);
    settle(&mut right, now, &mut buffer, &mut b);
    let nominated = |agent: &Agent| agent.selected().is_some_and(|selected| selected.nominated);
    while !(nominated(&left) && nominated(&right)) {
        while deliver(&mut a, &mut b, &mut right, now) | deliver(&mut b, &mut a, &mut left, now) {}
        now += core::time::Duration::from_millis(10);
        settle(&mut left, now, &mut buffer, &mut a);
        settle(&mut right, now, &mut buffer, &mut b);
    }
    while deliver(&mut a, &mut b, &mut right, now) | deliver(&mut b, &mut a, &mut left, now) {}
    (left, right, now)
}

#[test]
fn the_steady_state_allocates_nothing() {
    assert_installed();
    for ips in [1, 10] {
        let (mut a, mut b, mut now) = connected(ips);
        let mut buffer: Buffer = [0; 2048];
        let mut data = 0;
        let (count, ()) = allocations(|| {
            for _ in 0..100 {
                let mut packet = Packet::empty(&mut buffer);
                packet.append(b"\x80data").unwrap();
                let transmit = a.send(now, &mut packet).unwrap();
                let mut there = Receive::new(transmit.path.reversed(), packet);
                data += u32::from(b.handle_input(now, &mut there) == Handled::Data(()));
            }
            // Consent: a's check, b's answer in place, a takes it.
            for _ in 0..20 {
                now = a.poll_timeout().unwrap().at;
                a.handle_timeout(now);
                let mut packet = Packet::empty(&mut buffer);
                let Some(transmit) = a.poll_transmit(now, &mut packet) else { continue };
                let mut there = Receive::new(transmit.path.reversed(), packet);
                let Handled::Send(back) = b.handle_input(now, &mut there) else { panic!("no answer") };
                let mut here = Receive::new(back.path.reversed(), there.packet);
                assert_eq!(a.handle_input(now, &mut here), Handled::Consumed);
            }
        });
        assert_eq!(count, 0, "{ips} addresses");
        assert_eq!(data, 100);
        assert!(a.stats().consent_sent >= 10);
        assert_eq!(a.state(), State::Connected);
    }
}

#[test]
fn an_agent_is_small() {
    let (a, ..) = connected(10);
    assert_eq!(a.pairs().len(), 100);
    let before = live_octets();
    drop(a);
    let heap = before - live_octets();
    // PERFORMANCE.md: at most 40 KB at 10 x 10.
    let octets = heap as usize + size_of::<Agent>();
    assert!(octets <= 40_000, "{heap} on the heap, {} in itself", size_of::<Agent>());
}

/// PERFORMANCE.md: both agents together, from nothing to nominated.
#[test]
fn connecting_allocates_little() {
    let (count, ()) = allocations(|| drop(connected(1)));
    assert!(count <= 50, "{count}");
}

#[test]
fn multicast_dns_that_says_nothing_new_allocates_nothing() {
    let (mut now, mut buffer, group) = (Instant::EPOCH, [0; 2048], "224.0.0.251:5353".parse().unwrap());
    let mut querier = Querier::new(Config::default(), Seed::new([7; 32]));
    querier.resolve(now, "1f4712db-ea17-4bcf-a596-105139dfd8bf.local").unwrap();
    let Some(Request::Bind { ticket, .. }) = querier.poll_request() else { panic!("it asks for its socket") };
    let (count, ()) = allocations(|| {
        querier.handle_notice(now, Notice::Opened { ticket, result: Ok(group) });
        for _ in 0..3 {
            assert!(querier.poll_transmit(now, &mut Packet::empty(&mut buffer)).is_some());
            // Somebody else's answer, as every host of the link hears all day.
            let mut packet = Packet::empty(&mut buffer);
            let other = HostName::parse("printer.local").unwrap();
            let mut writer = MessageWriter::response(&mut packet).unwrap();
            writer.address(other, [192, 0, 2, 7].into(), 120, true).unwrap();
            let path = Path::udp(group, "192.0.2.7:5353".parse().unwrap());
            assert_eq!(querier.handle_input(now, &mut Receive::new(path, packet)), Handled::Consumed);
            now = querier.poll_timeout().unwrap().at;
            if querier.stats().queries < 3 {
                querier.handle_timeout(now);
            }
        }
    });
    assert_eq!(count, 0);
    assert_eq!((querier.stats().queries, querier.stats().responses), (3, 3));
}
