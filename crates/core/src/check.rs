//! A machine that is watched: for tests and fuzzers, of this workspace and of whoever writes a machine.
//!
//! What one call can show of the rules is checked at that call. That a machine stops asking for *now* (rule 2) is seen only over
//! a whole drain: [`settle`](crate::settle) checks it in debug builds. What the rules say of commands is not seen from here.

use crate::{Ecn, Handled, Instant, Machine, Notice, Packet, Path, Receive, Request, Transmit, Wake};

/// Any machine, with the [rules](crate#the-rules) checked at each call. It is a [`Machine`] like the one in it.
///
/// It panics where a rule is broken, and names the rule:
///
/// - the caller's: time does not go backwards (2);
/// - `handle_input`: what is `Foreign` is untouched, path, mark and bytes (9); what is sent or data goes out with a path's own
///   addresses, never unspecified ones; a closed machine calls everything `Foreign` (10);
/// - `handle_timeout`: before its time it changes no wake-up (2);
/// - `poll_timeout`: asked twice, it says the same (2);
/// - after the end: nothing to send, to request or to wait for, and no way back (10).
///
/// ```
/// use ginnel_core::{Instant, Machine, Packet, check::Checked};
///
/// fn test_run(machine: impl Machine) {
///     let mut checked = Checked::new(machine);
///     let mut buf = [0; 2048];
///     checked.close(Instant::EPOCH);
///     while checked.poll_transmit(Instant::EPOCH, &mut Packet::empty(&mut buf)).is_some() {}
///     assert!(checked.get().poll_timeout().is_none() || !checked.is_closed());
/// }
/// ```
#[derive(Debug)]
pub struct Checked<M> {
    inner: M,
    now: Instant,
    was_closed: bool,
}

impl<M: Machine> Checked<M> {
    /// Watches `inner` from now on.
    ///
    /// ```
    /// # use ginnel_core::{Machine, check::Checked};
    /// fn watched<M: Machine>(machine: M) -> Checked<M> {
    ///     Checked::new(machine)
    /// }
    /// ```
    #[must_use]
    pub const fn new(inner: M) -> Self {
        Self { inner, now: Instant::EPOCH, was_closed: false }
    }

    /// The machine, for what reads it.
    ///
    /// ```
    /// # use ginnel_core::{Machine, Wake, check::Checked};
    /// fn wake<M: Machine>(checked: &Checked<M>) -> Option<Wake> {
    ///     checked.get().poll_timeout()
    /// }
    /// ```
    #[must_use]
    pub const fn get(&self) -> &M {
        &self.inner
    }

    /// The machine, for its commands. Settle afterwards: rule 1.
    ///
    /// ```
    /// # use ginnel_core::{Machine, check::Checked};
    /// fn command<M: Machine>(checked: &mut Checked<M>, command: impl FnOnce(&mut M)) {
    ///     command(checked.get_mut());
    /// }
    /// ```
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut M {
        &mut self.inner
    }

    /// The machine, watched no longer.
    ///
    /// ```
    /// # use ginnel_core::{Machine, check::Checked};
    /// fn unwatched<M: Machine>(checked: Checked<M>) -> M {
    ///     checked.into_inner()
    /// }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> M {
        self.inner
    }

    fn tell(&mut self, now: Instant) {
        assert!(now >= self.now, "rule 2: time goes backwards, from {:?} to {now:?}", self.now);
        self.now = now;
    }

    /// To be called behind each call of the machine.
    fn look(&mut self) {
        let closed = self.inner.is_closed();
        assert!(closed || !self.was_closed, "rule 10: a machine that was closed is not any more");
        self.was_closed = closed;
        let wake = self.inner.poll_timeout();
        assert!(!closed || wake.is_none(), "rule 10: a closed machine waits for {wake:?}");
    }
}

impl<M: Machine> Machine for Checked<M> {
    type Event = M::Event;
    type Data = M::Data;

    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<M::Data> {
        self.tell(now);
        let (closed, before) = (self.inner.is_closed(), Trace::of(input));
        let handled = self.inner.handle_input(now, input);
        match &handled {
            Handled::Foreign => {
                assert!(
                    before == Trace::of(input),
                    "rule 9: what is foreign was touched, on {}",
                    before.path
                );
            }
            _ if closed => panic!("rule 10: a closed machine took an input, on {}", before.path),
            Handled::Send(transmit) => addressed(transmit.path),
            Handled::Data(_) => addressed(input.path),
            Handled::Consumed => {}
        }
        self.look();
        handled
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.tell(now);
        let before = self.inner.poll_timeout();
        self.inner.handle_timeout(now);
        if before.is_none_or(|wake| wake.at > now) {
            let after = self.inner.poll_timeout();
            assert!(
                before == after,
                "rule 2: at {now:?}, before its time, a timer fired: {before:?}, then {after:?}"
            );
        }
        self.look();
    }

    fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.tell(now);
        self.inner.handle_notice(now, notice);
        self.look();
    }

    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        self.tell(now);
        let closed = self.inner.is_closed();
        let transmit = self.inner.poll_transmit(now, packet);
        if let Some(transmit) = &transmit {
            assert!(!closed, "rule 10: a closed machine sends, on {}", transmit.path);
            addressed(transmit.path);
        }
        self.look();
        transmit
    }

    fn poll_request(&mut self) -> Option<Request> {
        let closed = self.inner.is_closed();
        let request = self.inner.poll_request();
        assert!(!closed || request.is_none(), "rule 10: a closed machine requests {request:?}");
        self.look();
        request
    }

    fn poll_event(&mut self) -> Option<M::Event> {
        let event = self.inner.poll_event();
        self.look();
        event
    }

    fn poll_timeout(&self) -> Option<Wake> {
        let (wake, again) = (self.inner.poll_timeout(), self.inner.poll_timeout());
        assert!(wake == again, "rule 2: the wake-up changes by asking: {wake:?}, then {again:?}");
        wake
    }

    fn close(&mut self, now: Instant) {
        self.tell(now);
        self.inner.close(now);
        self.look();
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

/// A path that something can be sent on: both of its ends are somewhere.
fn addressed(path: Path) {
    let nowhere =
        path.local.ip().is_unspecified() || path.remote.ip().is_unspecified() || path.remote.port() == 0;
    assert!(!nowhere, "a path without an end: {path}");
}

/// What an input was, short enough to keep.
#[derive(PartialEq, Eq)]
struct Trace {
    path: Path,
    ecn: Ecn,
    len: usize,
    /// FNV-1a, 64 bits: no defence against anybody, and none is needed against a mistake.
    hash: u64,
}

impl Trace {
    fn of(input: &Receive<'_>) -> Self {
        let step = |hash: u64, octet: &u8| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
        let hash = input.packet.bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
        Self { path: input.path, ecn: input.ecn, len: input.packet.len(), hash }
    }
}
