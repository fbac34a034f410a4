//! The client machine with 1, 1,000 and 100,000 transactions outstanding: its three costs must not grow with their number.

use std::net::SocketAddr;

use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed};
use ginnel_stun::{
    Class, Message, MessageWriter, Method,
    attribute::XorMappedAddress,
    client::{Client, ClientConfig, Event},
};

use super::{address, ours::OURS, rivals};
use crate::contest::{Group, Probe};

/// Transactions outstanding, beside a batch at most that is being answered.
const OUTSTANDING: [(usize, &str); 3] = [(1, "1"), (1_000, "1,000"), (100_000, "100,000")];
/// Transactions that are started and then answered at once.
const BATCH: u64 = 64;

pub(super) fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for (count, text) in OUTSTANDING {
        let group = |what| Group::new(format!("stun/client, {text} outstanding, {what}"));
        for (what, part) in [("a request", Part::Request), ("its answer", Part::Answer)] {
            let ours = group(what).with_part(OURS, batches_of(part, move || Asking::new(count)));
            groups.push(rivals::batches(ours, part, count));
        }
        let mut asking = None;
        let ours = group("the next wake-up").with(OURS, move || {
            asking
                .get_or_insert_with(|| Asking::new(count))
                .client
                .poll_timeout()
                .expect("one is due some day")
        });
        groups.push(rivals::wake(ours, count));
    }
    groups
}
/// The state is made when it is first measured: 100,000 transactions take their time, and rows are often left out.
pub(super) fn batches_of<A: Asks>(part: Part, make: impl Fn() -> A) -> impl FnMut(u64, Probe) -> u64 {
    let mut asking = None;
    move |times, probe| asking.get_or_insert_with(&make).batches(times, probe, part)
}

pub(super) fn server_address() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 3478))
}
pub(super) fn path() -> Path {
    Path::udp(SocketAddr::from(([10, 0, 0, 1], 5000)), server_address())
}
/// The success response to a request: what comes back.
pub(super) fn answer_to(request: &[u8]) -> Vec<u8> {
    let id = Message::parse(request).expect("a request").transaction_id();
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    MessageWriter::new(&mut packet, Class::Success, Method::BINDING, id)
        .and_then(|open| open.attribute(&XorMappedAddress(address())))
        .map(MessageWriter::finish)
        .expect("room");
    packet.bytes().to_vec()
}

/// Which part of a transaction is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Request,
    Answer,
}
/// Somebody who asks, with requests outstanding that nobody answers.
pub(super) trait Asks {
    /// Starts a request, and returns the front of what is sent.
    fn start(&mut self) -> [u8; 20];
    /// Takes an answer, up to what the user hears of it.
    fn answer(&mut self, octets: &[u8]);

    /// Requests in batches, each answered before the next, so that as many stay outstanding; what the probe says of one part.
    fn batches(&mut self, times: u64, probe: Probe, part: Part) -> u64 {
        let (mut left, mut spent) = (times, 0);
        let mut sent = [[0; 20]; BATCH as usize];
        while left > 0 {
            let sent = &mut sent[..left.min(BATCH) as usize];
            left -= sent.len() as u64;
            let before = probe();
            sent.iter_mut().for_each(|front| *front = self.start());
            let requests = probe() - before;
            let answers: Vec<_> = sent.iter().map(|front| answer_to(front)).collect();
            let before = probe();
            answers.iter().for_each(|octets| self.answer(octets));
            spent += if part == Part::Request { requests } else { probe() - before };
        }
        spent
    }
}

struct Asking {
    client: Client,
    buffer: Box<Buffer>,
}
impl Asking {
    fn new(outstanding: usize) -> Self {
        let mut config = ClientConfig::default();
        config.max_transactions = outstanding + BATCH as usize;
        config.max_transactions_per_server = config.max_transactions;
        let mut asking = Self { client: Client::new(config, Seed::new([7; 32])), buffer: Box::new([0; _]) };
        for _ in 0..outstanding {
            asking.start();
        }
        asking
    }
}
impl Asks for Asking {
    fn start(&mut self) -> [u8; 20] {
        self.client.binding(Instant::EPOCH, path()).expect("room for one more");
        let mut packet = Packet::empty(&mut self.buffer);
        let _ = self.client.poll_transmit(Instant::EPOCH, &mut packet).expect("it leaves at once");
        *packet.bytes().first_chunk().expect("a header")
    }
    fn answer(&mut self, octets: &[u8]) {
        let mut packet = Packet::empty(&mut self.buffer);
        packet.append(octets).expect("room");
        let mut input = Receive::new(path(), packet);
        assert_eq!(self.client.handle_input(Instant::EPOCH, &mut input), Handled::Consumed);
        assert!(matches!(self.client.poll_event(), Some(Event::Mapped { .. })));
    }
}
