//! What the simulation demands of machines, and the applications that live with them.

use std::{cell::RefCell, rc::Rc};

use ginnel_core::{Handled, Instant, Packet, Path, Receive, Transmit, Wake};

use super::*;
use crate::toy::Event;

/// Breaks the contract in one way.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Fault {
    AlwaysNow,
    TouchesForeign,
    WakesWhenClosed,
}
#[derive(Debug)]
struct Faulty(Fault);
impl Faulty {
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        if self.0 == Fault::TouchesForeign {
            input.packet.bytes_mut()[0] ^= 1;
        }
        Handled::Foreign
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        match self.0 {
            Fault::AlwaysNow => Some(Wake::new(Instant::EPOCH, "faulty: now")),
            Fault::WakesWhenClosed => Some(Wake::new(Instant::EPOCH + ms(1), "faulty: later")),
            Fault::TouchesForeign => None,
        }
    }
    fn close(&mut self, _: Instant) {}
    fn is_closed(&self) -> bool {
        self.0 == Fault::WakesWhenClosed
    }
}
ginnel_core::machine!(impl [] Faulty { Event = (); Data = (); });

fn add(fault: Fault) {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    let node = sim.add(host, Faulty(fault));
    let local = sim.bind(node, "192.0.2.1", ginnel_core::Port::Any).unwrap();
    sim.inject(Path::udp(local, local), b"x");
}

#[test]
#[should_panic(expected = "a machine asks for `now` for ever")]
fn a_machine_that_asks_for_now_for_ever_is_found_out() {
    add(Fault::AlwaysNow);
}
#[test]
#[should_panic(expected = "rule 9: a machine called an input foreign, and changed it")]
fn a_machine_that_touches_what_is_foreign_is_found_out() {
    add(Fault::TouchesForeign);
}
#[test]
#[should_panic(expected = "rule 10: a closed machine wants to be woken: faulty: later")]
fn a_closed_machine_that_wants_to_be_woken_is_found_out() {
    add(Fault::WakesWhenClosed);
}

#[test]
#[should_panic(expected = "time stands still at 0ns")]
fn a_conversation_that_takes_no_time_and_never_ends_is_found_out() {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    sim.add(host, Echo::new("192.0.2.1", 7));
    sim.add(host, Echo::new("192.0.2.1", 8));
    sim.inject(Path::udp(addr("192.0.2.1:7"), addr("192.0.2.1:8")), b"x");
    sim.run_for(ms(1));
}

#[test]
#[should_panic(expected = "events and commands chase each other for ever")]
fn an_application_that_never_rests_is_found_out() {
    #[derive(Debug, Default)]
    struct Chatty(bool);
    impl Chatty {
        fn handle_input(&mut self, _: Instant, _: &mut Receive<'_>) -> Handled {
            Handled::Foreign
        }
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
            None
        }
        fn poll_event(&mut self) -> Option<()> {
            core::mem::take(&mut self.0).then_some(())
        }
        fn poll_timeout(&self) -> Option<Wake> {
            None
        }
        fn close(&mut self, _: Instant) {}
        fn is_closed(&self) -> bool {
            false
        }
    }
    ginnel_core::machine!(impl [] Chatty { Event = (); Data = (); });
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    let node = sim.add(host, Chatty::default());
    sim.on_event(node, |chatty, _, ()| chatty.0 = true);
    sim.with(node, |chatty, _| chatty.0 = true);
}

#[test]
fn an_application_acts_on_events_and_answers_data_from_the_same_buffer() {
    let mut p = pair(1, Link::new(ms(10)), 1, ms(0));
    let (seen, told) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let log = Rc::clone(&seen);
    // Numbers go back and forth between application and echo, and grow on the way.
    p.sim.on_data(p.ping, move |_, now, number, input| {
        log.borrow_mut().push((*number, now.to_string()));
        input.packet.bytes_mut().copy_from_slice(&(number + 1).to_be_bytes());
        (*number < 3).then(|| Transmit::to(input.path))
    });
    let log = Rc::clone(&told);
    p.sim.on_event(p.ping, move |ping, now, event| {
        log.borrow_mut().push(*event);
        if *event == Event::Closed {
            ping.ping(now, 0); // commanding is allowed, even when nothing comes of it
        }
    });
    p.sim.run_for(ms(200));
    let expected = [(0, "20ms"), (1, "40ms"), (2, "60ms"), (3, "80ms")];
    assert_eq!(*seen.borrow(), expected.map(|(n, at)| (n, at.to_string())));
    // What is kept for the test is what came, not what the application made of it.
    assert_eq!(p.sim.data(p.ping).iter().map(|r| r.bytes[3]).collect::<Vec<_>>(), [0, 1, 2, 3]);
    p.sim.remove_ip(p.left, "192.0.2.1");
    assert!(matches!(told.borrow()[..], [Event::Lost(_)]));
    assert!(matches!(p.sim.timeline(p.ping)[..], [(_, Event::Opened(_)), (_, Event::Lost(_))]));
}

#[test]
fn handles_know_their_machines_and_their_simulation() {
    let mut one = pair(1, Link::default(), 0, ms(0));
    let (mut other, third) = (Sim::new(1), one.sim.add(one.left, Echo::new("192.0.2.1", 9)));
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| other.events(third)));
    assert!(found.is_err());
    assert!(!one.sim.get(third).is_closed());
    assert_ne!(format!("{third:?}"), format!("{:?}", one.echo));
    assert!(third != one.echo);
}
