//! What arrives, and what became of it.

use crate::{Ecn, Packet, Path, Transmit};

/// One datagram, or one message of a stream, on its way up.
///
/// A layer that unwraps it rewrites `path` too: data from a relay arrives on the relayed address.
///
/// ```
/// use ginnel_core::{HEADROOM, Packet, Path, Receive};
///
/// let mut buf = [0; 2048];
/// buf[HEADROOM..HEADROOM + 4].copy_from_slice(b"ping");
/// let packet = Packet::received(&mut buf, HEADROOM..HEADROOM + 4).unwrap();
/// let path = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
/// let input = Receive::new(path, packet);
/// assert_eq!((input.path.remote.port(), input.packet.bytes()), (3478, &b"ping"[..]));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
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
    /// An unmarked arrival. A driver that can read the mark sets `ecn`.
    ///
    /// ```
    /// # use ginnel_core::{Ecn, Packet, Path, Receive};
    /// # let mut buf = [0; 2048];
    /// # let path = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
    /// let mut input = Receive::new(path, Packet::empty(&mut buf));
    /// assert_eq!(input.ecn, Ecn::NotEct);
    /// input.ecn = Ecn::Ce;
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn new(path: Path, packet: Packet<'a>) -> Self {
        Self { path, ecn: Ecn::NotEct, packet }
    }
}

/// What became of an input. The bytes, where there are any, are in the [`Receive`] that was lent.
///
/// There is no error among them: what the network sends cannot make a caller fail.
///
/// ```
/// use ginnel_core::Handled;
///
/// fn has_payload<D>(handled: &Handled<D>) -> bool {
///     match handled {
///         Handled::Data(_) => true,
///         Handled::Consumed | Handled::Send(_) | Handled::Foreign => false,
///     }
/// }
/// assert!(has_payload(&Handled::Data("text")));
/// ```
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
