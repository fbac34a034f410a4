//! What the driver needs of an asynchronous runtime. `ginnel-tokio` and `ginnel-smol` are nothing but this.

use std::{
    fmt::Debug,
    io,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    task::{Context, Poll},
    time::Instant,
};

use socket2::SockRef;

/// A runtime: it makes sockets and timers that wake tasks.
pub trait Runtime: Debug {
    /// A UDP socket under this runtime.
    type Socket: Socket;
    /// A TCP stream under this runtime.
    type Stream: Socket;
    /// A TCP listener under this runtime.
    type Listener: Listener<Self::Stream>;
    /// A timer under this runtime.
    type Timer: Timer;

    /// Takes over a socket that is non-blocking already.
    ///
    /// # Errors
    /// When the runtime cannot register it.
    fn wrap(&self, socket: UdpSocket) -> io::Result<Self::Socket>;
    /// Takes over a stream that is non-blocking already, and may still be connecting: then it becomes writable, or fails, when
    /// that is over.
    ///
    /// # Errors
    /// When the runtime cannot register it.
    fn stream(&self, stream: TcpStream) -> io::Result<Self::Stream>;
    /// Takes over a listener that is non-blocking already.
    ///
    /// # Errors
    /// When the runtime cannot register it.
    fn listener(&self, listener: TcpListener) -> io::Result<Self::Listener>;
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

/// A UDP socket, or a TCP stream, whose readiness a runtime watches. The system calls are the driver's.
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
    /// Whether the system has reported an error of the socket since the last time; if not, the task is woken when it does.
    /// Only for runtimes that do not take an error for readiness to receive: others need not write this.
    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Pending
    }
    /// Whether waiting costs nothing: the runtime watches all the time, and learns from [`try_io`](Self::try_io) alone what is
    /// over. Then a socket that seems to be empty is waited for at once; others are asked once more first, since that costs no
    /// more than to wait. The default says no, which is always right.
    fn watches_always(&self) -> bool {
        false
    }
    /// The socket itself.
    fn sock_ref(&self) -> SockRef<'_>;
}

/// A TCP listener whose readiness a runtime watches.
pub trait Listener<S>: Debug {
    /// The next stream that somebody has opened, non-blocking, and who has; if there is none, the task is woken when there
    /// is.
    ///
    /// # Errors
    /// Those of the system: of one stream, or because there are too many files open.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(S, SocketAddr)>>;
}

/// A timer that wakes the task which polled it last.
pub trait Timer: Debug {
    /// Fires at `deadline`, or a little later, and no more at what it was set to before.
    fn reset(&mut self, deadline: Instant);
    /// Whether it has fired since it was set.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
