//! The Binding server (RFC 8489 sections 6.3.1 and 6.3.2): tells whoever asks where it is seen to ask from.
//!
//! It keeps no state for anybody: the answer is written over the question and returned, so a retransmission is answered
//! afresh (Binding is idempotent), and there is nothing for a flood to fill.
//! An unauthenticated answer is as small as the RFC allows: no SOFTWARE, no reason phrase. A Binding answer is at most
//! 2.2 times its request, and a 420 at most 1.5 times.
//! Left out so far: credentials, a rate limit for each source, the second address of RFC 5780 (CHANGE-REQUEST is answered
//! with 420, as RFC 5780 section 6.1 has servers that cannot do it).

use ginnel_core::{Handled, Instant, NoRoom, Packet, Receive, Transmit, Wake};

use crate::{
    attribute::{AttributeType, ErrorCode, UnknownAttributes, XorMappedAddress},
    client::KNOWN,
    fingerprint::Fingerprint,
    message::{Class, Message, Method, TransactionId},
    writer::MessageWriter,
};

/// How many attributes a 420 lists: as many as fit into an answer, with room to spare. Who sends more learns of these.
const UNKNOWN_LISTED_MAX: usize = 100;

/// Answers Binding requests.
///
/// | kind | verbs |
/// |---|---|
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`close`](Self::close) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`stats`](Self::stats) |
///
/// It never transmits of its own accord and never waits, so [`ginnel_core::receive`] is all that a driver needs; see
/// [`ginnel_core`] for the contract.
///
/// ```
/// use ginnel_core::{Handled, Instant, Packet, Path, Receive};
/// use ginnel_stun::{BindingServer, Message, attribute::XorMappedAddress};
///
/// let mut server = BindingServer::new();
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// packet.append(b"\x00\x01\x00\x00\x21\x12\xa4\x42transactions")?;
/// let path = Path::udp("198.51.100.1:3478".parse()?, "192.0.2.1:5000".parse()?);
/// let mut input = Receive::new(path, packet);
/// let Handled::Send(transmit) = server.handle_input(Instant::EPOCH, &mut input) else { panic!("no answer") };
/// assert_eq!(transmit.path, path); // back to where it came from
/// let answer = Message::parse(input.packet.bytes())?;
/// assert_eq!(answer.get()?, Some(XorMappedAddress(path.remote)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct BindingServer {
    closing: Closing,
    stats: ServerStats,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    #[default]
    Open,
    /// Closed, and the event waits to be polled.
    Closed,
    /// Closed, and said so.
    Said,
}

/// What a Binding server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// It is closed: the last event.
    Closed,
}

/// Counters of a Binding server, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Binding requests answered with success.
    pub answered: u64,
    /// Binding requests answered with 420.
    pub unknown_attributes: u64,
    /// Binding indications, which are not answered (RFC 8489 section 6.3.2).
    pub indications: u64,
    /// What claims to be STUN and is malformed: discarded.
    pub malformed: u64,
    /// Binding requests and indications with a bad FINGERPRINT: discarded.
    pub bad_fingerprint: u64,
}

impl BindingServer {
    /// A server.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One arrival. A Binding request is answered in place; responses, other methods and what is not STUN are
    /// [`Handled::Foreign`].
    pub fn handle_input(&mut self, _now: Instant, input: &mut Receive<'_>) -> Handled {
        let octets = input.packet.bytes();
        if self.is_closed() || !Message::is_claimed_by(octets) {
            return Handled::Foreign;
        }
        let Ok(message) = Message::parse(octets) else {
            self.stats.malformed += 1;
            return Handled::Consumed;
        };
        if message.method() != Method::BINDING || message.class().is_response() {
            return Handled::Foreign;
        }
        let fingerprint = message.fingerprint();
        if fingerprint == Fingerprint::Bad {
            self.stats.bad_fingerprint += 1;
            return Handled::Consumed;
        }
        if message.class() == Class::Indication {
            self.stats.indications += 1;
            return Handled::Consumed;
        }
        let unknown = Unknown::of(&message);
        let answer = Answer {
            transaction_id: message.transaction_id(),
            // RFC 8489 section 7: who asks with FINGERPRINT may need it to tell the answer from other traffic.
            fingerprint: fingerprint == Fingerprint::Ok,
        };
        let (written, counter) = if unknown.count == 0 {
            (answer.success(&mut input.packet, input.path.remote), &mut self.stats.answered)
        } else {
            (answer.unknown(&mut input.packet, unknown.listed()), &mut self.stats.unknown_attributes)
        };
        match written {
            Ok(()) => {
                *counter += 1;
                Handled::Send(Transmit::to(input.path))
            }
            // Not with a packet as the contract has it: there is room for every answer.
            Err(NoRoom) => Handled::Consumed,
        }
    }
    /// Nothing: a server waits for nobody.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// Nothing: answers are returned by [`handle_input`](Self::handle_input).
    pub fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    /// That it is closed, once.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        if self.closing != Closing::Closed {
            return None;
        }
        self.closing = Closing::Said;
        Some(ServerEvent::Closed)
    }
    /// Never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    /// Answers no more.
    pub fn close(&mut self, _now: Instant) {
        if self.closing == Closing::Open {
            self.closing = Closing::Closed;
        }
    }
    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing != Closing::Open
    }
    /// Counters.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.stats
    }
}
ginnel_core::machine!(impl [] BindingServer { Event = ServerEvent; Data = (); });

/// What is kept of a request once its octets are given up.
struct Answer {
    transaction_id: TransactionId,
    fingerprint: bool,
}
impl Answer {
    /// RFC 8489 section 6.3.1.1: the source address of the request.
    fn success(&self, packet: &mut Packet<'_>, source: core::net::SocketAddr) -> Result<(), NoRoom> {
        let open = MessageWriter::new(packet, Class::Success, Method::BINDING, self.transaction_id)?;
        self.end(open.attribute(&XorMappedAddress(source))?)
    }
    /// RFC 8489 section 6.3.1: what was not understood.
    fn unknown(&self, packet: &mut Packet<'_>, unknown: &[AttributeType]) -> Result<(), NoRoom> {
        let open = MessageWriter::new(packet, Class::Error, Method::BINDING, self.transaction_id)?;
        let open = open.attribute(&ErrorCode::UNKNOWN_ATTRIBUTE)?;
        self.end(open.attribute(&UnknownAttributes::new(unknown))?)
    }
    fn end(&self, open: MessageWriter<'_, '_>) -> Result<(), NoRoom> {
        if self.fingerprint {
            return open.fingerprint();
        }
        open.finish();
        Ok(())
    }
}

/// The attributes that are not understood, copied out before the request is written over.
struct Unknown {
    types: [AttributeType; UNKNOWN_LISTED_MAX],
    count: usize,
}
impl Unknown {
    fn of(message: &Message<'_>) -> Self {
        let mut unknown = Self { types: [AttributeType(0); UNKNOWN_LISTED_MAX], count: 0 };
        for (slot, kind) in unknown.types.iter_mut().zip(message.unknown_required(KNOWN)) {
            *slot = kind;
            unknown.count += 1;
        }
        unknown
    }
    fn listed(&self) -> &[AttributeType] {
        &self.types[..self.count]
    }
}

#[cfg(test)]
mod tests;
