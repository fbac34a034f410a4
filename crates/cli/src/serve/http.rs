//! `/metrics` and `/healthz`, over plain HTTP: for whoever operates the server, not for the Internet.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use ginnel::core::Instant;

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
