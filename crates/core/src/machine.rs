//! The trait.

use crate::{Handled, Instant, Notice, Packet, Receive, Request, Transmit, Wake};

/// The verbs, for what is generic over machines: drivers, the simulator, the checker. Users call the inherent methods
/// of the same names, which [`machine!`] forwards to. It can be made into an object: `dyn Machine<Event = E, Data = D>`.
pub trait Machine {
    /// What happened, for the user.
    type Event;
    /// What is said of received data besides its bytes.
    type Data;
    /// One arrival.
    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Self::Data>;
    /// Time has come: fires what is due, and nothing else does.
    fn handle_timeout(&mut self, now: Instant);
    /// News of sockets. Most machines own none.
    fn handle_notice(&mut self, _now: Instant, _notice: Notice) {}
    /// Writes the next packet into `packet`, emptying it first; `None` when there is none.
    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit>;
    /// The next request to the driver.
    fn poll_request(&mut self) -> Option<Request> {
        None
    }
    /// The next event.
    fn poll_event(&mut self) -> Option<Self::Event>;
    /// When to call `handle_timeout`.
    fn poll_timeout(&self) -> Option<Wake>;
    /// Begins to end.
    fn close(&mut self, now: Instant);
    /// Whether it has ended.
    fn is_closed(&self) -> bool;
}
/// Implements [`Machine`] by the inherent methods of the same names; a method that is named in brackets is forwarded too.
#[macro_export]
macro_rules! machine {
    (impl [$($g:tt)*] $ty:ty { Event = $event:ty; Data = $data:ty; } $([$opt:ident])*) => {
        impl<$($g)*> $crate::Machine for $ty {
            type Event = $event;
            type Data = $data;
            fn handle_input(&mut self, now: $crate::Instant, input: &mut $crate::Receive<'_>) -> $crate::Handled<$data> { <$ty>::handle_input(self, now, input) }
            fn handle_timeout(&mut self, now: $crate::Instant) { <$ty>::handle_timeout(self, now) }
            fn poll_transmit(&mut self, now: $crate::Instant, packet: &mut $crate::Packet<'_>) -> Option<$crate::Transmit> { <$ty>::poll_transmit(self, now, packet) }
            fn poll_event(&mut self) -> Option<$event> { <$ty>::poll_event(self) }
            fn poll_timeout(&self) -> Option<$crate::Wake> { <$ty>::poll_timeout(self) }
            fn close(&mut self, now: $crate::Instant) { <$ty>::close(self, now) }
            fn is_closed(&self) -> bool { <$ty>::is_closed(self) }
            $($crate::machine!(@ $opt $ty);)*
        }
    };
    (@ requests $ty:ty) => {
        fn handle_notice(&mut self, now: $crate::Instant, notice: $crate::Notice) { <$ty>::handle_notice(self, now, notice) }
        fn poll_request(&mut self) -> Option<$crate::Request> { <$ty>::poll_request(self) }
    };
}
