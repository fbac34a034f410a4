//! `/metrics` and `/healthz`, over plain HTTP: for whoever operates the server, not for the Internet.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use ginnel::core::Instant;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};

use super::{
    fleet::Fleet,
    metrics::{self, Counted, Whole},
};

/// What the answers are made of.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) fleet: Fleet,
    draining: std::sync::atomic::AtomicBool,
    pub(super) reloads: AtomicU64,
    pub(super) reloads_refused: AtomicU64,
}

impl Health {
    pub(super) fn new(fleet: Fleet) -> Self {
        Self { fleet, draining: false.into(), reloads: AtomicU64::new(0), reloads_refused: AtomicU64::new(0) }
    }
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

pub(super) fn router(health: Arc<Health>) -> Router {
    Router::new().route("/metrics", get(scrape)).route("/healthz", get(check)).with_state(health)
}

/// 503 as soon as it drains, so that a load balancer sends nobody any more.
async fn check(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    match health.is_draining() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        false => (StatusCode::OK, "ok\n"),
    }
}

async fn scrape(State(health): State<Arc<Health>>) -> Response {
    let counted = health.fleet.ask(|driver| Counted {
        turn: driver.machine().stats(),
        auth: driver.machine().auth_stats(),
        binding: driver.machine().binding_stats(),
        sockets: driver.stats(),
        streams: driver.streams() as u64,
    });
    let posts = &health.fleet.posts;
    let whole = Whole {
        handed_over: [
            posts.iter().map(|post| post.sent()).sum(),
            posts.iter().map(|post| post.dropped()).sum(),
            posts.iter().map(|post| post.streams()).sum(),
        ],
        draining: health.is_draining(),
        uptime_seconds: health.fleet.epoch.now().saturating_since(Instant::EPOCH).as_secs(),
        reloads: health.reloads.load(Ordering::Relaxed),
        reloads_refused: health.reloads_refused.load(Ordering::Relaxed),
    };
    match metrics::text(&counted.await, whole) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
                .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

/// Connections at once; those who come later wait. Each is an open file, which relays need too.
const CONNECTIONS_MAX: usize = 32;
/// How long each of them lives, however slowly somebody writes or reads. Prometheus connects again.
const CONNECTION_LIFE: Duration = Duration::from_secs(10);

/// A listener that nobody can wear out.
pub(super) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl axum::serve::Listener for Bounded {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        // The semaphore is never closed.
        let place = self.places.clone().acquire_owned().await.ok();
        let (stream, from) = axum::serve::Listener::accept(&mut self.listener).await;
        (Timed { stream, end: Box::pin(tokio::time::sleep(CONNECTION_LIFE)), _place: place }, from)
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends in time.
pub(super) struct Timed {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Timed {
    /// An error once its time is over; until then what `poll` says.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => poll(Pin::new(&mut self.stream), cx),
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(cx, |stream, cx| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(cx, |stream, cx| stream.poll_write(cx, octets))
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx, |stream, cx| stream.poll_flush(cx))
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}
