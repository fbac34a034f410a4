//! A stream on its way from one driver to another.

use std::{collections::VecDeque, net::TcpStream};

use ginnel_core::{Framing, Path};

#[cfg(feature = "tls")]
use super::Session;
use super::Source;

/// An open stream that no driver has: what [`Driver::eject`](crate::Driver::eject) gives and
/// [`Driver::adopt`](crate::Driver::adopt) takes, in another thread perhaps. All that belongs to it goes along: octets that were
/// read and not looked at, octets that have not left, and the state of TLS. Dropped, it is closed.
#[derive(Debug)]
pub struct Ejected {
    pub(crate) io: TcpStream,
    pub(crate) path: Path,
    pub(crate) framing: Framing,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Box<Session>>,
    pub(crate) accepted: Option<Source>,
    pub(crate) unread: Vec<u8>,
    pub(crate) unsent: VecDeque<u8>,
}

impl Ejected {
    /// What it is called, here and there.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }
}
