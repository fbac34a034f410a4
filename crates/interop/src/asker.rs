//! A STUN client with its socket: opens it, asks its questions one after the other, and is closed.

use std::{collections::VecDeque, net::SocketAddr};

use ginnel_core::{
    Handled, Instant, NoRoom, Notice, Packet, Path, Receive, Refused, Request, Transmit, Transport, Wake,
    machine,
};
use ginnel_stun::{
    Credential, MessageWriter, Method,
    client::{self, Client, RequestId, Response},
};

/// The machine. Answers that are not plain Binding answers are its data. Where a server sends it to another one over a
/// stream, it goes there.
#[derive(Debug)]
pub struct Asker {
    client: Client,
    /// What was opened first.
    opened: Request,
    /// What is to be opened.
    open: Option<Request>,
    server: SocketAddr,
    questions: VecDeque<Question>,
    path: Option<Path>,
    /// What waits for another server's stream.
    redirected: Option<RequestId>,
    events: VecDeque<Said>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// How the server sees us.
    Binding,
    /// Something more than that, with these attributes.
    Request(Box<client::Request>, Attributes),
}

/// Adds the attributes of a request.
pub type Attributes = for<'p, 'b> fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>;

impl Question {
    /// A Binding request with a credential.
    #[must_use]
    pub fn with(credential: impl Into<Credential>) -> Self {
        let request = client::Request::new(Method::BINDING).with_credential(credential);
        Self::Request(Box::new(request), |open| Ok(open))
    }
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The socket or stream is open.
    Opened(Path),
    /// It is not to be had.
    Refused(Refused),
    /// What the client says.
    Client(client::Event),
}

impl Asker {
    /// Asks `server` over what `open` opens.
    #[must_use]
    pub fn new(
        client: Client,
        open: Request,
        server: SocketAddr,
        questions: impl Into<VecDeque<Question>>,
    ) -> Self {
        Self {
            client,
            opened: open,
            open: Some(open),
            server,
            questions: questions.into(),
            path: None,
            redirected: None,
            events: VecDeque::new(),
        }
    }

    /// The client, to look at.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The next question, or the end.
    fn go_on(&mut self, now: Instant) {
        let (Some(path), Some(question)) = (self.path, self.questions.pop_front()) else {
            return self.client.close(now);
        };
        let asked = match question {
            Question::Binding => self.client.binding(now, path),
            Question::Request(request, attributes) => self.client.request(now, path, *request, attributes),
        };
        asked.expect("a client with nothing else to do takes a request");
    }

    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Response> {
        let handled = self.client.handle_input(now, input);
        if matches!(handled, Handled::Data(_)) {
            self.go_on(now);
        }
        self.listen(now);
        handled
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        self.listen(now);
    }
    fn handle_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { result: Ok(local), .. } => {
                let transport = match self.opened {
                    Request::Connect { transport, .. } => transport,
                    _ => Transport::Udp,
                };
                let path = Path::new(transport, local, self.server);
                self.path = Some(path);
                self.events.push_back(Said::Opened(path));
                match self.redirected.take() {
                    Some(request) => {
                        self.client.follow(now, request, path).expect("it waits to be followed");
                    }
                    None => self.go_on(now),
                }
            }
            Notice::Opened { result: Err(why), .. } => {
                self.events.push_back(Said::Refused(why));
                self.client.close(now);
            }
            other => self.client.handle_notice(now, other),
        }
        self.listen(now);
    }
    /// Takes the client's events: after the last word on a question comes the next.
    fn listen(&mut self, now: Instant) {
        while let Some(event) = self.client.poll_event() {
            let over = matches!(event, client::Event::Mapped { .. } | client::Event::Failed { .. });
            if let client::Event::Alternate { request, server, .. } = event {
                self.connect_to(request, server);
            }
            self.events.push_back(Said::Client(event));
            if over {
                self.go_on(now);
            }
        }
    }
    /// As before, to another server: under the same name, since tests have one certificate.
    fn connect_to(&mut self, waiting: RequestId, other: SocketAddr) {
        let mut open = self.opened;
        if let Request::Connect { remote, .. } = &mut open {
            *remote = other;
            (self.server, self.redirected, self.open) = (other, Some(waiting), Some(open));
        }
    }
    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let transmit = self.client.poll_transmit(now, packet);
        self.listen(now);
        transmit
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.open.take().or_else(|| self.client.poll_request())
    }
    fn poll_event(&mut self) -> Option<Said> {
        self.events.pop_front()
    }
    fn poll_timeout(&self) -> Option<Wake> {
        self.client.poll_timeout()
    }
    fn close(&mut self, now: Instant) {
        self.client.close(now);
        self.listen(now);
    }
    fn is_closed(&self) -> bool {
        self.client.is_closed() && self.events.is_empty()
    }
}
machine!(impl [] Asker { Event = Said; Data = Response; } [requests]);
