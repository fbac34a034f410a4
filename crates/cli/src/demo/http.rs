//! The HTTP side of the demo: the page, its assets, and the signalling contract.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `GET /` and its assets | | the page, embedded in the binary |
//! | `GET /config` | | `{"stun": "stun:host:port" or null, "version"}` |
//! | `POST /offer` | `{"sdp", "type": "offer"}` | `{"sdp", "type": "answer", "session"}`, every candidate in it |
//! | `POST /candidate` | `{"session", "candidate", "sdpMid"}` | 204; an empty candidate ends them |
//! | `POST /hangup` | `{"session"}` | 204 |
//! | `GET /stats[?session=ID]` | | `{"peers": [..]}` |
//!
//! What goes wrong is answered with a 4xx or 5xx and `{"error": "a sentence"}`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Query, Request, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    assets,
    sessions::{Candidate, Refusal, Sessions},
};

/// The largest description that a browser sends is a few tens of kilobytes.
const BODY_LIMIT: usize = 256 * 1024;

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) sessions: Sessions,
    /// Where the STUN server listens, if there is one.
    pub(crate) stun: Option<SocketAddr>,
}

/// All routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new()
        .route("/config", get(config))
        .route("/offer", post(offer))
        .route("/candidate", post(candidate))
        .route("/hangup", post(hangup))
        .route("/stats", get(stats));
    for asset in assets::ALL {
        router = router.route(asset.path, get(move || async { asset_response(asset) }));
    }
    router
        .method_not_allowed_fallback(|| async {
            error(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address takes another method: see the program's README",
            )
        })
        .fallback(|| async { error(StatusCode::NOT_FOUND, "there is no such page: the demo is at /") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(own_page_only))
        .with_state(shared)
}

/// Refuses what a page from elsewhere asks through a visitor's browser. A name that was made to resolve to this host (DNS
/// rebinding) is not an address, and a request across sites bears its page's origin. Programs send none.
async fn own_page_only(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = asked_host(headers);
    let is_ours = host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let authority = headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    let same_site = headers.get(header::ORIGIN).is_none_or(|origin| {
        origin.as_bytes().strip_prefix(b"http://").is_some_and(|named| named == authority)
    });
    if is_ours && same_site {
        return next.run(request).await;
    }
    error(StatusCode::FORBIDDEN, "this is not the demo's own page: open the address that it printed")
}

fn asset_response(asset: &'static assets::Asset) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "no-cache"),
        // Nothing is loaded from elsewhere, so nothing may be; the echoed streams are not loads.
        (header::CONTENT_SECURITY_POLICY, "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.text).into_response()
}

async fn config(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Json<Value> {
    // A server on every address is reached at the one where the page was.
    let stun = shared.stun.map(|stun| match stun.ip().is_unspecified() {
        true => format!("stun:{}:{}", asked_host(&headers), stun.port()),
        false => format!("stun:{stun}"),
    });
    Json(json!({ "stun": stun, "version": env!("CARGO_PKG_VERSION") }))
}

/// The host under which the browser reached us, without its port.
fn asked_host(headers: &HeaderMap) -> &str {
    let host = headers.get(header::HOST).and_then(|h: &HeaderValue| h.to_str().ok()).unwrap_or("127.0.0.1");
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[derive(Deserialize)]
struct Offer {
    sdp: String,
    #[serde(rename = "type")]
    kind: String,
}

async fn offer(State(shared): State<Arc<Shared>>, body: Result<Bytes, BytesRejection>) -> Response {
    let offer: Offer = match parse(body) {
        Ok(offer) => offer,
        Err((status, why)) => return error(status, &why),
    };
    if offer.kind != "offer" {
        return error(
            StatusCode::BAD_REQUEST,
            &format!("\"type\" is \"{}\": only an offer is answered", offer.kind),
        );
    }
    match shared.sessions.offer(offer.sdp).await {
        Ok(answer) => {
            Json(json!({ "sdp": answer.sdp, "type": "answer", "session": answer.session })).into_response()
        }
        Err(refusal) => refuse(&refusal),
    }
}

#[derive(Deserialize)]
struct TrickledCandidate {
    session: String,
    candidate: Option<String>,
    #[serde(rename = "sdpMid")]
    mid: Option<String>,
}

async fn candidate(State(shared): State<Arc<Shared>>, body: Result<Bytes, BytesRejection>) -> Response {
    let sent: TrickledCandidate = match parse(body) {
        Ok(sent) => sent,
        Err((status, why)) => return error(status, &why),
    };
    let candidate = Candidate { line: sent.candidate.unwrap_or_default(), mid: sent.mid };
    match shared.sessions.candidate(&sent.session, candidate).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

#[derive(Deserialize)]
struct Hangup {
    session: String,
}

async fn hangup(State(shared): State<Arc<Shared>>, body: Result<Bytes, BytesRejection>) -> Response {
    let sent: Hangup = match parse(body) {
        Ok(sent) => sent,
        Err((status, why)) => return error(status, &why),
    };
    match shared.sessions.hangup(&sent.session).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

#[derive(Deserialize)]
struct Filter {
    session: Option<String>,
}

async fn stats(State(shared): State<Arc<Shared>>, filter: Result<Query<Filter>, QueryRejection>) -> Response {
    let only = match filter {
        Ok(Query(filter)) => filter.session,
        Err(refused) => return error(refused.status(), &refused.body_text()),
    };
    let mut peers = shared.sessions.stats(only.as_deref());
    if only.is_none() {
        // Who knows a session's name can end it: it is told to those who know it.
        peers.iter_mut().filter_map(Value::as_object_mut).for_each(|peer| drop(peer.remove("session")));
    }
    Json(json!({ "peers": peers })).into_response()
}

/// JSON whatever its content type: `navigator.sendBeacon` sends plain text.
fn parse<T: serde::de::DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, (StatusCode, String)> {
    let body = body.map_err(|refused| (refused.status(), refused.body_text()))?;
    serde_json::from_slice(&body)
        .map_err(|e| (StatusCode::BAD_REQUEST, format!("the body is not the JSON that belongs here: {e}")))
}

fn refuse(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Offer(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NoSuchSession => StatusCode::NOT_FOUND,
        Refusal::TooMany(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    error(status, &refusal.to_string())
}

fn error(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "error": sentence }))).into_response()
}
