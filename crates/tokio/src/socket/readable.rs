//! A socket that is watched for what comes, and for room only while it is full.
//!
//! Whoever has the reactor watch both is woken once more for each datagram that he has sent: the kernel tells that there is
//! room again as soon as it has delivered it. A relay pays for that with a wake-up for every hop.

use std::{
    io,
    net::UdpSocket,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use ginnel_driver::{Interest, SockRef, Socket};
use tokio::io::{Interest as Side, unix::AsyncFd};

/// A UDP socket under tokio.
#[derive(Debug)]
pub struct TokioSocket {
    socket: Arc<AsyncFd<UdpSocket>>,
    /// The same by another name, which waits for room.
    room: Mutex<Option<AsyncFd<UdpSocket>>>,
    errors: Errors,
}

impl TokioSocket {
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let socket = Arc::new(watch(socket, Side::READABLE)?);
        Ok(Self { socket, room: Mutex::default(), errors: Errors::default() })
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if room.is_none() {
            // Where there is no file left to wait with, or the reactor watches no more, time has to do: who is told that there
            // is room, and finds none, waits.
            let watched = self.socket.get_ref().try_clone().and_then(|again| watch(again, Side::WRITABLE));
            let Ok(watched) = watched else { return Poll::Ready(Ok(())) };
            *room = Some(watched);
        }
        let Some(waits) = &*room else { return Poll::Ready(Ok(())) };
        let told = ready!(waits.poll_write_ready(cx)).map(drop);
        // Asked anew, it begins anew: what a fresh one says is true now.
        *room = None;
        Poll::Ready(told)
    }
}

/// Has the reactor watch this side of a socket.
#[allow(
    deprecated,
    reason = "it is unsound where the file is not the value's own; a socket is, and the other way is unsafe"
)]
fn watch(socket: UdpSocket, side: Side) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, side)
}

impl Socket for TokioSocket {
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match interest {
            Interest::Readable => self.socket.poll_read_ready(cx).map_ok(drop),
            Interest::Writable => self.poll_room(cx),
        }
    }
    fn try_io<T>(&self, interest: Interest, mut io: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match interest {
            Interest::Readable => self.socket.try_io(Side::READABLE, |_| io()),
            Interest::Writable => io(),
        }
    }
    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.errors.poll(&self.socket, cx)
    }
    /// The reactor is edge-triggered, and holds each socket from its beginning to its end.
    fn watches_always(&self) -> bool {
        true
    }
    fn sock_ref(&self) -> SockRef<'_> {
        SockRef::from(self.socket.get_ref())
    }
}

/// Waits for the error queue of a socket: tokio tells of that only by a future, and does not wake who waits to receive.
#[derive(Default)]
struct Errors(Mutex<Option<Waiting>>);

#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "there is no such queue")
)]
struct Waiting {
    told: Pin<Box<dyn Future<Output = ()> + Send>>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Remembers that it was rung: until then the future need not be asked, and it is after each datagram that is.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Errors {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn poll(&self, socket: &Arc<AsyncFd<UdpSocket>>, cx: &mut Context<'_>) -> Poll<()> {
        let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = match &mut *errors {
            Some(waiting) if waiting.bell.task.will_wake(cx.waker()) => {
                if !waiting.bell.rung.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                waiting.bell.rung.store(false, Ordering::Release);
                waiting
            }
            // Made anew when an error has come, not for each time that nothing has.
            none => none.insert(Waiting::new(Arc::clone(socket), cx.waker().clone())),
        };
        let Waiting { told, waker, .. } = waiting;
        ready!(told.as_mut().poll(&mut Context::from_waker(waker)));
        *errors = None;
        Poll::Ready(())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn poll(&self, _: &Arc<AsyncFd<UdpSocket>>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Waiting {
    fn new(socket: Arc<AsyncFd<UdpSocket>>, task: Waker) -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(false), task });
        let waker = Arc::clone(&bell).into();
        let told = Box::pin(async move {
            match socket.ready(Side::ERROR).await {
                // Forgotten before the queue is read: an error that comes meanwhile is told once more.
                Ok(mut told) => told.clear_ready_matching(tokio::io::Ready::ERROR),
                // The runtime is shutting down; receiving says so too.
                Err(_) => std::future::pending().await,
            }
        });
        Self { told, bell, waker }
    }
}

impl std::fmt::Debug for Errors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Errors")
    }
}
