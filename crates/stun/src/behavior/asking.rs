//! One question to the server: what it asks, and on which paths the answer may come. Over the transactions of
//! [`Client`], each of which is sent once here: a test has its own tries, at its own pace.

use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Handled, Instant, NoRoom, Notice, Packet, Path, Receive, Seed, Transmit};

use crate::{
    Credential,
    attribute::{
        AttributeType, ChangeRequest, MappedAddress, OtherAddress, Padding, ResponsePort, XorMappedAddress,
    },
    client::{self, Client, ClientConfig, FailureReason, RequestId},
    message::{Class, Message, Method},
    writer::MessageWriter,
};

/// RFC 8489 section 6.2: a client should have no more transactions to one server at once.
pub(super) const MAX_IN_FLIGHT: usize = 10;

/// What is asked of the server beside the mapped address (RFC 5780 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    /// An answer from elsewhere.
    Change(ChangeRequest),
    /// An answer from elsewhere, to another port.
    ChangeTo(ChangeRequest, u16),
    /// An answer to another port.
    ResponsePort(u16),
    /// A message of this length, and an answer as long.
    Length(u16),
}

/// A request that may be made again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// On which it is asked, and answered unless the wish is heard.
    pub(super) path: Path,
    /// On which it is answered if the wish is heard, where that is another.
    pub(super) also: Option<Path>,
    pub(super) wish: Wish,
}

/// How a question ended, if the server, or somebody on the way, said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) request: RequestId,
    /// On which path it came: one of the question's.
    pub(super) came: Path,
    pub(super) result: Result<Answer, Failure>,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server's error code.
    Refused(u16),
    /// ICMP.
    Unreachable,
    /// What came is no answer.
    Nothing,
}

/// What a success tells (RFC 5780 section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// XOR-MAPPED-ADDRESS.
    pub(super) mapped: SocketAddr,
    /// MAPPED-ADDRESS.
    pub(super) plain: Option<SocketAddr>,
    /// OTHER-ADDRESS.
    pub(super) other: Option<SocketAddr>,
    /// How many octets the message has.
    pub(super) len: usize,
    /// Whether it has PADDING.
    pub(super) padded: bool,
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Foreign,
    /// Ours, and worth nothing.
    Ignored,
    Reply(Reply),
}

/// The questions that are open.
#[derive(Debug)]
pub(super) struct Asker {
    client: Client,
    credential: Option<Credential>,
}

/// No request lives so long here: who asks gives it up before.
const GIVE_UP: Duration = Duration::from_secs(60);

impl Asker {
    pub(super) fn new(seed: Seed, fingerprint: bool) -> Self {
        // RFC 5780 section 5: ALTERNATE-SERVER is ignored. The others would make tries of their own.
        let config = ClientConfig::default()
            .with_schedule(GIVE_UP, 1, 1)
            .with_learn_rto(false)
            .with_follow_alternate(false)
            .with_max_repeats(0)
            .with_max_transactions(2 * MAX_IN_FLIGHT, MAX_IN_FLIGHT)
            .with_fingerprint(fingerprint);
        Self { client: Client::new(config, seed), credential: None }
    }
    pub(super) fn set_credential(&mut self, credential: Credential) {
        self.credential = Some(credential);
    }

    /// Asks. `None`: not now, there are too many questions.
    pub(super) fn ask(&mut self, now: Instant, question: Question) -> Option<RequestId> {
        let mut request = client::Request::new(Method::BINDING).with_known(KNOWN);
        if let Some(credential) = &self.credential {
            request = request.with_credential(credential.clone());
        }
        if let Some(also) = question.also {
            request = request.with_response_paths([also]);
        }
        let wish = question.wish;
        if let Wish::Length(_) = wish {
            request = request.beyond_mtu();
        }
        self.client.request(now, question.path, request, move |open| wish.write(open)).ok()
    }
    /// How many questions are open.
    pub(super) fn open(&self) -> usize {
        self.client.in_progress()
    }
    /// Forgets a question.
    pub(super) fn cancel(&mut self, request: RequestId) {
        self.client.cancel(request);
    }

    /// One arrival. SECURITY.md case 15: what comes from an address, or to a socket, that the question does not name is
    /// ignored, and the question stays open.
    pub(super) fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Arrival {
        let response = match self.client.handle_input(now, input) {
            Handled::Data(response) => response,
            Handled::Foreign => return Arrival::Foreign,
            Handled::Consumed | Handled::Send(_) => return Arrival::Ignored,
        };
        let answer = || Answer::of(&Message::parse(input.packet.bytes()).ok()?);
        let result = match (response.class, response.error) {
            (Class::Error, code) => Err(code.map_or(Failure::Nothing, Failure::Refused)),
            _ => answer().ok_or(Failure::Nothing),
        };
        Arrival::Reply(Reply { request: response.request, came: input.path, result })
    }
    pub(super) fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.client.handle_notice(now, notice);
    }
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
    }
    pub(super) fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        self.client.poll_transmit(now, packet)
    }
    /// The next question that the client itself has seen fail.
    pub(super) fn poll_failure(&mut self) -> Option<Reply> {
        loop {
            let client::Event::Failed { request, path, reason } = self.client.poll_event()? else { continue };
            let failure = match reason {
                FailureReason::Refused(code) => Failure::Refused(code),
                FailureReason::Alternate(_) => Failure::Refused(300),
                FailureReason::Unauthenticated
                | FailureReason::BadChallenge
                | FailureReason::BidDown
                | FailureReason::NoCommonAlgorithm
                | FailureReason::WrongRealm
                | FailureReason::UnusableRealm(_)
                | FailureReason::TooManyChallenges => Failure::Refused(401),
                FailureReason::Unreachable(_) => Failure::Unreachable,
                _ => Failure::Nothing,
            };
            return Some(Reply { request, came: path, result: Err(failure) });
        }
    }
}

impl Answer {
    fn of(message: &Message<'_>) -> Option<Self> {
        let XorMappedAddress(mapped) = message.get().ok().flatten()?;
        let plain = message.get::<MappedAddress>().ok().flatten().map(|it| it.0);
        let other = message.get::<OtherAddress>().ok().flatten().map(|it| it.0);
        let (len, padded) = (message.octets().len(), message.has(AttributeType::PADDING));
        Some(Self { mapped, plain, other, len, padded })
    }
}

impl Wish {
    fn write<'p, 'b>(self, open: MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom> {
        match self {
            Self::Nothing => Ok(open),
            Self::Change(change) => open.attribute(&change),
            Self::ChangeTo(change, port) => open.attribute(&change)?.attribute(&ResponsePort(port)),
            Self::ResponsePort(port) => open.attribute(&ResponsePort(port)),
            // RFC 5780 section 7.6: as long as the MTU, rounded up to four.
            Self::Length(mtu) => open.attribute(&Padding { octets: mtu.next_multiple_of(4) }),
        }
    }
}

/// PADDING, which an answer may bear (RFC 5780 section 6.1), beside the attributes of RFC 8489 section 18.3.
const KNOWN: &[AttributeType] = &[AttributeType::PADDING];
