#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::{
    future::Future as _,
    io,
    net::UdpSocket,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use ginnel_driver::{Interest, Runtime, SockRef, Socket, Timer};
use smol::Async;

pub use ginnel_driver::{App, Interfaces, Stats, interfaces};

/// A machine driven by smol.
pub type Driver<M> = ginnel_driver::Driver<Smol, M>;

/// A driver for one machine. `epoch` is when its time begins: the one that was given to the machine, if it has one.
pub fn driver<M: ginnel_core::Machine>(epoch: ginnel_core::Epoch, machine: M) -> Driver<M> {
    Driver::new(Smol, epoch, machine)
}

/// The reactor that smol and its relatives share. Any executor may poll the driver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Runtime for Smol {
    type Socket = SmolSocket;
    type Timer = SmolTimer;

    fn wrap(&self, socket: UdpSocket) -> io::Result<SmolSocket> {
        Async::new_nonblocking(socket).map(SmolSocket)
    }
    fn timer(&self) -> SmolTimer {
        SmolTimer(smol::Timer::never())
    }
}

/// A UDP socket under smol.
#[derive(Debug)]
pub struct SmolSocket(Async<UdpSocket>);

impl Socket for SmolSocket {
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match interest {
            Interest::Readable => self.0.poll_readable(cx),
            Interest::Writable => self.0.poll_writable(cx),
        }
    }
    /// The reactor remembers no readiness: the system call itself says whether it would block.
    fn try_io<T>(&self, _: Interest, mut io: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        io()
    }
    fn sock_ref(&self) -> SockRef<'_> {
        SockRef::from(self.0.get_ref())
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
