#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod shards;
mod socket;

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use ginnel_driver::{Interest, Listener, Runtime, SockRef, Socket, Timer};
use tokio::time::Sleep;

pub use socket::TokioSocket;

pub use ginnel_driver::{App, Config, Interfaces, Limits, Stats, interfaces};
#[cfg(feature = "tls")]
pub use ginnel_driver::{ClientTls, ServerTls, TlsError};
#[cfg(feature = "relay")]
pub use ginnel_driver::{RelayConfig, RelayError, RelayStats};

/// A datagram socket at a relay, in a tokio runtime.
#[cfg(feature = "relay")]
pub type RelaySocket = ginnel_driver::RelaySocket<Tokio>;

/// A machine driven by tokio.
pub type Driver<M> = ginnel_driver::Driver<Tokio, M>;

/// A driver for one machine, in the current tokio runtime. `epoch` is when its time begins: the one that was given to the
/// machine, if it has one.
///
/// # Panics
/// Outside of a tokio runtime, or in one without time.
pub fn driver<M: ginnel_core::Machine>(epoch: ginnel_core::Epoch, machine: M) -> Driver<M> {
    Driver::new(Tokio, epoch, machine)
}

/// The same, with limits of streams, or TLS.
///
/// # Panics
/// Outside of a tokio runtime, or in one without time.
pub fn driver_with<M: ginnel_core::Machine>(
    config: Config,
    epoch: ginnel_core::Epoch,
    machine: M,
) -> Driver<M> {
    Driver::with_config(config, Tokio, epoch, machine)
}

/// The tokio runtime that the task runs in. It needs `net` and `time` enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    type Socket = TokioSocket;
    type Stream = TokioStream;
    type Listener = TokioListener;
    type Timer = TokioTimer;

    fn wrap(&self, socket: UdpSocket) -> io::Result<TokioSocket> {
        TokioSocket::new(socket)
    }
    fn stream(&self, stream: TcpStream) -> io::Result<TokioStream> {
        tokio::net::TcpStream::from_std(stream).map(TokioStream)
    }
    fn listener(&self, listener: TcpListener) -> io::Result<TokioListener> {
        tokio::net::TcpListener::from_std(listener).map(TokioListener)
    }
    fn timer(&self) -> TokioTimer {
        TokioTimer(Box::pin(tokio::time::sleep(std::time::Duration::ZERO)))
    }
}

#[cfg(feature = "relay")]
impl ginnel_driver::RelayRuntime for Tokio {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
    async fn look_up(&self, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        tokio::net::lookup_host((name, port)).await.map(Vec::from_iter)
    }
}

/// A TCP stream under tokio.
#[derive(Debug)]
pub struct TokioStream(tokio::net::TcpStream);

impl Socket for TokioStream {
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match interest {
            Interest::Readable => self.0.poll_read_ready(cx),
            Interest::Writable => self.0.poll_write_ready(cx),
        }
    }
    fn try_io<T>(&self, interest: Interest, io: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        try_io(interest, io, |interest, io| self.0.try_io(interest, io))
    }
    fn sock_ref(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }
}

fn try_io<T, F: FnMut() -> io::Result<T>>(
    interest: Interest,
    mut io: F,
    asked: impl FnOnce(tokio::io::Interest, F) -> io::Result<T>,
) -> io::Result<T> {
    match interest {
        Interest::Readable => asked(tokio::io::Interest::READABLE, io),
        // Until the reactor has seen a fresh socket tokio believes that it would block, so it is asked second. It tries
        // again itself, so that readiness which came in between is not taken for the stale one.
        Interest::Writable => match io() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                asked(tokio::io::Interest::WRITABLE, io)
            }
            done => done,
        },
    }
}

/// A TCP listener under tokio.
#[derive(Debug)]
pub struct TokioListener(tokio::net::TcpListener);

impl Listener<TokioStream> for TokioListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TokioStream, SocketAddr)>> {
        let (stream, remote) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok((TokioStream(stream), remote)))
    }
}

/// A timer under tokio: accurate to a millisecond.
#[derive(Debug)]
pub struct TokioTimer(Pin<Box<Sleep>>);

impl Timer for TokioTimer {
    fn reset(&mut self, deadline: Instant) {
        self.0.as_mut().reset(deadline.into());
    }
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
