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
use tokio::time::Sleep;

pub use ginnel_driver::{App, Interfaces, Stats, interfaces};

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

/// The tokio runtime that the task runs in. It needs `net` and `time` enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    type Socket = TokioSocket;
    type Timer = TokioTimer;

    fn wrap(&self, socket: UdpSocket) -> io::Result<TokioSocket> {
        tokio::net::UdpSocket::from_std(socket).map(TokioSocket)
    }
    fn timer(&self) -> TokioTimer {
        TokioTimer(Box::pin(tokio::time::sleep(std::time::Duration::ZERO)))
    }
}

/// A UDP socket under tokio.
#[derive(Debug)]
pub struct TokioSocket(tokio::net::UdpSocket);

impl Socket for TokioSocket {
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match interest {
            Interest::Readable => self.0.poll_recv_ready(cx),
            Interest::Writable => self.0.poll_send_ready(cx),
        }
    }
    fn try_io<T>(&self, interest: Interest, mut io: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match interest {
            Interest::Readable => self.0.try_io(tokio::io::Interest::READABLE, io),
            // Until the reactor has seen a fresh socket tokio believes that it would block, so it is asked second. It tries
            // again itself, so that readiness which came in between is not taken for the stale one.
            Interest::Writable => match io() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.try_io(tokio::io::Interest::WRITABLE, io)
                }
                done => done,
            },
        }
    }
    fn sock_ref(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
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
