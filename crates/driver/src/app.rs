//! What the user of a machine does with what comes of it.

use ginnel_core::{Instant, Machine, Receive, Transmit};

use crate::Ejected;

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

    /// Asked behind [`data`](Self::data) of a stream, or inside DTLS: whether that stream is to leave this driver now, before the next message
    /// is read. Never by default.
    fn moves(&mut self) -> bool {
        false
    }

    /// The stream that was to leave, as [`Driver::eject`](crate::Driver::eject) gives it; `None` if it has ended meanwhile. Dropped,
    /// and so closed, by default.
    fn moved(&mut self, stream: Option<Ejected>) {
        drop(stream);
    }

    /// Asked of each datagram at a socket with DTLS, as it came: whether it was taken along, to where the association of this path
    /// has [moved](Self::moved). The system knows nothing of that, and goes on bringing it here. Never by default.
    fn follows(&mut self, input: &Receive<'_>) -> bool {
        let _ = input;
        false
    }
}
