//! A stream on its way from one driver to another.

use std::{collections::VecDeque, net::TcpStream};

use ginnel_core::{Framing, Path};

#[cfg(feature = "tls")]
use super::Session;
use super::Source;

/// An open stream, or DTLS association, that no driver has: what [`Driver::eject`](crate::Driver::eject) gives and
/// [`Driver::adopt`](crate::Driver::adopt) takes, in another thread perhaps. All that belongs to it goes along: octets that were
/// read and not looked at, octets that have not left, and the state of TLS. Dropped, a stream is closed; an association is
/// forgotten, and its peer not told.
///
/// An association leaves its socket behind, which it shares with others: it can go to drivers alone that listen at the same
/// address ([`Driver::listen_shared`](crate::Driver::listen_shared)), and what comes for it still comes where it was:
/// [`App::follows`](crate::App::follows).
#[derive(Debug)]
pub struct Ejected {
    pub(crate) path: Path,
    pub(crate) accepted: Option<Source>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Stream {
        io: TcpStream,
        framing: Framing,
        #[cfg(feature = "tls")]
        tls: Option<Box<Session>>,
        unread: Vec<u8>,
        unsent: VecDeque<u8>,
    },
    #[cfg(feature = "dtls")]
    Association(Box<crate::dtls::Association>),
}

impl Ejected {
    /// What it is called, here and there.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }
}
