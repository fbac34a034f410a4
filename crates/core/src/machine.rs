//! The trait, and the macro that implements it by inherent methods.

use crate::{Handled, Instant, Notice, Packet, Receive, Request, Transmit, Wake};

/// The verbs, for what is generic over machines: drivers, the simulator, owners of one machine of any kind.
///
/// Users call the inherent methods of the same names, which [`machine!`](crate::machine!) forwards to, and need not import
/// this. It can be made into an object: `dyn Machine<Event = E, Data = D>`.
///
/// The [crate documentation](crate) has the rules that an implementation keeps, and the table of who calls what.
///
/// ```
/// use ginnel_core::{Instant, Machine, Wake};
///
/// /// When the first of several machines of one kind wants to be woken.
/// fn soonest<M: Machine>(machines: &[M]) -> Option<Wake> {
///     Wake::soonest(machines.iter().map(Machine::poll_timeout))
/// }
/// ```
pub trait Machine {
    /// What happened, for the user.
    type Event;

    /// What is said of received data besides its bytes.
    type Data;

    /// Tell: one arrival. `input` is untouched if it is [`Handled::Foreign`]; else its packet and path are the machine's to
    /// rewrite.
    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Self::Data>;

    /// Tell: time has come. Fires what is due, and nothing else does. Calling it too early does nothing.
    fn handle_timeout(&mut self, now: Instant);

    /// Tell: news of sockets. Most machines own none.
    fn handle_notice(&mut self, _now: Instant, _notice: Notice) {}

    /// Ask: writes the next packet into `packet`, emptying it first; `None` when there is none.
    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit>;

    /// Ask: the next request to the driver.
    fn poll_request(&mut self) -> Option<Request> {
        None
    }

    /// Ask: the next event.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// Ask: when to call `handle_timeout`. Pure: it answers the same until something is told or drained.
    fn poll_timeout(&self) -> Option<Wake>;

    /// Tell: begins to end. The goodbye is drained like anything else.
    fn close(&mut self, now: Instant);

    /// Ask: whether it has ended. Pure.
    fn is_closed(&self) -> bool;
}

/// Implements [`Machine`] by the inherent methods of the same names.
///
/// The generics stand in square brackets, empty where there are none. `[requests]` at the end forwards `handle_notice` and
/// `poll_request` too, for a machine that opens sockets; without it they do nothing.
///
/// ```
/// use ginnel_core::{Handled, Instant, Machine, Packet, Receive, Transmit, Wake, machine};
///
/// /// Sends everything back, until it is closed.
/// #[derive(Debug, Default)]
/// struct Echo {
///     closed: bool,
/// }
///
/// impl Echo {
///     fn handle_input(&mut self, _now: Instant, input: &mut Receive<'_>) -> Handled {
///         if self.closed { Handled::Foreign } else { Handled::Send(Transmit::to(input.path)) }
///     }
///     fn handle_timeout(&mut self, _now: Instant) {}
///     fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
///         None
///     }
///     fn poll_event(&mut self) -> Option<()> {
///         None
///     }
///     fn poll_timeout(&self) -> Option<Wake> {
///         None
///     }
///     fn close(&mut self, _now: Instant) {
///         self.closed = true;
///     }
///     fn is_closed(&self) -> bool {
///         self.closed
///     }
/// }
/// machine!(impl [] Echo { Event = (); Data = (); });
///
/// fn generic(machine: &mut impl Machine) -> bool {
///     machine.close(Instant::EPOCH);
///     machine.is_closed()
/// }
/// assert!(generic(&mut Echo::default()));
/// ```
#[macro_export]
macro_rules! machine {
    (impl [$($g:tt)*] $ty:ty { Event = $event:ty; Data = $data:ty; } $([$opt:ident])*) => {
        impl<$($g)*> $crate::Machine for $ty {
            type Event = $event;
            type Data = $data;
            fn handle_input(
                &mut self,
                now: $crate::Instant,
                input: &mut $crate::Receive<'_>,
            ) -> $crate::Handled<$data> {
                <$ty>::handle_input(self, now, input)
            }
            fn handle_timeout(&mut self, now: $crate::Instant) {
                <$ty>::handle_timeout(self, now)
            }
            fn poll_transmit(
                &mut self,
                now: $crate::Instant,
                packet: &mut $crate::Packet<'_>,
            ) -> ::core::option::Option<$crate::Transmit> {
                <$ty>::poll_transmit(self, now, packet)
            }
            fn poll_event(&mut self) -> ::core::option::Option<$event> {
                <$ty>::poll_event(self)
            }
            fn poll_timeout(&self) -> ::core::option::Option<$crate::Wake> {
                <$ty>::poll_timeout(self)
            }
            fn close(&mut self, now: $crate::Instant) {
                <$ty>::close(self, now)
            }
            fn is_closed(&self) -> bool {
                <$ty>::is_closed(self)
            }
            $($crate::machine!(@ $opt $ty);)*
        }
    };
    (@ requests $ty:ty) => {
        fn handle_notice(&mut self, now: $crate::Instant, notice: $crate::Notice) {
            <$ty>::handle_notice(self, now, notice)
        }
        fn poll_request(&mut self) -> ::core::option::Option<$crate::Request> {
            <$ty>::poll_request(self)
        }
    };
}
