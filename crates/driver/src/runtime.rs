//! What the driver needs of an asynchronous runtime. `ginnel-tokio` and `ginnel-smol` are nothing but this.

use std::{
    fmt::Debug,
    io,
    net::UdpSocket,
    task::{Context, Poll},
    time::Instant,
};

use socket2::SockRef;

/// A runtime: it makes sockets and timers that wake tasks. Streams will be one more associated type.
pub trait Runtime: Debug {
    /// A UDP socket under this runtime.
    type Socket: Socket;
    /// A timer under this runtime.
    type Timer: Timer;

    /// Takes over a socket that is non-blocking already.
    ///
    /// # Errors
    /// When the runtime cannot register it.
    fn wrap(&self, socket: UdpSocket) -> io::Result<Self::Socket>;
    /// A timer that is not set.
    fn timer(&self) -> Self::Timer;
}

/// Which side of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Receiving.
    Readable,
    /// Sending.
    Writable,
}

/// A UDP socket whose readiness a runtime watches. The system calls are the driver's.
pub trait Socket: Debug {
    /// Whether the socket is ready, perhaps; if not, the task is woken when it is. Called after
    /// [`try_io`](Self::try_io) has said `WouldBlock`, with the same waker again and again.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Does `io`, or says `WouldBlock` without doing it where the runtime knows already that it would; learns from the outcome.
    /// A fresh socket can be sent from at once, before the runtime has seen it ready.
    ///
    /// # Errors
    /// Those of `io`, and `WouldBlock`.
    fn try_io<T>(&self, interest: Interest, io: impl FnMut() -> io::Result<T>) -> io::Result<T>;
    /// The socket itself.
    fn sock_ref(&self) -> SockRef<'_>;
}

/// A timer that wakes the task which polled it last.
pub trait Timer: Debug {
    /// Fires at `deadline`, or a little later, and no more at what it was set to before.
    fn reset(&mut self, deadline: Instant);
    /// Whether it has fired since it was set.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
