//! The steady state allocates nothing: data in and out on the selected pair, a consent check sent, answered, and its answer
//! taken, at both ends.
#![allow(unsafe_code, reason = "a global allocator that counts can only be written with it")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use ginnel_core::{
    Buffer, Handled, Instant, Io, Notice, Packet, Path, Receive, Request, Seed, Transmit, settle,
};
use ginnel_ice::{Agent, AgentConfig, Event, Role, State};

struct Counting;
thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}
// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        LIVE.with(|live| live.set(live.get() + layout.size() as i64));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.with(|live| live.set(live.get() - layout.size() as i64));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        LIVE.with(|live| live.set(live.get() - layout.size() as i64 + size as i64));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(memory, layout, size) }
    }
}
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

/// Work of the test itself, which does not count.
fn uncounted(work: impl FnOnce()) {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(|count| count.set(before));
}

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
    for ips in [1, 10] {
        let (mut a, mut b, mut now) = connected(ips);
        let mut buffer: Buffer = [0; 2048];
        let mut data = 0;
        let count = allocations(|| {
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
    let before = LIVE.with(Cell::get);
    drop(a);
    let heap = before - LIVE.with(Cell::get);
    // PERFORMANCE.md: at most 40 KB at 10 x 10.
    let octets = heap as usize + size_of::<Agent>();
    assert!(octets <= 40_000, "{heap} on the heap, {} in itself", size_of::<Agent>());
}

/// PERFORMANCE.md: both agents together, from nothing to nominated.
#[test]
fn connecting_allocates_little() {
    let count = allocations(|| drop(connected(1)));
    assert!(count <= 50, "{count}");
}
