//! What the user of a machine does with what comes of it.

use ginnel_core::{Instant, Machine, Receive, Transmit};

/// The application above a machine. Both calls have the machine at hand, to command; the driver settles it afterwards.
///
/// They run inside the loop, so they must not block: what takes long is handed to another task.
pub trait App<M: Machine> {
    /// Something happened. What an input caused comes before the data that the input held.
    fn event(&mut self, now: Instant, machine: &mut M, event: M::Event);

    /// Data came: the bytes are in `input.packet`, and `data` says what they are. What is returned is sent at once, from this
    /// same buffer: answering, or passing on to another peer of the machine, copies nothing. Ignored by default.
    fn data(
        &mut self,
        now: Instant,
        machine: &mut M,
        data: M::Data,
        input: &mut Receive<'_>,
    ) -> Option<Transmit> {
        let _ = (now, machine, data, input);
        None
    }
}
