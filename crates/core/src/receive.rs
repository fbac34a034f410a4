//! What arrives, and what became of it.

use crate::{Ecn, Packet, Path, Transmit};

/// One datagram, or one message of a stream, on its way up. A layer that unwraps it rewrites `path` too:
/// data from a relay arrives on the relayed address.
#[derive(Debug)]
pub struct Receive<'a> {
    /// Where it came from.
    pub path: Path,
    /// The mark it bore.
    pub ecn: Ecn,
    /// What it is.
    pub packet: Packet<'a>,
}
impl<'a> Receive<'a> {
    /// An unmarked arrival.
    pub const fn new(path: Path, packet: Packet<'a>) -> Self {
        Self { path, ecn: Ecn::NotEct, packet }
    }
}
/// What became of an input. The bytes, where there are any, are in the [`Receive`] that was lent.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled<D = ()> {
    /// Mine, and done with. The buffer is scratch now.
    Consumed,
    /// For the layer above: the packet holds the payload, the path says whence, and `D` what it is.
    Data(D),
    /// Send this very packet: an answer written over its question, or what a relay passes on.
    Send(Transmit),
    /// Not mine, and untouched: offer it to the next machine.
    Foreign,
}
