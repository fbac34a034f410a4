//! A client and a server with a link between them. Time is virtual: it jumps to whatever comes next.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ginnel_core::{Buffer, Epoch, Handled, Instant, Packet, Seed};
use ginnel_dtls_srtp::dtls::{Certificate, Endpoint, EndpointConfig, Event, Fingerprint, HashFunction, Role};

pub(crate) static CLIENT: LazyLock<Arc<Certificate>> =
    LazyLock::new(|| Arc::new(Certificate::generate().unwrap()));
pub(crate) static SERVER: LazyLock<Arc<Certificate>> =
    LazyLock::new(|| Arc::new(Certificate::generate().unwrap()));
pub(crate) static EPOCH: LazyLock<Epoch> = LazyLock::new(Epoch::start);

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
pub(crate) fn is(certificate: &Certificate) -> Vec<Fingerprint> {
    vec![certificate.fingerprint(HashFunction::Sha256)]
}
pub(crate) fn client_config() -> EndpointConfig {
    EndpointConfig::new(CLIENT.clone(), Role::Client, is(&SERVER), *EPOCH)
}
pub(crate) fn server_config() -> EndpointConfig {
    EndpointConfig::new(SERVER.clone(), Role::Server, is(&CLIENT), *EPOCH)
}
/// Some time in the life of the program.
pub(crate) fn start() -> Instant {
    Instant::EPOCH + Duration::from_secs(60)
}

/// One endpoint and what came of it.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) events: Vec<Event>,
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) sent: Vec<Vec<u8>>,
}
impl Side {
    fn new(config: EndpointConfig, seed: u8) -> Self {
        let endpoint = Endpoint::new(config, start(), &Seed::new([seed; 32])).unwrap();
        Self { endpoint, events: Vec::new(), data: Vec::new(), sent: Vec::new() }
    }
    pub(crate) fn connected(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Connected { .. }))
    }
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8]) -> Handled {
        let mut buf: Buffer = [0; 2048];
        let mut large = vec![0; 70_000];
        let mut packet = if datagram.len() > 1900 {
            large[640..640 + datagram.len()].copy_from_slice(datagram);
            Packet::received(&mut large, 640..640 + datagram.len()).unwrap()
        } else {
            let mut packet = Packet::empty(&mut buf);
            packet.append(datagram).unwrap();
            packet
        };
        let handled = self.endpoint.handle_input(now, &mut packet);
        if let Handled::Data(()) = handled {
            self.data.push(packet.bytes().to_vec());
            while self.endpoint.poll_data(&mut packet) {
                self.data.push(packet.bytes().to_vec());
            }
        }
        handled
    }
    /// The record in which `data` goes out.
    pub(crate) fn record(&mut self, now: Instant, data: &[u8]) -> Vec<u8> {
        let mut buf: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        packet.append(data).unwrap();
        self.endpoint.send(now, &mut packet).unwrap();
        packet.bytes().to_vec()
    }
    /// Rule 1: transmits, events, and the timer while it is due.
    pub(crate) fn settle(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for _ in 0..100 {
            let mut buf: Buffer = [0; 2048];
            let mut packet = Packet::empty(&mut buf);
            while self.endpoint.poll_transmit(now, &mut packet) {
                out.push(packet.bytes().to_vec());
            }
            while let Some(event) = self.endpoint.poll_event() {
                self.events.push(event);
            }
            match self.endpoint.poll_timeout() {
                Some(wake) if wake.at <= now => self.endpoint.handle_timeout(now),
                _ => {
                    self.sent.extend(out.iter().cloned());
                    return out;
                }
            }
        }
        panic!("rule 2: it asks for now for ever: {:?}", self.endpoint.poll_timeout());
    }
}

/// From which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}
/// What becomes of a datagram: nothing, itself, others.
pub(crate) type Link<'a> = dyn FnMut(From, Vec<u8>) -> Vec<Vec<u8>> + 'a;

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) client: Side,
    pub(crate) server: Side,
    latency: Duration,
    wire: Vec<(Instant, From, Vec<u8>)>,
}
impl Pair {
    pub(crate) fn new(client: EndpointConfig, server: EndpointConfig) -> Self {
        Self::seeded(client, server, 1)
    }
    pub(crate) fn seeded(client: EndpointConfig, server: EndpointConfig, seed: u8) -> Self {
        Self {
            now: start(),
            client: Side::new(client, seed),
            server: Side::new(server, seed.wrapping_add(100)),
            latency: ms(50),
            wire: Vec::new(),
        }
    }
    pub(crate) fn connected() -> Self {
        let mut pair = Self::new(client_config(), server_config());
        pair.run(ms(2_000), &mut clean);
        assert!(pair.both_connected(), "{:?} {:?}", pair.client.events, pair.server.events);
        pair
    }
    pub(crate) fn both_connected(&self) -> bool {
        self.client.connected() && self.server.connected()
    }
    /// Runs for `span`, and whatever still flies is kept.
    pub(crate) fn run(&mut self, span: Duration, link: &mut Link<'_>) {
        self.run_until(span, link, |_| false);
    }
    /// Runs until `done` or for `span`; true if `done`.
    pub(crate) fn run_until(
        &mut self,
        span: Duration,
        link: &mut Link<'_>,
        done: impl Fn(&Self) -> bool,
    ) -> bool {
        let deadline = self.now + span;
        loop {
            for (from, out) in
                [(From::Client, self.client.settle(self.now)), (From::Server, self.server.settle(self.now))]
            {
                for datagram in out.into_iter().flat_map(|datagram| link(from, datagram)) {
                    self.wire.push((self.now + self.latency, from, datagram));
                }
            }
            if done(self) {
                return true;
            }
            let arrival = self.wire.iter().map(|(at, ..)| *at).min();
            let timers = [self.client.endpoint.poll_timeout(), self.server.endpoint.poll_timeout()];
            let next = timers.into_iter().flatten().map(|wake| wake.at).chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= deadline) else {
                self.now = deadline;
                return false;
            };
            self.now = self.now.max(next);
            let (due, later) = self.wire.drain(..).partition(|(at, ..)| *at <= self.now);
            self.wire = later;
            let due: Vec<(Instant, From, Vec<u8>)> = due;
            for (_, from, datagram) in due {
                let to = if from == From::Client { &mut self.server } else { &mut self.client };
                let _ = to.receive(self.now, &datagram);
            }
        }
    }
    /// Data in both directions over a clean link.
    pub(crate) fn exchange(&mut self) {
        let to_server = self.client.record(self.now, b"to the server");
        let to_client = self.server.record(self.now, b"to the client");
        assert_eq!(self.server.receive(self.now, &to_server), Handled::Data(()));
        assert_eq!(self.client.receive(self.now, &to_client), Handled::Data(()));
        assert_eq!(self.server.data.last().unwrap(), b"to the server");
        assert_eq!(self.client.data.last().unwrap(), b"to the client");
    }
}
pub(crate) fn clean(_: From, datagram: Vec<u8>) -> Vec<Vec<u8>> {
    vec![datagram]
}
