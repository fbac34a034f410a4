//! The clock.

use alloc::boxed::Box;
use core::time::Duration;

use ginnel_core::{Instant, Wake};

use crate::Sim;

/// More than happens at one instant in any simulation but one that goes round in circles.
const MAX_AT_ONE_INSTANT: usize = 100_000;

impl Sim {
    /// The virtual time. It begins at [`Instant::EPOCH`].
    #[must_use]
    pub fn now(&self) -> Instant {
        self.net.now
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.net.now + time;
        while self.step(end) {}
        self.net.now = end;
    }

    /// Lets time pass until `done`, which is asked before anything happens and after each thing that did, and at most
    /// `limit`. Returns whether it came to be. `done` may command machines: signalling between two of them is done there.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.net.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                break;
            }
        }
        self.net.now = end;
        done(self)
    }

    /// As [`run_until`](Self::run_until).
    ///
    /// # Panics
    /// When `what` does not come to be within `limit`; the message says how to reproduce it.
    #[track_caller]
    pub fn expect(&mut self, what: &str, limit: Duration, done: impl FnMut(&mut Self) -> bool) {
        let came = self.run_until(limit, done);
        assert!(came, "not within {limit:?}: {what}\n{}", self.reproduce());
    }

    /// Lets time pass until nothing is on its way and no machine waits for anything, and at most `limit`.
    /// Returns whether it came to that. The clock stands at the last thing that happened, or at the limit.
    pub fn run_idle(&mut self, limit: Duration) -> bool {
        let end = self.net.now + limit;
        while self.step(end) {}
        let idle = self.next().is_none();
        if !idle {
            self.net.now = end;
        }
        idle
    }

    /// Does something later: signalling that takes its time, a link that breaks in the middle.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use ginnel_netsim::Sim;
    /// # let mut sim = Sim::new(1);
    /// let (home, office) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
    /// sim.after(Duration::from_secs(3), move |sim| sim.cut(home, office));
    /// sim.after(Duration::from_secs(8), move |sim| sim.restore(home, office));
    /// sim.run_for(Duration::from_secs(10));
    /// ```
    pub fn after(&mut self, time: Duration, script: impl FnOnce(&mut Self) + 'static) {
        self.scripted += 1;
        self.scripts.insert((self.net.now + time, self.scripted), Box::new(script));
    }

    /// The next wake-up that any machine waits for, and why.
    #[must_use]
    pub fn next_wake(&self) -> Option<Wake> {
        self.wakes.first().and_then(|(_, node)| self.nodes[*node].wake)
    }

    /// The instant of the next thing to happen, whatever it is.
    fn next(&self) -> Option<Instant> {
        let script = self.scripts.first_key_value().map(|((at, _), _)| *at);
        let wake = self.wakes.first().map(|(at, _)| *at);
        [self.net.next_arrival(), script, wake].into_iter().flatten().min()
    }

    /// Lets the next thing happen, if it is due by `end`. At one instant datagrams come first, then scripts, then timers.
    fn step(&mut self, end: Instant) -> bool {
        let Some(at) = self.next().filter(|at| *at <= end) else { return false };
        assert!(at >= self.net.now, "time went back from {} to {at}", self.net.now);
        self.busy = if at > self.net.now { 0 } else { self.busy + 1 };
        assert!(self.busy < MAX_AT_ONE_INSTANT, "time stands still at {at}\n{}", self.reproduce());
        self.net.now = at;
        if self.net.next_arrival() == Some(at) {
            let deliveries = self.net.arrive();
            self.receive(deliveries);
        } else if let Some(script) = self.scripts.first_entry().filter(|script| script.key().0 == at) {
            script.remove()(self);
        } else if let Some((_, node)) = self.wakes.first().copied() {
            self.fire(node);
        }
        true
    }
}
