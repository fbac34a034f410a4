#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::{
    fmt::Debug,
    future::Future,
    io,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use ginnel_driver::{Interest, Listener, Runtime, SockRef, Socket, Timer};
use smol::Async;

pub use ginnel_driver::{App, Config, Interfaces, Limits, Stats, interfaces};
#[cfg(feature = "tls")]
pub use ginnel_driver::{ClientTls, ServerTls, TlsError};
#[cfg(feature = "relay")]
pub use ginnel_driver::{RelayConfig, RelayError, RelayStats};

/// A datagram socket at a relay. The task behind it runs on smol's own executor.
#[cfg(feature = "relay")]
pub type RelaySocket = ginnel_driver::RelaySocket<Smol>;

/// A machine driven by smol.
pub type Driver<M> = ginnel_driver::Driver<Smol, M>;

/// A driver for one machine. `epoch` is when its time begins: the one that was given to the machine, if it has one.
pub fn driver<M: ginnel_core::Machine>(epoch: ginnel_core::Epoch, machine: M) -> Driver<M> {
    Driver::new(Smol, epoch, machine)
}

/// The same, with limits of streams, or TLS.
pub fn driver_with<M: ginnel_core::Machine>(
    config: Config,
    epoch: ginnel_core::Epoch,
    machine: M,
) -> Driver<M> {
    Driver::with_config(config, Smol, epoch, machine)
}

/// The reactor that smol and its relatives share. Any executor may poll the driver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Runtime for Smol {
    type Socket = SmolSocket<UdpSocket>;
    type Stream = SmolSocket<TcpStream>;
    type Listener = SmolListener;
    type Timer = SmolTimer;

    fn wrap(&self, socket: UdpSocket) -> io::Result<SmolSocket<UdpSocket>> {
        Async::new_nonblocking(socket).map(SmolSocket)
    }
    fn stream(&self, stream: TcpStream) -> io::Result<SmolSocket<TcpStream>> {
        Async::new_nonblocking(stream).map(SmolSocket)
    }
    fn listener(&self, listener: TcpListener) -> io::Result<SmolListener> {
        Async::new_nonblocking(listener).map(SmolListener)
    }
    fn timer(&self) -> SmolTimer {
        SmolTimer(smol::Timer::never())
    }
}

#[cfg(feature = "relay")]
impl ginnel_driver::RelayRuntime for Smol {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
    async fn look_up(&self, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((name, port)).await
    }
}

/// A UDP socket or a TCP stream under smol. Its readers are woken for errors too.
#[derive(Debug)]
pub struct SmolSocket<T>(Async<T>);

impl<T: Debug> Socket for SmolSocket<T>
where
    for<'s> SockRef<'s>: From<&'s T>,
{
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match interest {
            Interest::Readable => self.0.poll_readable(cx),
            Interest::Writable => self.0.poll_writable(cx),
        }
    }
    /// The reactor remembers no readiness: the system call itself says whether it would block.
    fn try_io<O>(&self, _: Interest, mut io: impl FnMut() -> io::Result<O>) -> io::Result<O> {
        io()
    }
    fn sock_ref(&self) -> SockRef<'_> {
        SockRef::from(self.0.get_ref())
    }
}

/// A TCP listener under smol.
#[derive(Debug)]
pub struct SmolListener(Async<TcpListener>);

impl Listener<SmolSocket<TcpStream>> for SmolListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(SmolSocket<TcpStream>, SocketAddr)>> {
        loop {
            match self.0.get_ref().accept() {
                Ok((stream, remote)) => {
                    let stream = Async::new(stream).map(SmolSocket)?; // makes it non-blocking
                    return Poll::Ready(Ok((stream, remote)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A timer under smol.
#[derive(Debug)]
pub struct SmolTimer(smol::Timer);

impl Timer for SmolTimer {
    fn reset(&mut self, deadline: Instant) {
        self.0.set_at(deadline);
    }
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}
