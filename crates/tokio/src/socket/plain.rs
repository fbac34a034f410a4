//! Where sockets are no files: as tokio has them.

use std::{
    io,
    task::{Context, Poll},
};

use ginnel_driver::{Interest, SockRef, Socket};

use crate::try_io;

/// A UDP socket under tokio.
#[derive(Debug)]
pub struct TokioSocket(tokio::net::UdpSocket);

impl TokioSocket {
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        tokio::net::UdpSocket::from_std(socket).map(Self)
    }
}

impl Socket for TokioSocket {
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match interest {
            Interest::Readable => self.0.poll_recv_ready(cx),
            Interest::Writable => self.0.poll_send_ready(cx),
        }
    }
    fn try_io<T>(&self, interest: Interest, io: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        try_io(interest, io, |interest, io| self.0.try_io(interest, io))
    }
    /// The reactor holds each socket from its beginning to its end.
    fn watches_always(&self) -> bool {
        true
    }
    fn sock_ref(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }
}
