//! The tests: a host with a driver that keeps a log, for timelines and for what comes in.

mod input;
mod timelines;

use std::{format, net::IpAddr, path::PathBuf, string::String, time::Duration, vec, vec::Vec};

use super::*;
use ginnel_core::{
    Handled, Instant, Io, Machine, Notice, Packet, Path, Port, Receive, Refused, Request, Seed, Ticket,
    Transmit, check::Checked, settle,
};

const NAME: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
const OTHER: &str = "00000000-0000-4000-8000-000000000000.local";
const PEER: [u8; 4] = [192, 0, 2, 7];

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A querier, watched for the rules; its driver; and what came of both.
struct Host {
    querier: Checked<Querier>,
    now: Instant,
    io: Lan,
}

/// Opens what is asked for, unless told otherwise, and keeps a log.
struct Lan {
    answer: Option<Result<(), Refused>>,
    sent: Vec<(Transmit, Vec<u8>)>,
    requests: Vec<Request>,
    events: Vec<Event>,
}

impl Io<Event> for Lan {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        self.sent.push((transmit, packet.bytes().to_vec()));
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        self.requests.push(request);
        let Request::Bind { ticket, ip, port: Port::Exact(port) } = request else { return None };
        self.answer.map(|answer| Notice::Opened { ticket, result: answer.map(|()| (ip, port).into()) })
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

impl Host {
    fn new(config: Config) -> Self {
        let io = Lan { answer: Some(Ok(())), sent: Vec::new(), requests: Vec::new(), events: Vec::new() };
        Self { querier: Checked::new(Querier::new(config, Seed::new([7; 32]))), now: Instant::EPOCH, io }
    }

    fn settle(&mut self) -> Option<Wake> {
        settle(&mut self.querier, self.now, &mut [0; 2048], &mut self.io)
    }

    fn resolve(&mut self, name: &str) -> QueryId {
        let id = self.querier.get_mut().resolve(self.now, name).unwrap();
        self.settle();
        id
    }

    /// Lets time pass, from wake-up to wake-up. Returns when something was sent.
    fn run_for(&mut self, d: Duration) -> Vec<u128> {
        let (end, mut at) = (self.now + d, Vec::new());
        loop {
            let before = self.io.sent.len();
            let wake = self.settle();
            at.extend((before..self.io.sent.len()).map(|_| self.now.since_epoch().as_millis()));
            match wake.filter(|wake| wake.at <= end) {
                Some(wake) => self.now = wake.at,
                None => break,
            }
        }
        self.now = end;
        at
    }

    /// Delivers a message that is the querier's business.
    fn hear(&mut self, octets: &[u8]) {
        assert_eq!(self.deliver(octets), Handled::Consumed);
    }

    /// Delivers a message from the peer's port 5353.
    fn deliver(&mut self, octets: &[u8]) -> Handled {
        self.deliver_on("224.0.0.251:5353", "192.0.2.7:5353", octets)
    }

    fn deliver_on(&mut self, local: &str, remote: &str, octets: &[u8]) -> Handled {
        let mut buf = [0; 16_384];
        buf[64..64 + octets.len()].copy_from_slice(octets);
        let packet = Packet::received(&mut buf, 64..64 + octets.len()).unwrap();
        let path = Path::udp(local.parse().unwrap(), remote.parse().unwrap());
        let handled = self.querier.handle_input(self.now, &mut Receive::new(path, packet));
        self.settle();
        handled
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.io.events)
    }

    fn questions(&self) -> Vec<Vec<(String, u16, bool)>> {
        let of = |octets: &[u8]| {
            let message = Message::parse(octets).unwrap();
            message.questions().map(|q| (format!("{:?}", q.name), q.kind.0, q.unicast)).collect()
        };
        self.io.sent.iter().map(|(_, octets)| of(octets)).collect()
    }
}

/// A response with these addresses; TTL and cache-flush bit as given.
fn response(records: &[(&str, IpAddr, u32, bool)]) -> Vec<u8> {
    let mut buf = [0; 2048];
    let mut packet = Packet::empty(&mut buf);
    let mut writer = MessageWriter::response(&mut packet).unwrap();
    for (name, ip, ttl, flush) in records {
        writer.address(HostName::parse(name).unwrap(), *ip, *ttl, *flush).unwrap();
    }
    packet.bytes().to_vec()
}

fn answer(name: &str) -> Vec<u8> {
    response(&[(name, PEER.into(), 120, true)])
}

fn resolved(id: QueryId, name: &str) -> Event {
    Event::Resolved { id, name: name.into(), ip: PEER.into() }
}

fn failed(id: QueryId, name: &str, reason: FailureReason) -> Event {
    Event::Failed { id, name: name.into(), reason }
}

#[test]
fn the_corpus_is_replayed() {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/mdns"));
    let mut replayed = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        fuzz::run(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 10, "{replayed} files");
}
