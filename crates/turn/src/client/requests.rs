//! Requests on their way: who asked for what, and where the answers go.
//!
//! The transaction layer authenticates (401, 438: RFC 8656 sections 5 and 7.4), follows a 300 and repeats after a 500. What it
//! hands on here is an answer or an end.

use ginnel_core::{Handled, Instant, NoRoom, Path, Receive};
use ginnel_stun::{
    Message, MessageWriter, Method,
    attribute::AttributeType,
    client::{self as stun, RequestId, StartError},
};

use super::{Client, event::FailureReason, state::Purpose};

/// RFC 8656 section 18, RFC 6062 section 6.2: the comprehension-required attributes of responses.
const KNOWN: &[AttributeType] = &[
    AttributeType::CHANNEL_NUMBER,
    AttributeType::LIFETIME,
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::DATA,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::EVEN_PORT,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::DONT_FRAGMENT,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::CONNECTION_ID,
];
/// Transactions beside those of TCP connections: RFC 8489 section 6.2 lets ten be at once with one server.
pub(super) const TRANSACTIONS: usize = 16;
/// How many of them permissions and channels take: a Refresh, one for a family and a move always find room.
const FOR_PEERS: usize = 7;
/// Paths of which the session is kept: the server, those that it redirects to, the data connections.
pub(super) const SESSIONS: usize = 8;

/// An answer, read.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) error: Option<u16>,
    pub(super) message: Message<'a>,
    /// Where it came from: after a redirection over UDP, not where the request went.
    pub(super) path: Path,
    /// When its request was asked for: the server counts lifetimes from then at the earliest.
    pub(super) since: Instant,
    /// The request was sent once, so nothing but what the answer says has come of it.
    pub(super) once: bool,
}

impl Client {
    /// Asks the server on `path`.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        path: Path,
        method: Method,
        purpose: Purpose,
        build: impl for<'p, 'b> Fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>
        + Send
        + Sync
        + 'static,
    ) -> Result<RequestId, StartError> {
        let mut request = stun::Request::new(method).with_known(KNOWN);
        if let Some(credential) = &self.credential {
            request = request.with_credential(credential.clone());
        }
        if purpose != Purpose::Allocate {
            // What is asked of an allocation only the server that has it can answer.
            request = request.for_this_server_alone();
        }
        let id = self.stun.request(now, path, request, build)?;
        self.on_their_way.push((id, purpose, now));
        Ok(id)
    }
    /// Whether such a request is on its way.
    pub(super) fn is_asking(&self, purpose: Purpose) -> bool {
        self.on_their_way.iter().any(|(_, other, _)| *other == purpose)
    }
    /// Whether one more may be asked for on behalf of a peer.
    pub(super) fn has_room_for_peers(&self) -> bool {
        let of_peers = |it: &&(_, Purpose, _)| matches!(it.1, Purpose::Permissions | Purpose::Channel);
        self.on_their_way.iter().filter(of_peers).count() < FOR_PEERS
    }
    /// Forgets requests.
    pub(super) fn cancel(&mut self, of: impl Fn(Purpose) -> bool) {
        let stun = &mut self.stun;
        self.on_their_way.retain(|&(id, purpose, _)| {
            let cancelled = of(purpose);
            if cancelled {
                stun.cancel(id);
            }
            !cancelled
        });
    }
    fn purpose_of(&mut self, id: RequestId) -> Option<(Purpose, Instant)> {
        let at = self.on_their_way.iter().position(|(other, ..)| *other == id)?;
        let (_, purpose, since) = self.on_their_way.swap_remove(at);
        Some((purpose, since))
    }

    /// A response: the transaction layer pairs and checks it.
    pub(super) fn on_response<D>(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<D> {
        let handled = self.stun.handle_input(now, input);
        let response = match handled {
            Handled::Data(response) => Some(response),
            Handled::Foreign => return Handled::Foreign,
            Handled::Consumed | Handled::Send(_) => None,
        };
        // It may have ended other requests too; their ends are older.
        self.drain(now);
        if let Some(response) = response
            && let Some((purpose, since)) = self.purpose_of(response.request)
            && let Ok(message) = Message::parse(input.packet.bytes())
        {
            let once = response.rtt.is_some() || input.path.transport.is_stream();
            let answer = Answer { error: response.error, message, path: input.path, since, once };
            self.on_answer(now, purpose, response.request, &answer);
        }
        self.pump(now);
        Handled::Consumed
    }
    fn on_answer(&mut self, now: Instant, purpose: Purpose, request: RequestId, answer: &Answer<'_>) {
        let refused = answer.error.map(FailureReason::of_code);
        match purpose {
            Purpose::Allocate => self.on_allocate_answer(now, answer),
            Purpose::Refresh => self.on_refresh_answer(now, answer),
            Purpose::Move => self.on_move_answer(now, answer),
            Purpose::Delete => self.on_deleted(now),
            Purpose::DeleteFamily(family) => self.on_family_deleted(now, family, refused),
            Purpose::Permissions => self.on_permissions(now, request, refused),
            Purpose::Channel => self.on_channel(now, request, refused, answer.once),
            Purpose::Connect(connection) => self.on_connect_answer(now, connection, answer),
            Purpose::ConnectionBind(connection) => self.on_bound(now, connection, refused),
        }
    }
    /// A request has ended without an answer.
    fn on_unanswered(&mut self, now: Instant, request: RequestId, reason: stun::FailureReason) {
        let Some((purpose, _)) = self.purpose_of(request) else { return };
        let reason = match reason {
            stun::FailureReason::SocketLost => FailureReason::SocketLost,
            other => FailureReason::Transaction(other),
        };
        match purpose {
            Purpose::Allocate => self.on_attempt_failed(now, reason),
            Purpose::Refresh => self.on_refresh_failed(now, reason),
            Purpose::Move => self.on_move_failed(now, reason),
            Purpose::Delete => self.on_deleted(now),
            Purpose::DeleteFamily(family) => self.on_family_deleted(now, family, Some(reason)),
            Purpose::Permissions => self.on_permissions(now, request, Some(reason)),
            Purpose::Channel => self.on_channel(now, request, Some(reason), false),
            Purpose::Connect(connection) | Purpose::ConnectionBind(connection) => {
                self.on_connect_failed(now, connection, reason);
            }
        }
    }
    /// Takes what the transaction layer has to say.
    pub(super) fn drain(&mut self, now: Instant) {
        while let Some(event) = self.stun.poll_event() {
            match event {
                stun::Event::Failed { request, reason, .. } => self.on_unanswered(now, request, reason),
                stun::Event::Alternate { request, server, domain, .. } => {
                    self.on_alternate(request, server, domain.as_deref());
                }
                // No Binding request is sent, and the layer is not closed before its owner has ended.
                _ => {}
            }
        }
    }
}
