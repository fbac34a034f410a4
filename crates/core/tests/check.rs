//! Each thing that `Checked` sees, done wrong once by one machine.

use std::time::Duration;

use ginnel_core::{
    Handled, Instant, Machine, Packet, Path, Receive, Request, Ticket, Transmit, Wake, check::Checked,
    machine,
};

/// What is to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    TouchesForeign,
    TakesAfterClose,
    SendsNowhere,
    SendsAfterClose,
    RequestsAfterClose,
    WaitsAfterClose,
    FiresEarly,
    Reopens,
}

/// Well-behaved but for one fault: takes what begins with its octet, waits a second, is closed at once.
#[derive(Debug)]
struct Suspect {
    fault: Fault,
    closed: bool,
    wake: Option<Instant>,
}

impl Suspect {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        if self.closed && !self.is(Fault::TakesAfterClose) {
            return Handled::Foreign;
        }
        if self.is(Fault::SendsNowhere) {
            input.path.remote.set_port(0);
            return Handled::Send(Transmit::to(input.path));
        }
        match input.packet.bytes_mut() {
            [7, ..] => Handled::Consumed,
            [.., last] if self.fault == Fault::TouchesForeign => {
                *last ^= 1;
                Handled::Foreign
            }
            _ => Handled::Foreign,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.wake.is_some_and(|at| at <= now) || self.is(Fault::FiresEarly) {
            self.wake = None;
        }
    }

    fn handle_notice(&mut self, _: Instant, _: ginnel_core::Notice) {}

    fn poll_request(&mut self) -> Option<Request> {
        let local = ([10, 0, 0, 1], 1).into();
        (self.closed && self.is(Fault::RequestsAfterClose)).then_some(Request::Release {
            transport: ginnel_core::Transport::Udp,
            local,
            remote: None,
        })
    }

    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        (self.closed && self.is(Fault::SendsAfterClose)).then(|| Transmit::to(path()))
    }

    fn poll_event(&mut self) -> Option<Ticket> {
        if self.is(Fault::Reopens) {
            self.closed = false;
        }
        None
    }

    fn poll_timeout(&self) -> Option<Wake> {
        Some(Wake::new(self.wake?, "suspect"))
    }

    fn close(&mut self, _: Instant) {
        self.closed = true;
        if !self.is(Fault::WaitsAfterClose) {
            self.wake = None;
        }
    }

    fn is_closed(&self) -> bool {
        self.closed
    }
}
machine!(impl [] Suspect { Event = Ticket; Data = (); } [requests]);

fn path() -> Path {
    Path::udp(([10, 0, 0, 1], 1).into(), ([192, 0, 2, 1], 3478).into())
}

/// A whole life: an arrival of each kind, a timer, an end, and what comes after it.
fn live(fault: Fault) {
    let wake = Instant::EPOCH + Duration::from_secs(1);
    let mut checked = Checked::new(Suspect { fault, closed: false, wake: Some(wake) });
    let mut buf = [0; 2048];
    let mut arrive = |checked: &mut Checked<Suspect>, first| {
        buf[64..66].copy_from_slice(&[first, 0]);
        let mut input = Receive::new(path(), Packet::received(&mut buf, 64..66).unwrap());
        checked.handle_input(Instant::EPOCH, &mut input)
    };
    assert_eq!(arrive(&mut checked, 7), Handled::Consumed);
    assert_eq!(arrive(&mut checked, 8), Handled::Foreign);
    checked.handle_timeout(Instant::EPOCH);
    assert_eq!(checked.poll_timeout().map(|wake| wake.at), Some(wake));
    checked.close(Instant::EPOCH);
    assert_eq!(arrive(&mut checked, 7), Handled::Foreign);
    let mut buf = [0; 2048];
    assert_eq!(checked.poll_transmit(Instant::EPOCH, &mut Packet::empty(&mut buf)), None);
    assert_eq!((checked.poll_request(), checked.poll_event()), (None, None));
    assert!(checked.is_closed() && checked.get().closed && checked.into_inner().closed);
}

#[test]
fn a_good_machine_passes() {
    live(Fault::None);
}

#[test]
fn each_fault_is_found_and_named() {
    let table = [
        (Fault::TouchesForeign, "rule 9: what is foreign was touched"),
        (Fault::TakesAfterClose, "rule 10: a closed machine took an input"),
        (Fault::SendsNowhere, "a path without an end"),
        (Fault::SendsAfterClose, "rule 10: a closed machine sends"),
        (Fault::RequestsAfterClose, "rule 10: a closed machine requests"),
        (Fault::WaitsAfterClose, "rule 10: a closed machine waits"),
        (Fault::FiresEarly, "rule 2: at t+0ns, before its time, a timer fired"),
        (Fault::Reopens, "rule 10: a machine that was closed is not any more"),
    ];
    for (fault, message) in table {
        let panic = std::panic::catch_unwind(|| live(fault)).expect_err("the fault was not found");
        let plain = panic.downcast_ref::<&str>().map(ToString::to_string);
        let said = panic.downcast_ref::<String>().cloned().or(plain).expect("a message");
        assert!(said.starts_with(message), "{fault:?}: {said}");
    }
}

#[test]
#[should_panic = "rule 2: time goes backwards"]
fn the_caller_is_watched_too() {
    let mut checked = Checked::new(Suspect { fault: Fault::None, closed: false, wake: None });
    checked.handle_timeout(Instant::EPOCH + Duration::from_secs(1));
    checked.handle_timeout(Instant::EPOCH);
}
